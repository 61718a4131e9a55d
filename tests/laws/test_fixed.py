"""Laws of fixed-point arithmetic: every cast equals its definition in fractions, for every mode and width."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import assert_never

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fpgacnn.errors import FormatTextError, WidthLimitError
from fpgacnn.ir.fixed_point import (
    MAX_WIDTH,
    Codes,
    Format,
    Overflow,
    Rounding,
    exact_codes,
    fits,
    limit,
    parse_format,
    quantize_values,
    requantize,
    rescale,
    smallest_format,
    to_values,
    trailing_zeros,
)

HALF = Fraction(1, 2)
MODES = [(rounding, overflow) for rounding in Rounding for overflow in Overflow]


def rounded(value: Fraction, rounding: Rounding) -> int:
    """UG902, table "Quantization modes": to a whole number."""
    below = floor(value)
    above, rest = below + 1, value - below
    if rest == 0:
        return below
    match rounding:
        case Rounding.TRN:
            return below
        case Rounding.TRN_ZERO:
            return below if value > 0 else above
        case _ if rest != HALF:
            return below if rest < HALF else above
        case Rounding.RND:
            return above
        case Rounding.RND_MIN_INF:
            return below
        case Rounding.RND_ZERO:
            return below if value > 0 else above
        case Rounding.RND_INF:
            return above if value > 0 else below
        case Rounding.RND_CONV:
            return below if below % 2 == 0 else above
        case _:
            assert_never(rounding)


def limited(code: int, form: Format) -> int:
    """UG902, table "Overflow modes"."""
    top = 2 ** (form.width - form.signed) - 1
    bottom = -top - 1 if form.signed else 0
    match form.overflow:
        case Overflow.WRAP:
            return (code - bottom) % 2**form.width + bottom
        case Overflow.SAT:
            return min(max(code, bottom), top)
        case Overflow.SAT_SYM:
            return min(max(code, -top if form.signed else 0), top)
        case Overflow.SAT_ZERO:
            return code if bottom <= code <= top else 0
        case _:
            assert_never(form.overflow)


def cast(value: Fraction, form: Format) -> int:
    return limited(rounded(value * Fraction(2) ** form.fraction, form.rounding), form)


@st.composite
def formats(draw: st.DrawFn, *, max_width: int = MAX_WIDTH, max_integer: int = 80) -> Format:
    signed = draw(st.booleans())
    return Format(
        width=draw(st.integers(1, max_width)),
        integer=draw(st.integers(-max_integer, max_integer)),
        signed=signed,
        rounding=draw(st.sampled_from(Rounding)),
        overflow=draw(st.sampled_from(Overflow)),
    )


def codes_of(bits: int) -> st.SearchStrategy[int]:
    """Codes of at most `bits` bits and a sign, with as many short ones and ties as long ones."""
    return st.one_of(
        st.integers(-(2**bits), 2**bits),
        st.integers(-40, 40),
        st.builds(lambda code, zeros: (code << zeros) % 2**bits, st.integers(-64, 64), st.integers(0, bits)),
        st.sampled_from([-(2**bits), 2**bits, 2**bits - 1, 0]),
    )


def one(code: int) -> np.ndarray:
    return np.array([code], dtype=np.int64)


@given(code=codes_of(61), fraction=st.integers(-70, 70), form=formats())
@example(code=-(2**61), fraction=63, form=Format(width=4, integer=4, rounding=Rounding.RND))
@example(code=1, fraction=0, form=Format(width=4, integer=-70, overflow=Overflow.SAT))
@example(code=-3, fraction=0, form=Format(width=8, integer=-56, overflow=Overflow.SAT_SYM))
@example(code=2**40, fraction=0, form=Format(width=8, integer=-32, overflow=Overflow.SAT_ZERO))
@example(code=2**40 + 1, fraction=0, form=Format(width=62, integer=-2, overflow=Overflow.WRAP))
def test_requantize_equals_its_definition(code: int, fraction: int, form: Format) -> None:
    assert int(requantize(one(code), fraction, form)[0]) == cast(Fraction(code) / Fraction(2) ** fraction, form)


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_requantize_equals_its_definition_on_every_code_of_eight_bits(rounding: Rounding, overflow: Overflow) -> None:
    codes = np.arange(-256, 256)
    for signed in (True, False):
        for shift in range(-2, 11):
            form = Format(width=4, integer=4, signed=signed, rounding=rounding, overflow=overflow)
            expected = [cast(Fraction(int(code)) / Fraction(2) ** shift, form) for code in codes]
            assert requantize(codes, shift, form).tolist() == expected


@given(value=st.floats(allow_nan=False, allow_infinity=False), form=formats())
@example(value=5e-324, form=Format(width=8, integer=20))
@example(value=-5e-324, form=Format(width=8, integer=20))
@example(value=1.7976931348623157e308, form=Format(width=62, integer=-80, overflow=Overflow.SAT))
@example(value=2.0**60 + 2.0**10, form=Format(width=16, integer=16))
@example(value=2.0**61 - 2.0**9, form=Format(width=62, integer=62, overflow=Overflow.SAT))
@example(value=-(2.0**61), form=Format(width=62, integer=62))
@example(value=0.5 - 2.0**-54, form=Format(width=8, integer=8, rounding=Rounding.RND))
@example(value=-2.5, form=Format(width=8, integer=8, rounding=Rounding.RND_CONV))
def test_a_double_is_cast_as_its_fraction(value: float, form: Format) -> None:
    assert int(quantize_values(np.array([value]), form)[0]) == cast(Fraction(value), form)


@given(
    value=st.builds(lambda code, fraction: code * 2.0**-fraction, st.integers(-(2**20), 2**20), st.integers(0, 12)),
    form=formats(max_width=24, max_integer=16),
)
def test_a_double_near_the_range_is_cast_as_its_fraction(value: float, form: Format) -> None:
    assert int(quantize_values(np.array([value]), form)[0]) == cast(Fraction(value), form)


@given(code=codes_of(40), fraction=st.integers(-20, 20), form=formats(max_width=40, max_integer=30))
def test_codes_and_doubles_of_the_same_value_are_cast_to_the_same_code(code: int, fraction: int, form: Format) -> None:
    value = to_values(one(code), fraction)
    assert requantize(one(code), fraction, form).tolist() == quantize_values(value, form).tolist()


@given(code=codes_of(61), shift=st.integers(0, 3000), rounding=st.sampled_from(Rounding))
@example(code=-1, shift=62, rounding=Rounding.RND_MIN_INF)
@example(code=-1, shift=63, rounding=Rounding.TRN)
@example(code=1, shift=1000, rounding=Rounding.RND_INF)
@example(code=-(2**61), shift=62, rounding=Rounding.RND_CONV)
@example(code=3 * 2**60, shift=61, rounding=Rounding.RND_CONV)
def test_the_binary_point_moves_right_by_any_number_of_places(code: int, shift: int, rounding: Rounding) -> None:
    assert int(rescale(one(code), shift, 0, rounding)[0]) == rounded(Fraction(code) / Fraction(2) ** shift, rounding)


@given(code=codes_of(30), shift=st.integers(0, 30), rounding=st.sampled_from(Rounding))
def test_moving_the_binary_point_left_and_back_changes_nothing(code: int, shift: int, rounding: Rounding) -> None:
    wider = rescale(one(code), 0, shift, rounding)
    assert int(wider[0]) == code << shift
    assert int(rescale(wider, shift, 0, rounding)[0]) == code


@given(code=codes_of(61), form=formats(), fraction=st.integers(-20, 80))
def test_a_cast_gives_a_code_of_its_format_and_a_second_cast_changes_nothing(
    code: int, form: Format, fraction: int
) -> None:
    found = requantize(one(code), fraction, form)
    assert form.low <= int(found[0]) <= form.high
    assert requantize(found, form.fraction, form).tolist() == found.tolist()


@given(form=formats())
def test_the_range_of_a_format_is_what_its_own_limit_keeps(form: Format) -> None:
    ends = np.array([form.low, form.high])
    assert limit(ends, form).tolist() == ends.tolist()
    outside = np.array([form.low - 1, form.high + 1])
    assert not np.any(limit(outside, form) == outside)


@given(form=formats(max_integer=900))
def test_a_format_is_read_back_from_its_own_text(form: Format) -> None:
    assert parse_format(str(form)) == form
    assert parse_format(f"  ap_{form} ") == form


@given(form=formats(max_integer=900))
def test_a_format_is_read_from_the_words_of_cpp(form: Format) -> None:
    text = (
        f"ap_{'' if form.signed else 'u'}fixed< {form.width}, {form.integer}, AP_{form.rounding} ,AP_{form.overflow}>"
    )
    assert parse_format(text) == form


@given(text=st.text(max_size=20) | st.from_regex(r"u?fixed<\d{1,4},-?\d{1,4}(,[A-Z_]{1,8}){0,3}>", fullmatch=True))
@example(text="fixed<0,0>")
@example(text="fixed<63,1>")
@example(text="fixed<8,1,SAT>")
@example(text="fixed<8,1,TRN,RND>")
@example(text="fixed<8,1,TRN,SAT,0>")
@example(text="fixed<\u0668,1>")
def test_any_other_text_is_refused_by_name(text: str) -> None:
    try:
        found = parse_format(text)
    except FormatTextError as error:
        assert error.code == "FC032"
        assert "is not a fixed-point type" in str(error)
    else:
        assert 1 <= found.width <= MAX_WIDTH
        assert parse_format(str(found)) == found


@pytest.mark.parametrize("width", [0, -1, MAX_WIDTH + 1])
def test_a_format_of_impossible_width_is_refused(width: int) -> None:
    with pytest.raises(WidthLimitError, match=f"needs {width} bits, more than the limit of 62"):
        Format(width=width, integer=1)


@given(
    ends=st.tuples(st.integers(-(2**61), 2**61 - 1), st.integers(-(2**61), 2**61 - 1)), fraction=st.integers(-40, 40)
)
@example(ends=(-1, -1), fraction=0)
@example(ends=(-8, -8), fraction=2)
@example(ends=(-8, 7), fraction=0)
@example(ends=(0, 0), fraction=5)
@example(ends=(0, 2**61 - 1), fraction=5)
def test_the_smallest_format_holds_the_codes_and_one_bit_less_does_not(ends: tuple[int, int], fraction: int) -> None:
    low, high = sorted(ends)
    form = smallest_format(low, high, fraction)
    assert form.fraction == fraction
    assert form.low <= low <= high <= form.high
    assert form.signed == (low < 0)
    if form.width > 1:
        narrower = Format(width=form.width - 1, integer=form.integer - 1, signed=form.signed)
        assert low < narrower.low or high > narrower.high


@given(codes=st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=5), fraction=st.integers(-30, 48))
@example(codes=[0, 0], fraction=3)
@example(codes=[-4, -8], fraction=1)
@example(codes=[-1], fraction=0)
def test_exact_codes_are_exact_and_as_narrow_as_can_be(codes: list[int], fraction: int) -> None:
    values = to_values(np.array(codes, np.int64), fraction)
    found = exact_codes(values)
    assert found is not None
    assert found.values.tolist() == values.tolist()
    if any(codes):
        assert trailing_zeros(found.array) == 0
        assert found.format == smallest_format(int(found.array.min()), int(found.array.max()), found.format.fraction)
    else:
        assert found.format == Format(width=1, integer=1, signed=False)


@given(value=st.floats(allow_nan=False, allow_infinity=False), other=st.floats(allow_nan=False, allow_infinity=False))
@example(value=2.0**30, other=2.0**-30)
@example(value=2.0**59, other=1.0)
@example(value=1.0, other=2.0**-48)
@example(value=1.0, other=2.0**-49)
def test_values_without_exact_codes_need_more_bits_than_there_are(value: float, other: float) -> None:
    values = np.array([value, other])
    found = exact_codes(values)
    if found is not None:
        assert found.values.tolist() == values.tolist()
        return
    fractions = [Fraction(one) for one in (value, other) if one]
    lowest_bit = max(one.denominator.bit_length() - 1 for one in fractions)
    span = max(abs(one) for one in fractions) * 2**lowest_bit
    assert lowest_bit > 48 or span >= 2**59


@given(
    value=st.floats(-300, 300) | st.integers(-2048, 2048).map(lambda code: code / 8),
    form=formats(max_width=16, max_integer=12),
)
def test_a_value_fits_where_its_cast_is_the_value_itself(value: float, form: Format) -> None:
    code = Fraction(value) * Fraction(2) ** form.fraction
    assert bool(fits(np.array([value]), form)[0]) == (code.denominator == 1 and form.low <= code <= form.high)


@given(shape=st.lists(st.integers(0, 3), max_size=3), form=formats(max_width=20, max_integer=10))
def test_casts_keep_the_shape(shape: list[int], form: Format) -> None:
    codes = np.zeros(shape, np.int64)
    assert requantize(codes, 30, form).shape == tuple(shape)
    assert quantize_values(codes.astype(np.float64), form).shape == tuple(shape)
    assert Codes(array=codes, format=form).values.shape == tuple(shape)
