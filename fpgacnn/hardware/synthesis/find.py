"""Find reports in a project folder, and the kind of each file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from fpgacnn.errors import ReportForeignError
from fpgacnn.hardware.synthesis.readers.netlist import ROUTES
from fpgacnn.hardware.synthesis.readers.results import HEADING
from fpgacnn.hardware.synthesis.readers.vivado import (
    HIERARCHICAL,
    POWER_COMMAND,
    ROUTE_COMMAND,
    TIMING,
    UTILIZATION,
    vivado_fields,
)
from fpgacnn.system.files.regular import ANY_SIZE, open_regular

MAX_DEPTH = 16
MAX_FILES, MAX_REPORTS = 200_000, 20_000
HEAD_BYTES = 64 << 10


class ReportKind(StrEnum):
    """The kinds of report that are read."""

    MODULE = "C synthesis of a module"
    VERBOSE = "C synthesis of a module, with the scheduler's notes"
    MODULE_XML = "C synthesis in XML"
    SUMMARY = "C synthesis summary"
    SIZE = "design size"
    SIZE_XML = "design size in XML"
    UTILIZATION = "Vivado utilization"
    HIERARCHY = "Vivado utilization by hierarchy"
    TIMING = "Vivado timing"
    POWER = "Vivado power"
    ROUTES = "Vivado routing"
    COSIM = "RTL simulation"
    EXPORT = "export"
    EXPORT_XML = "export in XML"
    RESULTS = "results of Vivado"
    NETLIST = "netlist of Yosys"
    ROUTED = "routed design of nextpnr"
    FOREIGN = "report of another tool"


NAMES = (
    (re.compile(r"csynth\.rpt"), ReportKind.SUMMARY),
    (re.compile(r".+_csynth\.rpt"), ReportKind.MODULE),
    (re.compile(r"(.+_)?csynth\.xml"), ReportKind.MODULE_XML),
    (re.compile(r"csynth_design_size\.rpt"), ReportKind.SIZE),
    (re.compile(r"csynth_design_size\.xml"), ReportKind.SIZE_XML),
    (re.compile(r"vivado_synth\.rpt|.+_utilization_(synth|placed|routed)\.rpt"), ReportKind.UTILIZATION),
    (re.compile(r".*timing_summary.*\.rpt"), ReportKind.TIMING),
    (re.compile(r".+_power_(synth|placed|routed)\.rpt"), ReportKind.POWER),
    (re.compile(r".*route_status\.rpt"), ReportKind.ROUTES),
    (re.compile(r".*_cosim\.rpt"), ReportKind.COSIM),
    (re.compile(r".+_export\.rpt|export_(syn|impl)\.rpt"), ReportKind.EXPORT),
    (re.compile(r".+_export\.xml|export_(syn|impl)\.xml"), ReportKind.EXPORT_XML),
)
SIGNS = (
    (re.compile(r'\A\{\s*"format": "fpgacnn netlist '), ReportKind.NETLIST),
    (re.compile(r'\A\{\s*"format": "fpgacnn routed '), ReportKind.ROUTED),
    (HEADING, ReportKind.RESULTS),
    (re.compile(r"^== Synthesis Summary Report of '", re.MULTILINE), ReportKind.SUMMARY),
    (re.compile(r"^== (Vivado|Vitis) HLS Report for '", re.MULTILINE), ReportKind.MODULE),
    (re.compile(r"^== Design Size Report", re.MULTILINE), ReportKind.SIZE),
    (re.compile(r"^Implementation tool: ", re.MULTILINE), ReportKind.EXPORT),
    (re.compile(r"^Report time +: ", re.MULTILINE), ReportKind.COSIM),
    (re.compile(rf"^{ROUTES}\s*$", re.MULTILINE), ReportKind.ROUTES),
)
XML_SIGNS = (
    ("<design_size", ReportKind.SIZE_XML),
    ("<AreaReport>", ReportKind.EXPORT_XML),
    ("<ReportVersion>", ReportKind.MODULE_XML),
)
FOREIGN_HEAD = 4096
FOREIGN_TOOLS = (
    (re.compile(r"\bQuartus (Prime|II)\b"), "Intel Quartus"),
    (re.compile(r"\b(Intel\(R\) |Intel )?oneAPI\b"), "Intel oneAPI"),
    (re.compile(r"\bIntel\(R\) HLS Compiler\b"), "the Intel HLS compiler"),
    (re.compile(r"\bCatapult\b"), "Siemens Catapult"),
    (re.compile(r"\bSmartHLS\b"), "Microchip SmartHLS"),
    (re.compile(r"\bLibero\b"), "Microchip Libero"),
)
COMMANDS = {TIMING: ReportKind.TIMING, POWER_COMMAND: ReportKind.POWER, ROUTE_COMMAND: ReportKind.ROUTES}
"""Commands of Vivado that write a report of one kind."""

VERBOSE = re.compile(r".+\.verbose\.rpt")
INTERNAL = re.compile(r".*\.verbose\..+\.rpt")
"""Internal copies of HLS in a hidden folder; the first is a whole report with notes at its end."""

LFS, WEB_PAGE = "version https://git-lfs.github.com", "<!doctype html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that is a report by its content or its name; `name` is its path below the folder.

    `known_form`: its first lines are those of its kind; else only its name says what it is.
    """

    path: Path
    name: str
    kind: ReportKind
    known_form: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSearch:
    """The reports below a folder, in the order of their paths, and `notes` on what was not looked at."""

    reports: tuple[Found, ...]
    notes: tuple[str, ...]


def find_reports(folder: Path) -> ReportSearch:
    """The reports below a folder, at most MAX_REPORTS among MAX_FILES files; links to folders are not followed."""
    paths, notes = _candidates(folder)
    if len(paths) > MAX_REPORTS:
        notes = (*notes, f"{len(paths):,} report files; the first {MAX_REPORTS:,} are read")
    found = ((path, _head(path)) for path in sorted(paths)[:MAX_REPORTS])
    reports = tuple(
        Found(
            path=path,
            name=path.relative_to(folder).as_posix(),
            kind=kind,
            known_form=path.suffix == ".xml" or kind_of(head, "") is not None,
        )
        for path, head in found
        if (kind := kind_of(head, path.name)) is not None
    )
    return ReportSearch(reports=reports, notes=notes)


def _candidates(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The files whose names are those of reports, and what there is to say where there are too many files."""
    found: list[Path] = []
    seen = 0
    for here, folders, files in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < MAX_DEPTH else []
        seen += 1 + len(files)
        if seen > MAX_FILES:
            return found, (f"more than {MAX_FILES:,} files and folders; the rest was not looked at for reports",)
        wanted = (name for name in files if name.endswith((".rpt", ".xml")) and not INTERNAL.fullmatch(name))
        found += (path for name in wanted if (path := Path(here) / name).is_file())
    return found, ()


def _head(path: Path) -> str:
    try:
        with open_regular(path, limit=ANY_SIZE) as file:
            return file.read(HEAD_BYTES).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:  # said when it is read, if its name is one of a report
        return ""


def kind_of(head: str, name: str) -> ReportKind | None:
    """The kind of a file, by its first characters or, if they do not decide, by its name."""
    if name.endswith(".xml"):
        found = next((kind for sign, kind in XML_SIGNS if sign in head), None)
        return found or _by_name(name)
    if name == "csynth.rpt" and head.startswith("Found "):
        return ReportKind.MODULE
    found = next((kind for sign, kind in SIGNS if sign.search(head)), None)
    if found is None and not vivado_fields(head) and foreign_tool(head):
        return ReportKind.FOREIGN
    if found:
        return ReportKind.VERBOSE if found is ReportKind.MODULE and VERBOSE.fullmatch(name) else found
    command = vivado_fields(head).get("Command", "")
    if command.startswith(UTILIZATION):
        return ReportKind.HIERARCHY if HIERARCHICAL in command else ReportKind.UTILIZATION
    kind = next((kind for start, kind in COMMANDS.items() if command.startswith(start)), None)
    return kind if kind or command else _by_name(name)


def _by_name(name: str) -> ReportKind | None:
    return next((kind for pattern, kind in NAMES if pattern.fullmatch(name)), None)


def foreign_tool(head: str) -> str | None:
    """The tool of another maker that wrote a report, by its first lines; None if no such tool is named there."""
    lines = head[:FOREIGN_HEAD]
    return next((tool for sign, tool in FOREIGN_TOOLS if sign.search(lines)), None)


def refuse_foreign(text: str, file: str) -> None:
    """Raise ReportForeignError for files that often replace a report."""
    if text.startswith(LFS):
        raise ReportForeignError(file=file, seen="a pointer of Git LFS")
    if text.lstrip()[:20].lower().startswith(WEB_PAGE):
        raise ReportForeignError(file=file, seen="a web page")
    head = text[:HEAD_BYTES]
    known = any(sign.search(head) for sign, _ in SIGNS) or any(sign in head for sign, _ in XML_SIGNS)
    tool = None if known or vivado_fields(head) else foreign_tool(head)
    if tool:
        raise ReportForeignError(file=file, seen=f"a report of {tool}")


def solution_of(name: str) -> str:
    """The solution that a report belongs to, `project/solution`; empty if it lies outside of one."""
    parts = PurePosixPath(name).parts
    place = next((place for place in range(1, len(parts) - 1) if parts[place] in {"syn", "sim", "impl"}), None)
    return "/".join(parts[:place]) if place else ""
