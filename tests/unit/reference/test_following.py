"""The network as read against results that a framework could give: float32 is excused, anything else is not."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.ir import source as src
from fpgacnn.ir.source import SourceLayer, SourceModel
from fpgacnn.sim.compare import READING
from fpgacnn.sim.compare_reading import of_reading
from fpgacnn.sim.follow_layers import differences
from fpgacnn.sim.source_reference import evaluate

RANDOM = np.random.default_rng(3)
KERNEL = RANDOM.normal(size=(6, 6))
INPUTS = np.float32(RANDOM.normal(size=(40, 6))).astype(np.float64)


def network(*, kernel: np.ndarray = KERNEL) -> SourceModel:
    """Dense (with its own quantizer behind it, a part that no framework shows), relu and dense again."""
    bits = src.QuantizedBits(bits=8, integer=2, keep_negative=True, alpha=1.0)
    layers = (
        SourceLayer(name="x", kind="InputLayer", operation=src.Input(), inputs=(), shape=(6,)),
        SourceLayer(
            name="first/0",
            kind="QDense",
            operation=src.Dense(kernel=src.Weight(values=kernel), bias=None),
            inputs=("x",),
            shape=(6,),
        ),
        SourceLayer(
            name="first", kind="QDense", operation=src.Activate(function=bits), inputs=("first/0",), shape=(6,)
        ),
        SourceLayer(
            name="relu", kind="ReLU", operation=src.Activate(function=src.Relu()), inputs=("first",), shape=(6,)
        ),
        SourceLayer(
            name="last",
            kind="Dense",
            operation=src.Dense(kernel=src.Weight(values=KERNEL.T), bias=None),
            inputs=("relu",),
            shape=(6,),
        ),
    )
    return SourceModel(name="n", digest="0", framework="Keras 2", layers=layers, inputs=("x",), outputs=("last",))


def shown(model: SourceModel, inputs: np.ndarray = INPUTS) -> dict[str, np.ndarray]:
    answers = evaluate(model, [inputs], quantized=True)
    return {name: np.float32(answers[name]) for name in ("x", "first", "relu", "last")}


def test_float32_is_no_difference() -> None:
    found = of_reading("Keras 9", [differences(network(), [INPUTS], shown(network()))], required=("last",))
    assert (found.left, found.right, found.holds, found.layers, found.events) == (READING, "Keras 9", True, 4, 40)
    assert (found.values, found.mismatches, found.float32_events) == (4 * 240, 0, 0)
    assert 0 < found.max_abs_difference <= found.allowed < 1e-4


def test_a_layer_that_was_read_wrongly_is_named_and_those_behind_it_are_not() -> None:
    found = of_reading(
        "Keras 9", [differences(network(), [INPUTS], shown(network(kernel=KERNEL[:, ::-1])))], required=("last",)
    )
    assert not found.holds
    assert found.first is not None
    assert found.first.layer == "first"
    assert set(found.differences) <= {"first", "last"}


@pytest.mark.parametrize("layer", ["first", "relu", "last"])
def test_one_wrong_value_among_all_is_found(layer: str) -> None:
    answers = shown(network())
    answers[layer] = answers[layer].copy()
    answers[layer][17, 4] += 0.5
    found = of_reading("Keras 9", [differences(network(), [INPUTS], answers)], required=("last",))
    assert not found.holds
    assert found.first is not None
    assert (found.first.layer, found.first.index) == (layer, (17, 4))


def test_no_number_is_a_difference() -> None:
    answers = shown(network())
    for value in (np.nan, np.inf):
        answers["last"] = answers["last"].copy()
        answers["last"][3, 3] = value
        found = of_reading("Keras 9", [differences(network(), [INPUTS], answers)], required=("last",))
        assert not found.holds
        assert found.first is not None
        assert found.first.index == (3, 3)


def test_a_quantizers_step_next_to_a_threshold_is_excused_and_elsewhere_not() -> None:
    model, inputs = network(kernel=np.eye(6)), INPUTS.copy()
    inputs[5, 2] = 0.5 + 2.0**-6  # the middle between two codes of 2^-5
    answers = shown(model, inputs)
    moved = answers["first"].copy()
    moved[5, 2] += 2.0**-5 if moved[5, 2] < inputs[5, 2] else -(2.0**-5)
    answers["first"] = moved
    answers["relu"] = np.maximum(moved, 0.0)
    answers["last"] = np.float32(answers["relu"] @ KERNEL.T)
    excused = of_reading("Keras 9", [differences(model, [inputs], answers)], required=("last",))
    assert (excused.holds, excused.float32_events, excused.mismatches) == (True, 1, 1)
    inputs[5, 2] += 1e-3
    assert not of_reading("Keras 9", [differences(model, [inputs], answers)], required=("last",)).holds


def test_more_than_a_few_percent_are_not_excused() -> None:
    model, inputs = network(kernel=np.eye(6)), np.full((40, 6), 0.5 + 2.0**-6)
    answers = shown(model, inputs)
    other = np.where(answers["first"] < 0.51, 2.0**-5, -(2.0**-5))
    answers["first"] = answers["first"] + other
    answers["relu"] = np.maximum(answers["first"], 0.0)
    answers["last"] = np.float32(answers["relu"] @ KERNEL.T)
    found = of_reading("Keras 9", [differences(model, [inputs], answers)], required=("last",))
    assert not found.holds
    assert found.first is not None
    assert found.first.layer == "first"


def test_pieces_of_events_add_up() -> None:
    answers = shown(network())
    answers["last"] = answers["last"].copy()
    answers["last"][33, 1] += 1.0
    pieces = [
        differences(
            network(), [INPUTS[start : start + 10]], {name: one[start : start + 10] for name, one in answers.items()}
        )
        for start in range(0, 40, 10)
    ]
    found = of_reading("Keras 9", pieces, required=("last",))
    assert (found.events, found.values, found.holds) == (40, 960, False)
    assert found.first is not None
    assert found.first.index == (33, 1)


def test_a_comparison_without_the_output_proves_nothing() -> None:
    answers = shown(network())
    del answers["last"]
    assert not of_reading("Keras 9", [differences(network(), [INPUTS], answers)], required=("last",)).holds


def test_layers_that_nothing_shows_are_computed_and_their_rounding_carried() -> None:
    answers = {"last": shown(network())["last"]}
    found = of_reading("Keras 9", [differences(network(), [INPUTS], answers)], required=("last",))
    assert (found.holds, found.layers) == (True, 1)
    answers["last"] = answers["last"] + 0.5
    assert not of_reading("Keras 9", [differences(network(), [INPUTS], answers)], required=("last",)).holds
