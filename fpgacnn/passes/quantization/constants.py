"""Real constants as codes: exact if few bits are enough, else rounded to the nearest."""

from __future__ import annotations

from fpgacnn.errors import WidthsNeededError
from fpgacnn.ir import quantized as q
from fpgacnn.ir.fixed_point import EXACT_SCALE_BITS, EXACT_SHIFT_BITS, ROUNDED_BITS, Codes, exact_codes, rounded_codes
from fpgacnn.ir.source import FloatArray


def rounded(values: FloatArray, exact_bits: int) -> Codes:
    """Values exactly if `exact_bits` bits hold them, else rounded half to even to ROUNDED_BITS bits.

    Where the sizes of values differ much, each is rounded to that many bits of its own (`rounded_codes`).
    """
    return rounded_codes(values, exact_bits, ROUNDED_BITS)


def weight_codes(values: FloatArray, layer: str, what: str) -> Codes:
    """Quantized weights as codes.

    Raises WidthsNeededError if no format holds them.
    """
    codes = exact_codes(values)
    if codes is None:
        raise WidthsNeededError(layer=layer, what=f"{what} weights")
    return codes


def affine(scale: FloatArray, shift: FloatArray, divisor: int = 1) -> q.Affine:
    """`x * scale / divisor + shift` for each channel, with constants as exact as their bits allow."""
    codes, offsets = rounded(scale / divisor, EXACT_SCALE_BITS), rounded(shift, EXACT_SHIFT_BITS)
    return q.Affine(scale=codes, shift=offsets, trained=q.Line(scale=scale, shift=shift, divisor=divisor))
