"""C text of scales and shifts whose products need more than 32 bits, in double-precision numbers.

A double represents every integer up to 2^53, and processors limit, round and convert doubles in one instruction each,
which few do with 64-bit integers. Everything before the rounding is exact: powers of two move the binary point.
"""

from __future__ import annotations

import numpy as np

from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Format, Overflow, Rounding
from fpgacnn.sim.emulator.native.codegen.casts import mapped, round_code
from fpgacnn.sim.emulator.native.codegen.values import CHANNEL_PADDING, Code, Ends, Value, ends, fits32

EXACT, MOST_PLACES = 1 << 52, 1000

FUNCTIONS = {Rounding.RND_CONV: "scaled_near", Rounding.RND: "scaled_down", Rounding.TRN: "scaled_down"}
"""The C functions; rounding half up is rounding down after half has been added."""


def affine_in_doubles(code: Code, value: Value, operation: hw.Affine, result: Format) -> Value | None:
    """`x * scale + shift`, cast to the result; None where 32 bits suffice, or where doubles are not exact.

    Measurements count in integers.
    """
    scale, shift = operation.scale, operation.shift
    fraction = value.fraction + scale.format.fraction
    common = max(fraction, shift.format.fraction)
    factors, amounts = (
        ends(scale.array) * (1 << (common - fraction)),
        ends(shift.array) * (1 << (common - shift.format.fraction)),
    )
    products = value.low * factors, value.high * factors
    low, high = np.minimum(*products) + amounts, np.maximum(*products) + amounts
    dropped = common - result.fraction
    ends_ = _cast(low, dropped, result), _cast(high, dropped, result)
    half = 1 << (dropped - 1) if dropped > 0 and result.rounding is Rounding.RND else 0
    largest = max(int(abs(end).max()) for end in (*products, factors, amounts, low, high)) + half
    is_small = fits32(-2 * largest, 2 * largest)
    if (
        code.measured is not None
        or value.wide
        or is_small
        or result.rounding not in FUNCTIONS
        or result.overflow not in {Overflow.SAT, Overflow.SAT_SYM}
        or not fits32(result.low, result.high)
        or largest >= EXACT
        or not 0 < dropped <= MOST_PLACES
    ):
        return None
    unit = 2.0**-dropped
    limits = code.table(np.array([result.low, result.high], np.float64), "double")
    numbers = (_channels(code, factors, unit), _channels(code, amounts + half, unit))
    text = f"{FUNCTIONS[result.rounding]}({value.text}, {', '.join(numbers)}, {limits}[0], {limits}[1])"
    found = code.let(text, value, low=np.maximum(ends_[0], result.low), high=np.minimum(ends_[1], result.high))
    return Value(text=found.text, wide=False, low=found.low, high=found.high, fraction=result.fraction)


def _cast(numbers: Ends, dropped: int, to: Format) -> Ends:
    if dropped <= 0:
        return numbers * (1 << -dropped)
    return np.clip(mapped(lambda one: round_code(one, dropped, to.rounding), numbers), to.low, to.high)


def _channels(code: Code, numbers: Ends, unit: float) -> str:
    """C text of each channel's number, times a power of two."""
    padded = np.concatenate([numbers, np.zeros(CHANNEL_PADDING, object)]).astype(np.float64) * unit
    one_for_all = len(numbers) == 1
    return f"{code.table(padded, 'double')}[{'0' if one_for_all else 'c'}]"
