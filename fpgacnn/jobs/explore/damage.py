"""What no command wrote into the records of a study, and what a search or a report would fail on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import PurePosixPath

from fpgacnn.jobs.explore.measures import LEAST_OBJECTIVES, MOST_OBJECTIVES
from fpgacnn.jobs.explore.networks.record import GIVEN
from fpgacnn.jobs.explore.record import LevelResult, StudyPoint, StudySettings
from fpgacnn.jobs.explore.sampler import GENERATIONS
from fpgacnn.jobs.explore.space import (
    FEWEST_BITS,
    MOST_BITS,
    FilterAxis,
    IoAxis,
    PruningAxis,
    SettingAxis,
    SpaceAxis,
    WidthAxis,
)
from fpgacnn.passes.widths.widths import Part


def of_settings(settings: StudySettings) -> str:
    """What is wrong with the settings of a study; empty where they are whole."""
    files = [PurePosixPath(name) for name in settings.model_files]
    objectives, names = settings.objectives, [axis.name for axis in settings.space.axes]
    if not settings.model_files or settings.generation < 1:
        return "it names no model, or no generation"
    if any("\0" in str(file) for file in files) or settings.model.file not in files[0].parts[1:]:
        return "its files are not those of its model"
    if len(set(objectives)) != len(objectives) or not LEAST_OBJECTIVES <= len(objectives) <= MOST_OBJECTIVES:
        return f"it does not have {LEAST_OBJECTIVES} to {MOST_OBJECTIVES} different objectives"
    if settings.sampler not in GENERATIONS:
        return f"its sampler is none of {', '.join(GENERATIONS)}"
    if settings.events.keys() != {"train", "validation", "test"} or min(settings.events.values()) < 0:
        return "it does not count the events"
    if not names or len(set(names)) != len(names):
        return "its axes have no different names"
    types = next((axis.choices for axis in settings.space.axes if isinstance(axis, IoAxis)), (settings.target.io,))
    for axis in settings.space.axes:
        if not _is_whole(axis) or (isinstance(axis, SettingAxis) and not all(_allows(axis, io) for io in types)):
            return f"the axis {axis.name} has no values"
    if _lacks_quantizers(settings):
        return "quantizers of its points are missing"
    return "its networks are not those of its points" if _has_other_networks(settings) else ""


def _has_other_networks(settings: StudySettings) -> bool:
    """Whether the networks are not those of the factors, or a layer that a point decides has no name in their files."""
    axis = settings.space.filters
    factors = () if axis is None else axis.factors
    tables = [len(one.scaled) for one in settings.space.axes if isinstance(one, SettingAxis)]
    decided = {one.layer for one in settings.quantizers} | {one.name for one in settings.inputs}
    decided |= {one.layer for one in settings.space.axes if isinstance(one, SettingAxis | PruningAxis)}
    decided |= {*settings.target.reuse_of, *settings.target.strategy_of, *settings.target.multiplier_of}
    return (
        tuple(one.factor for one in settings.networks) != factors
        or any(len({*one.names.values()}) < len(one.names) for one in settings.networks)
        or sum(isinstance(one, FilterAxis) for one in settings.space.axes) > 1
        or any(count != len(factors) for count in tables)
        or any(one.is_given is not (one.factor == GIVEN) for one in settings.networks)
        or any(not one.is_given and not decided <= one.names.keys() for one in settings.networks)
    )


def _is_whole(axis: SpaceAxis) -> bool:
    if isinstance(axis, WidthAxis):
        return bool(axis.points) and FEWEST_BITS <= axis.low <= axis.high <= MOST_BITS
    if isinstance(axis, PruningAxis):
        return axis.step >= 1 and 0 <= axis.percent(axis.high) < 100
    if isinstance(axis, FilterAxis):
        return len(axis.factors) > 1 and GIVEN in axis.factors
    return axis.low <= axis.high


def _lacks_quantizers(settings: StudySettings) -> bool:
    """Whether a point of the space has a kernel, bias or result without a quantizer."""
    there = {(one.layer, one.part, one.bits, one.percent, one.network) for one in settings.quantizers}
    networks = range(max(1, len(settings.networks)))
    cuts = {axis.layer: axis for axis in settings.space.axes if isinstance(axis, PruningAxis)}
    for axis in settings.space.axes:
        if isinstance(axis, WidthAxis):
            for point in axis.points:
                cut = cuts.get(point.layer) if point.part is Part.KERNEL else None
                percents = [0] if cut is None else [cut.percent(value) for value in range(cut.high + 1)]
                places = product(range(axis.low, axis.high + 1), percents, networks)
                if any((point.layer, point.part, *place) not in there for place in places):
                    return True
    return False


def _allows(axis: SettingAxis, io: object) -> bool:
    """Whether each setting of a layer has a reuse factor with an io type, in each network."""
    tables = [next((found for one, found in table.items() if one == io), ()) for table in (axis.factors, *axis.scaled)]
    return all(bool(factors) and min(factors) <= min(one.reuse for one in axis.settings) for factors in tables)


def of_point(one: StudyPoint, number: int, settings: StudySettings) -> str:
    """What is wrong with a trial that should have a number; empty where it is whole."""
    result = one.result
    if one.number != number:
        return "is missing"
    if not settings.space.is_valid(one.values):
        return "is no point of the study's space"
    if not result.refused and None in (result.resources, result.latency_ns, result.interval_ns):
        return "has no numbers"
    if not _are_notes(one.sampled, number // settings.generation):
        return "has notes that Optuna did not write"
    return ""


def of_level(one: LevelResult, points: Sequence[StudyPoint]) -> str:
    """What is wrong with what a level showed, in a study with these points; empty where it is whole."""
    if not 0 <= one.number < len(points):
        return f"there is no point {one.number}"
    if points[one.number].result.refused:
        return f"point {one.number} cannot be built"
    return ""


def _are_notes(text: str, generation: int) -> bool:
    """Whether a text is what Optuna's samplers note on a trial of a generation: they trust it."""
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(notes, dict) and all(_is_note(name, value, generation) for name, value in notes.items())


def _is_note(name: str, value: object, generation: int) -> bool:
    if name.endswith(":generation"):  # of a genetic sampler; it computes the parents of all generations before
        return type(value) is int and 0 <= value <= generation
    if name.startswith("constraints"):
        numbers = value if isinstance(value, list) else [value]
        return all(isinstance(one, int | float) and math.isfinite(one) for one in numbers)
    if name == "fixed_params":
        return isinstance(value, Mapping) and all(type(one) is int for one in value.values())
    return True
