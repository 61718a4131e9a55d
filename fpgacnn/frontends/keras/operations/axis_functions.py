"""Functions of Keras that change axes (`ops.transpose`, `tf.expand_dims`, `ops.stack`) as operations of the network.

Axes are counted including the axis of events, as in the frameworks.
"""

from __future__ import annotations

from dataclasses import replace

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation
from fpgacnn.frontends.keras.layer_config import Json
from fpgacnn.frontends.keras.operations import axes, shaping
from fpgacnn.ir import source as src


def axes_of(context: LayerContext, key: str = "axis") -> list[int]:
    """The axes of an option, including the axis of events in the count; empty if it is not given.

    Raises UnsupportedOptionError for the axis of events and those that do not exist.
    """
    value = context.settings.get(key)
    listed = value if isinstance(value, list) else [] if value is None else [value]
    rank = len(context.input) + 1
    found = [
        axis + rank if axis < 0 else axis for axis in listed if isinstance(axis, int) and not isinstance(axis, bool)
    ]
    if len(found) != len(listed) or not all(0 < axis < rank for axis in found):
        raise context.settings.unsupported(f"{key}={value!r} is not supported", "use axes of the data")
    return found


def reshape(context: LayerContext) -> list[ParsedOperation]:
    """Reshape to a constant shape whose first size is -1, the events."""
    target = context.settings.get("shape")
    if not isinstance(target, list) or not target or target[0] not in (-1, None):
        raise context.settings.unsupported(
            f"reshaping to {target!r} is not supported", "leave the axis of events as -1"
        )
    return shaping.reshape(_with(context, "target_shape", target[1:]))


def _with(context: LayerContext, key: str, value: Json) -> LayerContext:
    return replace(context, settings=context.settings.with_value(key, value))


def transpose(context: LayerContext) -> list[ParsedOperation]:
    """Axes in another order; that of events stays first."""
    given = context.settings.get("axes")
    order = [_axis(context, one) for one in given] if isinstance(given, list) else []
    if order[:1] != [0] or sorted(order) != list(range(len(context.input) + 1)):
        raise context.settings.unsupported(
            f"transposing to {given!r} is not supported", "leave the axis of events first"
        )
    return _permuted(context, order)


def expand(context: LayerContext) -> list[ParsedOperation]:
    """A new axis of length 1."""
    axis, rank = context.settings.get("axis"), len(context.input) + 1
    place = axis + rank + 1 if isinstance(axis, int) and axis < 0 else axis
    if isinstance(place, bool) or not isinstance(place, int) or not 0 < place <= rank:
        raise context.settings.unsupported(f"axis={axis!r} is not supported", "use an axis of the data")
    return [
        ParsedOperation(operation=src.Reshape(), shape=(*context.input[: place - 1], 1, *context.input[place - 1 :]))
    ]


def squeeze(context: LayerContext) -> list[ParsedOperation]:
    """Remove axes of length 1: the given ones, or all."""
    given, shape = axes_of(context), context.input
    taken = [axis - 1 for axis in given] or [number for number, size in enumerate(shape) if size == 1]
    left = tuple(size for number, size in enumerate(shape) if number not in taken)
    if any(shape[axis] != 1 for axis in taken) or not left:
        raise context.shape_error(f"{shape} cannot lose axes {given}")
    return [ParsedOperation(operation=src.Reshape(), shape=left)]


def pad(context: LayerContext) -> list[ParsedOperation]:
    """Zeros around space."""
    pads, rank, settings = context.settings.get("paddings"), len(context.input), context.settings
    mode, value = settings.get("mode", "constant"), settings.get("constant_values", 0)
    is_plain = isinstance(pads, list) and len(pads) == rank + 1 and pads[0] == pads[-1] == [0, 0]
    if (
        not is_plain
        or not isinstance(pads, list)
        or str(mode).lower() != "constant"
        or value not in (0, None)
        or rank not in {2, 3}
    ):
        raise settings.unsupported(f"padding by {pads!r} is not supported", "pad space with zeros")
    return shaping.zero_padding(
        replace(_with(context, "padding", pads[1] if rank == 2 else pads[1:-1]), kind=f"ZeroPadding{rank - 1}D")
    )


def concatenate(context: LayerContext) -> list[ParsedOperation]:
    """Concatenation along the given axis, or along the first."""
    return shaping.concatenate(context if context.settings.get("axis") is not None else _with(context, "axis", 0))


def stack(context: LayerContext) -> list[ParsedOperation]:
    """Tensors concatenated along a new axis."""
    axis, shape = context.settings.get("axis", 0), context.inputs[0]
    place = axis + len(shape) + 2 if isinstance(axis, int) and axis < 0 else axis
    if (
        isinstance(place, bool)
        or not isinstance(place, int)
        or not 0 < place <= len(shape) + 1
        or len(set(context.inputs)) != 1
    ):
        raise context.settings.unsupported(
            f"stacking {context.inputs} along axis {axis!r} is not supported", "stack along an axis of the data"
        )
    wide = (*shape[: place - 1], 1, *shape[place - 1 :])
    steps = [
        ParsedOperation(operation=src.Reshape(), shape=wide, reads=number) for number in range(len(context.inputs))
    ]
    joined = replace(_with(context, "axis", place), inputs=(wide,) * len(context.inputs))
    return [*steps, *(shaping.concatenate(joined) if len(context.inputs) > 1 else [])]


def _permuted(context: LayerContext, order: list[int]) -> list[ParsedOperation]:
    """Axes in a given order, which includes the axis of events; this one must stay first."""
    if order[:1] != [0]:
        raise context.settings.unsupported(
            "moving the axis of events is not supported", "leave the axis of events first"
        )
    return axes.permuted(context.input, [axis - 1 for axis in order[1:]])


def swapaxes(context: LayerContext) -> list[ParsedOperation]:
    """Two axes exchanged."""
    order = list(range(len(context.input) + 1))
    one, other = (_axis(context, context.settings.get(key)) for key in ("axis1", "axis2"))
    order[one], order[other] = order[other], order[one]
    return _permuted(context, order)


def moveaxis(context: LayerContext) -> list[ParsedOperation]:
    """Axes moved to other places."""
    sources, targets = (
        [_axis(context, one) for one in _listed(context.settings.get(key))] for key in ("source", "destination")
    )
    if (
        len(sources) != len(targets)
        or len(set(sources)) != len(sources)
        or len(set(targets)) != len(targets)
        or not sources
    ):
        raise context.settings.broken("source", "expected as many axes as in destination")
    order = [axis for axis in range(len(context.input) + 1) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return _permuted(context, order)


def _axis(context: LayerContext, value: Json) -> int:
    """An axis counted from the first, including the axis of events."""
    rank = len(context.input) + 1
    if isinstance(value, bool) or not isinstance(value, int) or not -rank <= value < rank:
        raise context.settings.unsupported(f"axis={value!r} is not supported", "use an axis of the tensor")
    return value % rank


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]
