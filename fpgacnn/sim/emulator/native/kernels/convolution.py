"""The step of a linear layer and of the nodes fused with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import CodeArray
from fpgacnn.sim.emulator.accumulator_ranges import Order, Sums
from fpgacnn.sim.emulator.native.codegen.steps import KernelStep, int32, step, stored
from fpgacnn.sim.emulator.native.codegen.tensors import Storage, ValueKind
from fpgacnn.sim.emulator.native.codegen.values import CHANNEL_PADDING, Code, Value, fits32
from fpgacnn.sim.emulator.native.kernels.linear import (
    Arithmetic,
    Blocks,
    accumulator_value,
    channel_words,
    choose_blocks,
    full_rows,
    in_blocks,
    inner_loop,
    needs_wide,
)
from fpgacnn.sim.emulator.native.kernels.narrow_sums import (
    half_loop,
    half_rows,
    halves,
    pairs_of,
    patterns,
    rows_together,
)
from fpgacnn.sim.emulator.native.machine import ByteProducts, Machine

ONE_BY_ONE = Blocks(positions=1, rounds=1, channels=1)
"""Used with measurements, so that only real sums are counted."""

Chain = Callable[[Code, Value], Value]
"""Writes the code of the nodes after the sums."""

BODY = """\
for (int64_t m = 0; m < M; m += {step}) {{
    const {word} *weight = {words};
    for (int64_t b = 0; b < B; b++, weight += K * N) {{
        {best}
        for (int64_t g = 0; g < {rounds}; g++) {{
            const char *i[P];
            UNROLL for (int p = 0; p < P; p++) i[p] = in0 + {base}[{index}] + b * ADVANCE;
            {letter} sum[P][N];
            {rows}
            {after}
        }}
        {last}
    }}
}}"""

ROWS = """\
UNROLL for (int n = 0; n < N; n++) UNROLL for (int p = 0; p < P; p++) sum[p][n] = {start};
IN_PAIRS for (int64_t k = 0; k < K; k++) {{
    const int64_t o = {offsets}[k];
{inner}
}}"""

PAIRS = """\
v part[P][N];
UNROLL for (int n = 0; n < N; n++) UNROLL for (int p = 0; p < P; p++) part[p][n] = v_zero();
IN_PAIRS for ({first}; k < {end}; k++) {{
    const int64_t o = {offsets}[k];
{inner}
}}
UNROLL for (int n = 0; n < N; n++) UNROLL for (int p = 0; p < P; p++) sum[p][n] = {before} + sum_of_pairs(part[p][n]);"""

SEVERAL_PAIRS = """\
UNROLL for (int n = 0; n < N; n++) UNROLL for (int p = 0; p < P; p++) sum[p][n] = {{start}};
for (int64_t k = 0; k < K;) {{{{
    const int64_t end = k + TOGETHER < K ? k + TOGETHER : K;
    {pairs}
}}}}""".format(pairs=PAIRS.replace("{first}", "").replace("{end}", "end").replace("{before}", "sum[p][n]"))
"""As PAIRS, where so many rows do not fit in 16 bits."""

FINISH = """\
{result} r[NB];
UNROLL for (int n = 0; n < NB; n++) {{ const int64_t c = b * NB + n; const {letter} t = {value}; (void)c; {lines} }}
char *const to = out + (int64_t){place}[{position}] * VB;
UNROLL for (int n = 0; n < NB; n += {per}) if ((b * NB + n) / {per} < V) store_{kind}(to + (b * NB + n) / {per} * VB, r + n);"""


HALVES_MAXIMUM = """\
UNROLL for (int p = 0; p < P; p++) UNROLL for (int n = 0; n < N; n++)
    top[n] = g == 0 && p == 0 ? sum[p][n] : h_max(top[n], sum[p][n]);"""
"""The running maximum over a window's positions, of two channels in a lane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """The nodes computed in a linear layer's kernel, its own rounding first, and the max pooling before all of them."""

    layers: tuple[str, ...]
    behind: Chain
    window: tuple[int, int] | None


def tap_places(operation: hw.Linear, storage: Storage) -> NDArray[np.int64]:
    """The first vector of each tap, relative to the window's first."""
    if isinstance(operation, hw.Dense):
        return storage.pixel_places()
    height, width = operation.kernel.array.shape[:2]
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return ((rows * storage.row_pixels + columns) * storage.vectors).reshape(-1)


def positions(
    operation: hw.Linear, storage: Storage, shape: tuple[int, ...], window: tuple[int, int] | None
) -> NDArray[np.int64]:
    """The first vector of the window of each output position; with pooling, of each position of each pooling window."""
    if isinstance(operation, hw.Dense):
        return np.zeros(1, np.int64)
    height, width = (1, shape[0]) if len(shape) == 2 else shape[:2]
    rows = (np.arange(height) * operation.strides[0] - operation.pads[0] + storage.pads[0]) * storage.row_pixels
    columns = np.arange(width) * operation.strides[1] - operation.pads[2] + storage.pads[2]
    grid = (rows[:, None] + columns[None, :]) * storage.vectors
    if window is None:
        return grid.reshape(-1)
    high, wide = height // window[0], width // window[1]
    cut = grid[: high * window[0], : wide * window[1]].reshape(high, window[0], wide, window[1])
    return cut.transpose(0, 2, 1, 3).reshape(-1)


def linear_step(
    machine: Machine,
    layer: hw.Layer,
    operation: hw.Linear,
    sums: Sums,
    given: Storage,
    fused: Fused,
    make_output: Callable[[Value], Storage],
    *,
    measured: str | None,
) -> KernelStep:
    """The step of a linear layer. There is a kernel for every kind of input, weight and accumulator."""
    kernel = operation.kernel.array
    wide_weights = not fits32(int(kernel.min()), int(kernel.max()))
    arithmetic = _arithmetic(machine, operation, sums, given, wide_weights=wide_weights, measured=measured is not None)
    code = Code(measured=measured)
    first, starts = accumulator_value(code, sums, arithmetic, measured=measured is not None)
    before_lines, code.lines = code.lines, []
    last = fused.behind(code, first if fused.window is None else replace(first, text="t"))
    code.extremes(last)
    output = make_output(last)
    window = prod(fused.window) if fused.window else 0
    bases = positions(operation, given, layer.shape, fused.window) * given.vector_bytes(machine.bytes_)
    blocks = ONE_BY_ONE if measured else _blocks(machine, arithmetic, operation, given, output, window, len(bases))
    rows = _rows(operation, given, arithmetic, blocks, machine)
    inner = _inner(code, arithmetic, blocks, sums, rows)
    late = bool(window) and arithmetic.pairs and _may_add_late(sums) and not before_lines and first.text == "t"
    body = _body(
        code, arithmetic, blocks, (rows, bases, starts), (first, before_lines), last, output, window, late=late
    )
    sizes = {
        "M": len(output.pixel_places()),
        "B": len(rows.words),
        "K": len(rows.offsets),
        "TOGETHER": rows.together,
        "ADVANCE": given.vector_bytes(machine.bytes_) if isinstance(operation, hw.Depthwise) else 0,
        "V": output.vectors,
        "VB": output.vector_bytes(machine.bytes_),
    }
    count = blocks.channels // 2 if arithmetic.halves else blocks.channels
    enum = f"enum {{ P = {blocks.positions}, NB = {blocks.channels}, N = {count} }};"
    text = f"{enum}\n{body.replace('@inner@', inner)}"
    return step(code, text, sizes, output=output, inputs=(given,), layers=fused.layers)


def _may_add_late(sums: Sums) -> bool:
    """Whether a maximum of sums without the bias is that of the sums: neither leaves its lane or the accumulator."""
    without = sums.low - sums.start, sums.high - sums.start
    return sums.fits and fits32(int(without[0].min()), int(without[1].max()))


def _blocks(
    machine: Machine,
    arithmetic: Arithmetic,
    operation: hw.Linear,
    given: Storage,
    output: Storage,
    window: int,
    bases: int,
) -> Blocks:
    per = output.kind.per
    if isinstance(operation, hw.Depthwise):
        count = next(size for size in (6, 4, 3, 2, 1) if (window % size == 0 if window else size <= max(bases, 1)))
        return Blocks(positions=count, rounds=window // count if window else 1, channels=given.kind.per)
    return choose_blocks(machine, arithmetic, operation.kernel.array.shape[-1], per, window, bases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The numbers that the inner loop reads: words (blocks, rows, sums), and for each row an offset.

    For halves, also the part of the lane that a row reads. For pairs, as many rows as can be added in 16 bits.
    """

    words: CodeArray
    offsets: CodeArray
    parts: CodeArray | None = None
    together: int = 1


def _arithmetic(
    machine: Machine, operation: hw.Linear, sums: Sums, given: Storage, *, wide_weights: bool, measured: bool
) -> Arithmetic:
    """The narrowest sums that are exact; measurements count in 32 or 64 bits."""
    narrow = not measured and not isinstance(operation, hw.Depthwise)
    how = halves(sums, given, operation.kernel.array) if narrow else None
    wide = how is None and needs_wide(sums, given.kind, wide_weights=wide_weights, measured=measured)
    pairs = (
        not measured
        and not wide
        and sums.order is Order.ANY
        and given.kind is ValueKind.U8
        and machine.byte_products is ByteProducts.PAIRS
    )
    return Arithmetic(
        order=sums.order,
        wide=wide,
        kind=given.kind,
        wide_weights=wide_weights or given.kind.wide,
        pairs=pairs,
        halves=how,
    )


def _rows(operation: hw.Linear, given: Storage, arithmetic: Arithmetic, blocks: Blocks, machine: Machine) -> Rows:
    kernel, taps = operation.kernel.array, tap_places(operation, given)
    if isinstance(operation, hw.Depthwise):
        words = channel_words(given, kernel.reshape(len(taps), -1))
        offsets = taps * given.vector_bytes(machine.bytes_)
        return Rows(words=words, offsets=offsets, together=_together(words, given, arithmetic))
    weights = kernel.reshape(len(taps), given.channels, -1)
    if arithmetic.halves:
        words, offsets, parts = half_rows(given, taps, weights, arithmetic.halves, machine.bytes_)
        return Rows(words=pairs_of(in_blocks(words, blocks.channels)), offsets=offsets, parts=parts)
    words, offsets = full_rows(given, taps, weights, arithmetic.order, machine.bytes_)
    words = in_blocks(words, blocks.channels)
    return Rows(words=words, offsets=offsets, together=_together(words, given, arithmetic))


def _together(words: CodeArray, given: Storage, arithmetic: Arithmetic) -> int:
    return rows_together(words, int(given.high.max())) if arithmetic.pairs else 1


def _row_loops(code: Code, arithmetic: Arithmetic, rows: Rows, start: str) -> str:
    """C text of the sums of all rows, which begin with `start`."""
    numbers = {"offsets": code.table(rows.offsets, "int64_t"), "inner": "@inner@"}
    if not arithmetic.pairs:
        return ROWS.format(**numbers, start=start)
    if rows.together < len(rows.offsets):
        return SEVERAL_PAIRS.format(**numbers, start=start)
    return PAIRS.format(**numbers, first="int64_t k = 0", end="K", before=start)


def _inner(code: Code, arithmetic: Arithmetic, blocks: Blocks, sums: Sums, rows: Rows) -> str:
    """C text of the products of one row."""
    how = arithmetic.halves
    if how is None or rows.parts is None:
        return inner_loop(code, arithmetic, blocks, sums)
    table = code.table(patterns(arithmetic.kind, how), "uint8_t")
    parts = code.table(rows.parts.astype(np.int64), "int64_t")
    return half_loop(how, arithmetic.kind, blocks.positions, table, parts)


def _start(code: Code, arithmetic: Arithmetic, starts: CodeArray) -> str:
    """C text of the number with which a sum starts."""
    padded = np.concatenate([starts, np.zeros(CHANNEL_PADDING + len(starts) % 2, np.int64)])
    if arithmetic.halves:
        table = code.table(pairs_of(padded << arithmetic.halves.up).astype(np.uint32), "uint32_t")
        return f"(h)splat((int32_t){table}[b * N + n])"
    if arithmetic.wide:
        return f"w_of(splat64({code.table(padded, 'int64_t')}[b * NB + n]))"
    return f"splat({code.table(padded.astype(np.int32), 'int32_t')}[b * NB + n])"


def _body(
    code: Code,
    arithmetic: Arithmetic,
    blocks: Blocks,
    numbers: tuple[Rows, CodeArray, CodeArray],
    before: tuple[Value, list[str]],
    last: Value,
    output: Storage,
    window: int,
    *,
    late: bool,
) -> str:
    """The loops of a step; `late`: a channel's bias is added after the maximum of a window, for which it is the same."""
    rows, bases, starts = numbers
    word = "int64_t" if arithmetic.wide_weights else "uint32_t"
    start = _start(code, arithmetic, starts)
    place = code.table(int32(output.pixel_places()), "int32_t")
    finish = {
        "result": "w" if output.kind.wide else "v",
        "place": place,
        "per": output.kind.per,
        "kind": output.kind.value,
    }
    names = {
        "words": code.table(rows.words if arithmetic.wide_weights else rows.words.astype(np.uint32), word),
        "word": word,
        "base": code.table(bases, "int64_t"),
        "letter": arithmetic.letter,
    }
    total, sum_text = ("v" if arithmetic.halves else arithmetic.letter), _sum_text(arithmetic)
    first, lines = before
    names["rows"] = _row_loops(code, arithmetic, rows, "v_zero()" if late else start)
    if not window:
        store = stored(last, output.kind)
        each = FINISH.format(
            **finish,
            letter=total,
            value=sum_text,
            position="m + p",
            lines=" ".join((*lines, *code.lines, store)),
        )
        after = f"for (int p = 0; p < P; p++) if (m + p < M) {{\n{each}\n}}".replace("for (int p", "UNROLL for (int p")
        return BODY.format(
            **names, step="P", rounds="1", index="m + p < M ? m + p : M - 1", best="", after=after, last=""
        )
    together = arithmetic.halves is not None and not lines and first.text == "t"
    after = HALVES_MAXIMUM if together else _running_maximum(f"const {total} t = {sum_text};", first, lines)
    top = _sum_text(arithmetic, "top") if together else "top[n]"
    store = stored(last, output.kind)
    each = FINISH.format(
        **finish,
        letter=first.letter,
        value=f"v_add(top[n], {start})" if late else top,
        position="m",
        lines=" ".join((*code.lines, store)),
    )
    index = f"(m * {blocks.rounds} + g) * P + p"
    return BODY.format(
        **names,
        step="1",
        rounds=str(blocks.rounds),
        index=index,
        best="h top[N];" if together else f"{first.letter} top[NB];",
        after=after,
        last=each,
    )


def _sum_text(arithmetic: Arithmetic, sums: str = "sum[p]") -> str:
    """C text of the sum of channel `n` at position `p`."""
    if not arithmetic.halves:
        return f"{sums}[n]"
    half = f"half_of({sums}[n / 2], n & 1)"
    return f"({half} >> {arithmetic.halves.up})" if arithmetic.halves.up else half


def _running_maximum(total: str, first: Value, lines: Sequence[str]) -> str:
    """The running maximum over a window's positions, before the fused nodes."""
    text = "\n".join(lines)
    return f"""UNROLL for (int p = 0; p < P; p++) UNROLL for (int n = 0; n < NB; n++) {{
    const int64_t c = b * NB + n; (void)c;
    {total}
    {text}
    top[n] = g == 0 && p == 0 ? {first.text} : {first.letter}_max(top[n], {first.text});
}}"""
