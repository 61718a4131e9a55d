"""Layers of HGQ2 that join tensors or sum up the values of one, and reasons for layers that are not supported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import log2, prod

import numpy as np

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation, Parser
from fpgacnn.frontends.keras.hgq.hgq2 import PREFIX, around, ended
from fpgacnn.frontends.keras.hgq.quantizers import cast
from fpgacnn.frontends.keras.operations import linear, shaping
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape

_ONE_CELL = (0, 0, 0, 0)

_MERGES = {f"{PREFIX}Q{name}": name for name in ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Dot")} | {
    f"{PREFIX}QAveragePow2": "Add"
}


def _merge(context: LayerContext) -> list[ParsedOperation]:
    """QAdd and the other merges: every input has its own quantizer."""
    settings, before = context.settings, []
    if settings.flag("enable_iq", default=True):
        options = settings.get("iq_confs")
        listed = options if isinstance(options, list) else [options] * len(context.inputs)
        if len(listed) != len(context.inputs):
            raise settings.broken("iq_confs", f"{len(listed)} quantizers for {len(context.inputs)} inputs")
        for number, (option, shape) in enumerate(zip(listed, context.inputs, strict=True)):
            before += cast(context, f"iq{number}", option, shape, number)
    inner = replace(context, kind=_MERGES[context.kind])
    joined = shaping.dot(inner) if inner.kind == "Dot" else shaping.merge(inner)
    if context.kind.endswith("Pow2"):
        joined += _scaled(joined[-1].shape, _nearest_power(len(context.inputs)))
    return ended(context, [*before, *joined])


def _nearest_power(count: int) -> float:
    """The power of two that approximates 1 / count."""
    return float(2.0 ** round(log2(1.0 / count)))


def _scaled(shape: Shape, factor: float) -> list[ParsedOperation]:
    return linear.line(shape, gamma=factor, beta=0.0, mean=0.0, variance=1.0)


def _sum(context: LayerContext) -> list[ParsedOperation]:
    """QSum and QMeanPow2: a sum along axes, times a power of two."""
    return around(context, _summed)


def _summed(context: LayerContext) -> list[ParsedOperation]:
    settings, shape = context.settings, context.input
    axes = _axes(context)
    sizes = [shape[axis] for axis in axes]
    factor = _nearest_power(prod(sizes)) if context.kind.endswith("Pow2") else settings.number("scale", 1.0)
    if factor <= 0 or not log2(factor).is_integer():
        raise settings.broken("scale", f"expected a power of two, found {factor!r}")
    kept = settings.flag("keepdims", default=False)
    result = tuple(1 if axis in axes else size for axis, size in enumerate(shape) if kept or axis not in axes)
    if not result:
        raise settings.unsupported("a sum that leaves no axis is not supported", "use keepdims=True")
    steps = (
        _spatial(shape, factor) if axes == [*range(len(shape) - 1)] and len(shape) <= 3 else _along(shape, axes, factor)
    )  # height, width, channels
    return [*steps, ParsedOperation(operation=src.Reshape(), shape=result)] if steps[-1].shape != result else steps


def _axes(context: LayerContext) -> list[int]:
    """The axes of the sum, in order, counted without the axis of events."""
    given, rank = context.settings.get("axes", -1), len(context.input) + 1
    listed = given if isinstance(given, list) else [given]
    axes = sorted(
        {
            axis % rank
            for axis in listed
            if isinstance(axis, int) and not isinstance(axis, bool) and -rank <= axis < rank
        }
    )
    if len(axes) != len(listed) or not axes or axes[0] == 0:
        raise context.settings.unsupported(f"axes={given!r} is not supported", "sum over axes of the data, each once")
    return [axis - 1 for axis in axes]


def _ones(*shape: int, factor: float) -> src.Weight:
    quantizer = src.Uniform(scale=np.array([factor]), low=np.zeros(1), high=np.ones(1))
    return src.Weight(values=np.full(shape, factor), quantizer=quantizer)


def _spatial(shape: Shape, factor: float) -> list[ParsedOperation]:
    """The sum of all cells of each channel."""
    height, width, channels = (1, *shape) if len(shape) == 2 else shape
    operation = src.Depthwise(
        kernel=_ones(height, width, channels, 1, factor=factor), bias=None, strides=(1, 1), pads=_ONE_CELL
    )
    return [ParsedOperation(operation=operation, shape=(1,) * (len(shape) - 1) + (channels,))]


def _along(shape: Shape, axes: list[int], factor: float) -> list[ParsedOperation]:
    """The sum along any axes: they become the last axis, which a dense layer of ones sums up."""
    left = [axis for axis in range(len(shape)) if axis not in axes]
    steps: list[ParsedOperation] = []
    if (order := [*left, *axes]) != [*range(len(shape))]:
        steps.append(
            ParsedOperation(operation=src.Permute(axes=tuple(order)), shape=tuple(shape[axis] for axis in order))
        )
    cells, count = prod(shape[axis] for axis in left), prod(shape[axis] for axis in axes)
    flat = (cells, count) if cells > 1 else (count,)
    if (steps[-1].shape if steps else shape) != flat:
        steps.append(ParsedOperation(operation=src.Reshape(), shape=flat))
    if cells == 1:
        return [
            *steps,
            ParsedOperation(operation=src.Dense(kernel=_ones(count, 1, factor=factor), bias=None), shape=(1,)),
        ]
    pointwise = src.Convolution(kernel=_ones(1, 1, count, 1, factor=factor), bias=None, strides=(1, 1), pads=_ONE_CELL)
    return [*steps, ParsedOperation(operation=pointwise, shape=(cells, 1))]


PARSERS: Mapping[str, Parser] = {
    **dict.fromkeys(_MERGES, _merge),
    f"{PREFIX}QSum": _sum,
    f"{PREFIX}QMeanPow2": _sum,
}

_ATTENTION = ("QMultiHeadAttention", "QMultiHeadAttentionT", "QLinformerAttention", "QLinformerAttentionT")
_TABLES = ("QDenseT", "QEinsumDenseT", "QConvT1D", "QConvT2D")
_RECURRENT = ("QGRU", "QSimpleRNN", "QSimpleSNN", "QSimpleSNNCell", "QLIF", "QLIFCell")
_VOLUMES = ("QConv3D", *(f"Q{name}Pooling3D" for name in ("Max", "Average", "GlobalMax", "GlobalAverage")))

HINTS: Mapping[str, str] = {
    f"{PREFIX}QSoftmax": ": its tables are not built; end the network with its logits, whose order is the same",
    f"{PREFIX}QEinsum": (
        ": a product of two tensors along any axes is not built; use QMultiply and QSum, or QDot of two vectors"
    ),
    **{f"{PREFIX}{name}": ": attention is not supported" for name in _ATTENTION},
    **{
        f"{PREFIX}{name}": ": its tables for each pair of an input and an output are not built; use the layer without T"
        for name in _TABLES
    },
    **{f"{PREFIX}{name}": ": layers with a state are not supported" for name in _RECURRENT},
    **{f"{PREFIX}{name}": ": three axes of space are not supported" for name in _VOLUMES},
}
