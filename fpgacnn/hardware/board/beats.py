"""Words into the wrapper of a board and out of it, in a simulation: frames, and what is wrong with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import WrapperFrameError, WriteError
from fpgacnn.hardware.board.layout import Layout
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.sim.result import SimulationResult
from fpgacnn.system.files.regular import read_regular

FRAMES = (1, 2, 3, 7, 16, 64)
"""Events of the frames that are sent, in turns."""

SEED = 1
SENT, ANSWERED = "in.bin", "out.bin"
"""Files of beats that a simulation reads and writes."""

BEAT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """Words of a stream with their TLAST and TKEEP: `data` (beats,), `last` (beats,), `keep` (beats,)."""

    data: NDArray[np.uint64]
    last: NDArray[np.bool_]
    keep: NDArray[np.uint64]

    def packed(self) -> bytes:
        """As the simulation reads them: pairs of 64-bit numbers."""
        return np.stack([self.data, self.last.astype(np.uint64) | self.keep << np.uint64(8)], axis=1).tobytes()

    @staticmethod
    def unpacked(data: bytes) -> Beats:
        """Beats as a simulation writes them."""
        pairs = np.frombuffer(data, np.uint64).reshape(-1, 2)
        flags = pairs[:, 1]
        return Beats(data=pairs[:, 0].copy(), last=(flags & np.uint64(1)).astype(np.bool_), keep=flags >> np.uint64(8))


def frames_of(events: int) -> list[int]:
    """The sizes of frames for a number of events."""
    sizes: list[int] = []
    while (left := events - sum(sizes)) > 0:
        sizes.append(min(FRAMES[len(sizes) % len(FRAMES)], left))
    return sizes


def beats_of(words: NDArray[np.uint64], sizes: Sequence[int], word_bits: int) -> Beats:
    """The beats of whole events (events, words) in frames of `sizes` events."""
    last = np.zeros(words.shape, np.bool_)
    last[np.cumsum(sizes) - 1, -1] = True
    keep = np.full(words.size, (1 << word_bits // 8) - 1, np.uint64)
    return Beats(data=words.reshape(-1), last=last.reshape(-1), keep=keep)


class WrapperSimulation(ABC):
    """The wrapper of one board around one project, in a simulation."""

    def __init__(self, layout: Layout, board: str) -> None:
        self.layout, self.board = layout, board

    @abstractmethod
    def run_beats(self, beats: Beats, events: int, *, seed: int = SEED, memory: bool = False) -> Beats:
        """The wrapper's answer to beats, which are `events` events, damaged ones counted.

        `memory`: through the kernel on memory, where the wrapper has one. Raises WrapperFrameError if the wrapper stops
        or leaves words, and the errors of the simulation.
        """

    def send(self, beats: Beats, here: Path) -> None:
        """Write beats for a simulation that runs in a folder.

        Raises WriteError.
        """
        try:
            (here / SENT).write_bytes(beats.packed())
        except OSError as error:
            raise WriteError(file=here / SENT, why=error.strerror or str(error)) from error

    def received(self, here: Path, events: int, way: str) -> Beats:
        """The answers to events that a simulation has written; `way`: the module or function that gave them.

        Raises OSError, WrapperFrameError for another number of answers.
        """
        wanted = events * self.layout.words_out * BEAT_BYTES
        answer = read_regular(here / ANSWERED, limit=wanted)
        if len(answer) != wanted:
            raise WrapperFrameError(board=self.board, why=f"{way} gives {len(answer)} of {wanted} bytes")
        return Beats.unpacked(answer)

    def words(self, inputs: Sequence[Codes]) -> NDArray[np.uint64]:
        """The words (events, words of an event) of codes."""
        return self.layout.pack(tuple(one.array for one in inputs))

    def run(self, inputs: Sequence[Codes]) -> SimulationResult:
        """Send events in frames, with random pauses.

        Raises WrapperFrameError if status, TLAST or TKEEP of an answer are wrong.
        """
        events = len(inputs[0].array)
        sizes = frames_of(events)
        found = self.run_beats(beats_of(self.words(inputs), sizes, self.layout.word_bits), events)
        return self._result(found, sizes, "wrapper with stalls")

    def run_memory(self, inputs: Sequence[Codes]) -> SimulationResult:
        """Send events through the kernel on memory, as one frame.

        Raises WrapperFrameError as `run`.
        """
        events = len(inputs[0].array)
        beats = beats_of(self.words(inputs), [events], self.layout.word_bits)
        return self._result(self.run_beats(beats, events, memory=True), [events], "kernel on memory")

    def _result(self, found: Beats, sizes: Sequence[int], engine: str) -> SimulationResult:
        problem = next(broken_frames(found, sizes, self.layout), None)
        if problem:
            raise WrapperFrameError(board=self.board, why=problem)
        outputs, _ = self.layout.unpack(found.data.reshape(-1, self.layout.words_out))
        pairs = zip(self.layout.outputs, outputs, strict=True)
        codes = {port.node: Codes(array=array, format=port.format) for port, array in pairs}
        return SimulationResult(engine=engine, outputs=codes, trace={})


def broken_frames(found: Beats, sizes: Sequence[int], layout: Layout) -> Iterator[str]:
    """What is wrong with the status, TLAST and TKEEP of answers to undamaged frames of `sizes` events."""
    events = sum(sizes)
    last = np.zeros((events, layout.words_out), np.bool_)
    last[np.cumsum(sizes) - 1, -1] = True
    if (found.last != last.reshape(-1)).any():
        place = int((found.last != last.reshape(-1)).argmax())
        yield f"TLAST of word {place} is {int(found.last[place])}"
    if (found.keep != np.uint64((1 << layout.word_bits // 8) - 1)).any():
        yield "a word lacks bytes (TKEEP)"
    _, status = layout.unpack(found.data.reshape(-1, layout.words_out))
    numbers = np.concatenate([np.arange(size) for size in sizes]).astype(np.int64)
    wanted = layout.status(numbers, np.zeros(events, np.int64))
    if (status != wanted).any():
        event = int((status != wanted).argmax())
        yield f"the status of event {event} is {int(status[event]):#018x}, not {int(wanted[event]):#018x}"
