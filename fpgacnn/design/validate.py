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
from fpgacnn.ir.shapes import image_of, reach_of, result_shape
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
        if not set(layer.folded) <= known.keys() - {layer.source}:
            raise InvalidDesignError(f"node {layer.name[:40]!r} computes a layer that the network has not")
        if layer.weights_of not in {"", layer.source, *layer.folded}:
            raise InvalidDesignError(f"node {layer.name[:40]!r} has the weights of another layer")
        try:
            _check_layer(
                layer,
                plan[layer.name],
                tuple(shapes[name] for name in layer.inputs),
                tuple(plan[name].result.format for name in layer.inputs),
            )
        except ValueError as error:
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
        except ValueError as error:
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
            height, width = operation.kernel.values.shape[:2]
            window = reach_of((height, width), operation.dilation)
            _check_windows(given[0], operation.pads, prod(window), shape)
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


def _check_windows(given: Shape, pads: tuple[int, int, int, int], window: int, shape: Shape) -> None:
    height, width, channels = image_of(given)
    if min(pads) < 0 or (height + pads[0] + pads[1]) * (width + pads[2] + pads[3]) * channels > 4 * MAX_VALUES:
        raise InvalidDesignError(f"pads of {pads}")
    if window < 1 or prod(shape[:-1]) * window * channels > MAX_WINDOWS:
        raise InvalidDesignError("its windows have too many values")


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
    _check_operation(layer.operation, layer.shape, precision, given, formats)
    expected = result_shape(layer.operation, given, layer.shape)
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


def _check_operation(
    operation: hw.Operation,
    shape: Shape,
    precision: LayerPrecision,
    given: tuple[Shape, ...],
    formats: tuple[Format, ...],
) -> None:
    """Check the shapes of an operation's arrays, its formats, and the sizes of its windows and tables.

    Raises InvalidDesignError.
    """
    match operation:
        case hw.Input():
            _check_format(operation.format)
            if operation.format != precision.result.format:
                raise InvalidDesignError("an input whose result has another format")
        case hw.Convolution() | hw.Depthwise():
            _need_accumulator(precision)
            if operation.kernel.array.ndim != 4:
                raise InvalidDesignError(f"a kernel of shape {operation.kernel.array.shape}")
            height, width, channels, filters = operation.kernel.array.shape
            _check_windows(given[0], operation.pads, height * width, shape)
            deep = isinstance(operation, hw.Convolution)
            _need(operation.kernel, (height, width, image_of(given[0])[2], filters if deep else 1))
            _need(operation.bias, (filters if deep else channels,))
        case hw.Dense():
            _need_accumulator(precision)
            _need(operation.kernel, (prod(given[0]), shape[-1]))
            _need(operation.bias, shape[-1:])
        case hw.Affine():
            _need(operation.scale, given[0][-1:])
            _need(operation.shift, given[0][-1:])
        case hw.Lookup():
            if formats[0].width > MAX_TABLE_BITS:
                raise InvalidDesignError(f"a table for inputs of {formats[0].width} bits")
            _need(operation.table, (1 << formats[0].width,))
        case hw.Thresholds():
            _need_steps(operation, given[0][-1], formats[0], precision.result.format)
        case hw.LeakyRelu():
            _need(operation.slope, (1,), given[0])
        case hw.ThresholdRelu():
            _need(operation.threshold, (1,))
        case hw.Pool():
            _need_accumulator(precision)
            _check_windows(given[0], operation.pads, prod(operation.size), shape)
        case hw.GlobalPool():
            _need_accumulator(precision)
        case src.ZeroPad():
            _check_windows(given[0], operation.pads, 1, shape)
        case src.Crop():
            if min(operation.borders) < 0:
                raise InvalidDesignError(f"borders of {operation.borders}")
        case hw.Softmax():
            if operation.kind is hw.SoftmaxKind.TABLES:
                _need_softmax_tables(precision)
        case (
            hw.Cast()
            | hw.Relu()
            | hw.Saturate()
            | hw.Merge()
            | src.Upsample()
            | src.Permute()
            | src.Reshape()
            | src.Concatenate()
        ):
            pass
        case _:
            assert_never(operation)


def _need_softmax_tables(precision: LayerPrecision) -> None:
    _need_accumulator(precision)
    if set(precision.tables) != _SOFTMAX_TABLES:
        raise InvalidDesignError("not the tables of a softmax")
    if max(precision.tables[name].format.width for name in ("difference", "index")) > MAX_TABLE_BITS:
        raise InvalidDesignError("a table that is too large")
