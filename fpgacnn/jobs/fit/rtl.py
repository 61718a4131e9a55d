"""Search reuse factors of an RTL design: how many clocks each product may take, within the clocks between its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from fpgacnn.design import Design, IoType, Target
from fpgacnn.errors import RtlUnsupportedError
from fpgacnn.hardware.estimation.rtl.estimate import estimate_rtl
from fpgacnn.ir import hardware as hw
from fpgacnn.jobs.fit.design_space import Parameter
from fpgacnn.jobs.fit.search import FitLimits, Search, Trial, order, trial

FACTORS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Most clocks for a word; 1 leaves the choice to the schedule, which weighs tables against latency."""

MOST_TRIALS = 200


def rtl_parameters(design: Design) -> tuple[Parameter, ...]:
    """The layers of an RTL design with products that may be folded; none in parallel."""
    folded = hw.Convolution | hw.Depthwise | hw.Dense
    if design.target.io is IoType.PARALLEL:
        return ()
    names = dict.fromkeys(one.sums_of for one in design.model.layers if isinstance(one.operation, folded))
    return tuple(Parameter(layer=name, factors=FACTORS) for name in names)


def search_rtl(design: Design, parameters: Sequence[Parameter], limits: FitLimits) -> Search:
    """The target that meets the limits best, over the reuse factors of all layers.

    Raises RtlUnsupportedError where the network cannot be built at all, UnknownPartError.
    """
    return _Search(design=design, parameters=parameters, limits=limits).run()


@dataclass(slots=True, kw_only=True)
class _Search:
    """Uniform factors first, then changes of single layers as long as they improve the target."""

    design: Design
    parameters: Sequence[Parameter]
    limits: FitLimits
    seen: dict[tuple[int, ...], Trial | None] = field(default_factory=dict)
    refusal: RtlUnsupportedError | None = None
    ended: bool = False

    def run(self) -> Search:
        """The best target and the front."""
        uniform = [(factor,) * len(self.parameters) for factor in FACTORS]
        found = [(settings, one) for settings in dict.fromkeys(uniform) if (one := self._try(settings)) is not None]
        if not found:
            assert self.refusal is not None  # every target was refused
            raise self.refusal
        settings, best = min(found, key=lambda pair: order(pair[1], self.limits))
        best = self._descend(settings, best)
        trials = sum(one is not None for one in self.seen.values())
        return Search(best=best, front=self._front(), trials=trials, ended=self.ended)

    def _descend(self, settings: tuple[int, ...], best: Trial) -> Trial:
        """Change one layer after the other, each from the best settings so far, as long as the target improves."""
        better = True
        while better:
            better = False
            for number, factor in product(range(len(settings)), FACTORS):
                changed = (*settings[:number], factor, *settings[number + 1 :])
                one = self._try(changed)
                if one is not None and order(one, self.limits) < order(best, self.limits):
                    settings, best, better = changed, one, True
        return best

    def _try(self, settings: tuple[int, ...]) -> Trial | None:
        """The trial of a target; None where a factor would cost interval, or where the trials are used up."""
        if settings not in self.seen:
            if len(self.seen) >= MOST_TRIALS:
                self.ended = True
                return None
            target = self._target(settings)
            try:
                self.seen[settings] = trial(target, estimate_rtl(replace(self.design, target=target)), self.limits)
            except RtlUnsupportedError as error:
                self.refusal, self.seen[settings] = self.refusal or error, None
        return self.seen[settings]

    def _target(self, settings: tuple[int, ...]) -> Target:
        pairs = zip(self.parameters, settings, strict=True)
        return replace(self.design.target, reuse=1, reuse_of={one.layer: value for one, value in pairs if value != 1})

    def _front(self) -> tuple[Trial, ...]:
        """The trials that no other one beats in both latency and utilization, the fastest first."""
        found = list[Trial]()
        trials = [one for one in self.seen.values() if one is not None]
        for one in sorted(trials, key=lambda trial: (trial.latency_ns, trial.utilization)):
            if not found or one.utilization < found[-1].utilization:
                found.append(one)
        return tuple(found)
