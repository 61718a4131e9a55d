"""Files that Keras 3 wrote, as archives and as HDF5, answered by Keras 3 itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import ForeignToolError, UnsupportedOptionError
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.keras import open_keras
from fpgacnn.training.keras.oracle import run_keras

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras warns that HDF5 is old


def chain(k: Any, shape: tuple[int, ...], *layers: Any) -> Any:
    return k.Sequential([k.Input(shape), *layers])


def named_ends(k: Any) -> Any:
    """Inputs and outputs by name, as dictionaries."""
    x = k.Input((5,), name="x")
    return k.Model({"x": x}, {"a": k.layers.Dense(2, name="a")(x), "b": k.layers.Dense(3, name="b")(x)})


def adapted(k: Any) -> Any:
    """Statistics of data, which are weights."""
    normalization = k.layers.Normalization()
    normalization.adapt(np.random.default_rng(3).normal(size=(64, 5)) * 2.0 + 1.0)
    return chain(k, (5,), normalization, k.layers.Dense(2))


def merges(k: Any) -> Any:
    x = k.Input((5, 5, 2))
    a, b = (k.layers.Conv2D(3, 3, padding="same")(x) for _ in range(2))
    kinds = (k.layers.Add, k.layers.Subtract, k.layers.Multiply, k.layers.Average, k.layers.Maximum, k.layers.Minimum)
    return k.Model(x, k.layers.Concatenate()([kind()([a, b]) for kind in kinds]))


def excitation(k: Any) -> Any:
    """Squeeze and excitation: a vector of channels times an image."""
    x = k.Input((5, 5, 2))
    image = k.layers.Conv2D(4, 3)(x)
    channels = k.layers.Dense(4, activation="sigmoid")(k.layers.GlobalAveragePooling2D(keepdims=True)(image))
    return k.Model(x, k.layers.Multiply()([image, channels]))


def repeated(k: Any) -> Any:
    """One map for all channels, one row for all rows, a vector for all cells."""
    x = k.Input((4, 5, 3))
    maps, rows = k.layers.Conv2D(1, 1)(x), k.layers.Conv2D(3, (4, 1))(x)
    vector = k.layers.GlobalMaxPooling2D()(x)
    return k.Model(x, k.layers.Add()([k.layers.Multiply()([x, maps]), rows, k.layers.Reshape((1, 1, 3))(vector)]))


def two_ends(k: Any) -> Any:
    x, y = k.Input((5,)), k.Input((4,))
    return k.Model([x, y], [k.layers.Dense(3)(k.layers.Concatenate()([x, y])), k.layers.Dense(2)(y)])


def shared(k: Any) -> Any:
    x, y = k.Input((5,)), k.Input((5,))
    dense = k.layers.Dense(4)
    return k.Model([x, y], k.layers.Add()([dense(x), dense(y)]))


def inner_models(k: Any) -> Any:
    x, flat = k.Input((5, 5, 2)), k.Input((27,))
    head = k.Model(flat, k.layers.Dense(2)(flat))
    return k.Model(x, head(k.layers.Flatten()(chain(k, (5, 5, 2), k.layers.Conv2D(3, 3), k.layers.ReLU())(x))))


ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "sigmoid",
    "tanh",
    "hard_sigmoid",
    "silu",
    "hard_silu",
    "gelu",
    "mish",
    "softmax",
)

MODELS: dict[str, Callable[[Any], Any]] = {
    **{name: lambda k, name=name: chain(k, (6, 6, 3), k.layers.Conv2D(4, 3, activation=name)) for name in ACTIVATIONS},
    "activation layers": lambda k: chain(
        k,
        (6, 6, 2),
        k.layers.ReLU(3.0, negative_slope=0.125),
        k.layers.LeakyReLU(),
        k.layers.PReLU(shared_axes=[1, 2]),
        k.layers.ELU(0.5),
        k.layers.Softmax(),
    ),
    "normalization": lambda k: chain(
        k,
        (6, 6, 2),
        k.layers.Conv2D(3, 3, use_bias=False),
        k.layers.BatchNormalization(scale=False),
        k.layers.BatchNormalization(center=False),
    ),
    "depthwise": lambda k: chain(
        k,
        (6, 6, 2),
        k.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        k.layers.SeparableConv2D(3, 3),
        k.layers.Flatten(),
        k.layers.Dense(2),
    ),
    "one dimension": lambda k: chain(
        k,
        (8, 2),
        k.layers.Conv1D(3, 3, padding="causal", dilation_rate=2),
        k.layers.SeparableConv1D(3, 2),
        k.layers.AveragePooling1D(2),
    ),
    "groups": lambda k: chain(
        k, (6, 6, 4), k.layers.Conv2D(4, 3, groups=2, strides=2, padding="same"), k.layers.Conv2D(2, 1)
    ),
    "pooling": lambda k: chain(
        k,
        (7, 7, 2),
        k.layers.MaxPooling2D(3, 2, padding="same"),
        k.layers.AveragePooling2D(2, 1, padding="same"),
        k.layers.GlobalAveragePooling2D(),
    ),
    "shapes": lambda k: chain(
        k,
        (4, 6, 2),
        k.layers.Permute((2, 1, 3)),
        k.layers.Cropping2D(1),
        k.layers.ZeroPadding2D((1, 2)),
        k.layers.UpSampling2D(2),
        k.layers.Reshape((-1, 4)),
    ),
    "no operation": lambda k: chain(
        k,
        (5, 4),
        k.layers.SpatialDropout1D(0.2),
        k.layers.GaussianNoise(0.1),
        k.layers.Dropout(0.1),
        k.layers.Conv1D(3, 2),
    ),
    "time distributed": lambda k: chain(
        k,
        (5, 4),
        k.layers.TimeDistributed(k.layers.Dense(3)),
        k.layers.TimeDistributed(k.layers.Dense(2, use_bias=False)),
    ),
    **{
        f"transposed {size} by {stride} {padding}": lambda k, a=(size, stride, padding): chain(
            k, (4, 5, 2), k.layers.Conv2DTranspose(3, *a)
        )
        for size, stride in ((3, 2), (2, 2), (4, 2), ((2, 5), (3, 2)), (1, 2), (3, 1))
        for padding in ("same", "valid")
    },
    "transposed line": lambda k: chain(
        k,
        (5, 2),
        k.layers.Conv1DTranspose(3, 4, 3, padding="same", activation="relu"),
        k.layers.Conv1DTranspose(2, 2, 2),
    ),
    "rescaling": lambda k: chain(
        k,
        (5, 5, 3),
        k.layers.Rescaling(1 / 255.0, offset=-0.5),
        k.layers.Rescaling([2.0, 3.0, 0.5]),
        k.layers.Conv2D(2, 3),
    ),
    "normalization layer": lambda k: chain(
        k, (5, 5, 2), k.layers.Normalization(mean=[0.5, 1.5], variance=[2.0, 0.0]), k.layers.Conv2D(2, 3)
    ),
    "between cells": lambda k: chain(
        k,
        (4, 5, 2),
        k.layers.UpSampling2D(2, interpolation="bilinear"),
        k.layers.Conv2D(3, 3),
        k.layers.UpSampling2D((3, 4), interpolation="bilinear"),
    ),
    "normalization of rows": lambda k: chain(
        k, (4, 5, 2), k.layers.BatchNormalization(axis=1), k.layers.Conv2D(3, 2), k.layers.BatchNormalization(axis=-2)
    ),
    "normalization of steps": lambda k: chain(k, (5, 2), k.layers.BatchNormalization(axis=1), k.layers.Conv1D(3, 2)),
    "augmentation": lambda k: chain(
        k,
        (6, 6, 2),
        k.layers.RandomFlip(),
        k.layers.RandomRotation(0.1),
        k.layers.RandomZoom(0.1),
        k.layers.Identity(),
        k.layers.Conv2D(2, 3),
    ),
    "excitation": excitation,
    "repeated": repeated,
    "merges": merges,
    "two ends": two_ends,
    "named ends": named_ends,
    "adapted": adapted,
    "shared": shared,
    "inner models": inner_models,
}


def made(name: str) -> tuple[Any, np.random.Generator]:
    open_keras()  # first: after Keras 3, TensorFlow no longer takes Keras 2, which the other oracle tests need
    import keras

    model, random = MODELS[name](keras), np.random.default_rng(1)
    values = [
        random.uniform(0.3, 2.0, one.shape) if "variance" in one.path else random.normal(size=one.shape) * 0.4
        for one in model.weights
    ]
    values = [
        np.asarray(one) if not one.trainable and "moving" not in one.path else value
        for one, value in zip(model.weights, values, strict=True)
    ]
    model.set_weights(values)
    return model, random


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", MODELS)
def test_the_reference_answers_as_keras_3_does(name: str, suffix: str, tmp_path: Path) -> None:
    model, random = made(name)
    path = tmp_path / f"model{suffix}"
    model.save(path)
    source = frontends.load(path)
    inputs = [random.integers(-32, 32, size=(16, *source.layer(one).shape)) / 16 for one in source.inputs]
    wanted = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    ours = evaluate(source, inputs, quantized=True)
    listed = [*wanted.values()] if isinstance(wanted, dict) else wanted if isinstance(wanted, list) else [wanted]
    for output, answer in zip(source.outputs, listed, strict=True):
        # float32 against float64: a few of its steps, on the scale of the layer
        np.testing.assert_allclose(ours[output], answer, rtol=0, atol=1e-5 * max(1.0, float(np.abs(answer).max())))


def test_architecture_and_weights_apart(tmp_path: Path) -> None:
    model, random = made("hard_sigmoid")
    (tmp_path / "m.json").write_text(model.to_json())
    model.save_weights(tmp_path / "m.weights.h5")
    source = frontends.load(tmp_path / "m.json")
    inputs = random.normal(size=(16, 6, 6, 3))
    np.testing.assert_allclose(
        evaluate(source, [inputs], quantized=True)[source.outputs[0]],
        model.predict(inputs, verbose=0),
        rtol=0,
        atol=1e-5,
    )


def test_keras_2_says_that_it_cannot_load_such_a_file(tmp_path: Path) -> None:
    model, random = made("relu")
    model.save(tmp_path / "m.keras")
    with pytest.raises(ForeignToolError, match=r"it cannot load m\.keras itself"):
        run_keras(tmp_path / "m.keras", [random.normal(size=(2, 6, 6, 3))])


def test_a_hard_sigmoid_of_no_stated_version_is_refused(tmp_path: Path) -> None:
    import h5py

    model, _ = made("hard_sigmoid")
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        del file.attrs["keras_version"]
    with pytest.raises(UnsupportedOptionError, match="differs between Keras 2 and 3"):
        frontends.load(tmp_path / "m.h5")


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_networks_that_keras_3_quantized_are_refused(tmp_path: Path, mode: str) -> None:
    open_keras()  # first, as above
    import keras

    model = chain(keras, (8,), keras.layers.Dense(6), keras.layers.Dense(3))
    model.quantize(mode)
    model.save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedOptionError, match="it was quantized by Keras after training"):
        frontends.load(tmp_path / "m.keras")


def test_functions_are_not_counted_among_the_layers_of_their_name(tmp_path: Path) -> None:
    """Archives number the layers of each class; `ops.add` is no layer `Add`."""
    open_keras()
    import keras

    a, b = keras.Input((3,)), keras.Input((3,))
    x = keras.layers.Add(name="first")([a, b])
    x = keras.layers.Add(name="second")([keras.ops.add(x, a), b])
    keras.Model([a, b], x).save(tmp_path / "m.keras")
    assert frontends.load(tmp_path / "m.keras").outputs == ("second",)
