"""Layers with `data_format='channels_first'`: what they compute, and which permutations are left."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import ShapeError, UnsupportedOptionError
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import Entry, entry, functional_file, input_layer, linear, normalization, sequential_file

FIRST = {"data_format": "channels_first"}
IMAGE = (2, 4, 5)
KERNEL = linear(3, 3, 2, 4)


def answers(model: SourceModel, events: FloatArray) -> FloatArray:
    return evaluate(model, [events], quantized=True)[model.outputs[0]]


def events(shape: tuple[int, ...]) -> FloatArray:
    return np.random.default_rng(5).integers(-8, 8, size=(3, *shape)) / 8.0


def read(folder: Path, *layers: Entry, shape: tuple[int, ...] = IMAGE) -> SourceModel:
    return frontends.load(sequential_file(folder / "m.h5", *layers, shape=shape))


def moves(model: SourceModel) -> list[str]:
    return [layer.name for layer in model.layers if isinstance(layer.operation, src.Permute)]


CONVOLUTION = entry("Conv2D", "conv", filters=4, kernel_size=[3, 3], padding="same", weights=KERNEL, **FIRST)


def test_the_input_and_an_output_have_the_shape_of_the_file(tmp_path: Path) -> None:
    model = read(tmp_path, CONVOLUTION)
    last = entry("Conv2D", "conv", filters=4, kernel_size=[3, 3], padding="same", weights=KERNEL)
    (tmp_path / "last").mkdir()
    same = read(tmp_path / "last", last, shape=(4, 5, 2))
    given = events(IMAGE)
    assert (model.layers[0].shape, model.outputs, model.layer("conv").shape) == (IMAGE, ("conv",), (4, 4, 5))
    wanted = answers(same, given.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert np.array_equal(answers(model, given), wanted)


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (entry("Flatten", "l", **FIRST), lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), -1)),
        (entry("Flatten", "l"), lambda x: x.reshape(len(x), -1)),
        (entry("Flatten", "l", data_format="channels_last"), lambda x: x.reshape(len(x), -1)),
        (entry("MaxPooling2D", "l", pool_size=[2, 1], **FIRST), lambda x: np.maximum(x[:, :, ::2], x[:, :, 1::2])),
        (entry("GlobalMaxPooling2D", "l", **FIRST), lambda x: x.max(axis=(2, 3))),
        (entry("GlobalAveragePooling2D", "l", keepdims=True, **FIRST), lambda x: x.mean(axis=(2, 3), keepdims=True)),
        (
            entry("ZeroPadding2D", "l", padding=[[1, 0], [0, 2]], **FIRST),
            lambda x: np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2))),
        ),
        (entry("Cropping2D", "l", cropping=[[1, 0], [0, 2]], **FIRST), lambda x: x[:, :, 1:, :-2]),
        (entry("UpSampling2D", "l", size=[1, 3], **FIRST), lambda x: x.repeat(3, axis=3)),
    ],
    ids=lambda one: f"{one.kind}-{len(one.config)}" if isinstance(one, Entry) else "",
)
def test_a_layer_computes_along_the_axes_of_channels_first(tmp_path: Path, layer: Entry, wanted: object) -> None:
    assert callable(wanted)
    given = events(IMAGE)
    np.testing.assert_allclose(answers(read(tmp_path, layer), given), wanted(given), atol=1e-12)


def test_only_the_input_is_turned_where_all_layers_have_channels_first(tmp_path: Path) -> None:
    model = read(
        tmp_path,
        CONVOLUTION,
        entry("BatchNormalization", "norm", axis=[1], weights=normalization(4)),
        entry("ReLU", "relu"),
        entry(
            "PReLU", "slopes", shared_axes=[2, 3], weights={"alpha": linear(4, bias=False)["kernel"].reshape(4, 1, 1)}
        ),
        entry("MaxPooling2D", "pool", pool_size=[2, 2], **FIRST),
        entry("Flatten", "flat", **FIRST),
        entry("Dense", "dense", units=3, weights=linear(16, 3)),
    )
    assert moves(model) == ["conv/0"]
    assert [model.layer(name).order for name in ("conv", "norm", "slopes", "pool", "flat")] == [*[(2, 0, 1)] * 4, None]


def test_flatten_with_channels_last_turns_the_values_back(tmp_path: Path) -> None:
    model = read(tmp_path, CONVOLUTION, entry("Flatten", "flat"))
    assert moves(model) == ["conv/0", "flat/0"]


def test_a_permutation_to_channels_last_costs_nothing(tmp_path: Path) -> None:
    model = read(
        tmp_path,
        CONVOLUTION,
        entry("Permute", "turn", dims=[2, 3, 1]),
        entry("Conv2D", "last", filters=4, kernel_size=[3, 3], weights=linear(3, 3, 4, 4)),
    )
    assert (moves(model), model.layer("last").inputs) == (["conv/0"], ("conv",))


def test_merges_read_their_inputs_in_one_order(tmp_path: Path) -> None:
    layers = (
        input_layer("x", *IMAGE),
        entry(
            "Conv2D", "conv", "x", filters=2, kernel_size=[3, 3], padding="same", weights=linear(3, 3, 2, 2), **FIRST
        ),
        entry("Concatenate", "joined", "conv", "x", axis=1),
        entry("GlobalAveragePooling2D", "mean", "joined", keepdims=True, **FIRST),
        entry("Multiply", "scaled", "joined", "mean"),
        entry("Flatten", "flat", "scaled", **FIRST),
    )
    model = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["flat"]))
    assert moves(model) == ["conv/0"]  # the input is turned once for both of its readers
    assert model.layer("joined").operation == src.Concatenate(axis=2)


def test_the_softmax_of_a_convolution_runs_along_the_last_axis_of_the_file(tmp_path: Path) -> None:
    layer = entry("Conv2D", "conv", filters=4, kernel_size=[3, 3], weights=KERNEL, activation="softmax", **FIRST)
    found = answers(read(tmp_path, layer), events(IMAGE))
    np.testing.assert_allclose(found.sum(axis=-1), 1.0)


@pytest.mark.parametrize("kind", ["QConv2DBatchnorm", "QDepthwiseConv2DBatchnorm"])
def test_a_folded_normalization_is_read_with_channels_last_only(tmp_path: Path, kind: str) -> None:
    layer = entry(kind, "l", filters=4, kernel_size=[3, 3], weights=KERNEL, **FIRST)
    with pytest.raises(UnsupportedOptionError, match="l: data_format='channels_first' is not supported"):
        read(tmp_path, layer)


def test_a_folded_normalization_of_another_axis_is_refused(tmp_path: Path) -> None:
    weights = {**KERNEL, **normalization(4)}
    layer = entry("QConv2DBatchnorm", "l", filters=4, kernel_size=[3, 3], axis=[1], weights=weights)
    with pytest.raises(UnsupportedOptionError, match="l: its batch normalization along axis"):
        read(tmp_path, layer, shape=(5, 4, 2))


def test_two_outputs_of_one_layer_have_the_order_of_the_file(tmp_path: Path) -> None:
    layers = (
        input_layer("x", *IMAGE),
        entry("Conv2D", "conv", "x", filters=4, kernel_size=[1, 1], weights=linear(1, 1, 2, 4), **FIRST),
        entry("Dropout", "left", "conv", rate=0.5),
        entry("Permute", "turned", "conv", dims=[3, 2, 1]),
        entry("ReLU", "relu", "conv"),
    )
    ends = ["conv", "left", "turned", "relu"]
    model = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=ends))
    found = evaluate(model, [events(IMAGE)], quantized=True)
    conv, left, turned, relu = (found[name] for name in model.outputs)
    assert model.outputs == ("conv", "conv", "turned", "relu")
    assert conv.shape == (3, 4, 4, 5)
    assert np.array_equal(left, conv)
    assert np.array_equal(turned, conv.transpose(0, 3, 2, 1))
    assert np.array_equal(relu, np.maximum(conv, 0))


@pytest.mark.parametrize("ends", [["conv", "turned"], ["turned", "conv"]])
def test_an_output_with_channels_last_beside_the_one_with_channels_first(tmp_path: Path, ends: list[str]) -> None:
    layers = (
        input_layer("x", *IMAGE),
        entry("Conv2D", "conv", "x", filters=4, kernel_size=[1, 1], weights=linear(1, 1, 2, 4), **FIRST),
        entry("Permute", "turned", "conv", dims=[2, 3, 1]),
    )
    model = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=ends))
    found = evaluate(model, [events(IMAGE)], quantized=True)
    answers = dict(zip(ends, (found[name] for name in model.outputs), strict=True))
    assert answers["conv"].shape == (3, 4, 4, 5)
    assert np.array_equal(answers["turned"], answers["conv"].transpose(0, 2, 3, 1))


def test_a_shape_in_an_error_says_that_its_channels_are_last(tmp_path: Path) -> None:
    layer = entry("Conv2D", "l", filters=4, kernel_size=[7, 7], weights=KERNEL, **FIRST)
    with pytest.raises(ShapeError, match=r"'l': a 7x7 window does not fit the input \(4, 5, 2\) \(channels last\)"):
        read(tmp_path, layer)


@pytest.mark.parametrize(("version", "width"), [("3.15.1", 4), ("2.21.0", 4), ("3.15.1", 5)])
def test_a_bias_that_backends_of_keras_3_add_along_different_axes_is_refused(
    tmp_path: Path, version: str, width: int
) -> None:
    path = sequential_file(tmp_path / "m.h5", CONVOLUTION, shape=(2, 5, width))
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = version
    if (version, width) == ("3.15.1", 4):
        with pytest.raises(UnsupportedOptionError, match="its result has 4 channels and rows of as many values"):
            frontends.load(path)
    else:
        assert frontends.load(path).layer("conv").shape == (4, 5, width)
