"""How the codes of an event lie in the words of an AXI4-Stream, and back.

An event is a row of words. The words of every input follow each other in the order of the network's inputs, and so do
those of every output, which a status of 64 bits ends. A code lies in a lane of 8, 16, 32 or 64 bits, with its sign
extended; a word holds as many lanes as fit, the first one in its lowest bits. Values that enter the hardware together
(a pixel of a stream; all values of an array) are a group; a group begins at a lane whose number is a multiple of its
padded size, so that no group is torn between two words unless it is longer than a word. The lanes between are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.errors import BoardRefusedError
from fpgacnn.ir.fixed_point import CodeArray, Format
from fpgacnn.ir.source import Shape

LANES = (8, 16, 32, 64)
WORDS = (32, 64)
STATUS_BITS = 64
SHORT, PARTIAL = 1, 2
"""Bits of the status: TLAST came before the event was complete; a word came without all of its bytes (TKEEP)."""

MAX_EVENT_WORDS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PortWords:
    """One input or output in words: `groups` of `channels` values each, padded to `padded` lanes of `lane_bits`."""

    node: str
    source: str
    shape: Shape
    format: Format
    groups: int
    channels: int
    word_bits: int

    @property
    def count(self) -> int:
        """Values of an event."""
        return self.groups * self.channels

    @property
    def lane_bits(self) -> int:
        """Bits of the lane that a code lies in."""
        return next(bits for bits in LANES if bits >= self.format.width)

    @property
    def beats(self) -> int:
        """Words that one lane needs: more than one if it is wider than a word."""
        return max(1, self.lane_bits // self.word_bits)

    @property
    def lanes(self) -> int:
        """Lanes of a word; 1 if a lane needs several words."""
        return max(1, self.word_bits // self.lane_bits)

    @property
    def padded(self) -> int:
        """Lanes of a group: a divisor of the lanes of a word, or whole words."""
        if self.channels > self.lanes:
            return -(-self.channels // self.lanes) * self.lanes
        return next(size for size in range(self.channels, self.lanes + 1) if self.lanes % size == 0)

    @property
    def words(self) -> int:
        """Words of an event."""
        return -(-self.groups * self.padded // self.lanes) * self.beats

    def pack(self, codes: CodeArray) -> NDArray[np.uint8]:
        """The bytes (events, words * bytes of a word) of codes (events, ...shape)."""
        events = len(codes)
        grouped = np.zeros((events, self.groups, self.padded), f"<i{self.lane_bits // 8}")
        grouped[:, :, : self.channels] = codes.reshape(events, self.groups, self.channels)
        row = np.zeros((events, self.words * self.word_bits // 8), np.uint8)
        flat = grouped.reshape(events, -1).view(np.uint8)
        row[:, : flat.shape[1]] = flat
        return row

    def unpack(self, row: NDArray[np.uint8]) -> CodeArray:
        """Codes (events, ...shape) from the bytes of `pack`."""
        events = len(row)
        used = self.groups * self.padded * self.lane_bits // 8
        lanes = np.ascontiguousarray(row[:, :used]).view(f"<i{self.lane_bits // 8}")
        codes = lanes.reshape(events, self.groups, self.padded)[:, :, : self.channels].astype(np.int64)
        return codes.reshape(events, *self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The words of an event. `identity`: 32 bits of the project's digest, which every status repeats."""

    word_bits: int
    inputs: tuple[PortWords, ...]
    outputs: tuple[PortWords, ...]
    identity: int

    @property
    def status_words(self) -> int:
        """Words of the status at the end of every answer."""
        return STATUS_BITS // self.word_bits

    @property
    def words_in(self) -> int:
        """Words of an event's inputs."""
        return sum(port.words for port in self.inputs)

    @property
    def words_out(self) -> int:
        """Words of an event's answer, with its status."""
        return sum(port.words for port in self.outputs) + self.status_words

    def pack(self, codes: tuple[CodeArray, ...]) -> NDArray[np.uint64]:
        """Words (events, words_in) of the inputs."""
        parts = [port.pack(array) for port, array in zip(self.inputs, codes, strict=True)]
        return self._words(np.concatenate(parts, axis=1))

    def unpack(self, words: NDArray[np.uint64]) -> tuple[tuple[CodeArray, ...], NDArray[np.uint64]]:
        """Codes of every output, and the status (events,), of words (events, words_out)."""
        row = np.ascontiguousarray(words.astype(f"<u{self.word_bits // 8}")).view(np.uint8)
        ends = np.cumsum([port.words * self.word_bits // 8 for port in self.outputs])
        *parts, last = np.split(row, ends, axis=1)
        status = np.ascontiguousarray(last).view("<u8")[:, 0].astype(np.uint64)
        return tuple(port.unpack(part) for port, part in zip(self.outputs, parts, strict=True)), status

    def status(self, numbers: NDArray[np.int64], errors: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The status of events of these numbers within their frames."""
        low = (numbers & 0xFFFF) << 16 | errors
        return low.astype(np.uint64) | np.uint64(self.identity << 32)

    def _words(self, row: NDArray[np.uint8]) -> NDArray[np.uint64]:
        return np.ascontiguousarray(row).view(f"<u{self.word_bits // 8}").astype(np.uint64)


def layout_of(design: Design, channels: Sequence[int | None], digest: str, word_bits: int) -> Layout:
    """The words of a design's events, for streams of `word_bits`; `digest`: of the project's files, in hexadecimal.

    `channels`: values of one word of each input and output in the C++; None for an array of all values. Raises
    BoardRefusedError for an event that is too long.
    """
    nodes = (*design.model.inputs, *design.model.outputs)
    ports = [_port(design, node, size, word_bits) for node, size in zip(nodes, channels, strict=True)]
    count = len(design.model.inputs)
    found = Layout(
        word_bits=word_bits,
        inputs=tuple(ports[:count]),
        outputs=tuple(ports[count:]),
        identity=int(digest[:8], 16),
    )
    longest = max(found.words_in, found.words_out)
    if longest > MAX_EVENT_WORDS:
        raise BoardRefusedError(
            what="the wrapper", why=f"an event has {longest:,} words, more than {MAX_EVENT_WORDS:,}"
        )
    return found


def _port(design: Design, node: str, channels: int | None, word_bits: int) -> PortWords:
    layer = design.model.layer(node)
    count = prod(layer.shape)
    size = count if channels is None else channels
    return PortWords(
        node=node,
        source=layer.source,
        shape=layer.shape,
        format=design.plan.layers[node].result.format,
        groups=count // size,
        channels=size,
        word_bits=word_bits,
    )
