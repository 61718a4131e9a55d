"""Amounts of resources and time as text and as cells of a table."""

from __future__ import annotations

from fpgacnn.records.resources import ResourceValue, Source
from fpgacnn.reporting.formatting import NOTHING, number, rough
from fpgacnn.reporting.page.page import Cell

NAMES = {
    Source.ESTIMATE: "Estimate of C synthesis",
    Source.AFTER_SYNTHESIS: "Estimate after synthesis",
    Source.SIMULATED: "Simulated",
    Source.SCHEDULE: "Schedule of the RTL",
    Source.CSYNTH: "C synthesis",
    Source.COSIM: "RTL simulation",
    Source.SYNTH: "Logic synthesis",
    Source.EXPORT: "Export",
    Source.IMPL: "Placed and routed",
}
"""Source of figures -> its name in reports."""


def between(amount: ResourceValue) -> str:
    """`240`, or the two ends of its range; estimates with three digits."""
    if amount.estimated:
        return (
            f"{rough(amount.value)} ({rough(amount.low)} to {rough(amount.high)})"
            if amount.is_range
            else rough(amount.value)
        )
    return (
        f"{number(amount.value)} ({number(amount.low)} to {number(amount.high)})"
        if amount.is_range
        else number(amount.value)
    )


def amount_cell(amount: ResourceValue | None) -> Cell:
    """A number with its range; a dash if there is none."""
    return Cell(text=between(amount), number=amount.value) if amount else Cell(text=NOTHING)


def plain_amount(amount: ResourceValue | None) -> Cell:
    """A number without its range."""
    if amount is None:
        return Cell(text=NOTHING)
    return Cell(text=rough(amount.value) if amount.estimated else number(amount.value), number=amount.value)
