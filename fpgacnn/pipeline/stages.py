"""The order of the steps, written once. Nobody else knows what comes next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fpgacnn import frontends
from fpgacnn.design import Design, serialize
from fpgacnn.design.project import RECORD, files_digest, project_folder, refuse_foreign, write_files
from fpgacnn.errors import UsageError, naming
from fpgacnn.hardware.hls import backend
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.quantization.names import safe_name
from fpgacnn.pipeline.assign_widths import with_widths
from fpgacnn.pipeline.checking.checks import Run
from fpgacnn.pipeline.checking.reference_check import second_opinion
from fpgacnn.pipeline.inputs import Events, read_events
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.pipeline.planning import planned, project_choices
from fpgacnn.pipeline.remarks import unused_by_project, unused_softmax
from fpgacnn.pipeline.request import Request, located
from fpgacnn.pipeline.test_vectors import PROOF_WORK, affordable, own_events
from fpgacnn.records import estimates
from fpgacnn.records.record import EstimateRecord, RunRecord
from fpgacnn.sim.csim import find_compiler
from fpgacnn.sim.weight_files import unsimulated
from fpgacnn.system.progress import Progress, Stopwatch, silent


def convert(request: Request, progress: Progress = silent) -> RunRecord:
    """The main job: a model file becomes a project folder, proven by C simulation.

    Raises FpgacnnError; then nothing new is on disk.
    """
    watch = Stopwatch(progress=progress)
    target, notes = located(request.target, unlisted=request.unlisted_part)
    request = replace(request, target=target)
    if request.csim_events != 0:
        find_compiler()
    if request.output is not None:
        refuse_foreign(request.output)
    with naming(request.model), watch.stage("load", f"reading {request.model.name}"):
        network = frontends.load(request.model, request.weights)
        given = read_events(request.events, network) if request.events else None
    with naming(request.model), watch.stage("plan", "planning every bit width"):
        found = planned(network, request, given)
    design, choices = found.design, found.choices
    events = _events(given or own_events(found.trained.network, choices), found.trained.network, request)
    run = Run(request=request, trained=found.trained, design=design, choices=choices, events=events, watch=watch)
    stem = safe_name(request.model.stem).removeprefix("l_")
    with second_opinion(request, network, choices, events) as opinion:
        with naming(request.model), watch.stage("convert", "writing HLS C++ through hls4ml"):
            project = backend.convert(design)
        emulated = run.emulate()
        files = run.files(project, emulated)
        folder = request.output or Path("hls_projects") / f"{stem}-{files_digest(files)[:8]}"
        with project_folder(folder) as stage:
            record = costed(opinion.added(run.prove(project, emulated, files, folder), run, emulated), design)
            record = replace(record, notes=(*notes, *record.notes))
            with watch.stage("write", f"writing {folder}"):
                write_files(stage, {**files, RECORD: record.to_json().encode()})
    return record


def verify(project: Path, request: Request, progress: Progress = silent) -> RunRecord:
    """Prove a project folder again: its files as they lie there in C simulation, layer by layer, on all events.

    `request` gives events, limits and, for the comparison with the framework, the model file.
    Raises ProjectError where the folder is no project.
    """
    watch = Stopwatch(progress=progress)
    opened = open_project(project)
    network, design = opened.network, opened.design
    read = network if request.model.is_dir() else frontends.load(request.model, request.weights)
    if read.digest != network.digest:
        raise UsageError(what=f"{request.model} is not the file that {project} was made from")
    given = read_events(request.events, network) if request.events else None
    choices = project_choices(design)
    events = _events(given or own_events(network, choices), network, request)
    trained = replace(with_widths(network, request, given), network=network)
    run = Run(
        request=request, trained=trained, design=design, choices=choices, events=events, watch=watch, every_layer=True
    )
    with second_opinion(request, read, choices, events) as opinion:
        emulated = run.emulate()
        record = opinion.added(
            run.prove(opened.project, emulated, run.files(opened.project, emulated), project), run, emulated
        )
    unseen = unsimulated(opened.files)
    reports = (*record.verification, *([unseen] if unseen else []))
    return costed(replace(record, notes=(*record.notes, *opened.notes), verification=reports), design)


def _events(found: Events, network: SourceModel, request: Request) -> Events:
    """As many events as a proof is to take."""
    most = request.max_events
    if request.scaled and most is not None:
        most = min(most, affordable(network, PROOF_WORK))
    return found.first(most)


def costed(record: RunRecord, design: Design) -> RunRecord:
    """The record of a run with what its design costs."""
    answer, notes = estimates.of_design(design)
    return replace(record, estimate=answer, notes=(*record.notes, *notes))


def estimate(source: Path, request: Request, wishes: estimates.TargetOverrides) -> EstimateRecord:
    """What a model file, a project of ours or any hls4ml project costs; nothing is generated for it.

    Raises UnknownPartError, ProjectError, UnreadableProjectError and what reading a model raises.
    """
    if source.is_dir():
        if estimates.is_foreign(source):
            return estimates.of_foreign_project(source, wishes, unused_by_project(request))
        design, _ = serialize.load(source)
        wishes, notes = estimates.located_wishes(wishes)
        return estimates.of_whole_design(
            source, estimates.retargeted(design, wishes), (*notes, *unused_by_project(request))
        )
    wishes, notes = estimates.located_wishes(wishes)
    with naming(source):
        network = frontends.load(source, request.weights)
        given = read_events(request.events, network) if request.events else None
        found = planned(network, replace(request, target=wishes.applied(request.target)), given)
    assumed = tuple(f"input {choice.name}: {choice.format} ({choice.reason})" for choice in found.choices)
    return estimates.of_whole_design(
        source,
        found.design,
        (
            *notes,
            *assumed,
            *found.trained.notes,
            *found.design.model.notes,
            *unused_softmax(request, found.trained.network),
        ),
    )
