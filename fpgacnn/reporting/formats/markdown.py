"""Write a page as Markdown (with GitHub's tables); every character with a meaning in Markdown or HTML is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fpgacnn.reporting.formatting import NOTHING, clean
from fpgacnn.reporting.page.page import Chapter, Page, Section, Table, Tone

HEAD = "<!-- fpgacnn report -->"
SYMBOLS = {Tone.GOOD: "✓ ", Tone.WARN: "! ", Tone.BAD: "✗ ", Tone.PLAIN: "", Tone.SAME: ""}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_MARKUP = re.compile(r"[\\`*_\[\]~$|#]")
_LINK = re.compile(r"(?i)(:(?=//))|((?<=www)\.)")
_LINE_START = re.compile(r"^([+=-]|\d+(?=[.)](\s|$)))")


def markdown(page: Page) -> str:
    """The page as Markdown."""
    return "\n".join(_page(page)).rstrip() + "\n"


def _page(page: Page) -> Iterator[str]:
    yield from (HEAD, f"# {text(page.title)}", "")
    for section in page.overview:
        yield from _section(section, 2)
    alone = len(page.chapters) == 1
    for chapter in page.chapters:
        yield from _chapter(chapter, 2 if alone else 3, titled=not alone)
    yield f"Made by fpgacnn {text(page.version)}."


def _chapter(chapter: Chapter, level: int, *, titled: bool) -> Iterator[str]:
    if titled:
        yield from (f"## {text(chapter.name)}", "", *([text(chapter.file), ""] if chapter.file else ()))
    yield from (text(chapter.subtitle), "")
    yield from ("| | | |", "|---|---|---|")
    yield from (
        f"| {text(one.question)} | **{SYMBOLS[one.tone]}{text(one.answer)}** | {text(one.detail)} |"
        for one in chapter.verdicts
    )
    yield ""
    for section in chapter.sections:
        yield from _section(section, level)


def _section(section: Section, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {text(section.title)}", "")
    for words in section.words:
        yield from (text(words), "")
    for table in section.tables:
        yield from _table(table)
    for note in section.notes:
        yield f"- {text(note)}"
    if section.notes:
        yield ""


def _table(table: Table) -> Iterator[str]:
    shown = [place for place, column in enumerate(table.columns) if not column.drawn]
    if not shown:
        return
    columns = [table.columns[place] for place in shown]
    yield _row(
        [f"{text(column.name)} ({text(column.unit)})" if column.unit else text(column.name) for column in columns]
    )
    yield _row(["---:" if column.number else "---" for column in columns])
    for row in table.rows:
        yield _row(
            [
                SYMBOLS[row[place].tone] * (row[place].tone in (Tone.GOOD, Tone.BAD)) + text(row[place].text)
                for place in shown
            ]
        )
    yield ""


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def text(value: str) -> str:
    """Foreign text on one line, without markup, links, mentions or ends of cells."""
    escaped = _MARKUP.sub(r"\\\g<0>", clean(value))
    harmless = "".join(_ENTITIES.get(character, character) for character in escaped)
    return _LINE_START.sub(_entity, _LINK.sub(_entity, harmless)) or NOTHING


def _entity(found: re.Match[str]) -> str:
    """The first character as a numeric entity, so that it cannot begin a link, list or underline."""
    return f"&#{ord(found[0][0])};{found[0][1:]}"
