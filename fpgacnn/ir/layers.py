"""The closed union of what the hardware computes: operations on integer codes.

Adding an operation is a change to the compiler: mypy's exhaustive match lists the places (precision, emulator,
lowering, estimate).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from fpgacnn.ir.source import MergeKind, PoolKind, Shape
from fpgacnn.numeric.fixed import Codes, Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input port and its format."""

    format: Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """Cross-correlation, channels last; kernel (h, w, in, out), bias (out,); pads top, bottom, left, right."""

    kernel: Codes
    bias: Codes
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """Matrix product of a flat tensor; kernel (in, out), bias (out,)."""

    kernel: Codes
    bias: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """`x * scale + shift` along the last axis; scale and shift (channels,)."""

    scale: Codes
    shift: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Rounding and limiting to a format: an activation quantizer."""

    format: Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu:
    """`max(x, 0)`, then a cast to `format`; without a format every bit is kept."""

    format: Format | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturate:
    """Limiting to `integer` bits left of the point (sign included); every bit right of it is kept."""

    integer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu:
    """`x if x > 0 else slope * x` with a one-element slope; every bit is kept."""

    slope: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Maximum or mean over windows. Padding takes no part: the maximum ignores it, the mean does not count it."""

    kind: PoolKind
    size: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPool:
    """Maximum or mean over all positions of each channel."""

    kind: PoolKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroPad:
    """Zeros around the image: top, bottom, left, right."""

    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape:
    """The same elements in the same order under another shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Elementwise operation of two tensors of one shape."""

    kind: MergeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenate:
    """Concatenation of two tensors along an axis of the shape without events."""

    axis: int


class SoftmaxKind(StrEnum):
    """How a softmax is built."""

    TABLES = "tables"
    ARGMAX = "argmax"


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """Softmax over the last axis: by exponential and reciprocal tables, or a one-hot argmax."""

    kind: SoftmaxKind


Operation: TypeAlias = (
    Input | Convolution | Dense | Affine | Cast | Relu | Saturate | LeakyRelu | Pool | GlobalPool | ZeroPad | Reshape | Merge | Concatenate | Softmax
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node of the hardware graph.

    `name` is a safe C++ identifier, `source` the layer of the file it stands for. `is_result` marks the last node of
    that layer: its codes are what the framework's layer answers. `inexact` says why the node's constants are not what
    was trained, with `scale_error` and `shift_error` as the largest absolute difference of each constant.
    """

    name: str
    source: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: Shape
    is_result: bool = True
    inexact: str = ""
    scale_error: float = 0.0
    shift_error: float = 0.0

    @property
    def kind(self) -> str:
        """The operation's name."""
        return type(self.operation).__name__
