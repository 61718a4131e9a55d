"""Run all comparisons of a project: engines against each other, hardware against the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fpgacnn.design import Design, serialize
from fpgacnn.design.project import HlsProject, files_digest
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.errors import InternalError
from fpgacnn.hardware.hls.lower import Lowered
from fpgacnn.hardware.rtl.testbench import bench_files
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import Activate, FloatArray, Softmax, SourceModel
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.pipeline.assign_widths import WidthAssignment
from fpgacnn.pipeline.checking.board_check import Wrapper, wrapper_reports
from fpgacnn.pipeline.checking.engine_reports import EngineRun, hls_reports, rtl_reports, simulators
from fpgacnn.pipeline.checking.pieces import PIECE_VALUES, TRACED_VALUES, Ends, Noise, Ranges, pieces, sample_size
from fpgacnn.pipeline.checking.scoring import quality_of, scored
from fpgacnn.pipeline.inputs import Events, InputChoice, largest_distance, to_codes
from fpgacnn.pipeline.remarks import not_compared, not_simulated, unused_events, unused_softmax
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.test_vectors import CSIM_WORK, affordable
from fpgacnn.records.describe import model_record, plan_record, target_record
from fpgacnn.records.record import InputRecord, ProjectRecord, RunRecord
from fpgacnn.sim.compare import EngineComparison, ReferenceComparison, VerificationReport
from fpgacnn.sim.emulator import Emulator, ReferenceEmulator, engine
from fpgacnn.sim.result import SimulationResult, events_of, first_events
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.system.progress import Stopwatch

TEST_BENCH_EVENTS, TEST_BENCH_VALUES = 100, 1 << 20
"""Events of the test bench, and about how many numbers: a vendor tool reads them as text and simulates each event."""

REFERENCE_EVENTS = 32


def tool_versions() -> Mapping[str, str]:
    """Versions of the packages that decide the content of a project."""
    return {name: version(name) for name in ("fpgacnn", "hls4ml", "numpy", "h5py")}


def outputs_of(
    network: SourceModel, answers: Mapping[str, FloatArray], softmax: SoftmaxChoice
) -> Mapping[str, FloatArray]:
    """The reference's answers; one-hot for a softmax that the hardware builds as argmax."""
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
    """The events as codes, how each input was converted, and the outputs of all events."""

    codes: tuple[Codes, ...]
    inputs: tuple[InputRecord, ...]
    answers: SimulationResult
    engine: Emulator


@dataclass(slots=True, kw_only=True)
class Layers:
    """Results about layers, collected piece by piece: comparisons, noise and ranges.

    `quantized` and `real` are the scores of the network to build and of the float network, if there are labels.
    """

    source: ReferenceComparison
    int64: EngineComparison
    noise: Noise
    seen: Ranges
    quantized: Ends
    real: Ends


@dataclass(slots=True, kw_only=True)
class Run:
    """State that the steps of one conversion share."""

    request: Request
    trained: WidthAssignment
    design: Design
    lowered: Lowered | None
    choices: tuple[InputChoice, ...]
    events: Events
    watch: Stopwatch
    every_layer: bool = False
    wrappers: tuple[Wrapper, ...] = ()
    piece_values: int = PIECE_VALUES

    def emulate(self) -> Emulated:
        """Run the emulator on all events."""
        codes, inputs = self.codes()
        chosen = engine(self.design)
        with self.watch.stage("emulate", f"emulating {self.events.count} events"):
            return Emulated(codes=codes, inputs=inputs, answers=chosen.run(codes), engine=chosen)

    @property
    def sample(self) -> int:
        """Number of events on which every layer is compared."""
        return sample_size(self.design, self.events.count, self.piece_values)

    def traces(self, run: Emulated, count: int) -> Iterator[tuple[slice, SimulationResult]]:
        """Every layer's codes of the first `count` events, piece by piece.

        One run of the emulator computes as many pieces as fit into TRACED_VALUES.
        """
        for some in pieces(self.design, count, max(self.piece_values, TRACED_VALUES)):
            with self.watch.stage("emulate", f"emulating every layer of {some.stop} of {count} events"):
                found = run.engine.run(codes_of(run.codes, some), trace=True)
            cut = pieces(self.design, some.stop, self.piece_values, first=some.start)
            waiting = [(one, events_of(found, slice(one.start - some.start, one.stop - some.start))) for one in cut]
            del found
            while waiting:  # a piece is freed when the consumer drops it
                yield waiting.pop(0)

    @property
    def csim_events(self) -> int:
        """Number of events for C simulation."""
        requested = (
            self.events.count if self.request.csim_events is None else min(self.request.csim_events, self.events.count)
        )
        return min(requested, affordable(self.trained.network, CSIM_WORK)) if self.request.scaled else requested

    def layers(self, run: Emulated) -> Layers:
        """Compare every layer on the sample, piece by piece; then compute the outputs of the other events."""
        found, network = self.no_layers(), self.trained.network
        for piece, traced in self.traces(run, self.sample):
            found.seen.add(traced.trace)
            self.add_reference(found.int64, run, piece, traced)
            with self.watch.stage(
                "reference", f"computing the trained network's answers to {piece.stop} of {self.sample} events"
            ):
                quantized = self.answers(network, values_of(run.codes, piece), quantized=True)
                shown = {**traced.trace, **events_of(run.answers, piece).outputs}
                found.source.add(shown, outputs_of(network, quantized, self.request.softmax), piece.start)
                del traced, shown
                self.add_floats(found, quantized, piece, keep=None)
                del quantized  # before the next piece is computed
        for piece in pieces(self.design, self.events.count, self.piece_values, first=self.sample):
            with self.watch.stage(
                "reference",
                f"computing the trained network's answers to {piece.stop} of {self.events.count} events",
            ):
                quantized = self.answers(network, values_of(run.codes, piece), quantized=True, keep=self.ends)
                shown = dict(events_of(run.answers, piece).outputs)
                found.source.add(shown, outputs_of(network, quantized, self.request.softmax), piece.start)
                self.add_floats(found, quantized, piece, keep=self.ends)
        return found

    def answers(
        self,
        network: SourceModel,
        values: Sequence[FloatArray],
        *,
        quantized: bool,
        keep: AbstractSet[str] | None = None,
    ) -> Mapping[str, FloatArray]:
        """The outputs of a source network, computed on a bounded number of values at a time."""
        return evaluate(network, values, quantized=quantized, keep=keep, chunk_values=2 * self.piece_values)

    def no_layers(self) -> Layers:
        """An empty collection of results."""
        judged = scored(self.request, self.trained.network, self.events)
        return Layers(
            source=ReferenceComparison(self.design, exactness=float64_slack(self.design)),
            int64=EngineComparison(),
            noise=Noise(self.trained.network),
            seen=Ranges(),
            quantized=Ends([self.trained.network.outputs[one] for one in judged]),
            real=Ends([self.trained.float_network.outputs[one] for one in judged]),
        )

    @property
    def ends(self) -> set[str]:
        """Layers of the file that become outputs; they are compared on all events."""
        return {
            *self.trained.network.outputs,
            *(self.design.model.layer(name).source for name in self.design.model.outputs),
        }

    def add_floats(
        self, found: Layers, quantized: Mapping[str, FloatArray], piece: slice, *, keep: set[str] | None
    ) -> None:
        """Add the answers of the float networks to a piece, and the noise of the layers against them."""
        values = [one[piece] for one in self.events.values]
        found.quantized.add(quantized)
        if self.request.float_model is not None and scored(self.request, self.trained.network, self.events):
            found.real.add(
                self.answers(
                    self.trained.float_network, values, quantized=False, keep=set(self.trained.float_network.outputs)
                )
            )
        network = self.trained.network if self.request.float_model is not None else self.trained.float_network
        real = self.answers(network, values, quantized=False, keep=keep)
        if self.request.float_model is None:
            found.real.add(real)
        found.noise.add(quantized, real)

    def add_reference(self, found: EngineComparison, run: Emulated, piece: slice, traced: SimulationResult) -> None:
        """Compare the compiled emulator with the int64 reference, to detect faults of a compiler."""
        count = min(self.sample, REFERENCE_EVENTS) - piece.start
        if isinstance(run.engine, ReferenceEmulator) or count <= 0:
            return
        few = slice(piece.start, min(piece.stop, piece.start + count))
        with self.watch.stage("reference", f"computing {few.stop} events in the int64 reference"):
            found.add_by_node(
                first_events(traced, count), ReferenceEmulator(self.design).by_node(codes_of(run.codes, few))
            )

    def files(self, project: HlsProject | RtlProject, emulated: Emulated) -> Mapping[str, bytes]:
        """All files of the project folder except the record."""
        return {
            **project.files,
            **self.test_bench(emulated.codes, emulated.answers),
            **(self.rtl_bench(project, emulated) if isinstance(project, RtlProject) else {}),
            **serialize.dump(self.design, self.trained.network),
        }

    def prove(
        self, project: HlsProject | RtlProject, run: Emulated, files: Mapping[str, bytes], folder: Path
    ) -> RunRecord:
        """Run C simulation and compare; return the record."""
        inputs, emulated = run.inputs, run.answers
        layers = self.layers(run)
        source = layers.source.report(emulated.engine, "quantized network", self.events.count)
        reports = [*self.engine_reports(project, run)]
        if not isinstance(run.engine, ReferenceEmulator):
            reports.append(layers.int64.report(emulated.engine, ReferenceEmulator.name))
        reports.append(source)
        network = self.trained.network
        return RunRecord(
            version=version("fpgacnn"),
            model=model_record(network, self.design, self.request.model.name),
            inputs=inputs,
            target=target_record(self.design, self.request.softmax),
            plan=plan_record(self.design, network, layers.noise.by_layer(), layers.seen.ends, source.outputs),
            verification=tuple(reports),
            quality=quality_of(
                self.request,
                self.trained,
                self.design,
                self.events,
                layers.real.whole(),
                layers.quantized.whole(),
                emulated,
            ),
            project=ProjectRecord(
                folder=str(folder), digest=files_digest(files), files=len(files), bytes=sum(map(len, files.values()))
            ),
            notes=(
                *self.trained.notes,
                *self.design.model.notes,
                *project.notes,
                *self.sample_notes(),
                *self.remarks(layers.source.compared),
            ),
            timings_s=dict(self.watch.seconds),
            tools={
                **tool_versions(),
                "emulator": run.engine.words,
                **(simulators(project) if self.request.csim_events != 0 else {}),
            },
            outputs=self.design.model.outputs,
        )

    def codes(self) -> tuple[tuple[Codes, ...], tuple[InputRecord, ...]]:
        """Input codes, and the format of each input."""
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
                    largest_rounding=largest_distance(codes, values) if changed else 0.0,
                )
            )
        return tuple(found), tuple(records)

    def sample_notes(self) -> tuple[str, ...]:
        """Notes for runs that did not compare every layer on every event, or that shortened C simulation."""
        found = []
        if self.sample != self.events.count:
            found.append(
                f"outputs were compared on all {self.events.count:,} events, inner layers on the first {self.sample:,}"
            )
        wanted = min(self.request.csim_events or 0, self.events.count)
        if self.csim_events < wanted:
            more = "--all" if self.every_layer else f"--csim-events {wanted}"
            found.append(
                f"large network: C simulation ran on {self.csim_events:,} events ({more} takes more events and time)"
            )
        return tuple(found)

    def remarks(self, compared: set[str]) -> Iterator[str]:
        """Notes on options without effect and on layers without comparison; `compared` are the compared nodes."""
        network = self.trained.network
        if not self.every_layer:
            yield from unused_softmax(self.request, network)
        yield from unused_events(self.request, network, self.events)
        yield from not_simulated(self.request)
        yield from not_compared(self.design, network, compared)

    def engine_reports(self, project: HlsProject | RtlProject, run: Emulated) -> Iterator[VerificationReport]:
        """The generated code against the emulator: C simulation, or RTL simulation."""
        if self.request.csim_events == 0:
            return
        sample = first_codes(run.codes, self.csim_events)
        found = EngineRun(
            design=self.design,
            events=sample,
            answers=run.answers,
            traces=lambda count: self.traces(run, count),
            traced_events=min(len(sample[0].array), self.sample),
            every_layer=self.every_layer,
            seconds=self.request.seconds,
            watch=self.watch,
        )
        if isinstance(project, RtlProject):
            yield from rtl_reports(project, found)
        elif self.lowered is None:
            raise InternalError(what="an HLS project has no layer list")
        else:
            yield from hls_reports(project, self.lowered, found)
        yield from self.wrapper_reports(project, sample, first_events(run.answers, found.count))

    def wrapper_reports(
        self, project: HlsProject | RtlProject, codes: Sequence[Codes], answers: SimulationResult
    ) -> Iterator[VerificationReport]:
        """The wrappers of boards against the emulator."""
        for one in self.wrappers:
            with self.watch.stage("wrapper", f"running the wrapper of {one.board.name} with random stalls"):
                yield from wrapper_reports(one, project, self.design, codes, answers, seconds=self.request.seconds)

    def rtl_bench(self, project: RtlProject, run: Emulated) -> Mapping[str, bytes]:
        """A test bench for Verilog simulators, with as many events as hls4ml's has."""
        outputs = [*run.answers.outputs.values()]
        some = slice(self.bench_events((*run.codes, *outputs)))
        return bench_files(project, codes_of(run.codes, some), codes_of(outputs, some))

    def bench_events(self, tensors: Sequence[Codes]) -> int:
        """Events of a test bench for tensors of this size."""
        size = sum(one.array[:1].size for one in tensors)
        return min(TEST_BENCH_EVENTS, self.events.count, max(1, TEST_BENCH_VALUES // size))

    def test_bench(self, codes: Sequence[Codes], emulated: SimulationResult) -> Mapping[str, bytes]:
        """Events and expected answers for hls4ml's test bench."""
        outputs = [*emulated.outputs.values()]
        count = self.bench_events((*codes, *outputs))
        files = {"tb_data/tb_input_features.dat": codes, "tb_data/tb_output_predictions.dat": outputs}
        return {name: b"".join(_row(some, event) for event in range(count)) for name, some in files.items()}


def _row(tensors: Sequence[Codes], event: int) -> bytes:
    """One event as a line of numbers."""
    numbers = np.concatenate([one.ravel() for one in values_of(tensors, slice(event, event + 1))])
    return f"{' '.join(map(repr, numbers.tolist()))}\n".encode()


def codes_of(codes: Sequence[Codes], piece: slice) -> tuple[Codes, ...]:
    """A piece of the events of all inputs."""
    return tuple(Codes(array=one.array[piece], format=one.format) for one in codes)


def values_of(codes: Sequence[Codes], piece: slice) -> list[FloatArray]:
    """The numbers that codes stand for, of a piece of the events."""
    return [one.values for one in codes_of(codes, piece)]


def first_codes(codes: Sequence[Codes], count: int) -> tuple[Codes, ...]:
    """The first events of the inputs."""
    return codes_of(codes, slice(count))


def float64_slack(design: Design) -> float:
    """Allowed relative error of the float64 reference itself: 0 for an exact plan."""
    return 0.0 if design.plan.is_exact else 1e-9
