"""Widths for float networks: every float weight and activation gets a quantizer, and the result is a network again.

What comes out says in the file's own terms what hardware will compute, so everything behind it (exact plans, proofs,
the comparison with the float network) works as for a network that was trained with quantizers.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from fpgacnn.errors import UsageError
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, SourceLayer, SourceModel
from fpgacnn.quantization.batchnorm import fold

MAX_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """`bits` for every weight and activation; `integer` bits (sign included) of activations, or None to find them."""

    bits: int
    integer: int | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= MAX_BITS:
            raise UsageError(what=f"--bits {self.bits} is not between 2 and {MAX_BITS}")
        if self.integer is not None and not -MAX_BITS <= self.integer <= MAX_BITS:
            raise UsageError(what=f"--bits {self.bits},{self.integer}: the integer bits are not between {-MAX_BITS} and {MAX_BITS}")


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
    return any(isinstance(one, src.Convolution | src.Depthwise | src.Dense) and one.kernel.quantizer is None for one in operations)


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
        isinstance(host.operation, src.Convolution | src.Depthwise | src.Dense) and host.operation.kernel.quantizer is None and host.operation.folded is None
    )
    return host.name if linear and len(readers) == 1 and host.name not in network.outputs else None


def _folded(layer: SourceLayer, normalization: SourceLayer | None) -> SourceLayer:
    if normalization is None:
        return layer
    assert isinstance(normalization.operation, src.BatchNormalization)
    assert isinstance(layer.operation, src.Convolution | src.Depthwise | src.Dense)
    kernel, bias = fold(replace(layer.operation, folded=normalization.operation.statistics))
    return replace(layer, operation=replace(layer.operation, kernel=kernel, bias=bias))


def with_quantizers(network: SourceModel, widths: Widths, seen: Mapping[str, FloatArray]) -> SourceModel:
    """The network with a quantizer on every float weight, and one behind every layer that makes new values.

    `seen` are the float outputs of every layer on the given events; they set the integer bits of activations, with one
    bit to spare, where `widths` does not.
    """
    layers: list[SourceLayer] = []
    renamed: dict[str, str] = {}
    unbounded: set[str] = set()
    for layer in network.layers:
        if _is_unbounded(layer, unbounded):
            unbounded.add(layer.name)
        moved = replace(layer, inputs=tuple(renamed.get(name, name) for name in layer.inputs))
        quantized = replace(moved, operation=_quantized(moved.operation, widths))
        if layer.name not in unbounded or not _makes_values(layer, network):
            layers.append(quantized)
            continue
        unbounded.remove(layer.name)
        cast = _activation(layer, widths, seen[layer.name])
        if isinstance(layer.operation, src.Activate) and layer.operation.function == src.Relu():
            layers.append(replace(quantized, operation=src.Activate(function=cast)))
            continue
        renamed[layer.name] = f"{layer.name}/quantized"
        layers += [
            quantized,
            SourceLayer(name=renamed[layer.name], kind="Quantizer", operation=src.Activate(function=cast), inputs=(layer.name,), shape=layer.shape),
        ]
    return replace(network, layers=tuple(layers))


def _quantized(operation: src.SourceOperation, widths: Widths) -> src.SourceOperation:
    match operation:
        case src.Convolution() | src.Depthwise() | src.Dense():
            return replace(
                operation,
                kernel=_weight(operation.kernel, widths),
                bias=None if operation.bias is None else _weight(operation.bias, widths),
            )
        case _:
            return operation


def _weight(weight: src.Weight, widths: Widths) -> src.Weight:
    if weight.quantizer is not None:
        return weight
    return replace(weight, quantizer=_fitting(widths.bits, float(np.abs(weight.values).max(initial=0.0)), spare=0))


def _fitting(bits: int, largest: float, *, spare: int) -> src.QuantizedBits:
    """`quantized_bits` that holds values up to `largest`, with `spare` more integer bits."""
    _, exponent = np.frexp(max(largest, 2.0**-16))
    return src.QuantizedBits(bits=bits, integer=int(exponent) + spare, alpha=1.0)


def _is_unbounded(layer: SourceLayer, unbounded: AbstractSet[str]) -> bool:
    """Whether nothing in the file limits the bits of a layer's results: float weights made them, and no quantizer followed."""
    match layer.operation:
        case src.Convolution() | src.Depthwise() | src.Dense():
            return layer.operation.kernel.quantizer is None
        case src.Activate() if not isinstance(layer.operation.function, src.Relu | src.PRelu):
            return False
        case _:
            return any(name in unbounded for name in layer.inputs)


def _makes_values(layer: SourceLayer, network: SourceModel) -> bool:
    """Whether a layer's unbounded results get a quantizer of their own.

    Linear layers at an output keep every bit, and so does what an activation right behind rounds anyway.
    """
    readers = [other for other in network.layers if layer.name in other.inputs]
    rounded_next = bool(readers) and all(isinstance(other.operation, src.Activate) for other in readers)
    match layer.operation:
        case src.Activate():
            return layer.name not in network.outputs or layer.operation.function == src.Relu()
        case src.Convolution() | src.Depthwise() | src.Dense() | src.BatchNormalization() | src.Merge():
            return bool(readers) and not rounded_next and layer.name not in network.outputs
        case src.Pool() | src.GlobalPool():
            return layer.operation.kind is src.PoolKind.AVERAGE and layer.name not in network.outputs
        case src.Input() | src.ZeroPad() | src.Crop() | src.Upsample() | src.Permute() | src.Reshape() | src.Concatenate():
            return False
        case _:
            assert_never(layer.operation)


def _activation(layer: SourceLayer, widths: Widths, seen: FloatArray) -> src.Quantizer:
    """A signed quantizer, or `quantized_relu` where the layer is a plain ReLU."""
    largest = float(np.abs(seen).max(initial=0.0))
    signed = _fitting(widths.bits, largest, spare=1)
    integer = signed.integer if widths.integer is None else widths.integer - 1
    if isinstance(layer.operation, src.Activate) and layer.operation.function == src.Relu():
        return src.QuantizedRelu(bits=widths.bits, integer=integer)
    return replace(signed, integer=integer)
