"""Wrong command lines in the words of the command line, with the command whose help says more."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import typer

from fpgacnn.errors import UsageError

QUOTE = "'"
_OTHER_WORD = re.compile(r"Value error, (.*) is not one of (.*)")
_REWORDED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Input should be a valid integer\b.*"), "expected a whole number"),
    (re.compile(r"Input should be a valid number\b.*"), "expected a number"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"expected \1 or more"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"expected \1 or less"),
    (re.compile(r"Input should be (.*)"), r"expected \1"),
    (re.compile(r"Value error, (.*)"), r"\1"),
)
"""What the library says that checks values -> what users read."""


def usage_error(error: typer.TyperException) -> UsageError:
    """An error of the library that parses the command line, in our words."""
    label, colon, why = error.format_message().rstrip(".").partition("': ")
    return UsageError(what=f"{label}{colon}{_reworded(why)}" if colon else label)


def _reworded(why: str) -> str:
    if found := _OTHER_WORD.fullmatch(why):
        return f"{found[1]} is none of {found[2].replace(QUOTE, '')}"
    for pattern, words in _REWORDED:
        if found := pattern.fullmatch(why):
            return found.expand(words)
    return why


def command_in(words: Sequence[str], commands: Collection[str]) -> str | None:
    """The command in a command line; None if there is none or an unknown one."""
    first = next((word for word in words if not word.startswith("-")), None)
    return first if first in commands else None
