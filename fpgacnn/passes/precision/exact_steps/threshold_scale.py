"""Exact scales: a short scale and shift with which a cast answers as with the real numbers, for every possible input.

A real scale and shift before a cast are a step function of one integer, the code of the input: result `j` begins at the
input `t_j`. A pair (S, B) answers the same where `S * t_j + B` is above and `S * (t_j - 1) + B` below the half step
`j - 1/2`, for every `j` that can be reached. These inequalities are a polygon in (S, B). The search tries the scales
closest to the real one, with as few fraction bits as possible, and then takes the shift with the fewest fraction bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, smallest_format, trailing_zeros
from fpgacnn.ir.source import FloatArray

MAX_SCALE_FRACTION = 34
MAX_WORK = 1 << 22
"""Channels times steps times candidates in memory at once."""

CANDIDATES = np.arange(-3, 6)
"""Which scales are tried, in units of the last fraction bit, counted from the real scale rounded down."""

MAX_BITS = 58
"""Products and half steps of more bits could overflow an int64."""

FAR = np.int64(1) << 60
"""Beyond every limit of a shift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeThresholds:
    """The step functions of all channels: result `first + k` begins at input code `begins[c, k]`.

    Inputs are between `low[c]` and `high[c]`. `rising[c]` is False where the function falls; then inputs are negated.
    """

    first: int
    begins: CodeArray
    low: CodeArray
    high: CodeArray
    rising: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactPair:
    """Scale and shift codes (channels,)."""

    scale: Codes
    shift: Codes


def rounding_thresholds(low: CodeArray, high: CodeArray, fraction: int, line: q.Line, to: Format) -> CodeThresholds:
    """The steps of `cast(x * scale / divisor + shift)` that rounds half to even, by exact fractions.

    `low` and `high` (channels,) are codes with `fraction` fraction bits. A scale of 0 counts as rising.
    """
    rising = line.scale >= 0
    bottom, top = np.where(rising, low, -high), np.where(rising, high, -low)
    results = np.arange(to.low + 1, to.high + 1)
    rows = [
        _begins(
            abs(Fraction(float(scale))) / line.divisor * Fraction(2) ** (to.fraction - fraction),
            Fraction(float(shift)) * Fraction(2) ** to.fraction,
            results,
            (int(least), int(most)),
        )
        for scale, shift, least, most in zip(line.scale, line.shift, bottom, top, strict=True)
    ]
    return CodeThresholds(first=to.low + 1, begins=np.stack(rows), low=bottom, high=top, rising=rising)


def _begins(slope: Fraction, offset: Fraction, results: NDArray[np.int64], ends: tuple[int, int]) -> CodeArray:
    """The first input code with each result (results,), for a value of `slope * code + offset` in steps of the result.

    `ends` are the smallest and largest input: `ends[0]` where every input has the result, `ends[1] + 1` where none has.
    """
    low, high = ends
    if slope == 0:
        return np.where(results <= round(offset), low, high + 1)
    divisor = 2 * offset.denominator * slope.numerator
    numerators = (2 * results.astype(object) - 1) * (
        offset.denominator * slope.denominator
    ) - 2 * offset.numerator * slope.denominator
    is_even = results % 2 == 0  # half steps are rounded to the even result
    begins = np.where(is_even, -(-numerators // divisor), numerators // divisor + 1)
    return np.clip(begins, low, high + 1).astype(np.int64)


def solve(thresholds: CodeThresholds, fraction: int, guess: FloatArray, to: Format) -> ExactPair | None:
    """The pair with the fewest bits, or None where none was found or the search would be too large.

    `guess` (channels,) are scales, of any sign, close to which to search; `fraction` are the fraction bits of inputs.
    """
    channels, steps = thresholds.begins.shape
    if channels * steps * CANDIDATES.size > MAX_WORK or not steps:
        return None
    search = _Search(thresholds=thresholds, fraction=fraction, to_fraction=to.fraction)
    sizes = np.abs(guess)
    scales, found_at = np.zeros(channels, np.int64), np.full(channels, -1)
    for places in range(MAX_SCALE_FRACTION):
        if np.ldexp(sizes.max(), places) >= FAR:
            return None
        missing = np.flatnonzero(found_at < 0)
        found = search.scales(missing, sizes[missing], places)
        solved = missing[found >= 0]
        scales[solved], found_at[solved] = found[found >= 0], places
        if np.all(found_at >= 0):
            return search.pair(scales << (places - found_at), places)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """The inequalities of all channels; inputs have `fraction` fraction bits, results `to_fraction`.

    Scales are positive codes with `places` fraction bits. Shifts and their limits are integers in units of
    `2^-depth(places)`, in which products and half steps are whole numbers.
    """

    thresholds: CodeThresholds
    fraction: int
    to_fraction: int

    def depth(self, places: int) -> int:
        """Fraction bits of the shifts for scales with `places` fraction bits."""
        return max(places + self.fraction, self.to_fraction + 1, 0)

    def scales(self, channels: NDArray[np.int64], sizes: FloatArray, places: int) -> CodeArray:
        """A scale for each of some channels that leaves a shift between its limits, or -1 where no candidate does.

        `sizes` (channels,) are the absolute values of the real scales.
        """
        near = np.floor(np.ldexp(sizes, places)).astype(np.int64)
        candidates = np.maximum(near[:, None] + CANDIDATES, 0)
        limits = self.shift_limits(channels, candidates, places)
        if limits is None:
            return np.full(channels.size, -1)
        widths = limits[1] - limits[0]
        row, best = np.arange(channels.size), np.argmax(widths, axis=1)
        return np.where(widths[row, best] >= 1, candidates[row, best], -1)

    def shift_limits(
        self, channels: NDArray[np.int64], candidates: CodeArray, places: int
    ) -> tuple[CodeArray, CodeArray] | None:
        """The integers between which the shift must be, for each candidate scale (channels, candidates).

        None where the numbers need too many bits. A side without a limit is one unit of the result away from the other.
        """
        found, depth = self.thresholds, self.depth(places)
        lift, half_lift = depth - places - self.fraction, depth - self.to_fraction - 1
        half_steps = 2 * (found.first + np.arange(found.begins.shape[1])) - 1
        bits = _bits(found.begins) + _bits(candidates) + lift
        if max(bits, int(np.abs(half_steps).max()).bit_length() + half_lift) > MAX_BITS:
            return None
        begins, bottom, top = found.begins[channels], found.low[channels, None], found.high[channels, None]
        wanted = half_steps << half_lift

        def rest(inputs: CodeArray) -> CodeArray:
            """What is missing to the half steps (channels, candidates, steps) at some inputs (channels, steps)."""
            return (wanted - ((candidates[:, :, None] * inputs[:, None, :]) << lift)).astype(np.int64)

        low = np.where((begins <= top)[:, None, :], rest(begins), -FAR).max(axis=2)
        high = np.where((begins > bottom)[:, None, :], rest(np.minimum(begins - 1, top)), FAR).min(axis=2)
        unit = 1 << depth
        return (
            np.where(low == -FAR, np.minimum(high, FAR - 1) - unit, low),
            np.where(high == FAR, np.maximum(low, 1 - FAR) + unit, high),
        )

    def pair(self, scales: CodeArray, places: int) -> ExactPair | None:
        """The scales (channels,) with shifts of the fewest fraction bits strictly between their limits."""
        limits = self.shift_limits(np.arange(scales.size), scales[:, None], places)
        if limits is None:
            return None
        low, high = 2 * limits[0][:, 0], 2 * limits[1][:, 0]
        depth = self.depth(places)
        for bits in range(depth + 2):
            unit = depth + 1 - bits
            shift = (low >> unit) + 1
            if np.all(shift << unit < high):
                signed = scales * np.where(self.thresholds.rising, 1, -1)
                return ExactPair(scale=_narrow(signed, places), shift=_narrow(shift, bits))
        return None


def _bits(numbers: CodeArray) -> int:
    """Bits of the largest absolute value, at least 1."""
    return max(int(np.abs(numbers).max()), 1).bit_length()


def _narrow(codes: CodeArray, fraction: int) -> Codes:
    """The same values without trailing zeros."""
    spare = trailing_zeros(codes)
    kept = codes >> spare
    return Codes(array=kept, format=smallest_format(int(kept.min()), int(kept.max()), fraction - spare))
