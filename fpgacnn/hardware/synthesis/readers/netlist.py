"""Vivado's hierarchical report_utilization, report_power and report_route_status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from fpgacnn.errors import ReportBrokenError
from fpgacnn.hardware.synthesis.figures import Origin, Resources, Stage
from fpgacnn.hardware.synthesis.placed import Hierarchy, NetlistInstance, PowerReport, RouteStatus
from fpgacnn.hardware.synthesis.readers.cells import Cells, date_text
from fpgacnn.hardware.synthesis.readers.text import ReportTable, drawn_lines, parse_table
from fpgacnn.hardware.synthesis.readers.vivado import (
    needed_field,
    stage_of,
    stage_of_report,
    vivado_fields,
    vivado_version,
)

HIERARCHY = "Utilization by Hierarchy"
ROUTES = "Design Route Status"
SUMMARY = "Summary"
TOTAL, DYNAMIC, STATIC = "Total On-Chip Power (W)", "Dynamic (W)", "Device Static (W)"
CONFIDENCE = "Confidence Level"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "lut": ("Total LUTs",),
    "ff": ("FFs",),
    "dsp": ("DSP48 Blocks", "DSP Blocks", "DSP Slices", "DSPs"),
    "ramb36": ("RAMB36",),
    "ramb18": ("RAMB18",),
    "uram": ("URAM",),
}
"""Headings of the hierarchical report, of all families; URAM is missing in families without it."""

_SHARE = re.compile(r"(\d{1,12})\(\s*\d{1,6}(?:\.\d{1,4})?%\)")
_NETS = re.compile(r"\s*# of (.+?)\.*\s*:\s*(\d{1,12})\s*:\s*")


def read_hierarchy(text: str, file: str) -> Hierarchy:
    """What every instance of a netlist uses, with all that is inside it.

    Raises ReportBrokenError.
    """
    fields, cells = vivado_fields(text), Cells(file, HIERARCHY)
    lines = text.splitlines()
    heading = next(
        (
            place
            for place, (line, under) in enumerate(pairwise(lines))
            if re.fullmatch(rf"[\d.]+ +{HIERARCHY}", line) and under.startswith("---")
        ),
        None,
    )
    drawn = list(drawn_lines(lines[heading:])) if heading is not None else []
    if not drawn:
        raise cells.broken("its table is missing; the report ends early")
    table = parse_table(drawn, file, HIERARCHY)
    columns = {key: table.column(*names) for key, names in COLUMNS.items()}
    missing = next((COLUMNS[key][0] for key, place in columns.items() if place is None and key != "uram"), None)
    if missing:
        raise cells.broken(f"the column '{missing}' is missing")
    state = needed_field(fields, "Design State", file)
    origin = Origin(stage=stage_of(state, Cells(file, "head")), file=file)
    return Hierarchy(
        origin=origin,
        design=needed_field(fields, "Design", file),
        version=vivado_version(fields, file),
        date=date_text(needed_field(fields, "Date", file)),
        part=needed_field(fields, "Device", file),
        instances=tuple(_instance(row, columns, cells, origin) for row in table.rows),
    )


def _instance(row: tuple[str, ...], columns: Mapping[str, int | None], cells: Cells, origin: Origin) -> NetlistInstance:
    def count(key: str) -> int | None:
        place = columns[key]
        if place is None:
            return None
        found = _SHARE.fullmatch(row[place].strip())
        return int(found[1]) if found else cells.whole(row[place])

    name = row[0].rstrip()
    whole, half = count("ramb36"), count("ramb18")
    return NetlistInstance(
        name=name.strip(),
        module=row[1].strip(),
        depth=len(name) - len(name.lstrip()),
        resources=Resources(
            origin=origin,
            lut=count("lut"),
            ff=count("ff"),
            dsp=count("dsp"),
            bram_tiles=None if whole is None or half is None else whole + half / 2,
            uram=count("uram"),
        ),
    )


def read_power(text: str, file: str) -> PowerReport:
    """The estimated power of a netlist.

    Raises ReportBrokenError.
    """
    fields, cells = vivado_fields(text), Cells(file, SUMMARY)
    rows = {row[0].strip(): row[1].strip() for row in _summary(text, file).rows}
    missing = next((name for name in (TOTAL, DYNAMIC, STATIC) if name not in rows), None)
    if missing:
        raise cells.broken(f"the row '{missing}' is missing")
    return PowerReport(
        origin=Origin(stage=stage_of_report(fields, file), file=file),
        design=needed_field(fields, "Design", file),
        version=vivado_version(fields, file),
        date=date_text(fields.get("Date", "")),
        part=fields.get("Device"),
        total_w=cells.real(rows[TOTAL]),
        dynamic_w=cells.real(rows[DYNAMIC]),
        static_w=cells.real(rows[STATIC]),
        confidence=rows.get(CONFIDENCE, ""),
    )


def _summary(text: str, file: str) -> ReportTable:
    lines = text.splitlines()
    start = next((place for place, line in enumerate(lines) if TOTAL in line), None)
    if start is None:
        raise ReportBrokenError(file=file, section=SUMMARY, why=f"the row '{TOTAL}' is missing")
    drawn = list(drawn_lines(lines[start - 1 :]))
    if not drawn[0].lstrip().startswith("+-") or drawn[-1].strip() != drawn[0].strip():
        raise ReportBrokenError(file=file, section=SUMMARY, why="its table is cut off")
    header = [drawn[0], "|" + "|" * drawn[0].strip("+").count("+") + "|"]  # this table has no heading
    return parse_table([*header, *drawn], file, SUMMARY)


def read_routes(text: str, file: str) -> RouteStatus:
    """How many nets are routed.

    Raises ReportBrokenError.
    """
    cells = Cells(file, ROUTES)
    nets = {found[1]: int(found[2]) for line in text.splitlines() if (found := _NETS.fullmatch(line))}
    names = ("routable nets", "fully routed nets", "nets with routing errors")
    missing = next((name for name in names if name not in nets), None)
    if missing:
        raise cells.broken(f"'# of {missing}' is missing; the report ends early")
    fields = vivado_fields(text)
    routable, routed, errors = (nets[name] for name in names)
    return RouteStatus(
        origin=Origin(stage=Stage.IMPL, file=file),
        design=fields.get("Design", ""),
        date=date_text(fields.get("Date", "")),
        routable_nets=routable,
        routed_nets=routed,
        nets_with_errors=errors,
    )
