"""Functions on model files. The modules that a function needs are imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from fpgacnn.api.arguments import (
    ModelOptions,
    PlanningOptions,
    Progress,
    TargetOptions,
    checked,
    event_source,
    path_of,
    planning_request,
    target,
    target_overrides,
)

if TYPE_CHECKING:
    from fpgacnn.api.arguments import EventData
    from fpgacnn.frontends import Refusal
    from fpgacnn.frontends.result import ReadResult
    from fpgacnn.hardware.board.boards import Board
    from fpgacnn.jobs.fit.run import FitRecord
    from fpgacnn.jobs.learn import Learned
    from fpgacnn.jobs.quantize.record import QuantizeRecord
    from fpgacnn.records.record import EstimateRecord, RunRecord
    from fpgacnn.training.keras.loop import Watch


@checked
def inspect(model: str | Path, *, weights: str | Path | None = None) -> tuple[ReadResult, tuple[Refusal, ...]]:
    """Read a model file: its layers, and the layers that cannot be converted, each with its error.

    Raises FpgacnnError if the file cannot be read.
    """
    from fpgacnn import frontends

    return frontends.inspect(Path(model), path_of(weights))


@checked
def convert(
    model: str | Path,
    *,
    output: str | Path | None = None,
    input: EventData | None = None,  # noqa: A002  # the command line says --input
    float_model: str | Path | None = None,
    csim_events: int | Literal["auto"] | None = "auto",
    unlisted_part: bool = False,
    board: str | None = None,
    reference: str | None = None,
    profile: bool = False,
    timeout_s: float = 900.0,
    point: int | None = None,
    progress: Progress | None = None,
    **options: Unpack[ModelOptions],
) -> RunRecord:
    """Convert a model file to an HLS project, and prove the project by C simulation.

    `model` may be the folder of a study of `explore`, with `point`, the number of one of its points. Then the study
    decides network and target, and no option of them may be given; without `input`, events are its test part.
    `output`: the project folder. `input`: events, real numbers (events, ...shape) of each input, as a path, an array or
    a dict of arrays. `float_model`: the float network whose quality is compared.
    `csim_events`: "auto" sends 1,000 events through C simulation, fewer of large networks; None all; 0 none.
    `unlisted_part`: a part that is not in the table is taken as it is, without an estimate.
    `board`: a name of `boards()`: part and clock are its own; wrapper, scripts and drivers are written below it.
    `reference`: "auto", the default, compares what was read with the file's own framework where that is installed;
    "keras" or "onnx" demands the framework; "none" leaves it out.
    `profile`: the record, and so the report, has the distributions of all weights and results on the events.
    `timeout_s`: seconds that g++ and each simulation may take.

    Raises FpgacnnError; then nothing new is on disk.
    """
    from fpgacnn.api.studies import refuse_given, refuse_study
    from fpgacnn.hardware.board.boards import find_board
    from fpgacnn.pipeline.request import CSIM_EVENTS, parse_reference
    from fpgacnn.pipeline.stages import convert as run
    from fpgacnn.system.progress import silent

    found = None if board is None else find_board(board)
    if point is not None:
        refuse_given(options, unlisted_part=unlisted_part)
    if point is None and found is not None:
        _refuse_other_target(found, options, unlisted=unlisted_part)
        options = {**options, "part": found.part, "clock_ns": found.clock_ns}
    request = replace(
        planning_request(model, input, options),
        output=path_of(output),
        target=target(_with_default_io(options)),
        open_io=options.get("io") is None,
        profile=profile,
        float_model=path_of(float_model),
        csim_events=CSIM_EVENTS if csim_events == "auto" else csim_events,
        scaled=csim_events == "auto",
        seconds=timeout_s,
        unlisted_part=unlisted_part,
        board=found,
        reference=parse_reference(reference),
    )
    if point is not None:
        from fpgacnn.jobs.explore.points.convert_point import convert_point

        return convert_point(Path(model), point, request, progress or silent)
    refuse_study(model)
    return run(request, progress or silent)


@checked
def estimate(
    source: str | Path,
    *,
    input: EventData | None = None,  # noqa: A002  # the command line says --input
    **options: Unpack[ModelOptions],
) -> EstimateRecord:
    """Estimate resources and latency of a model file, a project folder or any hls4ml project, with error bands.

    Options of the target that are not given are the project's, or for a model file those that `convert` would use.
    Raises FpgacnnError.
    """
    from fpgacnn.pipeline.stages import estimate as run

    request = replace(planning_request(source, input, options), open_io=options.get("io") is None)
    given = options if Path(source).is_dir() else _with_default_io(options)
    return run(Path(source), request, target_overrides(given))


@checked
def learn(*folders: str | Path) -> Learned:
    """Add synthesized hls4ml projects to the local calibration file, which corrects later estimates (`--learn`).

    Raises FpgacnnError.
    """
    from fpgacnn.jobs.learn import learn as run

    return run([Path(folder) for folder in folders])


@checked
def fit(
    source: str | Path,
    *,
    max_latency_ns: float | None = None,
    max_interval_ns: float | None = None,
    max_utilization: float = 0.8,
    sure: bool = False,
    output: str | Path | None = None,
    report: str | Path | None = None,
    input: EventData | None = None,  # noqa: A002  # the command line says --input
    part: str | None = None,
    clock_ns: float | None = None,
    io: str | None = None,
    backend: str | None = None,
    da: bool = False,
    fifo: str | Path | Mapping[str, int] | None = None,
    **options: Unpack[PlanningOptions],
) -> FitRecord:
    """Find strategy and reuse factor of every layer that meet limits by estimate; `fits` of the record says if any do.

    `max_utilization` is a share of the part, 0 to 1. `sure`: the upper ends of the error bands must meet the limits.
    `io`: only this io type. `da`: the strategy da is tried too. `fifo`: as for `convert`. With `output`, a target that
    fits is written to that file for `--config`. With `report`, the front is written as a chart and tables; the suffix
    of the file decides the format: .html, .md, .csv or .json.
    Raises FpgacnnError.
    """
    from fpgacnn.design import IoType
    from fpgacnn.jobs.fit.run import fit as run
    from fpgacnn.jobs.fit.run import refuse_foreign, write_target
    from fpgacnn.jobs.fit.search import FitLimits
    from fpgacnn.reporting.formats.files import refuse, write_fit

    limits = FitLimits(latency_ns=max_latency_ns, interval_ns=max_interval_ns, utilization=max_utilization, sure=sure)
    if output is not None:
        refuse_foreign(Path(output))
    if report is not None:
        refuse(Path(report))
    given: TargetOptions = {"part": part, "clock_ns": clock_ns, "backend": backend}
    all_options: ModelOptions = {**options, "fifo": fifo}  # type: ignore[typeddict-item]  # no key is required
    record = run(
        Path(source),
        planning_request(source, input, all_options),
        target_overrides(given),
        limits,
        (IoType(io),) if io else tuple(IoType),
        da=da,
    )
    if output is not None and record.fits:
        write_target(Path(output), record)
    if report is not None:
        write_fit(Path(report), record)
    return record


@checked
def quantize(
    model: str | Path,
    data: EventData | None,
    output: str | Path,
    *,
    point: int | None = None,
    bits: str | None = None,
    budget: str | None = None,
    test: EventData | None = None,
    weights: str | Path | None = None,
    epochs: int = 30,
    batch: int = 64,
    learning_rate: float = 0.0005,
    patience: int = 10,
    sparsity: float = 0.0,
    augment: str | None = None,
    seed: int = 1,
    convert: bool = False,
    project: str | Path | None = None,
    part: str | None = None,
    clock_ns: float | None = None,
    io: str | None = None,
    strategy: str | None = None,
    reuse: int | None = None,
    backend: str | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> QuantizeRecord:
    """Quantize a float network and fine-tune it on `data`; needs the extra `train`.

    `data`: events as a path, an array, a dict of arrays (with `labels` and `groups`), or the name of a data set.
    `model` may be the folder of a study of `explore`, with `point`, the number of one of its points: then the study
    gives network, widths, target and events, and `data` is None.
    `bits`: bits of weights and results, and after a comma the integer bits of results (default: 6).
    `convert` also writes a proven project, in the folder `project` if given, for the given target.
    `watch` gets every epoch and the largest number of epochs.
    Raises FpgacnnError. After an interruption, the same call continues the training.
    """
    from fpgacnn.design.design import DEFAULT_IO
    from fpgacnn.jobs.quantize.budget import parse_budget
    from fpgacnn.jobs.quantize.record import QuantizeRequest
    from fpgacnn.jobs.quantize.run import quantize as run
    from fpgacnn.passes.widths.widths import parse_widths
    from fpgacnn.system.npz import MemoryArrays
    from fpgacnn.system.progress import silent
    from fpgacnn.training.keras.loop import TrainingSettings

    if point is not None:
        from fpgacnn.api.studies import refuse_with_point

        options = {"data": data, "bits": bits, "budget": budget, "test": test, "weights": weights}
        options |= {"part": part, "io": io}
        refuse_with_point({**options, "clock_ns": clock_ns, "strategy": strategy, "reuse": reuse, "backend": backend})
    elif data is None:
        from fpgacnn.errors import ArgumentError

        raise ArgumentError(function="quantize", why="data is None, but there is no point of a study")
    events = event_source(data)
    given: TargetOptions = {
        "part": part,
        "clock_ns": clock_ns,
        "io": io or DEFAULT_IO.value,
        "strategy": strategy,
        "reuse": reuse,
        "backend": backend,
    }
    request = QuantizeRequest(
        model=Path(model),
        data=events if isinstance(events, MemoryArrays) else str(data),
        output=Path(output),
        widths=parse_widths(bits or "6"),
        settings=TrainingSettings(
            seed=seed, epochs=epochs, batch=batch, learning_rate=learning_rate, patience=patience, sparsity=sparsity
        ),
        weights=path_of(weights),
        test=event_source(test),
        augment=augment,
        budget=parse_budget(budget) if budget else None,
        converts=convert or project is not None,
        project=path_of(project),
        target=target(given),
        open_io=io is None,
    )
    if point is not None:
        from fpgacnn.jobs.explore.points.tune_point import tune_point

        return tune_point(Path(model), point, request, progress or silent, watch)
    return run(request, progress or silent, watch)


def _refuse_other_target(board: Board, options: ModelOptions, *, unlisted: bool) -> None:
    """Raise UsageError if options name another part or clock than those of the board."""
    from fpgacnn.errors import UsageError
    from fpgacnn.hardware.devices import full_part

    def spelled(name: str) -> str:
        return full_part(name).replace("-", "").casefold()

    part, clock = options.get("part"), options.get("clock_ns")
    other = [f"part {part}"] if part is not None and spelled(part) != spelled(board.part) else []
    other += [f"a clock of {clock:g} ns"] if clock is not None and clock != board.clock_ns else []
    other += ["--unlisted-part"] if unlisted else []
    if other:
        raise UsageError(
            what=f"board {board.name} gives part {board.part} and a clock of {board.clock_ns:g} ns, and excludes"
            f" {' and '.join(other)}"
        )


def _with_default_io(options: ModelOptions) -> ModelOptions:
    """The options with the io type that commands build where none is given."""
    from fpgacnn.design.design import DEFAULT_IO

    return options if options.get("io") else {**options, "io": DEFAULT_IO.value}
