"""What an engine answers, and what an engine is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fpgacnn.numeric.fixed import Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """Codes of the outputs and, where asked for, of every node; first axis events."""

    engine: str
    outputs: Mapping[str, Codes]
    trace: Mapping[str, Codes]

    @property
    def events(self) -> int:
        """Number of events."""
        return len(next(iter(self.outputs.values())).array)


class Engine(Protocol):
    """Something that computes a design."""

    name: str

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Compute all events; `inputs` in the order of the network's inputs, first axis events."""
        ...
