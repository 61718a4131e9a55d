"""The result of an engine, and the protocol of engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fpgacnn.errors import printable
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SimulationResult:
    """Codes of the outputs and, with a trace, of every node; first axis events."""

    engine: str
    outputs: Mapping[str, Codes]
    trace: Mapping[str, Codes]

    @property
    def events(self) -> int:
        """Number of events."""
        return len(next(iter(self.outputs.values())).array)

    @property
    def values(self) -> Mapping[str, FloatArray]:
        """The outputs as float64 arrays (events, ...shape) by name, each value exactly what the hardware gives."""
        return {name: codes.values for name, codes in self.outputs.items()}

    def __repr__(self) -> str:
        traced = f", {len(self.trace)} nodes traced" if self.trace else ""
        return f"<{self.events:,} events through {self.engine}: {', '.join(map(printable, self.outputs))}{traced}>"


def joined(parts: Sequence[SimulationResult]) -> SimulationResult:
    """The results of consecutive events as one; `parts` is not empty and all have the same nodes."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def whole(of: Callable[[SimulationResult], Mapping[str, Codes]]) -> dict[str, Codes]:
        return {
            name: Codes(array=np.concatenate([of(part)[name].array for part in parts]), format=codes.format)
            for name, codes in of(first).items()
        }

    return SimulationResult(
        engine=first.engine, outputs=whole(lambda part: part.outputs), trace=whole(lambda part: part.trace)
    )


def first_events(result: SimulationResult, count: int) -> SimulationResult:
    """The result for the first events."""
    return events_of(result, slice(count))


def events_of(result: SimulationResult, piece: slice) -> SimulationResult:
    """The result for a piece of the events."""

    def cut(codes: Mapping[str, Codes]) -> Mapping[str, Codes]:
        return {name: Codes(array=one.array[piece], format=one.format) for name, one in codes.items()}

    return replace(result, outputs=cut(result.outputs), trace=cut(result.trace))


class Engine(Protocol):
    """Something that computes a design."""

    name: str

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Compute all events; `inputs` in the order of the network's inputs, first axis events."""
        ...
