"""Exact integer intervals of tensors: the smallest and largest code of every element, for all possible inputs.

An interval's arrays broadcast against the tensor's shape without the events axis, so that one pair of numbers can
stand for a channel, an element or the whole tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import WidthLimitError
from fpgacnn.ir.fixed_point import MAX_WIDTH, CodeArray, Format, requantize, signed_bits, smallest_format


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Codes `low..high` (int64 arrays, both ends included) with `fraction` fraction bits."""

    low: CodeArray
    high: CodeArray
    fraction: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest code of the whole tensor."""
        return int(self.low.min()), int(self.high.max())

    @property
    def format(self) -> Format:
        """The narrowest TRN/WRAP format that holds every code."""
        return smallest_format(*self.bounds, self.fraction)

    @property
    def text(self) -> str:
        """`[-1.5, 3.25] in steps of 2^-4`."""
        low, high = (value * 2.0**-self.fraction for value in self.bounds)
        return f"[{low:.6g}, {high:.6g}] in steps of 2^{-self.fraction}"


def of_format(form: Format, rank: int) -> Interval:
    """Every code of a format, for a tensor of `rank` axes."""
    shape = (1,) * rank
    return Interval(low=np.full(shape, form.low), high=np.full(shape, form.high), fraction=form.fraction)


def guarded(interval: Interval, *, layer: str, what: str) -> Interval:
    """The interval itself, or WidthLimitError where its format would not fit the arithmetic."""
    low, high = interval.bounds
    bits = signed_bits(low, high)
    if bits > MAX_WIDTH:
        raise WidthLimitError(layer=layer, what=what, bits=bits, limit=MAX_WIDTH)
    return interval


def at_fraction(interval: Interval, fraction: int, *, layer: str) -> Interval:
    """The same values with more fraction bits."""
    shift = fraction - interval.fraction
    low, high = interval.bounds
    bits = max(abs(low), abs(high)).bit_length() + shift + 1
    if bits > MAX_WIDTH:
        raise WidthLimitError(layer=layer, what="a common binary point", bits=bits, limit=MAX_WIDTH)
    return Interval(low=interval.low << shift, high=interval.high << shift, fraction=fraction)


def aligned(intervals: Sequence[Interval], *, layer: str) -> tuple[Interval, ...]:
    """Several intervals at their largest number of fraction bits."""
    fraction = max(interval.fraction for interval in intervals)
    return tuple(at_fraction(interval, fraction, layer=layer) for interval in intervals)


def cast(interval: Interval, to: Format) -> Interval:
    """The interval after a cast: exact where the cast keeps the order, the whole format for elements that may wrap."""
    low = requantize(interval.low, interval.fraction, to)
    high = requantize(interval.high, interval.fraction, to)
    if is_monotone_on(interval, to):
        return Interval(low=low, high=high, fraction=to.fraction)
    kept = _in_order(interval, to)
    return Interval(low=np.where(kept, low, to.low), high=np.where(kept, high, to.high), fraction=to.fraction)


def _in_order(interval: Interval, to: Format) -> NDArray[np.bool_]:
    """Which elements stay within the range of a format that wraps, or that replaces values outside by 0."""
    shift = interval.fraction - to.fraction
    places = min(abs(shift), MAX_WIDTH)
    if shift <= 0:
        return (interval.low >= -((-to.low) >> places)) & (interval.high <= to.high >> places)
    up = to.rounding.value != "TRN"
    return (interval.low >> places >= to.low) & ((interval.high >> places) + up <= to.high)


def is_monotone_on(interval: Interval, to: Format) -> bool:
    """Whether a cast keeps the order of codes: always if it saturates, else only if no code leaves the range."""
    return keeps_order(*interval.bounds, interval.fraction, to)


def keeps_order(low: int, high: int, fraction: int, to: Format) -> bool:
    """Whether a cast keeps the order of the codes low..high, which have `fraction` fraction bits and any size."""
    if to.overflow.value in {"SAT", "SAT_SYM"}:
        return True
    shift = fraction - to.fraction
    low, high = (low >> shift, (high >> shift) + 1) if shift > 0 else (low << -shift, high << -shift)
    if shift > 0 and to.rounding.value == "TRN":
        high -= 1
    return low >= to.low and high <= to.high


def full(interval: Interval, shape: tuple[int, ...]) -> Interval:
    """The interval with one pair of numbers for every element of `shape`."""
    return Interval(
        low=np.broadcast_to(interval.low, shape), high=np.broadcast_to(interval.high, shape), fraction=interval.fraction
    )


def reduce_axes(interval: Interval, axes: tuple[int, ...]) -> Interval:
    """One pair of numbers along `axes` (kept with length 1): the hull."""
    return Interval(
        low=interval.low.min(axis=axes, keepdims=True),
        high=interval.high.max(axis=axes, keepdims=True),
        fraction=interval.fraction,
    )


def hull(interval: Interval) -> Interval:
    """One pair of numbers for all positions of each channel."""
    return reduce_axes(interval, tuple(range(interval.low.ndim - 1)))


def per_channel(interval: Interval, channels: int) -> tuple[CodeArray, CodeArray]:
    """Smallest and largest code of each channel (channels,)."""
    ends = hull(interval)
    low, high = (np.broadcast_to(end.reshape(-1), (channels,)) for end in (ends.low, ends.high))
    return low, high


def with_zero(interval: Interval) -> Interval:
    """The hull of the interval and 0, the value of padding."""
    return Interval(low=np.minimum(interval.low, 0), high=np.maximum(interval.high, 0), fraction=interval.fraction)
