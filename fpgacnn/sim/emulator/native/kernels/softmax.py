"""Kernels of softmax: hls4ml's stable tables, or one-hot argmax, over the channels of each pixel."""

from __future__ import annotations

import numpy as np

from fpgacnn.design.softmax_tables import exponential_table, reciprocal_table
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import requantize
from fpgacnn.passes.precision import LayerPrecision
from fpgacnn.sim.emulator.native.codegen.casts import cast
from fpgacnn.sim.emulator.native.codegen.operations import times
from fpgacnn.sim.emulator.native.codegen.steps import KernelStep, int32, load, step
from fpgacnn.sim.emulator.native.codegen.tensors import Storage, View
from fpgacnn.sim.emulator.native.codegen.values import Code, Value, ends, fits32

ARGMAX = """\
for (int64_t m = 0; m < M; m++) {{
    {letter} best = {first};
    v where = v_zero();
    for (int64_t c = 1; c < C; c++) {{
        const {letter} x = {each};
        const v above = {above};
        where = v_pick(above, splat((int32_t)c), where);
        best = {letter}_max(best, x);
    }}
    char *const to = out + (int64_t){place}[m] * VB;
    for (int64_t c = 0; c < C; c++)
        store_i32(to + c * VB, (v[]){{v_and(v_same(where, splat((int32_t)c)), splat(1))}});
}}"""

STABLE = """\
for (int64_t m = 0; m < M; m++) {{
    {letter} best = {first};
    for (int64_t c = 1; c < C; c++) best = {letter}_max(best, {each});
    char *const to = out + (int64_t){place}[m] * VB;
    w total = w_zero();
    for (int64_t c = 0; c < C; c++) {{
        const {letter} x = {letter}_sub(best, {each});
        {difference}
        total = w_add(total, widen(e));
        store_i32(to + c * VB, &e);
    }}
    {inverse}
    for (int64_t c = 0; c < C; c++) {{
        const v e = load_i32(to, (int32_t)c);
        {product}
    }}
}}"""


def argmax_step(layer: hw.Layer, given: View, output: Storage, bytes_: int) -> KernelStep:
    """One-hot of the first largest."""
    code = Code()
    place = code.table(int32(given.storage.places()), "int32_t")
    kind = given.storage.kind
    letter = "w" if kind.wide else "v"
    above = "w_above(x, best)" if kind.wide else "v_above(x, best)"
    body = ARGMAX.format(
        letter=letter,
        first=load(kind, "in0", f"{place}[m * C]"),
        each=load(kind, "in0", f"{place}[m * C + c]"),
        above=f"w_mask({above})" if kind.wide else above,
        place=code.table(int32(output.pixel_places()), "int32_t"),
    )
    return step(code, body, _sizes(output, bytes_), output=output, inputs=(given.storage,), layers=(layer.name,))


def _sizes(output: Storage, bytes_: int) -> dict[str, int]:
    return {"M": output.rows * output.columns, "C": output.channels, "VB": output.vector_bytes(bytes_)}


def _widened(text: str, *, really: bool) -> str:
    return f"widen({text})" if really else text


def stable_step(
    layer: hw.Layer,
    precision: LayerPrecision,
    given: View,
    value: Value,
    output: Storage,
    bytes_: int,
    measured: str | None,
) -> KernelStep:
    """Exponentials and a reciprocal from tables (nnet_activation.h, softmax_stable)."""
    formats = {name: decision.format for name, decision in precision.tables.items()}
    assert precision.accumulator is not None
    total = precision.accumulator.format
    code, kind = Code(measured=measured), given.storage.kind
    place = code.table(int32(given.storage.places()), "int32_t")
    low, high = value.hull
    wide = kind.wide or not fits32(0, high - low)
    first_cell, each_cell = (
        _widened(load(kind, "in0", at), really=wide and not kind.wide)
        for at in (f"{place}[m * C]", f"{place}[m * C + c]")
    )
    x = Value(text="x", wide=wide, low=ends(0), high=ends(high - low), fraction=value.fraction)
    exponentials = requantize(
        exponential_table(formats["difference"], formats["exponential"]),
        formats["exponential"].fraction,
        total,
    )
    reciprocals = reciprocal_table(formats["index"], formats["reciprocal"])
    first = code.inner()
    difference = cast(first, x, formats["difference"])
    first.lines.append(
        f"const v e = gather({code.table(exponentials.astype(np.int32), 'int32_t')}, {difference.text});"
    )
    e_low, e_high = int(exponentials.min()), int(exponentials.max())
    second = code.inner()
    sums = Value(
        text="total",
        wide=True,
        low=ends(min(e_low, 0) * output.channels),
        high=ends(max(e_high, 0) * output.channels),
        fraction=total.fraction,
    )
    index = cast(second, cast(second, sums, total), formats["index"])
    second.lines.append(
        f"const v inverse = gather({code.table(reciprocals.astype(np.int32), 'int32_t')}, {index.text});"
    )
    third = code.inner()
    e = Value(text="e", wide=False, low=ends(e_low), high=ends(e_high), fraction=total.fraction)
    result = cast(
        third, times(third, e, "inverse", reciprocals, formats["reciprocal"].fraction), precision.result.format
    )
    third.extremes(result)
    code.ranged = third.ranged
    assert not result.wide
    assert fits32(*result.hull)
    body = STABLE.format(
        letter=x.letter,
        first=first_cell,
        each=each_cell,
        place=code.table(int32(output.pixel_places()), "int32_t"),
        difference=" ".join(first.lines),
        inverse=" ".join(second.lines),
        product=" ".join((*third.lines, f"store_i32(to + c * VB, &{result.text});")),
    )
    return step(code, body, _sizes(output, bytes_), output=output, inputs=(given.storage,), layers=(layer.name,))
