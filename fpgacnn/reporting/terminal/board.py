"""The files of a board, as text."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.jobs.board import BoardRecord
from fpgacnn.jobs.board_report import BoardReport
from fpgacnn.reporting.terminal.tables import verification_table


def board_lines(record: BoardRecord) -> Iterator[RenderableType]:
    """The board with its source, the words of an event, the comparisons, and what to do next."""
    yield Text.assemble((record.title, "bold"), f"  {record.part}, {record.clock_mhz} MHz")
    yield Text(f"source: {record.source}")
    yield Text(
        f"words of {record.word_bits} bits: {record.words_in:,} for an event, {record.words_out:,} for its answer"
        f" with its status; design {record.identity}"
    )
    if record.verification:
        yield verification_table(record.verification)
        yield Text(f"events: {printable(record.origin)}")
    else:
        yield Text("the wrapper was not compared with the emulator (--csim-events 0)", style="yellow")
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))
    yield Text.assemble("folder: ", (printable(record.folder), "bold"), f"  ({len(record.files)} files)")
    yield Text("next: README.md in this folder has every command, from build.sh to the self-test on the board")


def report_lines(report: BoardReport) -> Iterator[RenderableType]:
    """What was packed."""
    for name in report.content:
        yield Text(f"  {printable(name)}")
    for note in report.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))
    yield Text.assemble("packed: ", (printable(report.file), "bold"), "  no weights, events or bitstreams are in it")
