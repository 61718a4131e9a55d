"""Layers of the first HGQ (hgq 0.2, for Keras 2), and of the proxy networks that it makes for hls4ml.

In a trained network every layer rounds its kernel, its bias and its result to trained numbers of fraction bits, without
limits. In a proxy, plain layers of Keras are between fixed-point quantizers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fpgacnn.errors import UnsupportedQuantizerError
from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation, Parser
from fpgacnn.frontends.keras.hgq.hgq2 import with_weights
from fpgacnn.frontends.keras.hgq.quantizers import (
    MAX_WIDTH,
    OVERFLOWS,
    as_float32_rounds,
    fixed_point,
    limited_fraction,
    refuse_wide,
    trained_widths,
    unlimited,
    used_fraction,
    used_widths,
)
from fpgacnn.frontends.keras.operations import linear, shaping
from fpgacnn.frontends.keras.operations.activations import embedded, parse_activation
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Rounding
from fpgacnn.ir.source import FloatArray, Shape

_FLOOR = ("floor", 3)
"""The rounding strategies that round down; all others round to the nearest at inference."""


def _refusal(context: LayerContext, quantizer: str, why: str) -> UnsupportedQuantizerError:
    return UnsupportedQuantizerError(layer=context.name, quantizer=f"{quantizer} of HGQ", why=why)


def _options(context: LayerContext, key: str) -> Mapping[str, object]:
    options = context.settings.get(key)
    if not isinstance(options, dict):
        raise _refusal(context, key, "it is not a dictionary")
    return options


def _fraction(context: LayerContext, name: str, key: str, shape: Shape) -> FloatArray:
    """Trained fraction bits."""
    widths = trained_widths(context, name, f"its {name}", shape)
    clip = _options(context, key).get("bw_clip")
    if isinstance(clip, list):
        if len(clip) != 2 or not all(
            isinstance(one, int | float) and abs(one) <= MAX_WIDTH for one in clip
        ):  # low and high
            raise _refusal(context, key, f"bw_clip={clip!r} is not a pair of widths")
        widths = np.clip(widths, *clip)
    refuse_wide(context, f"values of {name}", fraction=widths)
    return np.rint(widths)


def _rounding(context: LayerContext, key: str, *, automatic: Rounding) -> Rounding:
    strategy = _options(context, key).get("rnd_strategy")
    if strategy == "auto":
        return automatic
    return Rounding.TRN if strategy in _FLOOR else Rounding.RND


def _result(context: LayerContext, shape: Shape, automatic: Rounding) -> ParsedOperation:
    """The quantizer of a layer's values."""
    fraction = limited_fraction(
        context, "values of activation_bw", _fraction(context, "activation_bw", "paq_conf", shape)
    )
    quantizer = unlimited(fraction, _rounding(context, "paq_conf", automatic=automatic))
    return ParsedOperation(operation=src.Activate(function=quantizer), shape=shape)


def _linear(parser: Parser) -> Parser:
    """HDense, HConv1D, HConv2D and those with a batch normalization."""

    def parse(context: LayerContext) -> list[ParsedOperation]:
        if context.kind.endswith("BatchNorm"):
            context = _fused(context)
        inner = replace(context, kind=context.kind.removeprefix("H").removesuffix("BatchNorm"))
        steps = parser(inner)[:1]
        shape = steps[0].shape
        kernel = context.weight("kernel", context.arrays["kernel"].shape).values
        bits = _fraction(context, "kernel_bw", "kq_conf", kernel.shape)
        quantized = as_float32_rounds(
            kernel, unlimited(used_fraction(bits, kernel), _rounding(context, "kq_conf", automatic=Rounding.RND))
        )
        fraction = _fraction(context, "activation_bw", "paq_conf", shape)
        bias = _bias(context, steps, fraction)
        covers = bias is not None and (fraction.size == 1 or fraction.shape == (1,) * (fraction.ndim - 1) + shape[-1:])
        values = _result(context, shape, Rounding.RND if covers else Rounding.TRN)
        return [*with_weights(steps, quantized, bias), values, *embedded(inner, shape)]

    return parse


def _bias(context: LayerContext, steps: list[ParsedOperation], fraction: FloatArray) -> src.Weight | None:
    """The bias, with the most bits of any value of its channel."""
    first = steps[0].operation
    assert isinstance(first, src.Convolution | src.Dense)
    if first.bias is None:
        return None
    bits = used_fraction(fraction.max(axis=tuple(range(fraction.ndim - 1))), first.bias.values)
    return as_float32_rounds(first.bias.values, unlimited(bits, _rounding(context, "paq_conf", automatic=Rounding.RND)))


def _fused(context: LayerContext) -> LayerContext:
    """Kernel and bias with the normalization folded in, in float32 and in the framework's order."""
    settings = context.settings
    channels = settings.integer("units" if context.kind.startswith("HDense") else "filters")
    arrays = dict(context.arrays)
    scale = np.ones(channels, np.float32)
    if settings.flag("scale", default=True):
        variance = context.weight("moving_variance", (channels,)).values.astype(np.float32) + np.float32(
            settings.number("epsilon", 1e-3)
        )
        if np.any(variance <= 0):
            raise settings.unsupported(
                "a variance is negative", "train again; the moving variance must not be negative"
            )
        scale = context.weight("bn_gamma", (channels,)).values.astype(np.float32) / np.sqrt(variance)
        if "kernel" in arrays:  # otherwise the layer's own reader does not find it
            kernel = context.weight("kernel", arrays["kernel"].shape).values
            arrays["kernel"] = (kernel.astype(np.float32) * scale).astype(np.float64)
    if settings.flag("use_bias", default=True) and settings.flag("center", default=True):
        bias, mean, beta = (
            context.weight(name, (channels,)).values.astype(np.float32) for name in ("bias", "moving_mean", "bn_beta")
        )
        arrays["bias"] = (bias - mean * scale + beta).astype(np.float64)
    return replace(context, arrays=arrays)


def _quantize(context: LayerContext) -> list[ParsedOperation]:
    """HQuantize."""
    return [_result(context, context.input, Rounding.TRN)]


def _activation(context: LayerContext) -> list[ParsedOperation]:
    """HActivation: a function, rounded."""
    function = parse_activation(context.settings.get("activation"), context)
    steps = (
        [] if function is None else [ParsedOperation(operation=src.Activate(function=function), shape=context.input)]
    )
    return [*steps, _result(context, context.input, Rounding.RND)]


def _add(context: LayerContext) -> list[ParsedOperation]:
    """HAdd: a sum, rounded."""
    steps = shaping.merge(replace(context, kind="Add"))
    return [*steps, _result(context, steps[-1].shape, Rounding.TRN)]


def _fixed_point(context: LayerContext) -> list[ParsedOperation]:
    """FixedPointQuantizer: `ap_fixed` with widths for each value."""
    negative, bits, integer = (
        trained_widths(context, name, f"its {name}", context.input) for name in ("keep_negative", "bits", "integers")
    )
    rounding, overflow = context.settings.get("RND"), context.settings.get("SAT")
    known = str(rounding) in Rounding.__members__ and str(overflow) in OVERFLOWS
    if not known or not set(np.unique(negative)) <= {0.0, 1.0}:
        raise _refusal(
            context, context.kind, f"RND={rounding!r}, SAT={overflow!r} or its keep_negative is not supported"
        )
    mode = Rounding(str(rounding))
    negative, integer, fraction = used_widths(negative, integer - negative, bits - integer, mode)
    refuse_wide(context, "values of bits and integers", fraction=fraction, integer=integer)
    quantizer = fixed_point(negative, integer, fraction, overflow=str(overflow), rounding=mode)
    return [ParsedOperation(operation=src.Activate(function=quantizer), shape=context.input)]


def _plain(kind: str, parser: Parser) -> Parser:
    """A layer that keeps the widths of its input: the Keras layer of the same name."""
    return lambda context: parser(replace(context, kind=kind))


_POOLS = [f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in (1, 2)]

PARSERS: Mapping[str, Parser] = {
    **dict.fromkeys(("HDense", "HDenseBatchNorm"), _linear(linear.dense)),
    **dict.fromkeys(("HConv1D", "HConv2D", "HConv1DBatchNorm", "HConv2DBatchNorm"), _linear(linear.convolution)),
    "HQuantize": _quantize,
    "HActivation": _activation,
    "HAdd": _add,
    "FixedPointQuantizer": _fixed_point,
    "PReshape": _plain("Reshape", shaping.reshape),
    "PFlatten": _plain("Flatten", shaping.flatten),
    "PPermute": _plain("Permute", shaping.permute),
    "PConcatenate": _plain("Concatenate", shaping.concatenate),
    **{f"P{name}": _plain(name, shaping.pool) for name in _POOLS},
}

NO_OPERATION = frozenset({"PDropout", "Signature"})
"""Classes without effect at inference."""

HINTS: Mapping[str, str] = {
    "UnaryLUT": ": make the proxy without unary_lut_max_table_size, or convert the HGQ network itself"
}
