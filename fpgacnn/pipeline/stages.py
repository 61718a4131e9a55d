"""The order of the passes, from a model file to a proven project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fpgacnn import frontends
from fpgacnn.design import BackendName, Design, IoType, serialize
from fpgacnn.design.project import RECORD, HlsProject, files_digest, project_folder, refuse_foreign, write_files
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.errors import InternalError, UnsupportedOptionError, UsageError, naming
from fpgacnn.hardware.board.tree import FOLDER, NOT_RUN, BoardTree, refuse_other_tools
from fpgacnn.hardware.hls import backend
from fpgacnn.hardware.hls.lower import Lowered, lower
from fpgacnn.hardware.hls.static.clang import check_syntax, find_clang
from fpgacnn.hardware.rtl import backend as rtl_backend
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.quantization.names import safe_name
from fpgacnn.pipeline import planning
from fpgacnn.pipeline.assign_widths import with_widths
from fpgacnn.pipeline.checking.board_check import made, wrapper_of, wrappers_in
from fpgacnn.pipeline.checking.checks import Emulated, Run
from fpgacnn.pipeline.checking.reference_check import second_opinion
from fpgacnn.pipeline.checking.scoring import has_labels
from fpgacnn.pipeline.inputs import Events, read_events
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.pipeline.planning import Compilation, Pass, Planned, as_planned, project_choices
from fpgacnn.pipeline.remarks import unused_by_project, unused_fifo, unused_softmax
from fpgacnn.pipeline.request import Request, located
from fpgacnn.pipeline.test_vectors import PROOF_WORK, affordable, own_events
from fpgacnn.records import estimates
from fpgacnn.records.record import EstimateRecord, RunRecord
from fpgacnn.sim.csim import find_compiler
from fpgacnn.sim.profiling import Profile, profiled
from fpgacnn.sim.rtl.verilator import find_verilator
from fpgacnn.sim.weight_files import unsimulated
from fpgacnn.system.progress import Progress, Stopwatch, silent

PASSES = (
    Pass(name="load", function=planning.load, takes=("file", "request"), gives="network"),
    Pass(name="read events", function=planning.read_given_events, takes=("request", "network"), gives="events"),
    Pass(name="assign widths", function=with_widths, takes=("network", "request", "events"), gives="trained"),
    Pass(
        name="choose inputs", function=planning.choose_inputs, takes=("trained", "events", "request"), gives="choices"
    ),
    Pass(
        name="quantize",
        function=planning.quantize_network,
        takes=("trained", "choices", "request"),
        gives="quantized",
    ),
    Pass(name="legalize", function=planning.legalize_network, takes=("quantized", "request"), gives="legal"),
    Pass(name="fold", function=planning.fold, takes=("legal", "request"), gives="folded"),
    Pass(name="design", function=planning.make_design, takes=("folded", "request"), gives="design"),
    Pass(name="lower", function=lower, takes=("design",), gives="lowered"),
    Pass(name="buffer", function=planning.with_depths, takes=("design", "lowered", "request"), gives="sized"),
    Pass(name="generate", function=backend.convert, takes=("sized", "lowered"), gives="project"),
)
"""The passes in their order. `convert` runs all of them, `estimate`, `fit` and `simulate` stop at the design."""


def run_passes(state: Compilation, first: str, last: str) -> Compilation:
    """Run the passes from `first` to `last`, both by name and included.

    Raises FpgacnnError: the errors of the passes.
    """
    names = [one.name for one in PASSES]
    for one in PASSES[names.index(first) : names.index(last) + 1]:
        state = one.run(state)
    return state


def plan_network(network: SourceModel, request: Request, events: Events | None) -> Planned:
    """Plan a network that is already read. `events` decide ranges and input formats, if there are any.

    Raises FpgacnnError: a float network without widths, an input without a format, a layer that cannot be built.
    """
    state = Compilation(file=request.model, request=request, network=network, events=events)
    return as_planned(run_passes(state, "assign widths", "design"))


def plan_source(source: Path, request: Request, overrides: estimates.TargetOverrides) -> tuple[Design, tuple[str, ...]]:
    """The design of a model file, or of a project for another target, and notes about it.

    Raises UnknownPartError, ProjectError, and the errors of reading and planning a model.
    """
    if not frontends.is_model(source):
        design, _ = serialize.load(source)
        overrides, notes = estimates.with_full_part(overrides)
        located(overrides.applied(design.target), unlisted=True)
        return estimates.retargeted(design, overrides), (*notes, *unused_by_project(request))
    overrides, notes = estimates.with_full_part(overrides)
    target, _ = located(overrides.applied(request.target), unlisted=True)
    state = Compilation(file=source, request=replace(request, target=target))
    with naming(source):
        found = as_planned(run_passes(state, "load", "design"))
    assumed = tuple(f"input {choice.name}: {choice.format} ({choice.reason})" for choice in found.choices)
    return found.design, (*notes, *assumed, *found.notes, *unused_softmax(request, found.trained.network))


def convert(request: Request, progress: Progress = silent) -> RunRecord:
    """Convert a model file to a project folder, checked by C simulation.

    Raises FpgacnnError; then nothing new is on disk.
    """
    watch = Stopwatch(progress=progress)
    target, notes = located(request.target, unlisted=request.unlisted_part)
    request = replace(request, target=target)
    if request.board is not None:
        refuse_other_tools(request.board, target)
    if request.csim_events != 0:
        find_compiler()
        if target.backend is BackendName.RTL:
            find_verilator()
    if request.output is not None:
        refuse_foreign(request.output)
    state = Compilation(file=request.model, request=request)
    with naming(request.model), watch.stage("load", f"reading {request.model.name}"):
        state = run_passes(state, "load", "read events")
    with naming(request.model), watch.stage("plan", "planning the precision"):
        state = run_passes(state, "assign widths", "design")
    found = as_planned(state)
    choices = found.choices
    events = _events(found.events or own_events(found.trained.network, choices), found.trained.network, request)
    stem = safe_name(request.model.stem).removeprefix("l_")
    with second_opinion(request, found.network, choices, events) as opinion:
        rtl = target.backend is BackendName.RTL
        with (
            naming(request.model),
            watch.stage("convert", "generating SystemVerilog" if rtl else "generating C++ with hls4ml"),
        ):
            design, remarks = (found.design, ()) if rtl else buildable(found.design, request)
            project, lowered, sized = (rtl_project if rtl else hls_project)(replace(state, design=design))
        _parse(project, request, watch)
        run = Run(
            request=request,
            trained=found.trained,
            design=sized,
            lowered=lowered,
            choices=choices,
            events=events,
            watch=watch,
        )
        emulated = run.emulate()
        files = run.files(project, emulated)
        tree = _for_board(run, project, emulated)
        folder = request.output or Path("hls_projects") / f"{stem}-{files_digest(files)[:8]}"
        with project_folder(folder) as stage:
            record = costed(opinion.added(run.prove(project, emulated, files, folder), run, emulated), run)
            record = replace(
                record,
                notes=(
                    *notes,
                    *remarks,
                    *unused_fifo(request, sized),
                    *_fewer(found.events, events, request),
                    *record.notes,
                    *_board_notes(tree, folder),
                ),
            )
            if request.profile:
                with watch.stage("profile", "profiling weights and results"):
                    record = replace(record, profile=_profile(run, emulated))
            with watch.stage("write", f"writing {folder}"):
                write_files(stage, {**files, **below_board(tree), RECORD: record.to_json().encode()})
    return record


def _board_notes(tree: BoardTree | None, folder: Path) -> tuple[str, ...]:
    """Where the files of a board are, and that no tool of the vendor has run them."""
    if tree is None:
        return ()
    return (
        f"files for {tree.board.title} are in {folder / FOLDER / tree.board.name}, begin with README.md. {NOT_RUN}",
    )


def _for_board(run: Run, project: HlsProject | RtlProject, emulated: Emulated) -> BoardTree | None:
    """The files of the request's board, whose wrapper the run then compares too; None without a board."""
    board = run.request.board
    if board is None:
        return None
    network, values = run.trained.network, run.events.values
    tree = made(board, project, run.design, network, run.choices, values, emulated.answers)
    run.wrappers = (wrapper_of(tree),)
    return tree


def below_board(tree: BoardTree | None) -> dict[str, bytes]:
    """The files of a board by their paths in the project."""
    return {} if tree is None else {f"{FOLDER}/{tree.board.name}/{name}": data for name, data in tree.files.items()}


def _profile(run: Run, emulated: Emulated) -> Profile:
    """The distributions of weights and results on the events of a run."""
    labels = run.events.labels if has_labels(run.trained.network, run.events) else None
    return profiled(run.design, run.trained.network, emulated.codes, run.events.values, labels)


def hls_project(state: Compilation) -> tuple[HlsProject | RtlProject, Lowered | None, Design]:
    """The HLS project of a planned network, its layer list, and the design with depths of FIFOs."""
    state = run_passes(state, "lower", "generate")
    project, lowered, sized = state.project, state.lowered, state.sized
    if project is None or lowered is None or sized is None:
        raise InternalError(what="no project was generated")
    return project, lowered, sized


def _parse(project: HlsProject | RtlProject, request: Request, watch: Stopwatch) -> None:
    """Let clang read the C++ of a project, where clang is installed.

    Raises ClangRefusedError, UsageError, ToolTimeoutError.
    """
    if isinstance(project, RtlProject) or find_clang() is None:
        return
    with watch.stage("clang", "reading the C++ with clang"):
        check_syntax(project.files, seconds=request.seconds)


def rtl_project(state: Compilation) -> tuple[HlsProject | RtlProject, Lowered | None, Design]:
    """The RTL project of a planned network; the schedule gives the depths of its FIFOs."""
    if state.design is None:
        raise InternalError(what="no network was planned")
    return rtl_backend.convert(state.design), None, state.design


def verify(project: Path, request: Request, progress: Progress = silent) -> RunRecord:
    """Check a project again: C simulation of its files as they are, layer by layer, on all events.

    `request` gives events, limits and, for the comparison with the framework, the model file.
    Raises ProjectError if the folder is not a project.
    """
    watch = Stopwatch(progress=progress)
    opened = open_project(project)
    network, design = opened.network, opened.design
    _parse(opened.project, request, watch)
    if opened.lowered is not None:
        design = estimates.as_written(design, project)
    read = frontends.load(request.model, request.weights) if frontends.is_model(request.model) else network
    if read.digest != network.digest:
        raise UsageError(what=f"{request.model} is not the file that {project} was made from")
    given = read_events(request.events, network) if request.events else None
    choices = project_choices(design, network)
    events = _events(given or own_events(network, choices), network, request)
    trained = replace(with_widths(network, request, given), network=network)
    run = Run(
        request=request,
        trained=trained,
        design=design,
        lowered=opened.lowered,
        choices=choices,
        events=events,
        watch=watch,
        every_layer=True,
        wrappers=wrappers_in(project, opened.project, design),
    )
    with second_opinion(request, read, choices, events) as opinion:
        emulated = run.emulate()
        record = opinion.added(
            run.prove(opened.project, emulated, run.files(opened.project, emulated), project), run, emulated
        )
    unseen = None if opened.lowered is None else unsimulated(opened.files)
    reports = (*record.verification, *([unseen] if unseen else []))
    return costed(replace(record, notes=(*record.notes, *opened.notes), verification=reports), run)


def buildable(design: Design, request: Request) -> tuple[Design, tuple[str, ...]]:
    """The design; in parallel, with a note, if the user chose no io type and hls4ml cannot stream the network.

    Raises UnsupportedOptionError for what cannot be built.
    """
    if not request.open_io or design.target.io is IoType.PARALLEL:
        return design, ()
    try:
        lower(design)
    except UnsupportedOptionError as error:
        parallel = replace(design, target=replace(design.target, io=IoType.PARALLEL))
        return parallel, (f"built in parallel (--io parallel): {error}",)
    return design, ()


def _events(found: Events, network: SourceModel, request: Request) -> Events:
    """The events for the checks, limited for large networks."""
    most = request.max_events
    if request.scaled and most is not None:
        most = min(most, affordable(network, PROOF_WORK))
    return found.first(most)


def _fewer(given: Events | None, taken: Events, request: Request) -> tuple[str, ...]:
    """A note if the checks use fewer events than the user gave."""
    if given is None or taken.count == given.count:
        return ()
    counts = f"checked on the first {taken.count:,} of {given.count:,} events"
    if taken.count == request.max_events:
        return (f"{counts} (`verify --input` uses all)",)
    return (f"large network: {counts} (`--csim-events {request.csim_events}` uses more, `verify --input` uses all)",)


def costed(record: RunRecord, run: Run) -> RunRecord:
    """The record of a run with the estimate of its design."""
    answer, notes = estimates.of_design(run.design, run.lowered)
    return replace(record, estimate=answer, notes=(*record.notes, *notes))


def estimate(source: Path, request: Request, overrides: estimates.TargetOverrides) -> EstimateRecord:
    """Estimate a model file, a project of fpgacnn or any hls4ml project, without generating anything.

    Raises UnknownPartError, ProjectError, UnreadableProjectError, for RTL RtlTargetError and
    RtlUnsupportedError, and the errors of reading a model.
    """
    if not frontends.is_model(source) and estimates.is_foreign(source):
        return estimates.of_foreign_project(source, overrides, unused_by_project(request), request.fifo)
    design, notes = plan_source(source, request, overrides)
    if design.target.backend is BackendName.RTL:
        return estimates.of_rtl_design(source, design, (*notes, *unused_fifo(request, design)))
    design, remarks = buildable(design, request) if frontends.is_model(source) else (design, ())
    notes = (*notes, *remarks)
    lowered = lower(design)
    if not frontends.is_model(source) and request.fifo is None and not overrides.changes_code:
        design = estimates.as_written(design, source)
    else:
        design = planning.with_depths(design, lowered, request)
    return estimates.of_whole_design(source, design, lowered, (*notes, *unused_fifo(request, design)))
