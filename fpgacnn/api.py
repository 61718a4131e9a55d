"""The Python API: the commands as functions. Heavy rooms are imported when a function is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fpgacnn.frontends import Refusal
    from fpgacnn.frontends.result import ReadResult
    from fpgacnn.hardware.synthesis import SynthesisReport
    from fpgacnn.jobs.batch import Judgement
    from fpgacnn.jobs.fit.run import FitRecord
    from fpgacnn.jobs.golden import LockedRecord
    from fpgacnn.jobs.quantize.run import QuantizeRecord
    from fpgacnn.records.compare import Comparison
    from fpgacnn.records.record import EstimateRecord, RunRecord
    from fpgacnn.records.report_input import ReportInput
    from fpgacnn.sim.result import SimulationResult
    from fpgacnn.training.keras.loop import Watch


def inspect(model: str | Path, *, weights: str | Path | None = None) -> tuple[ReadResult, tuple[Refusal, ...]]:
    """What is in a model file: its layers, and what would be refused with the reason."""
    from fpgacnn import frontends

    return frontends.inspect(Path(model), Path(weights) if weights else None)


def convert(
    model: str | Path,
    *,
    output: str | Path | None = None,
    input: str | Path | None = None,  # noqa: A002  # the command line says --input
    input_type: str | None = None,
    part: str | None = None,
    clock_ns: float | None = None,
    io: str = "parallel",
    strategy: str = "latency",
    reuse: int = 1,
    reuse_of: Mapping[str, int] | None = None,
    backend: str = "vitis",
    softmax: str = "logits",
    bits: str | None = None,
    calibrate: str | Path | None = None,
    sqnr_db: float = 40.0,
    float_model: str | Path | None = None,
    csim_events: int | Literal["auto"] | None = "auto",
    weights: str | Path | None = None,
    unlisted_part: bool = False,
    reference: str | None = None,
) -> RunRecord:
    """Convert a model file to a proven HLS project; `input` is an .npz or .npy of real inputs.

    `reference` as on the command line: "auto", the default, compares what was read with the file's own framework where that
    is installed; "keras" or "onnx" demands it; "none" leaves it out.
    `csim_events`: "auto" sends 1,000 events through C simulation, fewer of large networks; None all; 0 none.
    `unlisted_part`: a part that is not in the table is taken as it is, without an estimate.

    Raises fpgacnn.errors.FpgacnnError; then nothing new is on disk.
    """
    from fpgacnn.design import BackendName, IoType, Strategy, Target
    from fpgacnn.hardware.devices import full_part
    from fpgacnn.pipeline.request import CSIM_EVENTS, parse_reference, request_from_flags
    from fpgacnn.pipeline.stages import convert as run

    given = {
        name: value
        for name, value in {"part": part and full_part(part), "clock_ns": clock_ns}.items()
        if value is not None
    }
    target = Target(
        **given,  # type: ignore[arg-type]  # names and types match the fields
        io=IoType(io),
        strategy=Strategy(strategy),
        reuse=reuse,
        reuse_of=reuse_of or {},
        backend=BackendName(backend),
    )
    words = request_from_flags(
        model,
        weights=weights,
        input=input,
        input_type=input_type,
        softmax=softmax,
        bits=bits,
        calibrate=calibrate,
        sqnr_db=sqnr_db,
    )
    request = replace(
        words,
        output=Path(output) if output else None,
        target=target,
        float_model=Path(float_model) if float_model else None,
        csim_events=CSIM_EVENTS if csim_events == "auto" else csim_events,
        scaled=csim_events == "auto",
        unlisted_part=unlisted_part,
        reference=parse_reference(reference),
    )
    return run(request)


def verify(
    project: str | Path,
    *,
    input: str | Path | None = None,  # noqa: A002  # the command line says --input
    model: str | Path | None = None,
    reference: str | None = None,
) -> RunRecord:
    """Prove a project folder again, every layer and all events; with `model`, the file that it was made from, against the framework too.

    Raises fpgacnn.errors.FpgacnnError.
    """
    from fpgacnn.pipeline.request import Request, parse_reference
    from fpgacnn.pipeline.stages import verify as run

    request = Request(
        model=Path(model or project),
        events=Path(input) if input else None,
        csim_events=None,
        max_events=None,
        scaled=False,
        reference=parse_reference(reference),
    )
    return run(Path(project), request)


def verify_models(
    folder: str | Path,
    *,
    io: str = "stream",
    bits: str | None = None,
    csim: bool = True,
    at_once: int = 2,
    seconds: float = 900.0,
) -> tuple[Judgement, ...]:
    """Convert every model of a folder in a process of its own and judge it by the answers given beside it (`net.h5.npz`)."""
    from fpgacnn.jobs.batch import FolderRequest
    from fpgacnn.jobs.batch import verify_models as run

    flags = ("--io", io, *(() if csim else ("--no-csim",)))
    return tuple(run(FolderRequest(folder=Path(folder), flags=flags, bits=bits, at_once=at_once, seconds=seconds)))


def simulate(
    source: str | Path,
    input: str | Path,  # noqa: A002  # the command line says --input
    *,
    engine: str = "emulator",
    trace: bool = False,
) -> SimulationResult:
    """Run events through the emulator or C simulation of a project folder or model file."""
    from fpgacnn.jobs.simulate import Job, answers
    from fpgacnn.pipeline.request import Request

    return answers(
        Job(source=Path(source), events=Path(input), engine=engine), Request(model=Path(source)), trace=trace
    )


def freeze(
    project: str | Path,
    *,
    input: str | Path | None = None,  # noqa: A002  # the command line says --input
    events: int = 256,
    golden: str | Path | None = None,
    update: bool = False,
) -> LockedRecord:
    """Store golden vectors of a project, by default beside it; `update` replaces older ones."""
    from fpgacnn.jobs.golden import Lock
    from fpgacnn.jobs.golden import freeze as run

    return run(
        Lock(project=Path(project), golden=Path(golden) if golden else None),
        Path(input) if input else None,
        count=events,
        update=update,
    )


def verify_locked(project: str | Path, *, golden: str | Path | None = None) -> LockedRecord:
    """Hold a project against its golden vectors; the record lists every change with its cause."""
    from fpgacnn.jobs.golden import Lock
    from fpgacnn.jobs.golden import verify_locked as run

    return run(Lock(project=Path(project), golden=Path(golden) if golden else None))


def report(*projects: str | Path, output: str | Path | None = None) -> tuple[ReportInput, ...]:
    """The records of project folders, or of files that hold what `--json` printed; with `output`, written as a report.

    Its suffix says the form: .html, .md, .csv or .json. Only an older report is replaced.
    """
    from fpgacnn.records.report_input import open_inputs
    from fpgacnn.reporting.formats.files import refuse, write_report

    if output:
        refuse(Path(output))
    subjects = open_inputs([Path(project) for project in projects])
    if output:
        write_report(Path(output), subjects)
    return subjects


def compare(left: str | Path, right: str | Path, *, output: str | Path | None = None) -> Comparison:
    """What changed from one run to another; with `output`, written as a report."""
    from fpgacnn.records.compare import compare as changes
    from fpgacnn.records.report_input import open_inputs
    from fpgacnn.reporting.formats.files import refuse, write_comparison

    if output:
        refuse(Path(output))
    comparison = changes(*open_inputs([Path(left), Path(right)]))
    if output:
        write_comparison(Path(output), comparison)
    return comparison


def quantize(
    model: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    bits: str = "6",
    budget: str | None = None,
    test: str | Path | None = None,
    weights: str | Path | None = None,
    epochs: int = 30,
    batch: int = 64,
    learning_rate: float = 0.0005,
    patience: int = 10,
    sparsity: float = 0.0,
    augment: str | None = None,
    seed: int = 1,
    convert: bool = False,  # the command line says --convert
    project: str | Path | None = None,
    watch: Watch | None = None,
) -> QuantizeRecord:
    """Quantize a float network and fine-tune it on `data`, an .npz or the name of a data set; needs the extra `train`.

    `convert` goes on to a proven project in the same run, in the folder `project` if given; `watch` is told every epoch.
    Raises fpgacnn.errors.FpgacnnError; called again with the same arguments, it goes on where it was ended.
    """
    from fpgacnn.jobs.quantize.budget import parse_budget
    from fpgacnn.jobs.quantize.run import QuantizeRequest
    from fpgacnn.jobs.quantize.run import quantize as run
    from fpgacnn.passes.widths.widths import parse_widths
    from fpgacnn.training.keras.loop import Settings

    request = QuantizeRequest(
        model=Path(model),
        data=str(data),
        output=Path(output),
        widths=parse_widths(bits),
        settings=Settings(
            seed=seed, epochs=epochs, batch=batch, learning_rate=learning_rate, patience=patience, sparsity=sparsity
        ),
        weights=Path(weights) if weights else None,
        test=Path(test) if test else None,
        augment=augment,
        budget=parse_budget(budget) if budget else None,
        converts=convert or project is not None,
        project=Path(project) if project else None,
    )
    return run(request, watch=watch)


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
    timeout_s: float = 86_400.0,
    tell: Callable[[str], None] | None = None,
) -> SynthesisReport:
    """Run Vitis or Vivado HLS on a project folder and read its reports; `tell` gets every line that the tool says."""
    from fpgacnn.hardware.synthesis.run import Steps
    from fpgacnn.jobs.synth import SynthesisRequest, run_synthesis

    steps = Steps(csim=csim, cosim=cosim, vsynth=vsynth, export=export)
    request = SynthesisRequest(
        folder=Path(project), steps=steps, tool=tool, seconds=timeout_s, read_only=read_only, again=again
    )
    return run_synthesis(request, tell or (lambda _: None)).report


def estimate(
    source: str | Path,
    *,
    input: str | Path | None = None,  # noqa: A002  # the command line says --input
    input_type: str | None = None,
    part: str | None = None,
    clock_ns: float | None = None,
    io: str | None = None,
    strategy: str | None = None,
    reuse: int | None = None,
    reuse_of: Mapping[str, int] | None = None,
    backend: str | None = None,
    softmax: str = "logits",
    bits: str | None = None,
    calibrate: str | Path | None = None,
    sqnr_db: float = 40.0,
    weights: str | Path | None = None,
) -> EstimateRecord:
    """What a model file, a project folder or any hls4ml project costs, with bands; targets that are not given are the project's."""
    from fpgacnn.design import BackendName, IoType, Strategy
    from fpgacnn.pipeline.request import request_from_flags
    from fpgacnn.pipeline.stages import estimate as run
    from fpgacnn.records.estimates import TargetOverrides

    wishes = TargetOverrides(
        part=part,
        clock_ns=clock_ns,
        io=IoType(io) if io else None,
        strategy=Strategy(strategy) if strategy else None,
        reuse=reuse,
        reuse_of=reuse_of or {},
        backend=BackendName(backend) if backend else None,
    )
    words = request_from_flags(
        source,
        weights=weights,
        input=input,
        input_type=input_type,
        softmax=softmax,
        bits=bits,
        calibrate=calibrate,
        sqnr_db=sqnr_db,
    )
    return run(Path(source), words, wishes)


def fit(
    source: str | Path,
    *,
    max_latency_ns: float | None = None,
    max_interval_ns: float | None = None,
    max_utilization: float = 0.8,
    sure: bool = False,
    output: str | Path | None = None,
    input: str | Path | None = None,  # noqa: A002  # the command line says --input
    input_type: str | None = None,
    part: str | None = None,
    clock_ns: float | None = None,
    io: str | None = None,
    backend: str | None = None,
    softmax: str = "logits",
    bits: str | None = None,
    calibrate: str | Path | None = None,
    sqnr_db: float = 40.0,
    weights: str | Path | None = None,
) -> FitRecord:
    """Find strategy and reuse factor of every layer that meet limits by estimate; the record says whether any do.

    `max_utilization` is a share of the part, 0 to 1; with `output`, a target that fits is written there for `--config`.
    """
    from fpgacnn.design import BackendName, IoType
    from fpgacnn.jobs.fit.run import fit as run
    from fpgacnn.jobs.fit.run import refuse_foreign, write_target
    from fpgacnn.jobs.fit.search import FitLimits
    from fpgacnn.pipeline.request import request_from_flags
    from fpgacnn.records.estimates import TargetOverrides

    limits = FitLimits(latency_ns=max_latency_ns, interval_ns=max_interval_ns, utilization=max_utilization, sure=sure)
    if output is not None:
        refuse_foreign(Path(output))
    words = request_from_flags(
        source,
        weights=weights,
        input=input,
        input_type=input_type,
        softmax=softmax,
        bits=bits,
        calibrate=calibrate,
        sqnr_db=sqnr_db,
    )
    wishes = TargetOverrides(part=part, clock_ns=clock_ns, backend=BackendName(backend) if backend else None)
    record = run(Path(source), words, wishes, limits, (IoType(io),) if io else tuple(IoType))
    if output is not None and record.fits:
        write_target(Path(output), record)
    return record
