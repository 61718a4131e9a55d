"""Count multipliers, cycles, memory and primitives of every layer, before any fitted constant is applied."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fpgacnn.hardware.devices import Device
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, TemplateCall
from fpgacnn.hardware.estimation.graph.wiring import Wiring
from fpgacnn.hardware.estimation.memory import Fifo, fifo_blocks, fifos, table_blocks, values_at_once, weight_blocks
from fpgacnn.hardware.estimation.multiply import Multiplication, multiplication
from fpgacnn.hardware.estimation.pipeline.design import one_pipeline
from fpgacnn.hardware.estimation.pipeline.layers import is_one_pipeline
from fpgacnn.hardware.estimation.primitives import Primitive, PrimitiveCounts, copies_of, layer_primitives
from fpgacnn.hardware.estimation.timing import LayerTiming, TimingBudget, design_timing, layer_timing


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerQuantities:
    """The quantities of one layer. `graph_bits`: bits of the adders of distributed arithmetic."""

    layer: TemplateCall
    product: Multiplication
    timing: LayerTiming
    primitives: PrimitiveCounts
    queues: tuple[Fifo, ...]
    dsp: float
    weight_blocks: int
    table_blocks: int
    fifo_blocks: int
    graph_bits: int = 0

    @property
    def bram_18k(self) -> int:
        """All block RAM of the layer and of the streams that it writes."""
        return self.weight_blocks + self.table_blocks + self.fifo_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """A whole design."""

    layers: tuple[LayerQuantities, ...]
    timing: LayerTiming


def quantities(model: HardwareGraph, device: Device) -> Quantities:
    """Count the instances of the templates."""
    budget = TimingBudget.of(model, device)
    wiring = Wiring.of(model)
    layers = tuple(layer_quantities(layer, model, device, budget, wiring) for layer in model.layers)
    return whole_design(layers, model, budget)


def whole_design(layers: tuple[LayerQuantities, ...], model: HardwareGraph, budget: TimingBudget) -> Quantities:
    """The layers of a design together: its cycles, and, in one pipeline, the registers between layers."""
    if not is_one_pipeline(model):
        return Quantities(layers=layers, timing=design_timing([one.timing for one in layers], model))
    whole = one_pipeline(model, {one.layer.name: one.timing for one in layers}, budget)
    waiting = (whole.waiting_bits.get(one.layer.name, 0.0) for one in layers)
    return Quantities(
        layers=tuple(
            replace(one, primitives={**one.primitives, Primitive.WAITING: bits})
            for one, bits in zip(layers, waiting, strict=True)
        ),
        timing=whole.timing,
    )


def layer_quantities(
    layer: TemplateCall, model: HardwareGraph, device: Device, budget: TimingBudget, wiring: Wiring
) -> LayerQuantities:
    """The quantities of one layer.

    They do not depend on strategies and reuse factors of other layers, except by `model.dataflow` and the depths.
    """
    product, queues = multiplication(layer, model, device), fifos(layer, model, wiring)
    timing = layer_timing(layer, model, product, budget)
    return LayerQuantities(
        layer=layer,
        product=product,
        timing=timing,
        primitives=layer_primitives(
            layer, model, product, budget, queues, timing, wiring.live.get(layer.name, values_at_once(layer, model))
        ),
        queues=queues,
        dsp=product.dsp * copies_of(layer, model),
        weight_blocks=weight_blocks(layer, model, product),
        table_blocks=table_blocks(layer, model, values_at_once(layer, model)),
        fifo_blocks=sum(fifo_blocks(queue, model) for queue in queues),
        graph_bits=layer.adder_graph.bits * copies_of(layer, model) if layer.adder_graph else 0,
    )
