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

from fpgacnn.errors import printable
from fpgacnn.system.progress import Progress, silent

if TYPE_CHECKING:
    from fpgacnn.api.names import Epoch, Watch

WIDE_WHERE_PIPED = 200
SHOWN_OF_A_LINE = 100


def out() -> Console:
    """Standard output; wide where it is no terminal, so that tables are not folded in files."""
    return Console(width=None if sys.stdout.isatty() else WIDE_WHERE_PIPED, highlight=False, soft_wrap=False)


@cache
def err() -> Console:
    """Standard error; lines are never folded. One console, so that lines and a spinner know of each other."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def show(parts: Iterable[RenderableType]) -> None:
    """Print a report, its parts set apart."""
    console = out()
    for part in parts:
        console.print(part)
        if not isinstance(part, str) and type(part).__name__ == "Table":
            console.print()


def show_json(value: Any) -> None:
    """Print one JSON document and nothing else."""
    from fpgacnn.api import json_text

    sys.stdout.write(json_text(value) + "\n")


def progress(*, quiet: bool) -> Progress:
    """One line a stage with its time, on a terminal that wants it."""
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
    """A bar that is told how many of how many are done, on a terminal that wants it."""
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
    """A line for each epoch of training, with a bar and the time to go at most, on a terminal that wants it."""
    console, begin = err(), time.perf_counter()
    if quiet or not console.is_terminal:
        return None
    first: list[int] = []

    def watch(epoch: Epoch, epochs: int) -> None:
        first.append(epoch.number)
        left = (time.perf_counter() - begin) / len(first) * (epochs - epoch.number)
        filled = "━" * round(20 * epoch.number / epochs)
        console.print(
            f"  epoch {epoch.number:3d}/{epochs} [green]{filled:<20}[/] validation loss {epoch.validation_loss:.4f} [dim]{left:.0f} s left[/]"
        )

    return watch


@contextmanager
def follow(*, quiet: bool, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Show the last line that a long-running tool said, or with `verbose` every line; nothing where nobody looks."""
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
    """Foreign text on one line, without the markup that it might hold."""
    return escape(printable(value))
