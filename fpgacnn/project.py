"""Floor 4: a generated project is a value with a digest before it is a folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import OutputExistsError, WriteError

RECORD = "fpgacnn.json"
"""The record's name; a folder that holds it was made by fpgacnn."""

TOP = "myproject"
"""Name of the top function, as hls4ml has it by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A value that C simulation can read or write: the node, its name in the C++ code, and how many numbers it has."""

    node: str
    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsProject:
    """Files by relative path, and what a simulation must know to call the code.

    `traced` are the nodes whose results the code can show; only a project converted with a trace has any.
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
    """sha256 over names and contents, in the order of names."""
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


@contextmanager
def staged(folder: Path, *, mark: str = RECORD) -> Iterator[Path]:
    """A folder to fill, moved to `folder` as a whole when the block ends well and removed when it does not.

    An older folder with the file `mark` is replaced; anything else there is refused with OutputExistsError. Whatever
    happens, `folder` holds the old content or the new one, never a mixture.
    """
    refuse_foreign(folder, mark=mark)
    made = [parent for parent in folder.parents if not parent.exists()]
    try:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stage = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}-", dir=folder.parent))
        except OSError as error:
            raise WriteError(file=folder, why=error.strerror or str(error)) from error
        try:
            yield stage
            _replace(stage, folder, mark)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    finally:
        for parent in made:
            with suppress(OSError):  # a folder that holds something stays
                parent.rmdir()


def refuse_foreign(folder: Path, *, mark: str = RECORD) -> None:
    """Raise OutputExistsError where something that fpgacnn did not make is in the way."""
    try:
        foreign = folder.is_symlink() or (folder.exists() and not folder.is_dir())
        foreign = foreign or (folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file())
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error
    if foreign:
        raise OutputExistsError(folder=folder)


def _replace(stage: Path, folder: Path, mark: str) -> None:
    refuse_foreign(folder, mark=mark)
    old = stage.with_name(stage.name + "-old")
    try:
        stage.chmod(0o755)
        if folder.exists():
            os.rename(folder, old)
        try:
            os.rename(stage, folder)
        except OSError:
            if old.exists():
                os.rename(old, folder)
            raise
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error
    finally:
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
