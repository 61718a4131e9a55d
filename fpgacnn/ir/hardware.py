"""The closed union of what the hardware computes: operations on integer codes.

What only moves values means the same for real numbers and for codes, so these operations are those of the file.

Adding an operation is a change to the compiler: mypy's exhaustive match lists the places (precision, emulator,
lowering, estimate).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, Rounding
from fpgacnn.ir.source import FloatArray, MergeKind, PoolKind, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input port and its format."""

    format: Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """How far the codes of a float layer's weights are from the trained numbers, at most."""

    kernel: float
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """Cross-correlation, channels last; kernel (h, w, in, out), bias (out,); pads top, bottom, left, right.

    `in_steps`: the framework folds a batch normalization into a weight that lies so near a tie of its quantizer that its
    float32 may round it to the other side.
    """

    kernel: Codes
    bias: Codes
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    off: Off | None = None
    in_steps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """Matrix product of a flat tensor; kernel (in, out), bias (out,); `in_steps` as in convolutions."""

    kernel: Codes
    bias: Codes
    off: Off | None = None
    in_steps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Depthwise:
    """A convolution of each channel by itself; kernel (h, w, channels, 1), bias (channels,); `in_steps` as in convolutions."""

    kernel: Codes
    bias: Codes
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    off: Off | None = None
    in_steps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """`x * scale + shift` along the last axis, then a cast to `format`; without a format every bit is kept.

    `trained_scale / divisor` and `trained_shift` (channels,) are the real numbers that scale and shift (channels,) stand
    for; the divisor of a mean is kept apart, since no float holds a third.
    `exact_steps`: scale and shift were chosen so that the cast answers as with the real numbers for every input that
    can come; they need not be near them. `in_steps`: the framework comes to the same by several operations in float32,
    each of which rounds.
    """

    scale: Codes
    shift: Codes
    trained_scale: FloatArray
    trained_shift: FloatArray
    format: Format | None = None
    exact_steps: bool = False
    in_steps: bool = False
    divisor: int = 1

    @property
    def real_scale(self) -> FloatArray:
        """The real scale, as near as floats come."""
        return self.trained_scale / self.divisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Ternary:
    """-1 up to `-threshold`, 1 from `threshold` on, 0 between; planned as an exact Affine."""

    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Rounding to whole numbers without a limit, planned as a Cast that the input's interval fits.

    `ends`: planning refuses an interval that leaves them, since the framework does not say what becomes of its values.
    """

    rounding: Rounding
    ends: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrap:
    """Whole numbers brought into `low..high` (channels,) by adding multiples of the range, a power of two long each.

    Planned as an exact Affine, a Cast and another exact Affine, or as nothing where no input leaves the range.
    """

    low: CodeArray
    high: CodeArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of one number, to be planned as a table (`fpgacnn.ir.functions.evaluate`)."""

    function: src.Function | src.PowerOfTwo | src.QuantizedTanh | src.QuantizedSigmoid


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A table with an entry for every code of its input's format, in the order of the codes' bits.

    `error` bounds how far entries and the input's rounding are from the function, for every real input.
    `rounds`: the framework's float32 may answer otherwise for a code.
    """

    table: Codes
    error: float
    what: str
    rounds: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """A step function: the value at the place that counts how many thresholds the input's code is not below.

    `thresholds` (1 or channels, 2^k - 1) are sorted codes of the input's format, the last one repeated as often as
    needed; `values` (1 or channels, 2^k) are codes of the result. `error` bounds what an input that is off makes of it.
    `rounds`: the framework's float32 may answer otherwise for a code next to a threshold.
    """

    thresholds: Codes
    values: Codes
    error: float
    what: str
    rounds: bool

    @property
    def levels(self) -> int:
        """Comparisons for each number: a binary search."""
        return self.values.array.shape[-1].bit_length() - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Rounding and limiting to a format: an activation quantizer.

    Two are not the network's: `is_index` is what a table needs, `is_narrowing` keeps sums practical and costs half a step.
    `in_halves`: the framework rounds a hard sigmoid of the value, which it computes in float32.
    """

    format: Format
    is_index: bool = False
    is_narrowing: bool = False
    in_halves: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu:
    """`max(x, 0)`, then a cast to `format`; without a format every bit is kept. `in_halves` is that of a cast."""

    format: Format | None = None
    in_halves: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturate:
    """Limiting to `integer` bits left of the point (sign included) and at least `fraction` right of it.

    Every bit right of the point is kept; `fraction` says how near to the limit above the largest value comes.
    """

    integer: int
    fraction: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu:
    """`x if x > 0 else slope * x`; every bit is kept. One slope (1,), or one for each element (...shape).

    `trained` are the real slopes.
    """

    slope: Codes
    trained: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRelu:
    """`x if x > threshold else 0`; every bit is kept. `threshold` (1,)."""

    threshold: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Fraction bits below the data's own that a mean over an area that is no power of two keeps.

    `exact_steps`: enough that every cast behind answers as for the true mean.
    """

    bits: int
    exact_steps: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Maximum or mean over windows. Padding takes no part: the maximum ignores it, the mean does not count it."""

    kind: PoolKind
    size: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    guard: Guard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPool:
    """Maximum or mean over all positions of each channel."""

    kind: PoolKind
    guard: Guard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Elementwise operation of two tensors of one shape."""

    kind: MergeKind


class SoftmaxKind(StrEnum):
    """How a softmax is built."""

    TABLES = "tables"
    ARGMAX = "argmax"


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """Softmax over the last axis: by exponential and reciprocal tables, or a one-hot argmax."""

    kind: SoftmaxKind


Linear: TypeAlias = Convolution | Depthwise | Dense

Operation: TypeAlias = (
    Input
    | Linear
    | Affine
    | Ternary
    | Round
    | Wrap
    | Function
    | Lookup
    | Thresholds
    | Cast
    | Relu
    | Saturate
    | LeakyRelu
    | ThresholdRelu
    | Pool
    | GlobalPool
    | src.Moving
    | Merge
    | Softmax
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node of the hardware graph.

    `name` is a safe C++ identifier, `source` the layer of the file it stands for. `is_result` marks the last node of
    that layer: its codes are what the framework's layer answers.
    """

    name: str
    source: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: Shape
    is_result: bool = True

    @property
    def kind(self) -> str:
        """The operation's name."""
        return type(self.operation).__name__


def across_channels(kernel: Codes) -> Codes:
    """A depthwise kernel (h, w, in, multiplier) as that of a full convolution (h, w, in, in * multiplier), with zeros."""
    height, width, channels, multiplier = kernel.array.shape
    full = np.zeros((height, width, channels, channels, multiplier), np.int64)
    each = np.arange(channels)
    full[:, :, each, each] = kernel.array
    return Codes(array=full.reshape(height, width, channels, -1), format=kernel.format)
