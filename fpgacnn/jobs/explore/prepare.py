"""From model, data and options to the settings and the context of a study."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
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
from fpgacnn.jobs.explore.networks.record import ScaledNetwork
from fpgacnn.jobs.explore.networks.train import TrainingRequest, all_networks
from fpgacnn.jobs.explore.points.starts import BASE_BITS, starts
from fpgacnn.jobs.explore.record import StudySettings
from fpgacnn.jobs.explore.sampler import GENERATIONS, chosen_sampler
from fpgacnn.jobs.explore.space import (
    DEFAULT_SEARCHED,
    PRUNING_STEP,
    DesignSpace,
    PruningAxis,
    Searched,
    SettingAxis,
    Values,
    WidthRange,
    design_space,
)
from fpgacnn.jobs.explore.storage import refuse_other_file, storage_name
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
from fpgacnn.passes.widths.widths import fold_normalizations, with_quantizers
from fpgacnn.pipeline.calibration import judged
from fpgacnn.pipeline.inputs import Events, choose_formats, to_codes
from fpgacnn.pipeline.request import located
from fpgacnn.records.record import ModelRecord
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.system.files.regular import ANY_SIZE, read_regular
from fpgacnn.system.npz import ArraySource, MemoryArrays, packed
from fpgacnn.training.keras.loop import TrainingSettings

SCORED_EVENTS = 2000
"""Training events complete fewer validation events to so many for the score: points are not trained on either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreRequest:
    """What to explore, on which data, and how.

    `scale_filters`: the factors of the numbers of filters, ascending, with 1 for the given network; the others are
    trained with `training`.
    """

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
    scale_filters: tuple[float, ...] = ()
    training: TrainingSettings = field(default_factory=TrainingSettings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preparation:
    """A study ready to begin: its settings, the context of its trials, its events, and the files of its model."""

    settings: StudySettings
    context: TrialContext
    material: TrainingData
    files: Mapping[str, Path]
    networks: Mapping[str, bytes] = field(default_factory=dict)

    def content(self) -> dict[str, bytes]:
        """The files that the folder of the study gets besides its settings.

        Raises OSError.
        """
        copies = {name: read_regular(path, limit=ANY_SIZE) for name, path in self.files.items()}
        return {**copies, **self.networks, DATA: packed(data_arrays(self.material))}


def prepare(request: ExploreRequest) -> Preparation:
    """Read model and data, choose formats and quantizers, and lay out the space.

    Raises FpgacnnError: a model that cannot be read or has quantizers, data that do not fit, a network that cannot be
    built.
    """
    target, notes = located(request.target)
    chosen_sampler(request.sampler, request.objectives)  # refused before networks are trained
    refuse_other_file(storage_name(request.storage))
    network = frontends.load(request.model, request.weights)
    refuse_quantizers(network)
    material = read_training_data(request.data, request.test, network)
    task = objective.task_of(network, (material.train, material.validation, material.test), material.origin)
    folded = fold_normalizations(network)
    calibration = material.train.take(slice(objective.at_once(folded))).inputs
    choices = choose_formats(
        network, Events(values=calibration, labels=None, origin=material.origin), request.input_type
    )
    training = TrainingRequest(network=folded, material=material, task=task, settings=request.training)
    networks = all_networks(training, request.scale_filters, request.output)
    seen = evaluate(folded, calibration, quantized=False)
    scored = material.validation if request.scale_filters else scored_events(material)  # trained on the others
    context = TrialContext(
        network=folded,
        networks=networks.networks,
        quantizers=tuple(
            quantizer
            for place, one in enumerate(networks.networks or (folded,))
            for quantizer in all_quantizers(
                one,
                seen if one is folded else evaluate(one, calibration, quantized=False),
                _range(request.widths),
                _percents(request),
                place,
            )
        ),
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
    designs, io, remarks = _buildable(context, request)
    space = design_space(folded, designs, request.widths, io, request.searched, request.scale_filters)
    space, unpruned = _with_effect(space, _unpruned(space, designs[0], request.objectives))
    named = designs[0].target if networks.networks else target  # settings by the names of layers, not of nodes
    context = replace(context, space=space, target=replace(named, io=io[0]))
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
            networks=networks.records,
        ),
        context=context,
        material=material,
        files=_files(request),
        networks=networks.files,
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


def _buildable(
    context: TrialContext, request: ExploreRequest
) -> tuple[tuple[Design, ...], tuple[IoType, ...], tuple[str, ...]]:
    """The design of each network with the largest widths, the io types that all can be built with, notes on the others.

    Raises UnsupportedOptionError if there is none.
    """
    bits = dict.fromkeys(trainable_points(context.network), request.widths.high)
    networks = [
        with_quantizers(one, context.quantizers_of(bits, network=place))
        for place, one in enumerate(context.networks or (context.network,))
    ]
    found: dict[IoType, tuple[Design, ...]] = {}
    refused: dict[IoType, UnsupportedOptionError] = {}
    for io in request.io:
        designs = tuple(plan(context, one, replace(context.target, io=io)).design for one in networks)
        try:
            for design in designs:
                lower(design)
        except UnsupportedOptionError as error:
            refused[io] = error
        else:
            found[io] = designs
    if not found:
        raise next(iter(refused.values()))
    notes = tuple(f"io_{io.value} is not searched: {error}" for io, error in refused.items())
    return next(iter(found.values())), tuple(found), notes


def _settings(
    *,
    request: ExploreRequest,
    network: SourceModel,
    material: TrainingData,
    task: Task,
    context: TrialContext,
    points: tuple[Values, ...],
    notes: tuple[str, ...],
    networks: tuple[ScaledNetwork, ...],
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
        networks=networks,
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
