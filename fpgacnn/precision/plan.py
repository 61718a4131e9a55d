"""The precision plan: a `Decision(format, reason)` for every accumulator, result and table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import assert_never

from fpgacnn.ir import layers as hw
from fpgacnn.ir.model import QuantizedModel
from fpgacnn.ir.source import PoolKind
from fpgacnn.numeric import interval as iv
from fpgacnn.numeric.fixed import Format, Overflow
from fpgacnn.precision import bounds
from fpgacnn.precision.bounds import FLOAT32_BITS, Range
from fpgacnn.precision.softmax import RESULT, softmax_tables


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
    may round here where hardware does not.
    """

    result: Decision
    accumulator: Decision | None = None
    tables: Mapping[str, Decision] = field(default_factory=dict)
    error: float = 0.0
    loss: str = ""
    rounds_in_float32: bool = False


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


def plan(model: QuantizedModel) -> PrecisionPlan:
    """Choose lossless formats for every node from exact intervals.

    Raises WidthLimitError where a lossless value needs more bits than the arithmetic has.
    """
    ranges: dict[str, Range] = {}
    decided: dict[str, LayerPrecision] = {}
    shapes = {layer.name: layer.shape for layer in model.layers}
    for layer in model.layers:
        given = tuple(ranges[name] for name in layer.inputs)
        formats = tuple(decided[name].result.format for name in layer.inputs)
        ranges[layer.name], decided[layer.name] = _decide(layer, given, formats, tuple(shapes[name] for name in layer.inputs))
    return PrecisionPlan(layers=decided)


def _decide(layer: hw.Layer, given: tuple[Range, ...], formats: tuple[Format, ...], shapes: tuple[tuple[int, ...], ...]) -> tuple[Range, LayerPrecision]:
    operation = layer.operation
    match operation:
        case hw.Input():
            found = bounds.ranged(iv.of_format(operation.format, len(layer.shape)), 0.0)
            return found, LayerPrecision(result=Decision(format=operation.format, reason="the input's format"))
        case hw.Convolution() | hw.Dense():
            return _linear(layer, operation, given[0], shapes[0])
        case hw.Affine():
            found = bounds.affine(layer, operation, given[0])
            return found, _kept(layer, found, f"exact product and sum in {found.interval.text}")
        case hw.Cast():
            found = bounds.cast(given[0], operation.format)
            return found, _as_trained(layer, found, operation.format)
        case hw.Relu():
            positive = bounds.relu(given[0])
            if operation.format is None:
                return positive, _kept(layer, positive, f"every bit kept, {positive.interval.text}")
            found = bounds.cast(positive, operation.format)
            return found, _as_trained(layer, found, operation.format)
        case hw.Saturate():
            return _saturate(layer, operation, given[0])
        case hw.LeakyRelu():
            found = bounds.leaky_relu(layer, operation.slope, given[0])
            return found, _kept(layer, found, f"every bit kept, {found.interval.text}")
        case hw.Pool() | hw.GlobalPool():
            return _pool(layer, operation, given[0], formats[0], shapes[0])
        case hw.ZeroPad():
            found = bounds.ranged(iv.with_zero(given[0].interval), given[0].error)
            found = bounds.ranged(_hull(found, 2), found.error)
            return found, _passed_on(found, formats[0])
        case hw.Reshape():
            wide = iv.full(given[0].interval, shapes[0])
            flat = iv.Interval(low=wide.low.reshape(layer.shape), high=wide.high.reshape(layer.shape), fraction=wide.fraction)
            found = bounds.ranged(flat, given[0].error)
            return found, _passed_on(found, formats[0])
        case hw.Merge():
            found = bounds.merge(operation.kind, (given[0], given[1]), layer)
            return found, _kept(layer, found, f"exact result in {found.interval.text}")
        case hw.Concatenate():
            found = bounds.concatenate(operation.axis, (given[0], given[1]), (shapes[0], shapes[1]), layer)
            return found, _kept(layer, found, f"a common binary point, {found.interval.text}")
        case hw.Softmax():
            return _softmax(layer, operation, given[0])
        case _:
            assert_never(operation)


def _hull(found: Range, spatial_axes: int) -> iv.Interval:
    """One pair of numbers for all positions of an image."""
    rank = found.interval.low.ndim
    return iv.reduce_axes(found.interval, tuple(range(min(spatial_axes, rank - 1))))


def _rounds(found: Range) -> bool:
    return found.magnitude_bits > FLOAT32_BITS


def _kept(layer: hw.Layer, found: Range, reason: str) -> LayerPrecision:
    """Every bit of an exact result is kept."""
    form = iv.guarded(found.interval, layer=layer.name, what="an exact result").format
    return LayerPrecision(result=Decision(format=form, reason=reason), error=found.error, loss=layer.inexact, rounds_in_float32=_rounds(found))


def _as_trained(layer: hw.Layer, found: Range, form: Format) -> LayerPrecision:
    """The network's own quantizer says the format."""
    reason = f"the network's quantizer; reaches {found.interval.text}"
    return LayerPrecision(result=Decision(format=form, reason=reason), error=found.error, loss=layer.inexact)


def _passed_on(found: Range, form: Format) -> LayerPrecision:
    """The operation moves values and computes none."""
    return LayerPrecision(result=Decision(format=form, reason="values pass unchanged"), error=found.error)


def _linear(layer: hw.Layer, operation: hw.Convolution | hw.Dense, given: Range, shape: tuple[int, ...]) -> tuple[Range, LayerPrecision]:
    found = bounds.linear(layer, operation, given, shape)
    terms = prod(operation.kernel.array.shape[:-1])
    sums = iv.guarded(found.interval, layer=layer.name, what="a sum of products")
    reason = f"exact bound of {terms} products with the real weights: {sums.text}"
    decision = Decision(format=sums.format, reason=reason)
    kept = _kept(layer, found, "the accumulator, every bit kept")
    return found, LayerPrecision(result=kept.result, accumulator=decision, error=found.error, loss=layer.inexact, rounds_in_float32=kept.rounds_in_float32)


def _saturate(layer: hw.Layer, operation: hw.Saturate, given: Range) -> tuple[Range, LayerPrecision]:
    fraction = given.interval.fraction
    form = Format(width=max(operation.integer + fraction, 2), integer=max(operation.integer, 2 - fraction), overflow=Overflow.SAT)
    found = bounds.ranged(iv.cast(given.interval, form), given.error)
    reason = f"limited as the quantizer does, every fraction bit kept, {found.interval.text}"
    return found, LayerPrecision(result=Decision(format=form, reason=reason), error=found.error, loss=layer.inexact)


def _pool(layer: hw.Layer, operation: hw.Pool | hw.GlobalPool, given: Range, form: Format, shape: tuple[int, ...]) -> tuple[Range, LayerPrecision]:
    hull = bounds.ranged(_hull(given, len(shape) - 1), given.error)
    if isinstance(operation, hw.GlobalPool):
        hull = bounds.ranged(iv.Interval(low=hull.interval.low.reshape(-1), high=hull.interval.high.reshape(-1), fraction=hull.interval.fraction), given.error)
    if operation.kind is PoolKind.MAX:
        decision = Decision(format=form, reason="a maximum is one of its inputs")
        return hull, LayerPrecision(result=decision, accumulator=decision, error=hull.error)
    counts = window_sizes(operation, shape)
    total, mean, exact = bounds.windows(counts, hull, layer)
    sums = iv.guarded(total.interval, layer=layer.name, what="a sum of a window").format
    words = "/".join(map(str, counts))
    reason = f"mean of {words} values, exact" if exact else f"mean of {words} values, truncated {bounds.GUARD_BITS} bits below the data"
    loss = "" if exact else f"division by {words} truncates at 2^{-mean.interval.fraction}"
    return mean, LayerPrecision(
        result=Decision(format=mean.interval.format, reason=reason),
        accumulator=Decision(format=sums, reason=f"exact sum of {max(counts)} values: {total.interval.text}"),
        error=mean.error,
        loss=loss or layer.inexact,
        rounds_in_float32=_rounds(mean),
    )


def window_sizes(operation: hw.Pool | hw.GlobalPool, shape: tuple[int, ...]) -> tuple[int, ...]:
    """How many real cells the windows cover; several numbers where padding cuts windows at the border."""
    if isinstance(operation, hw.GlobalPool):
        return (prod(shape[:-1]),)
    height, width = shape[:-1] if len(shape) == 3 else (1, shape[0])
    rows = _covered(height, operation.size[0], operation.strides[0], operation.pads[:2])
    columns = _covered(width, operation.size[1], operation.strides[1], operation.pads[2:])
    return tuple(sorted({row * column for row in rows for column in columns}, reverse=True))


def _covered(size: int, window: int, stride: int, pads: tuple[int, int]) -> set[int]:
    starts = range(-pads[0], size + pads[1] - window + 1, stride)
    return {min(start + window, size) - max(start, 0) for start in starts}


def _softmax(layer: hw.Layer, operation: hw.Softmax, given: Range) -> tuple[Range, LayerPrecision]:
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
            "exponential": Decision(format=tables.exponential, reason="exp(-difference), 4096 entries"),
            "index": Decision(format=tables.index, reason="index of the reciprocal table, all its bits"),
            "reciprocal": Decision(format=tables.reciprocal, reason="1 / sum, 4096 entries"),
        },
        error=tables.error,
        loss=f"exponential and reciprocal tables: at most {tables.error:.2g} off",
        rounds_in_float32=True,
    )
