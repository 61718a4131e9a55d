"""Operations in words, for tables and reports."""

from __future__ import annotations

from typing import assert_never

import numpy as np

from fpgacnn.ir import source as src


def quantizer_text(quantizer: src.Quantizer | None) -> str:
    """`quantized_bits(6,0,alpha=1)`, or `float` where there is none."""
    match quantizer:
        case None:
            return "float"
        case src.QuantizedBits():
            flags = "" if quantizer.keep_negative else ",keep_negative=False"
            alpha = (
                quantizer.alpha
                if isinstance(quantizer.alpha, (str, float)) or quantizer.alpha is None
                else "per channel"
            )
            scale = "" if alpha is None else f",alpha={alpha:g}" if isinstance(alpha, float) else f",alpha={alpha}"
            return f"quantized_bits({quantizer.bits},{quantizer.integer},{int(quantizer.symmetric)}{flags}{scale})"
        case src.QuantizedRelu():
            flags = f",negative_slope={quantizer.negative_slope:g}" if quantizer.negative_slope else ""
            sigmoid = ",use_sigmoid=1" if quantizer.use_sigmoid else ""
            return f"quantized_relu({quantizer.bits},{quantizer.integer}{sigmoid}{flags})"
        case src.Binary():
            factor = (
                "per channel"
                if isinstance(quantizer.alpha, np.ndarray) and quantizer.alpha.size > 1
                else quantizer.alpha
            )
            return f"binary({'use_01,' if quantizer.use_01 else ''}alpha={factor})"
        case src.Ternary():
            threshold = "" if quantizer.threshold is None else f",threshold={quantizer.threshold:g}"
            return f"ternary(alpha={quantizer.alpha}{threshold})"
        case src.PowerOfTwo():
            limit = "" if quantizer.max_value is None else f",{quantizer.max_value:g}"
            return f"quantized_{'relu_' if quantizer.relu else ''}po2({quantizer.bits}{limit})"
        case src.QuantizedTanh():
            return f"quantized_tanh({quantizer.bits}{',real' if quantizer.real else ''})"
        case src.QuantizedSigmoid():
            return f"quantized_sigmoid({quantizer.bits}{',real' if quantizer.real else ''})"
        case src.Uniform():
            scale = f"{quantizer.scale.flat[0]:g}" if quantizer.scale.size == 1 else "per channel"
            ends = f"{quantizer.low.min():g}..{quantizer.high.max():g}" if quantizer.is_limited else "unlimited"
            return f"quantized({ends}{' wrapping' if quantizer.wraps else ''}, scale {scale}, {quantizer.rounding})"
        case _:
            assert_never(quantizer)


def activation_text(function: src.Activation) -> str:
    """An activation in the words of its framework."""
    match function:
        case src.Relu():
            options = {
                "max_value": function.max_value,
                "negative_slope": function.negative_slope,
                "threshold": function.threshold,
            }
            shown = ",".join(f"{name}={value:g}" for name, value in options.items() if value)
            return f"relu({shown})" if shown else "relu"
        case src.Softmax():
            return "softmax"
        case src.PRelu():
            return f"prelu, {function.slope.size} slopes"
        case src.Function():
            return function.kind.value
        case _:
            return quantizer_text(function)


def operation_text(operation: src.SourceOperation) -> str:
    """What a layer does, in a few words."""
    match operation:
        case src.Convolution():
            height, width, _, filters = operation.kernel.values.shape
            return f"{filters} filters {height}x{width}, {quantizer_text(operation.kernel.quantizer)}"
        case src.Depthwise():
            height, width, _, multiplier = operation.kernel.values.shape
            times = "" if multiplier == 1 else f" times {multiplier}"
            return f"each channel {height}x{width}{times}, {quantizer_text(operation.kernel.quantizer)}"
        case src.Transposed():
            height, width, filters, _ = operation.kernel.values.shape
            strides, quantizer = f"{operation.strides[0]}x{operation.strides[1]}", operation.kernel.quantizer
            return f"{filters} filters {height}x{width}, stride {strides}, {quantizer_text(quantizer)}"
        case src.Dense():
            return f"{operation.kernel.values.shape[1]} units, {quantizer_text(operation.kernel.quantizer)}"
        case src.Activate():
            return activation_text(operation.function)
        case src.Pool():
            (height, width), (down, across) = operation.size, operation.strides
            return f"{operation.kind} over {height}x{width}, stride {down}x{across}"
        case src.GlobalPool():
            return f"{operation.kind} over all positions"
        case src.ZeroPad():
            return "top {} bottom {} left {} right {}".format(*operation.pads)
        case src.Crop():
            return "top {} bottom {} left {} right {}".format(*operation.borders)
        case src.Upsample():
            return f"nearest, {operation.factors[0]}x{operation.factors[1]}"
        case src.Permute():
            return f"axes {operation.axes}"
        case src.Concatenate():
            return f"axis {operation.axis}"
        case src.Merge():
            return str(operation.kind)
        case src.BatchNormalization():
            return quantizer_text(operation.statistics.gamma.quantizer)
        case src.Input() | src.Reshape():
            return ""
        case _:
            assert_never(operation)
