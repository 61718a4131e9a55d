"""Convert `design.json` of schema 1 (development versions before 0.1.0) to schema 2.

Schema 1 named the Python class of every record and enumeration (`"$": "layer.Dense"`), and wrapped arrays, formats and
mappings in objects of their own.
"""

from __future__ import annotations

import re

from fpgacnn.design.tags import TAGS
from fpgacnn.system.codec import ARRAY, TYPE, DecodeError, Json

MAX_DEPTH = 200

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_ENUMERATIONS = {
    "design.BackendName",
    "design.IoType",
    "design.Strategy",
    "layer.SoftmaxKind",
    "numeric.Rounding",
    "source.FunctionKind",
    "source.MergeKind",
    "source.PoolKind",
}


def upgraded(value: Json, where: str, depth: int = 0) -> Json:
    """A JSON value of schema 1 as the same value in schema 2; `where` is its path in the file.

    Raises DecodeError.
    """
    if depth > MAX_DEPTH:
        raise DecodeError("the document", "is nested too deeply")
    if isinstance(value, list):
        return [upgraded(item, f"{where}[{number}]", depth + 1) for number, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$": "array", "number": int(number)} if len(value) == len(("$", "number")):
            return {ARRAY: f"a{number}"}
        case {"$": "format", "text": str(text)}:
            return text
        case {"$": "map", "items": list(items)}:
            return _mapping(items, where, depth)
        case {"$": str(name), "value": content} if name in _ENUMERATIONS:
            return content
        case {"$": str(name)}:
            tag = _CAPITAL.sub("_", name.rpartition(".")[2]).lower()
            content = {
                key: upgraded(item, f"{where}.{key}", depth + 1)
                for key, item in value.items()
                if key not in ("$", TYPE)
            }
            return {TYPE: tag, **content} if tag in TAGS.values() else content
        case _:
            raise DecodeError(f"{where}.$", "is missing or is not known")


def _mapping(items: list[Json], where: str, depth: int) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for item in items:
        if not isinstance(item, list) or len(item) != len(("key", "value")) or not isinstance(item[0], str):
            raise DecodeError(where, "is a mapping without keys and values")
        found[item[0]] = upgraded(item[1], f"{where}.{item[0]}", depth + 1)
    return found
