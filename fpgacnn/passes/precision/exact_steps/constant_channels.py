"""Channels that are constant behind a scale, because all their inputs lead to the same step: they need no scale.

The scales of all channels share one format. A channel that training pruned may have a scale of any size, and the scales
of the other channels would then have too few bits.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from fpgacnn.ir import interval as iv
from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import EXACT_SCALE_BITS, EXACT_SHIFT_BITS, ROUNDED_BITS, Rounding, rescale, rounded_codes
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.passes.precision import bounds
from fpgacnn.passes.precision.bounds import Bound
from fpgacnn.passes.precision.planner import Planner

_LARGEST = 1 << 60


def without_constants(layer: q.Layer, operation: q.Affine, model: QuantizedModel, planner: Planner) -> q.Affine:
    """The operation of `layer` with scale 0 in the channels that are constant, and the constant as their shift.

    Only if the constants are rounded or long. A channel is constant if its input has one value, or if a rounding right
    behind gives one result for every input.
    """
    if not any(bounds.constants_error(operation)) and operation.scale.format.width <= EXACT_SCALE_BITS:
        return operation
    source, channels = planner.bounds[layer.inputs[0]], layer.shape[-1]
    if source.interval.low.shape[-1] not in (1, channels):
        return operation
    scale, shift = operation.trained.scale.copy(), operation.trained.shift.copy()
    behind = _rounding_behind(layer, model)
    for channel in _candidates(operation, source, behind, channels):
        found = _constant(operation, source, channel, behind)
        if found is not None:
            scale[channel], shift[channel] = 0.0, found
    if np.array_equal(scale, operation.trained.scale):
        return operation
    codes, offsets = (
        rounded_codes(scale / operation.trained.divisor, EXACT_SCALE_BITS, ROUNDED_BITS),
        rounded_codes(shift, EXACT_SHIFT_BITS, ROUNDED_BITS),
    )
    trained = replace(operation.trained, scale=scale, shift=shift)
    return replace(operation, scale=codes, shift=offsets, trained=trained)


def _rounding_behind(layer: q.Layer, model: QuantizedModel) -> tuple[Rounding, int] | None:
    """Mode and fraction bits of the only reader, if it rounds; else None, and for results of a layer of the file."""
    readers = model.consumers(layer.name)
    if len(readers) != 1 or layer.is_result or layer.name in model.outputs:
        return None
    match readers[0].operation:
        case q.Round(rounding=rounding):
            return rounding, 0
        case q.Cast(format=form, through_hard_sigmoid=False):
            return form.rounding, form.fraction
        case _:
            return None


def _candidates(operation: q.Affine, source: Bound, behind: tuple[Rounding, int] | None, channels: int) -> list[int]:
    """The channels whose results are at most about two steps apart."""
    low, high = iv.per_channel(source.interval, channels)
    distance = np.abs(operation.trained.slope) * np.ldexp((high - low).astype(np.float64), -source.interval.fraction)
    few = distance == 0 if behind is None else distance <= 2.0 ** (1 - behind[1])
    return [int(channel) for channel in np.flatnonzero(few & (operation.trained.scale != 0))]


def _constant(operation: q.Affine, source: Bound, channel: int, behind: tuple[Rounding, int] | None) -> float | None:
    """The only result of a channel; None if there are several, or if it is no float."""
    low, high = (
        Fraction(int(end[channel])) / Fraction(2) ** source.interval.fraction
        for end in iv.per_channel(source.interval, len(operation.trained.scale))
    )
    scale, shift = (Fraction(float(one[channel])) for one in (operation.trained.scale, operation.trained.shift))
    ends = [
        end * scale / operation.trained.divisor + shift
        for end in (low - Fraction(source.error), high + Fraction(source.error))
    ]
    if behind is not None:
        wholes = [_whole(end * Fraction(2) ** behind[1], behind[0]) for end in ends]
        if None in wholes:
            return None
        ends = [Fraction(one) / Fraction(2) ** behind[1] for one in wholes if one is not None]
    value = float(ends[0])
    return value if ends[0] == ends[1] == Fraction(value) else None


def _whole(value: Fraction, rounding: Rounding) -> int | None:
    """A number rounded to a whole one; None if it is larger than every format."""
    quarters = (value * 4).__floor__()
    if abs(quarters) >= _LARGEST:
        return None
    return int(rescale(np.array([quarters | int(quarters != value * 4)], np.int64), 2, 0, rounding)[0])
