"""Objectives and limits of `explore`: the numbers that are compared, their directions, and the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np

from fpgacnn.errors import UsageError
from fpgacnn.hardware.estimation import Available, Figure, ResourceEstimate
from fpgacnn.ir.source import FloatArray
from fpgacnn.jobs.fit.search import FitLimits
from fpgacnn.jobs.quantize.objective import Distillation, Labelled, Task, TaskEvents, quality

LEAST_OBJECTIVES, MOST_OBJECTIVES = 2, 4


class Objective(StrEnum):
    """What a search makes large (quality) or small (all others)."""

    QUALITY = "quality"
    LUT = "lut"
    FF = "ff"
    DSP = "dsp"
    BRAM = "bram"
    UTILIZATION = "util"
    LATENCY = "latency"
    INTERVAL = "interval"
    EBOPS = "ebops"

    @property
    def is_maximized(self) -> bool:
        """Whether larger is better."""
        return self is Objective.QUALITY

    @property
    def unit(self) -> str:
        """The unit of the objective's numbers; empty for those without one."""
        match self:
            case Objective.LATENCY | Objective.INTERVAL:
                return "ns"
            case Objective.LUT | Objective.FF | Objective.DSP | Objective.BRAM | Objective.UTILIZATION:
                return "share of the part"
            case Objective.QUALITY | Objective.EBOPS:
                return ""
            case _:
                assert_never(self)


DEFAULT_OBJECTIVES = (Objective.QUALITY, Objective.LUT, Objective.LATENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFigure(Figure):
    """A number that can be negative, as the explained variance of bad answers."""

    def __post_init__(self) -> None:
        assert self.low <= self.value <= self.high, self

    def times(self, factor: float) -> SignedFigure:
        """The number in another unit."""
        return SignedFigure(value=self.value * factor, low=self.low * factor, high=self.high * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointResult:
    """What a point costs and how good it is.

    `quality` is that of the validation events, from the integer codes of the emulator. `score` is what points are
    compared by in its place (`score` below); None: the quality. `cautions` counts warnings of
    the estimate; `stops`: the processes of a streamed design wait for each other. `refused` is the error of a point
    that cannot be built; then no number counts.
    """

    quality: float = 0.0
    score: float | None = None
    ebops: int = 0
    resources: ResourceEstimate | None = None
    latency_ns: Figure | None = None
    interval_ns: Figure | None = None
    cautions: int = 0
    stops: bool = False
    refused: str = ""

    @property
    def compared_quality(self) -> float:
        """What points are compared by as their quality."""
        return self.quality if self.score is None else self.score


def parse_objectives(texts: Sequence[str]) -> tuple[Objective, ...]:
    """Two to four objectives, none twice.

    Raises UsageError.
    """
    words = [word.strip().lower() for text in texts for word in text.split(",")]
    for word in words:
        if word not in set(Objective):
            raise UsageError(what=f"--objective {word}: expected one of {', '.join(Objective)}")
    found = tuple(Objective(word) for word in words) or DEFAULT_OBJECTIVES
    if len(set(found)) != len(found) or not LEAST_OBJECTIVES <= len(found) <= MOST_OBJECTIVES:
        raise UsageError(what=f"--objective: give {LEAST_OBJECTIVES} to {MOST_OBJECTIVES} different ones")
    return found


def figure(result: PointResult, objective: Objective, available: Available) -> Figure:
    """The number of an objective with its band; quality and EBOPs are counted, so theirs has no width.

    Resources are those after synthesis, as shares of the part. The result must not be a refused one.
    """
    resources, latency, interval = result.resources, result.latency_ns, result.interval_ns
    assert resources is not None
    assert latency is not None
    assert interval is not None
    match objective:
        case Objective.QUALITY:
            return SignedFigure(value=result.quality, low=result.quality, high=result.quality)
        case Objective.EBOPS:
            return Figure(value=result.ebops, low=result.ebops, high=result.ebops)
        case Objective.LUT:
            return resources.lut.times(1 / max(1, available.lut))
        case Objective.FF:
            return resources.ff.times(1 / max(1, available.ff))
        case Objective.DSP:
            return resources.dsp.times(1 / max(1, available.dsp))
        case Objective.BRAM:
            return resources.bram_18k.times(1 / max(1, available.bram_18k))
        case Objective.UTILIZATION:
            shares = (Objective.LUT, Objective.FF, Objective.DSP, Objective.BRAM)
            figures = [figure(result, one, available) for one in shares]
            return Figure(
                value=max(one.value for one in figures),
                low=max(one.low for one in figures),
                high=max(one.high for one in figures),
            )
        case Objective.LATENCY:
            return latency
        case Objective.INTERVAL:
            return interval
        case _:
            assert_never(objective)


def compared(
    result: PointResult, objectives: Sequence[Objective], available: Available, *, sure: bool = False
) -> tuple[float, ...]:
    """The number of each objective, for the quality the score; with `sure`, the upper ends of the bands."""
    return tuple(
        result.compared_quality if one is Objective.QUALITY else _number(figure(result, one, available), sure=sure)
        for one in objectives
    )


def excess(result: PointResult, limits: FitLimits, available: Available) -> dict[str, float]:
    """By how much a point misses each limit, as a share of the limit; empty where it meets all of them."""
    pairs = {
        "latency": (Objective.LATENCY, limits.latency_ns),
        "interval": (Objective.INTERVAL, limits.interval_ns),
        "LUT": (Objective.LUT, limits.utilization),
        "FF": (Objective.FF, limits.utilization),
        "DSP": (Objective.DSP, limits.utilization),
        "BRAM": (Objective.BRAM, limits.utilization),
    }
    found = {}
    for name, (objective, limit) in pairs.items():
        if limit is not None:
            number = _number(figure(result, objective, available), sure=limits.sure)
            if number > limit:
                found[name] = number / limit - 1.0
    if result.stops:
        found["deadlock"] = 1.0
    return found


def _number(one: Figure, *, sure: bool) -> float:
    return one.high if sure else one.value


def score(
    task: Task,
    answers: Sequence[FloatArray],
    events: TaskEvents,
    float_answers: Sequence[FloatArray],
    *,
    probabilities: bool = False,
) -> float:
    """What points are compared by as their quality, on all events of a study, not only those of validation.

    With classes it is the mean of the accuracy and of the probability of the right class: the softmax of the answers,
    or the answers themselves where they are `probabilities`.
    Of thousands of points, the best accuracy on few events is too good by chance; the probability also counts how near
    the answers are to a change. Else it is the quality, which is as smooth.
    """
    good = quality(task, answers, events, float_answers)
    match task:
        case Labelled(classes=classes) if classes > 1:
            assert events.labels is not None
            shares = answers[0] if probabilities else _softmax(answers[0])
            return (good + float(shares[np.arange(len(shares)), events.labels].mean())) / 2
        case Labelled() | Distillation():
            return good
        case _:
            assert_never(task)


def _softmax(logits: FloatArray) -> FloatArray:
    wide = np.exp(logits - logits.max(axis=1, keepdims=True))
    return wide / wide.sum(axis=1, keepdims=True)


def pareto(values: Sequence[Sequence[float]], objectives: Sequence[Objective]) -> list[int]:
    """The places of the values that no other ones dominate, ascending; of equal values, the first.

    Values dominate others where they are better in one objective and worse in none.
    """
    if not values:
        return []
    signs = np.array([-1.0 if one.is_maximized else 1.0 for one in objectives])
    costs = np.asarray(values, np.float64) * signs
    order = np.lexsort((np.arange(len(costs)), *costs.T[::-1]))
    kept: list[int] = []
    front = np.empty((0, len(objectives)))
    for place in order.tolist():
        one = costs[place]
        if not np.any(np.all(front <= one, axis=1)):  # an equal one dominates too: it came first
            kept.append(place)
            front = np.vstack((front, one))
    return sorted(kept)


def knee(values: Mapping[int, Sequence[float]], objectives: Sequence[Objective]) -> int:
    """The key of the point that is nearest to the best number of every objective, each scaled to the front's range."""
    signs = np.array([-1.0 if one.is_maximized else 1.0 for one in objectives])
    keys = sorted(values)
    costs = np.array([values[key] for key in keys], np.float64) * signs
    low, span = costs.min(axis=0), np.ptp(costs, axis=0)
    distance = np.square((costs - low) / np.where(span > 0, span, 1.0)).sum(axis=1)
    return keys[int(np.argmin(distance))]
