"""What single operations become in hardware, and what is decided of them then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import Codes, Format, exact_codes, nearest_codes, rescale, smallest_format
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import FloatArray
from fpgacnn.passes.precision import shorten
from fpgacnn.passes.precision.nodes import PlannedAffine, PlannedCast
from fpgacnn.passes.precision.plan import LayerPrecision


def exact_for_steps(mean: LayerPrecision) -> LayerPrecision:
    """What was decided of a mean whose readers are step functions with thresholds between exact means."""
    reason = mean.result.reason.rpartition(", truncated")[0] + ", exact for the step functions behind it"
    return replace(mean, result=replace(mean.result, reason=reason), loss="")


def rounded(operation: q.Round, given: Interval, layer: str) -> PlannedCast:
    """Rounding to whole numbers as a cast that the interval of the input fits; `layer` is the layer of the file.

    Raises UnsupportedOptionError where values may lie beyond the ends of the rounding.
    """
    low, high = (int(rescale(np.array([end]), given.fraction, 0, operation.rounding)[0]) for end in given.bounds)
    if operation.ends is not None and not operation.ends[0] <= low <= high <= operation.ends[1]:
        ends = f"{operation.ends[0]}..{operation.ends[1]}"
        raise UnsupportedOptionError(
            layer=layer,
            why=f"values may reach {low}..{high}, beyond {ends}, the whole numbers of its element type",
            do="limit them with Clip before it, or give the inputs fewer bits (--input-type)",
        )
    return PlannedCast(format=replace(smallest_format(low, high, 0), rounding=operation.rounding))


def wrapping(operation: q.Wrap) -> tuple[PlannedAffine, PlannedCast, PlannedAffine]:
    """A line up, a cast that wraps, and a line back down: every channel's range fills the top bits of the cast."""
    bits = np.array([int(span).bit_length() for span in operation.high - operation.low])
    width = int(bits.max())
    middle = operation.low + (np.int64(1) << np.maximum(bits - 1, 0)) * (bits > 0)
    up = np.where(bits > 0, np.exp2(width - bits), 0.0)
    down = np.where(bits > 0, np.exp2(bits - width), 0.0)
    cast = PlannedCast(format=Format(width=width, integer=width))
    return _line(up, -middle * up), cast, _line(down, middle.astype(np.float64))


def proportional(slope: float, channels: int) -> PlannedAffine:
    """`slope * x` for every channel, with a slope of SCALE_PORT_BITS bits."""
    constant = nearest_codes(np.array([slope]), shorten.SCALE_PORT_BITS)
    return PlannedAffine(
        scale=Codes(array=np.repeat(constant.array, channels), format=constant.format),
        shift=Codes(array=np.zeros(channels, np.int64), format=Format(width=1, integer=1, signed=False)),
        trained=q.Line(scale=np.full(channels, slope), shift=np.zeros(channels)),
    )


def _line(scale: FloatArray, shift: FloatArray) -> PlannedAffine:
    """`x * scale + shift` with constants of few bits."""
    factor, offset = exact_codes(scale), exact_codes(shift)
    assert factor is not None
    assert offset is not None
    return PlannedAffine(scale=factor, shift=offset, trained=q.Line(scale=scale, shift=shift))
