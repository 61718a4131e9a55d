"""Every operation in Verilator equals the emulator, in the clocks of its schedule, with pauses and with stalls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fpgacnn.design import IoType
from fpgacnn.hardware.rtl import backend
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.rtl.run import RtlSimulation, Traffic
from tests.support import networks
from tests.support.networks import Builder
from tests.support.rtl import built_and_refused, needs_verilator, rtl_design

EVENTS = 24

FAMILIES: dict[str, tuple[Callable[[Builder], None], tuple[str, ...]]] = {
    "sums": (networks.linear_layers, ()),
    "casts": (networks.casts, ()),
    "elements": (networks.elementwise, ("slope differs",)),
    "steps": (networks.step_functions, ()),
    "pools": (lambda build: networks.pooling(build, IoType.STREAM), ("padding", "window")),
}
"""Branches of tests of C simulation, and words of the refusals that they may meet."""


@pytest.mark.agree
@needs_verilator
@pytest.mark.parametrize("family", FAMILIES)
def test_rtl_equals_the_emulator_clock_by_clock(family: str) -> None:
    fill, allowed = FAMILIES[family]
    whole = Builder(seed=3)
    fill(whole)
    build, refused = built_and_refused(whole)
    assert all(any(word in message for word in allowed) for message in refused.values()), refused
    assert len(build.outputs) > 3 * len(refused)
    design, codes = rtl_design(build), build.events(EVENTS)
    simulation = RtlSimulation(backend.convert(design), design)
    expected = ReferenceEmulator(design).run(codes).outputs
    answers = simulation.run(codes).outputs
    assert [name for name in expected if not np.array_equal(answers[name].array, expected[name].array)] == []
    assert simulation.clocks_equal_schedule
    for traffic in (Traffic(pauses=40), Traffic(pauses=30, stalls=60, seed=9)):
        found = simulation.clocked(codes, traffic).answers.outputs
        assert [name for name in expected if not np.array_equal(found[name].array, expected[name].array)] == []
