"""The memory layout of tensors while LANES events are computed together.

A vector has one 32-bit lane for each event. Narrow numbers share a lane, four unsigned bytes or two 16-bit numbers of
neighbouring channels, because dot products read them in this form. An image may have a border of zeros, written once
for the convolutions that pad it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.source import Shape
from fpgacnn.sim.emulator.native.codegen.values import Ends

Places = NDArray[np.int32]
Pads = tuple[int, int, int, int]
NO_PADS: Pads = (0, 0, 0, 0)


class ValueKind(StrEnum):
    """The content of a lane."""

    U8 = "u8"
    S16 = "s16"
    I32 = "i32"
    I64 = "i64"

    @property
    def per(self) -> int:
        """Numbers in a lane."""
        return {ValueKind.U8: 4, ValueKind.S16: 2}.get(self, 1)

    @property
    def wide(self) -> bool:
        """Whether a number takes 64 bits."""
        return self is ValueKind.I64


@dataclass(slots=True, kw_only=True, eq=False)
class Storage:
    """A tensor in memory: `rows` x `columns` pixels of `channels`; codes of each channel are in low..high.

    `offset` is its start, once memory has been allocated.
    """

    kind: ValueKind
    rows: int
    columns: int
    channels: int
    pads: Pads
    low: Ends
    high: Ends
    fraction: int
    offset: int = field(default=-1)

    @classmethod
    def of(cls, kind: ValueKind, shape: Shape, pads: Pads, codes: tuple[Ends, Ends], fraction: int) -> Storage:
        """Memory for a tensor of any shape whose codes are between such ends."""
        rows, columns, channels = image(shape)
        low, high = codes
        return cls(
            kind=kind, rows=rows, columns=columns, channels=channels, pads=pads, low=low, high=high, fraction=fraction
        )

    @property
    def vectors(self) -> int:
        """Vectors of one pixel."""
        return -(-self.channels // self.kind.per)

    @property
    def row_pixels(self) -> int:
        """Pixels of a row with its border."""
        return self.columns + self.pads[2] + self.pads[3]

    @property
    def all_vectors(self) -> int:
        """Vectors of the whole tensor with its border."""
        return (self.rows + self.pads[0] + self.pads[1]) * self.row_pixels * self.vectors

    def vector_bytes(self, bytes_: int) -> int:
        """Bytes of one vector, if 32-bit lanes take `bytes_`."""
        return 2 * bytes_ if self.kind.wide else bytes_

    def pixel_places(self) -> NDArray[np.int64]:
        """The first vector of each pixel, in row-major order."""
        rows, columns = np.meshgrid(np.arange(self.rows), np.arange(self.columns), indexing="ij")
        return (((rows + self.pads[0]) * self.row_pixels + columns + self.pads[2]) * self.vectors).reshape(-1)

    def places(self) -> NDArray[np.int64]:
        """The place of each element, in row-major order: its vector times the numbers in a lane, plus its part."""
        channels = np.arange(self.channels)
        return (self.pixel_places()[:, None] * self.kind.per + channels[None, :]).reshape(-1)

    def border_places(self) -> Places:
        """The vectors of the border, in order."""
        top, bottom, left, right = self.pads
        border = np.ones((top + self.rows + bottom, left + self.columns + right), np.bool_)
        border[top : top + self.rows, left : left + self.columns] = False
        return (np.flatnonzero(border)[:, None] * self.vectors + np.arange(self.vectors)).reshape(-1).astype(np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A node's result: its memory, and its shape, which a reshape may have changed."""

    storage: Storage
    shape: Shape

    @property
    def is_plain(self) -> bool:
        """Whether the memory has the shape's own pixels and channels."""
        rows, columns, channels = image(self.shape)
        return (self.storage.rows, self.storage.columns, self.storage.channels) == (rows, columns, channels)


def image(shape: Shape) -> tuple[int, int, int]:
    """Rows, columns and channels of any shape."""
    if len(shape) == 1:
        return 1, 1, shape[0]
    return prod(shape[:-2]), shape[-2], shape[-1]


@dataclass(slots=True)
class Life:
    """The first and the last step that need a tensor."""

    storage: Storage
    first: int
    last: int


def share_out(lives: list[Life], bytes_: int) -> int:
    """Allocate memory for every tensor; tensors that are not needed at the same time share memory.

    Returns the total size.
    """
    placed: dict[int, set[tuple[int, int]]] = {}  # by step: the memory that is in use there, from byte to byte
    total = 0
    for life in sorted(lives, key=lambda life: -life.storage.all_vectors):
        size = life.storage.all_vectors * life.storage.vector_bytes(bytes_)
        used = [placed.setdefault(step, set()) for step in range(life.first, life.last + 1)]
        at = 0
        for start, end in sorted(set[tuple[int, int]]().union(*used)):
            if start - at >= size:
                break
            at = max(at, end)
        life.storage.offset = at
        for one in used:
            one.add((at, at + size))
        total = max(total, at + size)
    return total
