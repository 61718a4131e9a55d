"""The primitives of logic in a layer, counted in bits; fitted constants give their LUTs and flip-flops."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import ceil, prod
from typing import TypeAlias

from fpgacnn.design import BackendName, IoType
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.memory import SHIFT_REGISTER_DEPTH, Fifo, fifo_blocks, fifo_registers, values_at_once
from fpgacnn.hardware.estimation.multiply import Multiplication
from fpgacnn.hardware.estimation.timing import TimingBudget, elementwise_depth

FULL_SELECT_INPUTS = 256
WIDE_SELECT_INPUTS = 64
CONSTANTS_IN_A_LUT = 64
SHARING_OUTPUTS = 3
"""Outputs that one multiplier serves, from which on tools no longer see which, and select from all of them."""


class Primitive(StrEnum):
    """What is counted: things, and for some also their bits, because csynth charges some by number and some by bit."""

    LAYERS = "layers"
    ADDERS = "adders"
    ADD_BITS = "adders, bits"
    CONSTANT_MULTIPLY = "constant multipliers in LUTs, bits times bits"
    MULTIPLY = "multipliers in LUTs, bits times bits"
    DSP = "DSP slices"
    SHARED = "operands of shared constant multipliers"
    SHARED_BITS = "products of shared constant multipliers, bits"
    SELECTED = "inputs that a reuse loop selects from"
    COPIES = "inputs that a reuse loop copies, bits"
    FULL_SELECT = "a selection from all inputs for each multiplier, bits"
    ACCUMULATE = "accumulators, bits"
    ACCUMULATE_SELECT = "a selection from all accumulators for each multiplier, bits"
    FILL = "windows of all positions that a loop chooses from, bits"
    WINDOW = "values in windows"
    WINDOW_BITS = "values in windows, bits"
    LINE = "line buffers, bits"
    COMPARE = "comparisons and casts"
    COMPARE_BITS = "comparisons and casts, bits"
    ROUND = "casts that round or saturate"
    ROUND_BITS = "casts that round or saturate, bits"
    POOL = "values that pools compare or add"
    POOL_BITS = "values that pools compare or add, bits"
    SOFTMAX = "softmax values"
    SOFTMAX_STAGES = "softmax values, by cycles"
    TABLE = "table lookups"
    MOVE = "values that are moved"
    RECURRENT = "states of recurrent layers"
    PORTS = "ends of streams"
    QUEUES = "queues"
    QUEUE_BITS = "queues in shift registers, bits"
    QUEUE_REGISTERS = "registers of queues"
    STAGES = "pipeline registers of sums, bits"
    SHARED_STAGES = "pipeline registers of sums that are shared, bits"


PrimitiveCounts: TypeAlias = Mapping[Primitive, float]


def layer_primitives(
    layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget, queues: tuple[Fifo, ...]
) -> PrimitiveCounts:
    """All primitives of a layer and its output streams; every primitive must have a constant."""
    found = dict.fromkeys(Primitive, 0.0)
    parts = [{Primitive.LAYERS: 1.0}, _arithmetic(layer, model, product, budget), _elementwise(layer, model, budget)]
    if model.io is IoType.STREAM:
        parts.append(_buffers(layer, model))
    for part in (*parts, *(_queue(queue, model) for queue in queues)):
        for piece, amount in part.items():
            found[piece] += amount
    return found


def _arithmetic(
    layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget
) -> dict[Primitive, float]:
    if layer.role not in {Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE, Role.RECURRENT, Role.SCALE}:
        return {}
    inputs, outputs = layer.products
    copies = copies_of(layer, model)
    width = sum_width(layer)
    found: dict[Primitive, float] = {
        Primitive.ADDERS: product.terms + product.shift_adds,
        Primitive.ADD_BITS: product.terms * width + product.shift_bits,
        Primitive.CONSTANT_MULTIPLY: product.constant_area,
        Primitive.MULTIPLY: product.variable_area,
        Primitive.DSP: product.dsp,
        Primitive.ACCUMULATE: outputs * width,
    }
    stages = (product.terms + product.shift_adds) * width / budget.adders
    found[Primitive.SHARED_STAGES if product.rounds > 1 or layer.reuse > 1 else Primitive.STAGES] = stages
    if product.in_memory and layer.reuse > 1:
        found[Primitive.SELECTED] = inputs
        if model.io is IoType.STREAM or layer.reuse <= inputs:
            found[Primitive.COPIES] = inputs * layer.input.width
        if layer.reuse >= SHARING_OUTPUTS * inputs:
            found[Primitive.ACCUMULATE_SELECT] = (
                ceil(inputs * outputs / layer.reuse) * (1 << (outputs - 1).bit_length()) * width
            )
        if inputs <= FULL_SELECT_INPUTS and model.tool is BackendName.VIVADO:
            found[Primitive.FULL_SELECT] = (
                product.built * layer.input.width * (1 if inputs <= WIDE_SELECT_INPUTS else 2)
            )
    if model.io is IoType.PARALLEL and layer.role in {Role.CONVOLUTION, Role.DEPTHWISE} and copies == 1:
        found[Primitive.FILL] = inputs * layer.partitions * layer.input.width
    if not product.in_memory and product.rounds > 1:
        found |= {Primitive.SHARED: product.needed, Primitive.SHARED_BITS: product.needed * width}
    return {piece: copies * amount for piece, amount in found.items()}


def sum_width(layer: TemplateCall) -> int:
    """Bits of a layer's adders: the accumulator's, or fewer for narrow products, because tools trim unused bits."""
    accumulator = layer.accumulator.width if layer.accumulator else layer.output.width
    magnitudes = [one.bits for one in layer.weights.classes if one.digits] if layer.weights else []
    weight = max(magnitudes, default=(layer.weight or layer.input).width - 1)
    return min(accumulator, layer.input.width + weight + 1)


def copies_of(layer: TemplateCall, model: HardwareGraph) -> int:
    """Number of copies of the hardware of one position: one, or one for each position in an unrolled pipeline."""
    return (
        max(1, layer.positions) if layer.unrolled(dataflow=model.dataflow, parallel=model.io is IoType.PARALLEL) else 1
    )


def _elementwise(layer: TemplateCall, model: HardwareGraph, budget: TimingBudget) -> dict[Primitive, float]:
    values = values_at_once(layer, model)
    match layer.role:
        case Role.COMPARE | Role.SCALE | Role.MERGE:
            if layer.output.rounds or layer.output.saturates:
                return {Primitive.ROUND: values, Primitive.ROUND_BITS: values * layer.input.width}
            return {Primitive.COMPARE: values, Primitive.COMPARE_BITS: values * layer.input.width}
        case Role.POOL | Role.GLOBAL_POOL | Role.ARGMAX:
            compared = values * (prod(layer.window) if layer.role is Role.POOL else 2)
            return {Primitive.POOL: compared, Primitive.POOL_BITS: compared * layer.input.width}
        case Role.SOFTMAX:
            shared = 2 if model.io is IoType.STREAM else 1
            return {
                Primitive.SOFTMAX: shared * values,
                Primitive.SOFTMAX_STAGES: values * elementwise_depth(layer, budget),
            }
        case Role.TABLE:
            return {Primitive.TABLE: values}
        case Role.THRESHOLDS:
            return _search(layer, values)
        case Role.PAD | Role.MOVE | Role.UNKNOWN:
            return {Primitive.MOVE: values * layer.output.width}
        case Role.RECURRENT:
            return {Primitive.RECURRENT: layer.out_shape[2]}
        case Role.INPUT | Role.DENSE | Role.CONVOLUTION | Role.DEPTHWISE:
            return {}


def _search(layer: TemplateCall, values: int) -> dict[Primitive, float]:
    """A binary search for each value: one comparison for each level; a LUT holds 64 constants for each bit.

    No such design was synthesized: the primitives are those of other layers.
    """
    levels = layer.table_entries.bit_length() - 1
    constants = layer.table_entries * (layer.input.width + layer.output.width) / CONSTANTS_IN_A_LUT
    return {
        Primitive.COMPARE: values * levels,
        Primitive.COMPARE_BITS: values * levels * layer.input.width,
        Primitive.MOVE: values * constants,
    }


def _buffers(layer: TemplateCall, model: HardwareGraph) -> dict[Primitive, float]:
    """Primitives of streams: their ends, and the values that a layer stores of them."""
    ends = layer.in_shape[2] + layer.out_shape[2] if model.tool is BackendName.VIVADO else 2
    found: dict[Primitive, float] = {Primitive.PORTS: ends}
    rows, columns = layer.window
    channels = layer.in_shape[2]
    if layer.role in {Role.CONVOLUTION, Role.DEPTHWISE, Role.POOL}:
        kept = rows * columns * channels
        line = (rows - 1) * ceil(layer.in_shape[1] / SHIFT_REGISTER_DEPTH) * channels * layer.input.width
        return found | {Primitive.WINDOW: kept, Primitive.WINDOW_BITS: kept * layer.input.width, Primitive.LINE: line}
    if layer.role is Role.DENSE:
        kept = prod(layer.in_shape)
        return found | {Primitive.WINDOW: kept, Primitive.WINDOW_BITS: kept * layer.input.width}
    return found


def _queue(queue: Fifo, model: HardwareGraph) -> dict[Primitive, float]:
    found: dict[Primitive, float] = {
        Primitive.QUEUES: queue.channels,
        Primitive.QUEUE_REGISTERS: fifo_registers(queue, model),
    }
    if not fifo_blocks(queue, model):
        found[Primitive.QUEUE_BITS] = queue.channels * queue.bits * ceil(queue.depth / SHIFT_REGISTER_DEPTH)
    return found
