"""Every operation in Verilator equals the emulator in the clocks of its schedule, with pauses, stalls, late frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import IoType
from fpgacnn.errors import RtlSimulationError
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.rtl.schedule import Geometry, arrivals, window_times
from fpgacnn.hardware.rtl.trace import with_trace
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray
from fpgacnn.ir.source import PoolKind
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.rtl.build import CLOCKS_WORTH_OPTIMIZING, OPTIMIZED, QUICK, level_for
from fpgacnn.sim.rtl.run import RtlSimulation, Traffic
from tests.support import networks
from tests.support.networks import Builder
from tests.support.rtl import (
    LATE_BRANCH,
    SLOW_PIXELS,
    built_and_refused,
    differing,
    needs_verilator,
    rtl_design,
    with_depth,
    words_that_come_together,
)

EVENTS = 24


def softmaxes_and_copies(build: Builder) -> None:
    """Softmaxes of both kinds, layers that only move values, and tensors that several layers read."""
    networks.softmaxes(build)
    networks.moves(build)
    networks.many_readers(build)


def wide_sums_and_folded_casts(build: Builder) -> None:
    """Sums of more than 32 bits, and every operation with the cast of the layer behind it."""
    networks.wide_layers(build)
    networks.sums_and_casts(build)


FAMILIES: dict[str, tuple[Callable[[Builder], None], tuple[str, ...]]] = {
    "sums": (networks.linear_layers, ()),
    "casts": (networks.casts, ()),
    "elements": (networks.elementwise, ("slope differs",)),
    "steps": (networks.step_functions, ()),
    "shapes": (networks.shapes, ()),
    "pools": (lambda build: networks.pooling(build, IoType.STREAM), ("padding", "window")),
    "softmaxes and copies": (softmaxes_and_copies, ()),
    "wide sums and folded casts": (wide_sums_and_folded_casts, ()),
}
"""Branches of tests of C simulation, and words of the refusals that they may meet."""


def late_layers(build: Builder) -> None:
    """Layers that need more clocks than their input has pixels, beside an input with many pixels."""
    build.end(build.add(hw.Relu(), (9, 9, 1), build.input((9, 9, 1))))
    build.end(build.add(src.Upsample(factors=(2, 3)), (6, 6, 2), build.input((3, 2, 2))))
    build.end(build.add(src.Upsample(factors=(1, 2)), (8, 3), build.input((4, 3))))
    larger = build.add(src.Upsample(factors=(2, 2)), (4, 6, 2), build.input((2, 3, 2)))
    build.end(build.convolution(larger, (3, 3, 2, 2), (4, 6, 2), pads=(1, 1, 1, 1)))
    for axes in ((1, 0, 2), (2, 0, 1), (0, 2, 1)):
        shape = (2, 3, 4)
        turned = tuple(shape[axis] for axis in axes)
        build.end(build.add(src.Permute(axes=axes), turned, build.input(shape)))
    zeros = build.add(src.ZeroPad(pads=(1, 0, 2, 1)), (5, 8, 2), build.input((4, 5, 2)))
    build.end(build.convolution(zeros, (3, 4, 2, 3), (3, 5, 3)))
    build.end(build.depthwise(zeros, (2, 4, 2), (4, 3, 2), strides=(1, 2)))
    build.end(build.convolution(build.input((3, 4, 2)), (1, 2, 2, 3), (6, 6, 3), pads=(2, 1, 3, 0)))
    around = build.add(src.ZeroPad(pads=(2, 1, 1, 3)), (6, 8, 2), build.input((3, 4, 2)))
    build.end(build.add(hw.Pool(kind=PoolKind.MAX, size=(3, 3), strides=(2, 1), pads=(0, 0, 0, 0)), (2, 6, 2), around))
    build.end(build.add(src.ZeroPad(pads=(0, 0, 3, 0)), (8, 2), build.input((5, 2))))
    small = build.input((2, 5, 2))
    before = build.add(src.ZeroPad(pads=(2, 2, 0, 0)), (6, 5, 2), small)  # its windows end behind the last pixel
    build.end(build.convolution(before, (3, 3, 2, 2), (4, 3, 2)))
    build.end(build.add(hw.Relu(), (6, 5, 2), before))
    logits = build.dense(build.add(src.Reshape(), (24,), build.input((3, 4, 2))), 24, 7)
    build.end(build.add(hw.Softmax(kind=hw.SoftmaxKind.ARGMAX), (7,), logits))
    build.end(build.add(hw.Softmax(kind=hw.SoftmaxKind.ARGMAX), (3, 3, 5), build.input((3, 3, 5), "fixed<3,3>")))


def test_a_register_stands_behind_padded_windows_and_behind_no_others() -> None:
    """The choice between a cell and the padding is not in front of adders; simulation compares every clock."""
    plain = Geometry(height=4, width=4, size=(3, 3), strides=(1, 1), pads=(0, 0, 0, 0))
    (times,) = arrivals([16], 16)
    for pads, completed, clocks in (((0, 0, 0, 0), 10, 1), ((1, 1, 1, 1), 5, 2), ((0, 0, 1, 0), 9, 2)):
        windows, taken = window_times(times, replace(plain, pads=pads), 1)
        assert int(windows[0][0, 0]) == completed + clocks
        assert (taken[0] == times[0]).all()


@pytest.mark.agree
@needs_verilator
def test_layers_that_change_the_number_or_order_of_pixels_equal_the_emulator() -> None:
    build = Builder(seed=5)
    late_layers(build)
    assert differing(build, EVENTS) == []


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
    assert differing(build, EVENTS) == []


def repeated_pixels(build: Builder) -> None:
    """A FIFO of pixels that leave more slowly than they come."""
    build.end(build.add(src.Upsample(factors=(2, 2)), (8, 8, 1), build.input((4, 4, 1))))


def rare_words(build: Builder) -> None:
    """A product folded into 32 clocks: its words come once in a frame of 256 clocks, or 16 clocks apart."""
    image = build.input((4, 4, 32))
    mean = build.add(hw.GlobalPool(kind=PoolKind.AVERAGE), (32,), image)
    build.end(build.dense(build.cast(mean, (32,), "fixed<6,2,RND,SAT>"), 32, 8))
    build.end(build.add(src.Upsample(factors=(4, 4)), (16, 16, 32), image))


@pytest.mark.agree
@needs_verilator
def test_a_late_frame_and_a_prompt_one_behind_it_lose_no_word() -> None:
    build = Builder(seed=7)
    repeated_pixels(build)
    rare_words(build)
    assert differing(build, 7) == []


@pytest.mark.agree
@needs_verilator
def test_a_layer_whose_words_come_in_other_clocks_is_named() -> None:
    build = Builder(seed=7)
    repeated_pixels(build)
    design, codes = rtl_design(build), build.events(3)
    project, late = with_trace(backend.convert(design)), build.outputs[0]
    simulation = RtlSimulation(project, design)
    traced = simulation.run(codes, trace=True).trace
    expected = ReferenceEmulator(design).run(codes, trace=True).trace
    assert set(traced) == {late}
    assert (traced[late].array == expected[late].array).all()
    assert (simulation.clocks_equal_schedule, simulation.other_clocks) == (True, ())

    def other(node: str, frames: int) -> CodeArray:
        return project.layer_clocks(node, frames) + (node == late)

    simulation = RtlSimulation(replace(project, layer_clocks=other), design)
    simulation.run(codes, trace=True)
    assert (simulation.clocks_equal_schedule, simulation.other_clocks) == (False, (late,))
    with pytest.raises(RtlSimulationError, match=f"{late}: words came earlier or later"):
        simulation.refuse_other_clocks()


@pytest.mark.agree
@needs_verilator
@pytest.mark.parametrize("shorter", [None, SLOW_PIXELS, LATE_BRANCH])
def test_long_pauses_of_any_input_lose_no_word_and_no_fifo_is_longer_than_they_need(shorter: str | None) -> None:
    build = Builder(seed=7)
    words_that_come_together(build)
    design, codes = rtl_design(build), build.events(80)
    project, traffic = backend.convert(design), Traffic(longest=2000, seed=10)
    edited = project if shorter is None else with_depth(project, shorter, -1)
    simulation = RtlSimulation(edited, design)
    if shorter is not None:
        with pytest.raises(RtlSimulationError, match=f"u_{shorter} holds more than"):
            simulation.clocked(codes, traffic)
        return
    answers, expected = simulation.clocked(codes, traffic).answers.outputs, ReferenceEmulator(design).run(codes).outputs
    assert all((answers[name].array == expected[name].array).all() for name in expected)


FAULTS: dict[str, tuple[Callable[[Builder], None], str, str, str]] = {
    "folded product": (rare_words, ".PACE(32)", ".PACE(1)", "gets a word before the last one is served"),
    "tlast": (repeated_pixels, "_tlast = answer_last_0", "_tlast = 1'b1", "tlast is not at the end of a frame"),
    "no reset": (repeated_pixels, "count <= 0; write <= 0; read <= 0;", "count <= 0; write <= 0;", ""),
}
"""A network, an edit of its SystemVerilog, and the message that simulation gives; without one, answers are wrong."""


@pytest.mark.agree
@needs_verilator
@pytest.mark.parametrize("fault", FAULTS)
def test_simulation_finds_a_fault(fault: str) -> None:
    fill, right, wrong, message = FAULTS[fault]
    build = Builder(seed=7)
    fill(build)
    design, codes = rtl_design(build), build.events(7)
    project = backend.convert(design)
    files = {name: data.replace(right.encode(), wrong.encode()) for name, data in project.files.items()}
    assert files != project.files
    simulation = RtlSimulation(replace(project, files=files), design)
    if message:
        with pytest.raises(RtlSimulationError, match=message):
            simulation.clocked(codes, Traffic(late_frames=True))
    else:
        answers, expected = simulation.run(codes).outputs, ReferenceEmulator(design).run(codes).outputs
        assert any((answers[name].array != expected[name].array).any() for name in expected)


@pytest.mark.agree
@needs_verilator
def test_long_runs_are_optimized_and_short_ones_are_not_with_equal_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder(seed=1)
    build.end(build.convolution(build.input((3, 4, 2)), (2, 2, 2, 3), (2, 3, 3)))
    design = rtl_design(build)
    project, levels = backend.convert(design), list[str]()

    def seen(clocks: int) -> str:
        levels.append(level_for(clocks))
        return levels[-1]

    monkeypatch.setattr("fpgacnn.sim.rtl.run.level_for", seen)
    for events in (5, CLOCKS_WORTH_OPTIMIZING // project.interval):
        simulation, codes = RtlSimulation(project, design), build.events(events)
        answers, expected = simulation.run(codes).outputs, ReferenceEmulator(design).run(codes).outputs
        assert all(np.array_equal(answers[name].array, expected[name].array) for name in expected)
        assert simulation.clocks_equal_schedule
        simulation.clocked(codes, Traffic(pauses=40))
    assert levels == [QUICK, OPTIMIZED]
