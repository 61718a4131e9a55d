"""Vitis HLS's `csynth.rpt`: the tree of modules and loops; and its design size report."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fpgacnn.errors import ReportBrokenError, ReportUnknownFormError
from fpgacnn.hardware.synthesis.figures import Origin, Resources, Stage
from fpgacnn.hardware.synthesis.readers.cells import Cells, date_text
from fpgacnn.hardware.synthesis.readers.text import HlsText
from fpgacnn.hardware.synthesis.readers.xml import Element, parse_xml
from fpgacnn.hardware.synthesis.report import DesignSize, DesignSizeStep, Summary, SummaryRow

SUMMARY_TITLE = re.compile(r"Synthesis Summary Report of '(.+)'")
ESTIMATES = "Performance & Resource Estimates"
COLUMNS = 14
LAST_SECTION = "SW I/O Information"

SIZE_TITLE, SIZE_TABLE = "Design Size Report", "Total Instructions per Compilation Phase"
FUNCTION_TABLE = "Instructions per Function for each Compilation Phase"
FUNCTION_COLUMNS = 2
"""Function and location, before one column for each phase. Vitis HLS 2023.1 writes this table only."""

_ROW = re.compile(r"( *)([+o]) (.+?)(\*?)")
_INSTRUCTIONS = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)\s*(\*?)")


def read_summary(text: str, file: str) -> Summary:
    """The tree of a design.

    Raises ReportBrokenError, ReportUnknownFormError.
    """
    document = HlsText(text, file)
    title = SUMMARY_TITLE.fullmatch(document.title)
    if not title:
        raise ReportBrokenError(file=file, section="title", why="no title of a synthesis summary")
    cells = Cells(file, ESTIMATES)
    table = document.needed(document.title, ESTIMATES)
    if len(table.header) != COLUMNS:
        raise ReportUnknownFormError(
            file=file, why=f"the table '{ESTIMATES}' has {len(table.header)} columns instead of {COLUMNS}"
        )
    if not document.has(LAST_SECTION):
        raise ReportBrokenError(file=file, section=LAST_SECTION, why="it is missing; the report ends early")
    fields = document.fields
    if "Version" not in fields:
        raise ReportBrokenError(file=file, section="General Information", why="the tool's version is missing")
    origin = Origin(stage=Stage.CSYNTH, file=file)
    return Summary(
        top=title[1],
        origin=origin,
        version=fields["Version"].split(" ")[0],
        date=date_text(fields.get("Date", "")),
        part=fields.get("Target device"),
        rows=tuple(_row(row, cells, origin) for row in table.rows),
    )


def _row(row: tuple[str, ...], cells: Cells, origin: Origin) -> SummaryRow:
    found = _ROW.fullmatch(row[0].rstrip())
    if not found:
        raise cells.broken(f"'{row[0].strip()}' is neither a module nor a loop")
    module = found[2] == "+"
    bram, dsp, ff, lut, uram = (cells.share(cell) for cell in row[9:])
    return SummaryRow(
        name=found[3],
        kind="module" if module else "loop",
        depth=len(found[1]),
        dataflow=bool(found[4]),
        issue=_text_or_none(row[1]),
        slack_ns=cells.real(row[2]),
        latency_cycles=cells.whole(row[3]),
        latency_ns=cells.real(row[4]),
        iteration_latency_cycles=cells.whole(row[5]),
        interval_cycles=cells.whole(row[6]),
        trip_count=cells.whole(row[7]),
        pipelined=_text_or_none(row[8]),
        resources=Resources(origin=origin, lut=lut, ff=ff, dsp=dsp, bram_18k=bram, uram=uram) if module else None,
    )


def _text_or_none(text: str) -> str | None:
    return None if text.strip() in {"-", ""} else text.strip()


def read_design_size_rpt(text: str, file: str) -> DesignSize:
    """Number of instructions at each step, from the text.

    Raises ReportBrokenError, ReportUnknownFormError.
    """
    document = HlsText(text, file)
    if document.title != SIZE_TITLE:
        raise ReportBrokenError(file=file, section="title", why="no title of a design size report")
    if not document.has(SIZE_TITLE, SIZE_TABLE) and document.has(SIZE_TITLE, FUNCTION_TABLE):
        table = document.needed(SIZE_TITLE, FUNCTION_TABLE)
        counts = zip(table.header[FUNCTION_COLUMNS:], table.rows[0][FUNCTION_COLUMNS:], strict=True)
        return _design_size(((phase, "", count.strip()) for phase, count in counts), file)
    others = document.headings(SIZE_TITLE)
    if others and not document.has(SIZE_TITLE, SIZE_TABLE):
        document.needed(SIZE_TITLE, others[0])  # a table that is cut off is no unknown form
        raise ReportUnknownFormError(file=file, why=f"its tables are {', '.join(map(repr, others))}")
    table = document.needed(SIZE_TITLE, SIZE_TABLE)
    if len(table.header) != 4:
        raise Cells(file, SIZE_TABLE).broken(f"{len(table.header)} columns instead of 4")
    return _design_size(((row[0].strip(), row[1].strip(), row[2].strip()) for row in table.rows), file)


def read_design_size_xml(text: str, file: str) -> DesignSize:
    """Number of instructions at each step, from XML.

    Raises ReportBrokenError, ReportRefusedError, ReportUnknownFormError.
    """
    root = parse_xml(text, file)
    items = {one.attributes.get("name", ""): one for one in root.all("item")}
    if SIZE_TABLE not in items and FUNCTION_TABLE in items:
        return _design_size(_outermost(items[FUNCTION_TABLE], file), file)
    if items and SIZE_TABLE not in items:
        raise ReportUnknownFormError(file=file, why=f"its tables are {', '.join(map(repr, items))}")
    table = items[SIZE_TABLE].find("table") if items else None
    if table is None:
        raise ReportBrokenError(file=file, section=SIZE_TABLE, why="it is missing")
    rows = ((one.attributes.get("name", ""), *one.text.split(", ", 2)[:2]) for one in table.all("column"))
    return _design_size(((row[0], row[1].strip(), row[2].strip().rstrip(",")) for row in rows if len(row) == 3), file)


def _outermost(item: Element, file: str) -> Iterator[tuple[str, str, str]]:
    """The phases of the top function: a column's name is in the header, its count in the first row."""
    header, row = item.find("hiertable", "header"), item.find("hiertable", "rows", "row")
    if header is None or row is None:
        raise ReportBrokenError(file=file, section=FUNCTION_TABLE, why="its table is cut off")
    names = (name for name in header.attributes if re.fullmatch(r"col\d{1,3}", name))
    for name in sorted(names, key=lambda one: int(one[3:]))[FUNCTION_COLUMNS:]:
        count, mark = row.attributes.get(name, ""), row.attributes.get(f"{name}_note", "")
        yield header.attributes[name], "", f"{count} {mark}".strip()


def _design_size(rows: Iterator[tuple[str, str, str]], file: str) -> DesignSize:
    steps, phase = [], ""
    for name, step, count in rows:
        phase = name or phase
        found = _INSTRUCTIONS.fullmatch(count)
        if found:
            steps.append(
                DesignSizeStep(
                    phase=phase, step=step, instructions=int(found[1].replace(",", "")), exceeded=bool(found[2])
                )
            )
        elif count:
            raise Cells(file, SIZE_TABLE).broken(f"'{count}' is no number of instructions")
    if not steps:
        raise Cells(file, SIZE_TABLE).broken("the table is empty")
    return DesignSize(origin=Origin(stage=Stage.CSYNTH, file=file), steps=tuple(steps))
