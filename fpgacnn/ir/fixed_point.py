"""Fixed-point formats as `ap_fixed` has them, and the cast between them on integer codes.

A value is `code * 2**-fraction`. Rounding and overflow modes are those of Xilinx's `ap_fixed` (UG902, "Arbitrary
Precision Fixed-Point Data Types"); tests/laws compares them with the C++ header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import FormatTextError, WidthLimitError

CodeArray: TypeAlias = NDArray[np.int64]

MAX_WIDTH = 62
"""Widest format in bits: codes and one guard bit fit an int64."""


MAX_EXPONENT = 1 << 10
"""Larger than every exponent of float64."""

_PIECE_VALUES = 1 << 18
"""Values that are looked at together, where there may be any number of them."""


class Rounding(StrEnum):
    """How bits below the last one are rounded."""

    TRN = "TRN"
    TRN_ZERO = "TRN_ZERO"
    RND = "RND"
    RND_ZERO = "RND_ZERO"
    RND_INF = "RND_INF"
    RND_MIN_INF = "RND_MIN_INF"
    RND_CONV = "RND_CONV"


class Overflow(StrEnum):
    """How values outside the range are brought into it."""

    WRAP = "WRAP"
    SAT = "SAT"
    SAT_ZERO = "SAT_ZERO"
    SAT_SYM = "SAT_SYM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """`ap_fixed<width, integer, rounding, overflow>`, or `ap_ufixed` where not signed.

    `integer` counts the bits left of the binary point, the sign bit included, and may be negative or exceed `width`.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            raise WidthLimitError(
                layer="(format)", what=f"{self.width},{self.integer}", bits=self.width, limit=MAX_WIDTH
            )

    @property
    def fraction(self) -> int:
        """Bits right of the binary point."""
        return self.width - self.integer

    @property
    def low(self) -> int:
        """Smallest code."""
        if not self.signed:
            return 0
        return -(1 << (self.width - 1)) + (1 if self.overflow is Overflow.SAT_SYM else 0)

    @property
    def high(self) -> int:
        """Largest code."""
        return (1 << (self.width - (1 if self.signed else 0))) - 1

    @property
    def step(self) -> float:
        """Value of one code step."""
        return 2.0**-self.fraction

    def __str__(self) -> str:
        """The short text that users write: without `ap_`, and without default modes."""
        modes = (
            ""
            if (self.rounding, self.overflow) == (Rounding.TRN, Overflow.WRAP)
            else f",{self.rounding},{self.overflow}"
        )
        return f"{'' if self.signed else 'u'}fixed<{self.width},{self.integer}{modes}>"


_TEXT = re.compile(
    r"\s*(?:ap_)?(u?)fixed\s*<\s*(\d{1,3})\s*,\s*(-?\d{1,3})\s*(?:,\s*(?:AP_)?(\w+)\s*)?(?:,\s*(?:AP_)?(\w+)\s*)?>\s*"
)


def parse_format(text: str) -> Format:
    """Read `fixed<16,6>`, `ufixed<8,0>`, `ap_fixed<12,4,AP_RND_CONV,AP_SAT>`.

    Raises FormatTextError for anything else.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise FormatTextError(text=text)
    unsigned, width, integer, rounding, overflow = match.groups()
    try:
        return Format(
            width=int(width),
            integer=int(integer),
            signed=not unsigned,
            rounding=Rounding(rounding or "TRN"),
            overflow=Overflow(overflow or "WRAP"),
        )
    except (ValueError, WidthLimitError) as error:
        raise FormatTextError(text=text) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """Integer codes and their format, which decides their values.

    The codes are int64, of any shape; they are narrower only between ports of the native emulator, which does no
    arithmetic on them.
    """

    array: CodeArray
    format: Format

    @property
    def values(self) -> NDArray[np.float64]:
        """The codes' values as float64 (exact up to 53 bits)."""
        return to_values(self.array, self.format.fraction)


def to_values(codes: CodeArray, fraction: int) -> NDArray[np.float64]:
    """Codes to float64 values: `codes * 2**-fraction`, exact up to 53 bits."""
    return np.ldexp(codes.astype(np.float64), -fraction)


def _round_increment(codes: CodeArray, shift: int, floor: CodeArray, rounding: Rounding) -> CodeArray:
    """What to add (0 or 1) to the floor of `codes / 2**shift`, from the half bit and the bits below it."""
    half = (codes >> (shift - 1)) & 1
    below = ((codes & ((1 << (shift - 1)) - 1)) != 0).astype(np.int64)
    negative = (codes < 0).astype(np.int64)
    match rounding:
        case Rounding.TRN:
            return np.zeros_like(codes)
        case Rounding.TRN_ZERO:
            return negative & (half | below)
        case Rounding.RND:
            return half
        case Rounding.RND_ZERO:
            return half & (negative | below)
        case Rounding.RND_INF:
            return half & ((1 - negative) | below)
        case Rounding.RND_MIN_INF:
            return half & below
        case Rounding.RND_CONV:
            return half & ((floor & 1) | below)
        case _:
            assert_never(rounding)


def rescale(codes: CodeArray, from_fraction: int, to_fraction: int, rounding: Rounding) -> CodeArray:
    """Move the binary point without limiting the range. Left shifts must not leave int64; planning ensures it."""
    shift = from_fraction - to_fraction
    if shift <= 0:
        return codes << -shift if shift else codes
    if shift > MAX_WIDTH:
        codes = np.sign(codes) * np.minimum(np.abs(codes), 1)
        shift = 2
    floor = codes >> shift
    return floor + _round_increment(codes, shift, floor, rounding)


def limit(codes: CodeArray, to: Format) -> CodeArray:
    """Bring codes of the right binary point into the format's range, by its overflow mode."""
    match to.overflow:
        case Overflow.WRAP:
            span = 1 << to.width
            wrapped = codes & (span - 1)
            return np.where(wrapped > to.high, wrapped - span, wrapped) if to.signed else wrapped
        case Overflow.SAT | Overflow.SAT_SYM:
            return np.clip(codes, to.low, to.high)
        case Overflow.SAT_ZERO:
            return np.where((codes < to.low) | (codes > to.high), 0, codes)
        case _:
            assert_never(to.overflow)


def requantize(codes: CodeArray, from_fraction: int, to: Format) -> CodeArray:
    """Cast codes with `from_fraction` fraction bits to a format: round first, then limit, as `ap_fixed` does."""
    left = to.fraction - from_fraction
    return limit(_lifted(codes, left, to) if left > 0 else rescale(codes, from_fraction, to.fraction, to.rounding), to)


def _lifted(codes: CodeArray, places: int | CodeArray, to: Format) -> CodeArray:
    """Codes shifted left by any number of places; those that would leave int64 end up outside of every format."""
    if to.overflow is Overflow.WRAP:
        return codes << places
    places = np.minimum(places, MAX_WIDTH)
    beyond = np.left_shift(np.int64(1), MAX_WIDTH - places)
    return np.clip(codes, -beyond, beyond) << places


def round_whole(values: NDArray[np.float64], rounding: Rounding) -> NDArray[np.float64]:
    """Real numbers rounded to whole ones by a mode; infinite ones stay."""
    floor = np.floor(values)
    with np.errstate(invalid="ignore"):
        rest = values - floor
    half, below, negative = rest == 0.5, rest > 0.5, values < 0
    match rounding:
        case Rounding.TRN:
            return floor
        case Rounding.TRN_ZERO:
            return np.trunc(values)
        case Rounding.RND:
            return floor + (half | below)
        case Rounding.RND_ZERO:
            return floor + (below | (half & negative))
        case Rounding.RND_INF:
            return floor + (below | (half & ~negative))
        case Rounding.RND_MIN_INF:
            return floor + below
        case Rounding.RND_CONV:
            return np.rint(values)
        case _:
            assert_never(rounding)


def quantize_values(values: NDArray[np.float64], to: Format) -> CodeArray:
    """Cast finite float64 values to codes, as assigning a double to an `ap_fixed` does.

    A float64 is an integer of 53 bits times a power of two, so every mode is exact for values of any size.
    """
    mantissa, exponent = np.frexp(values)
    digits = np.ldexp(mantissa, 53).astype(np.int64)
    places = 53 - to.fraction - exponent.astype(np.int64)
    right = np.clip(places, 0, MAX_WIDTH)
    quarters = (digits << 2) >> right
    lost = (quarters << right) != (digits << 2)
    codes = rescale(quarters | lost, 2, 0, to.rounding)
    return limit(_lifted(codes, np.maximum(-places, 0), to), to)


def is_power_of_two(values: NDArray[np.float64]) -> bool:
    """Whether every value is 0 or a power of two, of either sign."""
    mantissa, _ = np.frexp(np.abs(values[values != 0]))
    return bool(np.all(mantissa == 0.5))


def fits(values: NDArray[np.float64], to: Format) -> NDArray[np.bool_]:
    """Which values are exactly codes of the format."""
    scaled = np.ldexp(values, to.fraction)
    return (scaled == np.floor(scaled)) & (scaled >= to.low) & (scaled <= to.high)


def signed_bits(low: int, high: int) -> int:
    """Bits of the narrowest signed number that holds low and high."""
    return max(max(high, 0).bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


def smallest_format(low: int, high: int, fraction: int) -> Format:
    """The narrowest TRN/WRAP format that holds the codes low..high at `fraction` fraction bits."""
    signed = low < 0
    width = signed_bits(low, high) if signed else max(high.bit_length(), 1)
    return Format(width=width, integer=width - fraction, signed=signed)


def trailing_zeros(codes: CodeArray) -> int:
    """How many low bits are zero in every code (0 where all codes are zero)."""
    bits = int(np.bitwise_or.reduce(codes.ravel())) if codes.size else 0
    return (bits & -bits).bit_length() - 1 if bits else 0


def odd_parts(codes: CodeArray) -> CodeArray:
    """The sizes of codes without the zeros at their end."""
    sizes = np.abs(codes)
    lowest = sizes & -sizes  # a power of two, which float32 has exactly
    return sizes >> np.maximum(np.frexp(lowest.astype(np.float32))[1] - 1, 0)


def signed_digits(magnitudes: CodeArray) -> CodeArray:
    """Nonzero digits of the canonical signed-digit form of numbers below 2^61: the bits in which m and 3m differ."""
    return _ones((magnitudes ^ (3 * magnitudes)).view(np.uint64)).view(np.int64)


def _ones(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Number of ones in each word: of pairs of bits in their place, of four, of eight, of all.

    `numpy.bitwise_count` does the same, from NumPy 2 on.
    """
    pairs = bits - ((bits >> _ONE) & _PAIRS)
    fours = (pairs & _FOURS) + ((pairs >> _TWO) & _FOURS)
    eights = (fours + (fours >> _FOUR)) & _EIGHTS
    return (eights * _EVERY_BYTE) >> _LAST_BYTE


_ONE, _TWO, _FOUR, _LAST_BYTE = (np.uint64(places) for places in (1, 2, 4, 56))
_PAIRS, _FOURS, _EIGHTS, _EVERY_BYTE = (np.uint64(byte * 0x0101010101010101) for byte in (0x55, 0x33, 0x0F, 0x01))


def exact_codes(values: NDArray[np.float64], max_fraction: int = 48) -> Codes | None:
    """Codes of the narrowest format that holds every value exactly, or None if it needs more than MAX_WIDTH bits."""
    form = exact_format(values, max_fraction)
    return None if form is None else Codes(array=np.ldexp(values, form.fraction).astype(np.int64), format=form)


def exact_format(values: NDArray[np.float64], max_fraction: int = 48) -> Format | None:
    """The narrowest format that holds every value exactly, or None if it needs more than MAX_WIDTH bits.

    Computed piece by piece, so that events of any number take the memory of one piece.
    """
    flat = values.reshape(-1)
    pieces = [flat[start : start + _PIECE_VALUES] for start in range(0, flat.size, _PIECE_VALUES)]
    largest = max((float(np.abs(piece).max()) for piece in pieces), default=0.0)
    if largest == 0.0:
        return Format(width=1, integer=1, signed=False)
    fraction = min(max_fraction, 60 - int(np.frexp(largest)[1]))
    bits, low, high = 0, 0, 0
    for piece in pieces:
        scaled = np.ldexp(piece, fraction)
        if np.any((scaled != np.floor(scaled)) | (np.ldexp(scaled, -fraction) != piece)):
            return None
        codes = scaled.astype(np.int64)
        bits |= int(np.bitwise_or.reduce(codes))
        low, high = min(low, int(codes.min())), max(high, int(codes.max()))
    spare = (bits & -bits).bit_length() - 1
    return smallest_format(low >> spare, high >> spare, fraction - spare)


def nearest_codes(values: NDArray[np.float64], bits: int) -> Codes:
    """Values rounded half to even so that the largest has about `bits` significant bits."""
    _, exponent = np.frexp(np.abs(values).max())
    signed = bool(values.min() < 0)
    integer = int(exponent) + int(signed)
    form = Format(width=bits + 1, integer=integer + 1, signed=signed, rounding=Rounding.RND_CONV)
    codes = quantize_values(values, form)
    return Codes(array=codes, format=smallest_format(int(codes.min()), int(codes.max()), form.fraction))


EXACT_SCALE_BITS = 30
"""A float32 scale has 24 significant bits; scales of different sizes in one format need a few more."""

EXACT_SHIFT_BITS = 44
ROUNDED_BITS = 26

LEAST_BITS = 8
"""Significant bits that each of several rounded numbers keeps at least."""


def rounded_codes(values: NDArray[np.float64], exact_bits: int, bits: int) -> Codes:
    """Values exactly where `exact_bits` bits hold them, else half to even with `bits` bits.

    The largest value gets `bits` bits. Where a smaller one then has fewer than LEAST_BITS significant bits, every value
    is rounded to `bits` significant bits of its own, if one format holds them all.
    """
    exact = exact_codes(values)
    if exact is not None and exact.format.width <= exact_bits:
        return exact
    near = nearest_codes(values, bits)
    lost = (values != 0) & (np.abs(near.array) < 1 << (LEAST_BITS - 1)) & (near.values != values)
    if not np.any(lost):
        return near
    mantissa, exponent = np.frexp(values)
    return exact_codes(np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits), max_fraction=MAX_EXPONENT) or near
