"""Numbers from outside (flags, files of flags, the environment, arguments of functions): one check, with a range."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from fpgacnn.errors import UsageError

MOST_DIGITS = 30
"""Digits of a number that a message shows. Python refuses to write a number of thousands of digits."""

_WHOLE = re.compile(rf"[+-]?[0-9]{{1,{MOST_DIGITS}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NumberRange:
    """The numbers from `least` to `most`, both included. NaN and infinity are in no range."""

    least: float
    most: float

    def __str__(self) -> str:
        ends = (f"{end:,.0f}" if float(end).is_integer() else f"{end:g}" for end in (self.least, self.most))
        return " and ".join(ends)

    def check(self, words: str, value: Any) -> None:
        """Raise UsageError if a number is not in the range; `words` is its name in the message."""
        inside = self.least <= value <= self.most  # a whole number is compared exactly, however large it is
        if not inside or (isinstance(value, float) and not math.isfinite(value)):
            raise UsageError(what=f"{words} of {shown(value)} is not between {self}")

    def parsed(self, name: str, text: str) -> int:
        """The whole number in a text.

        Raises UsageError.
        """
        if not _WHOLE.fullmatch(text) or not self.least <= int(text) <= self.most:
            why = f"it must be a whole number between {self}"
            raise UsageError(what=f"{name} is {text[: MOST_DIGITS + 2]!r}; {why}")
        return int(text)


def shown(value: Any) -> str:
    """A number as a message shows it."""
    if isinstance(value, Integral) and abs(int(value)) >= 10**MOST_DIGITS:
        return f"a number of more than {MOST_DIGITS} digits"
    return str(value)
