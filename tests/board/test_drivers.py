"""The Python drivers against a DMA and a serial line that run the emulator, with everything that can go wrong."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgacnn.design import IoType
from fpgacnn.errors import BoardRefusedError, EventTypeError
from fpgacnn.hardware.board.boards import find_board
from fpgacnn.hardware.board.drivers.python import fpgacnn_board as driver
from fpgacnn.hardware.board.drivers.python import fpgacnn_transport as transport
from fpgacnn.hardware.board.entry import Entry, SelfTest
from fpgacnn.hardware.board.layout import Layout, layout_of
from fpgacnn.hardware.board.tree import describe, driver_files
from fpgacnn.ir.element_types import WHOLE, ElementKind
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding
from fpgacnn.pipeline.inputs import InputChoice, entry_format, to_codes
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.fake_board import FakeDma, FakeNetwork, FakeSerial
from tests.support.networks import Builder

EVENTS = 12


def two_of_each() -> Builder:
    build = Builder(seed=5)
    build.end(build.cast(build.input((2, 3, 3), "fixed<6,2>"), (2, 3, 3), "fixed<9,4>"))
    build.end(build.dense(build.input((5,), "ufixed<18,3>"), 5, 2))
    return build


class Made:
    """A design with its files for a board, and its emulator as a network behind streams."""

    def __init__(self, folder: Path, bits: int = 64, board: str = "pynq-z2") -> None:
        build = two_of_each()
        self.design = build.design(IoType.STREAM)
        channels = (3, 5, 3, 2)
        self.layout: Layout = layout_of(self.design, channels, "5a" * 32, bits)
        self.codes = build.events(EVENTS)
        self.wanted = ReferenceEmulator(self.design).run(self.codes).outputs
        modes = [Format(width=6, integer=2, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)]
        modes.append(Format(width=18, integer=3, signed=False, rounding=Rounding.RND_CONV, overflow=Overflow.SAT))
        names = ('evil"];\n', "flat")
        entries = [
            Entry(name=n, mode=mode, element="float32", exact=False) for n, mode in zip(names, modes, strict=True)
        ]
        description = json.dumps(describe(find_board(board), self.layout, entries)).encode()
        outputs = tuple(one.array for one in self.wanted.values())
        test = SelfTest(inputs=tuple(one.values for one in self.codes), outputs=outputs)
        self.folder = folder
        for name, data in driver_files(description, test).items():
            if name.startswith("python/"):
                (folder / name.removeprefix("python/")).write_bytes(data)
        self.names = names

    def answer(self, codes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        pairs = zip(codes, self.codes, strict=True)
        found = ReferenceEmulator(self.design).run([Codes(array=one, format=own.format) for one, own in pairs])
        return tuple(one.array for one in found.outputs.values())

    def network(self) -> FakeNetwork:
        return FakeNetwork(self.layout, self.answer)

    def dma(self, words: int = 400) -> tuple[FakeDma, driver.BoardNetwork]:
        fake = FakeDma(self.network())
        flush = np.zeros(self.layout.words_in, f"<u{self.layout.word_bits // 8}")
        carrier = transport.DmaTransport(fake, fake.allocate, words=words, flush=flush)
        return fake, driver.BoardNetwork(self.folder, carrier, timeout_s=0.05)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def values(made: Made) -> list[np.ndarray]:
    return [one.values for one in made.codes]


def is_right(made: Made, answers: driver.BoardAnswers) -> bool:
    return all(
        (answers.codes[name] == one.array).all() and (answers.values[name] == one.values).all()
        for name, one in made.wanted.items()
    )


@pytest.mark.parametrize("bits", [32, 64])
def test_events_in_several_frames_give_the_emulators_codes(tmp_path: Path, bits: int) -> None:
    made = Made(tmp_path, bits)
    fake, network = made.dma(words=5 * max(made.layout.words_in, made.layout.words_out))
    assert network.batch == 5
    assert is_right(made, network.predict(values(made)))
    assert network.self_test() == EVENTS
    assert len(fake.buffers) == 2  # allocated once
    named = network.predict(dict(zip(made.names, values(made), strict=True)))
    assert is_right(made, named)
    measured = network.benchmark(events=20, repeats=1)
    assert measured["events_per_s"] > 0
    assert measured["latency_us"] > 0


def test_no_events_give_no_answers(made: Made) -> None:
    _, network = made.dma()
    answers = network.predict([one[:0] for one in values(made)])
    assert [one.shape[0] for one in answers.codes.values()] == [0, 0]


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_inputs_or_outputs_of_one_name_are_refused(made: Made, side: str) -> None:
    first, second = made.layout.outputs
    outputs = (first, replace(second, source=first.source)) if side == "outputs" else (first, second)
    mode = Format(width=6, integer=2)
    names = ("x", "x") if side == "inputs" else ("x", "y")
    entries = [Entry(name=name, mode=mode, element="float32", exact=False) for name in names]
    with pytest.raises(BoardRefusedError, match=f"{side} with the same name"):
        describe(find_board("pynq-z2"), replace(made.layout, outputs=outputs), entries)


def test_a_self_test_without_golden_vectors_or_with_cut_ones_fails(made: Made) -> None:
    _, network = made.dma()
    with np.load(made.folder / "vectors.npz") as arrays:
        whole = dict(arrays)
    np.savez(made.folder / "vectors.npz", **{name: one[:0] for name, one in whole.items()})
    with pytest.raises(driver.BoardError, match="there are no golden vectors"):
        network.self_test()
    np.savez(made.folder / "vectors.npz", **{**whole, "output_1": whole["output_1"][:1]})
    with pytest.raises(driver.BoardError, match="the golden vectors are cut short"):
        network.self_test()


def test_a_frame_that_is_cut_is_an_error_and_the_next_one_is_right(made: Made) -> None:
    fake, network = made.dma()
    for lost in (1, made.layout.words_in, made.layout.words_in * 3 + 2):
        fake.drops = lost
        with pytest.raises((driver.BoardError, transport.TransportError), match=r"TLAST|a frame was cut"):
            network.predict(values(made))
        assert is_right(made, network.predict(values(made)))


def test_a_frame_without_its_last_word_marked_is_an_error_and_the_next_one_is_right(made: Made) -> None:
    fake, network = made.dma()
    fake.network.sends_last = False
    with pytest.raises(transport.TransportError, match=r"receiving took longer than 0\.05 s: DMA to the network"):
        network.predict(values(made))
    fake.network.sends_last = True
    assert is_right(made, network.predict(values(made)))


def test_a_network_that_stands_still_is_a_timeout_with_the_status_in_words(made: Made) -> None:
    fake, network = made.dma()
    fake.stuck = True
    begin = time.monotonic()
    with pytest.raises(transport.TransportError, match="sending took longer") as caught:
        network.predict(values(made))
    assert time.monotonic() - begin < 5
    assert "DMA to the network 0x00000000: running" in str(caught.value)
    fake.stuck = False
    assert is_right(made, network.predict(values(made)))


def test_an_answer_that_comes_late_is_waited_for(made: Made) -> None:
    fake, network = made.dma()
    fake.slow = 20
    assert is_right(made, network.predict(values(made)))


@pytest.mark.parametrize(("bit", "words"), [(0x10, "internal error"), (0x20, "slave error"), (0x40, "decode error")])
def test_errors_of_the_dma_are_said_in_words(made: Made, bit: int, words: str) -> None:
    fake, network = made.dma()
    fake.fails = bit
    with pytest.raises(transport.TransportError, match=words):
        network.predict(values(made))


def test_a_dma_that_does_not_answer_is_named(made: Made) -> None:
    fake = FakeDma(made.network(), dead=True)
    with pytest.raises(transport.TransportError, match="does not end its reset"):
        transport.DmaTransport(fake, fake.allocate, words=100, flush=np.zeros(3, np.uint64))


def test_two_batches_at_once_are_refused(made: Made) -> None:
    fake, network = made.dma()
    entered, go_on = threading.Event(), threading.Event()
    inner = fake.network.answer

    def slowly(codes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        entered.set()
        assert go_on.wait(20)
        return inner(codes)

    fake.network.answer = slowly
    found: list[driver.BoardAnswers] = []
    first = threading.Thread(target=lambda: found.append(network.predict(values(made))))
    first.start()
    assert entered.wait(20)
    with pytest.raises((driver.BoardError, transport.TransportError), match="at a time"):
        network.predict(values(made))
    go_on.set()
    first.join(20)
    assert is_right(made, found[0])
    assert is_right(made, network.predict(values(made)))


def test_another_bitstream_and_mixed_answers_are_named(made: Made) -> None:
    fake, network = made.dma()
    fake.network.number = 7
    with pytest.raises(driver.BoardError, match="belongs to event 7 of a frame, not to event 0: answers are mixed"):
        network.predict(values(made))
    assert is_right(made, network.predict(values(made)))
    description = json.loads((made.folder / "board.json").read_text())
    (made.folder / "board.json").write_text(json.dumps({**description, "identity": 1}))
    _, other = made.dma()
    with pytest.raises(driver.BoardError, match="of another design"):
        other.predict(values(made))


def test_the_self_test_names_the_first_code_that_differs(made: Made) -> None:
    fake, network = made.dma()
    inner = fake.network.answer

    def wrong(codes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        one, other = inner(codes)
        return one, other ^ 1

    fake.network.answer = wrong
    with pytest.raises(
        driver.BoardError, match=rf"output n3, event 0, index \[0\]: code .* {2 * EVENTS} of {2 * EVENTS}"
    ):
        network.self_test()


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (lambda x: x[:1], "has 2 inputs, not 1"),
        (lambda x: [x[0][0], x[1]], "shape"),
        (lambda x: [x[0], x[1][:3]], "3 events, not 12"),
        (lambda x: [x[0] * np.nan, x[1]], "not finite"),
        (lambda x: [x[0].astype(str), x[1]], "no real numbers"),
        (lambda _: {"a": 1}, "inputs are"),
    ],
)
def test_events_that_do_not_fit_are_refused_before_anything_is_sent(made: Made, events: object, why: str) -> None:
    fake, network = made.dma()
    fake.log.clear()
    with pytest.raises(driver.EventsError, match=why):
        network.predict(events(values(made)))  # type: ignore[operator]
    assert fake.log == []
    with pytest.raises(driver.EventsError, match="codes are outside of -32 to 31"):
        network.run_codes([made.codes[0].array + 100, made.codes[1].array])


def test_an_event_longer_than_a_frame_is_refused(made: Made) -> None:
    with pytest.raises(driver.BoardError, match="a frame only 3"):
        made.dma(words=3)


def test_a_serial_line_gives_the_same_codes_and_recovers(tmp_path: Path) -> None:
    made = Made(tmp_path, 32, "arty-a7-100")
    line = FakeSerial(made.network())
    carrier = transport.UartTransport(line, words=300, words_in=made.layout.words_in)
    network = driver.BoardNetwork(tmp_path, carrier, timeout_s=0.05)
    assert is_right(made, network.predict(values(made)))
    line.cuts = 6
    with pytest.raises(transport.TransportError, match="the board answered with"):
        network.predict(values(made))
    assert is_right(made, network.predict(values(made)))
    assert made.layout.words_out > made.layout.words_in  # so the driver waits for each answer
    assert line.overruns == 0


@st.composite
def inputs(draw: st.DrawFn) -> tuple[Format, Format | None, ElementKind, list[float]]:
    width = draw(st.integers(1, 24))
    form = Format(width=width, integer=draw(st.integers(-4, 28)), signed=draw(st.booleans()))
    own = draw(st.booleans())
    mode = Format(
        width=form.width,
        integer=form.integer,
        signed=form.signed,
        rounding=draw(st.sampled_from(Rounding)),
        overflow=draw(st.sampled_from(Overflow)),
    )
    element = draw(st.sampled_from(ElementKind))
    scale = draw(st.sampled_from([form.step, form.step / 2, form.step / 4, 1.0, 1e-30, 1e30]))
    numbers = draw(st.lists(st.integers(-300, 300) | st.floats(-1e6, 1e6), min_size=1, max_size=8))
    return form, mode if own else None, element, [number * scale for number in numbers]


@settings(max_examples=300, deadline=None)
@given(case=inputs())
def test_numbers_become_the_codes_that_fpgacnn_gives_them(
    case: tuple[Format, Format | None, ElementKind, list[float]],
) -> None:
    form, leading, element, numbers = case
    given_values = np.array(numbers).reshape(1, -1)
    choice = InputChoice(name="x", format=form, reason="test", element=element)
    mode = entry_format(choice, leading)
    port = driver.BoardPort(
        name="x",
        shape=(given_values.shape[1],),
        width=mode.width,
        fraction=mode.fraction,
        signed=mode.signed,
        rounding=mode.rounding.value,
        overflow=mode.overflow.value,
        element=element.value,
        exact=element in WHOLE and leading is None,
        groups=1,
        channels=given_values.shape[1],
        padded=given_values.shape[1],
        lane_bits=32,
        words=1,
    )
    try:
        expected = to_codes(given_values, choice, leading)[0].array
    except EventTypeError:
        with pytest.raises(driver.EventsError):
            driver.quantized(port, given_values)
        return
    assert (driver.quantized(port, given_values) == expected).all()
