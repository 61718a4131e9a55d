"""Run a network on its board: real numbers in, values and codes out. Needs NumPy only; a transport carries the words.

fpgacnn copies this file beside `board.json`, which describes the words of an event, and `vectors.npz`, events with the
codes that the design must answer. Python 3.10 or newer.
"""

from __future__ import annotations

import json
import operator
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SCHEMA = 1
SHORT, PARTIAL = 1, 2
ERRORS = {SHORT: "TLAST came before its end", PARTIAL: "a word came without all of its bytes (TKEEP)"}
NUMBERS = 1 << 16
"""Events of a frame are numbered modulo this."""

FLOATS = {"float32", "float64", "float16", "bfloat16"}


class BoardError(Exception):
    """What goes wrong between the driver and the board."""


class EventsError(ValueError):
    """The events do not fit the design: shape, range or element type."""


class Transport(Protocol):
    """Carries frames of words to the board and the answers back."""

    words: int
    """Largest number of words of a frame in either direction."""

    def exchange(self, frame: NDArray[np.unsignedinteger[Any]], answers: int, seconds: float) -> Any:
        """Send the words of a frame, and return `answers` words. Raises BoardError, also after `seconds`."""

    def recover(self) -> None:
        """Bring the board to the beginning of an event after an exchange that failed."""


class Leds(Protocol):
    """User LEDs of the board."""

    count: int

    def write(self, number: int) -> None:
        """Show a number of `count` bits, the lowest bit at the first LED."""


@dataclass(frozen=True)
class BoardAnswers:
    """BoardAnswers to events: for each output its values (float64) and its integer codes, (events, ...shape)."""

    values: Mapping[str, NDArray[np.float64]]
    codes: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class BoardPort:
    """One input or output as `board.json` describes it."""

    name: str
    shape: tuple[int, ...]
    width: int
    fraction: int
    signed: bool
    rounding: str
    overflow: str
    element: str
    exact: bool
    groups: int
    channels: int
    padded: int
    lane_bits: int
    words: int

    @property
    def low(self) -> int:
        """Smallest code."""
        return (-(1 << (self.width - 1)) + (self.overflow == "SAT_SYM")) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest code."""
        return (1 << (self.width - self.signed)) - 1

    def pack(self, codes: NDArray[np.int64], word_bytes: int) -> NDArray[np.uint8]:
        """The bytes of codes (events, ...shape): lanes of `lane_bits`, groups padded to `padded` lanes."""
        lanes = np.zeros((len(codes), self.groups, self.padded), f"<i{self.lane_bits // 8}")
        lanes[:, :, : self.channels] = codes.reshape(len(codes), self.groups, self.channels)
        row = np.zeros((len(codes), self.words * word_bytes), np.uint8)
        used = lanes.reshape(len(codes), -1).view(np.uint8)
        row[:, : used.shape[1]] = used
        return row

    def unpack(self, row: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Codes (events, ...shape) from bytes (events, bytes)."""
        used = self.groups * self.padded * self.lane_bits // 8
        lanes = np.ascontiguousarray(row[:, :used]).view(f"<i{self.lane_bits // 8}")
        codes = lanes.reshape(len(row), self.groups, self.padded)[:, :, : self.channels]
        return codes.astype(np.int64).reshape(len(row), *self.shape)


def stored(port: BoardPort, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values as the element type of the model file stores them.

    Raises EventsError for a number that it cannot hold.
    """
    if not np.isfinite(values).all():
        raise EventsError(f"input {port.name}: a value is not finite")
    if port.element == "float16":
        with np.errstate(over="ignore"):
            short = values.astype(np.float16).astype(np.float64)
        if not np.isfinite(short).all():
            raise EventsError(f"input {port.name}: {values[~np.isfinite(short)][0]:.10g} is no float16")
        return short
    if port.element == "bfloat16":
        mantissa, exponent = np.frexp(values)
        return np.ldexp(np.rint(np.ldexp(mantissa, 8)), exponent - 8)
    if port.element not in FLOATS:
        low, high = whole_range(port.element)
        wrong = (values != np.floor(values)) | (values < low) | (values > high)
        if wrong.any():
            raise EventsError(f"input {port.name}: {values[wrong][0]:.10g} is no {port.element}")
    return values


def whole_range(element: str) -> tuple[int, int]:
    """Smallest and largest value of a type of whole numbers: bool, int4 to int64, uint4 to uint64."""
    if element == "bool":
        return 0, 1
    bits = int(element.lstrip("uint"))
    return (0, (1 << bits) - 1) if element.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def quantized(port: BoardPort, given: NDArray[np.float64]) -> NDArray[np.int64]:
    """Codes of real numbers: rounded, then limited, as the design's input format says.

    Raises EventsError: an input of whole numbers is neither rounded nor limited, if the network does not do so itself.
    """
    values = stored(port, given)
    if port.exact:
        scaled = np.ldexp(values, port.fraction)
        wrong = (scaled != np.floor(scaled)) | (scaled < port.low) | (scaled > port.high)
        if wrong.any():
            raise EventsError(f"input {port.name}: {values[wrong][0]:.10g} is outside of the design's input")
    mantissa, exponent = np.frexp(values)
    digits = np.ldexp(mantissa, 53).astype(np.int64)
    places = 53 - port.fraction - exponent.astype(np.int64)  # bits that are cut off; negative: zeros that are added
    right = np.clip(places, 0, 62)
    quarters = (digits << 2) >> right
    lost = (quarters << right) != (digits << 2)
    return limited(port, lifted(port, rounded(port.rounding, quarters | lost), np.maximum(-places, 0)))


def rounded(rounding: str, quarters: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers from quarters; the lowest bit stands for all that is below one half."""
    floor, half, below = quarters >> 2, quarters >> 1 & 1, quarters & 1
    negative = (quarters < 0).astype(np.int64)
    up = {
        "TRN": half & 0,
        "TRN_ZERO": negative & (half | below),
        "RND": half,
        "RND_ZERO": half & (negative | below),
        "RND_INF": half & ((1 - negative) | below),
        "RND_MIN_INF": half & below,
        "RND_CONV": half & (floor & 1 | below),
    }
    return floor + up[rounding]


def lifted(port: BoardPort, codes: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes shifted left; what would leave 64 bits is beyond every format, or wraps."""
    if port.overflow == "WRAP":
        return np.where(places > 62, 0, codes << np.minimum(places, 62))
    places = np.minimum(places, 62)
    beyond = np.left_shift(np.int64(1), 62 - places)
    return np.clip(codes, -beyond, beyond) << places


def limited(port: BoardPort, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes within the format."""
    if port.overflow == "WRAP":
        wrapped = codes & ((1 << port.width) - 1)
        return np.where(wrapped > port.high, wrapped - (1 << port.width), wrapped)
    if port.overflow == "SAT_ZERO":
        return np.where((codes < port.low) | (codes > port.high), 0, codes)
    return np.clip(codes, port.low, port.high)


class BoardNetwork:
    """The network on its board. `folder` holds `board.json` and `vectors.npz`."""

    def __init__(
        self, folder: str | Path, transport: Transport, *, timeout_s: float = 2.0, leds: Leds | None = None
    ) -> None:
        self.folder, self.transport, self.timeout_s, self.leds = Path(folder), transport, timeout_s, leds
        design = json.loads((self.folder / "board.json").read_text(encoding="utf-8"))
        if design.get("schema") != SCHEMA:
            raise BoardError(f"board.json has schema {design.get('schema')!r}; this driver reads {SCHEMA}")
        self.inputs, self.outputs = _ports(design["inputs"]), _ports(design["outputs"])
        self.word_bytes: int = design["word_bits"] // 8
        self.words_in: int = design["words_in"]
        self.words_out: int = design["words_out"]
        self.identity: int = design["identity"]
        self.batch = min(transport.words // max(self.words_in, self.words_out), NUMBERS)
        if self.batch < 1:
            raise BoardError(f"an event has {max(self.words_in, self.words_out)} words, a frame only {transport.words}")
        self._damaged = False

    def predict(self, x: Any) -> BoardAnswers:
        """The answers to events: an array (events, ...shape), or one for each input in order or by name.

        Raises EventsError for a wrong shape or value, BoardError if the board does not answer in time or wrongly.
        """
        return self.run_codes([quantized(port, given) for port, given in zip(self.inputs, self._arrays(x))])

    def classes(self, answers: BoardAnswers, output: str | None = None) -> list[int]:
        """The class of each event: the place of the largest code of an output; of equal ones the first.

        Raises BoardError if the output is not named where there are several, or has a single value.
        """
        names = [port.name for port in self.outputs]
        if output is None and len(names) == 1:
            output = names[0]
        if output not in names:
            raise BoardError(f"which output has the classes? outputs: {', '.join(names)}")
        codes = answers.codes[output].reshape(len(answers.codes[output]), -1)
        if codes.shape[1] < 2:
            raise BoardError(f"output {output} has a single value, and classes need two")
        return [int(one) for one in codes.argmax(axis=1)]

    def show(self, class_index: int) -> None:
        """Show a class at the LEDs, in binary, the lowest bit at the first LED; bits without a LED are left out.

        Raises BoardError for a board without LEDs, EventsError for a negative number.
        """
        if self.leds is None:
            raise BoardError("this board has no LEDs that a program can write")
        class_index = operator.index(class_index)  # registers take Python's integers only
        if class_index < 0:
            raise EventsError(f"class {class_index} cannot be shown: classes begin with 0")
        self.leds.write(class_index & ((1 << self.leds.count) - 1))

    def run_codes(self, codes: Sequence[NDArray[np.int64]]) -> BoardAnswers:
        """The answers to integer codes (events, ...shape) of every input."""
        for port, given in zip(self.inputs, codes):
            if given.size and (given.min() < port.low or given.max() > port.high):
                raise EventsError(f"input {port.name}: codes are outside of {port.low} to {port.high}")
        events = len(codes[0])
        found = [np.empty((events, *port.shape), np.int64) for port in self.outputs]
        for first in range(0, events, self.batch):
            piece = slice(first, min(first + self.batch, events))
            for whole, some in zip(found, self._frame([one[piece] for one in codes], first)):
                whole[piece] = some
        named = {port.name: whole for port, whole in zip(self.outputs, found)}
        values = {
            port.name: np.ldexp(whole.astype(np.float64), -port.fraction) for port, whole in zip(self.outputs, found)
        }
        return BoardAnswers(values=values, codes=named)

    def _arrays(self, x: Any) -> list[NDArray[np.float64]]:
        if isinstance(x, Mapping):
            if set(x) != {port.name for port in self.inputs}:
                raise EventsError(f"inputs are {', '.join(port.name for port in self.inputs)}, not {', '.join(x)}")
            x = [x[port.name] for port in self.inputs]
        elif len(self.inputs) == 1 and not (isinstance(x, (list, tuple)) and len(x) == 1 and np.ndim(x[0]) > 1):
            x = [x]
        if len(x) != len(self.inputs):
            raise EventsError(f"the design has {len(self.inputs)} inputs, not {len(x)}")
        arrays = [np.asarray(one) for one in x]
        for port, one in zip(self.inputs, arrays):
            if one.dtype.kind not in "fiub":
                raise EventsError(f"input {port.name}: {one.dtype} are no real numbers")
            if one.shape[1:] != port.shape or one.ndim != len(port.shape) + 1:
                raise EventsError(
                    f"input {port.name}: shape {one.shape}, not (events, {', '.join(map(str, port.shape))})"
                )
            if len(one) != len(arrays[0]):
                raise EventsError(f"input {port.name}: {len(one)} events, not {len(arrays[0])}")
        return [np.asarray(one, np.float64) for one in arrays]

    def _frame(self, codes: Sequence[NDArray[np.int64]], first: int) -> list[NDArray[np.int64]]:
        """One frame; the status of every answer is compared with what it must be."""
        events = len(codes[0])
        rows = [port.pack(one, self.word_bytes) for port, one in zip(self.inputs, codes)]
        frame = np.ascontiguousarray(np.concatenate(rows, axis=1)).view(f"<u{self.word_bytes}").reshape(-1)
        if self._damaged:
            self.transport.recover()
        self._damaged = True  # until the answer is known to be whole
        words = self.transport.exchange(frame, events * self.words_out, self.timeout_s)
        row = np.ascontiguousarray(words, f"<u{self.word_bytes}").reshape(events, -1).view(np.uint8)
        status = np.ascontiguousarray(row[:, -8:]).view("<u8")[:, 0]
        self._check(status, first)
        self._damaged = False
        ends = np.cumsum([port.words * self.word_bytes for port in self.outputs])
        return [port.unpack(part) for port, part in zip(self.outputs, np.split(row[:, :-8], ends[:-1], axis=1))]

    def _check(self, status: NDArray[np.unsignedinteger[Any]], first: int) -> None:
        numbers = np.arange(len(status), dtype=np.uint64) % np.uint64(NUMBERS)
        wanted = np.uint64(self.identity) << np.uint64(32) | numbers << np.uint64(16)
        if (status == wanted).all():
            return
        place = int((status != wanted).argmax())
        seen = int(status[place])
        if seen >> 32 != self.identity:
            why = f"it is of another design ({seen >> 32:08x}, not {self.identity:08x}): load this folder's bitstream"
        elif seen & 0xFF:
            why = " and ".join(text for bit, text in ERRORS.items() if seen & bit) or f"unknown error {seen & 0xFF}"
        else:
            why = f"it belongs to event {seen >> 16 & 0xFFFF} of a frame, not to event {place}: answers are mixed"
        raise BoardError(f"the answer to event {first + place}: {why}")

    def self_test(self) -> int:
        """Compare every code of the golden vectors with the board's answer; returns the number of events.

        Raises BoardError with the first difference, or if there are no golden vectors.
        """
        with np.load(self.folder / "vectors.npz") as arrays:
            given = [arrays[f"input_{number}"] for number in range(len(self.inputs))]
            wanted = [arrays[f"output_{number}"].astype(np.int64) for number in range(len(self.outputs))]
        counts = {len(one) for one in (*given, *wanted)}
        if counts == {0}:
            raise BoardError("there are no golden vectors: vectors.npz has no events")
        if len(counts) > 1:
            raise BoardError("the golden vectors are cut short: inputs and outputs have different numbers of events")
        found = self.predict(dict(zip((port.name for port in self.inputs), given)))
        for port, one in zip(self.outputs, wanted):
            differs = found.codes[port.name] != one
            if differs.any():
                index = tuple(int(axis) for axis in np.unravel_index(int(differs.argmax()), differs.shape))
                seen = int(found.codes[port.name][index])
                raise BoardError(
                    f"output {port.name}, event {index[0]}, index {[*index[1:]]}: code {seen}, not {int(one[index])};"
                    f" {int(differs.sum())} of {differs.size} codes differ"
                )
        return len(given[0])

    def benchmark(self, events: int = 1000, repeats: int = 3) -> dict[str, float]:
        """Measure with the golden vectors, repeated: events per second in frames, and the time of a single event."""
        with np.load(self.folder / "vectors.npz") as arrays:
            few = [arrays[f"input_{number}"] for number in range(len(self.inputs))]
        codes = [quantized(port, np.resize(one, (events, *port.shape))) for port, one in zip(self.inputs, few)]
        rates, waits = [], []
        for _ in range(repeats):
            start = time.perf_counter()
            self.run_codes(codes)
            rates.append(events / (time.perf_counter() - start))
            start = time.perf_counter()
            self.run_codes([one[:1] for one in codes])
            waits.append(time.perf_counter() - start)
        return {"events_per_s": max(rates), "latency_us": 1e6 * min(waits), "events": float(events)}


def _ports(described: Sequence[Mapping[str, Any]]) -> list[BoardPort]:
    return [BoardPort(**{**one, "shape": tuple(one["shape"])}) for one in described]
