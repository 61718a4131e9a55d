"""Named stages, their times, and a progress display."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TypeAlias

Progress: TypeAlias = Callable[[str], AbstractContextManager[None]]


def silent(_stage: str) -> AbstractContextManager[None]:
    """A progress display that shows nothing."""
    return nullcontext()


@dataclass(slots=True, kw_only=True)
class Stopwatch:
    """Measures the time of stages and calls the progress display."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[None]:
        """Run a block as the stage `name`."""
        start = time.perf_counter()
        with self.progress(words):
            yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)
