"""Exact clocks: when each token of each stream is valid, computed before any simulation.

Times are clocks since the first token of the first frame. They are computed for several arrivals: frames that follow
each other without a pause, which is what the schedule of a project states, frames with pauses between them, tokens
with random pauses, and frames whose tokens are late: by one interval, or so late that everything before them has left
the network. FIFO depths are the largest fill over all of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Clocks: TypeAlias = NDArray[np.int64]
"""Clocks (frames, tokens of a frame)."""

Times: TypeAlias = tuple[Clocks, ...]
"""Clocks of one stream for every arrival; the first FRAMES are 5, 1, 2, 3 and 4 frames without a pause."""

FRAMES = 5
"""Frames of an arrival: the first has none before it, the last none behind it, and those between repeat each other."""

SEED = 20_261_130
PAUSE_SHARES = (0.1, 0.4)

EVERY_OR_SECOND = ((0, 1, 2, 3, 4), (0, 2, 4), (1, 3))
"""Late frames: all, or every second one, beginning with the first or with the second one."""

LATE_RUNS = ((0, 1), (0, 1, 2), (0, 1, 2, 3), (1, 2), (1, 2, 3))
"""Late frames that follow each other, before a frame without a pause: windows keep their last words until the next
pixels come, so the words of three frames come together."""

LONG_PAUSE = 1 << 32
"""Clocks after which every window and every FIFO of a network stands still."""

LATE_PLACES, FEW = 8, 4
"""A long pause begins behind the first word of a frame, and after 1, 2, ... of so many equal parts: behind a pooling,
a layer has its first word later. With more inputs than FEW, it begins behind the first word only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """The windows of a convolution or a pooling; pads top, bottom, left, right."""

    height: int
    width: int
    size: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]

    @property
    def rows(self) -> int:
        """Rows of windows."""
        return (self.height + self.pads[0] + self.pads[1] - self.size[0]) // self.strides[0] + 1

    @property
    def columns(self) -> int:
        """Windows in a row."""
        return (self.width + self.pads[2] + self.pads[3] - self.size[1]) // self.strides[1] + 1

    @property
    def first_pixel(self) -> int:
        """The pixel that completes the first window."""
        return (self.size[0] - 1 - self.pads[0]) * self.width + self.size[1] - 1 - self.pads[2]

    @property
    def latency(self) -> int:
        """Clocks from the step that completes a window to the window; with padding, a register stands behind it."""
        return 2 if any(self.pads) else 1

    def why_refused(self) -> str | None:
        """Why the window module does not build these windows; None where it does."""
        top, bottom, left, right = self.pads
        if top + bottom >= self.size[0] or left + right >= self.size[1]:
            return f"its padding {self.pads} is not smaller than its window {self.size}"
        if self.first_pixel >= self.height * self.width:
            return f"its window {self.size} is completed only after the last pixel"
        return None

    def steps(self) -> Clocks:
        """The step of the window module that completes each window; steps behind the last pixel are of its own."""
        rows = np.arange(self.rows) * self.strides[0] - self.pads[0] + self.size[0] - 1
        columns = np.arange(self.columns) * self.strides[1] - self.pads[2] + self.size[1] - 1
        return (rows[:, None] * self.width + columns[None, :]).reshape(-1)


def arrivals(tokens: Sequence[int], least: int) -> list[Times]:
    """Arrivals at every input: frames without a pause, with pauses between frames, random pauses, and late frames.

    At least `least` clocks lie between the beginnings of two frames. All inputs begin a frame together. In a late
    frame, a source pauses once: for one interval behind its first token (frames of EVERY_OR_SECOND), so that the next
    frame follows directly behind the last token; or for LONG_PAUSE at one of LATE_PLACES (frames of EVERY_OR_SECOND
    and LATE_RUNS). Late is each input alone, and all of them.
    """
    longest = max(least, *tokens)
    plain = [np.zeros((FRAMES, count), np.int64) for count in tokens]
    found = [_entered(plain, count, 0, least) for count in (FRAMES, *range(1, FRAMES))]
    found += [
        _entered(plain, FRAMES, pause, least) for pause in sorted({1, max(1, longest // 8), max(1, longest // 2)})
    ]
    random = np.random.default_rng(SEED)
    for share in PAUSE_SHARES:
        pauses = [np.cumsum(random.random((FRAMES, count)) < share, axis=1, dtype=np.int64) for count in tokens]
        found.append(_entered(pauses, FRAMES, 0, least))
    everyone = range(len(tokens))
    for late in [*([one] for one in everyone if len(tokens) > 1), [*everyone]]:
        found += [_late(tokens, late, [1] * len(late), longest, which, least) for which in EVERY_OR_SECOND]
        for places in _late_places([tokens[one] for one in late], LATE_PLACES if len(tokens) <= FEW else 1):
            found += [_late(tokens, late, places, LONG_PAUSE, which, least) for which in (*EVERY_OR_SECOND, *LATE_RUNS)]
    return [tuple(arrival[number] for arrival in found) for number in range(len(tokens))]


def _late_places(tokens: Sequence[int], parts: int) -> list[tuple[int, ...]]:
    """The tokens from which late inputs wait, for each of the parts of a frame; each different choice once."""
    found = [tuple(max(1, count * part // LATE_PLACES) for count in tokens) for part in range(parts)]
    return [one for one in dict.fromkeys(found) if any(place < count for place, count in zip(one, tokens, strict=True))]


def _late(
    tokens: Sequence[int], late: Sequence[int], places: Sequence[int], pause: int, which: Sequence[int], least: int
) -> list[Clocks]:
    """Frames `which` of the inputs `late` pause from these places on."""
    pauses = [np.zeros((FRAMES, count), np.int64) for count in tokens]
    for one, place in zip(late, places, strict=True):
        pauses[one][list(which), place:] = pause
    return _entered(pauses, FRAMES, 0, least)


def _entered(pauses: Sequence[Clocks], frames: int, between: int, least: int) -> list[Clocks]:
    """Clocks of the tokens of each input, with pauses (frames, tokens) before them and clocks between frames."""
    found = [np.empty((frames, one.shape[1]), np.int64) for one in pauses]
    start = 0
    for frame in range(frames):
        for clocks, pause in zip(found, pauses, strict=True):
            clocks[frame] = start + np.arange(clocks.shape[1]) + pause[frame]
        start = max(start + least, max(int(clocks[frame, -1]) for clocks in found) + 1) + between
    return found


def later(times: Times, clocks: int) -> Times:
    """Every token some clocks later."""
    return tuple(one + clocks for one in times)


def chosen(times: Times, tokens: Clocks) -> Times:
    """Some tokens of each frame."""
    return tuple(one[:, tokens] for one in times)


def joined(streams: list[Times]) -> Times:
    """When the tokens of several streams leave their FIFOs together."""
    return tuple(np.maximum.reduce(list(arrival)) + 1 for arrival in zip(*streams, strict=True))


def paced(times: Times, pace: int) -> Times:
    """When the tokens leave a FIFO, two of them with at least `pace` clocks between them."""
    found = []
    for arrival in times:
        places = np.arange(arrival.size, dtype=np.int64) * pace
        leaving = np.maximum.accumulate(arrival.reshape(-1) + 1 - places) + places
        found.append(leaving.reshape(arrival.shape))
    return tuple(found)


def repeated(times: Times, width: int, factors: tuple[int, int]) -> tuple[Times, Times]:
    """When the pixels of an image leave the upsampling module, and when they are taken from the FIFO before it."""
    pairs = [_repeated(arrival, width, factors) for arrival in times]
    return tuple(one for one, _ in pairs), tuple(one for _, one in pairs)


def _repeated(arrival: Clocks, width: int, factors: tuple[int, int]) -> tuple[Clocks, Clocks]:
    """Steps of the module: one copy in a clock, the first copy of a pixel not before the pixel is in the FIFO."""
    frames, pixels = arrival.shape
    ready = np.full((frames, pixels // width, factors[0], width, factors[1]), -1, np.int64)
    ready[:, :, 0, :, 0] = arrival.reshape(frames, -1, width) + 1
    places = np.arange(ready.size, dtype=np.int64)
    steps = (np.maximum.accumulate(ready.reshape(-1) - places) + places).reshape(ready.shape)
    return steps.reshape(frames, -1) + 1, steps[:, :, 0, :, 0].reshape(frames, pixels)


def padded(times: Times, height: int, width: int, pads: tuple[int, int, int, int]) -> tuple[Times, Times]:
    """When the pixels of an image with zeros around it leave the module, and when its pixels are taken from a FIFO."""
    pairs = [_padded(arrival, height, width, pads) for arrival in times]
    return tuple(one for one, _ in pairs), tuple(one for _, one in pairs)


def _padded(arrival: Clocks, height: int, width: int, pads: tuple[int, int, int, int]) -> tuple[Clocks, Clocks]:
    """Steps of the module: one pixel in a clock; a frame begins when its first pixel is in the FIFO."""
    frames, (top, bottom, left, right) = len(arrival), pads
    ready = np.full((frames, height + top + bottom, width + left + right), -1, np.int64)
    image = (slice(None), slice(top, top + height), slice(left, left + width))
    ready[image] = arrival.reshape(frames, height, width) + 1
    ready[:, 0, 0] = arrival[:, 0] + 1
    places = np.arange(ready.size, dtype=np.int64)
    steps = (np.maximum.accumulate(ready.reshape(-1) - places) + places).reshape(ready.shape)
    return steps.reshape(frames, -1) + 1, steps[image].reshape(frames, -1)


def split(times: Times, tokens: int) -> Times:
    """When the tokens of a word leave the module that splits it."""
    return tuple(one[:, :1] + 1 + np.arange(tokens, dtype=np.int64) for one in times)


def window_times(times: Times, geometry: Geometry, pace: int) -> tuple[Times, Times]:
    """When windows are valid, and when the pixels are taken; with a pace above 1 they come from a FIFO."""
    pairs = [_windows(arrival, geometry, pace) for arrival in times]
    return tuple(one for one, _ in pairs), tuple(one for _, one in pairs)


def _windows(arrival: Clocks, geometry: Geometry, pace: int) -> tuple[Clocks, Clocks]:
    """The steps of the window module one by one: pixels, and its own steps where the next frame is not there yet."""
    waits = 1 if pace > 1 else 0
    wanted = geometry.steps()
    over = max(0, int(wanted.max()) - (geometry.height * geometry.width - 1))
    steps: list[int] = []
    taken = np.empty_like(arrival)
    begin: list[int] = []
    for frame, row in enumerate((arrival + waits).tolist()):
        if frame:
            _flush(steps, begin[-1] + geometry.height * geometry.width + over, pace, row[0])
        begin.append(len(steps))
        for place, clock in enumerate(row):
            taken[frame, place] = max(clock, steps[-1] + pace) if steps else clock
            steps.append(int(taken[frame, place]))
    _flush(steps, begin[-1] + geometry.height * geometry.width + over, pace, None)
    clocks = np.array(steps, dtype=np.int64)
    return clocks[np.array(begin)[:, None] + wanted[None, :]] + geometry.latency, taken


def _flush(steps: list[int], until: int, pace: int, next_pixel: int | None) -> None:
    """Steps of the module's own, until all windows are out or the next frame's first pixel is there."""
    while len(steps) < until and (next_pixel is None or steps[-1] + pace < next_pixel):
        steps.append(steps[-1] + pace)


def fill(written: Times, read: Times) -> int:
    """The most words that a FIFO holds; a word is written and read at these clocks."""
    largest = 1
    for one, other in zip(written, read, strict=True):
        writes, reads = one.reshape(-1), other.reshape(-1)
        gone = np.searchsorted(reads, writes, side="right")
        largest = max(largest, int((np.arange(1, writes.size + 1) - gone).max()))
    return largest


def interval(times: Times) -> int | None:
    """Clocks between equal tokens of two frames, without pauses; None where frames do not repeat each other."""
    steps = np.diff(times[0][1:-1], axis=0)
    return int(steps.flat[0]) if np.all(steps == steps.flat[0]) else None


def closest(times: Times) -> int:
    """Fewest clocks between two tokens."""
    return min((int(np.diff(one.reshape(-1)).min()) for one in times if one.size > 1), default=1 << 30)


def frames_on_the_way(answers: Times, interval_clocks: int) -> int:
    """Frames that are begun and not answered, at most, while nothing waits."""
    latencies = answers[0][:, -1] - interval_clocks * np.arange(FRAMES)
    return max(2, ceil((int(latencies.max()) + 2) / interval_clocks) + 1)


def clocks_of(times: Times, frames: int, interval_clocks: int) -> Clocks:
    """Clocks of any number of frames without a pause: the first ones, then one that repeats, and the last."""
    if frames < FRAMES:
        return times[frames]
    head = times[0]
    middle = head[1][None, :] + interval_clocks * np.arange(frames - 2, dtype=np.int64)[:, None]
    last = head[-1] + (frames - FRAMES) * interval_clocks
    return np.concatenate([head[:1], middle, last[None, :]])
