"""What a board's drivers need besides the words: how numbers become codes, and events for the test on the board."""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn.ir.fixed_point import CodeArray, Format
from fpgacnn.ir.source import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How real numbers become codes of one input: format with its modes, element type of the file.

    `exact`: numbers that the format does not have are refused, not rounded.
    """

    name: str
    mode: Format
    element: str
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """Events for the test on the board: real numbers of each input, codes of each output, (events, ...shape)."""

    inputs: tuple[FloatArray, ...]
    outputs: tuple[CodeArray, ...]
