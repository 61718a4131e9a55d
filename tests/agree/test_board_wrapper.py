"""The AXI wrapper of a board, in C simulation or Verilator: the emulator's codes, stalls, and damaged frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import Design, IoType
from fpgacnn.design.project import HlsProject
from fpgacnn.errors import RtlSimulationError, WrapperFormError, WrapperFrameError
from fpgacnn.hardware.board.beats import Beats, WrapperSimulation, beats_of, frames_of
from fpgacnn.hardware.board.layout import PARTIAL, SHORT, Layout, layout_of
from fpgacnn.hardware.board.rtl_simulate import WrapperRtl
from fpgacnn.hardware.board.rtl_wrapper import RTL_SOURCE, rtl_wrapper_files
from fpgacnn.hardware.board.simulate import WrapperCSim
from fpgacnn.hardware.board.tree import network_digest
from fpgacnn.hardware.board.wrapper import SOURCE, top_ports, wrapper_files
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.hardware.rtl import backend
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.sim.compare import compare
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.result import SimulationResult
from tests.support.networks import Builder
from tests.support.rtl import LATE_BRANCH, needs_verilator, rtl_design, with_depth, words_that_come_together

PART = "xc7z020clg400-1"


def two_of_each() -> Builder:
    """Two inputs and two outputs, of widths that give several lanes a word, a lane of a word, and one of two words.

    Three channels leave lanes empty.
    """
    build = Builder(seed=3)
    image = build.input((2, 3, 3), "fixed<6,2>")
    build.end(build.cast(build.convolution(image, (1, 1, 3, 3), (2, 3, 3)), (2, 3, 3), "fixed<9,4>"))
    flat = build.input((5,), "ufixed<18,3>")
    build.end(build.cast(flat, (5,), "fixed<37,5>"))
    return build


def wrapped(build: Builder, io: IoType, bits: int) -> tuple[Design, HlsProject, dict[str, bytes], Layout]:
    design = build.design(io, part=PART)
    project = convert(design)
    tops = top_ports(project)
    layout = layout_of(design, [top.channels for top in tops], network_digest(project), bits)
    return design, project, wrapper_files(layout, tops), layout


def codes_of(build: Builder, count: int, design: Design) -> tuple[list[Codes], SimulationResult]:
    codes = build.events(count)
    return codes, ReferenceEmulator(design).run(codes)


@pytest.mark.agree
@pytest.mark.parametrize(("io", "bits"), [(IoType.PARALLEL, 32), (IoType.STREAM, 64)])
def test_every_code_of_the_wrapper_is_the_emulators_with_random_stalls(io: IoType, bits: int) -> None:
    build = two_of_each()
    design, project, files, layout = wrapped(build, io, bits)
    simulation = WrapperCSim(project, design, files, layout, board="pynq-z2")
    codes, answers = codes_of(build, 40, design)
    for found in (simulation.run(codes), simulation.run_memory(codes)):
        report = compare(found, answers)
        assert report.holds
        assert (report.events, report.values) == (40, 40 * (2 * 3 * 3 + 5))
    damaged_frames(simulation, layout, codes, answers)


def damaged_frames(
    simulation: WrapperSimulation, layout: Layout, codes: list[Codes], answers: SimulationResult
) -> None:
    """A frame that is cut, then a whole one; a word without all bytes; no TLAST at the end."""
    words = simulation.words(codes)[:3]
    whole = beats_of(words, [2, 1], layout.word_bits)
    cut = layout.words_in + 1  # one word of the second event is there
    kept = np.r_[0:cut, 2 * layout.words_in : 3 * layout.words_in]
    last = whole.last[kept].copy()
    last[cut - 1] = True
    keep = whole.keep[kept].copy()
    keep[0] &= np.uint64(0x7)
    found = simulation.run_beats(Beats(data=whole.data[kept], last=last, keep=keep), 3, seed=5)
    outputs, status = layout.unpack(found.data.reshape(-1, layout.words_out))
    assert (status == layout.status(np.array([0, 1, 0]), np.array([PARTIAL, SHORT, 0]))).all()
    assert np.flatnonzero(found.last).tolist() == [2 * layout.words_out - 1, 3 * layout.words_out - 1]
    for one, name in zip(outputs, answers.outputs, strict=True):
        assert (one[[0, 2]] == answers.outputs[name].array[[0, 2]]).all()
    rest = words.reshape(-1)[:cut].tolist() + [0] * (layout.words_in - 1)
    filled = simulation.run_beats(beats_of(np.array(rest, np.uint64).reshape(2, -1), [2], layout.word_bits), 2, seed=0)
    assert (
        filled.data[layout.words_out : 2 * layout.words_out - layout.status_words]
        == found.data[layout.words_out : 2 * layout.words_out - layout.status_words]
    ).all()  # what is missing is zero
    endless = simulation.run_beats(replace(whole, last=np.zeros_like(whole.last)), 3)
    assert not endless.last.any()
    _, status = layout.unpack(endless.data.reshape(-1, layout.words_out))
    assert (status == layout.status(np.array([0, 1, 2]), np.zeros(3, np.int64))).all()
    with pytest.raises(WrapperFrameError, match="waits for ever"):
        simulation.run_beats(replace(whole, data=whole.data[:-1], last=whole.last[:-1], keep=whole.keep[:-1]), 3)


def rtl_wrapped(build: Builder, io: IoType, bits: int, old: str = "", new: str = "") -> tuple[WrapperRtl, Layout]:
    """The wrapper of an RTL project for words of `bits`, with an edit."""
    design = rtl_design(build, io)
    project = backend.convert(design)
    ports = [port.channels for port in (*project.inputs, *project.outputs)]
    layout = layout_of(design, ports, network_digest(project), bits)
    files = rtl_wrapper_files(layout, project)
    edited = {**files, RTL_SOURCE: files[RTL_SOURCE].replace(old.encode(), new.encode())}
    assert (edited != files) == (old != new)
    return WrapperRtl(project, edited, layout, board="pynq-z2"), layout


@pytest.mark.agree
@needs_verilator
@pytest.mark.parametrize(("io", "bits"), [(IoType.PARALLEL, 64), (IoType.STREAM, 32)])
def test_every_code_of_the_wrapper_of_rtl_is_the_emulators_with_random_stalls(io: IoType, bits: int) -> None:
    build = two_of_each()
    simulation, layout = rtl_wrapped(build, io, bits)
    codes, answers = codes_of(build, 40, rtl_design(build, io))
    report = compare(simulation.run(codes), answers)
    assert report.holds
    assert (report.events, report.values) == (40, 40 * (2 * 3 * 3 + 5))
    damaged_frames(simulation, layout, codes, answers)


@pytest.mark.agree
@needs_verilator
@pytest.mark.parametrize("more", [0, -4])
def test_inputs_that_are_merged_may_pause_for_long(more: int) -> None:
    """The last input has four pixels in a word. It pauses after the first word, and the layers' end waits in a FIFO."""
    build = Builder(seed=7)
    words_that_come_together(build)
    design, codes = rtl_design(build), build.events(40)
    project = backend.convert(design)
    layout = layout_of(design, [1] * 5, network_digest(project), 32)
    files = rtl_wrapper_files(layout, project)
    simulation = WrapperRtl(with_depth(project, LATE_BRANCH, more), files, layout, board="pynq-z2")
    if more:
        with pytest.raises(RtlSimulationError, match=f"u_{LATE_BRANCH} holds more than 11 words"):
            simulation.run(codes)
        return
    assert compare(simulation.run(codes), ReferenceEmulator(design).run(codes)).holds


def narrow_groups() -> Builder:
    """21 pixels of one 5-bit code, a byte each: two words of 64 bits hold eight pixels, the last word holds five."""
    build = Builder(seed=4)
    build.end(build.convolution(build.input((3, 7, 1), "fixed<5,2>"), (1, 1, 1, 2), (3, 7, 2)))
    return build


@pytest.mark.agree
@needs_verilator
def test_a_wrapper_of_rtl_whose_answers_have_another_number_is_found() -> None:
    build = narrow_groups()
    simulation, layout = rtl_wrapped(build, IoType.STREAM, 64, "number + 16'd1", "number + 16'd2")
    codes = build.events(9)
    with pytest.raises(WrapperFrameError, match="the status of event 2 is"):
        simulation.run(codes)
    words = simulation.words(codes)
    found, _ = layout.unpack(simulation.run_beats(beats_of(words, [9], 64), 9).data.reshape(-1, layout.words_out))
    (expected,) = ReferenceEmulator(rtl_design(build)).run(codes).outputs.values()
    assert (found[0] == expected.array).all()


@pytest.mark.agree
def test_a_wrapper_that_was_changed_by_hand_is_found() -> None:
    build = two_of_each()
    design, project, files, layout = wrapped(build, IoType.PARALLEL, 32)
    codes, _ = codes_of(build, 3, design)
    wrong = files[SOURCE].replace(b"event.number = number;", b"event.number = number + 1;")
    assert wrong != files[SOURCE]
    with pytest.raises(WrapperFrameError, match="the status of event 0"):
        WrapperCSim(project, design, {**files, SOURCE: wrong}, layout, board="pynq-z2").run(codes)


def test_a_wrapper_without_its_calls_is_refused() -> None:
    design, project, files, layout = wrapped(two_of_each(), IoType.STREAM, 64)
    wrong = files[SOURCE].replace(b"    myproject(x0", b"    other(x0")
    with pytest.raises(WrapperFormError, match="does not read, compute and write"):
        WrapperCSim(project, design, {**files, SOURCE: wrong}, layout, board="pynq-z2")


def test_frames_have_all_events_in_sizes_that_differ() -> None:
    assert frames_of(0) == []
    assert frames_of(5) == [1, 2, 2]
    assert sum(frames_of(1000)) == 1000


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("form", ["ufixed<1,1>", "fixed<8,1>", "fixed<9,9>", "ufixed<33,0>", "fixed<62,3>"])
@pytest.mark.parametrize("channels", [None, 1, 3, 12])
def test_words_give_back_the_codes(bits: int, form: str, channels: int | None) -> None:
    build = Builder(seed=1)
    build.end(build.input((2, 12), form))
    design = build.design(IoType.PARALLEL, part=PART)
    layout = layout_of(design, [channels, channels], "ab" * 32, bits)
    fixed = parse_format(form)
    codes = np.random.default_rng(1).integers(fixed.low, fixed.high, size=(7, 2, 12), endpoint=True)
    words = layout.pack((codes,))
    assert words.shape == (7, layout.words_in)
    assert int(words.max()) < 1 << bits
    status = np.arange(7 * layout.status_words, dtype=np.uint64).reshape(7, -1)
    (back,), seen = layout.unpack(np.concatenate([words, status], axis=1))
    assert (back == codes).all()
    assert seen[1] == (1 if bits == 64 else 2 | 3 << 32)


def test_the_lanes_of_a_word_are_used() -> None:
    """Eight lanes of 8 bits in a word of 64; three channels take four lanes; 37 bits take two words of 32."""
    build = two_of_each()
    design = build.design(IoType.STREAM, part=PART)
    wide = layout_of(design, [3, 5, 3, 5], "00" * 32, 64)
    assert [(port.lane_bits, port.padded, port.words) for port in wide.inputs] == [(8, 4, 3), (32, 6, 3)]
    assert [(port.lane_bits, port.padded, port.words) for port in wide.outputs] == [(16, 4, 6), (64, 5, 5)]
    narrow = layout_of(design, [3, 5, 3, 5], "00" * 32, 32)
    assert [port.words for port in narrow.outputs] == [12, 10]
    assert (wide.status_words, narrow.status_words) == (1, 2)
