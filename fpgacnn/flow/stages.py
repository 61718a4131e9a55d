"""The order of the steps, written once. Nobody else knows what comes next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fpgacnn import frontends, store
from fpgacnn.design import Design
from fpgacnn.errors import UnknownNameError, UsageError, naming
from fpgacnn.flow.describe import noise_by_layer, plan_record, total_parameters
from fpgacnn.flow.inputs import Events, InputChoice, choose_formats, input_shapes, read_events, to_codes
from fpgacnn.flow.projects import open_project
from fpgacnn.flow.quality import qualities
from fpgacnn.flow.record import InputRecord, ModelRecord, ProjectRecord, Quality, RunRecord, TargetRecord
from fpgacnn.flow.request import Request
from fpgacnn.flow.stimulus import stimulus
from fpgacnn.hls import backend
from fpgacnn.ir.source import Activate, FloatArray, Softmax, SourceModel
from fpgacnn.numeric.fixed import Codes
from fpgacnn.precision import plan, refine
from fpgacnn.project import RECORD, HlsProject, files_digest, refuse_foreign, staged, write_files
from fpgacnn.quantization import SoftmaxChoice, quantize
from fpgacnn.quantization.build import leading_quantizer
from fpgacnn.quantization.names import safe_name
from fpgacnn.quantization.widths import fold_normalizations, is_float, with_quantizers
from fpgacnn.sim.csim import CSim, find_compiler
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.framework import evaluate
from fpgacnn.sim.result import SimulationResult
from fpgacnn.verification import VerificationReport, against_reference, compare

OWN_EVENTS = 96
TEST_BENCH_EVENTS = 100
KERAS_EXACTNESS = 1e-6
"""Relative difference that Keras' float32 may have where the plan does not promise exactness."""

Progress: TypeAlias = Callable[[str], AbstractContextManager[None]]


def silent(_stage: str) -> AbstractContextManager[None]:
    """No progress shown."""
    return nullcontext()


@dataclass(slots=True, kw_only=True)
class Stopwatch:
    """Times stages and tells the progress display."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[None]:
        """Run a block as the stage `name`."""
        start = time.perf_counter()
        with self.progress(words):
            yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)


def tool_versions() -> Mapping[str, str]:
    """Versions that decide what a project is."""
    return {name: version(name) for name in ("fpgacnn", "hls4ml", "numpy", "h5py")}


def convert(request: Request, progress: Progress = silent) -> RunRecord:
    """The main job: a model file becomes a project folder, proven by C simulation.

    Raises FpgacnnError; then nothing new is on disk.
    """
    watch = Stopwatch(progress=progress)
    if request.csim_events != 0:
        find_compiler()
    if request.output is not None:
        refuse_foreign(request.output)
    with naming(request.model), watch.stage("load", f"reading {request.model.name}"):
        network = frontends.load(request.model, request.weights)
        given = read_events(request.events, network) if request.events else None
        network, twin = with_widths(network, request, given)
    with naming(request.model), watch.stage("plan", "planning every bit width"):
        choices = choose_formats(network, given, request.input_type)
        model = refine(quantize(network, inputs=[choice.format for choice in choices], softmax=request.softmax))
        design = Design(model=model, plan=plan(model), target=request.target)
    with naming(request.model), watch.stage("convert", "writing HLS C++ through hls4ml"):
        project = backend.convert(design)
    events = (given or own_events(network, choices)).first(request.max_events)
    run = _Run(request=request, network=network, twin=twin, design=design, choices=choices, events=events, watch=watch)
    stem = safe_name(request.model.stem).removeprefix("l_")
    emulated = run.emulate()
    files = run.files(project, emulated)
    folder = request.output or Path("hls_projects") / f"{stem}-{files_digest(files)[:8]}"
    with staged(folder) as stage:
        record = run.prove(project, emulated, files, folder)
        with watch.stage("write", f"writing {folder}"):
            write_files(stage, {**files, RECORD: record.to_json().encode()})
    return record


def verify(project: Path, request: Request, progress: Progress = silent) -> RunRecord:
    """Prove a project folder again: its files as they lie there in C simulation, layer by layer, on all events.

    `request` gives events, limits and, for the comparison with the real Keras, the model file.
    Raises ProjectError where the folder is no project.
    """
    watch = Stopwatch(progress=progress)
    opened = open_project(project)
    network, design = opened.network, opened.design
    if request.keras and frontends.load(request.model, request.weights).digest != network.digest:
        raise UsageError(what=f"{request.model} is not the file that {project} was made from")
    given = read_events(request.events, network) if request.events else None
    choices = tuple(InputChoice(name=layer.source, format=operation.format, reason="the project's") for layer, operation in design.model.input_layers)
    events = (given or own_events(network, choices)).first(request.max_events)
    _, twin = with_widths(network, request, given)
    run = _Run(request=request, network=network, twin=twin, design=design, choices=choices, events=events, watch=watch, every_layer=True)
    emulated = run.emulate()
    record = run.prove(opened.project, emulated, run.files(opened.project, emulated), project)
    return replace(record, notes=(*record.notes, *opened.notes))


def simulate(source: Path, events: Path, engine: str, request: Request, *, trace: bool, progress: Progress = silent) -> SimulationResult:
    """Run events through an engine: of a project folder, or of a model file that is planned on the spot."""
    watch = Stopwatch(progress=progress)
    if source.is_dir():
        opened = open_project(source)
        network, design, project = opened.network, opened.design, opened.project
        choices = tuple(InputChoice(name=layer.source, format=operation.format, reason="") for layer, operation in design.model.input_layers)
        given = read_events(events, network)
    else:
        with naming(source):
            network = frontends.load(source, request.weights)
            given = read_events(events, network)
            network, _ = with_widths(network, request, given)
            choices = choose_formats(network, given, request.input_type)
            model = refine(quantize(network, inputs=[choice.format for choice in choices], softmax=request.softmax))
            design, project = Design(model=model, plan=plan(model), target=request.target), None
    codes = [to_codes(values, choice, leading_quantizer(network, choice.name))[0] for choice, values in zip(choices, given.values, strict=True)]
    with watch.stage("simulate", f"running {given.count} events"):
        match engine:
            case "emulator":
                return ReferenceEmulator(design).run(codes, trace=trace)
            case "csim":
                code = backend.convert(design, trace=True) if trace else project or backend.convert(design)
                return CSim(code, design, seconds=request.seconds).run(codes, trace=trace)
            case _:
                raise UnknownNameError(what="engine", name=engine, known="emulator, csim")


def own_events(network: SourceModel, choices: Sequence[InputChoice]) -> Events:
    """Seeded random, extreme and tie events where the user gives none."""
    shapes = input_shapes(network)
    values = tuple(stimulus(choice.format, shapes[choice.name], OWN_EVENTS, seed=7 + number) for number, choice in enumerate(choices))
    return Events(values=values, labels=None, origin="seeded random, extreme and tie events")


def with_widths(network: SourceModel, request: Request, events: Events | None) -> tuple[SourceModel, SourceModel]:
    """The network to build, with widths where it has none, and the float network to compare with."""
    twin = frontends.load(request.float_model) if request.float_model else network
    if [*input_shapes(twin).values()] != [*input_shapes(network).values()]:
        raise UsageError(what=f"{request.float_model} has other input shapes than {request.model}")
    if request.widths is None or not is_float(network):
        return network, twin
    if request.keras:
        raise UsageError(what="--reference keras compares with the file as it is, but --bits gives it quantizers that it has not")
    folded = fold_normalizations(network)
    seen = evaluate(folded, (events or own_events(network, choose_formats(network, None, request.input_type))).values, quantized=False)
    return with_quantizers(folded, request.widths, seen), twin


def outputs_of(network: SourceModel, answers: Mapping[str, FloatArray], softmax: SoftmaxChoice) -> Mapping[str, FloatArray]:
    """The reference's answers; a softmax that hardware builds as argmax answers one-hot."""
    if softmax is not SoftmaxChoice.ARGMAX:
        return answers
    changed = dict(answers)
    for name in network.outputs:
        if network.layer(name).operation == Activate(function=Softmax()):
            hot = np.zeros_like(answers[name])
            np.put_along_axis(hot, answers[name].argmax(axis=-1, keepdims=True), 1.0, axis=-1)
            changed[name] = hot
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Emulated:
    """The events as codes, what is to be told of each input, and every layer's answers."""

    codes: tuple[Codes, ...]
    inputs: tuple[InputRecord, ...]
    answers: SimulationResult


@dataclass(slots=True, kw_only=True)
class _Run:
    """What the steps of one conversion share."""

    request: Request
    network: SourceModel
    twin: SourceModel
    design: Design
    choices: tuple[InputChoice, ...]
    events: Events
    watch: Stopwatch
    every_layer: bool = False

    def emulate(self) -> _Emulated:
        """Every layer's codes on the run's events."""
        codes, inputs = self.codes()
        with self.watch.stage("emulate", f"emulating {self.events.count} events"):
            return _Emulated(codes=codes, inputs=inputs, answers=ReferenceEmulator(self.design).run(codes, trace=True))

    def files(self, project: HlsProject, emulated: _Emulated) -> Mapping[str, bytes]:
        """All files of the project folder but the record."""
        return {**project.files, **self.test_bench(emulated.codes, emulated.answers), **store.dump(self.design, self.network)}

    def prove(self, project: HlsProject, run: _Emulated, files: Mapping[str, bytes], folder: Path) -> RunRecord:
        """Simulate and compare."""
        codes, inputs, emulated = run.codes, run.inputs, run.answers
        with self.watch.stage("reference", "computing the trained network's own answers"):
            rounded = [one.values for one in codes]
            quantized = evaluate(self.network, rounded, quantized=True)
            real = evaluate(self.twin, self.events.values, quantized=False)
        reports = [*self.csim_reports(project, codes, emulated)]
        reference = outputs_of(self.network, quantized, self.request.softmax)
        reports.append(against_reference(self.design, emulated, reference, name="quantized network", exactness=float64_slack(self.design)))
        if self.request.keras:
            reports.append(self.keras_report(emulated, rounded))
        noise = noise_by_layer(self.network, quantized, real)
        return RunRecord(
            version=version("fpgacnn"),
            model=model_record(self.network, self.design, self.request.model.name),
            inputs=inputs,
            target=target_record(self.design, self.request.softmax),
            plan=plan_record(self.design, self.network, noise),
            verification=tuple(reports),
            quality=self.quality(real, quantized, emulated),
            project=ProjectRecord(folder=str(folder), digest=files_digest(files), files=len(files), bytes=sum(map(len, files.values()))),
            notes=(*self.width_notes(), *self.design.model.notes, *project.notes),
            timings_s=dict(self.watch.seconds),
            tools={**tool_versions(), **({"compiler": find_compiler().version} if self.request.csim_events != 0 else {})},
            outputs=self.design.model.outputs,
        )

    def width_notes(self) -> tuple[str, ...]:
        """What --bits changed about the network."""
        widths = self.request.widths
        if widths is None or self.twin is self.network:
            return ()
        return (f"float network: its weights and activations got quantizers of {widths.bits} bits, and the promises are about that network",)

    def codes(self) -> tuple[tuple[Codes, ...], tuple[InputRecord, ...]]:
        """Input codes and what was chosen for each input."""
        found: list[Codes] = []
        records: list[InputRecord] = []
        for choice, values in zip(self.choices, self.events.values, strict=True):
            codes, changed = to_codes(values, choice, leading_quantizer(self.network, choice.name))
            found.append(codes)
            records.append(
                InputRecord(
                    name=choice.name,
                    shape=values.shape[1:],
                    format=str(choice.format),
                    reason=choice.reason,
                    events=len(values),
                    origin=self.events.origin,
                    rounded_values=changed,
                    largest_rounding=float(np.abs(codes.values - values).max()) if changed else 0.0,
                )
            )
        return tuple(found), tuple(records)

    def csim_reports(self, project: HlsProject, codes: Sequence[Codes], emulated: SimulationResult) -> Iterator[VerificationReport]:
        """C simulation against the emulator; where outputs differ, a traced build finds the first node that does."""
        if self.request.csim_events == 0:
            return
        sample = [Codes(array=one.array[: self.request.csim_events], format=one.format) for one in codes]
        count = len(sample[0].array)
        expected = first_events(emulated, count)
        with self.watch.stage("csim", f"building and running C simulation on {count} events"):
            report = compare(CSim(project, self.design, seconds=self.request.seconds).run(sample), expected)
        yield report
        if not report.holds or self.every_layer:
            with self.watch.stage("csim", "comparing every layer"):
                traced = backend.convert(self.design, trace=True)
                yield compare(CSim(traced, self.design, seconds=self.request.seconds).run(sample, trace=True), expected)

    def keras_report(self, emulated: SimulationResult, inputs: Sequence[FloatArray]) -> VerificationReport:
        """Hardware against the real Keras or QKeras."""
        from fpgacnn.train.oracle import run_keras

        with self.watch.stage("keras", "asking the real Keras"):
            answer = run_keras(self.request.model, inputs, layers=True)
        layers = outputs_of(self.network, answer.layers, self.request.softmax)
        slack = 0.0 if self.design.plan.is_exact else KERAS_EXACTNESS
        return against_reference(self.design, emulated, layers, name="Keras", exactness=slack)

    def quality(self, real: Mapping[str, FloatArray], quantized: Mapping[str, FloatArray], emulated: SimulationResult) -> tuple[Quality, ...]:
        """The task's own measure, where labels are given and there is one output."""
        if self.events.labels is None or len(self.network.outputs) != 1:
            return ()
        hardware = emulated.outputs[self.design.model.outputs[0]].values
        return qualities(self.events.labels, real[self.twin.outputs[0]], quantized[self.network.outputs[0]], hardware)

    def test_bench(self, codes: Sequence[Codes], emulated: SimulationResult) -> Mapping[str, bytes]:
        """Events and expected answers for hls4ml's test bench."""
        count = min(TEST_BENCH_EVENTS, self.events.count)
        features = np.concatenate([one.values[:count].reshape(count, -1) for one in codes], axis=1)
        answers = np.concatenate([one.values[:count].reshape(count, -1) for one in emulated.outputs.values()], axis=1)
        return {"tb_data/tb_input_features.dat": _rows(features), "tb_data/tb_output_predictions.dat": _rows(answers)}


def _rows(values: FloatArray) -> bytes:
    return "".join(" ".join(map(repr, row)) + "\n" for row in values.tolist()).encode()


def first_events(result: SimulationResult, count: int) -> SimulationResult:
    """The first events of a result."""

    def cut(codes: Mapping[str, Codes]) -> Mapping[str, Codes]:
        return {name: Codes(array=one.array[:count], format=one.format) for name, one in codes.items()}

    return replace(result, outputs=cut(result.outputs), trace=cut(result.trace))


def float64_slack(design: Design) -> float:
    """What the float64 reference itself may be off, relative: nothing where the plan is exact."""
    return 0.0 if design.plan.is_exact else 1e-9


def model_record(network: SourceModel, design: Design, file: str) -> ModelRecord:
    """The network in numbers."""
    return ModelRecord(
        file=file,
        digest=network.digest,
        framework=network.framework,
        layers=len(network.layers),
        parameters=total_parameters(design.model),
    )


def target_record(design: Design, softmax: SoftmaxChoice) -> TargetRecord:
    """The target in words and numbers."""
    target = design.target
    return TargetRecord(
        part=target.part,
        clock_ns=target.clock_ns,
        io=target.io.value,
        strategy=target.strategy.value,
        reuse=target.reuse,
        backend=target.backend.value,
        softmax=softmax.value,
    )
