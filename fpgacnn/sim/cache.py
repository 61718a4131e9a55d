"""The cache of builds, below XDG_CACHE_HOME or ~/.cache; the builds that were unused for longest are removed.

The name of a build is its key and the digest of its bytes, so that a truncated or changed build is detected and built
again. It is published by one rename, so that two processes can build at the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fpgacnn.errors import UsageError

LIMIT_VARIABLE, DEFAULT_MEGABYTES = "FPGACNN_CACHE_MB", 2048
IN_USE_SECONDS = 3600.0
_DIGEST_DIGITS = 32


def cache_folder(kind: str = "") -> Path:
    """The folder for one kind of build, or for all."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fpgacnn" / kind


def kept(kind: str, key: str) -> Path | None:
    """A build that may be run: owned by the user, writable only by the user, and complete.

    Incomplete builds are removed.
    """
    for file in cache_folder(kind).glob(f"{key}-*"):
        with contextlib.suppress(OSError):
            if not is_ours(file):
                continue
            if file.name == _name(key, file.read_bytes()):
                with contextlib.suppress(OSError):  # the cache is read-only
                    os.utime(file)
                return file
            file.unlink()
    return None


def keep(kind: str, key: str, content: bytes, *, mode: int) -> Path | None:
    """Publish a build atomically: its path, or None if it could not be stored. Builds unused for longest are removed.

    Raises UsageError if FPGACNN_CACHE_MB is not a size.
    """
    limit = limit_bytes()
    folder = cache_folder(kind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=".partial-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(handle, mode)
            place = Path(partial).replace(folder / _name(key, content))
        finally:
            Path(partial).unlink(missing_ok=True)
    except OSError:
        return None
    _evict(limit)
    return place


def is_ours(file: Path) -> bool:
    """Whether a file of the cache may be run: a plain file of the user that no other user can write.

    A cache may be in a folder that others can write (a shared XDG_CACHE_HOME); their files are not run.
    """
    try:
        state = file.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022


def limit_bytes() -> int:
    """Largest size of the cache: FPGACNN_CACHE_MB, else 2,048 MB.

    Raises UsageError.
    """
    wanted = os.environ.get(LIMIT_VARIABLE) or str(DEFAULT_MEGABYTES)
    if not (wanted.isascii() and wanted.isdigit()):
        raise UsageError(what=f"{LIMIT_VARIABLE} is {wanted!r}; it must be a number of megabytes")
    return int(wanted) << 20


def size_bytes() -> int:
    """Size of the cache."""
    return sum(state.st_size for _, state in _files())


def _files() -> Iterator[tuple[Path, os.stat_result]]:
    for file in cache_folder().rglob("*"):
        with contextlib.suppress(OSError):
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
