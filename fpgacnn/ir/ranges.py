"""The interval of what each hardware operation computes, from the intervals of its inputs.

Every function gives the interval of the exact result, before any cast. Planning chooses formats from these intervals
and bounds errors beside them; the emulator casts them to the formats that a design has. Arrays of an interval broadcast
against the shape of the tensor (`fpgacnn.ir.interval`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import assert_never

import numpy as np

from fpgacnn.errors import WidthLimitError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import MAX_WIDTH, CodeArray, Codes
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.shapes import covered_cells
from fpgacnn.ir.source import FloatArray, MergeKind, Shape


def refuse_overflow(bits: int, layer: str) -> None:
    """Raise WidthLimitError where a sum of products needs more bits than the arithmetic has."""
    if bits > MAX_WIDTH:
        raise WidthLimitError(layer=layer, what="a sum of products", bits=bits, limit=MAX_WIDTH)


# --- sums of products ----------------------------------------------------------------------------------------------


def input_ends(operation: hw.Linear, given: Interval, shape: Shape) -> tuple[CodeArray, CodeArray]:
    """Smallest and largest code of each input of a dense layer (inputs,), or of each channel of a window (channels,).

    Padding adds the value 0 to a window. `shape` is that of the input.
    """
    if isinstance(operation, hw.Dense):
        wide = iv.full(given, shape)
        return wide.low.reshape(-1), wide.high.reshape(-1)
    channels = iv.hull(given)
    channels = iv.with_zero(channels) if any(operation.pads) else channels
    low, high = (np.broadcast_to(end.reshape(-1), shape[-1:]) for end in (channels.low, channels.high))
    return low, high


def as_matrix(operation: hw.Linear, given: Interval, shape: Shape) -> tuple[CodeArray, CodeArray, CodeArray]:
    """Smallest and largest code of every input, and the weights (terms, outputs), against which the codes broadcast."""
    kernel = operation.kernel.array
    low, high = input_ends(operation, given, shape)
    if isinstance(operation, hw.Depthwise):
        return low, high, kernel.reshape(prod(kernel.shape[:2]), -1)
    matrix = kernel.reshape(-1, kernel.shape[-1])
    repeats = len(matrix) // len(low)
    return np.tile(low, repeats)[:, None], np.tile(high, repeats)[:, None], matrix


def products(low: CodeArray, high: CodeArray, matrix: CodeArray) -> tuple[CodeArray, CodeArray]:
    """Smallest and largest product (terms, outputs) of each weight with its input (`as_matrix`)."""
    ends = matrix * low, matrix * high
    return np.minimum(*ends), np.maximum(*ends)


def sums(low: CodeArray, high: CodeArray, matrix: CodeArray) -> tuple[CodeArray, CodeArray]:
    """Smallest and largest sum (outputs,) over the terms of `products`."""
    smallest, largest = (np.zeros(matrix.shape[1], np.int64) for _ in range(2))
    least, most = (np.broadcast_to(end, (len(matrix), end.shape[-1])) for end in (low, high))
    for rows in row_pieces(matrix):
        below, above = products(least[rows], most[rows], matrix[rows])
        smallest += below.sum(axis=0)
        largest += above.sum(axis=0)
    return smallest, largest


def sizes(largest: FloatArray, matrix: CodeArray) -> FloatArray:
    """The sum (outputs,) of the sizes of products with inputs of at most such a size, of any number of bits."""
    found, inputs = np.zeros(matrix.shape[1]), np.broadcast_to(largest, (len(matrix), largest.shape[-1]))
    for rows in row_pieces(matrix):
        found += (inputs[rows] * np.abs(matrix[rows]).astype(np.float64)).sum(axis=0)
    return found


def row_pieces(matrix: CodeArray) -> list[slice]:
    """Rows that are computed together: so many numbers stay in the nearest caches from step to step."""
    count = max(PIECE_NUMBERS // max(matrix.shape[1], 1), 1)
    return [slice(start, start + count) for start in range(0, len(matrix), count)]


PIECE_NUMBERS = 1 << 14
"""Numbers of a piece: 128 KiB."""


# --- elementwise operations ----------------------------------------------------------------------------------------


def scaled(scale: Codes, shift: Codes, given: Interval, layer: str) -> tuple[Interval, CodeArray]:
    """`x * scale` for every channel, and the shift (channels,), both at the fraction bits of their sum.

    Raises WidthLimitError.
    """
    fraction = given.fraction + scale.format.fraction
    common = max(fraction, shift.format.fraction)
    bits = _bits(given) + _most(scale) + common - fraction + 2
    refuse_overflow(max(bits, _most(shift) + common - shift.format.fraction + 2), layer)
    ends = (given.low * scale.array, given.high * scale.array)
    product = Interval(
        low=np.minimum(*ends) << (common - fraction), high=np.maximum(*ends) << (common - fraction), fraction=common
    )
    return product, shift.array << (common - shift.format.fraction)


def affine(operation: hw.Affine, given: Interval, layer: str) -> Interval:
    """`x * scale + shift` for every channel.

    Raises WidthLimitError.
    """
    product, offset = scaled(operation.scale, operation.shift, given, layer)
    return Interval(low=product.low + offset, high=product.high + offset, fraction=product.fraction)


def relu(given: Interval) -> Interval:
    """`max(x, 0)`."""
    return Interval(low=np.maximum(given.low, 0), high=np.maximum(given.high, 0), fraction=given.fraction)


def leaky_relu(slope: Codes, given: Interval, layer: str) -> Interval:
    """`x if x > 0 else slope * x`.

    Raises WidthLimitError.
    """
    fraction = max(slope.format.fraction, 0)
    refuse_overflow(_bits(given) + max(fraction, slope.format.width) + 1, layer)
    factors = slope.array if slope.array.size > 1 else slope.array.reshape((1,) * given.low.ndim)
    factors = factors << (fraction - slope.format.fraction)
    values = [np.where(end > 0, end << fraction, end * factors) for end in (given.low, given.high)]
    values += [np.zeros_like(values[0])] if given.bounds[0] < 0 < given.bounds[1] else []
    return Interval(low=np.minimum.reduce(values), high=np.maximum.reduce(values), fraction=given.fraction + fraction)


def merge(kind: MergeKind, left: Interval, right: Interval, layer: str) -> Interval:
    """Elementwise operations of two tensors.

    Raises WidthLimitError.
    """
    if kind is MergeKind.MULTIPLY:
        refuse_overflow(_bits(left) + _bits(right) + 1, layer)
        corners = [one * other for one in (left.low, left.high) for other in (right.low, right.high)]
        product = Interval(
            low=np.minimum.reduce(corners), high=np.maximum.reduce(corners), fraction=left.fraction + right.fraction
        )
        return iv.guarded(product, layer=layer, what="a product")
    left, right = iv.aligned([left, right], layer=layer)
    fraction = left.fraction
    match kind:
        case MergeKind.ADD:
            low, high = left.low + right.low, left.high + right.high
        case MergeKind.SUBTRACT:
            low, high = left.low - right.high, left.high - right.low
        case MergeKind.AVERAGE:
            low, high, fraction = left.low + right.low, left.high + right.high, fraction + 1
        case MergeKind.MAXIMUM:
            low, high = np.maximum(left.low, right.low), np.maximum(left.high, right.high)
        case MergeKind.MINIMUM:
            low, high = np.minimum(left.low, right.low), np.minimum(left.high, right.high)
        case _:
            assert_never(kind)
    return iv.guarded(Interval(low=low, high=high, fraction=fraction), layer=layer, what="a merge")


def _bits(given: Interval) -> int:
    """Bits of the largest absolute code."""
    low, high = given.bounds
    return max(abs(low), abs(high)).bit_length()


def _most(codes: Codes) -> int:
    """Bits of the largest absolute constant."""
    return int(np.abs(codes.array).max()).bit_length()


# --- tables and step functions -------------------------------------------------------------------------------------


def table(entries: Codes, rank: int) -> Interval:
    """Every entry of a table, for a tensor of `rank` axes."""
    shape = (1,) * rank
    low, high = int(entries.array.min()), int(entries.array.max())
    return Interval(low=np.full(shape, low), high=np.full(shape, high), fraction=entries.format.fraction)


def threshold_counts(thresholds: CodeArray, codes: CodeArray) -> CodeArray:
    """How many of the thresholds (1 or channels, n) of its channel each code (..., channels) has reached."""
    if len(thresholds) == 1:
        return np.searchsorted(thresholds[0], codes, side="right")
    found = np.empty(codes.shape, np.int64)
    for channel, row in enumerate(thresholds):
        found[..., channel] = np.searchsorted(row, codes[..., channel], side="right")
    return found


def steps(thresholds: Codes, values: Codes, given: Interval, channels: int) -> Interval:
    """The values of a step function between the thresholds that the codes of each channel can reach."""
    low, high = iv.per_channel(given, channels)
    first, last = (threshold_counts(thresholds.array, end) for end in (low, high))
    rows = np.broadcast_to(values.array, (channels, values.array.shape[-1]))
    reached = [row[start : end + 1] for row, start, end in zip(rows, first, last, strict=True)]
    shape = (1,) * (given.low.ndim - 1) + (-1,)
    return Interval(
        low=np.array([row.min() for row in reached], np.int64).reshape(shape),
        high=np.array([row.max() for row in reached], np.int64).reshape(shape),
        fraction=values.format.fraction,
    )


# --- operations that move values -----------------------------------------------------------------------------------


def moved(
    operation: src.ZeroPad | src.Crop | src.Upsample | src.Permute | src.Reshape,
    given: Interval,
    shape: Shape,
    result: Shape,
) -> Interval:
    """Values of a tensor of `shape` at other places of a tensor of shape `result`."""
    match operation:
        case src.ZeroPad():
            return iv.with_zero(iv.hull(given))
        case src.Crop() | src.Upsample():
            return iv.hull(given)
        case src.Permute():
            wide = iv.full(given, shape)
            low, high = wide.low.transpose(operation.axes), wide.high.transpose(operation.axes)
            return Interval(low=low, high=high, fraction=given.fraction)
        case src.Reshape():
            wide = iv.full(given, shape)
            return Interval(low=wide.low.reshape(result), high=wide.high.reshape(result), fraction=given.fraction)
        case _:
            assert_never(operation)


def concatenated(axis: int, given: Sequence[Interval], shapes: Sequence[Shape]) -> Interval:
    """Tensors of these shapes side by side; their intervals have the same fraction bits."""
    wide = [iv.full(part, shape) for part, shape in zip(given, shapes, strict=True)]
    low, high = (np.concatenate([getattr(part, end) for part in wide], axis=axis) for end in ("low", "high"))
    return Interval(low=low, high=high, fraction=given[0].fraction)


def pooled(operation: hw.Pool | hw.GlobalPool, given: Interval) -> Interval:
    """The cells that a pooling reads: one pair of numbers for each channel, of the rank of the result."""
    cells = iv.hull(given)
    if isinstance(operation, hw.Pool):
        return cells
    return Interval(low=cells.low.reshape(-1), high=cells.high.reshape(-1), fraction=cells.fraction)


def window_sizes(operation: hw.Pool | hw.GlobalPool, shape: Shape) -> tuple[int, ...]:
    """How many cells, without padding, the windows of a pooling cover, the largest number first."""
    if isinstance(operation, hw.GlobalPool):
        return (prod(shape[:-1]),)
    height, width = shape[:-1] if len(shape) == 3 else (1, shape[0])
    rows = covered_cells(height, operation.size[0], operation.strides[0], *operation.pads[:2])
    columns = covered_cells(width, operation.size[1], operation.strides[1], *operation.pads[2:])
    return tuple(sorted({row * column for row in rows for column in columns}, reverse=True))
