"""Child processes with limits on time and memory, ended with everything they started."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from fpgacnn.errors import ToolTimeoutError

CHILD_MEMORY_BYTES = 12 << 30
TAIL_CHARACTERS = 4000
GRACE_SECONDS, LOOK_SECONDS = 5.0, 0.05

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


def run(command: Sequence[str], *, folder: Path, seconds: float, environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command in its own process group.

    Raises ToolTimeoutError after ending the whole group; KeyboardInterrupt ends it too.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        with _started(command, folder, environment, subprocess.PIPE, before) as child:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                said, _ = child.communicate(timeout=seconds)
            except subprocess.TimeoutExpired as error:
                raise ToolTimeoutError(tool=Path(command[0]).name, seconds=f"{seconds:g}") from error
            finally:
                with contextlib.suppress(ProcessLookupError):  # nobody is left, the usual case
                    os.killpg(child.pid, signal.SIGKILL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Finished(status=child.returncode, tail=said[-TAIL_CHARACTERS:].decode("utf-8", "replace"))


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
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def ended(self, *, late: bool) -> Ended:
        """The end, with the last of what was said."""
        self.said.seek(0, os.SEEK_END)
        self.said.seek(max(0, self.said.tell() - TAIL_CHARACTERS))
        finished = None if late else Finished(status=self.child.returncode, tail=self.said.read().decode("utf-8", "replace"))
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
                done = [one for one in running if one.child.poll() is not None or time.monotonic() - one.begin > seconds]
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


def _begun(number: int, command: Sequence[str], folder: Path, said: IO[bytes]) -> _Running:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        return _Running(number=number, child=_started(command, folder, None, said, before), said=said, begin=time.monotonic())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None, stdout: int | IO[bytes], before: AbstractSet[int]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # a fixed program with arguments of ours, no shell
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, **(environment or {}), "LC_ALL": "C"},
        preexec_fn=partial(_prepare, before),  # noqa: PLW1509  # only sets limits and signals
    )


def _prepare(signals: AbstractSet[int]) -> None:
    """In the child, before its program starts."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)
    _, allowed = resource.getrlimit(resource.RLIMIT_AS)
    limit = CHILD_MEMORY_BYTES if allowed == resource.RLIM_INFINITY else min(CHILD_MEMORY_BYTES, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
