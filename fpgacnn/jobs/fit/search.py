"""Search for the best target that meets limits on latency, interval and resources.

A target is an io type and a setting for every parameter. The search tries uniform settings first; from the best of
them, it changes single layers as long as the target improves. It uses no random numbers: the same network and limits
give the same result.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A target with its estimate and by how much it exceeds the limits."""

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
        """Whether every limit is met."""
        return not self.excess


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The best target, whether it fits or not, the front, the number of trials, and what could not be built."""

    best: Trial
    front: tuple[Trial, ...]
    trials: int
    refused: Mapping[str, str] = field(default_factory=dict)


def search(
    parameters: Sequence[Parameter],
    base: Target,
    io: Sequence[IoType],
    limits: FitLimits,
    estimate: Callable[[Target], Estimate],
) -> Search:
    """Find the target that meets the limits best; `base` gives part, clock and tool.

    Raises UnsupportedOptionError if no target can be built, UnknownPartError.
    """
    seen, refused = list[Trial](), dict[str, UnsupportedOptionError]()
    for way in io:
        local = _LocalSearch(parameters=parameters, base=replace(base, io=way), limits=limits, estimate=estimate)
        local.run()
        seen.extend(local.seen.values())
        if not local.seen and local.error:
            refused[way.value] = local.error
    if not seen:
        raise next(iter(refused.values()))
    best = min(seen, key=lambda one: order(one, limits))
    return Search(
        best=best, front=front(seen), trials=len(seen), refused={way: str(error) for way, error in refused.items()}
    )


def trial(target: Target, estimate: Estimate, limits: FitLimits) -> Trial:
    """Compare an estimate with the limits."""
    after, there = estimate.after_synthesis, estimate.available
    assert there is not None  # an unknown part has raised an error before
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
    """The Pareto front: trials that no other trial beats in both latency and utilization, the fastest first."""
    found: list[Trial] = []
    for one in sorted(trials, key=lambda one: (one.latency_ns, one.utilization, len(one.estimate.warnings))):
        if not found or one.utilization < found[-1].utilization:
            found.append(one)
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
        float(len(one.estimate.warnings)),
        *(size + time if timed else time + size),
    )


@dataclass(slots=True, kw_only=True)
class _LocalSearch:
    """The search for one io type."""

    parameters: Sequence[Parameter]
    base: Target
    limits: FitLimits
    estimate: Callable[[Target], Estimate]
    seen: dict[tuple[Setting, ...], Trial] = field(default_factory=dict)
    error: UnsupportedOptionError | None = None

    def run(self) -> None:
        """Try uniform settings, then change single layers from the best of them."""
        starts = {settings: found for settings in self._uniform() if (found := self._try(settings)) is not None}
        for settings in sorted(starts, key=lambda settings: order(starts[settings], self.limits))[:STARTS]:
            self._descend(settings, starts[settings])

    def _uniform(self) -> Iterator[tuple[Setting, ...]]:
        largest = max((parameter.factors[-1] for parameter in self.parameters), default=1)
        for strategy, power in product(Strategy, range(largest.bit_length())):
            yield tuple(
                Setting(strategy=strategy, reuse=parameter.nearest(1 << power)) for parameter in self.parameters
            )

    def _descend(self, settings: tuple[Setting, ...], best: Trial) -> None:
        """Change one layer after the other as long as the target improves."""
        better = True
        while better:
            better = False
            for number, parameter in enumerate(self.parameters):
                for setting in _neighbours(parameter, settings[number]):
                    changed = (*settings[:number], setting, *settings[number + 1 :])
                    found = self._try(changed)
                    if found is not None and order(found, self.limits) < order(best, self.limits):
                        best, settings, better = found, changed, True

    def _try(self, settings: tuple[Setting, ...]) -> Trial | None:
        """Estimate a target; None if it cannot be built, or if the number of trials is used up."""
        if settings in self.seen or len(self.seen) >= MOST_TRIALS:
            return self.seen.get(settings)
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
            answer = self.estimate(target)
        except UnsupportedOptionError as error:
            self.error = self.error or error
            return None
        self.seen[settings] = trial(target, answer, self.limits)
        return self.seen[settings]


def _neighbours(parameter: Parameter, setting: Setting) -> Iterator[Setting]:
    here = parameter.factors.index(setting.reuse)
    for step in STEPS:
        if 0 <= here + step < len(parameter.factors):
            yield replace(setting, reuse=parameter.factors[here + step])
    yield replace(setting, strategy=Strategy.LATENCY if setting.strategy is Strategy.RESOURCE else Strategy.RESOURCE)
