"""The reports of vendor tools about one project, as values (`figures.py` has their numbers)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpgacnn.errors import printable
from fpgacnn.hardware.synthesis.figures import (
    FloatRange,
    IntRange,
    NetlistCells,
    Origin,
    Resources,
    Stage,
    TimingPath,
)
from fpgacnn.hardware.synthesis.placed import Hierarchy, PowerReport, RouteStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The requested clock period, HLS's estimate of the reached one, and the margin that HLS kept."""

    target_ns: float | None
    estimated_ns: float | None
    uncertainty_ns: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A loop that is left in hardware; `depth` 0 is the outermost."""

    name: str
    depth: int
    latency_cycles: IntRange
    iteration_latency_cycles: IntRange
    interval_cycles: int | None
    target_interval_cycles: int | None
    trip_count: IntRange
    pipelined: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A module inside another. `layer` is the N of hls4ml's `configN`, the key that joins it to a layer."""

    name: str
    module: str
    layer: int | None
    latency_cycles: IntRange | None
    latency_ns: FloatRange | None
    interval_cycles: IntRange | None
    pipeline: str | None
    resources: Resources | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FifoReport:
    """A FIFO between two processes; `layer` is the one that writes it."""

    name: str
    layer: int | None
    depth: int | None
    bits: int | None
    size_bits: int | None
    resources: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A RAM or ROM."""

    name: str
    module: str
    words: int | None
    bits: int | None
    banks: int | None
    size_bits: int | None
    resources: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class DspBlock:
    """A DSP block that HLS made itself, and what it computes."""

    name: str
    module: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """The ports of a module, in all."""

    ports: int
    input_bits: int
    output_bits: int
    protocols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReport:
    """C synthesis of one module. Lists are empty where the module has none, and None where the file does not tell."""

    name: str
    origin: Origin
    tool: str
    version: str
    date: str | None
    project: str | None
    solution: str | None
    family: str | None
    part: str | None
    clock: Clock
    latency_cycles: IntRange
    latency_ns: FloatRange | None
    interval_cycles: IntRange
    pipeline: str | None
    resources: Resources
    available: Resources | None
    available_per_slr: Resources | None
    by_kind: Mapping[str, Resources]
    loops: tuple[Loop, ...] | None
    instances: tuple[Instance, ...] | None
    fifos: tuple[FifoReport, ...] | None
    memories: tuple[Memory, ...] | None
    dsp_blocks: tuple[DspBlock, ...] | None
    interface: Interface | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """A line of Vitis HLS's csynth.rpt: a module or a loop, with its place in the tree."""

    name: str
    kind: str
    depth: int
    dataflow: bool
    issue: str | None
    slack_ns: float | None
    latency_cycles: int | None
    latency_ns: float | None
    iteration_latency_cycles: int | None
    interval_cycles: int | None
    trip_count: int | None
    pipelined: str | None
    resources: Resources | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Vitis HLS's csynth.rpt."""

    top: str
    origin: Origin
    version: str
    date: str | None
    part: str | None
    rows: tuple[SummaryRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSizeStep:
    """Instructions after a step of the compiler; `exceeded` where the tool warned of too many."""

    phase: str
    step: str
    instructions: int
    exceeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSize:
    """How large the design was at each step of the compiler."""

    origin: Origin
    steps: tuple[DesignSizeStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilization:
    """Vivado's report_utilization, or what Yosys or nextpnr counted; then `cells` are the primitives of a netlist.

    `sources`: the digest of the RTL that Yosys read.
    """

    origin: Origin
    design: str
    version: str
    date: str | None
    part: str
    state: str
    resources: Resources
    available: Resources
    lut_logic: int | None
    lut_memory: int | None
    ramb36: int | None
    ramb18: int | None
    tool: str = "Vivado"
    cells: NetlistCells | None = None
    sources: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingReport:
    """Vivado's report_timing_summary, or nextpnr's: worst and total slacks, None if there are no such paths.

    `met`: whether the constraints are met; None if the design has none. `paths` are the longest ones, if the tool gives
    them, and `bitstream` is the file that was written.
    """

    origin: Origin
    design: str
    version: str
    date: str | None
    part: str | None
    worst_setup_slack_ns: float | None
    total_setup_slack_ns: float | None
    failing_endpoints: int | None
    worst_hold_slack_ns: float | None
    worst_pulse_width_slack_ns: float | None
    clock_periods_ns: Mapping[str, float]
    met: bool | None
    tool: str = "Vivado"
    reached_ns: float | None = None
    paths: tuple[TimingPath, ...] = ()
    bitstream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What export_design found with Vivado: resources, and the clock period that was reached."""

    origin: Origin
    version: str | None
    date: str | None
    part: str | None
    resources: Resources
    slices: int | None
    shift_registers: int | None
    required_ns: float | None
    achieved_synth_ns: float | None
    achieved_impl_ns: float | None
    timing_met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosim:
    """RTL simulation against C: whether it passed, and the cycles that were counted."""

    origin: Origin
    date: str | None
    solution: str | None
    language: str | None
    status: str | None
    latency_cycles: IntRange
    average_latency_cycles: int | None
    interval_cycles: IntRange
    average_interval_cycles: int | None
    total_cycles: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """A layer joined to its hardware; `why` says what stands behind None.

    `resources` are those of its instances with all inside, as HLS estimates them; `netlist` are Vivado's, where there
    is a report of the hierarchy. FIFOs, and memories of the network itself, stand outside of both.
    """

    index: int
    name: str | None
    kind: str | None
    instances: tuple[str, ...]
    latency_cycles: IntRange | None
    interval_cycles: IntRange | None
    resources: Resources | None
    loops: tuple[Loop, ...]
    memories: tuple[Memory, ...]
    fifos: tuple[FifoReport, ...]
    why: str
    netlist: Resources | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A report that was read."""

    file: str
    kind: str
    stage: Stage | None
    tool: str | None
    version: str | None
    date: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A report that could not be read, and why."""

    file: str
    code: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisReport:
    """All that the tools left in a project folder.

    `csynth` is the top function; `network` the module that holds the layers, the same one unless a wrapper is on top.
    `synth` and `impl` are Vivado's of that top, `utilizations` all of Vivado's. `hierarchy` are the instances of the
    netlist. `others` are further solutions of the folder.
    """

    folder: str
    solution: str
    top: str | None
    part: str | None
    tool: str | None
    version: str | None
    csynth: ModuleReport | None
    network: ModuleReport | None
    layers: tuple[LayerReport, ...]
    modules: tuple[ModuleReport, ...]
    summary: Summary | None
    design_size: DesignSize | None
    cosim: Cosim | None
    synth: Utilization | None
    impl: Utilization | None
    utilizations: tuple[Utilization, ...]
    timings: tuple[TimingReport, ...]
    export: Export | None
    files: tuple[SourceFile, ...]
    unread: tuple[Unread, ...]
    notes: tuple[str, ...]
    others: tuple[SynthesisReport, ...] = ()
    hierarchy: Hierarchy | None = None
    powers: tuple[PowerReport, ...] = ()
    routes: tuple[RouteStatus, ...] = ()

    def __repr__(self) -> str:
        tool = " ".join(one for one in (self.tool, self.version) if one) or "an unknown tool"
        read = f"{len(self.files)} files read, {len(self.unread)} not"
        return f"<reports of {printable(tool)} in {printable(self.folder)}: top {printable(self.top)}, {read}>"

    @property
    def fabric(self) -> tuple[Resources, Resources | None] | None:
        """What the top function uses and the part has, as of the latest stage that was reached."""
        latest = self.impl or self.synth or self.csynth
        return (latest.resources, latest.available) if latest else None

    @property
    def short(self) -> tuple[str, ...]:
        """Resources that the part has too little of, as text, from the latest stage."""
        used, has = self.fabric or (None, None)
        if used is None or has is None:
            return ()
        pairs = [(name, own, has.counts[name]) for name, own in used.counts.items()]
        return tuple(
            f"{name}: {own:,} of {most:,}"
            for name, own, most in pairs
            if own is not None and most is not None and own > most
        )

    @property
    def slow(self) -> tuple[str, ...]:
        """Clocks that Vivado did not reach, as text; HLS's own estimate does not count."""
        late = [
            f"{one.design} misses its clock by {-(one.worst_setup_slack_ns or 0):g} ns"
            for one in self.timings
            if one.met is False
        ]
        if self.export and self.export.timing_met is False:
            late.append(
                f"the exported design reaches {self.export.achieved_impl_ns or self.export.achieved_synth_ns} ns of"
                f" {self.export.required_ns} ns"
            )
        return tuple(late)

    @property
    def unrouted(self) -> tuple[str, ...]:
        """Designs that Vivado did not route completely, as text."""
        return tuple(
            f"{one.design or one.origin.file} has {one.open_nets:,} of {one.routable_nets:,} nets without a whole route"
            for one in self.routes
            if one.open_nets
        )

    @property
    def holds(self) -> bool:
        """Whether no check of a tool failed: the design fits, is routed, reaches its clock, RTL simulation passed."""
        return not (self.short or self.slow or self.unrouted or (self.cosim and self.cosim.status == "Fail"))
