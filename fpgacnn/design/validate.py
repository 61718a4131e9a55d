"""Validate a design that was read from a folder.

`serialize` has checked the types. This module checks what types cannot express, before anything is computed or becomes
C++: names are safe identifiers, arrays have the shapes and ranges of their layers, and nothing is larger than what the
converter writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from math import prod
from typing import assert_never

import numpy as np

from fpgacnn.design import Design
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format
from fpgacnn.ir.shapes import window_counts
from fpgacnn.ir.source import Shape, SourceModel
from fpgacnn.passes.precision import LayerPrecision
from fpgacnn.passes.quantization.names import RESERVED

MAX_VALUES = 1 << 22
"""Largest number of values of one layer and event; the readers of model files have the same limit."""

MAX_WINDOWS = 1 << 28
MAX_POINT = 200
"""Largest distance of the binary point from the code: float32 weights reach 2^-149."""

MAX_TABLE_BITS = 20
MAX_PLACES = 1 << 10
"""Largest number of values of a step function that is built with thresholds."""

MAX_NAME = 80
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SOFTMAX_TABLES = {"difference", "exponential", "reciprocal", "index"}


class InvalidDesignError(ValueError):
    """The reason why a design is not valid; the reader of the folder reports it to the user."""


def check(design: Design, network: SourceModel) -> None:
    """Raise InvalidDesignError if a design or its network cannot come from the converter."""
    _check_network(network)
    model, plan = design.model, design.plan.layers
    if set(plan) != {layer.name for layer in model.layers}:
        raise InvalidDesignError("its plan belongs to other layers")
    ports = [layer.name for layer in model.layers if isinstance(layer.operation, hw.Input)]
    if sorted(ports) != sorted(model.inputs) or len(set(model.outputs)) != len(model.outputs):
        raise InvalidDesignError("its inputs are not its input layers, or an output is listed twice")
    known = {layer.name: layer for layer in network.layers}
    shapes: dict[str, Shape] = {}
    for layer in model.layers:
        if layer.source not in known:
            raise InvalidDesignError(f"node {layer.name[:40]!r} belongs to no layer of the network")
        try:
            _check_layer(
                layer,
                plan[layer.name],
                tuple(shapes[name] for name in layer.inputs),
                tuple(plan[name].result.format for name in layer.inputs),
            )
        except InvalidDesignError as error:
            raise InvalidDesignError(f"node {layer.name[:40]!r}: {error}") from error
        shapes[layer.name] = layer.shape
    if [shapes[name] for name in model.inputs] != [network.layer(name).shape for name in network.inputs]:
        raise InvalidDesignError("its inputs are not those of the network")
    if len(model.outputs) != len(network.outputs):
        raise InvalidDesignError("its outputs are not those of the network")


# --- the network ---------------------------------------------------------------------------------------------------


def _check_shape(shape: Shape) -> None:
    if not 1 <= len(shape) <= 8 or min(shape) < 1 or prod(shape) > MAX_VALUES:
        raise InvalidDesignError(f"a shape of {shape}")


def _check_network(network: SourceModel) -> None:
    shapes: dict[str, Shape] = {}
    for layer in network.layers:
        try:
            _check_place(layer, shapes)
            _check_shape(layer.shape)
            _check_work(layer.operation, layer.shape, tuple(shapes[name] for name in layer.inputs))
        except InvalidDesignError as error:
            raise InvalidDesignError(f"layer {layer.name[:40]!r}: {error}") from error
        shapes[layer.name] = layer.shape
    inputs = [layer.name for layer in network.layers if isinstance(layer.operation, src.Input)]
    if (
        sorted(inputs) != sorted(network.inputs)
        or not inputs
        or not network.outputs
        or not set(network.outputs) <= shapes.keys()
    ):
        raise InvalidDesignError("the network's inputs or outputs are not layers")


def _check_place(layer: src.SourceLayer, before: Mapping[str, Shape]) -> None:
    if (
        layer.name in before
        or not set(layer.inputs) <= before.keys()
        or bool(layer.inputs) == isinstance(layer.operation, src.Input)
    ):
        raise InvalidDesignError("out of order, not unique, or without its inputs")


def _check_work(operation: src.SourceOperation, shape: Shape, given: tuple[Shape, ...]) -> None:
    """Limit the temporary values that a layer needs."""
    match operation:
        case src.Convolution() | src.Depthwise():
            window = prod(
                extent(size, step)
                for size, step in zip(operation.kernel.values.shape[:2], operation.dilation, strict=False)
            )
            _check_windows(given[0], operation.pads, window, shape)
        case src.Pool():
            _check_windows(given[0], operation.pads, prod(operation.size), shape)
        case src.ZeroPad():
            _check_windows(given[0], operation.pads, 1, shape)
        case src.Upsample():
            if min(operation.factors) < 1 or prod(operation.factors) * prod(given[0]) > MAX_VALUES:
                raise InvalidDesignError("it needs too many values")
        case src.Concatenate():
            if sum(map(prod, given)) > MAX_VALUES:
                raise InvalidDesignError("it needs too many values")
        case _:
            pass


def extent(size: int, dilation: int) -> int:
    """Number of elements that a dilated kernel covers."""
    return (size - 1) * dilation + 1


def _check_windows(given: Shape, pads: tuple[int, int, int, int], window: int, shape: Shape) -> None:
    height, width, channels = image(given)
    if min(pads) < 0 or (height + pads[0] + pads[1]) * (width + pads[2] + pads[3]) * channels > 4 * MAX_VALUES:
        raise InvalidDesignError(f"pads of {pads}")
    if window < 1 or prod(shape[:-1]) * window * channels > MAX_WINDOWS:
        raise InvalidDesignError("its windows have too many values")


def image(shape: Shape) -> tuple[int, int, int]:
    """Height, width and channels; height 1 for one-dimensional data."""
    match shape:
        case (height, width, channels):
            return height, width, channels
        case (width, channels):
            return 1, width, channels
        case _:
            raise InvalidDesignError(f"not an image, but a shape of {shape}")


# --- nodes ---------------------------------------------------------------------------------------------------------


def _check_layer(
    layer: hw.Layer, precision: LayerPrecision, given: tuple[Shape, ...], formats: tuple[Format, ...]
) -> None:
    if not _NAME.fullmatch(layer.name) or len(layer.name) > MAX_NAME or layer.name in RESERVED:
        raise InvalidDesignError("not a name that fpgacnn gives")
    _check_shape(layer.shape)
    for decision in (
        precision.result,
        *([precision.accumulator] if precision.accumulator else []),
        *precision.tables.values(),
    ):
        _check_format(decision.format)
    for codes in _codes_of(layer.operation):
        _check_codes(codes)
    if not _takes(layer.operation, len(given)):
        raise InvalidDesignError(f"{len(given)} inputs")
    expected = _shape(layer.operation, layer.shape, precision, given, formats)
    if layer.shape != expected:
        raise InvalidDesignError(f"a shape of {layer.shape}, but its operation gives {expected}")


def _takes(operation: hw.Operation, inputs: int) -> bool:
    """Whether an operation has this number of inputs."""
    match operation:
        case hw.Input():
            return inputs == 0
        case hw.Merge():
            return inputs == 2
        case src.Concatenate():
            return inputs >= 1
        case _:
            return inputs == 1


def _check_format(form: Format) -> None:
    if abs(form.integer) > MAX_POINT:
        raise InvalidDesignError(f"a format of {form}")


def _codes_of(operation: hw.Operation) -> Iterator[Codes]:
    values = (getattr(operation, field.name) for field in fields(operation))
    yield from (value for value in values if isinstance(value, Codes))


def _check_codes(codes: Codes) -> None:
    _check_format(codes.format)
    if codes.array.dtype != np.int64 or not codes.array.size:
        raise InvalidDesignError(f"codes of type {codes.array.dtype}")
    if codes.array.min() < codes.format.low or codes.array.max() > codes.format.high:
        raise InvalidDesignError(f"codes outside of {codes.format}")


def _need(codes: Codes, *shapes: Shape) -> None:
    if codes.array.shape not in shapes:
        raise InvalidDesignError(f"an array of shape {codes.array.shape}, but its layer needs {shapes[0]}")


def _need_steps(operation: hw.Thresholds, channels: int, given: Format, result: Format) -> None:
    """Sorted thresholds of the input's type, one fewer than values; the number of values is a power of two.

    There is one row, or one for each channel.
    """
    thresholds, values = operation.thresholds, operation.values
    rows, places = values.array.shape if values.array.ndim == 2 else (0, 0)
    if rows not in {1, channels} or places & (places - 1) or not 2 <= places <= MAX_PLACES:
        raise InvalidDesignError(f"values of a step function of shape {values.array.shape}")
    _need(thresholds, (rows, places - 1))
    if np.any(np.diff(thresholds.array, axis=1) < 0):
        raise InvalidDesignError("thresholds that are not sorted")
    if not _same_codes(thresholds.format, given) or not _same_codes(values.format, result):
        raise InvalidDesignError(f"thresholds of {thresholds.format} and values of {values.format}")


def _same_codes(one: Format, other: Format) -> bool:
    return (one.width, one.integer, one.signed) == (other.width, other.integer, other.signed)


def _need_accumulator(precision: LayerPrecision) -> None:
    if precision.accumulator is None:
        raise InvalidDesignError("no accumulator")


def _shape(
    operation: hw.Operation,
    shape: Shape,
    precision: LayerPrecision,
    given: tuple[Shape, ...],
    formats: tuple[Format, ...],
) -> Shape:
    """The shape of an operation's result; its arrays are checked too."""
    match operation:
        case hw.Input():
            _check_format(operation.format)
            if operation.format != precision.result.format:
                raise InvalidDesignError("an input whose result has another format")
            return shape
        case hw.Convolution() | hw.Depthwise():
            _need_accumulator(precision)
            if operation.kernel.array.ndim != 4:
                raise InvalidDesignError(f"a kernel of shape {operation.kernel.array.shape}")
            height, width, channels, filters = operation.kernel.array.shape
            _check_windows(given[0], operation.pads, height * width, shape)
            deep = isinstance(operation, hw.Convolution)
            _need(operation.kernel, (height, width, image(given[0])[2], filters if deep else 1))
            _need(operation.bias, (filters if deep else channels,))
            return _windows(given[0], (height, width), operation.strides, operation.pads, filters if deep else channels)
        case hw.Dense():
            _need_accumulator(precision)
            _need(operation.kernel, (prod(given[0]), shape[-1]))
            _need(operation.bias, shape[-1:])
            return shape[-1:]
        case hw.Affine():
            for codes in (operation.scale, operation.shift):
                _need(codes, given[0][-1:])
            if operation.divisor < 1:
                raise InvalidDesignError(f"a divisor of {operation.divisor}")
            if operation.trained_scale.shape != given[0][-1:] or operation.trained_shift.shape != given[0][-1:]:
                raise InvalidDesignError("trained numbers of another shape")
            return given[0]
        case hw.Lookup():
            if formats[0].width > MAX_TABLE_BITS:
                raise InvalidDesignError(f"a table for inputs of {formats[0].width} bits")
            _need(operation.table, (1 << formats[0].width,))
            return given[0]
        case hw.Thresholds():
            _need_steps(operation, given[0][-1], formats[0], precision.result.format)
            return given[0]
        case hw.LeakyRelu():
            _need(operation.slope, (1,), given[0])
            return given[0]
        case hw.ThresholdRelu():
            _need(operation.threshold, (1,))
            return given[0]
        case hw.Cast() | hw.Relu() | hw.Saturate():
            return given[0]
        case hw.Pool():
            _need_accumulator(precision)
            _check_windows(given[0], operation.pads, prod(operation.size), shape)
            return _windows(given[0], operation.size, operation.strides, operation.pads, given[0][-1])
        case hw.GlobalPool():
            _need_accumulator(precision)
            image(given[0])
            return shape if prod(shape) == shape[-1] == given[0][-1] else given[0][-1:]
        case src.ZeroPad():
            _check_windows(given[0], operation.pads, 1, shape)
            return _windows(given[0], (1, 1), (1, 1), operation.pads, given[0][-1])
        case src.Crop():
            if min(operation.borders) < 0:
                raise InvalidDesignError(f"borders of {operation.borders}")
            top, bottom, left, right = (-border for border in operation.borders)
            return _windows(given[0], (1, 1), (1, 1), (top, bottom, left, right), given[0][-1])
        case src.Upsample():
            height, width, channels = image(given[0])
            return _like(given[0], height * operation.factors[0], width * operation.factors[1], channels)
        case src.Permute():
            if sorted(operation.axes) != list(range(len(given[0]))):
                raise InvalidDesignError(f"axes of {operation.axes}")
            return tuple(given[0][axis] for axis in operation.axes)
        case src.Reshape():
            return shape if prod(shape) == prod(given[0]) else given[0]
        case hw.Merge():
            if given[0] != given[1]:
                raise InvalidDesignError(f"shapes of {given[0]} and {given[1]}")
            return given[0]
        case src.Concatenate():
            return _joined(operation.axis, given)
        case hw.Softmax():
            if operation.kind is hw.SoftmaxKind.TABLES:
                _need_accumulator(precision)
                if set(precision.tables) != _SOFTMAX_TABLES:
                    raise InvalidDesignError("not the tables of a softmax")
                if max(precision.tables[name].format.width for name in ("difference", "index")) > MAX_TABLE_BITS:
                    raise InvalidDesignError("a table that is too large")
            return given[0]
        case hw.Ternary() | hw.Round() | hw.Wrap() | hw.Function():
            raise InvalidDesignError(f"a {type(operation).__name__}, which a finished design cannot have")
        case _:
            assert_never(operation)


def _windows(
    given: Shape, size: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int, int, int], channels: int
) -> Shape:
    height, width, _ = image(given)
    if min(*size, *strides) < 1:
        raise InvalidDesignError(f"windows of {size} with strides of {strides}")
    return _like(given, *window_counts((height, width), size, strides, pads), channels)


def _like(given: Shape, height: int, width: int, channels: int) -> Shape:
    if len(given) == 3:
        return height, width, channels
    if height != 1:
        raise InvalidDesignError(f"{height} rows of one-dimensional data")
    return width, channels


def _joined(axis: int, given: tuple[Shape, ...]) -> Shape:
    first = given[0]
    if not 0 <= axis < len(first) or any(
        len(one) != len(first) or one[:axis] + one[axis + 1 :] != first[:axis] + first[axis + 1 :] for one in given
    ):
        raise InvalidDesignError(f"shapes that cannot be joined along axis {axis}")
    return (*first[:axis], sum(one[axis] for one in given), *first[axis + 1 :])
