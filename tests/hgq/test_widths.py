"""Trained widths of weights that nothing limits: more bits than a float32 has change nothing."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import TrainedWidthsError
from fpgacnn.ir import source as src
from fpgacnn.passes.quantization import quantizers
from tests.hgq.test_networks import ARCHIVE, FIRST

Edit = Callable[[list[dict[str, Any]], h5py.File], None]


def edited(folder: Path, archive: Path, name: str, edit: Edit) -> src.SourceModel:
    """A network of HGQ2 whose description and arrays are changed."""
    with zipfile.ZipFile(archive) as opened, zipfile.ZipFile(io.BytesIO(opened.read(name))) as inner:
        members = {one: inner.read(one) for one in inner.namelist()}
    config = json.loads(members["config.json"])
    with h5py.File(buffer := io.BytesIO(members["model.weights.h5"]), "r+") as file:
        edit(config["config"]["layers"], file)
    members |= {"config.json": json.dumps(config).encode(), "model.weights.h5": buffer.getvalue()}
    path = folder / "m.keras"
    with zipfile.ZipFile(path, "w") as written:
        for one, content in members.items():
            written.writestr(one, content)
    return frontends.load(path)


def quantized_kernel(source: src.SourceModel) -> np.ndarray:
    """The first kernel as its quantizer leaves it."""
    kernel = next(one.operation.kernel for one in source.layers if isinstance(one.operation, src.Dense))
    return np.asarray(quantizers.apply(kernel.values, kernel.quantizer).product)


def float32_rounded(weights: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """What HGQ2 computes, in its own float32: `floor(x * 2^f + 0.5) / 2^f`."""
    scale = np.exp2(fraction).astype(np.float32)
    return (np.floor(weights.astype(np.float32) * scale + np.float32(0.5)) / scale).astype(np.float64)


WEIGHTS = np.random.default_rng(5).normal(size=(7, 5)).astype(np.float32)
KERNELS = {
    "fractions": WEIGHTS,
    "sixteenths": np.round(WEIGHTS * 16) / 16,
    "of every size": (WEIGHTS * 2.0 ** np.arange(-36, 14, 10)).astype(np.float32),
    "pruned": np.where(WEIGHTS > 0, WEIGHTS, 0),
}
FRACTIONS = {
    "one weight": np.where(np.arange(35).reshape(7, 5) == 12, 60.0, 3.0),
    "each channel": np.broadcast_to(np.array([2.0, 50.0, 60.0, -1.0, 64.0]), (7, 5)),
    "all": np.full((7, 5), 60.0),
    "the most of float64": np.full((7, 5), 53.0),
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("widths", FRACTIONS)
def test_weights_that_wrap_keep_all_their_bits(tmp_path: Path, widths: str, kernel: str) -> None:
    weights, fraction = KERNELS[kernel], FRACTIONS[widths]

    def edit(layers: list[dict[str, Any]], file: h5py.File) -> None:
        layers[1]["config"]["kq_conf"]["config"]["overflow_mode"] = "WRAP"
        group = file["layers/q_dense/kq/quantizer/vars"]
        assert group["2"].dtype == np.uint8  # a kif of a kernel: f, i, k
        file["layers/q_dense/vars/0"][...] = weights
        del group["0"], group["1"]
        group["0"], group["1"] = fraction.astype(np.float32), np.ones((7, 5), np.float32)
        _ordered(group)

    found = quantized_kernel(edited(tmp_path, ARCHIVE, "kernel_kif.keras", edit))
    np.testing.assert_array_equal(found, float32_rounded(weights, fraction))


def _ordered(group: h5py.Group) -> None:
    """In a quantizer that wraps, the integer bits are not trained: f, then i and k and the speed of decay."""
    fraction, integer, negative = (group[one][()] for one in "012")
    for one in "012":
        del group[one]
    group["0"], group["1"], group["2"], group["3"] = fraction, negative, integer, np.float32(np.inf)


def test_weights_of_the_first_hgq_keep_all_their_bits(tmp_path: Path) -> None:
    fraction = np.where(np.arange(35).reshape(7, 5) % 4 == 1, 60.0, 3.0)

    def edit(layers: list[dict[str, Any]], file: h5py.File) -> None:
        del layers[2]["config"]["kq_conf"]["bw_clip"]
        file["layers/h_dense/vars/0"][...] = WEIGHTS
        file["layers/h_dense/vars/2"][...] = fraction

    found = quantized_kernel(edited(tmp_path, FIRST, "dense1.keras", edit))
    np.testing.assert_array_equal(found, float32_rounded(WEIGHTS, fraction))


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (49.0, "above 48 bits right of the point, of values that nothing limits; the largest is 49"),
        (90.0, "above 64 bits right of the point; the largest is 90"),
        (-99.0, "below -64 bits right of the point; the smallest is -99"),
    ],
)
def test_more_bits_than_there_are_is_said_of_widths(tmp_path: Path, width: float, words: str) -> None:
    def edit(layers: list[dict[str, Any]], file: h5py.File) -> None:
        del layers[2]["config"]["paq_conf"]["bw_clip"]
        file["layers/h_dense/vars/3"][0, 2] = width

    with pytest.raises(TrainedWidthsError, match=f"layer 'h_dense': 1 of [0-9]+ values of activation_bw are {words}$"):
        edited(tmp_path, FIRST, "dense1.keras", edit)
