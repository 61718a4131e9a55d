"""Step functions: behind any integer, the thresholds answer as the function itself does, code by code."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn.ir import graph, ranges
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import (
    CodeArray,
    Format,
    Overflow,
    Rounding,
    parse_format,
    quantize_values,
    smallest_format,
    to_values,
)
from fpgacnn.ir.functions import evaluate
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.ir.source import FloatArray, FunctionKind
from fpgacnn.passes.precision import bounds, legalize, nodes
from fpgacnn.passes.precision.exact_steps.code_values import CodeValues
from fpgacnn.passes.precision.exact_steps.step_functions import StepFunction
from fpgacnn.passes.precision.exact_steps.thresholds import MAX_PLACES, build
from fpgacnn.passes.quantization.constants import affine

QUANTIZERS = st.one_of(
    st.builds(src.QuantizedTanh, bits=st.integers(2, 8), symmetric=st.booleans(), real=st.sampled_from([True])),
    st.builds(
        src.QuantizedSigmoid,
        bits=st.integers(1, 8),
        symmetric=st.sampled_from([0.0, 1.0]),
        real=st.sampled_from([True]),
    ),
    st.builds(
        src.PowerOfTwo,
        bits=st.integers(3, 5),
        max_value=st.sampled_from([None, 0.5, 1.0, 3.0, 4.0]),
        quadratic=st.booleans(),
        floor=st.booleans(),
        relu=st.booleans(),
        negative_slope=st.sampled_from([0.0, 0.25]),
    ),
)
SMOOTH = st.builds(
    src.Function,
    kind=st.sampled_from(sorted(set(FunctionKind) - {FunctionKind.EXPONENTIAL})),
    alpha=st.sampled_from([1.0, 0.5, -0.3]),
)
FORMATS = st.builds(
    Format,
    width=st.integers(2, 7),
    integer=st.integers(-1, 5),
    signed=st.booleans(),
    rounding=st.sampled_from(Rounding),
    overflow=st.sampled_from(Overflow),
)
LINES = st.none() | st.tuples(st.floats(-3, 3).filter(lambda scale: abs(scale) > 1e-3), st.floats(-2, 2))


def line(numbers: tuple[float, float] | None, channels: int) -> q.Affine | None:
    """A scale and shift, another one for each channel."""
    if numbers is None:
        return None
    factors = 1.0 + np.arange(channels) / 3.0
    return affine(
        np.float32(numbers[0] * factors).astype(np.float64), np.float32(numbers[1] / factors).astype(np.float64)
    )


def answered(operation: nodes.PlannedLookup | nodes.PlannedThresholds, codes: CodeArray, form: Format) -> FloatArray:
    """What hardware makes of codes (n, channels)."""
    if isinstance(operation, nodes.PlannedLookup):
        return operation.table.values[codes & ((1 << form.width) - 1)]
    rows = np.broadcast_to(operation.thresholds.array, (codes.shape[1], operation.thresholds.array.shape[1]))
    values = np.broadcast_to(operation.values.values, (codes.shape[1], operation.values.array.shape[1]))
    places = (codes[:, :, None] >= rows[None]).sum(axis=2)
    return np.take_along_axis(values[None].repeat(len(codes), axis=0), places[:, :, None], axis=2)[:, :, 0]


def wanted(function: StepFunction, codes: CodeArray, fraction: int) -> FloatArray:
    """The same by the definition."""
    x = to_values(codes, fraction)
    if function.before is not None:
        x = x * function.before.trained.scale + function.before.trained.shift
    y = evaluate(function.function.function, x)
    if function.after is not None:
        y = y * function.after.trained.scale + function.after.trained.shift
    if not isinstance(function.cast, q.Cast | q.Relu) or function.cast.format is None:
        return y
    y = np.maximum(y, 0.0) if isinstance(function.cast, q.Relu) else y
    return to_values(quantize_values(y, function.cast.format), function.cast.format.fraction)


@given(
    inner=st.one_of(st.tuples(QUANTIZERS, st.none()), st.tuples(SMOOTH, FORMATS), st.tuples(QUANTIZERS, FORMATS)),
    before=LINES,
    after=LINES,
    positive=st.booleans(),
    ends=st.tuples(st.integers(-5000, 5000), st.integers(0, 9000)),
    fraction=st.integers(4, 12),
    channels=st.integers(1, 3),
)
def test_thresholds_answer_as_the_function_for_every_code_that_can_come(
    inner: tuple[q.Function, Format | None],
    before: tuple[float, float] | None,
    after: tuple[float, float] | None,
    positive: bool,  # noqa: FBT001  # drawn
    ends: tuple[int, int],
    fraction: int,
    channels: int,
) -> None:
    function, form = inner
    cast = None if form is None else q.Relu(format=form) if positive else q.Cast(format=form)
    behind = line(after, channels) if form is not None else None
    steps = StepFunction(function=q.Function(function=function), before=line(before, channels), after=behind, cast=cast)  # type: ignore[arg-type]  # drawn
    low, high = ends[0], ends[0] + ends[1]
    given_form = smallest_format(low, high, fraction)
    interval = iv.Interval(low=np.full((1, channels), low), high=np.full((1, channels), high), fraction=fraction)
    made = build(steps, bounds.ranged(interval, 0.0), given_form, channels)
    if made is None:
        every = np.arange(low, high + 1)
        changes = [
            np.count_nonzero(np.diff(steps.levels(to_values(every, fraction), np.full(every.size, channel))))
            for channel in range(channels)
        ]
        assert max(changes) >= MAX_PLACES
        return
    assert made.error == 0.0
    assert isinstance(made, nodes.PlannedLookup) == (steps.is_shared and given_form.width <= 11)
    codes = np.arange(low, high + 1)[:, None].repeat(channels, axis=1)
    assert np.array_equal(answered(made, codes, given_form), wanted(steps, codes, fraction))


def wide_codes(form: Format, near: CodeArray, seed: int) -> CodeArray:
    """Codes (n, 1) of a format: its ends, some of every size, and those on both sides of some others."""
    random = np.random.default_rng(seed)
    sizes = np.ldexp(random.uniform(0.5, 1.0, 400), random.integers(1, form.width, 400)).astype(np.int64)
    beside = (near.reshape(-1, 1) + np.arange(-3, 4)).ravel()
    found = np.concatenate([[form.low, form.low + 1, form.high - 1, form.high], sizes, -sizes, beside])
    return np.unique(np.clip(found, form.low, form.high)).reshape(-1, 1)


def whole(form: Format) -> bounds.Bound:
    """Any code of a format, without an error."""
    return bounds.ranged(iv.Interval(low=np.array([form.low]), high=np.array([form.high]), fraction=form.fraction), 0.0)


@given(
    function=QUANTIZERS, width=st.integers(53, 62), fraction=st.integers(20, 49), signed=st.booleans(),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_inputs_of_more_bits_than_a_double_have_the_thresholds_of_the_function(
    function: q.Function,
    width: int,
    fraction: int,
    signed: bool,  # noqa: FBT001  # drawn
    seed: int,
) -> None:
    form = Format(width=width, integer=width - fraction, signed=signed)
    steps = StepFunction(function=q.Function(function=function))  # type: ignore[arg-type]  # drawn
    made = build(steps, whole(form), form, 1)
    assert isinstance(made, nodes.PlannedThresholds)
    assert np.array_equal(made.thresholds.array, np.ldexp(made.thresholds.values, fraction).astype(np.int64))
    codes = wide_codes(form, made.thresholds.array, seed)
    found = answered(made, codes, form)
    values = to_values(codes, fraction)  # the nearest double
    is_double = np.array(
        [int(np.ldexp(value, fraction)) == code for value, code in zip(values[:, 0], codes[:, 0], strict=True)]
    )
    assert np.array_equal(found[is_double], wanted(steps, codes, fraction)[is_double])
    beside = [evaluate(function, np.nextafter(values, end)) for end in (-np.inf, np.inf)]  # type: ignore[arg-type]  # drawn
    lowest, highest = np.minimum(*beside), np.maximum(*beside)
    assert np.all((found == lowest) | (found == highest) | is_double[:, None])


def test_a_wide_code_stands_for_the_next_double_below_it() -> None:
    form = Format(width=62, integer=62)
    powers = np.int64(1) << np.arange(50, 61)
    codes = wide_codes(form, np.concatenate([powers, -powers]), 5)[:, 0]
    values = CodeValues(fraction=0)(codes)
    for code, value in zip(codes, values, strict=True):
        assert int(value) <= int(code) < int(np.nextafter(value, np.inf)) or (value == code and abs(code) < 1 << 53)


@given(bits=st.integers(2, 8), width=st.integers(53, 62), fraction=st.integers(20, 53), seed=st.integers(0, 1000))
def test_wide_inputs_are_rounded_as_exact_fractions_are(bits: int, width: int, fraction: int, seed: int) -> None:
    form = Format(width=width, integer=width - fraction)
    function = src.QuantizedTanh(bits=bits, real=False)
    made = build(StepFunction(function=q.Function(function=function)), whole(form), form, 1)
    assert isinstance(made, nodes.PlannedThresholds)
    codes = wide_codes(form, made.thresholds.array, seed)
    largest = 1 << (bits - 1)
    exact = [round(Fraction(int(code) * largest, 1 << fraction)) for code in codes[:, 0]]
    limited = np.clip(np.array(exact, np.float64), -largest, largest - 1)
    assert np.array_equal(answered(made, codes, form)[:, 0] * largest, limited)


def test_a_threshold_that_no_double_holds_is_a_table_with_a_bound_that_says_so() -> None:
    form = Format(width=62, integer=2)
    function = src.QuantizedTanh(bits=4, real=True)
    assert build(StepFunction(function=q.Function(function=function)), whole(form), form, 1) is None
    _, planned = legalize(network("fixed<62,2>", q.Function(function=function)))
    assert "thresholds serve for at most 1023 steps, each of at most 53 bits" in planned.layers["n1"].loss


@given(function=QUANTIZERS, center=st.integers(-3000, 3000), error=st.floats(1e-4, 0.3), seed=st.integers(0, 1000))
def test_an_input_that_is_off_moves_a_step_function_no_further_than_its_bound(
    function: q.Function, center: int, error: float, seed: int
) -> None:
    interval = iv.Interval(low=np.array([center - 2500]), high=np.array([center + 2500]), fraction=10)
    form = smallest_format(center - 2500, center + 2500, 10)
    made = build(StepFunction(function=q.Function(function=function)), bounds.ranged(interval, error), form, 1)  # type: ignore[arg-type]  # drawn
    assert made is not None
    codes = np.arange(center - 2500, center + 2501)[:, None]
    truth = to_values(codes, 10) + np.random.default_rng(seed).uniform(-error, error, codes.shape)
    # drawn
    assert np.abs(answered(made, codes, form) - evaluate(function, truth)).max() <= made.error  # type: ignore[arg-type]


def network(form: str, *operations: q.Operation, channels: int = 2) -> QuantizedModel:
    """Elementwise operations behind one another."""
    chain: list[q.Operation] = [hw.Input(format=parse_format(form)), *operations]
    names = [f"n{number}" for number in range(len(chain))]
    layers = [
        graph.Node(
            name=name,
            source=name,
            operation=operation,
            inputs=(names[number - 1],) if number else (),
            shape=(3, channels),
        )
        for number, (name, operation) in enumerate(zip(names, chain, strict=True))
    ]
    return QuantizedModel(name="t", source_digest="0", layers=tuple(layers), inputs=("n0",), outputs=(names[-1],))


def test_a_smooth_function_and_the_cast_behind_it_are_one_exact_node() -> None:
    sigmoid, cast = (
        q.Function(function=src.Function(kind=FunctionKind.SIGMOID)),
        q.Cast(format=parse_format("ufixed<6,0,RND_CONV,SAT>")),
    )
    model, decided = legalize(network("fixed<18,5>", sigmoid, cast))
    assert [layer.kind for layer in model.layers] == ["Input", "Thresholds"]
    assert decided.is_lossless
    assert decided.layers["n2"].result.reason.startswith("sigmoid by 63 thresholds, exact")


def test_a_smooth_function_without_a_cast_is_a_table_with_a_bound() -> None:
    model, planned = legalize(network("fixed<18,5>", q.Function(function=src.Function(kind=FunctionKind.SIGMOID))))
    assert [layer.kind for layer in model.layers] == ["Input", "Cast", "Lookup"]
    assert not planned.is_lossless


def test_more_steps_than_are_built_are_a_table_with_a_bound_that_says_so() -> None:
    model, planned = legalize(network("fixed<24,5>", q.Function(function=src.QuantizedSigmoid(bits=12, real=True))))
    assert [layer.kind for layer in model.layers] == ["Input", "Cast", "Lookup"]
    loss = planned.layers["n1"].loss
    assert f"at most {MAX_PLACES - 1} steps" in loss


def test_a_scale_in_front_is_part_of_the_thresholds() -> None:
    scale = affine(np.float32([0.3, -1.7]).astype(np.float64), np.float32([0.01, 0.4]).astype(np.float64))
    model, planned = legalize(
        network("fixed<16,5>", scale, q.Function(function=src.PowerOfTwo(bits=4, relu=True, max_value=2.0)))
    )
    assert [layer.kind for layer in model.layers] == ["Input", "Thresholds"]
    operation = model.layers[1].operation
    assert isinstance(operation, hw.Thresholds)
    assert operation.thresholds.array.shape[0] == 2
    assert planned.layers["n2"].rounds_in_float32  # the framework's float32 rounds the scaled sum


def test_float32_is_promised_only_where_no_code_lies_next_to_a_tie() -> None:
    """`quadratic` powers change at 2^1, 2^3, ..., which are codes."""
    for quadratic in (False, True):
        _, planned = legalize(network("fixed<16,5>", q.Function(function=src.PowerOfTwo(bits=4, quadratic=quadratic))))
        assert planned.is_exact is not quadratic


@pytest.mark.parametrize("channels", [1, 3])
def test_a_constant_is_a_step_function_too(channels: int) -> None:
    interval = iv.Interval(low=np.full((1, channels), 3000), high=np.full((1, channels), 8000), fraction=10)
    steps = StepFunction(function=q.Function(function=src.QuantizedTanh(bits=2, real=True)))
    made = build(steps, bounds.ranged(interval, 0.0), smallest_format(3000, 8000, 10), channels)
    assert isinstance(made, nodes.PlannedThresholds)
    assert set(made.values.values.ravel()) == {0.5}
    tight = ranges.steps(made.thresholds, made.values, interval, channels)
    assert tight.bounds == (int(made.values.array[0, 0]), int(made.values.array[0, 0]))
    assert replace(made, what="").values.array.shape == (1, 2)
