"""Records as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from fpgacnn.errors import FpgacnnError, printable
from fpgacnn.flow.folder import Judgement, Outcome
from fpgacnn.flow.record import LayerRecord, Quality, RunRecord
from fpgacnn.frontends import Refusal
from fpgacnn.frontends.keras.reader import Reading
from fpgacnn.ir.text import operation_text
from fpgacnn.verification import VerificationReport

UNTOLD_SHOWN = 5


def error_lines(error: FpgacnnError) -> tuple[Text, Text | None]:
    """An error in its one shape, and its hint."""
    line = Text.assemble((f"error[{error.code}]", "bold red"), f" {error}")
    return line, Text.assemble(("hint:", "bold"), f" {error.hint}") if error.hint else None


def run_report(record: RunRecord) -> Iterator[RenderableType]:
    """All of a run: layers, promises, comparisons, quality, where the project lies."""
    model, target = record.model, record.target
    yield Text.assemble(
        (printable(model.file), "bold"),
        f"  {model.layers} layers, {model.parameters:,} parameters ({printable(model.framework)})\n",
        f"for {target.part} at {target.clock_ns:g} ns, io_{target.io}, {target.strategy}, reuse {target.reuse}, {target.backend}",
    )
    yield layer_table(record.plan.decisions)
    for given in record.inputs:
        rounding = f"; {given.rounded_values:,} values rounded, by at most {given.largest_rounding:.3g}" if given.rounded_values else ""
        origin = printable(given.origin)
        yield Text(f"input {printable(given.name)}: {given.format} ({given.reason}); {given.events:,} events from {origin}{rounding}")
    yield promise(record)
    yield verification_table(record.verification)
    if record.quality:
        yield quality_table(record.quality)
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))
    if record.project:
        yield Text.assemble("project: ", (printable(record.project.folder), "bold"), f"  ({record.project.files} files, digest {record.project.digest[:12]})")


def layer_table(decisions: Sequence[LayerRecord]) -> Table:
    """One row a node: what it is, its formats and why."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("layer", "what", "shape", "params", "weights", "accumulator", "result", "why"):
        table.add_column(name, justify="right" if name == "params" else "left", overflow="fold", no_wrap=name in {"layer", "shape", "params"})
    for row in decisions:
        reason = row.accumulator_reason or row.result_reason
        why = f"{reason}; {row.loss}" if row.loss else reason
        table.add_row(
            escape(row.name),
            escape(row.what),
            "x".join(map(str, row.shape)),
            f"{row.parameters:,}" if row.parameters else "",
            row.weight,
            row.accumulator,
            row.result,
            escape(why),
            style="yellow" if row.loss else "",
        )
    return table


def promise(record: RunRecord) -> Text:
    """What the plan says about the whole."""
    if record.plan.exact:
        return Text.assemble(("exact: ", "bold green"), "every answer equals the quantized network's, bit for bit")
    if record.plan.lossless:
        return Text.assemble(("lossless: ", "bold green"), "no bit is lost; the framework's own float32 may round where hardware does not")
    losses = "; ".join(f"{name}: {loss}" for name, loss in record.plan.losses)
    return Text.assemble(("bounded: ", "bold yellow"), losses)


def verification_table(reports: Sequence[VerificationReport]) -> Table:
    """One row a comparison."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("compared", "events", "nodes", "values", "different", "largest difference", "verdict"):
        table.add_column(name, justify="left" if name in {"compared", "verdict"} else "right")
    for report in reports:
        table.add_row(
            f"{report.left} = {report.right}" if not report.allowed else f"{report.left} ~ {report.right}",
            f"{report.events:,}",
            f"{report.layers}",
            f"{report.values:,}",
            f"{report.mismatches:,}",
            f"{report.max_abs_difference:.3g}",
            verdict(report),
        )
    return table


def verdict(report: VerificationReport) -> Text:
    """A comparison's outcome in words."""
    if report.holds and report.float32_events:
        return Text(f"equal but for {report.float32_events} events in which float32 rounds a tie", style="green")
    if report.holds and not report.mismatches:
        return Text("equal", style="bold green")
    if report.holds:
        return Text(f"within the stated bound {report.allowed:.3g}", style="green")
    first = report.first
    where = f" first at {first.layer}{list(first.index)}: {first.left:g} and {first.right:g}" if first else ""
    return Text(f"DIFFERENT{where}", style="bold red")


def judgement_table(judgements: Sequence[Judgement]) -> Table:
    """One row a model."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("model", "outcome", "plan", "events", "largest difference", "s", "why"):
        table.add_column(name, justify="right" if name in {"events", "largest difference", "s"} else "left", overflow="fold")
    for one in judgements:
        style = "" if one.outcome.is_good else "bold red"
        largest = "" if one.largest is None else f"{one.largest:.3g}"
        events = f"{one.events}" if one.events else ""
        table.add_row(
            escape(printable(one.model)), Text(one.outcome, style=style), one.promise, events, largest, f"{one.seconds:.0f}", escape(printable(one.why))
        )
    return table


def judgement_summary(judgements: Sequence[Judgement]) -> Text:
    """How many models came to each outcome."""
    counts = Counter(one.outcome for one in judgements)
    words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])
    good = all(outcome.is_good for outcome in counts)
    return Text(f"{len(judgements)} models: {words}", style="bold green" if good else "bold red")


def quality_table(qualities: Sequence[Quality]) -> Table:
    """Float, quantized and hardware side by side."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("quality", "events", "float", "quantized", "hardware"):
        table.add_column(name, justify="left" if name == "quality" else "right")
    for row in qualities:
        float_network = "" if row.float_network is None else f"{row.float_network:.4f}"
        table.add_row(row.measure, f"{row.events:,}", float_network, f"{row.quantized:.4f}", f"{row.hardware:.4f}")
    return table


def inspection(reading: Reading, refusals: Sequence[Refusal]) -> Iterator[RenderableType]:
    """What is in a model file."""
    parameters = sum(layer.parameters for layer in reading.layers)
    yield Text.assemble((printable(reading.name), "bold"), f"  {printable(reading.framework)}, {len(reading.layers)} layers read, {parameters:,} parameters")
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
    for refusal in refusals:
        line, hint = error_lines(refusal.error)
        yield line
        if hint:
            yield hint
    if reading.untold:
        names = ", ".join(printable(name) for name, _ in reading.untold[:UNTOLD_SHOWN])
        more = f" and {len(reading.untold) - UNTOLD_SHOWN} more" if len(reading.untold) > UNTOLD_SHOWN else ""
        yield Text(f"not examined, because they read a refused layer: {names}{more}")
