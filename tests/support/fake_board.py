"""A board without hardware: an AXI DMA as registers, and behind its streams the wrapper's frames with the emulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpgacnn.hardware.board.layout import PARTIAL, SHORT, Layout

Answer = Callable[[tuple[NDArray[np.int64], ...]], tuple[NDArray[np.int64], ...]]
"""Output codes (1, ...shape) of input codes (1, ...shape)."""

BASE = 0x1000_0000


@dataclass
class FakeNetwork:
    """The frames of the wrapper, as docs/board.md states them: words and TLAST in, words and TLAST out."""

    layout: Layout
    answer: Answer
    pending: list[int] = field(default_factory=list)
    errors: int = 0
    number: int = 0
    out: list[tuple[int, bool]] = field(default_factory=list)
    sends_last: bool = True

    def take(self, word: int, *, last: bool, whole: bool = True) -> None:
        """One word of the input stream."""
        self.pending.append(word)
        self.errors |= 0 if whole else PARTIAL
        if len(self.pending) == self.layout.words_in or last:
            self._end(last=last)

    def _end(self, *, last: bool) -> None:
        missing = self.layout.words_in - len(self.pending)
        errors = self.errors | (SHORT if missing else 0)
        words = np.array([[*self.pending, *[0] * missing]], np.uint64)
        codes = []
        place = 0
        for port in self.layout.inputs:
            row = words[:, place : place + port.words].astype(f"<u{self.layout.word_bits // 8}").view(np.uint8)
            wide = port.unpack(row)
            low = wide & ((1 << port.format.width) - 1)
            codes.append(np.where(low > port.format.high, low - (1 << port.format.width), low))
            place += port.words
        outputs = self.answer(tuple(codes))
        pairs = zip(self.layout.outputs, outputs, strict=True)
        row = np.concatenate([port.pack(one) for port, one in pairs], axis=1)
        status = self.layout.status(np.array([self.number]), np.array([errors])).astype("<u8")
        whole = np.concatenate([row[0], status.view(np.uint8)]).view(f"<u{self.layout.word_bits // 8}")
        self.out += [(int(word), False) for word in whole[:-1]] + [(int(whole[-1]), last and self.sends_last)]
        self.pending, self.errors, self.number = [], 0, 0 if last else self.number + 1


@dataclass
class FakeBuffer:
    words: NDArray[np.unsignedinteger[object]]
    address: int
    flushed: bool = False

    def to_device(self) -> None:
        self.flushed = True

    def from_device(self) -> None:
        pass


@dataclass
class FakeDma:
    """The registers of an AXI DMA in direct register mode (PG021), with memory at BASE.

    `drops`: words at the end of the next frame that get lost. `stuck`: the streams do not move. `slow`: reads of the
    status before an answer is there.
    """

    network: FakeNetwork
    drops: int = 0
    stuck: bool = False
    slow: int = 0
    fails: int = 0
    dead: bool = False
    registers: dict[int, int] = field(default_factory=dict)
    buffers: list[FakeBuffer] = field(default_factory=list)
    log: list[tuple[int, int]] = field(default_factory=list)

    def allocate(self, words: int) -> FakeBuffer:
        kind = f"<u{self.network.layout.word_bits // 8}"
        made = FakeBuffer(np.zeros(words, kind), BASE + 0x100_0000 * len(self.buffers))
        self.buffers.append(made)
        return made

    def read(self, offset: int) -> int:
        if offset in {0x04, 0x34}:
            self.slow = max(0, self.slow - 1)
            self._receive()
        return self.registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.log.append((offset, value))
        if offset in {0x00, 0x30} and value & 4:
            self.registers = {0x00: 4 if self.dead else 0, 0x04: 1, 0x34: 1}
            return
        if offset in {0x04, 0x34}:
            self.registers[offset] = self.registers.get(offset, 0) & ~(value & 0x7000)
            return
        self.registers[offset] = value
        if offset in {0x00, 0x30} and value & 1:
            self.registers[offset + 4] = 0
        elif offset == 0x28:
            self._send(value)
        elif offset == 0x58:
            self.registers[0x34] = self.fails
            self.registers["armed"] = value  # type: ignore[index]
            self._receive()

    def _buffer(self, low: int, high: int) -> FakeBuffer:
        address = self.registers[low] | self.registers.get(high, 0) << 32
        (found,) = [one for one in self.buffers if one.address == address]
        return found

    def _send(self, size: int) -> None:
        self.registers[0x04] = 0
        if self.stuck:
            return
        buffer = self._buffer(0x18, 0x1C)
        assert buffer.flushed, "the processor's caches were not written"
        words = [int(word) for word in buffer.words[: size // buffer.words.itemsize]]
        kept = words[: len(words) - self.drops] if self.drops else words
        self.drops = 0
        for place, word in enumerate(kept):
            self.network.take(word, last=place == len(kept) - 1)
        self.registers[0x04] = 0x1002
        self._receive()

    def _receive(self) -> None:
        armed = self.registers.get("armed", 0)  # type: ignore[call-overload]
        ends = [place for place, (_, last) in enumerate(self.network.out) if last]
        if not armed or self.slow or not ends or self.registers.get(0x34, 0) & 0x70:
            return
        buffer = self._buffer(0x48, 0x4C)
        count = ends[0] + 1
        words = [word for word, _ in self.network.out[:count]]
        del self.network.out[:count]
        self.registers.pop("armed")  # type: ignore[call-overload]
        size = buffer.words.itemsize
        if count * size > armed:
            self.registers[0x34] = 0x10 | 0x4001
            return
        buffer.words[:count] = words
        self.registers[0x58] = count * size
        self.registers[0x34] = 0x1002


@dataclass
class FakeSerial:
    """A serial line to fpgacnn_uart.v, as its comment states the protocol. `cuts`: bytes that get lost on the way.

    A byte comes back in the time of one that goes there. The wrapper does not take a word that completes an event while
    more than two words of the last answer wait for the line, and the next word replaces it: the host cannot be stopped.
    """

    network: FakeNetwork
    timeout: float | None = None
    received: bytearray = field(default_factory=bytearray)
    answers: bytearray = field(default_factory=bytearray)
    left: int = 0
    head: bytearray = field(default_factory=bytearray)
    word: bytearray = field(default_factory=bytearray)
    cuts: int = 0
    waiting: bytearray = field(default_factory=bytearray)
    held: tuple[int, bool] | None = None
    overruns: int = 0

    def write(self, data: bytes) -> int:
        for byte in data[: len(data) - self.cuts]:
            self._byte(byte)
        self.cuts = 0
        return len(data)

    def _byte(self, byte: int) -> None:
        self.answers += self.waiting[:1]
        del self.waiting[:1]
        self._deliver()
        if self.left:
            self.word.append(byte)
            if len(self.word) == 4:
                self.left -= 1
                self.overruns += self.held is not None
                self.held = int.from_bytes(self.word, "little"), self.left == 0
                self.word.clear()
                self._deliver()
        elif self.head:
            self.head.append(byte)
            if len(self.head) == 5:
                self.left = int.from_bytes(self.head[1:], "little")
                self.head.clear()
        elif byte == 0xA5:
            self.head.append(byte)

    def _deliver(self) -> None:
        """The word of the bridge goes to the network, if that takes it."""
        if self.held is None:
            return
        word, last = self.held
        ends = len(self.network.pending) + 1 == self.network.layout.words_in or last
        if not ends or len(self.waiting) <= 8:
            self.network.take(word, last=last)
            self.waiting += b"".join(one.to_bytes(4, "little") for one, _ in self.network.out)
            self.network.out.clear()
            self.held = None

    def read(self, size: int) -> bytes:
        for _ in range(2):
            self.answers += self.waiting
            self.waiting.clear()
            self._deliver()
        found = bytes(self.answers[:size])
        del self.answers[:size]
        return found

    def reset_input_buffer(self) -> None:
        self.answers.clear()
