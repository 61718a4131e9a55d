"""Quantizers for a float network that will be trained with them in QKeras.

A conversion without training keeps every bit of sums and means of bounded values. With training, every layer that makes
finer values gets a quantizer, so that widths do not grow from layer to layer. Integer bits are chosen for the least
squared error.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format, Overflow, Rounding, quantize_values, to_values
from fpgacnn.ir.source import FloatArray, SourceLayer, SourceModel
from fpgacnn.passes.widths.widths import Part, Point, integer_bits, is_unbounded, makes_values, signed, weight_values

MAX_SAMPLES = 1 << 17
NARROWER = 6
"""The largest number of integer bits that the least error may save, compared with covering the largest value."""


def trainable_points(network: SourceModel) -> tuple[Point, ...]:
    """Every kernel and bias, and every result with more bits than its inputs."""
    found: list[Point] = []
    unbounded: set[str] = set()
    for layer in network.layers:
        if isinstance(layer.operation, src.Linear):
            found.append(Point(layer=layer.name, part=Part.KERNEL))
            if layer.operation.bias is not None:
                found.append(Point(layer=layer.name, part=Part.BIAS))
        if is_unbounded(layer, unbounded) or _makes_finer(layer):
            if makes_values(layer, network):
                found.append(Point(layer=layer.name, part=Part.RESULT))
            else:
                unbounded.add(layer.name)
    return tuple(found)


def _makes_finer(layer: SourceLayer) -> bool:
    """Whether a layer's results need more bits than its inputs have."""
    match layer.operation:
        case src.BatchNormalization() | src.Merge():
            return True
        case src.Pool() | src.GlobalPool():
            return layer.operation.kind is src.PoolKind.AVERAGE
        case src.Activate(function=function):
            return isinstance(function, src.Function | src.PRelu) or (
                isinstance(function, src.Relu) and function != src.Relu()
            )
        case _:
            return False


def positive_layers(network: SourceModel) -> frozenset[str]:
    """Layers whose results can never be below zero, so that a sign bit would be wasted."""
    found: set[str] = set()
    for layer in network.layers:
        if _is_positive(layer, found):
            found.add(layer.name)
    return frozenset(found)


def _is_positive(layer: SourceLayer, positive: set[str]) -> bool:
    match layer.operation:
        case src.Activate(function=src.Relu() as relu):
            return not relu.negative_slope
        case src.Activate(function=src.Softmax()):
            return True
        case (
            src.Pool()
            | src.GlobalPool()
            | src.Upsample()
            | src.ZeroPad()
            | src.Crop()
            | src.Permute()
            | src.Reshape()
            | src.Concatenate()
        ):
            return all(name in positive for name in layer.inputs)
        case src.Merge(kind=kind):
            return kind is not src.MergeKind.SUBTRACT and all(name in positive for name in layer.inputs)
        case _:
            return False


def least_error(
    network: SourceModel, bits: Mapping[Point, int], seen: Mapping[str, FloatArray], integer: int | None = None
) -> Mapping[Point, src.Quantizer]:
    """A quantizer of so many bits for each point, with the least squared error on the values of a sample.

    `seen` are the float outputs of every layer on some events; `integer` (the sign excluded) fixes the integer bits of
    results instead. Results never get fewer than 0: QKeras cannot train them.
    """
    positive = positive_layers(network)
    return {
        point: _least_error(network.layer(point.layer), point, width, seen, positive, integer)
        for point, width in bits.items()
    }


def _least_error(
    layer: SourceLayer,
    point: Point,
    bits: int,
    seen: Mapping[str, FloatArray],
    positive: frozenset[str],
    integer: int | None,
) -> src.Quantizer:
    if point.part is not Part.RESULT:
        return signed(bits, best_integer(weight_values(layer.operation, point.part), bits, is_signed=True))
    is_signed = layer.name not in positive
    found = max(best_integer(seen[layer.name], bits, is_signed=is_signed), 0) if integer is None else integer
    return signed(bits, found) if is_signed else src.QuantizedRelu(bits=bits, integer=found)


def best_integer(values: FloatArray, bits: int, *, is_signed: bool) -> int:
    """Integer bits, the sign excluded, with the least squared error."""
    most, sample = integer_bits(values), _sample(values)
    return min(
        range(most, most - NARROWER, -1), key=lambda integer: squared_error(sample, bits, integer, is_signed=is_signed)
    )


def squared_error(values: FloatArray, bits: int, integer: int, *, is_signed: bool) -> float:
    """Sum of squared errors of rounding half to even and saturating."""
    form = Format(
        width=bits,
        integer=integer + int(is_signed),
        signed=is_signed,
        rounding=Rounding.RND_CONV,
        overflow=Overflow.SAT,
    )
    return float(np.square(to_values(quantize_values(values, form), form.fraction) - values).sum())


def _sample(values: FloatArray) -> FloatArray:
    """At most `MAX_SAMPLES` of the values, evenly spaced."""
    flat = values.reshape(-1)
    return flat[:: -(-len(flat) // MAX_SAMPLES)] if len(flat) > MAX_SAMPLES else flat
