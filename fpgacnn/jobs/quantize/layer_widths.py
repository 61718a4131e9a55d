"""The widths and the cost of every layer of a quantized network, for its record."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.source import SourceLayer, SourceModel
from fpgacnn.ir.text import quantizer_text
from fpgacnn.jobs.quantize.record import LayerWidths
from fpgacnn.passes.quantization import quantizers
from fpgacnn.passes.widths.ebops import LayerEbops, costs


def layer_widths(network: SourceModel, input_bits: Mapping[str, int]) -> tuple[LayerWidths, ...]:
    """All linear layers and quantizers of a network; `input_bits` are the bits of its inputs, in order."""
    cost_of = {cost.layer: cost for cost in costs(network, _by_position(network, input_bits))}
    found = []
    for layer in network.layers:
        match layer.operation:
            case src.Convolution() | src.Depthwise() | src.Transposed() | src.Dense():
                found.append(_linear_widths(layer, layer.operation, cost_of[layer.name]))
            case src.Activate(function=function) if isinstance(function, src.Quantizer):
                found.append(
                    LayerWidths(
                        layer=layer.name,
                        kind=layer.kind,
                        result=quantizer_text(function),
                        result_format=_format(function),
                    )
                )
            case _:
                pass
    return tuple(found)


def _linear_widths(layer: SourceLayer, operation: src.Linear, cost: LayerEbops) -> LayerWidths:
    kernel, bias = operation.kernel, operation.bias
    values = quantizers.apply(kernel.values, kernel.quantizer, layer=layer.name).values
    return LayerWidths(
        layer=layer.name,
        kind=layer.kind,
        weight=quantizer_text(kernel.quantizer),
        bias="" if bias is None else quantizer_text(bias.quantizer),
        weight_format=_format(kernel.quantizer),
        bias_format="" if bias is None else _format(bias.quantizer),
        parameters=layer.parameters,
        zeros=int((values == 0).sum()),
        multiplications=cost.multiplications,
        ebops=cost.ebops,
    )


def _format(quantizer: src.Quantizer | None) -> str:
    """The fixed-point type of a quantizer's results; of a quantizer that `quantize` does not write, its text."""
    match quantizer:
        case src.QuantizedBits(bits=bits, integer=integer, alpha=float(alpha)):
            return str(Format(width=bits, integer=integer + 1 + round(log2(alpha))))
        case src.QuantizedRelu(bits=bits, integer=integer):
            return str(Format(width=bits, integer=integer, signed=False))
        case _:
            return quantizer_text(quantizer)


def _by_position(network: SourceModel, input_bits: Mapping[str, int]) -> Mapping[str, int]:
    """Bits of the inputs by their names in another copy of the network."""
    return dict(zip(network.inputs, input_bits.values(), strict=True))
