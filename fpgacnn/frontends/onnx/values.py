"""What a name in the graph stands for while it is read: a constant, or a tensor that a layer of ours holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.frontends.onnx.protobuf import kinds
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Rounding, round_whole
from fpgacnn.ir.source import FloatArray, Shape

Numbers: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The quantizer of a constant; every array has the constant's shape. `signs`: -scale below 0, else scale."""

    scale: FloatArray
    low: FloatArray
    high: FloatArray
    rounding: Rounding
    signs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Numbers of the file, `kind` their element type there, and the quantizer that they go through."""

    values: Numbers
    kind: int = 1
    grid: Grid | None = None

    @property
    def plain(self) -> Numbers:
        """The numbers behind the quantizer, float64 in the shape of `values`; without one, `values` themselves."""
        if self.grid is None:
            return self.values
        weight = to_weight(self)
        assert isinstance(weight.quantizer, src.Uniform | src.Binary)
        if isinstance(weight.quantizer, src.Binary):
            return np.where(weight.values < 0, -1.0, 1.0) * self.grid.scale
        return (
            np.clip(round_whole(weight.values / self.grid.scale, self.grid.rounding), self.grid.low, self.grid.high)
            * self.grid.scale
        )

    def moved(self, change: Callable[[Numbers], Numbers]) -> Constant:
        """The constant with its elements elsewhere, and its quantizer with them."""
        grid = self.grid
        if grid is not None:
            grid = replace(grid, scale=change(grid.scale), low=change(grid.low), high=change(grid.high))
        return replace(self, values=change(self.values), grid=grid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """The tensor in the file holds whole numbers `q`; the layer holds `(q - zero) * scale`.

    `scale` and `zero` are float64 with one element, or one for each channel, and broadcast against the file's tensor.
    """

    scale: FloatArray
    zero: FloatArray

    @property
    def single(self) -> tuple[float, float] | None:
        """The scale and the zero point where all elements have the same; None where channels have their own."""
        if self.scale.size != 1 or self.zero.size != 1:
            return None
        return float(self.scale.reshape(-1)[0]), float(self.zero.reshape(-1)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorView:
    """A tensor of the file as a layer of ours holds it.

    The file's tensor is what the layer holds, its axes taken in `order`, then given `shape`. `shape` counts the events
    axis, as 1. `exclusive`: nothing else reads the layer. `coding` is set between QuantizeLinear and DequantizeLinear.
    `kind` is the element type in the file. `divided`: made from a quotient that float32 rounds; a step function of it
    is refused.
    """

    layer: str
    layer_shape: Shape
    order: tuple[int, ...]
    shape: Shape
    exclusive: bool = True
    coding: Coding | None = None
    kind: int = kinds.FLOAT
    divided: bool = False

    @property
    def size(self) -> int:
        """Elements of one event."""
        return int(np.prod(self.layer_shape))

    def as_in_layer(self, array: Numbers) -> Numbers:
        """An array that broadcasts against the file's tensor, as the layer holds it.

        Raises ValueError if it does not broadcast.
        """
        full = np.broadcast_to(array, self.shape)
        turned = full.reshape(tuple(self.layer_shape[axis] for axis in self.order))
        return turned.transpose(np.argsort(self.order))


Value: TypeAlias = Constant | TensorView


def to_weight(constant: Constant) -> src.Weight:
    """A constant as the weight of a layer; the axes along which its quantizer does not change have length 1.

    The framework divides in float32. Where that rounds another way than exact division, next to a half step, the weight
    is stored as what the framework makes of it.
    """
    values, grid = constant.values.astype(np.float64), constant.grid
    if grid is None:
        return src.Weight(values=values)
    scale = _compressed(grid.scale)
    if grid.signs:
        return src.Weight(values=values, quantizer=src.Binary(alpha=scale))
    with np.errstate(over="ignore"):
        theirs = np.clip(
            round_whole((values.astype(np.float32) / grid.scale.astype(np.float32)).astype(np.float64), grid.rounding),
            grid.low,
            grid.high,
        )
    ours = np.clip(round_whole(values / grid.scale, grid.rounding), grid.low, grid.high)
    quantizer = src.Uniform(scale=scale, low=_compressed(grid.low), high=_compressed(grid.high), rounding=grid.rounding)
    return src.Weight(values=np.where(ours == theirs, values, theirs * grid.scale), quantizer=quantizer)


def _compressed(array: FloatArray) -> FloatArray:
    """The array with length 1 along axes that it is constant along; (1,) where it has no axes."""
    for axis in range(array.ndim):
        first = array.take([0], axis=axis)
        if np.array_equal(np.broadcast_to(first, array.shape), array):
            array = first
    return array.reshape(1) if array.size == 1 else array
