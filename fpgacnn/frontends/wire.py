"""Protocol buffers as bytes: fields by their number, each length checked against what is there.

Nothing is copied until an array is asked for, so a length that lies is found before memory is used.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = int | memoryview

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
MAX_VARINT_BYTES = 10
MAX_FIELDS = 1 << 22


class WireError(ValueError):
    """The bytes are no protocol buffer."""


@dataclass(slots=True)
class Scan:
    """Reads one file, with a limit on the number of fields: a small file can have millions of empty ones."""

    left: int = MAX_FIELDS

    def spend(self, count: int) -> None:
        """Count fields.

        Raises WireError if there are too many.
        """
        self.left -= count
        if self.left < 0:
            raise WireError(f"it has more than {MAX_FIELDS} fields")

    def fields(self, message: memoryview) -> Iterator[tuple[int, Value]]:
        """(number, value) of every field in order; numbers as unsigned integers, all else as bytes.

        Raises WireError.
        """
        for field in _fields(message):
            self.spend(1)
            yield field

    def integers(self, value: Value) -> list[int]:
        """A repeated integer field: one number, or packed ones.

        Raises WireError.
        """
        if isinstance(value, int):
            return [signed(value)]
        self.spend(len(value))
        return [signed(one) for one in varints(value)]

    def floats(self, value: Value) -> list[float]:
        """A repeated float field: one number, or packed ones.

        Raises WireError.
        """
        content = data(value)
        self.spend(len(content))
        return [float32(content[start : start + 4]) for start in range(0, len(content), 4)]


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    place, end = 0, len(message)
    while place < end:
        key, place = varint(message, place)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError("a field has number 0")
        if kind == VARINT:
            value, place = varint(message, place)
            yield number, value
            continue
        if kind == BYTES:
            size, place = varint(message, place)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            raise WireError(f"a field has the unknown wire type {kind}")
        if size > end - place:
            raise WireError("a field is longer than its message")
        yield number, message[place : place + size]
        place += size


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """The unsigned number at a place, and the place after it.

    Raises WireError.
    """
    result = 0
    for count in range(MAX_VARINT_BYTES):
        if place + count >= len(message):
            raise WireError("it ends inside a number")
        byte = message[place + count]
        result |= (byte & 0x7F) << (7 * count)
        if not byte & 0x80:
            return result & ((1 << 64) - 1), place + count + 1
    raise WireError("a number is too long")


def varints(packed: memoryview) -> Iterator[int]:
    """Packed unsigned integers."""
    place = 0
    while place < len(packed):
        value, place = varint(packed, place)
        yield value


def signed(value: int) -> int:
    """An unsigned 64-bit integer as a signed one."""
    return value - (1 << 64) if value >= 1 << 63 else value


def text(value: Value) -> str:
    """A string field.

    Raises WireError if the field is a number.
    """
    return data(value).tobytes().decode("utf-8", "replace")


def data(value: Value) -> memoryview:
    """A field of bytes.

    Raises WireError if the field is a number.
    """
    if isinstance(value, int):
        raise WireError("a number stands where bytes are due")
    return value


def integer(value: Value) -> int:
    """A signed integer field.

    Raises WireError if the field is bytes.
    """
    if not isinstance(value, int):
        raise WireError("bytes stand where a number is due")
    return signed(value)


def float32(value: Value) -> float:
    """A float field.

    Raises WireError if the field is something else.
    """
    content = data(value)
    if len(content) != 4:  # bytes of a float
        raise WireError("a float has not four bytes")
    return float(struct.unpack("<f", content)[0])
