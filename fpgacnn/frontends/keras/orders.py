"""Operations on tensors whose axes a layer holds in another order than the file.

An operation that treats all elements alike is the same in any order. One with an array of numbers, or with a number of
an axis, gets these in the order of the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias, assert_never

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape, SourceOperation

Order: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A tensor of the file and the layer that holds it: the file's axes are those of the layer, taken in `order`.

    `shape` is that of the file's tensor, without the events axis.
    """

    layer: str
    shape: Shape
    order: Order

    @property
    def is_as_in_file(self) -> bool:
        """Whether the layer has the axes in the file's order."""
        return self.order == identity(self.shape)

    @property
    def layer_shape(self) -> Shape:
        """The shape of what the layer holds."""
        return tuple(self.shape[place] for place in inverse(self.order))


def identity(shape: Shape) -> Order:
    """The axes of a tensor as they are."""
    return tuple(range(len(shape)))


def as_in_file(layer: str, shape: Shape) -> Held:
    """A tensor that a layer holds as the file does."""
    return Held(layer=layer, shape=shape, order=identity(shape))


def inverse(order: Order) -> Order:
    """The order that undoes an order: the place in the file's tensor of each axis of the layer."""
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def with_order(
    operation: SourceOperation, inputs: Sequence[Held], shape: Shape
) -> tuple[SourceOperation, Order | None]:
    """An operation on tensors in one order of axes, and this order; None: it needs the file's order.

    `shape` is that of the result in the file.
    """
    if all(one.is_as_in_file for one in inputs) or any(len(one.shape) != len(shape) for one in inputs):
        return operation, None
    order = max(inputs, key=lambda one: prod(one.shape)).order
    match operation:
        case src.Activate(function=function):
            moved = _function(function, order)
            return (operation, None) if moved is None else (replace(operation, function=moved), order)
        case src.BatchNormalization(statistics=statistics):
            alike = _for_all(statistics, shape[inverse(order)[-1]])
            return (operation, None) if alike is None else (src.BatchNormalization(statistics=alike), order)
        case src.Merge():
            return operation, order
        case src.Concatenate(axis=axis):
            return src.Concatenate(axis=order[axis]), order
        case _:
            return operation, None


def _for_all(statistics: src.Statistics, channels: int) -> src.Statistics | None:
    """A normalization with the same numbers for all elements, for so many channels; None if they differ."""
    parts = (statistics.gamma, statistics.beta, statistics.mean, statistics.variance)
    if any(one.quantizer is not None or np.ptp(one.values) for one in parts):
        return None
    gamma, beta, mean, variance = (src.Weight(values=np.full(channels, one.values.flat[0])) for one in parts)
    return replace(statistics, gamma=gamma, beta=beta, mean=mean, variance=variance)


def _function(function: src.Activation, order: Order) -> src.Activation | None:
    """A function of a tensor as a function of what a layer holds; None if it needs the file's order."""
    match function:
        case src.Softmax():
            return function if order[-1] == len(order) - 1 else None
        case src.PRelu(slope=slope):
            return replace(function, slope=slope.transpose(inverse(order))) if slope.ndim == len(order) else None
        case src.Uniform(scale=scale, low=low, high=high):
            return function if scale.size == low.size == high.size == 1 else None
        case src.QuantizedBits(alpha=alpha) | src.Binary(alpha=alpha) | src.Ternary(alpha=alpha):
            return function if alpha is None or isinstance(alpha, int | float) else None
        case (
            src.Relu()
            | src.Function()
            | src.QuantizedRelu()
            | src.PowerOfTwo()
            | src.QuantizedTanh()
            | src.QuantizedSigmoid()
        ):
            return function
        case _:
            assert_never(function)
