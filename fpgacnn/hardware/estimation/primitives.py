"""The primitives of logic in a layer, counted in bits; fitted constants give their LUTs and flip-flops."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import ceil, prod
from typing import TypeAlias

from fpgacnn.design import BackendName, IoType
from fpgacnn.hardware.estimation import moved
from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.memory import (
    SHIFT_REGISTER_DEPTH,
    Fifo,
    fifo_blocks,
    fifo_registers,
    inputs_in_memory,
    table_blocks,
)
from fpgacnn.hardware.estimation.multiply import Multiplication
from fpgacnn.hardware.estimation.pipeline.delays import NARROW_PRODUCT_BITS, clipping, rounding
from fpgacnn.hardware.estimation.pipeline.layers import (
    clips_sums,
    compared,
    is_one_pipeline,
    is_plain_cast,
    operand_bits,
    product_type,
    product_width,
    sum_width,
)
from fpgacnn.hardware.estimation.timing import LayerTiming, TimingBudget, cut_products, elementwise_depth
from fpgacnn.hardware.hls.da.adder_graph import AdderGraph

FULL_SELECT_INPUTS = 256
WIDE_SELECT_INPUTS = 64
CONSTANTS_IN_A_LUT = 64
BITS_COMPARED_IN_A_LUT = 4
MERGING = ("2019.2", "2021.1")
"""Versions that merge all adders with their neighbours; versions before, between and after do not."""

SHARING_OUTPUTS = 3
"""Outputs that one multiplier serves, from which on tools no longer see which, and select from all of them."""


class Primitive(StrEnum):
    """What is counted: things, and for some also their bits, because csynth charges some by number and some by bit."""

    LAYERS = "layers"
    ADDERS = "adders that are not merged"
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
    ROUND = "casts that round"
    ROUND_BITS = "casts that round, bits"
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
    RETURNS = "results that a pipelined function registers"
    CLIP = "casts that saturate"
    CLIP_BITS = "casts that saturate, bits"
    STAGED = "registers around multipliers of several cycles, bits"
    HELD = "results of elementwise layers that are processes"
    HELD_BITS = "results of elementwise layers that are processes, bits"
    POOL_HELD = "values that pools of processes hold"
    POOL_HELD_BITS = "values that pools of processes hold, bits"
    WAITING = "results that wait for the next layer of one pipeline, bits"
    """The last one: a sum over all primitives can be continued with it, once all layers are known."""


PrimitiveCounts: TypeAlias = Mapping[Primitive, float]


def layer_primitives(
    layer: TemplateCall,
    model: HardwareGraph,
    product: Multiplication,
    budget: TimingBudget,
    queues: tuple[Fifo, ...],
    timing: LayerTiming,
    values: int,
) -> PrimitiveCounts:
    """All primitives of a layer and its output streams; every primitive must have a constant.

    `values` are those that a layer without weights computes at once.
    """
    found = dict.fromkeys(Primitive, 0.0)
    parts = [
        {Primitive.LAYERS: 1.0},
        _arithmetic(layer, model, product, budget, timing),
        _elementwise(layer, model, budget, values),
    ]
    if model.io is IoType.STREAM:
        parts.append(_buffers(layer, model, held_in_memory=inputs_in_memory(layer, model, product)))
    for part in (*parts, *(_queue(queue, model) for queue in queues)):
        for piece, amount in part.items():
            found[piece] += amount
    return found


def _arithmetic(
    layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget, timing: LayerTiming
) -> dict[Primitive, float]:
    if layer.role not in {Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE, Role.RECURRENT, Role.SCALE}:
        return {}
    inputs, outputs = layer.products
    copies = copies_of(layer, model)
    width = sum_width(layer)
    if layer.adder_graph is not None:
        counted = _adder_graph(layer, layer.adder_graph, model) | _fill(layer, model, copies)
        cut = timing if model.io is IoType.PARALLEL else cut_products(layer, model, product, budget)
        counted[Primitive.STAGES] = cut.register_bits
        return {piece: copies * amount for piece, amount in counted.items()}
    added = _additions(layer, product)
    found: dict[Primitive, float] = {
        Primitive.ADDERS: adders_alone(added, product.shift_adds + product.negations, model, budget),
        Primitive.ADD_BITS: added * width + product.shift_bits + product.sign_bits,
        Primitive.CONSTANT_MULTIPLY: product.constant_area,
        Primitive.MULTIPLY: product.variable_area,
        Primitive.DSP: product.dsp,
        Primitive.STAGED: product.built * _inner_cuts(layer, product, budget) * product_width(layer),
    }
    if timing.returned_values:
        found[Primitive.RETURNS] = timing.returned_values
    if product.in_memory or layer.role is Role.RECURRENT or model.io is IoType.STREAM:
        found[Primitive.ACCUMULATE] = outputs * width
    if not product.in_memory and layer.role is not Role.RECURRENT:
        stages = (
            timing.register_bits
            if model.io is IoType.PARALLEL
            else cut_products(layer, model, product, budget).register_bits
        )
    else:
        stages = (product.terms + product.shift_adds) * width / budget.adders
    sums = layer.accumulator or layer.output
    cast_bits = cast_primitives(product_type(layer), sums, product.terms)
    results = outputs if layer.role is not Role.RECURRENT else 0
    for piece, amount in cast_primitives(sums, layer.output, results).items():
        cast_bits[piece] = cast_bits.get(piece, 0.0) + amount
    if clips_sums(layer):
        for piece, amount in ((Primitive.CLIP, product.terms), (Primitive.CLIP_BITS, product.terms * width)):
            cast_bits[piece] = cast_bits.get(piece, 0.0) + amount
    found |= cast_bits
    found[Primitive.SHARED_STAGES if product.rounds > 1 or layer.reuse > 1 else Primitive.STAGES] = stages
    if product.in_memory and layer.reuse > 1 and not inputs_in_memory(layer, model, product):
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
    found |= _fill(layer, model, copies)
    if not product.in_memory and product.rounds > 1:
        found[Primitive.SHARED] = product.needed
        if model.io is IoType.STREAM or layer.role is Role.RECURRENT:
            found[Primitive.SHARED_BITS] = product.needed * width
    return {piece: copies * amount for piece, amount in found.items()}


def _additions(layer: TemplateCall, product: Multiplication) -> float:
    """Additions of terms to each other and to a bias. An output whose bias is nothing needs one less."""
    if product.in_memory or layer.role in {Role.RECURRENT, Role.SCALE} or not layer.zero_biases:
        return product.terms
    outputs = layer.products[1]
    idle = sum(count for terms, count in layer.weights.fan_in if not terms) if layer.weights else 0
    return max(0.0, product.terms - layer.zero_biases * max(0, outputs - idle) / outputs)


def adders_alone(sums: float, shifts: float, model: HardwareGraph, budget: TimingBudget) -> float:
    """Adders that are not merged with a neighbour to an adder of three operands.

    The carry chain of one alone costs a few LUTs more. In a balanced tree, two of three are merged where two of them
    follow each other in a cycle, and shifted operands are added alone. Versions 2019.2 and 2021.1 merge all.
    """
    if model.version.startswith(MERGING):
        return 0.0
    return shifts + (sums if budget.adders < 2 else sums / 3)


def _inner_cuts(layer: TemplateCall, product: Multiplication, budget: TimingBudget) -> int:
    """Cuts inside a multiplier of DSP slices: wide ones have registers around them, narrow ones inside the slice."""
    bits = operand_bits(layer)
    if not product.dsp or bits <= NARROW_PRODUCT_BITS:
        return 0
    return ceil(budget.delays.product(dsp=True, bits=bits) / budget.budget_ns) - 1


def _fill(layer: TemplateCall, model: HardwareGraph, copies: int) -> dict[Primitive, float]:
    """The windows of a parallel convolution, from which one position after the other is chosen."""
    if model.io is IoType.PARALLEL and layer.role in {Role.CONVOLUTION, Role.DEPTHWISE} and copies == 1:
        return {Primitive.FILL: layer.products[0] * layer.partitions * layer.input.width}
    return {}


def _adder_graph(layer: TemplateCall, graph: AdderGraph, model: HardwareGraph) -> dict[Primitive, float]:
    """The adders of a graph; results are registered as those of other products."""
    results = layer.products[1] * layer.output.width if model.io is IoType.STREAM else 0.0
    return {
        Primitive.ADDERS: sum(1 for _ in graph.adders()),
        Primitive.ADD_BITS: graph.bits,
        Primitive.ACCUMULATE: results,
    }


def copies_of(layer: TemplateCall, model: HardwareGraph) -> int:
    """Number of copies of the hardware of one position: one, or one for each position in an unrolled pipeline."""
    parallel = model.io is IoType.PARALLEL
    if layer.role is Role.SCALE and parallel:
        return max(1, prod(layer.out_shape[:2]))
    return max(1, layer.positions) if layer.unrolled(dataflow=model.dataflow, parallel=parallel) else 1


def _elementwise(
    layer: TemplateCall, model: HardwareGraph, budget: TimingBudget, values: int
) -> dict[Primitive, float]:
    match layer.role:
        case Role.SCALE:
            return _held(layer, model, values)
        case Role.COMPARE | Role.MERGE:
            return _held(layer, model, values) | _compared(layer, values) | _casts(layer, values)
        case Role.POOL | Role.GLOBAL_POOL | Role.ARGMAX:
            return _pooled(layer, model, values)
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
            return {Primitive.MOVE: values * layer.output.width} | cast_primitives(layer.input, layer.output, values)
        case Role.RECURRENT:
            return {Primitive.RECURRENT: layer.out_shape[2]}
        case Role.DENSE | Role.CONVOLUTION | Role.DEPTHWISE | Role.INPUT:
            return {}


def _held(layer: TemplateCall, model: HardwareGraph, values: int) -> dict[Primitive, float]:
    """The registers of an elementwise layer that is a process; in one pipeline `WAITING` counts them."""
    if is_one_pipeline(model):
        return {}
    converts = rounding(layer.input, layer.output) or clipping(layer.input, layer.output)
    return {Primitive.HELD: values if converts else 0.0, Primitive.HELD_BITS: values * layer.input.width}


def _pooled(layer: TemplateCall, model: HardwareGraph, values: int) -> dict[Primitive, float]:
    """An adder or a comparison for each value but the first of a result; a stream brings one pixel a time.

    What streams hold of a window is selected from, and registered.
    """
    stream = model.io is IoType.STREAM
    read = 2 if stream and layer.role is not Role.POOL else compared(layer)
    joined = values * (read - 1)
    bits = joined * max(layer.input.width, layer.output.width)
    found: dict[Primitive, float] = (
        {Primitive.ADDERS: joined, Primitive.ADD_BITS: bits}
        if layer.average
        else _comparisons(joined, layer.input.width, layer.input.width)
    )
    if stream:
        found |= {Primitive.POOL: values * read, Primitive.POOL_BITS: values * read * layer.input.width}
    if not is_one_pipeline(model):
        found |= {Primitive.POOL_HELD: values * read, Primitive.POOL_HELD_BITS: values * read * layer.input.width}
    return found


def _compared(layer: TemplateCall, values: int) -> dict[Primitive, float]:
    """A comparison and a selection for each value; a cast alone is wires, and a sum is an adder."""
    if is_plain_cast(layer):
        return {}
    if layer.role is Role.MERGE and not layer.what.startswith(("max", "min")):
        return {Primitive.ADDERS: values, Primitive.ADD_BITS: values * layer.output.width}
    return _comparisons(values, layer.input.width, layer.output.width)


def _comparisons(count: float, compared_bits: int, selected_bits: int) -> dict[Primitive, float]:
    """Comparisons, four bits of which fit a LUT of the carry chain, and selections of a bit a LUT."""
    bits = compared_bits / BITS_COMPARED_IN_A_LUT + selected_bits
    return {Primitive.COMPARE: count, Primitive.COMPARE_BITS: count * bits}


def cast_primitives(before: FixedType, after: FixedType, values: float) -> dict[Primitive, float]:
    """A cast is wires, unless it rounds (an adder of the bits that stay) or saturates.

    A clipper compares the integer bits that are dropped and selects the result.
    """
    found: dict[Primitive, float] = {}
    if rounding(before, after):
        found |= {Primitive.ROUND: values, Primitive.ROUND_BITS: values * after.width}
    if clipping(before, after):
        dropped = max(1, before.integer - after.integer)
        found |= {Primitive.CLIP: values, Primitive.CLIP_BITS: values * (dropped + after.width)}
    return found


def _casts(layer: TemplateCall, values: int) -> dict[Primitive, float]:
    """The casts of a layer's results, to one type or to one for each value."""
    if not layer.value_types:
        return cast_primitives(layer.input, layer.output, values)
    found: dict[Primitive, float] = {}
    for form in layer.value_types:
        for piece, amount in cast_primitives(layer.input, form, 1.0 if form.width else 0.0).items():
            found[piece] = found.get(piece, 0.0) + amount
    return found


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


def _buffers(layer: TemplateCall, model: HardwareGraph, *, held_in_memory: bool) -> dict[Primitive, float]:
    """Primitives of streams: their ends, and the values that a layer stores of them."""
    ends = layer.in_shape[2] + layer.out_shape[2] if model.tool is BackendName.VIVADO else 2
    found: dict[Primitive, float] = {Primitive.PORTS: ends}
    rows, columns = layer.window
    channels = layer.in_shape[2]
    if layer.role in {Role.CONVOLUTION, Role.DEPTHWISE, Role.POOL}:
        kept = rows * columns * channels
        line = (rows - 1) * ceil(layer.in_shape[1] / SHIFT_REGISTER_DEPTH) * channels * layer.input.width
        return found | {Primitive.WINDOW: kept, Primitive.WINDOW_BITS: kept * layer.input.width, Primitive.LINE: line}
    waiting = moved.memories(layer)
    if waiting is not None:
        in_luts = 0 if table_blocks(layer, model, 0) else waiting.count * ceil(waiting.depth / SHIFT_REGISTER_DEPTH)
        selected = {Primitive.ACCUMULATE_SELECT: waiting.selected * layer.input.width}
        return found | selected | {Primitive.LINE: in_luts * layer.input.width}
    if layer.role is Role.DENSE and not held_in_memory:
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
