"""An estimate as values: every number with a band; `Constants.held` says how often bands held in validation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An estimated number and its band, which mostly contains the true value."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        assert 0 <= self.low <= self.value <= self.high, self

    def times(self, factor: float) -> Figure:
        """The number in another unit."""
        return Figure(value=self.value * factor, low=self.low * factor, high=self.high * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceEstimate:
    """Resources of a layer or a design; `bram_18k` counts 18 Kb halves of block RAM."""

    lut: Figure
    ff: Figure
    dsp: Figure
    bram_18k: Figure
    uram: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEstimate:
    """One layer's share. `fifo_bits`: memory of the streams that it writes; `method`: the source of its numbers."""

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
    """The whole design, as in the csynth report."""

    resources: ResourceEstimate
    latency_cycles: Figure
    latency_ns: Figure
    ii_cycles: Figure
    ii_ns: Figure
    multipliers: int
    fifo_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    """The resources of the part."""

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
    """A reason to change the design before hours of synthesis."""

    code: str
    layer: str
    text: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEstimate:
    """One FIFO between two processes: how deep it is, the most words that it held in the simulation, and its block RAM.

    `words` pass it in a frame; `frame_bram_18k` is what a FIFO for a whole frame would take. `bits` are those of a
    word.
    """

    name: str
    writer: str
    reader: str
    depth: int
    fill: int
    words: int
    bits: int
    bram_18k: int
    frame_bram_18k: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpan:
    """When one process works on the first frame, in cycles from its first word on.

    `empty` and `full` are cycles in which it waits for a word or for a place, between `start` and `end`; `stalls` are
    the longest of these waits, from and to a cycle.
    """

    name: str
    start: int
    end: int
    empty: int
    full: int
    stalls: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """The dataflow of a streamed design, simulated word by word with the depths of its FIFOs.

    `deadlock` are the processes that wait for each other, each with the FIFO that it waits for; empty if every frame
    ends. Cycles are 0 where there is a deadlock.
    """

    latency_cycles: Figure
    latency_ns: Figure
    ii_cycles: Figure
    ii_ns: Figure
    layers: tuple[ProcessSpan, ...]
    streams: tuple[StreamEstimate, ...]
    deadlock: tuple[str, ...] = ()

    @property
    def fifo_bram_18k(self) -> int:
        """The block RAM of all FIFOs."""
        return sum(one.bram_18k for one in self.streams)

    @property
    def frame_bram_18k(self) -> int:
        """The block RAM of all FIFOs if each held a whole frame."""
        return sum(one.frame_bram_18k for one in self.streams)


class PartVerdict(StrEnum):
    """Whether a design can be built on its part, by the bands of the resources after synthesis."""

    STOPS = "stops"
    UNKNOWN = "not known whether it fits"
    SHORT = "does not fit"
    UNSURE = "may not fit"
    FITS = "fits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a design costs, before any vendor tool has seen it.

    `stage` and `tool` say whose report `layers` and `totals` foretell ("csynth"); `after_synthesis` foretells Vivado's
    report after logic synthesis, which is what must fit. `available` is None where the part is not in the table.
    `simulated` are the cycles that RTL simulation of a streamed design will count, which csynth does not report; None
    where data does not move in streams, or where a template is not known.
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
    simulated: Simulated | None = None

    @property
    def stops(self) -> bool:
        """The processes of a streamed design wait for each other for ever."""
        return self.simulated is not None and bool(self.simulated.deadlock)

    @property
    def fits(self) -> bool:
        """Nothing is short, also where the part is unknown, and the design does not stop."""
        return not self.shortages and not self.stops

    @property
    def verdict(self) -> PartVerdict:
        """Whether the part has enough. A design that stops is `STOPS` for every part, known or not."""
        if self.stops:
            return PartVerdict.STOPS
        if self.available is None:
            return PartVerdict.UNKNOWN
        if any(figure.low > there for _, figure, there in self.needs):
            return PartVerdict.SHORT
        return PartVerdict.UNSURE if any(figure.high > there for _, figure, there in self.needs) else PartVerdict.FITS

    @property
    def needs(self) -> tuple[tuple[str, Figure, int], ...]:
        """Every resource after synthesis, and how much of it the part has; nothing where the part is unknown."""
        there, after = self.available, self.after_synthesis
        if there is None:
            return ()
        return (
            ("LUT", after.lut, there.lut),
            ("FF", after.ff, there.ff),
            ("DSP", after.dsp, there.dsp),
            ("BRAM_18K", after.bram_18k, there.bram_18k),
            ("URAM", after.uram, there.uram),
        )

    @property
    def latency_ns(self) -> Figure:
        """Time from the first word of a frame to its result: simulated for a streamed design, else as in csynth."""
        return self.simulated.latency_ns if self.simulated and not self.stops else self.totals.latency_ns

    @property
    def interval_ns(self) -> Figure:
        """Time between two frames: simulated where the design streams, else as csynth reports."""
        return self.simulated.ii_ns if self.simulated and not self.stops else self.totals.ii_ns
