"""Codes of a tensor as the words of a stream, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design.rtl_project import RtlPort
from fpgacnn.ir.fixed_point import CodeArray, Format


def packed(codes: CodeArray, port: RtlPort, bits: int) -> NDArray[np.uint32]:
    """Codes (frames, ...) as words (frames * tokens, 32-bit words); the first channel is lowest, `bits` in all."""
    elements = codes.reshape(-1, port.channels)
    places = np.arange(port.bits, dtype=np.int64)
    spread = ((elements[:, :, None] >> places) & 1).astype(np.uint8).reshape(len(elements), -1)
    whole = np.zeros((len(elements), -(-bits // 32) * 32), np.uint8)
    whole[:, : spread.shape[1]] = spread
    return np.packbits(whole, axis=1, bitorder="little").view("<u4")


def unpacked(words: NDArray[np.uint32], port: RtlPort, form: Format) -> CodeArray:
    """The codes of words (tokens, 32-bit words) as (tokens, channels)."""
    spread = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")
    elements = spread[:, : port.width].reshape(len(words), port.channels, port.bits)
    codes = np.zeros(elements.shape[:2], np.int64)
    for place in range(port.bits):
        codes |= elements[:, :, place].astype(np.int64) << place
    if form.signed:
        codes -= (codes >> (port.bits - 1)) << port.bits
    return codes
