"""Records as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from fpgacnn.errors import FpgacnnError, printable
from fpgacnn.frontends import Refusal
from fpgacnn.frontends.result import ReadResult
from fpgacnn.ir.shapes import unread_borders
from fpgacnn.ir.text import operation_text
from fpgacnn.jobs.batch import Judgement, ModelOutcome
from fpgacnn.jobs.simulate import NodeRange
from fpgacnn.records.compare import Comparison
from fpgacnn.records.flatten import comparison_name
from fpgacnn.records.record import LayerRecord, Quality, RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formatting import clean
from fpgacnn.reporting.page import compose, page
from fpgacnn.reporting.page.page import Section, Tone, Verdict
from fpgacnn.reporting.page.verdicts import loose_words, outcome
from fpgacnn.reporting.terminal.estimate import estimate_line
from fpgacnn.sim.compare import READING, VerificationReport

UNRESOLVED_SHOWN = 5
BEFORE_RUN = {"resources", "latency", "timeline", "fifos"}
"""Sections that are printed before those of a run; the other sections repeat its content."""

STYLES = {Tone.GOOD: "green", Tone.WARN: "yellow", Tone.BAD: "red", Tone.PLAIN: "", Tone.SAME: "dim"}


def error_lines(error: FpgacnnError) -> tuple[Text, Text | None]:
    """An error with its code, and its hint."""
    line = Text.assemble((f"error[{error.code}]", "bold red"), f" {error}")
    return line, Text.assemble(("hint:", "bold"), f" {error.hint}") if error.hint else None


def run_report(record: RunRecord) -> Iterator[RenderableType]:
    """A whole run: layers, promise, comparisons, quality, and the project folder."""
    model, target = record.model, record.target
    yield Text.assemble(
        (printable(model.file), "bold"),
        f"  {model.layers} layers, {model.parameters:,} parameters ({printable(model.framework)})\n",
        clean(
            f"for {target.part} at {target.clock_ns:g} ns, io_{target.io}, {target.strategy}, reuse {target.reuse},"
            f" {target.backend}"
        ),
    )
    yield layer_table(record.plan.decisions)
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
    yield promise(record)
    yield verification_table(record.verification)
    if record.quality:
        yield quality_table(record.quality)
    if record.estimate:
        yield estimate_line(record.estimate)
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))
    if record.project:
        content = f"  ({record.project.files} files, digest {clean(record.project.digest[:12])})"
        yield Text.assemble("project: ", (printable(record.project.folder), "bold"), content)


def inputs_report(entries: Sequence[ReportInput]) -> Iterator[RenderableType]:
    """One run with its verdicts first, or several side by side."""
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
        yield from run_report(entries[0].record)


def comparison_report(comparison: Comparison) -> Iterator[RenderableType]:
    """The changes between two runs."""
    for section in compose.difference(comparison).overview:
        yield from section_parts(section)


def verdict_line(verdict: Verdict) -> Text:
    """Question, answer and reason on one line."""
    return Text.assemble(
        f"{verdict.question:<10}", (f"{clean(verdict.answer)}  ", f"bold {STYLES[verdict.tone]}"), clean(verdict.detail)
    )


def section_parts(section: Section) -> Iterator[RenderableType]:
    """A section without its charts."""
    yield Text(section.title, style="bold underline")
    yield from (Text(clean(words)) for words in section.words)
    for table in section.tables:
        yield drawn_table(table)


def drawn_table(table: page.Table) -> Table:
    """A report's table on a terminal."""
    shown = [place for place, column in enumerate(table.columns) if not column.drawn]
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for column in (table.columns[place] for place in shown):
        name = f"{column.name} [{column.unit}]" if column.unit else column.name
        drawn.add_column(escape(clean(name)), justify="right" if column.number else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(clean(row[place].text), style=STYLES[row[place].tone]) for place in shown))
    return drawn


def layer_table(decisions: Sequence[LayerRecord]) -> Table:
    """One row for each node: its operation, its formats and their reasons."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("layer", "what", "shape", "params", "weights", "accumulator", "result", "why"):
        table.add_column(
            name,
            justify="right" if name == "params" else "left",
            overflow="fold",
            no_wrap=name in {"layer", "shape", "params"},
        )
    for row in decisions:
        reason = row.accumulator_reason or row.result_reason
        why = f"{reason}; {row.loss}" if row.loss else reason
        table.add_row(
            plain_cell(row.name),
            plain_cell(row.what),
            "x".join(map(str, row.shape)),
            f"{row.parameters:,}" if row.parameters else "",
            plain_cell(row.weight),
            plain_cell(row.accumulator),
            plain_cell(row.result),
            plain_cell(why),
            style="yellow" if row.loss else "",
        )
    return table


def plain_cell(text: str) -> Text:
    """Text of a record, without console markup."""
    return Text(clean(text))


def promise(record: RunRecord) -> Text:
    """The promise of the plan for the whole network."""
    if record.plan.exact:
        return Text.assemble(("exact: ", "bold green"), "every answer equals the quantized network's, bit for bit")
    if record.plan.lossless:
        return Text.assemble(
            ("lossless: ", "bold green"),
            "no bit is lost; the framework's own float32 may round where the hardware does not",
        )
    losses = "; ".join(clean(f"{name}: {loss}") for name, loss in record.plan.losses)
    if record.plan.word == "loose":
        what = "the bound of an output's error is larger than a quarter of its answers' range, and is not useful"
        return Text.assemble(("loose: ", "bold yellow"), f"{what}; {losses}")
    return Text.assemble(("bounded: ", "bold yellow"), losses)


def verification_table(reports: Sequence[VerificationReport]) -> Table:
    """One row for each comparison."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("compared", "events", "nodes", "values", "different", "largest difference", "verdict"):
        table.add_column(name, justify="left" if name in {"compared", "verdict"} else "right")
    for report in reports:
        table.add_row(
            plain_cell(comparison_name(report)),
            f"{report.events:,}",
            f"{report.layers}",
            f"{report.values:,}",
            f"{report.mismatches:,}",
            f"{report.max_abs_difference:.3g}",
            verdict(report),
        )
    return table


def verdict(report: VerificationReport) -> Text:
    """The result of a comparison as text."""
    if report.holds and report.left == READING:
        return Text(outcome(report), style="green")
    if report.holds and report.float32_events:
        return Text(f"equal but for {report.float32_events} events in which float32 rounds a tie", style="green")
    if report.holds and report.loosest:
        return Text(clean(loose_words(report.loosest, report.events)), style="yellow")
    if report.holds and not report.mismatches:
        return Text("equal", style="bold green")
    if report.holds:
        return Text(f"within the stated bound {report.allowed:.3g}", style="green")
    if report.deadlock:
        return Text(f"DEADLOCK: {clean(' -> '.join(report.deadlock))}", style="bold red")
    first = report.first
    where = f" first at {clean(first.layer)}{list(first.index)}: {first.left:g} and {first.right:g}" if first else ""
    return Text(f"DIFFERENT{where}", style="bold red")


def judgement_table(judgements: Sequence[Judgement]) -> Table:
    """One row for each model."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("model", "outcome", "plan", "events", "largest difference", "s", "why"):
        table.add_column(
            name, justify="right" if name in {"events", "largest difference", "s"} else "left", overflow="fold"
        )
    for one in judgements:
        style = "" if one.outcome.is_good else "bold red"
        largest = "" if one.largest is None else f"{one.largest:.3g}"
        events = f"{one.events}" if one.events else ""
        table.add_row(
            escape(printable(one.model)),
            Text(one.outcome, style=style),
            one.promise,
            events,
            largest,
            f"{one.seconds:.0f}",
            escape(printable(one.why)),
        )
    return table


def judgement_summary(judgements: Sequence[Judgement]) -> Text:
    """The number of models with each outcome."""
    counts = Counter(one.outcome for one in judgements)
    words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ModelOutcome if counts[outcome])
    good = all(outcome.is_good for outcome in counts)
    return Text(f"{len(judgements)} models: {words}", style="bold green" if good else "bold red")


def quality_table(qualities: Sequence[Quality]) -> Table:
    """Float, quantized and hardware side by side."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("quality", "events", "float", "quantized", "hardware"):
        table.add_column(name, justify="left" if name == "quality" else "right")
    for row in qualities:
        float_network = "" if row.float_network is None else f"{row.float_network:.4f}"
        table.add_row(
            plain_cell(row.measure), f"{row.events:,}", float_network, f"{row.quantized:.4f}", f"{row.hardware:.4f}"
        )
    return table


def inspection(reading: ReadResult, refusals: Sequence[Refusal]) -> Iterator[RenderableType]:
    """The content of a model file."""
    parameters = sum(layer.parameters for layer in reading.layers)
    yield Text.assemble(
        (printable(reading.name), "bold"),
        f"  {printable(reading.framework)}, {len(reading.layers)} layers read, {parameters:,} parameters",
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("layer", "class", "what", "shape", "params"):
        table.add_column(name, justify="right" if name == "params" else "left", overflow="fold")
    for layer in reading.layers:
        shape = "x".join(map(str, layer.shape))
        table.add_row(
            escape(printable(layer.name)),
            escape(printable(layer.kind)),
            escape(operation_text(layer.operation)),
            shape,
            f"{layer.parameters:,}" if layer.parameters else "",
        )
    yield table
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


def ranges_table(nodes: Sequence[NodeRange]) -> Table:
    """One row for each node: the range of its results, and counts of its casts."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("node", "kind", "result", "least", "most", "wraps", "saturations", "ties"):
        table.add_column(
            name, justify="left" if name in {"node", "kind", "result"} else "right", no_wrap=name == "node"
        )
    for node in nodes:
        counts = ["" if count is None else f"{count:,}" for count in (node.wraps, node.saturations, node.ties)]
        style = "red" if node.wraps else "yellow" if node.saturations else ""
        table.add_row(
            escape(printable(node.name)),
            node.kind,
            clean(node.format),
            f"{node.least:g}",
            f"{node.most:g}",
            *counts,
            style=style,
        )
    return table
