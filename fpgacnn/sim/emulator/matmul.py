"""Sums of products on integer codes, for every kind of accumulator.

A wrapping accumulator that keeps all fraction bits of its products is arithmetic modulo 2^width: one matrix product and
one wrap. Other accumulators cast every product and every partial sum, in hls4ml's order, input by input.
"""

from __future__ import annotations

import numpy as np

from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, Overflow, limit, requantize
from fpgacnn.sim.window_sums import multiplied

FLOAT64_EXACT = 2.0**53


def exact_matmul(left: CodeArray, right: CodeArray) -> CodeArray:
    """Integer matrix product (events, in) x (in, out), by float64 BLAS where no sum can leave 53 bits."""
    largest = float(np.abs(left).max(initial=0)) * float(np.abs(right).sum(axis=0).max(initial=0))
    if largest < FLOAT64_EXACT:
        return np.rint(multiplied(left.astype(np.float64), right.astype(np.float64))).astype(np.int64)
    return left @ right


def accumulate(data: CodeArray, fraction: int, kernel: Codes, bias: Codes, accumulator: Format) -> CodeArray:
    """Codes of the accumulator for rows of inputs: (rows, in) by kernel (in, out) and bias (out,)."""
    product_fraction = fraction + kernel.format.fraction
    start = requantize(bias.array, bias.format.fraction, accumulator)
    if accumulator.overflow is Overflow.WRAP and accumulator.fraction >= product_fraction:
        sums = exact_matmul(data, kernel.array) << (accumulator.fraction - product_fraction)
        return limit(sums + start, accumulator)
    total = np.broadcast_to(start, (len(data), kernel.array.shape[1]))
    for column in range(kernel.array.shape[0]):
        product = data[:, column : column + 1] * kernel.array[column]
        total = limit(total + requantize(product, product_fraction, accumulator), accumulator)
    return total


def patches(
    images: CodeArray, size: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int, int, int], fill: int = 0
) -> CodeArray:
    """Windows of images (events, h, w, c) as (events, out_h, out_w, window_h, window_w, c), padded with `fill`."""
    top, bottom, left, right = pads
    padded = (
        np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill) if any(pads) else images
    )
    views = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))
    return views[:, :: strides[0], :: strides[1]].transpose(0, 1, 2, 4, 5, 3)
