"""Estimates as tables for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from rich.console import RenderableType
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.frontends import is_model
from fpgacnn.hardware.estimation import Estimate, Figure, LayerEstimate, PartVerdict, Simulated, Totals
from fpgacnn.records.estimates import is_foreign
from fpgacnn.records.record import EstimateRecord
from fpgacnn.reporting.formatting import duration, rough
from fpgacnn.reporting.terminal.columns import FittingTable, left, right

CAUTION = 2000
"""Most characters of a caution: a circle of many layers is long."""


def estimate_report(record: EstimateRecord) -> Iterator[RenderableType]:
    """A whole estimate: layers, totals beside the part's resources, what is missing, and warnings."""
    answer = record.estimate
    yield Text.assemble(
        (printable(record.source), "bold"),
        f"  for {printable(answer.part)} at {answer.clock_ns:g} ns, io_{record.io}, {answer.tool}; an estimate, no tool"
        " has run",
    )
    yield _layers(answer)
    yield _whole(answer)
    yield speed(answer)
    if answer.simulated is not None:
        yield Text(fifo_words(answer.simulated))
    yield verdict(answer)
    yield from cautions(answer)
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))
    yield Text(f"how: {answer.method}", style="dim")
    source_path = Path(record.source)
    if uncertain(answer) and (is_model(source_path) or not is_foreign(source_path)):  # others cannot be planned again
        source, part = (shlex.quote(printable(one)) for one in (record.source, answer.part))
        yield Text.assemble(
            "next: ", (f"fpgacnn fit {source} --part {part} --clock {answer.clock_ns:g} -o target.toml", "bold")
        )


def cautions(answer: Estimate) -> Iterator[Text]:
    """What to change before synthesis, with its cure."""
    for caution in answer.warnings:
        where = f" {printable(caution.layer)}:" if caution.layer else ""
        yield Text.assemble(
            (f"caution[{printable(caution.code)}]", "yellow"),
            f"{where} {printable(caution.text, CAUTION)}; {printable(caution.cure, CAUTION)}",
        )


def estimate_line(answer: Estimate) -> Text:
    """An estimate in one line, for the report of a conversion."""
    after = answer.after_synthesis
    timed: Totals | Simulated = answer.totals
    if answer.simulated is not None and not answer.stops:
        timed = answer.simulated
    parts = [
        f"{rough(after.lut.value)} LUT",
        f"{rough(after.ff.value)} FF",
        f"{rough(after.dsp.value)} DSP",
        f"{rough(after.bram_18k.value)} BRAM18",
    ]
    line = Text.assemble(
        ("estimate: ", "bold"), f"{', '.join(parts)} after synthesis; {rough(timed.latency_cycles.value)} cycles "
    )
    line.append(f"({duration(timed.latency_ns.value)}), a new event every {rough(timed.ii_cycles.value)}; ")
    line.append_text(verdict(answer))
    return line


def verdict(answer: Estimate) -> Text:
    """Whether the design fits, judged on the bands: if a band reaches beyond the part, both ends are shown."""
    device = printable(answer.available.device) if answer.available else ""
    match answer.verdict:
        case PartVerdict.UNKNOWN:
            return Text("it is not known whether it fits: the part is unknown", style="yellow")
        case PartVerdict.STOPS:
            return Text.assemble(("stops: ", "bold red"), "processes wait for each other (FC126)")
        case PartVerdict.SHORT:
            short = [
                f"{figure.value - there:,.0f} {printable(name)} ({figure.value / max(1, there):.1f} times what it has)"
                for name, figure, there in answer.needs
                if figure.low > there
            ]
            return Text.assemble(("does not fit ", "bold red"), f"{device}: short of {', '.join(short)}")
        case PartVerdict.UNSURE:
            return Text.assemble(("may not fit ", "bold yellow"), f"{device}: {', '.join(uncertain(answer))}")
        case PartVerdict.FITS:
            return Text.assemble(("fits ", "bold green"), device)
        case never:
            assert_never(never)


def uncertain(answer: Estimate) -> tuple[str, ...]:
    """Resources whose band reaches beyond the part: `19,400 to 115,000 of 53,200 LUT`."""
    return tuple(
        f"{rough(figure.low)} to {rough(figure.high)} of {there:,} {name}"
        if figure.low != figure.high
        else f"{rough(figure.value)} of {there:,} {name}"
        for name, figure, there in answer.needs
        if figure.high > there
    )


def _layers(answer: Estimate) -> FittingTable:
    return FittingTable(
        headings=(
            left("layer"),
            left("kind", rank=2),
            *map(right, ("LUT", "FF", "DSP", "BRAM18", "cycles", "interval")),
            left("how", rank=1, least=40),
        ),
        rows=tuple(_row(cost) for cost in answer.layers),
    )


def _row(cost: LayerEstimate) -> tuple[Text, ...]:
    resources = cost.resources
    figures = (resources.lut, resources.ff, resources.dsp, resources.bram_18k, cost.latency_cycles, cost.ii_cycles)
    return (
        Text(printable(cost.name)),
        Text(cost.kind),
        *(Text(rough(one.value)) for one in figures),
        Text(cost.method),
    )


def _whole(answer: Estimate) -> FittingTable:
    before = answer.totals.resources
    csynth = {"LUT": before.lut, "FF": before.ff, "DSP": before.dsp, "BRAM_18K": before.bram_18k, "URAM": before.uram}
    pairs = answer.needs
    return FittingTable(
        headings=(
            left("in all"),
            right(f"{answer.stage} report", rank=1),
            right("after synthesis"),
            right("part has"),
            right("used"),
        ),
        rows=tuple(
            (
                Text(name),
                Text(_banded(csynth[name])),
                Text(_banded(after)),
                Text(f"{there:,}"),
                Text(f"{after.value / there:.0%}" if there else ""),
            )
            for name, after, there in pairs
        ),
        styles=tuple(
            "red" if after.low > there else "yellow" if after.high > there else "" for _, after, there in pairs
        ),
    )


def speed(answer: Estimate) -> Text:
    """Latency and interval with their bands, and the rate of events.

    Of a streamed design also what csynth will report.
    """
    totals, dataflow = answer.totals, answer.simulated
    if dataflow is None:
        return Text(_speed(totals))
    lines = Text("simulated: ", style="bold")
    lines.append(
        "stops, its processes wait for each other" if dataflow.deadlock else _speed(dataflow), style="not bold"
    )
    lines.append(f"\ncsynth will report: {_speed(totals)}", style="not bold")
    return lines


def fifo_words(dataflow: Simulated) -> str:
    """The block RAM of all FIFOs of a streamed design, and what FIFOs for a whole frame would take."""
    return (
        f"FIFOs: {len(dataflow.streams)} with {dataflow.fifo_bram_18k:,} BRAM18;"
        f" for a whole frame each they would take {dataflow.frame_bram_18k:,}"
    )


def _speed(figures: Totals | Simulated) -> str:
    rate = 1e9 / max(figures.ii_ns.value, 1e-9)
    return (
        f"latency {_banded(figures.latency_cycles)} cycles = {duration(figures.latency_ns.value)}; "
        f"a new event every {_banded(figures.ii_cycles)} cycles = {rough(rate)} events a second"
    )


def _banded(figure: Figure) -> str:
    """A number, with its band if there is one."""
    if figure.low == figure.high:
        return rough(figure.value)
    return f"{rough(figure.value)} ({rough(figure.low)} to {rough(figure.high)})"
