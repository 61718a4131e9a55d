"""Find events in which a framework differs only because it computes in float32.

A sum on a rounding tie of the next quantizer, or within a few float32 steps of one, may be rounded to the other side by
the framework: one whole step, which later layers propagate. Such an event is distinguished from a real difference layer
by layer: each of the framework's results must follow from the framework's own inputs of that layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, SourceLayer, SourceModel
from fpgacnn.sim.source_reference import layer_answer, prepared

SUM_ROUNDING = 1e-5
"""Largest error of a sum in float32, relative to the largest result of the layer: a hundred of its steps."""

VALUE_ROUNDING = 2.0**-22
"""Largest error of a value inside a quantizer in float32, relative to the value: two of its steps."""


def follows_in_float32(
    model: SourceModel, inputs: Sequence[FloatArray], answers: Mapping[str, FloatArray]
) -> NDArray[np.bool_]:
    """Events (events,) in which every layer that the framework gives follows from the framework's previous layers.

    `answers` are the framework's results (events, ...shape) by layer; layers that it does not give are computed from
    those before, and the result of an activation may be anywhere between the ends of their rounding.
    """
    weights = prepared(model, quantized=True)
    known: dict[str, FloatArray] = dict(zip(model.inputs, inputs, strict=True))
    slack: dict[str, FloatArray] = {name: np.zeros(1) for name in model.inputs}
    follows = np.ones(len(inputs[0]), np.bool_)
    for layer in model.layers:
        if layer.name in model.inputs:
            continue
        given = tuple(known[name] for name in layer.inputs)
        ends = _ends(layer, given, slack[layer.inputs[0]], weights[layer.name])
        shown = answers.get(layer.name)
        if shown is None:
            known[layer.name] = ends[1]
            slack[layer.name] = np.full(1, SUM_ROUNDING * float(np.abs(ends[1]).max(initial=0.0)))
            continue
        known[layer.name] = shown.reshape(ends[1].shape)
        slack[layer.name] = VALUE_ROUNDING * np.abs(known[layer.name])
        behind = (
            VALUE_ROUNDING * np.abs(given[0]) if isinstance(layer.operation, src.Activate) else 0.0
        )  # QKeras adds `x` again after subtracting it
        margin = SUM_ROUNDING * float(np.abs(shown).max(initial=0.0)) + behind
        inside = (known[layer.name] >= np.minimum.reduce(ends) - margin) & (
            known[layer.name] <= np.maximum.reduce(ends) + margin
        )
        follows &= inside.reshape(len(follows), -1).all(axis=1)
    return follows


def _ends(
    layer: SourceLayer, given: tuple[FloatArray, ...], slack: FloatArray, weights: tuple[FloatArray, ...]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A layer's answer for its input, and for an activation also for both ends of the input's rounding."""
    middle = layer_answer(layer, given, weights, quantized=True)
    if not isinstance(layer.operation, src.Activate) or layer.operation.function == src.Softmax():
        return middle, middle, middle
    slack = slack + VALUE_ROUNDING * np.abs(given[0])  # a quantizer divides in float32
    low, high = (layer_answer(layer, (given[0] + sign * slack,), weights, quantized=True) for sign in (-1.0, 1.0))
    return low, middle, high
