"""The SystemVerilog of a project folder as it lies there, under names that no tool can misread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.design.project import TOP, files_digest
from fpgacnn.errors import FileMissingError, RtlNeededError
from fpgacnn.system.files.regular import read_regular

MAX_FILES, MAX_BYTES = 10_000, 64 << 20
TOP_FILE = f"rtl/{TOP}.sv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files of a design: contents by numbered names, and the names that they have in the project."""

    files: Mapping[str, bytes]
    names: Mapping[str, str]

    @property
    def digest(self) -> str:
        """sha256 over the project's names and contents."""
        return files_digest({self.names[name]: data for name, data in self.files.items()})

    def named(self, text: str) -> str:
        """A message of a tool with the project's names of the files."""
        for number, name in self.names.items():
            text = text.replace(number, name)
        return text


def has_rtl(folder: Path) -> bool:
    """Whether a folder has the top module of an RTL project."""
    return (folder / TOP_FILE).is_file()


def read_sources(folder: Path, tool: str) -> Sources:
    """The SystemVerilog of a project, sorted by name.

    Raises RtlNeededError where there is none, FileMissingError where a file cannot be read.
    """
    if not has_rtl(folder):
        raise RtlNeededError(folder=folder, tool=tool, file=TOP_FILE)
    paths = sorted((folder / "rtl").rglob("*.sv"))
    if len(paths) > MAX_FILES:
        raise FileMissingError(file=folder / "rtl", why=f"it has more than {MAX_FILES:,} files of SystemVerilog")
    files, names, left = {}, {}, MAX_BYTES
    for number, path in enumerate(paths):
        try:
            data = read_regular(path, limit=left)
        except OSError as error:
            raise FileMissingError(file=path, why=error.strerror or str(error)) from error
        left -= len(data)
        files[f"source_{number:05}.sv"] = data
        names[f"source_{number:05}.sv"] = path.relative_to(folder).as_posix()
    return Sources(files=files, names=names)
