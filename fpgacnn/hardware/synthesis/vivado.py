"""Run the script for Vivado of an RTL project: synthesis out of context, placement, routing, and their reports."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fpgacnn.design import serialize
from fpgacnn.design.project import RECORD, files_digest
from fpgacnn.errors import (
    FileMissingError,
    OpenPartError,
    SynthesisFailedError,
    SynthesisLeftNothingError,
    SynthesisToolMissingError,
)
from fpgacnn.hardware.synthesis.open_tools.sources import MAX_BYTES, read_sources
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import run_logged
from fpgacnn.system.tools import ToolSearch

VIVADO = "vivado"
FOLDER, SCRIPT = "vivado", "build.tcl"
LOG, SYNTHESIZED = "fpgacnn_vivado.log", "fpgacnn_sources.log"
"""The output of the tool, and the digest of the sources that the reports belong to."""

REPORTS = ("utilization_synth.rpt", "utilization_impl.rpt", "timing_impl.rpt")
"""What the script writes."""


def names_vivado(tool: str | None) -> bool:
    """Whether `--tool` names Vivado, by its name or by a path."""
    return tool is not None and Path(tool).name == VIVADO


def run_vivado(folder: Path, tool: str, *, seconds: float, again: bool, tell: Callable[[str], None]) -> tuple[str, ...]:
    """Run Vivado where its reports of this RTL do not exist yet; the reports are in the project. Returns notes.

    Raises RtlNeededError, OpenPartError for a project of an ECP5, SynthesisToolMissingError,
    SynthesisFailedError, SynthesisLeftNothingError, ToolTimeoutError, ForeignToolError, FileMissingError, WriteError.
    """
    digest, place = _digest(folder), folder / FOLDER
    if not again and _digest_of_reports(place) == digest and all((place / name).is_file() for name in REPORTS):
        return (f"reports of Vivado for this RTL exist and are read; --again runs {VIVADO}",)
    program = next(iter(ToolSearch(variable="", names=(), chosen=tool).commands()), None)
    if program is None:
        raise SynthesisToolMissingError(looked=tool)
    (place / SYNTHESIZED).unlink(missing_ok=True)
    before, log = _stamps(place), place / LOG
    tell(f"{program[0]} in {place}")
    command = [*program, "-mode", "batch", "-nojournal", "-nolog", "-source", SCRIPT]
    finished = run_logged(command, folder=place, seconds=seconds, log=log, tell=tell)
    if finished.status != 0:
        raise SynthesisFailedError(tool=VIVADO, how=finished.how, why=finished.last_line, log=log)
    missing = {*REPORTS} - {name for name, *_ in _stamps(place) - before}
    if missing:
        raise SynthesisLeftNothingError(tool=VIVADO, why=f"there is no {min(missing)} of this run", log=log)
    write_atomically(place / SYNTHESIZED, digest.encode())
    return ()


def _digest(folder: Path) -> str:
    """The digest of the RTL, of the script and of its constraints.

    Raises RtlNeededError, OpenPartError, ProjectError, FileMissingError.
    """
    sources, place = read_sources(folder, VIVADO), folder / FOLDER
    if not (place / SCRIPT).is_file():
        part = serialize.load(folder)[0].target.part if (folder / RECORD).is_file() else "unknown"
        why = f"{FOLDER}/{SCRIPT}, which projects for parts of AMD have, is missing"
        raise OpenPartError(tool=VIVADO, part=part, why=why, do="use --tool nextpnr, or convert for a part of AMD")
    try:
        own = {one.name: read_regular(one, limit=MAX_BYTES) for one in (place / SCRIPT, *sorted(place.glob("*.xdc")))}
    except OSError as error:
        raise FileMissingError(file=place, why=error.strerror or str(error)) from error
    return files_digest({**own, "rtl": sources.digest.encode()})


def _digest_of_reports(place: Path) -> str | None:
    """The digest of the sources that the reports belong to; None where no run has ended well."""
    with suppress(OSError):
        return read_regular(place / SYNTHESIZED, limit=1 << 10).decode("ascii", "replace")
    return None


def _stamps(place: Path) -> set[tuple[str, int, int, int]]:
    """The reports by content: this distinguishes new reports from old ones without clocks."""
    states = [(path.name, path.stat()) for path in place.glob("*.rpt")]
    return {(name, state.st_ino, state.st_mtime_ns, state.st_size) for name, state in states}
