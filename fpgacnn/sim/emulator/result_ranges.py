"""Between which codes every node's result lies, with the design's own formats, whatever the input is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import numpy as np

from fpgacnn.design import Design
from fpgacnn.errors import InternalError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import source as src
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import PoolKind, Shape
from fpgacnn.passes.precision import LayerPrecision, bounds
from fpgacnn.passes.precision.plan import window_sizes
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
            return iv.cast(bounds.affine(layer, operation, bounds.ranged(given[0], 0.0)).interval, result)
        case hw.Lookup():
            return bounds.table_range(operation.table, len(layer.shape))
        case hw.Thresholds():
            return bounds.steps_range(operation, given[0], layer.shape[-1])
        case hw.Cast() | hw.Saturate():
            return iv.cast(given[0], result)
        case hw.Relu():
            return iv.cast(bounds.relu(bounds.ranged(given[0], 0.0)).interval, result)
        case hw.LeakyRelu():
            return iv.cast(bounds.leaky_relu(layer, operation, bounds.ranged(given[0], 0.0)).interval, result)
        case hw.ThresholdRelu() | src.ZeroPad():
            kept = given[0] if isinstance(operation, hw.ThresholdRelu) else _hull(given[0])
            return iv.cast(iv.with_zero(kept), result)
        case hw.Pool() | hw.GlobalPool():
            return _pool(operation, precision, given[0], shapes[0])
        case src.Crop() | src.Upsample():
            return _hull(given[0])
        case src.Permute():
            wide = iv.full(given[0], shapes[0])
            return Interval(
                low=wide.low.transpose(operation.axes), high=wide.high.transpose(operation.axes), fraction=wide.fraction
            )
        case src.Reshape():
            wide = iv.full(given[0], shapes[0])
            return Interval(
                low=wide.low.reshape(layer.shape), high=wide.high.reshape(layer.shape), fraction=wide.fraction
            )
        case hw.Merge():
            pair = bounds.ranged(given[0], 0.0), bounds.ranged(given[1], 0.0)
            return iv.cast(bounds.merge(operation.kind, pair, layer).interval, result)
        case src.Concatenate():
            parts = [iv.full(iv.cast(one, result), shape) for one, shape in zip(given, shapes, strict=True)]
            low, high = (
                np.concatenate([getattr(part, end) for part in parts], axis=operation.axis) for end in ("low", "high")
            )
            return Interval(low=low, high=high, fraction=result.fraction)
        case hw.Softmax():
            return iv.of_format(result, len(layer.shape))
        case hw.Ternary() | hw.Round() | hw.Wrap() | hw.Function():
            raise InternalError(what=f"node '{layer.name}' was not refined")
        case _:
            assert_never(operation)


def _hull(interval: Interval) -> Interval:
    return iv.reduce_axes(interval, tuple(range(interval.low.ndim - 1)))


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
    cells = iv.cast(_hull(given), accumulator)
    if isinstance(operation, hw.GlobalPool):
        cells = Interval(low=cells.low.reshape(-1), high=cells.high.reshape(-1), fraction=cells.fraction)
    if operation.kind is PoolKind.MAX:
        return iv.cast(cells, result)
    counts = window_sizes(operation, shape)
    reach = iv.with_zero(cells)
    total = iv.cast(
        Interval(low=reach.low * max(counts), high=reach.high * max(counts), fraction=cells.fraction), accumulator
    )
    low, high = -(-np.minimum(total.low, 0) // min(counts)), np.maximum(total.high, 0) // min(counts)
    return iv.cast(Interval(low=low, high=high, fraction=cells.fraction), result)
