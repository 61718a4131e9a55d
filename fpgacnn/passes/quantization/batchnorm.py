"""Batch normalization at inference, with the framework's own float32 order of operations."""

from __future__ import annotations

import numpy as np

from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import is_power_of_two
from fpgacnn.ir.source import FloatArray
from fpgacnn.passes.quantization import quantizers

FOLD_ROUNDING = 2.0**-22
"""The largest relative error of a folded weight in float32."""


def _inverse(statistics: src.Statistics, layer: str = "") -> FloatArray:
    """`gamma / sqrt(variance + epsilon)` in float32, as `rsqrt` times gamma."""
    variance = quantizers.apply(statistics.variance.values, statistics.variance.quantizer, layer=layer).product
    gamma = quantizers.apply(statistics.gamma.values, statistics.gamma.quantizer, layer=layer).product
    root = np.sqrt(variance.astype(np.float32) + np.float32(statistics.epsilon))
    return (np.float32(1) / root * gamma.astype(np.float32)).astype(np.float64)


def affine(statistics: src.Statistics, layer: str = "") -> tuple[FloatArray, FloatArray]:
    """Scale and shift (channels,) of `x * scale + shift`, computed in float32, returned as float64.

    Raises UnsupportedOptionError if float32 cannot represent them.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scale = _inverse(statistics, layer)
        mean = quantizers.apply(statistics.mean.values, statistics.mean.quantizer, layer=layer).product
        beta = quantizers.apply(statistics.beta.values, statistics.beta.quantizer, layer=layer).product
        shift = beta.astype(np.float32) - mean.astype(np.float32) * scale.astype(np.float32)
    if not np.all(np.isfinite(scale) & np.isfinite(shift)):
        raise UnsupportedOptionError(
            layer=layer,
            why="its scale or shift is larger than float32 can hold",
            do="train again from a checkpoint that works",
        )
    return scale, shift.astype(np.float64)


def folds_onto_a_tie(operation: src.Linear, layer: str) -> bool:
    """Whether a folded weight is so close to a tie of its quantizer that another float32 rounds it to the other side.

    Even TensorFlow's own `rsqrt` gives other last bits at the end of a tensor than in its middle.
    """
    if isinstance(operation, src.Transposed) or operation.folded is None:
        return False
    kernel, bias = fold(operation)
    parts = [(kernel, np.abs(kernel.values))]
    if bias is not None and bias.quantizer is not None:
        parts.append((bias, np.abs(operation.folded.beta.values) + np.abs(bias.values - operation.folded.beta.values)))
    return any(_splits(weight, size * FOLD_ROUNDING, layer) for weight, size in parts)


def _splits(weight: src.Weight, off: FloatArray, layer: str) -> bool:
    """Whether a change of the values by at most `off` changes their quantized values."""
    one, other = (quantizers.apply(weight.values + sign * off, weight.quantizer, layer=layer) for sign in (-1.0, 1.0))
    scales = is_power_of_two(one.scale) and not np.array_equal(one.scale, other.scale)
    return weight.quantizer is not None and (scales or not np.array_equal(one.values, other.values))


def fold(operation: src.Linear) -> tuple[src.Weight, src.Weight | None]:
    """Kernel and bias before quantization; the statistics of a fused layer are multiplied in (QConv2DBatchnorm.call).

    A fused layer without a bias quantizer keeps its folded bias as float.
    """
    if isinstance(operation, src.Transposed):
        return operation.kernel, operation.bias
    kernel, bias, folded = operation.kernel, operation.bias, operation.folded
    if folded is None:
        return kernel, bias
    inverse = _inverse(folded).astype(np.float32)
    factors = inverse.reshape(kernel.values.shape[2:]) if isinstance(operation, src.Depthwise) else inverse
    values = factors * kernel.values.astype(np.float32)
    offset = bias.values.astype(np.float32) if bias is not None else np.float32(0)
    mean, beta = (
        quantizers.apply(part.values, part.quantizer).product.astype(np.float32) for part in (folded.mean, folded.beta)
    )
    shifted = inverse * (offset - mean) + beta
    return (
        src.Weight(values=values.astype(np.float64), quantizer=kernel.quantizer),
        src.Weight(values=shifted.astype(np.float64), quantizer=operation.folded_bias_quantizer),
    )
