"""Functions between layers (`x + y`, `tf.nn.relu(x)`, `ops.mean(x, axis=1)`) as the operations they stand for.

Axes are counted with that of events, as in the frameworks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from fpgacnn.frontends.keras import linear, shaping
from fpgacnn.frontends.keras.activations import parse_activation
from fpgacnn.frontends.keras.context import Context, Parser, Step
from fpgacnn.frontends.keras.nodes import OPERATION
from fpgacnn.frontends.keras.settings import Json
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, Shape

_ONE_CELL = (0, 0, 0, 0)


def _word(context: Context) -> str:
    return context.kind.removeprefix(OPERATION)


def _constant(context: Context) -> tuple[FloatArray, bool] | None:
    """The constant among two operands, for each channel, and whether it is the first; None where both are tensors.

    Raises UnsupportedOptionError for constants that differ from place to place.
    """
    operands = context.settings.get("operands")
    if not isinstance(operands, list) or len(operands) != 2:  # left and right
        raise context.shape_error("two operands expected")
    constants = [number for number, one in enumerate(operands) if one is not None]
    if not constants:
        return None
    try:
        values = np.asarray(operands[constants[0]], np.float32).astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise context.settings.broken("operands", "expected numbers") from error
    if values.size not in {1, context.input[-1]} or not np.all(np.isfinite(values)):
        raise context.settings.unsupported(f"a constant of shape {values.shape} is not supported", "use one number, or one for each channel")
    return np.broadcast_to(values.reshape(-1), context.input[-1:]), constants[0] == 0


def _line(shape: Shape, scale: FloatArray | float, shift: FloatArray | float) -> Step:
    """`x * scale + shift` for each channel."""
    gamma, beta = (np.broadcast_to(np.asarray(one, np.float64), shape[-1:]) for one in (scale, shift))
    return linear.line(shape, gamma=gamma, beta=beta, mean=np.zeros_like(gamma), variance=np.ones_like(gamma))


def _arithmetic(context: Context) -> list[Step]:
    """Add, subtract, multiply and divide: two tensors, or a tensor and a constant."""
    word, found = _word(context), _constant(context)
    if found is None:
        if word == "divide":
            raise context.settings.unsupported("division by a tensor is not supported", "divide by a constant")
        return shaping.merge(replace(context, kind=word.capitalize()))
    constant, is_first = found
    shape = context.input
    match word:
        case "add":
            return [_line(shape, 1.0, constant)]
        case "subtract":
            return [_line(shape, -1.0, constant) if is_first else _line(shape, 1.0, -constant)]
        case "multiply":
            return [_line(shape, constant, 0.0)]
        case _:
            if is_first or not np.all(constant):
                raise context.settings.unsupported("division by a tensor or by 0 is not supported", "divide by a constant")
            return [_line(shape, 1.0 / constant, 0.0)]


def _extreme(context: Context) -> list[Step]:
    """Maximum and minimum: `max(x, c) = relu(x - c) + c`, `min(x, c) = c - relu(c - x)`."""
    found = _constant(context)
    if found is None:
        return shaping.merge(replace(context, kind=_word(context).capitalize()))
    sign = 1.0 if _word(context) == "maximum" else -1.0
    return _limited(context.input, found[0], sign)


def _limited(shape: Shape, limit: FloatArray, sign: float) -> list[Step]:
    relu = Step(operation=src.Activate(function=src.Relu()), shape=shape)
    if sign > 0 and not np.any(limit):
        return [relu]
    return [_line(shape, sign, -sign * limit), relu, _line(shape, sign, limit)]


def _clip(context: Context) -> list[Step]:
    """Clip and clip_by_value."""
    ends = [np.broadcast_to(context.settings.number(key, np.inf), context.input[-1:]) for key in ("x_min", "x_max")]
    return [*_limited(context.input, ends[0], 1.0), *_limited(context.input, ends[1], -1.0)]


def _negative(context: Context) -> list[Step]:
    return [_line(context.input, -1.0, 0.0)]


def _activation(context: Context) -> list[Step]:
    """A function of each value, or softmax over the last axis."""
    word = {"exp": "exponential"}.get(_word(context), _word(context))
    if word == "softmax" and _axes(context) not in ([], [len(context.input)]):
        raise context.settings.unsupported("softmax over another axis than the last is not supported", "use axis=-1")
    if word == "gelu" and context.settings.flag("approximate", default=False):
        raise context.settings.unsupported("a gelu approximated by a tanh is not supported", "use approximate=False")
    function = _FUNCTIONS[word](context) if word in _FUNCTIONS else parse_activation(word, context)
    assert function is not None
    return [Step(operation=src.Activate(function=function), shape=context.input)]


_FUNCTIONS: Mapping[str, Callable[[Context], src.Activation]] = {
    "leaky_relu": lambda context: src.Relu(negative_slope=context.settings.number("negative_slope", 0.2)),
    "elu": lambda context: src.Function(kind=src.FunctionKind.ELU, alpha=context.settings.number("alpha", context.settings.number("negative_slope", 1.0))),
}


def _axes(context: Context, key: str = "axis") -> list[int]:
    """The axes of an option, counted with that of events; empty where it is not given.

    Raises UnsupportedOptionError for the axis of events and those that do not exist.
    """
    value = context.settings.get(key)
    listed = value if isinstance(value, list) else [] if value is None else [value]
    rank = len(context.input) + 1
    axes = [axis + rank if axis < 0 else axis for axis in listed if isinstance(axis, int) and not isinstance(axis, bool)]
    if len(axes) != len(listed) or not all(0 < axis < rank for axis in axes):
        raise context.settings.unsupported(f"{key}={value!r} is not supported", "use axes of the data")
    return axes


def _reduce(context: Context) -> list[Step]:
    """Mean, maximum and sum over axes of space."""
    word, shape, axes = _word(context), context.input, sorted(_axes(context))
    if not axes or len(shape) not in {2, 3} or len(shape) in axes:
        raise context.settings.unsupported(f"{word} of {shape} over axes {axes} is not supported", "reduce over axes of space")
    height, width = (1, shape[0]) if len(shape) == 2 else shape[:2]
    across, down = len(shape) - 1 in axes, len(shape) == 2 or 1 in axes
    size = (height if down else 1, width if across else 1)
    kind = src.PoolKind.MAX if word == "max" else src.PoolKind.AVERAGE
    left = tuple(1 if number + 1 in axes else one for number, one in enumerate(shape))
    result = left if context.settings.flag("keepdims", default=False) else tuple(one for number, one in enumerate(shape) if number + 1 not in axes)
    if down and across:
        steps = [Step(operation=src.GlobalPool(kind=kind, keep_dims=len(result) > 1), shape=result)]
    else:
        steps = [Step(operation=src.Pool(kind=kind, size=size, strides=size, pads=_ONE_CELL), shape=left)]
        steps += [Step(operation=src.Reshape(), shape=result)] if result != left else []
    return [*steps, _line(result, float(prod(size)), 0.0)] if word == "sum" else steps


def _reshape(context: Context) -> list[Step]:
    target = context.settings.get("shape")
    if not isinstance(target, list) or not target or target[0] not in (-1, None):
        raise context.settings.unsupported(f"reshaping to {target!r} is not supported", "leave the axis of events as -1")
    return shaping.reshape(_with(context, "target_shape", target[1:]))


def _with(context: Context, key: str, value: Json) -> Context:
    return replace(context, settings=replace(context.settings, values={**context.settings.values, key: value}))


def _transpose(context: Context) -> list[Step]:
    axes = context.settings.get("axes")
    if not isinstance(axes, list) or axes[:1] != [0]:
        raise context.settings.unsupported(f"transposing to {axes!r} is not supported", "leave the axis of events first")
    return shaping.permute(_with(context, "dims", axes[1:]))


def _expand(context: Context) -> list[Step]:
    axis, rank = context.settings.get("axis"), len(context.input) + 1
    place = axis + rank + 1 if isinstance(axis, int) and axis < 0 else axis
    if isinstance(place, bool) or not isinstance(place, int) or not 0 < place <= rank:
        raise context.settings.unsupported(f"axis={axis!r} is not supported", "use an axis of the data")
    return [Step(operation=src.Reshape(), shape=(*context.input[: place - 1], 1, *context.input[place - 1 :]))]


def _squeeze(context: Context) -> list[Step]:
    axes, shape = _axes(context), context.input
    taken = [axis - 1 for axis in axes] or [number for number, size in enumerate(shape) if size == 1]
    left = tuple(size for number, size in enumerate(shape) if number not in taken)
    if any(shape[axis] != 1 for axis in taken) or not left:
        raise context.shape_error(f"{shape} cannot lose axes {axes}")
    return [Step(operation=src.Reshape(), shape=left)]


def _pad(context: Context) -> list[Step]:
    """Zeros around space."""
    pads, rank, settings = context.settings.get("paddings"), len(context.input), context.settings
    mode, value = settings.get("mode", "constant"), settings.get("constant_values", 0)
    is_plain = isinstance(pads, list) and len(pads) == rank + 1 and pads[0] == pads[-1] == [0, 0]
    if not is_plain or not isinstance(pads, list) or str(mode).lower() != "constant" or value not in (0, None) or rank not in {2, 3}:
        raise settings.unsupported(f"padding by {pads!r} is not supported", "pad space with zeros")
    return shaping.zero_padding(replace(_with(context, "padding", pads[1] if rank == 2 else pads[1:-1]), kind=f"ZeroPadding{rank - 1}D"))


def _slices(context: Context) -> list[tuple[int, int, bool]]:
    """Start, stop and whether the axis is dropped, for every axis of the data.

    Raises UnsupportedOptionError for steps and for slices of events.
    """
    spec, shape = context.settings.get("slices"), context.input
    parts = [one.get("config", one) if isinstance(one, dict) else one for one in (spec if isinstance(spec, list) else [spec])]
    if not parts or len(parts) > len(shape) + 1 or not all(isinstance(one, dict | int) for one in parts):
        raise context.settings.unsupported(f"the slice {spec!r} is not supported", "slice with start and stop")
    found = []
    for size, one in zip((1 << 30, *shape), [*parts, *({} for _ in range(len(shape) + 1 - len(parts)))], strict=True):
        start, stop, step = (one.get("start"), one.get("stop"), one.get("step")) if isinstance(one, dict) else (one, None, None)
        if step not in (None, 1) or not all(end is None or isinstance(end, int) for end in (start, stop)):
            raise context.settings.unsupported(f"the slice {spec!r} is not supported", "slice with step 1")
        first, last, _ = slice(start, stop).indices(size)
        found.append((first, first + 1 if not isinstance(one, dict) else last, not isinstance(one, dict)))
    if found[0] != (0, 1 << 30, False) or any(not 0 <= first < last <= size for (first, last, _), size in zip(found[1:], shape, strict=True)):
        raise context.settings.unsupported(f"the slice {spec!r} of {shape} is not supported", "leave all events, and something of each axis")
    return found[1:]


def _getitem(context: Context) -> list[Step]:
    """A slice: channels by a convolution that chooses them, rows and columns cut off, single ones without their axis."""
    cuts, shape = _slices(context), context.input
    left = tuple(last - first for first, last, _ in cuts)
    result = tuple(size for size, (_, _, dropped) in zip(left, cuts, strict=True) if not dropped)
    image = (1, *shape) if len(shape) == 2 else (1, *shape, 1) if len(shape) == 1 else shape
    if len(image) != 3 or not result:  # height, width, channels
        raise context.settings.unsupported(f"a slice of {shape} is not supported", "slice tensors of one to three axes")
    borders = [(first, size - last) for (first, last, _), size in zip(cuts, shape, strict=True)]
    top, side, chosen = ((0, 0), borders[0], (0, 0)) if len(shape) == 1 else ((0, 0), *borders) if len(shape) == 2 else borders
    steps = [Step(operation=src.Reshape(), shape=image[1:])] if len(shape) == 1 else []
    if any((*top, *side)):
        cropped = (*left, 1) if len(shape) == 1 else (*left[:-1], shape[-1])
        steps.append(Step(operation=src.Crop(borders=(*top, *side)), shape=cropped))
    if any(chosen):
        steps.append(Step(operation=_chosen(shape[-1], chosen[0], left[-1]), shape=left))
    return [*steps, Step(operation=src.Reshape(), shape=result)] if not steps or steps[-1].shape != result else steps


def _chosen(channels: int, first: int, count: int) -> src.Convolution:
    """A pointwise convolution that gives some of the channels."""
    kernel = np.eye(channels)[:, first : first + count].reshape(1, 1, channels, count)
    ones = src.QuantizedBits(bits=2, integer=1, alpha=1.0)
    return src.Convolution(kernel=src.Weight(values=kernel, quantizer=ones), bias=None, strides=(1, 1), pads=_ONE_CELL)


def _same(_: Context) -> list[Step]:
    return []


_WORDS: Mapping[str, Callable[[Context], list[Step]]] = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide"), _arithmetic),
    **dict.fromkeys(("maximum", "minimum"), _extreme),
    **dict.fromkeys(("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "softmax", "softplus", "softsign", "elu", "selu", "silu", "gelu", "exp"), _activation),
    **dict.fromkeys(("mean", "max", "sum"), _reduce),
    "clip": _clip,
    "negative": _negative,
    "reshape": _reshape,
    "transpose": _transpose,
    "expand_dims": _expand,
    "squeeze": _squeeze,
    "concatenate": shaping.concatenate,
    "pad": _pad,
    "getitem": _getitem,
    "identity": _same,
}

PARSERS: Mapping[str, Parser] = {f"{OPERATION}{word}": parser for word, parser in _WORDS.items()}
