"""The operations that a value passes in a layer, in their order, with their delays and the bits alive between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2, prod

from fpgacnn.design import BackendName, IoType, Multiplier, Strategy
from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.multiply import Multiplication
from fpgacnn.hardware.estimation.pipeline.chain import Operation
from fpgacnn.hardware.estimation.pipeline.delays import Delays

BALANCED_PRODUCTS = 4096
"""Products of one function from which on tools leave additions in the order of the code: a chain instead of a tree."""

CHAIN_SHARE = 0.66
"""Delay of an addition in a long chain, as a share of one alone: neighbours are merged into adders of three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdderSums:
    """The sums of a layer at one position: (terms, outputs) for each length of sum, and the bits of a partial sum."""

    lengths: tuple[tuple[int, int], ...]
    width: int

    @property
    def longest(self) -> int:
        """Terms of the longest sum."""
        return max((terms for terms, outputs in self.lengths if outputs), default=0)

    def alive(self, parts: int) -> int:
        """Partial sums when each holds so many terms. An output without terms is a constant, and needs no register."""
        return sum(outputs * ceil(terms / parts) for terms, outputs in self.lengths)

    @property
    def outputs(self) -> int:
        """Outputs that are no constants."""
        return sum(outputs for terms, outputs in self.lengths if terms)


def sum_width(layer: TemplateCall) -> int:
    """Bits of a layer's adders: the accumulator's, or fewer for narrow products, because tools trim unused bits.

    A normalization has no accumulator: it adds its bias to the whole product.
    """
    if layer.role is Role.SCALE:
        return product_width(layer)
    accumulator = layer.accumulator.width if layer.accumulator else layer.output.width
    return min(accumulator, product_width(layer) + (growth(layer) if is_chain(layer) else 1))


def growth(layer: TemplateCall) -> int:
    """Bits that the partial sums of a chain have more than its products."""
    known = layer.weights.fan_in if layer.weights else ()
    longest = max((terms for terms, outputs in known if outputs), default=layer.products[0])
    return max(1, (longest - 1).bit_length())


def product_width(layer: TemplateCall) -> int:
    """Bits of a layer's products: of an average weight where weights are constants, else of their type."""
    variable = layer.strategy is Strategy.RESOURCE and layer.reuse > 1
    if variable or layer.weights is None or layer.weights.significant_bits is None:
        return operand_bits(layer)
    return ceil(layer.factor_bits) + ceil(layer.weights.significant_bits) + 1


def operand_bits(layer: TemplateCall) -> int:
    """Bits of both operands of a product together."""
    return layer.input.width + (layer.weight or layer.input).width


def sums_of(layer: TemplateCall, product: Multiplication) -> AdderSums:
    """The sums of a layer; of equal length where the weights are not known one by one."""
    known = layer.weights.fan_in if layer.weights and not product.in_memory else ()
    outputs = max(1, layer.products[1])
    return AdderSums(lengths=known or ((ceil(product.terms / outputs), outputs),), width=sum_width(layer))


def product_type(layer: TemplateCall) -> FixedType:
    """The type of an exact product, before it is cast to the accumulator's."""
    weight = layer.weight or FixedType(width=1, integer=1)
    return FixedType(width=layer.input.width + weight.width, integer=layer.input.integer + weight.integer)


def clips_sums(layer: TemplateCall) -> bool:
    """Every addition of the layer saturates: its accumulator does."""
    return layer.accumulator is not None and layer.accumulator.saturates


def is_chain(layer: TemplateCall) -> bool:
    """The layer adds in the order of its code: tools may not, or do not, make a tree of its additions.

    Saturation after each addition makes the order count.
    """
    return clips_sums(layer) or prod(layer.products) > BALANCED_PRODUCTS


def products_then_sums(
    layer: TemplateCall, model: HardwareGraph, product: Multiplication, delays: Delays
) -> Iterator[Operation]:
    """A matrix product at one position, and the cast of its sums where their type is not that of the result."""
    yield from _products_then_sums(layer, model, product, delays)
    cast = delays.cast(layer.accumulator, layer.output) if layer.accumulator else 0.0
    if cast:
        yield Operation(delay_ns=cast, alive_bits=layer.products[1] * sum_width(layer))


def _products_then_sums(
    layer: TemplateCall, model: HardwareGraph, product: Multiplication, delays: Delays
) -> Iterator[Operation]:
    """A matrix product at one position; with distributed arithmetic, the levels of its adder graph."""
    if layer.adder_graph is not None:
        yield from (Operation(delay_ns=delays.add, alive_bits=bits) for bits in layer.adder_graph.alive())
        return
    inputs = layer.input_bits if layer.role is not Role.SCALE else 0.0
    sums = sums_of(layer, product)
    if product.needed:
        multiply = delays.product(dsp=product.dsp > 0, bits=operand_bits(layer))
        fabric = layer.multiplier is Multiplier.LUT or (
            layer.multiplier is Multiplier.AUTO and model.multipliers == "fabric"
        )
        yield Operation(delay_ns=multiply, alive_bits=inputs, inner_bits=product.shift_bits, whole=fabric)
    elif product.shift_adds:
        yield Operation(delay_ns=delays.add, alive_bits=inputs)
    accumulator = layer.accumulator or layer.output
    cast = delays.cast(product_type(layer), accumulator)
    after_products = (product.needed + product.shift_adds) * sums.width
    if cast:
        yield Operation(delay_ns=cast, alive_bits=after_products)
    if layer.role is Role.SCALE:
        yield Operation(delay_ns=delays.add, alive_bits=after_products)
        return
    if is_chain(layer):
        each = CHAIN_SHARE * delays.add if not clips_sums(layer) else delays.add + delays.clip
        held = sums.alive(sums.longest) * sums.width
        steps = sums.longest
        yield from (
            Operation(
                delay_ns=each,
                alive_bits=held + inputs + (after_products if step == 0 else 0),
                long_lived_bits=inputs,
            )
            for step in range(steps)
        )
        return
    parts = 1
    bias = 1 if product.terms else 0
    levels = delays.tree(sums.longest + (bias if delays.add_three else 0))
    if bias and not delays.add_three:
        levels.append((delays.add, 1))
    for place, (delay, operands) in enumerate(levels):
        alive = after_products + _wires(layer) if place == 0 else sums.alive(parts) * sums.width
        yield Operation(delay_ns=delay, alive_bits=min(alive, sums.alive(parts) * sums.width))
        parts *= operands


def _wires(layer: TemplateCall) -> float:
    """Bits of terms that are inputs themselves, shifted: of products with powers of two."""
    if layer.weights is None or not any(one.digits == 1 for one in layer.weights.classes):
        return 0.0
    return layer.input_bits


def elementwise(layer: TemplateCall, delays: Delays) -> Iterator[Operation]:
    """Layers without weights."""
    values = prod(layer.out_shape)
    arriving = prod(layer.in_shape) * layer.input.width
    match layer.role:
        case Role.COMPARE:
            plain = delays.cast(layer.input, layer.output)
            beside = delays.compare + (delays.clip if plain else 0.0)
            delay = plain if is_plain_cast(layer) else beside
            if delay:
                yield Operation(delay_ns=delay, alive_bits=arriving, inner_bits=arriving)
        case Role.MERGE:
            cast = delays.cast(layer.input, layer.output)
            yield Operation(delay_ns=delays.add + cast, alive_bits=2 * arriving)
        case Role.THRESHOLDS:
            levels = layer.table_entries.bit_length() - 1
            yield from (
                Operation(delay_ns=2 * delays.add, alive_bits=values * (layer.input.width + level))
                for level in range(levels)
            )
        case Role.POOL | Role.GLOBAL_POOL | Role.ARGMAX:
            yield from _pooling(layer, delays)
        case Role.TABLE:
            yield Operation(delay_ns=delays.lookup, alive_bits=arriving)
        case _:
            return


def compared(layer: TemplateCall) -> int:
    """Values that a pooling layer reads for each of its results."""
    match layer.role:
        case Role.POOL:
            return prod(layer.window)
        case Role.GLOBAL_POOL:
            return prod(layer.in_shape[:2])
        case _:
            return layer.in_shape[2]


def _pooling(layer: TemplateCall, delays: Delays) -> Iterator[Operation]:
    """A tree of adders, or of comparisons that each select one of two."""
    values, width = prod(layer.out_shape), layer.input.width
    each = delays.add if layer.average else delays.compare
    count = compared(layer)
    for level in range(ceil(log2(count)) if count > 1 else 0):
        yield Operation(delay_ns=each, alive_bits=values * ceil(count / (1 << level)) * width)


def is_plain_cast(layer: TemplateCall) -> bool:
    """The layer only gives its values another type."""
    return layer.what.startswith("linear") or "quantize" in layer.what


def is_one_pipeline(model: HardwareGraph) -> bool:
    """All layers of the design are one pipeline: no streams, no tasks."""
    return model.io is IoType.PARALLEL and not model.dataflow


def returns_a_cycle_later(model: HardwareGraph) -> bool:
    """In Vitis HLS, results that a pipelined function registers reach the next layer a cycle later."""
    return model.tool is BackendName.VITIS
