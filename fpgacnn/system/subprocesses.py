"""Child processes with limits on time and memory, ended together with all processes that they started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fpgacnn.errors import ForeignToolError, ToolTimeoutError, WriteError
from fpgacnn.system.launch import ENDING
from fpgacnn.system.pipes import open_pipe

CHILD_MEMORY_BYTES = 12 << 30
TAIL_CHARACTERS = 4000
TICK_SECONDS, READ_BYTES = 0.2, 1 << 16
GRACE_SECONDS, LOOK_SECONDS = 5.0, 0.05

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The result of a child: its exit status (negative: number of a signal) and the end of its output."""

    status: int
    tail: str

    @property
    def how(self) -> str:
        """The exit status in words: `status 7` or `signal SIGSEGV`."""
        return f"signal {signal.Signals(-self.status).name}" if self.status < 0 else f"status {self.status}"

    @property
    def last_line(self) -> str:
        """The first line of the output that names an error or an assertion, else the last line."""
        lines = [line.strip() for line in self.tail.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower() or "assert" in line.lower()]
        return (errors or lines or ["it printed nothing"])[0 if errors else -1]


class ChildGroup:
    """Children that several threads started, to be ended together."""

    def __init__(self) -> None:
        self._lock, self._children, self._over = threading.Lock(), set[int](), False

    @contextlib.contextmanager
    def holding(self, child: int) -> Iterator[None]:
        """The child is one of the group as long as the context is open."""
        with self._lock:
            self._children.add(child)
            if self._over:
                _kill_group(child)
        try:
            yield
        finally:
            with self._lock:
                self._children.discard(child)

    def end(self) -> None:
        """Kill the children that run, and those that are still to be started."""
        with self._lock:
            self._over = True
            for child in self._children:
                _kill_group(child)


def _kill_group(child: int) -> None:
    """End a child with all that it started."""
    with contextlib.suppress(ProcessLookupError):  # the group is empty, the usual case
        os.killpg(child, signal.SIGKILL)


def run(
    command: Sequence[str],
    *,
    folder: Path,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    inherited: tuple[int, ...] = (),
    group: ChildGroup | None = None,
) -> Finished:
    """Run a command in its own process group and wait until all processes of the group have ended.

    `inherited`: opened files that the command gets under the same numbers. `group`: what the child is ended with.

    Raises ToolTimeoutError after `seconds`, ForeignToolError if the command cannot be started. The whole group is
    killed then, and also if another exception (KeyboardInterrupt) interrupts the wait.
    """
    with (
        _child(command, folder, environment, CHILD_MEMORY_BYTES, inherited) as child,
        (group or ChildGroup()).holding(child.pid),
    ):
        try:
            output = _read_to_end(child, seconds)
        except subprocess.TimeoutExpired as error:
            raise ToolTimeoutError(tool=Path(command[0]).name, seconds=f"{seconds:g}") from error
    return Finished(status=child.returncode, tail=_text(output[-TAIL_CHARACTERS:]))


def _read_to_end(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    """The last bytes of the output of a child and its own children, after all of them have ended.

    Raises subprocess.TimeoutExpired.
    """
    assert child.stdout is not None
    deadline, output = time.monotonic() + seconds, b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise subprocess.TimeoutExpired(child.args, seconds)
            block = os.read(child.stdout.fileno(), READ_BYTES)
            if not block:
                break
            output = (output + block)[-4 * TAIL_CHARACTERS :]
    child.wait(timeout=max(0.0, deadline - time.monotonic()))
    return output


def run_logged(
    command: Sequence[str],
    *,
    folder: Path,
    seconds: float,
    log: Path,
    tell: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Finished:
    """Run a long command in its own process group; its output goes to the file `log`, and line by line to `tell`.

    `name` stands for the command in messages. Memory is not limited, because synthesis may need all of it. Raises
    ToolTimeoutError after `seconds`, WriteError if the log cannot be written, ForeignToolError if the command cannot be
    started; the group is killed then.
    """
    deadline, tool = time.monotonic() + seconds, name or Path(command[0]).name
    with _writer(log) as write, _child(command, folder, environment, None) as child:
        tail = unfinished = b""
        for block in _output(child):
            if time.monotonic() > deadline:
                raise ToolTimeoutError(tool=tool, seconds=f"{seconds:g}")
            write(block)
            *lines, unfinished = (unfinished + block).split(b"\n")
            for line in lines:
                tell(_text(line))
            unfinished, tail = unfinished[-TAIL_CHARACTERS:], (tail + block)[-TAIL_CHARACTERS:]
        try:
            status = child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:  # it closed its output and went on
            raise ToolTimeoutError(tool=tool, seconds=f"{seconds:g}") from error
    return Finished(status=status, tail=_text(tail))


@contextlib.contextmanager
def _writer(path: Path) -> Iterator[Callable[[bytes], None]]:
    """A function that writes to a new file without a buffer, so that a user can follow the file. Raises WriteError.

    A link or a pipe of that name is replaced, not written through.
    """

    def failed(error: OSError) -> WriteError:
        return WriteError(file=path, why=error.strerror or str(error))

    try:
        path.unlink(missing_ok=True)
        file = path.open("xb", buffering=0)
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
    """The output of a child in blocks, as they arrive, until the child has ended.

    An empty block comes every TICK_SECONDS without output, so that the caller can check the time. A grandchild that
    keeps the output open does not prolong it.
    """
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
            block = os.read(child.stdout.fileno(), READ_BYTES)
            if not block:
                return
            yield block


@contextlib.contextmanager
def _child(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None,
    memory_bytes: int | None,
    inherited: tuple[int, ...] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child in a new process group; the group is killed when the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        with _started(command, folder, environment, subprocess.PIPE, memory_bytes, inherited) as child:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                yield child
            finally:
                _kill_group(child.pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of one of several commands, and its seconds; `finished` is None if its time limit ended it."""

    number: int
    finished: Finished | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    number: int
    child: subprocess.Popen[bytes]
    output: IO[bytes]
    begin: float

    def end(self) -> None:
        """Send SIGTERM, on which fpgacnn's own commands end their tools.

        After GRACE_SECONDS, send SIGKILL to the group.
        """
        if self.child.poll() is None:
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(GRACE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the whole group."""
        _kill_group(self.child.pid)
        self.child.wait()

    def ended(self, *, late: bool) -> Ended:
        """The result of the command, with the end of its output."""
        self.output.seek(0, os.SEEK_END)
        self.output.seek(max(0, self.output.tell() - TAIL_CHARACTERS))
        finished = None if late else Finished(status=self.child.returncode, tail=_text(self.output.read()))
        return Ended(number=self.number, finished=finished, seconds=time.monotonic() - self.begin)


def side_by_side(commands: Sequence[Sequence[str]], *, at_once: int, folder: Path, seconds: float) -> Iterator[Ended]:
    """Run commands in parallel, `at_once` at a time, each with a time limit; yield each result as it comes.

    Closing the iterator, also by an exception or a signal, ends the commands that still run. Raises ForeignToolError
    if a command cannot be started.
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
                    ended = one.ended(late=late)
                    one.output.close()
                    yield ended
                if not done:
                    time.sleep(LOOK_SECONDS)
        finally:
            for one in running:
                one.end()


@dataclass(slots=True, kw_only=True)
class Background:
    """A command that runs in the background, with a time limit."""

    _running: _Running
    _seconds: float

    def finished(self, at_least: float = 0.0) -> Finished | None:
        """Wait until the command ends, but not beyond its limit or `at_least` seconds from now, whichever is later.

        None if it has not ended by then.
        """
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
    """Start a command in a new process group; the group is killed when the block ends.

    Raises ForeignToolError if the command cannot be started.
    """
    with tempfile.TemporaryFile() as output:
        running = _begun(0, command, folder, output, environment)
        try:
            yield Background(_running=running, _seconds=seconds)
        finally:
            running.kill()


def _begun(
    number: int, command: Sequence[str], folder: Path, output: IO[bytes], environment: Mapping[str, str] | None = None
) -> _Running:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        return _Running(
            number=number,
            child=_started(command, folder, environment, output, CHILD_MEMORY_BYTES),
            output=output,
            begin=time.monotonic(),
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None,
    stdout: int | IO[bytes],
    memory_bytes: int | None,
    inherited: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a command through `launch.py`, which sets the limits; ENDING is blocked here, and unblocked there.

    Raises ForeignToolError if the command cannot be started.
    """
    tool = Path(command[0]).name
    errors, errors_of_child = open_pipe()
    try:
        numbers = (str(number) for number in (errors_of_child, os.getpid(), memory_bytes or 0))
        child = subprocess.Popen(  # noqa: S603  # a fixed program with arguments of ours, no shell
            [sys.executable, "-I", "-S", str(_LAUNCHER), *numbers, *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(errors_of_child, *inherited),
            env={**os.environ, **(environment or {}), "LC_ALL": "C"},
        )
    except (OSError, ValueError) as error:  # no Python, no such folder, too many processes, a zero byte in a name
        os.close(errors)
        raise ForeignToolError(tool=tool, why=getattr(error, "strerror", None) or str(error)) from error
    finally:
        os.close(errors_of_child)
    with open(errors, "rb") as pipe:  # noqa: PTH123  # a number, not a path
        number = pipe.read()
    if not number:
        return child
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
    raise ForeignToolError(tool=tool, why=os.strerror(int(number)))
