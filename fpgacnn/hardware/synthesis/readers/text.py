"""Report files as bounded text, and HLS reports as sections of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import FileMissingError, ReportBrokenError, ReportRefusedError
from fpgacnn.system.files.regular import IrregularFileError, read_regular

MAX_BYTES = 128 << 20
"""The largest report seen has 3 MB."""

TITLE = "== "
_FIELD = re.compile(r"\* (Date|Version|Project|Solution|Product family|Target device):(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """A table's last header line, and its rows; all rows have as many cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, *names: str) -> int | None:
        """The index of a column with one of these names; None if the table has none."""
        return next((place for place, name in enumerate(self.header) if name in names), None)


def read_text(path: Path, name: str) -> str:
    """A report's text.

    Raises FileMissingError, ReportRefusedError.
    """
    try:
        content = read_regular(path, limit=MAX_BYTES)
    except IrregularFileError as error:
        raise ReportRefusedError(file=name, why=error.strerror or str(error)) from error
    except OSError as error:
        raise FileMissingError(file=name, why=error.strerror or str(error)) from error
    return content.decode("utf-8", "replace").replace("\r\n", "\n")


def parse_table(lines: Sequence[str], file: str, section: str) -> ReportTable:
    """A table drawn with `+---+` and `|`.

    Raises ReportBrokenError if it is cut off or its rows do not fit its header.
    """
    borders = [line.strip() for line in lines if line.lstrip().startswith("+-")]
    if len(borders) < 3 or lines[-1].strip() != lines[0].strip() or borders[-1] != lines[-1].strip():
        raise ReportBrokenError(file=file, section=section, why="its table is cut off")
    groups: list[list[tuple[str, ...]]] = [[]]
    for line in lines[1:]:
        if line.lstrip().startswith("+-"):
            groups.append([])
        else:
            groups[-1].append(_cells(line, file, section))
    header = tuple(cell.strip() for cell in (groups[0][-1:] or [()])[0])
    rows = [row for group in groups[1:] for row in group]
    for row in rows:
        if len(row) != len(header):
            raise ReportBrokenError(
                file=file, section=section, why=f"a row has {len(row)} cells under a header of {len(header)}"
            )
    return ReportTable(header=header, rows=tuple(rows))


def _cells(line: str, file: str, section: str) -> tuple[str, ...]:
    text = line.strip()
    if not text.endswith("|") or len(text) < 2:
        raise ReportBrokenError(file=file, section=section, why="a row is cut off")
    return tuple(cell.rstrip() for cell in text[1:-1].split("|"))


class HlsText:
    """A report of Vivado or Vitis HLS: its title, its general fields and its tables by section and heading."""

    __slots__ = ("_blocks", "fields", "file", "title")

    def __init__(self, text: str, file: str) -> None:
        self.file, self.title = file, ""
        self.fields: dict[str, str] = {}
        self._blocks: dict[tuple[str, ...], list[str]] = {}
        self._read(text.splitlines())

    def _read(self, lines: Sequence[str]) -> None:
        section, path, block = "", dict[int, str](), list[str]()
        for line in lines:
            words = line.strip()
            if line.startswith(TITLE):
                section, path, block = words.removeprefix(TITLE), {}, []
                self.title = self.title or section
                self._blocks[(section,)] = block
            elif field := _FIELD.fullmatch(words):
                self.fields.setdefault(field[1], field[2].strip())
            elif heading := _heading(words):
                indent = len(line) - len(line.lstrip())
                path = {place: name for place, name in path.items() if place < indent} | {indent: heading}
                block = []
                # HLS's notes of its scheduler repeat headings behind the report; the first ones are the report's.
                self._blocks.setdefault((section, *path.values()), block)
            elif words:
                block.append(line)

    def has(self, *path: str) -> bool:
        """Whether a heading is there."""
        return path in self._blocks

    def headings(self, section: str) -> tuple[str, ...]:
        """The headings directly below a section's title."""
        return tuple(path[1] for path in self._blocks if len(path) == 2 and path[0] == section)

    def table(self, *path: str) -> ReportTable | None:
        """The table below a heading, None if the tool says N/A.

        Raises ReportBrokenError if the heading or what should stand below is missing.
        """
        where = " > ".join(path)
        if path not in self._blocks:
            raise ReportBrokenError(file=self.file, section=where, why="it is missing; the report ends early")
        lines = self._blocks[path]
        if lines and lines[0].strip() == "N/A":
            return None
        drawn = list(drawn_lines(lines))
        if not drawn:
            raise ReportBrokenError(
                file=self.file, section=where, why="there is neither a table nor N/A; the report ends early"
            )
        return parse_table(drawn, self.file, where)

    def needed(self, *path: str) -> ReportTable:
        """The table below a heading that may not be N/A.

        Raises ReportBrokenError.
        """
        found = self.table(*path)
        if found is None or not found.rows:
            raise ReportBrokenError(file=self.file, section=" > ".join(path), why="the table is empty")
        return found


def _heading(words: str) -> str:
    """The name in `+ Latency (clock cycles):`, empty if a line is no heading."""
    if words[:2] not in {"+ ", "* "} or not words[2:3].isalpha() or "|" in words:
        return ""
    name = words[2:].removesuffix(":")
    return name.rpartition("(")[0].rstrip() if name.endswith(")") else name


def drawn_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines of the first table."""
    begun = False
    for line in lines:
        if line.lstrip().startswith(("+-", "|")):
            begun = True
            yield line
        elif begun:
            return
