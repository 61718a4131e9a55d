"""Numbers of vendor reports, with stage and file, the unit in the name, and None without a number.

HLS counts block RAM in blocks of 18 Kb, Vivado in tiles of 36 Kb of which half may be used: two fields, `bram_18k` and
`bram_tiles`. Ranges keep both ends; `?` and `undef` are None at that end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The stage of a number: HLS's own estimate, logic synthesis, placement and routing, or RTL simulation."""

    CSYNTH = "csynth"
    SYNTH = "synth"
    IMPL = "impl"
    COSIM = "cosim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a number comes from: the stage, and the file relative to the project folder."""

    stage: Stage
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntRange:
    """From `least` to `most`: equal for a single number, None if it is unknown."""

    least: int | None
    most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatRange:
    """A range of real numbers."""

    least: float | None
    most: float | None


UNKNOWN = IntRange(least=None, most=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Counts of the fabric: used, or available."""

    origin: Origin
    lut: int | None
    ff: int | None
    dsp: int | None
    bram_18k: int | None = None
    bram_tiles: float | None = None
    uram: int | None = None

    @property
    def bram_18k_blocks(self) -> int | None:
        """Block RAM in blocks of 18 Kb, whichever way the tool counts."""
        return self.bram_18k if self.bram_tiles is None else round(2 * self.bram_tiles)

    @property
    def counts(self) -> Mapping[str, int | None]:
        """All five by their names."""
        return {
            "LUT": self.lut,
            "FF": self.ff,
            "DSP": self.dsp,
            "BRAM (18 Kb)": self.bram_18k_blocks,
            "URAM": self.uram,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NetlistCells:
    """The primitives of a netlist by kind.

    `luts`: look-up tables by their number of inputs. `carry`: carry chains in primitives. `shift_registers`: look-up
    tables as shift registers. `memory_luts`: look-up tables as memory. `primitives`: every primitive by its name;
    `others` are those that no count has.
    """

    luts: Mapping[str, int]
    carry: int
    shift_registers: int
    memory_luts: int
    primitives: Mapping[str, int]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingPath:
    """A path between two registers: where it begins and ends, its whole delay, and the part of it in cells."""

    begin: str
    end: str
    delay_ns: float
    cells_ns: float
    levels: int
