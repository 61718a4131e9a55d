"""Short constants and a short result for a scale that no quantizer behind it makes exact.

A float32 scale has 24 bits, several in one format more. They take two DSP slices for data of usual width, and give
results of 40 bits and more. SIGNIFICANT_BITS bits fit one port of a DSP48 (18 bits with the sign). Results keep
RESULT_BITS bits of the largest one, as many as float32. Inputs are often much smaller than the largest possible one;
the error of the scale is smaller then, while that of the result stays.

The result is truncated, which costs nothing: half of its step is added to the shift, so that truncation rounds to the
nearest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fpgacnn.ir import interval as iv
from fpgacnn.ir.fixed_point import (
    LEAST_BITS,
    MAX_EXPONENT,
    CodeArray,
    Codes,
    Format,
    exact_codes,
    odd_parts,
    signed_digits,
    smallest_format,
)
from fpgacnn.ir.source import FloatArray
from fpgacnn.passes.precision import bounds
from fpgacnn.passes.precision.bounds import Bound
from fpgacnn.passes.precision.nodes import PlannedAffine

MOST_GROWTH = 2.0
"""So many times the error of an output without short scales is allowed with them."""

LEAST_SHARE = 2.0**-10
"""An error of so small a share of the largest value of an output is allowed, too."""

SIGNIFICANT_BITS = 17
"""Significant bits of a scale: with the sign, one port of a DSP48 has 18."""

RESULT_BITS = 24
"""Significant bits of the largest result."""

SHIFT_GUARD_BITS = 4
"""Bits of the shift below half a step of the result."""

LARGEST_SHIFT = 2.0**52
"""Codes of a shift are below, so that float64 has them exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortening:
    """Which scales get short constants, and how close they are to the trained ones.

    `exact`: those too that are exact behind exact numbers. `coarse`: of the two neighbours of a scale the one with
    fewer signed digits, else the nearest.
    """

    exact: bool
    coarse: bool


ATTEMPTS = tuple(Shortening(exact=exact, coarse=coarse) for exact in (True, False) for coarse in (True, False))
"""The ways of shortening, those with the fewest bits first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortScale:
    """A scale with short constants, which keeps every bit, and the fraction bits that its result is truncated to.

    `fraction` is None if no bit can be left out; else half a step of it is in the shift.
    """

    operation: PlannedAffine
    fraction: int | None


def keeps_promise(short: Bound, whole: Bound) -> bool:
    """Whether short scales keep the promise of an output: an exact one, or about the size of its error."""
    if whole.error == 0 or short.error <= MOST_GROWTH * whole.error:
        return short.error <= MOST_GROWTH * whole.error
    return short.error <= LEAST_SHARE * bounds.magnitude_of(short.interval)


def is_long(line: PlannedAffine) -> bool:
    """Whether a scale has more significant bits than short ones."""
    return _width(line.scale) > SIGNIFICANT_BITS


def shortened(
    line: PlannedAffine, given: Bound, channels: int, shortening: Shortening | None, *, narrows: bool
) -> ShortScale | None:
    """A scale with constants of fewer bits; None if it has none, or stays as it is.

    `narrows`: the result may lose fraction bits, too. The constants change by at most one unit of their last bit.
    """
    exact = not any(bounds.constants_error(line)) and not given.error
    if shortening is None or (exact and not shortening.exact):
        return None
    if given.interval.low.shape[-1] not in (1, channels):
        return None
    scale = short_codes(line.trained.slope, coarse=shortening.coarse)
    if scale is None or _width(scale) > _width(line.scale):
        return None
    whole = max(given.interval.fraction + scale.format.fraction, line.shift.format.fraction)
    fraction = _fraction(scale, line, given) if narrows else None
    if fraction is None or fraction >= whole:
        short = replace(line, scale=scale)
        return None if _width(scale) == _width(line.scale) else ShortScale(operation=short, fraction=None)
    last = min(whole, fraction + 1 + SHIFT_GUARD_BITS)
    codes = np.ceil(np.ldexp(line.trained.shift, last))
    if np.abs(codes).max() >= LARGEST_SHIFT:
        return None
    array = codes.astype(np.int64) + (1 << (last - fraction - 1))  # at least half a step more: see bounds.narrowed
    shift = Codes(array=array, format=smallest_format(int(array.min()), int(array.max()), last))
    return ShortScale(operation=replace(line, scale=scale, shift=shift), fraction=fraction)


def short_codes(values: FloatArray, *, coarse: bool) -> Codes | None:
    """Values in SIGNIFICANT_BITS significant bits: the nearest, or a neighbour with fewer signed digits if `coarse`.

    All have the step of the largest. Where a smaller value then has fewer than LEAST_BITS bits, every value has a step
    of its own. None if no format holds them.
    """
    exponents = np.frexp(values)[1]
    largest = np.full_like(exponents, np.frexp(np.abs(values).max())[1])
    for tops in (largest, exponents):
        steps = tops - SIGNIFICANT_BITS
        scaled = np.ldexp(values, -steps)
        codes = fewest_digits(scaled) if coarse else np.rint(scaled).astype(np.int64)
        found = np.ldexp(codes.astype(np.float64), steps)
        if not np.any((values != 0) & (np.abs(codes) < 1 << (LEAST_BITS - 1)) & (found != values)):
            return exact_codes(found, max_fraction=MAX_EXPONENT)
    return None


def fewest_digits(values: FloatArray) -> CodeArray:
    """Of both whole numbers next to each number the one with fewer signed digits; of equals the nearer one."""
    low, high = np.floor(values).astype(np.int64), np.ceil(values).astype(np.int64)
    digits = signed_digits(np.abs(low)), signed_digits(np.abs(high))
    nearer = np.where(np.rint(values) == low, digits[0] <= digits[1], digits[0] < digits[1])
    return np.where(nearer, low, high)


def _width(codes: Codes) -> int:
    """Bits of the longest code, without zeros at its end."""
    return int(odd_parts(codes.array).max(initial=0)).bit_length()


def _fraction(scale: Codes, line: PlannedAffine, given: Bound) -> int | None:
    """The fraction bits of results whose largest has RESULT_BITS bits; the smallest channel keeps LEAST_BITS of them.

    None if all results are 0.
    """
    low, high = iv.per_channel(given.interval, scale.array.size)
    inputs = np.ldexp(np.maximum(np.abs(low), np.abs(high)).astype(np.float64), -given.interval.fraction)
    results = np.abs(scale.values) * inputs
    present = results[results > 0]
    if not present.size:
        return None
    largest = float((results + np.abs(line.trained.shift)).max())
    return max(RESULT_BITS - int(np.frexp(largest)[1]), LEAST_BITS - int(np.frexp(present.min())[1]))


def truncated(result: iv.Interval, fraction: int) -> Format:
    """The format of results with so many fraction bits."""
    low, high = result.bounds
    dropped = result.fraction - fraction
    return smallest_format(low >> dropped, high >> dropped, fraction)
