"""The record of a run: one frozen value for command line, API and reports, stored as JSON in the project."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fpgacnn.hardware.estimation import Estimate
from fpgacnn.hardware.synthesis.report import SynthesisReport
from fpgacnn.records.display import Displayed
from fpgacnn.sim.compare import VerificationReport
from fpgacnn.sim.profiling import Profile
from fpgacnn.system.codec import Codec

SCHEMA = 1
CODEC = Codec()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRecord:
    """One node of the hardware: its source layer, its formats with their reasons, and its error bound.

    `reach`: smallest and largest value for any possible input; `seen`: those of the run's events. `folded`: layers that
    the node computes before `source`.
    """

    name: str
    source: str
    kind: str
    what: str
    shape: tuple[int, ...]
    parameters: int
    weight: str
    bias: str
    accumulator: str
    accumulator_reason: str
    result: str
    result_reason: str
    tables: Mapping[str, str]
    error: float
    loss: str
    signal_to_noise_db: float | None
    inputs: tuple[str, ...] = ()
    reach: tuple[float, float] | None = None
    seen: tuple[float, float] | None = None
    folded: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """The reason of the sums' format, else that of the result's; both where a cast is folded."""
        reasons = (self.accumulator_reason, self.result_reason)
        return "; ".join(one for one in reasons if one) if self.folded else reasons[0] or reasons[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """The network in the model file."""

    file: str
    digest: str
    framework: str
    layers: int
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """One input: its format and reason, and how many of the given values had to be rounded or clipped."""

    name: str
    shape: tuple[int, ...]
    format: str
    reason: str
    events: int
    origin: str
    rounded_values: int
    largest_rounding: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """The promise of the precision plan.

    `exact`: equal to the framework's answers; `lossless`: no bit is lost in hardware.
    A float network with given widths is never `exact`: its file has other numbers. `promise` is `exact`, `lossless`,
    `bounded`, or `loose` if the bound of an output is larger than a quarter of the output's range on the run's events;
    records of older versions have none.
    """

    exact: bool
    lossless: bool
    losses: tuple[tuple[str, str], ...]
    decisions: tuple[LayerRecord, ...]
    promise: str = ""

    @property
    def word(self) -> str:
        """The promise, also for a record of an older version."""
        return self.promise or ("exact" if self.exact else "lossless" if self.lossless else "bounded")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassQuality:
    """Fraction of the events with a label that get this label: float network, quantized network, hardware."""

    label: int
    events: int
    float_network: float | None
    quantized: float
    hardware: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Quality of the answers: float network, quantized network, hardware. `classes`: the efficiency of each class."""

    measure: str
    events: int
    float_network: float | None
    quantized: float
    hardware: float
    classes: tuple[ClassQuality, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRecord:
    """Part, clock and interface that the design is for."""

    part: str
    clock_ns: float
    io: str
    strategy: str
    reuse: int
    backend: str
    softmax: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRecord:
    """The project folder that was written."""

    folder: str
    digest: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunRecord(Displayed):
    """The result of a whole run."""

    version: str
    model: ModelRecord
    inputs: tuple[InputRecord, ...]
    target: TargetRecord
    plan: PlanRecord
    verification: tuple[VerificationReport, ...]
    quality: tuple[Quality, ...]
    project: ProjectRecord | None
    notes: tuple[str, ...]
    timings_s: Mapping[str, float]
    tools: Mapping[str, str]
    schema: int = SCHEMA
    estimate: Estimate | None = None
    synthesis: SynthesisReport | None = None
    outputs: tuple[str, ...] = field(default_factory=tuple)
    profile: Profile | None = None

    @property
    def line(self) -> str:
        """The network, the promise, the comparisons and the folder."""
        good = sum(report.holds for report in self.verification)
        folder = f", in {self.project.folder}" if self.project else ""
        return (
            f"run of {self.model.file}: {self.plan.word}, {good} of {len(self.verification)} comparisons hold{folder}"
        )

    @property
    def holds(self) -> bool:
        """Whether every comparison that was made holds."""
        return all(report.holds for report in self.verification)

    def to_json(self) -> str:
        """The record as JSON; numbers that JSON cannot hold are null."""
        return json.dumps(plain(self), indent=1)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EstimateRecord(Displayed):
    """Estimated resources and latency of a model or a project."""

    version: str
    source: str
    io: str
    backend: str
    estimate: Estimate
    notes: tuple[str, ...]
    schema: int = SCHEMA

    @property
    def line(self) -> str:
        """The source, the resources, the latency, and whether the part has enough."""
        return f"estimate of {self.source}: {estimate_line(self.estimate)}"

    @property
    def fits(self) -> bool:
        """Whether the part has enough of every resource."""
        return self.estimate.fits

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps(plain(self), indent=1)


def estimate_line(estimate: Estimate) -> str:
    """An estimate in one line: resources after synthesis, latency, and whether the part has enough."""
    after, latency = estimate.after_synthesis, estimate.latency_ns
    counts = {"LUT": after.lut, "FF": after.ff, "DSP": after.dsp, "BRAM 18K": after.bram_18k}
    used = ", ".join(f"{figure.value:,.0f} {name}" for name, figure in counts.items())
    if estimate.stops:
        return f"{used}, stops: its processes wait for each other, {estimate.part}"
    return f"{used}, {latency.value:,.0f} ns, {estimate.verdict} {estimate.part}"


def plain(value: object) -> Any:
    """A record, or a mapping or sequence of records, as values for `json.dumps`; NaN and infinity become null."""
    return CODEC.encode(value)
