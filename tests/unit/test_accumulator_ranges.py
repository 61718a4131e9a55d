"""Ranges of sums whose products are cast one by one: every input of a small layer, added up cast for cast."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, parse_format, requantize
from fpgacnn.sim.emulator.accumulator_ranges import Order, linear_sums

GIVEN = parse_format("fixed<3,1>")
KERNEL = Codes(array=np.array([[3, -5], [-7, 2], [6, 6]]), format=parse_format("fixed<4,1>"))
BIAS = Codes(array=np.array([1, -3]), format=parse_format("fixed<6,3>"))
LAYER = hw.Dense(kernel=KERNEL, bias=BIAS)


def all_sums(accumulator: Format) -> tuple[np.ndarray, bool]:
    """The sums (inputs, outputs) of every input in every order, and whether a cast ever limits a number."""
    inputs = np.array(list(product(range(GIVEN.low, GIVEN.high + 1), repeat=3)))
    fraction = GIVEN.fraction + KERNEL.format.fraction
    wide = Format(
        width=40, integer=40 - accumulator.fraction, rounding=accumulator.rounding, overflow=accumulator.overflow
    )
    found, limited = [], False
    for order in permutations(range(3)):
        total = np.tile(requantize(BIAS.array, BIAS.format.fraction, accumulator), (len(inputs), 1))
        for row in order:
            one = inputs[:, row : row + 1] * KERNEL.array[row]
            cast, unlimited = (requantize(one, fraction, form) for form in (accumulator, wide))
            limited |= bool((cast != unlimited).any())
            raw = total + cast
            total = requantize(raw, accumulator.fraction, accumulator)
            limited |= bool((raw != total).any())
        found.append(total)
    return np.concatenate(found), limited


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("overflow", [Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM])
@pytest.mark.parametrize("width", [5, 6, 7, 8, 9])
@pytest.mark.parametrize("fraction", [1, 2, 3, 7])
def test_ranges_of_cast_sums_hold_every_sum_and_are_reached_where_nothing_is_limited(
    width: int, fraction: int, overflow: Overflow, rounding: Rounding
) -> None:
    accumulator = Format(width=width, integer=width - fraction, rounding=rounding, overflow=overflow)
    sums = linear_sums(LAYER, accumulator, iv.of_format(GIVEN, 1), (3,))
    found, limited = all_sums(accumulator)
    if sums.order is Order.EACH:
        assert (sums.low <= found.min(axis=0)).all()
        assert (sums.high >= found.max(axis=0)).all()
        assert not (sums.within and limited)
    if sums.within:
        assert (sums.low == found.min(axis=0)).all()
        assert (sums.high == found.max(axis=0)).all()


def test_truncated_sums_that_stay_inside_are_found() -> None:
    sums = linear_sums(LAYER, parse_format("fixed<9,6>"), iv.of_format(GIVEN, 1), (3,))
    assert (sums.order, sums.within) == (Order.EACH, True)
    assert not linear_sums(LAYER, parse_format("fixed<4,1>"), iv.of_format(GIVEN, 1), (3,)).within
