"""Piecewise linear functions in front of a quantizer.

Their float32 values meet its ties, and hardware answers as Keras.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.ir.functions import evaluate
from fpgacnn.ir.source import FloatArray, Function, FunctionKind
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate as evaluate_network
from tests.oracle.kit import Kit

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras warns that HDF5 is old

EVENTS = 300
KERAS_3 = {
    "hard_sigmoid": Function(kind=FunctionKind.HARD_SIGMOID, alpha=1 / 6, by_sixths=True, in_float32=True),
    "hard_silu": Function(kind=FunctionKind.HARD_SWISH, by_sixths=True, in_float32=True),
    "hard_tanh": Function(kind=FunctionKind.HARD_TANH),
}


def numbers() -> FloatArray:
    """Numbers in steps of 2^-15 and of 2^-11 around 0."""
    steps = np.arange(-(1 << 17), 1 << 17, dtype=np.float64)
    return np.concatenate([np.ldexp(steps, -15), np.ldexp(steps, -11)])


def test_a_hard_sigmoid_is_that_of_keras_2_bit_for_bit(kit: Kit) -> None:
    function = Function(kind=FunctionKind.HARD_SIGMOID, alpha=float(np.float32(0.2)), in_float32=True)
    answers = np.asarray(kit.keras.activations.hard_sigmoid(kit.keras.backend.constant(numbers())), np.float64)
    assert np.array_equal(evaluate(function, numbers()), answers)


@pytest.mark.parametrize("name", KERAS_3)
def test_a_hard_function_is_that_of_keras_3_bit_for_bit(kit: Kit, name: str) -> None:
    assert kit.keras  # opened before Keras 3, which hides it
    import keras

    answers = np.asarray(getattr(keras.activations, name)(numbers().astype(np.float32)), np.float64)
    assert np.array_equal(evaluate(KERAS_3[name], numbers()), answers)


def functions(kit: Kit) -> list[Any]:
    """Hard functions as layers of Keras 2 and QKeras."""
    return [
        kit.layers.Activation("hard_sigmoid"),
        kit.qkeras.QActivation("hard_sigmoid"),
        kit.qkeras.QActivation("smooth_sigmoid"),
        kit.qkeras.QActivation("hard_tanh"),
        kit.layers.ReLU(6.0),
    ]


def network(kit: Kit, layers: list[Any]) -> Any:
    """Every function before a quantizer: behind a convolution, a normalization and a dense layer."""
    start = kit.layers.Input((4, 4, 2))
    found = []
    for function in layers:
        plain = kit.qkeras.QActivation("quantized_bits(6,1,alpha=1)")(function(kit.convolution(2, 3)(start)))
        found.append(kit.layers.Flatten()(plain))
        again = type(function).from_config(function.get_config() | {"name": f"{function.name}_again"})
        normal = again(kit.layers.BatchNormalization()(kit.convolution(2, 3)(start)))
        normal = kit.qkeras.QActivation("quantized_relu(5,0)")(normal)
        last = type(function).from_config(function.get_config() | {"name": f"{function.name}_last"})
        dense = kit.qkeras.QActivation("quantized_bits(7,0,alpha=1)")(last(kit.dense(3)(kit.layers.Flatten()(normal))))
        found.append(dense)
    model = kit.keras.Model(start, kit.layers.Concatenate()(found))
    random = np.random.default_rng(5)
    for layer in model.layers:
        weights = layer.get_weights()
        if type(layer).__name__ == "BatchNormalization":
            ends = ((0.5, 2.0), (-0.5, 0.5), (-0.5, 0.5), (0.3, 2.0))
            layer.set_weights([random.uniform(*end, 2) for end in ends])
        elif weights:
            layer.set_weights([random.uniform(-1.0, 1.0, one.shape) for one in weights])
    return model


def test_reference_and_emulator_answer_as_keras_on_every_event(kit: Kit, tmp_path: Path) -> None:
    model, form = network(kit, functions(kit)), parse_format("fixed<8,2>")
    model.save(tmp_path / "m.h5")
    codes = np.random.default_rng(6).integers(form.low, form.high, (EVENTS, 4, 4, 2), endpoint=True)
    events = Codes(array=codes, format=form)
    wanted = model.predict(events.values.astype(np.float32), verbose=0)
    source = frontends.load(tmp_path / "m.h5")
    assert np.array_equal(evaluate_network(source, [events.values], quantized=True)[source.outputs[0]], wanted)
    quantized, planned = legalize(quantize(source, inputs=[form]))
    assert [layer.kind for layer in quantized.layers].count(
        "Thresholds"
    ) == 3  # all but Keras' hard sigmoid are exact without
    design = Design(model=quantized, plan=planned, target=Target())
    found = ReferenceEmulator(design).run([events]).outputs[quantized.outputs[0]].values
    assert np.array_equal(found, wanted)


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_hardware_answers_as_keras_on_every_event(kit: Kit, io: str, tmp_path: Path) -> None:
    model = network(kit, [kit.layers.Activation("hard_sigmoid")])
    events = (np.random.default_rng(6).integers(-64, 64, (EVENTS, 4, 4, 2)) / 64).astype(np.float32)
    model.save(tmp_path / "m.h5")
    np.save(tmp_path / "x.npy", events)
    run = fpgacnn.convert(tmp_path / "m.h5", input=tmp_path / "x.npy", output=tmp_path / "p", io=io, csim_events=EVENTS)
    assert run.holds
    assert not run.plan.losses
    got = fpgacnn.simulate(tmp_path / "p", tmp_path / "x.npy")
    assert np.array_equal(next(iter(got.outputs.values())).values, model.predict(events, verbose=0))
