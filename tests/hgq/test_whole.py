"""Networks of HGQ2 and HGQ through the whole command: C simulation, emulator and reference, in both io types."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import fpgacnn
from fpgacnn.design import IoType
from tests.hgq.test_networks import ARCHIVE, FIRST

pytestmark = pytest.mark.agree


@pytest.mark.parametrize("io", IoType, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        "dense_sat",
        "conv2d",
        "conv2d_by_channel",
        "batchnorm",
        "add",
        "average_of_six",
        "dense1",
        "convolutions1",
        "dense1_proxy",
    ],
)
def test_a_network_is_proven(tmp_path: Path, name: str, io: IoType) -> None:
    with zipfile.ZipFile(FIRST if "1" in name else ARCHIVE) as archive:
        path = Path(archive.extract(f"{name}.keras", tmp_path))
    record = fpgacnn.convert(path, output=tmp_path / "p", io=io.value, input_type="fixed<10,6>")
    assert record.holds, record.verification
    assert record.plan.lossless == (name != "average_of_six")
