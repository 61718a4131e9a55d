"""Block RAM in halves of 18 Kb: weights, tables, and the streams between layers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from fpgacnn.design import BackendName, IoType
from fpgacnn.estimation.multiply import Multiplication
from fpgacnn.structure import CostModel, LayerStructure, Role

WORDS, BITS = 1024, 18
"""One 18 Kb block as tools use it for FIFOs and tables."""

SMALL_ROM_BITS = 1024
SINCE_2023 = ("2023", "2024", "2025")
SHIFT_REGISTER_DEPTH = 16
SMALL_FIFO_BITS = 512
SMALL_STREAM_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Fifo:
    """The buffer of one stream: `channels` queues of `bits`, or one of all bits, `depth` places each."""

    depth: int
    channels: int
    bits: int

    @property
    def total_bits(self) -> int:
        """Bits that it can hold."""
        return self.depth * self.channels * self.bits


def fifos(layer: LayerStructure, model: CostModel) -> tuple[Fifo, ...]:
    """The streams that a layer writes: one, or a copy for each reader; the network's outputs have none."""
    if model.io is not IoType.STREAM or layer.role is Role.INPUT or layer.name in model.outputs:
        return ()
    depth = model.fifo_depths.get(layer.name, max(1, layer.positions))
    readers = len(model.readers(layer.name))
    return (Fifo(depth=depth, channels=layer.out_shape[2], bits=layer.output.width),) * (readers + 1 if readers > 1 else 1)


def fifo_blocks(fifo: Fifo, model: CostModel) -> int:
    """Block RAM of a stream: short and narrow ones are shift registers."""
    if model.tool is BackendName.VIVADO:
        small = fifo.depth <= SHIFT_REGISTER_DEPTH or fifo.depth * fifo.bits <= SMALL_FIFO_BITS
        return 0 if small else fifo.channels * _blocks(fifo.depth, fifo.bits)
    bits = fifo.bits * fifo.channels
    if model.version and not model.version.startswith(SINCE_2023):
        small = fifo.depth <= SHIFT_REGISTER_DEPTH or fifo.depth * bits <= SMALL_STREAM_BITS
        return 0 if small else 2 * ceil(bits / 72) * ceil(fifo.depth / WORDS)
    return 0 if fifo.depth <= 2 or fifo.depth * bits < SMALL_STREAM_BITS else _blocks(fifo.depth, bits)


def _blocks(depth: int, bits: int) -> int:
    """A memory of any depth: up to 1,024 words in columns of 18 bits, deeper ones rounded up to a power of two."""
    if depth <= WORDS:
        return ceil(bits / BITS)
    return ceil((1 << (depth - 1).bit_length()) * bits / (WORDS * 16))


def weight_blocks(layer: LayerStructure, product: Multiplication) -> int:
    """Weights that are read from memory: all multipliers' words side by side, as deep as each is used."""
    if not product.in_memory or layer.reuse == 1 or layer.weight is None:
        return 0
    width, depth = int(product.built) * layer.weight.width, layer.reuse
    if width * depth <= SMALL_ROM_BITS:
        return 0
    if depth <= WORDS // 2:
        return ceil(width / (2 * BITS))
    return ceil(width * depth / (WORDS * BITS)) + 1


def table_blocks(layer: LayerStructure, model: CostModel, values: int) -> int:
    """Tables of functions: two lookups share a block, because it has two ports."""
    if layer.table is None:
        return 0
    entries = layer.table_entries or WORDS
    if entries * layer.table.width <= SMALL_ROM_BITS:
        return 0
    one = max(1, ceil(entries * layer.table.width / (WORDS * BITS)))
    if layer.role is not Role.SOFTMAX:
        return ceil(values / 2) * one
    if model.io is IoType.STREAM and model.tool is BackendName.VIVADO:
        return 2 * one
    if model.tool is BackendName.VIVADO:
        return (ceil(values / 2) + 1) * one
    return max(2, values) * one


def values_at_once(layer: LayerStructure, model: CostModel) -> int:
    """Values that an elementwise layer handles in one cycle: a pixel of a stream, or everything."""
    return layer.out_shape[2] if model.io is IoType.STREAM else prod(layer.out_shape)
