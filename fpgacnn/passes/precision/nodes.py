"""Nodes during planning: operations that hardware has, with remarks that only planning needs.

The remarks are the real numbers that constants stand for, the error of a table, the purpose of a cast, and where the
framework's float32 may give another result. `to_hardware` leaves them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, assert_never

from fpgacnn.ir import graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAffine:
    """`x * scale + shift`, then a cast to `format`; without a format every bit is kept.

    `exact_steps`: scale and shift were chosen so that the cast answers as with the trained numbers for every input that
    is possible; they need not be close to the trained numbers. `rounds_in_float32` as in the quantized graph.
    """

    scale: Codes
    shift: Codes
    trained: q.Line
    format: Format | None = None
    exact_steps: bool = False
    rounds_in_float32: bool = False


class Purpose(Enum):
    """Why there is a cast."""

    QUANTIZER = "the network's quantizer"
    INDEX = "index of the table behind it"
    NARROWING = "as many bits as float constants are worth"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCast:
    """A cast; only a quantizer is the network's own. A narrowing cast keeps sums short and costs half a step.

    `centred`: a narrowing cast truncates, and half of its step is in the shift of the scale before it, whose error has
    it already.
    """

    format: Format
    purpose: Purpose = Purpose.QUANTIZER
    centred: bool = False
    through_hard_sigmoid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLookup:
    """A table with an entry for every code of its input's format.

    `error` bounds the distance from the function for every real input, the rounding to the index included. `what` names
    the function. `rounds_in_float32`: the framework's float32 may give another result for some codes.
    """

    table: Codes
    error: float
    what: str
    rounds_in_float32: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedThresholds:
    """A step function (`hw.Thresholds`); `error` bounds the change of the result where the input is off.

    `what` names the function. `rounds_in_float32`: the framework's float32 may give another answer for a code next to a
    threshold.
    """

    thresholds: Codes
    values: Codes
    error: float
    what: str
    rounds_in_float32: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Fraction bits that a mean keeps below those of its input, where it divides by a number that is no power of two.

    `exact_steps`: so many that every quantizer behind the mean answers as for the exact mean.
    """

    bits: int
    exact_steps: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPool:
    """A pooling and, for a mean that does not divide by a power of two, its guard bits."""

    pooling: hw.Pool | hw.GlobalPool
    guard: Guard | None = None


Unchanged: TypeAlias = hw.Input | hw.Saturate | hw.ThresholdRelu | hw.Merge | hw.Softmax | src.Moving

Operation: TypeAlias = (
    q.Linear
    | q.LeakyRelu
    | q.Relu
    | PlannedAffine
    | PlannedCast
    | PlannedLookup
    | PlannedThresholds
    | PlannedPool
    | Unchanged
)

Node: TypeAlias = graph.Node[Operation]


def node(
    layer: q.Layer | Node,
    operation: Operation,
    *,
    name: str | None = None,
    inputs: tuple[str, ...] | None = None,
    is_result: bool | None = None,
) -> Node:
    """A node in the place of `layer`, or with another name or inputs for a part of it."""
    return graph.Node(
        name=layer.name if name is None else name,
        source=layer.source,
        operation=operation,
        inputs=layer.inputs if inputs is None else inputs,
        shape=layer.shape,
        is_result=layer.is_result if is_result is None else is_result,
    )


def to_hardware(planned: Node, scale: str | None = None) -> hw.Layer:
    """The node of the hardware graph. `scale` is the layer of the file whose scale is in its weights."""
    return hw.Layer(
        name=planned.name,
        source=planned.source,
        operation=_hardware_operation(planned.operation),
        inputs=planned.inputs,
        shape=planned.shape,
        is_result=planned.is_result,
        folded=() if scale is None else (scale,),
        weights_of="" if scale is None else planned.source,
    )


def _hardware_operation(operation: Operation) -> hw.Operation:
    if isinstance(operation, Unchanged):
        return operation
    match operation:
        case q.Linear():
            return operation.sums
        case PlannedAffine():
            return hw.Affine(scale=operation.scale, shift=operation.shift, format=operation.format)
        case q.LeakyRelu():
            return hw.LeakyRelu(slope=operation.slope)
        case PlannedCast():
            return hw.Cast(format=operation.format)
        case q.Relu():
            return hw.Relu(format=operation.format)
        case PlannedLookup():
            return hw.Lookup(table=operation.table)
        case PlannedThresholds():
            return hw.Thresholds(thresholds=operation.thresholds, values=operation.values)
        case PlannedPool():
            return operation.pooling
        case _:
            assert_never(operation)
