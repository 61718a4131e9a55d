"""Child processes with limits on time and memory, ended with everything they started."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fpgacnn.errors import ToolTimeoutError

CHILD_MEMORY_BYTES = 12 << 30
TAIL_CHARACTERS = 4000

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
        with subprocess.Popen(  # noqa: S603  # a fixed program with arguments of ours, no shell
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(environment or {}), "LC_ALL": "C"},
            preexec_fn=partial(_prepare, before),  # noqa: PLW1509  # only sets limits and signals
        ) as child:
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


def _prepare(signals: AbstractSet[int]) -> None:
    """In the child, before its program starts."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)
    _, allowed = resource.getrlimit(resource.RLIMIT_AS)
    limit = CHILD_MEMORY_BYTES if allowed == resource.RLIM_INFINITY else min(CHILD_MEMORY_BYTES, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
