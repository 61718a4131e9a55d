"""Optuna's samplers and importances: which points come next. It runs in memory; `storage` writes finished trials.

Points are proposed in generations of a fixed size, each with a sampler that is seeded with the study's seed and the
number of the generation. A generation depends on nothing else than the trials of the generations before it, so neither
the number of workers, nor their order, nor a kill between two trials changes what is proposed.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fpgacnn.errors import InternalError, MissingExtraError, UsageError
from fpgacnn.jobs.explore.measures import Objective, PointResult
from fpgacnn.jobs.explore.record import StudyPoint, StudySettings

if TYPE_CHECKING:
    import optuna

GENERATIONS = {"nsga2": 50, "tpe": 20, "random": 50}
"""Points of a generation by sampler. TPE learns from each batch, so its batches are smaller."""

FEW_OBJECTIVES = 2
"""With so many objectives, TPE is the default; with more, NSGA-II."""


def chosen_sampler(name: str | None, objectives: Sequence[Objective]) -> str:
    """A sampler by name: `nsga2`, `tpe` or `random`; None or `auto`: TPE for two objectives, else NSGA-II.

    Raises UsageError.
    """
    if name in {None, "auto"}:
        return "tpe" if len(objectives) <= FEW_OBJECTIVES else "nsga2"
    assert name is not None
    if name not in GENERATIONS:
        raise UsageError(what=f"--sampler {name}: expected auto, {', '.join(GENERATIONS)}")
    return name


def open_optuna() -> ModuleType:
    """Optuna, which reports errors only.

    Raises MissingExtraError.
    """
    try:
        import optuna
        import optuna.importance
        import optuna.samplers
    except ImportError as error:
        raise MissingExtraError(package=error.name or "optuna", extra="explore") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's warnings about features that it calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(slots=True, kw_only=True)
class Proposals:
    """The points of a study in memory, and those that come next."""

    settings: StudySettings
    _optuna: Any = field(default_factory=open_optuna)
    _study: Any = None
    _open: list[Any] = field(default_factory=list)

    def begin(self, points: Sequence[StudyPoint]) -> None:
        """Begin with finished generations."""
        optuna = self._optuna
        directions = ["maximize" if one.is_maximized else "minimize" for one in self.settings.objectives]
        with quiet():
            self._study = optuna.create_study(directions=directions, sampler=self._sampler(0))
            for one in points:  # before the starts that wait: TPE depends on the order of the trials
                self._study.add_trial(frozen(one, self.settings))
            for values in self.settings.starts[len(points) :]:
                self._study.enqueue_trial(dict(values))
            sampler = self._study.sampler
            if isinstance(sampler, optuna.samplers.NSGAIISampler):
                for generation in range(1, len(points) // self.settings.generation):
                    sampler.get_parent_population(self._study, generation)  # cached, else it calls itself for each

    def next(self) -> list[dict[str, int]]:
        """The points of the next generation, in their order."""
        first = len(self._study.trials)
        self._study.sampler = self._sampler(first // self.settings.generation)
        distributions = self._distributions()
        with quiet():
            self._open = [self._study.ask(distributions) for _ in range(self.settings.generation)]
        return [{name: int(one.params[name]) for name in distributions} for one in self._open]

    def tell(self, results: Sequence[PointResult]) -> list[str]:
        """Give the results of the whole generation; returns Optuna's notes on each trial as JSON."""
        optuna = self._optuna
        if len(results) != len(self._open):
            raise InternalError(what="a generation was completed with another number of results")
        with quiet():
            for trial, result in zip(self._open, results, strict=True):
                if result.refused:
                    self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
                    continue
                for name, value in constraints(result, self.settings).items():
                    trial.set_constraint(name, value)
                self._study.tell(trial, list(self.settings.numbers(result)))
        numbers = [one.number for one in self._open]
        self._open = []
        trials = self._study.get_trials(deepcopy=False)
        return [json.dumps(trials[number].system_attrs, sort_keys=True) for number in numbers]

    def importances(self) -> Mapping[str, Mapping[str, float]]:
        """The share of each axis in the spread of each objective, by objective; nothing where all numbers are equal."""
        found: dict[str, Mapping[str, float]] = {}
        for place, objective in enumerate(self.settings.objectives):
            trials = [one for one in self._study.trials if one.values is not None]
            if len({one.values[place] for one in trials}) > 1:
                with quiet():
                    shares = self._optuna.importance.get_param_importances(
                        self._study, target=lambda trial, place=place: trial.values[place]
                    )
                found[objective.value] = {name: round(float(share), 6) for name, share in shares.items()}
        return found

    def _distributions(self) -> dict[str, optuna.distributions.BaseDistribution]:
        return distributions(self._optuna, self.settings)

    def _sampler(self, generation: int) -> Any:
        samplers, size = self._optuna.samplers, self.settings.generation
        seed = seed_of(self.settings.seed, generation)
        match self.settings.sampler:
            case "nsga2":
                return samplers.NSGAIISampler(population_size=size, seed=seed)
            case "tpe":
                return samplers.TPESampler(seed=seed, n_startup_trials=size)
            case _:
                return samplers.RandomSampler(seed=seed)


def importances_of(settings: StudySettings, points: Sequence[StudyPoint]) -> Mapping[str, Mapping[str, float]]:
    """The importances of the axes of a study, by objective.

    Raises MissingExtraError without Optuna.
    """
    proposals = Proposals(settings=settings)
    proposals.begin(points)
    return proposals.importances()


def distributions(optuna: Any, settings: StudySettings) -> dict[str, Any]:
    """The axes of a study as Optuna's distributions of integers."""
    make = optuna.distributions.IntDistribution
    return {axis.name: make(axis.low, axis.high) for axis in settings.space.axes}


def constraints(result: PointResult, settings: StudySettings) -> dict[str, float]:
    """By how much each limit is missed, 0 where it is met, as Optuna reads constraints."""
    missed = settings.excess(result)
    names = ("latency", "interval", "LUT", "FF", "DSP", "BRAM", "deadlock")
    return {name: missed.get(name, 0.0) for name in names}


def seed_of(seed: int, generation: int) -> int:
    """The seed of the sampler of a generation, below 2^32."""
    return int.from_bytes(hashlib.sha256(f"{seed} {generation}".encode()).digest()[:4], "big")


def frozen(one: StudyPoint, settings: StudySettings) -> Any:
    """A finished trial as Optuna's, with the values that the study compares."""
    optuna = open_optuna()
    ok = not one.result.refused
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.COMPLETE if ok else optuna.trial.TrialState.FAIL,
        params=dict(one.values),
        distributions=distributions(optuna, settings),
        values=list(settings.numbers(one.result)) if ok else None,
        system_attrs=json.loads(one.sampled),
        user_attrs={"key": one.key, "refused": one.result.refused} if one.result.refused else {"key": one.key},
    )
