"""Read untrusted C++ as text, in time that grows linearly with its length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fpgacnn.errors import UnreadableProjectError
from fpgacnn.system.files.regular import read_regular_text

MAX_BYTES = 1 << 28
MAX_CODE_BYTES = 1 << 24
MAX_NUMBER = 10**9
"""Larger numbers are not sizes of hardware."""


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """A file's text.

    Raises UnreadableProjectError.
    """
    try:
        return read_regular_text(path, limit=limit, errors="replace")
    except OSError as error:
        raise UnreadableProjectError(file=path, why=error.strerror or str(error)) from error


def read_code(path: Path) -> str:
    """A file's code without block comments and empty lines, with single blanks.

    Then no pattern can try the same run of blanks again and again.

    Raises UnreadableProjectError.
    """
    code = _without_comments(read_text(path, MAX_CODE_BYTES))
    return "\n".join(" ".join(line.split()) for line in code.splitlines() if line.strip())


def _without_comments(code: str) -> str:
    """An unterminated comment counts as code."""
    parts, place = [], 0
    while (start := code.find("/*", place)) >= 0 and (end := code.find("*/", start + 2)) >= 0:
        parts.append(code[place:start])
        place = end + 2
    return "".join((*parts, code[place:]))


def blocks(code: str) -> Iterator[str]:
    """The code up to each line that closes a structure."""
    yield from code.split("\n};")[:-1]


def number(word: str) -> int | None:
    """An integer of a plausible size; None for anything else."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < len(str(MAX_NUMBER)) else None
