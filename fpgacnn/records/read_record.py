"""A record read back: JSON of a stranger becomes typed values, or one error that names the key."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

from fpgacnn.errors import RecordError
from fpgacnn.records.record import SCHEMA, RunRecord

MAX_BYTES = 64 << 20
MAX_INTEGER = 1 << 62
MAX_NODES = 10_000


class _Wrong(Exception):  # noqa: N818  # never leaves this module
    """A value that is not of its type: the path to it, and what is seen there."""

    def __init__(self, where: str, seen: str) -> None:
        super().__init__(where, seen)
        self.where, self.seen = where, seen


def read_run(file: Path) -> RunRecord:
    """The record in a JSON file, as `convert` leaves it in the project and `--json` prints it.

    Raises RecordError.
    """
    document = _document(file)
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(document, dict) or "plan" not in document:
        raise RecordError(file=file, why="no record of a run")
    if schema != SCHEMA:
        raise RecordError(
            file=file, why=f"schema {schema} is that of another version of fpgacnn, this one reads {SCHEMA}"
        )
    try:
        record: RunRecord = _typed(RunRecord, document, "")
    except _Wrong as error:
        raise RecordError(file=file, why=f"damaged: {error.where or 'the record'} is {error.seen}") from error
    if len(record.plan.decisions) > MAX_NODES:
        raise RecordError(file=file, why=f"{len(record.plan.decisions):,} nodes are more than any network has")
    return record


def _document(file: Path) -> Any:
    try:
        if not file.is_file():  # a pipe would wait for a writer
            raise RecordError(file=file, why="no such file" if not file.exists() else "no plain file")
        if file.stat().st_size > MAX_BYTES:
            raise RecordError(file=file, why=f"larger than any record, {MAX_BYTES >> 20} MiB")
        return json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise RecordError(file=file, why=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise RecordError(file=file, why="damaged: no JSON") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _typed(kind: Any, value: Any, where: str) -> Any:
    """A JSON value as a value of a type: dataclass, tuple, mapping, enum, union, or plain."""
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return _one_of(parts, value, where)
    if origin in (None, NoneType):
        return None if value is None else _wrong(where, value)
    if origin is tuple:
        return _tuple(parts, value, where)
    if origin is Mapping:
        checked = value if isinstance(value, dict) else _wrong(where, value)
        return {
            _typed(parts[0], key, f"a key of {where}"): _typed(parts[1], item, f"{where}.{key}")
            for key, item in checked.items()
        }
    if isinstance(origin, type) and is_dataclass(origin):
        return _made(origin, value if isinstance(value, dict) else _wrong(where, value), where)
    if isinstance(origin, type) and issubclass(origin, Enum):
        return origin(value) if value in [one.value for one in origin] else _wrong(where, value)
    return _plain(origin, value, where)


def _plain(kind: type, value: Any, where: str) -> Any:
    """A text, a truth value or a number; a float that JSON could not hold was written as null and is no number."""
    if kind is float and value is None:
        return math.nan
    if (
        kind is float
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and abs(value) < float(1 << 1000)
    ):
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_INTEGER:
        return value
    return value if kind in (str, bool) and isinstance(value, kind) else _wrong(where, value)


def _tuple(parts: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    checked = value if isinstance(value, list) else _wrong(where, value)
    if parts[1:] == (...,):
        return tuple(_typed(parts[0], item, f"{where}[{number}]") for number, item in enumerate(checked))
    if len(checked) != len(parts):
        _wrong(where, value)
    return tuple(
        _typed(part, item, f"{where}[{number}]") for number, (part, item) in enumerate(zip(parts, checked, strict=True))
    )


def _one_of(parts: tuple[Any, ...], value: Any, where: str) -> Any:
    """The first member of a union that fits; the error is that of the last one, null aside."""
    if value is None and NoneType in parts:
        return None
    wrong: _Wrong | None = None
    for part in parts:
        if part is not NoneType:
            try:
                return _typed(part, value, where)
            except _Wrong as error:
                wrong = error
    raise wrong or _Wrong(where, _words(value))


def _made(kind: type, content: Mapping[str, Any], where: str) -> Any:
    """A frozen value; fields that it does not know are left alone, those that it has no default for must be there."""
    hints, arguments = _hints(kind), {}
    for field in fields(kind):
        path = f"{where}.{field.name}".removeprefix(".")
        if field.name in content:
            arguments[field.name] = _typed(hints[field.name], content[field.name], path)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise _Wrong(path, "missing")
    try:
        return kind(**arguments)
    except (AssertionError, ValueError) as error:  # what a value checks about itself, a stranger's may break
        raise _Wrong(where, "a contradiction in itself") from error


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _wrong(where: str, value: Any) -> NoReturn:
    raise _Wrong(where, _words(value))


def _words(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", NoneType: "null"}
    return names.get(type(value), "a number out of place")
