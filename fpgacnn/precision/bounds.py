"""What every operation can produce: exact integer intervals, and how far rounded constants can move a value."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import WidthLimitError
from fpgacnn.ir import layers as hw
from fpgacnn.ir.source import MergeKind, Shape
from fpgacnn.numeric import interval as iv
from fpgacnn.numeric.fixed import MAX_WIDTH, Codes, Format
from fpgacnn.numeric.interval import Interval

FLOAT32_BITS = 24
"""Integers up to 2^24 are exact in the framework's float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A tensor's interval and `error`, the largest absolute difference from exact arithmetic on the trained numbers.

    `magnitude_bits` is how many bits the largest partial sum needs; above 24 the framework's float32 rounds.
    """

    interval: Interval
    error: float
    magnitude_bits: int


def _magnitude(interval: Interval) -> int:
    low, high = interval.bounds
    return max(abs(low), abs(high)).bit_length()


def ranged(interval: Interval, error: float, magnitude_bits: int | None = None) -> Range:
    """A range whose magnitude is the interval's own unless partial sums were larger."""
    return Range(interval=interval, error=error, magnitude_bits=magnitude_bits or _magnitude(interval))


def _refuse_overflow(bits: float, layer: str) -> None:
    if bits > MAX_WIDTH:
        raise WidthLimitError(layer=layer, what="a sum of products", bits=ceil(bits), limit=MAX_WIDTH)


def linear(layer: hw.Layer, operation: hw.Convolution | hw.Dense, given: Range, input_shape: Shape) -> Range:
    """Sums of products with the real weights: negative weights take the other end of the input's interval."""
    kernel = operation.kernel.array
    source = given.interval
    if isinstance(operation, hw.Convolution):
        axes = tuple(range(source.low.ndim - 1))
        source = iv.reduce_axes(source, axes)
        source = iv.with_zero(source) if any(operation.pads) else source
        low, high = (np.broadcast_to(end.reshape(-1), input_shape[-1:]) for end in (source.low, source.high))
        matrix, repeats = kernel.reshape(-1, kernel.shape[-1]), prod(kernel.shape[:2])
        low, high = np.tile(low, repeats), np.tile(high, repeats)
    else:
        wide = iv.full(source, input_shape)
        low, high, matrix = wide.low.reshape(-1), wide.high.reshape(-1), kernel
    sizes = np.abs(matrix).astype(np.float64)
    largest = np.maximum(np.abs(low), np.abs(high)).astype(np.float64)
    fraction = given.interval.fraction + operation.kernel.format.fraction
    common = max(fraction, operation.bias.format.fraction)
    bias = operation.bias.array << (common - operation.bias.format.fraction)
    total = np.ldexp((largest @ sizes).max(), common - fraction) + float(np.abs(operation.bias.array).max()) * 2.0 ** (common - operation.bias.format.fraction)
    _refuse_overflow(np.log2(max(total, 1.0)) + 2, layer.name)
    positive, negative = np.maximum(matrix, 0), np.minimum(matrix, 0)
    shift = common - fraction
    sums = Interval(
        low=(((low @ positive + high @ negative) << shift) + bias).reshape((1,) * (len(layer.shape) - 1) + (-1,)),
        high=(((high @ positive + low @ negative) << shift) + bias).reshape((1,) * (len(layer.shape) - 1) + (-1,)),
        fraction=common,
    )
    error = given.error * float(np.ldexp(sizes.sum(axis=0).max(), -operation.kernel.format.fraction)) if given.error else 0.0
    return ranged(sums, error, int(np.ceil(np.log2(max(total, 1.0) + 1))))


def affine(layer: hw.Layer, operation: hw.Affine, given: Range) -> Range:
    """`x * scale + shift` for every channel; rounded constants add their error times the largest input."""
    scale, shift, source = operation.scale, operation.shift, given.interval
    fraction = source.fraction + scale.format.fraction
    common = max(fraction, shift.format.fraction)
    ends = max(abs(end) for end in source.bounds)
    bits = ends.bit_length() + int(np.abs(scale.array).max()).bit_length() + common - fraction + 2
    _refuse_overflow(max(bits, int(np.abs(shift.array).max()).bit_length() + common - shift.format.fraction + 2), layer.name)
    products = (source.low * scale.array, source.high * scale.array)
    offset = shift.array << (common - shift.format.fraction)
    result = Interval(
        low=(np.minimum(*products) << (common - fraction)) + offset,
        high=(np.maximum(*products) << (common - fraction)) + offset,
        fraction=common,
    )
    largest = ends * 2.0**-source.fraction
    error = given.error * float(np.abs(scale.values).max()) + largest * layer.scale_error + layer.shift_error
    return ranged(result, error)


def cast(given: Range, form: Format) -> Range:
    """A cast to a format: an error below becomes a whole number of steps, at most the format's range."""
    result = iv.cast(given.interval, form)
    low, high = result.bounds
    steps = min(ceil(given.error / form.step), high - low) if given.error else 0
    return ranged(result, steps * form.step)


def relu(given: Range) -> Range:
    """`max(x, 0)`."""
    source = given.interval
    positive = Interval(low=np.maximum(source.low, 0), high=np.maximum(source.high, 0), fraction=source.fraction)
    return ranged(positive, given.error)


def leaky_relu(layer: hw.Layer, slope: Codes, given: Range) -> Range:
    """`x if x > 0 else slope * x` with every bit kept."""
    fraction = slope.format.fraction
    _refuse_overflow(_magnitude(given.interval) + max(fraction, 0) + slope.format.width + 1, layer.name)
    factor, one = int(slope.array.ravel()[0]), 1 << max(fraction, 0)

    def ends(end: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(end > 0, end * one, end * factor)

    source = given.interval
    result = Interval(low=ends(source.low), high=ends(source.high), fraction=source.fraction + fraction)
    return ranged(result, given.error)


def windows(counts: tuple[int, ...], given: Range, layer: hw.Layer) -> tuple[Range, Range, bool]:
    """Mean over windows of the given sizes: the sum's range, the mean's range, and whether the mean is exact.

    Powers of two divide exactly with as many more fraction bits; other sizes are truncated `GUARD_BITS` below.
    """
    largest = max(counts)
    exact = all(count & (count - 1) == 0 for count in counts)
    extra = largest.bit_length() - 1 if exact else largest.bit_length() + GUARD_BITS
    source = iv.at_fraction(iv.with_zero(given.interval) if len(counts) > 1 else given.interval, given.interval.fraction + extra, layer=layer.name)
    _refuse_overflow(_magnitude(source) + largest.bit_length() + 1, layer.name)
    total = Interval(low=np.minimum(source.low * largest, source.low), high=np.maximum(source.high * largest, source.high), fraction=source.fraction)
    error = given.error + (0.0 if exact else 2.0**-source.fraction)
    return ranged(total, given.error * largest), ranged(source, error, _magnitude(total) if exact else MAX_WIDTH), exact


GUARD_BITS = 6
"""Fraction bits below the data's own that a mean over an area that is no power of two keeps."""


def merge(kind: MergeKind, given: tuple[Range, Range], layer: hw.Layer) -> Range:
    """Elementwise operations of two tensors."""
    left, right = iv.aligned([part.interval for part in given], layer=layer.name)
    match kind:
        case MergeKind.ADD:
            result = Interval(low=left.low + right.low, high=left.high + right.high, fraction=left.fraction)
    return ranged(iv.guarded(result, layer=layer.name, what="a sum"), given[0].error + given[1].error)


def concatenate(axis: int, given: tuple[Range, Range], shapes: tuple[Shape, Shape], layer: hw.Layer) -> Range:
    """Two tensors side by side at a common binary point."""
    parts = iv.aligned([part.interval for part in given], layer=layer.name)
    wide = [iv.full(part, shape) for part, shape in zip(parts, shapes, strict=True)]
    result = Interval(
        low=np.concatenate([part.low for part in wide], axis=axis),
        high=np.concatenate([part.high for part in wide], axis=axis),
        fraction=parts[0].fraction,
    )
    return ranged(result, max(part.error for part in given))
