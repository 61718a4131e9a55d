"""What a point of a study decides, in the layer names of the file of its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from fpgacnn.design import Target
from fpgacnn.ir.source import Quantizer
from fpgacnn.jobs.explore.record import StudySettings
from fpgacnn.jobs.explore.space import Values
from fpgacnn.passes.widths.widths import Point
from fpgacnn.pipeline.inputs import InputChoice

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PointChoices:
    """The files of the network of a point, and what the point decides for its layers."""

    model: Path
    weights: Path | None
    quantizers: Mapping[Point, Quantizer]
    pruned: Mapping[str, int]
    target: Target
    inputs: tuple[InputChoice, ...]


def point_choices(folder: Path, settings: StudySettings, values: Values) -> PointChoices:
    """What a point of the study in a folder decides."""
    model, weights = model_of(folder, settings)
    found = PointChoices(
        model=model,
        weights=weights,
        quantizers=settings.quantizers_of(values),
        pruned=settings.space.pruned(values),
        target=settings.space.target(values, settings.target),
        inputs=settings.inputs,
    )
    network = settings.network_of(values)
    return found if network is None or network.is_given else _renamed(found, folder / network.file, network.names)


def _renamed(found: PointChoices, model: Path, names: Mapping[str, str]) -> PointChoices:
    target = found.target
    return PointChoices(
        model=model,
        weights=None,
        quantizers={replace(one, layer=names[one.layer]): each for one, each in found.quantizers.items()},
        pruned=_by_name(found.pruned, names),
        target=replace(
            target,
            reuse_of=_by_name(target.reuse_of, names),
            strategy_of=_by_name(target.strategy_of, names),
            multiplier_of=_by_name(target.multiplier_of, names),
        ),
        inputs=tuple(replace(one, name=names[one.name]) for one in found.inputs),
    )


def _by_name(values: Mapping[str, T], names: Mapping[str, str]) -> dict[str, T]:
    return {names[name]: value for name, value in values.items()}


def model_of(folder: Path, settings: StudySettings) -> tuple[Path, Path | None]:
    """The study's copy of the model, and of its weights where they lie in a file of their own."""
    files = [folder / name for name in settings.model_files]
    if settings.model.file != files[0].name:  # a SavedModel is a folder
        return next(place for place in files[0].parents if place.name == settings.model.file), None
    return files[0], files[1] if len(files) > 1 else None
