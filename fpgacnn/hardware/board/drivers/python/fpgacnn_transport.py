"""Carry words to a board and back: an AXI DMA through its registers, a serial line, or the memory of a card.

fpgacnn copies this file beside `fpgacnn_board.py`. Python 3.10 or newer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class TransportError(Exception):
    """A transfer failed or took too long; the message has the state of the DMA in words."""


MM2S, S2MM = 0x00, 0x30
"""Registers of the two channels (PG021, AXI DMA in direct register mode)."""

CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 1 << 0, 1 << 2
HALTED, IDLE, COMPLETE = 1 << 0, 1 << 1, 1 << 12
ERRORS = {
    1 << 4: "internal error (a frame is longer than its buffer, or its length is 0)",
    1 << 5: "slave error (the memory answered with an error)",
    1 << 6: "decode error (there is no memory at this address)",
}
STATES = {
    HALTED: "halted",
    IDLE: "idle",
    1 << 3: "scatter-gather included",
    COMPLETE: "transfer complete",
    1 << 14: "error",
}
SHORTER_ANSWERS = 8
"""Answers of at most 7/8 of an event's words keep up with events that follow each other on a serial line."""

QUIET = 2
"""Events of zeros without an answer, after which the board awaits a new frame."""

RESET_SECONDS = 0.1
DRAIN_SECONDS = 0.05
MOST_DRAINED = 1000


def status_words(status: int) -> str:
    """A status register of the DMA in words."""
    found = [text for bit, text in {**STATES, **ERRORS}.items() if status & bit]
    return f"{status:#010x}: {', '.join(found) if found else 'running'}"


class Registers(Protocol):
    """Registers of 32 bits."""

    def read(self, offset: int) -> int:
        """The register at an offset in bytes."""

    def write(self, offset: int, value: int) -> None:
        """Write the register."""


class Buffer(Protocol):
    """Memory that the DMA reads and writes: words, their physical address, and the caches of the processor."""

    words: NDArray[np.unsignedinteger[Any]]
    address: int

    def to_device(self) -> None:
        """Write what the processor has in its caches."""

    def from_device(self) -> None:
        """Forget what the processor has in its caches."""


class DmaTransport:
    """An AXI DMA in direct register mode. Both buffers are allocated once, by `allocate(words)`.

    `led_gpio`: registers of the GPIO in front of the LEDs, if the bitstream has one.
    """

    led_gpio: Registers | None = None

    def __init__(
        self, registers: Registers, allocate: Callable[[int], Buffer], *, words: int, flush: NDArray[Any]
    ) -> None:
        """`words`: of the largest frame; `flush`: the words of one event, all zero, which end a damaged one."""
        self.words, self._registers, self._flush = words, registers, flush
        self._given, self._taken = allocate(words), allocate(words)
        self.word_bytes = self._given.words.dtype.itemsize
        self._lock = threading.Lock()
        self._reset()

    def exchange(self, frame: NDArray[Any], answers: int, seconds: float) -> NDArray[Any]:
        """Send a frame and return `answers` words.

        Raises TransportError after `seconds`, for an error of the DMA, and for an answer of another length.
        """
        if not 0 < len(frame) <= self.words or not 0 < answers <= self.words:
            raise TransportError(f"a frame of {len(frame)} and {answers} words does not fit buffers of {self.words}")
        with self._alone():
            self._given.words[: len(frame)] = frame
            self._given.to_device()
            self._start(S2MM, self._taken, answers)
            self._start(MM2S, self._given, len(frame))
            self._wait(MM2S, "sending", seconds)
            self._wait(S2MM, "receiving", seconds)
            received = self._registers.read(S2MM + LENGTH)
            if received != answers * self.word_bytes:
                raise TransportError(
                    f"the answer has {received} bytes, not {answers * self.word_bytes}: a frame was cut"
                )
            self._taken.from_device()
            return self._taken.words[:answers].copy()

    def recover(self) -> None:
        """End the event that the network has begun, and take the answers that wait in the streams.

        Raises TransportError if the DMA does not become free.
        """
        with self._alone():
            self._reset()
            self._start(S2MM, self._taken, self.words)
            self._given.words[: len(self._flush)] = self._flush
            self._given.to_device()
            self._start(MM2S, self._given, len(self._flush))
            self._wait(MM2S, "recovering", RESET_SECONDS * 10)
            for _ in range(MOST_DRAINED):
                try:
                    self._wait(S2MM, "recovering", DRAIN_SECONDS)
                except TransportError:
                    break  # no answer is left
                self._start(S2MM, self._taken, self.words)
            self._reset()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a second exchange while one runs: its answers would be mixed with the first one's."""
        if not self._lock.acquire(blocking=False):
            raise TransportError("another exchange runs on this DMA; a DMA carries one frame at a time")
        try:
            yield
        finally:
            self._lock.release()

    def _reset(self) -> None:
        """Reset both channels (one reset bit is for the whole DMA), and start them."""
        self._registers.write(MM2S + CONTROL, RESET)
        end = time.monotonic() + RESET_SECONDS
        while self._registers.read(MM2S + CONTROL) & RESET:
            if time.monotonic() > end:
                raise TransportError("the DMA does not end its reset: is the bitstream of this folder loaded?")
        for channel in (MM2S, S2MM):
            self._registers.write(channel + CONTROL, RUN)

    def _start(self, channel: int, buffer: Buffer, words: int) -> None:
        """Start a transfer; writing the length starts it."""
        self._registers.write(channel + STATUS, COMPLETE)  # clears the interrupt of the transfer before
        self._registers.write(channel + ADDRESS, buffer.address & 0xFFFFFFFF)
        self._registers.write(channel + ADDRESS_HIGH, buffer.address >> 32)
        self._registers.write(channel + LENGTH, words * self.word_bytes)

    def _wait(self, channel: int, what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            status = self._registers.read(channel + STATUS)
            if any(status & bit for bit in ERRORS):
                raise TransportError(f"{what} failed: {self._both()}")
            if status & IDLE:
                return
            if time.monotonic() > end:
                raise TransportError(f"{what} took longer than {seconds:g} s: {self._both()}")

    def _both(self) -> str:
        sent, received = (self._registers.read(channel + STATUS) for channel in (MM2S, S2MM))
        return f"DMA to the network {status_words(sent)}; DMA from the network {status_words(received)}"


class _PynqBuffer:
    """A buffer of PYNQ, which the processor does not cache."""

    def __init__(self, words: Any) -> None:
        self.words, self.address = words, int(words.physical_address)

    def to_device(self) -> None:
        self.words.flush()

    def from_device(self) -> None:
        self.words.invalidate()


def open_pynq(bitstream: str | Path, *, word_bytes: int, words: int, words_in: int) -> DmaTransport:
    """Load a bitstream with PYNQ and open its DMA, and the GPIO of its LEDs."""
    import pynq

    overlay = pynq.Overlay(str(bitstream))
    place = overlay.ip_dict["dma"]
    registers = pynq.MMIO(place["phys_addr"], place["addr_range"])
    kind = np.dtype(f"<u{word_bytes}")

    def allocate(count: int) -> Buffer:
        return _PynqBuffer(pynq.allocate(shape=(count,), dtype=kind))

    made = DmaTransport(registers, allocate, words=words, flush=np.zeros(words_in, kind))
    leds = overlay.ip_dict.get("led_gpio")
    if leds is not None:
        made.led_gpio = pynq.MMIO(leds["phys_addr"], leds["addr_range"])
    return made


GPIO_DATA = 0x00
"""Register of an AXI GPIO with its outputs (PG144)."""


class GpioLeds:
    """LEDs of the FPGA, behind an AXI GPIO."""

    def __init__(self, registers: Registers, count: int) -> None:
        self.count, self._registers = count, registers

    def write(self, number: int) -> None:
        """Show a number, the lowest bit at the first LED."""
        self._registers.write(GPIO_DATA, number)


class LinuxLeds:
    """LEDs of the processor, by their names below /sys/class/leds. Linux uses them no more until the next boot."""

    def __init__(self, names: Sequence[str], folder: Path = Path("/sys/class/leds")) -> None:
        self.count, self._places = len(names), [folder / name for name in names]
        for place in self._places:
            self._set(place, "trigger", "none")

    def write(self, number: int) -> None:
        """Show a number, the lowest bit at the first LED."""
        for bit, place in enumerate(self._places):
            self._set(place, "brightness", str(number >> bit & 1))

    def _set(self, place: Path, name: str, text: str) -> None:
        try:
            (place / name).write_text(text)
        except OSError as error:
            raise TransportError(f"LED {place}: {error.strerror or error}; show needs root and this board") from error


MAGIC = 0xA5


class SerialLine(Protocol):
    """What pyserial's Serial has."""

    timeout: float | None

    def write(self, data: bytes) -> int | None:
        """Send bytes."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, fewer after the timeout."""

    def reset_input_buffer(self) -> None:
        """Forget what was received."""


class UartTransport:
    """A serial line to fpgacnn_uart.v: a byte, the number of words, the words.

    The bridge cannot make the host wait. Where answers are not clearly shorter than events, the line back would be the
    slower one, and words would get lost: then the next event is sent only when the last answer is here.
    """

    def __init__(self, line: SerialLine, *, words: int, words_in: int) -> None:
        self.words, self._line, self._words_in = words, line, words_in
        self._answer, self._together = 0, 1  # words of an event's answer, and events that are sent together

    def exchange(self, frame: NDArray[Any], answers: int, seconds: float) -> NDArray[Any]:
        """Send a frame and return `answers` words.

        Raises TransportError for an answer that is too short after `seconds`.
        """
        self._line.timeout = seconds
        events, sent = max(1, len(frame) // self._words_in), np.ascontiguousarray(frame, "<u4").tobytes()
        self._answer = answers // events
        self._together = events if SHORTER_ANSWERS * self._answer <= (SHORTER_ANSWERS - 1) * self._words_in else 1
        size = 4 * self._words_in * self._together
        head, data = bytes([MAGIC]) + len(frame).to_bytes(4, "little"), b""
        for first in range(0, len(sent), size):
            self._line.write((head if first == 0 else b"") + sent[first : first + size])
            wanted = min(4 * answers, 4 * self._answer * self._together * (first // size + 1))
            data += self._line.read(wanted - len(data))
            if len(data) != wanted:
                raise TransportError(f"the board answered with {len(data)} of {wanted} bytes within {seconds:g} s")
        return np.frombuffer(data, "<u4").copy()

    def recover(self) -> None:
        """End the frame and the event that the board has begun, and forget its answers."""
        self._line.timeout = DRAIN_SECONDS
        size, quiet = 4 * self._words_in * self._together, 0
        for _ in range(0, 4 * self.words + 2 * size, size):  # the rest of a frame, or bytes that are ignored
            self._line.write(bytes(size))
            quiet = 0 if self._line.read(4 * self._answer * self._together) else quiet + 1
            if quiet == QUIET:
                break
        self._drain()
        zeros = bytes(4 * self._words_in)
        self._line.write(bytes([MAGIC]) + self._words_in.to_bytes(4, "little") + zeros)
        self._drain()
        self._line.reset_input_buffer()

    def _drain(self) -> None:
        """Read until nothing comes any more."""
        for _ in range(MOST_DRAINED):
            if not self._line.read(1 << 16):
                break


def open_uart(port: str, *, baud: int, words: int, words_in: int) -> UartTransport:
    """Open a serial port with pyserial."""
    import serial

    return UartTransport(serial.Serial(port, baud), words=words, words_in=words_in)


class XrtTransport:
    """A card through XRT's Python module. The kernel reads a frame in the card's memory, and writes the answers."""

    def __init__(self, xrt: Any, bitstream: str | Path, *, word_bytes: int, words: int, words_in: int) -> None:
        self.words, self._xrt, self._words_in = words, xrt, words_in
        device = xrt.device(0)
        uuid = device.load_xclbin(xrt.xclbin(str(bitstream)))
        self._kernel = xrt.kernel(device, uuid, "fpgacnn_memory", xrt.kernel.shared)
        kind = np.dtype(f"<u{word_bytes}")
        size = words * word_bytes
        self._objects = [xrt.bo(device, size, xrt.bo.normal, self._kernel.group_id(place)) for place in (0, 1)]
        self._given, self._taken = (np.frombuffer(one.map(), kind, words) for one in self._objects)

    def exchange(self, frame: NDArray[Any], answers: int, seconds: float) -> NDArray[Any]:
        """Run the kernel on a frame and return `answers` words.

        Raises TransportError if it does not end within `seconds`.
        """
        events = len(frame) // self._words_in
        self._given[: len(frame)] = frame
        directions = self._xrt.xclBOSyncDirection
        self._objects[0].sync(directions.XCL_BO_SYNC_BO_TO_DEVICE, frame.nbytes, 0)
        state = self._kernel(self._objects[0], self._objects[1], events).wait(max(1, round(1000 * seconds)))
        if state != self._xrt.ert_cmd_state.ERT_CMD_STATE_COMPLETED:
            raise TransportError(f"the kernel did not end within {seconds:g} s: {state}")
        self._objects[1].sync(directions.XCL_BO_SYNC_BO_FROM_DEVICE, answers * self._taken.itemsize, 0)
        return self._taken[:answers].copy()

    def recover(self) -> None:
        """Nothing is left of a frame in a kernel that has ended; one that hangs needs `xbutil reset`."""


def open_xrt(bitstream: str | Path, *, word_bytes: int, words: int, words_in: int) -> XrtTransport:
    """Load a bitstream on the first card."""
    import pyxrt

    return XrtTransport(pyxrt, bitstream, word_bytes=word_bytes, words=words, words_in=words_in)
