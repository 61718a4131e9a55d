"""Sums whose products are cast one by one, in the narrowest integers that are exact: four times as many fit in a cache.

An input number at a time is multiplied with the weights of all outputs, for many positions and events together, in
hls4ml's order: every product is cast to the accumulator, and so is every partial sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import CodeArray, Format, Overflow, Rounding
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.shapes import window_count
from fpgacnn.sim.emulator.accumulator_ranges import Sums
from fpgacnn.sim.emulator.native.codegen.casts import round_code

Integers: TypeAlias = NDArray[Any]
"""Codes in int16, int32 or int64."""

BLOCK_VALUES = 1 << 16
"""Sums that are computed together, which stay in the cache."""

LARGEST_PRODUCT = 1 << 61
"""Products below are added to limits of an accumulator without leaving int64."""

INTEGERS = (np.int16, np.int32, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Casts:
    """The casts of a layer: the type of all numbers, and what can leave the accumulator.

    These are the cast products, and for each input number the sum after its product.
    """

    kind: type[np.signedinteger[Any]]
    sums: Sums
    limits_products: bool
    limits_sums: tuple[bool, ...]


def casts_of(sums: Sums, given: Interval, kernel: CodeArray) -> Casts | None:
    """The narrowest integers in which products, roundings and sums are exact; None if int64 is too narrow."""
    form = sums.accumulator
    dropped = -sums.shift
    ends = [_cast_end(one, dropped, form.rounding) for one in sums.product]
    half = 1 << (dropped - 1) if dropped > 0 else 0
    largest = max(abs(end) for end in (*sums.product, *ends, *_hull(given))) + half
    sum_ends = max(form.high, -form.low)
    if form.overflow is not Overflow.WRAP:
        largest = max(largest, sum_ends + max(abs(end) for end in ends))
    for kind in INTEGERS:
        bits = np.iinfo(kind).bits
        if largest < 1 << (bits - 1) and form.width + (not form.signed) <= bits and dropped < bits - 1:
            return Casts(
                kind=kind,
                sums=sums,
                limits_products=not form.low <= ends[0] <= ends[1] <= form.high,
                limits_sums=_leaving(sums, _hull(given), kernel.reshape(-1, kernel.shape[-1])),
            )
    return None


def _leaving(sums: Sums, given: tuple[int, int], kernel: CodeArray) -> tuple[bool, ...]:
    """For each input number, whether a sum after its product can leave the accumulator, whatever the inputs are."""
    form, dropped = sums.accumulator, max(-sums.shift, 0)
    if sums.within:
        return (False,) * len(kernel)
    if int(np.abs(kernel).max(initial=0)) * max(map(abs, given)) << max(sums.shift, 0) >= LARGEST_PRODUCT:
        return (True,) * len(kernel)  # one range for all channels is too wide for int64; a limit is never wrong
    inputs = min(given[0], 0), max(given[1], 0)
    low, high = sums.start, sums.start
    found = []
    for weights in kernel << max(sums.shift, 0):
        ends = weights * inputs[0], weights * inputs[1]
        low = low + (np.minimum(*ends) >> dropped)
        high = high - (-np.maximum(*ends) >> dropped)  # rounded up, which no rounding exceeds
        found.append(bool(low.min() < form.low or high.max() > form.high))
        low, high = np.maximum(low, form.low), np.minimum(high, form.high)
        if found[-1] and form.overflow is Overflow.SAT_ZERO:
            low, high = np.minimum(low, 0), np.maximum(high, 0)
    return tuple(found)


def _hull(given: Interval) -> tuple[int, int]:
    low, high = given.bounds
    return int(low), int(high)


def _cast_end(product: int, dropped: int, rounding: Rounding) -> int:
    return round_code(product, dropped, rounding) if dropped > 0 else product << -dropped


def each_sum(operation: hw.Convolution | hw.Dense, data: NDArray[Any], casts: Casts) -> Integers:
    """The accumulators (events, rows, columns, outputs) of events (events, rows, columns, channels), or of vectors."""
    kernel = operation.kernel.array.astype(casts.kind)
    if isinstance(operation, hw.Dense):
        kernel, strides, pads = kernel[None, None], (1, 1), (0, 0, 0, 0)
        image = data.reshape(len(data), 1, 1, -1)
    else:
        strides, pads = operation.strides, operation.pads
        image = data if data.ndim == 4 else data[:, None]
    planes = np.ascontiguousarray(image.transpose(1, 2, 3, 0).astype(casts.kind))
    if any(pads):
        planes = np.pad(planes, ((pads[0], pads[1]), (pads[2], pads[3]), (0, 0), (0, 0)))
    rows, columns = (
        window_count(size, window, stride)
        for size, window, stride in zip(planes.shape[:2], kernel.shape[:2], strides, strict=True)
    )
    filters, events = kernel.shape[-1], planes.shape[-1]
    total = np.empty((filters, rows, columns, events), casts.kind)
    together = max(1, BLOCK_VALUES // (filters * columns * events))
    for first in range(0, rows, together):
        some = slice(first, min(rows, first + together))
        block = np.empty((filters, (some.stop - first) * columns * events), casts.kind)
        _add_products(block, _inputs(planes, kernel, strides, some, columns), casts)
        total[:, some] = block.reshape(filters, -1, columns, events)
    return total.transpose(3, 1, 2, 0)


def _inputs(
    planes: Integers, kernel: Integers, strides: tuple[int, int], rows: slice, columns: int
) -> list[tuple[Integers, Integers]]:
    """For each input number: its values at all positions and events, and its weights (outputs,), in hls4ml's order."""
    return [
        (
            planes[
                rows.start * strides[0] + top : (rows.stop - 1) * strides[0] + top + 1 : strides[0],
                left : (columns - 1) * strides[1] + left + 1 : strides[1],
                channel,
            ],
            kernel[top, left, channel],
        )
        for top in range(kernel.shape[0])
        for left in range(kernel.shape[1])
        for channel in range(kernel.shape[2])
    ]


def _add_products(total: Integers, inputs: list[tuple[Integers, Integers]], casts: Casts) -> None:
    """Bias and products, one input number after the other, into `total` (outputs, positions)."""
    sums, form = casts.sums, casts.sums.accumulator
    total[:] = sums.start.astype(casts.kind)[:, None]
    product = np.empty_like(total)
    for (values, weights), leaves in zip(inputs, casts.limits_sums, strict=True):
        np.multiply(weights[:, None], np.ascontiguousarray(values).reshape(1, -1), out=product)
        _moved(product, sums.shift, form.rounding)
        if form.overflow is Overflow.WRAP:
            np.add(total, product, out=total)
            continue
        if casts.limits_products:
            _limit(product, form)
        np.add(total, product, out=total)
        if leaves:
            _limit(total, form)
    if form.overflow is Overflow.WRAP and not sums.within:
        _wrap(total, form)


def _wrap(numbers: Integers, form: Format) -> None:
    """The low bits, in place. The type has a bit more than an unsigned format, and at least those of a signed one."""
    kind = numbers.dtype.type
    spare = np.iinfo(kind).bits - form.width
    if not form.signed:
        np.bitwise_and(numbers, kind((1 << form.width) - 1), out=numbers)
    elif spare:
        np.left_shift(numbers, kind(spare), out=numbers)
        np.right_shift(numbers, kind(spare), out=numbers)


def _moved(numbers: Integers, shift: int, rounding: Rounding) -> None:
    """`numbers * 2**shift`, rounded, in place."""
    kind = numbers.dtype.type
    if shift >= 0:
        if shift:
            np.left_shift(numbers, kind(shift), out=numbers)
        return
    places, half = kind(-shift), 1 << (-shift - 1)
    match rounding:
        case Rounding.TRN:
            pass
        case Rounding.RND:
            numbers += kind(half)
        case Rounding.RND_MIN_INF:
            numbers += kind(half - 1)
        case Rounding.RND_ZERO:
            numbers += (numbers < 0).astype(kind) + kind(half - 1)
        case Rounding.RND_INF:
            numbers += kind(half) - (numbers < 0).astype(kind)
        case Rounding.RND_CONV:
            numbers += ((numbers >> places) & kind(1)) + kind(half - 1)
        case Rounding.TRN_ZERO:
            numbers += (numbers < 0).astype(kind) * kind(2 * half - 1)
        case _:
            assert_never(rounding)
    np.right_shift(numbers, places, out=numbers)


def _limit(numbers: Integers, form: Format) -> None:
    """A saturating cast, in place; limits beyond the numbers' type are no limits."""
    low, high = _limits(numbers.dtype, form)
    if form.overflow is Overflow.SAT_ZERO:
        numbers[(numbers < low) | (numbers > high)] = 0
    else:
        np.maximum(numbers, low, out=numbers)  # np.clip takes longer than both to begin with
        np.minimum(numbers, high, out=numbers)


@cache
def _limits(kind: np.dtype[Any], form: Format) -> tuple[np.signedinteger[Any], np.signedinteger[Any]]:
    """The limits of a format, or the nearest ones that the type has."""
    ends = np.iinfo(kind)
    return kind.type(min(max(form.low, ends.min), ends.max)), kind.type(min(max(form.high, ends.min), ends.max))
