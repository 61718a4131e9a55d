"""A folder appears as a whole or not at all, also where its maker is killed or two make it at once.

A folder is filled beside its place, under a name of its own and a lock that ends with its maker, and then put there in
one step. Temporary folders are locked in the same way. What a killed maker left is taken away by the next.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from fpgacnn.errors import OutputExistsError, WriteError

SUFFIX, OLD, GUARD, SCRATCH = ".fpgacnn-stage", ".fpgacnn-old", ".fpgacnn-guard", ".fpgacnn-scratch"
TRIES, PAUSE_SECONDS = 100, 0.01
FOREIGN_SECONDS = 7 * 86400.0
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_IN_THE_WAY = {errno.ENOTEMPTY, errno.EEXIST}
_ANOTHERS_STEP = _IN_THE_WAY | {errno.ENOENT, errno.EAGAIN}
_UNKNOWN_HERE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


@contextmanager
def atomic_folder(folder: Path, mark: str) -> Iterator[Path]:
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
        foreign = not stat.S_ISDIR(folder.lstat().st_mode) or not _is_ours(folder, mark)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error
    if foreign:
        raise OutputExistsError(folder=folder)


def _is_ours(folder: Path, mark: str) -> bool:
    """Whether a folder has the mark or holds nothing; what another maker takes away meanwhile is not asked, but what has come in its place."""
    while True:
        try:
            asked = _open(folder)
        except FileNotFoundError:
            return True
        try:
            ours = not os.listdir(asked) or _is_file(mark, asked)  # noqa: PTH208  # of what was opened, not of the name
            if ours or _same(folder, asked):
                return ours
        finally:
            os.close(asked)


def _is_file(name: str, folder: int) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=folder).st_mode)
    except FileNotFoundError:
        return False


def _same(folder: Path, opened: int) -> bool:
    """Whether an opened folder is still in its place."""
    try:
        return folder.stat().st_ino == os.fstat(opened).st_ino
    except FileNotFoundError:
        return False


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder, removed at the end; what killed commands of this user left is taken away first.

    Raises WriteError where there is no place for one.
    """
    try:
        place = Path(tempfile.gettempdir())
        _sweep_scratch(place)
        folder, lock = _locked(place, prefix, f".{_machine()}{SCRATCH}")
    except OSError as error:
        raise WriteError(file="temporary files", why=error.strerror or str(error)) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@cache
def _sweep_scratch(place: Path) -> None:
    """Once in a program: others may have thousands of files there."""
    with os.scandir(place) as entries:
        left = [entry.path for entry in entries if entry.name.endswith(SCRATCH)]
    for path in left:
        with suppress(OSError), _abandoned(path) as lock:
            if os.fstat(lock).st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file, and its folder where that is missing: the old content or the new one is there, never a part.

    Raises WriteError.
    """
    partial: Path | None = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name[:40]}-", dir=file.parent)
        partial = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        partial.chmod(0o644)
        partial.replace(file)
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error
    finally:
        if partial is not None:
            with suppress(OSError):
                partial.unlink()


# --- stages --------------------------------------------------------------------------------------------------------


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, locked while its maker lives, removed at the end with what it holds then."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        stage, lock = _locked(folder.parent, _prefix(folder), f".{_machine()}{SUFFIX}")
        try:
            guard = _guarded(stage)
        except OSError:
            stage.rmdir()
            os.close(lock)
            raise
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        _guard(stage).unlink(missing_ok=True)
        os.close(guard)
        os.close(lock)


def _guard(stage: Path) -> Path:
    """The file whose lock says that a stage's name is in use: after the exchange, the stage is another folder, with nobody's lock."""
    return stage.with_name(stage.name + GUARD)


def _guarded(stage: Path) -> int:
    guard = os.open(_guard(stage), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    _take(guard)
    return guard


def _is_guarded(stage: Path) -> bool:
    """Whether the maker of a stage lives. Raises OSError where that cannot be asked."""
    try:
        guard = os.open(_guard(stage), os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:  # it was killed before there was one
        return False
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(guard)
    return False


def _locked(place: Path, prefix: str, suffix: str) -> tuple[Path, int]:
    """A new folder and the lock on it."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=place))
        with suppress(FileNotFoundError, BlockingIOError):  # somebody sweeps and took it for a dead one's
            lock = _open(made)
            try:
                _take(lock)
                if made.stat().st_ino == os.fstat(lock).st_ino:
                    return made, lock
            except OSError:
                os.close(lock)
                raise
            os.close(lock)


def _open(folder: Path | str) -> int:
    """A folder itself, no link to one, to lock."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _take(lock: int) -> None:
    """Lock a folder; file systems that know no locks are not swept either."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if isinstance(error, BlockingIOError):
            raise
        return


@contextmanager
def _abandoned(folder: Path | str) -> Iterator[int]:
    """The lock on a folder whose maker is dead; raises OSError where it lives or cannot be asked.

    Disks that machines share may keep locks to each machine, so what another machine made is dead only after a week.
    """
    lock = _open(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if f".{_machine()}." not in Path(folder).name and time.time() - os.fstat(lock).st_mtime < FOREIGN_SECONDS:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(folder))
        yield lock
    finally:
        os.close(lock)


def _prefix(folder: Path) -> str:
    """How the names of a folder's stages begin, and those of no other folder."""
    return f".{folder.name[:40]}-{_digits(folder.name)}-"


@cache
def _machine() -> str:
    """The machine at hand, in eight digits."""
    return _digits(os.uname().nodename)


def _digits(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:8]


def _sweep(folder: Path) -> None:
    """Take away what killed makers left beside `folder`; put back an older folder that one had moved away."""
    pattern = f"{_escaped(_prefix(folder))}*{SUFFIX}"
    for old in folder.parent.glob(pattern + OLD):
        with suppress(OSError), _abandoned(old):
            if not folder.exists():
                os.rename(old, folder)
            shutil.rmtree(old, ignore_errors=True)
    for left in folder.parent.glob(pattern):
        with suppress(OSError), _abandoned(left):
            if not _is_guarded(left):
                shutil.rmtree(left, ignore_errors=True)
                _guard(left).unlink(missing_ok=True)
    for guard in folder.parent.glob(pattern + GUARD):
        with suppress(OSError):
            left = guard.with_name(guard.name.removesuffix(GUARD))
            if not left.exists() and not _is_guarded(left):
                guard.unlink(missing_ok=True)


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
                if error.errno not in _IN_THE_WAY:
                    raise
            else:
                return
            try:
                exchange(stage, folder)
            except OSError as error:
                if error.errno not in _ANOTHERS_STEP:
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
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
    lock = _open(right)
    try:
        _take(lock)
        os.rename(right, old)
        try:
            os.rename(left, right)
        except OSError:
            _put_back(old, right)
            raise
        os.rename(old, left)
    finally:
        os.close(lock)


def _put_back(old: Path, right: Path) -> None:
    """Undo the first of three steps, unless another maker's whole folder is there meanwhile: then the old one has had its day."""
    try:
        os.rename(old, right)
    except OSError as error:
        if error.errno not in _IN_THE_WAY:
            raise
        shutil.rmtree(old, ignore_errors=True)


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
