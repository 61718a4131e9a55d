"""Laws of error bounds: an input that is off by so much moves no answer further than the bound says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.ir import graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, parse_format, quantize_values, requantize
from fpgacnn.ir.functions import evaluate
from fpgacnn.ir.interval import Interval
from fpgacnn.passes.precision import bounds, function_tables, legalize, nodes
from fpgacnn.passes.precision.planner import Planner
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim import source_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.laws.test_interval import formats, intervals, members
from tests.support.files import entry, sequential_file

HALF_TO_EVEN = Format(width=8, integer=6, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)


@given(interval=intervals(), to=formats(), apart=st.integers(1, 40))
@example(interval=Interval(low=np.array([0]), high=np.array([64]), fraction=4), to=HALF_TO_EVEN, apart=4)
@example(interval=Interval(low=np.array([0]), high=np.array([1]), fraction=0), to=Format(width=3, integer=3), apart=7)
def test_a_cast_carries_two_numbers_no_further_apart_than_it_says(interval: Interval, to: Format, apart: int) -> None:
    found = bounds.cast(bounds.ranged(interval, apart * 2.0**-interval.fraction), to)
    codes = members(interval)
    one = requantize(codes, interval.fraction, to)
    for distance in range(-apart, apart + 1):
        other = requantize(codes + distance, interval.fraction, to)
        assert np.abs(one - other).max() * to.step <= found.error


FUNCTIONS = [
    *(src.Function(kind=kind) for kind in src.FunctionKind),
    src.Function(kind=src.FunctionKind.ELU, alpha=5.0),
    src.QuantizedTanh(bits=4, real=True),
    src.QuantizedSigmoid(bits=4, real=True),
    src.PowerOfTwo(bits=4, max_value=2.0),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
@pytest.mark.parametrize("form", ["fixed<6,2>", "ufixed<4,-2>", "fixed<13,4>"])
@pytest.mark.parametrize("error", [0.0, 0.01, 0.7])
def test_a_table_lies_no_further_from_its_function_than_it_says(function: q.Function, form: str, error: float) -> None:
    given_form = parse_format(form)
    codes = np.arange(given_form.low, given_form.high + 1)
    interval = Interval(low=codes[:1], high=codes[-1:], fraction=given_form.fraction)
    table = function_tables.build(q.Function(function=function), interval, given_form, error, layer="t")
    entries = table.lookup.table.values
    values = codes * given_form.step
    width = given_form.width if table.index is None else table.index.width
    index = codes if table.index is None else quantize_values(values, table.index)
    answers = entries[index & ((1 << width) - 1)]
    for off in np.linspace(-error, error, 9):
        line = 0.0 if table.line is None else table.line * np.maximum(values + off, 0.0)
        assert np.abs(answers + line - evaluate(function, values + off)).max() <= table.lookup.error + 1e-12


@pytest.mark.parametrize("ends", [(7.5, 7.9), (100.0, 1000.0), (-1000.0, -100.0), (-9.0, -8.5), (31.0, 900.0)])
@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
@pytest.mark.parametrize("error", [0.0, 0.7])
def test_a_table_that_inputs_hardly_reach_is_no_better_than_it_says(
    function: src.Function, ends: tuple[float, float], error: float
) -> None:
    form = Format(width=24, integer=12)
    low, high = (int(end / form.step) for end in ends)
    if evaluate(function, np.array(ends)).max() > 1e6:
        pytest.skip("an exponential has no table so large")
    interval = Interval(low=np.array([low]), high=np.array([high]), fraction=form.fraction)
    table = function_tables.build(q.Function(function=function), interval, form, error, layer="t")
    assert table.index is not None
    values = np.linspace(low, high, 2001).round() * form.step
    answers = table.lookup.table.values[quantize_values(values, table.index) & ((1 << table.index.width) - 1)]
    line = 0.0 if table.line is None else table.line
    for off in (-error, 0.0, error):
        wanted = evaluate(function, values + off) - line * np.maximum(values + off, 0.0)
        assert np.abs(answers - wanted).max() <= table.lookup.error + 1e-12


@pytest.mark.parametrize("gamma", [1e-30, -1e-30, 0.0])
@pytest.mark.parametrize("beta", [0.5, -0.5])
def test_a_sign_behind_a_scale_of_next_to_nothing_is_that_of_the_shift(
    tmp_path: Path, gamma: float, beta: float
) -> None:
    weights = {
        "gamma": np.array([gamma, 1.0]),
        "beta": np.array([beta, 0.0]),
        "moving_mean": np.zeros(2),
        "moving_variance": np.ones(2),
    }
    layers = (
        entry("BatchNormalization", "n", weights=weights),
        entry("QActivation", "b", activation="binary(alpha=1)"),
    )
    network, form = frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(2,))), parse_format("fixed<6,2>")
    model, planned = legalize(quantize(network, inputs=[form]))
    design = Design(model=model, plan=planned, target=Target())
    codes = Codes(array=np.tile(np.arange(form.low, form.high + 1)[:, None], 2), format=form)
    answers = ReferenceEmulator(design).run([codes]).outputs[model.outputs[0]].values
    assert np.array_equal(answers, source_reference.evaluate(network, [codes.values], quantized=True)["b"])
    assert np.all(answers[:, 0] == np.sign(beta))


@pytest.mark.parametrize("kind", src.FunctionKind)
@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_no_function_is_steeper_than_its_slope_says(kind: src.FunctionKind, alpha: float) -> None:
    function = src.Function(kind=kind, alpha=alpha)
    points = np.linspace(-12.0, 12.0, 240_001)
    answers = evaluate(function, points)
    steepest, claimed = (
        float(np.abs(np.diff(answers)).max() / np.diff(points).min()),
        function_tables._slope(function, float(answers.max())),
    )
    assert 0.98 * claimed < steepest * (1 + 1e-3)
    assert steepest <= claimed * (1 + 1e-6)


def test_a_tensor_taken_from_itself_is_exact_and_its_sums_add_up() -> None:
    planner, form = Planner(), Format(width=8, integer=4)
    x: nodes.Node = graph.Node(name="x", source="x", operation=hw.Input(format=form), inputs=(), shape=(3,))
    half = Codes(array=np.ones(3, np.int64), format=Format(width=2, integer=1))
    zero = Codes(array=np.zeros(3, np.int64), format=Format(width=1, integer=1))
    line = nodes.PlannedAffine(scale=half, shift=zero, trained=q.Line(scale=half.values, shift=zero.values))
    planner.add(x)
    planner.bounds["x"] = bounds.ranged(planner.bounds["x"].interval, 0.25)
    planner.add(replace(x, name="half", operation=line, inputs=("x",)))
    for kind, inputs, error in (
        (src.MergeKind.SUBTRACT, ("x", "x"), 0.0),
        (src.MergeKind.ADD, ("x", "x"), 0.5),
        (src.MergeKind.SUBTRACT, ("x", "half"), 0.125),
        (src.MergeKind.AVERAGE, ("half", "x"), 0.1875),
        (src.MergeKind.MAXIMUM, ("x", "half"), 0.25),
    ):
        planner.add(replace(x, name=f"{kind}{inputs}", operation=hw.Merge(kind=kind), inputs=inputs))
        assert planner.bounds[f"{kind}{inputs}"].error == planner.decided[f"{kind}{inputs}"].error == error
