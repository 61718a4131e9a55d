"""Kernels that read events from arrays and write results to arrays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np

from fpgacnn.ir.fixed_point import Format
from fpgacnn.sim.emulator.native.codegen.steps import KernelStep, load, step
from fpgacnn.sim.emulator.native.codegen.tensors import Storage, ValueKind, View
from fpgacnn.sim.emulator.native.codegen.values import Code, Value


class Given(StrEnum):
    """The content of an input array."""

    CODES = "i64"
    FLOAT32 = "f32"
    FLOAT64 = "f64"
    UINT8 = "u8"
    INT8 = "i8"
    UINT16 = "u16"
    INT16 = "i16"
    INT32 = "i32"


NARROW = {np.dtype(f"{one.value[0]}{int(one.value[1:]) // 8}"): one for one in Given if one.value[0] in "ui"}
del NARROW[np.dtype(np.int64)]
"""Integer arrays of fewer bits than int64, as they are read."""

CODE_TYPE = "int64"
PACKED_TYPES = ("int8", "int16", "int32")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputReader:
    """An input array: codes that must be in low..high, or numbers that are limited to that, floats rounded half to even.

    `whole`: integers are numbers, not codes.
    """

    given: Given
    low: int
    high: int
    whole: bool = False


READ = """\
struct block block = {{io->in[PORT], SIZE, io->event, io->live, 0, 0, s->scalar[0], s->scalar[1], *(const double *){scale}, 0}};
for (int64_t i = 0; i < SIZE; i += LANES) {{
    {letter} r[LANES];
    block.at = i;
    block.count = SIZE - i < LANES ? SIZE - i : LANES;
    {read}(&block, r);
    {entry}(&block, s->scalar[2], r);
    {measure}
    UNROLL for (int n = 0; n < LANES; n += {per})
        if (n < block.count)
            store_{kind}(out + (int64_t){place}[(i + n) / {per}] * VB, r + n);
}}
io->bad |= block.bad != 0;"""

READ_PIXELS = """\
enum {{ C = {channels}, V = {vectors} }};
struct block block = {{io->in[PORT], SIZE, io->event, io->live, 0, 0, s->scalar[0], s->scalar[1], *(const double *){scale}, 0}};
for (int64_t i = 0; i < SIZE; i += LANES * C) {{
    v r[LANES * C];
    for (int64_t j = 0; j < LANES * C && i + j < SIZE; j += LANES) {{
        block.at = i + j;
        block.count = SIZE - i - j < LANES ? SIZE - i - j : LANES;
        {read}(&block, r + j);
        {entry}(&block, s->scalar[2], r + j);
    }}
    for (int64_t p = 0; p < LANES && i + p * C < SIZE; p++)
        UNROLL for (int k = 0; k < V; k++) {{
            v pixel[{per}];
            UNROLL for (int n = 0; n < {per}; n++) pixel[n] = k * {per} + n < C ? r[p * C + k * {per} + n] : v_zero();
            store_{kind}(out + (int64_t){place}[(i / C + p) * V + k] * VB, pixel);
        }}
}}
io->bad |= block.bad != 0;"""
"""As READ, for packed lanes that do not end with a pixel: LANES pixels are read before they are packed."""

MOST_CHANNELS = 8
"""Channels of a pixel with which the pixels that READ_PIXELS reads stay in the nearest cache."""

WRITE = """\
{type}_t *const to = ({type}_t *)io->out[PORT] + io->event * SIZE;
for (int64_t i = 0; i < SIZE; i += LANES) {{
    {letter} r[LANES];
    const int64_t count = SIZE - i < LANES ? SIZE - i : LANES;
    for (int64_t n = 0; n < LANES; n++) r[n] = n < count ? {load} : {letter}_zero();
    {write}(to + i, SIZE, io->live, count, r);
}}"""


def input_kind_is_direct(storage: Storage) -> bool:
    """Whether the reader can store directly into packed lanes: no channel is left over at a pixel's end, or few."""
    return _ends_with_pixels(storage) or storage.channels <= MOST_CHANNELS


def _ends_with_pixels(storage: Storage) -> bool:
    return storage.channels % storage.kind.per == 0


def read_step(
    port: int, form: Format, reading: InputReader, output: Storage, bytes_: int, measured: str | None = None
) -> KernelStep:
    """Read events of one input into memory; floats are rounded half to even and limited."""
    code = Code(scalars=[reading.low, reading.high, max(form.fraction, 0)], measured=measured)
    kind = output.kind
    code.extremes(Value(text="r[n]", wide=kind.wide, low=output.low, high=output.high, fraction=output.fraction))
    measure = f"for (int n = 0; n < block.count; n++) {{ {' '.join(code.lines)} }}" if measured else ""
    pixels = output.pixel_places()[:, None] + np.arange(output.vectors)[None, :]
    text = READ if _ends_with_pixels(output) else READ_PIXELS
    body = text.format(
        channels=output.channels,
        vectors=output.vectors,
        scale=code.table(np.array([2.0**form.fraction]), "double"),
        letter="w" if kind.wide else "v",
        measure=measure,
        read="read_wide" if kind.wide else f"read_{reading.given.value}",
        entry=_entry(reading),
        per=kind.per,
        kind=kind.value,
        place=code.table(pixels.reshape(-1).astype(np.int32), "int32_t"),
    )
    sizes = {"PORT": port, "SIZE": output.rows * output.columns * output.channels, "VB": output.vector_bytes(bytes_)}
    return step(code, body, sizes, output=output, inputs=(), layers=())


def _entry(reading: InputReader) -> str:
    """The function that makes codes of what was read; readers of int64 and of floats do so themselves."""
    if reading.given not in NARROW.values():
        return "(void)"
    return "limit_whole" if reading.whole else "check_codes"


def packed_type(view: View) -> str:
    """The narrowest type that holds all codes of a node."""
    low, high = int(min(view.storage.low)), int(max(view.storage.high))
    fits = (one for one in PACKED_TYPES if np.iinfo(one).min <= low and high <= np.iinfo(one).max)
    return CODE_TYPE if view.storage.kind.wide else next(fits, CODE_TYPE)


def write_step(port: int, view: View, type_: str = CODE_TYPE) -> KernelStep:
    """Write a result from memory into an array of codes."""
    code, kind = Code(), view.storage.kind
    place = code.table(view.storage.places().astype(np.int32), "int32_t")
    body = WRITE.format(
        letter="w" if kind.wide else "v",
        load=load(kind, "in0", f"{place}[i + n]"),
        write="write_wide" if kind.wide else f"write_i{type_.removeprefix('int')}",
        type=type_,
    )
    return step(code, body, {"PORT": port, "SIZE": prod(view.shape)}, output=None, inputs=(view.storage,), layers=())


def border_step(storage: Storage, bytes_: int) -> KernelStep:
    """Write zeros around an image, for the layers that pad it."""
    code = Code()
    places = storage.border_places()
    place = code.table(places, "int32_t")
    zero = (
        "*(w *)(out + (int64_t){0}[i] * VB) = w_zero()"
        if storage.kind is ValueKind.I64
        else "*(v *)(out + (int64_t){0}[i] * VB) = v_zero()"
    )
    body = f"for (int64_t i = 0; i < N; i++) {zero.format(place)};"
    return step(
        code, body, {"N": len(places), "VB": storage.vector_bytes(bytes_)}, output=storage, inputs=(), layers=()
    )
