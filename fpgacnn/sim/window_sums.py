"""Sums of products over the windows of an image, in pieces that fit into a cache.

A copy of all windows of an image is as large as the image times the window, and most of the time is spent on that copy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fpgacnn.ir.source import FloatArray

PIECE_VALUES = 1 << 15
"""Values of windows that are copied at once: 256 KiB of float64."""

PRODUCT_SIZE = 1 << 18
"""Size of a matrix product up to which OpenBLAS starts no threads, which would wait for each other longer."""

FEWEST_ROWS, FEWEST_COLUMNS = 16, 4
"""A product has at least so many rows; for larger matrices, some columns at a time are multiplied.

A matrix with more inputs than PRODUCT_SIZE allows for so few columns is multiplied in one product.
"""


def convolved(image: FloatArray, kernel: FloatArray, strides: tuple[int, int]) -> FloatArray:
    """Sums of products of every window of a padded image with a kernel.

    `image` is (events, h, w, c), `kernel` (window_h, window_w, c, filters); the result is (events, out_h, out_w,
    filters).
    """
    filters = kernel.shape[-1]
    views = np.lib.stride_tricks.sliding_window_view(image, kernel.shape[:2], axis=(1, 2))
    windows = views[:, :: strides[0], :: strides[1]].transpose(0, 1, 2, 4, 5, 3)
    matrix = np.ascontiguousarray(kernel.reshape(-1, filters))
    events, height, width = windows.shape[:3]
    sums = np.empty((events, height, width, filters), np.result_type(image, kernel))
    row_values = width * len(matrix)
    some = max(1, PIECE_VALUES // max(row_values * height, 1))
    rows = max(1, min(height, PIECE_VALUES // max(row_values, 1)))
    for event in range(0, events, some):
        for row in range(0, height, rows):
            piece = windows[event : event + some, row : row + rows]
            target = sums[event : event + some, row : row + rows]
            target[...] = multiplied(piece.reshape(-1, len(matrix)), matrix).reshape(target.shape)
    return sums


def multiplied(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """The matrix product (rows, in) x (in, out), as several products of few rows."""
    inputs, columns = matrix.shape
    if len(rows) * matrix.size <= PRODUCT_SIZE:
        return rows @ matrix
    width = PRODUCT_SIZE // FEWEST_ROWS // max(inputs, 1)
    if width < min(columns, FEWEST_COLUMNS):
        return rows @ matrix
    if width < columns:
        parts = (np.ascontiguousarray(matrix[:, start : start + width]) for start in range(0, columns, width))
        return np.concatenate([multiplied(rows, part) for part in parts], axis=1)
    block = PRODUCT_SIZE // matrix.size
    whole = len(rows) // block * block
    found = np.empty((len(rows), columns), np.result_type(rows, matrix))
    np.matmul(rows[:whole].reshape(-1, block, inputs), matrix, out=found[:whole].reshape(-1, block, columns))
    np.matmul(rows[whole:], matrix, out=found[whole:])
    return found


def shifted(
    image: FloatArray, size: tuple[int, int], strides: tuple[int, int]
) -> Iterator[tuple[int, int, FloatArray]]:
    """Row and column in the window, and the values that every window of a padded image has there."""
    down, across = strides
    rows, columns = ((image.shape[axis + 1] - size[axis]) // strides[axis] for axis in (0, 1))
    for row in range(size[0]):
        for column in range(size[1]):
            yield (
                row,
                column,
                image[:, row : row + rows * down + 1 : down, column : column + columns * across + 1 : across],
            )
