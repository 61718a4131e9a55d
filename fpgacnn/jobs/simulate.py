"""Run any number of events through an engine: read, computed and written piece by piece, in bounded memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np

from fpgacnn import frontends
from fpgacnn.design import Design
from fpgacnn.design.project import HlsProject
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.errors import InternalError, MeasurementError, UnknownNameError, UsageError, naming
from fpgacnn.hardware.hls import backend
from fpgacnn.hardware.hls.lower import Lowered, lower
from fpgacnn.hardware.rtl import backend as rtl_backend
from fpgacnn.hardware.rtl.target import as_rtl
from fpgacnn.hardware.rtl.top import traced_layers
from fpgacnn.hardware.rtl.trace import with_trace
from fpgacnn.ir.fixed_point import Codes, Format
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.pipeline.inputs import Events, InputChoice, entry_format, input_shapes, to_codes
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.pipeline.planning import project_choices
from fpgacnn.pipeline.remarks import unused_by_project, unused_softmax
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_network
from fpgacnn.sim import emulator
from fpgacnn.sim.csim import CSim
from fpgacnn.sim.emulator.native.engine import Measured, NativeEmulator, reads
from fpgacnn.sim.profiling import Profile, profile_events, profiled
from fpgacnn.sim.result import SimulationResult, joined
from fpgacnn.sim.rtl.run import RtlSimulation
from fpgacnn.system.files.output import refuse_inputs
from fpgacnn.system.npz import ArraySource, refuse_foreign_arrays
from fpgacnn.system.npz_stream import ArchiveWriter, EventStream, Piece, open_events
from fpgacnn.system.progress import Progress, silent

ENGINES = {"emulator": "", "csim": "hls4ml's C simulation", "rtl": "generated SystemVerilog in Verilator"}

PIECE_VALUES = 1 << 22
"""Numbers in a piece, counting inputs and everything that is written."""

FEWEST, MOST = 64, 65_536
"""Limits of the events of a piece; compiled kernels compute at least FEWEST together in every thread."""

LARGEST_VALUES = 1 << 25
"""Largest number of values in a piece of FEWEST events; a single event of any size is always computed."""

PLANNED_VALUES = 1 << 24
"""Number of input values that decide the ranges of a float network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationJob:
    """A job: events of a file, the engine, and the results that are wanted."""

    source: Path
    events: ArraySource
    engine: str = "emulator"
    output: Path | None = None
    trace: Path | None = None
    stats: bool = False
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRange:
    """Smallest and largest value of a node's results, and counts of its casts if they were counted."""

    name: str
    source: str
    kind: str
    shape: tuple[int, ...]
    format: str
    least: float
    most: float
    wraps: int | None = None
    saturations: int | None = None
    ties: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSummary:
    """The result of a job. `words` describes the emulator, `notes` lists flags without effect."""

    engine: str
    words: str
    events: int
    seconds: float
    outputs: tuple[NodeRange, ...]
    layers: tuple[NodeRange, ...]
    notes: tuple[str, ...] = ()
    profile: Profile | None = None


class _Runner(Protocol):
    """Computes one piece; the number is that of its first event."""

    def __call__(self, piece: Sequence[Piece], first: int) -> SimulationResult: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A design and its events.

    `project`: its folder, if it was generated; `lowered`: the layer list for C simulation.
    """

    network: SourceModel
    design: Design
    choices: tuple[InputChoice, ...]
    stream: EventStream
    lowered: Lowered | None = None
    project: HlsProject | RtlProject | None = None
    notes: tuple[str, ...] = ()

    def modes(self) -> tuple[Format, ...]:
        """How the numbers of each input become codes."""
        return tuple(entry_format(choice, leading_quantizer(self.network, choice.name)) for choice in self.choices)

    def codes(self, values: Sequence[Piece], first: int) -> list[Codes]:
        """The numbers as codes.

        Raises ArrayFileError for a number that is not finite; `first` is the number of the first event.
        """
        pairs = zip(self.choices, self.stream.finite(values, first), strict=True)
        return [
            to_codes(np.asarray(one, np.float64), choice, leading_quantizer(self.network, choice.name))[0]
            for choice, one in pairs
        ]


def run(
    job: SimulationJob,
    request: Request,
    *,
    progress: Progress = silent,
    advance: Callable[[int, int], None] = lambda *_: None,
) -> SimulationSummary:
    """Run a job; `advance` gets the numbers of finished events and of all events.

    Raises FpgacnnError; then nothing is written.
    """
    _refuse_outputs(job, request)
    with progress("reading and planning"):
        opened = _open(job, request)
    design, trace = opened.design, job.trace is not None
    chosen = _chosen(job, design, packed=True)  # only values and limits of the codes are taken
    compute = _runner(opened, chosen, job, request, trace=trace)
    start = time.perf_counter()
    ranges = _Ranges()
    with ExitStack() as files:
        writers = _writers(job, opened, files)
        done = 0
        for piece in opened.stream.pieces(_piece_size(design, trace=trace)):
            result = compute(piece, done)
            _write(writers, design, result)
            ranges.add(result)
            if job.stats and isinstance(chosen, NativeEmulator):
                ranges.measured = chosen.measure(opened.codes(piece, done))
            done += len(piece[0])
            advance(done, opened.stream.events)
        for writer in writers.values():
            writer.close()
    return SimulationSummary(
        engine=job.engine,
        words=chosen.words if chosen else ENGINES[job.engine],
        events=opened.stream.events,
        seconds=round(time.perf_counter() - start, 3),
        outputs=tuple(ranges.of(design, name) for name in design.model.outputs),
        layers=tuple(ranges.of(design, layer.name) for layer in design.model.layers) if job.stats else (),
        profile=_profile(opened) if job.stats else None,
        notes=(
            *opened.notes,
            *(("--threads has no effect: this engine chooses its own",) if chosen is None and job.threads else ()),
        ),
    )


def profile(job: SimulationJob, request: Request, *, progress: Progress = silent) -> Profile:
    """The distributions of all weights and results on the first events.

    Raises FpgacnnError.
    """
    with progress("reading and planning"):
        opened = _open(job, request)
    with progress("profiling weights and results"):
        return _profile(opened)


def _profile(opened: _Opened) -> Profile:
    few = next(opened.stream.pieces(profile_events(opened.design, opened.stream.events)))
    values = [np.asarray(one, np.float64) for one in opened.stream.finite(few, 0)]
    return profiled(opened.design, opened.network, opened.codes(few, 0), values)


def answers(
    job: SimulationJob,
    request: Request,
    *,
    trace: bool = False,
    progress: Progress = silent,
    advance: Callable[[int, int], None] = lambda *_: None,
) -> SimulationResult:
    """The results of `run` in memory; with `trace` the codes of all nodes.

    Raises FpgacnnError.
    """
    with progress("reading and planning"):
        opened = _open(job, request)
    compute = _runner(opened, _chosen(job, opened.design), job, request, trace=trace)
    found, done = list[SimulationResult](), 0
    for piece in opened.stream.pieces(_piece_size(opened.design, trace=trace)):
        found.append(compute(piece, done))
        done += len(piece[0])
        advance(done, opened.stream.events)
    return joined(found)


def _refuse_outputs(job: SimulationJob, request: Request) -> None:
    """Raise UsageError where a file is to be read and written, FileInTheWayError where one is in the way."""
    read = [path for path in (job.source, request.weights, job.events, request.calibration) if isinstance(path, Path)]
    for flag, file in {"--output": job.output, "--trace": job.trace}.items():
        refuse_inputs(file, flag, read)
        if file is not None:
            refuse_foreign_arrays(file)
    if job.output and job.trace and _is_same_place(job.output, job.trace):
        raise UsageError(what=f"--output and --trace are the same file, {job.output}")


def _is_same_place(left: Path, right: Path) -> bool:
    return left.name == right.name and os.path.realpath(left.parent) == os.path.realpath(right.parent)


def _open(job: SimulationJob, request: Request) -> _Opened:
    """The design and its events: of a project folder, or of a model file, which is planned first."""
    if job.engine not in ENGINES:
        raise UnknownNameError(what="engine", name=job.engine, known=", ".join(ENGINES))
    if not frontends.is_model(job.source):
        project = open_project(job.source)
        stream = open_events(job.events, input_shapes(project.network))
        choices = project_choices(project.design, project.network)
        return _Opened(
            network=project.network,
            design=project.design,
            choices=choices,
            stream=stream,
            lowered=project.hls("--engine csim")[1] if job.engine == "csim" else project.lowered,
            project=project.project,
            notes=unused_by_project(request),
        )
    with naming(job.source):
        network = frontends.load(job.source, request.weights)
        stream = open_events(job.events, input_shapes(network))
        values = sum(map(prod, stream.shapes))
        few = next(stream.pieces(max(1, min(stream.events, PLANNED_VALUES // values))))
        found = plan_network(
            network, request, Events(values=stream.finite(few, 0), labels=None, origin=job.events.name)
        )
    notes = (*found.trained.notes, *found.design.model.notes, *unused_softmax(request, found.trained.network))
    return _Opened(
        network=found.trained.network,
        design=found.design,
        choices=found.choices,
        stream=stream,
        lowered=lower(found.design) if job.engine == "csim" else None,
        notes=notes,
    )


def _chosen(job: SimulationJob, design: Design, *, packed: bool = False) -> emulator.Emulator | None:
    """The emulator, whose codes may be in narrow integers with `packed`; None for other engines."""
    chosen = emulator.engine(design, threads=job.threads, packed=packed) if job.engine == "emulator" else None
    if job.stats and not isinstance(chosen, NativeEmulator):
        raise MeasurementError(
            why=f"the engine is {job.engine}" if chosen is None else f"the emulator is {chosen.words}"
        )
    return chosen


def _piece_size(design: Design, *, trace: bool) -> int:
    """Number of events in a piece."""
    wanted = {*design.model.inputs, *design.model.outputs}
    values = sum(prod(layer.shape) for layer in design.model.layers if trace or layer.name in wanted)
    return max(1, min(MOST, max(PIECE_VALUES // values, min(FEWEST, LARGEST_VALUES // values))))


def _runner(
    opened: _Opened, chosen: emulator.Emulator | None, job: SimulationJob, request: Request, *, trace: bool
) -> _Runner:
    if chosen is None and job.engine == "rtl":
        return _rtl(opened, request, trace=trace)
    if chosen is None:
        return _csim(opened, request, trace=trace)
    modes = opened.modes()

    def compute(piece: Sequence[Piece], first: int) -> SimulationResult:
        if isinstance(chosen, NativeEmulator) and all(reads(mode, one) for mode, one in zip(modes, piece, strict=True)):
            found = chosen.run_values(piece, modes, trace=trace)
            if found is None:
                opened.stream.finite(piece, first)
                raise InternalError(what="the kernels cannot represent some finite values of the events")
            return found
        return chosen.run(opened.codes(piece, first), trace=trace)

    return compute


def _csim(opened: _Opened, request: Request, *, trace: bool) -> _Runner:
    made = opened.project if isinstance(opened.project, HlsProject) and not trace else None
    code = made or backend.convert(opened.design, opened.lowered, trace=trace)
    simulation = CSim(code, opened.design, seconds=request.seconds)
    return lambda piece, first: simulation.run(opened.codes(piece, first), trace=trace)


def _rtl(opened: _Opened, request: Request, *, trace: bool) -> _Runner:
    """RTL of the project, or the RTL that is generated from the design of a model or of an HLS project."""
    design = replace(opened.design, target=as_rtl(opened.design.target))
    made = opened.project if isinstance(opened.project, RtlProject) else rtl_backend.convert(design)
    simulation = RtlSimulation(with_trace(made) if trace else made, design, seconds=request.seconds)

    def compute(piece: Sequence[Piece], first: int) -> SimulationResult:
        found = simulation.run(opened.codes(piece, first), trace=trace)
        simulation.refuse_other_clocks()
        return found

    return compute


def _writers(job: SimulationJob, opened: _Opened, files: ExitStack) -> dict[str, ArchiveWriter]:
    design, events = opened.design, opened.stream.events
    shapes = {layer.name: layer.shape for layer in design.model.layers}
    found = {}
    if job.output:
        outputs = {f"output_{number}": shapes[name] for number, name in enumerate(design.model.outputs)}
        found["outputs"] = files.enter_context(ArchiveWriter(job.output, outputs, events, job.threads))
    if job.trace:
        nodes = {name: shapes[name] for name in _traced(job, opened)}
        found["trace"] = files.enter_context(ArchiveWriter(job.trace, nodes, events, job.threads))
    return found


def _traced(job: SimulationJob, opened: _Opened) -> Sequence[str]:
    """The nodes of a trace: all nodes of the emulator, or those with a name in C simulation."""
    if job.engine == "rtl":
        return traced_layers(opened.design)
    if job.engine == "emulator" or opened.lowered is None:
        return [layer.name for layer in opened.design.model.layers]
    return [port.node for port in backend.ports(opened.design, opened.lowered)[2]]


def _write(writers: Mapping[str, ArchiveWriter], design: Design, result: SimulationResult) -> None:
    if "outputs" in writers:
        writers["outputs"].add(
            {f"output_{number}": result.outputs[name].values for number, name in enumerate(design.model.outputs)}
        )
    if "trace" in writers:
        writers["trace"].add({name: codes.values for name, codes in result.trace.items()})


class _Ranges:
    """Smallest and largest values so far."""

    def __init__(self) -> None:
        self._ends: dict[str, tuple[int, int]] = {}
        self.measured: Mapping[str, Measured] = {}

    def add(self, result: SimulationResult) -> None:
        """One more piece."""
        for name, codes in result.outputs.items():
            low, high = self._ends.get(name, (int(codes.array.min()), int(codes.array.max())))
            self._ends[name] = min(low, int(codes.array.min())), max(high, int(codes.array.max()))

    def of(self, design: Design, name: str) -> NodeRange:
        """The ranges and counts of a node."""
        layer, form = design.model.layer(name), design.plan.layers[name].result.format
        seen = self.measured.get(name)
        low, high = (seen.least, seen.most) if seen else self._ends.get(name, (form.low, form.high))
        return NodeRange(
            name=name,
            source=layer.source,
            kind=layer.kind,
            shape=layer.shape,
            format=str(form),
            least=low * form.step,
            most=high * form.step,
            wraps=seen.wraps if seen else None,
            saturations=seen.saturations if seen else None,
            ties=seen.ties if seen else None,
        )
