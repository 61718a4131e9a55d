"""Exact scales: the pair (scale, shift) with few bits that makes a cast answer as with the real numbers, always.

A real scale and shift before a cast are a step function of one integer: code `j` begins at the input `t_j`. Any pair
(S, B) with `S * t_j + B` above and `S * (t_j - 1) + B` below the half step `j - 1/2`, for every `j` that can be
reached, answers the same on every input that can come. That is a polygon in (S, B); the scale with the fewest
fraction bits inside it is searched next to the real one, then the shift with the fewest.
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
"""Channels times steps times candidates that are held at once."""

CANDIDATES = np.arange(-3, 6)
FAR = np.int64(1) << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeThresholds:
    """The step functions of all channels: code `first + k` begins at input code `begins[c, k]`, in units of the input.

    Inputs lie in `low[c]..high[c]`; `rising[c]` is False where the function falls, and then inputs are negated.
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
    """The staircase of `cast(x * scale / divisor + shift)` with half to even, by exact fractions.

    `low` and `high` are (channels,); a scale of 0 counts as rising.
    """
    scale, shift, divisor = line.scale, line.shift, line.divisor
    rising = scale >= 0
    bottom, top = np.where(rising, low, -high), np.where(rising, high, -low)
    codes = np.arange(to.low + 1, to.high + 1)
    rows = [
        _begins(
            abs(Fraction(float(one))) / divisor,
            Fraction(float(other)),
            fraction,
            to.fraction,
            codes,
            int(least),
            int(most),
        )
        for one, other, least, most in zip(scale, shift, bottom, top, strict=True)
    ]
    return CodeThresholds(first=to.low + 1, begins=np.stack(rows), low=bottom, high=top, rising=rising)


def _begins(
    scale: Fraction, shift: Fraction, fraction: int, to_fraction: int, codes: NDArray[np.int64], low: int, high: int
) -> CodeArray:
    """The first input of each code; `low` where every input has it, `high + 1` where none does."""
    offset = shift * Fraction(2) ** to_fraction
    slope = scale * Fraction(2) ** (to_fraction - fraction)
    if slope == 0:
        whole = round(offset)
        return np.where(codes <= whole, low, high + 1)
    divisor = 2 * offset.denominator * slope.numerator
    numerators = (2 * codes.astype(object) - 1) * (
        offset.denominator * slope.denominator
    ) - 2 * offset.numerator * slope.denominator
    even = codes % 2 == 0
    begins = np.where(even, -(-numerators // divisor), numerators // divisor + 1)
    return np.clip(begins, low, high + 1).astype(np.int64)


def solve(stairs: CodeThresholds, fraction: int, guess: FloatArray, to: Format) -> ExactPair | None:
    """The pair with the fewest bits, or None where none was found or the search would be too large.

    `guess` (channels,) are scales near which to search, of any sign.
    """
    channels, steps = stairs.begins.shape
    if channels * steps * CANDIDATES.size > MAX_WORK or not steps:
        return None
    halves = 2 * (stairs.first + np.arange(steps)) - 1
    size = np.abs(guess)
    found = np.full(channels, -1)
    numerators = np.zeros(channels, np.int64)
    for places in range(MAX_SCALE_FRACTION):
        if np.ldexp(size.max(), places) >= FAR:
            return None
        numerators, found = _search(stairs, halves, fraction, to.fraction, size, places, numerators, found)
        if np.all(found >= 0):
            return _with_shift(stairs, halves, fraction, to.fraction, numerators << (places - found), places)
    return None


def _search(
    stairs: CodeThresholds,
    halves: CodeArray,
    fraction: int,
    to_fraction: int,
    size: FloatArray,
    places: int,
    numerators: CodeArray,
    found: CodeArray,
) -> tuple[CodeArray, CodeArray]:
    """Scales with `places` fraction bits for the channels that have none yet."""
    open_ = np.flatnonzero(found < 0)
    candidates = np.maximum(np.floor(np.ldexp(size[open_], places)).astype(np.int64)[:, None] + CANDIDATES, 0)
    room = _room(stairs, open_, halves, fraction, to_fraction, candidates, places)
    if room is None:
        return numerators, found
    low, high = room
    best = np.argmax(high - low, axis=1)
    row = np.arange(open_.size)
    good = high[row, best] - low[row, best] >= 1
    numerators, found = numerators.copy(), found.copy()
    numerators[open_[good]] = candidates[row, best][good]
    found[open_[good]] = places
    return numerators, found


def _room(
    stairs: CodeThresholds,
    rows: NDArray[np.int64],
    halves: CodeArray,
    fraction: int,
    to_fraction: int,
    candidates: CodeArray,
    places: int,
) -> tuple[CodeArray, CodeArray] | None:
    """Between which integers, in units of `2^-scale_of(...)`, the shift must lie for each candidate scale."""
    depth = _depth(fraction, to_fraction, places)
    lift = depth - places - fraction
    begins, bottom, top = stairs.begins[rows], stairs.low[rows, None], stairs.high[rows, None]
    reach = max(int(np.abs(stairs.begins).max()), 1).bit_length() + max(int(candidates.max()), 1).bit_length() + lift
    if max(reach, int(np.abs(halves).max()).bit_length() + depth - to_fraction - 1) > 58:
        return None
    wanted = halves << (depth - to_fraction - 1)
    above = (wanted - ((candidates[:, :, None] * begins[:, None, :]) << lift)).astype(np.int64)
    below = (wanted - ((candidates[:, :, None] * np.minimum(begins - 1, top)[:, None, :]) << lift)).astype(np.int64)
    low = np.where((begins <= top)[:, None, :], above, -FAR).max(axis=2)
    high = np.where((begins > bottom)[:, None, :], below, FAR).min(axis=2)
    low, high = (
        np.where(low == -FAR, np.minimum(high, FAR - 1) - (1 << depth), low),
        np.where(high == FAR, np.maximum(low, 1 - FAR) + (1 << depth), high),
    )
    return low, high


def _depth(fraction: int, to_fraction: int, places: int) -> int:
    """Fraction bits in which products and half steps are both whole numbers."""
    return max(places + fraction, to_fraction + 1, 0)


def _with_shift(
    stairs: CodeThresholds, halves: CodeArray, fraction: int, to_fraction: int, numerators: CodeArray, places: int
) -> ExactPair | None:
    """The shift with the fewest fraction bits strictly inside the room that the scales leave."""
    depth = _depth(fraction, to_fraction, places)
    rows = np.arange(len(numerators))
    room = _room(stairs, rows, halves, fraction, to_fraction, numerators[:, None], places)
    if room is None:
        return None
    low, high = 2 * room[0][:, 0], 2 * room[1][:, 0]
    for bits in range(depth + 2):
        unit = depth + 1 - bits
        shift = (low >> unit) + 1
        if np.all(shift << unit < high):
            scale = numerators * np.where(stairs.rising, 1, -1)
            return ExactPair(scale=_narrow(scale, places), shift=_narrow(shift, bits))
    return None


def _narrow(codes: CodeArray, fraction: int) -> Codes:
    spare = trailing_zeros(codes)
    kept = codes >> spare
    return Codes(array=kept, format=smallest_format(int(kept.min()), int(kept.max()), fraction - spare))
