"""Means before a quantizer: a sum divided by what is no power of two meets the quantizer's ties, which no line avoids.

`round(sum / 3)` takes every other tie up and every other down, so no scale and shift step around them all. But means are
a third of a step from the nearest tie or on it: rounded to a grid that is finer than that and holds all ties, they stay
on their side, and the quantizer rounds the ties itself.
"""

from __future__ import annotations

from math import ceil, log2

import numpy as np

from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import (
    MAX_WIDTH,
    Codes,
    Format,
    Rounding,
    exact_codes,
    is_power_of_two,
    quantize_values,
    smallest_format,
)
from fpgacnn.ir.interval import Interval
from fpgacnn.passes.precision.nodes import PlannedAffine


def on_grid(operation: q.Affine, given: Interval, behind: Format) -> PlannedAffine | None:
    """`x * scale / divisor + shift` on such a grid; None where scale or shift are no short numbers, or too many bits are needed."""
    trained = operation.trained
    shift = exact_codes(trained.shift)
    if trained.divisor == 1 or shift is None or not is_power_of_two(trained.scale) or not np.all(trained.scale):
        return None
    finest = given.fraction - int(np.log2(np.abs(trained.scale).min()))
    fraction = max(finest, behind.fraction + 1, shift.format.fraction) + ceil(log2(trained.divisor)) + 1
    size = max(abs(end) for end in given.bounds).bit_length()
    places = size - given.fraction + fraction + 2
    top = int(np.frexp(np.abs(trained.slope).max())[1])
    if top + places + 1 > MAX_WIDTH or size + top + places + 3 > MAX_WIDTH:
        return None
    codes = quantize_values(trained.slope, Format(width=top + places + 1, integer=top + 1, rounding=Rounding.RND))
    scale = Codes(array=codes, format=smallest_format(int(codes.min()), int(codes.max()), places))
    largest = float(np.ldexp(1.0, size - given.fraction) * np.abs(trained.slope).max() + np.abs(trained.shift).max())
    integer = int(np.frexp(largest)[1]) + 2
    if integer + fraction > MAX_WIDTH:
        return None
    form = Format(width=integer + fraction, integer=integer, rounding=Rounding.RND)
    return PlannedAffine(
        scale=scale,
        shift=shift,
        trained=trained,
        format=form,
        exact_steps=True,
        rounds_in_float32=operation.rounds_in_float32,
    )
