"""A design taken apart: multipliers, cycles, memory and pieces of logic of every layer, before any constant is applied."""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn.estimation.logic import Pieces, copies_of, layer_pieces
from fpgacnn.estimation.memory import Fifo, fifo_blocks, fifos, table_blocks, values_at_once, weight_blocks
from fpgacnn.estimation.multiply import Multiplication, multiplication
from fpgacnn.estimation.timing import Pace, Timing, design_timing, layer_timing
from fpgacnn.structure import CostModel, LayerStructure
from fpgacnn.targets import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerAmounts:
    """What one layer is built of."""

    layer: LayerStructure
    product: Multiplication
    timing: Timing
    pieces: Pieces
    queues: tuple[Fifo, ...]
    dsp: float
    weight_blocks: int
    table_blocks: int
    fifo_blocks: int

    @property
    def bram_18k(self) -> int:
        """All block RAM of the layer and of the streams that it writes."""
        return self.weight_blocks + self.table_blocks + self.fifo_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """A whole design."""

    layers: tuple[LayerAmounts, ...]
    timing: Timing


def take_apart(model: CostModel, device: Device) -> Amounts:
    """Count what the templates instantiate."""
    pace = Pace.of(model, device)
    layers = tuple(_layer(layer, model, device, pace) for layer in model.layers)
    return Amounts(layers=layers, timing=design_timing([one.timing for one in layers], model))


def _layer(layer: LayerStructure, model: CostModel, device: Device, pace: Pace) -> LayerAmounts:
    product, queues = multiplication(layer, model, device), fifos(layer, model)
    return LayerAmounts(
        layer=layer,
        product=product,
        timing=layer_timing(layer, model, product, pace),
        pieces=layer_pieces(layer, model, product, pace, queues),
        queues=queues,
        dsp=product.dsp * copies_of(layer, model),
        weight_blocks=weight_blocks(layer, product),
        table_blocks=table_blocks(layer, model, values_at_once(layer, model)),
        fifo_blocks=sum(fifo_blocks(queue, model) for queue in queues),
    )
