"""The simulation of a dataflow network, word by word: when every word is written and read, and who waits for whom.

A word can be read `latency` cycles after it was written: one where a FIFO has at most two places (a shift register),
else two. A place can be written one cycle after it was read. Both are what RTL of the tools shows. A frame begins `GAP`
cycles after the one before it ended in the same process.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgacnn.hardware.estimation.dataflow.process import Cycles, Network

GAP = 1
SHIFT_REGISTER = 2
"""FIFOs of so many places are shift registers, and answer one cycle earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A process that waits for ever: for a word of an empty FIFO, or for a place in a full one."""

    process: str
    fifo: str
    full: bool
    words: int

    def __str__(self) -> str:
        return f"{self.process} ({'full' if self.full else 'empty'} {self.fifo})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What happened. `started` and `done` (processes, frames) int64; times of words are by FIFO, in their order.

    `deadlock` is the cycle of processes that wait for each other; empty if every frame ended.
    """

    network: Network
    started: Cycles
    done: Cycles
    written: tuple[Cycles, ...]
    taken: tuple[Cycles, ...]
    deadlock: tuple[Wait, ...]

    @property
    def latency(self) -> int:
        """Cycles until the first frame has left the last process."""
        return int(self.done[:, 0].max())

    @property
    def interval(self) -> int:
        """Cycles between two frames at the end of the run, in the slowest process."""
        return int((self.done[:, -1] - self.done[:, -2]).max())

    def fill(self, number: int) -> int:
        """Most words that a FIFO holds at once; a word leaves in the cycle in which it is read."""
        written, taken = self.written[number], self.taken[number]
        before = np.searchsorted(taken, written, side="right")
        held = np.arange(1, len(written) + 1) - np.minimum(before, np.arange(len(written)))
        return int(held.max(initial=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """A network as arrays, as the loops below and the compiled kernel read it."""

    first: Cycles
    cycle: Cycles
    channel: Cycles
    write: NDArray[np.uint8]
    length: Cycles
    writer: Cycles
    reader: Cycles
    words: Cycles

    @classmethod
    def of(cls, network: Network) -> Tables:
        """The arrays of a network; they do not depend on depths."""
        sizes = [len(one.cycles) for one in network.processes]

        return cls(
            first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            cycle=np.concatenate([np.zeros(0, np.int64), *(one.cycles for one in network.processes)]),
            channel=np.concatenate([np.zeros(0, np.int64), *(one.fifos for one in network.processes)]),
            write=np.concatenate([np.zeros(0, np.bool_), *(one.writes for one in network.processes)]).astype(np.uint8),
            length=np.array([one.length for one in network.processes], np.int64),
            writer=np.array([one.writer for one in network.channels], np.int64),
            reader=np.array([one.reader for one in network.channels], np.int64),
            words=network.words(),
        )


@dataclass(slots=True, kw_only=True)
class State:
    """What a run fills: times of words by FIFO one after the other, counts, frames, and what each process waits for."""

    depth: Cycles
    latency: Cycles
    base: Cycles
    written: Cycles
    taken: Cycles
    writes: Cycles
    reads: Cycles
    started: Cycles
    done: Cycles
    wait: Cycles

    @classmethod
    def of(cls, network: Network, tables: Tables, frames: int) -> State:
        """An empty state."""
        channels, processes = len(network.channels), len(network.processes)
        total = tables.words * frames
        depth = np.array([-1 if one.depth is None else one.depth for one in network.channels], np.int64)
        return cls(
            depth=depth,
            latency=np.where((depth >= 0) & (depth <= SHIFT_REGISTER), 1, 2).astype(np.int64),
            base=np.concatenate([[0], np.cumsum(total)]).astype(np.int64)[:-1] if channels else np.zeros(0, np.int64),
            written=np.zeros(int(total.sum()), np.int64),
            taken=np.zeros(int(total.sum()), np.int64),
            writes=np.zeros(channels, np.int64),
            reads=np.zeros(channels, np.int64),
            started=np.zeros((processes, frames), np.int64),
            done=np.zeros((processes, frames), np.int64),
            wait=np.zeros(processes, np.int64),
        )


def run_interpreted(tables: Tables, state: State, frames: int) -> bool:
    """Fill the state; whether every frame ended. `kernel.c` has the same loops."""
    count = len(tables.length)
    first, cycles, channels, writes = (
        one.tolist() for one in (tables.first, tables.cycle, tables.channel, tables.write)
    )
    writer, reader, length = tables.writer.tolist(), tables.reader.tolist(), tables.length.tolist()
    depth, latency = state.depth.tolist(), state.latency.tolist()
    written: list[list[int]] = [[] for _ in depth]
    taken: list[list[int]] = [[] for _ in depth]
    places = [[0, 0, 0, 0] for _ in range(count)]  # frame, event, time, the process' own cycle
    wait = [0] * count
    waiting, queued = deque(range(count)), [True] * count
    while waiting:
        p = waiting.popleft()
        queued[p] = False
        frame, event, now, own = places[p]
        end = first[p + 1]
        event += first[p]
        wait[p] = 0
        while frame < frames:
            if event == end:
                now += length[p] - own
                state.done[p, frame] = now
                frame, event, own = frame + 1, first[p], -GAP
                continue
            cycle = cycles[event]
            time, last, blocked = now + cycle - own, event, 0
            while last < end and cycles[last] == cycle:
                c = channels[last]
                if writes[last]:
                    place = len(written[c]) - depth[c]
                    if depth[c] >= 0 and place >= 0:
                        if place >= len(taken[c]):
                            blocked = c + 1
                            break
                        time = max(time, taken[c][place] + 1)
                else:
                    place = len(taken[c])
                    if place >= len(written[c]):
                        blocked = c + 1
                        break
                    time = max(time, written[c][place] + latency[c])
                last += 1
            if blocked:
                wait[p] = blocked
                break
            for one in range(event, last):
                c = channels[one]
                other = reader[c] if writes[one] else writer[c]
                (written if writes[one] else taken)[c].append(time)
                if other != p and not queued[other] and wait[other] == c + 1:
                    queued[other] = True
                    waiting.append(other)
            if event == first[p]:
                state.started[p, frame] = time
            now, own, event = time, cycle, last
        places[p] = [frame, event - first[p], now, own]
    for c, base in enumerate(state.base.tolist()):
        for times, kept, counts in (
            (written[c], state.written, state.writes),
            (taken[c], state.taken, state.reads),
        ):
            kept[base : base + len(times)] = times
            counts[c] = len(times)
    state.wait[:] = wait
    return all(place[0] == frames for place in places)


def trace_of(network: Network, state: State, *, ended: bool) -> Trace:
    """A filled state as a trace."""
    ranges = [(int(base), int(w), int(r)) for base, w, r in zip(state.base, state.writes, state.reads, strict=True)]
    return Trace(
        network=network,
        started=state.started,
        done=state.done,
        written=tuple(state.written[base : base + w] for base, w, _ in ranges),
        taken=tuple(state.taken[base : base + r] for base, _, r in ranges),
        deadlock=() if ended else _cycle(network, state),
    )


def _cycle(network: Network, state: State) -> tuple[Wait, ...]:
    """The processes that wait for each other in a circle, from the first that waits."""
    order: list[int] = []
    place = int(np.flatnonzero(state.wait)[0])
    while place not in order:
        order.append(place)
        channel = int(state.wait[place]) - 1
        link = network.channels[channel]
        place = link.reader if _is_full(state, channel, link.writer == place) else link.writer
    found = []
    for process in order[order.index(place) :]:
        channel = int(state.wait[process]) - 1
        link = network.channels[channel]
        found.append(
            Wait(
                process=network.processes[process].name,
                fifo=link.name,
                full=_is_full(state, channel, link.writer == process),
                words=int(state.writes[channel] - state.reads[channel]),
            )
        )
    return tuple(found)


def _is_full(state: State, channel: int, writes: bool) -> bool:  # noqa: FBT001  # which end of the FIFO waits
    return writes and int(state.writes[channel] - state.reads[channel]) >= int(state.depth[channel]) >= 0
