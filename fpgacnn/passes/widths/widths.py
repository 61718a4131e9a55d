"""Widths for float networks: every float weight and activation gets a quantizer, and the result is a network again.

What comes out says in the file's own terms what hardware will compute, so everything behind it (exact plans, proofs,
the comparison with the float network) works as for a network that was trained with quantizers.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import assert_never

import numpy as np

from fpgacnn.errors import UsageError
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, SourceLayer, SourceModel
from fpgacnn.passes.quantization import quantizers
from fpgacnn.passes.quantization.batchnorm import fold

MAX_BITS = 32

_HAS_ENDS = frozenset(
    {
        src.FunctionKind.SIGMOID,
        src.FunctionKind.TANH,
        src.FunctionKind.SOFTSIGN,
        src.FunctionKind.HARD_SIGMOID,
        src.FunctionKind.HARD_TANH,
    }
)
"""Functions whose values are limited for inputs of any size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """`bits` for every weight and activation; `integer` bits (sign included) of activations, or None to find them."""

    bits: int
    integer: int | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= MAX_BITS:
            raise UsageError(what=f"--bits {self.bits} is not between 2 and {MAX_BITS}")
        if self.integer is not None and not -MAX_BITS <= self.integer <= MAX_BITS:
            raise UsageError(
                what=f"--bits {self.bits},{self.integer}: the integer bits are not between {-MAX_BITS} and {MAX_BITS}"
            )


class Part(StrEnum):
    """Which part of a layer a quantizer is for."""

    KERNEL = "kernel"
    BIAS = "bias"
    RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place that needs a quantizer."""

    layer: str
    part: Part


def parse_widths(text: str) -> Widths:
    """`16` or `16,6`.

    Raises UsageError.
    """
    parts = text.split(",")
    try:
        numbers = [int(part) for part in parts]
    except ValueError as error:
        raise UsageError(what=f"--bits {text}: expected W or W,I") from error
    if len(numbers) > 2:
        raise UsageError(what=f"--bits {text}: expected W or W,I")
    return Widths(bits=numbers[0], integer=numbers[1] if len(numbers) > 1 else None)


def is_float(network: SourceModel) -> bool:
    """Whether a kernel of the network has no quantizer."""
    operations = (layer.operation for layer in network.layers)
    return any(isinstance(one, src.Linear) and one.kernel.quantizer is None for one in operations)


def fold_normalizations(network: SourceModel) -> SourceModel:
    """Batch normalizations right behind a float convolution or dense layer are multiplied into its weights."""
    folded = {layer.name: into for layer in network.layers if (into := _foldable(layer, network)) is not None}
    if not folded:
        return network
    by_name = {layer.name: layer for layer in network.layers}
    hosts = {into: by_name[name] for name, into in folded.items()}
    layers = [_folded(layer, hosts.get(layer.name)) for layer in network.layers if layer.name not in folded]
    layers = [replace(layer, inputs=tuple(folded.get(name, name) for name in layer.inputs)) for layer in layers]
    return replace(network, layers=tuple(layers), outputs=tuple(folded.get(name, name) for name in network.outputs))


def _foldable(layer: SourceLayer, network: SourceModel) -> str | None:
    """The linear layer that a batch normalization can be folded into, or None."""
    if not isinstance(layer.operation, src.BatchNormalization):
        return None
    host = network.layer(layer.inputs[0])
    readers = [other for other in network.layers if host.name in other.inputs]
    linear = (
        isinstance(host.operation, src.Convolution | src.Depthwise | src.Dense)
        and host.operation.kernel.quantizer is None
        and host.operation.folded is None
    )
    return host.name if linear and len(readers) == 1 and host.name not in network.outputs else None


def _folded(layer: SourceLayer, normalization: SourceLayer | None) -> SourceLayer:
    if normalization is None:
        return layer
    assert isinstance(normalization.operation, src.BatchNormalization)
    assert isinstance(layer.operation, src.Convolution | src.Depthwise | src.Dense)
    kernel, bias = fold(replace(layer.operation, folded=normalization.operation.statistics))
    return replace(layer, operation=replace(layer.operation, kernel=kernel, bias=bias))


def points(network: SourceModel) -> tuple[Point, ...]:
    """Where a network needs quantizers: float weights, and results that nothing in the file limits."""
    found: list[Point] = []
    unbounded: set[str] = set()
    for layer in network.layers:
        if isinstance(layer.operation, src.Linear) and layer.operation.kernel.quantizer is None:
            found.append(Point(layer=layer.name, part=Part.KERNEL))
            if layer.operation.bias is not None and layer.operation.bias.quantizer is None:
                found.append(Point(layer=layer.name, part=Part.BIAS))
        if is_unbounded(layer, unbounded):
            if makes_values(layer, network) or _is_multiplied_next(layer, network):
                found.append(Point(layer=layer.name, part=Part.RESULT))
            else:
                unbounded.add(layer.name)
    return tuple(found)


def with_quantizers(network: SourceModel, chosen: Mapping[Point, src.Quantizer]) -> SourceModel:
    """The network with the chosen quantizers on float weights and behind layers; points without one stay float."""
    layers: list[SourceLayer] = []
    renamed: dict[str, str] = {}
    for layer in network.layers:
        moved = replace(layer, inputs=tuple(renamed.get(name, name) for name in layer.inputs))
        quantized = replace(moved, operation=_quantized(layer.name, moved.operation, chosen))
        cast = chosen.get(Point(layer=layer.name, part=Part.RESULT))
        if cast is None:
            layers.append(quantized)
        elif is_relu(layer):
            layers.append(replace(quantized, operation=src.Activate(function=cast)))
        else:
            renamed[layer.name] = f"{layer.name}/quantized"
            layers += [
                quantized,
                SourceLayer(
                    name=renamed[layer.name],
                    kind="Quantizer",
                    operation=src.Activate(function=cast),
                    inputs=(layer.name,),
                    shape=layer.shape,
                ),
            ]
    return replace(network, layers=tuple(layers), has_given_widths=True)


def uniform(network: SourceModel, widths: Widths, seen: Mapping[str, FloatArray]) -> Mapping[Point, src.Quantizer]:
    """A quantizer of `widths` for every point.

    `seen` are the float outputs of every layer on the given events; they set the integer bits of results, with one bit
    to spare, where `widths` does not.
    """
    return {point: _uniform(network.layer(point.layer), point.part, widths, seen) for point in points(network)}


def _uniform(layer: SourceLayer, part: Part, widths: Widths, seen: Mapping[str, FloatArray]) -> src.Quantizer:
    if part is not Part.RESULT:
        return signed(widths.bits, integer_bits(weight_values(layer.operation, part)))
    integer = integer_bits(seen[layer.name]) + 1 if widths.integer is None else widths.integer - 1
    return result_quantizer(layer, widths.bits, integer)


def fitted(layer: SourceLayer, part: Part, bits: int, sample: FloatArray) -> src.Quantizer:
    """The quantizer of `bits` bits whose integer bits give the sample the highest signal to quantization noise ratio.

    Clipping a few large values can cost less than a coarser step for all; two bits of clipping are tried at most.
    """
    most = integer_bits(sample)
    make = partial(result_quantizer, layer) if part is Part.RESULT else signed
    choices = [make(bits, most - clipped) for clipped in range(3)]
    noise = [float(np.square(quantizers.apply(sample, choice).product - sample).sum()) for choice in choices]
    return choices[int(np.argmin(noise))]


def integer_bits(values: FloatArray) -> int:
    """Bits left of the point, without the sign, that hold every value."""
    return int(np.frexp(max(float(np.abs(values).max(initial=0.0)), 2.0**-16))[1])


def signed(bits: int, integer: int) -> src.QuantizedBits:
    """`quantized_bits` of weights, or of results of either sign."""
    return src.QuantizedBits(bits=bits, integer=integer, alpha=1.0)


def result_quantizer(layer: SourceLayer, bits: int, integer: int) -> src.Quantizer:
    """A signed quantizer, or `quantized_relu` where the layer is a plain ReLU."""
    return src.QuantizedRelu(bits=bits, integer=integer) if is_relu(layer) else signed(bits, integer)


def weight_values(operation: src.SourceOperation, part: Part) -> FloatArray:
    """Kernel or bias of a linear layer."""
    assert isinstance(operation, src.Linear)
    weight = operation.kernel if part is Part.KERNEL else operation.bias
    assert weight is not None
    return weight.values


def is_relu(layer: SourceLayer) -> bool:
    """Whether a layer is a plain ReLU, which a `quantized_relu` replaces."""
    return isinstance(layer.operation, src.Activate) and layer.operation.function == src.Relu()


def _quantized(
    layer: str, operation: src.SourceOperation, chosen: Mapping[Point, src.Quantizer]
) -> src.SourceOperation:
    if not isinstance(operation, src.Linear):
        return operation
    kernel, bias = (chosen.get(Point(layer=layer, part=part)) for part in (Part.KERNEL, Part.BIAS))
    return replace(
        operation,
        kernel=operation.kernel if kernel is None else replace(operation.kernel, quantizer=kernel),
        bias=operation.bias if operation.bias is None or bias is None else replace(operation.bias, quantizer=bias),
    )


def is_unbounded(layer: SourceLayer, unbounded: AbstractSet[str]) -> bool:
    """Whether nothing in the file limits the bits of a layer's results: floats or products, and no quantizer behind."""
    match layer.operation:
        case src.Convolution() | src.Depthwise() | src.Transposed() | src.Dense():
            return layer.operation.kernel.quantizer is None
        case src.BatchNormalization():
            return layer.operation.statistics.gamma.quantizer is None
        case src.Merge(kind=src.MergeKind.MULTIPLY):
            return True
        case src.Activate(function=function) if _has_slope(function) or _has_no_end(function):
            return True
        case src.Activate() if not isinstance(layer.operation.function, src.Relu):
            return False
        case _:
            return any(name in unbounded for name in layer.inputs)


def _has_slope(function: src.Activation) -> bool:
    """Whether a function multiplies by a number of many bits, exactly."""
    match function:
        case src.PRelu() | src.Function(kind=src.FunctionKind.HARD_SIGMOID):
            return True
        case src.Relu():
            return function.negative_slope != 0
        case _:
            return False


def _has_no_end(function: src.Activation) -> bool:
    """Whether a function that is a lookup table in hardware has values as large as its inputs."""
    return isinstance(function, src.Function) and function.kind not in _HAS_ENDS


def _is_multiplied_next(layer: SourceLayer, network: SourceModel) -> bool:
    """Whether a slope follows: a product has as many bits as both factors together."""
    makes = isinstance(layer.operation, src.Linear | src.BatchNormalization | src.Merge)
    readers = [other.operation for other in network.layers if layer.name in other.inputs]
    return (
        makes
        and layer.name not in network.outputs
        and any(isinstance(one, src.Activate) and _has_slope(one.function) for one in readers)
    )


def makes_values(layer: SourceLayer, network: SourceModel) -> bool:
    """Whether a layer's unbounded results get a quantizer of their own.

    Linear layers at an output keep every bit, and so does what an activation right behind rounds anyway.
    """
    readers = [other for other in network.layers if layer.name in other.inputs]
    rounded_next = bool(readers) and all(isinstance(other.operation, src.Activate) for other in readers)
    match layer.operation:
        case src.Activate():
            return layer.name not in network.outputs or layer.operation.function == src.Relu()
        case (
            src.Convolution()
            | src.Depthwise()
            | src.Transposed()
            | src.Dense()
            | src.BatchNormalization()
            | src.Merge()
        ):
            return bool(readers) and not rounded_next and layer.name not in network.outputs
        case src.Pool() | src.GlobalPool():
            return layer.operation.kind is src.PoolKind.AVERAGE and layer.name not in network.outputs
        case (
            src.Input()
            | src.ZeroPad()
            | src.Crop()
            | src.Upsample()
            | src.Permute()
            | src.Reshape()
            | src.Concatenate()
        ):
            return False
        case _:
            assert_never(layer.operation)
