"""Closed sets of words from which a user chooses."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

from fpgacnn.errors.networks import UnknownNameError


class Choice(StrEnum):
    """Words of which one is chosen; any other raises UnknownNameError, which lists them."""

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).strip()
        raise UnknownNameError(what=words, name=str(value), known=", ".join(cls))
