"""Synthesize a project: run the tool if needed, read its reports, put them into the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from fpgacnn.design.project import RECORD, files_digest
from fpgacnn.errors import (
    FileMissingError,
    FpgacnnError,
    NoReportsError,
    RecordError,
    ReportBrokenError,
    ReportForeignError,
    ReportRefusedError,
    ReportUnknownFormError,
    SynthesisLeftNothingError,
    SynthesisToolMissingError,
    UnknownPartError,
    UnreadableProjectError,
    UsageError,
)
from fpgacnn.hardware.estimation import Estimate
from fpgacnn.hardware.estimation.graph.project_files import is_project
from fpgacnn.hardware.synthesis import SynthesisReport, read
from fpgacnn.hardware.synthesis.compare import same_part
from fpgacnn.hardware.synthesis.report import Unread
from fpgacnn.hardware.synthesis.run import DEFAULT_SECONDS, Steps, Tool, find_tool, synthesize
from fpgacnn.hardware.synthesis.vivado import VIVADO, names_vivado, run_vivado
from fpgacnn.jobs.synth_open import OpenOptions, OpenTool, open_tool, run_open
from fpgacnn.pipeline.open_project import MAX_FILE_BYTES, read_record
from fpgacnn.records.estimates import TargetOverrides, of_foreign_project
from fpgacnn.records.read_record import read_run
from fpgacnn.records.record import SCHEMA, plain
from fpgacnn.records.resources import estimate_errors, resource_reports
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.files.regular import read_regular

MAX_DIGEST_BYTES = 1 << 10
SYNTHESIZED = "fpgacnn_synth_firmware.log"
"""A file that names the firmware of the reports by the digest of its files."""


COMPILED = frozenset({".so", ".o", ".a", ".dll", ".dylib", ".pyc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisRequest:
    """What to run: `read_only` never starts a tool, `again` starts it even if reports of this firmware exist."""

    folder: Path
    steps: Steps
    tool: str | None = None
    seconds: float = DEFAULT_SECONDS
    read_only: bool = False
    again: bool = False
    open: OpenOptions = field(default_factory=OpenOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """The reports, and the tool if it ran now."""

    report: SynthesisReport
    tool: Tool | None


def run_synthesis(request: SynthesisRequest, tell: Callable[[str], None]) -> Synthesis:
    """Run the tool, or only read its reports; update the record of an fpgacnn project.

    Raises FpgacnnError: no tool and no reports, a tool that failed, broken reports.
    """
    folder = request.folder
    if not folder.is_dir():
        raise FileMissingError(file=folder, why="no such folder")
    if (folder / RECORD).is_file():
        read_record(folder)  # report a damaged record before hours of synthesis
    chosen = None if request.read_only else open_tool(folder, request.tool, request.open)
    if chosen is not None:
        return Synthesis(report=_written(folder, _open(request, chosen, tell)), tool=None)
    if names_vivado(request.tool) and not request.read_only:
        return Synthesis(report=_written(folder, _vivado(request, tell)), tool=None)
    tool, tool_notes = _tool(request)
    if tool:
        tell(f"{tool} in {folder}")
        firmware = firmware_digest(folder)
        log = synthesize(folder, tool, request.steps, seconds=request.seconds, tell=tell)
        report = _after(folder, tool, log)
        write_atomically(folder / SYNTHESIZED, firmware.encode())
    else:
        report = read(folder)
    report = replace(report, notes=(*tool_notes, *report.notes))
    return Synthesis(report=_written(folder, report), tool=tool)


def _written(folder: Path, report: SynthesisReport) -> SynthesisReport:
    """The report, also in the record of an fpgacnn project."""
    if (folder / RECORD).is_file():
        write_atomically(folder / RECORD, document(folder, report).encode())
    return report


def _open(request: SynthesisRequest, tool: OpenTool, tell: Callable[[str], None]) -> SynthesisReport:
    """The reports of an open tool."""
    _refuse_steps(request.steps, tool)
    notes = run_open(request.folder, tool, request.open, seconds=request.seconds, again=request.again, tell=tell)
    report = read(request.folder)
    return replace(report, notes=(*notes, *report.notes))


def _vivado(request: SynthesisRequest, tell: Callable[[str], None]) -> SynthesisReport:
    """The reports of Vivado for an RTL project."""
    _refuse_steps(request.steps, VIVADO)
    tool = request.tool or VIVADO
    notes = run_vivado(request.folder, tool, seconds=request.seconds, again=request.again, tell=tell)
    report = read(request.folder)
    return replace(report, notes=(*notes, *report.notes))


def _refuse_steps(steps: Steps, tool: str) -> None:
    """Raise UsageError for steps of HLS beside a tool that has none."""
    if steps.csim or steps.cosim or steps.vsynth or steps.export:
        raise UsageError(what=f"--csim, --cosim, --vsynth and --export are steps of HLS, and --tool {tool} has none")


def _tool(request: SynthesisRequest) -> tuple[Tool | None, list[str]]:
    """The tool to run, or None if reading is enough, and notes about that choice."""
    if request.read_only:
        return None, []
    there = None if request.again else _complete(request)
    if there:
        return None, [
            f"reports of {there.csynth.date if there.csynth else ''} exist and are read; --again runs the tool"
        ]
    try:
        return find_tool(request.folder, request.tool, seconds=request.seconds), []
    except SynthesisToolMissingError as error:
        if request.again or request.tool or not _any(request.folder):
            raise
        return None, [f"{error}; the existing reports lack a requested step or belong to another firmware"]


def _any(folder: Path) -> bool:
    with suppress(FpgacnnError):
        read(folder)
        return True
    return False


def _complete(request: SynthesisRequest) -> SynthesisReport | None:
    """The reports, if they have all requested steps and belong to the firmware as it is; else None."""
    try:
        report = read(request.folder)
    except (NoReportsError, ReportBrokenError, ReportForeignError, ReportRefusedError, ReportUnknownFormError):
        return None
    steps, csynth = request.steps, report.csynth
    wanted = [
        csynth,
        *([report.cosim] if steps.cosim else []),
        *([report.synth] if steps.vsynth else []),
        *([report.export] if steps.export else []),
    ]
    if csynth is None or None in wanted or _unread(report):
        return None
    return report if of_this_firmware(request.folder, request.folder / csynth.origin.file) else None


def of_this_firmware(folder: Path, report: Path) -> bool:
    """Whether reports belong to the firmware, by the digest of our own run; without one, by the times of the files."""
    try:
        return read_regular(folder / SYNTHESIZED, limit=MAX_DIGEST_BYTES) == firmware_digest(folder).encode()
    except OSError:
        return report.stat().st_mtime >= max((path.stat().st_mtime for path in _sources(folder)), default=0.0)


def of_last_run(folder: Path, file: str, date: str | None, csynth: str | None) -> bool:
    """Whether a report of Vivado belongs to the firmware and to its last C synthesis: it is older than neither.

    Dates are those that the tools write into their reports; without them, only the times of the files count.
    """
    if date and csynth and date < csynth:
        return False
    newest = max((path.stat().st_mtime for path in _sources(folder)), default=0.0)
    return (folder / file).stat().st_mtime >= newest


def firmware_digest(folder: Path) -> str:
    """The digest of all files of a project's firmware.

    Raises FileMissingError.
    """
    try:
        return files_digest(
            {path.relative_to(folder).as_posix(): read_regular(path, limit=MAX_FILE_BYTES) for path in _sources(folder)}
        )
    except OSError as error:
        raise FileMissingError(file=error.filename or folder, why=error.strerror or str(error)) from error


def _sources(folder: Path) -> Iterator[Path]:
    """The files of the firmware that synthesis can read: compiled code, which C simulation leaves there, is none."""
    yield from (path for path in (folder / "firmware").rglob("*") if path.suffix not in COMPILED and path.is_file())


def _after(folder: Path, tool: Tool, log: Path) -> SynthesisReport:
    """The reports of a run that ended well; it must have written a complete report of the top function."""
    try:
        report = read(folder)
    except ReportBrokenError as error:
        raise SynthesisLeftNothingError(tool=tool.name, why=str(error), log=log) from error
    broken = _unread(report)
    if report.csynth is None or broken:
        why = broken[0].why if broken else "the report of the top function is missing"
        raise SynthesisLeftNothingError(tool=tool.name, why=why, log=log)
    return report


def _unread(report: SynthesisReport) -> list[Unread]:
    """Broken reports of C synthesis; other reports in the folder do not belong to this run."""
    return [one for one in report.unread if one.file.startswith(f"{report.solution}/syn/") or not report.solution]


def document(folder: Path, report: SynthesisReport) -> str:
    """A report as a JSON document; for a project of fpgacnn, the document is its record.

    `estimate_errors` are the estimates beside what each tool reports. Raises ProjectError if the record is damaged.
    """
    record = read_record(folder) if (folder / RECORD).is_file() else {"schema": SCHEMA}
    estimated = _estimate(folder)
    if estimated is not None and _for_another_part(estimated, report):
        estimated = None
    errors = estimate_errors(resource_reports(estimated, report))
    return json.dumps({**record, "synthesis": plain(report), "estimate_errors": plain(errors)}, indent=1)


def _for_another_part(estimated: Estimate, report: SynthesisReport) -> bool:
    """Whether an open tool mapped RTL to another part, whose primitives the estimate does not count."""
    mapped = [one.part for one in (report.synth, report.impl) if one is not None and one.sources]
    return any(not same_part(part, estimated.part) for part in mapped)


def _estimate(folder: Path) -> Estimate | None:
    """The estimate of the project in a folder; None where there is none, or where its part is not in the table."""
    try:
        if (folder / RECORD).is_file():
            return read_run(folder / RECORD).estimate
        return of_foreign_project(folder, TargetOverrides()).estimate if is_project(folder) else None
    except (RecordError, UnreadableProjectError, UnknownPartError):
        return None  # the reports of the tools are worth keeping without it
