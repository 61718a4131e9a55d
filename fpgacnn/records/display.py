"""How a record is displayed: one line in a terminal, the cards of its report in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from fpgacnn.errors import printable

MAX_LINE = 300


class Displayed:
    """A record with a short `repr`. `cards` gives its HTML; the API sets it, as reports belong to a higher layer."""

    __slots__ = ()

    cards: ClassVar[Callable[[object], str | None] | None] = None

    @property
    def line(self) -> str:
        """The record in one line."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{printable(self.line, MAX_LINE)}>"

    def _repr_html_(self) -> str | None:
        """The cards of the record's report as HTML, for notebooks; None if it has none, then the `repr` is shown."""
        return None if Displayed.cards is None else Displayed.cards(self)
