"""The cache of builds, below XDG_CACHE_HOME or ~/.cache; the builds that were unused for longest are removed.

The name of a build is its key and the digest of its bytes, so that a truncated or changed build is detected and built
again. It is published by one rename, so that two processes can build at the same time.

A build is code. The cache is used only if no other user can change its content (`system.files.strict_modes`). A build
is opened once and checked, and this opened file runs or is loaded, even if its name is given to another file later.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.system.files.regular import ANY_SIZE, open_regular
from fpgacnn.system.files.strict_modes import why_not_strict
from fpgacnn.system.files.user_folders import user_folder
from fpgacnn.system.number_range import NumberRange
from fpgacnn.system.pipes import FIRST_FREE

LIMIT_VARIABLE, DEFAULT_MEGABYTES = "FPGACNN_CACHE_MB", 2048
MEGABYTES = NumberRange(0, 1 << 40)
IN_USE_SECONDS = 3600.0

_DIGEST_DIGITS = 32
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class OpenedBuild:
    """A build of the cache that may be run or loaded: an opened file, as long as the context that gave it is open."""

    handle: int

    @property
    def program(self) -> str:
        """What a child that inherits `handle` starts."""
        return f"/proc/self/fd/{self.handle}"

    def library(self) -> str:
        """What this process loads. No path is given twice, because the loader of libraries remembers paths for ever.

        It is a text, because `Path` would make all of them the same.
        """
        digits = "".join("./" if digit == "1" else "/" for digit in f"{next(_NUMBERS):b}")
        return f"/proc/self/fd/{digits}{self.handle}"


def cache_folder(kind: str = "") -> Path:
    """The folder of one kind of builds, or of all.

    Raises OSError where there is none: HOME and XDG_CACHE_HOME are not set, and the user is not in the user database.
    """
    return user_folder("XDG_CACHE_HOME", ".cache") / "fpgacnn" / kind


def why_unused() -> str | None:
    """Why builds are not kept; None where they are. The folder is made where it is missing."""
    try:
        _make("")
        for kind in ("", *sorted(place.name for place in cache_folder().iterdir() if place.is_dir())):
            with _opened(kind):
                pass
    except OSError as error:
        return error.strerror or str(error)
    return None


@contextlib.contextmanager
def kept(kind: str, key: str) -> Iterator[OpenedBuild | None]:
    """A build that may be run: owned by the user, writable only by the user, and complete; others are removed."""
    found = None
    with contextlib.suppress(OSError), _opened(kind) as folder:
        found = _found(folder, key)
    try:
        yield None if found is None else OpenedBuild(found)
    finally:
        if found is not None:
            os.close(found)


def _found(folder: int, key: str) -> int | None:
    """The handle of a build; the caller closes it."""
    for name in os.listdir(folder):  # of what was opened, not of a name
        if not name.startswith(f"{key}-"):
            continue
        with contextlib.suppress(OSError), open_regular(name, limit=ANY_SIZE, folder=folder, links=False) as file:
            if not is_ours(os.fstat(file.fileno())):
                continue
            if name == _name(key, file.read()):
                with contextlib.suppress(OSError):  # a cache that is read only
                    os.utime(file.fileno())
                return fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
            os.unlink(name, dir_fd=folder)
    return None


def keep(kind: str, key: str, content: bytes, *, mode: int) -> bool:
    """Publish a build atomically; False if that failed. The builds unused for longest are removed.

    Raises UsageError where FPGACNN_CACHE_MB is no size.
    """
    limit = limit_bytes()
    try:
        _make(kind)
        with _opened(kind) as folder:
            handle, partial = tempfile.mkstemp(prefix=".partial-", dir=f"/proc/self/fd/{folder}")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    os.fchmod(handle, mode)
                Path(partial).replace(Path(f"/proc/self/fd/{folder}") / _name(key, content))
            finally:
                with contextlib.suppress(OSError):
                    Path(partial).unlink()
        _evict(limit)
    except OSError:
        return False
    return True


def _make(kind: str) -> None:
    """Make the folder of one kind where it is missing.

    Raises OSError where that is not possible, or where other users could change what lies there.
    """
    folder = cache_folder(kind).absolute()
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    above = missing[-1].parent if missing else folder.parent
    _check(why_not_strict(above, sticky_end=True), folder)
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def _opened(kind: str) -> Iterator[int]:
    """The folder of one kind.

    Raises OSError where there is none, or where other users could change what lies there.
    """
    folder = Path(os.path.realpath(cache_folder(kind)))  # what is checked is what is opened
    for place in (Path(os.path.realpath(cache_folder())), folder):
        _check(why_not_strict(place), folder)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _check(why: str | None, folder: Path) -> None:
    if why:
        raise PermissionError(errno.EPERM, why, str(folder))


def is_ours(state: os.stat_result) -> bool:
    """Whether a file may be run: a regular file of the user that no other user can write."""
    return stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022


def limit_bytes() -> int:
    """Largest size of the cache: FPGACNN_CACHE_MB, else 2,048 MB.

    Raises UsageError.
    """
    return MEGABYTES.parsed(LIMIT_VARIABLE, os.environ.get(LIMIT_VARIABLE) or str(DEFAULT_MEGABYTES)) << 20


def size_bytes() -> int:
    """Size of the cache."""
    return sum(state.st_size for _, state in _files())


def _files() -> Iterator[tuple[Path, os.stat_result]]:
    """Every regular file of the cache; others may take files and folders away meanwhile."""
    for place, _, names in os.walk(cache_folder()):
        for name in names:
            with contextlib.suppress(OSError):
                file = Path(place, name)
                state = file.stat(follow_symlinks=False)
                if stat.S_ISREG(state.st_mode):
                    yield file, state


def _evict(limit: int) -> None:
    """Remove the builds unused for longest until a quarter of the limit is free; builds that may be in use stay.

    A time of use in the future counts as equally far in the past, else a clock that was set back would keep a file
    forever.
    """
    now = time.time()
    files = sorted(((abs(now - state.st_mtime), state.st_size, file) for file, state in _files()), reverse=True)
    size = sum(one for _, one, _ in files)
    if size <= limit:
        return
    for unused, one, file in files:
        if size <= limit * 3 // 4 or unused < IN_USE_SECONDS:
            return
        with contextlib.suppress(OSError):
            file.unlink()
            size -= one


def _name(key: str, content: bytes) -> str:
    return f"{key}-{hashlib.sha256(content).hexdigest()[:_DIGEST_DIGITS]}"
