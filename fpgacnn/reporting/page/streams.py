"""The parts of a report about a streamed design: one frame as a timeline, and every FIFO."""

from __future__ import annotations

from fpgacnn.hardware.estimation import ProcessSpan, Simulated
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting import charts
from fpgacnn.reporting.formatting import percent
from fpgacnn.reporting.page.page import Cell, Column, Section, Table, Tone, cell, count

WORDS = (
    "Layers overlap: each begins with its first words. It waits when a FIFO in front of it is empty, or one behind it"
    " is full. All cycles are simulated, with the depths of the FIFOs."
)
LEGEND = ("A bar is the time from the first to the last cycle of a layer in one frame; gaps in it are waits.",)
STUCK = "The design stops: each of these processes waits for the next, and the last one for the first."


def timeline(entry: ReportInput) -> Section | None:
    """One frame: when each process begins, waits and ends; or which processes wait for each other."""
    dataflow = entry.estimate.simulated if entry.estimate else None
    if dataflow is None:
        return None
    if dataflow.deadlock:
        stuck = tuple((cell(one, Tone.BAD),) for one in dataflow.deadlock)
        names = (Column(name="Process and the FIFO it waits for"),)
        table = Table(caption="Deadlock", columns=names, rows=stuck, ordered=True)
        return Section(key="timeline", title="Timeline", words=(STUCK,), tables=(table,))
    end = max((one.end for one in dataflow.layers), default=0)
    columns = (
        Column(name="Layer"),
        *(Column(name=name, unit="cycle", number=True) for name in ("Begins", "Ends")),
        Column(name="Waits for words", number=True, minor=True),
        Column(name="Waits for places", number=True, minor=True),
        Column(name="One frame", drawn=True),
    )
    rows = tuple(_row(one, end) for one in dataflow.layers)
    table = Table(caption="Timeline of one frame (Simulated)", columns=columns, rows=rows, ordered=True)
    return Section(key="timeline", title="Timeline", words=(WORDS,), legend=LEGEND, tables=(table,))


def _row(one: ProcessSpan, end: int) -> tuple[Cell, ...]:
    """A process with its waits, as shares of its own time."""
    taken = max(1, one.end - one.start)
    waits = [Cell(text=percent(part / taken), number=part / taken) for part in (one.empty, one.full)]
    return (
        cell(one.name),
        count(one.start),
        count(one.end),
        *waits,
        Cell(text="", mark=charts.timeline(one.start, one.end, one.stalls, end)),
    )


def fifos(entry: ReportInput) -> Section | None:
    """Every FIFO: its depth, the most words that it held, its block RAM, and that of a FIFO for a whole frame."""
    dataflow = entry.estimate.simulated if entry.estimate else None
    if dataflow is None or not dataflow.streams:
        return None
    names = ("Depth", "Highest fill", "Words of a frame", "Bits of a word", "BRAM 18K", "BRAM 18K for a frame")
    columns = (
        Column(name="FIFO", code=True),
        Column(name="From"),
        Column(name="To"),
        *(Column(name=name, number=True) for name in names),
    )
    rows = tuple(
        (
            cell(one.name),
            cell(one.writer),
            cell(one.reader),
            *map(count, (one.depth, one.fill, one.words, one.bits, one.bram_18k, one.frame_bram_18k)),
        )
        for one in dataflow.streams
    )
    table = Table(caption="FIFOs between the layers", columns=columns, rows=rows)
    return Section(key="fifos", title="FIFOs", words=(saved(dataflow),), tables=(table,))


def saved(dataflow: Simulated) -> str:
    """The block RAM of all FIFOs, and that of FIFOs for a whole frame."""
    return (
        f"All FIFOs together take {dataflow.fifo_bram_18k:,} blocks of RAM (18 Kb);"
        f" with the depth of a frame they would take {dataflow.frame_bram_18k:,}. "
        "The highest fill is that of four frames behind each other."
    )
