"""Operators that select, move or sum parts of axes: Slice, Split, Gather, DepthToSpace, reductions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from fpgacnn.frontends.onnx.fold import axis_of, slices
from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.operations import window
from fpgacnn.frontends.onnx.operations.linear import scale_and_shift
from fpgacnn.frontends.onnx.operations.shaping import seen_as
from fpgacnn.frontends.onnx.operations.spatial import over_space
from fpgacnn.frontends.onnx.operations.whole import magnitude
from fpgacnn.frontends.onnx.values import Constant, TensorView, Value
from fpgacnn.ir import source as src
from fpgacnn.ir.source import MergeKind, PoolKind, Shape

_NO_PADS = (0, 0, 0, 0)
_IMAGE_AXES = 3
MAX_SUMMED = 1 << 16

FAR = (1 << 31) - 1
"""An end of slices that exporters write for the end of the axis, whatever its length."""


def _ones(kernel: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> src.Weight:
    """A kernel of zeros and ones."""
    return src.Weight(values=kernel, quantizer=src.QuantizedBits(bits=2, integer=1, alpha=1.0))


def _result(view: TensorView, layer: str, layer_shape: Shape, axes: Sequence[int], shape: Shape) -> TensorView:
    """Elements of a view in a layer whose axes are the file's `axes`; axes that are left out have length 1."""
    order = sorted(range(len(axes)), key=lambda number: axes[number])
    return TensorView(
        layer=layer, layer_shape=layer_shape, order=tuple(order), shape=shape, kind=view.kind, divided=view.divided
    )


def selected(call: OpArgs, view: TensorView, axis: int, indices: Sequence[int]) -> TensorView:
    """Some places of one axis, in any order: cells cut off, or channels by a convolution that chooses them.

    The axis gets the length of `indices`, which must not be empty and lie from 0 to its length less 1.

    Raises UnsupportedOptionError for the axis of several events, TooLargeError.
    """
    if list(indices) == list(range(view.shape[axis])):
        return view
    call.data_axis(axis)
    axes = call.builder.layer_order(view)
    if axis not in axes:
        axes = [*axes, axis]
    shape = (*view.shape[:axis], len(indices), *view.shape[axis + 1 :])
    call.builder.check(shape)
    cut = list(indices) == list(range(indices[0], indices[0] + len(indices)))
    if cut and len(axes) == 1:
        return _rows(call, view, axis, indices, shape)
    if cut and axes[-1] != axis and len(axes) <= _IMAGE_AXES:
        place, size = axes.index(axis), view.shape[axis]
        ends = (indices[0], size - indices[0] - len(indices))
        borders = (*ends, 0, 0) if place == 0 and len(axes) == _IMAGE_AXES else (0, 0, *ends)
        layer_shape = tuple(shape[one] for one in axes)
        layer = call.builder.emit(src.Crop(borders=borders), (call.builder.arranged(view, axes),), layer_shape)
        return _result(view, layer, layer_shape, axes, shape)
    return _chosen(call, view, [*(one for one in axes if one != axis), axis], indices, shape)


def _rows(call: OpArgs, view: TensorView, axis: int, indices: Sequence[int], shape: Shape) -> TensorView:
    """Some neighbours of a vector, cut as rows of one channel."""
    column = call.builder.reshaped(call.builder.arranged(view, [axis]), (view.shape[axis],), (view.shape[axis], 1))
    borders = (0, 0, indices[0], view.shape[axis] - indices[0] - len(indices))
    layer = call.builder.emit(src.Crop(borders=borders), (column,), (len(indices), 1))
    return _result(
        view, call.builder.reshaped(layer, (len(indices), 1), (len(indices),)), (len(indices),), [axis], shape
    )


def _chosen(call: OpArgs, view: TensorView, axes: list[int], indices: Sequence[int], shape: Shape) -> TensorView:
    """Places of the last of `axes`, each by a column of a pointwise kernel."""
    size, wanted = view.shape[axes[-1]], tuple(shape[one] for one in axes)
    rest = wanted[:-1]
    flat = rest if 1 <= len(rest) < _IMAGE_AXES else (prod(rest),)
    given = tuple(view.shape[one] for one in axes)
    layer = call.builder.reshaped(call.builder.arranged(view, axes), given, (*flat, size))
    kernel = _ones(np.eye(size)[:, list(indices)][None, None])
    convolution = src.Convolution(kernel=kernel, bias=None, strides=(1, 1), pads=_NO_PADS)
    layer = call.builder.emit(convolution, (layer,), (*flat, len(indices)))
    return _result(view, call.builder.reshaped(layer, (*flat, len(indices)), wanted), wanted, axes, shape)


def grown(call: OpArgs, view: TensorView, shape: Shape) -> TensorView:
    """A tensor as large as a constant of a shape makes it: axes of length 1 are repeated, further ones come first.

    Raises ShapeError where they do not fit, TooLargeError, UnsupportedOptionError where the axis of events changes.
    """
    try:
        full = np.broadcast_shapes(view.shape, shape)
    except ValueError as error:
        raise call.builder.shape_error(f"a constant of {shape} does not fit a tensor of {view.shape}") from error
    call.builder.check(full)
    more = len(full) - len(view.shape)
    if more:
        call.data_axis(0)
        view = seen_as(call, view, (*(1,) * more, *view.shape))
    for axis, (size, wanted) in enumerate(zip(view.shape, full, strict=True)):
        if size != wanted:
            view = selected(call, view, axis, [0] * wanted)
    return view


def cut(call: OpArgs) -> TensorView:
    """Slice along any axes, forwards, backwards and in steps.

    Raises UnsupportedOptionError for a part that is empty and for the axis of several events; BrokenArchitectureError
    for starts, ends, axes and steps that do not fit each other.
    """
    view = call.view()
    for axis, part in enumerate(slices(call, view.shape)):
        if axis == 0 and part != slice(None) and not (part.step == 1 and part.start == 0 and part.stop >= FAR):
            call.data_axis(0)
        indices = range(*part.indices(view.shape[axis]))
        if not indices:
            raise call.unsupported(
                f"a slice {part.start}:{part.stop}:{part.step} of {view.shape[axis]} is empty",
                "leave something of each axis",
            )
        view = selected(call, view, axis, indices)
    return view


def split(call: OpArgs) -> tuple[TensorView, ...]:
    """Split along an axis: by sizes, or evenly, where the last part may be smaller. One tensor for each output.

    Raises ShapeError for sizes that are not those of the axis and of the outputs, BrokenArchitectureError for an axis
    that the tensor does not have, UnsupportedOptionError for that of several events.
    """
    view, count = call.view(), len(call.node.outputs)
    axis = axis_of(call, call.integer("axis", 0), len(view.shape))
    size = view.shape[axis]
    if call.has(1) or call.names("split"):
        sizes = call.numbers(1, "split") if call.has(1) else call.integers("split")
    else:
        count = call.integer("num_outputs", count)
        each = -(-size // max(count, 1))
        sizes = tuple(min(each, size - each * number) for number in range(count))
    if len(sizes) != len(call.node.outputs) or sum(sizes) != size or min(sizes, default=0) < 1:
        raise call.builder.shape_error(
            f"an axis of {size} cannot be split into {sizes} for {len(call.node.outputs)} outputs"
        )
    starts = np.cumsum((0, *sizes[:-1]))
    return tuple(
        selected(call, view, axis, range(int(start), int(start) + part))
        for start, part in zip(starts, sizes, strict=True)
    )


def gather(call: OpArgs) -> TensorView:
    """Gather with constant indices, of any shape, which takes the place of the axis; negative ones count from the end.

    Raises BrokenArchitectureError for indices that the axis does not have, UnsupportedOptionError for none, for
    computed ones, and for the axis of several events.
    """
    view, indices = call.view(), np.asarray(call.constant(1, "indices").plain)
    axis = axis_of(call, call.integer("axis", 0), len(view.shape))
    size = view.shape[axis]
    if not indices.size:
        raise call.unsupported("it takes nothing of an axis", "leave something of each axis")
    if (
        indices.dtype.kind != "i"
        or indices.size > window.MAX_BORDER
        or np.any(indices < -size)
        or np.any(indices >= size)
    ):
        raise call.broken(f"indices that an axis of {size} does not have")
    call.data_axis(axis)
    places = [int(index) % size for index in indices.reshape(-1)]
    return seen_as(
        call, selected(call, view, axis, places), (*view.shape[:axis], *indices.shape, *view.shape[axis + 1 :])
    )


def depth_to_space(call: OpArgs) -> TensorView:
    """DepthToSpace: channels become cells; in mode CRD they are put in the order of DCR first.

    (1, c b b, h, w) becomes (1, c, h b, w b) for blocks of b cells. Raises ShapeError if the channels are no blocks.
    """
    block, mode = call.integer("blocksize", 0), call.word("mode", "DCR")
    source = window.image(call, call.view())
    if source.rank != 2 or block < 1 or source.channels % block**2 or mode not in {"DCR", "CRD"}:  # height and width
        raise call.builder.shape_error(
            f"{source.channels} channels do not become blocks of {block}x{block} in mode {mode!r}"
        )
    channels, (height, width), layer = source.channels // block**2, source.sizes, source.layer
    if block == 1:
        return call.view()
    if mode == "CRD" and channels > 1:
        order = np.arange(source.channels).reshape(channels, block**2).T.reshape(-1)
        kernel = _ones(np.eye(source.channels)[:, order][None, None])
        layer = call.builder.emit(
            src.Convolution(kernel=kernel, bias=None, strides=(1, 1), pads=_NO_PADS),
            (layer,),
            (height, width, source.channels),
        )
    layer = call.builder.emit(src.Reshape(), (layer,), (height, width, block, block * channels))
    layer = call.builder.emit(src.Permute(axes=(0, 2, 1, 3)), (layer,), (height, block, width, block * channels))
    return window.result(call, src.Reshape(), source.on(layer), height * block, width * block, channels)


def space_to_depth(call: OpArgs) -> TensorView:
    """SpaceToDepth: cells of a block become channels.

    (1, c, h b, w b) becomes (1, c b b, h, w) for blocks of b cells. Raises ShapeError if the image has no such blocks.
    """
    block, source = call.integer("blocksize", 0), window.image(call, call.view())
    if source.rank != 2 or block < 1 or source.height % block or source.width % block:  # height and width
        raise call.builder.shape_error(f"an image of {source.height}x{source.width} has no blocks of {block}x{block}")
    if block == 1:
        return call.view()
    rows, columns, deep = source.height // block, source.width // block, block * source.channels
    layer = call.builder.emit(src.Reshape(), (source.layer,), (rows, block, columns, deep))
    layer = call.builder.emit(src.Permute(axes=(0, 2, 1, 3)), (layer,), (rows, columns, block, deep))
    return window.result(call, src.Reshape(), source.on(layer), rows, columns, block * deep)


def reduce(call: OpArgs) -> TensorView:
    """ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceL1 and ReduceSumSquare over any axes.

    Reduced axes get length 1, or go with `keepdims=0`.

    Raises BrokenArchitectureError for an axis that the tensor does not have; UnsupportedOptionError for that of several
    events, for computed axes, and for sums of more than `MAX_SUMMED` elements.
    """
    view, kind = call.view(), call.node.kind
    rank = len(view.shape)
    named = call.numbers(1, "axes") if call.has(1) else call.integers("axes", (), low=-16)
    noop, keep = call.integer("noop_with_empty_axes", 0), bool(call.integer("keepdims", 1))
    if not named and noop and kind not in {"ReduceL1", "ReduceSumSquare"}:
        return view
    axes = {call.data_axis(axis_of(call, axis, rank)) for axis in named or (() if noop else range(rank))}
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(view.shape) if keep or axis not in axes)
    if kind == "ReduceL1":
        view = magnitude(call)
    elif kind == "ReduceSumSquare":
        view = call.result(
            src.Merge(kind=MergeKind.MULTIPLY), (view.layer, view.layer), view.layer_shape, view.order, view.shape
        )
    if all(view.shape[axis] == 1 for axis in axes):
        return seen_as(call, view, shape)
    if kind in {"ReduceMean", "ReduceMax", "ReduceMin"}:
        return _pooled(call, view, axes, shape)
    return _summed(call, view, axes, shape)


def _negated(call: OpArgs, view: TensorView) -> TensorView:
    return scale_and_shift(
        call, replace(view, exclusive=False), -np.ones(()), Constant(values=np.zeros((), np.float32))
    )


def _pooled(call: OpArgs, view: TensorView, axes: set[int], shape: Shape) -> TensorView:
    kind, rank = PoolKind.AVERAGE if call.node.kind == "ReduceMean" else PoolKind.MAX, len(view.shape)
    if call.node.kind == "ReduceMin":
        view = _negated(call, view)
    image = next(
        (
            last
            for last in (False, True)
            if axes == (set(range(1, rank - 1)) if last else set(range(2, rank))) and rank in {3, 4}
        ),
        None,
    )
    if image is not None and view.shape[0] == 1:
        pooled = over_space(call, window.image(call, view, last=image), kind, shape)
    else:
        layer, layer_shape, kept = _matrix(call, view, axes)
        layer = call.builder.emit(src.GlobalPool(kind=kind), (layer,), layer_shape[1:])
        pooled = _kept(call, view, layer, kept, shape)
    return _negated(call, pooled) if call.node.kind == "ReduceMin" else pooled


def _matrix(call: OpArgs, view: TensorView, axes: set[int]) -> tuple[str, Shape, list[int]]:
    """A layer that holds (reduced, kept) elements, its shape, and the kept axes in their order."""
    order = call.builder.layer_order(view)
    reduced, kept = [axis for axis in order if axis in axes], [axis for axis in order if axis not in axes]
    sizes = tuple(view.shape[axis] for axis in (*reduced, *kept))
    layer_shape = (prod(sizes[: len(reduced)]), prod(sizes[len(reduced) :]))
    return call.builder.reshaped(call.builder.arranged(view, [*reduced, *kept]), sizes, layer_shape), layer_shape, kept


def _kept(call: OpArgs, view: TensorView, layer: str, kept: list[int], shape: Shape) -> TensorView:
    sizes = tuple(view.shape[axis] for axis in kept) or (1,)
    layer = call.builder.reshaped(layer, (prod(sizes),), sizes)
    order = sorted(range(len(sizes)), key=lambda number: kept[number]) if kept else [0]
    return TensorView(layer=layer, layer_shape=sizes, order=tuple(order), shape=shape, kind=view.kind)


def _summed(call: OpArgs, view: TensorView, axes: set[int], shape: Shape) -> TensorView:
    """Sums by a kernel of ones: a pointwise one where only the last axis is summed, else a depthwise one."""
    order = call.builder.layer_order(view)
    if order[-1] in axes and not axes & set(order[:-1]):
        kept, size = order[:-1], view.shape[order[-1]]
        count = prod(view.shape[axis] for axis in kept)
        layer = call.builder.arranged(view, order)
        layer = call.builder.reshaped(layer, tuple(view.shape[axis] for axis in order), (count, size))
        operation = src.Convolution(kernel=_ones(np.ones((1, 1, size, 1))), bias=None, strides=(1, 1), pads=_NO_PADS)
        layer = call.builder.emit(operation, (layer,), (count, 1))
        return _kept(call, view, call.builder.reshaped(layer, (count, 1), (count,)), kept, shape)
    layer, layer_shape, kept = _matrix(call, view, axes)
    if layer_shape[0] > MAX_SUMMED:
        raise call.unsupported(f"a sum of {layer_shape[0]} elements is not supported", "sum in parts")
    depthwise = src.Depthwise(
        kernel=_ones(np.ones((1, layer_shape[0], layer_shape[1], 1))), bias=None, strides=(1, 1), pads=_NO_PADS
    )
    layer = call.builder.emit(depthwise, (layer,), (1, layer_shape[1]))
    return _kept(call, view, call.builder.reshaped(layer, (1, layer_shape[1]), layer_shape[1:]), kept, shape)


CHOOSING: Mapping[str, Callable[[OpArgs], Value | tuple[Value, ...]]] = {
    "Slice": cut,
    "Split": split,
    "Gather": gather,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare"), reduce),
}
