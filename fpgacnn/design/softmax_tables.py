"""The tables of a softmax, built like those of hls4ml's C++: every engine and every generator reads these codes."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from functools import cache
from typing import cast

import numpy as np

from fpgacnn.errors import ForeignToolError
from fpgacnn.ir.fixed_point import CodeArray, Format, quantize_values


@cache
def _libm_expf() -> Callable[[float], float]:
    """The C library's `expf`, which builds the tables of C simulation; NumPy's differs in the last bit."""
    path = ctypes.util.find_library("m")
    try:
        function = ctypes.CDLL(path).expf
    except (OSError, AttributeError, TypeError) as error:
        raise ForeignToolError(tool="the C mathematics library", why="expf was not found") from error
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return cast("Callable[[float], float]", function)


@cache
def exponential_table(difference: Format, entry: Format) -> CodeArray:
    """`exp(-x)` for every code x of `difference`, as codes of `entry` (nnet_activation.h, init_exp_table)."""
    expf = _libm_expf()
    steps = np.ldexp(np.arange(1 << difference.width, dtype=np.float64), -difference.fraction)
    return quantize_values(np.array([expf(-step) for step in steps], dtype=np.float64), entry)


@cache
def reciprocal_table(index: Format, entry: Format) -> CodeArray:
    """`1/x` for every code x of `index`; entry 0 is never addressed (init_invert_table)."""
    steps = np.ldexp(np.arange(1, 1 << index.width, dtype=np.float32), -index.fraction)
    return np.concatenate([[0], quantize_values((np.float32(1) / steps).astype(np.float64), entry)])
