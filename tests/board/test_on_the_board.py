"""The program of a board's folder, as a user starts it: with stand-ins for PYNQ, for XRT and for a serial port."""

from __future__ import annotations

import importlib.util
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn.hardware.board.drivers.python import fpgacnn_board as driver
from fpgacnn.hardware.board.layout import Layout
from tests.board.test_drivers import EVENTS, Made, is_right, values
from tests.support.fake_board import FakeBuffer, FakeDma, FakeNetwork, FakeSerial


def program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """fpgacnn_run.py of the folder, with the modules beside it."""
    for name in ("fpgacnn_board", "fpgacnn_transport"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(folder)
    spec = importlib.util.spec_from_file_location("fpgacnn_run", folder / "fpgacnn_run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeGpio:
    """The registers of an AXI GPIO (PG144): what was written to the data register."""

    def __init__(self) -> None:
        self.written: list[int] = []

    def write(self, offset: int, value: int) -> None:
        assert offset == 0
        assert type(value) is int  # PYNQ's MMIO takes nothing else
        self.written.append(value)


def fake_pynq(dma: FakeDma, gpio: FakeGpio | None = None) -> types.ModuleType:
    """What the driver takes of PYNQ 3: Overlay with ip_dict, MMIO, allocate. `gpio`: of the LEDs in the bitstream."""

    class PynqArray(np.ndarray):
        physical_address = 0
        flushed = False
        buffer: FakeBuffer

        def flush(self) -> None:
            self.buffer.flushed = True

        def invalidate(self) -> None:
            pass

    def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        buffer = dma.allocate(shape[0])
        array = buffer.words.view(PynqArray)
        assert array.dtype == dtype
        array.physical_address, array.buffer = buffer.address, buffer
        return array

    class Overlay:
        def __init__(self, file: str) -> None:
            assert Path(file).name == "fpgacnn.bit"
            self.ip_dict = {"dma": {"phys_addr": 0x40400000, "addr_range": 0x10000}}
            if gpio is not None:
                self.ip_dict["led_gpio"] = {"phys_addr": 0x41200000, "addr_range": 0x10000}

    module = types.ModuleType("pynq")
    module.Overlay, module.allocate = Overlay, allocate  # type: ignore[attr-defined]
    module.MMIO = lambda address, _size: {0x40400000: dma, 0x41200000: gpio}[address]  # type: ignore[attr-defined]
    return module


def test_self_test_benchmark_and_predict_with_pynq(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made(tmp_path)
    monkeypatch.setitem(sys.modules, "pynq", fake_pynq(FakeDma(made.network())))
    run = program(tmp_path, monkeypatch)
    with pytest.raises(SystemExit, match="there is no bitstream"):
        run.main(["self-test"])
    (tmp_path / "fpgacnn.bit").write_text("bits")
    assert run.main(["self-test"]) == 0
    assert f"every code of {EVENTS} events is as expected" in capsys.readouterr().out
    np.savez(tmp_path / "events.npz", **{f"input_{n}": one for n, one in enumerate(values(made))})
    out = tmp_path / "answers.npz"
    assert run.main(["predict", str(tmp_path / "events.npz"), "--output", str(out)]) == 0
    with np.load(out) as answers:
        for number, one in enumerate(made.wanted.values()):
            assert (answers[f"codes_{number}"] == one.array).all()
            assert (answers[f"output_{number}"] == one.values).all()
    np.savez(tmp_path / "wrong.npz", input_0=np.full((1, 2, 3, 3), np.inf), input_1=np.zeros((1, 5)))
    assert run.main(["predict", str(tmp_path / "wrong.npz")]) == 1
    assert "not finite" in capsys.readouterr().err


def test_classes_are_shown_at_the_leds_of_the_fpga(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, gpio = Made(tmp_path), FakeGpio()
    (tmp_path / "fpgacnn.bit").write_text("bits")
    np.savez(tmp_path / "events.npz", **{f"input_{n}": one for n, one in enumerate(values(made))})
    first, second = made.layout.outputs
    command = ["show", str(tmp_path / "events.npz"), "--pause", "0"]
    monkeypatch.setitem(sys.modules, "pynq", fake_pynq(FakeDma(made.network())))
    assert program(tmp_path, monkeypatch).main([*command, "--classes", first.source]) == 1
    assert "the bitstream has no GPIO for LEDs" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "pynq", fake_pynq(FakeDma(made.network()), gpio))
    run = program(tmp_path, monkeypatch)
    assert run.main(command) == 1
    assert f"which output has the classes? outputs: {first.source}, {second.source}" in capsys.readouterr().err
    assert run.main([*command, "--classes", first.source]) == 0
    expected = made.wanted[first.source].array.reshape(EVENTS, -1).argmax(axis=1).tolist()
    assert len(set(expected)) > 4
    assert max(expected) < 16
    assert gpio.written == expected
    said = capsys.readouterr().out.splitlines()
    assert said[:-1] == [f"event {place}: class {one}" for place, one in enumerate(expected)]
    assert said[-1] == f"classes of {EVENTS} events, in binary at 4 LEDs, the lowest bit at the first one"


def test_classes_are_shown_at_the_leds_of_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KV260: Linux owns two LEDs; the heartbeat stops, so that it shows the class."""
    made = Made(tmp_path, board="kv260")
    run = program(tmp_path, monkeypatch)
    _, network = made.dma()
    leds = tmp_path / "leds"
    linux = run.fpgacnn_transport.LinuxLeds
    monkeypatch.setattr(run.fpgacnn_transport, "LinuxLeds", lambda names: linux(names, leds))
    with pytest.raises(run.fpgacnn_transport.TransportError, match=r"heartbeat: No such file.*show needs root"):
        run.open_leds(network)
    for name in ("heartbeat", "vbus_det"):
        (leds / name).mkdir(parents=True)
    run.open_leds(network)
    assert [(leds / name / "trigger").read_text() for name in ("heartbeat", "vbus_det")] == ["none", "none"]
    for shown, bits in ((1, "10"), (2, "01"), (3, "11"), (4, "00"), (7, "11")):
        network.show(np.int64(shown))  # type: ignore[arg-type]  # as argmax gives it
        assert "".join((leds / name / "brightness").read_text() for name in ("heartbeat", "vbus_det")) == bits
    with pytest.raises(ValueError, match="class -1 cannot be shown"):
        network.show(-1)


def test_a_board_without_leds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(tmp_path, 32, board="arty-a7-100")
    run = program(tmp_path, monkeypatch)
    _, network = made.dma()
    with pytest.raises(run.fpgacnn_board.BoardError, match="no LEDs that a program can write"):
        run.open_leds(network)
    with pytest.raises(driver.BoardError, match="no LEDs that a program can write"):
        network.show(1)


def test_the_first_of_equal_codes_is_the_class_and_a_single_value_is_none(tmp_path: Path) -> None:
    _, network = Made(tmp_path).dma()
    first, second = network.outputs
    tied = replace(second, shape=(3,))
    network.outputs = [tied]
    answers = driver.BoardAnswers(values={}, codes={tied.name: np.array([[-4, 2, 2], [0, 0, 0], [1, -1, 5]])})
    assert network.classes(answers) == [1, 0, 2]
    with pytest.raises(driver.BoardError, match="has a single value"):
        network.classes(driver.BoardAnswers(values={}, codes={tied.name: np.array([[1], [0]])}))
    with pytest.raises(driver.BoardError, match="which output has the classes"):
        network.classes(answers, first.name)


def test_a_card_with_xrt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(tmp_path, board="alveo-u50")
    (tmp_path / "fpgacnn.xclbin").write_text("bits")
    monkeypatch.setitem(sys.modules, "pyxrt", fake_xrt(made.network(), made.layout))
    network = program(tmp_path, monkeypatch).open_network(tmp_path)
    assert is_right(made, network.predict(values(made)))
    assert network.self_test() == EVENTS


def fake_xrt(network: FakeNetwork, layout: Layout) -> types.ModuleType:
    """What the driver takes of pyxrt: a kernel that reads one buffer object and writes the other."""
    module: Any = types.ModuleType("pyxrt")

    class BufferObject:
        normal = 0

        def __init__(self, _device: object, size: int, _flags: int, group: int) -> None:
            self.host, self.card, self.group = bytearray(size), bytearray(size), group

        def map(self) -> memoryview:
            return memoryview(self.host)

        def sync(self, direction: str, size: int, offset: int) -> None:
            given, taken = (self.host, self.card) if direction == "to" else (self.card, self.host)
            taken[offset : offset + size] = given[offset : offset + size]

    class Kernel:
        shared = 0

        def __init__(self, _device: object, _uuid: object, name: str, _mode: int) -> None:
            assert name == "fpgacnn_memory"

        def group_id(self, place: int) -> int:
            return place

        def __call__(self, given: BufferObject, taken: BufferObject, events: int) -> Any:
            size = layout.word_bits // 8
            count = events * layout.words_in
            words = np.frombuffer(bytes(given.card), f"<u{size}", count)
            for place, word in enumerate(words):
                network.take(int(word), last=place == count - 1)
            answer = np.array([word for word, _ in network.out], f"<u{size}").tobytes()
            network.out.clear()
            taken.card[: len(answer)] = answer
            return types.SimpleNamespace(wait=lambda _milliseconds: "completed")

    module.device = lambda _number: types.SimpleNamespace(load_xclbin=lambda _file: "uuid")
    module.xclbin, module.kernel, module.bo = str, Kernel, BufferObject
    module.xclBOSyncDirection = types.SimpleNamespace(XCL_BO_SYNC_BO_TO_DEVICE="to", XCL_BO_SYNC_BO_FROM_DEVICE="from")
    module.ert_cmd_state = types.SimpleNamespace(ERT_CMD_STATE_COMPLETED="completed")
    return module


def test_a_serial_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    made = Made(tmp_path, 32, "arty-a7-100")
    opened: list[tuple[str, int]] = []

    def serial(port: str, baud: int) -> FakeSerial:
        opened.append((port, baud))
        return FakeSerial(made.network())

    module: Any = types.ModuleType("serial")
    module.Serial = serial
    monkeypatch.setitem(sys.modules, "serial", module)
    run = program(tmp_path, monkeypatch)
    with pytest.raises(SystemExit, match="needs --port"):
        run.main(["self-test"])
    assert run.main(["self-test", "--port", "/dev/ttyUSB1"]) == 0
    assert f"every code of {EVENTS} events" in capsys.readouterr().out
    assert opened == [("/dev/ttyUSB1", 1_000_000)]
