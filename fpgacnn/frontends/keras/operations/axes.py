"""Operations along any axis of a tensor, made of those that hardware has.

Permutations, reshapes, pointwise convolutions.

Axes and shapes are counted without that of events.
"""

from __future__ import annotations

from math import prod

import numpy as np

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, Shape

MAX_RANK = 3
"""Axes of an image: height, width, channels."""

MAX_MATRIX = 1 << 22
"""Numbers of a matrix that chooses places of an axis."""


def mixed(context: LayerContext, shape: Shape, axis: int, matrix: FloatArray) -> list[ParsedOperation]:
    """An axis times a matrix (places before, places after) of zeros and ones: places are chosen, turned or repeated."""
    before, after = matrix.shape
    if len(shape) > MAX_RANK or matrix.size > MAX_MATRIX:
        raise context.shape_error(f"choosing places along axis {axis + 1} of {shape} is not supported")
    result = (*shape[:axis], after, *shape[axis + 1 :])
    if len(shape) == 1:
        one_cell = ParsedOperation(operation=src.Reshape(), shape=(1, before))
        chosen = ParsedOperation(operation=_pointwise(matrix), shape=(1, after))
        return [one_cell, chosen, ParsedOperation(operation=src.Reshape(), shape=result)]
    order = [*(one for one in range(len(shape)) if one != axis), axis]
    back = [order.index(one) for one in range(len(shape))]
    chosen = ParsedOperation(operation=_pointwise(matrix), shape=tuple(result[one] for one in order))
    return [*permuted(shape, order), chosen, *permuted(chosen.shape, back)]


def permuted(shape: Shape, order: list[int]) -> list[ParsedOperation]:
    """Axes in another order; nothing where it is the same."""
    if order == sorted(order):
        return []
    return [ParsedOperation(operation=src.Permute(axes=tuple(order)), shape=tuple(shape[axis] for axis in order))]


def _pointwise(matrix: FloatArray) -> src.Convolution:
    ones = src.QuantizedBits(bits=2, integer=1, alpha=1.0)
    kernel = src.Weight(values=matrix.reshape(1, 1, *matrix.shape), quantizer=ones)
    return src.Convolution(kernel=kernel, bias=None, strides=(1, 1), pads=(0, 0, 0, 0))


def repeated(context: LayerContext, shape: Shape, target: Shape) -> list[ParsedOperation]:
    """A tensor repeated to a shape that it fits: axes of length 1 become longer, missing ones come first.

    Raises ShapeError if it does not fit.
    """
    wide = (1,) * (len(target) - len(shape)) + shape
    if len(wide) != len(target) or any(one not in {1, size} for one, size in zip(wide, target, strict=True)):
        raise context.shape_error(f"{shape} does not fit {target}")
    steps = [ParsedOperation(operation=src.Reshape(), shape=wide)] if wide != shape else []
    for axis, size in enumerate(target):
        if wide[axis] != size:
            steps += mixed(context, wide, axis, np.ones((1, size)))
            wide = (*wide[:axis], size, *wide[axis + 1 :])
    return steps


def chosen(context: LayerContext, shape: Shape, axis: int, places: range) -> list[ParsedOperation]:
    """Some places of an axis, in the order of a range: whole, cut off at the ends, or chosen one by one."""
    size = shape[axis]
    if places == range(size):
        return []
    result = (*shape[:axis], len(places), *shape[axis + 1 :])
    if places.step == 1 and len(shape) == 1:
        borders = (0, 0, places.start, size - places.stop)
        cut = ParsedOperation(operation=src.Crop(borders=borders), shape=(len(places), 1))
        return [
            ParsedOperation(operation=src.Reshape(), shape=(size, 1)),
            cut,
            ParsedOperation(operation=src.Reshape(), shape=result),
        ]
    if places.step == 1 and len(shape) in {2, 3} and axis < len(shape) - 1:
        ends = (places.start, size - places.stop)
        borders = (*ends, 0, 0) if len(shape) == 3 and axis == 0 else (0, 0, *ends)
        return [ParsedOperation(operation=src.Crop(borders=borders), shape=result)]
    matrix = np.zeros((size, len(places)))
    matrix[list(places), np.arange(len(places))] = 1.0
    return mixed(context, shape, axis, matrix)


def reduced(shape: Shape, axes: list[int], kind: src.PoolKind, result: Shape) -> list[ParsedOperation]:
    """The mean or the maximum over some axes: they become places, all others channels."""
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    order = [*axes, *kept]
    steps = permuted(shape, order)
    channels = prod(shape[axis] for axis in kept)
    flat = (prod(shape[axis] for axis in axes), channels)
    if (steps[-1].shape if steps else shape) != flat:
        steps.append(ParsedOperation(operation=src.Reshape(), shape=flat))
    steps.append(ParsedOperation(operation=src.GlobalPool(kind=kind, keep_dims=False), shape=(channels,)))
    return [*steps, ParsedOperation(operation=src.Reshape(), shape=result)] if result != (channels,) else steps
