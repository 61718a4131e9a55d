"""From model, data and options to the settings and the context of a study."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgacnn import frontends
from fpgacnn.design import Design, IoType, Strategy, Target
from fpgacnn.errors import UnsupportedOptionError, UsageError
from fpgacnn.frontends.original import parts
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.core import available_on
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.jobs.explore.context import TrialContext, all_quantizers, smallest
from fpgacnn.jobs.explore.evaluate import plan
from fpgacnn.jobs.explore.folder import DATA, MODEL
from fpgacnn.jobs.explore.measures import DEFAULT_OBJECTIVES, Objective
from fpgacnn.jobs.explore.record import StudySettings
from fpgacnn.jobs.explore.sampler import GENERATIONS, chosen_sampler
from fpgacnn.jobs.explore.space import (
    DEFAULT_SEARCHED,
    PRUNING_STEP,
    DesignSpace,
    IoAxis,
    PruningAxis,
    Searched,
    SettingAxis,
    Values,
    WidthAxis,
    WidthRange,
    design_space,
)
from fpgacnn.jobs.explore.storage import storage_name
from fpgacnn.jobs.fit.search import FitLimits
from fpgacnn.jobs.quantize import objective
from fpgacnn.jobs.quantize.budget import width_path
from fpgacnn.jobs.quantize.objective import Labelled, Task, TaskEvents
from fpgacnn.jobs.quantize.run import refuse_quantizers
from fpgacnn.jobs.quantize.training_data import TrainingData, read_training_data
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.passes.widths.pruning import MOST_PERCENT
from fpgacnn.passes.widths.trainable import trainable_points
from fpgacnn.passes.widths.widths import Point, fold_normalizations, with_quantizers
from fpgacnn.pipeline.calibration import judged
from fpgacnn.pipeline.inputs import Events, choose_formats, to_codes
from fpgacnn.pipeline.request import located
from fpgacnn.records.record import ModelRecord
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.system.files.regular import ANY_SIZE, read_regular
from fpgacnn.system.npz import ArraySource, MemoryArrays, packed

PATH_POINTS = 16
"""Points of the path of `quantize --budget` among the first points of a search."""

SCORED_EVENTS = 2000
"""Training events complete fewer validation events to so many for the score: points are not trained on either."""

BASE_BITS = 6
"""The path's largest widths are two bits above these."""

PRUNED_SHARES = (0.2, 0.4, 0.6, 0.8)
"""Shares of the weights of all layers that are cut in the first points with zeros."""

SHARED_REUSE = (4, 16, 64)
"""Reuse factors of the first points with the resource strategy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreRequest:
    """What to explore, on which data, and how."""

    model: Path
    data: str | MemoryArrays
    output: Path
    weights: Path | None = None
    test: ArraySource | None = None
    input_type: str | None = None
    objectives: tuple[Objective, ...] = DEFAULT_OBJECTIVES
    limits: FitLimits = field(default_factory=lambda: FitLimits(utilization=1.0))
    widths: WidthRange = field(default_factory=WidthRange)
    searched: tuple[Searched, ...] = DEFAULT_SEARCHED
    io: tuple[IoType, ...] = (IoType.STREAM, IoType.PARALLEL)
    target: Target = field(default_factory=Target)
    softmax: SoftmaxChoice = SoftmaxChoice.LOGITS
    fold: bool = True
    fifo: FifoChoice = field(default_factory=FifoChoice)
    seed: int = 1
    sampler: str | None = None
    storage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preparation:
    """A study ready to begin: its settings, the context of its trials, its events, and the files of its model."""

    settings: StudySettings
    context: TrialContext
    material: TrainingData
    files: Mapping[str, Path]

    def content(self) -> dict[str, bytes]:
        """The files that the folder of the study gets besides its settings.

        Raises OSError.
        """
        copies = {name: read_regular(path, limit=ANY_SIZE) for name, path in self.files.items()}
        return {**copies, DATA: packed(data_arrays(self.material))}


def prepare(request: ExploreRequest) -> Preparation:
    """Read model and data, choose formats and quantizers, and lay out the space.

    Raises FpgacnnError: a model that cannot be read or has quantizers, data that do not fit, a network that cannot be
    built.
    """
    target, notes = located(request.target)
    network = frontends.load(request.model, request.weights)
    refuse_quantizers(network)
    material = read_training_data(request.data, request.test, network)
    task = objective.task_of(network, (material.train, material.validation, material.test), material.origin)
    folded = fold_normalizations(network)
    calibration = material.train.take(slice(objective.at_once(folded))).inputs
    choices = choose_formats(
        network, Events(values=calibration, labels=None, origin=material.origin), request.input_type
    )
    seen = evaluate(folded, calibration, quantized=False)
    scored = scored_events(material)
    context = TrialContext(
        network=folded,
        quantizers=all_quantizers(folded, seen, _range(request.widths), _percents(request)),
        inputs=choices,
        codes=tuple(
            smallest(to_codes(values, choice, leading_quantizer(network, choice.name))[0].array)
            for values, choice in zip(scored.inputs, choices, strict=True)
        ),
        labels=scored.labels,
        wanted=() if isinstance(task, Labelled) else _float_answers(folded, scored.inputs, request.softmax),
        validation=len(material.validation),
        classes=task.classes if isinstance(task, Labelled) else None,
        space=DesignSpace(axes=()),
        target=replace(target, io=request.io[0]),
        softmax=request.softmax,
        fold=request.fold,
        fifo=request.fifo,
    )
    design, io, remarks = _buildable(context, request)
    space = design_space(folded, design, request.widths, io, request.searched)
    space, unpruned = _with_effect(space, _unpruned(space, design, request.objectives))
    context = replace(context, space=space, target=replace(target, io=io[0]))
    if not context.space.axes or all(axis.low == axis.high for axis in context.space.axes):
        raise UsageError(what="there is nothing to search: every axis has one value")
    bits = {choice.name: choice.format.width for choice in choices}
    path = [one.bits for one in width_path(folded, material.train.inputs, seen, bits, base=BASE_BITS)]
    return Preparation(
        settings=_settings(
            request=request,
            network=network,
            material=material,
            task=task,
            context=context,
            points=tuple(starts(context.space, path)),
            notes=(*notes, *remarks, *unpruned),
        ),
        context=context,
        material=material,
        files=_files(request),
    )


def scored_events(material: TrainingData) -> TaskEvents:
    """The events of a trial: those of validation, then the first of training, if there are few of validation."""
    validation, more = material.validation, material.train.take(slice(max(0, SCORED_EVENTS - len(material.validation))))
    labels = (validation.labels, more.labels)
    return TaskEvents(
        inputs=tuple(np.concatenate(pair) for pair in zip(validation.inputs, more.inputs, strict=True)),
        labels=None if labels[0] is None or labels[1] is None else np.concatenate([labels[0], labels[1]]),
    )


def _range(widths: WidthRange) -> range:
    return range(widths.low, widths.high + 1)


def _percents(request: ExploreRequest) -> range:
    """The percent of zeros of kernels that can be asked for."""
    return range(0, MOST_PERCENT + 1, PRUNING_STEP) if Searched.PRUNING in request.searched else range(1)


def _unpruned(space: DesignSpace, design: Design, objectives: Sequence[Objective]) -> tuple[str, ...]:
    """The layers whose zeros save nothing that a search compares: their products share multipliers in every point."""
    if Objective.EBOPS in objectives:
        return ()
    searched = {axis.layer for axis in space.axes if isinstance(axis, SettingAxis)}
    return tuple(
        axis.layer
        for axis in space.axes
        if isinstance(axis, PruningAxis)
        and axis.layer not in searched
        and design.strategy(axis.layer) is Strategy.RESOURCE
        and design.reuse(axis.layer) > 1
    )


def _with_effect(space: DesignSpace, unpruned: Sequence[str]) -> tuple[DesignSpace, tuple[str, ...]]:
    """The space without pruning of these layers, and notes on them.

    Raises UsageError if no other layer is left.
    """
    cuts = [axis for axis in space.axes if isinstance(axis, PruningAxis)]
    why = "products that share multipliers (strategy resource) are computed whether weights are zero or not"
    if cuts and len(unpruned) == len(cuts):
        cure = "search settings too, or take the objective ebops"
        raise UsageError(what=f"--search pruning saves nothing: {why}; {cure}")
    kept = tuple(axis for axis in space.axes if not (isinstance(axis, PruningAxis) and axis.layer in unpruned))
    return replace(space, axes=kept), tuple(f"weights of {layer} are not pruned: {why}" for layer in unpruned)


def _float_answers(
    network: SourceModel, inputs: Sequence[FloatArray], softmax: SoftmaxChoice
) -> tuple[FloatArray, ...]:
    """The float answers to what the hardware has at its outputs: logits, probabilities, or one-hot rows."""
    if softmax is SoftmaxChoice.KEEP:
        return _answers(network, inputs, network.outputs)
    names = judged(network)
    logits = _answers(network, inputs, names)
    if softmax is SoftmaxChoice.LOGITS:
        return logits
    return tuple(
        answer if name == output else np.eye(answer.shape[-1])[answer.argmax(axis=-1)]
        for answer, name, output in zip(logits, names, network.outputs, strict=True)
    )


def _answers(network: SourceModel, inputs: Sequence[FloatArray], names: Sequence[str]) -> tuple[FloatArray, ...]:
    chunk = objective.at_once(network)
    found = [
        evaluate(network, [one[start : start + chunk] for one in inputs], quantized=False, keep={*names})
        for start in range(0, len(inputs[0]), chunk)
    ]
    return tuple(np.concatenate([part[name] for part in found]) for name in names)


def _buildable(context: TrialContext, request: ExploreRequest) -> tuple[Design, tuple[IoType, ...], tuple[str, ...]]:
    """The design with the largest widths, the io types that it can be built with, and notes on the others.

    Raises UnsupportedOptionError if there is none.
    """
    bits = dict.fromkeys(trainable_points(context.network), request.widths.high)
    network = with_quantizers(context.network, context.quantizers_of(bits))
    design: Design | None = None
    refused: dict[IoType, UnsupportedOptionError] = {}
    for io in request.io:
        one = plan(context, network, replace(context.target, io=io)).design
        try:
            lower(one)
        except UnsupportedOptionError as error:
            refused[io] = error
        else:
            design = design or one
    if design is None:
        raise next(iter(refused.values()))
    possible = tuple(io for io in request.io if io not in refused)
    return design, possible, tuple(f"io_{io.value} is not searched: {error}" for io, error in refused.items())


def starts(space: DesignSpace, path: Sequence[Mapping[Point, int]]) -> Iterator[Values]:
    """The points that a search begins with, none twice: the largest widths first.

    Uniform widths, the path of `quantize --budget`, both with the other io type, and uniform widths with shared
    multipliers or with pruned weights. Of these, those that are computed and meet the limits are never better than the
    whole front.
    """
    widths = [axis for axis in space.axes if isinstance(axis, WidthAxis)]
    high, low = max((axis.high for axis in widths), default=1), min((axis.low for axis in widths), default=1)
    io = next((axis for axis in space.axes if isinstance(axis, IoAxis)), None)
    plain = [space.uniform(bits) for bits in range(high, low - 1, -1)]
    places = sorted({*np.linspace(0, len(path) - 1, min(PATH_POINTS, len(path))).astype(int).tolist()})
    plain += [space.with_widths(path[place]) for place in places]
    middle = space.uniform((high + low) // 2)
    found: list[Values] = [*plain]
    if io is not None:
        found += [{**one, io.name: io.high} for one in plain[: high - low + 1]]
    found += [space.with_reuse(Strategy.RESOURCE, reuse, middle) for reuse in SHARED_REUSE]
    base = space.uniform(BASE_BITS)
    found += [space.with_pruning(share, one) for one in (base, middle) for share in PRUNED_SHARES]
    yield from {tuple(one.items()): one for one in found}.values()


def _settings(
    *,
    request: ExploreRequest,
    network: SourceModel,
    material: TrainingData,
    task: Task,
    context: TrialContext,
    points: tuple[Values, ...],
    notes: tuple[str, ...],
) -> StudySettings:
    validation = material.validation
    real = objective.answers(network, validation.inputs, quantized=False)
    sampler = chosen_sampler(request.sampler, request.objectives)
    return StudySettings(
        version=version("fpgacnn"),
        identity=secrets.token_hex(8),
        model=ModelRecord(
            file=request.model.name,
            digest=network.digest,
            framework=network.framework,
            layers=len(network.layers),
            parameters=sum(layer.parameters for layer in network.layers),
        ),
        model_files=tuple(_files(request)),
        data=material.origin,
        data_digest=material.digest(),
        events={name: len(getattr(material, name)) for name in ("train", "validation", "test")},
        measure=objective.measure_name(task),
        quality=objective.quality(task, real, validation, real),
        objectives=request.objectives,
        limits=request.limits,
        seed=request.seed,
        sampler=sampler,
        generation=GENERATIONS[sampler],
        space=context.space,
        starts=points,
        target=context.target,
        softmax=context.softmax,
        fold=context.fold,
        fifo=context.fifo,
        input_type=request.input_type,
        available=available_on(find_device(context.target.part)),
        inputs=context.inputs,
        quantizers=context.quantizers,
        context=context.digest,
        storage=storage_name(request.storage),
        notes=notes,
    )


def _files(request: ExploreRequest) -> dict[str, Path]:
    """The files of the model by their names in the study's folder; the first is the one to read."""
    if request.model.is_dir():
        inside = {file.relative_to(request.model).as_posix(): file for file in parts(request.model)}
        return {f"{MODEL}/{request.model.name}/{name}": file for name, file in inside.items()}
    found = {f"{MODEL}/{request.model.name}": request.model}
    weights = request.weights or next(iter(parts(request.model)[1:]), None)
    return found if weights is None else {**found, f"{MODEL}/weights/{weights.name}": weights}


PARTS = ("train", "validation", "test")


def data_arrays(material: TrainingData) -> dict[str, NDArray[np.generic]]:
    """The events of a study as arrays of its data file; values that float32 holds exactly are kept in it."""
    found: dict[str, NDArray[np.generic]] = {}
    for name in PARTS:
        events = getattr(material, name)
        for number, values in enumerate(events.inputs):
            short = values.astype(np.float32)
            found[f"{name}_input_{number}"] = short if np.array_equal(short, values) else values
        if events.labels is not None:
            found[f"{name}_labels"] = events.labels
    return found


def events_of(arrays: Mapping[str, NDArray[np.generic]], name: str) -> TaskEvents:
    """The events of one part from the arrays of a study's data file."""
    count = sum(key.startswith(f"{name}_input_") for key in arrays)
    labels = arrays.get(f"{name}_labels")
    return TaskEvents(
        inputs=tuple(arrays[f"{name}_input_{number}"].astype(np.float64) for number in range(count)),
        labels=None if labels is None else labels.astype(np.int64),
    )
