"""The float64 reference of the source network in NumPy: what the framework computes, without the framework.

`quantized=True` applies every quantizer as Keras and QKeras do at inference; `quantized=False` leaves them all out and
computes with the trained float weights. If all sums fit 24 bits, float32 and float64 agree exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import reduce
from math import prod
from typing import assert_never

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.functions import evaluate as evaluate_function
from fpgacnn.ir.source import FloatArray, SourceLayer, SourceModel
from fpgacnn.passes.quantization import quantizers
from fpgacnn.passes.quantization.batchnorm import affine, fold
from fpgacnn.passes.quantization.expand_kernel import expand_kernel
from fpgacnn.passes.quantization.hard_functions import mark_float32
from fpgacnn.sim.window_sums import convolved, multiplied, shifted

CHUNK_EVENTS = 256
CHUNK_VALUES = 1 << 22
"""Values of the largest layer that are computed at once; a single event of any size is computed."""


def evaluate(
    model: SourceModel,
    inputs: Sequence[FloatArray],
    *,
    quantized: bool,
    keep: AbstractSet[str] | None = None,
    chunk_values: int = CHUNK_VALUES,
) -> Mapping[str, FloatArray]:
    """Every layer's output (events, ...shape) by its name in the file, or of the layers in `keep` only."""
    parts = list(answers_by_chunk(model, inputs, quantized=quantized, keep=keep, chunk_values=chunk_values))
    return {
        name: values if len(parts) == 1 else np.concatenate([part[name] for part in parts])
        for name, values in parts[0].items()
    }


def answers_by_chunk(
    model: SourceModel,
    inputs: Sequence[FloatArray],
    *,
    quantized: bool,
    keep: AbstractSet[str] | None = None,
    chunk_values: int = CHUNK_VALUES,
) -> Iterator[Mapping[str, FloatArray]]:
    """The results of `evaluate` on consecutive chunks of the events: at least one, also without events."""
    model = mark_float32(model) if quantized else model
    weights = prepared(model, quantized=quantized)
    last = {name: layer.name for layer in model.layers for name in layer.inputs}
    step = max(1, min(CHUNK_EVENTS, chunk_values // max(prod(layer.shape) for layer in model.layers)))
    for start in range(0, max(len(inputs[0]), 1), step):
        found: dict[str, FloatArray] = {}
        kept: dict[str, FloatArray] = {}
        ports = {
            name: np.asarray(one[start : start + step], np.float64)
            for name, one in zip(model.inputs, inputs, strict=True)
        }
        for layer in model.layers:
            given = tuple(found[name] for name in layer.inputs)
            found[layer.name] = (
                ports[layer.name]
                if layer.name in ports
                else layer_answer(layer, given, weights[layer.name], quantized=quantized)
            )
            if keep is None or layer.name in keep:
                kept[layer.name] = found[layer.name]
            for name in {*layer.inputs, layer.name}:
                if last.get(name, layer.name) == layer.name:
                    found.pop(name)
        yield kept


def prepared(model: SourceModel, *, quantized: bool) -> Mapping[str, tuple[FloatArray, ...]]:
    """Weights of every layer after quantization, computed once."""
    return {layer.name: _constants(layer, quantized=quantized) for layer in model.layers}


def _constants(layer: SourceLayer, *, quantized: bool) -> tuple[FloatArray, ...]:
    operation = layer.operation
    match operation:
        case src.Transposed():
            offset = (
                _values(operation.bias, layer.name, quantized=quantized)
                if operation.bias
                else np.zeros(layer.shape[-1])
            )
            return _values(operation.kernel, layer.name, quantized=quantized), offset
        case src.Convolution() | src.Depthwise() | src.Dense():
            kernel, bias = fold(operation)
            offset = _values(bias, layer.name, quantized=quantized) if bias else np.zeros(layer.shape[-1])
            return expand_kernel(operation, _values(kernel, layer.name, quantized=quantized)), offset
        case src.Pool() | src.GlobalPool() if operation.factor is not None and quantized:
            return (_values(operation.factor, layer.name, quantized=True),)
        case src.BatchNormalization():
            return affine(operation.statistics if quantized else _unquantized(operation.statistics), layer.name)
        case _:
            return ()


def _values(weight: src.Weight, layer: str, *, quantized: bool) -> FloatArray:
    if quantized:
        return quantizers.apply(weight.values, weight.quantizer, layer=layer).product
    if isinstance(weight.quantizer, src.QuantizedBits) and isinstance(weight.quantizer.alpha, float):
        return weight.values * weight.quantizer.alpha  # a constant scale is part of the network, not of its rounding
    return weight.values


def _unquantized(statistics: src.Statistics) -> src.Statistics:
    def plain(weight: src.Weight) -> src.Weight:
        return src.Weight(values=weight.values)

    return src.Statistics(
        gamma=plain(statistics.gamma),
        beta=plain(statistics.beta),
        mean=plain(statistics.mean),
        variance=plain(statistics.variance),
        epsilon=statistics.epsilon,
    )


def layer_answer(
    layer: SourceLayer, given: tuple[FloatArray, ...], constants: tuple[FloatArray, ...], *, quantized: bool
) -> FloatArray:
    """One layer's result (events, ...shape) from its inputs and its `prepared` weights."""
    operation, data = layer.operation, given[0]
    match operation:
        case src.Convolution():
            return _convolution(operation, data, *constants).reshape(-1, *layer.shape)
        case src.Depthwise():
            return _depthwise(operation, data, *constants).reshape(-1, *layer.shape)
        case src.Transposed():
            return _transposed(operation, data, layer.shape, *constants).reshape(-1, *layer.shape)
        case src.Dense():
            rows = multiplied(data.reshape(-1, data.shape[-1]), constants[0])
            return rows.reshape(*data.shape[:-1], constants[0].shape[-1]) + constants[1]
        case src.BatchNormalization():
            return data * constants[0] + constants[1]
        case src.Activate():
            return _activation(operation.function, data, quantized=quantized)
        case src.Pool():
            scaled = _pool(operation, data) * (
                constants[0] * operation.size[0] * operation.size[1] if constants else 1.0
            )
            return scaled.reshape(-1, *layer.shape)
        case src.GlobalPool():
            cells = data.reshape(len(data), -1, data.shape[-1])
            pooled = cells.max(axis=1) if operation.kind is src.PoolKind.MAX else cells.sum(axis=1) / cells.shape[1]
            pooled = cells.sum(axis=1) * constants[0] if constants else pooled
            return pooled.reshape(-1, *layer.shape)
        case src.Crop():
            top, bottom, left, right = operation.borders
            image = _image(data)
            return image[:, top : image.shape[1] - bottom, left : image.shape[2] - right].reshape(-1, *layer.shape)
        case src.Upsample():
            return (
                _image(data)
                .repeat(operation.factors[0], axis=1)
                .repeat(operation.factors[1], axis=2)
                .reshape(-1, *layer.shape)
            )
        case src.Permute():
            return data.transpose(0, *(axis + 1 for axis in operation.axes))
        case src.ZeroPad():
            return _padded(_image(data), operation.pads, 0.0).reshape(-1, *layer.shape)
        case src.Reshape():
            return data.reshape(-1, *layer.shape)
        case src.Merge():
            return _merge(operation.kind, _same_shape(given))
        case src.Concatenate():
            return np.concatenate(given, axis=operation.axis + 1)
        case src.Input():
            return data
        case _:
            assert_never(operation)


def _image(data: FloatArray) -> FloatArray:
    return data if data.ndim == 4 else data[:, None]


def _padded(image: FloatArray, pads: tuple[int, int, int, int], fill: float) -> FloatArray:
    if not any(pads):
        return image
    top, bottom, left, right = pads
    return np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)


def _convolution(operation: src.Convolution, data: FloatArray, kernel: FloatArray, bias: FloatArray) -> FloatArray:
    sums = convolved(_padded(_image(data), operation.pads, 0.0), kernel, operation.strides)
    sums += bias
    return sums


def _depthwise(operation: src.Depthwise, data: FloatArray, kernel: FloatArray, bias: FloatArray) -> FloatArray:
    image = _padded(_image(data), operation.pads, 0.0)
    sums: FloatArray | float = 0.0
    for row, column, values in shifted(image, (kernel.shape[0], kernel.shape[1]), operation.strides):
        sums = sums + values[..., None] * kernel[row, column]
    assert isinstance(sums, np.ndarray)
    return sums.reshape(*sums.shape[:3], -1) + bias


def _transposed(
    operation: src.Transposed, data: FloatArray, shape: tuple[int, ...], kernel: FloatArray, bias: FloatArray
) -> FloatArray:
    """Every input cell adds its value times the kernel; rows and columns without an input cell have the bias."""
    image, (down, across) = _image(data), operation.strides
    events, height, width, _ = image.shape
    top, left = operation.begin
    rows, columns = (1, shape[0]) if len(shape) == 2 else shape[:2]
    sums = np.zeros(
        (
            events,
            max((height - 1) * down + kernel.shape[0], top + rows),
            max((width - 1) * across + kernel.shape[1], left + columns),
            shape[-1],
        )
    )
    flat = image.reshape(-1, image.shape[-1])
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            sums[:, row : row + height * down : down, column : column + width * across : across][
                :, :height, :width
            ] += multiplied(flat, kernel[row, column].T).reshape(*image.shape[:3], -1)
    return sums[:, top : top + rows, left : left + columns] + bias


def _pool(operation: src.Pool, data: FloatArray) -> FloatArray:
    image = _image(data)
    if operation.kind is src.PoolKind.MAX:
        cells = _cells(operation, image, -np.inf)
        return reduce(np.maximum, cells)
    ones = np.ones((1, *image.shape[1:3], 1))
    return reduce(np.add, _cells(operation, image, 0.0)) / reduce(np.add, _cells(operation, ones, 0.0))


def _cells(operation: src.Pool, image: FloatArray, fill: float) -> Iterator[FloatArray]:
    """For every position in the window, the values that all windows have there."""
    padded = _padded(image, operation.pads, fill)
    return (values for _, _, values in shifted(padded, operation.size, operation.strides))


def _same_shape(given: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    """Tensors broadcast to one shape; missing axes come directly after the events, as in Keras."""
    rank = max(one.ndim for one in given)
    return tuple(
        np.broadcast_arrays(*(one.reshape(len(one), *(1,) * (rank - one.ndim), *one.shape[1:]) for one in given))
    )


def _merge(kind: src.MergeKind, given: tuple[FloatArray, ...]) -> FloatArray:
    match kind:
        case src.MergeKind.ADD:
            return np.sum(given, axis=0)
        case src.MergeKind.SUBTRACT:
            return given[0] - given[1]
        case src.MergeKind.MULTIPLY:
            return np.prod(given, axis=0)
        case src.MergeKind.AVERAGE:
            return np.sum(given, axis=0) / len(given)
        case src.MergeKind.MAXIMUM:
            return np.max(given, axis=0)
        case src.MergeKind.MINIMUM:
            return np.min(given, axis=0)
        case _:
            assert_never(kind)


def _activation(function: src.Activation, data: FloatArray, *, quantized: bool) -> FloatArray:
    match function:
        case src.QuantizedBits() | src.Binary() | src.Ternary() | src.PowerOfTwo() | src.Uniform():
            return quantizers.apply(data, function).product if quantized else data
        case src.QuantizedTanh():
            kind = src.FunctionKind.TANH if function.real else src.FunctionKind.HARD_TANH
            return evaluate_function(function if quantized else src.Function(kind=kind), data)
        case src.QuantizedSigmoid():
            kind = src.FunctionKind.SIGMOID if function.real else src.FunctionKind.HARD_SIGMOID
            return evaluate_function(function if quantized else src.Function(kind=kind, alpha=0.5), data)
        case src.Function():
            return evaluate_function(function, data)
        case src.PRelu():
            return np.where(data > 0, data, function.slope * data)
        case src.QuantizedRelu():
            if quantized:
                return quantizers.apply(data, function).product
            return _float_relu(data, function)
        case src.Relu():
            return _relu(data, function)
        case src.Softmax():
            exponentials = np.exp(data - data.max(axis=-1, keepdims=True))
            return exponentials / exponentials.sum(axis=-1, keepdims=True)
        case _:
            assert_never(function)


def _float_relu(data: FloatArray, quantizer: src.QuantizedRelu) -> FloatArray:
    """`quantized_relu` without rounding and clipping."""
    return np.where(data > 0, data, quantizer.negative_slope * data)


def _relu(data: FloatArray, function: src.Relu) -> FloatArray:
    below = function.negative_slope * (data - function.threshold)
    result = np.where(data > function.threshold, data, below)
    return result if function.max_value is None else np.minimum(result, function.max_value)
