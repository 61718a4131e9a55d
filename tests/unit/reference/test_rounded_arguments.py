"""Results of a function whose argument float32 rounds: every reachable result, also on both sides of a jump at 0."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.ir import source as src
from fpgacnn.ir.functions import exponent_range, power_of_two
from fpgacnn.ir.source import FloatArray, SourceLayer, SourceModel
from fpgacnn.sim.compare_reading import of_reading
from fpgacnn.sim.float32_ties import follows_in_float32
from fpgacnn.sim.follow_layers import differences
from fpgacnn.sim.rounded_argument import pieces
from fpgacnn.sim.source_reference import evaluate

JUMPS = src.PowerOfTwo(bits=4, max_value=1.0, quadratic=True, floor=True)
FUNCTIONS = [
    JUMPS,
    src.PowerOfTwo(bits=3),
    src.PowerOfTwo(bits=4, relu=True),
    src.PowerOfTwo(bits=5, relu=True, negative_slope=0.25, quadratic=True),
]
EVENTS = 100


def layer_of(function: src.Activation) -> SourceLayer:
    return SourceLayer(
        name="end", kind="QDense", operation=src.Activate(function=function), inputs=("end/0",), shape=(1,)
    )


def levels(function: src.PowerOfTwo) -> FloatArray:
    """Every result that the quantizer can have, and 0."""
    low, high = exponent_range(function)
    powers = np.exp2([low, *np.arange(low, high + 1) * (2 if function.quadratic else 1)])
    return np.concatenate([-powers, [0.0], powers])


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
@pytest.mark.parametrize("slack", [1e-8, 2e-7, 2e-5])
def test_a_level_is_in_a_piece_exactly_if_an_argument_within_the_rounding_has_it(
    function: src.PowerOfTwo, slack: float
) -> None:
    random = np.random.default_rng(7)
    arguments = np.concatenate([[0.0, slack / 2], random.uniform(-3e-5, 3e-5, 40), random.normal(0, 1.0, 40)])
    found = pieces(layer_of(function), arguments.reshape(-1, 1), np.full(1, slack))
    for number, argument in enumerate(arguments):
        tiny = np.array([0.0, 1e-7, -1e-7, -4e-7]) + np.linspace(-1e-12, 1e-12, 5).reshape(-1, 1)
        near = np.concatenate([np.linspace(-slack, slack, 4001) + argument, tiny.ravel()])
        near = near[(near >= argument - slack) & (near <= argument + slack)]
        reached = set(power_of_two(function, near))
        inside = {
            level
            for level in levels(function)
            if any(min(one[number], two[number]) <= level <= max(one[number], two[number]) for one, two in found)
        }
        assert inside == reached, argument


def network() -> SourceModel:
    """A sum that no framework shows, and powers of two of it: 0 has the code of a small number above it."""
    start = SourceLayer(name="x", kind="InputLayer", operation=src.Input(), inputs=(), shape=(3,))
    kernel = src.Weight(values=np.array([[0.7], [0.7], [-0.7]]))
    dense = SourceLayer(
        name="end/0", kind="QDense", operation=src.Dense(kernel=kernel, bias=None), inputs=("x",), shape=(1,)
    )
    return SourceModel(
        name="n", digest="0", framework="Keras 2", layers=(start, dense, layer_of(JUMPS)), inputs=("x",),
        outputs=("end",),
    )  # fmt: skip


def given() -> FloatArray:
    """Events (events, 3) of numbers; the sum of event 5 is 0."""
    inputs = np.random.default_rng(1).integers(1, 8, (EVENTS, 3)) / 8.0
    inputs[5] = 0.25, 0.5, 0.75
    return inputs


@pytest.mark.parametrize("theirs", [-(2.0**-8), 2.0**-8, 2.0**-16, -(2.0**-16)])
def test_a_sum_of_0_that_float32_puts_on_another_side_is_a_tie(theirs: float) -> None:
    answers = {"end": evaluate(network(), [given()], quantized=True)["end"].copy()}
    answers["end"][5] = theirs
    assert follows_in_float32(network(), [given()], answers).all()
    assert of_reading("Keras 9", [differences(network(), [given()], answers)], required=("end",)).holds


@pytest.mark.parametrize("theirs", [-(2.0**-4), 2.0**-4, 2.0**-6, -(2.0**-6), 0.0015])
def test_another_step_at_0_is_no_tie(theirs: float) -> None:
    answers = {"end": evaluate(network(), [given()], quantized=True)["end"].copy()}
    answers["end"][5] = theirs
    assert list(np.flatnonzero(~follows_in_float32(network(), [given()], answers))) == [5]


@pytest.mark.parametrize("theirs", [-(2.0**-8), 2.0**-2, -1.0])
def test_a_step_away_from_0_is_no_tie(theirs: float) -> None:
    answers = {"end": evaluate(network(), [given()], quantized=True)["end"].copy()}
    event = int(np.flatnonzero(answers["end"][:, 0] == 2.0**-4)[0])
    answers["end"][event] = theirs
    assert list(np.flatnonzero(~follows_in_float32(network(), [given()], answers))) == [event]
    assert not of_reading("Keras 9", [differences(network(), [given()], answers)], required=("end",)).holds
