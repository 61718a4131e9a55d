"""Write folders atomically: a folder appears complete or not at all, even after a kill or with two writers.

A folder is filled beside its final place, under a temporary name and with a lock that ends with its process, and then
moved to its place in one step. Temporary folders are locked in the same way. The next run removes what a killed
process left behind.
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
from fpgacnn.system.files.strict_modes import why_others_write

SUFFIX, OLD, GUARD, SCRATCH = ".fpgacnn-stage", ".fpgacnn-old", ".fpgacnn-guard", ".fpgacnn-scratch"
TRIES, PAUSE_SECONDS = 100, 0.01
FOREIGN_SECONDS = 7 * 86400.0
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_IN_THE_WAY = {errno.ENOTEMPTY, errno.EEXIST}
_ANOTHERS_STEP = _IN_THE_WAY | {errno.ENOENT, errno.EAGAIN}
_UNKNOWN_HERE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


@contextmanager
def atomic_folder(folder: Path, mark: str, *, new: bool = False) -> Iterator[Path]:
    """A folder to fill; it is moved to `folder` when the block ends, and removed if the block raises.

    An older folder with the file `mark` is replaced, but not with `new`; anything else there is refused with
    OutputExistsError. Whatever happens, even a kill, `folder` has the old content or the new one, never a mixture.
    """
    refuse_foreign(folder, mark)
    made = [parent for parent in folder.parents if not parent.exists()]
    try:
        with _stage(folder) as stage:
            yield stage
            _replace(stage, folder, mark, new=new)
    finally:
        for parent in made:
            with suppress(OSError):  # a folder that is not empty stays
                parent.rmdir()


def refuse_foreign(folder: Path, mark: str) -> None:
    """Raise OutputExistsError if something that fpgacnn did not write is at this path."""
    try:
        foreign = not stat.S_ISDIR(folder.lstat().st_mode) or not _is_ours(folder, mark)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error
    if foreign:
        raise OutputExistsError(folder=folder)


def _is_ours(folder: Path, mark: str) -> bool:
    """Whether a folder has the mark or is empty.

    If another process replaces it meanwhile, the new folder is checked.
    """
    while True:
        try:
            opened = _open(folder)
        except FileNotFoundError:
            return True
        try:
            ours = not os.listdir(opened) or _is_file(mark, opened)  # noqa: PTH208  # of what was opened, not of the name
            if ours or _same(folder, opened):
                return ours
        finally:
            os.close(opened)


def _is_file(name: str, folder: int) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=folder).st_mode)
    except FileNotFoundError:
        return False


def _same(folder: Path, opened: int) -> bool:
    """Whether an opened folder is still at its path."""
    try:
        return folder.stat().st_ino == os.fstat(opened).st_ino
    except FileNotFoundError:
        return False


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder, removed at the end; folders that killed commands of this user left are removed first.

    Code is built and run in it. Raises WriteError if it cannot be made, or if other users could replace it.
    """
    try:
        place = Path(tempfile.gettempdir())
        why = why_others_write(place, sticky_end=True)
        if why:
            raise WriteError(file="temporary files", why=f"{why}; set TMPDIR to a folder of your own")
        _sweep_scratch(place)
        folder, lock = _locked(place, prefix, f".{machine()}{SCRATCH}")
    except OSError as error:
        raise WriteError(file="temporary files", why=error.strerror or str(error)) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@cache
def _sweep_scratch(place: Path) -> None:
    """Remove abandoned temporary folders, once for each process.

    The temporary folder may have thousands of other files.
    """
    with os.scandir(place) as entries:
        left = [entry.path for entry in entries if entry.name.endswith(SCRATCH)]
    for path in left:
        with suppress(OSError), _abandoned(path) as lock:
            if os.fstat(lock).st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)


# --- folders that are being filled --------------------------------------------------------------------------------


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, locked while its process lives, and removed at the end with its content."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        stage, lock = _locked(folder.parent, _prefix(folder), f".{machine()}{SUFFIX}")
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
    """A file whose lock says that the temporary name is in use.

    After the exchange, the folder of that name is unlocked.
    """
    return stage.with_name(stage.name + GUARD)


def _guarded(stage: Path) -> int:
    guard = os.open(_guard(stage), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    take(guard)
    return guard


def _is_guarded(stage: Path) -> bool:
    """Whether the process that fills a folder is alive. Raises OSError if that cannot be determined."""
    try:
        guard = os.open(_guard(stage), os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:  # it was killed before the file existed
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
        with suppress(FileNotFoundError, BlockingIOError):  # another process removed it as abandoned
            lock = _open(made)
            try:
                take(lock)
                if made.stat().st_ino == os.fstat(lock).st_ino:
                    return made, lock
            except OSError:
                os.close(lock)
                raise
            os.close(lock)


def _open(folder: Path | str) -> int:
    """Open a folder itself, not a link to one, to lock it."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def take(lock: int) -> None:
    """Lock an opened folder or file; on file systems without locks nothing is removed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if isinstance(error, BlockingIOError):
            raise
        return


@contextmanager
def _abandoned(folder: Path | str) -> Iterator[int]:
    """The lock on a folder whose process is dead. Raises OSError if it is alive, or if that cannot be determined.

    Shared disks may keep locks for each machine, so a folder of another machine counts as abandoned only after a week.
    """
    lock = _open(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if f".{machine()}." not in Path(folder).name and time.time() - os.fstat(lock).st_mtime < FOREIGN_SECONDS:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(folder))
        yield lock
    finally:
        os.close(lock)


def remove_abandoned(name: str, folder: int) -> None:
    """Remove a file of this user in an opened folder if a command that is dead left it, as for folders.

    The lock is held until the file is gone, so that no other command takes the file meanwhile.
    """
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid():
            return
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if f".{machine()}." in name or time.time() - state.st_mtime >= FOREIGN_SECONDS:
            os.unlink(name, dir_fd=folder)
    except OSError:
        return
    finally:
        os.close(handle)


def _prefix(folder: Path) -> str:
    """The prefix of the temporary names of this folder, and of no other folder."""
    return f".{folder.name[:40]}-{_digits(folder.name)}-"


@cache
def machine() -> str:
    """Eight digits that identify this machine."""
    return _digits(os.uname().nodename)


def _digits(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:8]


def _sweep(folder: Path) -> None:
    """Remove what killed processes left beside `folder`; restore an older folder that one of them had moved away."""
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
    """A name with all pattern characters escaped."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


# --- the exchange --------------------------------------------------------------------------------------------------


def _replace(stage: Path, folder: Path, mark: str, *, new: bool) -> None:
    """Move the new folder to its place; afterwards the temporary name has the old content."""
    try:
        stage.chmod(0o755)
        for _ in range(TRIES):
            refuse_foreign(folder, mark)
            try:
                os.rename(stage, folder)
            except OSError as error:
                if error.errno not in _IN_THE_WAY:
                    raise
                if new:
                    raise OutputExistsError(folder=folder) from error
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
            raise WriteError(file=folder, why="other processes write there all the time")
        if not _is_ours(stage, mark):  # it appeared after the check
            exchange(stage, folder)
            raise OutputExistsError(folder=folder)
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error


def exchange(left: Path, right: Path) -> None:
    """Exchange two folders, in one step if the file system can, else in three.

    Between the three steps `right` is missing; if the process is killed there, the next run restores it.
    """
    if _renameat2(left, right):
        return
    old = left.with_name(left.name + OLD)
    lock = _open(right)
    try:
        take(lock)
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
    """Undo the first of three steps. If another process has published a new folder meanwhile, discard the old one."""
    try:
        os.rename(old, right)
    except OSError as error:
        if error.errno not in _IN_THE_WAY:
            raise
        shutil.rmtree(old, ignore_errors=True)


def _renameat2(left: Path, right: Path) -> bool:
    """Exchange two folders in one step; False if the system has no such call."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(left), _AT_FDCWD, os.fsencode(right), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN_HERE:
        return False
    raise OSError(number, os.strerror(number), str(right))
