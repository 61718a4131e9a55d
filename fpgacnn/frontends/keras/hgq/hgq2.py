"""Layers of HGQ2 (hgq 0.2): fixed point with a separate width for every weight and every value.

A layer quantizes its input (iq), computes with quantized kernel (kq) and bias (bq), and may quantize its result (oq).
Class names have the prefix of their package, as `hgq>QDense`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation, Parser
from fpgacnn.frontends.keras.hgq.quantizers import cast, quantized_weight
from fpgacnn.frontends.keras.operations import linear, shaping
from fpgacnn.frontends.keras.operations.activations import embedded, parse_activation
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, Shape

PREFIX = "hgq>"
EPSILON = np.float32(1e-7)
"""Keras' backend epsilon, which the einsum layer adds to its variance whatever its own option is."""


def around(context: LayerContext, inner: Callable[[LayerContext], list[ParsedOperation]]) -> list[ParsedOperation]:
    """A layer with the quantizers of its input and its result."""
    settings = context.settings
    before = (
        cast(context, "iq", settings.get("iq_conf"), context.input) if settings.flag("enable_iq", default=True) else []
    )
    return ended(context, [*before, *inner(replace(context, kind=context.kind.removeprefix(PREFIX)))])


def ended(context: LayerContext, steps: list[ParsedOperation]) -> list[ParsedOperation]:
    """A layer with the quantizer of its result."""
    if not context.settings.flag("enable_oq", default=False):
        return steps
    shape = steps[-1].shape if steps else context.input
    return [*steps, *cast(context, "oq", context.settings.get("oq_conf"), shape)]


def _requantized(context: LayerContext, steps: list[ParsedOperation]) -> list[ParsedOperation]:
    """The first step's weights with the layer's own quantizers."""
    first = steps[0].operation
    assert isinstance(first, src.Convolution | src.Dense)
    kernel = quantized_weight(context, "kq", context.weight("kernel", context.arrays["kernel"].shape).values)
    return with_weights(
        steps, kernel, None if first.bias is None else quantized_weight(context, "bq", first.bias.values)
    )


def with_weights(steps: list[ParsedOperation], kernel: src.Weight, bias: src.Weight | None) -> list[ParsedOperation]:
    """A layer's steps with other weights in the first; `kernel` as stored, without axes of length 1."""
    first = steps[0].operation
    assert isinstance(first, src.Convolution | src.Dense)
    wide = (
        {name: value.reshape(*(1,) * (4 - value.ndim), *value.shape) for name, value in _arrays(kernel).items()}
        if first.kernel.values.ndim == 4
        else {}
    )
    changed = replace(first, kernel=_with(kernel, wide) if wide else kernel, bias=bias)
    return [replace(steps[0], operation=changed), *steps[1:]]


def _arrays(weight: src.Weight) -> dict[str, FloatArray]:
    quantizer = weight.quantizer
    found = {"values": weight.values}
    return (
        found | {"scale": quantizer.scale, "low": quantizer.low, "high": quantizer.high}
        if isinstance(quantizer, src.Uniform)
        else found
    )


def _with(weight: src.Weight, arrays: Mapping[str, FloatArray]) -> src.Weight:
    quantizer = weight.quantizer
    if isinstance(quantizer, src.Uniform):
        quantizer = replace(quantizer, scale=arrays["scale"], low=arrays["low"], high=arrays["high"])
    return src.Weight(values=arrays["values"], quantizer=quantizer)


def _linear(parser: Parser) -> Parser:
    """QDense, QConv1D and QConv2D."""

    def parse(context: LayerContext) -> list[ParsedOperation]:
        return around(context, lambda inner: _requantized(inner, parser(inner)))

    return parse


def _plain(parser: Parser) -> Parser:
    """Layers without weights."""

    def parse(context: LayerContext) -> list[ParsedOperation]:
        return around(context, parser)

    return parse


def _einsum(context: LayerContext) -> list[ParsedOperation]:
    """QEinsumDense and QEinsumDenseBatchnorm whose equation is a dense layer on the last axis."""
    return around(context, _dense_by_equation)


def _dense_by_equation(context: LayerContext) -> list[ParsedOperation]:
    settings, shape = context.settings, context.input
    equation = settings.get("equation")
    sides = equation.replace("...", "0").split("->") if isinstance(equation, str) else []
    data, _, kernel = sides[0].partition(",") if len(sides) == 2 else ("", "", "")
    if (
        len(kernel) != 2
        or len(data) < 2
        or sides[1] != data[:-1] + kernel[1]
        or kernel[0] != data[-1]
        or kernel[1] in data
    ):
        raise settings.unsupported(
            f"equation {equation!r} is not supported", "use a dense layer on the last axis, such as '...c,cC->...C'"
        )
    units = context.arrays["kernel"].shape[-1] if "kernel" in context.arrays else 0
    weights, biased = context.weight("kernel", (shape[-1], units)).values, settings.get("bias_axes") is not None
    if settings.get("bias_axes") not in (None, "", kernel[1]):
        raise settings.unsupported(
            "a bias along other axes than the last is not supported", f"use bias_axes='{kernel[1]}'"
        )
    offset = context.weight("bias", (units,)).values if biased else None
    if context.kind.endswith("Batchnorm"):
        weights, offset = _fused(context, weights, offset, units)
    bias = None if offset is None else quantized_weight(context, "bq", offset)
    return _dense(context, quantized_weight(context, "kq", weights), bias, (*shape[:-1], units))


def _fused(
    context: LayerContext, kernel: FloatArray, bias: FloatArray | None, units: int
) -> tuple[FloatArray, FloatArray]:
    """Kernel and bias with the normalization folded in, in float32 and in the framework's order."""
    settings = context.settings
    if settings.get("normalize_axes") not in (None, settings.get("bias_axes")) or bias is None:
        raise settings.unsupported(
            "normalization along other axes than the last is not supported", "leave normalize_axes out"
        )
    gamma = context.weight("gamma", (units,)).values if settings.flag("scale", default=True) else np.ones(units)
    scaler = gamma.astype(np.float32) / _deviation(context, units, EPSILON)
    mean = context.weight("moving_mean", (units,)).values.astype(np.float32)
    fused = kernel.astype(np.float32) * scaler
    return fused.astype(np.float64), (bias.astype(np.float32) + -mean * scaler).astype(np.float64)


def _deviation(context: LayerContext, size: int, epsilon: np.float32) -> FloatArray:
    variance = context.weight("moving_variance", (size,)).values.astype(np.float32) + epsilon
    if np.any(variance <= 0):
        raise context.settings.unsupported(
            "a variance is negative", "train again; the moving variance must not be negative"
        )
    return np.asarray(np.sqrt(variance))


def _dense(context: LayerContext, kernel: src.Weight, bias: src.Weight | None, shape: Shape) -> list[ParsedOperation]:
    if len(shape) > 3:  # height, width, channels
        raise context.shape_error(f"a dense layer on {len(shape)} axes is not supported")
    operation: src.SourceOperation = src.Dense(kernel=kernel, bias=bias)
    if len(shape) > 1:
        pointwise = _with(kernel, {name: array[None, None] for name, array in _arrays(kernel).items()})
        operation = src.Convolution(kernel=pointwise, bias=bias, strides=(1, 1), pads=(0, 0, 0, 0))
    return [ParsedOperation(operation=operation, shape=shape), *embedded(context, shape)]


def _normalized_dense(context: LayerContext) -> list[ParsedOperation]:
    """QBatchNormDense: normalization of the input, folded into the kernel."""

    def parse(inner: LayerContext) -> list[ParsedOperation]:
        features, units = inner.input[-1], inner.settings.integer("units")
        kernel = inner.weight("kernel", (features, units)).values.astype(np.float32)
        gamma = (
            inner.weight("bn_gamma", (features,)).values
            if inner.settings.flag("scale", default=True)
            else np.ones(features)
        )
        scaler = gamma.astype(np.float32) / _deviation(
            inner, features, np.float32(inner.settings.number("epsilon", 1e-3))
        )
        mean = inner.weight("moving_mean", (features,)).values.astype(np.float32)
        offset = inner.weight("bias", (units,)).values.astype(np.float32) + -np.dot(mean, kernel)
        fused = quantized_weight(inner, "kq", (scaler[:, None] * kernel).astype(np.float64))
        return _dense(
            inner, fused, quantized_weight(inner, "bq", offset.astype(np.float64)), (*inner.input[:-1], units)
        )

    return around(context, parse)


def _normalization(context: LayerContext) -> list[ParsedOperation]:
    """QBatchNormalization: the scale and the shift are quantized."""

    def parse(inner: LayerContext) -> list[ParsedOperation]:
        settings, channels = inner.settings, inner.input[-1]
        if settings.get("axis", -1) not in (-1, len(inner.input), [-1]):
            raise settings.unsupported(
                f"normalization along axis {settings.get('axis')} is not supported", "normalize the last axis"
            )
        gamma = (
            inner.weight("bn_gamma", (channels,)).values if settings.flag("scale", default=True) else np.ones(channels)
        )
        beta = (
            inner.weight("bn_beta", (channels,)).values if settings.flag("center", default=True) else np.ones(channels)
        )
        scale = gamma.astype(np.float32) / _deviation(inner, channels, np.float32(settings.number("epsilon", 1e-3)))
        offset = beta.astype(np.float32) - inner.weight("moving_mean", (channels,)).values.astype(np.float32) * scale
        zeros = np.zeros(channels)
        statistics = src.Statistics(
            gamma=quantized_weight(inner, "kq", scale.astype(np.float64)),
            beta=quantized_weight(inner, "bq", offset.astype(np.float64)),
            mean=src.Weight(values=zeros),
            variance=src.Weight(values=zeros + 1.0),
            epsilon=0.0,
        )
        return [ParsedOperation(operation=src.BatchNormalization(statistics=statistics), shape=inner.input)]

    return around(context, parse)


def _quantizer(context: LayerContext) -> list[ParsedOperation]:
    """A Quantizer as a layer."""
    return cast(context, "own", context.settings.get("config"), context.input)


def _function(context: LayerContext) -> list[ParsedOperation]:
    """QUnaryFunctionLUT and QAffinedUnaryFunctionLUT.

    A function of a quantized value, or of a line of it, quantized.
    """

    def parse(inner: LayerContext) -> list[ParsedOperation]:
        steps = _trained_line(inner) if inner.kind.startswith("QAffined") else []
        function = parse_activation(inner.settings.get("activation"), inner)
        return (
            steps
            if function is None
            else [*steps, ParsedOperation(operation=src.Activate(function=function), shape=inner.input)]
        )

    return around(context, parse)


def _trained_line(context: LayerContext) -> list[ParsedOperation]:
    scale, bias = (np.full(context.input[-1], context.weight(name, (1,)).values[0]) for name in ("scale", "bias"))
    return linear.line(context.input, gamma=scale, beta=bias, mean=0.0, variance=1.0)


_POOLS = [f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2)]

PARSERS: Mapping[str, Parser] = {
    f"{PREFIX}QDense": _linear(linear.dense),
    f"{PREFIX}QConv1D": _linear(linear.convolution),
    f"{PREFIX}QConv2D": _linear(linear.convolution),
    f"{PREFIX}QEinsumDense": _einsum,
    f"{PREFIX}QEinsumDenseBatchnorm": _einsum,
    f"{PREFIX}QBatchNormDense": _normalized_dense,
    f"{PREFIX}QBatchNormalization": _normalization,
    f"{PREFIX}Quantizer": _quantizer,
    f"{PREFIX}QUnaryFunctionLUT": _function,
    f"{PREFIX}QAffinedUnaryFunctionLUT": _function,
    **{f"{PREFIX}Q{name}": _plain(shaping.pool) for name in _POOLS},
    **{f"{PREFIX}QGlobal{name}": _plain(shaping.global_pool) for name in _POOLS},
}
