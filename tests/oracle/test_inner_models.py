"""Models inside models, as Keras writes them into `.h5` and `.keras` files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.sim.source_reference import evaluate
from tests.oracle.kit import Kit, chain, randomized

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot


def encoder(kit: Kit) -> Any:
    return kit.model((5, 5, 2), chain(kit.convolution(3, 3), kit.layers.Dropout(0.2), kit.relu(), kit.layers.Flatten()))


def head(kit: Kit) -> Any:
    return kit.keras.Sequential([kit.layers.Input((27,)), kit.dense(4), kit.relu(), kit.dense(2)])


def functional(kit: Kit) -> Any:
    return kit.model((5, 5, 2), chain(encoder(kit), head(kit)))


def sequential(kit: Kit) -> Any:
    return kit.keras.Sequential([encoder(kit), kit.dense(3), kit.relu(), kit.dense(2)])


def siamese(kit: Kit) -> Any:
    one, other = kit.layers.Input((5, 5, 2)), kit.layers.Input((5, 5, 2))
    shared = encoder(kit)
    return kit.keras.Model([one, other], kit.dense(2)(kit.layers.Concatenate()([shared(one), shared(other)])))


def deep(kit: Kit) -> Any:
    inner = kit.model((5, 5, 2), chain(encoder(kit), kit.dense(27)))
    return kit.model((5, 5, 2), chain(kit.convolution(2, 1), inner, head(kit), kit.dense(3)))


def several_inputs(kit: Kit) -> Any:
    a, b = kit.layers.Input((4,)), kit.layers.Input((3,))
    joined = kit.keras.Model([b, a], kit.dense(3)(kit.layers.Concatenate()([a, b])))
    x, y = kit.layers.Input((4,)), kit.layers.Input((3,))
    return kit.keras.Model([x, y], kit.dense(2)(joined([y, x])))


MODELS: dict[str, Callable[[Kit], Any]] = {
    "functional": functional,
    "sequential": sequential,
    "siamese": siamese,
    "deep": deep,
    "several inputs": several_inputs,
}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("name", MODELS)
def test_every_layer_inside_answers_as_keras_does(name: str, suffix: str, kit: Kit, tmp_path: Path) -> None:
    from fpgacnn.training.keras.oracle import run_keras

    model = randomized(MODELS[name](kit), seed=3)
    path = tmp_path / f"model{suffix}"
    model.save(path)
    source = frontends.load(path)
    random = np.random.default_rng(4)
    inputs = [random.integers(0, 64, size=(20, *source.layer(one).shape)) / 64 for one in source.inputs]
    ours = evaluate(source, inputs, quantized=True)
    wanted = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    np.testing.assert_allclose(ours[source.outputs[0]], wanted, rtol=1e-6, atol=1e-6)
    if suffix == ".keras" or name == "sequential":  # which tf_keras cannot load again itself: a QActivation inside
        return
    keras = run_keras(path, inputs, layers=True)
    compared = [one for one in ours if one in keras.layers]
    assert sum("/" in one for one in compared) >= 1
    for one in compared:
        np.testing.assert_allclose(ours[one], keras.layers[one], rtol=1e-6, atol=1e-6)
