"""Quantizers with finitely many values behind sums and normalizations.

Hardware answers as QKeras does, event by event.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgacnn
from fpgacnn.ir import source as src
from fpgacnn.ir.functions import evaluate, near_tie
from tests.oracle.kit import Kit

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras warns that HDF5 is old

EVENTS = 300
STEPS = (
    "quantized_relu_po2(4)",
    "quantized_relu_po2(4,4)",
    "quantized_relu_po2(5,negative_slope=0.25)",
    "quantized_po2(5)",
    "quantized_po2(4,max_value=2,quadratic_approximation=True)",
    "quantized_tanh(6,use_real_tanh=True)",
    "quantized_tanh(4,symmetric=True)",
    "quantized_sigmoid(6,use_real_sigmoid=True)",
    "quantized_sigmoid(5)",
    "quantized_tanh(5)",
)
FUNCTIONS = (
    ("quantized_tanh(8,use_real_tanh=True)", src.QuantizedTanh(bits=8, real=True)),
    ("quantized_tanh(5,symmetric=True,use_real_tanh=True)", src.QuantizedTanh(bits=5, symmetric=True, real=True)),
    ("quantized_sigmoid(8,use_real_sigmoid=True)", src.QuantizedSigmoid(bits=8, real=True)),
    ("quantized_po2(5)", src.PowerOfTwo(bits=5)),
    ("quantized_po2(4,max_value=3)", src.PowerOfTwo(bits=4, max_value=3.0)),
    ("quantized_po2(4,log2_rounding='floor')", src.PowerOfTwo(bits=4, floor=True)),
    (
        "quantized_relu_po2(4,4,quadratic_approximation=True)",
        src.PowerOfTwo(bits=4, max_value=4.0, quadratic=True, relu=True),
    ),
    ("quantized_relu_po2(5,negative_slope=0.25)", src.PowerOfTwo(bits=5, relu=True, negative_slope=0.25)),
)


@pytest.mark.parametrize("fraction", [11, 17])
@pytest.mark.parametrize(("text", "function"), FUNCTIONS, ids=[text for text, _ in FUNCTIONS])
def test_the_model_of_a_quantizer_is_qkeras_wherever_float32_is_sure(
    kit: Kit, text: str, function: Any, fraction: int
) -> None:
    values = np.ldexp(np.arange(-(1 << 18), 1 << 18, dtype=np.float64), -fraction)
    quantizer = kit.qkeras.get_quantizer(text)
    answers = np.asarray(quantizer(values.astype(np.float32)), np.float64)
    sure = ~near_tie(function, values, None)
    assert sure.mean() > 0.999
    assert np.array_equal(answers[sure], evaluate(function, values)[sure])


def network(kit: Kit) -> Any:
    """Every step quantizer behind a convolution.

    The odd ones behind a normalized one and a dense layer; all answers side by side.
    """
    start = kit.layers.Input((6, 6, 2))
    found = []
    for number, text in enumerate(STEPS):
        x = kit.convolution(2, 3)(start)
        x = kit.qkeras.QActivation(text, name=f"plain{number}")(x)
        found.append(kit.layers.Flatten()(x))
        if number % 2 == 0:
            continue
        x = kit.convolution(2, 3, strides=3)(start)
        x = kit.layers.BatchNormalization()(x)
        x = kit.qkeras.QActivation(text, name=f"normal{number}")(x)
        x = kit.dense(3)(kit.layers.Flatten()(x))
        found.append(kit.qkeras.QActivation(text, name=f"dense{number}")(x))
    model = kit.keras.Model(start, kit.layers.Concatenate()(found))
    random = np.random.default_rng(5)
    for layer in model.layers:
        weights = layer.get_weights()
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights(
                [
                    random.uniform(0.5, 2.0, 2),
                    random.normal(0, 0.5, 2),
                    random.normal(0, 0.5, 2),
                    random.uniform(0.3, 2.0, 2),
                ]
            )
        elif weights:
            layer.set_weights([random.uniform(-1.0, 1.0, one.shape) for one in weights])
    return model


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_hardware_answers_as_qkeras_on_every_event(kit: Kit, io: str, tmp_path: Path) -> None:
    model = network(kit)
    events = (np.random.default_rng(6).integers(-64, 64, (EVENTS, 6, 6, 2)) / 64).astype(np.float32)
    model.save(tmp_path / "m.h5")
    np.save(tmp_path / "x.npy", events)
    run = fpgacnn.convert(tmp_path / "m.h5", input=tmp_path / "x.npy", output=tmp_path / "p", io=io, csim_events=EVENTS)
    assert run.holds
    assert not run.plan.losses
    kinds = [decision.kind for decision in run.plan.decisions]
    assert kinds.count("Thresholds") == 15
    assert "Lookup" not in kinds
    got = fpgacnn.simulate(tmp_path / "p", tmp_path / "x.npy")
    assert np.array_equal(next(iter(got.outputs.values())).values, model.predict(events, verbose=0))


SUMS = (
    "quantized_relu_po2(4,4)",
    "quantized_po2(5)",
    "quantized_tanh(6,use_real_tanh=True)",
    "quantized_sigmoid(6,use_real_sigmoid=True)",
    "quantized_sigmoid(5)",
)


def behind_merges_and_means(kit: Kit) -> Any:
    """Step quantizers behind an Add, a mean of nine values and a mean of four; all answers side by side."""
    start = kit.layers.Input((4, 4, 2))
    found = []
    for text in SUMS:
        added = kit.layers.Add()([kit.convolution(2, 2)(start), kit.convolution(2, 2)(start)])
        nine = kit.layers.GlobalAveragePooling2D()(kit.convolution(2, 2)(start))
        four = kit.layers.AveragePooling2D(2)(kit.convolution(2, 2, padding="same")(start))
        found += [kit.layers.Flatten()(kit.qkeras.QActivation(text)(one)) for one in (added, four)]
        found.append(kit.qkeras.QActivation(text)(nine))
    model = kit.keras.Model(start, kit.layers.Concatenate()(found))
    random = np.random.default_rng(5)
    for layer in model.layers:
        layer.set_weights([random.uniform(-1.0, 1.0, one.shape) for one in layer.get_weights()])
    return model


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_steps_behind_merges_and_means_are_exact(kit: Kit, io: str, tmp_path: Path) -> None:
    model = behind_merges_and_means(kit)
    events = (np.random.default_rng(6).integers(-64, 64, (EVENTS, 4, 4, 2)) / 64).astype(np.float32)
    model.save(tmp_path / "m.h5")
    np.save(tmp_path / "x.npy", events)
    run = fpgacnn.convert(tmp_path / "m.h5", input=tmp_path / "x.npy", output=tmp_path / "p", io=io, csim_events=EVENTS)
    assert run.holds
    assert not run.plan.losses
    got = fpgacnn.simulate(tmp_path / "p", tmp_path / "x.npy")
    assert np.array_equal(next(iter(got.outputs.values())).values, model.predict(events, verbose=0))
