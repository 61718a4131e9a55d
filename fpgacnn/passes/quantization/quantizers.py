"""What QKeras' quantizers compute at inference (QKeras 0.9.0, quantizers.py), in NumPy.

Scales found from the data (`alpha='auto'`, `'auto_po2'`) are found in float32 with QKeras' own order of operations,
because a power of two next to a rounding boundary depends on it. Everything else is exact in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import UnsupportedQuantizerError
from fpgacnn.ir.fixed_point import Format, Overflow, Rounding, is_power_of_two, round_whole
from fpgacnn.ir.functions import evaluate
from fpgacnn.ir.source import (
    Binary,
    FloatArray,
    PowerOfTwo,
    QuantizedBits,
    QuantizedRelu,
    QuantizedSigmoid,
    QuantizedTanh,
    Quantizer,
    Ternary,
    Uniform,
)

EPSILON = np.float32(1e-7)
"""Keras' backend epsilon, which QKeras adds before logarithms and divisions."""

DEFAULT_TERNARY_THRESHOLD = 0.33

FloatArray32: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Quantized values as `values * scale`; `values` lie on a power-of-two grid, `scale` broadcasts against them."""

    values: FloatArray
    scale: FloatArray

    @property
    def product(self) -> FloatArray:
        """The quantized values."""
        return self.values * self.scale


def apply(values: FloatArray, quantizer: Quantizer | None, *, layer: str = "") -> Scaled:
    """Quantize values (any shape, the last axis is channels) as the framework does at inference.

    Raises UnsupportedQuantizerError where QKeras itself answers NaN.
    """
    one = np.ones((1,) * values.ndim)
    match quantizer:
        case None:
            return Scaled(values=values, scale=one)
        case QuantizedBits():
            return _quantized_bits(values, quantizer, layer)
        case QuantizedRelu():
            return Scaled(values=_quantized_relu(values, quantizer), scale=one)
        case Binary():
            return _binary(values, quantizer)
        case Ternary():
            return _ternary(values, quantizer)
        case PowerOfTwo() | QuantizedTanh() | QuantizedSigmoid():
            return Scaled(values=evaluate(quantizer, values), scale=one)
        case Uniform():
            return _uniform(values, quantizer)
        case _:
            assert_never(quantizer)


def _uniform(values: FloatArray, quantizer: Uniform) -> Scaled:
    codes = round_whole(values / quantizer.scale, quantizer.rounding)
    if quantizer.wraps:
        span = quantizer.high - quantizer.low + 1.0
        codes = codes - span * np.floor((codes - quantizer.low) / span)
    else:
        codes = np.clip(codes, quantizer.low, quantizer.high)
    scale = quantizer.scale
    if scale.size == max(scale.shape[-1:], default=1):  # one for each channel
        return Scaled(values=codes, scale=scale.reshape((1,) * (values.ndim - 1) + (-1,)))
    ratio = scale / scale.flat[0]
    if is_power_of_two(ratio):
        return Scaled(values=codes * ratio, scale=np.full((1,) * values.ndim, scale.flat[0]))
    return Scaled(values=codes, scale=scale)


def _binary(values: FloatArray, quantizer: Binary) -> Scaled:
    signs = np.where(values < 0, 0.0 if quantizer.use_01 else -1.0, 1.0)
    if not isinstance(quantizer.alpha, str):
        return Scaled(values=signs, scale=_number(quantizer.alpha, values.ndim))
    x, codes = values.astype(np.float32), signs.astype(np.float32)
    scale = _least_squares(x, codes, _channel_axes(x))
    scale = _power_of_two(scale) if quantizer.alpha == "auto_po2" else scale
    return Scaled(values=signs, scale=scale.astype(np.float64))


def _ternary(values: FloatArray, quantizer: Ternary) -> Scaled:
    if not isinstance(quantizer.alpha, str):
        threshold = ternary_threshold(quantizer)
        return Scaled(
            values=np.sign(values) * (np.abs(values) >= threshold), scale=_number(quantizer.alpha, values.ndim)
        )
    x = values.astype(np.float32)
    axes = _channel_axes(x) if x.ndim > 1 else None
    scale = (np.float32(2) * np.max(np.abs(x), axis=axes, keepdims=True) / np.float32(3)).astype(np.float32)
    scale = _power_of_two(scale) if quantizer.alpha == "auto_po2" else scale
    codes = np.zeros_like(x)
    for _ in range(quantizer.unrolls):
        with np.errstate(divide="ignore", invalid="ignore"):
            codes = (np.sign(x) * (np.abs(scale * np.rint(x / scale)) >= scale / np.float32(2))).astype(np.float32)
        scale = _least_squares(x, codes, _channel_axes(x))
        scale = _power_of_two(scale) if quantizer.alpha == "auto_po2" else scale
    return Scaled(values=codes.astype(np.float64), scale=scale.astype(np.float64))


def ternary_threshold(quantizer: Ternary) -> float:
    """The threshold as the framework's float32 has it."""
    return float(np.float32(DEFAULT_TERNARY_THRESHOLD if quantizer.threshold is None else quantizer.threshold))


def _number(alpha: float | FloatArray | None, rank: int) -> FloatArray:
    if isinstance(alpha, np.ndarray):
        return alpha.reshape((1,) * (rank - alpha.ndim) + alpha.shape)
    return np.full((1,) * rank, float(np.float32(1.0 if alpha is None else alpha)))


def _channel_axes(x: FloatArray32) -> tuple[int, ...]:
    """All axes but the last; the only one of a one-dimensional array."""
    return tuple(range(x.ndim - 1)) if x.ndim > 1 else (0,)


def _quantized_bits(values: FloatArray, quantizer: QuantizedBits, layer: str) -> Scaled:
    if isinstance(quantizer.alpha, str):
        return _automatic_scale(values, quantizer, layer)
    scale = number_alpha(quantizer, values.shape[-1], layer)
    scale = scale.reshape((1,) * (values.ndim - scale.ndim) + scale.shape)
    unsigned_bits = quantizer.bits - int(quantizer.keep_negative)
    if unsigned_bits == 0:
        return Scaled(values=np.where(values < 0, -1.0, 1.0), scale=scale)
    low, high = code_range(quantizer)
    fraction = unsigned_bits - quantizer.integer
    codes = np.clip(np.rint(np.ldexp(values, fraction)), low, high)
    return Scaled(values=np.ldexp(codes, -fraction), scale=scale)


def number_alpha(quantizer: QuantizedBits, channels: int, layer: str) -> FloatArray:
    """A numeric alpha as the framework's float32 has it, as float64 of any number of axes; 1 where there is none.

    Raises UnsupportedQuantizerError where it has neither one value nor one for each channel.
    """
    assert not isinstance(quantizer.alpha, str)
    alpha = np.asarray(1.0 if quantizer.alpha is None else quantizer.alpha, np.float32).astype(np.float64)
    if alpha.size not in {1, channels}:
        raise UnsupportedQuantizerError(
            layer=layer, quantizer="quantized_bits", why=f"alpha has {alpha.size} values for {channels} channels"
        )
    return alpha


def code_range(quantizer: QuantizedBits) -> tuple[int, int]:
    """Smallest and largest code of `quantized_bits` without alpha."""
    magnitude = 1 << (quantizer.bits - int(quantizer.keep_negative))
    low = -magnitude + int(quantizer.symmetric) if quantizer.keep_negative else 0
    return low, magnitude - 1


def _automatic_scale(values: FloatArray, quantizer: QuantizedBits, layer: str) -> Scaled:
    """`alpha='auto'` and `'auto_po2'`: symmetric codes, half away from zero, a scale for each channel."""
    if quantizer.bits <= 1:
        raise UnsupportedQuantizerError(
            layer=layer, quantizer=f"quantized_bits(1,alpha={quantizer.alpha})", why="QKeras answers NaN"
        )
    x = (values.astype(np.float32) / np.float32(2.0**quantizer.integer)).astype(np.float32)
    axes = _channel_axes(x)
    half_levels = np.float32(2 ** (quantizer.bits - 1) - 1)
    scale = (np.max(np.abs(x), axis=axes, keepdims=True) * np.float32(2) / (half_levels * np.float32(2))).astype(
        np.float32
    )
    if quantizer.alpha == "auto_po2":
        scale = _power_of_two(scale)
        for _ in range(5):
            codes = _away_from_zero(x, scale, half_levels)
            scale = _power_of_two(_least_squares(x, codes, axes))
    else:
        codes = _away_from_zero(x, scale, half_levels)
    factor = scale.astype(np.float64) * 2.0**quantizer.integer
    return Scaled(values=codes.astype(np.float64), scale=np.where(np.isfinite(factor), factor, 0.0))


def _power_of_two(scale: FloatArray32) -> FloatArray32:
    exponent = np.rint(np.log(scale + EPSILON) / np.float32(np.log(2.0)))
    return np.exp2(exponent).astype(np.float32)


def _away_from_zero(x: FloatArray32, scale: FloatArray32, half_levels: np.float32) -> FloatArray32:
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = np.floor(np.abs(x) / scale + np.float32(0.5))
    limited = np.where(magnitude < half_levels, magnitude, half_levels)
    return (np.sign(x) * limited).astype(np.float32)


def _least_squares(x: FloatArray32, codes: FloatArray32, axes: tuple[int, ...]) -> FloatArray32:
    """The scale that fits codes to values best; one-dimensional arrays get a scale for every element."""
    if x.ndim == 1:
        return np.asarray(x * codes / (codes * codes + EPSILON), np.float32)
    fit = np.mean(x * codes, axis=axes, keepdims=True, dtype=np.float32)
    norm = np.mean(codes * codes, axis=axes, keepdims=True, dtype=np.float32)
    return np.asarray(fit / (norm + EPSILON), np.float32)


def _quantized_relu(values: FloatArray, quantizer: QuantizedRelu) -> FloatArray:
    bits = quantizer.bits - int(quantizer.negative_slope != 0)
    fraction, top = bits - quantizer.integer, 2.0**quantizer.integer
    if quantizer.use_sigmoid:
        positive = np.clip(0.5 * values / top + 0.5, 0.0, 1.0)
        result = top * np.clip(2.0 * np.ldexp(np.rint(np.ldexp(positive, bits)), -bits) - 1.0, 0.0, 1.0 - 2.0**-bits)
    else:
        result = np.ldexp(np.clip(np.rint(np.ldexp(values, fraction)), 0, 2.0**bits - 1), -fraction)
        if quantizer.negative_slope:
            slope = quantizer.negative_slope
            negative = np.ldexp(np.rint(np.ldexp(values * slope, fraction)), -fraction)
            result = result + np.clip(negative, -slope * top, 0.0)
    bound = quantizer.relu_upper_bound
    if bound and not quantizer.is_quantized_clip:
        result = np.where(result <= bound, result, bound)
    return result


def activation_format(quantizer: QuantizedBits | QuantizedRelu) -> Format:
    """The cast that a plain quantizer is: half to even, saturating; `SAT_SYM` where symmetric.

    For `quantized_bits` without alpha and more than one bit, and `quantized_relu` without slope, sigmoid and bound.
    """
    match quantizer:
        case QuantizedBits():
            sign = int(quantizer.keep_negative)
            overflow = Overflow.SAT_SYM if quantizer.symmetric and sign else Overflow.SAT
            integer = quantizer.integer + sign
            return Format(
                width=quantizer.bits, integer=integer, signed=bool(sign), rounding=Rounding.RND_CONV, overflow=overflow
            )
        case QuantizedRelu():
            sign = int(quantizer.negative_slope != 0)
            return Format(
                width=quantizer.bits,
                integer=quantizer.integer + sign,
                signed=bool(sign),
                rounding=Rounding.RND_CONV,
                overflow=Overflow.SAT,
            )
        case _:
            assert_never(quantizer)
