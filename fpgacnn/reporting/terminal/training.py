"""The result of `quantize` for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.jobs.quantize.budget import BudgetRecord
from fpgacnn.jobs.quantize.record import LayerWidths, QuantizeRecord, StageQuality
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


def widths_table(rows: Sequence[LayerWidths]) -> Table:
    """One row for each quantized layer."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("layer", "weights", "biases", "results", "params", "zeros", "EBOPs"):
        table.add_column(name, justify="right" if name in {"params", "zeros", "EBOPs"} else "left", no_wrap=True)
    for row in rows:
        numbers = [f"{number:,}" if number else "" for number in (row.parameters, row.zeros, row.ebops)]
        table.add_row(escape(row.layer), row.weight_format, row.bias_format, row.result_format, *numbers)
    return table


def quality_table(rows: Sequence[StageQuality]) -> Table:
    """One row for each part of the data."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("quality", "part", "events", "float", "post-training", "fine-tuned"):
        table.add_column(name, justify="left" if name in {"quality", "part"} else "right")
    for row in rows:
        figures = [f"{figure:.4f}" for figure in (row.float_network, row.post_training, row.fine_tuned)]
        table.add_row(row.measure, row.part, f"{row.events:,}", *figures)
    return table


def budget_table(budget: BudgetRecord) -> Table:
    """Candidates of the path from wide to narrow; the chosen one is marked."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in (f"budget {budget.budget}", "EBOPs", "of uniform", "quality before training"):
        table.add_column(name, justify="right" if name != f"budget {budget.budget}" else "left")
    for one in budget.pareto:
        mark = "chosen" if one.ebops == budget.chosen_ebops else ""
        table.add_row(mark, f"{one.ebops:,}", f"{one.ebops / budget.uniform_ebops:.0%}", f"{one.quality:.4f}")
    return table


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
