"""Run hls4ml's default recipe and fpgacnn on the same file and events, and compare both with the file's framework."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn import frontends
from fpgacnn.design import BackendName, Design, IoType, Target
from fpgacnn.errors import (
    CompilerMissingError,
    ForeignToolError,
    FpgacnnError,
    InternalError,
    MissingExtraError,
    OutOfMemoryError,
    RecipeRefusedError,
    RtlTargetError,
    WidthsNeededError,
    WriteError,
    printable,
)
from fpgacnn.frontends.files import is_saved_model
from fpgacnn.frontends.keras.hgq import hgq1
from fpgacnn.frontends.original import Original, original
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.ir.source import Activate, FloatArray, Softmax, SourceModel
from fpgacnn.jobs.compare_hls4ml.measure import (
    FAR,
    by_layer_of_file,
    first_beyond,
    layer_distances,
    measures_of,
    output_distances,
    softmax,
    sums_and_results,
)
from fpgacnn.jobs.compare_hls4ml.record import ROUNDING, Hls4mlComparison, SideRecord
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.pipeline.checking.reference_check import results_by_layer
from fpgacnn.pipeline.checking.scoring import has_labels
from fpgacnn.pipeline.inputs import Events, read_events, to_codes
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.pipeline.planning import project_choices
from fpgacnn.pipeline.request import Reference, Request, located
from fpgacnn.pipeline.stages import convert
from fpgacnn.pipeline.test_vectors import CSIM_WORK, affordable
from fpgacnn.records import estimates
from fpgacnn.records.record import RunRecord
from fpgacnn.sim.compare import READING
from fpgacnn.sim.csim import find_compiler
from fpgacnn.sim.emulator import engine
from fpgacnn.sim.frameworks import kinds, whitelist
from fpgacnn.sim.frameworks.job import Answers
from fpgacnn.sim.frameworks.kinds import KERAS2, Framework
from fpgacnn.sim.frameworks.process import Question
from fpgacnn.sim.hls4ml_default.process import RecipeOutcome, harmful_name, recipe
from fpgacnn.sim.hls4ml_default.settings import TRACED_EVENTS, Phase, RecipeSettings
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.progress import Progress, silent

LEFT_OUT = "fpgacnn leaves the final softmax to the host, so its answers got one in float64 before they were compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """What fpgacnn gives: the record of its run, or why there is none; results by layer of the file, and outputs."""

    record: RunRecord | None
    why: str = ""
    project: Path | None = None
    layers: Mapping[str, NDArray[Any]]
    outputs: tuple[FloatArray, ...]
    left_out: bool = False


def compare_hls4ml(request: Request, *, most_events: int, progress: Progress = silent) -> Hls4mlComparison:
    """Both tools on the first events of the request, for its target.

    Raises RecipeRefusedError for a file that its framework and hls4ml must not get, MissingExtraError,
    ForeignToolError and CompilerMissingError if a tool is missing, and the errors of reading the file and the events.
    """
    target, notes = located(request.target)
    if target.backend is BackendName.RTL:
        raise RtlTargetError(why="hls4ml writes no RTL", do="leave --backend out, or use --backend vitis")
    _need_compilers()
    network = frontends.load(request.model, request.weights)
    files = _harmless(request, network)
    framework = _installed(network, files)
    if request.events is None:
        raise InternalError(what="a comparison with hls4ml has no events")
    given = read_events(request.events, network)
    events = given.first(min(most_events, affordable(network, CSIM_WORK)))
    request = replace(
        request,
        target=target,
        reference=Reference.NONE,
        max_events=events.count,
        csim_events=events.count,
        scaled=False,
    )
    question = Question(
        framework=framework,
        files=files.files,
        digest=network.digest,
        suffix=files.suffix,
        inputs=network.inputs,
        events=events.values,
        tensors=_tensors(files),
        batch=_batch(files, events.count),
    )
    with (
        temporary_folder("fpgacnn-compare-") as folder,
        recipe(question, _settings(target), seconds=request.seconds) as running,
    ):
        own = _own(request, network, events, folder / "project", progress)
        with progress("waiting for hls4ml"):
            outcome = running.outcome()
        labels = events.labels if has_labels(network, events) else None
        answers = outcome.reference
        if answers is not None and not _fits(answers, network, events.count, own.outputs):
            raise ForeignToolError(
                tool=answers.framework, why="its outputs have other shapes than those of the network as read"
            )
        return Hls4mlComparison(
            version=version("fpgacnn"),
            file=request.model.name,
            framework=answers.framework if answers else framework.name,
            events=events.count,
            origin=events.origin,
            part=target.part,
            clock_ns=target.clock_ns,
            io=target.io.value,
            backend=target.backend.value,
            measures=measures_of(answers.outputs[0], labels) if answers else {},
            hls4ml=_their_side(outcome, network, labels, target),
            fpgacnn=_own_side(own, network, files, answers, labels),
            notes=(
                *notes,
                *_other_io(own.record, target),
                *((LEFT_OUT,) if own.left_out else ()),
                *_fewer(given, events),
            ),
        )


def _need_compilers() -> None:
    """Check that fpgacnn's compiler and `g++`, which hls4ml calls by this name, are there.

    Raises CompilerMissingError, MissingExtraError.
    """
    find_compiler()
    if shutil.which("g++") is None:
        raise CompilerMissingError(compiler="g++")
    if find_spec("hls4ml") is None:
        raise MissingExtraError(package="hls4ml==1.3.0", extra="all")


def _harmless(request: Request, network: SourceModel) -> Original:
    """The files of a network that its framework may load, and whose names hls4ml may write into C++.

    The names of an ONNX file are checked in the recipe, after qonnx has replaced them.

    Raises RecipeRefusedError.
    """

    def refused(why: str) -> RecipeRefusedError:
        return RecipeRefusedError(file=request.model.name, why=why)

    if is_saved_model(request.model):
        raise refused("a SavedModel holds a program, which is not run; save the model as .keras or .h5")
    files = original(request.model, request.weights)
    if files.tensors is not None:
        return files
    if any(layer.kind in hgq1.PARSERS for layer in network.layers):
        raise refused("no framework that can be installed beside fpgacnn loads the first HGQ")
    fault = whitelist.refused(files.architecture)
    if fault:
        raise refused(fault)
    name = harmful_name(files.architecture)
    if name:
        raise refused(f"hls4ml writes the name '{printable(name, 60)}' into C++ as it is, where it would be code")
    return files


def _tensors(files: Original) -> tuple[str, ...]:
    """The tensors of an ONNX file that layers of the network as read have."""
    return tuple(dict.fromkeys(name for name, _ in files.tensors.holders.values())) if files.tensors else ()


def _batch(files: Original, events: int) -> int:
    """How many events the framework runs at once: as many as an ONNX file fixes, else at most TRACED_EVENTS."""
    return (files.tensors.batch if files.tensors else 0) or min(events, TRACED_EVENTS)


def _installed(network: SourceModel, files: Original) -> Framework:
    """The framework of the file. For ONNX, hls4ml's recipe needs qonnx too.

    Raises MissingExtraError, ForeignToolError if it is not installed.
    """
    if files.tensors is not None:
        if kinds.QONNX.missing:
            why = f"{kinds.QONNX.missing} is not installed (pip install {kinds.QONNX.install})"
            raise ForeignToolError(tool="hls4ml's recipe for ONNX", why=why)
        return kinds.of_onnx(quantized=files.tensors.quantized)[0]
    framework = kinds.of_keras(network)
    if framework.missing and framework is KERAS2:
        raise MissingExtraError(package=framework.missing, extra="train")
    if framework.missing:
        raise ForeignToolError(
            tool=framework.name, why=f"{framework.missing} is not installed (pip install {framework.install})"
        )
    return framework


def _settings(target: Target) -> RecipeSettings:
    return RecipeSettings(
        io_type="io_stream" if target.io is IoType.STREAM else "io_parallel",
        backend="Vitis" if target.backend is BackendName.VITIS else "Vivado",
        part=target.part,
        clock_ns=target.clock_ns,
    )


def _other_io(record: RunRecord | None, target: Target) -> tuple[str, ...]:
    """A note where fpgacnn chose another io type than hls4ml got, as `--io` was not given."""
    if record is None or record.target.io == target.io.value:
        return ()
    return (f"fpgacnn's project is io_{record.target.io}, which it chose as --io is not given",)


def _fewer(given: Events, taken: Events) -> tuple[str, ...]:
    if given.count == taken.count:
        return ()
    return (f"the first {taken.count:,} of {given.count:,} events (--events takes more)",)


def _own(request: Request, network: SourceModel, events: Events, folder: Path, progress: Progress) -> _Own:
    """Convert the file with fpgacnn, and run the emulator on the events; a refusal is a result too."""
    request = replace(request, output=folder)
    try:
        try:
            record = convert(request, progress)
        except WidthsNeededError:
            record = convert(replace(request, calibration=request.events), progress)
    except (InternalError, OutOfMemoryError, WriteError):
        raise
    except FpgacnnError as error:
        return _Own(record=None, why=f"error[{error.code}] {error}", layers={}, outputs=())
    opened = open_project(folder)
    design, trained = opened.design, opened.network
    codes = [
        to_codes(values, choice, leading_quantizer(trained, choice.name))[0]
        for values, choice in zip(events.values, project_choices(design, trained), strict=True)
    ]
    emulator = engine(design)
    answers = emulator.run(codes)
    few = [replace(one, array=one.array[:TRACED_EVENTS]) for one in codes]
    traced = emulator.run(few, trace=True).trace
    layers = {
        layer.source: traced[layer.name].values
        for layer in design.model.layers
        if layer.is_result and layer.name in traced
    }
    outputs = [answers.outputs[name].values for name in design.model.outputs]
    left_out = [_softmax_is_left_out(design, network, number) for number in range(len(outputs))]
    return _Own(
        record=record,
        project=folder,
        layers=layers,
        outputs=tuple(softmax(one) if out else one for one, out in zip(outputs, left_out, strict=True)),
        left_out=any(left_out),
    )


def _softmax_is_left_out(design: Design, network: SourceModel, number: int) -> bool:
    """Whether an output of the file is a softmax that the hardware does not have."""
    name, source = network.outputs[number], design.model.layer(design.model.outputs[number]).source
    return network.layer(name).operation == Activate(function=Softmax()) and source != name


def _own_side(
    own: _Own, network: SourceModel, files: Original, answers: Answers | None, labels: NDArray[np.int64] | None
) -> SideRecord:
    record, tool = own.record, f"fpgacnn {version('fpgacnn')}"
    if record is None:
        return SideRecord(tool=tool, answers=False, phase="convert the network", why=own.why)
    failed = next((one for one in record.verification if not one.holds and one.left != READING), None)
    graph = None if own.project is None else read_project(own.project)
    sums, results = sums_and_results(graph) if graph else (None, None)
    wanted = results_by_layer(network, files.tensors, answers) if answers else {}
    distances = layer_distances(wanted, own.layers)
    return SideRecord(
        tool=tool,
        answers=True,
        phase="equal its emulator or the quantized network" if failed else "",
        why=f"{failed.left} differs from {failed.right}" if failed else "",
        promise=record.plan.word,
        compared=len(distances),
        traced=min(TRACED_EVENTS, len(own.outputs[0])),
        first=first_beyond(distances, ROUNDING),
        far=first_beyond(distances, FAR),
        outputs=output_distances(network.outputs, answers.outputs, own.outputs) if answers else (),
        measures=measures_of(own.outputs[0], labels),
        sums=sums,
        results=results,
        fifo_bits=record.estimate.totals.fifo_bits if record.estimate else None,
        estimate=record.estimate,
        notes=record.notes,
    )


def _their_side(
    outcome: RecipeOutcome, network: SourceModel, labels: NDArray[np.int64] | None, target: Target
) -> SideRecord:
    """What hls4ml gives: its hardware as far as it wrote some, and its answers as far as it ran."""
    side = SideRecord(
        tool=f"hls4ml {version('hls4ml')}",
        answers=False,
        phase="" if outcome.phase is Phase.DONE else outcome.phase.value,
        why=outcome.why,
    )
    side = side if outcome.project is None else _with_hardware(side, outcome.project, target)
    found, answers = outcome.hls4ml, outcome.reference
    if found is None or answers is None or not _same_events(answers.outputs, found.outputs):
        return side
    layers = by_layer_of_file(outcome.layers, found.shown, outcome.graph) if outcome.graph else {}
    distances = layer_distances(outcome.layers, layers)
    return replace(
        side,
        answers=True,
        compared=len(distances),
        traced=min(TRACED_EVENTS, len(found.outputs[0])),
        first=first_beyond(distances, ROUNDING),
        far=first_beyond(distances, FAR),
        outputs=output_distances(network.outputs, answers.outputs, found.outputs),
        measures=measures_of(found.outputs[0], labels),
    )


def _with_hardware(side: SideRecord, project: Path, target: Target) -> SideRecord:
    """The side with the bits and the cost of the folder that hls4ml wrote, or a note why they are not known."""
    overrides = estimates.TargetOverrides(part=target.part, clock_ns=target.clock_ns)
    try:
        sums, results = sums_and_results(read_project(project, target.part, target.clock_ns))
        estimate = estimates.of_foreign_project(project, overrides).estimate
    except FpgacnnError as error:
        return replace(side, notes=(f"no estimate of hls4ml's project: {error}",))
    return replace(side, sums=sums, results=results, fifo_bits=estimate.totals.fifo_bits, estimate=estimate)


def _fits(answers: Answers, network: SourceModel, events: int, own: Sequence[FloatArray]) -> bool:
    """Whether there is every output of the network on all events; what the framework's process wrote is not trusted.

    `own` are the outputs of fpgacnn, empty if it refuses the network.
    """
    shapes = [network.layer(name).shape for name in network.outputs]
    return (
        len(answers.outputs) == len(shapes)
        and all(
            one.shape[:1] == (events,) and one.size == events * prod(shape)
            for one, shape in zip(answers.outputs, shapes, strict=True)
        )
        and (not own or _same_events(answers.outputs, own))
    )


def _same_events(wanted: Sequence[NDArray[Any]], found: Sequence[NDArray[Any]]) -> bool:
    """Whether both have the same number of values of every output; what the process wrote is not trusted."""
    return len(wanted) == len(found) and all(
        len(one) and len(one) == len(other) and one.size == other.size for one, other in zip(wanted, found, strict=True)
    )
