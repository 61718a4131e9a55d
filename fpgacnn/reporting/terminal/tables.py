"""Records as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

from fpgacnn.errors import FpgacnnError, printable
from fpgacnn.frontends import Refusal
from fpgacnn.frontends.result import ReadResult
from fpgacnn.ir.shapes import unread_borders
from fpgacnn.ir.text import operation_text
from fpgacnn.jobs.batch import Judgement, ModelOutcome
from fpgacnn.jobs.compare_hls4ml.record import Hls4mlComparison
from fpgacnn.passes.quantization.names import safe_name
from fpgacnn.records.compare import Comparison
from fpgacnn.records.flatten import comparison_name
from fpgacnn.records.record import LayerRecord, Quality, RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formatting import clean, score
from fpgacnn.reporting.hls4ml_page import hls4ml_section
from fpgacnn.reporting.page import compose, page
from fpgacnn.reporting.page.page import Section, Verdict
from fpgacnn.reporting.page.verdicts import WITHIN, outcome, where_first
from fpgacnn.reporting.terminal.columns import FittingTable, Heading, left, right
from fpgacnn.reporting.terminal.estimate import estimate_line
from fpgacnn.reporting.terminal.summary import STYLES, summary
from fpgacnn.sim.compare import VerificationReport

UNRESOLVED_SHOWN = 5
FOLDED, WIDE = 20, 40
"""Least widths of columns of text."""
BEFORE_RUN = {"resources", "latency", "timeline", "fifos"}
"""Sections that are printed before those of a run; the other sections repeat its content."""


def error_lines(error: FpgacnnError) -> tuple[Text, Text | None]:
    """An error with its code, and its hint."""
    line = Text.assemble((f"error[{error.code}]", "bold red"), f" {error}")
    return line, Text.assemble(("hint:", "bold"), f" {error.hint}") if error.hint else None


def run_report(record: RunRecord, *, reasons: bool = False) -> Iterator[RenderableType]:
    """A whole run with its summary; `reasons`: those of the widths on narrow terminals too."""
    yield from run_details(record, reasons=reasons)
    yield ""
    yield summary(record)


def run_details(record: RunRecord, *, reasons: bool = False) -> Iterator[RenderableType]:
    """The parts of a run in front of its summary."""
    model, target = record.model, record.target
    yield Text.assemble(
        (printable(model.file), "bold"),
        f"  {model.layers} layers, {model.parameters:,} parameters ({printable(model.framework)})\n",
        clean(
            f"for {target.part} at {target.clock_ns:g} ns, io_{target.io}, {target.strategy}, reuse {target.reuse},"
            f" {target.backend}"
        ),
    )
    yield PlanTable(decisions=record.plan.decisions, reasons=reasons)
    for given in record.inputs:
        rounding = (
            f"; {given.rounded_values:,} values rounded, by at most {given.largest_rounding:.3g}"
            if given.rounded_values
            else ""
        )
        origin = printable(given.origin)
        yield Text(
            f"input {printable(given.name)}: {clean(given.format)} ({clean(given.reason)}); {given.events:,} events"
            f" from {origin}{rounding}"
        )
    yield verification_table(record.verification)
    if record.estimate:
        yield estimate_line(record.estimate)
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))


def inputs_report(entries: Sequence[ReportInput]) -> Iterator[RenderableType]:
    """One run with its verdicts first, or several side by side."""
    for entry in entries:
        for note in entry.notes:
            yield Text.assemble(("note: ", "yellow"), clean(f"{entry.name}: {note}"))
    whole = compose.report(entries)
    for section in whole.overview:
        yield from section_parts(section)
    if len(entries) > 1:
        return
    yield from map(verdict_line, whole.chapters[0].verdicts)
    yield ""
    for section in whole.chapters[0].sections:
        if section.key in BEFORE_RUN or entries[0].record is None:
            yield from section_parts(section)
    if entries[0].record:
        yield from run_details(entries[0].record)


def comparison_report(comparison: Comparison, *, every: bool = False) -> Iterator[RenderableType]:
    """The changes between two runs; `every`: also those that follow from the others."""
    folded = []
    for section in compose.difference(comparison).overview:
        if section.folded and not every:
            folded.append(section.title)
        else:
            yield from section_parts(section)
    if folded:
        yield Text(f"-v lists the rest: {clean(', '.join(folded))}", style="dim")


def hls4ml_report(comparison: Hls4mlComparison) -> Iterator[RenderableType]:
    """hls4ml's default recipe and fpgacnn side by side, with the notes."""
    section = hls4ml_section(comparison)
    yield from section_parts(section)
    yield from (Text.assemble(("note: ", "yellow"), clean(note)) for note in section.notes)


def verdict_line(verdict: Verdict) -> Text:
    """Question, answer and reason on one line."""
    return Text.assemble(
        f"{verdict.question:<10}", (f"{clean(verdict.answer)}  ", f"bold {STYLES[verdict.tone]}"), clean(verdict.detail)
    )


def section_parts(section: Section) -> Iterator[RenderableType]:
    """A section without its charts."""
    yield Text(section.title, style="bold underline")
    yield from (Text(clean(words)) for words in section.words)
    yield from (drawn_table(table) for table in section.tables if not all(column.drawn for column in table.columns))


def drawn_table(table: page.Table) -> FittingTable:
    """A report's table on a terminal."""
    shown = [place for place, column in enumerate(table.columns) if not column.drawn]
    named = [(table.columns[place], place) for place in shown]
    return FittingTable(
        headings=tuple(
            Heading(
                name=clean(f"{column.name} [{column.unit}]" if column.unit else column.name),
                right=column.number,
                least=0 if place == shown[0] or column.code or _is_of_numbers(table, place) else FOLDED,
            )
            for column, place in named
        ),
        rows=tuple(
            tuple(Text(clean(row[place].text), style=STYLES[row[place].tone]) for place in shown) for row in table.rows
        ),
    )


def _is_of_numbers(table: page.Table, place: int) -> bool:
    """Whether a column has numbers, each perhaps with its band, and no longer texts."""
    return table.columns[place].number and all(
        row[place].number is not None or len(row[place].text) <= FOLDED for row in table.rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTable:
    """The plan: every node with its formats.

    On a narrow terminal the reasons of the widths are below the table with `reasons`, else left out.
    """

    decisions: tuple[LayerRecord, ...]
    reasons: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """The table, and the reasons where it has no column for them."""
        table = layer_table(self.decisions)
        yield table
        if WHY in table.kept(options.max_width):
            return
        if not self.reasons:
            yield Text("-v shows the reason of every width", style="dim")
            return
        for row in self.decisions:
            yield Padding(Text.assemble((f"{shown_name(row)}: ", "bold"), why(row)), (0, 0, 0, 2), expand=False)


WHY = 7
"""The place of the reasons in the table of the plan."""


def layer_table(decisions: Sequence[LayerRecord]) -> FittingTable:
    """One row for each node: its operation, its formats and their reasons."""
    return FittingTable(
        headings=(
            left("layer"),
            left("what", rank=5, least=FOLDED),
            left("shape", rank=3),
            right("params", rank=4),
            left("weights", rank=1),
            left("accumulator", rank=2),
            left("result"),
            left("why", rank=6, least=WIDE),
        ),
        rows=tuple(
            (
                plain_cell(shown_name(row)),
                plain_cell(row.what),
                Text("x".join(map(str, row.shape))),
                Text(f"{row.parameters:,}" if row.parameters else ""),
                plain_cell(row.weight),
                plain_cell(row.accumulator),
                plain_cell(row.result),
                plain_cell(why(row)),
            )
            for row in decisions
        ),
        styles=tuple("yellow" if row.loss else "" for row in decisions),
    )


def why(row: LayerRecord) -> str:
    """The reason of a node's widths, and what is lost there."""
    return clean(f"{row.why}; {row.loss}" if row.loss else row.why)


def shown_name(row: LayerRecord) -> str:
    """The layer's name in the model file, which `inspect`, `fit` and `--set` use; a further node has its own name."""
    return clean(row.source if safe_name(row.source) == row.name else row.name)


def plain_cell(text: str) -> Text:
    """Text of a record, without console markup."""
    return Text(clean(text))


def verification_table(reports: Sequence[VerificationReport]) -> FittingTable:
    """One row for each comparison."""
    return FittingTable(
        headings=(
            left("compared", least=32),
            right("events"),
            right("nodes", rank=2),
            right("values"),
            right("different"),
            right("largest difference", rank=1),
            left("verdict", least=FOLDED),
        ),
        rows=tuple(
            (
                plain_cell(comparison_name(report)),
                Text(f"{report.events:,}"),
                Text(f"{report.layers}"),
                Text(f"{report.values:,}"),
                Text(f"{report.mismatches:,}"),
                Text(f"{report.max_abs_difference:.3g}"),
                verdict(report),
            )
            for report in reports
        ),
    )


def verdict(report: VerificationReport) -> Text:
    """The result of a comparison as text."""
    words = clean(outcome(report))
    if report.holds:
        bound = f" of {report.allowed:.3g}" if words == WITHIN else ""
        style = "yellow" if report.loosest else "bold green" if words == "equal" else "green"
        return Text(f"{words}{bound}", style=style)
    where = clean(where_first(report))
    if report.deadlock:
        return Text(f"DEADLOCK: {where}", style="bold red")
    return Text(f"DIFFERENT{f' {where}' if where else ''}", style="bold red")


def judgement_table(judgements: Sequence[Judgement]) -> FittingTable:
    """One row for each model."""
    return FittingTable(
        headings=(
            left("model"),
            left("outcome"),
            left("plan", rank=2),
            right("events", rank=3),
            right("largest difference", rank=4),
            right("s", rank=1),
            left("why", least=FOLDED),
        ),
        rows=tuple(
            (
                Text(printable(one.model)),
                Text(one.outcome, style="" if one.outcome.is_good else "bold red"),
                Text(one.promise),
                Text(f"{one.events}" if one.events else ""),
                Text("" if one.largest is None else f"{one.largest:.3g}"),
                Text(f"{one.seconds:.0f}"),
                Text(printable(one.why)),
            )
            for one in judgements
        ),
    )


def judgement_summary(judgements: Sequence[Judgement]) -> Text:
    """The number of models with each outcome."""
    counts = Counter(one.outcome for one in judgements)
    words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ModelOutcome if counts[outcome])
    good = all(outcome.is_good for outcome in counts)
    return Text(f"{len(judgements)} models: {words}", style="bold green" if good else "bold red")


def quality_table(qualities: Sequence[Quality]) -> FittingTable:
    """Float, quantized and hardware side by side."""
    return FittingTable(
        headings=(left("quality", least=FOLDED), *map(right, ("events", "float", "quantized", "hardware"))),
        rows=tuple(
            (
                plain_cell(row.measure),
                Text(f"{row.events:,}"),
                *(Text(score(row.measure, one)) for one in (row.float_network, row.quantized, row.hardware)),
            )
            for row in qualities
        ),
    )


def inspection(reading: ReadResult, refusals: Sequence[Refusal]) -> Iterator[RenderableType]:
    """The content of a model file."""
    parameters = sum(layer.parameters for layer in reading.layers)
    yield Text.assemble(
        (printable(reading.name), "bold"),
        f"  {printable(reading.framework)}, {len(reading.layers)} layers read, {parameters:,} parameters",
    )
    yield FittingTable(
        headings=(
            left("layer"),
            left("class"),
            left("what", rank=2, least=FOLDED),
            left("shape"),
            right("params", rank=1),
        ),
        rows=tuple(
            (
                Text(printable(layer.name)),
                Text(printable(layer.kind)),
                Text(operation_text(layer.operation)),
                Text("x".join(map(str, layer.shape))),
                Text(f"{layer.parameters:,}" if layer.parameters else ""),
            )
            for layer in reading.layers
        ),
    )
    for name, kind in reading.dropped:
        yield Text(f"dropped: {printable(name)} ({printable(kind)}) does nothing at inference")
    for words in unread_borders(reading.layers):
        yield Text.assemble(("note: ", "yellow"), printable(words))
    for refusal in refusals:
        line, hint = error_lines(refusal.error)
        yield line
        if hint:
            yield hint
    if reading.unresolved:
        names = ", ".join(printable(name) for name, _ in reading.unresolved[:UNRESOLVED_SHOWN])
        more = (
            f" and {len(reading.unresolved) - UNRESOLVED_SHOWN} more"
            if len(reading.unresolved) > UNRESOLVED_SHOWN
            else ""
        )
        yield Text(f"not examined, because they read a refused layer: {names}{more}")
