"""From the source network to the quantized graph: every layer of the file becomes nodes on integer codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

import numpy as np

from fpgacnn.errors import Choice, UnsupportedOptionError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.ir.source import MergeKind, Shape, SourceLayer, SourceModel
from fpgacnn.passes.quantization import quantizers
from fpgacnn.passes.quantization.activations import activation_nodes
from fpgacnn.passes.quantization.batchnorm import affine as normalization
from fpgacnn.passes.quantization.clipping import holds_only, whole_format
from fpgacnn.passes.quantization.constants import affine
from fpgacnn.passes.quantization.hard_functions import mark_float32
from fpgacnn.passes.quantization.linear import linear_nodes, transposed_nodes
from fpgacnn.passes.quantization.names import Namer
from fpgacnn.passes.quantization.nodes import node, reshaped
from fpgacnn.passes.quantization.scale_propagation import ScaledTensor, has_scales, materialize, propagate


class SoftmaxChoice(Choice):
    """How a softmax at an output is built: with tables, as a one-hot argmax, or not at all."""

    KEEP = "keep"
    ARGMAX = "argmax"
    LOGITS = "logits"


def quantize(
    source: SourceModel, *, inputs: Sequence[Format], softmax: SoftmaxChoice = SoftmaxChoice.LOGITS
) -> QuantizedModel:
    """The quantized graph of a network, with one format for each of its inputs.

    Raises UnsupportedOptionError, UnsupportedQuantizerError or WidthsNeededError, which name the layer.
    """
    source = mark_float32(source)
    builder = _Builder(
        source=source,
        input_formats=dict(zip(source.inputs, inputs, strict=True)),
        softmax=softmax,
        propagates=has_scales(source),
    )
    for layer in source.layers:
        builder.add(layer)
    outputs = tuple(builder.plain_node(name) for name in source.outputs)
    return QuantizedModel(
        name=source.name,
        source_digest=source.digest,
        layers=tuple(builder.nodes),
        inputs=tuple(builder.node_of[name] for name in source.inputs),
        outputs=outputs,
        notes=tuple(builder.notes),
    )


def leading_quantizer(source: SourceModel, name: str) -> Format | None:
    """The format to which the network itself casts the input `name` first, or None."""
    readers = [layer for layer in source.layers if name in layer.inputs]
    formats = {_plain_cast(layer.operation) for layer in readers}
    return formats.pop() if len(formats) == 1 and name not in source.outputs else None


def _plain_cast(operation: src.SourceOperation) -> Format | None:
    match operation:
        case src.Activate(function=src.QuantizedBits() as quantizer) if quantizer.bits > 1 and not isinstance(
            quantizer.alpha, str
        ):
            return quantizers.activation_format(quantizer)
        case src.Activate(function=src.Uniform() as quantizer):
            return whole_format(quantizer)
        case _:
            return None


@dataclass(slots=True, kw_only=True)
class _Builder:
    source: SourceModel
    input_formats: Mapping[str, Format]
    softmax: SoftmaxChoice
    propagates: bool
    nodes: list[q.Layer] = field(default_factory=list)
    node_of: dict[str, str] = field(default_factory=dict)
    scaled_tensors: dict[str, ScaledTensor] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    namer: Namer = field(default_factory=Namer)

    @property
    def is_quantized(self) -> bool:
        """Whether the network was trained with quantizers: then a layer without one is meant to be float."""
        kernels = (layer.operation.kernel for layer in self.source.layers if isinstance(layer.operation, src.Linear))
        return any(kernel.quantizer is not None for kernel in kernels)

    def add(self, layer: SourceLayer) -> None:
        """Append the nodes of one layer of the file."""
        tensor = propagate(self, layer) if self.propagates else None
        if tensor is not None:
            self.keep(layer.name, tensor)
            return
        inputs = tuple(self.plain_node(name) for name in layer.inputs)
        if isinstance(layer.operation, src.Merge):
            inputs = tuple(
                self._broadcast(layer, name, self.source.layer(given).shape)
                for name, given in zip(inputs, layer.inputs, strict=True)
            )
        chain = self._chain(layer)
        self.node_of[layer.name] = self.append(layer, chain, inputs, ends=True) if chain else inputs[0]

    def keep(self, name: str, tensor: ScaledTensor) -> None:
        """Record the scaled tensor of a layer of the file."""
        self.scaled_tensors[name] = tensor
        if tensor.is_plain:
            self.node_of[name] = tensor.node
            place = next(
                number for number in reversed(range(len(self.nodes))) if self.nodes[number].name == tensor.node
            )
            if not self.nodes[place].is_result:  # its scale is 1, so the node is the result of the layer
                self.nodes[place] = replace(self.nodes[place], source=name, is_result=True)

    def scaled(self, name: str) -> ScaledTensor:
        """The scaled tensor of a layer of the file."""
        return self.scaled_tensors.get(name) or ScaledTensor.plain(self.node_of[name])

    def plain_node(self, name: str) -> str:
        """The name of a node whose values are those of the layer, without a scale to apply."""
        if name not in self.node_of:
            self.node_of[name] = materialize(self, self.source.layer(name), self.scaled_tensors[name])
        return self.node_of[name]

    def input_format(self, node: str) -> Format | None:
        """The format of an input of the network."""
        return next((self.input_formats[name] for name in self.source.inputs if self.node_of.get(name) == node), None)

    def append(self, layer: SourceLayer, chain: Sequence[q.Layer], inputs: Sequence[str], *, ends: bool) -> str:
        """Append nodes for a layer of the file; `ends`: the last one is the result of the layer."""
        for number, step in enumerate(chain):
            last = number == len(chain) - 1
            joins = isinstance(step.operation, hw.Merge | src.Concatenate)
            placed = replace(
                step,
                name=self.namer.unique(layer.name if last else f"{layer.name}_{step.name}"),
                source=layer.name,
                inputs=tuple(inputs[:2] if joins else inputs[:1]),
                is_result=last and ends,
            )
            self.nodes.append(placed)
            inputs = (placed.name, *(inputs[2:] if joins else inputs[1:]))
        return self.nodes[-1].name

    def _broadcast(self, layer: SourceLayer, name: str, shape: Shape) -> str:
        """The input `name` of a merge, repeated to the shape of the result."""
        for number, step in enumerate(repeated(shape, layer.shape)):
            unique = self.namer.unique(f"{layer.name}_{step.name}{number}")
            self.nodes.append(replace(step, name=unique, source=layer.name, inputs=(name,), is_result=False))
            name = unique
        return name

    def _chain(self, layer: SourceLayer) -> list[q.Layer]:
        operation, shape = layer.operation, layer.shape
        match operation:
            case src.Input():
                return [node("input", hw.Input(format=self.input_formats[layer.name]), shape)]
            case src.Transposed():
                return transposed_nodes(
                    layer.name, operation, self._input_shape(layer), shape, allow_float=self.is_quantized
                )
            case src.Convolution() | src.Depthwise() | src.Dense():
                return linear_nodes(layer.name, operation, shape, allow_float=self.is_quantized)
            case src.BatchNormalization():
                return [node("scale", affine(*normalization(operation.statistics, layer.name)), shape)]
            case src.Activate():
                return self._activation(layer, operation.function)
            case src.Pool():
                return self._pool(layer, operation)
            case src.GlobalPool():
                return self._global_pool(layer, operation)
            case src.ZeroPad() | src.Crop() | src.Upsample() | src.Permute():
                return [node("moved", operation, shape)]
            case src.Reshape():
                return reshaped(self._input_shape(layer), shape)
            case src.Merge():
                return _merges(operation.kind, len(layer.inputs), shape)
            case src.Concatenate():
                return self._concatenation(layer, operation.axis)
            case _:
                assert_never(operation)

    def _input_shape(self, layer: SourceLayer) -> Shape:
        return self.source.layer(layer.inputs[0]).shape

    def _pool(self, layer: SourceLayer, operation: src.Pool) -> list[q.Layer]:
        if operation.factor is not None:
            return _weighted_sum(layer, operation.size, operation.strides, operation.factor, layer.shape)
        pool = hw.Pool(kind=operation.kind, size=operation.size, strides=operation.strides, pads=operation.pads)
        return [node("pool", pool, layer.shape)]

    def _global_pool(self, layer: SourceLayer, operation: src.GlobalPool) -> list[q.Layer]:
        flat = layer.shape[-1:]
        if operation.factor is None:
            return [node("pool", hw.GlobalPool(kind=operation.kind), flat), *reshaped(flat, layer.shape)]
        height, width, channels = self._input_shape(layer)
        summed = _weighted_sum(layer, (height, width), (1, 1), operation.factor, (1, 1, channels))
        return [*summed, *reshaped((1, 1, channels), layer.shape)]

    def _concatenation(self, layer: SourceLayer, axis: int) -> list[q.Layer]:
        sizes = [self.source.layer(name).shape[axis] for name in layer.inputs]
        shapes = [(*layer.shape[:axis], int(total), *layer.shape[axis + 1 :]) for total in np.cumsum(sizes)[1:]]
        return [node(f"part{number}", src.Concatenate(axis=axis), shape) for number, shape in enumerate(shapes, 1)]

    def _activation(self, layer: SourceLayer, function: src.Activation) -> list[q.Layer]:
        if isinstance(function, src.Softmax):
            return self._softmax(layer)
        nodes = activation_nodes(layer.name, function, layer.shape)
        first, port = nodes[0].operation, self.input_formats.get(layer.inputs[0])
        if isinstance(first, q.Cast) and port is not None and holds_only(port, first.format):
            return nodes[1:]
        return nodes

    def _softmax(self, layer: SourceLayer) -> list[q.Layer]:
        at_output = layer.name in self.source.outputs
        if at_output and self.softmax is SoftmaxChoice.LOGITS:
            why = "the output holds logits, whose order is the same (--softmax keep builds it)"
            self.notes.append(f"softmax '{layer.name}' left out: {why}")
            return []
        if layer.shape[-1] == 1:
            raise UnsupportedOptionError(
                layer=layer.name, why="softmax over one class is always 1", do="use sigmoid, or more classes"
            )
        kind = hw.SoftmaxKind.ARGMAX if at_output and self.softmax is SoftmaxChoice.ARGMAX else hw.SoftmaxKind.TABLES
        return [node("softmax", hw.Softmax(kind=kind), layer.shape)]


def repeated(shape: Shape, wanted: Shape) -> list[q.Layer]:
    """Nodes that repeat a tensor along its axes of length 1; missing axes come first."""
    full = (1,) * (len(wanted) - len(shape)) + shape
    nodes = reshaped(shape, full)
    if full[-1] != wanted[-1]:
        ones = Codes(array=np.ones((1, 1, 1, wanted[-1]), np.int64), format=Format(width=1, integer=1, signed=False))
        none = Codes(array=np.zeros(wanted[-1], np.int64), format=Format(width=1, integer=1, signed=False))
        full = (*full[:-1], wanted[-1])
        sums: hw.Linear = hw.Convolution(kernel=ones, bias=none, strides=(1, 1), pads=(0, 0, 0, 0))
        if len(full) == 1:
            sums = hw.Dense(kernel=Codes(array=ones.array[0, 0], format=ones.format), bias=none)
        nodes.append(node("channels", q.Linear(sums=sums), full))
    factors = tuple(size // one for size, one in zip(wanted[:-1], full[:-1], strict=True))
    if any(factor > 1 for factor in factors):
        nodes.append(
            node(
                "cells",
                src.Upsample(factors=(1, factors[0]) if len(factors) == 1 else (factors[0], factors[1])),
                wanted,
            )
        )
    return nodes


def _weighted_sum(
    layer: SourceLayer, size: tuple[int, int], strides: tuple[int, int], factor: src.Weight, shape: Shape
) -> list[q.Layer]:
    """QKeras' average pooling: a sum by a depthwise convolution of ones, times the quantized 1/area.

    QKeras itself computes the mean in float32, and multiplies it by the area again.
    """
    channels = shape[-1]
    ones = Codes(array=np.ones((*size, channels, 1), np.int64), format=Format(width=1, integer=1, signed=False))
    none = Codes(array=np.zeros(channels, np.int64), format=Format(width=1, integer=1, signed=False))
    scale = np.full((channels,), float(quantizers.apply(factor.values, factor.quantizer, layer=layer.name).product[0]))
    summed = hw.Depthwise(kernel=ones, bias=none, strides=strides, pads=(0, 0, 0, 0))
    rounds = size[0] * size[1] & (size[0] * size[1] - 1) != 0
    return [
        node("sum", q.Linear(sums=summed), shape),
        node("mean", replace(affine(scale, np.zeros(channels)), rounds_in_float32=rounds), shape),
    ]


def _merges(kind: MergeKind, inputs: int, shape: Shape) -> list[q.Layer]:
    """Two tensors at a time; the mean of more than two is their sum times 1/n."""
    if kind is not MergeKind.AVERAGE or inputs == 2:
        return [node(f"part{number}", hw.Merge(kind=kind), shape) for number in range(1, inputs)]
    summed = [node(f"part{number}", hw.Merge(kind=MergeKind.ADD), shape) for number in range(1, inputs)]
    channels = shape[-1:]
    return [*summed, node("mean", affine(np.ones(channels), np.zeros(channels), inputs), shape)]
