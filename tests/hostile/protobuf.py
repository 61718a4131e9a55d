"""Protocol buffers as trees of [field, value] and back, to damage them by structure and to write them without onnx.

A value is an integer, a text, a text "hex:..." of bytes, {"fixed": "..."} of four or eight bytes, or a message again.
"""

from __future__ import annotations

from typing import Any


def varint(number: int) -> bytes:
    number %= 1 << 64
    parts = bytearray()
    while True:
        parts.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(parts)


def encoded(message: Any) -> bytes:
    """The bytes of a message; what is no field after a mutation is left out."""
    found = bytearray()
    for one in message if isinstance(message, list) else []:
        if not (
            isinstance(one, list)
            and len(one) == 2
            and isinstance(one[0], int | float)
            and not isinstance(one[0], bool)
            and abs(one[0]) < 1 << 28
        ):
            continue
        field, value = int(one[0]), one[1]
        if isinstance(value, int):
            found += varint(field << 3) + varint(value)
            continue
        if isinstance(value, dict) and isinstance(value.get("fixed"), str):
            content = _bytes(f"hex:{value['fixed']}")
            found += varint(field << 3 | (5 if len(content) == 4 else 1)) + content
            continue
        content = _bytes(value)
        found += varint(field << 3 | 2) + varint(len(content)) + content
    return bytes(found)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        if value.startswith("hex:"):
            digits = "".join(one for one in value[4:] if one in "0123456789abcdef")
            return bytes.fromhex(digits[: len(digits) // 2 * 2])
        return value.encode("utf-8", "replace")
    return encoded(value) if isinstance(value, list) else repr(value).encode()


MAX_DEPTH = 12
FIXED = {1: 8, 5: 4}
"""Bytes of the kinds of fields that have no length."""


def decoded(content: bytes, depth: int = 0) -> list[Any] | None:
    """The tree of a message, which gives the same bytes again; None where there is none."""
    found: list[Any] = []
    place = 0
    while place < len(content):
        key, place = _number(content, place)
        field, kind = key >> 3, key & 7
        value, place = (FIXED.get(kind, -1), place) if kind not in (0, 2) else _number(content, place)
        size = 0 if kind == 0 else value
        if place < 0 or size < 0 or not field or place + size > len(content):
            return None
        if kind == 0:
            found.append([field, value])
            continue
        part = content[place : place + size]
        place += size
        found.append([field, _meant(part, depth) if kind == 2 else {"fixed": part.hex()}])
    return found if place == len(content) and encoded(found) == content else None


def _number(content: bytes, place: int) -> tuple[int, int]:
    """A number and the place behind it; -1 where it does not end."""
    value = 0
    for shift in range(0, 70, 7):
        if not 0 <= place < len(content):
            return 0, -1
        value |= (content[place] & 0x7F) << shift
        place += 1
        if content[place - 1] < 0x80:
            return value, place
    return 0, -1


def _meant(part: bytes, depth: int) -> Any:
    """A text where it is one, else a message where it is one, else bytes."""
    if part.isascii() and part.decode("ascii").isprintable() and not part.startswith(b"hex:"):
        return part.decode("ascii")
    message = decoded(part, depth + 1) if depth < MAX_DEPTH else None
    return message or f"hex:{part.hex()}"
