"""Write values as CSV, one in each line, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from math import isfinite

from fpgacnn.jobs.explore.record import ExploreRecord
from fpgacnn.jobs.fit.run import FitRecord
from fpgacnn.records.compare import Comparison
from fpgacnn.records.flatten import Value, flatten
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formatting import clean
from fpgacnn.reporting.page.page import Section

HEAD = ("project", "section", "item", "quantity", "value", "unit")
CHANGES_HEAD = ("section", "item", "quantity", "left", "right", "difference", "ratio", "unit")
HLS4ML_HEAD = ("item", "hls4ml", "fpgacnn")
FIT_HEAD = ("target", "quantity", "value", "low", "high")
STUDY_HEAD = ("point", "quantity", "value", "low", "high")
HEADS = (HEAD, CHANGES_HEAD, HLS4ML_HEAD, FIT_HEAD, STUDY_HEAD)
_FORMULA = tuple("=+-@|%＝＋－＠")


def spreadsheet(entries: Iterable[ReportInput]) -> str:
    """All values of all projects."""
    rows = [
        (entry.name, one.section, one.item, one.quantity, one.value, one.unit)
        for entry in entries
        for one in flatten(entry)
    ]
    return _written(HEAD, rows)


def changes(comparison: Comparison) -> str:
    """All changes between two runs."""
    rows = [
        (one.section, one.item, one.quantity, one.left, one.right, one.difference, one.ratio, one.unit)
        for one in comparison.changes
    ]
    return _written(CHANGES_HEAD, rows)


def study(record: ExploreRecord) -> str:
    """The points of a study's front: choices, and numbers with their bands."""
    rows: list[tuple[Value, ...]] = []
    for one in record.front:
        row = record.row(one)
        rows += [(one.number, name, value, None, None) for name, value in row.choices.items()]
        rows += [(one.number, "quality", row.quality, None, None), (one.number, "ebops", row.ebops, None, None)]
        bands = {**row.figures, "latency_ns": row.latency_ns, "interval_ns": row.interval_ns}
        rows += [(one.number, name, band.value, band.low, band.high) for name, band in bands.items()]
    return _written(STUDY_HEAD, rows)


def targets(record: FitRecord) -> str:
    """The targets of the front of `fit`: settings of layers, and numbers with their bands."""
    rows: list[tuple[Value, ...]] = []
    for number, one in enumerate(record.front, 1):
        rows += [(number, "io", one.io, None, None), (number, "limits met", one.fits, None, None)]
        rows += [(number, layer, setting, None, None) for layer, setting in one.layers.items()]
        bands = {**one.share_bands, "latency_ns": one.latency_band, "interval_ns": one.interval_band}
        rows += [(number, name, band.value, band.low, band.high) for name, band in bands.items()]
    return _written(FIT_HEAD, rows)


def both_tools(section: Section) -> str:
    """The table of hls4ml and fpgacnn side by side."""
    return _written(HLS4ML_HEAD, [tuple(one.text for one in row) for table in section.tables for row in table.rows])


def _written(head: tuple[str, ...], rows: Iterable[tuple[Value, ...]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([field(value) for value in row] for row in rows)
    return buffer.getvalue()


def field(value: Value) -> str:
    """A value as a CSV field; text that a spreadsheet would read as a formula gets an apostrophe in front."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    safe = clean(value)
    return f"'{safe}" if safe.startswith(_FORMULA) else safe
