"""Every operation on both engines and both io types: the codes are equal, not close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
import pytest

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.hardware.hls.reuse import legal_factors
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, exact_codes, parse_format
from fpgacnn.ir.interval import Interval
from fpgacnn.passes.precision import fold_casts
from fpgacnn.passes.precision.bounds import ranged
from fpgacnn.passes.precision.exact_steps import thresholds
from fpgacnn.passes.precision.exact_steps.step_functions import StepFunction
from fpgacnn.passes.precision.nodes import PlannedThresholds
from fpgacnn.sim.compare import compare
from fpgacnn.sim.csim import CSim
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support import networks
from tests.support.networks import Builder

pytestmark = pytest.mark.agree

EVENTS = 60

FAMILIES: dict[str, Callable[[Builder, IoType], None]] = {
    "linear layers": lambda build, _: networks.linear_layers(build),
    "wide layers": lambda build, _: networks.wide_layers(build),
    "odd accumulators": lambda build, _: networks.odd_accumulators(build),
    "casts": lambda build, _: networks.casts(build),
    "elementwise": lambda build, _: networks.elementwise(build),
    "step functions": lambda build, _: networks.step_functions(build),
    "shapes": lambda build, _: networks.shapes(build),
    "moves": lambda build, _: networks.moves(build),
    "many readers": lambda build, _: networks.many_readers(build),
    "pooling": networks.pooling,
    "softmaxes": lambda build, _: networks.softmaxes(build),
}


def assert_engines_agree(build: Builder, io: IoType, *, folds: bool = False, **target: object) -> None:
    design = build.design(io, **target)
    if folds:
        model, plan = fold_casts(design.model, design.plan)
        assert len(model.layers) < len(design.model.layers)
        design = replace(design, model=model, plan=plan)
    codes = build.events(EVENTS)
    project = convert(design, trace=True)
    actual = CSim(project, design).run(codes, trace=True)
    expected = ReferenceEmulator(design).run(codes, trace=True)
    report = compare(actual, expected)
    assert report.first is None, report
    assert report.holds
    for name, codes_ in expected.outputs.items():
        assert len(np.unique(codes_.array)) > 1, f"{name} is constant, so nothing was compared"


@pytest.mark.parametrize("io", IoType)
@pytest.mark.parametrize("family", FAMILIES)
def test_engines_agree(family: str, io: IoType) -> None:
    build = Builder(seed=11)
    FAMILIES[family](build, io)
    assert_engines_agree(build, io)


@pytest.mark.parametrize(
    ("io", "backend", "strategy"),
    [
        (IoType.STREAM, BackendName.VITIS, Strategy.RESOURCE),
        (IoType.PARALLEL, BackendName.VIVADO, Strategy.LATENCY),
    ],
)
def test_every_sum_casts_to_the_type_of_the_layer_that_is_folded_into_it(
    io: IoType, backend: BackendName, strategy: Strategy
) -> None:
    build = Builder(seed=17)
    networks.sums_and_casts(build)
    assert_engines_agree(build, io, folds=True, backend=backend, strategy=strategy, reuse=2)


def test_casts_before_moves_agree_with_the_code() -> None:
    build = Builder(seed=23)
    networks.casts_behind_moves(build)
    assert_engines_agree(build, IoType.STREAM, folds=True)


@pytest.mark.parametrize("io", IoType)
def test_a_scale_of_1_and_a_shift_of_0_are_a_cast(io: IoType) -> None:
    """hls4ml removes such a normalization, whatever it rounds; a format of its own, that of its input, and none."""
    build = Builder(seed=16)
    ones, zeros = np.ones(3), np.zeros(3)
    for form in ("fixed<4,2,RND,SAT>", "fixed<8,3>", None):
        scale, shift = exact_codes(ones), exact_codes(zeros)
        assert scale is not None
        assert shift is not None
        line = hw.Affine(
            scale=scale,
            shift=shift,
            format=None if form is None else parse_format(form),
        )
        build.end(build.affine(build.add(line, (4, 3), build.input((4, 3), "fixed<8,3>")), (4, 3)))
        build.end(build.add(line, (4, 3), build.affine(build.input((4, 3), "fixed<8,3>"), (4, 3))))
    assert_engines_agree(build, io)


@pytest.mark.parametrize("io", IoType)
def test_engines_agree_with_the_resource_strategy(io: IoType) -> None:
    build = Builder(seed=12)
    networks.linear_layers(build)
    assert_engines_agree(build, io, strategy=Strategy.RESOURCE, reuse=2)


@pytest.mark.parametrize("io", IoType)
def test_step_functions_behind_sums_of_60_bits_change_at_the_same_codes(io: IoType) -> None:
    """Each sum is `first * 2^27 + second`, so that inputs are chosen for the sums on both sides of every threshold."""
    build = Builder(seed=29)
    weights = Codes(array=np.array([[1 << 27], [1]]), format=parse_format("fixed<30,4>"))
    zero = Codes(array=np.zeros(1, np.int64), format=parse_format("fixed<2,1>"))
    given = build.input((2,), "fixed<32,6>")
    sums = build.add(hw.Dense(kernel=weights, bias=zero), (1,), given)
    build.end(sums)
    form = build.design(io).plan.layers[sums].result.format
    assert (form.width, form.fraction) == (60, 52)
    reached = ranged(Interval(low=np.array([form.low]), high=np.array([form.high]), fraction=form.fraction), 0.0)
    build.outputs.clear()
    edges = []
    for function in (src.PowerOfTwo(bits=4, relu=True, max_value=32.0), src.QuantizedTanh(bits=5)):
        steps = thresholds.build(StepFunction(function=q.Function(function=function)), reached, form, 1)
        assert isinstance(steps, PlannedThresholds)
        build.end(build.add(hw.Thresholds(thresholds=steps.thresholds, values=steps.values), (1,), sums))
        edges.append(steps.thresholds.array.ravel())
    assert [int(edge.max()).bit_length() for edge in edges] == [57, 52]
    wanted = np.concatenate(
        [(edge.reshape(-1, 1) + np.arange(-1, 2)).ravel() for edge in edges] + [[form.low >> 1, 1 << 57]]
    )
    events = np.stack([wanted >> 27, wanted & ((1 << 27) - 1)], axis=1)
    codes = [Codes(array=events, format=parse_format("fixed<32,6>"))]
    design = build.design(io)
    expected = ReferenceEmulator(design).run(codes)
    assert compare(CSim(convert(design), design).run(codes), expected).holds
    for found, edge in zip(expected.outputs.values(), edges, strict=True):
        places = np.searchsorted(np.unique(edge), wanted, side="right")
        assert len(np.unique(found.array)) == np.unique(edge).size + 1 == np.unique(places).size
        assert all(np.unique(found.array[places == place]).size == 1 for place in places)


def test_streamed_convolutions_reuse_multipliers_beyond_the_inputs_of_their_kernel() -> None:
    """The smallest and the largest factor above the inputs of a kernel."""
    build, reuse_of = Builder(seed=21), {}
    shapes = [
        ((2, 3, 3, 4), (5, 3, 4), (6, 5, 3)),
        ((1, 3, 2, 6), (9, 6), (11, 2)),
        ((1, 1, 4, 6), (3, 3, 6), (3, 3, 4)),
    ]
    for kernel, shape, given in shapes:
        inputs, outputs = prod(kernel[:-1]), kernel[-1]
        beyond = [one for one in legal_factors(inputs, outputs, inputs * outputs) if one > inputs]
        for factor in (beyond[0], beyond[-1]):
            name = build.convolution(build.input(given), kernel, shape)
            build.end(name)
            reuse_of[name] = factor
    assert_engines_agree(build, IoType.STREAM, strategy=Strategy.RESOURCE, reuse_of=reuse_of)
