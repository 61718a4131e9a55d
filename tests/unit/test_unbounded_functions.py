"""Table functions without an upper end: values beyond the index of the table follow the function's line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import Design, Target
from fpgacnn.ir import graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import Codes, Format, parse_format
from fpgacnn.ir.functions import evaluate
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.ir.source import Function, FunctionKind
from fpgacnn.passes.precision import legalize
from fpgacnn.sim.emulator import ReferenceEmulator

UNBOUNDED = (
    Function(kind=FunctionKind.SELU),
    Function(kind=FunctionKind.ELU),
    Function(kind=FunctionKind.ELU, alpha=2.5),
    Function(kind=FunctionKind.ELU, alpha=-0.5),
    Function(kind=FunctionKind.SOFTPLUS),
    Function(kind=FunctionKind.SWISH),
    Function(kind=FunctionKind.GELU),
    Function(kind=FunctionKind.MISH),
    Function(kind=FunctionKind.HARD_SWISH),
    Function(kind=FunctionKind.HARD_SWISH, by_sixths=True),
)


def network(function: Function, form: Format) -> QuantizedModel:
    """An input and a function of it."""
    return QuantizedModel(
        name="m",
        layers=(
            graph.Node(name="x", source="x", operation=hw.Input(format=form), inputs=(), shape=(1,)),
            graph.Node(name="f", source="f", operation=q.Function(function=function), inputs=("x",), shape=(1,)),
        ),
        inputs=("x",),
        outputs=("f",),
        source_digest="",
    )


@pytest.mark.parametrize("text", ["fixed<18,5>", "fixed<20,9>", "fixed<26,14>", "ufixed<20,8>", "fixed<14,14>"])
@pytest.mark.parametrize("function", UNBOUNDED, ids=lambda one: f"{one.kind}{one.alpha:g}{one.by_sixths}")
def test_errors_are_small_however_large_the_input(function: Function, text: str) -> None:
    form = parse_format(text)
    model, planned = legalize(network(function, form))
    random = np.random.default_rng(1)
    near = np.clip(
        random.integers(-(20 << max(form.fraction, 0)), 20 << max(form.fraction, 0), 3000), form.low, form.high
    )
    every = np.concatenate([[form.low, form.high, 0], near, random.integers(form.low, form.high, 3000, endpoint=True)])
    codes = Codes(array=every[:, None], format=form)
    answers = ReferenceEmulator(Design(model=model, plan=planned, target=Target())).run([codes]).outputs["f"].values
    error = float(np.abs(answers - evaluate(function, codes.values)).max())
    assert error <= planned.layers["f"].error
    assert error < 0.02 + np.ldexp(1.0, form.integer - 18)
    assert planned.layers["f"].error < 0.05 + np.ldexp(1.0, form.integer - 15)


def test_an_exponential_keeps_its_small_steps_where_inputs_are_far_below_zero() -> None:
    whole = network(Function(kind=FunctionKind.EXPONENTIAL), parse_format("fixed<24,12>"))
    minus = q.Affine(
        scale=Codes(array=np.array([-1]), format=Format(width=1, integer=1)),
        shift=Codes(array=np.array([0]), format=Format(width=1, integer=1, signed=False)),
        trained=q.Line(scale=np.array([-1.0]), shift=np.zeros(1)),
    )
    relu = replace(whole.layers[1], name="r", operation=q.Relu())
    line = replace(whole.layers[1], name="n", operation=minus, inputs=("r",))
    last = replace(whole.layers[1], inputs=("n",))
    _, planned = legalize(replace(whole, layers=(whole.layers[0], relu, line, last)))
    assert planned.layers["f"].error < 0.01
