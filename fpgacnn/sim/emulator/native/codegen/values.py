"""C variables on lanes, and the lines of C that compute them.

A `Value` is a C variable with the exact interval of its codes, one pair of numbers for each channel or for all. The
interval decides whether 32 bits hold it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ends: TypeAlias = NDArray[np.object_]
"""Python integers, (1,) or (channels,), so that no bound overflows."""

CHANNEL_PADDING = 64
"""Kernels compute whole blocks of at most 56 channels; the last block may extend beyond the real channels."""

MIN32, MAX32 = -(1 << 31), (1 << 31) - 1


def ends(values: Any) -> Ends:
    """Numbers as exact Python integers in one row."""
    return np.atleast_1d(np.asarray(values)).astype(object).reshape(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A C variable: `wide` has 64 bits a lane. Its codes are in low..high and have `fraction` fraction bits."""

    text: str
    wide: bool
    low: Ends
    high: Ends
    fraction: int

    @property
    def hull(self) -> tuple[int, int]:
        """Smallest and largest code of all channels."""
        return int(self.low.min()), int(self.high.max())

    @property
    def letter(self) -> str:
        """The C type, which is the first letter of its functions."""
        return "w" if self.wide else "v"

    @property
    def magnitude(self) -> int:
        """The largest absolute code."""
        low, high = self.hull
        return max(abs(low), abs(high))


def fits32(low: int, high: int) -> bool:
    """Whether 32 bits represent both ends."""
    return low >= MIN32 and high <= MAX32


@dataclass(slots=True)
class Code:
    """C lines of one kernel and the numbers that they read: the text never contains the numbers themselves.

    So layers of equal structure share one compiled kernel, whatever their formats, sizes and weights are.
    `rectifies`: the lower limit of the result is a ReLU; measurements count nothing of values below it.
    """

    lines: list[str] = field(default_factory=list)
    prologue: list[str] = field(default_factory=list)
    scalars: list[int] = field(default_factory=list)
    tables: list[NDArray[Any]] = field(default_factory=list)
    tallies: list[str] = field(default_factory=list)
    measured: str | None = None
    rectifies: bool = False
    ranged: str = ""
    known: dict[tuple[int, bool], str] = field(default_factory=dict)
    names: Iterator[int] = field(default_factory=count)

    def inner(self) -> Code:
        """Lines of a block inside this code, which uses the same numbers."""
        return replace(self, lines=[])

    def name(self) -> str:
        """A new variable's name."""
        return f"x{next(self.names)}"

    def scalar(self, value: int, *, wide: bool) -> str:
        """A number that is the same for all channels."""
        if (value, wide) not in self.known:
            name = f"s{len(self.scalars)}"
            call = (
                f"w_of(splat64(s->scalar[{len(self.scalars)}]))"
                if wide
                else f"splat((int32_t)s->scalar[{len(self.scalars)}])"
            )
            self.prologue.append(f"const {'w' if wide else 'v'} {name} = {call};")
            self.scalars.append(value)
            self.known[value, wide] = name
        return self.known[value, wide]

    def number(self, value: int) -> str:
        """A plain C number."""
        self.scalars.append(value)
        self.prologue.append(f"const int64_t n{len(self.scalars)} = s->scalar[{len(self.scalars) - 1}];")
        return f"n{len(self.scalars)}"

    def table(self, values: NDArray[Any], kind: str) -> str:
        """A pointer to an array of numbers."""
        name = f"t{len(self.tables)}"
        self.prologue.append(f"const {kind} *{name} = s->table[{len(self.tables)}];")
        self.tables.append(np.ascontiguousarray(values))
        return name

    def each(self, values: Ends, *, wide: bool, index: str = "c") -> str:
        """A number for each channel (or for what `index` counts); one scalar if all are equal."""
        first = int(values[0])
        if all(int(value) == first for value in values):
            return self.scalar(first, wide=wide)
        padded = np.concatenate([values, np.zeros(CHANNEL_PADDING, object)])
        name = self.table(padded.astype(np.int64 if wide else np.int32), "int64_t" if wide else "int32_t")
        return f"w_of(splat64({name}[{index}]))" if wide else f"splat({name}[{index}])"

    def let(
        self, text: str, like: Value, *, low: Ends | None = None, high: Ends | None = None, wide: bool | None = None
    ) -> Value:
        """A new variable."""
        found = replace(
            like, text=self.name(), low=like.low if low is None else low, high=like.high if high is None else high
        )
        found = found if wide is None else replace(found, wide=wide)
        self.lines.append(f"{found.letter} {found.text} = {text};")
        return found

    def tally(self, what: str, mask: str, *, wide: bool) -> None:
        """With measurements: count the lanes of a mask as `what` of the current layer."""
        if self.measured is not None:
            self.tallies.append(f"{self.measured}:{what}")
            number = len(self.tallies) - 1
            self.prologue.append(f"v tally{number} = v_zero();")
            self.lines.append(f"tally{number} -= {f'w_mask({mask})' if wide else mask} & io->mask;")

    def extremes(self, value: Value) -> None:
        """With measurements: keep the smallest and largest code of the current layer."""
        if self.measured is not None:
            letter = value.letter
            self.prologue.append(f"{letter} least = {letter}_of_int64(INT64_MAX), most = {letter}_of_int64(INT64_MIN);")
            self.lines.append(f"least = {letter}_min(least, {value.text}); most = {letter}_max(most, {value.text});")
            self.ranged = letter


def widened(code: Code, value: Value) -> Value:
    """The value in 64 bits."""
    return value if value.wide else code.let(f"widen({value.text})", value, wide=True)


def narrowed(code: Code, value: Value) -> Value:
    """The value in 32 bits if they represent it."""
    return code.let(f"narrow({value.text})", value, wide=False) if value.wide and fits32(*value.hull) else value


def call(
    code: Code, function: str, value: Value, *operands: str, low: Ends | None = None, high: Ends | None = None
) -> Value:
    """A function of lanes on a value and operands of its width."""
    return code.let(f"{value.letter}_{function}({', '.join((value.text, *operands))})", value, low=low, high=high)
