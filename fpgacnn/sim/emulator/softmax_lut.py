"""hls4ml's softmax on integer codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgacnn.design.softmax_tables import exponential_table, reciprocal_table
from fpgacnn.ir.fixed_point import CodeArray, limit, requantize

if TYPE_CHECKING:
    from fpgacnn.passes.precision import LayerPrecision


def stable_softmax(logits: CodeArray, fraction: int, precision: LayerPrecision) -> CodeArray:
    """Softmax over the last axis (nnet_activation.h, softmax_stable)."""
    formats = {name: decision.format for name, decision in precision.tables.items()}
    assert precision.accumulator is not None
    total_format = precision.accumulator.format
    difference = requantize(logits.max(axis=-1, keepdims=True) - logits, fraction, formats["difference"])
    entries = exponential_table(formats["difference"], formats["exponential"])[difference]
    exponentials = requantize(entries, formats["exponential"].fraction, total_format)
    total = limit(exponentials.sum(axis=-1, keepdims=True), total_format)
    index = requantize(total, total_format.fraction, formats["index"])
    inverse = reciprocal_table(formats["index"], formats["reciprocal"])[index]
    return requantize(
        exponentials * inverse, total_format.fraction + formats["reciprocal"].fraction, precision.result.format
    )


def argmax(logits: CodeArray) -> CodeArray:
    """One-hot codes of the first largest logit (softmax_argmax)."""
    hot = np.zeros_like(logits)
    np.put_along_axis(hot, logits.argmax(axis=-1, keepdims=True), 1, axis=-1)
    return hot
