"""A generated project as a value with a digest, before it becomes a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import WriteError
from fpgacnn.system import atomic_dir

RECORD = "fpgacnn.json"
"""File name of the record; a folder with this file was written by fpgacnn."""

TOP = "myproject"
"""Name of the top function, hls4ml's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A value that C simulation can read or write: the node, its name in the C++ code, and its number of values."""

    node: str
    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsProject:
    """Files by relative path, and what a simulation needs to call the code.

    `traced` are the nodes whose results the code can write; only a project generated with a trace has any.
    """

    files: Mapping[str, bytes]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    traced: tuple[Port, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 over names and contents of all files."""
        return files_digest(self.files)


def files_digest(files: Mapping[str, bytes]) -> str:
    """sha256 over names and contents, sorted by name."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{len(files[name])}\0".encode())
        total.update(files[name])
    return total.hexdigest()


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder; scripts are executable.

    Raises WriteError.
    """
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if name.endswith(".sh"):
                path.chmod(0o755)
        except OSError as error:
            raise WriteError(file=path, why=error.strerror or str(error)) from error


def project_folder(folder: Path, *, mark: str = RECORD) -> AbstractContextManager[Path]:
    """A folder to fill that replaces an older project, or older golden vectors, atomically (`system.atomic_dir`)."""
    return atomic_dir.atomic_folder(folder, mark)


def refuse_foreign(folder: Path) -> None:
    """Raise OutputExistsError if something that fpgacnn did not write is at this path."""
    atomic_dir.refuse_foreign(folder, RECORD)
