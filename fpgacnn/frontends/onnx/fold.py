"""Operators whose inputs are all constant, computed while reading: shapes, reshaped weights, decoded integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TypeAlias, TypeVar

import numpy as np

from fpgacnn.errors import TooLargeError, UnsupportedLayerError
from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.protobuf.arrays import MAX_ELEMENTS, to_array
from fpgacnn.frontends.onnx.protobuf.kinds import BOOL, FLOAT, REALS, wrapped
from fpgacnn.frontends.onnx.values import Constant, Numbers, TensorView

Result = TypeVar("Result")

Folding: TypeAlias = Callable[[OpArgs, Sequence[Constant]], Constant]


def _checked(call: OpArgs, compute: Callable[[], Result]) -> Result:
    """What NumPy refuses becomes the error that names the node."""
    try:
        return compute()
    except (ValueError, IndexError, TypeError) as error:
        raise call.builder.shape_error(f"its constants do not fit each other: {error}") from error


def _guarded(call: OpArgs, count: int) -> None:
    if count > MAX_ELEMENTS:
        raise TooLargeError(
            file=call.builder.file, where=f"node '{call.name}'", seen=f"{count} numbers", limit=MAX_ELEMENTS
        )


def _same(_: OpArgs, given: Sequence[Constant]) -> Constant:
    return given[0]


def target_shape(call: OpArgs, before: Sequence[int], wanted: Sequence[int]) -> tuple[int, ...]:
    """The target shape of Reshape: 0 keeps a size, one -1 takes the rest.

    Raises ShapeError.
    """
    keeps = not call.integer("allowzero", 0)
    sizes = [
        before[number] if size == 0 and keeps and number < len(before) else size for number, size in enumerate(wanted)
    ]
    total, known = prod(before), prod(size for size in sizes if size != -1)
    if sizes.count(-1) == 1 and known > 0 and total % known == 0:
        sizes[sizes.index(-1)] = total // known
    if prod(sizes) != total or min(sizes, default=1) < 0:
        raise call.builder.shape_error(f"{tuple(before)} cannot become {tuple(wanted)}")
    return tuple(sizes)


def _reshape(call: OpArgs, given: Sequence[Constant]) -> Constant:
    wanted = call.integers("shape", low=-1) if len(given) < 2 else call.numbers(1, "shape")
    shape = target_shape(call, given[0].values.shape, wanted)
    return given[0].moved(lambda array: array.reshape(shape))


def flattened(call: OpArgs, shape: Sequence[int]) -> tuple[int, int]:
    """The shape (rows, columns) behind Flatten: axes before `axis`, and all others.

    Raises BrokenArchitectureError for an axis that the tensor does not have.
    """
    axis = axis_of(call, call.integer("axis", 1), len(shape), end=True)
    return prod(shape[:axis]), prod(shape[axis:])


def axis_of(call: OpArgs, axis: int, rank: int, *, end: bool = False) -> int:
    """An axis counted from the front; `end` allows one behind the last.

    Raises BrokenArchitectureError.
    """
    found = axis + rank if axis < 0 else axis
    if not 0 <= found < rank + int(end):
        raise call.broken(f"axis {axis} of {rank} axes")
    return found


def permutation(call: OpArgs, rank: int) -> tuple[int, ...]:
    """Transpose's order of `rank` axes; reversed where the file gives none.

    Raises BrokenArchitectureError if `perm` is no order of these axes.
    """
    order = call.integers("perm", tuple(reversed(range(rank))))
    if sorted(order) != list(range(rank)):
        raise call.broken(f"perm: {order} is no order of {rank} axes")
    return order


def _transpose(call: OpArgs, given: Sequence[Constant]) -> Constant:
    order = permutation(call, given[0].values.ndim)
    return given[0].moved(lambda array: array.transpose(order))


def squeezed(call: OpArgs, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape behind Squeeze: without the named axes, else without all of length 1 but that of several events.

    Raises ShapeError for an axis of another length, BrokenArchitectureError for one that the tensor does not have.
    """
    named = call.numbers(1, "axes") if call.has(1) else call.integers("axes", (), low=-16)
    first = int(
        call.builder.several and isinstance(call.inputs[0], TensorView)
    )  # the axis of events has length 1 only here
    axes = {axis_of(call, axis, len(shape)) for axis in named} or {
        axis for axis, size in enumerate(shape) if size == 1 and axis >= first
    }
    if any(shape[axis] != 1 for axis in axes):
        raise call.builder.shape_error(f"axes {sorted(axes)} of {tuple(shape)} have not length 1")
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def unsqueezed_axes(call: OpArgs, rank: int) -> tuple[int, ...]:
    """The axes that Unsqueeze makes of a tensor of `rank` axes, counted from the front of the result.

    Raises BrokenArchitectureError if one is named twice or does not exist, or none is named.
    """
    named = call.numbers(1, "axes") if call.has(1) else call.integers("axes", low=-16)
    axes = tuple(axis_of(call, axis, rank + len(named)) for axis in named)
    if len(set(axes)) != len(axes) or not axes:
        raise call.broken(f"axes: {named} name an axis twice, or none")
    return axes


def unsqueezed(call: OpArgs, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape behind Unsqueeze: the new axes have length 1.

    Raises what `unsqueezed_axes` raises.
    """
    axes = unsqueezed_axes(call, len(shape))
    rank = len(shape) + len(axes)
    rest = iter(shape)
    return tuple(1 if axis in axes else next(rest) for axis in range(rank))


def _shaped(shape_of: Callable[[OpArgs, Sequence[int]], tuple[int, ...]]) -> Folding:
    def fold(call: OpArgs, given: Sequence[Constant]) -> Constant:
        shape = shape_of(call, given[0].values.shape)
        return given[0].moved(lambda array: array.reshape(shape))

    return fold


def _concat(call: OpArgs, given: Sequence[Constant]) -> Constant:
    _guarded(call, sum(one.values.size for one in given))
    axis = axis_of(call, call.integer("axis", 1), max(given[0].values.ndim, 1))
    return _checked(
        call, lambda: Constant(values=np.concatenate([one.plain for one in given], axis=axis), kind=given[0].kind)
    )


def _gather(call: OpArgs, given: Sequence[Constant]) -> Constant:
    values, indices = given[0].plain, call.constant(1, "indices").plain.astype(np.int64)
    axis = axis_of(call, call.integer("axis", 0), values.ndim)
    _guarded(call, values.size // max(values.shape[axis], 1) * max(indices.size, 1))
    return _checked(call, lambda: Constant(values=np.take(values, indices, axis=axis), kind=given[0].kind))


def slices(call: OpArgs, shape: Sequence[int]) -> tuple[slice, ...]:
    """Slice's part of every axis.

    Raises BrokenArchitectureError.
    """
    if len(call.inputs) > 1:
        starts, ends = call.numbers(1, "starts"), call.numbers(2, "ends")
        axes = call.numbers(3, "axes") if call.has(3) else tuple(range(len(starts)))
        steps = call.numbers(4, "steps") if call.has(4) else (1,) * len(starts)
    else:
        starts, ends = _far(call, "starts"), _far(call, "ends")
        axes, steps = call.integers("axes", tuple(range(len(starts))), low=-16), (1,) * len(starts)
    axes = tuple(axis_of(call, axis, len(shape)) for axis in axes)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps or len(set(axes)) != len(axes):
        raise call.broken("starts, ends, axes and steps do not fit each other")
    parts = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = shape[axis]
        stop: int | None = max(end, -size - 1)
        if step < 0 and stop is not None and stop < -size:
            stop = None
        parts[axis] = slice(start, stop, step)
    return tuple(parts)


def _far(call: OpArgs, name: str) -> tuple[int, ...]:
    """Attributes that may be as large as an int64, which stands for the end."""
    value = call.attribute(name)
    if not isinstance(value, tuple) or not all(isinstance(item, int) for item in value):
        raise call.broken(f"{name}: expected whole numbers, found {value!r}")
    return tuple(int(item) for item in value)


def _slice(call: OpArgs, given: Sequence[Constant]) -> Constant:
    parts = slices(call, given[0].values.shape)
    return given[0].moved(lambda array: array[parts])


def _arithmetic(function: Callable[..., Numbers]) -> Folding:
    def fold(call: OpArgs, given: Sequence[Constant]) -> Constant:
        arrays = [one.plain for one in given]
        shape = _checked(call, lambda: np.broadcast_shapes(*(array.shape for array in arrays)))
        _guarded(call, prod(shape))
        with np.errstate(all="ignore"):
            values = np.asarray(_checked(call, lambda: function(*arrays)))
        if values.dtype.kind == "b":
            return Constant(values=values.astype(np.int64), kind=BOOL)
        if values.dtype.kind == "i":
            return Constant(values=wrapped(values.astype(np.int64), given[-1].kind), kind=given[-1].kind)
        return Constant(values=values, kind=given[-1].kind if given[-1].kind in REALS else FLOAT)

    return fold


def _divide(left: Numbers, right: Numbers) -> Numbers:
    """Whole numbers are divided towards zero."""
    if left.dtype.kind != "i":
        return left / right
    if np.any(right == 0):
        raise ValueError("it divides by zero")
    quotient, rest = np.divmod(left, right)
    return np.asarray(quotient + ((rest != 0) & ((left < 0) != (right < 0))))


def _clip(call: OpArgs, given: Sequence[Constant]) -> Constant:
    """Clip of a constant; in old operator sets its limits are attributes."""
    values = given[0].plain
    for number, name, limit in ((1, "min", np.maximum), (2, "max", np.minimum)):
        if call.has(number):
            values = np.asarray(limit(values, call.scalar(number, name)), values.dtype)
        elif call.names(name):
            values = np.asarray(limit(values, call.number(name, 0.0)), values.dtype)
    return Constant(values=values, kind=given[0].kind)


def part_of_shape(call: OpArgs, shape: Sequence[int]) -> tuple[int, ...]:
    """What Shape gives: all sizes, or those from `start` to `end`."""
    return tuple(shape[call.integer("start", 0) : call.integer("end", len(shape))])


def _expand(call: OpArgs, given: Sequence[Constant]) -> Constant:
    shape = _checked(call, lambda: np.broadcast_shapes(given[0].values.shape, tuple(call.numbers(1, "shape"))))
    _guarded(call, prod(shape))
    return given[0].moved(lambda array: np.broadcast_to(array, shape))


def _constant_of_shape(call: OpArgs, _: Sequence[Constant]) -> Constant:
    shape, tensor = call.numbers(0, "shape"), call.tensor("value")
    if min(shape, default=0) < 0:
        raise call.broken(f"shape {shape}")
    _guarded(call, prod(shape))
    value = np.zeros(1, np.float32) if tensor is None else to_array(tensor, call.builder.file)
    return Constant(values=np.full(shape, value.reshape(-1)[0], value.dtype), kind=1 if tensor is None else tensor.kind)


def stored(call: OpArgs) -> Constant:
    """The operator Constant: an array in its element type, one number (), or numbers (count,), float32 or int64.

    Raises UnsupportedOptionError for texts and sparse arrays.
    """
    tensor = call.tensor("value")
    if tensor is not None:
        return Constant(values=to_array(tensor, call.builder.file), kind=tensor.kind)
    for name in call.node.attributes:
        value = call.attribute(name)
        if name in {"value_float", "value_floats"} and isinstance(value, float | tuple):
            return Constant(values=np.asarray(value, np.float32))
        if name in {"value_int", "value_ints"} and isinstance(value, int | tuple):
            return Constant(values=np.asarray(value, np.int64), kind=7)
    raise call.unsupported("a constant of this kind is not supported", "use tensors of numbers")


FOLDINGS: Mapping[str, Folding] = {
    "Identity": _same,
    "Dropout": _same,
    "Reshape": _reshape,
    "Flatten": _shaped(flattened),
    "Transpose": _transpose,
    "Squeeze": _shaped(squeezed),
    "Unsqueeze": _shaped(unsqueezed),
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "Shape": lambda call, given: Constant(
        values=np.array(part_of_shape(call, given[0].values.shape), np.int64), kind=7
    ),
    "Size": lambda _, given: Constant(values=np.array(given[0].values.size, np.int64), kind=7),
    "Add": _arithmetic(np.add),
    "Sub": _arithmetic(np.subtract),
    "Mul": _arithmetic(np.multiply),
    "Div": _arithmetic(_divide),
    "Neg": _arithmetic(np.negative),
    "Abs": _arithmetic(np.abs),
    "Sqrt": _arithmetic(np.sqrt),
    "Reciprocal": _arithmetic(np.reciprocal),
    "Floor": _arithmetic(np.floor),
    "Ceil": _arithmetic(np.ceil),
    "Exp": _arithmetic(np.exp),
    "Log": _arithmetic(np.log),
    "Pow": _arithmetic(np.power),
    "Min": _arithmetic(lambda *arrays: np.minimum.reduce(np.broadcast_arrays(*arrays))),
    "Max": _arithmetic(lambda *arrays: np.maximum.reduce(np.broadcast_arrays(*arrays))),
    "Clip": _clip,
    "Equal": _arithmetic(np.equal),
    "Where": _arithmetic(lambda test, yes, no: np.asarray(np.where(test != 0, yes, no))),
    "Expand": _expand,
    "ConstantOfShape": _constant_of_shape,
}
"""Operators of the standard domain; those that quantize are folded with their own rules."""


def fold(call: OpArgs, more: Mapping[str, Folding]) -> Constant:
    """The result of an operator on constants; `more` are operators that other modules fold.

    Raises UnsupportedLayerError for operators that nothing computes.
    """
    folding = FOLDINGS.get(call.node.kind) or more.get(call.node.kind)
    given = [one for one in call.inputs if isinstance(one, Constant)]
    if folding is None or not given:
        raise UnsupportedLayerError(
            layer=call.name, kind=f"{call.node.kind} of constants", why="; simplify the graph before exporting it"
        )
    return folding(call, given)
