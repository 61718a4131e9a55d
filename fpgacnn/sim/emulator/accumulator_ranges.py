"""Ranges of sums of products with the real weights, and how the sums may be computed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import ranges
from fpgacnn.ir.fixed_point import CodeArray, Format, Overflow, requantize, rescale
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import Shape

Matrix: TypeAlias = NDArray[np.int64]


class Order(StrEnum):
    """Whether sums may be computed in any order and limited once, or each product and partial sum is cast."""

    ANY = "any"
    EACH = "each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The accumulator before it is limited: its interval for each output, at `fraction` fraction bits.

    `shift` is the number of fraction bits that it has more than the products; `start` is the bias in its codes.
    `within`: products and partial sums are cast one by one, and none of them can leave the accumulator.
    """

    order: Order
    low: CodeArray
    high: CodeArray
    shift: int
    start: CodeArray
    accumulator: Format
    product: tuple[int, int]
    within: bool = False

    @property
    def fits(self) -> bool:
        """Whether no sum can leave the accumulator."""
        return int(self.low.min()) >= self.accumulator.low and int(self.high.max()) <= self.accumulator.high


def linear_sums(operation: hw.Linear, accumulator: Format, given: Interval, shape: Shape) -> Sums:
    """The range of a layer's accumulator."""
    below, above = ranges.products(*ranges.as_matrix(operation, given, shape))
    start = requantize(operation.bias.array, operation.bias.format.fraction, accumulator)
    shift = accumulator.fraction - given.fraction - operation.kernel.format.fraction
    product = min(int(below.min(initial=0)), 0), max(int(above.max(initial=0)), 0)
    if shift < 0 or (
        accumulator.overflow is not Overflow.WRAP
        and not _no_partial_sum_leaves(below, above, start, shift, accumulator)
    ):
        least, most = (rescale(end, -shift, 0, accumulator.rounding) for end in (below, above))  # rounding keeps order
        within = _no_partial_sum_leaves(least, most, start, 0, accumulator)
        full = (np.broadcast_to(np.int64(end), start.shape) for end in (accumulator.low, accumulator.high))
        ends = (end.sum(axis=0) + start for end in (least, most)) if within else full
        return Sums(
            **dict(zip(("low", "high"), ends, strict=True)),
            order=Order.EACH,
            shift=shift,
            start=start,
            accumulator=accumulator,
            product=product,
            within=within,
        )
    sums = ((end.sum(axis=0) << shift) + start for end in (below, above))
    return Sums(
        **dict(zip(("low", "high"), sums, strict=True)),
        order=Order.ANY,
        shift=shift,
        start=start,
        accumulator=accumulator,
        product=product,
    )


def _no_partial_sum_leaves(below: Matrix, above: Matrix, start: CodeArray, shift: int, accumulator: Format) -> bool:
    lowest = (np.minimum(below, 0).sum(axis=0) << shift) + np.minimum(start, 0)
    highest = (np.maximum(above, 0).sum(axis=0) << shift) + np.maximum(start, 0)
    return bool((lowest >= accumulator.low).all() and (highest <= accumulator.high).all())
