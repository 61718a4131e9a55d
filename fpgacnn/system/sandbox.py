"""Work that may crash, hang or eat memory is done in a forked child with limits; its bytes come back.

A fork costs milliseconds, a new Python 0.1 s and more for every file. Only libraries that are at peace with forking
are used in the child (h5py holds its lock meanwhile), and nothing is imported there.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import NoReturn

_BLOCK = 1 << 20
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
_TO_DEFAULT = (*_CRASHES, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXCPU)
_FAILED, _OUT_OF_MEMORY = 1, 12


class ExitReason(Enum):
    """How a child ended."""

    WELL = auto()
    TIME = auto()
    MEMORY = auto()
    CRASH = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildResult:
    """What came back. `how` says a crash's signal or a failure's traceback in words."""

    end: ExitReason
    content: bytearray
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What a child may use beyond what it starts with: processor time, time by the clock, memory, and how much it may say."""

    seconds: int
    clock_seconds: float
    memory_bytes: int
    answer_bytes: int


def run_in_child(work: Callable[[], Iterable[bytes | memoryview]], limits: ChildLimits) -> ChildResult:
    """Run `work` in a child and collect what it yields.

    Raises OSError where no child can be made.
    """
    read, write = os.pipe()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads; see above
            child = os.fork()
    except OSError:
        os.close(read)
        os.close(write)
        raise
    if child == 0:
        _serve(work, write, limits)
    os.close(write)
    ended_by_us = True
    content = bytearray()
    try:
        ended_by_us = not _collect(read, content, limits)
    finally:
        os.close(read)
        if ended_by_us:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = _status(child)
    return _outcome(status, content, too_slow=ended_by_us)


def _status(child: int) -> int:
    """How a child ended; 0 where the program that we are part of has its children collected by somebody else."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except ChildProcessError:
        return 0


def _collect(read: int, content: bytearray, limits: ChildLimits) -> bool:
    """Read all that the child writes; False where it took too long or says too much."""
    deadline = time.monotonic() + limits.clock_seconds
    while True:
        ready, _, _ = select.select([read], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        block = os.read(read, _BLOCK)
        if not block:
            return True
        content += block
        if len(content) > limits.answer_bytes:
            return False


def _outcome(status: int, content: bytearray, *, too_slow: bool) -> ChildResult:
    if too_slow or status == -signal.SIGXCPU:
        return ChildResult(end=ExitReason.TIME, content=bytearray())
    if status == _OUT_OF_MEMORY:
        return ChildResult(end=ExitReason.MEMORY, content=bytearray())
    if status < 0:
        return ChildResult(end=ExitReason.CRASH, content=bytearray(), how=signal.Signals(-status).name)
    if status:
        return ChildResult(end=ExitReason.FAILED, content=bytearray(), how=content.decode("utf-8", "replace"))
    return ChildResult(end=ExitReason.WELL, content=content)


# --- in the child --------------------------------------------------------------------------------------------------


def _serve(work: Callable[[], Iterable[bytes | memoryview]], write: int, limits: ChildLimits) -> NoReturn:
    """Do the work and leave without a trace: no handler, no buffer and no lock of the parent's is touched."""
    with _LastResort(write):
        faulthandler.disable()
        for caught in _TO_DEFAULT:
            signal.signal(caught, signal.SIG_DFL)
        silent = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(silent, number)
        _limit(limits)
        for block in work():
            _write(write, block)
    os._exit(0)


def _limit(limits: ChildLimits) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # pathlib would be one import more in the child
        used = int(file.read().split()[0]) * resource.getpagesize()
    for kind, limit in {
        resource.RLIMIT_AS: used + limits.memory_bytes,
        resource.RLIMIT_CPU: limits.seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }.items():
        _, allowed = resource.getrlimit(kind)
        least = limit if allowed == resource.RLIM_INFINITY else min(limit, allowed)
        resource.setrlimit(kind, (least, allowed if kind == resource.RLIMIT_CPU else least))


def _write(write: int, block: bytes | memoryview) -> None:
    view = memoryview(block).cast("B")
    while len(view):
        view = view[os.write(write, view[:_BLOCK]) :]


class _LastResort:
    """Whatever happens in the child, it ends here and never goes on with the parent's work."""

    def __init__(self, write: int) -> None:
        self._write = write

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        if issubclass(kind, MemoryError):
            os._exit(_OUT_OF_MEMORY)
        with contextlib.suppress(OSError):
            os.write(self._write, "".join(traceback.format_exception(error)).encode("utf-8", "replace")[-4000:])
        os._exit(_FAILED)
