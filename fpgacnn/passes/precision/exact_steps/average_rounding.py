"""Averages before a quantizer: exact by rounding twice, where the divisor is no power of two.

A sum divided by 3 can be exactly on a tie of the quantizer. Rounding half to even takes every other tie up and every
other down, so no scale and shift give the same answers. But a mean is either on a tie, or at least a third of a step
away from the nearest one. So it is first rounded to a grid that is finer than this distance and contains all ties: a
mean beside a tie stays on its side, a mean on a tie stays there, and the quantizer rounds the ties itself.
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
    """`x * scale / divisor + shift` on such a grid, for inputs in an interval and a quantizer to the format `behind`.

    None where the scale is no power of two, the shift needs too many bits, or the result does.
    """
    trained = operation.trained
    shift = exact_codes(trained.shift)
    if shift is None or not _only_divides(trained):
        return None
    finest = given.fraction - int(np.log2(np.abs(trained.scale).min()))
    fraction = max(finest, behind.fraction + 1, shift.format.fraction) + ceil(log2(trained.divisor)) + 1
    scale, form = _rounded_slope(trained, given, fraction), _grid(trained, given, fraction)
    if scale is None or form is None:
        return None
    return PlannedAffine(
        scale=scale,
        shift=shift,
        trained=trained,
        format=form,
        exact_steps=True,
        rounds_in_float32=operation.rounds_in_float32,
    )


def _only_divides(line: q.Line) -> bool:
    """Whether there is a divisor, and every scale is a power of two."""
    return line.divisor != 1 and is_power_of_two(line.scale) and bool(np.all(line.scale))


def _input_bits(given: Interval) -> int:
    """Bits of the largest absolute code."""
    return max(abs(end) for end in given.bounds).bit_length()


def _rounded_slope(line: q.Line, given: Interval, fraction: int) -> Codes | None:
    """`scale / divisor` with enough bits for products that are exact on the grid; None if it needs too many."""
    size, top = _input_bits(given), int(np.frexp(np.abs(line.slope).max())[1])
    places = size - given.fraction + fraction + 2
    if top + places + 1 > MAX_WIDTH or size + top + places + 3 > MAX_WIDTH:
        return None
    codes = quantize_values(line.slope, Format(width=top + places + 1, integer=top + 1, rounding=Rounding.RND))
    return Codes(array=codes, format=smallest_format(int(codes.min()), int(codes.max()), places))


def _grid(line: q.Line, given: Interval, fraction: int) -> Format | None:
    """The format of the grid, which holds every mean; None if the arithmetic has not enough bits."""
    largest = np.ldexp(1.0, _input_bits(given) - given.fraction) * np.abs(line.slope).max() + np.abs(line.shift).max()
    integer = int(np.frexp(float(largest))[1]) + 2
    if integer + fraction > MAX_WIDTH:
        return None
    return Format(width=integer + fraction, integer=integer, rounding=Rounding.RND)
