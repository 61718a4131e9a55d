"""Kernels of grouped, dilated and transposed convolutions as kernels of plain ones.

The missing weights become zeros, for which no hardware is built. They are added after quantization, because some
quantizers (binary) have no zero.
"""

from __future__ import annotations

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray


def expand_kernel(operation: src.Linear, kernel: FloatArray) -> FloatArray:
    """The kernel with zeros between dilated weights and across groups; of a transposed one, its phases as channels."""
    match operation:
        case src.Convolution():
            return _dilated(_across_groups(kernel, operation.groups), operation.dilation)
        case src.Depthwise():
            return _dilated(kernel, operation.dilation)
        case src.Transposed():
            return _phases(kernel, operation.strides)
        case src.Dense():
            return kernel


def _phases(kernel: FloatArray, strides: tuple[int, int]) -> FloatArray:
    """A transposed kernel (h, w, out, in) as a plain one (taps, taps, in, stride * stride * out).

    Row `q * stride + phase` of the result sums the input rows `q - d` times the kernel's row `d * stride + phase`. So
    each phase is a convolution of its own with ceil(h / stride) taps in reverse order.
    """
    height, width, outputs, inputs = kernel.shape
    rows, columns = taps((height, width), strides)
    full = np.zeros((rows * strides[0], columns * strides[1], outputs, inputs))
    full[:height, :width] = kernel
    split = full.reshape(rows, strides[0], columns, strides[1], outputs, inputs)[::-1, :, ::-1]
    return np.ascontiguousarray(split.transpose(0, 2, 5, 1, 3, 4)).reshape(rows, columns, inputs, -1)


def taps(size: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int]:
    """How many inputs in each direction reach one output of a transposed convolution."""
    return -(-size[0] // strides[0]), -(-size[1] // strides[1])


def _dilated(kernel: FloatArray, dilation: tuple[int, int]) -> FloatArray:
    if dilation == (1, 1):
        return kernel
    height, width = ((size - 1) * step + 1 for size, step in zip(kernel.shape[:2], dilation, strict=True))
    wide = np.zeros((height, width, *kernel.shape[2:]))
    wide[:: dilation[0], :: dilation[1]] = kernel
    return wide


def _across_groups(kernel: FloatArray, groups: int) -> FloatArray:
    if groups == 1:
        return kernel
    height, width, inputs, outputs = kernel.shape
    each = outputs // groups
    full = np.zeros((height, width, inputs * groups, outputs))
    for group in range(groups):
        full[:, :, group * inputs : (group + 1) * inputs, group * each : (group + 1) * each] = kernel[
            ..., group * each : (group + 1) * each
        ]
    return full
