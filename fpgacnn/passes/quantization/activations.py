"""Activations as casts, scales and tables."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import numpy as np

from fpgacnn.errors import UnsupportedOptionError, UnsupportedQuantizerError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import EXACT_SCALE_BITS, Format, Overflow, Rounding, exact_codes
from fpgacnn.ir.source import FloatArray, FunctionKind, Shape
from fpgacnn.ir.text import quantizer_text
from fpgacnn.passes.quantization import quantizers
from fpgacnn.passes.quantization.constants import affine, rounded
from fpgacnn.passes.quantization.nodes import node

SIGN = Format(width=1, integer=1, rounding=Rounding.TRN, overflow=Overflow.SAT)
"""A cast to the sign: -1 below 0, else 0."""


def activation_nodes(name: str, function: src.Activation, shape: Shape) -> list[q.Layer]:
    """The nodes of any activation except softmax.

    Raises UnsupportedQuantizerError for quantizers whose scale depends on the batch.
    """
    match function:
        case src.Relu():
            return _relu(name, function, shape)
        case src.PRelu():
            return [node("prelu", _leaky(np.broadcast_to(function.slope, shape)), shape)]
        case src.Function():
            return _function(function, shape)
        case src.QuantizedRelu():
            return _quantized_relu(name, function, shape)
        case src.QuantizedBits():
            return _quantized_bits(name, function, shape)
        case src.Binary() | src.Ternary():
            return _signs(name, function, shape)
        case src.QuantizedTanh() if not function.real:
            overflow = Overflow.SAT_SYM if function.symmetric else Overflow.SAT
            form = Format(width=function.bits, integer=1, rounding=Rounding.RND_CONV, overflow=overflow)
            return [node("cast", q.Cast(format=form, through_hard_sigmoid=True), shape)]
        case src.QuantizedSigmoid() if not function.real:
            return _hard_sigmoid(function, shape)
        case src.QuantizedTanh() | src.QuantizedSigmoid() | src.PowerOfTwo():
            return [node("table", q.Function(function=function), shape)]
        case src.Softmax() | src.Uniform():
            raise AssertionError
        case _:
            assert_never(function)


def _line(scale: float, shift: float, shape: Shape) -> q.Layer:
    """`x * scale + shift`, the same for every channel."""
    channels = shape[-1:]
    return node(
        "line", affine(np.full(channels, float(np.float32(scale))), np.full(channels, float(np.float32(shift)))), shape
    )


def _at_most(limit: float, shape: Shape) -> list[q.Layer]:
    """`min(x, limit)` as `limit - max(limit - x, 0)`."""
    return [_line(-1.0, limit, shape), node("rest", q.Relu(), shape), _line(-1.0, limit, shape)]


def _leaky(slopes: FloatArray) -> q.LeakyRelu:
    trained = slopes.astype(np.float32).astype(np.float64)
    return q.LeakyRelu(slope=rounded(trained, EXACT_SCALE_BITS), trained=trained)


def _relu(name: str, function: src.Relu, shape: Shape) -> list[q.Layer]:
    limit = [] if function.max_value is None else _at_most(function.max_value, shape)
    if function.negative_slope:
        return [node("leaky", _leaky(np.array([function.negative_slope])), shape), *limit]
    if function.threshold:
        threshold = exact_codes(np.array([np.float32(function.threshold)], np.float64))
        if threshold is None:
            raise UnsupportedOptionError(
                layer=name,
                why=f"a threshold of {function.threshold:g} needs too many bits",
                do="use a threshold with few digits",
            )
        return [node("threshold", hw.ThresholdRelu(threshold=threshold), shape), *limit]
    return [node("relu", q.Relu(), shape), *limit]


def _function(function: src.Function, shape: Shape) -> list[q.Layer]:
    """A function of a table or thresholds; lines and ReLUs for a hard tanh, and for a hard sigmoid without float32."""
    match function.kind:
        case FunctionKind.HARD_SIGMOID if not function.in_float32:
            return hard_sigmoid_nodes(function, shape)
        case FunctionKind.HARD_TANH:
            above = [_line(1.0, 1.0, shape), node("above", q.Relu(), shape)]
            return [*above, _line(-1.0, 2.0, shape), node("rest", q.Relu(), shape), _line(-1.0, 1.0, shape)]
        case _:
            return [node("table", q.Function(function=function), shape)]


def hard_sigmoid_nodes(function: src.Function, shape: Shape) -> list[q.Layer]:
    """A hard sigmoid as lines and ReLUs: `1 - max(1 - max(y, 0), 0)`."""
    return [_line(function.alpha, 0.5, shape), node("above", q.Relu(), shape), *_at_most(1.0, shape)]


def _quantized_bits(name: str, quantizer: src.QuantizedBits, shape: Shape) -> list[q.Layer]:
    if isinstance(quantizer.alpha, str):
        raise _depends_on_batch(name, quantizer)
    scale = np.broadcast_to(quantizers.number_alpha(quantizer, shape[-1], name), shape[-1:])
    if quantizer.bits - int(quantizer.keep_negative) < 1:
        return [node("sign", q.Cast(format=SIGN), shape), _scaled(scale, 2.0 * scale, scale, shape)]
    cast = node("cast", q.Cast(format=quantizers.activation_format(quantizer)), shape)
    return [cast] if np.all(scale == 1.0) else [cast, _scaled(scale, scale, np.zeros_like(scale), shape)]


def _scaled(alpha: FloatArray, slope: FloatArray, shift: FloatArray, shape: Shape) -> q.Layer:
    """A quantizer's alpha. The framework computes `x + (alpha * q - x)`, which rounds if both differ much."""
    return node("alpha", replace(affine(slope, shift), rounds_in_float32=bool(np.any(alpha != 1.0))), shape)


def _depends_on_batch(name: str, quantizer: src.Quantizer) -> UnsupportedQuantizerError:
    why = "its automatic alpha in an activation depends on the batch, so it has no fixed hardware; train with alpha=1"
    return UnsupportedQuantizerError(layer=name, quantizer=quantizer_text(quantizer), why=why)


def _signs(name: str, quantizer: src.Binary | src.Ternary, shape: Shape) -> list[q.Layer]:
    if isinstance(quantizer.alpha, str):
        raise _depends_on_batch(name, quantizer)
    alpha = np.broadcast_to(
        np.asarray(1.0 if quantizer.alpha is None else quantizer.alpha, np.float32).astype(np.float64), shape[-1:]
    )
    if isinstance(quantizer, src.Binary):
        slope = alpha if quantizer.use_01 else 2.0 * alpha
        return [node("sign", q.Cast(format=SIGN), shape), _scaled(alpha, slope, alpha, shape)]
    steps = node("steps", q.Ternary(threshold=quantizers.ternary_threshold(quantizer)), shape)
    return [steps] if np.all(alpha == 1.0) else [steps, _scaled(alpha, alpha, np.zeros_like(alpha), shape)]


def _hard_sigmoid(quantizer: src.QuantizedSigmoid, shape: Shape) -> list[q.Layer]:
    form = Format(width=quantizer.bits, integer=0, signed=False, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
    steps = [_line(0.5, 0.5, shape), node("cast", q.Cast(format=form), shape)]
    if not quantizer.symmetric:
        return steps
    lowest = quantizer.symmetric * form.step
    return [*steps, _line(1.0, -lowest, shape), node("above", q.Relu(), shape), _line(1.0, lowest, shape)]


def _quantized_relu(name: str, quantizer: src.QuantizedRelu, shape: Shape) -> list[q.Layer]:
    """One cast; two casts with a hard sigmoid; three nodes with a negative slope."""
    if quantizer.relu_upper_bound and not quantizer.is_quantized_clip:
        why = "relu_upper_bound without is_quantized_clip is not supported"
        raise UnsupportedQuantizerError(layer=name, quantizer=quantizer_text(quantizer), why=why)
    form = quantizers.activation_format(quantizer)
    if quantizer.use_sigmoid:
        if quantizer.bits < 2:  # with one bit, its rounding is not half to even
            raise UnsupportedQuantizerError(
                layer=name, quantizer=quantizer_text(quantizer), why="use_sigmoid needs 2 bits or more"
            )
        coarse = replace(form, integer=form.integer + 1)
        return [
            node("steps", q.Relu(format=coarse, through_hard_sigmoid=True), shape),
            node("limit", q.Cast(format=form), shape),
        ]
    if quantizer.negative_slope:
        if quantizer.negative_slope * 2.0 ** (quantizer.bits - 1) < 1:
            why = "its lowest value lies between two codes; more bits or a larger negative_slope are needed"
            raise UnsupportedQuantizerError(layer=name, quantizer=quantizer_text(quantizer), why=why)
        return [
            node("limit", hw.Saturate(integer=form.integer, fraction=form.fraction), shape),
            node("leaky", _leaky(np.array([quantizer.negative_slope])), shape),
            node("cast", q.Cast(format=form), shape),
        ]
    return [node("relu", q.Relu(format=form), shape)]
