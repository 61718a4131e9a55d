"""Run the script for Vivado of an RTL project: synthesis out of context, placement, routing, and their reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fpgacnn.design import serialize
from fpgacnn.design.project import RECORD
from fpgacnn.errors import (
    OpenPartError,
    SynthesisFailedError,
    SynthesisLeftNothingError,
    SynthesisToolMissingError,
    WriteError,
)
from fpgacnn.hardware.synthesis.made_of import (
    FOLDER,
    REPORTS,
    SCRIPT,
    SYNTHESIZED,
    VivadoRun,
    finished_run,
    present_run,
    reports_digest,
)
from fpgacnn.hardware.synthesis.open_tools.sources import read_sources
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.subprocesses import run_logged
from fpgacnn.system.tools import ToolSearch

VIVADO = "vivado"
LOG = "fpgacnn_vivado.log"
"""The output of the tool."""


def names_vivado(tool: str | None) -> bool:
    """Whether `--tool` names Vivado, by its name or by a path."""
    return tool is not None and Path(tool).name == VIVADO


def run_vivado(folder: Path, tool: str, *, seconds: float, again: bool, tell: Callable[[str], None]) -> tuple[str, ...]:
    """Run Vivado where its reports of this RTL do not exist yet; the reports are in the project. Returns notes.

    Reports of earlier runs are removed before the tool starts. Raises RtlNeededError, OpenPartError for a project of an
    ECP5, SynthesisToolMissingError, SynthesisFailedError, SynthesisLeftNothingError, ToolTimeoutError,
    ForeignToolError, FileMissingError, WriteError.
    """
    wanted, place = _wanted(folder), folder / FOLDER
    if not again and wanted.reports is not None and finished_run(place) == wanted:
        return (f"reports of Vivado for this RTL exist and are read; --again runs {VIVADO}",)
    program = next(iter(ToolSearch(variable="", names=(), chosen=tool).commands()), None)
    if program is None:
        raise SynthesisToolMissingError(looked=tool)
    _remove_earlier(place)
    log = place / LOG
    tell(f"{program[0]} in {place}")
    command = [*program, "-mode", "batch", "-nojournal", "-nolog", "-source", SCRIPT]
    with temporary_folder("fpgacnn-vivado-") as own:
        environment = {"TMPDIR": str(own)}
        finished = run_logged(command, folder=place, seconds=seconds, log=log, tell=tell, environment=environment)
    if finished.status != 0:
        raise SynthesisFailedError(tool=VIVADO, how=finished.how, why=finished.last_line, log=log)
    missing = [name for name in REPORTS if not (place / name).is_file()]
    if missing:
        raise SynthesisLeftNothingError(tool=VIVADO, why=f"there is no {missing[0]} of this run", log=log)
    write_atomically(place / SYNTHESIZED, replace(wanted, reports=reports_digest(place)).text.encode())
    return ()


def _wanted(folder: Path) -> VivadoRun:
    """The RTL and the script as they are, and the reports that lie there.

    Raises RtlNeededError, OpenPartError, ProjectError, FileMissingError.
    """
    sources, place = read_sources(folder, VIVADO), folder / FOLDER
    if not (place / SCRIPT).is_file():
        part = serialize.load(folder)[0].target.part if (folder / RECORD).is_file() else "unknown"
        why = f"{FOLDER}/{SCRIPT}, which projects for parts of AMD have, is missing"
        raise OpenPartError(tool=VIVADO, part=part, why=why, do="use --tool nextpnr, or convert for a part of AMD")
    return present_run(folder, sources)


def _remove_earlier(place: Path) -> None:
    """Remove reports of earlier runs, so that none is read beside those of a run that fails.

    Raises WriteError.
    """
    for name in (SYNTHESIZED, *REPORTS):
        try:
            (place / name).unlink(missing_ok=True)
        except OSError as error:
            raise WriteError(file=place / name, why=error.strerror or str(error)) from error
