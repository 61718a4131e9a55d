"""The records of a study: what it searches, its points, and the result of the command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from fpgacnn.design import Target
from fpgacnn.hardware.estimation import Available, Figure
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.ir.source import Quantizer
from fpgacnn.jobs.explore.context import PointQuantizer, QuantizerChoice
from fpgacnn.jobs.explore.measures import Objective, PointResult, compared, excess, figure, knee, pareto
from fpgacnn.jobs.explore.networks.record import ScaledNetwork
from fpgacnn.jobs.explore.space import DesignSpace, Values
from fpgacnn.jobs.fit.search import FitLimits
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.passes.widths.widths import Point
from fpgacnn.pipeline.inputs import InputChoice
from fpgacnn.records.display import Displayed
from fpgacnn.records.record import ModelRecord, plain
from fpgacnn.system.codec import LEFT_OUT

SCHEMA = 1


class Level(StrEnum):
    """How closely a point has been looked at: each level costs more than the one before it."""

    EMULATED = "post-training"
    RETRAINED = "float network trained again"
    TUNED = "fine-tuned"
    SIMULATED = "C simulation"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySettings:
    """What a study searches; the same settings, model and data give the same points.

    `identity` is a random name, for storages that hold several studies. `sampler`: that of Optuna; `generation`: points
    that are proposed together. `quality`: the float network's on the validation events. `inputs` and `quantizers` are
    those that a point chooses from. `context` is the digest of all that a trial depends on besides its point. `starts`
    are the points that the search begins with; the report compares with the first of them. `networks`: those of each
    factor, where filters are scaled.
    """

    version: str
    identity: str
    model: ModelRecord
    model_files: tuple[str, ...]
    data: str
    data_digest: str
    events: Mapping[str, int]
    measure: str
    quality: float
    objectives: tuple[Objective, ...]
    limits: FitLimits
    seed: int
    sampler: str
    generation: int
    space: DesignSpace
    starts: tuple[Mapping[str, int], ...]
    target: Target
    softmax: SoftmaxChoice
    fold: bool
    fifo: FifoChoice
    input_type: str | None
    available: Available
    inputs: tuple[InputChoice, ...]
    quantizers: tuple[PointQuantizer, ...]
    context: str
    storage: str
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA
    networks: tuple[ScaledNetwork, ...] = field(default=(), metadata=LEFT_OUT)

    def numbers(self, result: PointResult) -> tuple[float, ...]:
        """The objectives' numbers of a result."""
        return compared(result, self.objectives, self.available, sure=self.limits.sure)

    def quantizers_of(self, values: Values) -> dict[Point, Quantizer]:
        """The quantizers of a point."""
        space = self.space
        return QuantizerChoice(self.quantizers).of(space.widths(values), space.pruned(values), space.network(values))

    def network_of(self, values: Values) -> ScaledNetwork | None:
        """The network of a point; None where filters are not scaled."""
        return self.networks[self.space.network(values)] if self.networks else None

    def excess(self, result: PointResult) -> dict[str, float]:
        """By how much a result misses each limit."""
        return excess(result, self.limits, self.available)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPoint:
    """One trial: its number, its point, its result. `sampled` are Optuna's notes on it, as JSON."""

    number: int
    values: Mapping[str, int]
    key: str
    result: PointResult
    sampled: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelResult:
    """What a later level showed of a point.

    `quality`: that of the test events; None where the user gave other events. `project` and `holds`: a conversion
    with C simulation, and whether every comparison held.
    """

    number: int
    level: Level
    quality: float | None = None
    project: str = ""
    holds: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontRow:
    """A point of the front for people: its choices as texts, the objectives with their bands, its level.

    `quality` is that of the validation events, `score` what points were compared by in its place.
    """

    number: int
    choices: Mapping[str, str]
    quality: float
    score: float
    ebops: int
    figures: Mapping[str, Figure]
    latency_ns: Figure
    interval_ns: Figure
    cautions: int
    level: Level
    chosen: bool


@dataclass(frozen=True, kw_only=True, repr=False)
class ExploreRecord(Displayed):
    """A study as far as it has come."""

    folder: str
    settings: StudySettings
    points: tuple[StudyPoint, ...]
    levels: tuple[LevelResult, ...] = ()
    seconds: float = 0.0
    computed: int = 0
    workers: int = 0
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def feasible(self) -> tuple[StudyPoint, ...]:
        """Points that can be built and meet every limit."""
        return tuple(one for one in self.points if not one.result.refused and not self.settings.excess(one.result))

    @cached_property
    def front(self) -> tuple[StudyPoint, ...]:
        """The points within the limits that no other dominates, the best first objective first."""
        values = [self.settings.numbers(one.result) for one in self.feasible]
        places = pareto(values, self.settings.objectives)
        sign = -1.0 if self.settings.objectives[0].is_maximized else 1.0
        return tuple(
            self.feasible[place] for place in sorted(places, key=lambda place: (sign * values[place][0], place))
        )

    @cached_property
    def chosen(self) -> StudyPoint | None:
        """The point of the front nearest to the best number of every objective; None without a front."""
        if not self.front:
            return None
        by_number = {one.number: one for one in self.front}
        values = {number: self.settings.numbers(one.result) for number, one in by_number.items()}
        return by_number[knee(values, self.settings.objectives)]

    @property
    def compares_by_score(self) -> bool:
        """Whether points of the front were compared by other numbers than their quality on the validation events."""
        is_compared = Objective.QUALITY in self.settings.objectives
        return is_compared and any(one.result.compared_quality != one.result.quality for one in self.front)

    @property
    def start(self) -> StudyPoint | None:
        """The first point: the largest widths everywhere, all products at once."""
        return self.points[0] if self.points else None

    @property
    def nearest(self) -> StudyPoint | None:
        """The point that misses the limits least."""
        built = [one for one in self.points if not one.result.refused]
        return min(built, key=lambda one: (sum(self.settings.excess(one.result).values()), one.number), default=None)

    @property
    def found(self) -> bool:
        """Whether a point meets the limits."""
        return bool(self.front)

    @property
    def holds(self) -> bool:
        """Whether a point meets the limits, and every comparison of the converted points holds."""
        return self.found and all(one.holds is not False for one in self.levels)

    @property
    def line(self) -> str:
        """The model, and what was found."""
        points = f"{len(self.points):,} points, {len(self.front)} on the front"
        return f"exploration of {self.settings.model.file} in {self.folder}: {points}"

    def level_of(self, number: int) -> Level:
        """The highest level that a point has seen."""
        seen = {one.level for one in self.levels if one.number == number}
        found = next((one for one in reversed(Level) if one in seen), None)
        return found or self._first_level(number)

    def _first_level(self, number: int) -> Level:
        """What every point has seen: quantization, of the given network or of one that was trained again."""
        point = self.point(number)
        network = None if point is None else self.settings.network_of(point.values)
        return Level.EMULATED if network is None or network.is_given else Level.RETRAINED

    def point(self, number: int) -> StudyPoint | None:
        """The point with a number."""
        return self.points[number] if 0 <= number < len(self.points) else None

    def row(self, one: StudyPoint) -> FrontRow:
        """A point that can be built, for people."""
        settings, result = self.settings, one.result
        assert result.latency_ns is not None
        assert result.interval_ns is not None
        return FrontRow(
            number=one.number,
            choices=settings.space.words(one.values, settings.target.io),
            quality=result.quality,
            score=result.compared_quality,
            ebops=result.ebops,
            figures={name.value: figure(result, name, settings.available) for name in _SHOWN},
            latency_ns=result.latency_ns,
            interval_ns=result.interval_ns,
            cautions=result.cautions,
            level=self.level_of(one.number),
            chosen=self.chosen is not None and one.number == self.chosen.number,
        )

    def to_json(self) -> str:
        """The record as JSON: the settings, the front, and all points."""
        settings = plain(self.settings)
        document = {
            "schema": SCHEMA,
            "folder": self.folder,
            "settings": {name: value for name, value in settings.items() if name not in _LONG},
            "trials": len(self.points),
            "refused": sum(bool(one.result.refused) for one in self.points),
            "front": [plain(self.row(one)) for one in self.front],
            "chosen": self.chosen.number if self.chosen else None,
            "levels": plain(self.levels),
            "points": [
                {
                    "number": one.number,
                    "values": dict(one.values),
                    "refused": one.result.refused,
                    "objectives": None if one.result.refused else list(self.settings.numbers(one.result)),
                    "excess": {} if one.result.refused else self.settings.excess(one.result),
                }
                for one in self.points
            ],
            "seconds": round(self.seconds, 3),
            "computed": self.computed,
            "notes": list(self.notes),
        }
        return json.dumps(document, indent=1)


_LONG = {"quantizers", "starts"}
"""Settings that are in the folder of the study only."""

_SHOWN = (Objective.LUT, Objective.FF, Objective.DSP, Objective.BRAM)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyProgress:
    """How far a search has come: trials done and wanted (None: until `seconds_left` is over), and the best so far."""

    done: int
    wanted: int | None
    computed: int
    seconds: float
    seconds_left: float | None
    best: Mapping[str, float]


def best_numbers(
    settings: StudySettings, results: Sequence[PointResult], so_far: Mapping[str, float] | None = None
) -> Mapping[str, float]:
    """The best number of each objective among results within the limits, and those that were found so far.

    Of the quality it is the best on the validation events, as people read it, not the best score.
    """
    found = [
        settings.numbers(replace(one, score=None)) for one in results if not one.refused and not settings.excess(one)
    ]
    if so_far:
        found.append(tuple(so_far[objective.value] for objective in settings.objectives))
    if not found:
        return {}
    columns = zip(*found, strict=True)
    return {
        objective.value: max(column) if objective.is_maximized else min(column)
        for objective, column in zip(settings.objectives, columns, strict=True)
    }
