"""The smallest FIFOs that keep the interval of a design, also where the cycles of its layers are other than estimated.

A FIFO of any depth up to the next block of RAM costs the same, so only the largest depth for each number of blocks is
looked at, and never more than a whole frame, with which no order of events can stop a design. Depths are lowered in
groups, the most expensive first, as long as every scenario keeps its interval. The scenarios are the estimate's own
cycles, and the same design with the cycles of every layer drawn anew; what is drawn is the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from zlib import crc32

import numpy as np

from fpgacnn.hardware.estimation.dataflow.build import Vary, as_estimated
from fpgacnn.hardware.estimation.dataflow.compiled import Simulator, has_kernel
from fpgacnn.hardware.estimation.dataflow.process import Network

LEAST_DEPTH = 2
"""With one place a write waits for every read, and a chain runs at half its speed."""

SPREAD = 0.35
"""Cycles of a layer in the first scenarios lie between 0.65 and 1.35 times the estimate's, and are whole numbers."""

SCENARIOS = 24

WIDE_SPREAD, WIDE_SCENARIOS = 0.5, 12
"""Cycles in further scenarios lie between 0.5 and 1.5 times the estimate's, and find too small depths sooner."""

SLOWER = 0.005
"""How much longer the interval of a drawn scenario may become, relatively."""

LATER = 0.01
"""How much longer the latency of the estimate's own cycles may become, relatively."""

DEEPER = 3
"""Registers that every pipeline has more than estimated where only a deadlock is looked for."""

MOST_EVENTS = 600_000_000
"""Reads and writes that a search simulates; where they are spent, the FIFOs that are left keep a whole frame."""

INTERPRETED = 20
"""How many times fewer of them are simulated where there is no C compiler."""

EVENTS_PER_WORD = 8
"""A write and a read in each of four frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallestDepths:
    """Depths by FIFO, and how many simulations were run. `whole` are FIFOs that were not looked at any more."""

    depths: Mapping[str, int]
    simulations: int
    whole: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scenario:
    """A network with cycles of its own, and what no choice of depths may exceed; None: any, if nothing stops."""

    simulator: Simulator
    interval: float | None
    latency: float | None = None

    def holds(self, depths: dict[str, int]) -> bool:
        """Whether the design runs with these depths as fast as it may be expected to."""
        trace = self.simulator.run(depths)
        if trace.deadlock:
            return False
        in_time = self.interval is None or trace.interval <= self.interval
        return in_time and (self.latency is None or trace.latency <= self.latency)


@dataclass(slots=True, kw_only=True)
class _Search:
    """The depths so far, and what has been spent."""

    scenarios: list[_Scenario]
    levels: Mapping[str, tuple[int, ...]]
    depths: dict[str, int]
    left: int = 0
    whole: list[str] = field(default_factory=list)

    def holds(self, depths: dict[str, int]) -> bool:
        """Whether all scenarios hold; the one that failed last is asked first."""
        for place, one in enumerate(self.scenarios):
            self.left -= 1
            if not one.holds(depths):
                self.scenarios.insert(0, self.scenarios.pop(place))
                return False
        return True

    def lowered(self, group: Sequence[str]) -> bool:
        """Whether a group of FIFOs can have their lowest levels together; then they have them."""
        tried = self.depths | {name: self.levels[name][0] for name in group}
        if not self.holds(tried):
            return False
        self.depths = tried
        return True

    def lower(self, group: Sequence[str]) -> None:
        """Lower a group of FIFOs together, or its halves, or one of them as far as it goes."""
        if not group:
            return
        if self.left <= 0:
            self.whole.extend(group)
        elif self.lowered(group):
            return
        elif len(group) > 1:
            self.lower(group[: len(group) // 2])
            self.lower(group[len(group) // 2 :])
        else:
            self._climb(group[0])

    def _climb(self, name: str) -> None:
        """The next levels of a FIFO that cannot have the lowest one."""
        for level in self.levels[name][1:-1]:
            if self.left <= 0:
                self.whole.append(name)
                return
            tried = self.depths | {name: level}
            if self.holds(tried):
                self.depths = tried
                return


def levels(frame: int, blocks: Callable[[int], int]) -> tuple[int, ...]:
    """The largest depth for each number of blocks, ascending, up to a frame; `blocks` never falls with the depth."""
    most = max(LEAST_DEPTH, frame)
    found, depth = [], LEAST_DEPTH
    while depth <= most:
        low, high, cost = depth, most, blocks(depth)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if blocks(middle) == cost else (low, middle - 1)
        found.append(low)
        depth = low + 1
    return tuple(found)


def search(made: Callable[[Vary], Network], blocks: Mapping[str, Callable[[int], int]]) -> SmallestDepths:
    """The depths of all inner FIFOs of the network that `made` gives for the cycles of layers.

    `blocks` gives the block RAM of each FIFO by its depth.

    Raises OutOfMemoryError.
    """
    network = made(as_estimated)
    words = dict(zip((one.name for one in network.channels), network.words().tolist(), strict=True))
    steps = {name: levels(words[name], blocks[name]) for name in network.inner}
    frame = {name: found[-1] for name, found in steps.items()}
    affordable = MOST_EVENTS if has_kernel() else MOST_EVENTS // INTERPRETED
    runs = affordable // (EVENTS_PER_WORD * max(1, sum(words.values())))
    scenarios = _scenarios(made, frame, min(SCENARIOS + WIDE_SCENARIOS, max(2, runs // 16)))
    looking = _Search(scenarios=scenarios, levels=steps, depths=frame, left=runs)
    saved = {name: blocks[name](found[-1]) - blocks[name](found[0]) for name, found in steps.items()}
    several = sorted((name for name in steps if len(steps[name]) > 1), key=lambda name: (-saved[name], name))
    if several and not looking.lowered(several):
        fills = _fills(network, frame)
        looking.lower([name for name in several if fills[name] <= steps[name][0]])
        looking.lower([name for name in several if fills[name] > steps[name][0]])
    return SmallestDepths(depths=looking.depths, simulations=runs - looking.left, whole=tuple(looking.whole))


def _fills(network: Network, frame: dict[str, int]) -> dict[str, int]:
    """The largest number of words in each FIFO, if every FIFO has the depth of a frame."""
    trace = Simulator(network).run(frame)
    return {one.name: trace.fill(number) for number, one in enumerate(network.channels)}


def _scenarios(made: Callable[[Vary], Network], frame: dict[str, int], count: int) -> list[_Scenario]:
    """The scenarios (estimated cycles, deeper pipelines, random cycles), each with its result for FIFOs of a frame."""
    network = made(as_estimated)
    own, deeper = Simulator(network), Simulator(made_deeper(network, DEEPER))
    trace = own.run(frame)
    found = [
        _Scenario(simulator=own, interval=trace.interval, latency=trace.latency * (1 + LATER)),
        _Scenario(simulator=deeper, interval=None),
    ]
    for seed in range(count):
        drawn = Simulator(made(drawn_cycles(seed, SPREAD if seed < SCENARIOS else WIDE_SPREAD)))
        found.append(_Scenario(simulator=drawn, interval=drawn.run(frame).interval * (1 + SLOWER)))
    return found


def made_deeper(network: Network, cycles: int) -> Network:
    """The network with more registers in every pipeline."""
    return replace(network, processes=tuple(one.deeper(cycles) for one in network.processes))


def drawn_cycles(seed: int, spread: float) -> Vary:
    """Cycles that are changed by a factor between 1 - `spread` and 1 + `spread`, another one for each use."""

    def vary(use: str, cycles: int) -> int:
        return round(cycles * _factor(seed, use, spread))

    return vary


@lru_cache(1 << 14)
def _factor(seed: int, use: str, spread: float) -> float:
    return np.random.default_rng((seed, crc32(use.encode()))).uniform(1 - spread, 1 + spread)
