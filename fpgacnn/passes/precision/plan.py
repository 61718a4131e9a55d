"""The precision plan: a `Decision(format, reason)` for every accumulator, result and table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import assert_never

import numpy as np

from fpgacnn.errors import InternalError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import ranges
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format, Overflow, is_power_of_two
from fpgacnn.ir.source import PoolKind, Shape
from fpgacnn.passes.precision import bounds
from fpgacnn.passes.precision.bounds import FLOAT32_BITS, Bound
from fpgacnn.passes.precision.correlation import Multiples, multiples
from fpgacnn.passes.precision.softmax import RESULT, softmax_tables

QUANTIZER = "the network's quantizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A chosen format and why it was chosen."""

    format: Format
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPrecision:
    """How many bits carry a node's sums and its result.

    `error` bounds the absolute difference between the node's result and exact arithmetic on the trained numbers, for
    every possible input. `loss` says what is lost in this node, `rounds_in_float32` that the framework's own float32
    may round here where hardware does not. `reach` are the smallest and largest value that the result can have.
    """

    result: Decision
    accumulator: Decision | None = None
    tables: Mapping[str, Decision] = field(default_factory=dict)
    error: float = 0.0
    loss: str = ""
    rounds_in_float32: bool = False
    reach: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionPlan:
    """The decisions for every node, and what they promise."""

    layers: Mapping[str, LayerPrecision]

    @property
    def is_lossless(self) -> bool:
        """Hardware computes exactly what exact arithmetic makes of the trained numbers."""
        return all(not layer.loss for layer in self.layers.values())

    @property
    def is_exact(self) -> bool:
        """Lossless, and small enough everywhere that the framework's float32 is exact too: the answers are equal."""
        return self.is_lossless and not any(layer.rounds_in_float32 for layer in self.layers.values())

    @property
    def losses(self) -> tuple[tuple[str, str], ...]:
        """(node, what is lost there)."""
        return tuple((name, layer.loss) for name, layer in self.layers.items() if layer.loss)


@dataclass(slots=True)
class Walk:
    """Ranges and decisions of the nodes seen so far, in order."""

    ranges: dict[str, Bound] = field(default_factory=dict)
    decided: dict[str, LayerPrecision] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    multiples: dict[str, Multiples] = field(default_factory=dict)

    def add(self, layer: hw.Layer) -> None:
        """Bound and decide one more node."""
        given = tuple(self.ranges[name] for name in layer.inputs)
        formats = tuple(self.decided[name].result.format for name in layer.inputs)
        shapes = tuple(self.shapes[name] for name in layer.inputs)
        found, decided = _decide(layer, given, formats, shapes)
        related = (
            multiples(layer, [self.multiples[name] for name in layer.inputs], self.ranges) if found.error else None
        )
        if related is not None and (error := related.bound(self.ranges)) < found.error:
            found, decided = bounds.ranged(found.interval, error, found.magnitude_bits), replace(decided, error=error)
        self.multiples[layer.name] = related or Multiples(of={layer.name: 1.0})
        low, high = (code * 2.0**-found.interval.fraction for code in found.interval.bounds)
        self.ranges[layer.name], self.decided[layer.name] = found, replace(decided, reach=(low, high))
        self.shapes[layer.name] = layer.shape


def _decide(
    layer: hw.Layer, given: tuple[Bound, ...], formats: tuple[Format, ...], shapes: tuple[Shape, ...]
) -> tuple[Bound, LayerPrecision]:
    operation = layer.operation
    match operation:
        case hw.Input():
            found = bounds.ranged(iv.of_format(operation.format, len(layer.shape)), 0.0)
            return found, LayerPrecision(result=Decision(format=operation.format, reason="the input's format"))
        case hw.Convolution() | hw.Depthwise() | hw.Dense():
            return _linear(layer, operation, given[0], shapes[0])
        case hw.Affine():
            return _affine(layer, operation, given[0])
        case hw.Cast() if operation.is_narrowing:
            found = bounds.narrowed(given[0], operation.format)
            loss = f"rounded to {operation.format} before float constants or behind them"
            return found, replace(
                _as_trained(found, operation.format, "as many bits as float constants are worth"), loss=loss
            )
        case hw.Cast():
            found = bounds.cast(given[0], operation.format)
            decided = _as_trained(
                found, operation.format, "index of the table behind it" if operation.is_index else QUANTIZER
            )
            rounds = bounds.overshoots_float32(given[0].interval, operation.format)
            return found, replace(
                decided,
                rounds_in_float32=rounds
                or (operation.in_halves and bounds.loses_half_in_float32(given[0].interval, operation.format)),
            )
        case hw.Relu():
            positive = bounds.relu(given[0])
            if operation.format is None:
                return positive, _kept(layer, positive, f"every bit kept, {positive.interval.text}")
            found = bounds.cast(positive, operation.format)
            rounds = bounds.loses_end_in_float32(positive.interval, operation.format)
            rounds |= operation.in_halves and bounds.loses_half_in_float32(given[0].interval, operation.format)
            return found, replace(_as_trained(found, operation.format), rounds_in_float32=rounds)
        case hw.Saturate():
            return _saturate(operation, given[0])
        case hw.LeakyRelu():
            found = bounds.leaky_relu(layer, operation, given[0])
            off = not np.array_equal(operation.slope.values, operation.trained)
            return found, _kept(
                layer, found, f"every bit kept, {found.interval.text}", loss="slopes rounded" if off else "", real=True
            )
        case hw.ThresholdRelu():
            found = bounds.threshold_relu(given[0])
            return found, _kept(layer, found, f"every bit kept, {found.interval.text}")
        case hw.Lookup():
            return _lookup(layer, operation)
        case hw.Thresholds():
            return _thresholds(layer, operation, given[0])
        case hw.Pool() | hw.GlobalPool():
            return _pool(layer, operation, given[0], formats[0], shapes[0])
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
        case hw.Ternary() | hw.Round() | hw.Wrap() | hw.Function():
            raise InternalError(what=f"node '{layer.name}' was not refined before planning")
        case _:
            assert_never(operation)


def _kept(layer: hw.Layer, found: Bound, reason: str, *, loss: str = "", real: bool = False) -> LayerPrecision:
    """Every bit of an exact result is kept; `real` constants have more bits than the framework's float32 keeps."""
    form = iv.guarded(found.interval, layer=layer.name, what="an exact result").format
    rounds = found.magnitude_bits > FLOAT32_BITS or (real and found.magnitude_bits + 1 > FLOAT32_BITS)
    return LayerPrecision(
        result=Decision(format=form, reason=reason), error=found.error, loss=loss, rounds_in_float32=rounds
    )


def _as_trained(found: Bound, form: Format, why: str = QUANTIZER) -> LayerPrecision:
    """The format is given: the network's own quantizer says it, or the table behind."""
    return LayerPrecision(
        result=Decision(format=form, reason=f"{why}; reaches {found.interval.text}"), error=found.error
    )


def _passed_on(found: Bound, form: Format) -> LayerPrecision:
    """The operation moves values and computes none."""
    return LayerPrecision(result=Decision(format=form, reason="values pass unchanged"), error=found.error)


def _affine(layer: hw.Layer, operation: hw.Affine, given: Bound) -> tuple[Bound, LayerPrecision]:
    found = bounds.affine(layer, operation, given)
    off = any(bounds.constants_error(operation)) and not operation.exact_steps
    loss = f"constants rounded to {operation.scale.format} and {operation.shift.format}" if off else ""
    if operation.format is None:
        kept = _kept(layer, found, f"exact product and sum in {found.interval.text}", loss=loss, real=True)
        points = not np.any(operation.shift.array) and is_power_of_two(operation.scale.values)
        return found, replace(kept, rounds_in_float32=operation.in_steps or (kept.rounds_in_float32 and not points))
    result = bounds.cast(found, operation.format, on_grid=not operation.exact_steps)
    exact = "scale and shift chosen so that every step is exact" if operation.exact_steps else "exact product and sum"
    decision = Decision(
        format=operation.format, reason=f"the network's quantizer, {exact}; reaches {result.interval.text}"
    )
    rounds = operation.exact_steps or operation.in_steps or found.magnitude_bits > FLOAT32_BITS
    rounds = rounds or bounds.overshoots_float32(found.interval, operation.format)
    return result, LayerPrecision(result=decision, error=result.error, loss=loss, rounds_in_float32=rounds)


def _lookup(layer: hw.Layer, operation: hw.Lookup) -> tuple[Bound, LayerPrecision]:
    found = bounds.ranged(ranges.table(operation.table, len(layer.shape)), operation.error)
    decision = Decision(format=operation.table.format, reason="the function at every code of the input, rounded once")
    loss = f"table of {operation.what}: at most {operation.error:.2g} off" if operation.error else ""
    return found, LayerPrecision(
        result=decision, tables={"entry": decision}, error=found.error, loss=loss, rounds_in_float32=operation.rounds
    )


def _thresholds(layer: hw.Layer, operation: hw.Thresholds, given: Bound) -> tuple[Bound, LayerPrecision]:
    found = bounds.ranged(ranges.steps(operation, given.interval, layer.shape[-1]), operation.error)
    decision = Decision(
        format=operation.values.format, reason=f"{operation.what}, exact; reaches {found.interval.text}"
    )
    return found, LayerPrecision(result=decision, error=found.error, rounds_in_float32=operation.rounds)


def _linear(layer: hw.Layer, operation: hw.Linear, given: Bound, shape: Shape) -> tuple[Bound, LayerPrecision]:
    found = bounds.linear(layer, operation, given, shape)
    kernel = operation.kernel.array.shape
    terms = prod(kernel[:2]) if isinstance(operation, hw.Depthwise) else prod(kernel[:-1])
    sums = iv.guarded(found.interval, layer=layer.name, what="a sum of products")
    decision = Decision(
        format=sums.format, reason=f"exact bound of {terms} products with the real weights: {sums.text}"
    )
    off = operation.off
    what = (
        f"weights of a float layer rounded to {operation.kernel.format}"
        if off and off.kernel
        else f"bias rounded to {operation.bias.format}"
    )
    loss = f"{what}: results at most {found.error:.2g} off" if off else ""
    kept = _kept(layer, found, "the accumulator, every bit kept", loss=loss)
    return found, replace(kept, accumulator=decision, rounds_in_float32=kept.rounds_in_float32 or operation.in_steps)


def _saturate(operation: hw.Saturate, given: Bound) -> tuple[Bound, LayerPrecision]:
    fraction = max(given.interval.fraction, operation.fraction)
    form = Format(width=operation.integer + fraction, integer=operation.integer, overflow=Overflow.SAT)
    found = bounds.saturate(given, form)
    reason = f"limited as the quantizer does, every fraction bit kept, {found.interval.text}"
    return found, LayerPrecision(result=Decision(format=form, reason=reason), error=found.error)


def _pool(
    layer: hw.Layer, operation: hw.Pool | hw.GlobalPool, given: Bound, form: Format, shape: Shape
) -> tuple[Bound, LayerPrecision]:
    source = bounds.ranged(ranges.pooled(operation, given.interval), given.error, within=given.reals)
    if operation.kind is PoolKind.MAX:
        decision = Decision(format=form, reason="a maximum is one of its inputs")
        return source, LayerPrecision(result=decision, accumulator=decision, error=source.error)
    counts = ranges.window_sizes(operation, shape)
    total, mean, lossless = bounds.windows(counts, source, layer, operation.guard)
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


def _softmax(layer: hw.Layer, operation: hw.Softmax, given: Bound) -> tuple[Bound, LayerPrecision]:
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
