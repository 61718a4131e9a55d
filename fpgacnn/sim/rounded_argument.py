"""The results of a function whose argument is uncertain by float32's rounding.

Between two of its turning points a function only rises or only falls: the results at both ends of a piece bound those
between. A function may also jump at a turning point, as QKeras' powers of two do at 0 and at Keras' epsilon, so the
numbers on both sides of it are ends too.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.functions import turning_points
from fpgacnn.ir.source import FloatArray, SourceLayer
from fpgacnn.sim.source_reference import layer_answer

Piece: TypeAlias = tuple[FloatArray, FloatArray]
"""The results (events, ...shape) at the two ends of a piece of the argument's range."""


def pieces(layer: SourceLayer, argument: FloatArray, slack: FloatArray) -> list[Piece]:
    """Results of an activation for arguments between `argument - slack` and `argument + slack`, piece by piece.

    `slack` has the shape of `argument` or one that broadcasts to it. A piece that is outside is an end of the range.
    """
    assert isinstance(layer.operation, src.Activate)
    low, high = argument - slack, argument + slack
    inside = [turn for turn in _turns(layer.operation.function) if np.any((low <= turn) & (turn <= high))]
    ends = [-np.inf, *(end for turn in inside for end in _around(turn)), np.inf]
    results = [layer_answer(layer, (np.minimum(np.maximum(end, low), high),), (), quantized=True) for end in ends]
    return list(zip(results[::2], results[1::2], strict=True))


def _turns(function: src.Activation) -> tuple[float, ...]:
    match function:
        case src.Function() | src.PowerOfTwo() | src.QuantizedTanh() | src.QuantizedSigmoid():
            return turning_points(function)
        case _:
            return ()


def _around(turn: float) -> tuple[float, float, float, float]:
    """The last number of the piece before, both ends of the turning point itself, the first number behind it."""
    return float(np.nextafter(turn, -np.inf)), turn, turn, float(np.nextafter(turn, np.inf))
