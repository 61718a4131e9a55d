"""QKeras' quantizers on cases computed by hand; tests/oracle asks QKeras itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn.errors import UnsupportedQuantizerError
from fpgacnn.ir.fixed_point import quantize_values, to_values
from fpgacnn.ir.source import QuantizedBits, QuantizedRelu
from fpgacnn.passes.quantization.quantizers import activation_format, apply, code_range

HALVES = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]


def quantized(quantizer: QuantizedBits | QuantizedRelu | None, *values: float) -> list[float]:
    return apply(np.array(values), quantizer).product.tolist()


def test_no_quantizer_changes_nothing() -> None:
    assert quantized(None, 0.1, -7.3) == [0.1, -7.3]


def test_ties_go_to_the_even_code() -> None:
    assert quantized(QuantizedBits(bits=4, integer=3), *HALVES) == [-2.0, -2.0, -0.0, 0.0, 2.0, 2.0]


def test_ties_go_to_the_even_code_below_the_point_too() -> None:
    """Four bits, none left of the point: steps of 1/8."""
    assert quantized(QuantizedBits(bits=4, integer=0), 1 / 16, 3 / 16, 5 / 16, -3 / 16) == [0.0, 0.25, 0.25, -0.25]


def test_values_are_limited_to_the_codes() -> None:
    assert quantized(QuantizedBits(bits=4, integer=1), 5.0, 1.75, 1.8, 1.9, -2.0, -2.1, -9.0) == [
        1.75,
        1.75,
        1.75,
        1.75,
        -2.0,
        -2.0,
        -2.0,
    ]


def test_a_symmetric_quantizer_has_no_smallest_code() -> None:
    assert quantized(QuantizedBits(bits=4, integer=1, symmetric=True), -9.0, -2.0, -1.75, 9.0) == [
        -1.75,
        -1.75,
        -1.75,
        1.75,
    ]


def test_without_negative_numbers_the_sign_bit_is_one_more_digit() -> None:
    """`quantized_bits(4,1,keep_negative=False)`: 16 codes in steps of 1/8."""
    quantizer = QuantizedBits(bits=4, integer=1, keep_negative=False)
    assert quantized(quantizer, -3.0, -0.01, 0.0625, 0.19, 1.875, 2.0) == [0.0, 0.0, 0.0, 0.25, 1.875, 1.875]
    assert code_range(quantizer) == (0, 15)


def test_one_bit_is_the_sign_and_zero_counts_as_positive() -> None:
    assert quantized(QuantizedBits(bits=1, integer=0), -0.3, 0.0, -0.0, 7.0) == [-1.0, 1.0, 1.0, 1.0]
    assert quantized(QuantizedBits(bits=1, integer=0, alpha=0.5), -0.3, 0.2) == [-0.5, 0.5]


def test_one_bit_without_negative_numbers_is_zero_or_half() -> None:
    assert quantized(QuantizedBits(bits=1, integer=0, keep_negative=False), -1.0, 0.25, 0.26, 3.0) == [
        0.0,
        0.0,
        0.5,
        0.5,
    ]


def test_two_bits_have_four_codes() -> None:
    assert quantized(QuantizedBits(bits=2, integer=0), -2.0, -0.75, -0.74, -0.25, 0.26, 2.0) == [
        -1.0,
        -1.0,
        -0.5,
        -0.0,
        0.5,
        0.5,
    ]


def test_more_integer_bits_than_bits_make_steps_larger_than_one() -> None:
    """`quantized_bits(4,5)`: steps of 4."""
    assert quantized(QuantizedBits(bits=4, integer=5), 5.9, 6.0, 6.1, 40.0, -100.0) == [4.0, 8.0, 8.0, 28.0, -32.0]


def test_negative_integer_bits_make_all_values_small() -> None:
    """`quantized_bits(4,-2)`: steps of 1/32, up to 7/32."""
    assert quantized(QuantizedBits(bits=4, integer=-2), 0.5, 0.03, -0.5) == [7 / 32, 1 / 32, -0.25]


def test_a_number_for_alpha_scales_after_rounding() -> None:
    quantizer = QuantizedBits(bits=4, integer=1, alpha=0.5)
    scaled = apply(np.array([0.3, 5.0, -5.0]), quantizer)
    assert scaled.values.tolist() == [0.25, 1.75, -2.0]
    assert scaled.scale.tolist() == [0.5]
    assert scaled.product.tolist() == [0.125, 0.875, -1.0]


def test_alpha_has_only_the_digits_of_a_float32() -> None:
    assert apply(np.array([1.0]), QuantizedBits(bits=4, integer=1, alpha=0.3)).scale.tolist() == [
        float(np.float32(0.3))
    ]


def test_alpha_may_have_one_value_for_each_channel() -> None:
    scaled = apply(np.ones((2, 3)), QuantizedBits(bits=4, integer=1, alpha=np.array([1.0, 2.0, 0.25])))
    assert scaled.product.tolist() == [[1.0, 2.0, 0.25]] * 2


@pytest.mark.parametrize("count", [2, 4])
def test_any_other_number_of_alphas_is_refused_with_the_layer(count: int) -> None:
    with pytest.raises(
        UnsupportedQuantizerError,
        match=f"layer 'conv': quantizer quantized_bits: alpha has {count} values for 3 channels",
    ):
        apply(np.ones((2, 3)), QuantizedBits(bits=4, integer=1, alpha=np.ones(count)), layer="conv")


def test_an_automatic_scale_makes_the_largest_value_the_largest_code() -> None:
    """Four bits: seven steps to each side, half away from zero, a scale for each channel."""
    scaled = apply(
        np.array([[7.0, 0.7], [-3.5, 0.2], [0.5, -0.05]]),
        QuantizedBits(bits=4, integer=0, symmetric=True, alpha="auto"),
    )
    assert scaled.values.tolist() == [[7.0, 7.0], [-4.0, 2.0], [1.0, -1.0]]
    assert scaled.scale[0] == pytest.approx([1.0, 0.1])


def test_an_automatic_power_of_two_is_one() -> None:
    values = np.random.default_rng(4).normal(size=(50, 6)) * [0.01, 0.1, 1, 10, 3, 0.3]
    scale = apply(values, QuantizedBits(bits=5, integer=0, symmetric=True, alpha="auto_po2")).scale
    assert scale.shape == (1, 6)
    assert np.frexp(scale)[0].tolist() == [[0.5] * 6]


def test_a_channel_of_zeros_stays_zero_under_an_automatic_scale() -> None:
    for alpha in ("auto", "auto_po2"):
        found = apply(
            np.array([[0.0, 1.0], [0.0, -1.0]]), QuantizedBits(bits=4, integer=0, symmetric=True, alpha=alpha)
        ).product
        assert found[:, 0].tolist() == [0.0, 0.0]
        assert np.all(np.isfinite(found))


@pytest.mark.parametrize("alpha", ["auto", "auto_po2"])
def test_one_bit_with_an_automatic_scale_is_refused_because_qkeras_answers_nan(alpha: str) -> None:
    with pytest.raises(
        UnsupportedQuantizerError, match=r"layer 'd': quantizer quantized_bits\(1,alpha=auto.*QKeras answers NaN"
    ):
        # a parametrized literal
        apply(np.ones((2, 2)), QuantizedBits(bits=1, integer=0, alpha=alpha), layer="d")  # type: ignore[arg-type]


def test_relu_rounds_ties_to_even_and_limits() -> None:
    """`quantized_relu(4,2)`: sixteen codes in steps of 1/4."""
    assert quantized(QuantizedRelu(bits=4, integer=2), -5.0, 0.125, 0.375, 0.38, 3.75, 3.9, 99.0) == [
        0.0,
        0.0,
        0.5,
        0.5,
        3.75,
        3.75,
        3.75,
    ]


def test_relu_with_all_bits_left_of_the_point_counts_in_ones() -> None:
    assert quantized(QuantizedRelu(bits=3, integer=3), *HALVES, 8.0) == [0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 7.0]


def test_relu_of_one_bit_has_two_values() -> None:
    assert quantized(QuantizedRelu(bits=1, integer=0), -1.0, 0.25, 0.3, 9.0) == [0.0, 0.0, 0.5, 0.5]


def test_relu_with_a_negative_slope_spends_a_bit_on_the_sign() -> None:
    """`quantized_relu(4,1,negative_slope=0.25)`: steps of 1/4 below 2, and down to -0.5."""
    quantizer = QuantizedRelu(bits=4, integer=1, negative_slope=0.25)
    assert quantized(quantizer, 9.0, 0.375, 0.13, -0.4, -0.6, -1.5, -9.0) == [1.75, 0.5, 0.25, 0.0, -0.25, -0.5, -0.5]


def test_relu_by_a_hard_sigmoid_has_steps_twice_as_large_at_the_same_bits() -> None:
    """`quantized_relu(3,0,use_sigmoid=1)`: 2 * round(8 (x/2 + 1/2)) / 8 - 1 between 0 and 7/8."""
    assert quantized(QuantizedRelu(bits=3, integer=0, use_sigmoid=True), -3.0, 0.0, 0.1, 0.2, 0.5, 0.9, 3.0) == [
        0.0,
        0.0,
        0.0,
        0.25,
        0.5,
        0.875,
        0.875,
    ]


def test_relu_with_an_upper_bound_that_is_not_quantized_stops_there() -> None:
    bounded = QuantizedRelu(bits=4, integer=2, relu_upper_bound=1.6, is_quantized_clip=False)
    assert quantized(bounded, 1.5, 3.0) == [1.5, 1.6]
    assert quantized(QuantizedRelu(bits=4, integer=2, relu_upper_bound=1.6), 3.0) == [3.0]


@pytest.mark.parametrize(
    ("quantizer", "text"),
    [
        (QuantizedBits(bits=6, integer=2), "fixed<6,3,RND_CONV,SAT>"),
        (QuantizedBits(bits=6, integer=2, symmetric=True), "fixed<6,3,RND_CONV,SAT_SYM>"),
        (QuantizedBits(bits=6, integer=2, keep_negative=False), "ufixed<6,2,RND_CONV,SAT>"),
        (QuantizedBits(bits=6, integer=2, keep_negative=False, symmetric=True), "ufixed<6,2,RND_CONV,SAT>"),
        (QuantizedRelu(bits=6, integer=2), "ufixed<6,2,RND_CONV,SAT>"),
    ],
)
def test_a_plain_quantizer_is_one_cast(quantizer: QuantizedBits | QuantizedRelu, text: str) -> None:
    assert str(activation_format(quantizer)) == text


@given(
    bits=st.integers(2, 12),
    integer=st.integers(-3, 10),
    symmetric=st.booleans(),
    keep_negative=st.booleans(),
    values=st.lists(st.floats(-50, 50) | st.integers(-800, 800).map(lambda code: code / 16), min_size=1, max_size=6),
)
def test_quantized_bits_equals_its_cast_on_every_value(
    bits: int, integer: int, *, symmetric: bool, keep_negative: bool, values: list[float]
) -> None:
    quantizer = QuantizedBits(bits=bits, integer=integer, symmetric=symmetric, keep_negative=keep_negative)
    form = activation_format(quantizer)
    assert quantized(quantizer, *values) == to_values(quantize_values(np.array(values), form), form.fraction).tolist()


@given(
    bits=st.integers(1, 12),
    integer=st.integers(-3, 10),
    values=st.lists(st.floats(-50, 50) | st.integers(-800, 800).map(lambda code: code / 16), min_size=1, max_size=6),
)
def test_quantized_relu_equals_its_cast_on_every_value(bits: int, integer: int, values: list[float]) -> None:
    quantizer = QuantizedRelu(bits=bits, integer=integer)
    form = activation_format(quantizer)
    assert quantized(quantizer, *values) == to_values(quantize_values(np.array(values), form), form.fraction).tolist()
