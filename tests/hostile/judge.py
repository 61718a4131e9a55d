"""What a reader may do with an input.

Read it, or say in one line and a hint what is wrong with it, and leave nothing behind.
"""

from __future__ import annotations

import hashlib
import os
import resource
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import fpgacnn
from fpgacnn.errors import FpgacnnError, InternalError
from fpgacnn.frontends.keras.files import hdf5
from tests.support.command import children

ROOT = Path(__file__).parents[2]
PACKAGE = f"{Path(fpgacnn.__file__).parent}/"
MEMORY_BYTES = 8 << 30
"""No input may make more of it necessary: what an archive may unpack to, twice."""

NOT_SHOWN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Warnings that Python keeps from users."""


class Target(Protocol):
    """Somebody who takes an input as bytes, and uses it."""

    def place(self, folder: Path, content: bytes) -> Path: ...

    def use(self, path: Path) -> object: ...


def finding(use: Callable[[Path], object], path: Path) -> str:
    """What is wrong with how an input was taken.

    Empty where it was read, or refused as it should be, without a warning.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for kind in NOT_SHOWN:
            warnings.simplefilter("ignore", kind)
        try:
            use(path)
        except FpgacnnError as error:
            found = fault(error)
        except Exception as error:  # noqa: BLE001  # whatever is not ours is what we look for
            found = f"{type(error).__name__}{_where(error)}: {error}"
        else:
            found = ""
    shown = [f"{one.category.__name__} at {_ours(one.filename)}:{one.lineno}: {one.message}" for one in warned]
    return found or "; ".join(shown[:1])


def fault(error: FpgacnnError) -> str:
    """What is wrong with an error of ours; empty where it tells the user about the input."""
    line = str(error)
    if isinstance(error, InternalError):
        return f"internal error{_where(error)}: {error}"
    if error.exit_status != 2:
        return f"exit status {error.exit_status}{_where(error)}: {line}"
    return "" if line.isprintable() and error.hint else f"not one line with a hint{_where(error)}: {line!r}"


def _where(error: BaseException) -> str:
    """The innermost of our own lines that it came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(PACKAGE)]
    return f" at {_ours(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""


def _ours(file: str) -> str:
    return file.replace(PACKAGE, "fpgacnn/")


def judged(target: Target, content: bytes, root: Path | None = None) -> str:
    """What is wrong with how a target takes some bytes, in a folder of its own below `root`; empty where nothing is."""
    with TemporaryDirectory(prefix="fpgacnn-fuzz-", dir=root) as name:
        folder = Path(name)
        for part in ("case", "tmp"):
            (folder / part).mkdir()
        path = target.place(folder / "case", content)
        before, started = sorted(folder.rglob("*")), _children()
        with _temporary(folder / "tmp"):
            found = finding(target.use, path)
        left = [one for one in sorted(folder.rglob("*")) if one not in before]
    if found:
        return found
    if left:
        return f"files were left: {', '.join(one.name for one in left)}"
    return "a child process was left" if _children() - started else ""


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Temporary files are made there."""
    usual, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = usual


def _children() -> set[int]:
    """Ids of the children of this process. The system call spares most inputs a walk through all processes."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    return children()


def keep(folder: Path, name: str, content: bytes, words: str = "") -> Path:
    """Keep an input under its digest, with what was found beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    if words:
        path.with_suffix(".txt").write_text(f"{words}\n", encoding="utf-8", errors="backslashreplace")
    return path


def short_limits(*, memory: bool = False) -> None:
    """A file that keeps libhdf5 busy for ever costs a second.

    With `memory`, what would fill the machine is a MemoryError.
    """
    hdf5.LIMITS = replace(hdf5.LIMITS, seconds=1, clock_seconds=2.0)
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.RLIM_INFINITY))
