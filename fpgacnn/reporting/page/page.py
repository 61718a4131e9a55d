"""The types of a page: verdicts, sections, tables. Terminal, Markdown and HTML show the same content."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from fpgacnn.reporting.charts import Mark
from fpgacnn.reporting.formatting import NOTHING, number
from fpgacnn.reporting.study_charts import Drawing


class Tone(StrEnum):
    """Whether a statement is good, bad or neutral, and whether it is the same as its neighbours."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    SAME = "same"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Text with its number for sorting, and in HTML with a chart beside it."""

    text: str
    number: float | None = None
    tone: Tone = Tone.PLAIN
    mark: Mark | None = None


def cell(text: str, tone: Tone = Tone.PLAIN) -> Cell:
    """A text."""
    return Cell(text=text or NOTHING, tone=tone)


def count(value: float | None, digits: int = 4) -> Cell:
    """A number that can be sorted."""
    known = value is not None and isfinite(value)
    return Cell(text=number(value, digits), number=value if known else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading with its unit. Numbers are aligned right; `code` is in a monospaced font, `drawn` has charts only.

    A `minor` column is left out on narrow screens.
    """

    name: str
    unit: str = ""
    number: bool = False
    code: bool = False
    drawn: bool = False
    minor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings; the first column that is not drawn names the row. The order of `ordered` rows has a meaning.

    The columns of an `even` table are equally wide, so that several tables below each other line up.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    ordered: bool = False
    even: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of a report; `words` are above the drawings and tables, `notes` below.

    `legend` explains charts where they are shown. The content of a `folded` section is shown on demand.
    """

    key: str
    title: str
    words: tuple[str, ...] = ()
    legend: tuple[str, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A frequent question, its answer in two words, and the reason."""

    question: str
    answer: str
    detail: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One project."""

    name: str
    file: str
    subtitle: str
    verdicts: tuple[Verdict, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The report: one project, or several with a comparison side by side."""

    title: str
    version: str
    overview: tuple[Section, ...]
    chapters: tuple[Chapter, ...]
