"""The emulator without a compiler: codes as floats, multiplied by BLAS, where floats represent them exactly.

A float32 represents every integer up to 2^24 and a float64 up to 2^53, and sums within that range are exact in any
order. The intervals with the real weights decide for every node whether its numbers and all intermediate results stay
inside. Sums whose products are cast one by one are added in narrow integers (`each_product`). Other nodes are computed
in int64 by the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, Overflow, Rounding
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.ranges import threshold_counts
from fpgacnn.ir.shapes import window_count
from fpgacnn.ir.source import MergeKind, PoolKind
from fpgacnn.passes.precision import LayerPrecision
from fpgacnn.sim.emulator import each_product, matmul
from fpgacnn.sim.emulator.accumulator_ranges import Order, Sums, linear_sums
from fpgacnn.sim.emulator.reference import compute
from fpgacnn.sim.emulator.result_ranges import result_ranges
from fpgacnn.sim.result import SimulationResult

FLOAT32, FLOAT64 = 1 << 24, 1 << 53
CHUNK_VALUES = 1 << 19
"""Values of a layer's windows in memory at once, about the size of a cache."""

MOST_EVENTS = 2048

Numbers: TypeAlias = NDArray[Any]
"""Integers in float32 or float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearSums:
    """The sums of a layer, and the casts of their products where these are made one by one."""

    sums: Sums
    casts: each_product.Casts | None


class FloatEmulator:
    """Computes a design in exact floats; `slow` names the nodes that need int64."""

    name = "emulator"

    def __init__(self, design: Design) -> None:
        self._design = design
        self._ranges = result_ranges(design)
        self._sums = {layer.name: self._linear_sums(layer) for layer in design.model.layers}
        self._plans = {
            layer.name: _plan(layer, self._precision(layer.name), self._given(layer), self._sums[layer.name])
            for layer in design.model.layers
        }
        self.slow = tuple(name for name, kind in self._plans.items() if kind is None)
        self.words = "NumPy with exact floats" + (
            f", {len(self.slow)} of {len(self._plans)} nodes in int64" if self.slow else ""
        )

    def _precision(self, name: str) -> LayerPrecision:
        return self._design.plan.layers[name]

    def _given(self, layer: hw.Layer) -> list[Interval]:
        return [self._ranges[name] for name in layer.inputs]

    def _linear_sums(self, layer: hw.Layer) -> LinearSums | None:
        """The sums of a convolution or a dense layer."""
        operation, accumulator = layer.operation, self._precision(layer.name).accumulator
        if not isinstance(operation, hw.Convolution | hw.Dense):
            return None
        assert accumulator is not None
        given = self._given(layer)[0]
        shape = self._design.model.layer(layer.inputs[0]).shape
        sums = linear_sums(operation, accumulator.format, given, shape)
        return LinearSums(
            sums=sums,
            casts=each_product.casts_of(sums, given, operation.kernel.array) if sums.order is Order.EACH else None,
        )

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Compute all events in chunks that limit memory; first axis events."""
        model = self._design.model
        events = len(inputs[0].array)
        largest = max(_working_values(layer) for layer in model.layers)
        step = max(1, min(MOST_EVENTS, CHUNK_VALUES // largest))
        kept = [layer.name for layer in model.layers if trace or layer.name in model.outputs]
        formats = {name: self._precision(name).result.format for name in kept}
        whole = {
            name: Codes(array=np.empty((events, *model.layer(name).shape), np.int64), format=formats[name])
            for name in kept
        }
        for start in range(0, events, step):
            found = self._chunk([one.array[start : start + step] for one in inputs])
            for name in kept:
                whole[name].array[start : start + step] = found[name]
        return SimulationResult(
            engine=self.name, outputs={name: whole[name] for name in model.outputs}, trace=whole if trace else {}
        )

    def _chunk(self, inputs: Sequence[CodeArray]) -> dict[str, Numbers]:
        model = self._design.model
        ports = dict(zip(model.inputs, inputs, strict=True))
        found: dict[str, Numbers] = {}
        for layer in model.layers:
            kind = self._plans[layer.name]
            if layer.name in ports:
                found[layer.name] = ports[layer.name].astype(kind or np.int64)
                continue
            forms = [self._precision(name).result.format for name in layer.inputs]
            given = [found[name] for name in layer.inputs]
            if kind is None:
                codes = tuple(
                    Codes(array=one.astype(np.int64), format=form) for one, form in zip(given, forms, strict=True)
                )
                found[layer.name] = compute(layer, self._precision(layer.name), codes)
            else:
                found[layer.name] = _compute(
                    layer,
                    self._precision(layer.name),
                    [one.astype(kind, copy=False) for one in given],
                    forms,
                    self._sums[layer.name],
                )
        return found


def _working_values(layer: hw.Layer) -> int:
    operation = layer.operation
    if isinstance(operation, hw.Convolution | hw.Depthwise):
        return prod(layer.shape[:-1]) * prod(operation.kernel.array.shape[:3]) + prod(layer.shape)
    return prod(layer.shape) * (prod(operation.size) if isinstance(operation, hw.Pool) else 1)


def _plan(
    layer: hw.Layer, precision: LayerPrecision, given: list[Interval], sums: LinearSums | None
) -> type[np.floating[Any]] | None:
    """The float type in which a node is exact; None if only int64 is."""
    reach = _reach(layer, precision, given, sums)
    return None if reach is None or reach >= FLOAT64 else np.float32 if reach < FLOAT32 else np.float64


def _reach(layer: hw.Layer, precision: LayerPrecision, given: list[Interval], sums: LinearSums | None) -> int | None:
    """The largest integer in a node's computation, its inputs and result included; None if floats are not suitable."""
    operation, result = layer.operation, precision.result.format
    inputs = [_magnitude(one) for one in given]
    match operation:
        case hw.Input():
            return _largest(operation.format)
        case hw.Convolution() | hw.Dense():
            assert sums is not None
            return _linear_reach(operation, precision, given[0], sums)
        case hw.Affine():
            scale, shift = operation.scale, operation.shift
            fraction = given[0].fraction + scale.format.fraction
            common = max(fraction, shift.format.fraction)
            product = inputs[0] * int(np.abs(scale.array).max()) << (common - fraction)
            total = product + (int(np.abs(shift.array).max()) << (common - shift.format.fraction))
            return max(total, _cast_reach(total, common - result.fraction, result))
        case hw.Cast() | hw.Saturate() | hw.Relu():
            return max(inputs[0], _cast_reach(inputs[0], given[0].fraction - result.fraction, result))
        case hw.Lookup():
            return max(inputs[0], int(np.abs(operation.table.array).max()))
        case hw.Thresholds():
            return max(
                inputs[0], int(np.abs(operation.thresholds.array).max()), int(np.abs(operation.values.array).max())
            )
        case hw.Pool() if operation.kind is PoolKind.MAX and not any(operation.pads):
            return _plain_maximum(precision, given[0], inputs[0])
        case hw.GlobalPool() if operation.kind is PoolKind.MAX:
            return _plain_maximum(precision, given[0], inputs[0])
        case src.Crop() | src.Upsample() | src.Permute() | src.Reshape() | src.ZeroPad():
            return max(inputs[0], _cast_reach(inputs[0], given[0].fraction - result.fraction, result))
        case hw.Merge() if operation.kind is not MergeKind.MULTIPLY:
            fraction = max(one.fraction for one in given)
            total = sum(size << (fraction - one.fraction) for size, one in zip(inputs, given, strict=True))
            return max(
                total, _cast_reach(total, fraction + (operation.kind is MergeKind.AVERAGE) - result.fraction, result)
            )
        case _:
            return None


def _magnitude(interval: Interval) -> int:
    low, high = interval.bounds
    return max(abs(low), abs(high))


def _largest(form: Format) -> int:
    return max(form.high, -form.low)


def _plain_maximum(precision: LayerPrecision, given: Interval, size: int) -> int | None:
    """Whether a node is a maximum whose two casts change nothing."""
    assert precision.accumulator is not None
    low, high = given.bounds
    formats = precision.accumulator.format, precision.result.format
    return (
        size
        if all(form.fraction == given.fraction and form.low <= low and high <= form.high for form in formats)
        else None
    )


def _cast_reach(size: int, shift: int, to: Format) -> int:
    """The largest integer inside a cast: shifted to the left, or with the half added for rounding, and wrapped."""
    return (size << -shift if shift < 0 else size + (1 << shift)) + 2 * _largest(to)


def _linear_reach(
    operation: hw.Convolution | hw.Dense, precision: LayerPrecision, given: Interval, linear: LinearSums
) -> int | None:
    assert precision.accumulator is not None
    accumulator, result = precision.accumulator.format, precision.result.format
    sums = linear.sums
    after = _cast_reach(_largest(accumulator), accumulator.fraction - result.fraction, result)
    if sums.order is Order.EACH:
        return max(_largest(accumulator), _magnitude(given), after) if linear.casts else None
    sizes = np.abs(operation.kernel.array).reshape(-1, operation.kernel.array.shape[-1]).sum(axis=0)
    total = (int(sizes.max()) * _magnitude(given) << sums.shift) + int(np.abs(sums.start).max())
    return max(
        total + 2 * _largest(accumulator),
        _magnitude(given),
        after,
    )


def _compute(
    layer: hw.Layer, precision: LayerPrecision, given: list[Numbers], forms: list[Format], sums: LinearSums | None
) -> Numbers:
    """Result codes of a node whose numbers are all exact in the given float type."""
    operation, result = layer.operation, precision.result.format
    data, form = given[0], forms[0]
    match operation:
        case hw.Convolution() | hw.Dense():
            assert sums is not None
            return _linear(layer, operation, precision, data, sums)
        case hw.Affine():
            fraction = form.fraction + operation.scale.format.fraction
            common = max(fraction, operation.shift.format.fraction)
            scaled = data * operation.scale.array.astype(data.dtype) * data.dtype.type(2.0 ** (common - fraction))
            scaled += (operation.shift.array << (common - operation.shift.format.fraction)).astype(data.dtype)
            return _cast(scaled, common - result.fraction, result)
        case hw.Relu():
            return _cast(np.maximum(data, 0), form.fraction - result.fraction, result)
        case hw.Lookup():
            return operation.table.array.astype(data.dtype)[data.astype(np.int64) & ((1 << form.width) - 1)]
        case hw.Thresholds():
            return _thresholds(operation, data)
        case hw.Pool():
            return _maximum(operation, data).reshape(-1, *layer.shape)
        case hw.GlobalPool():
            return data.reshape(len(data), -1, data.shape[-1]).max(axis=1)
        case hw.Merge():
            return _merge(operation.kind, given, forms, result)
        case hw.Cast() | hw.Saturate():
            return _cast(data.copy(), form.fraction - result.fraction, result)
        case _:
            return _cast(_moved(layer, data), form.fraction - result.fraction, result)


def _thresholds(operation: hw.Thresholds, data: Numbers) -> Numbers:
    places = threshold_counts(operation.thresholds.array.astype(data.dtype), data)
    values = operation.values.array.astype(data.dtype)
    return values[0][places] if len(values) == 1 else values[np.arange(len(values)), places]


def _linear(
    layer: hw.Layer, operation: hw.Convolution | hw.Dense, precision: LayerPrecision, data: Numbers, linear: LinearSums
) -> Numbers:
    assert precision.accumulator is not None
    accumulator, result = precision.accumulator.format, precision.result.format
    sums = linear.sums
    if linear.casts is not None:
        total = each_product.each_sum(operation, data, linear.casts).astype(data.dtype)
        return _cast(total, accumulator.fraction - result.fraction, result).reshape(-1, *layer.shape)
    if isinstance(operation, hw.Convolution):
        image = data if data.ndim == 4 else data[:, None]
        windows = matmul.patches(image, operation.kernel.array.shape[:2], operation.strides, operation.pads)
        data = windows.reshape(-1, prod(operation.kernel.array.shape[:3]))
    kernel = np.ldexp(
        operation.kernel.array.reshape(-1, operation.kernel.array.shape[-1]).astype(data.dtype), sums.shift
    )
    total = data @ kernel
    total += sums.start.astype(data.dtype)
    total = total if sums.fits else _wrap(total, accumulator)
    return _cast(total, accumulator.fraction - result.fraction, result).reshape(-1, *layer.shape)


def _maximum(operation: hw.Pool, data: Numbers) -> Numbers:
    """The maximum of every window, cell by cell of the window."""
    image = data if data.ndim == 4 else data[:, None]
    rows, columns = (
        window_count(size, window, stride)
        for size, window, stride in zip(image.shape[1:3], operation.size, operation.strides, strict=True)
    )
    first, *others = (
        image[:, top :: operation.strides[0], left :: operation.strides[1]][:, :rows, :columns]
        for top in range(operation.size[0])
        for left in range(operation.size[1])
    )
    if not others:
        return first.copy()
    best: Numbers = np.maximum(first, others[0])
    for cell in others[1:]:
        np.maximum(best, cell, out=best)
    return best


def _merge(kind: MergeKind, given: list[Numbers], forms: list[Format], result: Format) -> Numbers:
    fraction = max(form.fraction for form in forms)
    left, right = (np.ldexp(one, fraction - form.fraction) for one, form in zip(given, forms, strict=True))
    functions = {
        MergeKind.ADD: np.add,
        MergeKind.AVERAGE: np.add,
        MergeKind.SUBTRACT: np.subtract,
        MergeKind.MAXIMUM: np.maximum,
        MergeKind.MINIMUM: np.minimum,
    }
    return _cast(functions[kind](left, right), fraction + (kind is MergeKind.AVERAGE) - result.fraction, result)


def _moved(layer: hw.Layer, data: Numbers) -> Numbers:
    operation = layer.operation
    image = data if data.ndim == 4 else data[:, None]
    match operation:
        case src.ZeroPad():
            top, bottom, left, right = operation.pads
            image = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)))
        case src.Crop():
            top, bottom, left, right = operation.borders
            image = image[:, top : image.shape[1] - bottom, left : image.shape[2] - right]
        case src.Upsample():
            image = image.repeat(operation.factors[0], axis=1).repeat(operation.factors[1], axis=2)
        case src.Permute():
            image = data.transpose(0, *(axis + 1 for axis in operation.axes))
        case _:
            pass
    return image.reshape(-1, *layer.shape).copy()


def _cast(numbers: Numbers, shift: int, to: Format) -> Numbers:
    """Round and limit; the given array is overwritten."""
    if shift:
        numbers *= numbers.dtype.type(2.0**-shift)
    if shift > 0:
        numbers = _rounded(numbers, to.rounding)
    match to.overflow:
        case Overflow.SAT | Overflow.SAT_SYM:
            return np.clip(numbers, to.low, to.high, out=numbers)
        case Overflow.SAT_ZERO:
            numbers[(numbers < to.low) | (numbers > to.high)] = 0
            return numbers
        case Overflow.WRAP:
            outside = numbers.size and (numbers.min() < to.low or numbers.max() > to.high)
            return _wrap(numbers, to) if outside else numbers


def _wrap(numbers: Numbers, to: Format) -> Numbers:
    span = float(1 << to.width)
    numbers -= np.floor((numbers - to.low) / span) * span
    return numbers


def _rounded(numbers: Numbers, rounding: Rounding) -> Numbers:
    match rounding:
        case Rounding.TRN:
            return np.floor(numbers, out=numbers)
        case Rounding.TRN_ZERO:
            return np.trunc(numbers, out=numbers)
        case Rounding.RND:
            return np.floor(numbers + 0.5, out=numbers)
        case Rounding.RND_MIN_INF:
            return np.ceil(numbers - 0.5, out=numbers)
        case Rounding.RND_CONV:
            return np.rint(numbers, out=numbers)
        case Rounding.RND_INF:
            return np.copysign(np.floor(np.abs(numbers) + 0.5), numbers)
        case Rounding.RND_ZERO:
            return np.copysign(np.ceil(np.abs(numbers) - 0.5), numbers)
