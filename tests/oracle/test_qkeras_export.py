"""The QKeras export of a float network: saved and read again, it answers as the network with its quantizers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import NotExportableError
from fpgacnn.ir import source as src
from fpgacnn.passes.widths.trainable import least_error, trainable_points
from fpgacnn.passes.widths.widths import Point, fold_normalizations, with_quantizers
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.keras import open_keras, save
from fpgacnn.training.keras.qkeras_export import QKerasExport, export_to_qkeras
from tests.support.files import (
    Entry,
    entry,
    functional_file,
    input_layer,
    linear,
    normalization,
    sequential_file,
    values,
)

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot


def conv(name: str, *inputs: str, size: int = 3, given: int = 2, filters: int = 4, **options: Any) -> Entry:
    return entry(
        "Conv2D",
        name,
        *inputs,
        **{"filters": filters, "kernel_size": [size, size], "weights": linear(size, size, given, filters), **options},
    )


def dense(name: str, *inputs: str, given: int, units: int, **options: Any) -> Entry:
    return entry("Dense", name, *inputs, units=units, weights=linear(given, units), **options)


def relu(name: str, *inputs: str) -> Entry:
    return entry("Activation", name, *inputs, activation="relu")


def depthwise(kind: str, name: str, *shape: int, **options: Any) -> Entry:
    weights = {"depthwise_kernel": values(*shape), "bias": values(shape[-2] * shape[-1])}
    return entry(kind, name, kernel_size=list(shape[:-2]), depth_multiplier=shape[-1], weights=weights, **options)


def transposed(name: str, size: int, filters: int, given: int, **options: Any) -> Entry:
    weights = {"kernel": values(size, size, filters, given), "bias": values(filters)}
    return entry("Conv2DTranspose", name, filters=filters, kernel_size=[size, size], weights=weights, **options)


SEQUENTIAL: dict[str, tuple[tuple[int, ...], Sequence[Entry]]] = {
    "paddings and strides": (
        (9, 8, 2),
        [
            conv("a", padding="same", strides=[2, 2], activation="relu"),
            entry("ZeroPadding2D", "zeros", padding=[[1, 0], [0, 2]]),
            conv("b", given=4, dilation_rate=[2, 1], padding="same"),
            relu("relu"),
            entry("MaxPooling2D", "pool", pool_size=[3, 3], strides=[2, 2], padding="same"),
            conv("c", given=4, size=2, use_bias=False),
            entry("Flatten", "flatten"),
            dense("d", given=16, units=3, activation="softmax"),
        ],
    ),
    "normalizations": (
        (6, 6, 2),
        [
            entry("BatchNormalization", "first", axis=[3], epsilon=0.001, weights=normalization(2)),
            conv("a"),
            entry("BatchNormalization", "bn", axis=[3], epsilon=0.001, weights=normalization(4)),
            relu("relu"),
            entry("MaxPooling2D", "pool", pool_size=[2, 2]),
            entry("BatchNormalization", "last", axis=[3], epsilon=0.001, weights=normalization(4)),
            relu("relu2"),
            entry("GlobalAveragePooling2D", "mean"),
            dense("d", given=4, units=1, activation="sigmoid"),
        ],
    ),
    "depthwise and separable": (
        (7, 7, 2),
        [
            depthwise("DepthwiseConv2D", "a", 3, 3, 2, 2, padding="same"),
            relu("relu"),
            entry(
                "SeparableConv2D",
                "b",
                filters=3,
                kernel_size=[3, 3],
                weights={
                    "depthwise_kernel": values(3, 3, 4, 1),
                    "pointwise_kernel": values(1, 1, 4, 3),
                    "bias": values(3),
                },
            ),
            transposed("up", 3, 2, 3, strides=[2, 2]),
            relu("relu2"),
            transposed("same", 2, 3, 2, padding="same", strides=[2, 2]),
            entry("GlobalMaxPooling2D", "max"),
        ],
    ),
    "sequences": (
        (12, 2),
        [
            entry(
                "Conv1D", "a", filters=4, kernel_size=[3], padding="causal", weights=linear(3, 2, 4), activation="relu"
            ),
            depthwise("DepthwiseConv1D", "b", 3, 4, 1, strides=[2]),
            relu("relu"),
            entry("UpSampling1D", "up", size=2),
            entry("Cropping1D", "crop", cropping=[1, 2]),
            entry("AveragePooling1D", "pool", pool_size=[2]),
            entry("Permute", "turn", dims=[2, 1]),
            entry("Flatten", "flatten"),
            dense("d", given=12, units=2),
        ],
    ),
    "activations": (
        (5, 5, 2),
        [
            conv("a"),
            entry("LeakyReLU", "leaky", alpha=0.3),
            conv("b", given=4, size=1),
            entry("ReLU", "bounded", max_value=1.5),
            conv("c", given=4, size=1, activation="tanh"),
            conv("d", given=4, size=2, activation="softplus"),
            entry("PReLU", "prelu", shared_axes=[1, 2], weights={"alpha": values(1, 1, 4)}),
            entry("ELU", "elu", alpha=0.5),
            entry("Reshape", "reshape", target_shape=[4, 4]),
            entry("UpSampling1D", "up", size=2),
            entry("Flatten", "flatten"),
            dense("e", given=32, units=3, activation="hard_sigmoid"),
        ],
    ),
}


def branches(path: Path) -> Path:
    """Inputs of two shapes, merges of every kind, an inception of three filters, two outputs."""
    layers = (
        input_layer("x", 6, 6, 2),
        input_layer("v", 4),
        *(conv(f"c{size}", "x", size=size, padding="same", activation="relu") for size in (1, 3, 5)),
        entry("Add", "add", "c1", "c3"),
        entry("Average", "average", "c3", "c5", "add"),
        entry("Maximum", "maximum", "c1", "average"),
        entry("Multiply", "product", "maximum", "c5"),
        entry("Subtract", "difference", "product", "c1"),
        entry("Concatenate", "joined", "difference", "add", axis=-1),
        entry("UpSampling2D", "up", "joined", size=[1, 2]),
        entry("Cropping2D", "crop", "up", cropping=[[1, 2], [0, 9]]),
        entry("Flatten", "flatten", "crop"),
        dense("hidden", "v", given=4, units=5, activation="relu"),
        entry("Concatenate", "both", "flatten", "hidden", axis=-1),
        dense("one", "both", given=77, units=3, activation="softmax"),
        dense("two", "hidden", given=5, units=1),
    )
    return functional_file(path, *layers, inputs=["x", "v"], outputs=["one", "two"])


def bits_of(points: Sequence[Point]) -> dict[Point, int]:
    """Other bits at every point."""
    return {point: 3 + number % 6 for number, point in enumerate(points)}


def exported_from(path: Path, seed: int) -> tuple[src.SourceModel, list[np.ndarray], QKerasExport]:
    network = fold_normalizations(frontends.load(path))
    random = np.random.default_rng(seed)
    # Odd multiples of 1/128 never equal a batch mean, where an offset of half a step would be a tie that float32
    # breaks.
    events = [(2 * random.integers(0, 64, size=(32, *network.layer(name).shape)) + 1) / 128 for name in network.inputs]
    seen = evaluate(network, events, quantized=False)
    quantized = with_quantizers(network, least_error(network, bits_of(trainable_points(network)), seen))
    return quantized, events, export_to_qkeras(open_keras(), quantized)


@pytest.mark.parametrize("name", [*SEQUENTIAL, "branches"])
def test_a_saved_export_answers_as_the_network_with_its_quantizers(name: str, tmp_path: Path) -> None:
    path = tmp_path / "float.h5"
    if name == "branches":
        branches(path)
    else:
        shape, layers = SEQUENTIAL[name]
        sequential_file(path, *layers, shape=shape)
    quantized, events, exported = exported_from(path, 3)
    wanted = evaluate(quantized, events, quantized=True)
    keras = exported.model.predict(events, verbose=0)
    listed = keras if isinstance(keras, list) else [keras]
    for output, seen in zip(quantized.outputs, listed, strict=True):
        np.testing.assert_allclose(seen, wanted[output], rtol=1e-5, atol=1e-5)

    save(exported.model, tmp_path / "exported.h5")
    again = frontends.load(tmp_path / "exported.h5")
    found = evaluate(again, events, quantized=True)
    for before, after in zip(quantized.outputs, again.outputs, strict=True):
        np.testing.assert_allclose(found[after], wanted[before], rtol=1e-6, atol=1e-6)
    linear_layers = [layer for layer in again.layers if isinstance(layer.operation, src.Linear)]
    assert all(layer.operation.kernel.quantizer is not None for layer in linear_layers)
    assert len(exported.kernels) == len(linear_layers)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            [conv("grouped", given=1, groups=2)],
            r"layer 'grouped' is a Conv2D, which QKeras has no layer for: TensorFlow cannot train grouped convolutions",
        ),
        (
            [depthwise("DepthwiseConv2D", "d", 3, 3, 2, 1, strides=[1, 2])],
            r"which QKeras has no layer for: TensorFlow has no depthwise convolution of strides \(1, 2\)",
        ),
        (
            [conv("a", weights={"kernel": np.full((3, 3, 2, 4), 2.0**40), "bias": values(4)})],
            "QKeras cannot compute with 41 integer bits",
        ),
        (
            [conv("a", activation="hard_swish"), conv("b", given=4)],
            r"layer 'a' is a Conv2D, .*: Keras 2 has no hard_swish of this kind",
        ),
    ],
)
def test_a_layer_without_an_export_is_refused_by_name(layers: Sequence[Entry], words: str, tmp_path: Path) -> None:
    path = sequential_file(tmp_path / "float.h5", *layers, shape=(7, 7, 2))
    with pytest.raises(NotExportableError, match=words):
        exported_from(path, 3)
