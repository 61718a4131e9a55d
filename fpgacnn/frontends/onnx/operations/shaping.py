"""Operators that change shapes and orders of axes. Most make no layer: only how the file sees a layer changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from fpgacnn.frontends.onnx.fold import (
    axis_of,
    flattened,
    part_of_shape,
    permutation,
    squeezed,
    target_shape,
    unsqueezed,
    unsqueezed_axes,
)
from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.values import Coding, Constant, TensorView, Value
from fpgacnn.ir import source as src


def _view(call: OpArgs) -> TensorView:
    found = call.value(0)
    assert isinstance(found, TensorView)
    return found


def seen_as(call: OpArgs, view: TensorView, shape: tuple[int, ...]) -> TensorView:
    """The same elements in the same order, in another shape (1, ...) of the file; no layer is made.

    Raises UnsupportedOptionError for whole numbers with a scale for each channel, ShapeError and TooLargeError for
    shapes that no tensor has.
    """
    call.builder.check(shape)
    if view.coding is not None and view.coding.single is None:
        raise call.unsupported(
            "a reshape of integers with a scale for each channel is not supported", "decode them first"
        )
    return replace(view, shape=shape)


def reshape(call: OpArgs) -> TensorView:
    """Reshape to a constant shape, in which a fixed number of events counts as one.

    Raises ShapeError if the elements are not as many, UnsupportedOptionError for a computed shape, and what `seen_as`
    raises.
    """
    view = _view(call)
    wanted = call.integers("shape", low=-1) if not call.has(1) else call.numbers(1, "shape")
    if wanted[:1] == (call.builder.events,):
        wanted = (1, *wanted[1:])
    return seen_as(call, view, target_shape(call, view.shape, wanted))


def flatten(call: OpArgs) -> TensorView:
    """Flatten to (rows, columns).

    Raises BrokenArchitectureError for an axis that the tensor does not have, UnsupportedOptionError for the axis of
    several events, and what `seen_as` raises.
    """
    view = _view(call)
    if axis_of(call, call.integer("axis", 1), len(view.shape), end=True) == 0:
        call.data_axis(0)
    return seen_as(call, view, flattened(call, view.shape))


def squeeze(call: OpArgs) -> TensorView:
    """Squeeze: axes of length 1 are taken away.

    Raises what `squeezed` and `seen_as` raise.
    """
    view = _view(call)
    return seen_as(call, view, squeezed(call, view.shape))


def unsqueeze(call: OpArgs) -> TensorView:
    """Unsqueeze: axes of length 1 are added.

    Raises UnsupportedOptionError for a new axis before that of several events, and what `unsqueezed` and `seen_as`
    raise.
    """
    view = _view(call)
    shape = unsqueezed(call, view.shape)
    if axis_of(call, min(unsqueezed_axes(call, len(view.shape))), len(shape)) == 0:
        call.data_axis(0)
    return seen_as(call, view, shape)


def transpose(call: OpArgs) -> TensorView:
    """Transpose: the file's axes in another order, over the same layer.

    Raises UnsupportedOptionError if several events leave the first axis, and for whole numbers with a scale for each
    channel; BrokenArchitectureError for no order of the axes.
    """
    view = _view(call)
    order = permutation(call, len(view.shape))
    if order[0] != 0:
        call.data_axis(0)
    if view.coding is not None and view.coding.single is None:
        raise call.unsupported("integers with a scale for each channel cannot change their axes", "decode them first")
    view = call.builder.materialize(view)
    real = [axis for axis in view.order if view.layer_shape[axis] != 1]
    holder = dict(zip([axis for axis, size in enumerate(view.shape) if size != 1], real, strict=True))
    ones = [axis for axis in view.order if view.layer_shape[axis] == 1]
    return replace(
        view,
        order=(*ones, *(holder[axis] for axis in order if axis in holder)),
        shape=tuple(view.shape[axis] for axis in order),
    )


def concatenate(call: OpArgs) -> TensorView:
    """Concat of tensors along any axis; that of events only where it is 1.

    Whole numbers of QuantizeLinear are joined where all have one scale and zero point.
    """
    coding = _shared_coding(call)
    views = [call.view(number) if coding is None else _decoded(call, number) for number in range(len(call.inputs))]
    shape = views[0].shape if views else call.view().shape
    axis = call.data_axis(axis_of(call, call.integer("axis", 1), len(shape)))
    if any(len(view.shape) != len(shape) or _without(view.shape, axis) != _without(shape, axis) for view in views):
        raise call.builder.shape_error(f"{[view.shape for view in views]} cannot be concatenated along axis {axis}")
    if len(views) == 1:
        return replace(views[0], coding=coding)
    total = (*shape[:axis], sum(view.shape[axis] for view in views), *shape[axis + 1 :])
    axes = call.builder.layer_order(views[0])
    axes = axes if axis in axes else [*axes, axis]
    layers = [call.builder.arranged(view, axes) for view in views]
    layer_shape = tuple(total[one] for one in axes)
    order = sorted(range(len(axes)), key=lambda number: axes[number])
    joined = call.result(src.Concatenate(axis=axes.index(axis)), layers, layer_shape, order, total)
    return replace(joined, coding=coding)


def _shared_coding(call: OpArgs) -> Coding | None:
    """The one scale and zero point of all inputs; None if they have none, or several."""
    codings = [one.coding if isinstance(one, TensorView) else None for one in call.inputs]
    first = codings[0] if codings else None
    shared = first.single if first else None
    alike = shared is not None and all(one is not None and one.single == shared for one in codings)
    return first if alike else None


def _decoded(call: OpArgs, number: int) -> TensorView:
    """An input of whole numbers as the decoded numbers that its layer holds."""
    found = call.value(number)
    assert isinstance(found, TensorView)
    return replace(found, coding=None)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def shape_of(call: OpArgs) -> Constant:
    """Shape of a tensor, its events counted as one."""
    return Constant(values=np.array(part_of_shape(call, _view(call).shape), np.int64), kind=7)


def size_of(call: OpArgs) -> Constant:
    """Size of a tensor of one event, int64 ()."""
    return Constant(values=np.array(_view(call).size, np.int64), kind=7)


SHAPING: Mapping[str, Callable[[OpArgs], Value]] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concatenate,
    "Shape": shape_of,
    "Size": size_of,
}
