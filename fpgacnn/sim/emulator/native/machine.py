"""Properties of the processor for which kernels are generated differently."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum


class ByteProducts(StrEnum):
    """How the processor adds products of bytes."""

    EXACT = "exact"
    PAIRS = "pairs"
    """Two products are added in 16 bits with saturation: exact only if the sum cannot saturate."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Events in a vector, how bytes are multiplied, and how many sums fit into registers."""

    name: str
    lanes: int
    byte_products: ByteProducts
    sums: int

    @property
    def bytes_(self) -> int:
        """Bytes of a vector of 32-bit lanes."""
        return 4 * self.lanes


AVX512 = frozenset({"__AVX512F__", "__AVX512BW__", "__AVX512DQ__", "__AVX512VL__"})


def machine_of(macros: AbstractSet[str]) -> Machine:
    """The machine that a compiler generates code for, from its macros (with the same tests as in lanes.h)."""
    if macros >= AVX512:
        exact = "__AVX512VNNI__" in macros
        return Machine(
            name="AVX-512-VNNI" if exact else "AVX-512",
            lanes=16,
            byte_products=ByteProducts.EXACT if exact else ByteProducts.PAIRS,
            sums=24,
        )
    if "__AVX2__" in macros:
        exact = "__AVXVNNI__" in macros
        return Machine(
            name="AVX-VNNI" if exact else "AVX2",
            lanes=8,
            byte_products=ByteProducts.EXACT if exact else ByteProducts.PAIRS,
            sums=12,
        )
    return Machine(
        name="SSE2" if "__SSE2__" in macros else "plain C", lanes=4, byte_products=ByteProducts.NONE, sums=12
    )
