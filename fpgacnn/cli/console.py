"""Where commands write: results to stdout, everything else to stderr, progress only on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.system.progress import Progress, silent

if TYPE_CHECKING:
    from fpgacnn.api.names import Epoch, StudyProgress, Watch, WatchStudy

WIDE_WHERE_PIPED = 200
SHOWN_OF_A_LINE = 100


def out() -> Console:
    """The console of standard output. Tables in files and pipes are not folded."""
    return Console(width=None if sys.stdout.isatty() else WIDE_WHERE_PIPED, highlight=False, soft_wrap=False)


@cache
def err() -> Console:
    """The console of standard error.

    Lines are never folded. There is only one, so that lines and a spinner do not mix.
    """
    return Console(stderr=True, highlight=False, soft_wrap=True)


def show(parts: Iterable[RenderableType]) -> None:
    """Print the sections of a report with empty lines between them."""
    console = out()
    for part in parts:
        console.print(part)
        if not isinstance(part, str | Text | Padding):
            console.print()


def show_json(value: Any) -> None:
    """Print one JSON document and nothing else."""
    from fpgacnn.api import json_text

    sys.stdout.write(json_text(value) + "\n")


def progress(*, quiet: bool) -> Progress:
    """A progress display that prints one line with the time for each stage, on terminals and unless `--quiet`."""
    console = err()
    if quiet or not console.is_terminal:
        return silent

    @contextmanager
    def stage(words: str) -> Iterator[None]:
        start = time.perf_counter()
        safe = plain_text(words)
        with console.status(f"{safe} ..."):
            yield
        console.print(f"[green]✓[/] {safe} [dim]{time.perf_counter() - start:.1f} s[/]")

    def run(words: str) -> AbstractContextManager[None]:
        return stage(words)

    return run


@contextmanager
def bar(words: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar over a number of events, on terminals and unless `--quiet`."""
    console = err()
    if quiet or not console.is_terminal:
        yield lambda *_: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bars:
        task = bars.add_task(words, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def epochs_shown(*, quiet: bool) -> Watch | None:
    """A display with one line for each epoch and the time left, on terminals and unless `--quiet`."""
    console, begin = err(), time.perf_counter()
    if quiet or not console.is_terminal:
        return None
    first: list[int] = []

    def watch(epoch: Epoch, epochs: int) -> None:
        first.append(epoch.number)
        left = (time.perf_counter() - begin) / len(first) * (epochs - epoch.number)
        filled = "━" * round(20 * epoch.number / epochs)
        console.print(
            f"  epoch {epoch.number:3d}/{epochs} [green]{filled:<20}[/]"
            f" validation loss {epoch.validation_loss:.4f} [dim]{left:.0f} s left[/]"
        )

    return watch


@contextmanager
def study_shown(*, quiet: bool) -> Iterator[WatchStudy | None]:
    """A line with the trials done, the best numbers so far, the rate and the time left; on terminals, unless quiet."""
    console = err()
    if quiet or not console.is_terminal:
        yield None
        return
    with console.status("...") as status:

        def watch(now: StudyProgress) -> None:
            rate = 60.0 * now.computed / max(now.seconds, 1e-9)
            best = ", ".join(f"{name} {value:.4g}" for name, value in now.best.items())
            left = now.seconds_left
            if left is None and now.wanted is not None and now.computed:
                left = (now.wanted - now.done) * now.seconds / now.computed
            time_left = "" if left is None else f", {left:,.0f} s left"
            of = "" if now.wanted is None else f" of {now.wanted:,}"
            status.update(
                f"{now.done:,}{of} points, best {best or 'none within the limits'}"
                f" [dim]{rate:,.0f} points a minute (post-training){time_left}[/]"
            )

        yield watch


@contextmanager
def follow(*, quiet: bool, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Show the last line of a long-running tool, or with `verbose` every line.

    Nothing if standard error is no terminal.
    """
    console = err()
    if quiet or not (verbose or console.is_terminal):
        yield lambda _: None
    elif verbose:
        yield lambda line: console.print(printable(line), markup=False)
    else:
        start = time.perf_counter()
        with console.status("...") as status:
            yield lambda line: status.update(
                f"[dim]{time.perf_counter() - start:,.0f} s[/] {plain_text(line[:SHOWN_OF_A_LINE])}"
            )


def plain_text(value: object) -> str:
    """Foreign text on one line, with console markup escaped."""
    return escape(printable(value))
