"""Compare the generated code with the emulator: C simulation of an HLS project, Verilator's run of an RTL project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fpgacnn.design import Design, IoType
from fpgacnn.design.project import HlsProject
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.hardware.hls import backend
from fpgacnn.hardware.hls.lower import Lowered
from fpgacnn.hardware.hls.static.clang import find_clang
from fpgacnn.hardware.rtl.trace import with_trace
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.pipeline.checking.bounded_streams import bounded_reports, simulation_of
from fpgacnn.sim.compare import EngineComparison, VerificationReport, compare
from fpgacnn.sim.csim import CSim, find_compiler
from fpgacnn.sim.result import Engine, SimulationResult, first_events
from fpgacnn.sim.rtl.run import RtlSimulation, Traffic
from fpgacnn.sim.rtl.verilator import find_verilator
from fpgacnn.system.progress import Stopwatch

TRAFFIC = {
    "rtl, 40 % pauses": Traffic(pauses=40),
    "rtl, 30 % pauses, 60 % stalls": Traffic(pauses=30, stalls=60),
    "rtl, every second frame late": Traffic(late_frames=True),
}
"""Pauses of the input and stalls of the answers, under which RTL must give the same answers."""

TRAFFIC_EVENTS = 32
"""Events of each run with pauses, at most: the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    """What the comparisons need: the events, the emulator's answers and traces, and how many events have a trace.

    `traces` gives the codes of every layer of the first events, piece by piece.
    """

    design: Design
    events: tuple[Codes, ...]
    answers: SimulationResult
    traces: Callable[[int], Iterator[tuple[slice, SimulationResult]]]
    traced_events: int
    every_layer: bool
    seconds: float
    watch: Stopwatch

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.events[0].array)


def simulators(project: HlsProject | RtlProject) -> Mapping[str, str]:
    """The programs that read, build and run the generated code, with their versions."""
    if isinstance(project, RtlProject):
        own = {"verilator": find_verilator().version}
    else:
        clang = find_clang()
        own = {} if clang is None else {"clang": clang.version}
    return {"compiler": find_compiler().version, **own}


def hls_reports(project: HlsProject, lowered: Lowered, found: EngineRun) -> Iterator[VerificationReport]:
    """C simulation against the emulator; if outputs differ, a traced build finds the first node that differs."""
    simulation = simulation_of(project, found.design, lowered, found.seconds)
    with found.watch.stage("csim", f"building and running C simulation on {found.count} events"):
        report = compare(simulation.run(found.events), first_events(found.answers, found.count))
    yield report
    if found.design.target.io is IoType.STREAM:
        with found.watch.stage("csim", "running C simulation with FIFOs of the written depths"):
            yield from bounded_reports(simulation, found.events, found.answers)
    if not report.holds or found.every_layer:
        with found.watch.stage("csim", f"comparing every layer of {found.traced_events} events"):
            traced = CSim(backend.convert(found.design, lowered, trace=True), found.design, seconds=found.seconds)
        yield _layer_report(traced, "csim", found)


def rtl_reports(project: RtlProject, found: EngineRun) -> Iterator[VerificationReport]:
    """RTL simulation against the emulator: answers and their clocks, then answers with pauses, stalls and late frames.

    If outputs or clocks differ, a trace of the same files finds the first node that differs.
    """
    simulation = RtlSimulation(project, found.design, seconds=found.seconds)
    with found.watch.stage("rtl", f"building and running RTL simulation on {found.count} events"):
        report = compare(simulation.run(found.events), first_events(found.answers, found.count))
    report = _with_clocks(report, simulation)
    yield report
    few = [Codes(array=one.array[:TRAFFIC_EVENTS], format=one.format) for one in found.events]
    expected = first_events(found.answers, len(few[0].array))
    for words, traffic in TRAFFIC.items():
        with found.watch.stage("rtl", "running RTL simulation with pauses and stalls"):
            yield replace(compare(simulation.clocked(few, traffic).answers, expected), left=words)
    if not report.holds or found.every_layer:
        with found.watch.stage("rtl", f"comparing every layer of {found.traced_events} events"):
            traced = RtlSimulation(with_trace(project), found.design, seconds=found.seconds)
        yield _with_clocks(_layer_report(traced, "rtl", found), traced)


def _with_clocks(report: VerificationReport, simulation: RtlSimulation) -> VerificationReport:
    """The report, which holds only if every word came in the clock of its schedule."""
    same = simulation.clocks_equal_schedule
    return replace(
        report,
        clocks_equal_schedule=same,
        other_clocks=simulation.other_clocks,
        holds=report.holds and same is True,
    )


def _layer_report(simulation: Engine, stage: str, found: EngineRun) -> VerificationReport:
    """Every layer of the traced events, piece by piece."""
    comparison = EngineComparison()
    for piece, traced in found.traces(found.traced_events):
        with found.watch.stage(stage, f"comparing every layer of {piece.stop} of {found.traced_events} events"):
            comparison.add(simulation.run(_cut(found.events, piece), trace=True), traced)
    return comparison.report(simulation.name, found.answers.engine)


def _cut(codes: Sequence[Codes], piece: slice) -> list[Codes]:
    return [Codes(array=one.array[piece], format=one.format) for one in codes]
