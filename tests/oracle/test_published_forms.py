"""Networks as they are left in repositories, saved by the real Keras 2 and answered by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.sim.source_reference import evaluate
from tests.oracle.kit import Kit, randomized

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot


def pruned(kit: Kit) -> Any:
    """Still in the wrappers in which it was pruned."""
    from tensorflow_model_optimization.sparsity.keras import prune_low_magnitude

    return prune_low_magnitude(
        kit.keras.Sequential([kit.layers.Dense(8, input_shape=(16,)), kit.relu(), kit.dense(4), kit.layers.Dense(2)])
    )


def names_with_slashes(kit: Kit) -> Any:
    """Layers of an inner model called like folders, one below the other."""
    layers = kit.layers
    x = layers.Input((6, 6, 1))
    y = layers.Conv2D(3, 3, use_bias=False, name="layer1/conv")(x)
    y = layers.BatchNormalization(scale=False, name="layer1/conv/bn")(y)
    y = layers.DepthwiseConv2D(2, name="layer2/depthwise")(y)
    y = layers.BatchNormalization(name="layer2/depthwise/bn")(y)
    return kit.keras.Sequential([kit.keras.Model(x, y, name="inner"), layers.GlobalAveragePooling2D()])


def normalized_inside(kit: Kit) -> Any:
    """A layer with a batch normalization in it, in an inner model."""
    folded = kit.qkeras.QConv2DBatchnorm(3, 3, kernel_quantizer=kit.bits(8), bias_quantizer=kit.bits(8, 1))
    inner = kit.keras.Sequential([kit.layers.Input((6, 6, 2)), folded, kit.relu()], name="inner")
    return kit.keras.Sequential([kit.layers.Input((6, 6, 2)), inner, kit.layers.Flatten(), kit.dense(2)])


FORMS: dict[str, Callable[[Kit], Any]] = {
    "pruned": pruned,
    "names with slashes": names_with_slashes,
    "normalized inside": normalized_inside,
}


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", FORMS)
def test_a_published_form_is_read_as_keras_answers(name: str, suffix: str, kit: Kit, tmp_path: Path) -> None:
    model = FORMS[name](kit)
    random = np.random.default_rng(4)
    masks = [(one, random.integers(0, 1, size=one.shape, endpoint=True)) for one in model.weights if "mask" in one.name]
    for layer in model.layers:
        randomized(layer if hasattr(layer, "layers") else model, seed=3)
    for variable, value in masks:
        variable.assign(value)
    model.save(path := tmp_path / f"m.{suffix}")
    source = frontends.load(path)
    events = np.random.default_rng(5).integers(0, 64, size=(16, *model.input_shape[1:])) / 64
    wanted = np.asarray(model(events.astype(np.float32), training=False))
    np.testing.assert_allclose(
        evaluate(source, [events], quantized=True)[source.outputs[0]],
        wanted,
        rtol=0,
        atol=3e-6 * max(1.0, float(np.abs(wanted).max())),
    )
