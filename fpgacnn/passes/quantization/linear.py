"""Convolutions and dense layers on integer weights."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import numpy as np

from fpgacnn.errors import UnsupportedQuantizerError, WidthsNeededError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, exact_codes, is_power_of_two, nearest_codes
from fpgacnn.ir.source import FloatArray, Shape
from fpgacnn.passes.quantization import quantizers
from fpgacnn.passes.quantization.batchnorm import fold, folds_onto_a_tie
from fpgacnn.passes.quantization.constants import affine, rounded, weight_codes
from fpgacnn.passes.quantization.expand_kernel import expand_kernel, taps
from fpgacnn.passes.quantization.nodes import node

SHORT_BIAS_BITS = 24
"""A longer bias (usually a float) is added right before the next quantizer, so that it does not widen the sums."""

FLOAT_WEIGHT_BITS = 16
"""Bits of a kernel without a quantizer: it is exact in them, or it is a float layer in a quantized network."""

MAX_BIAS_BITS = 44


def linear_nodes(name: str, operation: src.Linear, shape: Shape, *, allow_float: bool) -> list[q.Layer]:
    """A linear layer on integer weights; a scale that is no power of two becomes a node of its own.

    `allow_float`: float layers of a quantized network are allowed, with weights rounded to FLOAT_WEIGHT_BITS bits.
    """
    kernel, bias = fold(operation)
    if allow_float and not _is_exact(kernel):
        return [_rounded(name, operation, kernel, bias, shape)]
    scaled, outputs = _quantized(kernel, name, "kernel"), shape[-1]
    bias_values = (
        _across_phases(_quantized(bias, name, "bias").product, outputs) if bias is not None else np.zeros(outputs)
    )
    if is_power_of_two(scaled.scale):
        codes = weight_codes(expand_kernel(operation, scaled.product), name, "kernel")
        return [node("sums", _operation(operation, codes, weight_codes(bias_values, name, "bias")), shape)]
    scale = _per_output(scaled.scale, operation, outputs, name)
    none = Codes(array=np.zeros(outputs, np.int64), format=Format(width=1, integer=1, signed=False))
    codes = weight_codes(expand_kernel(operation, scaled.values), name, "kernel")
    return [node("sums", _operation(operation, codes, none), shape), node("alpha", affine(scale, bias_values), shape)]


def transposed_nodes(
    name: str, operation: src.Transposed, given: Shape, shape: Shape, *, allow_float: bool
) -> list[q.Layer]:
    """A transposed convolution as a plain one whose channels are the phases of a cell, and nodes that sort them."""
    (rows, columns), (down, across) = taps(operation.kernel.values.shape[:2], operation.strides), operation.strides
    height, width = ((1, *given) if len(given) == 2 else given)[:2]
    cells = (height + rows - 1, width + columns - 1)
    filters = shape[-1]
    flat = len(shape) == 2
    sums = cells[1:] if flat else cells
    nodes = linear_nodes(name, operation, (*sums, down * across * filters), allow_float=allow_float)
    if down > 1:
        split = (cells[0], cells[1], down, across * filters)
        nodes += [
            node("phases", src.Reshape(), split),
            node("rows", src.Permute(axes=(0, 2, 1, 3)), tuple(split[axis] for axis in (0, 2, 1, 3))),
        ]
    whole = (cells[0] * down, cells[1] * across, filters)
    if down * across > 1:
        nodes.append(node("cells", src.Reshape(), whole[1:] if flat else whole))
    ends = (1, shape[0]) if flat else (shape[0], shape[1])
    top, left = operation.begin
    borders = (top, whole[0] - top - ends[0], left, whole[1] - left - ends[1])
    return [*nodes, node("cut", src.Crop(borders=borders), shape)] if any(borders) else nodes


def _across_phases(values: FloatArray, outputs: int) -> FloatArray:
    """Numbers for the filters (filters,) repeated for every phase of a transposed convolution (outputs,)."""
    return np.tile(values, outputs // values.size)


def _is_exact(kernel: src.Weight) -> bool:
    """Whether a kernel has a width: from a quantizer, or because few bits hold its values."""
    if kernel.quantizer is not None:
        return True
    codes = exact_codes(kernel.values)
    return codes is not None and codes.format.width <= FLOAT_WEIGHT_BITS


def _rounded(name: str, operation: src.Linear, kernel: src.Weight, bias: src.Weight | None, shape: Shape) -> q.Layer:
    """A float layer in a quantized network: its weights in the default width, and the error of that."""
    offset = _across_phases(_trained(bias, name), shape[-1]) if bias is not None else np.zeros(shape[-1])
    codes = nearest_codes(kernel.values, FLOAT_WEIGHT_BITS)
    expanded = Codes(
        array=np.rint(expand_kernel(operation, codes.array.astype(np.float64))).astype(np.int64), format=codes.format
    )
    shift = rounded(offset, MAX_BIAS_BITS)
    errors = q.WeightErrors(
        kernel=float(np.abs(codes.values - kernel.values).max()), bias=float(np.abs(shift.values - offset).max())
    )
    return node("sums", replace(_operation(operation, expanded, shift), errors=errors), shape)


def _trained(bias: src.Weight, name: str) -> FloatArray:
    return quantizers.apply(bias.values, bias.quantizer, layer=name).product


def integer_sums(
    name: str, operation: src.Linear, shape: Shape, factor: FloatArray, rows: FloatArray | None
) -> tuple[q.Layer, FloatArray, FloatArray] | None:
    """Sums of whole numbers, with the scale and shift that each output still needs; None if it needs none.

    `factor` (1,) or (outputs,) is the scale of the inputs. `rows` are scales of single inputs, powers of two, which are
    multiplied into the weights.
    """
    kernel, bias = fold(operation)
    if not _is_exact(kernel):
        return None
    scaled, outputs = _quantized(kernel, name, "kernel"), shape[-1]
    offset = np.zeros(outputs) if bias is None else quantizers.apply(bias.values, bias.quantizer, layer=name).product
    scale = _per_output(scaled.scale, operation, outputs, name)
    exact = is_power_of_two(scale)
    short = exact_codes(offset)
    if exact and rows is None and np.all(factor == 1) and short is not None and short.format.width <= SHORT_BIAS_BITS:
        return None
    values = scaled.product if exact else scaled.values
    codes = weight_codes(expand_kernel(operation, values if rows is None else values * rows[:, None]), name, "kernel")
    if (
        exact
        and rows is not None
        and np.all(factor == 1)
        and short is not None
        and short.format.width <= SHORT_BIAS_BITS
    ):
        return node("sums", _operation(operation, codes, short), shape), np.ones(1), np.zeros(1)
    none = Codes(array=np.zeros(outputs, np.int64), format=Format(width=1, integer=1, signed=False))
    total = factor if exact else factor * scale
    return node("sums", _operation(operation, codes, none), shape), np.array(np.broadcast_to(total, (outputs,))), offset


def _quantized(weight: src.Weight, layer: str, what: str) -> quantizers.Scaled:
    if (what == "kernel" and not _is_exact(weight)) or (
        weight.quantizer is None and exact_codes(weight.values) is None
    ):
        raise WidthsNeededError(layer=layer, what=f"{what} weights")
    return quantizers.apply(weight.values, weight.quantizer, layer=layer)


def _per_output(scale: FloatArray, operation: src.Linear, outputs: int, layer: str) -> FloatArray:
    """The scale as one number for each output; depthwise kernels are scaled along their last axis, the multiplier."""
    if isinstance(operation, src.Depthwise) and scale.size == outputs == scale.shape[-2] * scale.shape[-1]:
        return scale.reshape(-1)
    if scale.size != scale.shape[-1]:
        raise UnsupportedQuantizerError(layer=layer, quantizer="alpha", why="a scale that is not per output channel")
    flat = scale.reshape(-1)
    if isinstance(operation, src.Transposed) and flat.size > 1:
        raise UnsupportedQuantizerError(
            layer=layer,
            quantizer="alpha",
            why="a scale for each input of a transposed convolution that is no power of two",
        )
    if isinstance(operation, src.Depthwise) and flat.size > 1:
        return np.tile(flat, outputs // flat.size)
    return np.broadcast_to(flat, (outputs,))


def _operation(operation: src.Linear, kernel: Codes, bias: Codes) -> q.Linear:
    return q.Linear(sums=_plain(operation, kernel, bias), rounds_in_float32=folds_onto_a_tie(operation, ""))


def _plain(operation: src.Linear, kernel: Codes, bias: Codes) -> hw.Linear:
    match operation:
        case src.Convolution():
            return hw.Convolution(kernel=kernel, bias=bias, strides=operation.strides, pads=operation.pads)
        case src.Depthwise():
            if kernel.array.shape[-1] == 1:
                return hw.Depthwise(kernel=kernel, bias=bias, strides=operation.strides, pads=operation.pads)
            return hw.Convolution(
                kernel=hw.across_channels(kernel), bias=bias, strides=operation.strides, pads=operation.pads
            )
        case src.Transposed():
            rows, columns = kernel.array.shape[:2]
            return hw.Convolution(
                kernel=kernel, bias=bias, strides=(1, 1), pads=(rows - 1, rows - 1, columns - 1, columns - 1)
            )
        case src.Dense():
            return hw.Dense(kernel=kernel, bias=bias)
        case _:
            assert_never(operation)
