"""Floor 1: a folder appears as a whole or not at all, also where its maker is killed or two make it at once.

A folder is filled beside its place, under a name of its own and a lock that ends with its maker, and then put there in
one step. What a killed maker left is taken away by the next.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fpgacnn.errors import OutputExistsError, WriteError

SUFFIX, OLD = ".fpgacnn-stage", ".fpgacnn-old"
TRIES = 100
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_UNKNOWN_HERE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


@contextmanager
def staged(folder: Path, mark: str) -> Iterator[Path]:
    """A folder to fill, moved to `folder` as a whole when the block ends well and removed when it does not.

    An older folder with the file `mark` is replaced; anything else there is refused with OutputExistsError. Whatever
    happens, even a kill, `folder` holds the old content or the new one, never a mixture.
    """
    refuse_foreign(folder, mark)
    made = [parent for parent in folder.parents if not parent.exists()]
    try:
        with _stage(folder) as stage:
            yield stage
            _replace(stage, folder, mark)
    finally:
        for parent in made:
            with suppress(OSError):  # a folder that holds something stays
                parent.rmdir()


def refuse_foreign(folder: Path, mark: str) -> None:
    """Raise OutputExistsError where something that fpgacnn did not make is in the way."""
    try:
        foreign = folder.is_symlink() or (folder.exists() and not folder.is_dir())
        foreign = foreign or (folder.is_dir() and not _is_ours(folder, mark))
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error
    if foreign:
        raise OutputExistsError(folder=folder)


def _is_ours(folder: Path, mark: str) -> bool:
    return (folder / mark).is_file() or not any(folder.iterdir())


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A temporary folder, removed at the end.

    Raises WriteError where there is no place for one.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise WriteError(file="temporary files", why=error.strerror or str(error)) from error
    with folder as name:
        yield Path(name)


# --- stages --------------------------------------------------------------------------------------------------------


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, locked while its maker lives, removed at the end with what it holds then."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        stage, lock = _locked(folder)
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> tuple[Path, int]:
    """A new folder and the lock on it."""
    while True:
        stage = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}-", suffix=SUFFIX, dir=folder.parent))
        with suppress(FileNotFoundError, BlockingIOError):  # somebody sweeps and took it for a dead one's
            lock = os.open(stage, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _take(lock)
                if stage.stat().st_ino == os.fstat(lock).st_ino:
                    return stage, lock
            except OSError:
                os.close(lock)
                raise
            os.close(lock)


def _take(lock: int) -> None:
    """Lock a folder; file systems that know no locks are not swept either."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if isinstance(error, BlockingIOError):
            raise
        return


def _sweep(folder: Path) -> None:
    """Take away what killed makers left beside `folder`; put back an older folder that one had moved away."""
    for left in folder.parent.glob(f".{_escaped(folder.name[:40])}-*{SUFFIX}"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                old = left.with_name(left.name + OLD)
                if old.is_dir() and not folder.exists():
                    os.rename(old, folder)
                shutil.rmtree(old, ignore_errors=True)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def _escaped(name: str) -> str:
    """A name in which no character is a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


# --- the step ------------------------------------------------------------------------------------------------------


def _replace(stage: Path, folder: Path, mark: str) -> None:
    """Put the stage in the folder's place; afterwards the stage holds what was there."""
    try:
        stage.chmod(0o755)
        for _ in range(TRIES):
            refuse_foreign(folder, mark)
            try:
                os.rename(stage, folder)
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
            else:
                return
            with suppress(FileNotFoundError):  # another maker's step came between
                exchange(stage, folder)
                break
        else:
            raise WriteError(file=folder, why="others write there all the time")
        if not _is_ours(stage, mark):  # it appeared after we had looked
            exchange(stage, folder)
            raise OutputExistsError(folder=folder)
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error


def exchange(left: Path, right: Path) -> None:
    """Let two folders take each other's place, in one step where the file system can, else in three.

    Between the three, `right` is missing; who is killed there has it put back by the next run.
    """
    if _renameat2(left, right):
        return
    old = left.with_name(left.name + OLD)
    os.rename(right, old)
    try:
        os.rename(left, right)
    except OSError:
        os.rename(old, right)
        raise
    os.rename(old, left)


def _renameat2(left: Path, right: Path) -> bool:
    """The one step; False where there is no such thing."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(left), _AT_FDCWD, os.fsencode(right), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN_HERE:
        return False
    raise OSError(number, os.strerror(number), str(right))
