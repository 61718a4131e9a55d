"""Run untrusted or fragile work in a child process with limits on time and memory; its bytes come back.

A process with one thread forks the child, which costs milliseconds. A process with more threads starts a new Python,
which costs 0.2 s: a fork copies only the calling thread, and a lock that another thread holds at that moment would
stay locked in the child.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn

from fpgacnn.system.launch import ENDING
from fpgacnn.system.pipes import FIRST_FREE, open_pipe

_BLOCK = 1 << 20
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
_TO_DEFAULT = (*_CRASHES, *ENDING, signal.SIGPIPE)
_FAILED, _OUT_OF_MEMORY = 1, 12

_NEW_PYTHON = (
    "import json, sys; task = json.loads(sys.stdin.buffer.readline()); sys.path[:] = task['sys.path']; "
    "from fpgacnn.system.sandbox import serve_task; serve_task(task)"
)
_STARTS_THREADS = frozenset({"tensorflow", "jax", "torch", "onnxruntime"})
"""Libraries whose import or first use starts threads that Python does not list."""

Work = Callable[[], Iterable[bytes | memoryview]]


class ExitReason(Enum):
    """How a child ended."""

    WELL = auto()
    TIME = auto()
    MEMORY = auto()
    CRASH = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildResult:
    """The result of a child. `how` is the name of the signal of a crash, or the traceback of an exception."""

    end: ExitReason
    content: bytearray
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """Limits of a child, in addition to what it starts with.

    Processor time in seconds, wall time in seconds, memory in bytes, and length of the answer in bytes.
    """

    seconds: int
    clock_seconds: float
    memory_bytes: int
    answer_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    """A child process and the pipe for its answer."""

    answer: int
    kill: Callable[[], None]
    wait: Callable[[], int]


def run_in_child(work: Work, limits: ChildLimits) -> ChildResult:
    """Run `work` in a child process and collect the bytes that it yields.

    In a process with threads, `work` must be a function of a module, or a `partial` of one with texts, paths, bytes,
    numbers and None as arguments. Raises OSError if no child can be started, TypeError for other work.
    """
    child = _spawned(work, limits) if has_threads() else _forked(work, limits)
    too_slow = True
    content = bytearray()
    try:
        too_slow = not _collect(child.answer, content, limits)
    finally:
        os.close(child.answer)
        if too_slow:
            child.kill()
        status = child.wait()
    return _outcome(status, content, too_slow=too_slow)


def has_threads() -> bool:
    """Whether this process has threads that make a fork unsafe.

    The threads of OpenBLAS, at most one for each processor, do not count: OpenBLAS ends them before every fork.
    """
    native = len(os.listdir("/proc/self/task"))  # noqa: PTH208  # only the number is wanted
    return (
        threading.active_count() > 1
        or not _STARTS_THREADS.isdisjoint(sys.modules)
        or native > len(os.sched_getaffinity(0))
    )


def _forked(work: Work, limits: ChildLimits) -> _Child:
    """A forked copy of this process that does the work and ends."""
    read, write = open_pipe()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 counts the threads of OpenBLAS
            child = os.fork()
    except OSError:
        os.close(read)
        os.close(write)
        raise
    if child == 0:
        _serve(lambda: work, write, limits)
    os.close(write)

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    return _Child(answer=read, kill=kill, wait=lambda: _status(child))


def _spawned(work: Work, limits: ChildLimits) -> _Child:
    """A new Python that gets the work through a file in memory; a pipe could block before the work is read."""
    call = work if isinstance(work, partial) else partial(work)
    module, name = _importable(call.func)
    described = [_describe(argument) for argument in (*call.args, *call.keywords.items())]
    with contextlib.ExitStack() as undo, os.fdopen(os.memfd_create("fpgacnn-task"), "w+b") as file:
        read, write = open_pipe()
        undo.callback(os.close, read)
        with contextlib.closing(os.fdopen(write, "wb")):
            task = {"sys.path": sys.path, "module": module, "function": name, "arguments": described, "write": write}
            file.write(json.dumps({**task, "limits": asdict(limits)}).encode() + b"\n")
            for content in call.args:
                file.write(content if isinstance(content, bytes) else b"")
            file.seek(0)
            child = subprocess.Popen(  # noqa: S603  # our own program, no shell
                [sys.executable, "-I", "-c", _NEW_PYTHON],
                stdin=file,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(write,),
            )
        undo.pop_all()
    return _Child(answer=read, kill=child.kill, wait=child.wait)


def _importable(function: Callable[..., object]) -> tuple[str, str]:
    """The module and name of a function. Raises TypeError if another process cannot import it by these."""
    module, name = function.__module__, function.__qualname__
    if module == "__main__" or getattr(sys.modules.get(module), name, None) is not function:
        raise TypeError(f"{module}.{name} cannot run in a new process: it is not a function of a module")
    return module, name


def _describe(argument: object) -> Any:
    """An argument as JSON: a path by its text, bytes by their length."""
    match argument:
        case Path():
            return {"path": os.fspath(argument)}
        case bytes():
            return {"bytes": len(argument)}
        case str() | int() | float() | None:
            return argument
        case _:
            raise TypeError(f"{type(argument).__name__} cannot be an argument in a new process")


def _argument(described: Any, file: BinaryIO) -> object:
    """The argument that `_describe` described; the bytes of all arguments follow each other in the file."""
    match described:
        case {"path": str(path)}:
            return Path(path)
        case {"bytes": int(count)}:
            return file.read(count)
        case _:
            return described


def _status(child: int) -> int:
    """The exit status of a child; 0 if the surrounding program collects the status of its children itself."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except ChildProcessError:
        return 0


def _collect(read: int, content: bytearray, limits: ChildLimits) -> bool:
    """Read all that the child writes; False if it takes too long or writes too much."""
    deadline = time.monotonic() + limits.clock_seconds
    waiting = select.poll()  # `select.select` supports no file number above 1,023
    waiting.register(read, select.POLLIN)
    while True:
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
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


def serve_task(task: Mapping[str, Any]) -> NoReturn:
    """Do the work that `_spawned` described, in the new Python; the bytes of its arguments come from standard input."""

    def load() -> Work:
        arguments = [_argument(one, sys.stdin.buffer) for one in task["arguments"]]
        return partial(getattr(importlib.import_module(task["module"]), task["function"]), *arguments)

    _serve(load, task["write"], ChildLimits(**task["limits"]))


def _serve(load: Callable[[], Work], write: int, limits: ChildLimits) -> NoReturn:
    """Do the work and end, without handlers, buffers or locks of the parent."""
    with _LastResort(write):
        faulthandler.disable()
        for caught in _TO_DEFAULT:
            signal.signal(caught, signal.SIG_DFL)
        work = load()
        write = fcntl.fcntl(write, fcntl.F_DUPFD, FIRST_FREE)
        silent = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(silent, number)
        _limit(limits)
        for block in work():
            _write(write, block)
    os._exit(0)


def _limit(limits: ChildLimits) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # pathlib would import more in the child
        used = int(file.read().split()[0]) * resource.getpagesize()
    for kind, limit in {
        resource.RLIMIT_AS: used + limits.memory_bytes,
        resource.RLIMIT_CPU: _processor_seconds() + limits.seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }.items():
        _, allowed = resource.getrlimit(kind)
        least = limit if allowed == resource.RLIM_INFINITY else min(limit, allowed)
        resource.setrlimit(kind, (least, allowed if kind == resource.RLIMIT_CPU else least))


def _processor_seconds() -> int:
    """Processor time of this process in whole seconds."""
    return int(time.process_time())


def _write(write: int, block: bytes | memoryview) -> None:
    view = memoryview(block).cast("B")
    while len(view):
        view = view[os.write(write, view[:_BLOCK]) :]


class _LastResort:
    """Ends the child when its work raises, so that it never runs the parent's code."""

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
