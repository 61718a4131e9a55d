"""A trace as numbers for people: the first frame of every process, and every FIFO."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgacnn.hardware.estimation.dataflow.process import Cycles, Process
from fpgacnn.hardware.estimation.dataflow.simulate import Trace
from fpgacnn.hardware.estimation.result import ProcessSpan

MOST_STALLS = 48
"""Waits of one process that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waits:
    """Waits of a process in its first frame: from and to a cycle, (waits,) int64, and which of them are for a place."""

    begin: Cycles
    end: Cycles
    full: NDArray[np.bool_]


def spans(trace: Trace) -> tuple[ProcessSpan, ...]:
    """The first frame of every process that is no port, in the order of their first words."""
    found = [
        _span(trace, number, process)
        for number, process in enumerate(trace.network.processes)
        if not process.name.startswith(("input ", "output "))
    ]
    return tuple(sorted(found, key=lambda one: (one.start, one.end)))


def _span(trace: Trace, number: int, process: Process) -> ProcessSpan:
    waits = _waits(trace, process)
    lengths = waits.end - waits.begin
    longest = np.sort(np.argsort(-lengths, kind="stable")[:MOST_STALLS])
    return ProcessSpan(
        name=process.name,
        start=int(trace.started[number, 0]),
        end=int(trace.done[number, 0]),
        empty=int(lengths[~waits.full].sum()),
        full=int(lengths[waits.full].sum()),
        stalls=tuple(zip(waits.begin[longest].tolist(), waits.end[longest].tolist(), strict=True)),
    )


def _waits(trace: Trace, process: Process) -> _Waits:
    """Where more cycles passed between two events than the process has there."""
    times = np.zeros(len(process.cycles), np.int64)
    full = np.zeros(len(process.cycles), np.bool_)
    for fifo in np.unique(process.fifos).tolist():
        for write in (False, True):
            here = np.flatnonzero((process.fifos == fifo) & (process.writes == write))
            times[here] = (trace.written if write else trace.taken)[fifo][: len(here)]
            depth = trace.network.channels[fifo].depth
            if write and depth is not None and len(here) > depth:
                free = trace.taken[fifo][: len(here) - depth] + 1
                full[here[depth:]] = times[here[depth:]] == free
    first = np.flatnonzero(np.diff(process.cycles, prepend=process.cycles[:1] - 1))
    cycles, at = process.cycles[first], times[first]
    waits = np.diff(at) - np.diff(cycles)
    late = np.flatnonzero(waits > 0)
    blocked = np.add.reduceat(full.astype(np.int64), first) > 0 if len(first) else full
    return _Waits(begin=at[late + 1] - waits[late], end=at[late + 1], full=blocked[late + 1])
