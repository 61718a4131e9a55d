"""Layers that move, pool or merge values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation
from fpgacnn.frontends.keras.layer_config import Json, LayerConfig
from fpgacnn.frontends.keras.operations.activations import embedded
from fpgacnn.frontends.keras.operations.linear import padding, pair, window_outputs
from fpgacnn.frontends.keras.operations.quantizers import parse_quantizer
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape

MERGES: Mapping[str, src.MergeKind] = {
    "Add": src.MergeKind.ADD,
    "Subtract": src.MergeKind.SUBTRACT,
    "Multiply": src.MergeKind.MULTIPLY,
    "Average": src.MergeKind.AVERAGE,
    "Maximum": src.MergeKind.MAXIMUM,
    "Minimum": src.MergeKind.MINIMUM,
}
MAX_BORDER = 1 << 12


def _factor(context: LayerContext, area: int) -> src.Weight | None:
    """The quantized 1/area of QKeras' average pooling, or None if it divides."""
    quantizer = parse_quantizer(context.settings.get("average_quantizer"), layer=context.name)
    return (
        None
        if quantizer is None
        else src.Weight(values=np.array([np.float32(1.0 / area)], np.float64), quantizer=quantizer)
    )


def _kind(context: LayerContext) -> src.PoolKind:
    return src.PoolKind.MAX if "Max" in context.kind else src.PoolKind.AVERAGE


def pool(context: LayerContext) -> list[ParsedOperation]:
    """MaxPooling and AveragePooling of both ranks, QAveragePooling2D."""
    settings, rank = context.settings, context.rank
    size = pair(settings, "pool_size", rank)
    strides = size if settings.get("strides") is None else pair(settings, "strides", rank)
    pads = padding(context, size, strides)
    rows, columns = window_outputs(context, pads, size, strides)
    factor = _factor(context, prod(size))
    if factor and any(pads):
        raise settings.unsupported("a quantized average with padding is not supported", "use padding='valid'")
    shape = context.shaped(rows, columns, context.input[-1])
    operation = src.Pool(kind=_kind(context), size=size, strides=strides, pads=pads, factor=factor)
    return [ParsedOperation(operation=operation, shape=shape), *embedded(context, shape)]


def global_pool(context: LayerContext) -> list[ParsedOperation]:
    """GlobalMaxPooling and GlobalAveragePooling of both ranks, QGlobalAveragePooling2D."""
    height, width, channels = context.image()
    keep = context.settings.flag("keepdims", default=False)
    shape = (1,) * context.rank * keep + (channels,)
    operation = src.GlobalPool(kind=_kind(context), keep_dims=keep, factor=_factor(context, height * width))
    return [ParsedOperation(operation=operation, shape=shape), *embedded(context, shape)]


def _border(settings: LayerConfig, key: str, rank: int) -> tuple[int, int, int, int]:
    """`1`, `[1, 2]` or `[[1, 2], [3, 4]]` as top, bottom, left, right."""
    value = settings.get(key, 1)
    axes: list[Json] = value if isinstance(value, list) else [value] * rank
    if rank == 1:
        axes = [value if isinstance(value, list) else [value, value]]
    pairs = [axis if isinstance(axis, list) else [axis, axis] for axis in axes]
    flat = [
        size
        for one in pairs
        for size in one
        if isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_BORDER
    ]
    if len(flat) != 2 * rank or sum(map(len, pairs)) != 2 * rank:
        raise settings.broken(key, f"expected sizes of borders, found {value!r}")
    top, bottom = (0, 0) if rank == 1 else flat[:2]
    return top, bottom, flat[-2], flat[-1]


def zero_padding(context: LayerContext) -> list[ParsedOperation]:
    """ZeroPadding1D and 2D."""
    height, width, channels = context.image()
    top, bottom, left, right = pads = _border(context.settings, "padding", context.rank)
    shape = context.shaped(height + top + bottom, width + left + right, channels)
    return [ParsedOperation(operation=src.ZeroPad(pads=pads), shape=shape)]


def cropping(context: LayerContext) -> list[ParsedOperation]:
    """Cropping1D and 2D."""
    height, width, channels = context.image()
    top, bottom, left, right = borders = _border(context.settings, "cropping", context.rank)
    if top + bottom >= height or left + right >= width:
        raise context.shape_error(f"nothing is left of {context.input}")
    return [
        ParsedOperation(
            operation=src.Crop(borders=borders),
            shape=context.shaped(height - top - bottom, width - left - right, channels),
        )
    ]


def upsampling(context: LayerContext) -> list[ParsedOperation]:
    """UpSampling1D and 2D, nearest neighbour or bilinear."""
    kind = context.settings.word("interpolation", ("nearest", "bilinear"), "nearest")
    height, width, channels = context.image()
    factors = pair(context.settings, "size", context.rank, (2,) * context.rank)
    if kind == "bilinear":
        return _bilinear((height, width, channels), factors)
    return [
        ParsedOperation(
            operation=src.Upsample(factors=factors),
            shape=context.shaped(height * factors[0], width * factors[1], channels),
        )
    ]


def _bilinear(shape: Shape, factors: tuple[int, int]) -> list[ParsedOperation]:
    """Rows and columns become the last axis in turn, where a pointwise convolution mixes them."""
    (height, width, channels), (down, across) = shape, factors
    wide, high = width * across, height * down
    return [
        ParsedOperation(operation=src.Permute(axes=(0, 2, 1)), shape=(height, channels, width)),
        ParsedOperation(operation=_mixing(width, across), shape=(height, channels, wide)),
        ParsedOperation(operation=src.Permute(axes=(1, 2, 0)), shape=(channels, wide, height)),
        ParsedOperation(operation=_mixing(height, down), shape=(channels, wide, high)),
        ParsedOperation(operation=src.Permute(axes=(2, 1, 0)), shape=(high, wide, channels)),
    ]


def _mixing(size: int, factor: int) -> src.Convolution:
    """From `size` cells to `factor` times as many between them; beyond the outermost centres nothing changes."""
    place = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    weights = np.maximum(1.0 - np.abs(place[None, :] - np.arange(size)[:, None]), 0.0)
    fraction = int(np.log2(2 * factor))
    exact = src.QuantizedBits(bits=fraction + 2, integer=1, alpha=1.0) if factor & (factor - 1) == 0 else None
    kernel = src.Weight(values=weights.reshape(1, 1, size, size * factor), quantizer=exact)
    return src.Convolution(kernel=kernel, bias=None, strides=(1, 1), pads=(0, 0, 0, 0))


def permute(context: LayerContext) -> list[ParsedOperation]:
    """Permute; axes are counted from 1 in the file."""
    value, rank = context.settings.get("dims"), len(context.input)
    axes = [axis - 1 for axis in value if isinstance(axis, int)] if isinstance(value, list) else []
    if sorted(axes) != list(range(rank)):
        raise context.settings.broken("dims", f"expected the axes 1 to {rank} in some order, found {value!r}")
    shape = tuple(context.input[axis] for axis in axes)
    return [ParsedOperation(operation=src.Permute(axes=tuple(axes)), shape=shape)] if axes != list(range(rank)) else []


def flatten(context: LayerContext) -> list[ParsedOperation]:
    """Flatten."""
    return [ParsedOperation(operation=src.Reshape(), shape=(prod(context.input),))]


def reshape(context: LayerContext) -> list[ParsedOperation]:
    """Reshape, with at most one -1."""
    target = context.settings.get("target_shape")
    sizes = (
        [n for n in target if isinstance(n, int) and not isinstance(n, bool) and n != 0 and n >= -1]
        if isinstance(target, list)
        else []
    )
    if not sizes or not isinstance(target, list) or len(sizes) != len(target):
        raise context.settings.broken("target_shape", f"expected sizes, found {target!r}")
    total, known = prod(context.input), prod(n for n in sizes if n > 0)
    if sizes.count(-1) > 1 or total % known or (-1 not in sizes and total != known):
        raise context.shape_error(f"{context.input} cannot become {target}")
    return [ParsedOperation(operation=src.Reshape(), shape=tuple(total // known if n == -1 else n for n in sizes))]


def repeat_vector(context: LayerContext) -> list[ParsedOperation]:
    """RepeatVector: a vector as an image of one cell, repeated."""
    count, (features, *rest) = context.settings.integer("n"), context.input
    if rest:
        raise context.shape_error(f"RepeatVector needs a vector, found {context.input}")
    return [
        ParsedOperation(operation=src.Reshape(), shape=(1, features)),
        ParsedOperation(operation=src.Upsample(factors=(1, count)), shape=(count, features)),
    ]


def merge(context: LayerContext) -> list[ParsedOperation]:
    """Add, Subtract, Multiply, Average, Maximum, Minimum; tensors of fewer or shorter axes are repeated."""
    if len(context.inputs) < 2:  # a merge joins two or more
        raise context.shape_error("two or more inputs expected")
    shape = _broadcast(context)
    kind = MERGES[context.kind]
    if kind is src.MergeKind.SUBTRACT and len(context.inputs) != 2:  # left and right
        raise context.shape_error(f"Subtract needs two inputs, found {len(context.inputs)}")
    return [ParsedOperation(operation=src.Merge(kind=kind), shape=shape)]


def _broadcast(context: LayerContext) -> Shape:
    """The shape of a merge: missing axes come first, and axes of length 1 are repeated."""
    rank = max(map(len, context.inputs))
    padded = [(1,) * (rank - len(shape)) + shape for shape in context.inputs]
    wanted = tuple(map(max, zip(*padded, strict=True)))
    if any(size not in (1, whole) for shape in padded for size, whole in zip(shape, wanted, strict=True)):
        raise context.shape_error(f"inputs of shapes {context.inputs} do not fit together")
    if rank > 3 and len(set(padded)) > 1:  # height, width, channels
        raise context.shape_error(f"inputs of different shapes {context.inputs} are not supported")
    return wanted


def dot(context: LayerContext) -> list[ParsedOperation]:
    """Dot of two vectors: their product, summed by a dense layer of ones."""
    shape = context.inputs[0]
    axes = context.settings.get("axes")
    if len(context.inputs) != 2 or len(set(context.inputs)) != 1 or len(shape) != 1:
        raise context.shape_error(f"Dot is supported for two vectors of one size, found {context.inputs}")
    if axes not in (1, -1, [1, 1], [-1, -1]) or context.settings.flag("normalize", default=False):
        raise context.settings.unsupported(
            f"Dot with axes={axes} or normalize is not supported", "use axes=1 without normalize"
        )
    ones = src.Weight(values=np.ones((shape[0], 1)))
    return [
        ParsedOperation(operation=src.Merge(kind=src.MergeKind.MULTIPLY), shape=shape),
        ParsedOperation(operation=src.Dense(kernel=ones, bias=None), shape=(1,)),
    ]


def concatenate(context: LayerContext) -> list[ParsedOperation]:
    """Concatenate along any axis but that of events."""
    rank, axis = len(context.inputs[0]), context.settings.get("axis", -1)
    if isinstance(axis, bool) or not isinstance(axis, int) or axis == 0 or not -rank <= axis <= rank:
        raise context.settings.unsupported(f"axis {axis!r} is not supported", "concatenate along an axis of the data")
    axis = axis - 1 if axis > 0 else axis + rank
    rest = {(len(shape), shape[:axis], shape[axis + 1 :]) for shape in context.inputs}
    if len(rest) != 1:
        raise context.shape_error(f"{context.inputs} cannot be concatenated along axis {axis + 1}")
    total = sum(shape[axis] for shape in context.inputs)
    shape = (*context.inputs[0][:axis], total, *context.inputs[0][axis + 1 :])
    return [ParsedOperation(operation=src.Concatenate(axis=axis), shape=shape)]


def over_time(context: LayerContext, steps: list[ParsedOperation]) -> list[ParsedOperation]:
    """TimeDistributed: the inner layer's steps on every row of the outer axis.

    A one-dimensional convolution or pooling has windows of one row anyway; a dense layer becomes a pointwise
    convolution; elementwise operations and reshapes do not see rows.
    """
    length = context.input[0]
    return [replace(_row_by_row(context, step), shape=(length, *step.shape)) for step in steps]


def _row_by_row(context: LayerContext, step: ParsedOperation) -> ParsedOperation:
    match step.operation:
        case src.Dense() as inner:
            kernel = replace(inner.kernel, values=inner.kernel.values.reshape(1, 1, *inner.kernel.values.shape))
            operation = src.Convolution(
                kernel=kernel,
                bias=inner.bias,
                strides=(1, 1),
                pads=(0, 0, 0, 0),
                folded=inner.folded,
                folded_bias_quantizer=inner.folded_bias_quantizer,
            )
            return replace(step, operation=operation)
        case src.GlobalPool() | src.Permute() | src.Concatenate():
            raise context.settings.unsupported(
                "TimeDistributed over this layer is not supported", "use it on Dense, Conv1D or pooling"
            )
        case _ if len(context.input) > 3:  # rows, width, channels
            raise context.shape_error(f"TimeDistributed on {context.input} is not supported")
        case _:
            return step
