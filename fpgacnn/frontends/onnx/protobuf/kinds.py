"""Element types of tensors, by their numbers in onnx.proto: which are whole numbers, and what each can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, BOOL, INT64 = 1, 9, 7
_HALF, _DOUBLE, _BFLOAT16 = 10, 11, 16

REALS = frozenset({FLOAT, _HALF, _DOUBLE, _BFLOAT16})

RANGES: Mapping[int, tuple[int, int]] = {
    2: (0, 255),
    3: (-128, 127),
    4: (0, 65535),
    5: (-32768, 32767),
    6: (-(1 << 31), (1 << 31) - 1),
    INT64: (-(1 << 63), (1 << 63) - 1),
    12: (0, (1 << 32) - 1),
    13: (0, (1 << 64) - 1),
    21: (0, 15),
    22: (-8, 7),
}
"""What each type of whole numbers can hold."""

CODES = frozenset({2, 3, 4, 5, 6, 21, 22})
"""Types that QuantizeLinear makes or weights are stored in."""

NAMES: Mapping[str, int] = {
    "FLOAT": FLOAT,
    "UINT8": 2,
    "INT8": 3,
    "UINT16": 4,
    "INT16": 5,
    "INT32": 6,
    "INT64": INT64,
    "BOOL": BOOL,
    "FLOAT16": _HALF,
    "DOUBLE": _DOUBLE,
    "UINT32": 12,
    "UINT64": 13,
}
"""How Cast names them in operator sets before 6."""


def is_whole(kind: int) -> bool:
    """Whether a type holds whole numbers."""
    return kind in RANGES


def converted(values: NDArray[Any], kind: int) -> NDArray[Any]:
    """An array as the element type holds it: whole numbers wrap around, real ones are cut towards zero or rounded to the type.

    Raises ValueError for other types, and for real numbers beyond a type of whole ones, of which ONNX says nothing.
    """
    if kind == BOOL:
        return (values != 0).astype(np.int64)
    if kind == _DOUBLE:
        return values.astype(np.float64)
    if kind == _HALF:
        with np.errstate(over="ignore"):
            return values.astype(np.float16).astype(np.float32)
    if kind == _BFLOAT16:
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
