"""Search for the best target that meets limits on latency, interval and resources.

A target is an io type and a setting for every parameter. The search tries uniform settings first; from the best of
them, it changes single layers as long as the target improves. It uses no random numbers: the same network and limits
give the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import product
from math import inf
from typing import Protocol

from fpgacnn.design import IoType, Strategy, Target
from fpgacnn.errors import UnsupportedOptionError, UsageError
from fpgacnn.hardware.estimation import Available, Caution, Figure, ResourceEstimate
from fpgacnn.jobs.fit.design_space import Parameter, Setting

STARTS = 12
"""Uniform targets from which single layers are changed, for each io type."""

MOST_TRIALS = 2000
"""For each io type."""

STEPS = (-3, -1, 1, 3)
"""Steps in the list of a layer's factors that the search tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitLimits:
    """The limits.

    `utilization`: share of the part's scarcest resource; `sure`: the upper ends of all bands must meet them.
    """

    latency_ns: float | None = None
    interval_ns: float | None = None
    utilization: float = 0.8
    sure: bool = False

    def __post_init__(self) -> None:
        times = [time for time in (self.latency_ns, self.interval_ns) if time is not None]
        if not (all(0 < time < inf for time in times) and 0 < self.utilization <= 1):
            raise UsageError(what="limits on time must be positive, and the share of the part between 0 and 1")


class Cost(Protocol):
    """What limits are compared with, as an `Estimate` has it too."""

    @property
    def after_synthesis(self) -> ResourceEstimate:
        """What must fit."""

    @property
    def available(self) -> Available | None:
        """The resources of the part."""

    @property
    def latency_ns(self) -> Figure:
        """Time from the first word of a frame to its result."""

    @property
    def interval_ns(self) -> Figure:
        """Time between two frames."""

    @property
    def warnings(self) -> Sequence[Caution]:
        """Reasons against the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastCost:
    """A cost that no number of the real one is below; `exact`: it is the real one."""

    cost: Cost
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A target with its cost and by how much it exceeds the limits."""

    target: Target
    cost: Cost
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
        """Whether every limit is met."""
        return not self.excess


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The best target, whether it fits or not, the front, the number of trials, and what could not be built.

    `ended`: the search stopped at its most trials, before it had tried all it would.
    """

    best: Trial
    front: tuple[Trial, ...]
    trials: int
    refused: Mapping[str, str] = field(default_factory=dict)
    ended: bool = False


def search(
    parameters: Sequence[Parameter] | Mapping[IoType, Sequence[Parameter]],
    base: Target,
    io: Sequence[IoType],
    limits: FitLimits,
    cost: Callable[[Target], Cost],
    bound: Callable[[Target], LeastCost] | None = None,
) -> Search:
    """Find the target that meets the limits best; `base` gives part, clock and tool.

    `parameters` may differ between io types, as their reuse factors do.
    `bound` spares the cost of targets that cannot be better, and changes no answer.
    Raises UnsupportedOptionError if no target can be built, UnknownPartError.
    """
    seen, refused, ended = list[_Candidate](), dict[str, UnsupportedOptionError](), False
    for way in io:
        local = _LocalSearch(
            parameters=parameters[way] if isinstance(parameters, Mapping) else parameters,
            base=replace(base, io=way),
            limits=limits,
            cost=cost,
            bound=bound or _exactly(cost),
        )
        local.run()
        seen.extend(local.seen.values())
        ended = ended or local.ended
        if not local.seen and local.error:
            refused[way.value] = local.error
    if not seen:
        raise next(iter(refused.values()))
    best = min((one.least for one in seen if one.exact), key=lambda one: order(one, limits))
    return Search(
        best=best,
        front=_front(seen),
        trials=len(seen),
        refused={way: str(error) for way, error in refused.items()},
        ended=ended,
    )


def _exactly(cost: Callable[[Target], Cost]) -> Callable[[Target], LeastCost]:
    return lambda target: LeastCost(cost=cost(target), exact=True)


def trial(target: Target, cost: Cost, limits: FitLimits) -> Trial:
    """Compare a cost with the limits."""

    def number(figure: Figure) -> float:
        return figure.high if limits.sure else figure.value

    shares = {name: number(figure) for name, figure in share_bands(cost).items()}
    latency, interval = number(cost.latency_ns), number(cost.interval_ns)
    wanted = {"latency": (latency, limits.latency_ns), "interval": (interval, limits.interval_ns)}
    wanted |= {name: (share, limits.utilization) for name, share in shares.items()}
    excess = {name: has / limit - 1.0 for name, (has, limit) in wanted.items() if limit is not None and has > limit}
    return Trial(target=target, cost=cost, latency_ns=latency, interval_ns=interval, shares=shares, excess=excess)


def share_bands(cost: Cost) -> dict[str, Figure]:
    """The share of the part that each resource takes, with its band."""
    after, there = cost.after_synthesis, cost.available
    assert there is not None  # an unknown part has raised an error before
    pairs = {
        "LUT": (after.lut, there.lut),
        "FF": (after.ff, there.ff),
        "DSP": (after.dsp, there.dsp),
        "BRAM": (after.bram_18k, there.bram_18k),
    }
    return {
        name: Figure(value=one.value / max(1, part), low=one.low / max(1, part), high=one.high / max(1, part))
        for name, (one, part) in pairs.items()
    }


@dataclass(slots=True, kw_only=True)
class _Candidate:
    """A target with lower bounds of its numbers, or, if `exact`, with its numbers."""

    least: Trial
    exact: bool
    limits: FitLimits
    cost: Callable[[Target], Cost]

    def real(self) -> Trial:
        """The trial with the target's numbers."""
        if not self.exact:
            self.least = trial(self.least.target, self.cost(self.least.target), self.limits)
            self.exact = True
        return self.least

    def place(self, number: int) -> tuple[float, float, int, int]:
        """Where it stands among the others on the way to the front; never behind its place by its own numbers."""
        return self.least.latency_ns, self.least.utilization, len(self.least.cost.warnings), number


def _front(candidates: Sequence[_Candidate]) -> tuple[Trial, ...]:
    """The Pareto front: trials that no other trial beats in both latency and utilization, the fastest first.

    The numbers of a candidate are computed only if its bounds could put it on the front.
    """
    left = [(one.place(number), one) for number, one in enumerate(candidates)]
    heapify(left)
    found: list[Trial] = []
    while left:
        (_, _, _, number), one = heappop(left)
        if found and one.least.utilization >= found[-1].utilization:
            continue
        if one.exact:
            found.append(one.least)
        else:
            one.real()
            heappush(left, (one.place(number), one))
    return tuple(found)


def order(one: Trial, limits: FitLimits) -> tuple[float, ...]:
    """Key for sorting trials, best first: excess over the limits, then number of warnings, then what has no limit.

    With a limit on time, the last part compares utilization before time; without one, time before utilization.
    """
    shares = sum(one.shares.values())
    time, size = (one.latency_ns, one.interval_ns), (one.utilization, shares)
    timed = limits.latency_ns is not None or limits.interval_ns is not None
    return (
        round(sum(one.excess.values()), 9),
        float(len(one.cost.warnings)),
        *(size + time if timed else time + size),
    )


@dataclass(slots=True, kw_only=True)
class _LocalSearch:
    """The search for one io type."""

    parameters: Sequence[Parameter]
    base: Target
    limits: FitLimits
    cost: Callable[[Target], Cost]
    bound: Callable[[Target], LeastCost]
    seen: dict[tuple[Setting, ...], _Candidate] = field(default_factory=dict)
    error: UnsupportedOptionError | None = None
    ended: bool = False

    def run(self) -> None:
        """Try uniform settings, then change single layers from the best of them."""
        starts = {settings: found.real() for settings in self._uniform() if (found := self._try(settings)) is not None}
        for settings in sorted(starts, key=lambda settings: order(starts[settings], self.limits))[:STARTS]:
            self._descend(settings, starts[settings])

    def _uniform(self) -> Iterator[tuple[Setting, ...]]:
        largest = max((parameter.factors[-1] for parameter in self.parameters), default=1)
        for strategy, power in product((Strategy.LATENCY, Strategy.RESOURCE), range(largest.bit_length())):
            yield tuple(
                Setting(strategy=strategy, reuse=parameter.nearest(1 << power)) for parameter in self.parameters
            )
        if any(parameter.da for parameter in self.parameters):
            yield tuple(Setting(strategy=Strategy.DA if one.da else Strategy.LATENCY) for one in self.parameters)

    def _descend(self, settings: tuple[Setting, ...], best: Trial) -> None:
        """Change one layer after the other as long as the target improves."""
        better = True
        while better:
            better = False
            for number, parameter in enumerate(self.parameters):
                for setting in _neighbours(parameter, settings[number]):
                    changed = (*settings[:number], setting, *settings[number + 1 :])
                    found = self._better(changed, best)
                    if found is not None:
                        best, settings, better = found, changed, True

    def _better(self, settings: tuple[Setting, ...], best: Trial) -> Trial | None:
        """The trial of a target if it is better than the best so far."""
        found = self._try(settings)
        if found is None or order(found.least, self.limits) >= order(best, self.limits):
            return None
        return found.least if found.exact or order(found.real(), self.limits) < order(best, self.limits) else None

    def _try(self, settings: tuple[Setting, ...]) -> _Candidate | None:
        """Estimate a target; None if it cannot be built, or if the number of trials is used up."""
        if settings in self.seen:
            return self.seen[settings]
        if len(self.seen) >= MOST_TRIALS:
            self.ended = True
            return None
        pairs = list(zip(self.parameters, settings, strict=True))
        target = replace(
            self.base,
            strategy=Strategy.LATENCY,
            reuse=1,
            reuse_of={parameter.layer: setting.reuse for parameter, setting in pairs if setting.reuse != 1},
            strategy_of={
                parameter.layer: setting.strategy
                for parameter, setting in pairs
                if setting.strategy is not Strategy.LATENCY
            },
        )
        try:
            bound = self.bound(target)
        except UnsupportedOptionError as error:
            self.error = self.error or error
            return None
        least = trial(target, bound.cost, self.limits)
        self.seen[settings] = _Candidate(least=least, exact=bound.exact, limits=self.limits, cost=self.cost)
        return self.seen[settings]


def _neighbours(parameter: Parameter, setting: Setting) -> Iterator[Setting]:
    """Other reuse factors of the same strategy, and the other strategies."""
    here = parameter.factors.index(setting.reuse)
    for step in STEPS if setting.strategy is not Strategy.DA else ():
        if 0 <= here + step < len(parameter.factors):
            yield replace(setting, reuse=parameter.factors[here + step])
    for strategy in Strategy:
        if strategy is Strategy.DA and parameter.da:
            yield Setting(strategy=strategy)
        elif strategy not in {Strategy.DA, setting.strategy}:
            yield replace(setting, strategy=strategy)
