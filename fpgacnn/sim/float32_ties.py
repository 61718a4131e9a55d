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
from fpgacnn.sim.rounded_argument import Piece, pieces
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
        middle = layer_answer(layer, given, weights[layer.name], quantized=True)
        shown = answers.get(layer.name)
        if shown is None:
            known[layer.name] = middle
            slack[layer.name] = np.full(1, SUM_ROUNDING * float(np.abs(middle).max(initial=0.0)))
            continue
        known[layer.name] = shown.reshape(middle.shape)
        behind = (
            VALUE_ROUNDING * np.abs(given[0]) if isinstance(layer.operation, src.Activate) else 0.0
        )  # QKeras adds `x` again after subtracting it
        margin = SUM_ROUNDING * float(np.abs(shown).max(initial=0.0)) + behind
        inside = np.zeros(middle.shape, np.bool_)
        for first, last in ((middle, middle), *_pieces(layer, given[0], slack[layer.inputs[0]])):
            inside |= (known[layer.name] >= np.minimum(first, last) - margin) & (
                known[layer.name] <= np.maximum(first, last) + margin
            )
        slack[layer.name] = VALUE_ROUNDING * np.abs(known[layer.name])
        follows &= inside.reshape(len(follows), -1).all(axis=1)
    return follows


def _pieces(layer: SourceLayer, given: FloatArray, slack: FloatArray) -> list[Piece]:
    """The results of an activation within its input's rounding; none for other layers."""
    if not isinstance(layer.operation, src.Activate) or layer.operation.function == src.Softmax():
        return []
    return pieces(layer, given, slack + VALUE_ROUNDING * np.abs(given))  # a quantizer divides in float32
