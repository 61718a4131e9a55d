"""Planning: the lossless formats of one node after the other, from the exact intervals of its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import assert_never

import numpy as np

from fpgacnn.errors import InternalError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import quantized as q
from fpgacnn.ir import ranges
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format, Overflow, is_power_of_two
from fpgacnn.ir.source import PoolKind, Shape
from fpgacnn.passes.precision import bounds, nodes
from fpgacnn.passes.precision.bounds import FLOAT32_BITS, Bound
from fpgacnn.passes.precision.correlation import Multiples, multiples
from fpgacnn.passes.precision.nodes import Node
from fpgacnn.passes.precision.plan import Decision, LayerPrecision
from fpgacnn.passes.precision.softmax import RESULT, softmax_tables

FLOAT_WEIGHTS = "weights of a float layer"
"""What rounds where a layer's weights have no quantizer, as the plan says it."""


@dataclass(slots=True)
class Planner:
    """What is known of the nodes so far: their bounds, formats and shapes."""

    bounds: dict[str, Bound] = field(default_factory=dict)
    decided: dict[str, LayerPrecision] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    multiples: dict[str, Multiples] = field(default_factory=dict)

    def copy(self) -> Planner:
        """A planner that has the same nodes so far."""
        return Planner(
            bounds=dict(self.bounds),
            decided=dict(self.decided),
            shapes=dict(self.shapes),
            multiples=dict(self.multiples),
        )

    def add(self, layer: Node) -> None:
        """Bound one more node, whose inputs are known, and choose its formats.

        Raises WidthLimitError where a lossless value needs more bits than the arithmetic has; then nothing changes.
        """
        if layer.name in self.bounds:
            raise InternalError(what=f"node '{layer.name}' is planned twice")
        given = tuple(self.bounds[name] for name in layer.inputs)
        formats = tuple(self.decided[name].result.format for name in layer.inputs)
        shapes = tuple(self.shapes[name] for name in layer.inputs)
        found, decided = _decide(layer, given, formats, shapes)
        related = (
            multiples(layer, [self.multiples[name] for name in layer.inputs], self.bounds) if found.error else None
        )
        if related is not None and (error := related.bound(self.bounds)) < found.error:
            found, decided = bounds.ranged(found.interval, error, found.magnitude_bits), replace(decided, error=error)
        self.multiples[layer.name] = related or Multiples(of={layer.name: 1.0})
        low, high = (code * 2.0**-found.interval.fraction for code in found.interval.bounds)
        self.bounds[layer.name], self.decided[layer.name] = found, replace(decided, reach=(low, high))
        self.shapes[layer.name] = layer.shape


def _decide(
    layer: Node, given: tuple[Bound, ...], formats: tuple[Format, ...], shapes: tuple[Shape, ...]
) -> tuple[Bound, LayerPrecision]:
    operation = layer.operation
    match operation:
        case hw.Input():
            found = bounds.ranged(iv.of_format(operation.format, len(layer.shape)), 0.0)
            return found, LayerPrecision(result=Decision(format=operation.format, reason="the input's format"))
        case q.Linear():
            return _linear(layer, operation, given[0], shapes[0])
        case nodes.PlannedAffine():
            return _affine(layer, operation, given[0])
        case nodes.PlannedCast():
            return _cast(operation, given[0])
        case q.Relu():
            return _relu(layer, operation, given[0])
        case hw.Saturate():
            return _saturate(operation, given[0])
        case q.LeakyRelu():
            found = bounds.leaky_relu(layer, operation, given[0])
            off = not np.array_equal(operation.slope.values, operation.trained)
            return found, _kept(
                layer, found, f"every bit kept, {found.interval.text}", loss="slopes rounded" if off else "", real=True
            )
        case hw.ThresholdRelu():
            found = bounds.threshold_relu(given[0])
            return found, _kept(layer, found, f"every bit kept, {found.interval.text}")
        case nodes.PlannedLookup():
            return _lookup(layer, operation)
        case nodes.PlannedThresholds():
            return _thresholds(layer, operation, given[0])
        case nodes.PlannedPool():
            return _pool(layer, operation.pooling, operation.guard, given[0], formats[0], shapes[0])
        case src.ZeroPad():
            moved = ranges.moved(operation, given[0].interval, shapes[0], layer.shape)
            return (found := bounds.ranged(moved, given[0].error)), _passed_on(found, formats[0])
        case src.Crop() | src.Upsample() | src.Permute() | src.Reshape():
            moved = ranges.moved(operation, given[0].interval, shapes[0], layer.shape)
            return (found := bounds.ranged(moved, given[0].error, within=given[0].reals)), _passed_on(found, formats[0])
        case hw.Merge():
            found = bounds.merge(operation.kind, (given[0], given[1]), layer)
            return found, _kept(layer, found, f"exact result in {found.interval.text}")
        case src.Concatenate():
            found = bounds.concatenate(operation.axis, (given[0], given[1]), (shapes[0], shapes[1]), layer)
            return found, _kept(layer, found, f"a common binary point, {found.interval.text}")
        case hw.Softmax():
            return _softmax(layer, operation, given[0])
        case _:
            assert_never(operation)


def _kept(layer: Node, found: Bound, reason: str, *, loss: str = "", real: bool = False) -> LayerPrecision:
    """Every bit of an exact result is kept. `real`: the constants may have more bits than float32."""
    form = iv.guarded(found.interval, layer=layer.name, what="an exact result").format
    rounds = found.magnitude_bits > FLOAT32_BITS or (real and found.magnitude_bits + 1 > FLOAT32_BITS)
    return LayerPrecision(
        result=Decision(format=form, reason=reason), error=found.error, loss=loss, rounds_in_float32=rounds
    )


def _cast(operation: nodes.PlannedCast, given: Bound) -> tuple[Bound, LayerPrecision]:
    if operation.purpose is nodes.Purpose.NARROWING:
        found = bounds.narrowed(given, operation.format, centred=operation.centred)
        loss = f"rounded to {operation.format} before float constants or behind them"
        return found, replace(_as_given(found, operation.format, operation.purpose), loss=loss)
    found = bounds.cast(given, operation.format)
    rounds = bounds.overshoots_float32(given.interval, operation.format)
    rounds |= operation.through_hard_sigmoid and bounds.loses_half_in_float32(given.interval, operation.format)
    return found, replace(_as_given(found, operation.format, operation.purpose), rounds_in_float32=rounds)


def _relu(layer: Node, operation: q.Relu, given: Bound) -> tuple[Bound, LayerPrecision]:
    positive = bounds.relu(given)
    if operation.format is None:
        return positive, _kept(layer, positive, f"every bit kept, {positive.interval.text}")
    found = bounds.cast(positive, operation.format)
    rounds = bounds.loses_end_in_float32(positive.interval, operation.format)
    rounds |= operation.through_hard_sigmoid and bounds.loses_half_in_float32(given.interval, operation.format)
    return found, replace(_as_given(found, operation.format), rounds_in_float32=rounds)


def _as_given(found: Bound, form: Format, why: nodes.Purpose = nodes.Purpose.QUANTIZER) -> LayerPrecision:
    """The format is that of the cast."""
    decision = Decision(format=form, reason=f"{why.value}; reaches {found.interval.text}")
    return LayerPrecision(result=decision, error=found.error)


def _passed_on(found: Bound, form: Format) -> LayerPrecision:
    """The operation only moves values."""
    return LayerPrecision(result=Decision(format=form, reason="values pass unchanged"), error=found.error)


def _affine(layer: Node, operation: nodes.PlannedAffine, given: Bound) -> tuple[Bound, LayerPrecision]:
    found = bounds.affine(layer, operation, given)
    off = any(bounds.constants_error(operation)) and not operation.exact_steps
    loss = f"constants rounded to {operation.scale.format} and {operation.shift.format}" if off else ""
    if operation.format is None:
        kept = _kept(layer, found, f"exact product and sum in {found.interval.text}", loss=loss, real=True)
        points = not np.any(operation.shift.array) and is_power_of_two(operation.scale.values)
        return found, replace(
            kept, rounds_in_float32=operation.rounds_in_float32 or (kept.rounds_in_float32 and not points)
        )
    result = bounds.cast(found, operation.format, on_grid=not operation.exact_steps)
    exact = "scale and shift chosen so that every step is exact" if operation.exact_steps else "exact product and sum"
    decision = Decision(
        format=operation.format, reason=f"the network's quantizer, {exact}; reaches {result.interval.text}"
    )
    rounds = operation.exact_steps or operation.rounds_in_float32 or found.magnitude_bits > FLOAT32_BITS
    rounds = rounds or bounds.overshoots_float32(found.interval, operation.format)
    return result, LayerPrecision(result=decision, error=result.error, loss=loss, rounds_in_float32=rounds)


def _lookup(layer: Node, operation: nodes.PlannedLookup) -> tuple[Bound, LayerPrecision]:
    found = bounds.ranged(ranges.table(operation.table, len(layer.shape)), operation.error)
    decision = Decision(format=operation.table.format, reason="the function at every code of the input, rounded once")
    loss = f"table of {operation.what}: at most {operation.error:.2g} off" if operation.error else ""
    return found, LayerPrecision(
        result=decision,
        tables={"entry": decision},
        error=found.error,
        loss=loss,
        rounds_in_float32=operation.rounds_in_float32,
    )


def _thresholds(layer: Node, operation: nodes.PlannedThresholds, given: Bound) -> tuple[Bound, LayerPrecision]:
    found = bounds.ranged(
        ranges.steps(operation.thresholds, operation.values, given.interval, layer.shape[-1]), operation.error
    )
    decision = Decision(
        format=operation.values.format, reason=f"{operation.what}, exact; reaches {found.interval.text}"
    )
    return found, LayerPrecision(result=decision, error=found.error, rounds_in_float32=operation.rounds_in_float32)


def _linear(layer: Node, operation: q.Linear, given: Bound, shape: Shape) -> tuple[Bound, LayerPrecision]:
    found, layer_sums = bounds.linear(layer, operation, given, shape), operation.sums
    kernel = layer_sums.kernel.array.shape
    terms = prod(kernel[:2]) if isinstance(layer_sums, hw.Depthwise) else prod(kernel[:-1])
    sums = iv.guarded(found.interval, layer=layer.name, what="a sum of products")
    decision = Decision(
        format=sums.format, reason=f"exact bound of {terms} products with the real weights: {sums.text}"
    )
    loss = ""
    if operation.errors is not None:
        what = f"bias rounded to {layer_sums.bias.format}"
        if np.any(operation.errors.kernel):
            what = f"{FLOAT_WEIGHTS} rounded to {layer_sums.kernel.format}"
        loss = f"{what}: results at most {found.error:.2g} off"
    kept = _kept(layer, found, "the accumulator, every bit kept", loss=loss)
    rounds = kept.rounds_in_float32 or operation.rounds_in_float32
    return found, replace(kept, accumulator=decision, rounds_in_float32=rounds)


def _saturate(operation: hw.Saturate, given: Bound) -> tuple[Bound, LayerPrecision]:
    fraction = max(given.interval.fraction, operation.fraction)
    form = Format(width=operation.integer + fraction, integer=operation.integer, overflow=Overflow.SAT)
    found = bounds.saturate(given, form)
    reason = f"limited as the quantizer does, every fraction bit kept, {found.interval.text}"
    return found, LayerPrecision(result=Decision(format=form, reason=reason), error=found.error)


def _pool(
    layer: Node,
    operation: hw.Pool | hw.GlobalPool,
    guard: nodes.Guard | None,
    given: Bound,
    form: Format,
    shape: Shape,
) -> tuple[Bound, LayerPrecision]:
    source = bounds.ranged(ranges.pooled(operation, given.interval), given.error, within=given.reals)
    if operation.kind is PoolKind.MAX:
        decision = Decision(format=form, reason="a maximum is one of its inputs")
        return source, LayerPrecision(result=decision, accumulator=decision, error=source.error)
    counts = ranges.window_sizes(operation, shape)
    total, mean, lossless = bounds.windows(counts, source, layer, guard)
    sums = iv.guarded(total.interval, layer=layer.name, what="a sum of a window").format
    exact = all(count & (count - 1) == 0 for count in counts)
    words = "/".join(map(str, counts))
    point = f"2^{-mean.interval.fraction}"
    truth = "exact" if exact else "exact for the rounding behind it" if lossless else f"truncated at {point}"
    return mean, LayerPrecision(
        result=Decision(format=mean.interval.format, reason=f"mean of {words} values, {truth}"),
        accumulator=Decision(format=sums, reason=f"exact sum of {max(counts)} values: {total.interval.text}"),
        error=mean.error if exact else given.error + 2.0**-mean.interval.fraction,
        loss="" if lossless else f"division by {words} truncates at {point}",
        rounds_in_float32=mean.magnitude_bits > FLOAT32_BITS,
    )


def _softmax(layer: Node, operation: hw.Softmax, given: Bound) -> tuple[Bound, LayerPrecision]:
    classes = layer.shape[-1]
    rank = len(layer.shape)
    if operation.kind is hw.SoftmaxKind.ARGMAX:
        form = Format(width=1, integer=1, signed=False)
        found = bounds.ranged(iv.of_format(form, rank), 1.0 if given.error else 0.0)
        reason = "one-hot: 1 for the first largest logit"
        return found, LayerPrecision(result=Decision(format=form, reason=reason), error=found.error)
    tables = softmax_tables(given.interval, classes, given.error)
    found = bounds.ranged(iv.of_format(RESULT, rank), tables.error)
    return found, LayerPrecision(
        result=Decision(format=RESULT, reason=f"probabilities, at most {tables.error:.2g} off"),
        accumulator=Decision(format=tables.total, reason=f"exact sum of {classes} exponentials"),
        tables={
            "difference": Decision(format=tables.difference, reason="index of the exponential table, all its bits"),
            "exponential": Decision(
                format=tables.exponential, reason=f"exp(-difference), {1 << tables.difference.width} entries"
            ),
            "index": Decision(format=tables.index, reason="index of the reciprocal table, all its bits"),
            "reciprocal": Decision(format=tables.reciprocal, reason=f"1 / sum, {1 << tables.index.width} entries"),
        },
        error=tables.error,
        loss=f"exponential and reciprocal tables: at most {tables.error:.2g} off",
        rounds_in_float32=True,
    )
