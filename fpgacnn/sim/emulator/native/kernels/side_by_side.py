"""A row of a window as the channels of one pixel, for images of few channels.

A lane holds two or four numbers, and products are added for a whole lane. A pixel of one channel fills a quarter of it.
With the pixels of a row of the window side by side, a 3x3 kernel over one channel takes three rows of products instead
of nine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import hardware as hw
from fpgacnn.ir.source import Shape
from fpgacnn.sim.emulator.accumulator_ranges import Order, Sums
from fpgacnn.sim.emulator.native.codegen.tensors import Storage, image
from fpgacnn.sim.emulator.native.kernels.elementwise import NOTHING
from fpgacnn.sim.emulator.native.machine import ByteProducts, Machine

COPY_IN_PRODUCTS = {ByteProducts.EXACT: 6, ByteProducts.PAIRS: 2, ByteProducts.NONE: 2}
"""A number is copied in the time of about so many products of a lane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """A convolution of windows with one column, its input, and the element of the image for each of the input's."""

    operation: hw.Convolution
    storage: Storage
    elements: NDArray[np.int64]


def side_by_side(
    machine: Machine, operation: hw.Linear, sums: Sums, given: Storage, shape: Shape, result: Shape
) -> SideBySide | None:
    """The same sums from rows of windows; None where the copy takes longer than what it saves.

    `shape` and `result` are those of the image and of the sums.
    """
    if not isinstance(operation, hw.Convolution) or sums.order is not Order.ANY:
        return None
    high, wide, channels, filters = operation.kernel.array.shape
    rows, columns, _ = image(shape)
    out_rows, out_columns, _ = image(result)
    per = given.kind.per
    saved = high * (wide * -(-channels // per) - -(-wide * channels // per)) * out_rows * out_columns * filters
    if saved <= COPY_IN_PRODUCTS[machine.byte_products] * rows * out_columns * wide * channels:
        return None
    top, bottom, left, right = operation.pads
    numbers = np.arange(rows * columns * channels).reshape(rows, columns, channels)
    padded = np.pad(numbers, ((0, 0), (left, right), (0, 0)), constant_values=NOTHING)
    places = np.arange(out_columns)[:, None] * operation.strides[1] + np.arange(wide)[None, :]
    one_column = replace(
        operation,
        kernel=replace(operation.kernel, array=operation.kernel.array.reshape(high, 1, wide * channels, filters)),
        strides=(operation.strides[0], 1),
        pads=(top, bottom, 0, 0),
    )
    channels *= wide
    storage = replace(given, columns=out_columns, channels=channels, pads=one_column.pads, offset=-1)
    return SideBySide(operation=one_column, storage=storage, elements=padded[:, places].reshape(-1))
