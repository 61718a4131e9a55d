"""An estimate as values: every number with the band that contained 80 % of the true values in validation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An estimated number and the band in which the truth lies four times out of five."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        assert 0 <= self.low <= self.value <= self.high, self


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceEstimate:
    """What a layer or a design takes of the part; `bram_18k` counts 18 Kb halves of block RAM."""

    lut: Figure
    ff: Figure
    dsp: Figure
    bram_18k: Figure
    uram: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEstimate:
    """One layer's share. `fifo_bits` is the memory of the streams that it writes; `method` says how its numbers were found."""

    name: str
    kind: str
    resources: ResourceEstimate
    after_synthesis: ResourceEstimate
    latency_cycles: Figure
    ii_cycles: Figure
    multipliers: int
    fifo_bits: int
    fifo_bram_18k: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The whole design as the csynth report will have it."""

    resources: ResourceEstimate
    latency_cycles: Figure
    latency_ns: Figure
    ii_cycles: Figure
    ii_ns: Figure
    multipliers: int
    fifo_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    """What the part has in all."""

    device: str
    source: str
    lut: int
    ff: int
    dsp: int
    bram_18k: int
    uram: int
    slrs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A resource of which the design needs more than the part has."""

    resource: str
    needed: Figure
    available: int
    missing: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """Something to change before hours are spent in synthesis."""

    code: str
    layer: str
    text: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a design costs, before any vendor tool has seen it.

    `stage` and `tool` say whose report `layers` and `totals` foretell ("csynth"); `after_synthesis` foretells Vivado's
    report after logic synthesis, which is what must fit. `available` is None where the part is not in the table.
    """

    stage: str
    tool: str
    part: str
    clock_ns: float
    layers: tuple[LayerEstimate, ...]
    totals: Totals
    after_synthesis: ResourceEstimate
    available: Available | None
    shortages: tuple[Shortage, ...]
    method: str
    warnings: tuple[Caution, ...]

    @property
    def fits(self) -> bool:
        """Nothing is short; also where the part is unknown."""
        return not self.shortages
