"""The pages of error codes on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text


def code_line(page: Mapping[str, Any]) -> Text:
    """A code and the first line of its meaning."""
    return Text(f"{page['code']}  {page['meaning'].splitlines()[0]}")


def code_page(page: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Meaning, the ways in which the code comes up, cure, example and exit status."""
    yield Text.assemble((f"{page['code']}: ", "bold"), " ".join(page["meaning"].split()))
    yield Text("\nHow it comes up", style="bold")
    for way in page["ways"]:
        yield _indented(f"{way['when']}:", 2)
        yield from _answer(way)
    yield Text("\nWhat to do", style="bold")
    yield _indented(page["cure"], 2)
    yield Text("\nExample", style="bold")
    yield from (_indented(line, 2) for line in page["example"].splitlines())
    status = page["exit_status"]
    kind = f"{page['class']} in Python, " if page["class"] else ""
    yield Text(f"\n{kind}exit status {status}" if status else "\nA caution of an estimate: the command goes on.")


def _answer(way: Mapping[str, str]) -> Iterator[RenderableType]:
    """What the command writes, below the reason."""
    yield _indented(way["message"], 6, "dim")
    if way["hint"]:
        yield _indented(f"hint: {way['hint']}", 6, "dim")


def _indented(text: str, columns: int, style: str = "") -> Padding:
    """A paragraph whose lines all begin at the same column."""
    return Padding(Text(text, style=style), (0, 0, 0, columns), expand=False)
