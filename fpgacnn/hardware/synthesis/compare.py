"""Compare the reports of a folder: contradictions, and reports of earlier runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fpgacnn.hardware.synthesis.open_tools.sources import has_rtl
from fpgacnn.hardware.synthesis.readers.firmware import FirmwareCall, ToolSettings
from fpgacnn.hardware.synthesis.report import ModuleReport, SynthesisReport

SHOWN = 5
CLOCK_TOLERANCE = 0.01


def notes_on(
    folder: Path,
    report: SynthesisReport,
    in_xml: Sequence[ModuleReport],
    settings: ToolSettings,
    calls: Sequence[FirmwareCall],
) -> Iterator[str]:
    """Notes on everything in the reports of `folder` that needs care."""
    yield from _wrapper(folder, report)
    yield from _unjoined(report)
    yield from _disagreements(report, in_xml)
    yield from _other_target(report, settings)
    yield from _other_network(report, calls)
    yield from _older(report)
    yield from _uncounted(report)
    yield from _board(report)
    yield from _dissolved(report)


def _wrapper(folder: Path, report: SynthesisReport) -> Iterator[str]:
    if report.csynth is None and (has_rtl(folder) or any(one.sources for one in report.utilizations)):
        return  # an RTL project, which HLS has no part in
    if report.csynth is None:
        yield "no report of C synthesis of the top function"
    elif report.network is None:
        yield f"{report.csynth.name} is a wrapper, and the network inside has no report of its own"
    elif report.network.name != report.csynth.name:
        yield f"{report.csynth.name} is a wrapper; the layers are in {report.network.name}"
    if report.csynth and report.csynth.instances is None:
        yield f"{report.csynth.origin.file} has totals only: no instances, FIFOs and memories"
    elif report.csynth and report.csynth.fifos is None:
        yield (
            f"{report.csynth.origin.file} is the screen output of `hls4ml report`, which leaves out FIFOs and memories"
        )


def _unjoined(report: SynthesisReport) -> Iterator[str]:
    rest = [one.name for one in report.network.instances or () if one.layer is None] if report.network else []
    if rest:
        more = f" and {len(rest) - SHOWN} more" if len(rest) > SHOWN else ""
        yield (
            f"{len(rest)} instances of {report.network.name if report.network else ''} belong to no layer:"
            f" {', '.join(rest[:SHOWN])}{more}"
        )


def _disagreements(report: SynthesisReport, in_xml: Sequence[ModuleReport]) -> Iterator[str]:
    """Tools write a number into several files, sometimes differently; the module's own report counts."""
    used = report.csynth
    if used is None:
        return
    totals = _totals(used)
    for other in in_xml:
        if other.name == used.name and other is not used:
            yield from _different(used.origin.file, totals, other.origin.file, _totals(other))
    rows = [row for row in report.summary.rows if row.name == used.name] if report.summary else []
    if rows and report.summary and (area := rows[0].resources):
        # csynth.rpt writes `-` for what is not used.
        yield from _different(
            used.origin.file, totals, report.summary.origin.file, {"LUT": area.lut, "FF": area.ff, "DSP": area.dsp}
        )


def _totals(module: ModuleReport) -> dict[str, int | None]:
    area, latency, interval = module.resources, module.latency_cycles, module.interval_cycles
    counts = {"LUT": area.lut, "FF": area.ff, "DSP": area.dsp, "BRAM_18K": area.bram_18k, "URAM": area.uram}
    times = {
        "latency": latency.least,
        "worst latency": latency.most,
        "interval": interval.least,
        "worst interval": interval.most,
    }
    return {**counts, **times}


def _different(
    file: str, totals: dict[str, int | None], other_file: str, others: dict[str, int | None]
) -> Iterator[str]:
    for name, other in others.items():
        own = totals[name]
        if own is not None and other is not None and own != other:
            yield f"{other_file} says {name} {other:,}, {file} {own:,}; the latter is used"


def _other_target(report: SynthesisReport, settings: ToolSettings) -> Iterator[str]:
    parts = {"project.tcl": settings.part, **{one.origin.file: one.part for one in report.utilizations}}
    for file, part in parts.items():
        if part and report.csynth and report.csynth.part and not same_part(part, report.csynth.part):
            yield f"{file} is for {part}, {report.csynth.origin.file} for {report.csynth.part}"
    target, file = (report.csynth.clock.target_ns, report.csynth.origin.file) if report.csynth else (None, "")
    if target and settings.clock_ns and abs(target - settings.clock_ns) > CLOCK_TOLERANCE:
        yield f"project.tcl sets a clock of {settings.clock_ns:g} ns, {file} is for {target:g} ns"


def same_part(one: str, other: str) -> bool:
    """Whether two names are the same part: Vivado omits dashes, `xc` and the temperature grade."""
    left, right = (name.lower().replace("-", "").removeprefix("xc") for name in (one, other))
    return left.startswith(right) or right.startswith(left)


def _other_network(report: SynthesisReport, calls: Sequence[FirmwareCall]) -> Iterator[str]:
    known = {call.index for call in calls}
    strange = (
        sorted({one.layer for one in report.network.instances or () if one.layer is not None} - known)
        if report.network and calls
        else []
    )
    if strange:
        yield (
            f"the firmware has no layers {', '.join(map(str, strange))} of the reports: they may be of an earlier"
            " version of the project"
        )


def _older(report: SynthesisReport) -> Iterator[str]:
    """Dates of one folder compare as text; the tools write the time of the same machine."""
    made = report.csynth.date if report.csynth else None
    single = report.cosim, report.export, report.hierarchy
    later = [
        (one.origin.file, one.date)
        for one in (*single, *report.utilizations, *report.timings, *report.powers, *report.routes)
        if one
    ]
    for file, date in later:
        if made and date and date < made:
            yield (
                f"{file} of {date} is older than the C synthesis of {made}: it may be of an earlier version of the"
                " project"
            )


def _uncounted(report: SynthesisReport) -> Iterator[str]:
    for one in report.utilizations:
        if one.cells and one.cells.others:
            yield f"{one.origin.file}: no count has the primitives {', '.join(one.cells.others[:SHOWN])}"


def _board(report: SynthesisReport) -> Iterator[str]:
    for one in (report.synth, report.impl):
        if (
            one
            and report.top
            and report.top not in one.design
            and not (report.network and report.network.name in one.design)
        ):
            yield f"{one.origin.file} counts {one.design}, which may hold more than {report.top}"


def _dissolved(report: SynthesisReport) -> Iterator[str]:
    """Logic synthesis can dissolve modules into each other; then Vivado cannot count them one by one."""
    if report.hierarchy and report.layers and not any(one.netlist for one in report.layers):
        yield (
            f"{report.hierarchy.origin.file} has no instance of a layer; synth_design keeps them with"
            " -flatten_hierarchy none"
        )
