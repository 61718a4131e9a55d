"""The definition of the semantics: every operation on int64 codes in NumPy, with all roundings and overflows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import MAX_WIDTH, CodeArray, Codes, Format, limit, requantize
from fpgacnn.ir.source import MergeKind, PoolKind
from fpgacnn.passes.precision import LayerPrecision
from fpgacnn.sim.emulator import matmul, softmax_lut
from fpgacnn.sim.result import SimulationResult

CHUNK_VALUES = 1 << 24
"""Largest number of values of a layer's windows in memory at once."""


class ReferenceEmulator:
    """Computes a design in NumPy int64. Slow and simple; all other engines must equal it."""

    name = "int64 reference"
    words = "int64 reference in NumPy"

    def __init__(self, design: Design) -> None:
        self._design = design

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Compute all events in chunks that limit memory; first axis events."""
        model = self._design.model
        events = len(inputs[0].array)
        step = self._events_at_once()
        kept = {layer.name for layer in model.layers} if trace else set(model.outputs)
        parts: dict[str, list[CodeArray]] = {name: [] for name in kept}
        for start in range(0, max(events, 1), step):
            piece = [Codes(array=one.array[start : start + step], format=one.format) for one in inputs]
            for name, values in self._chunk(piece):
                if name in kept:
                    parts[name].append(values)
        formats = {name: self._design.plan.layers[name].result.format for name in kept}
        whole = {name: Codes(array=np.concatenate(values), format=formats[name]) for name, values in parts.items()}
        outputs = {name: whole[name] for name in model.outputs}
        return SimulationResult(engine=self.name, outputs=outputs, trace=whole if trace else {})

    def by_node(self, inputs: Sequence[Codes]) -> Iterator[tuple[int, str, Codes]]:
        """Every node's codes of some events, with the number of the first, in the order of the network.

        Then of the next ones.

        Codes that no later node reads are let go, so that memory holds a few nodes at a time.
        """
        step = self._events_at_once()
        for start in range(0, len(inputs[0].array), step):
            piece = [Codes(array=one.array[start : start + step], format=one.format) for one in inputs]
            for name, values in self._chunk(piece):
                yield start, name, Codes(array=values, format=self._design.plan.layers[name].result.format)

    def _events_at_once(self) -> int:
        largest = max(_working_values(layer) for layer in self._design.model.layers)
        return max(1, min(4096, CHUNK_VALUES // largest))

    def _chunk(self, inputs: Sequence[Codes]) -> Iterator[tuple[str, CodeArray]]:
        model, plan = self._design.model, self._design.plan
        ports = dict(zip(model.inputs, inputs, strict=True))
        last = {name: layer.name for layer in model.layers for name in layer.inputs}
        found: dict[str, CodeArray] = {}
        for layer in model.layers:
            given = tuple(Codes(array=found[name], format=plan.layers[name].result.format) for name in layer.inputs)
            is_port = isinstance(layer.operation, hw.Input)
            found[layer.name] = ports[layer.name].array if is_port else compute(layer, plan.layers[layer.name], given)
            yield layer.name, found[layer.name]
            del given
            for name in {*layer.inputs, layer.name}:
                if last.get(name, layer.name) == layer.name:
                    del found[name]


def _working_values(layer: hw.Layer) -> int:
    match layer.operation:
        case hw.Depthwise():
            return prod(layer.shape) * prod(layer.operation.kernel.array.shape[:2])
        case hw.Convolution():
            return prod(layer.shape[:-1]) * prod(layer.operation.kernel.array.shape[:3]) + prod(layer.shape)
        case hw.Pool():
            return prod(layer.shape) * prod(layer.operation.size)
        case _:
            return prod(layer.shape)


def compute(layer: hw.Layer, precision: LayerPrecision, given: tuple[Codes, ...]) -> CodeArray:
    """Result codes of one node for input codes (events, ...shape)."""
    operation, result = layer.operation, precision.result.format
    data, form = given[0].array, given[0].format
    match operation:
        case hw.Convolution():
            return _convolution(layer, operation, precision, data, form)
        case hw.Depthwise():
            return _depthwise(layer, operation, precision, data, form)
        case hw.Dense():
            sums = matmul.accumulate(data, form.fraction, operation.kernel, operation.bias, _accumulator(precision))
            return requantize(sums, _accumulator(precision).fraction, result)
        case hw.Affine():
            return _affine(operation, data, form.fraction, result)
        case hw.Lookup():
            return operation.table.array[data & ((1 << form.width) - 1)]
        case hw.Thresholds():
            return _thresholds(operation, data)
        case hw.Cast() | hw.Saturate():
            return requantize(data, form.fraction, result)
        case hw.Relu():
            return np.where(data > 0, requantize(data, form.fraction, result), 0)
        case hw.LeakyRelu():
            slope = operation.slope
            factors = slope.array if slope.array.size > 1 else slope.array.ravel()[0]
            below = requantize(data * factors, form.fraction + slope.format.fraction, result)
            return np.where(data > 0, requantize(data, form.fraction, result), below)
        case hw.ThresholdRelu():
            return np.where(
                _above(data, form.fraction, operation.threshold), requantize(data, form.fraction, result), 0
            )
        case hw.Pool():
            return _pool(operation, precision, data, form)
        case hw.GlobalPool():
            cells = data.reshape(len(data), -1, data.shape[-1])
            return _reduce(operation.kind, cells, np.int64(cells.shape[1]), precision, form)
        case src.ZeroPad():
            top, bottom, left, right = operation.pads
            image = data if data.ndim == 4 else data[:, None]
            padded = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)))
            return requantize(padded, form.fraction, result).reshape(-1, *layer.shape)
        case src.Crop():
            top, bottom, left, right = operation.borders
            image = data if data.ndim == 4 else data[:, None]
            return image[:, top : image.shape[1] - bottom, left : image.shape[2] - right].reshape(-1, *layer.shape)
        case src.Upsample():
            image = data if data.ndim == 4 else data[:, None]
            return (
                image.repeat(operation.factors[0], axis=1)
                .repeat(operation.factors[1], axis=2)
                .reshape(-1, *layer.shape)
            )
        case src.Permute():
            return data.transpose(0, *(axis + 1 for axis in operation.axes))
        case src.Reshape():
            return data.reshape(-1, *layer.shape)
        case hw.Merge():
            return _merge(operation.kind, given[0], given[1], result)
        case src.Concatenate():
            parts = [requantize(one.array, one.format.fraction, result) for one in given]
            return np.concatenate(parts, axis=operation.axis + 1)
        case hw.Softmax():
            if operation.kind is hw.SoftmaxKind.ARGMAX:
                return softmax_lut.argmax(data)
            return softmax_lut.stable_softmax(data, form.fraction, precision)
        case hw.Input():
            return data
        case _:
            assert_never(operation)


def _above(data: CodeArray, fraction: int, threshold: Codes) -> NDArray[np.bool_]:
    """Compare with the largest code that is not above, which may be beyond every code of the input."""
    limit_, places = int(threshold.array.ravel()[0]), fraction - threshold.format.fraction
    edge = limit_ << places if places >= 0 else limit_ >> -places
    return data > min(max(edge, -(1 << MAX_WIDTH)), 1 << MAX_WIDTH)


def _thresholds(operation: hw.Thresholds, data: CodeArray) -> CodeArray:
    """Thresholds are counted one by one."""
    places = np.zeros(data.shape, np.int64)
    for thresholds in operation.thresholds.array.T:
        places += data >= thresholds
    values = operation.values.array
    rows = np.arange(len(values)) if len(values) > 1 else 0
    return values[rows, places]


def _accumulator(precision: LayerPrecision) -> Format:
    assert precision.accumulator is not None
    return precision.accumulator.format


def _convolution(
    layer: hw.Layer, operation: hw.Convolution, precision: LayerPrecision, data: CodeArray, form: Format
) -> CodeArray:
    image = data if data.ndim == 4 else data[:, None]
    height, width, channels, filters = operation.kernel.array.shape
    windows = matmul.patches(image, (height, width), operation.strides, operation.pads)
    rows = windows.reshape(-1, height * width * channels)
    kernel = Codes(array=operation.kernel.array.reshape(-1, filters), format=operation.kernel.format)
    sums = matmul.accumulate(rows, form.fraction, kernel, operation.bias, _accumulator(precision))
    return requantize(sums, _accumulator(precision).fraction, precision.result.format).reshape(-1, *layer.shape)


def _depthwise(
    layer: hw.Layer, operation: hw.Depthwise, precision: LayerPrecision, data: CodeArray, form: Format
) -> CodeArray:
    """Each channel by itself, so that accumulators of every kind get its own products only."""
    image = data if data.ndim == 4 else data[:, None]
    height, width, channels, _ = operation.kernel.array.shape
    windows = matmul.patches(image, (height, width), operation.strides, operation.pads).reshape(
        -1, height * width, channels
    )
    sums = np.empty((len(windows), channels), np.int64)
    for channel in range(channels):
        kernel = Codes(array=operation.kernel.array[:, :, channel].reshape(-1, 1), format=operation.kernel.format)
        bias = Codes(array=operation.bias.array[channel : channel + 1], format=operation.bias.format)
        sums[:, channel] = matmul.accumulate(
            windows[:, :, channel], form.fraction, kernel, bias, _accumulator(precision)
        )[:, 0]
    return requantize(sums, _accumulator(precision).fraction, precision.result.format).reshape(-1, *layer.shape)


def _affine(operation: hw.Affine, data: CodeArray, fraction: int, result: Format) -> CodeArray:
    product_fraction = fraction + operation.scale.format.fraction
    common = max(product_fraction, operation.shift.format.fraction)
    products_ = (data * operation.scale.array) << (common - product_fraction)
    return requantize(products_ + (operation.shift.array << (common - operation.shift.format.fraction)), common, result)


def _pool(operation: hw.Pool, precision: LayerPrecision, data: CodeArray, form: Format) -> CodeArray:
    image = data if data.ndim == 4 else data[:, None]
    smallest = min(form.low, 0) - 1 if operation.kind is PoolKind.MAX else 0
    windows = matmul.patches(image, operation.size, operation.strides, operation.pads, fill=smallest)
    events, height, width, *_, channels = windows.shape
    counts = matmul.patches(
        np.ones((1, *image.shape[1:3], 1), np.int64), operation.size, operation.strides, operation.pads
    )
    cells = windows.reshape(events * height * width, -1, channels)
    sizes = np.tile(counts.sum(axis=(3, 4)).reshape(-1, 1), (events, 1))
    pooled = _reduce(operation.kind, cells, sizes, precision, form)
    shape = (events, height, width, channels) if data.ndim == 4 else (events, width, channels)
    return pooled.reshape(shape)


def _reduce(
    kind: PoolKind, cells: CodeArray, count: CodeArray | np.int64, precision: LayerPrecision, form: Format
) -> CodeArray:
    """Maximum or mean of (rows, cells, channels); the division truncates toward zero, as C++ does."""
    accumulator, result = _accumulator(precision), precision.result.format
    match kind:
        case PoolKind.MAX:
            return requantize(requantize(cells.max(axis=1), form.fraction, accumulator), accumulator.fraction, result)
        case PoolKind.AVERAGE:
            total = limit(requantize(cells, form.fraction, accumulator).sum(axis=1), accumulator)
            mean = np.sign(total) * (np.abs(total) // count)
            return requantize(mean, accumulator.fraction, result)
        case _:
            assert_never(kind)


def _merge(kind: MergeKind, left: Codes, right: Codes, result: Format) -> CodeArray:
    fraction = max(left.format.fraction, right.format.fraction)
    one, other = left.array << (fraction - left.format.fraction), right.array << (fraction - right.format.fraction)
    match kind:
        case MergeKind.ADD:
            return requantize(one + other, fraction, result)
        case MergeKind.SUBTRACT:
            return requantize(one - other, fraction, result)
        case MergeKind.MULTIPLY:
            return requantize(left.array * right.array, left.format.fraction + right.format.fraction, result)
        case MergeKind.AVERAGE:
            return requantize(one + other, fraction + 1, result)
        case MergeKind.MAXIMUM:
            return requantize(np.maximum(one, other), fraction, result)
        case MergeKind.MINIMUM:
            return requantize(np.minimum(one, other), fraction, result)
        case _:
            assert_never(kind)
