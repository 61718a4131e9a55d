"""The graph of hls4ml's template calls, which decides what the hardware costs.

It is made from a `Design`, from a project folder's C++, or from a benchmark's description; the estimate reads nothing
else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import BackendName, IoType, Multiplier, Strategy
from fpgacnn.hardware.hls.da.adder_graph import AdderGraph
from fpgacnn.ir.fixed_point import Format, Overflow, Rounding, odd_parts, signed_digits


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedType:
    """A fixed-point type of any width; foreign projects have wider ones than `Format` allows."""

    width: int
    integer: int
    signed: bool = True
    rounds: bool = False
    saturates: bool = False

    @classmethod
    def of(cls, form: Format) -> FixedType:
        """A format's type."""
        rounds, saturates = form.rounding is not Rounding.TRN, form.overflow is not Overflow.WRAP
        return cls(width=form.width, integer=form.integer, signed=form.signed, rounds=rounds, saturates=saturates)

    @property
    def fraction(self) -> int:
        """Bits right of the binary point."""
        return self.width - self.integer


DEFAULT_WIRE = FixedType(width=16, integer=6)
"""hls4ml's default type."""


class Role(StrEnum):
    """The kind of hardware of a layer."""

    INPUT = "input"
    DENSE = "dense"
    CONVOLUTION = "convolution"
    DEPTHWISE = "depthwise"
    POOL = "pool"
    GLOBAL_POOL = "global pool"
    COMPARE = "compare"
    SCALE = "scale"
    TABLE = "table"
    THRESHOLDS = "thresholds"
    SOFTMAX = "softmax"
    ARGMAX = "argmax"
    MERGE = "merge"
    PAD = "pad"
    MOVE = "move"
    RECURRENT = "recurrent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightClass:
    """Weights with a given number of nonzero signed digits (canonical form) and bits of magnitude.

    `distinct` counts equal weights of one input once: their product is built once. `negated` are those of them whose
    sign takes a subtraction of its own (`needs_negation`). `input_bits`: of the inputs that they multiply, where inputs
    differ; else None.
    """

    digits: int
    bits: int
    count: int
    distinct: float
    negated: float = 0.0
    input_bits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSummary:
    """Counts of real weights by their number of digits, which decides their cost as constants.

    `known`: counted, not assumed. `hls4ml_zeros` are the zeros that hls4ml counted, if tools found more. `fan_in` are
    the weights that are not zero of an output, and how many outputs have so many; empty where they are not known.
    `used_inputs` are the inputs that any output reads. `significant_bits` are those of an average weight that is not
    zero, without zeros at its end. `mean_input_bits` are those of an average term's input, where inputs differ.
    """

    classes: tuple[WeightClass, ...]
    known: bool = True
    hls4ml_zeros: int | None = None
    fan_in: tuple[tuple[int, int], ...] = ()
    used_inputs: int | None = None
    significant_bits: float | None = None
    mean_input_bits: float | None = None

    @property
    def count(self) -> int:
        """All weights."""
        return sum(one.count for one in self.classes)

    @property
    def zeros(self) -> int:
        """Weights that need no hardware."""
        return sum(one.count for one in self.classes if one.digits == 0)


def summarize(codes: NDArray[np.int64]) -> WeightSummary:
    """Count the digits of integer weights; along their last axis are the outputs that share an input.

    Digits and bits are counted once for each value that occurs, not for each weight.
    """
    rows = codes.astype(np.int64, copy=False).reshape(-1, codes.shape[-1] if codes.ndim else 1)
    values, counts, distinct = _occurrences(rows)
    magnitudes = np.abs(values)
    digits, bits = signed_digits(magnitudes), _bit_lengths(magnitudes)
    pairs, where = np.unique(np.stack([digits, bits], axis=1), axis=0, return_inverse=True)
    classes = np.zeros((3, len(pairs)), np.int64)
    np.add.at(classes[0], where.ravel(), counts)
    np.add.at(classes[1], where.ravel(), distinct)
    np.add.at(classes[2], where.ravel(), np.where(needs_negation(values), distinct, 0))
    found = zip(pairs.tolist(), *classes.tolist(), strict=True)
    nonzero = rows != 0
    terms, outputs = np.unique(np.count_nonzero(nonzero, axis=0), return_counts=True)
    return WeightSummary(
        classes=tuple(
            WeightClass(digits=d, bits=b, count=n, distinct=float(u), negated=float(m)) for (d, b), n, u, m in found
        ),
        fan_in=tuple(zip(terms.tolist(), outputs.tolist(), strict=True)),
        used_inputs=int(nonzero.any(axis=1).sum()),
        significant_bits=_significant_bits(magnitudes, counts),
    )


def summarize_by_width(codes: NDArray[np.int64], widths: Sequence[int]) -> WeightSummary:
    """As `summarize`, for weights (inputs, outputs) whose inputs have so many bits each; one of no bits is zero."""
    bits = np.array(widths)
    live = np.where(bits[:, None] > 0, codes, 0)
    whole = summarize(live)
    classes = tuple(
        replace(one, input_bits=int(width))
        for width in np.unique(bits)
        for one in summarize(live[bits == width]).classes
    )
    terms = np.count_nonzero(live, axis=1)
    mean = float((terms * bits).sum() / terms.sum()) if terms.any() else None
    return replace(whole, classes=classes, mean_input_bits=mean)


def needs_negation(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Constants whose product takes a subtraction more than its digits say.

    -4x is 0 - 4x, and -5x is (0 - 4x) - x. -3x is x - 4x: where the digits differ in their signs, they are swapped.
    Constants of three digits and more have a multiplier, which takes any sign.
    """
    magnitudes = np.abs(values)
    same_signs = magnitudes & ~(3 * magnitudes) == 0
    found: NDArray[np.bool_] = (values < 0) & (signed_digits(magnitudes) < MULTIPLIED_DIGITS) & same_signs
    return found


MULTIPLIED_DIGITS = 3
"""Signed digits of a constant from which on tools build a multiplier."""


def joined(summaries: Sequence[WeightSummary]) -> WeightSummary:
    """The summary of several matrices of one layer; sums are those of the first, which reads the layer's input."""
    classes = tuple(one for summary in summaries for one in summary.classes)
    return replace(summaries[0], classes=classes)


MOST_VALUES = 1 << 20
"""Values between the smallest and the largest weight that are counted in a table."""


def _occurrences(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The values that occur, ascending, how often each does, and in how many rows. (values,) int64 each."""
    if not rows.size:
        return (np.zeros(0, np.int64),) * 3
    low, high = int(rows.min()), int(rows.max())
    if high - low >= MOST_VALUES:
        values, places = np.unique(rows, return_inverse=True)
        places = places.reshape(rows.shape)
    else:
        values, places = np.arange(low, high + 1), rows - low
    ordered = np.sort(places.astype(np.min_scalar_type(len(values) - 1)), axis=1)
    first: NDArray[np.bool_] = np.ones(rows.shape, np.bool_)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    counts = np.bincount(ordered.ravel(), minlength=len(values))
    distinct = np.bincount(ordered[first], minlength=len(values))
    seen = counts > 0
    return values[seen], counts[seen], distinct[seen]


def summary_of(kernel: NDArray[np.int64], types: Sequence[FixedType]) -> WeightSummary:
    """The summary of a kernel (inputs, outputs) whose inputs have these types, or all the same where there are none."""
    return summarize_by_width(kernel, [one.width for one in types]) if types else summarize(kernel)


def live_kernels(kernels: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The kernels (inputs, outputs) of consecutive dense layers, without what the tools remove.

    An output without weights is a constant, so its products in the next layer are constants too; an output that the
    next layer never reads is not computed. A kernel that loses nothing is given back itself.
    """
    found = list(kernels)
    for place in range(1, len(found)):
        dead = np.logical_not(found[place - 1].any(axis=0))
        if found[place][dead].any():
            found[place] = np.where(dead[:, None], 0, found[place])
    for place in reversed(range(len(found) - 1)):
        unread = np.logical_not(found[place + 1].any(axis=1))
        if found[place][:, unread].any():
            found[place] = np.where(unread, 0, found[place])
    return found


def _significant_bits(magnitudes: NDArray[np.int64], counts: NDArray[np.int64]) -> float | None:
    """The mean length of odd factors: zeros at the end of a constant are wires behind its multiplier."""
    present, weights = magnitudes[magnitudes > 0], counts[magnitudes > 0]
    if not present.size:
        return None
    return float((_bit_lengths(odd_parts(present)) * weights).sum() / weights.sum())


def _bit_lengths(magnitudes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.frexp(magnitudes.astype(np.float64))[1].astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCall:
    """One call of a template. Shapes are rows, columns, channels; what is flat has one row and one column.

    `table` and `table_entries` are those of a function or of softmax's exponential; a step function has as many entries
    as values. Recurrent layers run `steps` times and have two matrices of `gates` times their outputs;
    `recurrent_reuse` is the second one's reuse factor. `label` is the layer's name where the call is named by a
    variable. `streams` are the FIFOs that it reads, in the order of `inputs`; where there are none, `Wiring` names
    them. `borders` (top, bottom, left, right) are what is padded or cut off.
    `stated_zeros` are the zero weights that the configuration counts, where the weights are not there, `zero_biases`
    the outputs whose bias is nothing. `adder_graph` is the product with distributed arithmetic. `multiplier`: what
    makes the products, where the project says so. `input_types` and `value_types` are those of every input and result,
    where they differ; a value of no bits is zero. `blocks` and `groups` are those of transposes through memories.
    """

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
    input: FixedType = DEFAULT_WIRE
    output: FixedType = DEFAULT_WIRE
    weight: FixedType | None = None
    accumulator: FixedType | None = None
    table: FixedType | None = None
    table_entries: int = 0
    weights: WeightSummary | None = None
    stated_zeros: int | None = None
    zero_biases: int = 0
    steps: int = 1
    gates: int = 1
    recurrent_reuse: int = 1
    average: bool = False
    label: str = ""
    streams: tuple[str, ...] = ()
    borders: tuple[int, int, int, int] = (0, 0, 0, 0)
    adder_graph: AdderGraph | None = None
    multiplier: Multiplier = Multiplier.AUTO
    blocks: int = 1
    groups: int = 1
    input_types: tuple[FixedType, ...] = ()
    value_types: tuple[FixedType, ...] = ()

    @property
    def title(self) -> str:
        """The layer's name in the model file."""
        return self.label or self.name

    @property
    def products(self) -> tuple[int, int]:
        """Inputs and outputs of the matrix product that is computed at every position."""
        rows, columns = self.window
        if self.role is Role.DENSE:
            return prod(self.in_shape), prod(self.out_shape)
        if self.role is Role.SCALE:
            return 1, self.out_shape[2]
        if self.role is Role.RECURRENT:
            return self.in_shape[2], self.gates * self.out_shape[2]
        if self.role is Role.DEPTHWISE:
            return rows * columns, self.in_shape[2]
        return rows * columns * self.in_shape[2], self.out_shape[2]

    def unrolled(self, *, dataflow: bool, parallel: bool) -> bool:
        """Whether every position has its own hardware: in one pipeline, and for 1x1 convolutions of one dimension."""
        pointwise = self.what.startswith("pointwise_conv_1d") and self.strategy is Strategy.LATENCY
        return parallel and self.role in {Role.CONVOLUTION, Role.DEPTHWISE} and (pointwise or not dataflow)

    @property
    def input_bits(self) -> float:
        """Bits of the inputs of the matrix product of one position."""
        if self.input_types:
            return float(sum(one.width for one in self.input_types))
        return float(self.products[0] * self.input.width)

    @property
    def factor_bits(self) -> float:
        """Bits of an average input of a product."""
        mean = self.weights.mean_input_bits if self.weights else None
        return float(self.input.width) if mean is None else mean

    @property
    def result_bits(self) -> float:
        """Bits of an average result that is not zero."""
        widths = [one.width for one in self.value_types if one.width]
        return sum(widths) / len(widths) if widths else float(self.output.width)

    @property
    def positions(self) -> int:
        """Pixels of the result."""
        return self.out_shape[0] * self.out_shape[1]


def without_dead(
    layers: tuple[TemplateCall, ...], kernels: Mapping[str, NDArray[np.int64]]
) -> tuple[TemplateCall, ...]:
    """The layers of one pipeline after optimization: dense layers lose products of constants and unread outputs.

    `kernels` (inputs, outputs) are by layer. Branches and convolutions stop tools, and so this.
    """
    dense = [layer for layer in layers if layer.role is Role.DENSE]
    alone = all(len(layer.inputs) <= 1 for layer in layers) and not any(
        layer.role in {Role.CONVOLUTION, Role.DEPTHWISE} for layer in layers
    )
    fitting = all(layer.name in kernels for layer in dense) and all(
        prod(a.out_shape) == prod(b.in_shape) for a, b in pairwise(dense)
    )
    if not (dense and alone and fitting):
        return layers
    live = dict(zip((one.name for one in dense), live_kernels([kernels[one.name] for one in dense]), strict=True))

    def weights(layer: TemplateCall) -> WeightSummary:
        before, kernel = layer.weights, live[layer.name]
        if before is None:
            return summary_of(kernel, layer.input_types)
        same = kernel is kernels[layer.name]
        return replace(before if same else summary_of(kernel, layer.input_types), hls4ml_zeros=before.zeros)

    return tuple(replace(layer, weights=weights(layer)) if layer.name in live else layer for layer in layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareGraph:
    """A whole design: layers in the order of their calls, and how streams between them are buffered.

    A FIFO has the name of the layer that writes it. What several layers read is copied: `clones` are the FIFOs of the
    copies, by the layer whose result is copied; where they are missing, `Wiring` names them. `fifo_depths` are by FIFO;
    where one is missing, hls4ml's rule holds: a place for every position.
    `dataflow`: layers run side by side; else the top function is one pipeline and every loop is unrolled.
    `inlined_shift`: hls4ml 0.7 inlined the shift of a streamed convolution's window, and its pipeline with it.
    `multipliers` names a directive that forces every multiplier into "dsp" or "fabric". `changed_headers` are those of
    the project's templates that no release of hls4ml has, `pragma_faults` pragmas that synthesis would refuse.
    """

    layers: tuple[TemplateCall, ...]
    io: IoType
    tool: BackendName
    dataflow: bool
    part: str
    clock_ns: float
    uncertainty_ns: float | None = None
    outputs: tuple[str, ...] = ()
    version: str = ""
    multipliers: str = ""
    changed_headers: tuple[str, ...] = ()
    pragma_faults: tuple[str, ...] = ()
    inlined_shift: bool = False
    fifo_depths: Mapping[str, int] = field(default_factory=dict)
    clones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def readers(self, name: str) -> tuple[TemplateCall, ...]:
        """The layers that read a layer's result."""
        return tuple(layer for layer in self.layers if name in layer.inputs)
