"""Convert records to JSON and back: one encoder, one decoder and one walk for every format that fpgacnn writes.

A record is a frozen dataclass. Decoding follows the declared types of its fields, so that a value read from a file has
exactly the types that mypy checked, or the error names the place in the file. No class is looked up by a name from a
file, except in the table of tags.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import FpgacnnError

T = TypeVar("T")
Json: TypeAlias = Any
"""What `json.loads` returns: None, bool, int, float, str, list, dict."""

Arrays: TypeAlias = Mapping[str, NDArray[np.generic]]

TYPE = "type"
"""Key of the tag of a record that is a member of a union."""

ARRAY = "npz"
"""Only key of an object that represents an array; its value is the array's name in the `.npz` file."""


_LEFT_OUT_KEY = "left out"
LEFT_OUT: Mapping[str, Any] = {_LEFT_OUT_KEY: True}
"""Metadata of a field that is not written where it has its default, as in files from before the field existed."""


class DecodeError(ValueError):
    """A JSON value without the declared type: `where` is its path, `seen` the reason."""

    def __init__(self, where: str, seen: str) -> None:
        super().__init__(f"{where or 'the document'} {seen}")
        self.where, self.seen = where, seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """How the records of one format become JSON, and what is accepted when they are read.

    `tags`: for each class that is a member of a union of records, the text in its field `type`. `texts`: classes that
    are written as one text, with their parsers. Integers have at most `max_integer` in absolute value, all other
    numbers less than `max_float`. `null_is_nan`: null is read as NaN where a float is declared (floats that JSON cannot
    represent are always written as null). `skips_unknown`: unknown fields of a record are skipped; otherwise they are
    errors.
    """

    tags: Mapping[type, str] = field(default_factory=dict)
    texts: Mapping[type, Callable[[str], Any]] = field(default_factory=dict)
    max_integer: int = 1 << 62
    max_float: float = sys.float_info.max
    null_is_nan: bool = False
    skips_unknown: bool = False

    def encode(self, value: object, arrays: dict[str, NDArray[np.generic]] | None = None) -> Json:
        """A value for `json.dumps`; arrays are added to `arrays` as `a0`, `a1`, ... and written as their names."""
        if isinstance(value, np.ndarray):
            if arrays is None:
                raise TypeError("an array, but the format has none")
            name = f"a{len(arrays)}"
            arrays[name] = value
            return {ARRAY: name}
        if type(value) in self.texts or isinstance(value, Path):
            return str(value)
        if isinstance(value, Enum):
            return value.value
        if is_dataclass(value) and not isinstance(value, type):
            tag = {TYPE: self.tags[type(value)]} if type(value) in self.tags else {}
            kept = [one for one in fields(value) if not _is_left_out(one, getattr(value, one.name))]
            return tag | {one.name: self.encode(getattr(value, one.name), arrays) for one in kept}
        if isinstance(value, Mapping):
            return {str(key): self.encode(item, arrays) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return [self.encode(item, arrays) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def walk(self, value: object, where: str = "") -> Iterator[tuple[str, Any]]:
        """Every record, text, array, number and sequence in a value with its path, such as `operation.kernel.format`.

        A record comes before its fields. Sequences are not entered.
        """
        if isinstance(value, Mapping):
            for key, item in value.items():
                yield from self.walk(item, f"{where}[{key}]")
            return
        yield where, value
        if is_dataclass(value) and not isinstance(value, type | Enum) and type(value) not in self.texts:
            for one in fields(value):
                yield from self.walk(getattr(value, one.name), f"{where}.{one.name}".removeprefix("."))

    def decode(self, kind: type[T], document: Json, where: str = "", arrays: Arrays | None = None) -> T:
        """A JSON value as a value of `kind`; `where` is the prefix of the paths in errors.

        Raises DecodeError.
        """
        result: T = _Decoder(self, arrays or {}).value(kind, document, where)
        return result


def _is_left_out(one: Field[Any], value: object) -> bool:
    """Whether a field has its default, which LEFT_OUT leaves out."""
    if not one.metadata.get(_LEFT_OUT_KEY):
        return False
    return bool(value == (one.default if one.default_factory is MISSING else one.default_factory()))


@dataclass(frozen=True, slots=True)
class _Decoder:
    """Decodes with a codec and the arrays of one file."""

    codec: Codec
    arrays: Arrays

    def value(self, kind: Any, value: Json, where: str) -> Any:
        origin, parts = get_origin(kind) or kind, get_args(kind)
        if hasattr(origin, "__value__"):  # an alias made by Python 3.12's `type`, which NumPy's NDArray may be
            return self.value(origin.__value__[parts] if parts else origin.__value__, value, where)
        if origin in (Union, UnionType):
            return self._member(parts, value, where)
        if origin is Literal:
            known = any(type(value) is type(part) and value == part for part in parts)
            return value if known else _wrong(where, value)
        if origin is tuple:
            return self._tuple(parts, value, where)
        if origin is Mapping:
            return self._mapping(parts, value, where)
        if origin is np.ndarray:
            return self._array(get_args(parts[1])[0], value, where)
        if origin in self.codec.texts:
            return self._parsed(self.codec.texts[origin], value, where)
        if is_dataclass(origin):
            return self._record(origin, value, where)
        if issubclass(origin, Enum):
            return origin(value) if value in [one.value for one in origin] else _wrong(where, value)
        return self._scalar(origin, value, where)

    def _scalar(self, kind: type, value: Json, where: str) -> Any:
        """A text, a bool or a number.

        An integer in place of a float stays an integer if a float represents it exactly.
        """
        if kind is float and value is None and self.codec.null_is_nan:
            return math.nan
        if kind in (str, bool):
            return value if isinstance(value, kind) else _wrong(where, value)
        if isinstance(value, int) and not isinstance(value, bool) and kind in (int, float):
            if abs(value) <= self.codec.max_integer:
                return value
            if kind is float and abs(value) < self.codec.max_float:
                return float(value)
        if kind is float and isinstance(value, float) and abs(value) <= self.codec.max_float:
            return value
        return _wrong(where, value)

    def _array(self, kind: type[np.generic], value: Json, where: str) -> NDArray[np.generic]:
        """An array of the file; floats must be finite."""
        if not isinstance(value, dict) or value.keys() != {ARRAY}:
            _wrong(where, value)
        found = self.arrays.get(value[ARRAY]) if isinstance(value[ARRAY], str) else None
        if found is None:
            raise DecodeError(where, "names an array that is not in the file")
        if not np.issubdtype(found.dtype, kind):
            raise DecodeError(where, f"is an array of {found.dtype}, not {kind.__name__}")
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise DecodeError(where, "holds a number that is not finite")
        return found

    def _parsed(self, parse: Callable[[str], Any], value: Json, where: str) -> Any:
        if not isinstance(value, str):
            _wrong(where, value)
        try:
            return parse(value)
        except (ValueError, FpgacnnError) as error:
            raise DecodeError(where, f"cannot be read: {error}") from error

    def _tuple(self, parts: Sequence[Any], value: Json, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            _wrong(where, value)
        kinds = [parts[0]] * len(value) if parts[1:] == (...,) else parts
        if len(value) != len(kinds):
            _wrong(where, value)
        return tuple(
            self.value(kind, item, f"{where}[{number}]")
            for number, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )

    def _mapping(self, parts: Sequence[Any], value: Json, where: str) -> dict[Any, Any]:
        if not isinstance(value, dict):
            _wrong(where, value)
        return {
            self.value(parts[0], key, f"a key of {where}"): self.value(parts[1], item, f"{where}.{key}")
            for key, item in value.items()
        }

    def _member(self, parts: Sequence[Any], value: Json, where: str) -> Any:
        """A member of a union.

        By its tag for records, else the first that fits; of several errors, the most precise one.
        """
        if value is None and NoneType in parts:
            return None
        members = [part for part in parts if part is not NoneType]
        records = [part for part in members if part in self.codec.tags]
        if len(records) > 1 and isinstance(value, dict) and ARRAY not in value:
            return self.value(self._tagged(records, value, where), value, where)
        wrong: DecodeError | None = None
        for part in members:
            try:
                return self.value(part, value, where)
            except DecodeError as error:
                if wrong is None or (error.where, error.seen) != (where, _seen(value)):
                    wrong = error
        raise wrong or DecodeError(where, _seen(value))

    def _tagged(self, records: Sequence[type], value: Mapping[str, Json], where: str) -> type:
        if TYPE not in value:
            raise DecodeError(f"{where}.{TYPE}", "is missing")
        found = [part for part in records if self.codec.tags[part] == value[TYPE]]
        if not found:
            raise DecodeError(f"{where}.{TYPE}", f"is {value[TYPE]!r}, which is not a known type")
        return found[0]

    def _record(self, kind: Any, value: Json, where: str) -> Any:
        """A record whose fields all have their declared types; a missing field gets its default."""
        if not isinstance(value, dict):
            _wrong(where, value)
        hints, arguments = _hints(kind), {}
        tag = self.codec.tags.get(kind)
        if tag is not None and value.get(TYPE) != tag:
            raise DecodeError(f"{where}.{TYPE}".removeprefix("."), f"is not {tag!r}")
        for one in fields(kind):
            path = f"{where}.{one.name}".removeprefix(".")
            if one.name in value:
                arguments[one.name] = self.value(hints[one.name], value[one.name], path)
            elif one.default is MISSING and one.default_factory is MISSING:
                raise DecodeError(path, "is missing")
        unknown = value.keys() - arguments.keys() - ({TYPE} if tag is not None else set())
        if unknown and not self.codec.skips_unknown:
            raise DecodeError(f"{where}.{min(unknown)}".removeprefix("."), "is not known")
        try:
            return kind(**arguments)
        except (AssertionError, ValueError, FpgacnnError) as error:
            raise DecodeError(where, f"contradicts itself{f': {error}' if str(error) else ''}") from error


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _wrong(where: str, value: Json) -> NoReturn:
    raise DecodeError(where, _seen(value))


def _seen(value: Json) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", NoneType: "null"}
    return f"is {names.get(type(value), 'an unexpected number')}"
