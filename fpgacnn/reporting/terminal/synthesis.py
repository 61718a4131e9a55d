"""Synthesis reports as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.hardware.synthesis.figures import IntRange, Resources
from fpgacnn.hardware.synthesis.placed import PowerReport
from fpgacnn.hardware.synthesis.report import Clock, ModuleReport, SynthesisReport, TimingReport, Utilization
from fpgacnn.reporting.terminal.columns import FittingTable, Heading, left, right

UNKNOWN = "?"
RESOURCES = ("LUT", "FF", "DSP", "BRAM (18 Kb)", "URAM")
NETLIST = ("LUT (Vivado)", "FF (Vivado)")


def synthesis_report(report: SynthesisReport) -> Iterator[RenderableType]:
    """Source of the reports, totals by stage, speed, layers, and problems."""
    tool = printable(f"{report.tool} {report.version}") if report.tool else "Vivado"
    yield Text.assemble(
        (printable(report.folder), "bold"),
        f"  {printable(report.top or '')} for {printable(report.part or 'an unknown part')}, {tool}",
    )
    if report.csynth:
        yield speed_line(report.csynth, report)
    yield resource_table(report)
    yield from (cells_line(one) for one in (report.synth, report.impl) if one and one.cells)
    yield from (line for one in report.timings if one.reached_ns is not None for line in timing_lines(one))
    if report.layers:
        yield layer_cost_table(report)
    for missing in report.short:
        yield Text.assemble(("does not fit: ", "bold red"), missing)
    for late in report.slow:
        yield Text.assemble(("too slow: ", "bold red"), printable(late))
    for open_nets in report.unrouted:
        yield Text.assemble(("not routed: ", "bold red"), printable(open_nets))
    for power in report.powers:
        yield Text(printable(power_text(power)))
    if report.cosim:
        passed = report.cosim.status == "Pass"
        cycles = (
            f", latency {ends(report.cosim.latency_cycles)} cycles"
            if report.cosim.latency_cycles.most is not None
            else ""
        )
        yield Text.assemble(
            "RTL simulation: ", (printable(report.cosim.status or "not run"), "green" if passed else "bold red"), cycles
        )
    for one in report.unread:
        yield Text.assemble(("not read: ", "yellow"), printable(one.why))
    for note in report.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))


def power_text(power: PowerReport) -> str:
    """Vivado's estimate of the power, and how far it can be trusted."""
    parts = ((power.dynamic_w, "dynamic"), (power.static_w, "static"))
    split = ", ".join(f"{watts:g} W {name}" for watts, name in parts if watts is not None)
    total = UNKNOWN if power.total_w is None else f"{power.total_w:g}"
    trust = f"; confidence {power.confidence.lower()}" if power.confidence else ""
    return f"power of {power.design} after {power.origin.stage.value}: {total} W ({split}{trust})"


def speed_line(top: ModuleReport, report: SynthesisReport) -> Text:
    """Latency and interval of the network, and the clock."""
    network = report.network or top
    time = network.latency_ns.most if network.latency_ns else None
    latency = f"{ends(network.latency_cycles)} cycles" + (f" ({time / 1000:,.3g} us)" if time else "")
    return Text(f"latency {latency}, a new event every {ends(network.interval_cycles)} cycles; {clock_text(top.clock)}")


def cells_line(used: Utilization) -> Text:
    """The primitives of a netlist by kind."""
    cells = used.cells
    assert cells is not None
    sizes = ", ".join(f"{count:,} {name}" for name, count in cells.luts.items())
    others = {"carry": cells.carry, "shift registers": cells.shift_registers, "memory LUTs": cells.memory_luts}
    rest = ", ".join(f"{count:,} {name}" for name, count in others.items())
    return Text(printable(f"{used.tool}: {sizes}; {rest}"))


def timing_lines(timing: TimingReport) -> Iterator[Text]:
    """The clock that a routed design reaches, its longest path, and its bitstream."""
    reached, wanted = timing.reached_ns or 0.0, next(iter(timing.clock_periods_ns.values()), None)
    text = f"routed clock {1000 / reached:.1f} MHz ({reached:.2f} ns)"
    if wanted is not None and timing.worst_setup_slack_ns is not None:
        text += f", wanted {1000 / wanted:.1f} MHz: slack {timing.worst_setup_slack_ns:+.2f} ns"
    yield Text(text)
    for path in timing.paths[:1]:
        yield Text(
            printable(
                f"longest path: {path.delay_ns:.2f} ns, {path.cells_ns:.2f} of them in {path.levels} cells, from"
                f" {path.begin} to {path.end}",
                limit=400,
            )
        )
    if timing.bitstream:
        yield Text(f"bitstream: {printable(timing.bitstream)}")


def clock_text(clock: Clock) -> str:
    """The requested clock, and the one that HLS estimates."""
    target = "?" if clock.target_ns is None else f"{clock.target_ns:g}"
    return f"clock {target} ns" + (f", estimated {clock.estimated_ns:g} ns" if clock.estimated_ns is not None else "")


def ends(span: IntRange | None) -> str:
    """A range as text: one number, two, or a question mark."""
    if span is None:
        return ""
    least, most = (UNKNOWN if end is None else f"{end:,}" for end in (span.least, span.most))
    return least if least == most else f"{least} to {most}"


def resource_table(report: SynthesisReport) -> FittingTable:
    """One row for each stage, with the share of the part."""
    available = report.csynth.available if report.csynth else None
    modules = [one for one in (report.csynth, report.network) if one is not None]
    rows = [
        _stage_row(one.name, one.resources, available) for one in modules[: 1 if report.csynth is report.network else 2]
    ]
    if report.export:
        rows.append(_stage_row(report.top or "", report.export.resources, None))
    rows += [_stage_row(one.design, one.resources, one.available) for one in (report.synth, report.impl) if one]
    return FittingTable(
        headings=(left("stage"), left("of", least=12), *map(right, RESOURCES), left("file", rank=1)), rows=tuple(rows)
    )


def _stage_row(name: str, used: Resources, available: Resources | None) -> tuple[Text, ...]:
    return (
        Text(used.origin.stage),
        Text(printable(name)),
        *map(Text, counts(used, available)),
        Text(printable(used.origin.file)),
    )


def counts(used: Resources | None, available: Resources | None = None) -> list[str]:
    """The five resources as text; empty if the tool gives no number."""
    has = available.counts if available else {}
    pairs = [(own, has.get(name)) for name, own in used.counts.items()] if used else [(None, None)] * len(RESOURCES)
    return ["" if own is None else f"{own:,}" + (f" ({own / most:.1%})" if most else "") for own, most in pairs]


def layer_cost_table(report: SynthesisReport) -> FittingTable:
    """One row for each layer; the last column gives the reason for missing numbers.

    Where Vivado reports the hierarchy, two columns have the LUTs and flip-flops of its netlist.
    """
    rows = []
    joined = any(one.netlist for one in report.layers)
    for one in report.layers:
        blocks = [fifo.resources.bram_18k for fifo in one.fifos if fifo.resources.bram_18k is not None]
        texts = (
            printable(one.name or f"layer {one.index}"),
            printable(one.kind or ""),
            ends(one.latency_cycles),
            ends(one.interval_cycles),
            *counts(one.resources),
            *(_in_netlist(one.netlist) if joined else ()),
            f"{sum(blocks):,}" if blocks else "",
            printable(one.why),
        )
        rows.append(tuple(map(Text, texts)))
    numbers = map(right, ("latency", "interval", *RESOURCES))
    return FittingTable(
        headings=(
            left("layer"),
            left("kind", rank=2),
            *numbers,
            *(map(right, NETLIST) if joined else ()),
            Heading(name="FIFO (18 Kb)", right=True, rank=1),
            left("", least=20),
        ),
        rows=tuple(rows),
    )


def _in_netlist(used: Resources | None) -> tuple[str, str]:
    """LUTs and flip-flops of a layer in Vivado's netlist."""
    lut, ff = counts(used)[:2]
    return lut, ff
