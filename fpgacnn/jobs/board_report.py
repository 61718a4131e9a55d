"""Pack logs, reports and versions of a board's build into one file, for a report to the developers."""

from __future__ import annotations

import io
import json
import os
import platform
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fpgacnn.errors import BoardMissingError, WriteError
from fpgacnn.hardware.board.boards import boards
from fpgacnn.hardware.board.tree import DESCRIPTION, FOLDER, NOT_RUN
from fpgacnn.pipeline.checking.checks import tool_versions
from fpgacnn.records.display import Displayed
from fpgacnn.records.record import plain
from fpgacnn.system.files.output import NewFile, refuse_foreign_file
from fpgacnn.system.files.regular import read_regular

PLACES = (
    "logs/*.log",
    "reports/*.rpt",
    "done/*",
    "fpgacnn_prj/solution1/syn/report/*csynth.rpt",
)
"""What is packed of the folder `build`, besides description and settings; no weights, no events, no bitstream."""

OWN = (DESCRIPTION, "settings.tcl", "steps.sh", "connectivity.cfg")
MOST_BYTES = 4 << 20
"""Of one file; of a longer one, its end is packed, where a tool writes its errors."""

MOST_IN_ALL = 256 << 20
MAX_READ_BYTES = 1 << 30
MOST_FILES = 2000
COMMENT = b"fpgacnn board report"
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BoardReport(Displayed):
    """The packed file, its content by name, and what was left out."""

    file: str
    content: tuple[str, ...]
    notes: tuple[str, ...]
    schema: int = 1

    @property
    def line(self) -> str:
        """The file and the number of files in it."""
        return f"{self.file}: {len(self.content)} files"

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps(plain(self), indent=1)


def pack_report(project: Path, board: str | None, output: Path | None) -> BoardReport:
    """Pack what a first user should send back: of one board, or of all boards of a project.

    Raises BoardMissingError if the project has no files for a board, FileInTheWayError, WriteError.
    """
    found = [name for name in boards() if (project / FOLDER / name / DESCRIPTION).is_file()]
    wanted = [name for name in found if board in {None, name}]
    if not wanted:
        raise BoardMissingError(folder=project / FOLDER, why=f"there are no files for {board or 'any board'}")
    file = output or project.with_name(f"{project.name or 'project'}-board-report.zip")
    content: dict[str, bytes] = {}
    notes: list[str] = []
    left = MOST_IN_ALL
    has_built = False
    for short, path in _paths(project, wanted, notes):
        has_built = has_built or "/build/" in short
        try:
            data = read_regular(path, limit=MAX_READ_BYTES)
        except OSError as error:
            notes.append(f"{short} was left out: {error.strerror or error}")
            continue
        end = data[-MOST_BYTES:]
        if len(end) > left:
            notes.append(f"{short} and files after it were left out: there are more than {MOST_IN_ALL >> 20} MiB")
            break
        if len(data) > MOST_BYTES:
            notes.append(f"{short}: the last {MOST_BYTES >> 20} MiB of {len(data):,} bytes")
        content[short] = end
        left -= len(end)
    if not has_built:
        notes.append("no step of build.sh has run yet, so there are no logs")
    content["versions.json"] = json.dumps(_versions(), indent=1).encode()
    _write(file, content)
    return BoardReport(file=str(file), content=tuple(sorted(content)), notes=(*notes, NOT_RUN))


def _paths(project: Path, names: Sequence[str], notes: list[str]) -> Iterator[tuple[str, Path]]:
    """The files of boards, and their names in the report; adds to `notes` where a board has too many.

    `build` may be a link to another disk. What a link leads to from there or from the rest of the folder is left out,
    as the report goes to others.
    """
    inside = project.resolve()
    for name in names:
        folder = project / FOLDER / name
        real, built = folder.resolve(), Path(os.path.realpath(folder / "build"))  # resolve() raises for a loop
        found = [(real / own, f"{name}/{own}") for own in OWN if real.is_relative_to(inside)]
        for pattern in PLACES:
            paths = sorted(built.glob(pattern))
            found += [(path, f"{name}/build/{path.relative_to(built).as_posix()}") for path in paths]
        plain_files = [(short, path) for path, short in found if path.is_file() and path.resolve() == path]
        if len(plain_files) > MOST_FILES:
            notes.append(f"{name}: the first {MOST_FILES:,} of {len(plain_files):,} files")
        yield from plain_files[:MOST_FILES]


def _versions() -> dict[str, str]:
    return {**tool_versions(), "python": platform.python_version(), "system": platform.platform()}


def _write(file: Path, content: dict[str, bytes]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = COMMENT
        for name in sorted(content):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content[name], zipfile.ZIP_DEFLATED)
    try:
        with NewFile(file, lambda: refuse_foreign_file(file, _is_ours)) as new:
            new.file.write(packed.getvalue())
            new.keep()
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error


def _is_ours(opened: BinaryIO) -> bool:
    opened.seek(0, io.SEEK_END)
    opened.seek(max(0, opened.tell() - len(COMMENT)))
    return opened.read() == COMMENT
