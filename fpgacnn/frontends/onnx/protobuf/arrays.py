"""Stored arrays as NumPy arrays, after their size is checked against the bytes that are there."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import BrokenFileError, HostileFileError, TooLargeError, UnsupportedOptionError
from fpgacnn.frontends.onnx.protobuf.kinds import REALS, ElementType
from fpgacnn.frontends.onnx.protobuf.schema import OnnxTensor
from fpgacnn.frontends.wire import signed, varints

MAX_ELEMENTS = 1 << 26

_STORED: dict[int, str] = {
    ElementType.FLOAT: "<f4",
    ElementType.UINT8: "u1",
    ElementType.INT8: "i1",
    ElementType.UINT16: "<u2",
    ElementType.INT16: "<i2",
    ElementType.INT32: "<i4",
    ElementType.INT64: "<i8",
    ElementType.BOOL: "?",
    ElementType.FLOAT16: "<f2",
    ElementType.DOUBLE: "<f8",
    ElementType.UINT32: "<u4",
    ElementType.UINT64: "<u8",
}
"""NumPy's types for the element types whose numbers fill whole bytes in `raw_data`."""

_FOUR_BITS = (ElementType.UINT4, ElementType.INT4)


def to_array(tensor: OnnxTensor, file: Path) -> NDArray[np.generic]:
    """The array as float32, float64 or int64.

    Raises HostileFileError for data outside the file, TooLargeError, BrokenFileError if sizes contradict each other,
    UnsupportedOptionError for other element types.
    """
    where = f"tensor '{tensor.name}'"
    if tensor.is_external:
        raise HostileFileError(file=file, where=where, seen="external data")
    if any(size < 0 for size in tensor.dims):
        raise BrokenFileError(file=file, why=f"{where} has a negative size")
    count = prod(tensor.dims)
    if count > MAX_ELEMENTS:
        raise TooLargeError(file=file, where=where, seen=f"{count} numbers", limit=MAX_ELEMENTS)
    flat = _raw(tensor, count) if tensor.raw is not None else _typed(tensor, count)
    if flat is None:
        why = f"an array of element type {tensor.kind} is not supported"
        raise UnsupportedOptionError(layer=tensor.name, why=why, do="export the model with float32 or integer weights")
    if flat.size != count:
        raise BrokenFileError(file=file, why=f"{where} has {flat.size} numbers, its shape {tensor.dims} needs {count}")
    wide = (
        flat.astype(np.float64 if tensor.kind == ElementType.DOUBLE else np.float32)
        if tensor.kind in REALS
        else flat.astype(np.int64)
    )
    return wide.reshape(tensor.dims)


def _raw(tensor: OnnxTensor, count: int) -> NDArray[np.generic] | None:
    assert tensor.raw is not None
    if tensor.kind in _STORED:
        kind = np.dtype(_STORED[tensor.kind])
        return np.frombuffer(tensor.raw, kind, count=len(tensor.raw) // kind.itemsize)
    if tensor.kind == ElementType.BFLOAT16:
        return _from_bfloat16(np.frombuffer(tensor.raw, "<u2", count=len(tensor.raw) // 2))
    if tensor.kind in _FOUR_BITS:
        return _nibbles(np.frombuffer(tensor.raw, "u1"), count, is_signed=tensor.kind == ElementType.INT4)
    return None


def _typed(tensor: OnnxTensor, count: int) -> NDArray[np.generic] | None:
    if tensor.kind == ElementType.FLOAT:
        return np.frombuffer(b"".join(part.tobytes()[: len(part) // 4 * 4] for part in tensor.floats), "<f4")
    if tensor.kind == ElementType.DOUBLE:
        return np.frombuffer(b"".join(part.tobytes()[: len(part) // 8 * 8] for part in tensor.doubles), "<f8")
    whole = np.array(
        [*tensor.loose_integers, *(signed(value) for part in tensor.integers for value in varints(part))], np.int64
    )
    if tensor.kind == ElementType.FLOAT16:  # its bits in integers
        return whole.astype(np.uint16).view(np.float16)
    if tensor.kind == ElementType.BFLOAT16:
        return _from_bfloat16(whole.astype(np.uint16))
    if tensor.kind in _FOUR_BITS:
        return _nibbles(whole.astype(np.uint8), count, is_signed=tensor.kind == ElementType.INT4)
    return whole if tensor.kind in _STORED else None


def _from_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _nibbles(packed: NDArray[np.uint8], count: int, *, is_signed: bool) -> NDArray[np.int64]:
    """Two numbers of four bits a byte, the low one first."""
    pairs = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[: max(count, 0)].astype(np.int64)
    return np.where(pairs > 7, pairs - 16, pairs) if is_signed else pairs
