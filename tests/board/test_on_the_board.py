"""The program of a board's folder, as a user starts it: with stand-ins for PYNQ, for XRT and for a serial port."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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


def fake_pynq(dma: FakeDma) -> types.ModuleType:
    """What the driver takes of PYNQ 3: Overlay with ip_dict, MMIO, allocate."""

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

    module = types.ModuleType("pynq")
    module.Overlay, module.allocate = Overlay, allocate  # type: ignore[attr-defined]
    module.MMIO = lambda address, _size: dma if address == 0x40400000 else None  # type: ignore[attr-defined]
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
