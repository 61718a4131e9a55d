"""One run in all its comparisons: engines against each other, hardware against the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import prod
from pathlib import Path

import numpy as np

from fpgacnn import store
from fpgacnn.design import Design
from fpgacnn.flow.describe import noise_by_layer, plan_record, total_parameters
from fpgacnn.flow.floats import Trained
from fpgacnn.flow.inputs import Events, InputChoice, to_codes
from fpgacnn.flow.quality import qualities
from fpgacnn.flow.record import InputRecord, ModelRecord, ProjectRecord, Quality, RunRecord, TargetRecord
from fpgacnn.flow.request import Request
from fpgacnn.flow.stimulus import CSIM_WORK, affordable
from fpgacnn.flow.watch import Stopwatch
from fpgacnn.hls import backend
from fpgacnn.ir.source import Activate, FloatArray, Softmax, SourceModel
from fpgacnn.numeric.fixed import Codes
from fpgacnn.project import HlsProject, files_digest
from fpgacnn.quantization import SoftmaxChoice
from fpgacnn.quantization.build import leading_quantizer
from fpgacnn.sim.csim import CSim, find_compiler
from fpgacnn.sim.emulator import Emulator, ReferenceEmulator, engine
from fpgacnn.sim.framework import evaluate
from fpgacnn.sim.result import SimulationResult
from fpgacnn.verification import VerificationReport, against_reference, compare

TEST_BENCH_EVENTS = 100
SAMPLE_VALUES = 1 << 24
"""How many values of all layers together are kept, so that memory is bounded whatever the number of events."""

FEWEST_SAMPLED = 16
REFERENCE_EVENTS = 32


def tool_versions() -> Mapping[str, str]:
    """Versions that decide what a project is."""
    return {name: version(name) for name in ("fpgacnn", "hls4ml", "numpy", "h5py")}


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
class Emulated:
    """The events as codes, what is to be told of each input, and the answers: outputs of all events, every layer's of the sample."""

    codes: tuple[Codes, ...]
    inputs: tuple[InputRecord, ...]
    answers: SimulationResult
    engine: Emulator


@dataclass(slots=True, kw_only=True)
class Run:
    """What the steps of one conversion share."""

    request: Request
    trained: Trained
    design: Design
    choices: tuple[InputChoice, ...]
    events: Events
    watch: Stopwatch
    every_layer: bool = False

    def emulate(self) -> Emulated:
        """The outputs of all events, and every layer's codes on the sample."""
        codes, inputs = self.codes()
        chosen = engine(self.design)
        with self.watch.stage("emulate", f"emulating {self.events.count} events"):
            outputs = chosen.run(codes)
            traced = chosen.run(first_codes(codes, self.sample), trace=True)
        return Emulated(codes=codes, inputs=inputs, answers=replace(outputs, trace=traced.trace), engine=chosen)

    @property
    def sample(self) -> int:
        """How many events every layer is kept of."""
        values = sum(prod(layer.shape) for layer in self.design.model.layers)
        return min(self.events.count, max(SAMPLE_VALUES // values, FEWEST_SAMPLED))

    @property
    def csim_events(self) -> int:
        """How many events go through C simulation."""
        asked = self.events.count if self.request.csim_events is None else min(self.request.csim_events, self.events.count)
        return min(asked, affordable(self.trained.network, CSIM_WORK)) if self.request.scaled else asked

    def answers_of(self, network: SourceModel, values: Sequence[FloatArray], *, quantized: bool) -> Mapping[str, FloatArray]:
        """A network's own answers: every layer's on the sample, those of the outputs on all events."""
        found = dict(evaluate(network, [one[: self.sample] for one in values], quantized=quantized))
        ends = {*network.outputs, *(self.design.model.layer(name).source for name in self.design.model.outputs)} & set(found)
        if self.sample < self.events.count:
            rest = evaluate(network, [one[self.sample :] for one in values], quantized=quantized, keep=ends)
            found |= {name: np.concatenate([found[name], rest[name]]) for name in ends}
        return found

    def files(self, project: HlsProject, emulated: Emulated) -> Mapping[str, bytes]:
        """All files of the project folder but the record."""
        return {**project.files, **self.test_bench(emulated.codes, emulated.answers), **store.dump(self.design, self.trained.network)}

    def prove(self, project: HlsProject, run: Emulated, files: Mapping[str, bytes], folder: Path) -> RunRecord:
        """Simulate and compare."""
        codes, inputs, emulated = run.codes, run.inputs, run.answers
        with self.watch.stage("reference", "computing the trained network's own answers"):
            rounded = [one.values for one in codes]
            quantized = self.answers_of(self.trained.network, rounded, quantized=True)
            real = self.answers_of(self.trained.twin, self.events.values, quantized=False)
        reports = [*self.csim_reports(project, codes, emulated), *self.reference_report(run)]
        reference = outputs_of(self.trained.network, quantized, self.request.softmax)
        source = against_reference(self.design, emulated, reference, name="quantized network", exactness=float64_slack(self.design))
        reports.append(source)
        network = self.trained.network
        unquantized = real if self.request.float_model is None else self.answers_of(network, self.events.values, quantized=False)
        noise = noise_by_layer(network, quantized, unquantized)
        return RunRecord(
            version=version("fpgacnn"),
            model=model_record(network, self.design, self.request.model.name),
            inputs=inputs,
            target=target_record(self.design, self.request.softmax),
            plan=plan_record(self.design, network, noise, emulated.trace, source.outputs),
            verification=tuple(reports),
            quality=self.quality(real, quantized, emulated),
            project=ProjectRecord(folder=str(folder), digest=files_digest(files), files=len(files), bytes=sum(map(len, files.values()))),
            notes=(*self.trained.notes, *self.design.model.notes, *project.notes, *self.sample_notes()),
            timings_s=dict(self.watch.seconds),
            tools={**tool_versions(), "emulator": run.engine.words, **({"compiler": find_compiler().version} if self.request.csim_events != 0 else {})},
            outputs=self.design.model.outputs,
        )

    def codes(self) -> tuple[tuple[Codes, ...], tuple[InputRecord, ...]]:
        """Input codes and what was chosen for each input."""
        found: list[Codes] = []
        records: list[InputRecord] = []
        for choice, values in zip(self.choices, self.events.values, strict=True):
            codes, changed = to_codes(values, choice, leading_quantizer(self.trained.network, choice.name))
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

    def sample_notes(self) -> tuple[str, ...]:
        """Where not every event had every layer compared, or a large network had fewer of them in C simulation."""
        found = []
        if self.sample != self.events.count:
            found.append(f"outputs were compared on all {self.events.count:,} events, layers between on the first {self.sample:,}")
        wanted = min(self.request.csim_events or 0, self.events.count)
        if self.csim_events < wanted:
            more = "--all" if self.every_layer else f"--csim-events {wanted}"
            found.append(f"a large network: C simulation ran on {self.csim_events:,} events ({more} takes more, and longer)")
        return tuple(found)

    def reference_report(self, run: Emulated) -> Iterator[VerificationReport]:
        """The emulator, where it is compiled, against the int64 reference: a fault of a compiler would show here."""
        if isinstance(run.engine, ReferenceEmulator):
            return
        count = min(self.sample, REFERENCE_EVENTS)
        with self.watch.stage("reference", f"computing {count} events in the int64 reference"):
            yield compare(first_events(run.answers, count), ReferenceEmulator(self.design).run(first_codes(run.codes, count), trace=True))

    def csim_reports(self, project: HlsProject, codes: Sequence[Codes], emulated: SimulationResult) -> Iterator[VerificationReport]:
        """C simulation against the emulator; where outputs differ, a traced build finds the first node that does."""
        if self.request.csim_events == 0:
            return
        sample = first_codes(codes, self.csim_events)
        count = len(sample[0].array)
        expected = first_events(emulated, count)
        with self.watch.stage("csim", f"building and running C simulation on {count} events"):
            report = compare(CSim(project, self.design, seconds=self.request.seconds).run(sample), expected)
        yield report
        if not report.holds or self.every_layer:
            fewer = min(count, self.sample)
            with self.watch.stage("csim", f"comparing every layer of {fewer} events"):
                traced = backend.convert(self.design, trace=True)
                answers = CSim(traced, self.design, seconds=self.request.seconds).run(first_codes(sample, fewer), trace=True)
                yield compare(answers, first_events(emulated, fewer))

    def quality(self, real: Mapping[str, FloatArray], quantized: Mapping[str, FloatArray], emulated: SimulationResult) -> tuple[Quality, ...]:
        """The task's own measure, where labels are given and there is one output."""
        if self.events.labels is None or len(self.trained.network.outputs) != 1:
            return ()
        hardware = emulated.outputs[self.design.model.outputs[0]].values
        return qualities(self.events.labels, real[self.trained.twin.outputs[0]], quantized[self.trained.network.outputs[0]], hardware)

    def test_bench(self, codes: Sequence[Codes], emulated: SimulationResult) -> Mapping[str, bytes]:
        """Events and expected answers for hls4ml's test bench."""
        count = min(TEST_BENCH_EVENTS, self.events.count)
        features = np.concatenate([one.values[:count].reshape(count, -1) for one in codes], axis=1)
        answers = np.concatenate([one.values[:count].reshape(count, -1) for one in emulated.outputs.values()], axis=1)
        return {"tb_data/tb_input_features.dat": _rows(features), "tb_data/tb_output_predictions.dat": _rows(answers)}


def _rows(values: FloatArray) -> bytes:
    return "".join(" ".join(map(repr, row)) + "\n" for row in values.tolist()).encode()


def first_codes(codes: Sequence[Codes], count: int | None) -> tuple[Codes, ...]:
    """The first events of the inputs; all for None."""
    return tuple(Codes(array=one.array[:count], format=one.format) for one in codes)


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
