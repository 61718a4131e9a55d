"""Ranges of whole numbers: the narrowest format that covers one, and nodes that limit values to the range itself."""

from __future__ import annotations

import numpy as np

from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format, Overflow, Rounding, is_power_of_two
from fpgacnn.ir.source import FloatArray, Shape
from fpgacnn.passes.quantization.constants import affine
from fpgacnn.passes.quantization.nodes import node


def covering_format(quantizer: src.Uniform, step: float) -> Format:
    """A format that covers a quantizer's whole numbers, in units of `step` (a power of two)."""
    low, high = int(quantizer.low.min()), int(quantizer.high.max())
    signed = low < 0
    width = max(high.bit_length(), (-low - 1).bit_length() if signed else 0) + int(signed)
    width = max(width, 1)
    fraction = -int(np.log2(step))
    saturating = Overflow.SAT_SYM if signed and low == -(1 << (width - 1)) + 1 else Overflow.SAT
    overflow = Overflow.WRAP if quantizer.wraps else saturating
    return Format(width=width, integer=width - fraction, signed=signed, rounding=quantizer.rounding, overflow=overflow)


def whole_format(quantizer: src.Uniform) -> Format | None:
    """The format of a quantizer of the whole tensor that rounds half to even and saturates; None for others."""
    if (
        quantizer.wraps
        or quantizer.rounding is not Rounding.RND_CONV
        or {quantizer.scale.size, quantizer.low.size, quantizer.high.size} != {1}
    ):
        return None
    if not is_power_of_two(quantizer.scale) or not quantizer.is_limited:
        return None
    form = covering_format(quantizer, float(quantizer.scale.item()))
    return form if (form.low, form.high) == (quantizer.low.item(), quantizer.high.item()) else None


def holds_only(port: Format, form: Format) -> bool:
    """Whether every code of a port is a code of the format, so that casting it changes nothing."""
    return port.low >= form.low and port.high <= form.high and port.fraction == form.fraction


def limiting_nodes(quantizer: src.Uniform, form: Format, shape: Shape) -> list[q.Layer]:
    """Nodes that limit codes of the format to the range of the quantizer, channel by channel."""
    low, high = quantizer.low * form.step, quantizer.high * form.step
    chain: list[q.Layer] = []
    if np.any(quantizer.low > form.low):
        chain += [_line(1.0, -low, shape), node("above", q.Relu(), shape), _line(1.0, low, shape)]
    if np.any(quantizer.high < form.high):
        chain += [_line(-1.0, high, shape), node("rest", q.Relu(), shape), _line(-1.0, high, shape)]
    return chain


def _line(scale: float, shift: FloatArray, shape: Shape) -> q.Layer:
    channels = shape[-1:]
    return node("line", affine(np.full(channels, scale), np.array(np.broadcast_to(shift, channels))), shape)
