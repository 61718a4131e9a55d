"""The steps of `quantize` in their order: from a float network and data to a fine-tuned, proven network."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fpgacnn import frontends
from fpgacnn.errors import AlreadyQuantizedError, UsageError, WriteError, naming
from fpgacnn.frontends.files import HDF5_HEAD
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.ir.text import quantizer_text
from fpgacnn.jobs.quantize import objective
from fpgacnn.jobs.quantize.budget import BudgetRecord, fit_widths
from fpgacnn.jobs.quantize.layer_widths import layer_widths
from fpgacnn.jobs.quantize.objective import Task
from fpgacnn.jobs.quantize.record import QuantizeRecord, QuantizeRequest, StageQuality
from fpgacnn.jobs.quantize.training_data import TrainingData, chosen_augmentation, read_training_data
from fpgacnn.passes.widths.pruning import kept, pruned
from fpgacnn.passes.widths.trainable import least_error, trainable_points
from fpgacnn.passes.widths.widths import fold_normalizations, with_quantizers
from fpgacnn.pipeline.assign_widths import WidthAssignment
from fpgacnn.pipeline.inputs import Events, InputChoice, choose_formats
from fpgacnn.pipeline.planning import Compilation, as_planned
from fpgacnn.pipeline.request import Reference, Request, located
from fpgacnn.pipeline.stages import buildable, convert, run_passes
from fpgacnn.records.record import ModelRecord, RunRecord
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.output import NewFile, refuse_foreign_file, refuse_inputs
from fpgacnn.system.files.regular import ANY_SIZE, open_regular
from fpgacnn.system.npz import write_arrays
from fpgacnn.system.progress import Progress, Stopwatch, silent
from fpgacnn.training.data.augmentation import Augmentation, augment
from fpgacnn.training.keras import make_reproducible, open_keras, save
from fpgacnn.training.keras.loop import Checkpoint, DataPart, Float32, TrainingResult, Watch, fine_tune
from fpgacnn.training.keras.qkeras_export import export_to_qkeras


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """A float network ready for quantization: normalizations folded, with events, objective and its own answers."""

    network: SourceModel
    folded: SourceModel
    material: TrainingData
    task: Task
    seen: Mapping[str, FloatArray]
    choices: tuple[InputChoice, ...]
    augmentation: Augmentation | None

    @property
    def input_bits(self) -> Mapping[str, int]:
        """Bits of each input by its name."""
        return {name: choice.format.width for name, choice in zip(self.network.inputs, self.choices, strict=True)}


def quantize(request: QuantizeRequest, progress: Progress = silent, watch: Watch | None = None) -> QuantizeRecord:
    """Quantize a float network after training, fine-tune it, write it, and convert it if the request says so.

    Raises FpgacnnError; then no model is written. A checkpoint beside the output lets the same command continue.
    """
    stopwatch = Stopwatch(progress=progress)
    located(request.target)  # an unknown part must end the run before the training, not after it
    with naming(request.model):
        with stopwatch.stage("load", f"reading {request.model.name} and {request.data}"):
            start = _start(request)
        with stopwatch.stage("calibrate", "choosing integer bits"):
            quantized, budget = _quantized(start, request)
        with stopwatch.stage("train", f"fine-tuning for at most {request.settings.epochs} epochs"):
            trained = _trained(request, start, quantized, watch)
    with stopwatch.stage("judge", "measuring float, post-training and fine-tuned quality"):
        final = frontends.load(request.output)
        qualities = _qualities(start, quantized, final)
    conversion = _converted(request, start.material, progress) if request.converts else None
    layers = layer_widths(final, start.input_bits)
    with contextlib.suppress(FileNotFoundError):
        _checkpoint_file(request.output).unlink()
    return QuantizeRecord(
        version=version("fpgacnn"),
        model=ModelRecord(
            file=str(request.model),
            digest=start.network.digest,
            framework=start.network.framework,
            layers=len(start.network.layers),
            parameters=sum(layer.parameters for layer in start.network.layers),
        ),
        output=str(request.output),
        output_digest=final.digest,
        data=start.material.origin,
        events={name: len(getattr(start.material, name)) for name in ("train", "validation", "test")},
        settings=request.settings,
        augment=request.augment,
        layers=layers,
        ebops=sum(layer.ebops for layer in layers),
        budget=budget,
        quality=qualities,
        best_epoch=trained.best,
        epochs=trained.epochs,
        continued_from=trained.continued_from,
        conversion=conversion,
        timings_s=stopwatch.seconds,
    )


def _start(request: QuantizeRequest) -> _Start:
    network = frontends.load(request.model, request.weights)
    data = Path(request.data) if isinstance(request.data, str) and request.material is None else None
    test = request.test if isinstance(request.test, Path) else None
    refuse_inputs(request.output, "-o", (request.model, request.weights, data, test))
    refuse_foreign_file(request.output, _is_model)
    refuse_quantizers(network)
    material = request.material or read_training_data(request.data, request.test, network)
    task = objective.task_of(network, (material.train, material.validation, material.test), material.origin)
    folded = fold_normalizations(network)
    calibration = material.train.take(slice(objective.at_once(folded))).inputs
    events = Events(values=calibration, labels=None, origin=material.origin)
    choices = choose_formats(network, events, request.input_type)
    return _Start(
        network=network,
        folded=folded,
        material=material,
        task=task,
        seen=evaluate(folded, calibration, quantized=False),
        choices=choices,
        augmentation=None
        if request.augment is None
        else chosen_augmentation(request.augment, material, choices[0].format),
    )


def _quantized(start: _Start, request: QuantizeRequest) -> tuple[SourceModel, BudgetRecord | None]:
    """The network with uniform bits, or with the bits that meet the budget."""
    folded, widths = start.folded, request.widths
    if request.assigned is not None:
        return with_quantizers(pruned(folded, request.pruned), request.assigned), None
    integer = None if widths.integer is None else widths.integer - 1
    if request.budget is None:
        return with_quantizers(
            folded, least_error(folded, dict.fromkeys(trainable_points(folded), widths.bits), start.seen, integer)
        ), None
    if integer is not None:
        raise UsageError(what="--budget finds the integer bits itself: give --bits W alone")
    validation = start.material.validation
    real = objective.answers(start.network, validation.inputs, quantized=False)

    def judge(network: SourceModel) -> float:
        return objective.quality(
            start.task, objective.answers(network, validation.inputs, quantized=True), validation, real
        )

    return fit_widths(
        folded,
        start.material.train.inputs,
        start.seen,
        start.input_bits,
        request.budget,
        bits=widths.bits,
        float_quality=objective.quality(start.task, real, validation, real),
        judge=judge,
        count_luts=partial(_luts, start, request),
    )


def _luts(start: _Start, wanted: QuantizeRequest, network: SourceModel) -> int:
    """Estimated LUTs after synthesis.

    Raises UnknownPartError.
    """
    origin = Path(start.material.origin)
    request = Request(model=origin, target=wanted.target, open_io=wanted.open_io, reference=Reference.NONE)
    state = Compilation(
        file=origin,
        request=request,
        network=network,
        trained=WidthAssignment(network=network, float_network=network),
        choices=start.choices,
    )
    design, _ = buildable(as_planned(run_passes(state, "quantize", "design")).design, request)
    after = estimate(hardware_graph(design)).after_synthesis
    return round(after.lut.value)


def refuse_quantizers(network: SourceModel) -> None:
    """Raise AlreadyQuantizedError if a layer has a quantizer, UsageError if there is nothing to quantize."""
    if not any(isinstance(layer.operation, src.Linear) for layer in network.layers):
        raise UsageError(what="the network has no weights to quantize")
    for layer in network.layers:
        found = [weight.quantizer for weight in src.weights_of(layer.operation)]
        if isinstance(layer.operation, src.Activate) and isinstance(layer.operation.function, src.Quantizer):
            found.append(layer.operation.function)
        quantizer = next((one for one in found if one is not None), None)
        if quantizer is not None:
            raise AlreadyQuantizedError(layer=layer.name, quantizer=quantizer_text(quantizer))


def _trained(request: QuantizeRequest, start: _Start, quantized: SourceModel, watch: Watch | None) -> TrainingResult:
    """Fine-tune the quantized network and write it."""
    material, settings = start.material, request.settings
    modules = open_keras()
    make_reproducible(modules, settings.seed)
    exported = export_to_qkeras(modules, quantized)
    trained = fine_tune(
        modules,
        exported,
        objective.losses(quantized, start.task),
        _goals(start, material.train),
        _goals(start, material.validation),
        settings,
        masks=_masks(start.folded, request.pruned),
        checkpoint=Checkpoint(file=_checkpoint_file(request.output), signature=_signature(request, start, quantized)),
        augment=None if start.augmentation is None else partial(_augmented, start.augmentation),
        watch=watch,
    )
    with temporary_folder("fpgacnn-quantized-") as folder:
        try:
            save(exported.model, folder / "model.h5")
            with (
                open_regular(folder / "model.h5", limit=ANY_SIZE) as saved,
                NewFile(request.output, lambda: refuse_foreign_file(request.output, _is_model)) as new,
            ):
                shutil.copyfileobj(saved, new.file)
                new.keep()
        except OSError as error:
            raise WriteError(file=request.output, why=error.strerror or str(error)) from error
    return trained


def _masks(network: SourceModel, percents: Mapping[str, int]) -> tuple[Float32, ...] | None:
    """For each kernel, 1 for weights that are trained and 0 for those that stay zero; None if all are trained."""
    if not percents:
        return None
    linear = [(layer.name, layer.operation) for layer in network.layers if isinstance(layer.operation, src.Linear)]
    return tuple(kept(one.kernel.values, percents.get(name, 0) / 100).astype(np.float32) for name, one in linear)


def _is_model(file: BinaryIO) -> bool:
    """Whether a file could be an older answer of the same command: it is HDF5."""
    return file.read(len(HDF5_HEAD)) == HDF5_HEAD


def _goals(start: _Start, part: objective.TaskEvents) -> DataPart:
    imitates = isinstance(start.task, objective.Distillation)
    return objective.goals(
        start.task, part, objective.answers(start.network, part.inputs, quantized=False) if imitates else ()
    )


def _augmented(how: Augmentation, images: FloatArray, seed: int) -> FloatArray:
    return augment(images, how, seed=seed)


def _checkpoint_file(output: Path) -> Path:
    return output.with_name(f"{output.name}.training.npz")


def _signature(request: QuantizeRequest, start: _Start, quantized: SourceModel) -> str:
    """What must be unchanged to continue from a checkpoint: network, widths, events, settings."""
    widths = [
        repr((layer.name, *(weight.quantizer for weight in src.weights_of(layer.operation))))
        for layer in quantized.layers
    ]
    results = [
        repr(layer.operation.function) for layer in quantized.layers if isinstance(layer.operation, src.Activate)
    ]
    about = [start.network.digest, start.material.digest(), asdict(request.settings), request.augment, widths, results]
    about += [dict(request.pruned)] if request.pruned else []
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _qualities(start: _Start, quantized: SourceModel, final: SourceModel) -> tuple[StageQuality, ...]:
    found = []
    for name in ("validation", "test"):
        events = getattr(start.material, name)
        real = objective.answers(start.network, events.inputs, quantized=False)
        figures = [
            objective.quality(start.task, one, events, real)
            for one in (
                real,
                objective.answers(quantized, events.inputs, quantized=True),
                objective.answers(final, events.inputs, quantized=True),
            )
        ]
        measure = objective.measure_name(start.task)
        found.append(
            StageQuality(
                measure=measure,
                part=name,
                events=len(events),
                float_network=figures[0],
                post_training=figures[1],
                fine_tuned=figures[2],
            )
        )
    return tuple(found)


def _converted(request: QuantizeRequest, material: TrainingData, progress: Progress) -> RunRecord:
    """Convert the file that was just written, and check it on the test events."""
    with temporary_folder("fpgacnn-quantize-") as folder:
        events = folder / "test.npz"
        arrays = {f"input_{number}": one for number, one in enumerate(material.test.inputs)}
        write_arrays(events, arrays if material.test.labels is None else {**arrays, "labels": material.test.labels})
        float_model = request.model if request.weights is None else None  # `convert` takes only one file of weights
        wanted = Request(
            model=request.output,
            output=request.project,
            events=events,
            target=request.target,
            open_io=request.open_io,
            float_model=float_model,
            softmax=request.softmax,
            fold=request.fold,
            fifo=request.fifo,
            input_type=request.input_type,
        )
        return convert(wanted, progress)
