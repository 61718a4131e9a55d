"""Sorted tables of LevelDB: the index of a checkpoint of TensorFlow.

https://github.com/google/leveldb/blob/main/doc/table_format.md
"""

from __future__ import annotations

from collections.abc import Iterator

from fpgacnn.frontends.keras.saved_model.checksum import crc32c, masked
from fpgacnn.frontends.wire import WireError, varint

MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_FOOTER, _TRAILER = 48, 5
"""Bytes of the footer, and of what follows each block: its kind of compression and its checksum."""


def entries(content: memoryview) -> dict[bytes, memoryview]:
    """The values of a table by key.

    Raises WireError for what is no table, a wrong checksum and a compressed block (TensorFlow writes none).
    """
    if len(content) < _FOOTER or content[-8:] != MAGIC:
        raise WireError("it is no index of a checkpoint")
    footer = content[-_FOOTER:]
    _, place = _handle(footer, 0)
    index, _ = _handle(footer, place)
    return {key: value for _, handle in _block(content, index) for key, value in _block(content, _handle(handle, 0)[0])}


def _handle(text: memoryview, place: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and the place after them."""
    offset, place = varint(text, place)
    size, place = varint(text, place)
    return (offset, size), place


def _block(content: memoryview, handle: tuple[int, int]) -> Iterator[tuple[bytes, memoryview]]:
    """The entries of a block; each key is a prefix of the key before it, and its own end."""
    offset, size = handle
    end = offset + size
    if size < 4 or end + _TRAILER > len(content):
        raise WireError("a block of the index lies outside the file")
    if masked(crc32c(content[offset : end + 1])) != int.from_bytes(content[end + 1 : end + _TRAILER], "little"):
        raise WireError("a block of the index has another checksum than its own")
    if content[end]:
        raise WireError("a block of the index is compressed")
    block = content[offset:end]
    stop = size - 4 * (1 + int.from_bytes(block[-4:], "little"))
    place, key = 0, b""
    while place < stop:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        length, place = varint(block, place)
        if shared > len(key) or place + own + length > stop:
            raise WireError("an entry of the index is longer than its block")
        key = key[:shared] + bytes(block[place : place + own])
        place += own + length
        yield key, block[place - length : place]
