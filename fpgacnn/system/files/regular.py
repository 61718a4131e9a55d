"""The one way in which files are opened for reading: regular files only, of a limited size.

A pipe, a device or a socket in the place of a file would make a command wait without end, or give it data without end.
Files that report no size (those of /proc) count as empty. Everything that is refused is an OSError with a reason, as a
missing file and a folder are.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, NoReturn

ANY_SIZE = 1 << 62
"""For files that are read piece by piece, or mapped."""

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}


class IrregularFileError(OSError):
    """What was to be read is a pipe, a device, a socket or a link, or larger than allowed; `strerror` says what."""


def open_regular(path: Path | str, *, limit: int, folder: int | None = None, links: bool = True) -> BinaryIO:
    """A regular file of at most `limit` bytes, opened to read; the size is that of the moment.

    `folder` is an opened folder that the path begins in; where `links` is False, a link is refused. Raises OSError.
    """
    _check(os.stat(path, dir_fd=folder, follow_symlinks=links), path, limit)  # opening a device may do something
    extra = 0 if links else os.O_NOFOLLOW
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | extra, dir_fd=folder)
    try:
        _check(os.fstat(handle), path, limit)  # of what was opened; it may have been replaced meanwhile
        return open(handle, "rb")  # noqa: PTH123  # a number, not a path; the caller closes it
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path | str, *, limit: int, folder: int | None = None, links: bool = True) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises OSError.
    """
    with open_regular(path, limit=limit, folder=folder, links=links) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def read_regular_text(path: Path | str, *, limit: int, errors: str = "strict") -> str:
    """The content of a text file in UTF-8, its lines ended by a line feed alone.

    Raises OSError, UnicodeDecodeError.
    """
    return read_regular(path, limit=limit).decode("utf-8", errors).replace("\r\n", "\n").replace("\r", "\n")


def _check(state: os.stat_result, path: Path | str, limit: int) -> None:
    kind = stat.S_IFMT(state.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind != stat.S_IFREG:
        _refuse(errno.EINVAL, f"it is {_KINDS.get(kind, 'no file')}, not a regular file", path)
    if state.st_size > limit:
        _refuse(errno.EFBIG, f"larger than {limit:,} bytes", path)


def _refuse(number: int, why: str, path: Path | str) -> NoReturn:
    raise IrregularFileError(number, why, str(path))
