"""Tables that fit the terminal: columns that matter least are left out, texts are folded between words.

A table that is still too wide is written row by row, each value below its row's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP = 2
FIRST_ROWS, LAST_ROWS = 150, 50
MOST_ROWS = FIRST_ROWS + LAST_ROWS
"""A longer table is shown without its middle: it would take longer to draw than most of a conversion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A column; one with a `rank` may be left out, the highest first; one with a `least` width may be folded."""

    name: str
    right: bool = False
    rank: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FittingTable:
    """Rows under headings, which is drawn as wide as the terminal allows; `styles` are those of the rows."""

    headings: tuple[Heading, ...]
    rows: tuple[tuple[Text, ...], ...]
    styles: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """The table for this terminal, without the rows in the middle if there are very many."""
        if len(self.rows) > MOST_ROWS:
            yield from self._shortened()
            return
        kept = self.kept(options.max_width)
        if self._needed(kept) > options.max_width:
            yield from self._row_by_row()
        else:
            yield self._drawn(kept)

    def _shortened(self) -> Iterator[RenderableType]:
        rows = self.rows[:FIRST_ROWS] + self.rows[-LAST_ROWS:]
        yield replace(self, rows=rows, styles=self.styles[:FIRST_ROWS] + self.styles[-LAST_ROWS:])
        left_out = len(self.rows) - len(rows)
        yield Text(f"({left_out:,} rows after the first {FIRST_ROWS} are left out; --json and a report have all)")

    def kept(self, width: int) -> tuple[int, ...]:
        """The places of the columns that fit into so many columns of the terminal."""
        kept = list(range(len(self.headings)))
        while self._needed(kept) > width and any(self.headings[place].rank for place in kept):
            kept.remove(max(kept, key=lambda place: self.headings[place].rank))
        return tuple(kept)

    def _natural(self, place: int) -> int:
        texts = [len(self.headings[place].name), *(row[place].cell_len for row in self.rows)]
        return max(texts)

    def _needed(self, kept: Sequence[int]) -> int:
        """The least width of a table with these columns."""
        widths = [
            min(self.headings[place].least, natural) if self.headings[place].least else natural
            for place, natural in ((place, self._natural(place)) for place in kept)
        ]
        return sum(widths) + GAP * (len(widths) - 1)

    def _drawn(self, kept: Sequence[int]) -> Table:
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
        for place in kept:
            one = self.headings[place]
            table.add_column(
                escape(one.name),
                justify="right" if one.right else "left",
                no_wrap=not one.least,
                min_width=min(one.least, self._natural(place)) or None,
                overflow="fold",
            )
        for number, row in enumerate(self.rows):
            table.add_row(*(row[place] for place in kept), style=self.styles[number] if self.styles else "")
        return table

    def _row_by_row(self) -> Iterator[RenderableType]:
        """Every row as its name and a line for each value."""
        widest = max(len(one.name) for one in self.headings)
        for row in self.rows:
            yield Text.assemble((row[0].plain or "–", "bold"))
            for one, value in zip(self.headings[1:], row[1:], strict=True):
                if value.plain:
                    yield Padding(Text.assemble((f"{one.name:<{widest}}  ", "dim"), value), (0, 0, 0, 2), expand=False)


def left(name: str, *, rank: int = 0, least: int = 0) -> Heading:
    """A column of texts."""
    return Heading(name=name, rank=rank, least=least)


def right(name: str, *, rank: int = 0) -> Heading:
    """A column of numbers."""
    return Heading(name=name, right=True, rank=rank)
