"""Kernels of grouped and dilated convolutions as plain ones: the missing weights are zeros, which hardware leaves out.

The zeros come in after quantization, because some quantizers (binary) have no zero.
"""

from __future__ import annotations

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray


def spread(operation: src.Linear, kernel: FloatArray) -> FloatArray:
    """The kernel with zeros between dilated weights and across groups."""
    match operation:
        case src.Convolution():
            return _dilated(_across_groups(kernel, operation.groups), operation.dilation)
        case src.Depthwise():
            return _dilated(kernel, operation.dilation)
        case src.Dense():
            return kernel


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
        full[:, :, group * inputs : (group + 1) * inputs, group * each : (group + 1) * each] = kernel[..., group * each : (group + 1) * each]
    return full
