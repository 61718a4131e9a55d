"""The step of a linear layer and of the nodes fused with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import CodeArray
from fpgacnn.sim.emulator.accumulator_ranges import Sums
from fpgacnn.sim.emulator.native.codegen.steps import KernelStep, int32, step, stored
from fpgacnn.sim.emulator.native.codegen.tensors import Storage
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
from fpgacnn.sim.emulator.native.machine import Machine

ONE_BY_ONE = Blocks(positions=1, rounds=1, channels=1)
"""Used with measurements, so that only real sums are counted."""

Chain = Callable[[Code, Value], Value]
"""Writes the code of the nodes after the sums."""

BODY = """\
for (int64_t m = 0; m < M; m += {step}) {{
    const {word} *weight = {words};
    for (int64_t b = 0; b < B; b++, weight += K * NB) {{
        {best}
        for (int64_t g = 0; g < {rounds}; g++) {{
            const char *i[P];
            UNROLL for (int p = 0; p < P; p++) i[p] = in0 + {base}[{index}] + b * ADVANCE;
            {letter} sum[P][NB];
            UNROLL for (int n = 0; n < NB; n++) UNROLL for (int p = 0; p < P; p++) sum[p][n] = {start};
            for (int64_t k = 0; k < K; k++) {{
                const int64_t o = {offsets}[k];
{inner}
            }}
            {after}
        }}
        {last}
    }}
}}"""

FINISH = """\
{result} r[NB];
UNROLL for (int n = 0; n < NB; n++) {{ const int64_t c = b * NB + n; const {letter} t = {value}; (void)c; {lines} }}
char *const to = out + (int64_t){place}[{position}] * VB;
UNROLL for (int n = 0; n < NB; n += {per}) if ((b * NB + n) / {per} < V) store_{kind}(to + (b * NB + n) / {per} * VB, r + n);"""


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
    wide = needs_wide(sums, given.kind, wide_weights=wide_weights, measured=measured is not None)
    arithmetic = Arithmetic(order=sums.order, wide=wide, kind=given.kind, wide_weights=wide_weights or given.kind.wide)
    code = Code(measured=measured)
    first, starts = accumulator_value(code, sums, arithmetic, measured=measured is not None)
    before_lines, code.lines = code.lines, []
    last = fused.behind(code, first if fused.window is None else replace(first, text="t"))
    code.extremes(last)
    output = make_output(last)
    window = prod(fused.window) if fused.window else 0
    bases = positions(operation, given, layer.shape, fused.window) * given.vector_bytes(machine.bytes_)
    blocks = ONE_BY_ONE if measured else _blocks(machine, arithmetic, operation, given, output, window, len(bases))
    words, offsets = _words(operation, given, arithmetic, blocks, machine)
    inner = inner_loop(code, arithmetic, blocks, sums)
    body = _body(code, arithmetic, blocks, (words, offsets, bases, starts), (first, before_lines), last, output, window)
    sizes = {
        "M": len(output.pixel_places()),
        "B": len(words),
        "K": len(offsets),
        "ADVANCE": given.vector_bytes(machine.bytes_) if isinstance(operation, hw.Depthwise) else 0,
        "V": output.vectors,
        "VB": output.vector_bytes(machine.bytes_),
    }
    text = f"enum {{ P = {blocks.positions}, NB = {blocks.channels} }};\n{body.replace('@inner@', inner)}"
    return step(code, text, sizes, output=output, inputs=(given,), layers=fused.layers)


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


def _words(
    operation: hw.Linear, given: Storage, arithmetic: Arithmetic, blocks: Blocks, machine: Machine
) -> tuple[CodeArray, CodeArray]:
    kernel, taps = operation.kernel.array, tap_places(operation, given)
    if isinstance(operation, hw.Depthwise):
        return channel_words(given, kernel.reshape(len(taps), -1)), taps * given.vector_bytes(machine.bytes_)
    words, offsets = full_rows(
        given, taps, kernel.reshape(len(taps), given.channels, -1), arithmetic.order, machine.bytes_
    )
    return in_blocks(words, blocks.channels), offsets


def _body(
    code: Code,
    arithmetic: Arithmetic,
    blocks: Blocks,
    numbers: tuple[CodeArray, CodeArray, CodeArray, CodeArray],
    before: tuple[Value, list[str]],
    last: Value,
    output: Storage,
    window: int,
) -> str:
    words, offsets, bases, starts = numbers
    word = "int64_t" if arithmetic.wide_weights else "uint32_t"
    padded = np.concatenate([starts, np.zeros(CHANNEL_PADDING, np.int64)])
    start = code.table(
        padded if arithmetic.wide else padded.astype(np.int32), "int64_t" if arithmetic.wide else "int32_t"
    )
    place = code.table(int32(output.pixel_places()), "int32_t")
    finish = {
        "result": "w" if output.kind.wide else "v",
        "place": place,
        "per": output.kind.per,
        "kind": output.kind.value,
    }
    names = {
        "words": code.table(words if arithmetic.wide_weights else words.astype(np.uint32), word),
        "word": word,
        "offsets": code.table(offsets, "int64_t"),
        "base": code.table(bases, "int64_t"),
        "letter": arithmetic.letter,
        "start": f"w_of(splat64({start}[b * NB + n]))" if arithmetic.wide else f"splat({start}[b * NB + n])",
        "inner": "@inner@",
    }
    first, lines = before
    if not window:
        store = stored(last, output.kind)
        each = FINISH.format(
            **finish,
            letter=arithmetic.letter,
            value="sum[p][n]",
            position="m + p",
            lines=" ".join((*lines, *code.lines, store)),
        )
        after = f"for (int p = 0; p < P; p++) if (m + p < M) {{\n{each}\n}}".replace("for (int p", "UNROLL for (int p")
        return BODY.format(
            **names, step="P", rounds="1", index="m + p < M ? m + p : M - 1", best="", after=after, last=""
        )
    after = _running_maximum(arithmetic, first, lines)
    store = stored(last, output.kind)
    each = FINISH.format(
        **finish, letter=first.letter, value="top[n]", position="m", lines=" ".join((*code.lines, store))
    )
    index = f"(m * {blocks.rounds} + g) * P + p"
    return BODY.format(
        **names,
        step="1",
        rounds=str(blocks.rounds),
        index=index,
        best=f"{first.letter} top[NB];",
        after=after,
        last=each,
    )


def _running_maximum(arithmetic: Arithmetic, first: Value, lines: Sequence[str]) -> str:
    """The running maximum over a window's positions, before the fused nodes."""
    text = "\n".join(lines)
    return f"""UNROLL for (int p = 0; p < P; p++) UNROLL for (int n = 0; n < NB; n++) {{
    const int64_t c = b * NB + n; (void)c;
    const {arithmetic.letter} t = sum[p][n];
    {text}
    top[n] = g == 0 && p == 0 ? {first.text} : {first.letter}_max(top[n], {first.text});
}}"""
