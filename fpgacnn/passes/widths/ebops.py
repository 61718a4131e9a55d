"""The cost of multiplications in effective bit operations, a number that needs no synthesis.

EBOPs are the sum over all multiplications of bits of the weight times bits of the value (C. Sun et al., "Gradient-based
automatic mixed precision quantization", arXiv:2405.00645, section on resource estimation; before it BOPs, C. Baskin et
al., arXiv:1804.10969). Here the bits are those of the quantizers, and a weight whose code is zero multiplies nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape, SourceLayer, SourceModel
from fpgacnn.passes.quantization import quantizers

UNQUANTIZED_BITS = 16
"""Bits of a value that no quantizer limits, such as the entries of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEbops:
    """Multiplications of one linear layer with weights that are not zero, the bits of both sides, and their product."""

    layer: str
    multiplications: int
    weight_bits: int
    value_bits: int

    @property
    def ebops(self) -> int:
        """Effective bit operations."""
        return self.multiplications * self.weight_bits * self.value_bits


def costs(
    network: SourceModel, input_bits: Mapping[str, int], counted: Mapping[str, int] | None = None
) -> tuple[LayerEbops, ...]:
    """The cost of every linear layer of a quantized network; `input_bits` are those of its inputs, by name.

    `counted` are the multiplications by layer, where they are known already.
    """
    counts = multiplications(network) if counted is None else counted
    bits: dict[str, int] = {}
    found: list[LayerEbops] = []
    for layer in network.layers:
        given = [bits[name] for name in layer.inputs]
        bits[layer.name] = _bits(layer, given, input_bits)
        if isinstance(layer.operation, src.Linear):
            weight_bits = _quantizer_bits(layer.operation.kernel.quantizer)
            found.append(
                LayerEbops(
                    layer=layer.name, multiplications=counts[layer.name], weight_bits=weight_bits, value_bits=given[0]
                )
            )
    return tuple(found)


def multiplications(network: SourceModel) -> Mapping[str, int]:
    """Multiplications with weights that are not zero once quantized, by linear layer."""
    shapes = {layer.name: layer.shape for layer in network.layers}
    return {
        layer.name: _count(layer, layer.operation, shapes[layer.inputs[0]])
        for layer in network.layers
        if isinstance(layer.operation, src.Linear)
    }


def total_ebops(network: SourceModel, input_bits: Mapping[str, int]) -> int:
    """Effective bit operations of the whole network for one event."""
    return sum(cost.ebops for cost in costs(network, input_bits))


def _count(layer: SourceLayer, operation: src.Linear, given: Shape) -> int:
    values = quantizers.apply(operation.kernel.values, operation.kernel.quantizer, layer=layer.name).values
    return int(np.count_nonzero(values)) * _uses(layer, operation, given)


def _uses(layer: SourceLayer, operation: src.Linear, given: Shape) -> int:
    """How often each weight is used for one event: once for each output position (transposed: each input position)."""
    return prod((given if isinstance(operation, src.Transposed) else layer.shape)[:-1])


def _bits(layer: SourceLayer, given: list[int], input_bits: Mapping[str, int]) -> int:
    match layer.operation:
        case src.Input():
            return input_bits[layer.name]
        case src.Activate(function=function) if isinstance(function, src.Quantizer):
            return _quantizer_bits(function)
        case src.Activate(function=src.Function() | src.Softmax()):
            return UNQUANTIZED_BITS
        case src.Convolution() | src.Depthwise() | src.Transposed() | src.Dense() | src.BatchNormalization():
            return UNQUANTIZED_BITS
        case src.Merge():
            return max(given) + 1
        case _:
            return max(given)


def _quantizer_bits(quantizer: src.Quantizer | None) -> int:
    match quantizer:
        case None:
            return UNQUANTIZED_BITS
        case src.Binary():
            return 1
        case src.Ternary():
            return 2
        case src.Uniform():
            return (
                int((quantizer.high - quantizer.low).max()).bit_length() if quantizer.is_limited else UNQUANTIZED_BITS
            )
        case _:
            return quantizer.bits
