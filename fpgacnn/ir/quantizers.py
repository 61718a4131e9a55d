"""Quantizers of files: QKeras 0.9.0 (quantizers.py), and the uniform one of ONNX, QONNX and HGQ2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.fixed_point import Rounding

FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedBits:
    """`quantized_bits`: uniform codes; `integer` excludes the sign bit; `alpha` is a scale or a rule for one."""

    bits: int
    integer: int
    symmetric: bool = False
    keep_negative: bool = True
    alpha: float | FloatArray | Literal["auto", "auto_po2"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedRelu:
    """`quantized_relu`: unsigned codes with `integer` bits left of the point."""

    bits: int
    integer: int
    use_sigmoid: bool = False
    negative_slope: float = 0.0
    relu_upper_bound: float | None = None
    is_quantized_clip: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """`binary`: -1 below 0, else +1 (0 and 1 with `use_01`), times a scale."""

    use_01: bool = False
    alpha: float | FloatArray | Literal["auto", "auto_po2"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ternary:
    """`ternary`: the sign where the absolute value reaches the threshold, else 0, times a scale."""

    alpha: float | Literal["auto", "auto_po2"] | None = None
    threshold: float | None = None
    unrolls: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOfTwo:
    """`quantized_po2` and, with `relu`, `quantized_relu_po2`: the nearest power of two on a logarithmic scale."""

    bits: int
    max_value: float | None = None
    quadratic: bool = False
    floor: bool = False
    relu: bool = False
    negative_slope: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedTanh:
    """`quantized_tanh`: a hard (or real) tanh on `bits` signed bits."""

    bits: int
    symmetric: bool = False
    real: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedSigmoid:
    """`quantized_sigmoid`: a hard (or real) sigmoid on `bits` unsigned bits; no value is below `symmetric` steps."""

    bits: int
    symmetric: float = 0.0
    real: bool = False


UNLIMITED = 2.0**53
"""Larger numbers have no fraction bit in float64, so limits beyond it are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Whole numbers `x / scale`, rounded and brought into `low..high`, times scale (ONNX, QONNX, HGQ2).

    `scale`, `low` and `high` are (1,), or broadcast against the tensor. Values outside wrap around where `wraps`, else
    they become the nearest end. Without a limit the ends are -UNLIMITED and UNLIMITED.
    `must_fit`: the framework does not define results for values outside; planning refuses networks that can reach them.
    """

    scale: FloatArray
    low: FloatArray
    high: FloatArray
    rounding: Rounding = Rounding.RND_CONV
    wraps: bool = False
    must_fit: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return bool(self.high.max() < UNLIMITED)


Quantizer: TypeAlias = (
    QuantizedBits | QuantizedRelu | Binary | Ternary | PowerOfTwo | QuantizedTanh | QuantizedSigmoid | Uniform
)
