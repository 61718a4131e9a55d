"""Windows as loops compute what hls4ml's assignments compute: C simulation against the emulator, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from tests.support.files import entry, sequential_file


@pytest.mark.agree
@pytest.mark.parametrize("axes", [1, 2])
def test_windows_as_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, axes: int) -> None:
    monkeypatch.setattr("fpgacnn.hardware.hls.hls4ml_adapter.MOST_ASSIGNMENTS", 0)
    random = np.random.default_rng(3)
    size, strides = ([3], [2]) if axes == 1 else ([3, 2], [2, 1])
    weights = [random.normal(size=(*kernel, *filters)) for kernel, filters in ((size, (2, 4)), ([3] * axes, (4, 3)))]
    kind = f"Conv{axes}D"
    layers = [
        entry(
            kind,
            "c",
            filters=4,
            kernel_size=size,
            strides=strides,
            padding="same",
            weights={"kernel": weights[0], "bias": random.normal(size=4)},
        ),
        entry(
            kind, "d", filters=3, kernel_size=[3] * axes, weights={"kernel": weights[1], "bias": random.normal(size=3)}
        ),
    ]
    file = sequential_file(tmp_path / "m.h5", *layers, shape=(*[9, 8][:axes], 2))
    run = fpgacnn.convert(file, output=tmp_path / "out", bits="8,3", io="parallel")
    header = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out" / "firmware").rglob("*.h"))
    assert "fpgacnn: loops" in header
    assert {report.left for report in run.verification} >= {"csim"}
    assert all(report.holds for report in run.verification)
