"""The hardware graph: what the engines compute and what the code generator builds, in operations on integer codes.

The union of operations is closed, and holds only what decides bits. Operations that only move values are those of the
file, because they mean the same for real numbers and for codes.

Adding an operation is a change to the compiler: mypy's exhaustive match lists the places (ranges, planning, emulator,
lowering, validation).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from fpgacnn.ir import graph
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format
from fpgacnn.ir.source import MergeKind, PoolKind


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
class Depthwise:
    """A convolution of each channel by itself; kernel (h, w, channels, 1), bias (channels,)."""

    kernel: Codes
    bias: Codes
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """`x * scale + shift` along the last axis, then a cast to `format`; without a format every bit is kept.

    Scale and shift are (channels,).
    """

    scale: Codes
    shift: Codes
    format: Format | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A table with an entry for every code of its input's format, in the order of the codes' bits."""

    table: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """A step function: as many thresholds as are not above the input's code, at that place in `values` is the result.

    `thresholds` (1 or channels, 2^k - 1) are sorted codes of the input's format; the last one is repeated until there
    are 2^k - 1. `values` (1 or channels, 2^k) are codes of the result.
    """

    thresholds: Codes
    values: Codes

    @property
    def levels(self) -> int:
        """Comparisons for each number: a binary search."""
        return self.values.array.shape[-1].bit_length() - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Rounding and limiting to a format."""

    format: Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu:
    """`max(x, 0)`, then a cast to `format`; without a format every bit is kept."""

    format: Format | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturate:
    """Limiting to `integer` bits left of the point (sign included) and at least `fraction` right of it.

    Every bit right of the point is kept. `fraction` decides how close the upper limit is to the next power of two.
    """

    integer: int
    fraction: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu:
    """`x if x > 0 else slope * x`; every bit is kept. One slope (1,), or one for each element (...shape)."""

    slope: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRelu:
    """`x if x > threshold else 0`; every bit is kept. `threshold` (1,)."""

    threshold: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Maximum or mean over windows, without padded cells: the maximum ignores them, the mean does not count them."""

    kind: PoolKind
    size: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPool:
    """Maximum or mean over all positions of each channel."""

    kind: PoolKind


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
class Layer(graph.Node[Operation]):
    """One node of the hardware graph. Its result is an array of codes; the precision plan says their format.

    `folded` are further layers of the file that the node computes, in their order, before it casts to the result of
    `source`; their own results are nowhere in the hardware. `rectifies`: one of them, or `source`, is a ReLU, which the
    limit of the result's unsigned format computes. `weights_of`: the layer of the file whose weights the node has, if
    the scales of the layers before it in `folded` are multiplied into them.
    """

    operation: Operation
    folded: tuple[str, ...] = ()
    rectifies: bool = False
    weights_of: str = field(default="", metadata=src.LEFT_OUT)

    @property
    def sums_of(self) -> str:
        """The layer of the file whose products the node computes: its reuse factor and strategy apply."""
        if self.weights_of:
            return self.weights_of
        moves = isinstance(self.operation, Pool | src.Moving)
        return self.folded[0] if self.folded and not moves else self.source

    @property
    def scales(self) -> tuple[str, ...]:
        """The layers of the file whose scales are in the weights."""
        own = self.folded.index(self.weights_of) if self.weights_of in self.folded else len(self.folded)
        return self.folded[:own] if self.weights_of else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareModel(graph.Graph[Layer]):
    """A network in operations that hardware has."""

    layers: tuple[Layer, ...]

    @property
    def input_layers(self) -> tuple[tuple[Layer, Input], ...]:
        """The input nodes with their operations, in the order of the network's inputs."""
        found = ((layer, layer.operation) for layer in map(self.layer, self.inputs))
        return tuple((layer, operation) for layer, operation in found if isinstance(operation, Input))


def across_channels(kernel: Codes) -> Codes:
    """A depthwise kernel (h, w, in, multiplier) as a full one (h, w, in, in * multiplier) with zeros."""
    height, width, channels, multiplier = kernel.array.shape
    full = np.zeros((height, width, channels, channels, multiplier), np.int64)
    each = np.arange(channels)
    full[:, :, each, each] = kernel.array
    return Codes(array=full.reshape(height, width, channels, -1), format=kernel.format)
