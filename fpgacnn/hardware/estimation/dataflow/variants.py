"""A network whose processes are exchanged one by one: its cycles, and lower bounds of them that take less time.

A process is exchanged where the strategy or the reuse factor of its layer changes: its events get other cycles, and
their order among each other may change, but it reads and writes the same words of the same FIFOs.
"""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn.hardware.estimation.dataflow.compiled import FRAMES, fill
from fpgacnn.hardware.estimation.dataflow.process import Network, Process
from fpgacnn.hardware.estimation.dataflow.simulate import GAP, State, Tables

UNLIMITED = -1
"""The depth of a FIFO without an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCycles:
    """Cycles until the first frame has left the last process, and between two frames."""

    latency: int
    interval: int


class Exchange:
    """One network of a streamed design; `put` exchanges the process at a place.

    `is_tree`: there is at most one way from one process to another, in either direction. Then no processes wait for
    each other for ever: the reader of a full FIFO has a word to read there, and the writer of an empty one a place to
    write to, so what each of them waits for lies farther away.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._processes = list(network.processes)
        self._tables = Tables.of(network)
        self.is_tree = _is_tree(network)

    @property
    def events(self) -> int:
        """Reads and writes that a simulation takes."""
        return FRAMES * len(self._tables.cycle)

    def put(self, place: int, process: Process) -> None:
        """Exchange the process at a place for one that reads and writes the same words."""
        if self._processes[place] is process:
            return
        begin, end = self._tables.first[place : place + 2].tolist()
        assert end - begin == len(process.cycles), process.name
        self._tables.cycle[begin:end] = process.cycles
        self._tables.channel[begin:end] = process.fifos
        self._tables.write[begin:end] = process.writes
        self._tables.length[place] = process.length
        self._processes[place] = process

    def cycles(self) -> FrameCycles | None:
        """The simulated cycles; None where processes wait for each other.

        Raises OutOfMemoryError.
        """
        state = State.of(self._network, self._tables, FRAMES)
        if not fill(self._tables, state, FRAMES):
            return None
        interval = int((state.done[:, -1] - state.done[:, -2]).max())
        return FrameCycles(latency=int(state.done[:, 0].max()), interval=interval)

    def least(self) -> FrameCycles:
        """Cycles that the simulated ones are never below: those of one frame whose processes never wait for a place.

        Raises OutOfMemoryError.
        """
        state = State.of(self._network, self._tables, 1)
        state.depth[:] = UNLIMITED
        ended = fill(self._tables, state, 1)
        assert ended, "processes wait for each other though no FIFO is full"
        return FrameCycles(latency=int(state.done.max()), interval=int(self._tables.length.max()) + GAP)


def _is_tree(network: Network) -> bool:
    """Whether no FIFO joins processes that others join already."""
    group = list(range(len(network.processes)))

    def root(place: int) -> int:
        while group[place] != place:
            group[place] = place = group[group[place]]
        return place

    for channel in network.channels:
        writer, reader = root(channel.writer), root(channel.reader)
        if writer == reader:
            return False
        group[writer] = reader
    return True
