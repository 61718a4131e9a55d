"""Records in a notebook: the cards of the HTML report, as an HTML fragment with its own style."""

from __future__ import annotations

from collections.abc import Iterator

from fpgacnn.jobs.fit.run import FitRecord
from fpgacnn.jobs.quantize.record import QuantizeRecord
from fpgacnn.records.compare import Comparison
from fpgacnn.records.record import EstimateRecord, RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formats.html import html_cards
from fpgacnn.reporting.page import compose


def cards(record: object) -> str | None:
    """The cards of a record as HTML; None for records that have none."""
    found = [compose.chapter(one) for one in _inputs(record)]
    return html_cards(found) if found else None


def _inputs(record: object) -> Iterator[ReportInput]:
    """The report inputs of a record."""
    match record:
        case ReportInput():
            yield record
        case Comparison(left=left, right=right):
            yield from (left, right)
        case RunRecord(model=model, synthesis=synthesis):
            yield ReportInput(name=model.file, record=record, synthesis=synthesis)
        case EstimateRecord(source=source, estimate=estimate) | FitRecord(source=source, estimate=estimate):
            yield ReportInput(name=source, record=None, guess=estimate)
        case QuantizeRecord(conversion=RunRecord() as conversion):
            yield from _inputs(conversion)
        case _:
            return
