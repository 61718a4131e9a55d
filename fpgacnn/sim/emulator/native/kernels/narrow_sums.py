"""Sums of products in 16 bits, which take half the instructions of sums in 32 bits.

- Byte pairs: sums of many products of bytes, where the real weights show that so many rows cannot leave 16 bits. Used
  where the processor adds two products of bytes to 16 bits, but not four to 32 bits.
- Halves: for accumulators that cast every product and every sum, two output channels share a lane. The high half of a
  16-bit product drops 16 bits; input and weight are shifted to the left before, so that only the bits go that the cast
  drops. A sum that saturates is kept in the highest bits, where the processor's own saturation limits it: the bits
  below are all zeros, or all ones after the upper limit, and change no later sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.fixed_point import CodeArray, Format, Overflow, Rounding
from fpgacnn.sim.emulator.accumulator_ranges import Order, Sums
from fpgacnn.sim.emulator.native.codegen.casts import round_code
from fpgacnn.sim.emulator.native.codegen.tensors import Storage, ValueKind

LOW16, HIGH16 = -(1 << 15), (1 << 15) - 1
ZERO_BYTE, LANES_OF_PATTERN = 0x80, 4


def rows_together(words: CodeArray, high: int) -> int:
    """Rows of byte products that can be added in 16 bits, from packed words (blocks, rows, channels).

    Inputs are in 0..high. A row alone fits.
    """
    parts = ((words[..., None] >> (8 * np.arange(4))) & 255).astype(np.uint8).view(np.int8)
    pairs = parts.reshape(*words.shape, 2, 2).astype(np.int32)
    above, below = (limit(pairs, 0).sum(axis=-1) * np.int32(high) for limit in (np.maximum, np.minimum))
    rows = together = max(words.shape[1], 1)
    while together > 1:
        starts = np.arange(0, rows, together)
        largest, least = (np.add.reduceat(one, starts, axis=1, dtype=np.int64) for one in (above, below))
        if largest.max() <= HIGH16 and least.min() >= LOW16:
            break
        together = -(-together // 2)
    return together


class Product(StrEnum):
    """The 16 bits of a product that are kept: the name of the C function."""

    LOW = "h_low"
    HIGH = "h_high"
    HIGH_ROUNDED = "h_high_round"
    """One bit less is dropped, and the last dropped bit is added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """A cast of products in 16 bits.

    Inputs and weights are shifted to the left by `input_up` and `weight_up` bits. Products are limited to `clip`.
    Sums are kept `up` bits higher, where `saturates` limits them.
    """

    product: Product
    input_up: int
    weight_up: int
    clip: tuple[int, int] | None
    up: int
    saturates: bool


def halves(sums: Sums, given: Storage, kernel: CodeArray) -> Halves | None:
    """How the casts of a layer are computed in 16 bits; None where they need more, or another rounding or limit."""
    form = sums.accumulator
    saturates = form.overflow is Overflow.SAT
    most = 15 if sums.within and not form.signed else 16  # a lane is signed, and sums that stay within are not cast
    if (
        sums.order is not Order.EACH
        or given.kind not in {ValueKind.U8, ValueKind.S16}
        or form.width > most
        or not (form.overflow is Overflow.WRAP or (saturates and form.signed))
    ):
        return None
    split = _split(sums, given, (int(kernel.min()), int(kernel.max())))
    if split is None:
        return None
    product, input_up, weight_up = split
    clip = None
    if saturates:
        low, high = (_cast(end, -sums.shift, form) for end in sums.product)
        clip = None if form.low <= low and high <= form.high else (form.low, form.high)
    return Halves(
        product=product,
        input_up=input_up,
        weight_up=weight_up,
        clip=clip,
        up=16 - form.width if saturates else 0,
        saturates=saturates,
    )


def _cast(product: int, dropped: int, form: Format) -> int:
    """A product at the accumulator's fraction, not limited."""
    return round_code(product, dropped, form.rounding) if dropped > 0 else product << -dropped


def _split(sums: Sums, given: Storage, weights: tuple[int, int]) -> tuple[Product, int, int] | None:
    """The part of the product, and by how many bits inputs and weights are shifted before."""
    dropped, form = -sums.shift, sums.accumulator
    if dropped <= 0:
        exact = all(LOW16 <= end << -dropped <= HIGH16 for end in sums.product)
        fits = dropped > -16 and (exact or form.overflow is Overflow.WRAP)
        return (Product.LOW, 0, -dropped) if fits else None
    match form.rounding:
        case Rounding.TRN:
            product, bits = Product.HIGH, 16 - dropped
        case Rounding.RND:
            product, bits = Product.HIGH_ROUNDED, 15 - dropped
        case _:
            return None
    inputs = int(given.low.min()), int(given.high.max())
    free = (0, 8) if given.kind is ValueKind.U8 else (0,)  # moved with the bytes, without another instruction
    for input_up in (*free, *range(1, 16)):
        weight_up = bits - input_up
        if weight_up >= 0 and _fits(inputs, input_up, LOW16 + 1) and _fits(weights, weight_up, LOW16):
            return product, input_up, weight_up
    return None


def _fits(ends: tuple[int, int], up: int, least: int) -> bool:
    return ends[0] << up >= least and ends[1] << up <= HIGH16


def half_rows(
    storage: Storage, taps: NDArray[np.int64], kernel: CodeArray, how: Halves, bytes_: int
) -> tuple[CodeArray, CodeArray, CodeArray]:
    """Weights (rows, channels out), offsets and parts of a lane (rows,) of a kernel (taps, channels in, channels out).

    A row is one input number; rows of zeros are left out.
    """
    per = storage.kind.per
    count, channels, filters = kernel.shape
    number = np.arange(channels)
    places = (taps[:, None] + (number // per)[None, :]).reshape(-1)
    parts = np.broadcast_to(number % per, (count, channels)).reshape(-1)
    words = (kernel << how.weight_up).reshape(-1, filters)
    used: NDArray[np.bool_] = np.any(words, axis=1)
    used[0] |= not used.any()
    return words[used], places[used] * storage.vector_bytes(bytes_), parts[used]


def pairs_of(numbers: CodeArray) -> CodeArray:
    """The last axis in words of two 16-bit numbers, the first in the low bits."""
    return (numbers[..., 0::2] & 0xFFFF) | (numbers[..., 1::2] & 0xFFFF) << 16


def patterns(kind: ValueKind, how: Halves) -> NDArray[np.uint8]:
    """For each part of a lane, the bytes that a lane has after its number was copied to both halves, of four lanes."""
    size = 4 // kind.per
    rows = []
    for part in range(kind.per):
        first = np.arange(LANES_OF_PATTERN)[:, None] * 4 + part * size
        if kind is ValueKind.U8:
            number, zero = first, np.full_like(first, ZERO_BYTE)
            half = np.hstack([zero, number] if how.input_up == 8 else [number, zero])
        else:
            half = first + np.arange(2)
        rows.append(np.hstack([half, half]).reshape(-1))
    return np.array(rows, np.uint8)


def half_loop(how: Halves, kind: ValueKind, positions: int, table: str, parts: str) -> str:
    """C text that adds the products of one input number to all sums of the block."""
    moved = how.input_up == 8 and kind is ValueKind.U8
    up = f" << {how.input_up}" if how.input_up and not moved else ""
    lines = [f"const h x{p} = twice(i[{p}] + o, {table} + 16 * {parts}[k]){up};" for p in range(positions)]
    lines.append("UNROLL for (int n = 0; n < N; n++) { const h y = (h)splat((int32_t)weight[k * N + n]);")
    add = "h_add_limited" if how.saturates else "h_add"
    for p in range(positions):
        product = f"{how.product}(x{p}, y)"
        if how.clip is not None:
            product = f"h_max(h_min({product}, h_splat({how.clip[1]})), h_splat({how.clip[0]}))"
        product = f"({product} << {how.up})" if how.up else product
        lines.append(f"sum[{p}][n] = {add}(sum[{p}][n], {product});")
    return "\n".join((*lines, "}"))
