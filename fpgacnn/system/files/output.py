"""Output files: they appear complete or not at all, and replace only files that fpgacnn wrote.

An unfinished file has no name, so that nothing stays of a killed command. If the file system has no such files, the
name is random, and the next command that writes to the folder removes what was left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from fpgacnn.errors import FileInTheWayError, UsageError, WriteError
from fpgacnn.system.atomic_dir import machine, remove_abandoned, take
from fpgacnn.system.files.regular import ANY_SIZE, IrregularFileError, open_regular

PART = ".fpgacnn-part"
TRIES = 100
_UNKNOWN_HERE = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}

Mark = Callable[[BinaryIO], bool]
"""Tells from a file's content whether fpgacnn wrote it."""


def refuse_inputs(output: Path | None, flag: str, inputs: Iterable[Path | None]) -> None:
    """Raise UsageError where an output is one of the files that the same command reads, under whatever name."""
    for one in inputs:
        if output is not None and one is not None:
            with contextlib.suppress(OSError):
                if output.samefile(one):
                    raise UsageError(what=f"{flag} {output} is an input of this command")


def refuse_foreign_file(file: Path, is_ours: Mark) -> None:
    """Raise FileInTheWayError where a file is in the way that fpgacnn did not write; an empty one may be replaced.

    Raises WriteError where that cannot be examined.
    """
    try:
        with open_regular(file, limit=ANY_SIZE, links=False) as opened:
            if os.fstat(opened.fileno()).st_size and not is_ours(opened):
                raise FileInTheWayError(file=file)
    except FileNotFoundError:
        return
    except IrregularFileError as error:
        raise FileInTheWayError(file=file) from error
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error


class NewFile:
    """A new file that takes the place of `path` when `keep` is called, and is gone where it is not.

    `refuse` raises where what is in the way must stay. It is called again just before the file gets its name. `file` is
    what to write to. OSErrors are the caller's.
    """

    def __init__(self, path: Path, refuse: Callable[[], None] = lambda: None) -> None:
        self._path, self._refuse = path, refuse
        self._name: str | None = None
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        """Raises OSError, and what `refuse` raises."""
        self._refuse()
        parent = self._path.parent
        self._made = [place for place in (parent, *parent.parents) if not place.exists()]
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove_folders)
            parent.mkdir(parents=True, exist_ok=True)
            self._folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            undo.callback(os.close, self._folder)
            with contextlib.suppress(FileNotFoundError):
                os.stat(self._path.name or ".", dir_fd=self._folder, follow_symlinks=False)  # a name that is too long
            _sweep(self._folder, self._path.name)
            self.file = self._opened()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was not kept goes away."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            if self._name is not None:
                os.unlink(self._name, dir_fd=self._folder)
        os.close(self._folder)
        self._remove_folders()

    def keep(self) -> None:
        """Put the file in its place.

        Raises OSError, and what `refuse` raises.
        """
        self.file.flush()
        if self._name is None:
            self._name = self._linked()
        for _ in range(TRIES):
            self._refuse()
            if self._is_free():
                try:
                    self._link(self._name, self._path.name)
                except FileExistsError:  # another command was quicker
                    continue
                except OSError:  # no file has two names here
                    self._rename()
                return
            self._rename()
            return
        raise FileExistsError(errno.EEXIST, "others write it all the time", str(self._path))

    def _opened(self) -> BinaryIO:
        try:
            handle = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666, dir_fd=self._folder)
        except OSError as error:
            if error.errno not in _UNKNOWN_HERE:
                raise
            handle = self._named()
        else:
            take(handle)
        return open(handle, "w+b")  # noqa: PTH123  # a number, not a path

    def _named(self) -> int:
        """A new file with a temporary name and a lock, for file systems that have no files without names."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            name = self._unused()
            handle = os.open(name, flags, 0o666, dir_fd=self._folder)
            try:
                take(handle)
                os.stat(name, dir_fd=self._folder, follow_symlinks=False)
            except (BlockingIOError, FileNotFoundError):  # another command took it for abandoned before it had its lock
                os.close(handle)
                continue
            except BaseException:
                os.close(handle)
                raise
            self._name = name
            return handle

    def _unused(self) -> str:
        return f"{_prefix(self._path.name)}{secrets.token_hex(8)}.{machine()}{PART}"

    def _linked(self) -> str:
        """A temporary name for the file without a name."""
        name = self._unused()
        self._link(f"/proc/self/fd/{self.file.fileno()}", name, follow=True)
        return name

    def _link(self, old: str, new: str, *, follow: bool = False) -> None:
        os.link(old, new, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=follow)

    def _rename(self) -> None:
        assert self._name is not None
        os.rename(self._name, self._path.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._name = None

    def _is_free(self) -> bool:
        try:
            os.stat(self._path.name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return False

    def _remove_folders(self) -> None:
        for place in self._made:
            with contextlib.suppress(OSError):  # a folder that holds something stays
                place.rmdir()


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file, and its folder where that is missing: the old content or the new one is there, never a part.

    Raises WriteError.
    """
    try:
        with NewFile(file) as new:
            os.fchmod(new.file.fileno(), 0o644)
            new.file.write(content)
            new.keep()
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error


@contextlib.contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Between reading a file and writing it: other commands that do so wait. The lock is on a hidden file beside it.

    On file systems without locks, no command waits. Raises WriteError.
    """
    lock = file.with_name(f".{file.name[:40]}.fpgacnn-lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _prefix(name: str) -> str:
    return f".{name[:40]}-"


def _sweep(folder: int, name: str) -> None:
    """Take away what killed commands of this user left of a file."""
    for left in os.listdir(folder):
        if left.startswith(_prefix(name)) and left.endswith(PART):
            remove_abandoned(left, folder)
