"""Element types of tensors: their numbers in onnx.proto, which are whole numbers, and the range of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.element_types import ElementKind


class ElementType(IntEnum):
    """TensorProto.DataType, without text and complex numbers."""

    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    BOOL = 9
    FLOAT16 = 10
    DOUBLE = 11
    UINT32 = 12
    UINT64 = 13
    BFLOAT16 = 16
    UINT4 = 21
    INT4 = 22


FLOAT, BOOL, INT64 = ElementType.FLOAT, ElementType.BOOL, ElementType.INT64

REALS = frozenset({ElementType.FLOAT, ElementType.FLOAT16, ElementType.DOUBLE, ElementType.BFLOAT16})

SHORT_REALS: Mapping[int, int] = {ElementType.FLOAT16: 11, ElementType.BFLOAT16: 8}
"""Types of real numbers with fewer digits than float32 has, and how many bits these are."""

RANGES: Mapping[int, tuple[int, int]] = {
    ElementType.UINT8: (0, 255),
    ElementType.INT8: (-128, 127),
    ElementType.UINT16: (0, 65535),
    ElementType.INT16: (-32768, 32767),
    ElementType.INT32: (-(1 << 31), (1 << 31) - 1),
    ElementType.INT64: (-(1 << 63), (1 << 63) - 1),
    ElementType.UINT32: (0, (1 << 32) - 1),
    ElementType.UINT64: (0, (1 << 64) - 1),
    ElementType.UINT4: (0, 15),
    ElementType.INT4: (-8, 7),
}
"""The smallest and the largest value of each type of whole numbers."""

CODES = frozenset(
    {
        ElementType.UINT8,
        ElementType.INT8,
        ElementType.UINT16,
        ElementType.INT16,
        ElementType.INT32,
        ElementType.UINT4,
        ElementType.INT4,
    }
)
"""Types that QuantizeLinear makes or weights are stored in."""

_OLD_NAMES = ("FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "BOOL", "FLOAT16", "DOUBLE", "UINT32")
NAMES: Mapping[str, int] = {name: ElementType[name] for name in (*_OLD_NAMES, "UINT64")}
"""How Cast names them in operator sets before 6."""


ELEMENTS: Mapping[int, ElementKind] = {
    ElementType.FLOAT: ElementKind.FLOAT32,
    ElementType.DOUBLE: ElementKind.FLOAT64,
    **{one: ElementKind[one.name] for one in ElementType if one.name in ElementKind.__members__},
}
"""The types that an input may have, as the source network calls them."""


def is_whole(kind: int) -> bool:
    """Whether a type holds whole numbers."""
    return kind in RANGES


def converted(values: NDArray[Any], kind: int) -> NDArray[Any]:
    """An array as the element type stores it.

    Whole numbers wrap around; real numbers are rounded to a type of reals and cut towards zero for a type of whole
    numbers. Raises ValueError for other types, and for real numbers outside the range of a type of whole numbers, for
    which ONNX defines nothing.
    """
    if kind == BOOL:
        return (values != 0).astype(np.int64)
    if kind == ElementType.DOUBLE:
        return values.astype(np.float64)
    if kind == ElementType.FLOAT16:
        with np.errstate(over="ignore"):
            return values.astype(np.float16).astype(np.float32)
    if kind == ElementType.BFLOAT16:
        bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    if kind == FLOAT:
        return values.astype(np.float32)
    if kind not in RANGES:
        raise ValueError(f"element type {kind} is not supported")
    low, high = RANGES[kind]
    if values.dtype.kind == "f":
        whole = np.trunc(values.astype(np.float64))
        if not np.all((whole >= low) & (whole < float(high) + 1.0) & (whole < 2.0**63)):
            raise ValueError(f"numbers beyond element type {kind}")
        return whole.astype(np.int64)
    return wrapped(values.astype(np.int64), kind)


def wrapped(values: NDArray[np.int64], kind: int) -> NDArray[np.int64]:
    """Whole numbers as a type of fewer bits holds them."""
    low, high = RANGES.get(kind, RANGES[INT64])
    span = high - low + 1
    return values if span > 1 << 62 else (values - low) % span + low
