"""Widths from data: few bits where they suffice, more where noise is loud, and the ratio that was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.ir import source as src
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.widths.widths import Part, Widths, fitted, is_float, points, signed
from fpgacnn.pipeline.calibration import MOST_BITS, Calibration, calibrate, judged, multiplications
from tests.support.files import entry, sequential_file

SEED = 17
EVENTS = np.random.default_rng(SEED).normal(size=(80, 6, 6, 1))


def floats(*shape: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng([SEED, *shape])
    return {
        "kernel:0": random.normal(scale=0.4, size=shape).astype(np.float32),
        "bias:0": random.normal(size=shape[-1:]).astype(np.float32),
    }


@pytest.fixture
def network(tmp_path: Path) -> SourceModel:
    layers = (
        entry("Conv2D", "conv", filters=3, kernel_size=[3, 3], activation="relu", weights=floats(3, 3, 1, 3)),
        entry("AveragePooling2D", "pool", pool_size=[2, 2]),
        entry("Flatten", "flatten"),
        entry("Dense", "hidden", units=5, activation="relu", weights=floats(12, 5)),
        entry("Dense", "last", units=3, activation="softmax", weights=floats(5, 3)),
    )
    return frontends.load(sequential_file(tmp_path / "float.h5", *layers, shape=(6, 6, 1)))


def search(network: SourceModel, sqnr_db: float) -> Calibration:
    return calibrate(network, [EVENTS], None, sqnr_db)


@pytest.mark.parametrize("sqnr_db", [20.0, 35.0, 60.0, 90.0])
def test_the_answers_are_as_near_as_was_asked_and_not_much_nearer(network: SourceModel, sqnr_db: float) -> None:
    found = search(network, sqnr_db)
    assert sqnr_db <= found.sqnr_db < sqnr_db + 6.0


def test_every_point_has_a_quantizer_of_its_own_width(network: SourceModel) -> None:
    found = search(network, 40.0)
    assert set(found.bits) == set(points(network))
    assert not is_float(found.network)
    assert found.fewest < found.most


def test_a_nearer_answer_costs_more_bits(network: SourceModel) -> None:
    totals = [sum(search(network, ratio).bits.values()) for ratio in (20.0, 40.0, 60.0)]
    assert totals == sorted(set(totals))


def test_multiplications_are_counted_for_one_event(network: SourceModel) -> None:
    counts = {
        layer.kind: multiplications(network, layer.name)
        for layer in network.layers
        if isinstance(layer.operation, src.Linear)
    }
    assert counts == {"Conv2D": 4 * 4 * 27, "Dense": 15}


def test_what_cannot_be_reached_gets_the_most_bits(network: SourceModel) -> None:
    found = search(network, 1000.0)
    assert found.most <= MOST_BITS
    assert found.sqnr_db > 100.0


def test_with_bits_only_the_ranges_come_from_data(network: SourceModel) -> None:
    found = calibrate(network, [EVENTS], Widths(bits=9), 40.0)
    assert set(found.bits.values()) == {9}


def test_integer_bits_that_the_user_gives_count_the_sign(network: SourceModel) -> None:
    found = calibrate(network, [EVENTS], Widths(bits=9, integer=4), 40.0)
    functions = [
        layer.operation.function for layer in found.network.layers if isinstance(layer.operation, src.Activate)
    ]
    assert {function.integer for function in functions if isinstance(function, src.QuantizedRelu)} == {3}


def test_a_softmax_is_judged_by_its_logits(network: SourceModel) -> None:
    (name,) = judged(network)
    assert network.layer(network.outputs[0]).inputs == (name,)


def test_a_few_large_values_are_clipped_where_that_costs_less_than_a_coarser_step(network: SourceModel) -> None:
    values = np.concatenate([np.random.default_rng(SEED).uniform(-1, 1, 100_000), [3.9]])
    layer = network.layer(network.inputs[0])
    assert fitted(layer, Part.KERNEL, 4, values) == signed(4, 0)
    assert fitted(layer, Part.KERNEL, 16, values) == signed(16, 2)


def test_one_event_is_enough_to_calibrate_on(network: SourceModel) -> None:
    assert calibrate(network, [EVENTS[:1]], None, 30.0).sqnr_db >= 30.0
