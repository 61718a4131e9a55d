"""A scale right before a quantizer, as one node that answers as the real numbers do for every possible input.

Where the constants of a scale are rounded or long, others are searched that lead to the same steps
(`passes.precision.exact_steps.threshold_scale`).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import numpy as np

from fpgacnn.ir import interval as iv
from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import MAX_WIDTH, Codes, Format, Overflow, Rounding, smallest_format
from fpgacnn.ir.interval import Interval
from fpgacnn.passes.precision import bounds
from fpgacnn.passes.precision.bounds import Bound
from fpgacnn.passes.precision.exact_steps import threshold_scale
from fpgacnn.passes.precision.nodes import PlannedAffine
from fpgacnn.passes.precision.shorten import SCALE_PORT_BITS

MAX_SEARCHED_BITS = 12
"""Quantizers of more bits have too many steps for a search."""

TERNARY = Format(width=2, integer=2, rounding=Rounding.RND_CONV, overflow=Overflow.SAT_SYM)
_SATURATES = frozenset({Overflow.SAT, Overflow.SAT_SYM})


def with_constants(operation: q.Affine) -> PlannedAffine:
    """The scale with the constants that quantization chose, and every bit kept."""
    return PlannedAffine(
        scale=operation.scale,
        shift=operation.shift,
        trained=operation.trained,
        rounds_in_float32=operation.rounds_in_float32,
    )


def quantizer_format(operation: q.Operation) -> Format | None:
    """The format of a cast that rounds half to even and saturates, ReLUs among them; None for others."""
    form = operation.format if isinstance(operation, q.Cast | q.Relu) else None
    if form is None or form.rounding is not Rounding.RND_CONV or form.overflow not in _SATURATES:
        return None
    return None if isinstance(operation, q.Relu) and form.signed else form


def takes_sign(operation: q.Operation) -> bool:
    """Whether an operation answers -1 below 0, else 0."""
    if not isinstance(operation, q.Cast):
        return False
    form = operation.format
    saturates = form.overflow is Overflow.SAT
    return form.signed and saturates and (form.width, form.integer, form.rounding) == (1, 1, Rounding.TRN)


def fused(operation: q.Affine, source: Bound, form: Format, channels: int) -> PlannedAffine | None:
    """Scale and quantizer in one node: with exact constants, or with searched ones; None where neither exists."""
    line = with_constants(operation)
    is_exact = not any(bounds.constants_error(operation))
    if not is_exact or operation.scale.format.width > SCALE_PORT_BITS:
        pair = _searched(operation, source, form, channels)
        if pair is not None:
            return replace(line, scale=pair.scale, shift=pair.shift, format=form, exact_steps=True)
    return replace(line, format=form) if is_exact else None


def _searched(operation: q.Affine, source: Bound, form: Format, channels: int) -> threshold_scale.ExactPair | None:
    if form.width > MAX_SEARCHED_BITS or source.interval.low.shape[-1] not in (1, channels):
        return None
    low, high = iv.per_channel(source.interval, channels)
    fraction = source.interval.fraction
    thresholds = threshold_scale.rounding_thresholds(low, high, fraction, operation.trained, form)
    return threshold_scale.solve(thresholds, fraction, operation.trained.slope, form)


def ternary(operation: q.Ternary, source: Bound, channels: int) -> PlannedAffine | None:
    """Steps at plus and minus the threshold as a scale before a two-bit cast; None where they need too many bits."""
    fraction = source.interval.fraction
    low, high = iv.per_channel(source.interval, channels)
    edge = min(float(np.ldexp(operation.threshold, fraction)), 2.0**MAX_WIDTH)
    begins = np.tile([int(np.floor(-edge)) + 1, ceil(edge)], (channels, 1))
    begins = np.clip(begins, low[:, None], high[:, None] + 1)
    thresholds = threshold_scale.CodeThresholds(
        first=0, begins=begins, low=low, high=high, rising=np.ones(channels, np.bool_)
    )
    guess = np.full(channels, 0.5 / operation.threshold)
    pair = threshold_scale.solve(thresholds, fraction, guess, TERNARY)
    if pair is None:
        return None
    trained = q.Line(scale=guess, shift=np.zeros(channels))
    return PlannedAffine(scale=pair.scale, shift=pair.shift, trained=trained, format=TERNARY, exact_steps=True)


def sign_line(operation: q.Affine, source: Interval) -> PlannedAffine:
    """`x - t` with the sign of `x * scale + shift`, exactly: `t` is the first code whose value is not negative."""
    pairs = [
        _sign_constants(float(scale), float(shift), operation.trained.divisor, source)
        for scale, shift in zip(operation.trained.scale, operation.trained.shift, strict=True)
    ]
    slopes, offsets = ([pair[place] for pair in pairs] for place in (0, 1))
    scale = Codes(array=np.array(slopes, np.int64), format=smallest_format(min(slopes), max(slopes), 0))
    form = smallest_format(min(offsets), max(offsets), source.fraction)
    shift = Codes(array=np.array(offsets, np.int64), format=form)
    return replace(with_constants(operation), scale=scale, shift=shift, exact_steps=True)


def _sign_constants(scale: float, shift: float, divisor: int, source: Interval) -> tuple[int, int]:
    """Slope (-1, 0 or 1) and offset of one channel, in codes of the input."""
    if scale == 0:
        return 0, -int(shift < 0) << max(source.fraction, 0)
    low, high = source.bounds
    edge = Fraction(-shift) / Fraction(scale) * divisor * Fraction(2) ** source.fraction
    edge = min(max(edge, Fraction(low - 1)), Fraction(high + 1))  # inputs are between low and high
    return (1, -ceil(edge)) if scale > 0 else (-1, floor(edge))
