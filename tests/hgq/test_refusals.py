"""Files of HGQ2 that are damaged or ask for what is not built: one error that names the layer."""

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
from fpgacnn.errors import FpgacnnError
from fpgacnn.frontends.keras.hgq.hgq2 import PARSERS
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import parse_format
from fpgacnn.ir.source import SourceLayer, SourceModel
from fpgacnn.passes.quantization import quantize
from tests.hgq.test_networks import ARCHIVE, FIRST

Layers = list[dict[str, Any]]


def edited(
    folder: Path,
    name: str,
    layers: Callable[[Layers], object] | None = None,
    weights: Callable[[h5py.File], object] | None = None,
) -> FpgacnnError:
    """The refusal of a good network after a change."""
    with (
        zipfile.ZipFile(FIRST if "1" in name else ARCHIVE) as archive,
        zipfile.ZipFile(io.BytesIO(archive.read(name))) as inner,
    ):
        members = {one: inner.read(one) for one in inner.namelist()}
    if layers is not None:
        config = json.loads(members["config.json"])
        layers(config["config"]["layers"])
        members["config.json"] = json.dumps(config).encode()
    if weights is not None:
        with h5py.File(buffer := io.BytesIO(members["model.weights.h5"]), "r+") as file:
            weights(file)
        members["model.weights.h5"] = buffer.getvalue()
    path = folder / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in members.items():
            archive.writestr(one, content)
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    return caught.value


def option(key: str, value: object, layer: int = 1) -> Callable[[Layers], object]:
    return lambda layers: layers[layer]["config"].update({key: value})


def quantizer(key: str, value: object, which: str = "iq_conf", layer: int = 1) -> Callable[[Layers], object]:
    return lambda layers: layers[layer]["config"][which]["config"].update({key: value})


OPTIONS: dict[str, tuple[str, Callable[[Layers], object], str, str]] = {
    "float quantizers": ("dense.keras", quantizer("q_type", "float"), "FC022", "q_type='float'"),
    "a table for a quantizer's type": ("dense.keras", quantizer("q_type", {"a": 1}), "FC022", "q_type={'a': 1}"),
    "an affine": ("dense.keras", quantizer("affine", [2.0, 1.0]), "FC022", "affine"),
    "mirrored overflow": ("dense.keras", quantizer("overflow_mode", "WRAP_SM"), "FC022", "overflow_mode WRAP_SM"),
    "an unknown rounding": ("dense.keras", quantizer("round_mode", "UP"), "FC022", "round_mode UP"),
    "a scaler of 0": ("dense.keras", quantizer("scaler", 0), "FC022", "scaler=0 is not a positive number"),
    "no quantizer": ("dense.keras", option("kq_conf", None), "FC022", "kq of HGQ2: it is not a plain QuantizerConfig"),
    "another equation": (
        "einsum.keras",
        option("equation", "btc,tcd->bd"),
        "FC021",
        "equation 'btc,tcd->bd' is not supported",
    ),
    "a bias along time": ("einsum.keras", option("bias_axes", "tC"), "FC021", "a bias along other axes"),
    "softmax": (
        "dense.keras",
        lambda layers: layers[1].update(class_name="QSoftmax", registered_name="hgq>QSoftmax"),
        "FC020",
        "end the network with its logits",
    ),
    "attention": (
        "dense.keras",
        lambda layers: layers[1].update(class_name="QLinformerAttention"),
        "FC020",
        "is a hgq>QLinformerAttention",
    ),
    "no options of the first HGQ": (
        "dense1.keras",
        option("paq_conf", None),
        "FC022",
        "paq_conf of HGQ: it is not a dictionary",
    ),
    "a clip of one end": ("dense1.keras", option("paq_conf", {"bw_clip": [3]}), "FC022", "bw_clip=[3] is not a pair"),
    "a list for the overflow of the first HGQ": (
        "dense1_proxy.keras",
        option("SAT", ["WRAP"]),
        "FC022",
        "SAT=['WRAP']",
    ),
    "a list for the rounding of the first HGQ": ("dense1_proxy.keras", option("RND", ["RND"]), "FC022", "RND=['RND']"),
    "a clip that is no number": (
        "dense1.keras",
        option("paq_conf", {"bw_clip": [float("nan"), 3]}),
        "FC022",
        "bw_clip=[nan, 3] is not a pair",
    ),
    "mirrored overflow of the first HGQ": ("dense1_proxy.keras", option("SAT", "WRAP_SM"), "FC022", "SAT='WRAP_SM'"),
    "a table of the first HGQ": (
        "dense1_proxy.keras",
        lambda layers: layers[1].update(class_name="UnaryLUT"),
        "FC020",
        "unary_lut_max_table_size",
    ),
    "too few quantizers": ("add.keras", option("iq_confs", [], layer=3), "FC015", "0 quantizers for 2 inputs"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_not_built_is_refused_by_name(tmp_path: Path, name: str) -> None:
    file, change, code, words = OPTIONS[name]
    error = edited(tmp_path, file, layers=change)
    assert (error.code, words in str(error)) == (code, True), str(error)


def array(place: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[h5py.File], None]:
    def apply(file: h5py.File) -> None:
        values = file[place][()]
        del file[place]
        file[place] = change(values)

    return apply


def gone(place: str) -> Callable[[h5py.File], None]:
    def apply(file: h5py.File) -> None:
        del file[place]

    return apply


WIDTHS = "layers/q_dense/iq/quantizer/vars/0"
FIRST_WIDTHS = "layers/h_dense/vars/3"

ARRAYS: dict[str, tuple[Callable[[h5py.File], object], str, str]] = {
    "no widths of the first HGQ": (gone(FIRST_WIDTHS), "FC016", "its activation_bw is not in the file"),
    "infinite widths of the first HGQ": (
        array(FIRST_WIDTHS, lambda old: old + np.inf),
        "FC017",
        "values of activation_bw",
    ),
    "widths missing": (gone(WIDTHS), "FC016", "f of its quantizer iq is not in the file"),
    "widths of another shape": (
        array(WIDTHS, lambda old: old[:, :3]),
        "FC016",
        "f of its quantizer iq has shape (1, 3), data have (7,)",
    ),
    "widths that are not numbers": (array(WIDTHS, lambda old: old * np.nan), "FC017", "7 of 7 values of iq/f"),
    "a thousand bits": (
        array(WIDTHS, lambda old: old + 1000),
        "FC018",
        "7 of 7 widths of its quantizer iq are above 64 bits right of the point; the largest is 100",
    ),
    "a sign of 2": (array("layers/q_dense/iq/quantizer/vars/1", lambda old: old + 2), "FC022", "iq of HGQ2"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_damaged_widths_are_refused(tmp_path: Path, name: str) -> None:
    change, code, words = ARRAYS[name]
    error = edited(tmp_path, "dense1.keras" if "first" in name else "dense.keras", weights=change)
    assert (error.code, words in str(error)) == (code, True), str(error)


def test_more_places_with_widths_of_their_own_than_are_built() -> None:
    shape = (64, 64, 5)
    scale = np.exp2(np.random.default_rng(1).integers(0, 4, shape).astype(np.float64))
    cast = src.Activate(function=src.Uniform(scale=scale, low=np.full(1, -8.0), high=np.full(1, 7.0)))
    port = SourceLayer(name="x", kind="", operation=src.Input(), inputs=(), shape=shape)
    layers = (port, SourceLayer(name="cast", kind="", operation=cast, inputs=("x",), shape=shape))
    network = SourceModel(name="m", digest="", framework="", layers=layers, inputs=("x",), outputs=("cast",))
    with pytest.raises(FpgacnnError, match="20480 values are more than 16384") as caught:
        quantize(network, inputs=[parse_format("fixed<8,4>")])
    assert caught.value.code == "FC022"


def test_layers_of_hgq_are_never_taken_for_those_of_qkeras(tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        found = [frontends.load(Path(archive.extract(name, tmp_path))) for name in ("dense.keras", "dense.h5")]
    assert [[layer.kind for layer in one.layers] for one in found] == [["InputLayer", *["hgq>QDense"] * 5]] * 2
    assert all(kind.startswith("hgq>") for kind in PARSERS)
