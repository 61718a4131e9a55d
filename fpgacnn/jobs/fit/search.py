"""Which targets meet limits on latency, interval and resources, and which of them is best.

A target is a way of moving data and a turn of every knob. Uniform turns are looked at first; from the best of them,
single layers are turned as long as that helps. Everything is computed, nothing is drawn: the same network and limits
give the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import inf

from fpgacnn.design import IoType, Strategy, Target
from fpgacnn.errors import UnsupportedOptionError, UsageError
from fpgacnn.hardware.estimation import Estimate, Figure
from fpgacnn.jobs.fit.design_space import Parameter, Setting

STARTS = 12
"""Uniform targets from which single layers are turned, for each way of moving data."""

MOST_TRIALS = 2000
"""For each way of moving data."""

STEPS = (-3, -1, 1, 3)
"""How far along its factors a layer is turned at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitLimits:
    """What must be met. `utilization` is the share of the part's scarcest resource; `sure` asks the upper ends of all bands."""

    latency_ns: float | None = None
    interval_ns: float | None = None
    utilization: float = 0.8
    sure: bool = False

    def __post_init__(self) -> None:
        times = [time for time in (self.latency_ns, self.interval_ns) if time is not None]
        if not (all(0 < time < inf for time in times) and 0 < self.utilization <= 1):
            raise UsageError(what="limits on time must be positive, and the share of the part between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A target with its estimate, seen through the limits."""

    target: Target
    estimate: Estimate
    latency_ns: float
    interval_ns: float
    shares: Mapping[str, float]
    excess: Mapping[str, float]

    @property
    def utilization(self) -> float:
        """Share of the scarcest resource."""
        return max(self.shares.values())

    @property
    def fits(self) -> bool:
        """Every limit is met."""
        return not self.excess


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The best target, fitting or not, the front of all that were looked at, how many those were, and what could not be built."""

    best: Trial
    front: tuple[Trial, ...]
    trials: int
    refused: Mapping[str, str] = field(default_factory=dict)


def search(
    knobs: Sequence[Parameter],
    base: Target,
    io: Sequence[IoType],
    limits: FitLimits,
    estimate: Callable[[Target], Estimate],
) -> Search:
    """Find the target that meets the limits best; `base` gives part, clock and tool.

    Raises UnsupportedOptionError where the network can be built in no way, UnknownPartError.
    """
    seen, refused = list[Trial](), dict[str, UnsupportedOptionError]()
    for way in io:
        looking = _Looking(knobs=knobs, base=replace(base, io=way), limits=limits, estimate=estimate)
        looking.look()
        seen.extend(looking.seen.values())
        if not looking.seen and looking.error:
            refused[way.value] = looking.error
    if not seen:
        raise next(iter(refused.values()))
    best = min(seen, key=lambda one: order(one, limits))
    return Search(
        best=best, front=front(seen), trials=len(seen), refused={way: str(error) for way, error in refused.items()}
    )


def trial(target: Target, estimate: Estimate, limits: FitLimits) -> Trial:
    """See an estimate through the limits."""
    after, there = estimate.after_synthesis, estimate.available
    assert there is not None  # an unknown part has raised
    pairs = {
        "LUT": (after.lut, there.lut),
        "FF": (after.ff, there.ff),
        "DSP": (after.dsp, there.dsp),
        "BRAM": (after.bram_18k, there.bram_18k),
    }

    def number(figure: Figure) -> float:
        return figure.high if limits.sure else figure.value

    shares = {name: number(figure) / max(1, part) for name, (figure, part) in pairs.items()}
    latency, interval = number(estimate.latency_ns), number(estimate.interval_ns)
    wanted = {"latency": (latency, limits.latency_ns), "interval": (interval, limits.interval_ns)}
    wanted |= {name: (share, limits.utilization) for name, share in shares.items()}
    excess = {name: has / limit - 1.0 for name, (has, limit) in wanted.items() if limit is not None and has > limit}
    return Trial(
        target=target, estimate=estimate, latency_ns=latency, interval_ns=interval, shares=shares, excess=excess
    )


def front(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The trials that no other one beats in both latency and utilization, the fastest first."""
    found: list[Trial] = []
    for one in sorted(trials, key=lambda one: (one.latency_ns, one.utilization, len(one.estimate.warnings))):
        if not found or one.utilization < found[-1].utilization:
            found.append(one)
    return tuple(found)


def order(one: Trial, limits: FitLimits) -> tuple[float, ...]:
    """Smaller is better: limits first, then what tools can be expected to build, then what the limits leave free.

    With a limit on time, that is room on the part; without one, it is time.
    """
    shares = sum(one.shares.values())
    time, room = (one.latency_ns, one.interval_ns), (one.utilization, shares)
    timed = limits.latency_ns is not None or limits.interval_ns is not None
    return (
        round(sum(one.excess.values()), 9),
        float(len(one.estimate.warnings)),
        *(room + time if timed else time + room),
    )


@dataclass(slots=True, kw_only=True)
class _Looking:
    """One way of moving data."""

    knobs: Sequence[Parameter]
    base: Target
    limits: FitLimits
    estimate: Callable[[Target], Estimate]
    seen: dict[tuple[Setting, ...], Trial] = field(default_factory=dict)
    error: UnsupportedOptionError | None = None

    def look(self) -> None:
        """Uniform turns, then single layers from the best of them."""
        starts = {turns: found for turns in self._uniform() if (found := self._ask(turns)) is not None}
        for turns in sorted(starts, key=lambda turns: order(starts[turns], self.limits))[:STARTS]:
            self._descend(turns, starts[turns])

    def _uniform(self) -> Iterator[tuple[Setting, ...]]:
        largest = max((knob.factors[-1] for knob in self.knobs), default=1)
        for strategy, power in product(Strategy, range(largest.bit_length())):
            yield tuple(Setting(strategy=strategy, reuse=knob.nearest(1 << power)) for knob in self.knobs)

    def _descend(self, turns: tuple[Setting, ...], best: Trial) -> None:
        """Turn one layer after the other as long as something gets better."""
        better = True
        while better:
            better = False
            for number, knob in enumerate(self.knobs):
                for turn in _neighbours(knob, turns[number]):
                    changed = (*turns[:number], turn, *turns[number + 1 :])
                    found = self._ask(changed)
                    if found is not None and order(found, self.limits) < order(best, self.limits):
                        best, turns, better = found, changed, True

    def _ask(self, turns: tuple[Setting, ...]) -> Trial | None:
        """What a target costs; None where it cannot be built, or enough were asked for."""
        if turns in self.seen or len(self.seen) >= MOST_TRIALS:
            return self.seen.get(turns)
        pairs = list(zip(self.knobs, turns, strict=True))
        target = replace(
            self.base,
            strategy=Strategy.LATENCY,
            reuse=1,
            reuse_of={knob.layer: turn.reuse for knob, turn in pairs if turn.reuse != 1},
            strategy_of={knob.layer: turn.strategy for knob, turn in pairs if turn.strategy is not Strategy.LATENCY},
        )
        try:
            answer = self.estimate(target)
        except UnsupportedOptionError as error:
            self.error = self.error or error
            return None
        self.seen[turns] = trial(target, answer, self.limits)
        return self.seen[turns]


def _neighbours(knob: Parameter, turn: Setting) -> Iterator[Setting]:
    here = knob.factors.index(turn.reuse)
    for step in STEPS:
        if 0 <= here + step < len(knob.factors):
            yield replace(turn, reuse=knob.factors[here + step])
    yield replace(turn, strategy=Strategy.LATENCY if turn.strategy is Strategy.RESOURCE else Strategy.RESOURCE)
