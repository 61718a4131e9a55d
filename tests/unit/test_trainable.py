"""Quantizers for training: where they stand, and integer bits with the least error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn import frontends
from fpgacnn.ir import source as src
from fpgacnn.ir.source import QuantizedBits, QuantizedRelu
from fpgacnn.passes.widths.trainable import NARROWER, best_integer, least_error, squared_error, trainable_points
from fpgacnn.passes.widths.widths import Part, integer_bits, with_quantizers
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import entry, functional_file, input_layer, linear

VALUES = st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=40).map(np.array)


@given(values=VALUES, bits=st.integers(2, 16), is_signed=st.booleans())
def test_no_other_number_of_integer_bits_makes_a_smaller_error(
    values: np.ndarray, bits: int, *, is_signed: bool
) -> None:
    values = values if is_signed else np.abs(values)
    best, widest = best_integer(values, bits, is_signed=is_signed), integer_bits(values)
    errors = {
        integer: squared_error(values, bits, integer, is_signed=is_signed)
        for integer in range(widest - NARROWER + 1, widest + 1)
    }
    assert widest - NARROWER < best <= widest
    assert errors[best] == min(errors.values())


def test_one_outlier_does_not_take_the_range_of_all_others() -> None:
    values = np.append(np.linspace(-1, 1, 10001), 3.9)
    assert integer_bits(values) == 2
    assert best_integer(values, 4, is_signed=True) == 0


def test_errors_are_those_of_rounding_half_to_even_and_saturating() -> None:
    values = np.array([0.5, 1.5, 9.0, -9.0])
    assert squared_error(values, 4, 3, is_signed=True) == pytest.approx(0.25 + 0.25 + 4.0 + 1.0)
    assert squared_error(np.abs(values), 3, 3, is_signed=False) == pytest.approx(0.25 + 0.25 + 4.0 + 4.0)


def test_everything_that_makes_finer_values_is_rounded_and_what_cannot_be_negative_has_no_sign(tmp_path: Path) -> None:
    layers = (
        input_layer("x", 6, 6, 2),
        entry(
            "Conv2D",
            "conv",
            "x",
            filters=2,
            kernel_size=[3, 3],
            padding="same",
            activation="relu",
            weights=linear(3, 3, 2, 2),
        ),
        entry("Add", "sum", "conv", "x"),
        entry("Activation", "relu", "sum", activation="relu"),
        entry("MaxPooling2D", "max", "relu", pool_size=[2, 2]),
        entry("GlobalAveragePooling2D", "mean", "max"),
        entry("Dense", "hidden", "mean", units=3, activation="tanh", weights=linear(2, 3)),
        entry("Dense", "last", "hidden", units=2, weights=linear(3, 2)),
    )
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["last"]))
    points = trainable_points(network)
    results = [point.layer for point in points if point.part is Part.RESULT]
    assert results == ["conv", "relu", "mean", "hidden"]
    assert sum(point.part is Part.KERNEL for point in points) == 3
    assert sum(point.part is Part.BIAS for point in points) == 3

    events = [np.random.default_rng(1).random((20, 6, 6, 2))]
    chosen = least_error(network, dict.fromkeys(points, 6), evaluate(network, events, quantized=False))
    kinds = {point.layer: type(quantizer) for point, quantizer in chosen.items() if point.part is Part.RESULT}
    assert kinds == {"conv": QuantizedRelu, "relu": QuantizedRelu, "mean": QuantizedRelu, "hidden": QuantizedBits}
    assert all(quantizer.integer >= 0 for point, quantizer in chosen.items() if point.part is Part.RESULT)

    quantized = with_quantizers(network, chosen)
    found, bounded = evaluate(quantized, events, quantized=True), evaluate(network, events, quantized=False)
    assert np.abs(found["last"] - bounded["last"]).max() < 0.5
    functions = [
        layer.name
        for layer in quantized.layers
        if isinstance(layer.operation, src.Activate) and isinstance(layer.operation.function, src.Quantizer)
    ]
    assert functions == ["conv", "relu", "mean/quantized", "hidden/quantized"]
