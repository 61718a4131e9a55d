"""The table of boards: part, processor or card, clock, DMA and memory widths, each with its source."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files

from fpgacnn.errors import UnknownNameError

OLDEST_TOOL, NEWEST_TOOL = (2021, 1), (2025, 2)
"""Releases of Vitis HLS and Vivado that the scripts are written for."""


class BoardKind(StrEnum):
    """How events get to the FPGA: a DMA beside a processor, a serial line, or the memory of a card."""

    ZYNQ7000 = "zynq7000"
    ZYNQMP = "zynqmp"
    UART = "uart"
    ALVEO = "alveo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One board. `word_bits`: width of both AXI4-Streams; `memory_bits`: of the port to memory, 0 where there is none.

    `length_bits`: of the DMA's length register. `pins`, `baud`: of a serial board; `memory`, `platform`: of a card.
    `leds`: pins of user LEDs beside a processor, with their `led_standard`, or `linux_leds`, names of the processor's.
    """

    name: str
    title: str
    kind: BoardKind
    part: str
    board_part: str
    clock_mhz: int
    word_bits: int
    memory_bits: int
    length_bits: int
    source: str
    baud: int = 0
    pins: Mapping[str, str] = field(default_factory=dict)
    memory: str = ""
    platform: str = ""
    leds: Sequence[str] = ()
    led_standard: str = ""
    linux_leds: Sequence[str] = ()
    led_source: str = ""

    @property
    def clock_ns(self) -> float:
        """The clock period."""
        return 1000.0 / self.clock_mhz

    @property
    def has_processor(self) -> bool:
        """Whether a processor of the chip drives a DMA."""
        return self.kind in {BoardKind.ZYNQ7000, BoardKind.ZYNQMP}


@cache
def boards() -> Mapping[str, Board]:
    """All boards by name."""
    table = tomllib.loads(files("fpgacnn.hardware.board").joinpath("boards.toml").read_text(encoding="utf-8"))
    found = [Board(**{**row, "kind": BoardKind(row["kind"])}) for row in table["boards"]]
    return {board.name: board for board in found}


def find_board(name: str) -> Board:
    """The board of a name; case, spaces, dashes and underscores do not matter, nor `alveo` in front.

    Raises UnknownNameError, which lists all boards.
    """
    by_key = {_key(known): board for known, board in boards().items()}
    board = by_key.get(_key(name))
    if board is None:
        raise UnknownNameError(what="board", name=name, known=", ".join(boards()))
    return board


def _key(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.casefold()).removeprefix("alveo")
