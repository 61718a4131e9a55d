"""Layers called in any order and any number of times, as Keras writes them: each finds its weights and its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.sim.source_reference import evaluate
from tests.oracle.kit import Kit

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot

FORMATS = ("h5", "keras")


def agrees(model: Any, path: Path) -> bool:
    model.save(path)
    random, network = np.random.default_rng(1), frontends.load(path)
    x = [random.normal(size=(5, *one.shape[1:])).astype(np.float32) for one in model.inputs]
    found = evaluate(network, x, quantized=True)[network.outputs[0]]
    return bool(np.allclose(found, model.predict(x, verbose=0), rtol=1e-4, atol=1e-4))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("times", [1, 2])
def test_an_input_layer_called_on_itself(kit: Kit, tmp_path: Path, form: str, times: int) -> None:
    first = kit.layers.InputLayer((4,), name="first")
    x = first.output
    for _ in range(times):
        x = first(x)
    y = kit.layers.Add()([kit.layers.Dense(4)(x), first.output])
    assert agrees(kit.keras.Model(first.output, y), tmp_path / f"m.{form}")


@pytest.mark.parametrize("form", FORMATS)
def test_an_input_layer_called_on_other_tensors(kit: Kit, tmp_path: Path, form: str) -> None:
    first, second = kit.layers.InputLayer((4,), name="first"), kit.layers.InputLayer((4,), name="second")
    y = kit.layers.Dense(4)(second(kit.layers.Dense(4)(first.output)))
    y = kit.layers.Subtract()([second.output, first(y)])
    assert agrees(kit.keras.Model([first.output, second.output], y), tmp_path / f"m.{form}")


@pytest.mark.parametrize("form", FORMATS)
def test_an_input_layer_in_the_middle_of_a_sequential_model(kit: Kit, tmp_path: Path, form: str) -> None:
    model = kit.keras.Sequential(
        [kit.layers.Input((4,)), kit.layers.Dense(4), kit.layers.InputLayer((4,), name="again"), kit.layers.Dense(2)]
    )
    assert agrees(model, tmp_path / f"m.{form}")


def woven(kit: Kit, seed: int) -> Any:
    """Dense layers of one shape and a model of two more, called again and again on what was made so far."""
    random = np.random.default_rng(seed)
    kit.keras.utils.set_random_seed(seed)
    inputs = [kit.layers.Input((3,)) for _ in range(2)]
    inner = kit.keras.Sequential([kit.layers.Input((3,)), kit.layers.Dense(3), kit.layers.Dense(3)])
    shared, made = [*(kit.layers.Dense(3) for _ in range(4)), inner], list(inputs)
    for _ in range(8):
        made.append(shared[random.integers(5)](made[random.integers(max(0, len(made) - 4), len(made))]))
        if random.integers(3) == 0:
            made.append(kit.layers.Add()([made[random.integers(len(made))], made[-1]]))
    return kit.keras.Model(inputs, kit.layers.Add()([*made[-3:], *inputs]))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("seed", [33, *range(5)])
def test_layers_of_equal_shapes_are_not_exchanged(kit: Kit, tmp_path: Path, seed: int, form: str) -> None:
    """In network 33 a layer of the file's list waits for a later one.

    Weights by position must keep the file's order.
    """
    assert agrees(woven(kit, seed), tmp_path / f"m.{form}")
