"""Hard sigmoids and hard swishes in front of a quantizer, which are evaluated in float32 as the framework does.

`0.2 * x + 0.5` in float32 can be a tie of the quantizer behind it where the exact value is beside the tie. The
framework rounds that tie, so the source reference and the thresholds of the hardware evaluate float32, too. Both use
this pass, so that they mark the same layers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.source import FunctionKind, SourceLayer, SourceModel

MAX_BITS = 10
"""Quantizers of at most so many bits have exact thresholds (`passes.precision.exact_steps.thresholds`)."""

_EXACT_STEPS = 2.0**10
"""A hard sigmoid whose slope is a multiple of 1 / 1024 is exact in float32 for inputs of few bits."""


def mark_float32(model: SourceModel) -> SourceModel:
    """The network with `in_float32` set in each hard sigmoid and hard swish that one quantizer of few values reads."""
    readers: dict[str, list[SourceLayer]] = {}
    for layer in model.layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    layers = tuple(
        _marked(layer) if layer.name not in model.outputs and _only_quantized(readers.get(layer.name, [])) else layer
        for layer in model.layers
    )
    return replace(model, layers=layers)


def _marked(layer: SourceLayer) -> SourceLayer:
    match layer.operation:
        case src.Activate(function=src.Function() as function) if _rounds(function):
            return replace(layer, operation=src.Activate(function=replace(function, in_float32=True)))
        case _:
            return layer


def _rounds(function: src.Function) -> bool:
    """Whether the operations of float32 round a value of few bits."""
    if function.kind is FunctionKind.HARD_SIGMOID:
        return function.by_sixths or not (function.alpha * _EXACT_STEPS).is_integer()
    return function.kind is FunctionKind.HARD_SWISH


def _only_quantized(readers: list[SourceLayer]) -> bool:
    """Whether the only reader is a quantizer whose values are few and the same for all elements."""
    if len(readers) != 1 or not isinstance(readers[0].operation, src.Activate):
        return False
    match readers[0].operation.function:
        case src.QuantizedBits(bits=bits, alpha=alpha):
            return 2 <= bits <= MAX_BITS and not isinstance(alpha, str)
        case src.QuantizedRelu(bits=bits, use_sigmoid=False, negative_slope=0.0):
            return bits <= MAX_BITS
        case src.Uniform() as one:
            even = all(np.ptp(array) == 0 for array in (one.scale, one.low, one.high))
            few = one.is_limited and not (one.wraps or one.must_fit)
            return bool(even and few and np.max(one.high - one.low) < 1 << MAX_BITS)
        case _:
            return False
