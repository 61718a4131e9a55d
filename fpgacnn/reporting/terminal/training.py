"""The result of `quantize` for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.jobs.quantize.budget import BudgetRecord
from fpgacnn.jobs.quantize.record import LayerWidths, QuantizeRecord, StageQuality
from fpgacnn.reporting.terminal.columns import FittingTable, left, right
from fpgacnn.reporting.terminal.tables import run_report


def training_report(record: QuantizeRecord) -> Iterator[RenderableType]:
    """Widths of every layer, float, post-training and fine-tuned quality side by side, and the conversion."""
    model, events = record.model, record.events
    yield Text.assemble(
        (printable(model.file), "bold"),
        f"  {model.layers} layers, {model.parameters:,} parameters ({printable(model.framework)})\n",
        f"{printable(record.data)}: {events['train']:,} events to train, {events['validation']:,} to validate,"
        f" {events['test']:,} to test",
    )
    yield widths_table(record.layers)
    if record.budget is not None:
        yield budget_table(record.budget)
        if record.budget.chosen_lut is not None:
            yield Text(
                f"estimated before training: {record.budget.chosen_lut:,} LUTs, with uniform widths"
                f" {record.budget.uniform_lut:,}"
            )
    yield quality_table(record.quality)
    yield Text(training_words(record))
    yield Text.assemble("quantized model: ", (printable(record.output), "bold"), f"  ({record.ebops:,} EBOPs)")
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))
    if record.conversion is not None:
        yield Text("")
        yield from run_report(record.conversion)


def widths_table(rows: Sequence[LayerWidths]) -> FittingTable:
    """One row for each quantized layer."""
    return FittingTable(
        headings=(
            left("layer"),
            left("weights"),
            left("biases", rank=2),
            left("results"),
            right("params", rank=3),
            right("zeros", rank=1),
            right("EBOPs"),
        ),
        rows=tuple(
            (
                Text(printable(row.layer)),
                Text(row.weight_format),
                Text(row.bias_format),
                Text(row.result_format),
                *(Text(f"{number:,}" if number else "") for number in (row.parameters, row.zeros, row.ebops)),
            )
            for row in rows
        ),
    )


def quality_table(rows: Sequence[StageQuality]) -> FittingTable:
    """One row for each part of the data."""
    return FittingTable(
        headings=(
            left("quality", least=20),
            left("part"),
            *map(right, ("events", "float", "post-training", "fine-tuned")),
        ),
        rows=tuple(
            (
                Text(row.measure),
                Text(row.part),
                Text(f"{row.events:,}"),
                *(Text(f"{figure:.4f}") for figure in (row.float_network, row.post_training, row.fine_tuned)),
            )
            for row in rows
        ),
    )


def budget_table(budget: BudgetRecord) -> FittingTable:
    """Candidates of the path from wide to narrow; the chosen one is marked."""
    return FittingTable(
        headings=(left(f"budget {budget.budget}"), *map(right, ("EBOPs", "of uniform", "quality before training"))),
        rows=tuple(
            (
                Text("chosen" if one.ebops == budget.chosen_ebops else ""),
                Text(f"{one.ebops:,}"),
                Text(f"{one.ebops / budget.uniform_ebops:.0%}"),
                Text(f"{one.quality:.4f}"),
            )
            for one in budget.pareto
        ),
    )


def training_words(record: QuantizeRecord) -> str:
    """The course of the training, in one sentence."""
    last = record.epochs[-1].number
    kept = (
        f"epoch {record.best_epoch} of {last} kept (lowest validation loss)"
        if record.best_epoch
        else f"none of {last} epochs was better than no training"
    )
    return (
        kept
        if record.continued_from is None
        else f"{kept}; continued from the checkpoint of epoch {record.continued_from}"
    )
