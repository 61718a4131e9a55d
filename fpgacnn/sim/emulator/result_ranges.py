"""The range of every node's codes with the design's own formats, for every possible input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import numpy as np

from fpgacnn.design import Design
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import ranges
from fpgacnn.ir import source as src
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import PoolKind, Shape
from fpgacnn.passes.precision import LayerPrecision
from fpgacnn.sim.emulator.accumulator_ranges import linear_sums


def result_ranges(design: Design) -> Mapping[str, Interval]:
    """The interval of every node's codes."""
    found: dict[str, Interval] = {}
    shapes: dict[str, Shape] = {}
    for layer in design.model.layers:
        given = [found[name] for name in layer.inputs]
        found[layer.name] = _range(
            layer, design.plan.layers[layer.name], given, [shapes[name] for name in layer.inputs]
        )
        shapes[layer.name] = layer.shape
    return found


def _range(layer: hw.Layer, precision: LayerPrecision, given: list[Interval], shapes: list[Shape]) -> Interval:
    operation, result = layer.operation, precision.result.format
    match operation:
        case hw.Input():
            return iv.of_format(operation.format, len(layer.shape))
        case hw.Convolution() | hw.Depthwise() | hw.Dense():
            return iv.cast(_sums(layer, operation, precision, given[0], shapes[0]), result)
        case hw.Affine():
            return iv.cast(ranges.affine(operation, given[0], layer.name), result)
        case hw.Lookup():
            return ranges.table(operation.table, len(layer.shape))
        case hw.Thresholds():
            return ranges.steps(operation.thresholds, operation.values, given[0], layer.shape[-1])
        case hw.Cast() | hw.Saturate():
            return iv.cast(given[0], result)
        case hw.Relu():
            return iv.cast(ranges.relu(given[0]), result)
        case hw.LeakyRelu():
            return iv.cast(ranges.leaky_relu(operation.slope, given[0], layer.name), result)
        case hw.ThresholdRelu():
            return iv.cast(iv.with_zero(given[0]), result)
        case hw.Pool() | hw.GlobalPool():
            return _pool(operation, precision, given[0], shapes[0])
        case src.ZeroPad():
            return iv.cast(ranges.moved(operation, given[0], shapes[0], layer.shape), result)
        case src.Crop() | src.Upsample() | src.Permute() | src.Reshape():
            return ranges.moved(operation, given[0], shapes[0], layer.shape)
        case hw.Merge():
            return iv.cast(ranges.merge(operation.kind, given[0], given[1], layer.name), result)
        case src.Concatenate():
            return ranges.concatenated(operation.axis, [iv.cast(one, result) for one in given], shapes)
        case hw.Softmax():
            return iv.of_format(result, len(layer.shape))
        case _:
            assert_never(operation)


def _sums(layer: hw.Layer, operation: hw.Linear, precision: LayerPrecision, given: Interval, shape: Shape) -> Interval:
    assert precision.accumulator is not None
    accumulator = precision.accumulator.format
    sums = linear_sums(operation, accumulator, given, shape)
    row = (1,) * (len(layer.shape) - 1) + (-1,)
    return iv.cast(
        Interval(low=sums.low.reshape(row), high=sums.high.reshape(row), fraction=accumulator.fraction), accumulator
    )


def _pool(operation: hw.Pool | hw.GlobalPool, precision: LayerPrecision, given: Interval, shape: Shape) -> Interval:
    assert precision.accumulator is not None
    accumulator, result = precision.accumulator.format, precision.result.format
    cells = iv.cast(ranges.pooled(operation, given), accumulator)
    if operation.kind is PoolKind.MAX:
        return iv.cast(cells, result)
    counts = ranges.window_sizes(operation, shape)
    reach = iv.with_zero(cells)
    total = iv.cast(
        Interval(low=reach.low * max(counts), high=reach.high * max(counts), fraction=cells.fraction), accumulator
    )
    low, high = -(-np.minimum(total.low, 0) // min(counts)), np.maximum(total.high, 0) // min(counts)
    return iv.cast(Interval(low=low, high=high, fraction=cells.fraction), result)
