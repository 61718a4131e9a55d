"""Count the products that are computed in parallel, and their hardware.

With constants in place (latency strategy) a product costs its signed digits: nothing for zero, only wires for a power
of two, one adder for two digits, and only with three or more digits a multiplier, which equal weights of one input
share. Wires have no sign: a negative product takes one subtraction more, unless its digits differ in their signs. With
weights in memory (resource strategy) every product has a full multiplier. Distributed arithmetic has adders alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, prod

from fpgacnn.design import BackendName, IoType, Multiplier, Strategy
from fpgacnn.hardware.devices import Device
from fpgacnn.hardware.estimation.graph.graph import (
    MULTIPLIED_DIGITS,
    FixedType,
    HardwareGraph,
    Role,
    TemplateCall,
    WeightClass,
    WeightSummary,
)

PARTITION_LIMIT = 4096
"""Vivado HLS keeps larger arrays in memory with every strategy (config_array_partition -maximum_size 4096)."""

FABRIC_WIDEST, FABRIC_NARROWEST = 10, 5
"""Tools build a product of LUTs where both operands have at most ten bits, or one has less than five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplication:
    """The products of one position. `needed` take a multiplier each; `built` multipliers stand side by side.

    `dsp` are DSP slices; `constant_area` and `variable_area` are bits times bits of multipliers in LUTs; `shift_adds`
    are the adders of two-digit constants, of `shift_bits` bits, and `negations` the subtractions of signs, of
    `sign_bits` bits; `terms` are the values that are summed, in all. `levels` are the adders one after another where
    they are known.
    """

    in_memory: bool
    needed: float
    built: float
    dsp: float
    constant_area: float = 0
    variable_area: float = 0
    shift_adds: float = 0
    shift_bits: float = 0
    terms: float = 0
    levels: int | None = None
    negations: float = 0
    sign_bits: float = 0

    @property
    def rounds(self) -> int:
        """Number of products for each multiplier."""
        return max(1, ceil(self.needed / self.built)) if self.built else 1


NOTHING = Multiplication(in_memory=False, needed=0, built=0, dsp=0)


def weights_in_memory(layer: TemplateCall, model: HardwareGraph) -> bool:
    """Whether weights are read from memory instead of being constants in the logic."""
    if layer.role not in {Role.DENSE, Role.CONVOLUTION, Role.RECURRENT}:
        return False
    if layer.reuse == 1 and layer.recurrent_reuse == 1:
        return False
    large = model.tool is BackendName.VIVADO and prod(layer.products) > PARTITION_LIMIT
    return layer.strategy is Strategy.RESOURCE or large


def slices(left: int, right: int, device_ports: tuple[int, int]) -> int:
    """DSP slices of a product of two signed operands.

    Tiles of the slice's ports, with one bit less from the second on.
    """
    long, short = max(left, right), min(left, right)
    wide, narrow = device_ports

    def tiles(width: int, port: int) -> int:
        return 1 if width <= port else 1 + ceil((width - port) / (port - 1))

    return min(tiles(long, wide) * tiles(short, narrow), tiles(long, narrow) * tiles(short, wide))


def multiplication(layer: TemplateCall, model: HardwareGraph, device: Device) -> Multiplication:
    """The products that a layer computes at one position."""
    if layer.adder_graph is not None:
        return replace(NOTHING, levels=layer.adder_graph.depth)
    match layer.role:
        case Role.DENSE | Role.CONVOLUTION | Role.DEPTHWISE:
            if weights_in_memory(layer, model):
                return _from_memory(layer, model, device)
            return constant_products(layer.weights or assumed_weights(layer), layer, model, device)
        case Role.SCALE if model.io is IoType.STREAM and layer.weights and layer.weights.count > layer.out_shape[2]:
            return _selected_scales(layer, model, device)
        case Role.SCALE:
            return constant_products(layer.weights or assumed_weights(layer), layer, model, device)
        case Role.RECURRENT:
            return _recurrent(layer, model, device)
        case Role.SOFTMAX:
            values = layer.out_shape[2]
            wide = layer.table.width if layer.table else 18
            shared = model.io is IoType.STREAM and layer.reuse > 1
            return _full(values, 1 if shared else values, wide, wide, model, device)
        case Role.MERGE if layer.what.startswith("mul"):
            values = layer.out_shape[2] if model.io is IoType.STREAM else prod(layer.out_shape)
            return _full(values, values, layer.input.width, layer.input.width, model, device)
        case _:
            return NOTHING


def _full(
    needed: int,
    built: int,
    left: int,
    right: int,
    model: HardwareGraph,
    device: Device,
    placed: Multiplier = Multiplier.AUTO,
) -> Multiplication:
    """Products of two variables."""
    fabric = in_fabric(left, right, model, placed)
    dsp, area = (0, built * left * right) if fabric else (built * slices(left, right, device.dsp_ports), 0)
    return Multiplication(
        in_memory=False,
        needed=needed,
        built=built,
        dsp=dsp,
        variable_area=area,
    )


def _recurrent(layer: TemplateCall, model: HardwareGraph, device: Device) -> Multiplication:
    """Two matrices, and for each state the products that combine old and new."""
    states = layer.out_shape[2]
    left, right = layer.input.width, (layer.weight or layer.input).width
    mixing = _full(3 * states, 3 * states, layer.output.width, layer.output.width, model, device)
    if not weights_in_memory(layer, model):
        constant = constant_products(layer.weights or assumed_weights(layer), layer, model, device)
        return replace(constant, dsp=constant.dsp + mixing.dsp, variable_area=mixing.variable_area)
    inputs, outputs = layer.products
    built = ceil(inputs * outputs / max(1, layer.reuse)) + ceil(states * outputs / max(1, layer.recurrent_reuse))
    both = _full(inputs * outputs + states * outputs, built, left, right, model, device)
    return replace(
        both,
        in_memory=True,
        dsp=both.dsp + mixing.dsp,
        variable_area=both.variable_area + mixing.variable_area,
        terms=built,
    )


def _selected_scales(layer: TemplateCall, model: HardwareGraph, device: Device) -> Multiplication:
    """A normalization of more values than are in a word: a multiplier for each value of a word, with its scale.

    The scale changes from word to word, so it is no constant.
    """
    values = layer.out_shape[2]
    width = (layer.weight or layer.input).width
    return replace(_full(values, values, layer.input.width, width, model, device, layer.multiplier), terms=values)


def assumed_weights(layer: TemplateCall) -> WeightSummary:
    """Assumed weights, if only their type and perhaps their zeros are known.

    A third of the digits of a full word, few powers of two. One in twenty is zero where the configuration counts none.
    """
    width = max(1, (layer.weight.width if layer.weight else 16) - 1)
    count = prod(layer.products) + (layer.gates * layer.out_shape[2] ** 2 if layer.role is Role.RECURRENT else 0)
    zeros = min(count, layer.stated_zeros) if layer.stated_zeros else count // 20
    powers = (count - zeros) // 10 if layer.stated_zeros else count // 10
    digits = max(2, round(width / 3))
    many = count - zeros - powers
    shapes = ((0, 0, zeros), (1, width, powers), (digits, max(1, width - 2), many))
    return WeightSummary(classes=tuple(assumed_class(d, b, n) for d, b, n in shapes), known=False)


def assumed_class(digits: int, bits: int, count: int) -> WeightClass:
    """Weights that are all distinct, half of them negative: of two digits, half have equal signs."""
    share = {1: 0.5, 2: 0.25}.get(digits, 0.0)
    return WeightClass(digits=digits, bits=bits, count=count, distinct=count, negated=share * count)


def constant_products(
    weights: WeightSummary, layer: TemplateCall, model: HardwareGraph, device: Device
) -> Multiplication:
    """Products by constants; a reuse factor above one bounds the multipliers as hls4ml's `multiplier_limit` does."""
    count = max(weights.count, 1)
    counted_zeros = weights.zeros if weights.hls4ml_zeros is None else weights.hls4ml_zeros
    unrolled = layer.unrolled(dataflow=model.dataflow, parallel=model.io is IoType.PARALLEL)
    limit = (
        max(1, ceil(count / layer.reuse) - counted_zeros // layer.reuse) if layer.reuse > 1 and not unrolled else count
    )
    needed = sum(one.distinct for one in weights.classes if one.digits >= MULTIPLIED_DIGITS)
    kept = min(1.0, limit / needed) if needed else 0.0
    dsp = area = shift = adders = signs = 0.0
    for one in weights.classes:
        left = layer.input.width if one.input_bits is None else one.input_bits
        signs += one.negated * (left + one.bits)
        if one.digits == MULTIPLIED_DIGITS - 1:
            adders += one.distinct
            shift += one.distinct * (left + one.bits)
        if one.digits < MULTIPLIED_DIGITS:
            continue
        if in_fabric(left, one.bits + 1, model, layer.multiplier):
            area += kept * one.distinct * left * (one.bits + 1)
        else:
            dsp += kept * one.distinct * slices(left, one.bits + 1, device.dsp_ports)
    terms = weights.count - weights.zeros
    return Multiplication(
        in_memory=False,
        needed=needed,
        built=needed * kept,
        dsp=dsp,
        constant_area=area,
        shift_adds=adders,
        shift_bits=shift,
        terms=terms,
        negations=sum(one.negated for one in weights.classes),
        sign_bits=signs,
    )


def in_fabric(left: int, right: int, model: HardwareGraph, placed: Multiplier = Multiplier.AUTO) -> bool:
    """Whether the tool builds a product from LUTs; what the layer, or the project, says has priority."""
    if placed is not Multiplier.AUTO:
        return placed is Multiplier.LUT
    if model.multipliers:
        return model.multipliers == "fabric"
    return max(left, right) <= FABRIC_WIDEST or min(left, right) < FABRIC_NARROWEST


def _from_memory(layer: TemplateCall, model: HardwareGraph, device: Device) -> Multiplication:
    inputs, outputs = layer.products
    built = ceil(inputs * outputs / max(1, min(layer.reuse, inputs * outputs)))
    left, right = layer.input.width, (layer.weight or layer.input).width
    dsp: float = built * slices(left, right, device.dsp_ports)
    area = 0.0
    if in_fabric(left, right, model, layer.multiplier):
        stated = model.multipliers or layer.multiplier is not Multiplier.AUTO
        fused = _fused(layer, built, outputs) if not stated else 0
        dsp, area = fused, (built - fused) * left * right
    return Multiplication(
        in_memory=True,
        needed=inputs * outputs,
        built=built,
        dsp=dsp,
        variable_area=area,
        terms=built,
    )


def _fused(layer: TemplateCall, built: int, outputs: int) -> float:
    """Narrow products that still take a DSP slice, because it adds too: every second one of an output's sum.

    Only where the accumulator keeps every bit of the product, so that nothing stands between product and sum.
    """
    wire = layer.accumulator
    if wire is None or wire.fraction < layer.input.fraction + (layer.weight or FixedType(width=1, integer=1)).fraction:
        return 0.0
    each = built / outputs
    return built / 2 if each >= 2 else built
