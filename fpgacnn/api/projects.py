"""Functions on project folders. The modules that a function needs are imported when it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, Unpack

from fpgacnn.api.arguments import PlanningOptions, Progress, checked, event_source, path_of, planning_request
from fpgacnn.errors import UsageError

if TYPE_CHECKING:
    from fpgacnn.api.arguments import EventData
    from fpgacnn.hardware.synthesis import SynthesisReport
    from fpgacnn.jobs.batch import Judgement
    from fpgacnn.jobs.golden import LockedRecord
    from fpgacnn.jobs.simulate import SimulationSummary
    from fpgacnn.records.record import RunRecord
    from fpgacnn.sim.profiling import Profile
    from fpgacnn.sim.result import SimulationResult
    from fpgacnn.system.npz import ArraySource

Advance: TypeAlias = Callable[[int, int], None]
"""A callback with the number of events that are done, and of all events."""

Tell: TypeAlias = Callable[[str], None]
"""A callback with each line that a tool writes."""


@checked
def verify(
    project: str | Path,
    *,
    input: EventData | None = None,  # noqa: A002  # the command line says --input
    model: str | Path | None = None,
    csim_events: int | Literal["auto"] | None = None,
    reference: str | None = None,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
) -> RunRecord:
    """Check a project folder again, every layer; with `model`, its model file, compare with the framework too.

    `csim_events`: None, the default, sends all events through C simulation; "auto" sends 1,000, fewer for large
    networks; 0 sends none.
    Raises FpgacnnError.
    """
    from fpgacnn.pipeline.open_project import model_of
    from fpgacnn.pipeline.request import CSIM_EVENTS, Reference, Request, parse_reference
    from fpgacnn.pipeline.stages import verify as run
    from fpgacnn.system.progress import silent

    chosen = parse_reference(reference)
    if model is None and chosen is not Reference.NONE and Path(project).is_dir():
        model = model_of(Path(project))
    if reference is not None and chosen.is_demanded and model is None:
        why = f"--reference {chosen} needs --model FILE, the file that the project was made from"
        raise UsageError(what=f"{why}: it lies neither beside the project nor here, or it has changed")
    request = Request(
        model=Path(model or project),
        events=event_source(input),
        csim_events=CSIM_EVENTS if csim_events == "auto" else csim_events,
        max_events=None,
        scaled=csim_events == "auto",
        seconds=timeout_s,
        reference=chosen,
    )
    return run(Path(project), request, progress or silent)


@checked
def verify_models(
    folder: str | Path,
    *,
    io: str | None = None,
    bits: str | None = None,
    csim: bool = True,
    at_once: int = 2,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
) -> tuple[Judgement, ...]:
    """Convert every model of a folder in a process of its own, and compare it with the answers in `net.h5.npz`.

    Raises FpgacnnError before the first conversion; the error of a single model is in its judgement.
    """
    from fpgacnn.errors import printable
    from fpgacnn.jobs.batch import FolderRequest
    from fpgacnn.jobs.batch import verify_models as run
    from fpgacnn.system.progress import silent

    stage = progress or silent
    flags = (*(("--io", io) if io else ()), *(() if csim else ("--no-csim",)))
    judging = run(FolderRequest(folder=Path(folder), flags=flags, bits=bits, at_once=at_once, seconds=timeout_s))
    found: list[Judgement] = []
    while True:
        with stage(f"{len(found)} models judged" if found else f"converting the models of {printable(folder)}"):
            judgement = next(judging, None)
        if judgement is None:
            return tuple(found)
        found.append(judgement)


@checked
def simulate(
    source: str | Path,
    input: EventData,  # noqa: A002  # the command line says --input
    *,
    engine: str = "emulator",
    trace: bool = False,
    threads: int | None = None,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
    advance: Advance | None = None,
    **options: Unpack[PlanningOptions],
) -> SimulationResult:
    """Run events through the emulator or C simulation of a project folder or model file.

    The result holds integer codes (events, ...shape) with their format, for each output, or with `trace` for every
    node; `values` are the outputs as float64 arrays. `threads` of the emulator: one for each processor by default.
    Raises FpgacnnError.
    """
    from fpgacnn.jobs.simulate import SimulationJob, answers
    from fpgacnn.system.progress import silent

    request = replace(planning_request(source, None, options), seconds=timeout_s)
    job = SimulationJob(source=Path(source), events=_events(input), engine=engine, threads=threads)
    return answers(job, request, trace=trace, progress=progress or silent, advance=advance or _no_advance)


@checked
def simulate_to_files(
    source: str | Path,
    input: EventData,  # noqa: A002  # the command line says --input
    *,
    engine: str = "emulator",
    output: str | Path | None = None,
    trace: str | Path | None = None,
    stats: bool = False,
    plot: str | Path | None = None,
    threads: int | None = None,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
    advance: Advance | None = None,
    **options: Unpack[PlanningOptions],
) -> SimulationSummary:
    """Run any number of events in bounded memory: outputs go to the file `output`, results of every node to `trace`.

    Both are .npz files of float64 arrays. `stats`: ranges of every node, counts of wraps, saturations and ties, and the
    profile of the first events, which `plot` writes to a file: .html, or .svg or .png with matplotlib.
    Raises FpgacnnError; then nothing is written.
    """
    from fpgacnn.jobs.simulate import SimulationJob, run
    from fpgacnn.reporting.formats.files import refuse_profile, write_profile
    from fpgacnn.system.progress import silent

    request = replace(planning_request(source, None, options), seconds=timeout_s)
    job = SimulationJob(
        source=Path(source),
        events=_events(input),
        engine=engine,
        output=path_of(output),
        trace=path_of(trace),
        stats=stats or plot is not None,
        threads=threads,
    )
    if plot is not None:
        refuse_profile(Path(plot))
    found = run(job, request, progress=progress or silent, advance=advance or _no_advance)
    if plot is not None and found.profile is not None:
        write_profile(Path(plot), found.profile, Path(source).name)
    return found


@checked
def profile(
    source: str | Path,
    input: EventData,  # noqa: A002  # the command line says --input
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[PlanningOptions],
) -> Profile:
    """Distributions of all weights and results of a project folder or model file on events, against their formats.

    At most the first 1,000 events are used. With `output`, the profile is also written to that file: .html, or .svg or
    .png with matplotlib (extra `pictures`).
    Raises FpgacnnError; then nothing is written.
    """
    from fpgacnn.jobs.simulate import SimulationJob
    from fpgacnn.jobs.simulate import profile as run
    from fpgacnn.reporting.formats.files import refuse_profile, write_profile
    from fpgacnn.system.progress import silent

    if output is not None:
        refuse_profile(Path(output))
    job = SimulationJob(source=Path(source), events=_events(input))
    found = run(job, planning_request(source, None, options), progress=progress or silent)
    if output is not None:
        write_profile(Path(output), found, Path(source).name)
    return found


def _events(events: EventData) -> ArraySource:
    found = event_source(events)
    assert found is not None
    return found


def _no_advance(_done: int, _of: int) -> None:
    """Ignore the progress."""


@checked
def freeze(
    project: str | Path,
    *,
    input: EventData | None = None,  # noqa: A002  # the command line says --input
    events: int = 256,
    golden: str | Path | None = None,
    update: bool = False,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
) -> LockedRecord:
    """Store golden vectors of a project, by default in a folder beside it; `update` replaces older ones.

    `events`: the largest number of events to store.
    Raises FpgacnnError.
    """
    from fpgacnn.jobs.golden import Lock
    from fpgacnn.jobs.golden import freeze as run
    from fpgacnn.system.progress import silent

    lock = Lock(project=Path(project), golden=path_of(golden), seconds=timeout_s)
    return run(lock, event_source(input), count=events, update=update, progress=progress or silent)


@checked
def verify_locked(
    project: str | Path,
    *,
    golden: str | Path | None = None,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
) -> LockedRecord:
    """Compare a project with its golden vectors; the record lists every change with its cause.

    Raises FpgacnnError.
    """
    from fpgacnn.jobs.golden import Lock
    from fpgacnn.jobs.golden import verify_locked as run
    from fpgacnn.system.progress import silent

    return run(Lock(project=Path(project), golden=path_of(golden), seconds=timeout_s), progress or silent)


@checked
def synth(
    project: str | Path,
    *,
    csim: bool = False,
    cosim: bool = False,
    vsynth: bool = False,
    export: bool = False,
    read_only: bool = False,
    again: bool = False,
    tool: str | None = None,
    part: str | None = None,
    clock_ns: float | None = None,
    dsp: bool = True,
    timeout_s: float = 86_400.0,
    tell: Tell | None = None,
) -> SynthesisReport:
    """Run a synthesis tool on a project folder and read its reports; `tell` gets the lines that the tool writes.

    Vitis or Vivado HLS for an HLS project; for RTL the `tool` "vivado" (or its path), "yosys", or "nextpnr" for ECP5
    parts; the last two with another `part` or `clock_ns` than the project's if given, and without `dsp` with
    multipliers of look-up tables.
    `read_only` starts no tool; `again` starts it even if reports of these sources exist.
    Raises FpgacnnError.
    """
    from fpgacnn.hardware.synthesis.run import Steps
    from fpgacnn.jobs.synth import SynthesisRequest, run_synthesis
    from fpgacnn.jobs.synth_open import OpenOptions

    if read_only and (again or csim or cosim or vsynth or export):
        raise UsageError(what="--read-only starts no tool and excludes --csim, --cosim, --vsynth and --export")
    steps = Steps(csim=csim, cosim=cosim, vsynth=vsynth, export=export)
    request = SynthesisRequest(
        folder=Path(project),
        steps=steps,
        tool=tool,
        seconds=timeout_s,
        read_only=read_only,
        again=again,
        open=OpenOptions(part=part, clock_ns=clock_ns, dsp=dsp),
    )
    return run_synthesis(request, tell or (lambda _: None)).report


def synthesis_document(project: Path, report: SynthesisReport) -> str:
    """A synthesis report as a JSON document; for a project of fpgacnn, the document is its record."""
    from fpgacnn.jobs.synth import document

    return document(project, report)
