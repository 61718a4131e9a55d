"""A scale in the weights behind it: every code of the input gives the same sum, or one within the bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fpgacnn.ir import graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import Codes, Format, exact_codes
from fpgacnn.ir.source import Shape
from fpgacnn.passes.precision import bounds
from fpgacnn.passes.precision.exact_steps.scales import with_constants
from fpgacnn.passes.precision.narrowing.forward_scales import with_scale
from fpgacnn.passes.precision.narrowing.short_scales import ATTEMPTS, Shortening
from fpgacnn.passes.precision.nodes import PlannedAffine
from fpgacnn.passes.quantization.constants import affine

Values = NDArray[np.object_]
KINDS = ("dense", "flatten", "convolution", "padded", "depthwise")
CELLS, SIZE = 2, 2


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scale over the channels of a row of cells, and a linear layer behind it."""

    kind: str
    form: Format
    line: PlannedAffine
    sums: hw.Linear
    errors: q.WeightErrors | None

    @property
    def channels(self) -> int:
        return self.line.scale.array.size

    @property
    def shape(self) -> Shape:
        """Of the input of the linear layer."""
        match self.kind:
            case "dense":
                return (self.channels,)
            case "flatten":
                return (CELLS * self.channels,)
            case _:
                return (CELLS, self.channels)


def layer(kind: str, kernel: Codes, bias: Codes) -> hw.Linear:
    pads = (0, 0, 1, 0) if kind == "padded" else (0, 0, 0, 0)
    match kind:
        case "dense" | "flatten":
            return hw.Dense(kernel=kernel, bias=bias)
        case "depthwise":
            return hw.Depthwise(kernel=kernel, bias=bias, strides=(1, 1), pads=pads)
        case _:
            return hw.Convolution(kernel=kernel, bias=bias, strides=(1, 1), pads=pads)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kind, channels, outputs = draw(st.sampled_from(KINDS)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    signed = draw(st.booleans())
    form = Format(width=3, integer=draw(st.integers(-2, 5)), signed=signed)
    scale = {
        "powers of two": np.exp2(random.integers(-3, 4, channels)) * random.choice([-1, 1], channels),
        "few bits": random.integers(-60, 60, channels) / 16,
        "float32": (random.normal(size=channels) * 10.0 ** random.uniform(-3, 3, channels)).astype(np.float32),
    }[draw(st.sampled_from(["powers of two", "few bits", "float32"]))].astype(np.float64)
    shift = {
        "none": np.zeros(channels),
        "few bits": random.integers(-7, 8, channels) / 2,
        "float32": random.normal(size=channels).astype(np.float32),
    }[draw(st.sampled_from(["none", "few bits", "float32"]))]
    width = draw(st.integers(2, 18))
    ends = -(1 << (width - 1)), (1 << (width - 1)) - 1
    shape = {
        "dense": (channels, outputs),
        "flatten": (CELLS * channels, outputs),
        "depthwise": (1, SIZE, channels, 1),
    }.get(kind, (1, SIZE, channels, outputs))
    kernel = Codes(
        array=random.integers(*ends, shape, endpoint=True), format=Format(width=width, integer=draw(st.integers(-3, 6)))
    )
    bias = exact_codes(random.integers(-200, 200, channels if kind == "depthwise" else outputs) / 32)
    assert bias is not None
    errors = q.WeightErrors(kernel=0.01, bias=0.25) if draw(st.booleans()) else None
    divisor = draw(st.sampled_from([1, 1, 3]))
    line = with_constants(affine(scale, shift.astype(np.float64), divisor))
    return Case(kind=kind, form=form, line=line, sums=layer(kind, kernel, bias), errors=errors)


def every_input(case: Case) -> NDArray[np.int64]:
    """All inputs (events, ...shape) of the linear layer, as codes."""
    codes = range(case.form.low, case.form.high + 1)
    found = np.array(list(product(codes, repeat=int(np.prod(case.shape)))))
    return found.reshape(-1, *case.shape)


def whole(values: NDArray[np.int64]) -> Values:
    """Numbers of Python, which have no end."""
    return values.astype(object)


def outputs_of(case: Case, x: Values, kernel: Values, bias: Values) -> Values:
    """The sums (events, ...), written out for every kind of layer."""
    if x.ndim == 2:
        return np.array(
            [[sum(row * kernel[:, out]) + bias[out] for out in range(len(bias))] for row in x], dtype=object
        )
    left = int(case.kind == "padded")
    padded = np.concatenate([np.zeros((len(x), left, case.channels), dtype=object), x], axis=1)
    found = []
    for begin in range(padded.shape[1] - SIZE + 1):
        window = padded[:, begin : begin + SIZE]
        if case.kind == "depthwise":
            found.append((window * kernel[0, :, :, 0]).sum(axis=1) + bias)
        else:
            found.append(
                np.stack([(window * kernel[0, :, :, o]).sum(axis=(1, 2)) for o in range(len(bias))], -1) + bias
            )
    return np.stack(found, axis=1)


def joined_sums(case: Case, operation: q.Linear, x: NDArray[np.int64]) -> tuple[Values, int]:
    """The sums of the layer with the scale in its weights, as whole numbers with so many fraction bits."""
    sums = operation.sums
    fraction = case.form.fraction + sums.kernel.format.fraction
    common = max(fraction, sums.bias.format.fraction)
    kernel = whole(sums.kernel.array) * (1 << common - fraction)
    bias = whole(sums.bias.array) * (1 << common - sums.bias.format.fraction)
    return outputs_of(case, whole(x), kernel, bias), common


def candidates(case: Case, shortening: Shortening | None) -> list[q.Linear]:
    given_bound = bounds.ranged(iv.of_format(case.form, len(case.shape)), 0.0)
    return list(with_scale(q.Linear(sums=case.sums, errors=case.errors), case.line, given_bound, shortening))


def trained(case: Case) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and bias of the file: those of a float layer are off by all that its errors allow."""
    kernel, bias, random = case.sums.kernel.values, case.sums.bias.values, np.random.default_rng(1)
    if case.errors is None:
        return kernel, bias
    signs = [random.choice([-1.0, 1.0], one.shape) for one in (kernel, bias)]
    return kernel + case.errors.kernel * signs[0], bias + case.errors.bias * signs[1]


FLOAT = with_constants(affine(np.array([0.1]), np.array([0.3])))
KERNEL, BIAS = (Codes(array=np.full(shape, 3), format=Format(width=4, integer=2)) for shape in ((1, 1), 1))
ONE = Case(
    kind="dense", form=Format(width=3, integer=1), line=FLOAT, sums=hw.Dense(kernel=KERNEL, bias=BIAS), errors=None
)


@settings(max_examples=80, deadline=None)
@given(case=cases(), shortening=st.sampled_from([None, *ATTEMPTS]))
@example(case=ONE, shortening=None)
@example(case=ONE, shortening=ATTEMPTS[0])
def test_every_sum_is_that_of_both_layers_within_the_bound(case: Case, shortening: Shortening | None) -> None:
    x, line = every_input(case), case.line
    tiled = [np.tile(one, case.shape[-1] // case.channels) for one in (line.trained.slope, line.trained.shift)]
    scaled = np.ldexp(x.astype(np.float64), -case.form.fraction) * tiled[0] + tiled[1]
    kernel, bias = trained(case)
    wanted = outputs_of(case, scaled.astype(object), kernel.astype(object), bias.astype(object))
    for operation in candidates(case, shortening):
        found, fraction = joined_sums(case, operation, x)
        shape = found.shape[1:]
        node = graph.Node(name="n", source="n", operation=operation, inputs=("x",), shape=shape, is_result=True)
        bound = bounds.linear(node, operation, bounds.ranged(iv.of_format(case.form, len(case.shape)), 0.0), case.shape)
        low, high = bound.interval.bounds
        lift = bound.interval.fraction - fraction
        assert lift == 0
        assert low <= found.min() <= found.max() <= high
        off = np.abs(found.astype(np.float64) * 2.0**-fraction - wanted.astype(np.float64)).max()
        size = float(np.abs(wanted).max()) + 1.0
        assert off <= bound.error + size * 2.0**-48


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_sums_of_exact_constants_are_equal_bit_for_bit(case: Case) -> None:
    line, sums = case.line, case.sums
    if any(bounds.constants_error(line)) or case.errors is not None:
        return
    x = whole(every_input(case))
    repeat = case.shape[-1] // case.channels
    scale, shift = (np.tile(whole(one.array), repeat) for one in (line.scale, line.shift))
    middle = case.form.fraction + line.scale.format.fraction
    common = max(middle, line.shift.format.fraction)
    scaled = x * scale * (1 << common - middle) + shift * (1 << common - line.shift.format.fraction)
    last = common + sums.kernel.format.fraction
    top = max(last, sums.bias.format.fraction)
    kernel, bias = whole(sums.kernel.array), whole(sums.bias.array)
    wanted = outputs_of(case, scaled * (1 << top - last), kernel, bias * (1 << top - sums.bias.format.fraction))
    for operation in candidates(case, None):
        assert operation.errors is None
        found, fraction = joined_sums(case, operation, every_input(case))
        most = max(fraction, top)
        assert np.array_equal(found * (1 << most - fraction), wanted * (1 << most - top))


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_a_padded_layer_takes_no_scale_with_a_shift(case: Case) -> None:
    taken = bool(candidates(case, None))
    if case.kind == "padded" and case.line.trained.shift.any():
        assert not taken
    elif not any(bounds.constants_error(case.line)) and case.sums.kernel.array.any() and case.line.scale.array.any():
        width = case.sums.kernel.format.width + case.line.scale.format.width
        assert taken or width > 40


def test_a_channel_that_is_constant_has_a_shift_that_padding_has_not() -> None:
    """Its scale became 0 and its value the shift, though the file has no shift."""
    line = with_constants(affine(np.array([0.0, 0.5]), np.array([0.25, 0.0])))
    kernel = Codes(array=np.full((1, SIZE, 2, 1), 3), format=Format(width=4, integer=2))
    case = replace(ONE, kind="padded", line=line, sums=layer("padded", kernel, BIAS))
    assert candidates(case, None) == []
    assert candidates(replace(case, kind="convolution", sums=layer("convolution", kernel, BIAS)), None) != []


WEIGHTS = Codes(array=np.array([[3], [-2]]), format=Format(width=3, integer=3))
HALVES = with_constants(affine(np.array([0.5, 2.0]), np.array([1.5, -3.0])))
FINE = exact_codes(np.array([5 / 32]))
assert FINE is not None
EXACT = replace(ONE, line=HALVES, sums=hw.Dense(kernel=WEIGHTS, bias=FINE))


def test_a_bias_with_more_fraction_bits_than_the_products_of_the_shift_is_exact() -> None:
    """3 * 1.5 + 2 * 3 + 5 / 32, and the weights 1.5 and -4."""
    (found,) = candidates(EXACT, None)
    assert found.sums.bias.values.tolist() == [10.5 + 5 / 32]
    assert found.sums.kernel.values.tolist() == [[1.5], [-4.0]]
    assert found.errors is None


def test_errors_of_a_float_layer_are_scaled_with_its_weights() -> None:
    """0.01 * 0.5 and 0.01 * 2.0 for the weights; 0.25 and 0.01 * (1.5 + 3) for the bias."""
    (found,) = candidates(replace(EXACT, errors=q.WeightErrors(kernel=0.01, bias=0.25)), None)
    assert found.errors is not None
    np.testing.assert_allclose(found.errors.kernel, [[0.005], [0.02]])
    np.testing.assert_allclose(found.errors.bias, 0.25 + 0.045)
