"""Kernels of convolutions and dense layers: sums of products with broadcast weights, no im2col, no horizontal sums.

A block of output channels and a few positions stay in registers while the inputs are read. Weights are packed as the
dot products read them; rows of zeros are left out. The nodes after the sums (scales, activations, casts) are computed
in the registers; max pooling is computed before them if they are monotone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.fixed_point import CodeArray
from fpgacnn.sim.emulator.accumulator_ranges import Order, Sums
from fpgacnn.sim.emulator.native.codegen.casts import cast, wrap
from fpgacnn.sim.emulator.native.codegen.tensors import Storage, ValueKind
from fpgacnn.sim.emulator.native.codegen.values import Code, Ends, Value, call, ends, fits32, widened
from fpgacnn.sim.emulator.native.kernels.narrow_sums import Halves
from fpgacnn.sim.emulator.native.machine import Machine

LATENCY, NARROW_LATENCY = 10, 8
"""Number of independent sums that hide the latency of an addition: of a dot product, and of 16-bit numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Positions and channels that are computed together, and for a window the number of rounds of its positions."""

    positions: int
    rounds: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """How sums are computed: in which order, in 16, 32 or 64 bits, and the type of the inputs.

    With `pairs`, products of bytes are added in 16 bits, some rows at a time. With `halves`, sums of two output
    channels share a lane.
    """

    order: Order
    wide: bool
    kind: ValueKind
    wide_weights: bool
    pairs: bool = False
    halves: Halves | None = None

    @property
    def letter(self) -> str:
        """The C type of a sum."""
        return "h" if self.halves else "w" if self.wide else "v"

    @property
    def latency(self) -> int:
        """Number of independent sums that hide the latency of an addition."""
        return NARROW_LATENCY if self.pairs or self.halves else LATENCY


def packed_word(kind: ValueKind, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """The word of a lane from the weights of its parts (..., parts)."""
    bits = 32 // kind.per
    if kind.per == 1:
        return weights[..., 0]
    parts = (weights & ((1 << bits) - 1)) << (bits * np.arange(kind.per))
    return parts.sum(axis=-1)


def full_rows(
    storage: Storage, taps: NDArray[np.int64], kernel: CodeArray, order: Order, bytes_: int
) -> tuple[CodeArray, CodeArray]:
    """Words (rows, channels out) and offsets (rows,) of a kernel (taps, channels in, channels out), no zero rows."""
    kind, vectors, per = storage.kind, storage.vectors, storage.kind.per
    count, channels, filters = kernel.shape
    padded = np.zeros((count, vectors * per, filters), np.int64)
    padded[:, :channels] = kernel
    parts = padded.reshape(count, vectors, per, filters).transpose(0, 1, 3, 2)
    places = taps[:, None] + np.arange(vectors)[None, :]
    if order is Order.EACH:
        alone = parts[:, :, None] * np.eye(per, dtype=np.int64)[None, None, :, None, :]
        words, places = packed_word(kind, alone), np.repeat(places[:, :, None], per, axis=2)
    else:
        words = packed_word(kind, parts)
    words, places = words.reshape(-1, filters), places.reshape(-1)
    used: NDArray[np.bool_] = np.any(words, axis=1)
    used[0] |= not used.any()
    return words[used], places[used] * storage.vector_bytes(bytes_)


def channel_words(storage: Storage, kernel: CodeArray) -> CodeArray:
    """Words (vectors, taps, parts of a lane) of a depthwise kernel (taps, channels).

    Every part reads its own channel.
    """
    per, vectors = storage.kind.per, storage.vectors
    padded = np.zeros((len(kernel), vectors * per), np.int64)
    padded[:, : kernel.shape[1]] = kernel
    parts = padded.reshape(len(kernel), vectors, per)
    alone = parts[..., None] * np.eye(per, dtype=np.int64)
    return packed_word(storage.kind, alone).transpose(1, 0, 2)


def in_blocks(words: CodeArray, channels: int) -> CodeArray:
    """Words (rows, channels out) as (blocks, rows, channels of a block), padded with zeros."""
    rows, filters = words.shape
    blocks = ceil(filters / channels)
    padded = np.zeros((rows, blocks * channels), np.int64)
    padded[:, :filters] = words
    return padded.reshape(rows, blocks, channels).transpose(1, 0, 2)


def choose_blocks(
    machine: Machine, arithmetic: Arithmetic, filters: int, per: int, window: int, positions: int
) -> Blocks:
    """The blocking with the least work: products, loads and waiting for previous sums."""
    if arithmetic.halves:
        return _half_blocks(machine, arithmetic, filters, per, window, positions)
    registers = machine.sums // (2 if arithmetic.wide else 1) // (2 if arithmetic.order is Order.EACH else 1)
    best: tuple[float, Blocks] | None = None
    for count in (size for size in range(1, 9) if (window % size == 0 if window else size <= max(positions, 1))):
        for channels in range(per, max(registers // count, per) + 1, per):
            kept = channels if window else 0
            if count * channels + kept > registers + 4 and (count > 1 or channels > per):
                continue
            cost = (
                ceil(filters / channels)
                * max(count * channels / 2, (count + channels) / 2, arithmetic.latency / 2)
                / count
            )
            blocks = Blocks(positions=count, rounds=window // count if window else 1, channels=channels)
            if best is None or cost < best[0] - 1e-9:
                best = cost, blocks
    assert best is not None
    return best[1]


def _half_blocks(
    machine: Machine, arithmetic: Arithmetic, filters: int, per: int, window: int, positions: int
) -> Blocks:
    """The blocking of sums that share lanes: as of half the channels, in blocks of whole words of the result."""
    plain = replace(arithmetic, halves=None, pairs=True, order=Order.ANY)
    found = choose_blocks(machine, plain, ceil(filters / 2), max(per // 2, 1), window, positions)
    return replace(found, channels=2 * found.channels)


def accumulator_value(code: Code, sums: Sums, arithmetic: Arithmetic, *, measured: bool) -> tuple[Value, CodeArray]:
    """The sum `t` as a value of the accumulator's codes, limited, and the numbers with which sums start.

    A bias that is finer than the products is added after the sum has been shifted; other biases are the start of the
    sum.
    """
    total = Value(
        text="t", wide=arithmetic.wide, low=ends(sums.low), high=ends(sums.high), fraction=sums.accumulator.fraction
    )
    if arithmetic.order is Order.EACH:
        if sums.accumulator.overflow.value == "WRAP":
            return limited_sum(code, total, sums, measured=measured), sums.start
        return total, sums.start
    if not sums.shift:
        return limited_sum(code, total, sums, measured=measured), sums.start
    coarse = not (sums.start & ((1 << sums.shift) - 1)).any()
    raised = call(code, "shl", total, code.scalar(sums.shift, wide=total.wide))
    if not coarse:
        raised = call(code, "add", raised, code.each(_wrapped_starts(sums.start, wide=total.wide), wide=total.wide))
    return limited_sum(code, raised, sums, measured=measured), sums.start >> sums.shift if coarse else np.zeros_like(
        sums.start
    )


def _wrapped_starts(start: CodeArray, *, wide: bool) -> Ends:
    return ends(start if wide else start.astype(np.int32))


def limited_sum(code: Code, total: Value, sums: Sums, *, measured: bool) -> Value:
    """The accumulator's wrap, if a sum can leave it."""
    if sums.within or (sums.order is Order.ANY and sums.fits):
        return total
    if measured and sums.order is Order.ANY:
        return cast(code, total, sums.accumulator)
    return wrap(code, total, sums.accumulator)


def needs_wide(sums: Sums, kind: ValueKind, *, wide_weights: bool, measured: bool) -> bool:
    """Whether sums need 64 bits. Sums that wrap at 32 bits or below are correct modulo 2^32 at every step."""
    if kind.wide or wide_weights:
        return True
    form = sums.accumulator
    if sums.order is Order.EACH:
        one_more = (
            fits32(2 * form.low, 2 * form.high)
            if form.overflow.value != "WRAP" or measured
            else form.width <= (32 if form.signed else 31)
        )
        rounded = fits32(sums.product[0] << max(sums.shift, 0), sums.product[1] << max(sums.shift, 0))
        return not (one_more and (rounded or form.overflow.value != "WRAP"))
    if fits32(int(sums.low.min()), int(sums.high.max())):
        return False
    return measured or form.width > (32 if form.signed else 31)


def inner_loop(code: Code, arithmetic: Arithmetic, blocks: Blocks, sums: Sums) -> str:
    """C text that adds the products of one row to all sums of the block."""
    kind = arithmetic.kind
    assert arithmetic.halves is None
    read = "*(const w *)" if kind.wide else "*(const v *)"
    letter = "w" if kind.wide else "v"
    lines = [f"{letter} x{{p}} = {read}(i[{{p}}] + o);".replace("{p}", str(p)) for p in range(blocks.positions)]
    if arithmetic.wide and not kind.wide and arithmetic.wide_weights:
        lines += [f"const w wide{p} = widen(x{p});" for p in range(blocks.positions)]
    load_weight = (
        "splat64(weight[k * N + n])" if arithmetic.wide_weights or kind.wide else "splat((int32_t)weight[k * N + n])"
    )
    lines.append(
        f"UNROLL for (int n = 0; n < N; n++) {{ const {'q' if 'splat64' in load_weight else 'v'} y = {load_weight};"
    )
    for p in range(blocks.positions):
        lines += _one_product(code.inner(), arithmetic, sums, p)
    return "\n".join((*lines, "}"))


def _one_product(code: Code, arithmetic: Arithmetic, sums: Sums, position: int) -> list[str]:
    kind, target = arithmetic.kind, f"sum[{position}][n]"
    x = f"wide{position}" if arithmetic.wide_weights and not kind.wide else f"x{position}"
    if kind.wide or arithmetic.wide_weights:
        text, wide = f"w_mul({x}, w_of(y))", True
    elif arithmetic.wide and kind is ValueKind.I32:
        text, wide = f"product({x}, y)", True
    else:
        text, wide = f"dot_{kind.value}(v_zero(), {x}, y)", False
    if arithmetic.order is Order.ANY:
        if arithmetic.pairs:
            return [f"part[{position}][n] = pairs_u8(part[{position}][n], {x}, y);"]
        if not arithmetic.wide:
            return [f"{target} = dot_{kind.value}({target}, {x}, y);"]
        return [f"{target} = w_add({target}, {text if wide else f'widen({text})'});"]
    form, fraction = sums.accumulator, sums.accumulator.fraction - sums.shift
    product = Value(text="t", wide=wide, low=ends(sums.product[0]), high=ends(sums.product[1]), fraction=fraction)
    code.lines.append(f"{{ const {product.letter} t = {text};")
    if form.overflow.value == "WRAP" and code.measured is None:
        form = replace(form, width=62, integer=62 - form.fraction, signed=True)  # one wrap at the end is enough
    one = cast(code, product, form)
    one = widened(code, one) if arithmetic.wide else one
    if form.overflow.value == "WRAP" and code.measured is None:
        return [*code.lines, f"{target} = {arithmetic.letter}_add({target}, {one.text}); }}"]
    low, high = np.minimum(one.low, 0) + form.low, np.maximum(one.high, 0) + form.high
    added = code.let(f"{arithmetic.letter}_add({target}, {one.text})", one, low=low, high=high, wide=arithmetic.wide)
    added = cast(code, added, form)
    added = widened(code, added) if arithmetic.wide else added
    return [*code.lines, f"{target} = {added.text}; }}"]
