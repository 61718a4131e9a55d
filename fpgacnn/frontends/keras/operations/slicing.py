"""Slices of tensors, `x[..., 1:3]`, as Keras 2 and Keras 3 serialize them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation
from fpgacnn.frontends.keras.layer_config import Json, LayerConfig
from fpgacnn.frontends.keras.operations import axes
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape

_ENDS = frozenset({"start", "stop", "step"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ellipsis:
    """`...`: all axes that are not named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NewAxis:
    """`None`: an axis of length 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A number: the axis is lost."""

    number: int


_Part = slice | _Ellipsis | _NewAxis | _Place


def getitem(context: LayerContext) -> list[ParsedOperation]:
    """A slice: space is cut off at its ends, other places are chosen, single ones lose their axis."""
    shape = context.input
    parts = _aligned(context, _parts(context.settings))
    steps: list[ParsedOperation] = []
    result: list[int] = []
    now, axis = shape, 0
    for part in parts:
        if isinstance(part, _NewAxis):
            result.append(1)
            continue
        places = _places(context, part, shape[axis])
        steps += axes.chosen(context, now, axis, places)
        now = (*now[:axis], len(places), *now[axis + 1 :])
        axis += 1
        result += [len(places)] if isinstance(part, slice) else []
    if not result:
        raise context.settings.unsupported(
            f"a slice of {shape} that leaves one number is not supported", "leave an axis of the data"
        )
    return steps if tuple(result) == now else [*steps, ParsedOperation(operation=src.Reshape(), shape=tuple(result))]


def _places(context: LayerContext, part: slice | _Place, size: int) -> range:
    """The places of an axis that a slice or a number chooses, in order.

    Raises ShapeError if there is none.
    """
    if isinstance(part, _Place):
        place = part.number + size if part.number < 0 else part.number
        found = range(place, place + 1)
    else:
        found = range(size)[part]
    if not found or not 0 <= found[0] < size:
        raise context.shape_error(f"a slice takes nothing of an axis of {size}")
    return found


def _parts(settings: LayerConfig) -> list[_Part]:
    """The parts of a slice as the file has them."""
    spec = settings.get("slices")
    listed = spec if isinstance(spec, list) else [spec]
    return [_part(one, settings) for one in listed]


def _part(value: Json, settings: LayerConfig) -> _Part:
    """One part; a serialized object is what its class says, never what its configuration looks like."""
    if value is None:
        return _NewAxis()
    if isinstance(value, int) and not isinstance(value, bool):
        return _Place(number=value)
    if isinstance(value, dict):
        kind = value.get("class_name")
        if kind == "__ellipsis__":
            return _Ellipsis()
        config = value if kind is None else value.get("config")
        if kind in (None, "__slice__") and isinstance(config, dict) and config.keys() <= _ENDS and config:
            return _range(config, settings)
    raise settings.unsupported(f"the index {value!r} is not supported", "use numbers, ranges, None and an ellipsis")


def _range(config: Mapping[str, Json], settings: LayerConfig) -> slice:
    ends = [config.get(key) for key in ("start", "stop", "step")]
    whole = [one for one in ends if one is None or (isinstance(one, int) and not isinstance(one, bool))]
    if len(whole) != len(ends) or whole[2] == 0:
        raise settings.unsupported(f"the index {ends!r} is not supported", "use whole numbers")
    return slice(*whole)


def _aligned(context: LayerContext, parts: list[_Part]) -> list[slice | _NewAxis | _Place]:
    """One part for every axis of the data and every new one, in order.

    An ellipsis and the end stand for all other axes.

    Raises UnsupportedOptionError if events are cut or get an axis before theirs, or where there are too many parts.
    """
    rank = len(context.input) + 1
    named = sum(isinstance(one, slice | _Place) for one in parts)
    dots = sum(isinstance(one, _Ellipsis) for one in parts)
    if named > rank or dots > 1:
        raise context.settings.broken("slices", f"{named} parts and {dots} ellipses for a tensor of {rank} axes")
    if not dots:
        parts = [*parts, _Ellipsis()]
    whole: list[slice | _NewAxis | _Place] = []
    for part in parts:
        whole += [slice(None)] * (rank - named) if isinstance(part, _Ellipsis) else [part]
    first = whole[0]
    if (
        not isinstance(first, slice)
        or first.start not in (None, 0)
        or first.stop is not None
        or first.step not in (None, 1)
    ):
        raise context.settings.unsupported("a slice of events is not supported", "leave the first axis whole")
    return whole[1:]


def parts_of(context: LayerContext) -> list[ParsedOperation]:
    """One of the tensors that split or unstack gives; `part` is its number."""
    settings, shape = context.settings, context.input
    axis, part = settings.get("axis", 0), settings.get("part")
    rank = len(shape) + 1
    if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank or axis % rank == 0:
        raise settings.unsupported(f"axis={axis!r} is not supported", "split an axis of the data")
    axis = axis % rank - 1
    ends = _section_ends(settings, shape[axis])
    if not isinstance(part, int) or not 0 <= part < len(ends) - 1 or ends[part] >= ends[part + 1]:
        raise context.shape_error(f"part {part} of {len(ends) - 1} is read")
    steps = axes.chosen(context, shape, axis, range(ends[part], ends[part + 1]))
    if context.kind.endswith("unstack"):
        result: Shape = (*shape[:axis], *shape[axis + 1 :])
        if not result:
            raise settings.unsupported(f"unstacking {shape} is not supported", "leave an axis of the data")
        steps.append(ParsedOperation(operation=src.Reshape(), shape=result))
    return steps


def _section_ends(settings: LayerConfig, size: int) -> list[int]:
    """Where the parts of an axis begin, and its end.

    TensorFlow has `parts`: a number of equal ones, or their sizes. Keras 3 has `indices`: a number of equal ones, or
    where the second and further ones begin. Unstacking has neither.
    """
    starts, given = settings.get("indices"), settings.get("parts")
    if isinstance(starts, list):
        return [0, *(min(max(one + size if one < 0 else one, 0), size) for one in _whole(settings, starts)), size]
    given = starts if given is None else given
    if given is None:
        return list(range(size + 1))
    if isinstance(given, int) and not isinstance(given, bool) and given > 0 and size % given == 0:
        return list(range(0, size + 1, size // given))
    sizes = _whole(settings, given)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = size - sum(sizes) - 1
    ends = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    if not sizes or min(sizes) < 0 or ends[-1] != size:
        raise settings.unsupported(
            f"parts of sizes {given!r} of an axis of {size} are not supported", "use sizes that add up to the axis"
        )
    return ends


def _whole(settings: LayerConfig, value: Json) -> list[int]:
    found = (
        [one for one in value if isinstance(one, int) and not isinstance(one, bool)] if isinstance(value, list) else []
    )
    if not isinstance(value, list) or len(found) != len(value):
        raise settings.unsupported(f"parts {value!r} are not supported", "use whole numbers")
    return found
