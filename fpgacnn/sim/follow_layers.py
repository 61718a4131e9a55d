"""Compare the network as read with a framework's own results, layer by layer, within float32 rounding.

Every layer is computed in float64 from the framework's results of the previous layers, so that neither rounding nor a
difference grows with depth, and a wrongly read layer is the one that differs. A layer that the framework does not give
(a part of a layer that is several of ours) is computed from those before it, with its rounding.

Two errors are separate. `rounding` is the error of sums and functions in float32. `reach` is its effect on the next
quantizer: if the argument is next to a threshold, the framework may take the next step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import round_whole
from fpgacnn.ir.source import FloatArray, SourceLayer, SourceModel
from fpgacnn.sim.rounded_argument import pieces
from fpgacnn.sim.source_reference import layer_answer, prepared

SUM_ROUNDING = 2.0**-18
"""Largest error of a sum in float32, relative to the largest sum of magnitudes of the layer: 64 of its half steps."""

VALUE_ROUNDING = 2.0**-21
"""Largest error of one value in a function or quantizer in float32, relative to the value: four of its steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDifference:
    """One layer: the framework's values and ours (events, ...shape), and which differ by more than float32 explains.

    `beyond`: values that differ by more than the rounding of sums; `wrong`: those of them that no threshold explains.
    """

    layer: str
    ours: FloatArray
    theirs: FloatArray
    rounding: float
    beyond: NDArray[np.bool_]
    wrong: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Known:
    """A layer's values with their possible error by rounding, and by rounding and steps of quantizers together."""

    values: FloatArray
    rounding: FloatArray
    reach: FloatArray


def differences(
    model: SourceModel, inputs: Sequence[FloatArray], shown: Mapping[str, FloatArray]
) -> tuple[NodeDifference, ...]:
    """Every layer that the framework gives, in the model's order.

    `inputs` and `shown` are (events, ...shape) by the model's inputs in order, and by layer; the framework's values of
    an input of the model are compared as well.
    """
    weights = prepared(model, quantized=True)
    zero = np.zeros(1)
    known: dict[str, _Known] = {
        name: _Known(np.asarray(one, np.float64), zero, zero) for name, one in zip(model.inputs, inputs, strict=True)
    }
    found: list[NodeDifference] = []
    for layer in model.layers:
        if layer.name not in known:
            given = tuple(known[name] for name in layer.inputs)
            known[layer.name] = _computed(layer, given, weights[layer.name])
        theirs = shown.get(layer.name)
        if theirs is None:
            continue
        ours = known[layer.name]
        node = _difference(layer.name, ours, np.asarray(theirs, np.float64).reshape(ours.values.shape))
        if node.beyond.any():
            node = _without_quotients(layer, tuple(known[name] for name in layer.inputs), node)
        found.append(node)
        known[layer.name] = _Known(node.theirs, zero, zero)
    return tuple(found)


def _difference(name: str, ours: _Known, theirs: FloatArray) -> NodeDifference:
    with np.errstate(invalid="ignore"):
        off = np.abs(theirs - ours.values)
        beyond = ~(off <= ours.rounding)
        wrong = ~(off <= ours.reach)
    rounding = float(np.max(ours.rounding, initial=0.0))
    return NodeDifference(
        layer=name, ours=ours.values, theirs=theirs, rounding=rounding, beyond=beyond, wrong=wrong & beyond
    )


def _without_quotients(layer: SourceLayer, given: tuple[_Known, ...], node: NodeDifference) -> NodeDifference:
    """Values are no difference if they are exactly what a quantizer makes of its argument divided in float32.

    The quotient can be on a rounding tie that the real quotient is next to. Only for arguments the framework shows.
    """
    operation = layer.operation
    if not isinstance(operation, src.Activate) or not isinstance(operation.function, src.Uniform):
        return node
    function, argument = operation.function, given[0]
    if function.wraps or np.any(argument.rounding):
        return node
    with np.errstate(over="ignore", invalid="ignore"):
        quotients = argument.values.astype(np.float32) / function.scale.astype(np.float32)
        steps = round_whole(quotients.astype(np.float64), function.rounding)
        theirs = np.clip(steps, function.low, function.high) * function.scale
        same = node.beyond & (np.abs(theirs - node.theirs) <= node.rounding)
    ours = np.where(same, theirs, node.ours)
    return replace(node, ours=ours, beyond=node.beyond & ~same, wrong=node.wrong & ~same)


def _computed(layer: SourceLayer, given: tuple[_Known, ...], weights: tuple[FloatArray, ...]) -> _Known:
    values = layer_answer(layer, tuple(one.values for one in given), weights, quantized=True)
    operation = layer.operation
    if isinstance(operation, src.Activate):
        return _activated(layer, operation.function, given[0], values)
    own = _own_rounding(layer, tuple(one.values for one in given), weights, values)
    rounding = _carried(layer, given, tuple(one.rounding for one in given), weights, values) + own
    reach = _carried(layer, given, tuple(one.reach for one in given), weights, values) + own
    return _Known(values, rounding, reach)


def _activated(layer: SourceLayer, function: src.Activation, given: _Known, values: FloatArray) -> _Known:
    """A function of each value alone, at both ends of the argument's rounding; softmax mixes a vector's values."""
    size = float(np.abs(values).max(initial=0.0))
    if isinstance(function, src.Softmax):
        span = float(np.abs(given.values).max(initial=0.0)) + 1.0
        own = np.full(1, VALUE_ROUNDING * span * size)
        spread = [
            2.0 * values * np.minimum(np.broadcast_to(one, given.values.shape).max(axis=-1, keepdims=True), 1.0)
            for one in (given.rounding, given.reach)
        ]
        return _Known(values, spread[0] + own, spread[1] + own)
    inside = VALUE_ROUNDING * np.abs(given.values)
    near, far = (_spread(layer, given.values, one + inside, values) for one in (given.rounding, given.reach))
    own = VALUE_ROUNDING * np.abs(values)
    if isinstance(function, src.Quantizer):
        own = own + inside  # QKeras adds the argument again after subtracting it
        smooth = np.zeros(1)
    else:
        own = own + SUM_ROUNDING * size if isinstance(function, src.Function) else own
        smooth = near
    return _Known(values, smooth + own, np.maximum(near, far) + own)


def _spread(layer: SourceLayer, argument: FloatArray, slack: FloatArray, values: FloatArray) -> FloatArray:
    """The possible error of a result if the argument has an error of `slack`."""
    ends = (end for piece in pieces(layer, argument, slack) for end in piece)
    return np.maximum.reduce([np.abs(end - values) for end in ends])


def _own_rounding(
    layer: SourceLayer, given: tuple[FloatArray, ...], weights: tuple[FloatArray, ...], values: FloatArray
) -> FloatArray:
    """The possible error of the layer's own arithmetic."""
    operation = layer.operation
    match operation:
        case src.Convolution() | src.Depthwise() | src.Transposed() | src.Dense() | src.BatchNormalization():
            sums = layer_answer(
                layer, tuple(np.abs(one) for one in given), tuple(np.abs(one) for one in weights), quantized=True
            )
            size = float(sums.max(initial=0.0)) + _centre(operation)
        case src.Merge(kind=src.MergeKind.ADD | src.MergeKind.SUBTRACT | src.MergeKind.AVERAGE):
            size = float(sum(np.abs(one).max(initial=0.0) for one in given))
        case src.Merge(kind=src.MergeKind.MULTIPLY):
            size = float(np.abs(values).max(initial=0.0))
        case src.Pool(kind=src.PoolKind.AVERAGE) | src.GlobalPool(kind=src.PoolKind.AVERAGE):
            sums = layer_answer(
                layer, tuple(np.abs(one) for one in given), tuple(np.abs(one) for one in weights), quantized=True
            )
            size = float(sums.max(initial=0.0))
        case _:
            return np.zeros(1)
    return np.full(1, SUM_ROUNDING * size)


def _centre(operation: src.Linear | src.BatchNormalization) -> float:
    """The error of a normalization that subtracts the mean first, if scale and offset nearly cancel."""
    if not isinstance(operation, src.BatchNormalization):
        return 0.0
    one = operation.statistics
    deviation = np.sqrt(np.maximum(one.variance.values + one.epsilon, np.finfo(np.float64).tiny))
    moved = np.abs(one.mean.values * one.gamma.values / deviation) + np.abs(one.beta.values)
    return float(moved.max(initial=0.0))


def _carried(
    layer: SourceLayer,
    given: tuple[_Known, ...],
    slack: tuple[FloatArray, ...],
    weights: tuple[FloatArray, ...],
    values: FloatArray,
) -> FloatArray:
    """The effect of the inputs' errors on the results."""
    if not any(one.any() for one in slack):
        return np.zeros(1)
    full = tuple(np.broadcast_to(one, known.values.shape) for one, known in zip(slack, given, strict=True))
    operation = layer.operation
    match operation:
        case src.Input():
            return full[0]
        case src.Convolution() | src.Depthwise() | src.Transposed() | src.Dense() | src.BatchNormalization():
            scale = tuple(np.abs(one) for one in weights)
            return layer_answer(layer, full, (*scale[:-1], np.zeros_like(scale[-1])), quantized=True)
        case src.Merge(
            kind=src.MergeKind.ADD
            | src.MergeKind.SUBTRACT
            | src.MergeKind.AVERAGE
            | src.MergeKind.MAXIMUM
            | src.MergeKind.MINIMUM
        ):
            return _summed(full)
        case src.Merge():
            wide = [np.abs(known.values) + one for known, one in zip(given, full, strict=True)]
            most = layer_answer(layer, tuple(wide), (), quantized=True)
            return np.maximum(most - np.abs(values), 0.0)
        case (
            src.Pool()
            | src.GlobalPool()
            | src.Permute()
            | src.Reshape()
            | src.Crop()
            | src.Upsample()
            | src.ZeroPad()
            | src.Concatenate()
        ):
            return layer_answer(layer, full, tuple(np.abs(one) for one in weights), quantized=True)
        case src.Activate():
            raise AssertionError(layer.name)
        case _:
            assert_never(operation)


def _summed(slack: tuple[FloatArray, ...]) -> FloatArray:
    """The sum of all terms, in one shape."""
    rank = max(one.ndim for one in slack)
    shaped = np.broadcast_arrays(*(one.reshape(len(one), *(1,) * (rank - one.ndim), *one.shape[1:]) for one in slack))
    return np.sum(shaped, axis=0)
