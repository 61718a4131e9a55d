"""Designs and networks as files in a project folder, so that a project can be simulated without its model.

Values are written as JSON with their class names and arrays in one `.npz`. Reading makes only the classes listed here,
through their own checks; nothing is executed or unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.design import design as design_module
from fpgacnn.errors import FpgacnnError, ProjectError
from fpgacnn.ir import fixed_point, hardware, model, quantizers, source
from fpgacnn.ir.fixed_point import Format, parse_format
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.precision import Decision, LayerPrecision, PrecisionPlan
from fpgacnn.system.npz import packed, read_arrays

TREE, ARRAYS = "fpgacnn/design.json", "fpgacnn/design.npz"
SCHEMA = 1
MAX_DEPTH = 200


def _classes(prefix: str, module: ModuleType) -> dict[str, type]:
    own = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }
    return {f"{prefix}.{name}": value for name, value in own.items() if is_dataclass(value) or issubclass(value, Enum)}


_BY_TAG = {
    **_classes("source", source),
    **_classes("source", quantizers),
    **_classes("layer", hardware),
    **_classes("model", model),
    **_classes("numeric", fixed_point),
    **{f"plan.{kind.__name__}": kind for kind in (Decision, LayerPrecision, PrecisionPlan)},
    **_classes("design", design_module),
}
_TAG_OF = {value: tag for tag, value in _BY_TAG.items()}


def dump(design: Design, network: SourceModel) -> dict[str, bytes]:
    """The design and the network it was made from as two files."""
    arrays: list[NDArray[np.generic]] = []
    tree = {"schema": SCHEMA, "design": _encode(design, arrays), "network": _encode(network, arrays)}
    content = packed({f"a{number}": array for number, array in enumerate(arrays)})
    return {TREE: json.dumps(tree, separators=(",", ":")).encode(), ARRAYS: content}


def _encode(value: Any, arrays: list[NDArray[np.generic]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"$": "array", "number": len(arrays) - 1}
    if isinstance(value, Format):
        return {"$": "format", "text": str(value)}
    if isinstance(value, Enum):
        return {"$": _TAG_OF[type(value)], "value": value.value}
    if is_dataclass(value) and not isinstance(value, type):
        return {
            "$": _TAG_OF[type(value)],
            **{field.name: _encode(getattr(value, field.name), arrays) for field in fields(value)},
        }
    if isinstance(value, Mapping):
        return {"$": "map", "items": [[key, _encode(item, arrays)] for key, item in value.items()]}
    if isinstance(value, tuple | list):
        return [_encode(item, arrays) for item in value]
    return value


def load(folder: Path) -> tuple[Design, SourceModel]:
    """The design and network of a project folder.

    Raises ProjectError where the files are missing, damaged or of another version.
    """
    try:
        tree = json.loads((folder / TREE).read_text(encoding="utf-8"))
        arrays = read_arrays(folder / ARRAYS)
        decode = _decoder(arrays)
        schema, design, network = tree["schema"], decode(tree["design"], 0), decode(tree["network"], 0)
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError, FpgacnnError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ProjectError(folder=folder, why=f"its design cannot be read ({why})") from error
    if schema != SCHEMA or not isinstance(design, Design) or not isinstance(network, SourceModel):
        raise ProjectError(folder=folder, why="it was made by another version of fpgacnn")
    return design, network


def _decoder(arrays: Mapping[str, NDArray[np.generic]]) -> Callable[[Any, int], Any]:
    def decode(value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        if isinstance(value, list):
            return tuple(decode(item, depth + 1) for item in value)
        if not isinstance(value, dict):
            return value
        content = {name: item for name, item in value.items() if name != "$"}
        match value["$"]:
            case "array":
                return arrays[f"a{int(content['number'])}"]
            case "format":
                return parse_format(content["text"])
            case "map":
                return {str(key): decode(item, depth + 1) for key, item in content["items"]}
            case tag:
                kind = _BY_TAG[tag]
                if issubclass(kind, Enum):
                    return kind(content["value"])
                return _made(kind, {name: decode(item, depth + 1) for name, item in content.items()})

    return decode


@cache
def _types(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _made(kind: type, content: Mapping[str, Any]) -> Any:
    """A value of a class, all its fields of the types that the class declares."""
    for name, value in content.items():
        if not _is(value, _types(kind)[name]):
            raise TypeError(f"{kind.__name__} has no such {name}")
    return kind(**content)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value has a type, with the types of its items."""
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if hasattr(origin, "__value__"):  # an alias made by Python 3.12's `type`, as NumPy's NDArray may be
        return _is(value, origin.__value__[parts] if parts else origin.__value__)
    if origin in (Union, UnionType):
        return any(_is(value, part) for part in parts)
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin in (int, float):
        return not isinstance(value, bool) and isinstance(value, int if origin is int else int | float)
    if not isinstance(value, origin):
        return False
    if origin is np.ndarray:
        return np.issubdtype(value.dtype, get_args(parts[1])[0])
    if origin is tuple:
        wanted = parts[:1] * len(value) if parts[1:] == (...,) else parts
        return len(value) == len(wanted) and all(map(_is, value, wanted))
    if origin is Mapping:
        return all(_is(key, parts[0]) and _is(item, parts[1]) for key, item in value.items())
    return True
