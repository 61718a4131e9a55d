"""Shorter numbers where trained floats would need more bits than the arithmetic has, with the error of the rounding.

A float32 scale has 24 significant bits. A product with it has 24 bits more than the data, and every further layer adds
bits. Numbers that no quantizer rounds are rounded here, but only if the result would not fit: first the constants, to
the width of one port of a DSP block; then the inputs of the node, to the 24 bits of the framework's own float32.
Formats that the file states are never changed.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, Rounding, nearest_codes, smallest_format
from fpgacnn.ir.source import FloatArray, MergeKind
from fpgacnn.passes.precision import nodes
from fpgacnn.passes.precision.bounds import constants_error
from fpgacnn.passes.precision.nodes import Node, node
from fpgacnn.passes.precision.planner import Planner
from fpgacnn.passes.quantization.names import Namer

SCALE_PORT_BITS = 18
"""Width of one port of a DSP48: for a longer scale, a shorter one is searched."""

FLOAT_INPUT_BITS = 24
"""Bits of the inputs of a node with float constants, if they are rounded."""

SHIFT_BITS = SCALE_PORT_BITS + 6

RESULT_BITS = 40
"""Bits that a result keeps, counted from its largest, if constants are rounded a second time."""


def is_long(layer: Node, long: AbstractSet[str]) -> bool:
    """Whether the width of a node's results comes from trained floats, not from the file; `long` are such inputs."""
    match layer.operation:
        case nodes.PlannedCast() | nodes.PlannedLookup() | nodes.PlannedThresholds() | hw.Softmax() | hw.Input():
            return False
        case q.Relu(format=form) | nodes.PlannedAffine(format=form) if form is not None:
            return False
        case _:
            return _has_long_constants(layer.operation) or any(name in long for name in layer.inputs)


def _has_long_constants(operation: nodes.Operation) -> bool:
    match operation:
        case nodes.PlannedAffine():
            wide = operation.scale.format.width > SCALE_PORT_BITS or operation.shift.format.width > SHIFT_BITS
            return not operation.exact_steps and (wide or any(constants_error(operation)))
        case q.Linear():
            return operation.errors is not None or operation.sums.bias.format.width > SHIFT_BITS
        case q.LeakyRelu():
            return operation.slope.format.width > SCALE_PORT_BITS or not np.array_equal(
                operation.slope.values, operation.trained
            )
        case _:
            return False


def constants(layer: Node, planner: Planner, *, limited: bool = False) -> Node:
    """The node with its float constants rounded, or unchanged if they are short.

    `limited`: RESULT_BITS limits the fraction bits of scale and shift, too.
    """
    operation = layer.operation
    if not _has_long_constants(operation):
        return layer
    source = planner.bounds[layer.inputs[0]].interval
    if isinstance(operation, nodes.PlannedAffine):
        if not limited:
            scale, shift = (
                nearest_codes(operation.trained.slope, SCALE_PORT_BITS),
                nearest_codes(operation.trained.shift, SHIFT_BITS),
            )
            return node(layer, replace(operation, scale=scale, shift=shift))
        largest = (
            np.abs(operation.trained.slope).max() * np.ldexp(float(max(map(abs, source.bounds))), -source.fraction)
            + np.abs(operation.trained.shift).max()
        )
        finest = RESULT_BITS - int(np.frexp(largest)[1])
        scale = _nearest(operation.trained.slope, SCALE_PORT_BITS, finest - source.fraction)
        shift = _nearest(operation.trained.shift, SHIFT_BITS, finest)
        return node(layer, replace(operation, scale=scale, shift=shift))
    if isinstance(operation, q.Linear) and operation.sums.bias.format.width > SHIFT_BITS:
        bias = _nearest(
            operation.sums.bias.values, SHIFT_BITS, source.fraction + operation.sums.kernel.format.fraction + SHIFT_BITS
        )
        before = operation.errors or q.WeightErrors(kernel=0.0, bias=0.0)
        errors = replace(before, bias=before.bias + float(np.abs(bias.values - operation.sums.bias.values).max()))
        return node(layer, replace(operation, sums=replace(operation.sums, bias=bias), errors=errors))
    return layer


def _nearest(values: FloatArray, bits: int, finest: int) -> Codes:
    """Values rounded to about `bits` significant bits of the largest, with at most `finest` fraction bits."""
    found = nearest_codes(values, bits)
    if found.format.fraction <= finest:
        return found
    codes = np.rint(np.ldexp(values, finest)).astype(np.int64)
    return Codes(array=codes, format=smallest_format(int(codes.min()), int(codes.max()), finest))


def inputs(layer: Node, planner: Planner, long: AbstractSet[str], namer: Namer) -> tuple[tuple[Node, ...], Node]:
    """Casts of the inputs whose width comes from floats, and the node that reads them.

    Where such an input and another one need a common binary point, either loses the bits far below the top of both.
    """
    every = _has_long_constants(layer.operation)
    finest = None
    if isinstance(layer.operation, src.Concatenate) or (
        isinstance(layer.operation, hw.Merge) and layer.operation.kind is not MergeKind.MULTIPLY
    ):
        finest = RESULT_BITS - max(planner.decided[name].result.format.integer for name in layer.inputs)
        finest = finest if any(name in long for name in layer.inputs) else None
    wide = [
        name
        for name in dict.fromkeys(layer.inputs)
        if ((every or name in long) and planner.decided[name].result.format.width > FLOAT_INPUT_BITS)
        or (finest is not None and planner.bounds[name].interval.fraction > finest)
    ]
    casts = {
        name: narrow(layer, name, planner, namer, place=f"{place}" if place else "", finest=finest)
        for place, name in enumerate(wide)
    }
    behind = replace(layer, inputs=tuple(casts[name].name if name in casts else name for name in layer.inputs))
    return tuple(casts.values()), behind


def narrow(
    layer: q.Layer | Node, source: str, planner: Planner, namer: Namer, *, place: str = "", finest: int | None = None
) -> Node:
    """A cast in front of `layer` to FLOAT_INPUT_BITS bits, at most `finest` of them fraction bits."""
    interval = planner.bounds[source].interval
    low, high = interval.bounds
    dropped = max(abs(low), abs(high)).bit_length() + 1 - FLOAT_INPUT_BITS
    if finest is not None:
        dropped = max(dropped, interval.fraction - finest)
    wide = smallest_format(low, high, interval.fraction)
    width = max(wide.width - dropped + 1, 2)
    form = Format(
        width=width, integer=width - (interval.fraction - dropped), signed=wide.signed, rounding=Rounding.RND_CONV
    )
    cast = nodes.PlannedCast(format=form, purpose=nodes.Purpose.NARROWING)
    name = namer.unique(f"{layer.name}_input{place}")
    narrowed = node(layer, cast, name=name, inputs=(source,), is_result=False)
    return replace(narrowed, shape=planner.shapes[source])
