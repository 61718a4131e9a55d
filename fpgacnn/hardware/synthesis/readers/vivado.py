"""Vivado's report_utilization (after synthesis or placement) and report_timing_summary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePosixPath

from fpgacnn.errors import ReportBrokenError, ReportUnknownFormError
from fpgacnn.hardware.synthesis.figures import Origin, Resources, Stage
from fpgacnn.hardware.synthesis.readers.cells import Cells, date_text
from fpgacnn.hardware.synthesis.readers.text import ReportTable, drawn_lines, parse_table
from fpgacnn.hardware.synthesis.report import TimingReport, Utilization

UTILIZATION, TIMING = "report_utilization", "report_timing_summary"
POWER_COMMAND, ROUTE_COMMAND = "report_power", "report_route_status"
HIERARCHICAL = "-hierarchical"
LOGIC = ("CLB Logic", "Slice Logic", "Netlist Logic")
MEMORY = ("BLOCKRAM", "Memory")
ARITHMETIC = ("ARITHMETIC", "DSP")
LAST_SECTION = "Instantiated Netlists"
VERDICTS: Mapping[str, bool | None] = {
    "All user specified timing constraints are met": True,
    "Timing constraints are not met": False,
    "There are no user specified timing constraints": None,
}

_FIELD = re.compile(r"\| (Tool Version|Date|Command|Design|Device|Design State) *: (.*)")
_SECTION = re.compile(r"[\d.]{1,9} +(.{1,80})")
_VERSION = re.compile(r"Vivado v\.?(\S+)")
_BEFORE_PLACEMENT = re.compile(r"synth|optimi", re.IGNORECASE)
_PLACED = re.compile(r"plac|rout|phys|impl", re.IGNORECASE)
_CLOCK = re.compile(r" *(\S+) +\{[\d. ]+\} +(\d{1,9}\.\d{1,6}) +[\d.]+ *")


def vivado_fields(text: str) -> dict[str, str]:
    """The head of a report of Vivado."""
    found: dict[str, str] = {}
    for line in text[:20_000].splitlines():
        if match := _FIELD.fullmatch(line):
            found.setdefault(match[1], match[2].strip())
    return found


def needed_field(fields: Mapping[str, str], name: str, file: str) -> str:
    """A field of the head.

    Raises ReportBrokenError.
    """
    if not fields.get(name):
        raise ReportBrokenError(file=file, section="head", why=f"'{name}' is missing")
    return fields[name]


def vivado_version(fields: Mapping[str, str], file: str) -> str:
    """The version of Vivado, from the head.

    Raises ReportBrokenError.
    """
    text = needed_field(fields, "Tool Version", file)
    found = _VERSION.match(text)
    return found[1] if found else text


def stage_of_report(fields: Mapping[str, str], file: str) -> Stage:
    """The stage of a report of one netlist: by the state in its head, else by the name of its file.

    Older Vivado does not write the state; a name without a hint claims no placement. Raises ReportBrokenError.
    """
    name = PurePosixPath(file).name
    state = fields.get("Design State") or (name if _PLACED.search(name) else "Synthesized")
    return stage_of(state, Cells(file, "head"))


def stage_of(state: str, cells: Cells) -> Stage:
    """The stage of a design's state.

    opt_design alone, as hls4ml's script runs it, still counts a netlist without a place. Raises ReportBrokenError.
    """
    if _PLACED.search(state):
        return Stage.IMPL
    if _BEFORE_PLACEMENT.search(state):
        return Stage.SYNTH
    raise cells.broken(f"'{state}' is no state of a design")


def read_utilization(text: str, file: str) -> Utilization:
    """What a netlist uses.

    Raises ReportBrokenError, ReportUnknownFormError.
    """
    fields = vivado_fields(text)
    sections = _sections(text)
    state = needed_field(fields, "Design State", file)
    origin = Origin(stage=stage_of(state, Cells(file, "head")), file=file)
    unknown = [names for names in (LOGIC, MEMORY, ARITHMETIC) if not any(name in sections for name in names)]
    if unknown and LAST_SECTION in sections:
        raise ReportUnknownFormError(file=file, why=f"it has no section {' or '.join(unknown[0])}")
    logic, memory, arithmetic = (_Sites(sections, names, file) for names in (LOGIC, MEMORY, ARITHMETIC))
    if LAST_SECTION not in sections:
        raise ReportBrokenError(file=file, section=LAST_SECTION, why="it is missing; the report ends early")

    def resources(column: str) -> Resources:
        return Resources(
            origin=origin,
            lut=logic.count(column, "CLB LUTs", "Slice LUTs"),
            ff=logic.count(column, "CLB Registers", "Slice Registers", "Registers"),
            dsp=arithmetic.count(column, "DSPs", "DSP Slices"),
            bram_tiles=memory.amount(column, "Block RAM Tile"),
            uram=memory.optional(column, "URAM"),
        )

    return Utilization(
        origin=origin,
        design=needed_field(fields, "Design", file),
        version=vivado_version(fields, file),
        date=date_text(needed_field(fields, "Date", file)),
        part=needed_field(fields, "Device", file),
        state=state,
        resources=resources("Used"),
        available=resources("Available"),
        lut_logic=logic.optional("Used", "LUT as Logic"),
        lut_memory=logic.optional("Used", "LUT as Memory"),
        ramb36=memory.optional("Used", "RAMB36/FIFO"),
        ramb18=memory.optional("Used", "RAMB18"),
    )


def _sections(text: str) -> Mapping[str, list[str]]:
    """Lines below each numbered and underlined heading: names of rows recur in prose and in other tables."""
    found: dict[str, list[str]] = {}
    here: list[str] = []
    for line, under in pairwise([*text.splitlines(), ""]):
        heading = _SECTION.fullmatch(line)
        if heading and under and not under.strip("-"):
            here = found.setdefault(heading[1].strip(), [])
        else:
            here.append(line)
    return found


class _Sites:
    """The first table of a section: a row by its name, a cell by its column."""

    def __init__(self, sections: Mapping[str, list[str]], names: tuple[str, ...], file: str) -> None:
        name = next((one for one in names if one in sections), None)
        if name is None:
            raise ReportBrokenError(file=file, section=" or ".join(names), why="it is missing; the report ends early")
        self.cells = Cells(file, name)
        self.table = self._first(sections[name])
        self.rows: dict[str, tuple[str, ...]] = {}
        for row in self.table.rows:
            self.rows.setdefault(row[0].strip().rstrip("*"), row)

    def _first(self, lines: list[str]) -> ReportTable:
        drawn = list(drawn_lines(lines))
        if not drawn:
            raise self.cells.broken("its table is missing; the report ends early")
        return parse_table(drawn, self.cells.file, self.cells.section)

    def cell(self, column: str, *names: str) -> str | None:
        place = self.table.column(column)
        if place is None:
            raise self.cells.broken(f"the column '{column}' is missing")
        row = next((self.rows[name] for name in names if name in self.rows), None)
        return row[place] if row else None

    def amount(self, column: str, *names: str) -> float | None:
        found = self.cell(column, *names)
        if found is None:
            raise self.cells.broken(f"the row '{names[0]}' is missing")
        return self.cells.real(found)

    def count(self, column: str, *names: str) -> int | None:
        found = self.cell(column, *names)
        if found is None:
            raise self.cells.broken(f"the row '{names[0]}' is missing")
        return self.cells.whole(found)

    def optional(self, column: str, *names: str) -> int | None:
        found = self.cell(column, *names)
        return None if found is None else self.cells.whole(found)


def read_timing(text: str, file: str) -> TimingReport:
    """Slacks of a netlist.

    Raises ReportBrokenError.
    """
    fields = vivado_fields(text)
    section = "Design Timing Summary"
    cells = Cells(file, section)
    lines = text.splitlines()
    start = next(
        (place for place, line in enumerate(lines) if line.startswith("| ") and line.strip("| ") == section), None
    )
    if start is None:
        raise cells.broken("it is missing; the report ends early")
    below = lines[start:]
    head = next((place for place, line in enumerate(below) if "WNS(ns)" in line), len(below))
    if len(below) < head + 3:
        raise cells.broken("its table is cut off")
    names, values = re.split(r"\s{2,}", below[head].strip()), below[head + 2].split()
    if len(names) != len(values):
        raise cells.broken(f"{len(values)} values under {len(names)} names")
    row = dict(zip(names, values, strict=True))
    verdicts = [met for line in below for start, met in VERDICTS.items() if line.startswith(start)]
    slacks = {name: cells.real(row.get(name, "NA")) for name in ("WNS(ns)", "TNS(ns)", "WHS(ns)", "WPWS(ns)")}
    if not verdicts:
        raise cells.broken("the verdict on the constraints is missing; the report ends early")
    return TimingReport(
        origin=Origin(stage=stage_of_report(fields, file), file=file),
        design=needed_field(fields, "Design", file),
        version=vivado_version(fields, file),
        date=date_text(fields.get("Date", "")),
        part=fields.get("Device"),
        worst_setup_slack_ns=slacks["WNS(ns)"],
        total_setup_slack_ns=slacks["TNS(ns)"],
        failing_endpoints=cells.whole(row.get("TNS Failing Endpoints", "NA")),
        worst_hold_slack_ns=slacks["WHS(ns)"],
        worst_pulse_width_slack_ns=slacks["WPWS(ns)"],
        clock_periods_ns={} if verdicts[0] is None else _clocks(below, cells),
        met=verdicts[0],
    )


def _clocks(lines: list[str], cells: Cells) -> Mapping[str, float]:
    heads = [place for place, line in enumerate(lines) if line.startswith("| ") and line[2:3].isalpha()]
    start = next((place for place in heads if lines[place].strip("| ") == "Clock Summary"), None)
    end = next((place for place in heads if start is not None and place > start), None)
    if start is None or end is None:
        raise cells.broken("the clock summary is missing or cut off; the report ends early")
    found: dict[str, float] = {}
    for line in lines[start:end]:
        if match := _CLOCK.fullmatch(line):
            found.setdefault(match[1], float(match[2]))
    return found
