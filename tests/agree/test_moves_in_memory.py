"""Resize layers and transposes that keep their values in memories compute what those of hls4ml compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import BackendName, IoType
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice, chosen_depths
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.streams import held_words
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.hardware.hls.moves import in_memory
from fpgacnn.sim.bounded.run import EVENTS as BOUNDED
from fpgacnn.sim.bounded.run import BoundedCSim, Stopped
from fpgacnn.sim.compare import compare
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.result import first_events
from tests.support import networks
from tests.support.networks import Builder

pytestmark = pytest.mark.agree

EVENTS = 20
PART = "xczu9eg-ffvb1156-2-e"


@pytest.mark.parametrize(("backend", "memories"), [(BackendName.VIVADO, 1024), (BackendName.VITIS, 8)])
def test_values_in_memories_come_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch, backend: BackendName, memories: int
) -> None:
    """Eight memories are fewer than the values of a word, so that words are gathered in several cycles."""
    monkeypatch.setattr(in_memory, "MOST_UNROLLED", 0)
    monkeypatch.setattr(in_memory, "MOST_REGISTERS", 0)
    monkeypatch.setattr(in_memory, "MOST_MEMORIES", memories)
    build = Builder(seed=14)
    networks.moves_in_memory(build)
    design = build.design(IoType.STREAM, backend=backend, part=PART)
    graph = hardware_graph(design)
    design = replace(design, fifo_depths=chosen_depths(graph, FifoChoice()))
    assert design.fifo_depths
    project = convert(design)
    calls = project.files["firmware/myproject.cpp"].decode()
    assert [calls.count(f"nnet::{name}<") for name in sorted(in_memory.FUNCTIONS)] == [6, 6, 4]
    assert "nnet::transpose<" not in calls
    assert "nnet::resize_nearest<" not in calls
    codes = build.events(EVENTS)
    expected = ReferenceEmulator(design).run(codes)
    simulation = BoundedCSim(project, design, held_words(graph))
    report = compare(simulation.run(codes), expected)
    assert report.holds, report
    for name, answers in expected.outputs.items():
        assert len(np.unique(answers.array)) > 1, f"{name} is constant, so nothing was compared"
    few, first = [replace(one, array=one.array[:BOUNDED]) for one in codes], first_events(expected, BOUNDED)
    for stalling in (False, True):
        found = simulation.run_bounded(few, stalling=stalling)
        assert not isinstance(found, Stopped), found
        assert compare(found, first).holds
