"""Resources of a design by source: estimate, C synthesis, logic synthesis, placement. Sources are never mixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from fpgacnn.hardware import estimation
from fpgacnn.hardware.estimation import Estimate, Figure
from fpgacnn.hardware.synthesis import SynthesisReport, figures
from fpgacnn.hardware.synthesis import report as tools

RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM 18K", "uram": "URAM"}
"""Field -> its name in reports."""


class Source(StrEnum):
    """The source of a figure, from the estimate to the placed design."""

    ESTIMATE = "estimate"
    AFTER_SYNTHESIS = "estimate after synthesis"
    SIMULATED = "simulated"
    SCHEDULE = "rtl schedule"
    CSYNTH = "csynth"
    COSIM = "cosim"
    SYNTH = "synth"
    EXPORT = "export"
    IMPL = "impl"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceValue:
    """A number with its smallest and largest value.

    The band of an estimate, the range of a tool, or twice the number.
    """

    value: float
    low: float
    high: float
    estimated: bool = False

    @property
    def is_range(self) -> bool:
        """Whether the two ends differ."""
        return self.low != self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerResources:
    """Resources of one layer. `why` says how the numbers were found, or why they are missing."""

    name: str
    kind: str
    resources: Mapping[str, ResourceValue]
    latency_cycles: ResourceValue | None
    interval_cycles: ResourceValue | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReport:
    """The figures of one source for the whole design.

    Resources that the source does not report are missing, never 0.
    """

    source: Source
    by: str
    file: str
    resources: Mapping[str, ResourceValue] = field(default_factory=dict)
    available: Mapping[str, float] = field(default_factory=dict)
    clock_ns: float | None = None
    latency_cycles: ResourceValue | None = None
    interval_cycles: ResourceValue | None = None
    latency_ns: ResourceValue | None = None
    interval_ns: ResourceValue | None = None
    layers: tuple[LayerResources, ...] = ()

    @property
    def short(self) -> tuple[str, ...]:
        """Resources of which the design needs more than the part has."""
        return tuple(
            name
            for name, amount in self.resources.items()
            if name in self.available and amount.value > self.available[name]
        )

    @property
    def fits(self) -> bool | None:
        """Whether the part has enough of every resource that this source reports; None if that is not known."""
        known = [name for name in self.resources if name in self.available]
        return not self.short if known else None


def resource_reports(estimated: Estimate | None, report: SynthesisReport | None) -> tuple[ResourceReport, ...]:
    """The report of every source that has figures, the most accurate source last."""
    return (*(_estimated(estimated) if estimated else ()), *(_reported(report) if report else ()))


def latest(found: tuple[ResourceReport, ...]) -> ResourceReport | None:
    """The most accurate source that tells whether the part has enough resources."""
    return next((one for one in reversed(found) if one.fits is not None), None)


def timed(found: tuple[ResourceReport, ...]) -> ResourceReport | None:
    """The most accurate source of a latency: RTL simulation, C synthesis, the schedule of RTL, then estimates."""
    return next((one for one in reversed(found) if one.latency_cycles is not None), None)


def by_layer(found: tuple[ResourceReport, ...]) -> ResourceReport | None:
    """The most accurate source with figures for single layers."""
    return next((one for one in reversed(found) if one.layers), None)


FORETOLD = {
    Source.CSYNTH: Source.ESTIMATE,
    Source.COSIM: Source.SIMULATED,
    Source.SYNTH: Source.AFTER_SYNTHESIS,
    Source.EXPORT: Source.AFTER_SYNTHESIS,
    Source.IMPL: Source.AFTER_SYNTHESIS,
}
"""What a tool reports -> the estimate of the same stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateError:
    """An estimate beside what a tool reported: `error` is estimate by report, less 1; None if the report says 0.

    `quantity` is a field of `ResourceReport.resources`, "latency_cycles" or "interval_cycles".
    """

    quantity: str
    source: Source
    by: str
    estimated: float
    low: float
    high: float
    reported: float
    error: float | None
    in_band: bool


def estimate_errors(found: tuple[ResourceReport, ...]) -> tuple[EstimateError, ...]:
    """Every number that a tool reports and an estimate foretells."""
    by_source = {one.source: one for one in found}
    return tuple(
        _error(quantity, one, estimated, reported)
        for one in found
        if one.source in FORETOLD and (before := by_source.get(FORETOLD[one.source])) is not None
        for quantity, reported in _quantities(one).items()
        if (estimated := _quantities(before).get(quantity)) is not None
    )


def _quantities(report: ResourceReport) -> dict[str, ResourceValue]:
    cycles = {"latency_cycles": report.latency_cycles, "interval_cycles": report.interval_cycles}
    return {**report.resources, **{name: value for name, value in cycles.items() if value is not None}}


def _error(quantity: str, report: ResourceReport, estimated: ResourceValue, reported: ResourceValue) -> EstimateError:
    """A tool's range counts by its larger end, as the estimate does."""
    truth = reported.high
    return EstimateError(
        quantity=quantity,
        source=report.source,
        by=report.by,
        estimated=estimated.value,
        low=estimated.low,
        high=estimated.high,
        reported=truth,
        error=estimated.value / truth - 1 if truth else None,
        in_band=round(estimated.low) <= truth <= round(estimated.high + 0.5),
    )


def _estimated(given: Estimate) -> Iterator[ResourceReport]:
    counts_of_part = given.available
    available = {name: float(getattr(counts_of_part, name)) for name in RESOURCES} if counts_of_part else {}
    totals = given.totals
    layers = tuple(_estimated_layer(layer) for layer in given.layers)
    is_rtl = given.stage == "synth"  # C synthesis has no part in it, and the clocks are exact
    if not is_rtl:
        yield ResourceReport(
            source=Source.ESTIMATE,
            by=given.method,
            file="",
            resources=_figures(totals.resources),
            available=available,
            clock_ns=given.clock_ns,
            latency_cycles=_figure(totals.latency_cycles),
            interval_cycles=_figure(totals.ii_cycles),
            latency_ns=_figure(totals.latency_ns),
            interval_ns=_figure(totals.ii_ns),
            layers=layers,
        )
    yield ResourceReport(
        source=Source.AFTER_SYNTHESIS,
        by=given.method,
        file="",
        resources=_figures(given.after_synthesis),
        available=available,
        clock_ns=given.clock_ns,
        layers=layers if is_rtl else (),
    )
    if is_rtl:
        yield ResourceReport(
            source=Source.SCHEDULE,
            by="every clock is known before simulation",
            file="",
            clock_ns=given.clock_ns,
            latency_cycles=_figure(totals.latency_cycles, estimated=False),
            interval_cycles=_figure(totals.ii_cycles, estimated=False),
            latency_ns=_figure(totals.latency_ns, estimated=False),
            interval_ns=_figure(totals.ii_ns, estimated=False),
        )
    dataflow = given.simulated
    if dataflow is not None and not dataflow.deadlock:
        yield ResourceReport(
            source=Source.SIMULATED,
            by="the dataflow of the templates, word by word, with the depths of the FIFOs",
            file="",
            clock_ns=given.clock_ns,
            latency_cycles=_figure(dataflow.latency_cycles),
            interval_cycles=_figure(dataflow.ii_cycles),
            latency_ns=_figure(dataflow.latency_ns),
            interval_ns=_figure(dataflow.ii_ns),
        )


def _estimated_layer(layer: estimation.LayerEstimate) -> LayerResources:
    return LayerResources(
        name=layer.name,
        kind=layer.kind,
        resources=_figures(layer.resources),
        latency_cycles=_figure(layer.latency_cycles),
        interval_cycles=_figure(layer.ii_cycles),
        why=layer.method,
    )


def _figures(given: estimation.ResourceEstimate) -> dict[str, ResourceValue]:
    return {name: _figure(getattr(given, name)) for name in RESOURCES}


def _figure(figure: Figure, *, estimated: bool = True) -> ResourceValue:
    return ResourceValue(value=figure.value, low=figure.low, high=figure.high, estimated=estimated)


def _reported(report: SynthesisReport) -> Iterator[ResourceReport]:
    csynth, cosim, export = report.csynth, report.cosim, report.export
    clock = csynth.clock.target_ns if csynth else None
    if csynth:
        yield _csynth(csynth, report)
    if cosim:
        yield ResourceReport(
            source=Source.COSIM,
            by=cosim.language or "RTL",
            file=cosim.origin.file,
            clock_ns=clock,
            latency_cycles=(latency := _range(cosim.latency_cycles)),
            interval_cycles=(interval := _range(cosim.interval_cycles)),
            latency_ns=_times(latency, clock),
            interval_ns=_times(interval, clock),
        )
    for source, given in ((Source.SYNTH, report.synth), (Source.IMPL, report.impl)):
        if given:
            yield ResourceReport(
                source=source,
                by=f"{given.tool} {given.version}",
                file=given.origin.file,
                resources=_used(given.resources),
                available=_available(given.available),
                layers=_netlist_layers(report, source),
            )
    if export:
        yield ResourceReport(
            source=Source.EXPORT,
            by=f"Vivado {export.version or ''}".strip(),
            file=export.origin.file,
            resources=_used(export.resources),
        )


def _csynth(given: tools.ModuleReport, report: SynthesisReport) -> ResourceReport:
    clock = given.clock.target_ns
    latency, interval = _range(given.latency_cycles), _range(given.interval_cycles)
    return ResourceReport(
        source=Source.CSYNTH,
        by=f"{given.tool} {given.version}",
        file=given.origin.file,
        resources=_used(given.resources),
        available=_available(given.available),
        clock_ns=clock,
        latency_cycles=latency,
        interval_cycles=interval,
        latency_ns=_times(latency, clock),
        interval_ns=_times(interval, clock),
        layers=tuple(_reported_layer(layer) for layer in report.layers),
    )


def _netlist_layers(report: SynthesisReport, source: Source) -> tuple[LayerResources, ...]:
    """The layers in Vivado's netlist, where its hierarchy is known at this stage; cycles are HLS's."""
    stage = {Source.SYNTH: figures.Stage.SYNTH, Source.IMPL: figures.Stage.IMPL}[source]
    if report.hierarchy is None or report.hierarchy.origin.stage is not stage:
        return ()
    if not any(layer.netlist for layer in report.layers):
        return ()
    return tuple(
        replace(
            _reported_layer(layer),
            resources=_used(layer.netlist) if layer.netlist else {},
            why="" if layer.netlist else f"{report.hierarchy.origin.file} has no instance of it",
        )
        for layer in report.layers
    )


def _reported_layer(layer: tools.LayerReport) -> LayerResources:
    return LayerResources(
        name=layer.name or f"layer {layer.index}",
        kind=layer.kind or "",
        resources=_used(layer.resources) if layer.resources else {},
        latency_cycles=_range(layer.latency_cycles),
        interval_cycles=_range(layer.interval_cycles),
        why=layer.why,
    )


def _used(given: figures.Resources) -> dict[str, ResourceValue]:
    """Resources as a tool reports them; block RAM is converted to blocks of 18 Kb."""
    counts = {name: given.bram_18k_blocks if name == "bram_18k" else getattr(given, name) for name in RESOURCES}
    return {
        name: ResourceValue(value=float(value), low=float(value), high=float(value))
        for name, value in counts.items()
        if value is not None
    }


def _available(given: figures.Resources | None) -> dict[str, float]:
    return {name: amount.value for name, amount in _used(given).items()} if given else {}


def _range(given: figures.IntRange | None) -> ResourceValue | None:
    """The worst case with its range; None if the tool gives no worst case."""
    if given is None or given.most is None:
        return None
    return ResourceValue(
        value=float(given.most), low=float(given.most if given.least is None else given.least), high=float(given.most)
    )


def _times(cycles: ResourceValue | None, clock_ns: float | None) -> ResourceValue | None:
    if cycles is None or clock_ns is None:
        return None
    return ResourceValue(value=cycles.value * clock_ns, low=cycles.low * clock_ns, high=cycles.high * clock_ns)
