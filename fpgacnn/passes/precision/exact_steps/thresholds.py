"""Exact thresholds of a step function, by bisection over the input's integer codes.

Between two turns the function only rises or only falls, so bisection finds every change of its value. The function is
evaluated at the real numbers that the codes stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import (
    MAX_WIDTH,
    CodeArray,
    Codes,
    Format,
    Overflow,
    Rounding,
    exact_codes,
)
from fpgacnn.ir.functions import near_tie, turning_points
from fpgacnn.ir.interval import per_channel
from fpgacnn.ir.source import FloatArray
from fpgacnn.passes.precision import nodes
from fpgacnn.passes.precision.bounds import FLOAT32_BITS, Bound, magnitude
from fpgacnn.passes.precision.exact_steps.code_values import CodeValues
from fpgacnn.passes.precision.exact_steps.step_functions import StepFunction

MAX_PLACES = 1 << 10
"""Most values of one row, for a binary search of ten comparisons."""

MAX_NUMBERS = 1 << 16
"""Most values of all rows together."""

MAX_CODE_BITS = 53
"""Widest threshold without its sign: hls4ml writes decimal numbers that C++ reads as double.

Powers of two change between two doubles, as float32's logarithm decides, so their thresholds are doubles of any size.
"""

MAX_REACH_BITS = 52
"""Limit of the input's error, in bits of its steps, so that no sum of codes overflows."""

INDEX_BITS = 11
"""Inputs of at most so many bits have a table with an entry for every code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Changes of the functions of all rows: at code `at` another level begins; sorted by row, then by code.

    A row is a channel, or all channels if they share a function. `low` and `high` (rows,) are the ends of the search.
    """

    row: NDArray[np.int64]
    at: CodeArray
    low: CodeArray
    high: CodeArray
    values: CodeValues

    def of(self, row: int) -> CodeArray:
        return self.at[self.row == row]


def build(
    function: StepFunction, given: Bound, form: Format, channels: int, values: CodeValues | None = None
) -> nodes.PlannedLookup | nodes.PlannedThresholds | None:
    """The exact hardware of a step function for inputs of format `form`; None if it has too many steps or bits.

    `values` are the real numbers that codes of the input stand for, but for its error; None if they are multiples of
    the format's step.
    """
    values = values or CodeValues(fraction=form.fraction)
    if given.interval.low.shape[-1] not in {1, channels}:
        return None
    low, high = per_channel(given.interval, channels)
    if function.is_shared:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    reach = (
        int(min(np.ceil(np.ldexp(given.error, form.fraction)), float(1 << MAX_REACH_BITS))) + 1 if given.error else 0
    )
    if reach >= 1 << MAX_REACH_BITS:
        return None
    least, most = (
        int(np.clip(end, -float(1 << MAX_WIDTH), float(1 << MAX_WIDTH)))
        for end in (np.floor(np.ldexp(given.reals[0], form.fraction)), np.ceil(np.ldexp(given.reals[1], form.fraction)))
    )
    rows = _changes(
        function,
        np.maximum(low - reach, np.minimum(low, least)),
        np.minimum(high + reach, np.maximum(high, most)),
        values,
    )
    if rows is None:
        return None
    moved = _moved(function, rows, reach)
    if moved is None:
        return None
    rounds = given.magnitude_bits > FLOAT32_BITS or _may_differ(function, rows, given)
    if function.is_shared and form.width <= INDEX_BITS:
        return _table(function, form, moved, values, rounds_in_float32=rounds)
    return _comparisons(function, rows, form, (low, high), moved, rounds_in_float32=rounds)


# --- where values change -------------------------------------------------------------------------------------------


def _changes(function: StepFunction, low: CodeArray, high: CodeArray, values: CodeValues) -> _Rows | None:
    """All changes between the ends (rows,); None if there are too many."""

    def pieces(codes: CodeArray, row: NDArray[np.int64]) -> FloatArray:
        argument = function.argument(values(codes), row)
        return np.searchsorted(np.array(turning_points(function.function.function)), argument, side="right").astype(
            np.float64
        )

    def levels(codes: CodeArray, row: NDArray[np.int64]) -> FloatArray:
        return function.levels(values(codes), row)

    every = np.arange(len(low))
    split = _bisected(pieces, every, low, high)
    assert split is not None  # a function turns once
    row, at = split
    order = np.lexsort((at, row))
    row, at = row[order], at[order]
    starts = np.concatenate([low, at])
    owners = np.concatenate([every, row])
    order = np.lexsort((starts, owners))
    starts, owners = starts[order], owners[order]
    last = np.append(owners[1:] != owners[:-1], True)
    ends = np.where(last, high[owners], np.append(starts[1:] - 1, 0))
    found = _bisected(levels, owners, starts, ends)
    if found is None:
        return None
    jumps = starts[1:][~last[:-1]]
    between = owners[1:][~last[:-1]]
    differ = levels(jumps - 1, between) != levels(jumps, between)
    row, at = np.concatenate([found[0], between[differ]]), np.concatenate([found[1], jumps[differ]])
    order = np.lexsort((at, row))
    return _Rows(row=row[order], at=at[order], low=low, high=high, values=values)


def _bisected(
    levels: Callable[[CodeArray, NDArray[np.int64]], FloatArray],
    row: NDArray[np.int64],
    low: CodeArray,
    high: CodeArray,
) -> tuple[NDArray[np.int64], CodeArray] | None:
    """(row, code) of every first code of another level between the ends; levels only rise or only fall between them."""
    before, behind = levels(low, row), levels(high, row)
    rows: list[NDArray[np.int64]] = []
    places: list[CodeArray] = []
    most = max(MAX_NUMBERS, 2 << INDEX_BITS)
    found = 0
    while row.size:
        open_ = before != behind
        row, low, high, before, behind = row[open_], low[open_], high[open_], before[open_], behind[open_]
        done = high - low == 1
        rows.append(row[done])
        places.append(high[done])
        found += int(done.sum())
        row, low, high, before, behind = row[~done], low[~done], high[~done], before[~done], behind[~done]
        if found + row.size > most:
            return None
        middle = low + (high - low) // 2
        between = levels(middle, row)
        row, low, high = np.concatenate([row, row]), np.concatenate([low, middle]), np.concatenate([middle, high])
        before, behind = np.concatenate([before, between]), np.concatenate([between, behind])
    return np.concatenate([np.empty(0, np.int64), *rows]), np.concatenate([np.empty(0, np.int64), *places])


# --- as hardware ---------------------------------------------------------------------------------------------------


def _table(
    function: StepFunction, form: Format, moved: float, values: CodeValues, *, rounds_in_float32: bool
) -> nodes.PlannedLookup | None:
    bits = np.arange(1 << form.width)
    inputs = np.where(bits > form.high, bits - (1 << form.width), bits) if form.signed else bits
    table = function.codes(function.levels(values(inputs), np.zeros(inputs.size, np.int64)))
    if table is None:
        return None
    return nodes.PlannedLookup(
        table=table,
        error=moved,
        what=f"{function.text}, {1 << form.width} entries",
        rounds_in_float32=rounds_in_float32,
    )


def _comparisons(
    function: StepFunction,
    rows: _Rows,
    form: Format,
    ends: tuple[CodeArray, CodeArray],
    moved: float,
    *,
    rounds_in_float32: bool,
) -> nodes.PlannedThresholds | None:
    low, high = ends
    inside = (rows.at > low[rows.row]) & (rows.at <= high[rows.row])
    kept = replace(rows, row=rows.row[inside], at=rows.at[inside])
    counts = np.bincount(kept.row, minlength=len(low))
    places = 1 << max(int(counts.max()).bit_length(), 1)
    if places > MAX_PLACES or places * len(low) > MAX_NUMBERS:
        return None
    if np.any(np.abs(kept.at) > 1 << MAX_CODE_BITS) and not _are_doubles(function, kept):
        return None
    unused = min(form.high, 1 << MAX_CODE_BITS)
    thresholds = np.empty((len(low), places - 1), np.int64)
    firsts = np.empty((len(low), places), np.int64)
    for row, count in enumerate(counts):
        found = kept.of(row)
        thresholds[row] = np.concatenate([found, np.full(places - 1 - count, found[-1] if count else unused)])
        firsts[row] = np.concatenate(
            [low[row : row + 1], found, np.full(places - 1 - count, found[-1] if count else low[row])]
        )
    owners = np.repeat(np.arange(len(low)), places)
    values = function.codes(function.levels(rows.values(firsts.reshape(-1)), owners))
    if values is None:
        return None
    most, all_ = int(counts.max()), "" if len(low) == 1 else " a channel"
    return nodes.PlannedThresholds(
        thresholds=Codes(array=thresholds, format=replace(form, rounding=Rounding.TRN, overflow=Overflow.WRAP)),
        values=Codes(array=values.array.reshape(-1, places), format=values.format),
        error=moved,
        what=f"{function.text} by {most} threshold{'s' * (most != 1)}{all_}",
        rounds_in_float32=rounds_in_float32,
    )


def _are_doubles(function: StepFunction, rows: _Rows) -> bool:
    """Whether every threshold is a double, and no number between two doubles has an exact result of its own."""
    is_logarithm = isinstance(function.function.function, src.PowerOfTwo)
    return is_logarithm and bool(np.all(rows.at.astype(np.float64).astype(np.int64) == rows.at))


def _moved(function: StepFunction, rows: _Rows, reach: int) -> float | None:
    """The largest difference of values of codes at a distance of at most `reach`; None if a value needs many bits."""
    if not reach:
        return 0.0
    largest = 0.0
    for row, low in enumerate(rows.low):
        at = rows.of(row)
        codes = function.codes(function.levels(rows.values(np.append(low, at)), np.full(at.size + 1, row)))
        if codes is None:
            return None
        values = codes.values
        ends = np.searchsorted(at, at - 1 + reach, side="right")
        for start, end in enumerate(ends):
            near = values[start : end + 1]
            largest = max(largest, float(near.max() - near.min()))
    return largest


# --- the framework's float32 ---------------------------------------------------------------------------------------


def _may_differ(function: StepFunction, rows: _Rows, given: Bound) -> bool:
    """Whether the framework's float32 may give another result for a code on either side of a change."""
    for line, size in ((function.before, magnitude(given.interval)), (function.after, 0)):
        if line is not None and (line.rounds_in_float32 or not _is_exact_in_float32(line, size)):
            return True
    codes = np.concatenate([rows.at - 1, rows.at])
    row = np.concatenate([rows.row, rows.row])
    argument = function.argument(rows.values(codes), row)
    unit = _unit(function, row)
    return bool(np.any(near_tie(function.function.function, argument, unit)))


def _is_exact_in_float32(line: q.Affine, bits: int) -> bool:
    """Whether float32 computes a line without rounding: by powers of two, or by numbers of few bits."""
    mantissa, _ = np.frexp(np.abs(line.trained.scale[line.trained.scale != 0]))
    if line.trained.divisor == 1 and np.all(mantissa == 0.5) and not np.any(line.trained.shift):
        return True
    scale, shift = exact_codes(line.trained.scale), exact_codes(line.trained.shift)
    if line.trained.divisor != 1 or scale is None or shift is None or not bits:
        return False
    return (
        bits + scale.format.width + max(shift.format.fraction - scale.format.fraction, 0) + 1 <= FLOAT32_BITS
        and shift.format.width <= FLOAT32_BITS
    )


def _unit(function: StepFunction, row: NDArray[np.int64]) -> tuple[FloatArray, FloatArray, Rounding] | None:
    """The cast behind a function: factor and offset (n,) to its steps, and its rounding mode; None without a cast."""
    cast = function.cast
    form = (
        Format(width=1, integer=1, rounding=cast.rounding)
        if isinstance(cast, q.Round)
        else cast.format
        if cast is not None
        else None
    )
    if form is None:
        return None
    scale, shift = np.ones(row.size), np.zeros(row.size)
    if function.after is not None:
        scale, shift = function.after.trained.slope[row], function.after.trained.shift[row]
    return np.ldexp(scale, form.fraction), np.ldexp(shift, form.fraction), form.rounding
