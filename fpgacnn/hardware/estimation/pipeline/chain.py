"""Cut a chain of combinational operations into clock cycles, and count the bits that are alive at each cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One step of a chain: its delay, and the bits that cross a cut before it.

    `long_lived_bits` are those of them that wait for later steps too, so that several cuts can share their registers
    where events follow each other slowly. `inner_bits` cross each cut inside the operation, if it is longer than a
    cycle; `whole` says that tools never cut it: then the cycle is too long instead.
    """

    delay_ns: float
    alive_bits: float
    long_lived_bits: float = 0.0
    inner_bits: float = 0.0
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CutChain:
    """Cycles after the first one, registers in bits, and the delay that the last cycle has used already."""

    cycles: int
    register_bits: float
    tail_ns: float


def schedule(operations: Sequence[Operation], budget_ns: float, *, start_ns: float = 0.0, ii: int = 1) -> CutChain:
    """Place operations one after the other, each in the cycle of the one before as long as there is time left.

    An event can start every `ii` cycles: a value that lives longer needs a register for each event on its way.
    """
    cycles, bits, now, long_lived = 0, 0.0, start_ns, 0.0
    for one in operations:
        delay = min(one.delay_ns, budget_ns) if one.whole else one.delay_ns
        if now > 0 and now + delay > budget_ns:
            cycles, now = cycles + 1, 0.0
            bits += one.alive_bits - one.long_lived_bits
            long_lived += one.long_lived_bits
        inner = ceil(delay / budget_ns) - 1 if delay > budget_ns else 0
        cycles, bits = cycles + inner, bits + inner * one.inner_bits
        now = now + delay if not inner else delay - inner * budget_ns
    return CutChain(cycles=cycles, register_bits=bits + long_lived / max(1, ii), tail_ns=now)
