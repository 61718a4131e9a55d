"""The bound of every operation: its exact integer interval, and how far its results can be from exact arithmetic.

The intervals come from `fpgacnn.ir.ranges`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, log2
from typing import assert_never

import numpy as np

from fpgacnn.ir import interval as iv
from fpgacnn.ir import quantized as q
from fpgacnn.ir import ranges
from fpgacnn.ir.fixed_point import Format, quantize_values
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import MergeKind, Shape
from fpgacnn.passes.precision import nodes
from fpgacnn.passes.precision.nodes import Guard, Node

FLOAT32_BITS = 24
"""Integers up to 2^24 are exact in the framework's float32."""

GUARD_BITS = 6
"""Extra fraction bits of a mean that divides by no power of two, where no quantizer reads it."""


LARGEST_ERROR = 1e300
"""An error bound without information. It is finite, so that sums, products and records of bounds are finite too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A tensor's interval and `error`, its largest absolute difference from exact arithmetic on the trained numbers.

    `magnitude_bits` is how many bits the largest partial sum needs; above 24 the framework's float32 rounds.
    `reals` are the smallest and largest value of exact arithmetic on the trained numbers.
    """

    interval: Interval
    error: float
    magnitude_bits: int
    reals: tuple[float, float]


def magnitude(interval: Interval) -> int:
    """Bits of the largest absolute code."""
    low, high = interval.bounds
    return max(abs(low), abs(high)).bit_length()


def ranged(
    interval: Interval, error: float, magnitude_bits: int | None = None, *, within: tuple[float, float] | None = None
) -> Bound:
    """The bound of an interval; its magnitude is that of the interval unless partial sums were larger.

    `within` are limits of the exact values. The error is at most the distance from the farthest exact value to the
    farthest code.
    """
    low, high = (end * 2.0**-interval.fraction for end in interval.bounds)
    error = min(error, LARGEST_ERROR)
    reals = (low - error, high + error)
    if within is not None:
        reals = (max(reals[0], within[0]), min(reals[1], within[1]))
        error = min(error, max(high - reals[0], reals[1] - low))
    return Bound(interval=interval, error=error, magnitude_bits=magnitude_bits or magnitude(interval), reals=reals)


def linear(layer: Node, operation: q.Linear, given: Bound, input_shape: Shape) -> Bound:
    """Sums of products with the real weights; a negative weight multiplies the other end of the input's interval.

    Raises WidthLimitError.
    """
    low, high, matrix = ranges.as_matrix(operation.sums, given.interval, input_shape)
    largest = np.maximum(np.abs(low), np.abs(high)).astype(np.float64)
    fraction = given.interval.fraction + operation.sums.kernel.format.fraction
    common = max(fraction, operation.sums.bias.format.fraction)
    shift, lift = common - fraction, common - operation.sums.bias.format.fraction
    total = float(np.ldexp(ranges.sizes(largest, matrix).max(), shift)) + float(
        np.ldexp(np.abs(operation.sums.bias.array).max(), lift)
    )
    ranges.refuse_overflow(ceil(log2(max(total, 1.0)) + 2), layer.name)
    bias = operation.sums.bias.array << lift
    shape = (1,) * (len(layer.shape) - 1) + (-1,)
    low, high = ((end << shift) + bias for end in ranges.sums(low, high, matrix))
    sums = Interval(low=low.reshape(shape), high=high.reshape(shape), fraction=common)
    error = 0.0
    if given.error:
        weights = ranges.sizes(np.ones(1), matrix)
        error = given.error * float(np.ldexp(weights.max(), -operation.sums.kernel.format.fraction))
    if operation.errors is not None:
        inputs = largest * 2.0**-given.interval.fraction + given.error
        off = np.broadcast_to(operation.errors.kernel, operation.sums.kernel.array.shape).reshape(matrix.shape)
        error += float((inputs * off).sum(axis=0).max()) + operation.errors.bias
    return ranged(sums, error, ceil(log2(max(total, 1.0) + 1)))


def affine(layer: Node, operation: nodes.PlannedAffine, given: Bound) -> Bound:
    """`x * scale + shift` for every channel with every bit kept.

    A rounded scale adds its error times the largest input, a rounded shift its error.

    Raises WidthLimitError.
    """
    source = given.interval
    product, offset = ranges.scaled(operation.scale, operation.shift, source, layer.name)
    result = Interval(low=product.low + offset, high=product.high + offset, fraction=product.fraction)
    size = max(magnitude(product), int(np.abs(offset).max()).bit_length(), magnitude(result))
    error = given.error * float(np.abs(operation.trained.slope).max())
    if operation.exact_steps:
        if error and operation.format is None:  # a sign line: in units of its own, with its edge rounded up to a code
            steepest = max(float(np.abs(line).max()) for line in (operation.scale.values, operation.trained.slope))
            error = (given.error + 2.0**-source.fraction) * steepest
        return ranged(result, error, size)
    off = constants_error(operation)
    return ranged(result, error + magnitude_of(source) * off[0] + off[1], size)


def constants_error(operation: nodes.PlannedAffine | q.Affine) -> tuple[float, float]:
    """The largest differences of scale and shift from the trained numbers."""
    return (
        float(np.abs(operation.scale.values - operation.trained.slope).max()),
        float(np.abs(operation.shift.values - operation.trained.shift).max()),
    )


def cast(given: Bound, form: Format, *, on_grid: bool = True) -> Bound:
    """A cast to a format: an error becomes a whole number of steps, at most the range of the format.

    If two values on ties differ by a whole number of steps, rounding can make the difference one step larger: half to
    even rounds 0.5 to 0, but 1.5 to 2. `on_grid` is False where the codes are not the numbers that the network
    rounds, only constants with the same steps.
    """
    result = iv.cast(given.interval, form)
    if not given.error:
        return ranged(result, 0.0)
    ends = form.low * form.step, form.high * form.step
    if not _keeps_order(given, form):
        return ranged(result, (form.high - form.low) * form.step, within=ends)
    low, high = (
        float(code) * form.step for code in quantize_values(np.clip(np.array(given.reals), *_clip_range(form)), form)
    )
    return ranged(result, _steps_apart(given, form, on_grid=on_grid) * form.step, within=(low, high))


def _clip_range(form: Format) -> tuple[float, float]:
    """Numbers just outside of a format, which are limited like all others outside."""
    return (form.low - 2) * form.step, (form.high + 2) * form.step


def _keeps_order(given: Bound, form: Format) -> bool:
    """Whether no code and no exact value wraps."""
    scale, (low, high) = Fraction(2) ** given.interval.fraction, given.interval.bounds
    least, most = floor(Fraction(given.reals[0]) * scale), ceil(Fraction(given.reals[1]) * scale)
    return iv.keeps_order(min(low, least), max(high, most), given.interval.fraction, form)


def _steps_apart(given: Bound, form: Format, *, on_grid: bool) -> int:
    """By how many steps the result for a code can differ from that for the exact value, if the cast keeps the order."""
    steps, most = Fraction(given.error) / Fraction(form.step), form.high - form.low
    return min(ceil(steps) if on_grid and given.interval.fraction <= form.fraction else floor(steps) + 1, most)


def overshoots_float32(given: Interval, form: Format) -> bool:
    """Whether a saturating `quantized_bits` may miss its limit in float32.

    It computes `x + (limit - x)` (the straight-through estimator). The fraction bits of the limit are lost if `x` is
    large and has fewer of them.
    """
    finer, (low, high) = form.fraction - given.fraction, given.bounds
    return finer > 0 and not _reaches(given, form) and max(high, -low - 1).bit_length() + finer > FLOAT32_BITS


def loses_end_in_float32(given: Interval, form: Format) -> bool:
    """Whether a saturating `quantized_relu` has a limit that float32 cannot represent."""
    return form.width > FLOAT32_BITS and not _reaches(given, form)


def loses_half_in_float32(given: Interval, form: Format) -> bool:
    """Whether the hard sigmoid in a quantizer, `x / 2 + 1 / 2` of its range, may be rounded in float32."""
    return given.fraction + form.integer > FLOAT32_BITS


def _reaches(given: Interval, form: Format) -> bool:
    """Whether a format of at least as many fraction bits holds the whole interval."""
    low, high = (
        end << max(form.fraction - given.fraction, 0) >> max(given.fraction - form.fraction, 0) for end in given.bounds
    )
    return form.low <= low and high <= form.high


def narrowed(given: Bound, form: Format, *, centred: bool = False) -> Bound:
    """A rounding that the network does not have, to a format that holds the whole interval.

    `centred`: the input is at least half a step too large on purpose, which its error includes. Truncation takes less
    than a step off, so the error downwards is not larger; behind a ReLU too, where less than half a step becomes 0.
    """
    return ranged(iv.cast(given.interval, form), given.error + (0.0 if centred else form.step / 2))


def relu(given: Bound) -> Bound:
    """`max(x, 0)`."""
    within = max(given.reals[0], 0.0), max(given.reals[1], 0.0)
    return ranged(ranges.relu(given.interval), given.error, within=within)


def saturate(given: Bound, form: Format) -> Bound:
    """Limiting to the range of a format that has every fraction bit of its input."""
    low, high = (min(max(end, form.low * form.step), form.high * form.step) for end in given.reals)
    return ranged(iv.cast(given.interval, form), given.error, within=(low, high))


def leaky_relu(layer: Node, operation: q.LeakyRelu, given: Bound) -> Bound:
    """`x if x > 0 else slope * x` with every bit kept.

    Raises WidthLimitError.
    """
    result = ranges.leaky_relu(operation.slope, given.interval, layer.name)
    off = float(np.abs(operation.slope.values - operation.trained).max()) * magnitude_of(given.interval)
    return ranged(result, given.error * max(1.0, float(np.abs(operation.trained).max())) + off)


def magnitude_of(interval: Interval) -> float:
    """The largest absolute value."""
    return max(abs(end) for end in interval.bounds) * 2.0**-interval.fraction


def threshold_relu(given: Bound) -> Bound:
    """`x if x > threshold else 0`; an input with an error may be on the other side of the threshold."""
    source = iv.with_zero(given.interval)
    error = given.error and given.error + magnitude_of(source)
    return ranged(source, error)


def windows(counts: tuple[int, ...], given: Bound, layer: Node, guard: Guard | None) -> tuple[Bound, Bound, bool]:
    """Mean over windows of the given sizes: bounds of the sum and of the mean, and whether nothing is lost.

    Powers of two divide exactly with as many more fraction bits. Other means are truncated below the guard bits;
    float32 needs these bits too, or its rounding could move a mean onto a half step.
    """
    largest = max(counts)
    exact = all(count & (count - 1) == 0 for count in counts)
    extra = largest.bit_length() - 1 if exact else guard.bits if guard else largest.bit_length() + GUARD_BITS
    source = iv.at_fraction(iv.with_zero(given.interval), given.interval.fraction + extra, layer=layer.name)
    ranges.refuse_overflow(magnitude(source) + largest.bit_length() + 1, layer.name)
    total = Interval(low=source.low * largest, high=source.high * largest, fraction=source.fraction)
    lossless = exact or bool(guard and guard.exact_steps)
    error = given.error + (0.0 if lossless else 2.0**-source.fraction)
    return ranged(total, given.error * largest), ranged(source, error), lossless


def merge(kind: MergeKind, given: tuple[Bound, Bound], layer: Node) -> Bound:
    """Elementwise operations of two tensors.

    Raises WidthLimitError.
    """
    left, right = given
    result = ranges.merge(kind, left.interval, right.interval, layer.name)
    match kind:
        case MergeKind.MULTIPLY:
            error = min(
                left.error * magnitude_of(right.interval) + right.error * max(map(abs, left.reals)),
                right.error * magnitude_of(left.interval) + left.error * max(map(abs, right.reals)),
            )
        case MergeKind.ADD | MergeKind.SUBTRACT:
            error = left.error + right.error
        case MergeKind.AVERAGE:
            error = (left.error + right.error) / 2
        case MergeKind.MAXIMUM | MergeKind.MINIMUM:
            error = max(left.error, right.error)
        case _:
            assert_never(kind)
    return ranged(result, error)


def concatenate(axis: int, given: tuple[Bound, Bound], shapes: tuple[Shape, Shape], layer: Node) -> Bound:
    """Two tensors side by side at a common binary point.

    Raises WidthLimitError.
    """
    parts = iv.aligned([part.interval for part in given], layer=layer.name)
    return ranged(ranges.concatenated(axis, parts, shapes), max(part.error for part in given))
