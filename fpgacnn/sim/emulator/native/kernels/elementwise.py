"""Kernels that compute each number of a tensor from numbers of others: activations, merges, pools, and moves of data.

Tables give the places of the numbers, so that padding, cropping, reordering and windows are one and the same loop.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray
from fpgacnn.ir.source import Shape
from fpgacnn.sim.emulator.native.codegen.steps import KernelStep, int32, load, step, stored
from fpgacnn.sim.emulator.native.codegen.tensors import Storage, View
from fpgacnn.sim.emulator.native.codegen.values import Code, Value

NOTHING = -1
"""A place that gives 0."""

MOST_IN_A_LANE = 4

BODY = """\
for (int64_t m = 0; m < M; m++) {{
    char *const to = out + (int64_t){place}[m] * VB;
    for (int64_t j = 0; j < V; j++) {{
        {letter} r[PER];
        UNROLL for (int n = 0; n < PER; n++) {{
            const int64_t c = j * PER + n, i = m * C + c; (void)c; (void)i;
            {lines}
        }}
        store_{kind}(to + j * VB, r);
    }}
}}"""


def map_step(
    code: Code, value: Value, output: Storage, inputs: tuple[Storage, ...], bytes_: int, *, layers: tuple[str, ...]
) -> KernelStep:
    """The step that stores `value`, which the code's lines compute for the element at place `i` of channel `c`."""
    code.extremes(value)
    store = stored(value, output.kind)
    body = BODY.format(
        place=code.table(int32(output.pixel_places()), "int32_t"),
        letter="w" if output.kind.wide else "v",
        kind=output.kind.value,
        lines="\n            ".join((*code.lines, store)),
    )
    sizes = {
        "M": output.rows * output.columns,
        "C": output.channels,
        "V": output.vectors,
        "VB": output.vector_bytes(bytes_),
    }
    return step(
        code, f"enum {{ PER = {output.kind.per} }};\n{body}", sizes, output=output, inputs=inputs, layers=layers
    )


def _place_table(code: Code, places: NDArray[np.int64]) -> str:
    """A table by element; the last block of channels of the last pixel may read slightly beyond it."""
    more = np.repeat(places[-1:], MOST_IN_A_LANE, axis=0)
    return code.table(int32(np.concatenate([places, more])), "int32_t")


def read(code: Code, number: int, view: View, elements: NDArray[np.int64]) -> str:
    """C text of the input's number for each element of the output: `elements` are the input's, NOTHING gives 0."""
    places = np.append(view.storage.places(), NOTHING)[elements]
    return load(view.storage.kind, f"in{number}", f"{_place_table(code, places)}[i]", holes=bool((places < 0).any()))


def read_window(code: Code, view: View, cells: NDArray[np.int64]) -> Callable[[str], str]:
    """C text of the k-th cell of each element's window; `cells` (elements, cells) are elements of the input."""
    places = np.append(view.storage.places(), NOTHING)[cells]
    size, name = code.number(cells.shape[1]), _place_table(code, places)
    return lambda k: load(view.storage.kind, "in0", f"{name}[i * {size} + {k}]", holes=bool((places < 0).any()))


def numbers(shape: Shape) -> NDArray[np.int64]:
    """The elements of a tensor, counted in row-major order."""
    return np.arange(prod(shape)).reshape(shape)


def moved(layer: hw.Layer, operation: src.Moving, shape: Shape) -> NDArray[np.int64]:
    """The input element of each output element, NOTHING for a new 0, for operations of one input."""
    given = numbers(shape)
    image = given if given.ndim == 3 else given[None]
    match operation:
        case src.ZeroPad():
            top, bottom, left, right = operation.pads
            return (
                np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=NOTHING)
                .reshape(layer.shape)
                .reshape(-1)
            )
        case src.Crop():
            top, bottom, left, right = operation.borders
            return image[top : image.shape[0] - bottom, left : image.shape[1] - right].reshape(-1)
        case src.Upsample():
            return image.repeat(operation.factors[0], axis=0).repeat(operation.factors[1], axis=1).reshape(-1)
        case src.Permute():
            return given.transpose(operation.axes).reshape(-1)
        case _:
            return given.reshape(-1)


def windows(operation: hw.Pool | hw.GlobalPool, shape: Shape) -> tuple[NDArray[np.int64], CodeArray]:
    """The cells (elements, cells) of each window, NOTHING outside, and the number of real cells (positions,)."""
    given = numbers(shape)
    if isinstance(operation, hw.GlobalPool):
        cells = given.reshape(-1, shape[-1]).T
        return cells, np.array([cells.shape[1]])
    image = given if given.ndim == 3 else given[None]
    top, bottom, left, right = operation.pads
    padded = np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=NOTHING)
    views = np.lib.stride_tricks.sliding_window_view(padded, operation.size, axis=(0, 1))[
        :: operation.strides[0], :: operation.strides[1]
    ]
    cells = views.reshape(-1, prod(operation.size))
    return cells, (cells[:: shape[-1]] >= 0).sum(axis=1)


def without_holes(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """For a maximum: cells beyond the border, replaced by a real cell of the same window."""
    return np.where(cells < 0, cells.max(axis=1, keepdims=True), cells)


def joined(axis: int, shapes: tuple[Shape, Shape]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each element of a concatenation, the element of the left and of the right tensor.

    NOTHING for the other part.
    """
    left, right = (numbers(shape) for shape in shapes)
    none_left, none_right = (np.full(shape, NOTHING) for shape in shapes)
    return np.concatenate([left, none_right], axis=axis).reshape(-1), np.concatenate(
        [none_left, right], axis=axis
    ).reshape(-1)
