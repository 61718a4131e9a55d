"""The real numbers that the codes of a tensor stand for: multiples of a step, or exact means behind truncated ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgacnn.ir.fixed_point import MAX_WIDTH, CodeArray, to_values
from fpgacnn.ir.source import FloatArray

_FLOAT64_BITS = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeValues:
    """Codes stand for multiples of 2^-`fraction`; with a `count`, for exact means of so many values.

    The hardware divides `sum * 2^guard` by the count and truncates toward zero. As 2^guard is larger than the count,
    different sums have different codes: a code shows its sum, and with it the exact mean.
    """

    fraction: int
    count: int = 1
    guard: int = 0

    def holds(self, width: int) -> bool:
        """Whether codes of so many bits can be turned into their exact means in int64 and float64."""
        bits = width + self.count.bit_length()
        return (1 << self.guard) > self.count and bits < MAX_WIDTH and bits - self.guard < _FLOAT64_BITS

    def __call__(self, codes: CodeArray) -> FloatArray:
        """The values (n,) of codes (n,). A code that no sum has stands for the next mean away from zero.

        A code of more than 53 bits stands for the next double below it.
        """
        if self.count == 1:
            spare = MAX_WIDTH - _FLOAT64_BITS
            _, bits = np.frexp((np.abs(codes) >> spare).astype(np.float64))  # exact: the number of bits above `spare`
            beyond = np.maximum(bits + spare - _FLOAT64_BITS, 0).astype(np.int64)
            return to_values((codes >> beyond) << beyond, self.fraction)
        sums = np.sign(codes) * -((-np.abs(codes) * self.count) >> self.guard)
        return np.ldexp(sums / self.count, self.guard - self.fraction)
