"""Functions of one real number: the meaning of activations that hardware builds as tables or thresholds.

They are computed in float64; a hard sigmoid and a hard swish in front of a quantizer in float32, operation by operation
as the framework does. Their values meet the ties of the quantizer, so the rounding of float32 decides there.
"""

from __future__ import annotations

import math
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.fixed_point import Rounding
from fpgacnn.ir.source import FloatArray, Function, FunctionKind, PowerOfTwo, QuantizedSigmoid, QuantizedTanh

_TURNING_POINTS = {
    FunctionKind.SWISH: (-1.2784645427610737,),
    FunctionKind.GELU: (-0.7517915246935645,),
    FunctionKind.MISH: (-1.1924312145154952,),
    FunctionKind.HARD_SWISH: (-1.5,),
    FunctionKind.ELU: (0.0,),
}
"""Arguments at which a smooth function turns from falling to rising, where its derivative is 0.

An ELU of negative alpha turns at 0.
"""

FLOAT32_SLACK = 2.0**-20
"""The largest relative error of a function that is computed in float32: eight float32 steps."""

_LARGEST_FLOAT32 = 2.0**120
"""Limit of a float32 argument, so that products with the parameters of hard functions stay finite."""

SELU_SCALE = 1.0507009873554805
"""The slope of selu above 0."""
_SELU_ALPHA = 1.6732632423543772
EPSILON = 1e-7
"""Keras' backend epsilon: smaller magnitudes count as it when they are rounded to a power of two."""

_erf = np.vectorize(math.erf, otypes=[np.float64])


def smooth(function: Function, x: FloatArray) -> FloatArray:
    """A smooth function as Keras defines it (keras/activations)."""
    match function.kind:
        case FunctionKind.SIGMOID:
            return _sigmoid(x)
        case FunctionKind.TANH:
            return np.tanh(x)
        case FunctionKind.SOFTPLUS:
            return np.logaddexp(x, 0.0)
        case FunctionKind.SOFTSIGN:
            return x / (1.0 + np.abs(x))
        case FunctionKind.ELU:
            return np.where(x > 0, x, function.alpha * np.expm1(np.minimum(x, 0.0)))
        case FunctionKind.SELU:
            return SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))
        case FunctionKind.EXPONENTIAL:
            return np.exp(np.minimum(x, 700.0))
        case FunctionKind.SWISH:
            return x * _sigmoid(x)
        case FunctionKind.GELU:
            return x * 0.5 * (1.0 + _erf(x / math.sqrt(2.0)))
        case FunctionKind.MISH:
            return x * np.tanh(np.logaddexp(x, 0.0))
        case FunctionKind.HARD_SIGMOID:
            return _in_float32(function, x) if function.in_float32 else np.clip(function.alpha * x + 0.5, 0.0, 1.0)
        case FunctionKind.HARD_SWISH:
            return _in_float32(function, x) if function.in_float32 else x * np.clip(x / 6.0 + 0.5, 0.0, 1.0)
        case FunctionKind.HARD_TANH:
            return np.clip(x, -1.0, 1.0)
        case _:
            assert_never(function.kind)


def _in_float32(function: Function, x: FloatArray) -> FloatArray:
    """A hard sigmoid or hard swish (n,): `alpha * x + 0.5` limited (Keras 2, ONNX) or `relu6(x + 3) / 6` (Keras 3)."""
    single = np.clip(x, -_LARGEST_FLOAT32, _LARGEST_FLOAT32).astype(np.float32)
    is_swish = function.kind is FunctionKind.HARD_SWISH
    if function.by_sixths:
        gate = np.clip(single + np.float32(3.0), np.float32(0.0), np.float32(6.0)) / np.float32(6.0)
    else:
        alpha = 1.0 / 6.0 if is_swish else function.alpha
        gate = np.clip(np.float32(alpha) * single + np.float32(0.5), np.float32(0.0), np.float32(1.0))
    return (single * gate if is_swish else gate).astype(np.float64)


def _sigmoid(x: FloatArray) -> FloatArray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def power_of_two(function: PowerOfTwo, x: FloatArray) -> FloatArray:
    """`quantized_po2` and `quantized_relu_po2` (QKeras, _clip_power_of_two): sign and the nearest power of two."""
    low, high = exponent_range(function)
    if function.relu:
        positive = _nearest_power(function, np.maximum(x, 0.0), low, high)
        if not function.negative_slope:
            return positive
        return np.where(
            x >= 0, positive, -_nearest_power(function, np.maximum(-x, 0.0) * function.negative_slope, low, high)
        )
    return np.where(x < 0, -1.0, 1.0) * _nearest_power(function, np.abs(x), low, high)


def exponent_range(function: PowerOfTwo) -> tuple[int, int]:
    """Smallest and largest exponent that the quantizer can represent."""
    signed_exponent = 1 if function.max_value is None or function.max_value > 1 else 0
    bits = function.bits - (0 if function.relu else 1) - signed_exponent
    low, high = -(2**bits), 2**bits - 1
    return int(low), int(2 * (high // 2) if function.quadratic else high)


def on_a_tie(function: PowerOfTwo, x: FloatArray) -> FloatArray:
    """The magnitudes whose square root is exactly between two powers of two.

    QKeras' float32 takes one or the other, depending on the place in the tensor.
    """
    magnitude = np.abs(x) if function.max_value is None else np.minimum(np.abs(x), function.max_value)
    mantissa, exponent = np.frexp(magnitude)
    low, high = exponent_range(function)
    between = (exponent - 2) / 2  # the lower of the two exponents
    tie = function.quadratic and not function.floor
    return magnitude[
        tie & (mantissa == 0.5) & (exponent % 2 == 0) & (magnitude >= EPSILON) & (between >= low) & (between < high)
    ]


def _nearest_power(function: PowerOfTwo, magnitude: FloatArray, low: int, high: int) -> FloatArray:
    limited = np.where(magnitude < EPSILON, EPSILON, magnitude)
    if function.max_value is not None:
        limited = np.minimum(limited, function.max_value)
    logarithm = np.log(np.sqrt(limited) if function.quadratic else limited).astype(np.float32) / np.float32(np.log(2.0))
    steps = np.floor(logarithm) if function.floor else np.rint(logarithm)
    exponent = (2.0 if function.quadratic else 1.0) * np.clip(steps, low, high)
    return np.exp2(np.where(magnitude < EPSILON, float(low), exponent).astype(np.float64))


def quantized_tanh(function: QuantizedTanh, x: FloatArray) -> FloatArray:
    """`quantized_tanh`: rounded half to even to `bits - 1` fraction bits, clipped below 1."""
    scale = 2.0 ** (function.bits - 1)
    value = np.tanh(x) if function.real else np.clip(x, -1.0, 1.0)
    return np.clip(np.rint(value * scale) / scale, -1.0 + float(function.symmetric) / scale, 1.0 - 1.0 / scale)


def quantized_sigmoid(function: QuantizedSigmoid, x: FloatArray) -> FloatArray:
    """`quantized_sigmoid`: rounded half to even to `bits` fraction bits, clipped below 1."""
    scale = 2.0**function.bits
    value = _sigmoid(x) if function.real else np.clip(0.5 * x + 0.5, 0.0, 1.0)
    return np.clip(np.rint(value * scale) / scale, function.symmetric / scale, 1.0 - 1.0 / scale)


def evaluate(function: Function | PowerOfTwo | QuantizedTanh | QuantizedSigmoid, x: FloatArray) -> FloatArray:
    """Any function of one number."""
    match function:
        case Function():
            return smooth(function, x)
        case PowerOfTwo():
            return power_of_two(function, x)
        case QuantizedTanh():
            return quantized_tanh(function, x)
        case QuantizedSigmoid():
            return quantized_sigmoid(function, x)
        case _:
            assert_never(function)


def turning_points(function: Function | PowerOfTwo | QuantizedTanh | QuantizedSigmoid) -> tuple[float, ...]:
    """Arguments at which a function may change between rising and falling; between two of them it does not."""
    match function:
        case Function():
            return _TURNING_POINTS.get(function.kind, ())
        case PowerOfTwo():  # magnitudes below the least have a value of their own
            return (-EPSILON / (function.negative_slope or 1.0), 0.0, EPSILON)
        case QuantizedTanh() | QuantizedSigmoid():
            return ()
        case _:
            assert_never(function)


def near_tie(
    function: Function | PowerOfTwo | QuantizedTanh | QuantizedSigmoid,
    x: FloatArray,
    cast: tuple[FloatArray, FloatArray, Rounding] | None,
) -> NDArray[np.bool_]:
    """Where x (n,) is so close to a tie of the rounding that a float32 implementation may round to the other side.

    `cast` describes a cast behind the function: factor and offset (n,) from the function's values to steps of the cast,
    and its rounding mode.
    """
    slack, rounding = np.zeros(len(x)), Rounding.RND_CONV
    match function:
        case PowerOfTwo():
            position, slack = _logarithm(function, x)
            rounding = Rounding.TRN if function.floor else Rounding.RND_CONV
        case QuantizedTanh():
            position = np.ldexp(np.tanh(x), function.bits - 1)
        case QuantizedSigmoid():
            position = np.ldexp(_sigmoid(x), function.bits)
        case Function():
            value = smooth(function, x)
            factor, offset, rounding = (
                cast if cast is not None else (np.ones(len(x)), np.zeros(len(x)), Rounding.RND_CONV)
            )
            position = value * factor + offset
            slack = (np.minimum(np.abs(x), 1.0 + np.abs(value)) + np.abs(value)) * np.abs(factor) + np.abs(offset)
        case _:
            assert_never(function)
    tie = 0.0 if rounding in {Rounding.TRN, Rounding.TRN_ZERO} else 0.5
    near = np.abs(position - tie - np.rint(position - tie))
    unsure = near <= FLOAT32_SLACK * (np.abs(position) + slack)
    if isinstance(function, Function) or cast is None:
        return unsure
    return np.ones(len(x), np.bool_)  # a cast behind a quantizer: every value counts as close to a tie


def _logarithm(function: PowerOfTwo, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The logarithm (n,) that is rounded to an exponent, and its uncertainty, which has no limit close to EPSILON."""
    negative = np.maximum(-x, 0.0) * (function.negative_slope if function.relu else 1.0)
    magnitude = np.where(x < 0, negative, x)
    limited = np.maximum(magnitude, EPSILON)
    if function.max_value is not None:
        limited = np.minimum(limited, function.max_value)
    position = np.log2(np.sqrt(limited) if function.quadratic else limited)
    near = np.abs(magnitude - EPSILON) <= EPSILON * FLOAT32_SLACK
    return position, np.where(near, np.inf, 0.0)
