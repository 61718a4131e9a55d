"""Layers with products: convolutions, dense layers and batch normalization."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TypedDict

import numpy as np

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation, with_automatic_scale
from fpgacnn.frontends.keras.layer_config import Json, LayerConfig
from fpgacnn.frontends.keras.operations.activations import embedded
from fpgacnn.frontends.keras.operations.quantizers import parse_quantizer
from fpgacnn.frontends.keras.serialized import array_of
from fpgacnn.ir import source as src
from fpgacnn.ir.shapes import Pads, Pair, reach_of, same_padding, window_counts
from fpgacnn.ir.source import FloatArray


class _Folded(TypedDict, total=False):
    folded: src.Statistics
    folded_bias_quantizer: src.Quantizer | None


def padding(context: LayerContext, window: Pair, strides: Pair) -> Pads:
    """Top, bottom, left and right zeros of a window operation over the input."""
    height, width, _ = context.image()
    allowed = ("valid", "same", "causal") if context.rank == 1 else ("valid", "same")
    kind = context.settings.word("padding", allowed, "valid")
    if kind == "same":
        return (*same_padding(height, window[0], strides[0]), *same_padding(width, window[1], strides[1]))
    return (0, 0, window[1] - 1 if kind == "causal" else 0, 0)


def window_outputs(context: LayerContext, pads: Pads, window: Pair, strides: Pair) -> Pair:
    """Rows and columns of windows that fit the padded input.

    Raises ShapeError if none does.
    """
    height, width, _ = context.image()
    rows, columns = window_counts((height, width), window, strides, pads)
    if rows < 1 or columns < 1:
        raise context.shape_error(f"a {window[0]}x{window[1]} window does not fit the input {context.input}")
    return rows, columns


def pair(settings: LayerConfig, key: str, rank: int, default: tuple[int, ...] | None = None) -> Pair:
    """A size option as (height, width); height 1 for one-dimensional layers."""
    values = settings.sizes(key, rank, default)
    return (1, values[0]) if rank == 1 else (values[0], values[1])


def _window(context: LayerContext, kernel: Pair) -> tuple[Pair, Pair, Pads, Pair]:
    """Strides, dilation, padding and the output's rows and columns of a convolution."""
    ones = (1,) * context.rank
    strides = pair(context.settings, "strides", context.rank, ones)
    dilation = pair(context.settings, "dilation_rate", context.rank, ones)
    reach = reach_of(kernel, dilation)
    pads = padding(context, reach, strides)
    return strides, dilation, pads, window_outputs(context, pads, reach, strides)


def convolution(context: LayerContext) -> list[ParsedOperation]:
    """Conv1D, Conv2D and their quantized and batch-normalized kinds."""
    settings, (*_, channels) = context.settings, context.image()
    kernel, filters, groups = (
        pair(settings, "kernel_size", context.rank),
        settings.integer("filters"),
        settings.integer("groups", 1),
    )
    if channels % groups or filters % groups:
        raise context.shape_error(f"{channels} channels and {filters} filters cannot be split into {groups} groups")
    strides, dilation, pads, (rows, columns) = _window(context, kernel)
    stored = (*kernel, channels // groups, filters)
    weight = context.weight("kernel", stored[2 - context.rank :], settings.get("kernel_quantizer"), trained=True)
    operation = src.Convolution(
        kernel=replace(weight, values=weight.values.reshape(stored)),
        bias=_bias(context, filters),
        strides=strides,
        pads=pads,
        dilation=dilation,
        groups=groups,
        **_folded(context, filters),
    )
    shape = context.shaped(rows, columns, filters)
    return [ParsedOperation(operation=operation, shape=shape), *embedded(context, shape)]


def depthwise(context: LayerContext) -> list[ParsedOperation]:
    """DepthwiseConv1D, DepthwiseConv2D and their quantized and batch-normalized kinds."""
    settings, (*_, channels) = context.settings, context.image()
    kernel, multiplier = pair(settings, "kernel_size", context.rank), settings.integer("depth_multiplier", 1)
    outputs = channels * multiplier
    steps = _depthwise_steps(
        context, kernel, multiplier, bias=_bias(context, outputs), folded=_folded(context, outputs)
    )
    return [*steps, *embedded(context, steps[-1].shape)]


def _depthwise_steps(
    context: LayerContext, kernel: Pair, multiplier: int, *, bias: src.Weight | None, folded: _Folded
) -> list[ParsedOperation]:
    settings, (*_, channels) = context.settings, context.image()
    strides, dilation, pads, (rows, columns) = _window(context, kernel)
    stored = (*kernel, channels, multiplier)
    name = "depthwise_kernel" if "depthwise_kernel" in context.arrays else "kernel"
    quantizer = settings.get("depthwise_quantizer", settings.get("kernel_quantizer"))
    weight = context.weight(name, stored[2 - context.rank :], quantizer, trained=True)
    weight = replace(weight, values=weight.values.reshape(stored))
    operation = src.Depthwise(kernel=weight, bias=bias, strides=strides, pads=pads, dilation=dilation, **folded)
    return [ParsedOperation(operation=operation, shape=context.shaped(rows, columns, channels * multiplier))]


def separable(context: LayerContext) -> list[ParsedOperation]:
    """SeparableConv1D and 2D: a depthwise convolution without bias, then a pointwise one."""
    settings, (*_, channels) = context.settings, context.image()
    kernel, multiplier = pair(settings, "kernel_size", context.rank), settings.integer("depth_multiplier", 1)
    filters = settings.integer("filters")
    steps = _depthwise_steps(context, kernel, multiplier, bias=None, folded={})
    stored = (1, 1, channels * multiplier, filters)
    weight = context.weight(
        "pointwise_kernel", stored[2 - context.rank :], settings.get("pointwise_quantizer"), trained=True
    )
    pointwise = src.Convolution(
        kernel=replace(weight, values=weight.values.reshape(stored)),
        bias=_bias(context, filters),
        strides=(1, 1),
        pads=(0, 0, 0, 0),
    )
    shape = (*steps[-1].shape[:-1], filters)
    return [*steps, ParsedOperation(operation=pointwise, shape=shape), *embedded(context, shape)]


def transposed(context: LayerContext) -> list[ParsedOperation]:
    """Conv1DTranspose, Conv2DTranspose and QConv2DTranspose."""
    settings, (height, width, channels) = context.settings, context.image()
    kernel, filters = pair(settings, "kernel_size", context.rank), settings.integer("filters")
    strides = pair(settings, "strides", context.rank, (1,) * context.rank)
    if (
        pair(settings, "dilation_rate", context.rank, (1,) * context.rank) != (1, 1)
        or settings.get("output_padding") is not None
    ):
        raise settings.unsupported(
            "a transposed convolution with dilation or output_padding is not supported", "use neither"
        )
    spare = tuple(max(size - step, 0) for size, step in zip(kernel, strides, strict=True))
    same = settings.word("padding", ("valid", "same"), "valid") == "same"
    begin = (spare[0] // 2, spare[1] // 2) if same else (0, 0)
    rows, columns = height * strides[0] + spare[0] * (not same), width * strides[1] + spare[1] * (not same)
    stored = (*kernel, filters, channels)
    weight = context.weight("kernel", stored[2 - context.rank :], settings.get("kernel_quantizer"), trained=True)
    operation = src.Transposed(
        kernel=replace(weight, values=weight.values.reshape(stored)),
        bias=_bias(context, filters),
        strides=strides,
        begin=begin,
    )
    shape = context.shaped(rows, columns, filters)
    return [ParsedOperation(operation=operation, shape=shape), *embedded(context, shape)]


def _folded(context: LayerContext, channels: int) -> _Folded:
    """The batch normalization inside a `...Batchnorm` layer; empty for others."""
    if not context.kind.endswith("Batchnorm"):
        return {}
    rank, axis = len(context.input), context.settings.get("axis", -1)
    if axis not in (-1, rank, [-1], [rank]):
        raise context.settings.unsupported(
            f"its batch normalization along axis {axis!r} is not supported", "normalize the axis of its filters"
        )
    quantizer = parse_quantizer(context.settings.get("bias_quantizer"), layer=context.name)
    return {"folded": _statistics(context, channels, quantized=False), "folded_bias_quantizer": quantizer}


def _bias(context: LayerContext, size: int) -> src.Weight | None:
    if not context.settings.flag("use_bias", default=True):
        return None
    return context.weight("bias", (size,), context.settings.get("bias_quantizer"))


def dense(context: LayerContext) -> list[ParsedOperation]:
    """Dense, QDense and QDenseBatchnorm; on more than one axis it is a pointwise convolution."""
    settings = context.settings
    units, features = settings.integer("units"), context.input[-1]
    kernel = context.weight("kernel", (features, units), settings.get("kernel_quantizer"), trained=True)
    bias, shape, folded = _bias(context, units), (*context.input[:-1], units), _folded(context, units)
    operation: src.SourceOperation = src.Dense(kernel=kernel, bias=bias, **folded)
    if len(context.input) > 3:  # height, width, channels
        raise context.shape_error(f"Dense on {len(context.input)} axes is not supported")
    if len(context.input) > 1:
        pointwise = replace(kernel, values=kernel.values.reshape(1, 1, features, units))
        operation = src.Convolution(kernel=pointwise, bias=bias, strides=(1, 1), pads=(0, 0, 0, 0), **folded)
    return [ParsedOperation(operation=operation, shape=shape), *embedded(context, shape)]


def _statistics(context: LayerContext, channels: int, *, quantized: bool) -> src.Statistics:
    settings = context.settings

    def part(name: str, option: str, neutral: float, *, used: bool = True) -> src.Weight:
        if not used:
            return src.Weight(values=np.broadcast_to(neutral, (channels,)))
        weight = context.weight(name, (channels,), settings.get(f"{option}_quantizer") if quantized else None)
        return (
            replace(weight, quantizer=with_automatic_scale(weight.quantizer))
            if option in {"gamma", "variance"}
            else weight
        )

    statistics = src.Statistics(
        gamma=part("gamma", "gamma", 1.0, used=settings.flag("scale", default=True)),
        beta=part("beta", "beta", 0.0, used=settings.flag("center", default=True)),
        mean=part("moving_mean", "mean", 0.0),
        variance=part("moving_variance", "variance", 1.0),
        epsilon=settings.number("epsilon", 1e-3),
    )
    if np.any(statistics.variance.values + statistics.epsilon <= 0):
        raise settings.unsupported("a variance is negative", "train again; the moving variance must not be negative")
    return statistics


def rescaling(context: LayerContext) -> list[ParsedOperation]:
    """Rescaling: `x * scale + offset`, each a number or an array that fits the tensor."""
    scale, offset = (
        fitting(context, context.settings.get(key, default), key) for key, default in (("scale", 1.0), ("offset", 0.0))
    )
    return line(context.input, gamma=scale, beta=offset, mean=0.0, variance=1.0)


def normalization(context: LayerContext) -> list[ParsedOperation]:
    """Normalization of Keras or its inverse: `(x - mean) / max(sqrt(variance), 1e-7)`, with numbers along some axes."""
    settings, shape = context.settings, context.input
    axes = _normalized_axes(context)
    sizes = tuple(shape[axis] for axis in axes)
    if "mean" in context.arrays:
        mean, variance = (context.weight(name, sizes).values for name in ("mean", "variance"))
    else:
        mean, variance = (_given(context, key, sizes) for key in ("mean", "variance"))
    if np.any(variance < 0):
        raise settings.unsupported("a variance is negative", "adapt the layer to data again")
    wide = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    deviation = np.maximum(np.sqrt(variance.reshape(wide)), 1e-7)
    if settings.flag("invert", default=False):
        return line(shape, gamma=deviation, beta=mean.reshape(wide), mean=0.0, variance=1.0)
    return line(shape, gamma=1.0, beta=0.0, mean=mean.reshape(wide), variance=np.square(deviation))


def _normalized_axes(context: LayerContext) -> tuple[int, ...]:
    """The axes that have numbers of their own, in order, counted without that of events; none for null."""
    value, rank = context.settings.get("axis", -1), len(context.input)
    listed = value if isinstance(value, list) else [] if value is None else [value]
    axes = [
        axis + rank if axis < 0 else axis - 1 for axis in listed if isinstance(axis, int) and not isinstance(axis, bool)
    ]
    if (
        len(axes) != len(listed)
        or len(set(axes)) != len(axes)
        or not all(0 <= axis < rank for axis in axes)
        or 0 in listed
    ):
        raise context.settings.unsupported(
            f"normalization along axis {value} is not supported", "normalize axes of the data"
        )
    return tuple(sorted(axes))


def _given(context: LayerContext, key: str, sizes: src.Shape) -> FloatArray:
    """Numbers given as an option, repeated to the axes that are normalized."""
    value = context.settings.get(key)
    numbers = array_of(value)
    while numbers is not None and numbers.ndim > len(sizes) and numbers.shape[0] == 1:
        numbers = numbers[0]
    if numbers is None or not _fits(numbers.shape, sizes):
        raise context.settings.broken(key, f"expected numbers of shape {sizes}, found {value!r}")
    return np.broadcast_to(numbers, sizes)


def fitting(context: LayerContext, value: Json, key: str) -> FloatArray:
    """A constant that joins the only input without changing its shape, without the axis of events.

    Raises UnsupportedOptionError for one that differs from event to event or makes the tensor larger.
    """
    shape, numbers = context.input, constant(context, value, key)
    if not _fits(numbers.shape, shape):
        raise context.settings.unsupported(
            f"{key} of shape {numbers.shape} on a tensor of shape {shape} is not supported",
            "use a constant that fits it",
        )
    return numbers


def constant(context: LayerContext, value: Json, key: str) -> FloatArray:
    """A number or an array among a layer's options, without the axis of events.

    Raises BrokenArchitectureError if it is none, UnsupportedOptionError if it differs from event to event.
    """
    numbers, rank = array_of(value), len(context.input)
    if numbers is None:
        raise context.settings.broken(key, "expected numbers")
    if numbers.ndim > rank and (numbers.ndim > rank + 1 or numbers.shape[0] != 1):
        why = f"a constant of shape {numbers.shape} has an axis before those of a tensor of shape {context.input}"
        raise context.settings.unsupported(
            f"{why}, so that it differs from event to event", "use one constant for all events"
        )
    return numbers[0] if numbers.ndim > rank else numbers


def _fits(shape: src.Shape, wanted: src.Shape) -> bool:
    """Whether an array can be repeated to a shape."""
    return len(shape) <= len(wanted) and all(
        one in {1, size} for one, size in zip(shape[::-1], wanted[::-1], strict=False)
    )


def line(
    shape: src.Shape,
    *,
    gamma: FloatArray | float,
    beta: FloatArray | float,
    mean: FloatArray | float,
    variance: FloatArray | float,
) -> list[ParsedOperation]:
    """`(x - mean) / sqrt(variance) * gamma + beta` with arrays that fit the tensor.

    Numbers for each channel are a batch normalization. Those that differ along one other axis are one with this axis
    last, and those that differ from place to place one with every place as a channel.
    """
    arrays = [np.broadcast_to(np.asarray(one, np.float64), shape) for one in (gamma, beta, mean, variance)]
    last = len(shape) - 1
    axes = [
        axis
        for axis in range(last + 1)
        if not all(np.array_equal(one, np.broadcast_to(one.take([0], axis), shape)) for one in arrays)
    ]
    if not set(axes) - {last}:
        return [_channel_line(shape, [one.reshape(-1, shape[-1])[0] for one in arrays])]
    if len(axes) == 1:
        turn, back = _turns(shape, axes[0])
        per_channel = [np.moveaxis(one, axes[0], -1).reshape(-1, shape[axes[0]])[0] for one in arrays]
        return [turn, _channel_line(turn.shape, per_channel), back]
    flat = _channel_line((prod(shape),), [one.reshape(-1) for one in arrays])
    return [
        ParsedOperation(operation=src.Reshape(), shape=flat.shape),
        flat,
        ParsedOperation(operation=src.Reshape(), shape=shape),
    ]


def _channel_line(shape: src.Shape, arrays: list[FloatArray]) -> ParsedOperation:
    values = [src.Weight(values=one) for one in arrays]
    statistics = src.Statistics(gamma=values[0], beta=values[1], mean=values[2], variance=values[3], epsilon=0.0)
    return ParsedOperation(operation=src.BatchNormalization(statistics=statistics), shape=shape)


def batch_normalization(context: LayerContext) -> list[ParsedOperation]:
    """BatchNormalization and QBatchNormalization along the last axis."""
    settings, shape = context.settings, context.input
    given = settings.get("axis", -1)
    listed = given if isinstance(given, list) else [given]
    axis = listed[0] if len(listed) == 1 and isinstance(listed[0], int) and not isinstance(listed[0], bool) else 0
    last = axis - 1 if axis > 0 else axis + len(shape)
    if axis == 0 or not 0 <= last < len(shape):
        raise settings.unsupported(
            f"normalization along axis {given} is not supported", "normalize one axis of the data"
        )
    statistics = _statistics(context, shape[last], quantized=context.kind == "QBatchNormalization")
    operation = src.BatchNormalization(statistics=statistics)
    if last == len(shape) - 1:
        return [ParsedOperation(operation=operation, shape=shape), *embedded(context, shape)]
    turn, back = _turns(shape, last)
    return [turn, ParsedOperation(operation=operation, shape=turn.shape), back, *embedded(context, shape)]


def _turns(shape: src.Shape, axis: int) -> tuple[ParsedOperation, ParsedOperation]:
    """One axis moved behind the others, and moved back."""
    order = (*(one for one in range(len(shape)) if one != axis), axis)
    back = tuple(order.index(one) for one in range(len(shape)))
    return (
        ParsedOperation(operation=src.Permute(axes=order), shape=tuple(shape[one] for one in order)),
        ParsedOperation(operation=src.Permute(axes=back), shape=shape),
    )
