"""Guard bits of a mean that does not divide by a power of two, for the quantizers that read it."""

from __future__ import annotations

from math import ceil, log2

import numpy as np

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import ranges
from fpgacnn.ir.fixed_point import exact_codes, is_power_of_two
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.ir.source import PoolKind
from fpgacnn.passes.precision import bounds
from fpgacnn.passes.precision.exact_steps import scales
from fpgacnn.passes.precision.nodes import Guard
from fpgacnn.passes.precision.planner import Planner

MAX_TIE_BITS = 24
"""Most fraction bits of a mean that is exact for a quantizer behind a scale."""


def only_reader(model: QuantizedModel, layer: q.Layer) -> q.Layer | None:
    """The only reader of a node that is no output; None for others."""
    readers = model.consumers(layer.name)
    return readers[0] if len(readers) == 1 and layer.name not in model.outputs else None


def only_quantizer_behind(model: QuantizedModel, layer: q.Layer) -> bool:
    """Whether the only reader of a node is a quantizer that can be one node with a scale."""
    behind = only_reader(model, layer)
    if behind is None:
        return False
    return scales.quantizer_format(behind.operation) is not None or scales.takes_sign(behind.operation)


def rounds(operation: q.Operation) -> bool:
    """Whether an operation limits or rounds its input, so that this needs no other rounding before."""
    match operation:
        case q.Cast() | q.Round() | q.Ternary() | q.Wrap() | hw.Saturate():
            return True
        case q.Relu(format=form):
            return form is not None
        case _:
            return False


def guard(model: QuantizedModel, planner: Planner, layer: q.Layer, operation: hw.Pool | hw.GlobalPool) -> Guard | None:
    """Guard bits for a mean that does not divide by a power of two; enough for every quantizer that reads it.

    Two different sums over n cells are 1/n steps apart, and so is a sum from a half step that it does not meet;
    with ceil(log2 n) more bits than both points need, truncation cannot carry a mean across a half step.
    """
    counts = ranges.window_sizes(operation, planner.shapes[layer.inputs[0]])
    if operation.kind is PoolKind.MAX or all(count & (count - 1) == 0 for count in counts):
        return None
    fraction = planner.bounds[layer.inputs[0]].interval.fraction
    ties = [_ties(model, reader) for reader in model.consumers(layer.name)]
    bits = max(ceil(log2(count)) for count in counts) + 1
    known = [tie for tie in ties if tie is not None]
    if not known or len(known) < len(ties) or layer.name in model.outputs:
        return Guard(bits=bits + bounds.GUARD_BITS, exact_steps=False)
    return Guard(bits=bits + max(max(known) - fraction, 0), exact_steps=True)


def _ties(model: QuantizedModel, reader: q.Layer) -> int | None:
    """Fraction bits of all half steps of a quantizer, or of one behind a scale and shift; None for others."""
    form = scales.quantizer_format(reader.operation)
    if form is not None:
        return form.fraction + 1
    if not isinstance(reader.operation, q.Affine) or not only_quantizer_behind(model, reader):
        return None
    line, form = reader.operation.trained, scales.quantizer_format(model.consumers(reader.name)[0].operation)
    shift = exact_codes(line.shift)
    if form is None or shift is None or line.divisor != 1 or not line.scale.any() or not is_power_of_two(line.scale):
        return None
    ties = max(form.fraction + 1, shift.format.fraction) + int(np.log2(np.abs(line.scale).max()))
    return ties if ties <= MAX_TIE_BITS else None
