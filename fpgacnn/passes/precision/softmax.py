"""Types and sizes of hls4ml's softmax tables, and a proven bound on the error they make.

hls4ml's stable softmax computes `d = cast(max - x)`, `e = exp_table[d]`, `s = sum(e)`, `y = e * inv_table[s]`. The
top bits of `d` and `s` are the indices of its tables. Their types are as wide as the index here, so only the rounding
of `d` and `s` loses something.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, expm1, log2

from fpgacnn.ir.fixed_point import Format, Overflow, Rounding
from fpgacnn.ir.interval import Interval

INDEX_BITS = 12
TABLE_BITS = 18
MAX_DIFFERENCE_BITS = 4
"""Integer bits of differences. From 16 on they saturate, because exp(-16) is below half a step of the table."""

RESULT = Format(width=TABLE_BITS, integer=1, signed=False, rounding=Rounding.RND, overflow=Overflow.SAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxTables:
    """Formats of the difference, both tables, the sum and the reciprocal's index, with the error bound."""

    difference: Format
    exponential: Format
    total: Format
    index: Format
    reciprocal: Format
    error: float


def softmax_tables(logits: Interval, classes: int, input_error: float) -> SoftmaxTables:
    """Choose the formats for logits within an interval.

    The bound holds for every input: with a = exp(step/2) - 1 the relative and b the absolute error of an exponential,
    and h half a step of the sum's index, |y - p| <= (2a + (classes + 1) b + h) / (1 - a - classes b - h) + table steps.
    """
    low, high = logits.bounds
    spread = (high - low) * 2.0**-logits.fraction
    integer = min(MAX_DIFFERENCE_BITS, max(ceil(log2(max(spread, 2.0**-20))), -4))
    difference = _table_format(INDEX_BITS, integer)
    exponential, reciprocal = _table_format(TABLE_BITS, 1), _table_format(TABLE_BITS, 1)
    whole = classes.bit_length()
    total = Format(width=whole + exponential.fraction, integer=whole, signed=False)
    index = _table_format(INDEX_BITS, whole)
    relative = expm1(difference.step / 2 if spread <= (difference.high + 0.5) * difference.step else difference.step)
    absolute = exponential.step / 2 + exp(-(2.0**integer)) * (spread > 2.0**integer) + 2.0**-23
    half_index = index.step / 2
    smallest_sum = 1 - relative - classes * absolute - half_index
    error = (2 * relative + (classes + 1) * absolute + half_index) / smallest_sum
    error += reciprocal.step + RESULT.step + input_error / 2
    return SoftmaxTables(
        difference=difference,
        exponential=exponential,
        total=total,
        index=index,
        reciprocal=reciprocal,
        error=min(error, 1.0) if smallest_sum > 0 else 1.0,
    )


def _table_format(width: int, integer: int) -> Format:
    return Format(width=width, integer=integer, signed=False, rounding=Rounding.RND, overflow=Overflow.SAT)
