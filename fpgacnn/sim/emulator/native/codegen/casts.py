"""C text for the casts of `ap_fixed`: rounding, limiting, and shifts to another binary point.

The interval of a value decides which roundings and limits can change it; the others need no code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

import numpy as np

from fpgacnn.ir.fixed_point import MAX_WIDTH, Format, Overflow, Rounding
from fpgacnn.sim.emulator.native.codegen.values import Code, Ends, Value, call, ends, fits32, narrowed, widened


def round_code(code: int, shift: int, rounding: Rounding) -> int:
    """`code / 2**shift` by a rounding mode, on a Python integer."""
    floor = code >> shift
    half, below, negative = code >> (shift - 1) & 1, code & ((1 << (shift - 1)) - 1) != 0, code < 0
    match rounding:
        case Rounding.TRN:
            return floor
        case Rounding.TRN_ZERO:
            return floor + (negative and bool(half or below))
        case Rounding.RND:
            return floor + half
        case Rounding.RND_ZERO:
            return floor + (half & (negative or below))
        case Rounding.RND_INF:
            return floor + (half & (not negative or below))
        case Rounding.RND_MIN_INF:
            return floor + (half & below)
        case Rounding.RND_CONV:
            return floor + (half & (floor & 1 or below))
        case _:
            assert_never(rounding)


def mapped(function: Callable[[int], int], values: Ends) -> Ends:
    """A function of integers on every end."""
    return np.array([function(int(value)) for value in values], dtype=object)


def cast(code: Code, value: Value, to: Format) -> Value:
    """Rounding, then limiting to a format, as `ap_fixed` assigns."""
    if code.measured is not None and code.rectifies and to.low == 0:
        value = _rectified(code, value)
    shift = value.fraction - to.fraction
    if shift > 0:
        value = _rounded(code, value, shift, to.rounding)
    elif shift < 0:
        places = -shift if to.overflow is Overflow.WRAP else min(-shift, MAX_WIDTH)
        value = lifted(code, _clamped_before_lift(code, value, places, to), places, to)
    return narrowed(code, _limited(code, replace(value, fraction=to.fraction), to))


def _rounded(code: Code, value: Value, shift: int, rounding: Rounding) -> Value:
    low, high = value.hull
    if shift > MAX_WIDTH:
        value = widened(code, value)
        one, other = code.scalar(-1, wide=True), code.scalar(1, wide=True)
        value = call(code, "min", value, other, high=np.minimum(value.high, 1), low=np.minimum(value.low, 1))
        value = call(code, "max", value, one, high=np.maximum(value.high, -1), low=np.maximum(value.low, -1))
        shift = 2
    elif not value.wide and not (shift < 31 and fits32(low - (1 << shift), high + (1 << shift))):
        value = widened(code, value)
    half = 1 << (shift - 1)
    places = code.scalar(shift, wide=value.wide)
    if rounding is not Rounding.TRN and rounding is not Rounding.TRN_ZERO:
        rest = (
            call(code, "and", value, code.scalar((1 << shift) - 1, wide=value.wide))
            if code.measured is not None
            else value
        )
        code.tally("ties", f"{value.letter}_same({rest.text}, {code.scalar(half, wide=value.wide)})", wide=value.wide)
    before = _with_increment(code, value, places, half, shift, rounding)
    low_ends, high_ends = (mapped(lambda end: round_code(end, shift, rounding), end) for end in (value.low, value.high))
    return call(code, "sar", before, places, low=low_ends, high=high_ends)


def _with_increment(code: Code, value: Value, places: str, half: int, shift: int, rounding: Rounding) -> Value:
    """The value plus the increment after which a shift to the right, which rounds down, rounds by the mode."""

    def plus(start: Value, amount: int) -> Value:
        return call(code, "add", start, code.scalar(amount, wide=start.wide)) if amount else start

    def sign() -> str:
        return call(code, "sign", value).text

    match rounding:
        case Rounding.TRN:
            return value
        case Rounding.RND:
            return plus(value, half)
        case Rounding.RND_MIN_INF:
            return plus(value, half - 1)
        case Rounding.RND_CONV:
            odd = call(code, "and", call(code, "sar", value, places), code.scalar(1, wide=value.wide))
            return call(code, "add", plus(value, half - 1), odd.text)
        case Rounding.RND_ZERO:
            return call(code, "sub", plus(value, half - 1), sign()) if value.hull[0] < 0 else plus(value, half - 1)
        case Rounding.RND_INF:
            return call(code, "add", plus(value, half), sign()) if value.hull[0] < 0 else plus(value, half)
        case Rounding.TRN_ZERO:
            if value.hull[0] >= 0:
                return value
            return call(
                code,
                "add",
                value,
                call(code, "and", call(code, "sign", value), code.scalar((1 << shift) - 1, wide=value.wide)).text,
            )
        case _:
            assert_never(rounding)


def _clamped_before_lift(code: Code, value: Value, places: int, to: Format) -> Value:
    """If a shift to the left would exceed 62 bits, limit first: the values cut off are outside of the format anyway."""
    if value.magnitude.bit_length() + places <= MAX_WIDTH or to.overflow is Overflow.WRAP:
        return value
    value = widened(code, value)
    beyond = max(1 << max(MAX_WIDTH - places, 0), 1)
    top = min(beyond, (max(to.high, -to.low) >> places) + 1) if places < MAX_WIDTH else 1
    value = call(
        code,
        "min",
        value,
        code.scalar(top, wide=True),
        low=np.minimum(value.low, top),
        high=np.minimum(value.high, top),
    )
    return call(
        code,
        "max",
        value,
        code.scalar(-top, wide=True),
        low=np.maximum(value.low, -top),
        high=np.maximum(value.high, -top),
    )


def lifted(code: Code, value: Value, places: int, to: Format | None = None) -> Value:
    """A shift to the left; `to` is the format whose low bits alone matter if it wraps."""
    if places == 0:
        return value
    low, high = value.low * (1 << places), value.high * (1 << places)
    hull = int(low.min()), int(high.max())
    keeps = max(abs(hull[0]), abs(hull[1])).bit_length() <= MAX_WIDTH
    if not keeps and to is not None and to.overflow is Overflow.WRAP:
        return _lifted_modulo(code, value, places, to)
    if to is not None and not keeps:  # limited to slightly more than the format: one more bit is enough
        keeps = max(abs(hull[0]), abs(hull[1])).bit_length() <= MAX_WIDTH + 1
        assert keeps
    if not value.wide and not fits32(*hull):
        value = widened(code, value)
    return call(code, "shl", value, code.scalar(places, wide=value.wide), low=low, high=high)


def _lifted_modulo(code: Code, value: Value, places: int, to: Format) -> Value:
    """The low bits of a shift to the left, which are all that a wrapping format keeps."""
    value = widened(code, value)
    keep = max(to.width - places, 0)
    if keep == 0:
        bits = call(code, "and", value, code.scalar(0, wide=True), low=ends(0), high=ends(0))
    elif to.signed:
        up = code.scalar(64 - keep, wide=True)
        bits = call(
            code,
            "sar",
            call(code, "shl", value, up),
            up,
            low=ends(-(1 << (keep - 1))),
            high=ends((1 << (keep - 1)) - 1),
        )
    else:
        bits = call(
            code, "and", value, code.scalar((1 << keep) - 1, wide=True), low=ends(0), high=ends((1 << keep) - 1)
        )
    code.tally("wraps", f"w_same(w_same({bits.text}, {value.text}), w_zero())", wide=True)
    places = min(places, MAX_WIDTH)
    return call(
        code, "shl", bits, code.scalar(places, wide=True), low=bits.low * (1 << places), high=bits.high * (1 << places)
    )


def _limited(code: Code, value: Value, to: Format) -> Value:
    low, high = value.hull
    if low >= to.low and high <= to.high:
        return value
    match to.overflow:
        case Overflow.SAT | Overflow.SAT_SYM:
            return _saturated(code, value, to)
        case Overflow.SAT_ZERO:
            outside = _outside(code, value, to)
            code.tally("saturations", outside, wide=value.wide)
            return call(code, "drop", value, outside, low=ends(to.low), high=ends(to.high))
        case Overflow.WRAP:
            return _wrapped(code, value, to)
        case _:
            assert_never(to.overflow)


def _outside(code: Code, value: Value, to: Format) -> str:
    """A mask of the lanes that are not codes of the format."""
    low, high = (_bound(code, end, value) for end in (to.low, to.high))
    above = code.let(f"{value.letter}_above({value.text}, {high})", value) if high else None
    below = code.let(f"{value.letter}_above({low}, {value.text})", value) if low else None
    if above is None or below is None:
        return (above or below or value).text
    return call(code, "or", above, below.text).text


def _rectified(code: Code, value: Value) -> Value:
    """`max(x, 0)`: the limit of the format does the same, but would count as a saturation."""
    return call(
        code,
        "max",
        value,
        code.scalar(0, wide=value.wide),
        low=np.maximum(value.low, 0),
        high=np.maximum(value.high, 0),
    )


def _bound(code: Code, end: int, value: Value) -> str | None:
    """A limit as a scalar of the value's width; None if no number of that width can exceed it."""
    return code.scalar(end, wide=value.wide) if value.wide or fits32(end, end) else None


def _saturated(code: Code, value: Value, to: Format) -> Value:
    low, high = value.hull
    if code.measured is not None:
        code.tally("saturations", _outside(code, value, to), wide=value.wide)
    if high > to.high:
        value = call(
            code,
            "min",
            value,
            code.scalar(to.high, wide=value.wide),
            low=np.minimum(value.low, to.high),
            high=np.minimum(value.high, to.high),
        )
    if low < to.low:
        value = call(
            code,
            "max",
            value,
            code.scalar(to.low, wide=value.wide),
            low=np.maximum(value.low, to.low),
            high=np.maximum(value.high, to.low),
        )
    return value


def _wrapped(code: Code, value: Value, to: Format) -> Value:
    before = value
    if value.wide and to.width <= (32 if to.signed else 31):
        value = code.let(f"narrow({value.text})", value, wide=False)
    after = wrap(code, value, to)
    if code.measured is not None:
        again = widened(code, after) if before.wide else after
        same = f"{before.letter}_same({again.text}, {before.text})"
        zero = "w_zero()" if before.wide else "v_zero()"
        code.tally("wraps", f"{before.letter}_same({same}, {zero})", wide=before.wide)
    return after


def wrap(code: Code, value: Value, to: Format) -> Value:
    """The low bits of a code, the sign taken from the highest of them."""
    low, high = ends(to.low), ends(to.high)
    if not to.signed:
        value = value if value.wide or to.width <= 31 else widened(code, value)
        return call(code, "and", value, code.scalar((1 << to.width) - 1, wide=value.wide), low=low, high=high)
    bits = 64 if value.wide else 32
    if to.width >= bits:
        return replace(value, low=low, high=high)
    up = code.scalar(bits - to.width, wide=value.wide)
    return call(code, "sar", call(code, "shl", value, up), up, low=low, high=high)
