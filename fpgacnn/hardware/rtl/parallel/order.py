"""Where the values of a layer that only moves values come from, when all of them are in one word."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias, assert_never

import numpy as np

from fpgacnn.hardware.rtl.moves import image_of
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray
from fpgacnn.ir.source import Shape

Moving: TypeAlias = src.Crop | src.Upsample | src.ZeroPad | src.Permute


def of_values(operation: Moving, shape: Shape) -> CodeArray:
    """The place in the input of every value of the result, in its order; -1 for a zero."""
    places = np.arange(prod(shape), dtype=np.int64)
    if isinstance(operation, src.Permute):
        return places.reshape(shape).transpose(operation.axes).reshape(-1)
    rows = places.reshape(image_of(shape))
    match operation:
        case src.Crop():
            top, bottom, left, right = operation.borders
            found = rows[top : rows.shape[0] - bottom, left : rows.shape[1] - right]
        case src.Upsample():
            found = rows.repeat(operation.factors[0], axis=0).repeat(operation.factors[1], axis=1)
        case src.ZeroPad():
            top, bottom, left, right = operation.pads
            found = np.pad(rows, ((top, bottom), (left, right), (0, 0)), constant_values=-1)
        case _:
            assert_never(operation)
    return found.reshape(-1)


def of_parts(shapes: Sequence[Shape], axis: int) -> CodeArray:
    """The place of every value of a concatenation in the values of all inputs, one behind the other."""
    ends = np.cumsum([prod(shape) for shape in shapes])
    parts = [
        np.arange(end - prod(shape), end, dtype=np.int64).reshape(shape)
        for shape, end in zip(shapes, ends.tolist(), strict=True)
    ]
    return np.concatenate(parts, axis=axis).reshape(-1)
