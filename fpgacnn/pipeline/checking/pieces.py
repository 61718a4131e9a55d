"""Collect counts, ranges and noise of layers while the events are processed piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np

from fpgacnn.design import Design
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.sim.compare import powers, ratio_db

PIECE_VALUES = 1 << 24
"""Largest number of layer values in memory at once; a single event of any size is always computed."""

FEWEST_SAMPLED = 2
"""Smallest number of events on which every layer is compared, for networks with large layers."""

TRACED_VALUES = 1 << 25
"""Largest number of codes in one traced run of the emulator; compiled kernels compute 4 to 16 events together."""


def event_values(design: Design) -> int:
    """Values of all layers for one event."""
    return sum(prod(layer.shape) for layer in design.model.layers)


def sample_size(design: Design, events: int, piece_values: int = PIECE_VALUES) -> int:
    """Number of events on which every layer is compared."""
    return min(events, max(piece_values // event_values(design), FEWEST_SAMPLED))


def pieces(design: Design, events: int, piece_values: int = PIECE_VALUES, *, first: int = 0) -> Iterator[slice]:
    """Consecutive events from `first` on as slices, as many at a time as fit into memory with all layers."""
    size = max(1, piece_values // event_values(design))
    for start in range(first, events, size):
        yield slice(start, min(start + size, events))


class Ranges:
    """Smallest and largest value of every node so far."""

    def __init__(self) -> None:
        self.ends: dict[str, tuple[float, float]] = {}

    def add(self, trace: Mapping[str, Codes]) -> None:
        """One more piece: codes by node."""
        for name, codes in trace.items():
            if codes.array.size:
                low, high = float(codes.array.min()) * codes.format.step, float(codes.array.max()) * codes.format.step
                before = self.ends.get(name, (low, high))
                self.ends[name] = min(low, before[0]), max(high, before[1])


class Noise:
    """Powers of signal and quantization noise of every layer so far, quantized network against float network."""

    def __init__(self, network: SourceModel) -> None:
        self._layers = [layer.name for layer in network.layers if layer.inputs]
        self._powers: dict[str, tuple[float, float]] = {}

    def add(self, quantized: Mapping[str, FloatArray], real: Mapping[str, FloatArray]) -> None:
        """One more piece: answers by layer."""
        for name in self._layers:
            if name in real and name in quantized and real[name].shape == quantized[name].shape:
                signal, noise = powers(real[name], quantized[name])
                before = self._powers.get(name, (0.0, 0.0))
                self._powers[name] = before[0] + signal, before[1] + noise

    def by_layer(self) -> dict[str, float | None]:
        """Signal to quantization noise ratio of each layer in dB."""
        return {name: ratio_db(*self._powers[name]) for name in self._layers if name in self._powers}


class Ends:
    """Answers of the named layers to all events."""

    def __init__(self, names: Sequence[str]) -> None:
        self._parts: dict[str, list[FloatArray]] = {name: [] for name in names}

    def add(self, answers: Mapping[str, FloatArray]) -> None:
        """Keep the named layers of one more piece."""
        for name, parts in self._parts.items():
            parts.append(answers[name])

    def whole(self) -> dict[str, FloatArray]:
        """The answers to all events."""
        return {name: np.concatenate(parts) for name, parts in self._parts.items() if parts}
