"""hls4ml's C++ with FIFOs of the written depths: the same answers, and a deadlock by name where one is too short."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fpgacnn.design import IoType
from fpgacnn.errors import BoundedStreamsError
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice, chosen_depths
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.streams import held_words
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.source import MergeKind, PoolKind
from fpgacnn.sim.bounded.rewrite import rewritten
from fpgacnn.sim.bounded.run import EVENTS, BoundedCSim, Stopped
from fpgacnn.sim.compare import compare
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.result import first_events
from tests.support.networks import Builder

PART = "xczu9eg-ffvb1156-2-e"


def residual() -> Builder:
    """A way past a convolution of three rows, with two outputs."""
    build = Builder(seed=7)
    stem = build.convolution(build.input((8, 8, 2)), (1, 1, 2, 2), (8, 8, 2))
    way = build.convolution(stem, (3, 3, 2, 2), (8, 8, 2), pads=(1, 1, 1, 1))
    joined = build.add(hw.Merge(kind=MergeKind.ADD), (8, 8, 2), way, stem)
    build.end(build.dense(build.add(hw.GlobalPool(kind=PoolKind.MAX), (2,), joined), 2, 3))
    build.end(joined)
    return build


@pytest.mark.agree
def test_the_chosen_depths_stop_nothing_and_change_no_answer() -> None:
    build = residual()
    design = build.design(IoType.STREAM, part=PART)
    graph = hardware_graph(design)
    design = replace(design, fifo_depths=chosen_depths(graph, FifoChoice()))
    codes = build.events(40)
    expected = ReferenceEmulator(design).run(codes)
    simulation = BoundedCSim(convert(design), design, held_words(graph))
    assert compare(simulation.run(codes), expected).holds
    few, first = [replace(one, array=one.array[:EVENTS]) for one in codes], first_events(expected, EVENTS)
    for stalling in (False, True):
        found = simulation.run_bounded(few, stalling=stalling)
        assert not isinstance(found, Stopped), found
        report = compare(found, first)
        assert report.holds
        assert report.events == EVENTS
        assert report.values > 0


@pytest.mark.agree
def test_one_row_less_than_the_way_needs_is_a_deadlock_by_name_in_cpp_and_in_the_simulation() -> None:
    """Eight places for the copy stop the design, nine do not."""
    build = residual()
    design = build.design(IoType.STREAM, part=PART)
    design = replace(design, fifo_depths={"n1": 2, "n1:n2_pad": 2, "n2_pad": 2, "n2": 2, "n1:n3": 8})
    few = [replace(one, array=one.array[:2]) for one in build.events(2)]
    found = BoundedCSim(convert(design), design, {}).run_bounded(few, stalling=False)
    assert isinstance(found, Stopped)
    deeper = replace(design, fifo_depths={**design.fifo_depths, "n1:n3": 9})
    assert not isinstance(BoundedCSim(convert(deeper), deeper, {}).run_bounded(few, stalling=False), Stopped)
    simulated = estimate(hardware_graph(design)).simulated
    assert simulated is not None
    names = {one.split(" (")[0] for one in found.circle}
    assert names == {one.split(" (")[0] for one in simulated.deadlock} == {"clone of n1", "n3", "n2", "n2_pad"}


@pytest.mark.agree
def test_words_that_a_pipeline_holds_can_stop_a_design() -> None:
    build = residual()
    design = build.design(IoType.STREAM, part=PART)
    design = replace(design, fifo_depths={"n1": 2, "n1:n2_pad": 2, "n2_pad": 2, "n2": 2, "n1:n3": 10})
    few = [replace(one, array=one.array[:2]) for one in build.events(2)]
    simulation = BoundedCSim(convert(design), design, {"n2": 6})
    assert not isinstance(simulation.run_bounded(few, stalling=False), Stopped)
    assert isinstance(simulation.run_bounded(few, stalling=True), Stopped)


def test_every_process_has_the_words_of_its_pipeline() -> None:
    design = residual().design(IoType.STREAM, part=PART)
    held = held_words(hardware_graph(design))
    found = rewritten(convert(design).files["firmware/myproject.cpp"].decode(), held)
    assert {*found.readers.values(), *found.writers.values()} <= held.keys()


TOP = """#include "myproject.h"
void myproject(
    hls::stream<input_t> &x,
    hls::stream<result_t> &layer3_out
) {
#ifndef __SYNTHESIS__
        nnet::load_weights_from_txt<w_t, 4>(w3, "w3.txt");
#endif
    hls::stream<layer2_t> layer2_out("layer2_out");
    #pragma HLS STREAM variable=layer2_out depth=5
    hls::stream<layer2_t> layer4_out("layer4_out");
    auto& layer5_out = layer4_out;
    nnet::relu<input_t, layer2_t, relu_config2>(x, layer2_out); // first"onclick
    nnet::linear<layer2_t, layer2_t, c>(layer2_out, layer4_out);
    nnet::dense<layer2_t, result_t, config3>(layer5_out, layer3_out, w3, b3); // last

}
"""


def test_calls_become_processes_and_pragmas_places() -> None:
    found = rewritten(TOP, {"last": 3})
    assert 'fpgacnn_bounded::process("first_onclick", 0, [&] { nnet::relu<' in found.text
    assert 'fpgacnn_bounded::process("layer4_out", 0, [&] { nnet::linear<' in found.text
    assert 'fpgacnn_bounded::process("last", 3, [&] { nnet::dense<' in found.text
    assert "layer2_out.places = 5;" in found.text
    assert "layer4_out.places = 2;" in found.text
    assert 'nnet::load_weights_from_txt<w_t, 4>(w3, "w3.txt");' in found.text
    assert "void myproject_bounded(" in found.text
    assert "#include" not in found.text
    assert found.text.rstrip().endswith("fpgacnn_bounded::run();\n}")
    assert found.readers == {"x": "first_onclick", "layer2_out": "layer4_out", "layer4_out": "last"}
    assert found.writers == {"layer2_out": "first_onclick", "layer4_out": "layer4_out", "layer3_out": "last"}
    assert found.ports == (("input_t", "x"), ("result_t", "layer3_out"))


@pytest.mark.parametrize(
    "pragma",
    ["depth=7 variable=layer2_out", "variable=layer2_out type=fifo depth=7", "variable=layer2_out depth=7 // x"],
)
def test_a_pragma_that_somebody_edited_is_read(pragma: str) -> None:
    assert "layer2_out.places = 7;" in rewritten(TOP.replace("variable=layer2_out depth=5", pragma), {}).text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TOP.replace("depth=5", ""), "has no variable or no depth"),
        ("void myproject() {\n}\n", "calls no template"),
        (TOP + "int more;", "does not end the file"),
    ],
)
def test_another_top_function_is_refused(text: str, why: str) -> None:
    with pytest.raises(BoundedStreamsError, match=why):
        rewritten(text, {})
