"""Scale propagation: tensors stay whole numbers, and the next quantizer applies scale, shift and ReLU.

A quantizer whose scale is no power of two gives whole numbers times the scale. Sums of products of whole numbers have
few bits. The scales of inputs, weights, batch normalizations and the next quantizer become one factor for each channel.
It is right before a rounding, and so it can be exact (`passes.precision.exact_steps.threshold_scale`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Protocol

import numpy as np

from fpgacnn.errors import UnsupportedQuantizerError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, is_power_of_two
from fpgacnn.ir.source import FloatArray, MergeKind, Shape, SourceLayer, SourceModel
from fpgacnn.ir.text import quantizer_text
from fpgacnn.passes.quantization.activations import SIGN
from fpgacnn.passes.quantization.batchnorm import affine as normalization
from fpgacnn.passes.quantization.clipping import covering_format, holds_only, limiting_nodes
from fpgacnn.passes.quantization.constants import affine
from fpgacnn.passes.quantization.linear import integer_sums
from fpgacnn.passes.quantization.nodes import node

MAX_ELEMENTS = 1 << 14
"""Most values of a tensor whose quantizer differs from element to element."""

MAX_ROW_BITS = 12
"""Scales that differ by more bits are not multiplied into the weights of the next layer, which share one format."""

MAX_SUMMED_AREA = 1 << 10
"""A mean over at most so many cells is built as a sum that the next quantizer divides."""

_NONE = np.zeros(1)
_ONE = np.ones(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledTensor:
    """A tensor that is `node * scale / divisor + shift`, behind a ReLU with `relu`; arrays are (1,) or (channels,).

    `rounds`: the framework's float32 rounds before the tensor, because a scale is no power of two.
    """

    node: str
    scale: FloatArray
    shift: FloatArray
    relu: bool = False
    rounds: bool = False
    divisor: int = 1

    @classmethod
    def plain(cls, node: str) -> ScaledTensor:
        """A node whose values are the tensor."""
        return cls(node=node, scale=_ONE, shift=_NONE)

    @property
    def is_plain(self) -> bool:
        """The values of the node are the tensor."""
        return not self.relu and self.has_one_scale and self.is_one

    @property
    def is_one(self) -> bool:
        """The scale of the first channel is 1."""
        return bool(self.scale[0] == 1) and self.divisor == 1

    @property
    def without_divisor(self) -> ScaledTensor:
        """The same tensor, with the divisor multiplied into the scale."""
        return replace(self, scale=self.scale / self.divisor, divisor=1)

    @property
    def has_one_scale(self) -> bool:
        """One scale for the whole tensor, and no shift."""
        return bool(np.all(self.scale == self.scale[0]) and not np.any(self.shift))

    @property
    def keeps_order(self) -> bool:
        """Larger codes are larger values, so maxima of codes are maxima of values."""
        return bool(np.all(self.scale > 0))


class Builder(Protocol):
    """The graph under construction."""

    source: SourceModel

    def append(self, layer: SourceLayer, chain: Sequence[q.Layer], inputs: Sequence[str], *, ends: bool) -> str:
        """Append nodes for a layer of the file; `ends`: the last one holds what the layer answers."""

    def scaled(self, name: str) -> ScaledTensor:
        """The scaled tensor that stands for a layer of the file."""

    def keep(self, name: str, tensor: ScaledTensor) -> None:
        """Record the scaled tensor that stands for a layer of the file."""

    def plain_node(self, name: str) -> str:
        """The name of a node whose values are those of the layer, with no scale left to apply."""

    def input_format(self, node: str) -> Format | None:
        """The format of an input of the network."""


def has_scales(source: SourceModel) -> bool:
    """Whether a network has quantizers with scales to propagate."""
    quantized = [layer.operation.function for layer in source.layers if isinstance(layer.operation, src.Activate)]
    weights = [weight.quantizer for layer in source.layers for weight in src.weights_of(layer.operation)]
    return any(
        isinstance(one, src.Uniform) or (isinstance(one, src.Binary) and isinstance(one.alpha, np.ndarray))
        for one in (*quantized, *weights)
    )


def propagate(builder: Builder, layer: SourceLayer) -> ScaledTensor | None:
    """The result of a layer with its scale not yet applied; None where scale propagation does not change the layer."""
    operation = layer.operation
    match operation:
        case src.Convolution() | src.Depthwise() | src.Dense():
            return _linear(builder, layer, operation)
        case src.BatchNormalization():
            given = _without_relu(builder, layer)
            scale, shift = normalization(operation.statistics, layer.name)
            rounds = given.rounds or not is_power_of_two(scale)
            return replace(given, scale=given.scale * scale, shift=given.shift * scale + shift, rounds=rounds)
        case src.Activate(function=src.Relu() as relu) if relu == src.Relu():
            given = builder.scaled(layer.inputs[0])
            return replace(given, relu=True)
        case src.Activate(function=src.Uniform() as quantizer):
            return _quantized(builder, layer, quantizer)
        case src.Activate(function=src.Binary(use_01=False) as quantizer) if not isinstance(quantizer.alpha, str):
            return _signs(builder, layer, quantizer)
        case src.Pool() | src.GlobalPool():
            return _pooled(builder, layer, operation)
        case src.Crop() | src.Upsample() | src.ZeroPad() | src.Reshape() | src.Permute():
            return _moved(builder, layer, operation)
        case src.Concatenate() | src.Merge():
            return _joined(builder, layer, operation)
        case _:
            return None


def materialize(builder: Builder, layer: SourceLayer, tensor: ScaledTensor) -> str:
    """The name of a node whose values are the tensor."""
    chain = []
    if np.any(tensor.scale != 1) or np.any(tensor.shift) or tensor.divisor != 1:
        chain.append(_line(tensor.scale, tensor.shift, layer.shape, rounds=tensor.rounds, divisor=tensor.divisor))
    if tensor.relu:
        chain.append(node("relu", q.Relu(), layer.shape))
    return builder.append(layer, chain, (tensor.node,), ends=True) if chain else tensor.node


def _line(scale: FloatArray, shift: FloatArray, shape: Shape, *, rounds: bool, divisor: int = 1) -> q.Layer:
    channels = shape[-1:]
    operation = affine(np.broadcast_to(scale, channels), np.broadcast_to(shift, channels), divisor)
    return node("scale", replace(operation, rounds_in_float32=rounds), shape)


def _materialized(builder: Builder, layer: SourceLayer) -> ScaledTensor:
    return ScaledTensor.plain(builder.plain_node(layer.inputs[0]))


def _without_relu(builder: Builder, layer: SourceLayer) -> ScaledTensor:
    """The input with its ReLU applied; to the codes, if they have the sign of the values."""
    given = builder.scaled(layer.inputs[0])
    if not given.relu:
        return given
    if not given.keeps_order or np.any(given.shift):
        return _materialized(builder, layer)
    source = builder.source.layer(layer.inputs[0])
    plain = given.has_one_scale and given.is_one
    relu = builder.append(source, [node("relu", q.Relu(), source.shape)], (given.node,), ends=plain)
    builder.keep(source.name, done := replace(given, node=relu, relu=False))
    return done


def _linear(builder: Builder, layer: SourceLayer, operation: src.Linear) -> ScaledTensor | None:
    given = _without_relu(builder, layer).without_divisor
    by_rows = (
        is_power_of_two(given.scale)
        and _span(given.scale) <= MAX_ROW_BITS
        and (isinstance(operation, src.Dense) or (isinstance(operation, src.Convolution) and operation.groups == 1))
    )
    if np.any(given.shift) or not (given.has_one_scale or by_rows or isinstance(operation, src.Depthwise)):
        given = _materialized(builder, layer)
    multiplier = layer.shape[-1] // operation.kernel.values.shape[2] if isinstance(operation, src.Depthwise) else 1
    rows = given.scale if by_rows and not given.has_one_scale else None
    factor = given.scale[:1] if given.has_one_scale else _ONE if by_rows else np.repeat(given.scale, multiplier)
    found = integer_sums(layer.name, operation, layer.shape, factor, rows)
    if found is None:
        return None
    sums, scale, shift = found
    rounds = given.rounds or not is_power_of_two(scale)
    return ScaledTensor(
        node=builder.append(layer, [sums], (given.node,), ends=False), scale=scale, shift=shift, rounds=rounds
    )


def _span(scale: FloatArray) -> float:
    """Bits between the smallest and the largest scale."""
    sizes = np.abs(scale[scale != 0])
    return float(np.log2(sizes.max() / sizes.min())) if sizes.size else 0.0


def _pooled(builder: Builder, layer: SourceLayer, operation: src.Pool | src.GlobalPool) -> ScaledTensor | None:
    if operation.kind is src.PoolKind.MAX:
        given = builder.scaled(layer.inputs[0])
        return (
            _passed(builder, layer, given, _pool_nodes(layer, operation))
            if given.keeps_order and not given.is_plain
            else None
        )
    shape = builder.source.layer(layer.inputs[0]).shape
    size, pads = (
        (operation.size, operation.pads)
        if isinstance(operation, src.Pool)
        else ((1, 1, *shape[:-1])[-2:], (0, 0, 0, 0))
    )
    area = size[0] * size[1]
    if operation.factor is not None or any(pads) or area > MAX_SUMMED_AREA:
        return None
    given = _without_relu(builder, layer)
    if area & (area - 1) == 0:
        return None if given.is_plain else _passed(builder, layer, given, _pool_nodes(layer, operation))
    channels = layer.shape[-1]
    none = Codes(array=np.zeros(channels, np.int64), format=Format(width=1, integer=1, signed=False))
    ones = Codes(array=np.ones((*size, channels, 1), np.int64), format=Format(width=1, integer=1, signed=False))
    strides = operation.strides if isinstance(operation, src.Pool) else (1, 1)
    summed = layer.shape if isinstance(operation, src.Pool) else (*(1,) * (len(shape) - 1), channels)
    sums = hw.Depthwise(kernel=ones, bias=none, strides=strides, pads=(0, 0, 0, 0))
    chain = [node("sum", q.Linear(sums=sums), summed)]
    chain += [node("flat", src.Reshape(), layer.shape)] if summed != layer.shape else []
    return replace(
        given, node=builder.append(layer, chain, (given.node,), ends=False), divisor=given.divisor * area, rounds=True
    )


def _pool_nodes(layer: SourceLayer, operation: src.Pool | src.GlobalPool) -> list[q.Layer]:
    if isinstance(operation, src.Pool):
        pool = hw.Pool(kind=operation.kind, size=operation.size, strides=operation.strides, pads=operation.pads)
        return [node("pool", pool, layer.shape)]
    flat = layer.shape[-1:]
    chain = [node("pool", hw.GlobalPool(kind=operation.kind), flat)]
    return chain if flat == layer.shape else [*chain, node("flat", src.Reshape(), layer.shape)]


def _passed(builder: Builder, layer: SourceLayer, given: ScaledTensor, chain: Sequence[q.Layer]) -> ScaledTensor:
    return replace(given, node=builder.append(layer, chain, (given.node,), ends=False))


def _moved(
    builder: Builder, layer: SourceLayer, operation: src.Crop | src.Upsample | src.ZeroPad | src.Reshape | src.Permute
) -> ScaledTensor | None:
    given = builder.scaled(layer.inputs[0])
    keeps = isinstance(operation, src.Crop | src.Upsample) or given.has_one_scale
    if given.is_plain or not keeps:
        return None
    if isinstance(operation, src.Reshape) and builder.source.layer(layer.inputs[0]).shape == layer.shape:
        return given
    given = replace(given, scale=given.scale[:1], shift=_NONE) if given.has_one_scale else given
    return _passed(builder, layer, given, [node("moved", operation, layer.shape)])


def _joined(builder: Builder, layer: SourceLayer, operation: src.Concatenate | src.Merge) -> ScaledTensor | None:
    """Tensors with one scale are joined as whole numbers."""
    parts = [builder.scaled(name) for name in layer.inputs]
    scale, divisor = float(parts[0].scale[0]), parts[0].divisor
    product = isinstance(operation, src.Merge) and operation.kind is MergeKind.MULTIPLY
    alike = all(one.has_one_scale and one.scale[0] == scale and one.divisor == divisor for one in parts)
    if parts[0].is_one or scale <= 0 or product or len(parts) != 2 or not alike:  # a pair
        return None
    shapes = {builder.source.layer(name).shape for name in layer.inputs}
    if any(one.relu for one in parts) or (isinstance(operation, src.Merge) and len(shapes) > 1):
        return None
    joined: q.Operation = operation if isinstance(operation, src.Concatenate) else hw.Merge(kind=operation.kind)
    name = builder.append(layer, [node("joined", joined, layer.shape)], [one.node for one in parts], ends=False)
    return ScaledTensor(node=name, scale=parts[0].scale[:1], shift=_NONE, rounds=True, divisor=divisor)


def _signs(builder: Builder, layer: SourceLayer, quantizer: src.Binary) -> ScaledTensor:
    alpha = np.atleast_1d(np.asarray(1.0 if quantizer.alpha is None else quantizer.alpha, np.float32)).astype(
        np.float64
    )
    given = builder.scaled(layer.inputs[0])
    if given.relu:
        given = _materialized(builder, layer)
    chain = (
        []
        if given.has_one_scale and given.keeps_order
        else [_line(given.scale, given.shift, layer.shape, rounds=given.rounds, divisor=given.divisor)]
    )
    chain += [node("sign", q.Cast(format=SIGN), layer.shape)]
    small = is_power_of_two(alpha)
    step = alpha if small else _ONE
    chain.append(_line(2.0 * step, step, layer.shape, rounds=False))
    name = builder.append(layer, chain, (given.node,), ends=small)
    return ScaledTensor(node=name, scale=_ONE if small else alpha, shift=_NONE, rounds=not small)


def _quantized(builder: Builder, layer: SourceLayer, quantizer: src.Uniform) -> ScaledTensor:
    """A quantizer. The step of the node is that of the quantizer if it is a power of two, else 1."""
    given, shape = builder.scaled(layer.inputs[0]), layer.shape
    scale, low, high = (_narrowed(one, shape) for one in (quantizer.scale, quantizer.low, quantizer.high))
    quantizer = replace(quantizer, scale=scale, low=low, high=high)
    if given.relu and (
        quantizer.wraps or quantizer.must_fit or not quantizer.is_limited or np.any(scale < 0) or np.any(low > 0)
    ):
        given = _materialized(builder, layer)
    if max(scale.ndim, low.ndim, high.ndim) > 1:
        return _element_by_element(builder, layer, quantizer, given)
    chain, rest = _steps(quantizer, given, shape, builder.input_format(given.node))
    name = builder.append(layer, chain, (given.node,), ends=bool(np.all(rest == 1))) if chain else given.node
    return ScaledTensor(node=name, scale=rest, shift=_NONE, rounds=not is_power_of_two(rest))


def _narrowed(array: FloatArray, shape: Shape) -> FloatArray:
    """(1,) if all elements are equal, (channels,) if only channels differ, else one number for each element."""
    full = np.broadcast_to(array, shape)
    if np.all(full == full.reshape(-1)[0]):
        return np.array(full.reshape(-1)[:1])
    rows = full.reshape(-1, shape[-1])
    return np.array(rows[0]) if np.all(rows == rows[0]) else np.array(full)


def _element_by_element(
    builder: Builder, layer: SourceLayer, quantizer: src.Uniform, given: ScaledTensor
) -> ScaledTensor:
    """A quantizer that differs from element to element: the tensor becomes a vector with its elements as channels."""
    shape, size = layer.shape, prod(layer.shape)
    if size > MAX_ELEMENTS:
        why = f"widths of their own for {size} values are more than {MAX_ELEMENTS}; quantize space homogeneously"
        raise UnsupportedQuantizerError(layer=layer.name, quantizer=quantizer_text(quantizer), why=why)
    if not given.has_one_scale:
        given = _materialized(builder, layer)
    scale, low, high = (
        np.broadcast_to(one, shape).reshape(-1) for one in (quantizer.scale, quantizer.low, quantizer.high)
    )
    flat = replace(quantizer, scale=scale, low=low, high=high)
    chain, rest = _steps(flat, given, (size,), None)
    back = [] if np.all(rest == 1) else [_line(rest, _NONE, (size,), rounds=not is_power_of_two(rest))]
    chain = [node("vector", src.Reshape(), (size,)), *chain, *back, node("again", src.Reshape(), shape)]
    return ScaledTensor.plain(builder.append(layer, chain, (given.node,), ends=True))


def _steps(
    quantizer: src.Uniform, given: ScaledTensor, shape: Shape, port: Format | None
) -> tuple[list[q.Layer], FloatArray]:
    """Nodes that convert a tensor to the quantizer's whole numbers, and the scale that remains to be applied."""
    scale = quantizer.scale
    one_step = scale.size == quantizer.low.size == quantizer.high.size == 1 and is_power_of_two(scale)
    in_place = bool(one_step and quantizer.is_limited and scale[0] > 0 and not quantizer.must_fit)
    unit = scale if in_place else _ONE
    ahead = given.scale / (scale / unit), given.shift / (scale / unit)
    even = bool(np.all(ahead[0] == 1) and not np.any(ahead[1])) and given.divisor == 1
    rounds = given.rounds or not is_power_of_two(scale)
    chain = [] if even else [_line(*ahead, shape, rounds=rounds, divisor=given.divisor)]
    low = np.maximum(quantizer.low, 0.0) if given.relu else quantizer.low
    casts = _casts(replace(quantizer, low=low), float(unit[0]), given, shape)
    first = casts[0].operation
    if even and isinstance(first, q.Cast) and port is not None and holds_only(port, first.format):
        casts = casts[1:]
    return [*chain, *casts], _ONE if in_place else scale


def _casts(quantizer: src.Uniform, step: float, given: ScaledTensor, shape: Shape) -> list[q.Layer]:
    """Rounding to multiples of `step` and limiting."""
    if quantizer.must_fit:
        limits = int(quantizer.low.max()), int(quantizer.high.min())
        return [node("round", q.Round(rounding=quantizer.rounding, ends=limits), shape)]
    if not quantizer.is_limited:
        return [node("round", q.Round(rounding=quantizer.rounding), shape)]
    if quantizer.wraps and (quantizer.low.size > 1 or quantizer.high.size > 1):
        channels = shape[-1:]
        ends = [np.broadcast_to(end, channels).astype(np.int64) for end in (quantizer.low, quantizer.high)]
        return [
            node("round", q.Round(rounding=quantizer.rounding), shape),
            node("wrap", q.Wrap(low=ends[0], high=ends[1]), shape),
        ]
    form = covering_format(quantizer, step)
    cast: q.Operation = q.Relu(format=form) if given.relu else q.Cast(format=form)
    return [node("cast", cast, shape), *limiting_nodes(quantizer, form, shape)]
