"""Processes and FIFOs as values: what each process does in one frame, cycle by cycle, if it never waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Cycles = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a dataflow region, and its events of one frame in their order.

    `cycles` (events,) int64, ascending, are the process' own: its clock stands still while it waits. Events of the same
    cycle happen together, as in a pipeline that stalls as a whole. `fifos` (events,) are numbers of FIFOs, `writes`
    (events,) says which events write; the others read. `length` are the cycles of a frame without a wait. `held` are
    the words that it may have read without having written what they give: its pipeline's depth in words.
    """

    name: str
    cycles: Cycles
    fifos: NDArray[np.int64]
    writes: NDArray[np.bool_]
    length: int
    held: int = 0

    def __post_init__(self) -> None:
        assert len(self.cycles) == len(self.fifos) == len(self.writes), self.name
        assert (np.diff(self.cycles) >= 0).all(), self.name

    def deeper(self, cycles: int) -> Process:
        """The same process with so many more registers between what it reads and what it writes."""
        later = self.cycles + cycles * self.writes
        order = np.argsort(later, kind="stable")
        return replace(
            self,
            cycles=later[order],
            fifos=self.fifos[order],
            writes=self.writes[order],
            length=self.length + cycles,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One FIFO: its name, its writer, its reader, and its depth in words; None: unlimited."""

    name: str
    writer: int
    reader: int
    depth: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """All processes of a design with their FIFOs; every FIFO has one writer, one reader, and balanced counts."""

    processes: tuple[Process, ...]
    channels: tuple[Channel, ...]

    @property
    def inner(self) -> tuple[str, ...]:
        """Names of the FIFOs that have a depth; those at the ports of the design have none."""
        return tuple(one.name for one in self.channels if one.depth is not None)

    def words(self) -> Cycles:
        """Words of a frame by FIFO, (channels,) int64."""
        total = np.zeros(len(self.channels), np.int64)
        for process in self.processes:
            np.add.at(total, process.fifos[process.writes], 1)
        return total

    def with_depths(self, depths: dict[str, int]) -> Network:
        """The network with other depths of some FIFOs, by name."""
        changed = tuple(
            replace(one, depth=depths[one.name]) if one.depth is not None and one.name in depths else one
            for one in self.channels
        )
        return replace(self, channels=changed)

    def unbalanced(self) -> tuple[str, ...]:
        """FIFOs whose reader does not read in a frame what their writer writes."""
        written, read = self.words(), np.zeros(len(self.channels), np.int64)
        for process in self.processes:
            np.add.at(read, process.fifos[~process.writes], 1)
        return tuple(one.name for one, w, r in zip(self.channels, written, read, strict=True) if w != r)


def events(parts: Sequence[tuple[Cycles, int, bool]]) -> tuple[Cycles, NDArray[np.int64], NDArray[np.bool_]]:
    """Events sorted by cycle, from runs of (cycles, FIFO, write); in one cycle, earlier runs come first."""
    cycles = np.concatenate([np.asarray(one[0], np.int64) for one in parts])
    fifos = np.concatenate([np.full(len(one[0]), one[1], np.int64) for one in parts])
    writes = np.concatenate([np.full(len(one[0]), one[2], np.bool_) for one in parts])
    order = np.argsort(cycles, kind="stable")
    return cycles[order], fifos[order], writes[order]
