"""Scales in front of 1-bit quantizers, and helper nodes whose names a network already has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fpgacnn.design import Design, Target
from fpgacnn.ir import graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding
from fpgacnn.passes.precision.legalize import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.passes.quantization.constants import affine
from fpgacnn.sim.emulator import ReferenceEmulator

CODES = np.array([[8, 9], [12, 16], [4, -4], [20, 24], [1, 7], [-1, 0], [127, -128]])


def weight(values: Sequence[float]) -> src.Weight:
    return src.Weight(values=np.array(values, float), quantizer=None)


def normalization(gain: Sequence[float], shift: Sequence[float]) -> src.BatchNormalization:
    statistics = src.Statistics(
        gamma=weight(gain), beta=weight(shift), mean=weight([0, 0]), variance=weight([1, 1]), epsilon=0.0
    )
    return src.BatchNormalization(statistics=statistics)


def chain(first: str, *operations: tuple[str, src.Operation]) -> src.SourceModel:
    """A network of vectors of two values, one operation behind the other."""
    layers = [src.SourceLayer(name=first, operation=src.Input(), inputs=(), shape=(2,), kind="Input")]
    layers += [
        src.SourceLayer(name=name, operation=operation, inputs=(before,), shape=(2,), kind="Layer")
        for (name, operation), before in zip(operations, [first, *(name for name, _ in operations)], strict=False)
    ]
    return src.SourceModel(
        name="m", digest="", framework="onnx", layers=tuple(layers), inputs=(first,), outputs=(layers[-1].name,)
    )


def answers(network: src.SourceModel, form: Format, codes: NDArray[np.int64]) -> NDArray[np.float64]:
    model, plan = legalize(quantize(network, inputs=[form]))
    emulator = ReferenceEmulator(Design(model=model, plan=plan, target=Target()))
    return emulator.run([Codes(array=codes, format=form)]).outputs[model.outputs[0]].values


def test_an_unsigned_bit_behind_a_scale_is_no_sign() -> None:
    bit = src.Uniform(scale=np.array([1.0]), low=np.array([0.0]), high=np.array([1.0]), rounding=Rounding.TRN)
    network = chain("x", ("bn", normalization([2, 2], [0, 0])), ("bit", src.Activate(function=bit)))
    wanted = np.clip(np.floor(CODES / 16 * 2), 0, 1)
    assert 0 < wanted.sum() < wanted.size
    np.testing.assert_array_equal(answers(network, Format(width=8, integer=4), CODES), wanted)


@pytest.mark.parametrize("first", ["x", "bn_input", "bn_index", "bn_up", "bn_cast"])
def test_an_input_may_have_the_name_of_a_helper_node(first: str) -> None:
    form = Format(width=40, integer=20)
    codes = np.array([[1 << 20, 3 << 20], [5 << 19, -(1 << 20)]])
    found = answers(chain(first, ("bn", normalization([1 / 3, 0.7], [0.1, 0.2]))), form, codes)
    np.testing.assert_allclose(found, codes / 2**20 * np.array([1 / 3, 0.7]) + [0.1, 0.2], atol=0.1)


def test_the_bound_of_a_sign_holds_behind_rounded_weights_and_a_small_scale() -> None:
    """The trained bias may be -0.25, so that the exact sign of 0 is -1; the hardware answers 0."""
    kernel = Codes(array=np.eye(2, dtype=np.int64) * 256, format=Format(width=10, integer=2))
    bias = Codes(array=np.zeros(2, np.int64), format=Format(width=1, integer=1, signed=False))
    dense = q.Linear(sums=hw.Dense(kernel=kernel, bias=bias), errors=q.WeightErrors(kernel=0.0, bias=0.25))
    scale = affine(np.array([0.001, 0.001]), np.array([0.00002, 0.00002]))
    sign = q.Cast(format=Format(width=1, integer=1, rounding=Rounding.TRN, overflow=Overflow.SAT))

    def layer(name: str, operation: q.Operation, *inputs: str) -> q.Layer:
        return graph.Node(name=name, source=name, operation=operation, inputs=inputs, shape=(2,))

    network = q.QuantizedModel(
        name="m",
        source_digest="",
        layers=(
            layer("x", hw.Input(format=Format(width=4, integer=4, signed=False))),
            layer("d", dense, "x"),
            layer("bn", scale, "d"),
            layer("s", sign, "bn"),
        ),
        inputs=("x",),
        outputs=("s",),
    )
    _, plan = legalize(network)
    assert plan.layers["s"].error >= 1.0
