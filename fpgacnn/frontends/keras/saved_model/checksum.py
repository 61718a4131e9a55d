"""CRC-32C (Castagnoli), which TensorFlow writes beside every block and every array, over many bytes at once."""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

POLYNOMIAL = 0x82F63B78
"""The reflected polynomial of RFC 3720, appendix B.4."""

_MASK_DELTA = 0xA282EAD8
_ALL = 0xFFFFFFFF


def _table() -> NDArray[np.uint32]:
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(POLYNOMIAL), values >> 1)
    return values


_TABLE = _table()


def crc32c(content: bytes | memoryview) -> int:
    """The checksum of the bytes.

    The checksum is linear over GF(2): pieces of equal length are computed side by side from the state 0, and joined by
    the state that follows zero bytes.
    """
    octets = np.frombuffer(content, np.uint8)
    length = max(isqrt(len(octets)), 1)
    pieces = len(octets) // length
    states = _after(np.zeros(pieces, np.uint32), octets[: pieces * length].reshape(pieces, length))
    zeros = np.zeros((32, length), np.uint8)
    shifted = [int(one) for one in _after(np.uint32(1) << np.arange(32, dtype=np.uint32), zeros)]
    state = _ALL
    for piece in states.tolist():
        state = piece ^ _shift(state, shifted)
    rest = octets[pieces * length :].reshape(1, -1)
    return int(_after(np.array([state], np.uint32), rest)[0]) ^ _ALL


def masked(crc: int) -> int:
    """The checksum in the form in which TensorFlow and LevelDB store it."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & _ALL


def _after(states: NDArray[np.uint32], octets: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The states (n) after the bytes (n, length)."""
    for column in octets.T:
        states = _TABLE[(states ^ column) & 0xFF] ^ (states >> 8)
    return states


def _shift(state: int, shifted: list[int]) -> int:
    """The state after zero bytes, from what each bit of a state becomes."""
    total = 0
    for bit, value in enumerate(shifted):
        if state >> bit & 1:
            total ^= value
    return total
