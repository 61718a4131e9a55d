"""Schedules of hls4ml's stream templates: in which cycle of one frame each reads and writes, if it never waits.

All are read off the loops of the templates (nnet_utils of hls4ml 1.3.0, both tools) and follow their order of reads and
writes. Cycles come from the estimate. Functions take numbers of FIFOs, and give runs of (cycles, FIFO, write), the
cycles of a frame, and the words that the pipeline holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.hardware.estimation.dataflow.process import Cycles, Process, events
from fpgacnn.hardware.estimation.moved import LOOP_CYCLES, resized_row, transposed_block

Size = tuple[int, int]
Borders = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSchedule:
    """Runs of (cycles, FIFO, write) of one frame, its length in cycles, and the words held in the pipeline."""

    runs: tuple[tuple[Cycles, int, bool], ...]
    length: int
    held: int = 0

    def process(self, name: str) -> Process:
        """The schedule as a process."""
        cycles, fifos, writes = events(self.runs)
        return Process(name=name, cycles=cycles, fifos=fifos, writes=writes, length=self.length, held=self.held)


def window_ends(image: Size, window: Size, strides: Size) -> NDArray[np.bool_]:
    """For each pixel of an image, row by row: whether a window ends there. (rows * columns,) bool."""

    def ends(size: int, width: int, stride: int) -> NDArray[np.bool_]:
        place = np.arange(size) - (width - 1)
        return (place >= 0) & (place % stride == 0)

    rows, columns = (ends(*one) for one in zip(image, window, strides, strict=True))
    return (rows[:, None] & columns[None, :]).ravel()


def pipelined_windows(source: int, target: int, found: NDArray[np.bool_], ii: int, depth: int) -> FrameSchedule:
    """A loop over pixels with interval `ii`; the result of a window leaves `depth` cycles after its last pixel."""
    reads = np.arange(len(found), dtype=np.int64) * ii
    return FrameSchedule(
        runs=((reads, source, False), (reads[found] + depth, target, True)),
        length=(len(found) - 1) * ii + depth + 1,
        held=depth // ii,
    )


def serial_windows(source: int, target: int, found: NDArray[np.bool_], full: int, shift: int) -> FrameSchedule:
    """A loop over pixels that is not pipelined: `full` cycles where a window ends, else `shift`."""
    each = np.where(found, full, shift).astype(np.int64)
    reads = np.concatenate([[0], np.cumsum(each)[:-1]]).astype(np.int64)
    return FrameSchedule(
        runs=((reads, source, False), (reads[found] + full - 1, target, True)), length=int(each.sum()) + 1
    )


def elementwise(sources: Sequence[int], targets: Sequence[int], words: int, ii: int, depth: int) -> FrameSchedule:
    """A pipelined loop that reads a word of every source, and writes one to every target `depth` cycles later."""
    reads = np.arange(words, dtype=np.int64) * ii
    return FrameSchedule(
        runs=(*((reads, one, False) for one in sources), *((reads + depth, one, True) for one in targets)),
        length=(words - 1) * ii + depth + 1,
        held=depth // ii,
    )


def gather(source: int, target: int, words: tuple[int, int], between: int) -> FrameSchedule:
    """Reads a whole frame, word by word, computes for `between` cycles, then writes word by word."""
    read, written = words
    reads = np.arange(read, dtype=np.int64)
    writes = read - 1 + between + np.arange(written, dtype=np.int64)
    return FrameSchedule(runs=((reads, source, False), (writes, target, True)), length=read + between + written - 1)


def padding(source: int, target: int, image: Size, borders: Borders, copy_cycles: int) -> FrameSchedule:
    """Writes zeros around an image. The loops are not pipelined: a zero takes a cycle, a copied pixel `copy_cycles`."""
    top, bottom, left, right = borders
    rows, columns = image
    framed = np.zeros((top + rows + bottom, left + columns + right), np.bool_)
    framed[top : top + rows, left : left + columns] = True
    inside = framed.ravel()
    each = np.where(inside, copy_cycles, 1).astype(np.int64)
    starts = np.cumsum(each) - each
    return FrameSchedule(
        runs=((starts[inside], source, False), (starts + each, target, True)), length=int(each.sum()) + 2
    )


def cropping(source: int, target: int, image: Size, borders: Borders) -> FrameSchedule:
    """Reads an image word by word, and passes on what lies inside of the borders."""
    top, bottom, left, right = borders
    rows, columns = image
    inside = np.zeros((rows, columns), np.bool_)
    inside[top : rows - bottom, left : columns - right] = True
    reads = np.arange(rows * columns, dtype=np.int64)
    return FrameSchedule(
        runs=((reads, source, False), (reads[inside.ravel()] + 1, target, True)), length=rows * columns + 1, held=1
    )


def resizing(source: int, target: int, image: Size, after: Size) -> FrameSchedule:
    """Nearest neighbours, row by row: all pixels of a row are read, then written as often as they are repeated."""
    rows, columns = image
    written = after[0] // rows * after[1]
    period = max(columns, written)
    starts = np.arange(rows, dtype=np.int64)[:, None] * period
    reads = (starts + np.arange(columns)).ravel()
    writes = (starts + columns + np.arange(written)).ravel()
    return FrameSchedule(
        runs=((reads, source, False), (writes, target, True)), length=(rows - 1) * period + columns + written
    )


def resizing_by_lines(source: int, target: int, image: Size, after: Size) -> FrameSchedule:
    """Nearest neighbours through memory: the copies of a pixel are written as it comes, then the row again.

    Each of the two loops of a row begins `LOOP_CYCLES` after what is before it.
    """
    rows, columns = image
    line, repeats = after[1], after[0] // rows
    starts = np.arange(rows, dtype=np.int64)[:, None] * resized_row(image, after)
    reads = (starts + np.arange(columns) * (line // columns)).ravel()
    again = np.arange(line * repeats)
    writes = (starts + again + 1 + np.where(again < line, 0, LOOP_CYCLES)).ravel()
    length = rows * resized_row(image, after)
    return FrameSchedule(runs=((reads, source, False), (writes, target, True)), length=length, held=1)


def transposing(source: int, target: int, blocks: int, words: tuple[int, int], each: int) -> FrameSchedule:
    """Blocks of a frame, read word by word into memories, then written word by word, each in `each` cycles."""
    read, written = (one // blocks for one in words)
    period = transposed_block((read, written), each)
    starts = np.arange(blocks, dtype=np.int64)[:, None] * period
    reads = (starts + np.arange(read)).ravel()
    writes = (starts + read + LOOP_CYCLES + each * np.arange(1, written + 1)).ravel()
    return FrameSchedule(runs=((reads, source, False), (writes, target, True)), length=blocks * period + 1)


def repacking(source: int, target: int, words: tuple[int, int]) -> FrameSchedule:
    """Words become wider or narrower: several are read for one that is written, or the other way around."""
    read, written = words
    if read <= written:
        each = written // read
        reads = np.arange(read, dtype=np.int64) * each
        writes = np.arange(written, dtype=np.int64) + 1
    else:
        each = read // written
        reads = np.arange(read, dtype=np.int64)
        writes = np.arange(1, written + 1, dtype=np.int64) * each
    length = max(read, written) + 1
    return FrameSchedule(runs=((reads, source, False), (writes, target, True)), length=length, held=1)


def joining(sources: tuple[int, int], target: int, blocks: int, words: tuple[int, int]) -> FrameSchedule:
    """Concatenation along rows or columns: `blocks` times the words of one input, then those of the other."""
    first, second = words
    starts = np.arange(blocks, dtype=np.int64)[:, None] * (first + second)
    own = (starts + np.arange(first)).ravel()
    other = (starts + first + np.arange(second)).ravel()
    total = blocks * (first + second)
    return FrameSchedule(
        runs=((own, sources[0], False), (other, sources[1], False), (np.arange(total) + 1, target, True)),
        length=total + 1,
        held=1,
    )


def collecting(sources: tuple[int, int], target: int, words: tuple[int, int]) -> FrameSchedule:
    """Concatenation of flat arrays: all words of one input, then all of the other, then one word is written."""
    first, second = words
    return FrameSchedule(
        runs=(
            (np.arange(first, dtype=np.int64), sources[0], False),
            (first + np.arange(second, dtype=np.int64), sources[1], False),
            (np.array([first + second], np.int64), target, True),
        ),
        length=first + second + 1,
    )


def repeating(source: int, target: int, words: tuple[int, int]) -> FrameSchedule:
    """Every word is read once and written several times."""
    read, written = words
    each = written // read
    return FrameSchedule(
        runs=(
            (np.arange(read, dtype=np.int64) * each, source, False),
            (np.arange(written, dtype=np.int64) + 1, target, True),
        ),
        length=written + 1,
    )


def sequence(source: int, target: int, steps: int, written: int, cycles: int) -> FrameSchedule:
    """A recurrent layer: a word a step of so many cycles; a result after every step, or after the last."""
    reads = np.arange(steps, dtype=np.int64) * cycles
    writes = (reads + cycles - 1)[-written:]
    return FrameSchedule(runs=((reads, source, False), (writes, target, True)), length=steps * cycles + 1)


def source(target: int, words: int) -> FrameSchedule:
    """What brings a frame to a port: a word a cycle."""
    return FrameSchedule(runs=((np.arange(words, dtype=np.int64), target, True),), length=words)


def sink(origin: int, words: int) -> FrameSchedule:
    """What takes a frame from a port: a word a cycle."""
    return FrameSchedule(runs=((np.arange(words, dtype=np.int64), origin, False),), length=words)


def words_of(shape: tuple[int, int, int]) -> int:
    """Words of a frame: one a pixel."""
    return prod(shape[:2])
