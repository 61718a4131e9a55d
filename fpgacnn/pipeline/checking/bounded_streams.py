"""C simulation with FIFOs of the written depths.

No order of events may stop the design, and the answers stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fpgacnn.design import Design, IoType
from fpgacnn.design.project import HlsProject
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.streams import held_words
from fpgacnn.hardware.hls.lower import Lowered
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.sim.bounded.run import EVENTS, BoundedCSim, Stopped
from fpgacnn.sim.compare import VerificationReport, compare
from fpgacnn.sim.csim import CSim
from fpgacnn.sim.result import SimulationResult, first_events


def simulation_of(project: HlsProject, design: Design, lowered: Lowered, seconds: float) -> CSim:
    """C simulation of a project; that of a streamed one can also run with FIFOs of the written depths.

    Raises BoundedStreamsError if the top function of a streamed project is not as hls4ml writes it.
    """
    if design.target.io is not IoType.STREAM:
        return CSim(project, design, seconds=seconds)
    held = held_words(hardware_graph(design, lowered=lowered))
    return BoundedCSim(project, design, held, seconds=seconds)


def bounded_reports(
    simulation: CSim, codes: Sequence[Codes], answers: SimulationResult
) -> Iterator[VerificationReport]:
    """Compare a streamed project with the FIFO depths of its C++, on a few events: once plain, once with words held.

    Raises FpgacnnError: what C simulation raises.
    """
    if not isinstance(simulation, BoundedCSim):
        return
    few = tuple(Codes(array=one.array[:EVENTS], format=one.format) for one in codes)
    expected = first_events(answers, len(few[0].array))
    for stalling in (False, True):
        found = simulation.run_bounded(few, stalling=stalling)
        yield stopped(found, expected) if isinstance(found, Stopped) else compare(found, expected)


def stopped(found: Stopped, expected: SimulationResult) -> VerificationReport:
    """A comparison that has no left side, because the processes wait for each other."""
    return VerificationReport(
        left=found.engine,
        right=expected.engine,
        events=expected.events,
        layers=len(expected.outputs),
        values=0,
        mismatches=0,
        max_abs_difference=0.0,
        allowed=0.0,
        holds=False,
        deadlock=found.circle,
    )
