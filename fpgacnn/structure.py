"""Floor 4: what hls4ml's templates are asked to build, layer by layer: all that decides what the hardware costs.

It is made of a `Design`, of a project folder's C++, or of a benchmark's description; the estimate reads nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.numeric.fixed import Format, Overflow, Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A fixed-point type of any width; foreign projects have wider ones than `Format` allows."""

    width: int
    integer: int
    signed: bool = True
    rounds: bool = False
    saturates: bool = False

    @classmethod
    def of(cls, form: Format) -> Wire:
        """A format's type."""
        rounds, saturates = form.rounding is not Rounding.TRN, form.overflow is not Overflow.WRAP
        return cls(width=form.width, integer=form.integer, signed=form.signed, rounds=rounds, saturates=saturates)

    @property
    def fraction(self) -> int:
        """Bits right of the binary point."""
        return self.width - self.integer


DEFAULT_WIRE = Wire(width=16, integer=6)
"""hls4ml's default type."""


class Role(StrEnum):
    """What kind of hardware a layer is."""

    INPUT = "input"
    DENSE = "dense"
    CONVOLUTION = "convolution"
    DEPTHWISE = "depthwise"
    POOL = "pool"
    GLOBAL_POOL = "global pool"
    COMPARE = "compare"
    SCALE = "scale"
    TABLE = "table"
    SOFTMAX = "softmax"
    ARGMAX = "argmax"
    MERGE = "merge"
    PAD = "pad"
    MOVE = "move"
    RECURRENT = "recurrent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightClass:
    """How many weights have so many signed digits (canonical form) spread over so many bits; `distinct`: counted once for each input and magnitude."""

    digits: int
    bits: int
    count: int
    distinct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSummary:
    """Real weights as hardware sees them: constants with few or many digits. `known` is false where only counts were given."""

    classes: tuple[WeightClass, ...]
    known: bool = True

    @property
    def count(self) -> int:
        """All weights."""
        return sum(one.count for one in self.classes)

    @property
    def zeros(self) -> int:
        """Weights that need no hardware."""
        return sum(one.count for one in self.classes if one.digits == 0)

    @property
    def digits(self) -> int:
        """Signed digits of all weights: adders that shift-and-add multipliers would take."""
        return sum(one.count * one.digits for one in self.classes)


def summarize(codes: NDArray[np.int64]) -> WeightSummary:
    """Digits of integer weights, whose last axis are the outputs that share an input."""
    rows = np.abs(codes.reshape(-1, codes.shape[-1] if codes.ndim else 1).astype(np.int64))
    odd, digits, bits = _odd_part(rows), _canonical_digits(rows), np.zeros_like(rows)
    bits = np.where(odd > 0, np.floor(np.log2(np.maximum(odd, 1))).astype(np.int64) + 1, 0)
    first = np.ones(odd.shape, bool)
    order = np.argsort(odd, axis=1, kind="stable")
    ranked = np.take_along_axis(odd, order, axis=1)
    repeated = np.zeros_like(first)
    repeated[:, 1:] = ranked[:, 1:] == ranked[:, :-1]
    np.put_along_axis(first, order, ~repeated, axis=1)
    pairs, where = np.unique(np.stack([digits.ravel(), bits.ravel()], axis=1), axis=0, return_inverse=True)
    counts, distinct = np.bincount(where.ravel()), np.bincount(where.ravel(), weights=first.ravel())
    classes = zip(pairs.tolist(), counts.tolist(), distinct.tolist(), strict=True)
    return WeightSummary(classes=tuple(WeightClass(digits=d, bits=b, count=n, distinct=u) for (d, b), n, u in classes))


def _odd_part(magnitudes: NDArray[np.int64]) -> NDArray[np.int64]:
    lowest = magnitudes & -magnitudes
    return np.where(magnitudes > 0, magnitudes // np.maximum(lowest, 1), 0)


def _canonical_digits(magnitudes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nonzero digits of the canonical signed-digit form: the bits that differ between m and 3m."""
    differing = (magnitudes ^ (3 * magnitudes)).view(np.uint64)
    found = np.zeros(magnitudes.shape, np.int64)
    while differing.any():
        found += (differing & np.uint64(1)).astype(np.int64)
        differing >>= np.uint64(1)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStructure:
    """One call of a template. Shapes are rows, columns, channels; what is flat has one row and one column."""

    name: str
    role: Role
    what: str
    inputs: tuple[str, ...] = ()
    in_shape: tuple[int, int, int] = (1, 1, 1)
    out_shape: tuple[int, int, int] = (1, 1, 1)
    window: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    reuse: int = 1
    strategy: Strategy = Strategy.LATENCY
    partitions: int = 1
    input: Wire = DEFAULT_WIRE
    output: Wire = DEFAULT_WIRE
    weight: Wire | None = None
    accumulator: Wire | None = None
    table: Wire | None = None
    table_entries: int = 0
    weights: WeightSummary | None = None
    steps: int = 1
    average: bool = False

    @property
    def products(self) -> tuple[int, int]:
        """Inputs and outputs of the matrix product that is computed at every position."""
        rows, columns = self.window
        if self.role is Role.DENSE:
            return prod(self.in_shape), prod(self.out_shape)
        if self.role is Role.DEPTHWISE:
            return rows * columns, self.in_shape[2]
        return rows * columns * self.in_shape[2], self.out_shape[2]

    @property
    def positions(self) -> int:
        """Pixels of the result."""
        return self.out_shape[0] * self.out_shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """A whole design: layers in the order of their calls, and how streams between them are buffered.

    `fifo_depths` are by the layer that writes; where one is missing, hls4ml's rule holds: a place for every position.
    `multipliers` names a directive that forces every multiplier into "dsp" or "fabric".
    """

    layers: tuple[LayerStructure, ...]
    io: IoType
    tool: BackendName
    part: str
    clock_ns: float
    uncertainty_ns: float | None = None
    outputs: tuple[str, ...] = ()
    version: str = ""
    multipliers: str = ""
    fifo_depths: Mapping[str, int] = field(default_factory=dict)

    def readers(self, name: str) -> tuple[LayerStructure, ...]:
        """The layers that read a layer's result."""
        return tuple(layer for layer in self.layers if name in layer.inputs)
