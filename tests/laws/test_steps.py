"""Exact scales: on every reachable input the short pair answers as exact fractions do."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import Format, Overflow, Rounding, requantize
from fpgacnn.passes.precision.exact_steps.threshold_scale import rounding_thresholds, solve

CASES = [
    (12, 8, 4, 3, False),
    (15, 10, 6, 4, False),
    (14, 10, 6, 4, True),
    (10, 3, 8, 1, True),
    (9, 6, 3, 5, False),
    (13, 12, 2, 0, True),
]


def exact_code(scale: float, shift: float, code: int, fraction: int, to: Format) -> int:
    """`cast(code * 2^-fraction * scale + shift)` in fractions, half to even."""
    value = (Fraction(code) / 2**fraction * Fraction(scale) + Fraction(shift)) * Fraction(2) ** to.fraction
    return min(max(round(value), to.low), to.high)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
def test_every_reachable_input_lands_on_the_code_of_exact_arithmetic(
    case: tuple[int, int, int, int, bool], overflow: Overflow
) -> None:
    bits, fraction, width, to_fraction, signed = case
    random = np.random.default_rng(bits * 100 + width)
    channels = 6
    to = Format(width=width, integer=width - to_fraction, signed=signed, rounding=Rounding.RND_CONV, overflow=overflow)
    scale = np.float32(random.lognormal(-0.5, 0.6, channels) * random.choice([-1, 1], channels)).astype(np.float64)
    shift = np.float32(random.normal(0, 0.7, channels)).astype(np.float64)
    low = -random.integers(1, 1 << (bits - 1), channels)
    high = random.integers(1, 1 << (bits - 1), channels)
    pair = solve(rounding_thresholds(low, high, fraction, q.Line(scale=scale, shift=shift), to), fraction, scale, to)
    assert pair is not None
    assert pair.scale.format.width <= 22
    product_fraction = fraction + pair.scale.format.fraction
    common = max(product_fraction, pair.shift.format.fraction)
    for channel in range(channels):
        codes = np.arange(low[channel], high[channel] + 1)
        sums = ((codes * pair.scale.array[channel]) << (common - product_fraction)) + (
            pair.shift.array[channel] << (common - pair.shift.format.fraction)
        )
        seen = requantize(sums, common, to)
        every = slice(None, None, max(1, len(codes) // 1500))
        wanted = [exact_code(scale[channel], shift[channel], int(code), fraction, to) for code in codes[every]]
        assert np.array_equal(seen[every], wanted)
        assert np.all(np.diff(seen) >= 0) or np.all(np.diff(seen) <= 0)


def test_a_scale_of_zero_is_a_constant() -> None:
    to = Format(width=4, integer=2, signed=False, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
    scale, shift = np.zeros(1), np.array([1.13])
    pair = solve(
        rounding_thresholds(np.array([-50]), np.array([50]), 4, q.Line(scale=scale, shift=shift), to), 4, scale, to
    )
    assert pair is not None
    sums = np.arange(-50, 51) * pair.scale.array[0] * 2.0 ** -(4 + pair.scale.format.fraction) + pair.shift.values[0]
    assert set(np.clip(np.rint(sums * 4), 0, 15)) == {round(1.13 * 4)}


def test_a_staircase_of_nothing_but_ties_has_no_short_pair() -> None:
    """`round(x + 1/2)` of integers skips every other code; no line without ties does that, so the real pair is kept."""
    to = Format(width=5, integer=5, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
    scale, shift = np.array([1.0]), np.array([0.5])
    stairs = rounding_thresholds(np.array([-9]), np.array([9]), 0, q.Line(scale=scale, shift=shift), to)
    assert solve(stairs, 0, scale, to) is None
