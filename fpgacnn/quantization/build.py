"""From a `SourceModel` to the hardware graph: every layer of the file becomes nodes on integer codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

import numpy as np

from fpgacnn.errors import UnsupportedOptionError, UnsupportedQuantizerError, WidthsNeededError
from fpgacnn.ir import layers as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.model import QuantizedModel
from fpgacnn.ir.source import FloatArray, Shape, SourceLayer, SourceModel
from fpgacnn.ir.text import quantizer_text
from fpgacnn.numeric.fixed import Codes, Format, Rounding, exact_codes, quantize_values, smallest_format
from fpgacnn.quantization import quantizers
from fpgacnn.quantization.batchnorm import affine, fold
from fpgacnn.quantization.names import Namer

SCALE_BITS = 18
"""Significant bits of a scale that is no power of two: one DSP48 port."""

FLOAT_WEIGHT_BITS = 32
"""A weight without a quantizer is taken as it is only if this many bits hold it exactly."""


class SoftmaxChoice(StrEnum):
    """What becomes of a softmax at an output: built with tables, a one-hot argmax, or left out."""

    KEEP = "keep"
    ARGMAX = "argmax"
    LOGITS = "logits"


def quantize(source: SourceModel, *, inputs: Sequence[Format], softmax: SoftmaxChoice = SoftmaxChoice.LOGITS) -> QuantizedModel:
    """The hardware graph of a network, with one format for each of its inputs.

    Raises UnsupportedOptionError, UnsupportedQuantizerError or WidthsNeededError with the layer that is to blame.
    """
    builder = _Builder(source=source, input_formats=dict(zip(source.inputs, inputs, strict=True)), softmax=softmax)
    for layer in source.layers:
        builder.add(layer)
    return QuantizedModel(
        name=source.name,
        source_digest=source.digest,
        layers=tuple(builder.nodes),
        inputs=tuple(builder.node_of[name] for name in source.inputs),
        outputs=tuple(builder.node_of[name] for name in source.outputs),
        notes=tuple(builder.notes),
    )


def leading_quantizer(source: SourceModel, name: str) -> Format | None:
    """The format that the network itself casts the input `name` to before anything else, or None."""
    readers = [layer for layer in source.layers if name in layer.inputs]
    formats = {_plain_cast(layer.operation) for layer in readers}
    return formats.pop() if len(formats) == 1 and name not in source.outputs else None


def _plain_cast(operation: src.SourceOperation) -> Format | None:
    if isinstance(operation, src.Activate) and isinstance(operation.function, src.QuantizedBits):
        quantizer = operation.function
        if quantizer.bits > 1 and (quantizer.alpha is None or np.array_equal(quantizer.alpha, 1.0)):
            return quantizers.activation_format(quantizer)
    return None


@dataclass(slots=True, kw_only=True)
class _Builder:
    source: SourceModel
    input_formats: Mapping[str, Format]
    softmax: SoftmaxChoice
    nodes: list[hw.Layer] = field(default_factory=list)
    node_of: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    namer: Namer = field(default_factory=Namer)

    def add(self, layer: SourceLayer) -> None:
        """Append the nodes of one layer of the file."""
        inputs = tuple(self.node_of[name] for name in layer.inputs)
        chain = self._chain(layer)
        if not chain:
            self.node_of[layer.name] = inputs[0]
            return
        for number, step in enumerate(chain):
            last = number == len(chain) - 1
            node = replace(
                step,
                name=self.namer.unique(layer.name if last else f"{layer.name}_{step.name}"),
                source=layer.name,
                inputs=(*inputs[:1], inputs[number + 1]) if isinstance(step.operation, hw.Merge | hw.Concatenate) else inputs[:1],
                is_result=last,
            )
            self.nodes.append(node)
            inputs = (node.name, *inputs[1:])
        self.node_of[layer.name] = self.nodes[-1].name

    def _chain(self, layer: SourceLayer) -> list[hw.Layer]:
        operation, shape = layer.operation, layer.shape
        match operation:
            case src.Input():
                return [_node("input", hw.Input(format=self.input_formats[layer.name]), shape)]
            case src.Convolution() | src.Dense():
                return linear_nodes(layer.name, operation, shape)
            case src.BatchNormalization():
                scale, shift = affine(operation.statistics, layer.name)
                return [affine_node("scale", scale, shift, shape, "batch normalization")]
            case src.Activate():
                return self._activation(layer, operation.function)
            case src.Pool():
                pool = hw.Pool(kind=operation.kind, size=operation.size, strides=operation.strides, pads=operation.pads)
                return [_node("pool", pool, shape)]
            case src.GlobalPool():
                return [_node("pool", hw.GlobalPool(kind=operation.kind), (shape[-1],)), *_reshaped((shape[-1],), shape)]
            case src.ZeroPad():
                return [_node("pad", hw.ZeroPad(pads=operation.pads), shape)]
            case src.Reshape():
                return _reshaped(self.source.layer(layer.inputs[0]).shape, shape)
            case src.Merge():
                return [_node(f"part{n}", hw.Merge(kind=operation.kind), shape) for n in range(1, len(layer.inputs))]
            case src.Concatenate():
                return self._concatenation(layer, operation.axis)
            case _:
                assert_never(operation)

    def _concatenation(self, layer: SourceLayer, axis: int) -> list[hw.Layer]:
        sizes = [self.source.layer(name).shape[axis] for name in layer.inputs]
        totals = np.cumsum(sizes)[1:]
        shapes = [(*layer.shape[:axis], int(total), *layer.shape[axis + 1 :]) for total in totals]
        return [_node(f"part{n}", hw.Concatenate(axis=axis), shape) for n, shape in enumerate(shapes, 1)]

    def _activation(self, layer: SourceLayer, function: src.Activation) -> list[hw.Layer]:
        shape = layer.shape
        match function:
            case src.Softmax():
                return self._softmax(layer)
            case src.Relu():
                _refuse_relu_options(function, layer.name)
                return [_node("relu", hw.Relu(), shape)]
            case src.QuantizedRelu():
                return quantized_relu_nodes(layer.name, function, shape)
            case src.QuantizedBits():
                return self._quantized_bits(layer, function)
            case _:
                assert_never(function)

    def _quantized_bits(self, layer: SourceLayer, quantizer: src.QuantizedBits) -> list[hw.Layer]:
        if isinstance(quantizer.alpha, str):
            why = f"alpha='{quantizer.alpha}' in an activation depends on the batch, so it has no fixed hardware"
            raise UnsupportedQuantizerError(layer=layer.name, quantizer=quantizer_text(quantizer), why=why)
        if quantizer.bits - int(quantizer.keep_negative) < 1:
            raise UnsupportedQuantizerError(layer=layer.name, quantizer=quantizer_text(quantizer), why="1 bit: use binary")
        form = quantizers.activation_format(quantizer)
        alpha = quantizers.number_alpha(quantizer)
        on_input = self.input_formats.get(layer.inputs[0])
        already = on_input is not None and on_input.low >= form.low and on_input.high <= form.high and on_input.fraction == form.fraction
        cast = [] if already else [_node("cast", hw.Cast(format=form), layer.shape)]
        if np.array_equal(alpha, np.ones_like(alpha)):
            return cast
        scale = np.broadcast_to(alpha, layer.shape[-1:])
        return [*cast, affine_node("alpha", scale, np.zeros_like(scale), layer.shape, "alpha")]

    def _softmax(self, layer: SourceLayer) -> list[hw.Layer]:
        at_output = layer.name in self.source.outputs
        if at_output and self.softmax is SoftmaxChoice.LOGITS:
            self.notes.append(f"softmax '{layer.name}' left out: the output holds logits, whose order is the same (--softmax keep builds it)")
            return []
        kind = hw.SoftmaxKind.ARGMAX if at_output and self.softmax is SoftmaxChoice.ARGMAX else hw.SoftmaxKind.TABLES
        return [_node("softmax", hw.Softmax(kind=kind), layer.shape)]


def _node(name: str, operation: hw.Operation, shape: Shape) -> hw.Layer:
    """A node without its place in the graph, which `_Builder.add` gives it."""
    return hw.Layer(name=name, source="", operation=operation, inputs=(), shape=shape)


def _reshaped(before: Shape, after: Shape) -> list[hw.Layer]:
    return [] if before == after else [_node("reshape", hw.Reshape(), after)]


def _refuse_relu_options(function: src.Relu, layer: str) -> None:
    options = {"max_value": function.max_value, "negative_slope": function.negative_slope, "threshold": function.threshold}
    used = [f"{name}={value:g}" for name, value in options.items() if value]
    if used:
        raise UnsupportedOptionError(layer=layer, why=f"ReLU with {', '.join(used)} is not supported", do="use ReLU without options or quantized_relu")


# --- linear layers -------------------------------------------------------------------------------------------------


def linear_nodes(name: str, operation: src.Convolution | src.Dense, shape: Shape) -> list[hw.Layer]:
    """A convolution or dense layer on integer weights; a scale that is no power of two becomes a node of its own."""
    kernel, bias = fold(operation)
    scaled = _scaled(kernel, name, "kernel")
    outputs = shape[-1]
    bias_values = _scaled(bias, name, "bias").product if bias is not None else np.zeros(outputs)
    scale = _per_output(scaled.scale, outputs, name)
    if _powers_of_two(scale):
        return [_linear(operation, _weight_codes(scaled.product, name, "kernel"), _weight_codes(bias_values, name, "bias"), shape)]
    none = Codes(array=np.zeros(outputs, np.int64), format=Format(width=1, integer=1, signed=False))
    sums = _linear(operation, _weight_codes(scaled.values, name, "kernel"), none, shape)
    return [replace(sums, name="sums"), affine_node("alpha", scale, bias_values, shape, "the kernel's scale")]


def _linear(operation: src.Convolution | src.Dense, kernel: Codes, bias: Codes, shape: Shape) -> hw.Layer:
    match operation:
        case src.Convolution():
            hardware: hw.Operation = hw.Convolution(kernel=kernel, bias=bias, strides=operation.strides, pads=operation.pads)
        case src.Dense():
            hardware = hw.Dense(kernel=kernel, bias=bias)
        case _:
            assert_never(operation)
    return _node("sums", hardware, shape)


def _scaled(weight: src.Weight, layer: str, what: str) -> quantizers.Scaled:
    if weight.quantizer is None:
        codes = exact_codes(weight.values)
        if codes is None or (what == "kernel" and codes.format.width > FLOAT_WEIGHT_BITS // 2):
            raise WidthsNeededError(layer=layer, what=f"{what} weights")
    return quantizers.apply(weight.values, weight.quantizer, layer=layer)


def _weight_codes(values: FloatArray, layer: str, what: str) -> Codes:
    codes = exact_codes(values)
    if codes is None:
        raise WidthsNeededError(layer=layer, what=f"{what} weights")
    return codes


def _per_output(scale: FloatArray, outputs: int, layer: str) -> FloatArray:
    """The scale as one number for each output."""
    if scale.size == scale.shape[-1]:
        return np.broadcast_to(scale.reshape(-1), (outputs,))
    raise UnsupportedQuantizerError(layer=layer, quantizer="alpha", why="a scale that is not per output channel")


def _powers_of_two(scale: FloatArray) -> bool:
    mantissa, _ = np.frexp(np.abs(scale[scale != 0]))
    return bool(np.all(mantissa == 0.5))


def affine_node(name: str, scale: FloatArray, shift: FloatArray, shape: Shape, what: str) -> hw.Layer:
    """`x * scale + shift` with constants of at most SCALE_BITS significant bits, and how far these are off."""
    scale_codes, shift_codes = rounded(scale, SCALE_BITS), rounded(shift, SCALE_BITS + 8)
    scale_error = float(np.abs(scale_codes.values - scale).max())
    shift_error = float(np.abs(shift_codes.values - shift).max())
    inexact = f"{what} rounded to {scale_codes.format} and {shift_codes.format}" if scale_error or shift_error else ""
    operation = hw.Affine(scale=scale_codes, shift=shift_codes)
    return replace(_node(name, operation, shape), inexact=inexact, scale_error=scale_error, shift_error=shift_error)


def rounded(values: FloatArray, bits: int) -> Codes:
    """Values in the narrowest format of at most `bits` bits, half to even; exact where that many bits hold them."""
    exact = exact_codes(values)
    if exact is not None and exact.format.width <= bits:
        return exact
    _, exponent = np.frexp(np.abs(values).max())
    signed = bool(values.min() < 0)
    integer = int(exponent) + int(signed)
    form = Format(width=bits, integer=integer, signed=signed, rounding=Rounding.RND_CONV)
    wider = replace(form, width=bits + 1, integer=integer + 1)
    codes = quantize_values(values, wider)
    return Codes(array=codes, format=smallest_format(int(codes.min()), int(codes.max()), form.fraction))


# --- activations ---------------------------------------------------------------------------------------------------


def quantized_relu_nodes(name: str, quantizer: src.QuantizedRelu, shape: Shape) -> list[hw.Layer]:
    """`quantized_relu` as casts: one where it is plain, two with its hard sigmoid, three with a negative slope."""
    if quantizer.relu_upper_bound and not quantizer.is_quantized_clip:
        why = "relu_upper_bound without is_quantized_clip is not supported"
        raise UnsupportedQuantizerError(layer=name, quantizer=quantizer_text(quantizer), why=why)
    form = quantizers.activation_format(quantizer)
    if quantizer.use_sigmoid:
        if quantizer.bits < 2:
            raise UnsupportedQuantizerError(layer=name, quantizer=quantizer_text(quantizer), why="use_sigmoid needs 2 bits or more")
        coarse = replace(form, integer=form.integer + 1)
        return [_node("steps", hw.Relu(format=coarse), shape), _node("limit", hw.Cast(format=form), shape)]
    if quantizer.negative_slope:
        slope = exact_codes(np.array([quantizer.negative_slope]))
        assert slope is not None
        return [
            _node("limit", hw.Saturate(integer=form.integer), shape),
            _node("leaky", hw.LeakyRelu(slope=slope), shape),
            _node("cast", hw.Cast(format=form), shape),
        ]
    return [_node("relu", hw.Relu(format=form), shape)]
