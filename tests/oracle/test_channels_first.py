"""QKeras networks with channels first: the file is read as QKeras computes it, and the project equals it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.keras.oracle import run_keras
from tests.oracle.kit import Kit, chain, randomized

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # QKeras warns of its own constraints

FIRST = {"data_format": "channels_first"}
EVENTS = 40


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every class of QKeras that computes with channels first, and layers of Keras between them."""
    kit = Kit()
    layers, qkeras = kit.layers, kit.qkeras
    automatic = qkeras.quantized_bits(4, 0)  # QKeras' own scale for each filter
    model = kit.model(
        (3, 8, 6),
        chain(
            kit.convolution(4, 3, padding="same", **FIRST),
            kit.relu(),
            qkeras.QConv2D(4, 3, padding="same", kernel_quantizer=automatic, bias_quantizer=kit.bits(), **FIRST),
            layers.BatchNormalization(axis=1),
            qkeras.QActivation(kit.bits(6, 2)),
            qkeras.QDepthwiseConv2D((3, 2), depthwise_quantizer=kit.bits(), use_bias=False, **FIRST),
            kit.relu(),
            layers.MaxPooling2D((1, 2), strides=1, **FIRST),
            layers.ZeroPadding2D(((0, 1), (1, 0)), **FIRST),
            qkeras.QAveragePooling2D(2, average_quantizer=kit.bits(8), activation=qkeras.quantized_relu(5, 1), **FIRST),
            layers.Flatten(**FIRST),
            kit.dense(3),
        ),
    )
    path = tmp_path_factory.mktemp("first") / "network.h5"
    randomized(model, seed=3).save(path, include_optimizer=False)
    return path


def test_every_layer_of_qkeras_is_read_as_qkeras_computes_it(network: Path) -> None:
    events = np.random.default_rng(1).integers(0, 64, size=(EVENTS, 3, 8, 6)) / 64
    source, theirs = frontends.load(network), run_keras(network, [events], layers=True)
    ours = evaluate(source, [events], quantized=True)
    compared = 0
    for layer in source.layers:
        if layer.name in theirs.layers:
            wanted = theirs.layers[layer.name]
            wanted = wanted if layer.order is None else wanted.transpose(0, *(1 + np.argsort(layer.order)))
            np.testing.assert_allclose(ours[layer.name], wanted, atol=1e-5)
            compared += 1
    assert compared == 13


def test_a_network_of_keras_3_is_compared_with_keras_through_xla(tmp_path: Path) -> None:
    Kit()  # TensorFlow, quiet, is the backend
    import keras

    layers, start = keras.layers, keras.Input((3, 8, 10))
    x = layers.Conv2D(4, 3, activation="relu", **FIRST)(start)
    x = layers.BatchNormalization(axis=1)(layers.MaxPooling2D(2, **FIRST)(x))
    x = layers.Conv2D(5, 2, **FIRST)(layers.Permute((1, 3, 2))(x))
    ends = [layers.Dense(3)(layers.Flatten(**FIRST)(x)), layers.Conv2D(2, 1)(layers.Permute((2, 3, 1))(x))]
    randomized(keras.Model(start, ends), seed=4).save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.random.default_rng(2).integers(0, 64, size=(8, 3, 8, 10)) / 64)
    run = fpgacnn.convert(
        tmp_path / "m.keras",
        input=tmp_path / "x.npy",
        output=tmp_path / "p",
        bits="8",
        csim_events=0,
        reference="keras",
    )
    (reading,) = [one for one in run.verification if one.right.startswith("Keras")]
    assert (reading.holds, reading.layers) == (True, 8), run.notes  # two permutations are no layers


@pytest.mark.agree
def test_the_project_equals_qkeras_and_its_csim(network: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(2).integers(0, 64, size=(EVENTS, 3, 8, 6)) / 64)
    run = fpgacnn.convert(network, input=tmp_path / "x.npy", output=tmp_path / "p", io="stream", reference="keras")
    found = {report.right.split(" ")[0]: report for report in run.verification}
    assert run.holds, run.verification
    assert found["Keras"].mismatches == 0
