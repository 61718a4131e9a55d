"""Delays of operations in ns, by the family and the speed of a part.

Read off the estimated clock periods of combinational modules in reports of C synthesis: rectifiers of 16 bits take 3.2
ns on a Zynq-7000 of the slowest grade, 1.7 ns on a Virtex-7 and 1.0 ns on the UltraScale+ parts; products of 16 by 16
bits 8.5 ns and 2.0 ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from fpgacnn.hardware.estimation.graph.graph import FixedType

FAST_SEVEN_SERIES = ("kintex7", "virtex7")
SEVEN_SERIES = ("artix7", "spartan7", "zynq7000", *FAST_SEVEN_SERIES)

NARROW_PRODUCT_BITS = 20
"""Up to this sum of both operands' bits, a DSP slice multiplies without its inner registers in half the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Delays in ns. `add_three` is an adder of three operands on one carry chain; on the 7 series it saves no time."""

    add: float
    add_three: float | None
    wide_product: float
    narrow_product: float
    lut_product: float
    compare: float
    clip: float
    lookup: float

    def product(self, *, dsp: bool, bits: int) -> float:
        """A multiplier whose operands have so many bits together."""
        if not dsp:
            return self.lut_product
        return self.narrow_product if bits <= NARROW_PRODUCT_BITS else self.wide_product

    def tree(self, terms: int) -> list[tuple[float, int]]:
        """The levels of an adder tree: the delay of each, and how many values each of its adders takes."""
        levels = []
        while terms > 1:
            three = terms > 2 and self.add_three is not None
            levels.append((self.add_three if three and self.add_three else self.add, 3 if three else 2))
            terms = ceil(terms / levels[-1][1])
        return levels

    def cast(self, before: FixedType, after: FixedType) -> float:
        """A cast: nothing where bits are only dropped or added, an adder where it rounds, a comparison where it clips.

        The type before says which bits are dropped at all.
        """
        return (self.add if rounding(before, after) else 0.0) + (self.clip if clipping(before, after) else 0.0)


def rounding(before: FixedType, after: FixedType) -> bool:
    """A cast has a rounder: it drops bits of the fraction, and does not only cut them off."""
    return after.rounds and after.fraction < before.fraction


def clipping(before: FixedType, after: FixedType) -> bool:
    """A cast has a clipper: values can be too large, or negative where the type has no sign, and it saturates."""
    loses_sign = before.signed and not after.signed
    headroom = after.integer - after.signed < before.integer - before.signed
    return after.saturates and (headroom or loses_sign)


ULTRASCALE = Delays(
    add=0.7, add_three=0.95, wide_product=1.97, narrow_product=1.97, lut_product=1.2, compare=0.97, clip=0.3, lookup=1.4
)
SEVEN = Delays(
    add=2.1, add_three=None, wide_product=8.5, narrow_product=3.8, lut_product=5.3, compare=3.2, clip=0.6, lookup=3.3
)
FAST_SEVEN = Delays(
    add=1.3, add_three=None, wide_product=5.0, narrow_product=2.2, lut_product=3.0, compare=1.75, clip=0.35, lookup=2.0
)


def delays_of(family: str) -> Delays:
    """The delays of a part's family."""
    if family in FAST_SEVEN_SERIES:
        return FAST_SEVEN
    return SEVEN if family in SEVEN_SERIES else ULTRASCALE
