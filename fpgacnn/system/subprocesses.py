"""Child processes with limits on time and memory, ended with everything they started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from fpgacnn.errors import ForeignToolError, ToolTimeoutError, WriteError

CHILD_MEMORY_BYTES = 12 << 30
TAIL_CHARACTERS = 4000
TICK_SECONDS, READ_BYTES = 0.2, 1 << 16
GRACE_SECONDS, LOOK_SECONDS = 5.0, 0.05

_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl

ENDING = frozenset({signal.SIGINT, signal.SIGTERM})
"""Signals that end a command; they wait while a child is being started, else it could outlive us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a child ended: its status (negative: the signal's number) and the last of what it said."""

    status: int
    tail: str

    @property
    def how(self) -> str:
        """The end in words."""
        return f"signal {signal.Signals(-self.status).name}" if self.status < 0 else f"status {self.status}"

    @property
    def last_line(self) -> str:
        """The most telling line: the first one that names an error or assertion, else the last one."""
        lines = [line.strip() for line in self.tail.splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower() or "assert" in line.lower()]
        return (telling or lines or ["it said nothing"])[0 if telling else -1]


def run(
    command: Sequence[str], *, folder: Path, seconds: float, environment: Mapping[str, str] | None = None
) -> Finished:
    """Run a command in its own process group.

    Raises ToolTimeoutError after ending the whole group, ForeignToolError where it cannot be started; KeyboardInterrupt ends it too.
    """
    with _child(command, folder, environment, CHILD_MEMORY_BYTES) as child:
        try:
            said = _listened(child, seconds)
        except subprocess.TimeoutExpired as error:
            raise ToolTimeoutError(tool=Path(command[0]).name, seconds=f"{seconds:g}") from error
    return Finished(status=child.returncode, tail=_text(said[-TAIL_CHARACTERS:]))


def _listened(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    """The end of what a child and those it started say, however much that is, when all have ended.

    Raises subprocess.TimeoutExpired.
    """
    assert child.stdout is not None
    deadline, said = time.monotonic() + seconds, b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise subprocess.TimeoutExpired(child.args, seconds)
            block = os.read(child.stdout.fileno(), READ_BYTES)
            if not block:
                break
            said = (said + block)[-4 * TAIL_CHARACTERS :]
    child.wait(timeout=max(0.0, deadline - time.monotonic()))
    return said


def run_logged(
    command: Sequence[str], *, folder: Path, seconds: float, log: Path, tell: Callable[[str], None]
) -> Finished:
    """Run a long command in its own process group: all it says goes to the log, line by line to `tell`.

    Memory is not limited, because synthesis may need all there is. Raises ToolTimeoutError, WriteError; the group is ended then too.
    """
    deadline = time.monotonic() + seconds
    with _writer(log) as write, _child(command, folder, None, None) as child:
        tail = unfinished = b""
        for said in _output(child):
            if time.monotonic() > deadline:
                raise ToolTimeoutError(tool=Path(command[0]).name, seconds=f"{seconds:g}")
            write(said)
            *lines, unfinished = (unfinished + said).split(b"\n")
            for line in lines:
                tell(_text(line))
            unfinished, tail = unfinished[-TAIL_CHARACTERS:], (tail + said)[-TAIL_CHARACTERS:]
        status = child.wait()
    return Finished(status=status, tail=_text(tail))


@contextlib.contextmanager
def _writer(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Writes to a file at once, so that others can follow it.

    Raises WriteError.
    """

    def failed(error: OSError) -> WriteError:
        return WriteError(file=path, why=error.strerror or str(error))

    try:
        file = path.open("wb", buffering=0)
    except OSError as error:
        raise failed(error) from error

    def write(content: bytes) -> None:
        try:
            file.write(content)
        except OSError as error:
            raise failed(error) from error

    with file:
        yield write


def _output(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What a child says as it says it, and nothing now and then, until it has ended, also where a grandchild keeps its output open."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            ended = child.poll() is not None
            if not selector.select(0 if ended else TICK_SECONDS):
                if ended:
                    return
                yield b""
                continue
            said = os.read(child.stdout.fileno(), READ_BYTES)
            if not said:
                return
            yield said


@contextlib.contextmanager
def _child(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None, memory_bytes: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a group of its own, which is ended with all in it when the block is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        with _started(command, folder, environment, subprocess.PIPE, before, memory_bytes) as child:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                yield child
            finally:
                with contextlib.suppress(ProcessLookupError):  # nobody is left, the usual case
                    os.killpg(child.pid, signal.SIGKILL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one of several commands ended, after how many seconds; `finished` is None where it was late."""

    number: int
    finished: Finished | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    number: int
    child: subprocess.Popen[bytes]
    said: IO[bytes]
    begin: float

    def end(self) -> None:
        """SIGTERM, with which our own commands end their tools too, and SIGKILL for the group after a while."""
        if self.child.poll() is None:
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(GRACE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """SIGKILL for the whole group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def ended(self, *, late: bool) -> Ended:
        """The end, with the last of what was said."""
        self.said.seek(0, os.SEEK_END)
        self.said.seek(max(0, self.said.tell() - TAIL_CHARACTERS))
        finished = None if late else Finished(status=self.child.returncode, tail=_text(self.said.read()))
        return Ended(number=self.number, finished=finished, seconds=time.monotonic() - self.begin)


def side_by_side(commands: Sequence[Sequence[str]], *, at_once: int, folder: Path, seconds: float) -> Iterator[Ended]:
    """Run commands, `at_once` of them at a time, each with a time limit, and tell of each as it ends.

    Whoever stops listening, by an exception or a signal, ends those that still run.
    """
    waiting, running = list(enumerate(commands)), list[_Running]()
    with contextlib.ExitStack() as files:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    number, command = waiting.pop(0)
                    running.append(_begun(number, command, folder, files.enter_context(tempfile.TemporaryFile())))
                done = [
                    one for one in running if one.child.poll() is not None or time.monotonic() - one.begin > seconds
                ]
                for one in done:
                    late = one.child.poll() is None
                    one.end()
                    running.remove(one)
                    yield one.ended(late=late)
                if not done:
                    time.sleep(LOOK_SECONDS)
        finally:
            for one in running:
                one.end()


@dataclass(slots=True, kw_only=True)
class Background:
    """A command that runs while we do something else."""

    _running: _Running
    _seconds: float

    def finished(self, at_least: float = 0.0) -> Finished | None:
        """Wait for the end until the command's own limit, or `at_least` seconds from now; None where it was late and ended by us."""
        until = max(self._running.begin + self._seconds, time.monotonic() + at_least)
        try:
            self._running.child.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None
        return self._running.ended(late=False).finished


@contextlib.contextmanager
def background(
    command: Sequence[str], *, folder: Path, seconds: float, environment: Mapping[str, str]
) -> Iterator[Background]:
    """Start a command in its own process group and go on; it is ended when the block is left.

    Raises ForeignToolError where it cannot be started.
    """
    with tempfile.TemporaryFile() as said:
        running = _begun(0, command, folder, said, environment)
        try:
            yield Background(_running=running, _seconds=seconds)
        finally:
            running.kill()


def _begun(
    number: int, command: Sequence[str], folder: Path, said: IO[bytes], environment: Mapping[str, str] | None = None
) -> _Running:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        return _Running(
            number=number,
            child=_started(command, folder, environment, said, before, CHILD_MEMORY_BYTES),
            said=said,
            begin=time.monotonic(),
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None,
    stdout: int | IO[bytes],
    before: AbstractSet[int],
    memory_bytes: int | None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603  # a fixed program with arguments of ours, no shell
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(environment or {}), "LC_ALL": "C"},
            preexec_fn=partial(_prepare, before, memory_bytes),  # noqa: PLW1509  # only sets limits and signals
        )
    except OSError as error:  # no program, a damaged one, too many processes
        raise ForeignToolError(tool=Path(command[0]).name, why=error.strerror or str(error)) from error


def _prepare(signals: AbstractSet[int], memory_bytes: int | None) -> None:
    """In the child, before its program starts; it ends with us, even where we are killed."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)
    _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if memory_bytes is not None:
        _, allowed = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory_bytes if allowed == resource.RLIM_INFINITY else min(memory_bytes, allowed)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
