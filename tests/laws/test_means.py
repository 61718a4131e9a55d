"""Means in front of a quantizer answer as exact fractions do, ties included."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, parse_format, requantize
from fpgacnn.ir.interval import Interval
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.precision.exact_steps.average_rounding import on_grid
from fpgacnn.passes.quantization import quantize
from fpgacnn.passes.quantization.constants import affine
from fpgacnn.sim.compare import against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import entry, functional_file, input_layer


@pytest.mark.parametrize("divisor", [3, 5, 6, 7, 9, 25, 49, 100, 1023])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (-1.0, 0.0), (0.25, 0.375), (8.0, -1.5)])
@pytest.mark.parametrize("to", ["fixed<9,5,RND_CONV,SAT>", "ufixed<4,7,RND_CONV,SAT>", "fixed<11,2,RND_CONV,SAT_SYM>"])
def test_every_sum_lands_on_the_code_of_exact_arithmetic(divisor: int, scale: float, shift: float, to: str) -> None:
    fraction, form = 3, parse_format(to)
    sums = np.arange(-1500, 1501)
    made = on_grid(
        affine(np.array([scale]), np.array([shift]), divisor),
        Interval(low=sums[:1], high=sums[-1:], fraction=fraction),
        form,
    )
    assert made is not None
    assert made.format is not None
    product = fraction + made.scale.format.fraction
    common = max(product, made.shift.format.fraction)
    values = ((sums * made.scale.array) << (common - product)) + (
        made.shift.array << (common - made.shift.format.fraction)
    )
    seen = requantize(requantize(values, common, made.format), made.format.fraction, form)
    exact = [
        round((Fraction(int(one), 8) * Fraction(scale) / divisor + Fraction(shift)) * Fraction(2) ** form.fraction)
        for one in sums
    ]
    assert np.array_equal(seen, np.clip(exact, form.low, form.high))


def test_a_scale_that_is_no_short_number_has_no_grid() -> None:
    interval = Interval(low=np.array([-9]), high=np.array([9]), fraction=0)
    form = Format(width=8, integer=4, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
    assert on_grid(affine(np.array([0.3]), np.zeros(1), 3), interval, form) is None
    assert on_grid(affine(np.ones(1), np.zeros(1), 1), interval, form) is None


def assert_lossless_and_equal(network: src.SourceModel, text: str, shape: tuple[int, ...]) -> None:
    form = parse_format(text)
    model, planned = legalize(quantize(network, inputs=[form] * len(network.inputs)))
    design = Design(model=model, plan=planned, target=Target())
    assert design.plan.is_lossless
    random = np.random.default_rng(5)
    codes = [
        Codes(array=random.integers(form.low, form.high, size=(400, *shape), endpoint=True), format=form)
        for _ in network.inputs
    ]
    reference = evaluate(network, [one.values for one in codes], quantized=True)
    report = against_reference(design, ReferenceEmulator(design).run(codes, trace=True), reference, name="network")
    assert report.holds, report.first


@pytest.mark.parametrize("inputs", [3, 5])
@pytest.mark.parametrize(
    "quantizer", ["quantized_bits(7,2,alpha=1)", "quantized_relu(6,2)", "quantized_bits(14,4,alpha=1)"]
)
def test_a_merge_that_averages_odd_numbers_of_tensors_is_lossless(tmp_path: Path, inputs: int, quantizer: str) -> None:
    names = [f"x{number}" for number in range(inputs)]
    layers = (
        *(input_layer(name, 4) for name in names),
        entry("Average", "m", *names),
        entry("QActivation", "q", "m", activation=quantizer),
    )
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=names, outputs=["q"]))
    assert_lossless_and_equal(network, "fixed<7,3>", (4,))


def uniform(step: float, low: float, high: float) -> src.Activate:
    return src.Activate(function=src.Uniform(scale=np.array([step]), low=np.array([low]), high=np.array([high])))


@pytest.mark.parametrize("step", [0.0625, 0.125, 0.5])
@pytest.mark.parametrize("size", [(3, 3), (1, 5), (2, 3)])
def test_a_mean_between_uniform_quantizers_is_lossless(step: float, size: tuple[int, int]) -> None:
    rows, columns = 6 // size[0], 5 // size[1]
    pool = src.Pool(kind=src.PoolKind.AVERAGE, size=size, strides=size, pads=(0, 0, 0, 0))
    layers = (
        src.SourceLayer(name="x", kind="Input", operation=src.Input(), inputs=(), shape=(6, 5, 2)),
        src.SourceLayer(name="q", kind="Quant", operation=uniform(0.125, -32, 31), inputs=("x",), shape=(6, 5, 2)),
        src.SourceLayer(name="p", kind="AveragePool", operation=pool, inputs=("q",), shape=(rows, columns, 2)),
        src.SourceLayer(
            name="r", kind="Quant", operation=uniform(step, -64, 63), inputs=("p",), shape=(rows, columns, 2)
        ),
    )
    network = src.SourceModel(name="m", digest="0", framework="ONNX", layers=layers, inputs=("x",), outputs=("r",))
    assert_lossless_and_equal(network, "fixed<9,4>", (6, 5, 2))
