"""Count cycles: latency and interval of a layer, from the loops of its template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log2

from fpgacnn.design import BackendName, IoType
from fpgacnn.hardware.devices import Device
from fpgacnn.hardware.estimation import moved
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.memory import table_cycles
from fpgacnn.hardware.estimation.multiply import Multiplication
from fpgacnn.hardware.estimation.pipeline.chain import CutChain, Operation, schedule
from fpgacnn.hardware.estimation.pipeline.delays import SEVEN_SERIES, Delays, delays_of
from fpgacnn.hardware.estimation.pipeline.layers import (
    compared,
    elementwise,
    is_one_pipeline,
    operand_bits,
    products_then_sums,
    sum_width,
    sums_of,
)

VITIS_UNCERTAINTY, VIVADO_UNCERTAINTY = 0.27, 0.125
ADD_NS, MULTIPLY_NS = {True: 2.1, False: 0.6}, {True: 5.0, False: 2.2}
"""Delays of a 16-bit adder and of a multiplier, of the 7 series and of the UltraScale families; slowest grades."""

SLOW_NS, RELAXED_NS = 6.0, 15.0
"""Below this cycle time the 7 series needs two cycles instead of one."""

WAITS_IN_2D, WAITS_IN_1D = "2022.2", "2023.1"
"""The first versions of Vitis HLS that do not overlap the pixels of a line buffer, in two dimensions and in one."""

READ_WEIGHTS = 1
"""Cycles in which the first weights are read from memory."""

CALLS, CALLS_VITIS = 2, 1
"""Cycles in which functions for the shift and for the product of a pixel are called and return."""

SHIFT_LINE, SHIFT_VITIS, SHIFT_INLINED, SHIFT_RELAXED, SHIFT_SLOW, SHIFT_SLOWEST = 3, 4, 6, 2, 4, 5
RELAXED_SHIFT_NS = 8.0
"""Cycles of a shift (see `shift_cycles`), and the cycle time from which two of them are enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingBudget:
    """Timing budget of one cycle: the time after the tool's margin, and the part's speed."""

    budget_ns: float
    seven_series: bool
    slowest: bool
    delays: Delays

    @classmethod
    def of(cls, model: HardwareGraph, device: Device) -> TimingBudget:
        """The timing budget of a design's tool, clock and part."""
        share = VITIS_UNCERTAINTY if model.tool is BackendName.VITIS else VIVADO_UNCERTAINTY
        margin = share * model.clock_ns if model.uncertainty_ns is None else model.uncertainty_ns
        return cls(
            budget_ns=max(0.3, model.clock_ns - margin),
            seven_series=device.family in SEVEN_SERIES,
            slowest=not re.search("-[23]", model.part),
            delays=delays_of(device.family),
        )

    @property
    def adders(self) -> float:
        """Number of chained adders that fit into a cycle."""
        return max(1.0, self.budget_ns / ADD_NS[self.seven_series])

    def stages(self, levels: float) -> int:
        """Cycles of a chain of adders."""
        return ceil(levels / floor(self.adders))

    def depth(self, product: Multiplication, outputs: int) -> int:
        """Registers between operands and sums: a multiplier, then a tree of adders, or a graph of adders alone."""
        if product.levels is not None:
            return max(0, self.stages(product.levels) - 1)
        terms = product.terms / max(1, outputs)
        levels = ceil(log2(terms)) if terms > 1 else 0
        delay = MULTIPLY_NS[self.seven_series] * (1.0 if product.dsp else 0.6)
        multiply = ceil(delay / self.budget_ns) if product.needed else 0
        return max(0, multiply + self.stages(levels) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTiming:
    """Cycles from first input to last result, until the next event can start, and that following layers wait.

    `register_bits` are alive at the cuts of a chain of operations, `tail_ns` is what the last cycle has used up.
    `returned_values` are results that a function registers and selects, because it can be stopped in every cycle.
    """

    latency: int
    ii: int
    lead: int
    register_bits: float = 0.0
    tail_ns: float = 0.0
    returned_values: int = 0


def layer_timing(
    layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget
) -> LayerTiming:
    """The cycles of one layer."""
    if layer.role is Role.RECURRENT:
        return _recurrent(layer, budget)
    if model.io is IoType.STREAM:
        return _streamed(layer, model, product, budget)
    return _parallel(layer, model, product, budget)


def _parallel(layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget) -> LayerTiming:
    if layer.role in {Role.SOFTMAX, Role.INPUT}:
        latency = elementwise_depth(layer, budget)
        return LayerTiming(latency=latency, ii=1, lead=latency, tail_ns=budget.budget_ns)
    if layer.role not in {Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE, Role.SCALE}:
        cut = schedule(tuple(elementwise(layer, budget.delays)), budget.budget_ns)
        latency = max(1, cut.cycles) if layer.role is Role.TABLE else cut.cycles
        return LayerTiming(latency=latency, ii=1, lead=latency, register_bits=cut.register_bits, tail_ns=cut.tail_ns)
    cut = cut_products(layer, model, product, budget)
    depth = cut.cycles
    if layer.role in {Role.CONVOLUTION, Role.DEPTHWISE} and not layer.unrolled(dataflow=model.dataflow, parallel=True):
        each = layer.reuse if product.in_memory else max(1, min(layer.reuse, product.rounds + depth))
        latency, ii = layer.partitions * each + depth + 2, layer.partitions * each + depth + 2
    elif product.in_memory:
        before = table_cycles(layer)
        latency = before + layer.reuse + depth + READ_WEIGHTS if layer.reuse > 1 else depth
        ii = latency if before else layer.reuse
    else:
        latency = depth + product.rounds - 1
        ii = max(1, min(layer.reuse, latency + 1))
    by_value = layer.role in {Role.SCALE, Role.DEPTHWISE}  # their weights are no matrix of outputs
    outputs = layer.products[1] if by_value else sums_of(layer, product).outputs
    returned = outputs if latency and ii == 1 and is_one_pipeline(model) else 0
    bits = cut.register_bits + returned * layer.output.width
    return LayerTiming(
        latency=latency, ii=ii, lead=depth, register_bits=bits, tail_ns=cut.tail_ns, returned_values=returned
    )


def cut_products(layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget) -> CutChain:
    """A matrix product of one position, cut by the clock; products that share a multiplier wait for each other."""
    cut = schedule(tuple(products_then_sums(layer, model, product, budget.delays)), budget.budget_ns, ii=layer.reuse)
    waiting = product.needed * sum_width(layer) if product.rounds > 1 and not product.in_memory else 0.0
    return replace(cut, register_bits=max(cut.register_bits, waiting))


def elementwise_depth(layer: TemplateCall, budget: TimingBudget) -> int:
    """Cycles of layers without weights."""
    match layer.role:
        case Role.SOFTMAX:
            levels = ceil(log2(max(2, layer.out_shape[2])))
            delay = (22.0 + 9.0 * levels) * (1.0 if budget.seven_series else 0.35)
            return ceil(delay / budget.budget_ns)
        case Role.TABLE:
            return 1
        case Role.THRESHOLDS:
            return budget.stages(2 * (layer.table_entries.bit_length() - 1))
        case Role.POOL | Role.GLOBAL_POOL | Role.ARGMAX:
            return budget.stages(max(0, ceil(log2(max(1, compared(layer)))) - 1))
        case Role.COMPARE:
            return 1 if budget.seven_series and layer.output.rounds and budget.budget_ns < 3 else 0
        case _:
            return 0


def _streamed(layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget) -> LayerTiming:
    pixels = layer.in_shape[0] * layer.in_shape[1]
    depth = budget.depth(product, layer.products[1])
    extra = 2 if budget.seven_series and budget.budget_ns < SLOW_NS else 1
    match layer.role:
        case Role.CONVOLUTION | Role.DEPTHWISE:
            each = pixel_cycles(layer, model, product, budget)
            return _loop(pixels * each + (depth + extra if each == 1 else 1), lead=each + depth)
        case Role.DENSE:
            reads = max(1, pixels)
            if product.in_memory:
                return _loop(table_cycles(layer) + layer.reuse + reads + 6, lead=depth + 3)
            return _loop(reads - 1 + min(layer.reuse, product.rounds) + depth + extra, lead=depth + 3)
        case Role.POOL:
            return _loop(pixels * slow_pixels(layer, budget) + 3, lead=3)
        case Role.GLOBAL_POOL:
            return _loop(pixels + 2, lead=2)
        case Role.SOFTMAX:
            shared = 2 * layer.out_shape[2] if layer.reuse > 1 else 3
            return _loop(elementwise_depth(layer, budget) + shared, lead=elementwise_depth(layer, budget))
        case Role.SCALE if layer.reuse > 1:
            return _loop(pixels * product.rounds + depth, lead=depth)
        case Role.PAD if layer.in_shape[0] == 1:
            return _loop(pixels + layer.positions + 2, lead=2)
        case Role.INPUT:
            return LayerTiming(latency=0, ii=0, lead=0)
        case Role.THRESHOLDS:
            searched = elementwise_depth(layer, budget) + extra
            return _loop(pixels + searched, lead=searched)
        case Role.MOVE if (moving := moved.cycles(layer)) is not None:
            return _loop(moving + 1, lead=extra)
        case _:
            return _loop(max(pixels, layer.positions) + extra + 1 if layer.positions > 1 else extra, lead=extra)


def slow_pixels(layer: TemplateCall, budget: TimingBudget) -> int:
    """Cycles between two pixels of a streamed pooling layer."""
    return 2 if budget.seven_series and budget.budget_ns < SLOW_NS and layer.in_shape[0] > 1 else 1


def _loop(latency: int, *, lead: int) -> LayerTiming:
    return LayerTiming(latency=latency, ii=latency, lead=lead)


def pixel_cycles(layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget) -> int:
    """Cycles between two pixels of a streamed convolution.

    With weights in memory the reuse loop and the code around it run one after the other. With constants the loop over
    pixels is pipelined, unless the tool does not overlap two pixels that turn the same counters of a line buffer, and
    takes the whole depth of the function for each (`waits_for_pixels`).
    """
    depth = budget.depth(product, layer.products[1])
    if product.in_memory:
        return layer.reuse + around_reuse_loop(layer, model, product, budget) + _shift_loops(layer, model)
    waits = waits_for_pixels(layer, model)
    shared = (
        1
        if layer.reuse == 1
        else min(layer.reuse, product.rounds + depth + (1 if budget.budget_ns > RELAXED_NS else 2))
    )
    return max(shared, depth + 2) if waits else shared


def waits_for_pixels(layer: TemplateCall, model: HardwareGraph) -> bool:
    """Whether a streamed convolution with constants finishes a pixel before it takes the next one.

    Vitis HLS 2022.1 still overlaps them, 2022.2 does not in two dimensions, 2023 and later do not in one either.
    """
    if model.tool is BackendName.VIVADO:
        return False
    lines = layer.in_shape[0] > 1
    if not model.version:
        return lines
    return model.version >= (WAITS_IN_2D if lines else WAITS_IN_1D)


def _shift_loops(layer: TemplateCall, model: HardwareGraph) -> int:
    """Cycles of the loops over channels that Vivado HLS runs one after the other if the window's shift was inlined."""
    rows, channels = layer.window[0], layer.in_shape[2]
    alone = model.inlined_shift and model.tool is BackendName.VIVADO and rows > 1 and channels > 1
    return (2 * rows + 1) * channels if alone else 0


def shift_cycles(layer: TemplateCall, model: HardwareGraph, budget: TimingBudget) -> int:
    """Cycles of a pixel at which no window of a resource convolution ends: it is only shifted into the line buffer.

    Taken from the smallest latencies of 40 synthesized convolutions: (latency - 1) / pixels.
    """
    if layer.in_shape[0] > 1 and model.tool is BackendName.VITIS:
        return SHIFT_VITIS
    if layer.in_shape[0] > 1 and model.inlined_shift:
        return SHIFT_INLINED + _shift_loops(layer, model)
    return _called_shift(layer, budget)


def _called_shift(layer: TemplateCall, budget: TimingBudget) -> int:
    """Cycles of the function that shifts a pixel into a window, by part and clock."""
    if layer.in_shape[0] == 1:
        return SHIFT_LINE
    if budget.budget_ns >= RELAXED_SHIFT_NS:
        return SHIFT_RELAXED
    if budget.seven_series and budget.budget_ns < SLOW_NS:
        return SHIFT_SLOWEST if budget.slowest else SHIFT_SLOW
    return SHIFT_LINE


def around_reuse_loop(layer: TemplateCall, model: HardwareGraph, product: Multiplication, budget: TimingBudget) -> int:
    """Cycles of a pixel outside the reuse loop: the window's shift, calls of functions, and the pipeline of the loop.

    The pipeline selects an input, multiplies and adds; the clock cuts this chain. Where hls4ml inlined the shift, no
    function is called.
    """
    delays = budget.delays
    multiply = delays.product(dsp=product.dsp > 0, bits=operand_bits(layer))
    chain = [Operation(delay_ns=each, alive_bits=0.0) for each in (delays.lookup, multiply, delays.add)]
    pipeline = schedule(chain, budget.budget_ns).cycles + 1
    if model.tool is BackendName.VITIS:
        return _called_shift(layer, budget) + CALLS_VITIS + pipeline
    inlined = model.inlined_shift and layer.in_shape[0] > 1
    return (SHIFT_INLINED if inlined else _called_shift(layer, budget) + CALLS) + pipeline


def _recurrent(layer: TemplateCall, budget: TimingBudget) -> LayerTiming:
    around = 18 if budget.seven_series else 10
    latency = layer.steps * (max(layer.reuse, layer.recurrent_reuse) + around) + 1
    return LayerTiming(latency=latency, ii=latency, lead=around)


def design_timing(timings: Sequence[LayerTiming], model: HardwareGraph) -> LayerTiming:
    """Tasks that hand over whole arrays, or streams that overlap."""
    if not timings:
        return LayerTiming(latency=0, ii=1, lead=0)
    slowest = max(timings, key=lambda one: one.latency)
    total, count = sum(one.latency for one in timings), len(timings)
    if model.io is IoType.PARALLEL:
        return LayerTiming(latency=total + count, ii=max(one.ii for one in timings) + 1, lead=0)
    waits = sum(min(one.lead, one.latency) for one in timings if one is not slowest)
    return LayerTiming(latency=slowest.latency + waits + 1, ii=slowest.latency + 1, lead=0)
