"""The order of the steps, written once. Nobody else knows what comes next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fpgacnn import frontends, store
from fpgacnn.design import Design
from fpgacnn.errors import UsageError, naming
from fpgacnn.flow import costs
from fpgacnn.flow.floats import with_widths
from fpgacnn.flow.inputs import Events, read_events
from fpgacnn.flow.opinion import second_opinion
from fpgacnn.flow.planning import planned, project_choices
from fpgacnn.flow.projects import open_project
from fpgacnn.flow.proof import Run
from fpgacnn.flow.record import EstimateRecord, RunRecord
from fpgacnn.flow.remarks import unused_by_project, unused_softmax
from fpgacnn.flow.request import Request, located
from fpgacnn.flow.stimulus import PROOF_WORK, affordable, own_events
from fpgacnn.flow.watch import Progress, Stopwatch, silent
from fpgacnn.flow.weights import unsimulated
from fpgacnn.hls import backend
from fpgacnn.ir.source import SourceModel
from fpgacnn.project import RECORD, files_digest, refuse_foreign, staged, write_files
from fpgacnn.quantization.names import safe_name
from fpgacnn.sim.csim import find_compiler


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
        with staged(folder) as stage:
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
    run = Run(request=request, trained=trained, design=design, choices=choices, events=events, watch=watch, every_layer=True)
    with second_opinion(request, read, choices, events) as opinion:
        emulated = run.emulate()
        record = opinion.added(run.prove(opened.project, emulated, run.files(opened.project, emulated), project), run, emulated)
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
    answer, notes = costs.of_design(design)
    return replace(record, estimate=answer, notes=(*record.notes, *notes))


def estimate(source: Path, request: Request, wishes: costs.Wishes) -> EstimateRecord:
    """What a model file, a project of ours or any hls4ml project costs; nothing is generated for it.

    Raises UnknownPartError, ProjectError, UnreadableProjectError and what reading a model raises.
    """
    if source.is_dir():
        if costs.is_foreign(source):
            return costs.of_foreign_project(source, wishes, unused_by_project(request))
        design, _ = store.load(source)
        wishes, notes = costs.located_wishes(wishes)
        return costs.of_whole_design(source, costs.retargeted(design, wishes), (*notes, *unused_by_project(request)))
    wishes, notes = costs.located_wishes(wishes)
    with naming(source):
        network = frontends.load(source, request.weights)
        given = read_events(request.events, network) if request.events else None
        found = planned(network, replace(request, target=wishes.applied(request.target)), given)
    assumed = tuple(f"input {choice.name}: {choice.format} ({choice.reason})" for choice in found.choices)
    return costs.of_whole_design(
        source, found.design, (*notes, *assumed, *found.trained.notes, *found.design.model.notes, *unused_softmax(request, found.trained.network))
    )
