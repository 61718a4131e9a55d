"""The element type of an input: which numbers a file's input tensor can hold."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np

from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.quantizers import FloatArray


class ElementKind(StrEnum):
    """Element types of input tensors, by the names that NumPy and ONNX give them."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    BOOL = "bool"
    INT4 = "int4"
    UINT4 = "uint4"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"


WHOLE: Mapping[ElementKind, tuple[int, int]] = {
    ElementKind.BOOL: (0, 1),
    ElementKind.INT4: (-8, 7),
    ElementKind.UINT4: (0, 15),
    ElementKind.INT8: (-(1 << 7), (1 << 7) - 1),
    ElementKind.UINT8: (0, (1 << 8) - 1),
    ElementKind.INT16: (-(1 << 15), (1 << 15) - 1),
    ElementKind.UINT16: (0, (1 << 16) - 1),
    ElementKind.INT32: (-(1 << 31), (1 << 31) - 1),
    ElementKind.UINT32: (0, (1 << 32) - 1),
    ElementKind.INT64: (-(1 << 63), (1 << 63) - 1),
    ElementKind.UINT64: (0, (1 << 64) - 1),
}
"""The smallest and the largest value of each type of whole numbers."""

DEFAULT_BITS = 16
"""Bits of a port for whole numbers whose type is wider, where nothing says how many are used."""

_DIGITS: Mapping[ElementKind, int] = {ElementKind.FLOAT16: 11, ElementKind.BFLOAT16: 8}
"""Significant bits of the short types of real numbers (IEEE 754 binary16, and bfloat16)."""

_FLOAT16_INTEGER, _FLOAT16_FRACTION = 16, 24
"""Numbers of binary16 are below 2^16, and multiples of 2^-24."""


def own_format(kind: ElementKind) -> Format | None:
    """The format of exactly the values of a type of whole numbers, of DEFAULT_BITS at most; None for real numbers."""
    if kind not in WHOLE:
        return None
    low, high = WHOLE[kind]
    width = min(high.bit_length() + (low < 0), DEFAULT_BITS)
    return Format(width=width, integer=width, signed=low < 0)


def holds_format(kind: ElementKind, form: Format) -> bool:
    """Whether the type has every value of a format; of real numbers, every value of as many digits as the type has."""
    if kind in WHOLE:
        low, high = WHOLE[kind]
        places = form.integer - form.width
        return places >= 0 and low <= form.low << places and form.high << places <= high
    if kind is ElementKind.FLOAT16:
        return form.integer <= _FLOAT16_INTEGER and form.fraction <= _FLOAT16_FRACTION
    return True


def stored(kind: ElementKind, values: FloatArray) -> FloatArray:
    """Values (any shape, float64) as the type stores them: short real numbers are rounded half to even.

    Raises ValueError, with the first value, where the type cannot hold one: whole numbers are not rounded or limited.
    """
    if kind in WHOLE:
        low, high = WHOLE[kind]
        wrong = (values != np.floor(values)) | (values < low) | (values > high)
        if wrong.any():
            raise ValueError(f"{values[wrong][0]:.10g}")
        return values
    if kind is ElementKind.FLOAT16:
        with np.errstate(over="ignore"):
            found = values.astype(np.float16).astype(np.float64)
        if not np.isfinite(found).all():
            raise ValueError(f"{values[~np.isfinite(found)][0]:.10g}")
        return found
    if kind is ElementKind.BFLOAT16:
        mantissa, exponent = np.frexp(values)
        return np.ldexp(np.rint(np.ldexp(mantissa, _DIGITS[kind])), exponent - _DIGITS[kind])
    return values


def shortened(kind: ElementKind, values: FloatArray) -> FloatArray:
    """Values cut towards zero to the digits of a short type of real numbers; they fit both the type and a format."""
    if kind not in _DIGITS:
        return values
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.trunc(np.ldexp(mantissa, _DIGITS[kind])), exponent - _DIGITS[kind])
