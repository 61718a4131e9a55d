"""Which lines run in forks of a test, sent to the test through a pipe: a fork may be forbidden to write files.

Where coverage is not switched on (`make unit` does it), nothing here does anything.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fpgacnn.system import sandbox

_SOURCES = "*/fpgacnn/*"
_CAPACITY = 1 << 20
"""Bytes that the pipe holds: the lines of a fork need 50,000 at most, and are read when it has ended."""

Arc = tuple[int, int]


@dataclass(slots=True)
class ForkCoverage:
    """The arcs (line, next line) of the forks of this process, by file."""

    arcs: dict[str, set[Arc]] = field(default_factory=dict)

    def add(self, found: dict[str, list[list[int]]]) -> None:
        for file, arcs in found.items():
            self.arcs.setdefault(file, set()).update((start, end) for start, end in arcs)


FORKS = ForkCoverage()


@dataclass(frozen=True, slots=True)
class LinePipe:
    """The pipe through which one fork sends its lines. Open it before the fork."""

    read: int
    write: int

    @classmethod
    def opened(cls) -> LinePipe | None:
        """A pipe, or None where coverage is not switched on."""
        if coverage_of_this_process() is None:
            return None
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _CAPACITY)
        return cls(read, write)

    @contextmanager
    def written_down(self) -> Iterator[None]:
        """In the fork: lines of the body, and of its own forks, are sent."""
        import coverage

        os.close(self.read)
        coverage_of_this_process().stop()
        FORKS.arcs.clear()
        own = coverage.Coverage(data_file=None, branch=True, config_file=False, include=[_SOURCES])
        own.set_option("run:disable_warnings", ["no-data-collected"])  # a fork may do nothing of ours
        own.start()
        try:
            yield
        finally:
            own.stop()
            data = own.get_data()
            FORKS.add({file: data.arcs(file) for file in data.measured_files()})
            with os.fdopen(self.write, "wb") as file:
                file.write(json.dumps({name: sorted(arcs) for name, arcs in FORKS.arcs.items()}).encode())

    def collect(self) -> None:
        """In the parent, after the fork has ended: take its lines. A fork that was killed has sent none."""
        os.close(self.write)
        with os.fdopen(self.read, "rb") as file:
            content = file.read()
        FORKS.add(json.loads(content) if content else {})

    def close(self) -> None:
        """Without a fork."""
        os.close(self.read)
        os.close(self.write)


def coverage_of_this_process() -> Any:
    """What writes down which lines run here, or None."""
    library = sys.modules.get("coverage")
    return library.Coverage.current() if library else None


def with_coverage(forked: Callable[[sandbox.Work, sandbox.ChildLimits], sandbox._Child]) -> Any:
    """`sandbox._forked` whose children send their lines."""

    def measured(work: sandbox.Work, limits: sandbox.ChildLimits) -> sandbox._Child:
        pipe = LinePipe.opened()
        if pipe is None:
            return forked(work, limits)

        def blocks() -> Iterator[bytes | memoryview]:
            with pipe.written_down():
                yield from work()

        try:
            child = forked(blocks, limits)
        except OSError:
            pipe.close()
            raise

        def wait() -> int:
            status = child.wait()
            pipe.collect()
            return status

        return replace(child, wait=wait)

    return measured


def keep_lines_of_forks() -> None:
    """Add the lines of forks to what this process writes at its end."""
    if (measured := coverage_of_this_process()) and FORKS.arcs:
        measured.get_data().add_arcs(FORKS.arcs)
