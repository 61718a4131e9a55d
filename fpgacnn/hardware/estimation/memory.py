"""Count block RAM in blocks of 18 Kb: weights, tables, and the streams between layers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.hardware.estimation import moved
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.graph.wiring import Wiring
from fpgacnn.hardware.estimation.multiply import PARTITION_LIMIT, Multiplication

WORDS, BITS = 1024, 18
"""The shape of an 18 Kb block for FIFOs and tables."""

SMALL_ROM_BITS = 1024
TABLE_LOOP = 20_000
"""Words of a table of outputs that tools still compute themselves: 10,000 they do, 39,200 they do not."""

INDEX_BITS, REMAINDER_CYCLES = 32, 4
"""Bits of a C++ int in memory; cycles of a remainder besides one for each of its bits."""

SINCE_2023 = ("2023", "2024", "2025")
SHIFT_REGISTER_DEPTH = 16
SMALL_FIFO_BITS = 512
SMALL_STREAM_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Fifo:
    """`channels` parallel queues of `bits` bits and `depth` places; `name` is that of the FIFO of a stream."""

    depth: int
    channels: int
    bits: int
    name: str = ""

    @property
    def total_bits(self) -> int:
        """Their capacity in bits."""
        return self.depth * self.channels * self.bits


def fifos(layer: TemplateCall, model: HardwareGraph, wiring: Wiring | None = None) -> tuple[Fifo, ...]:
    """The queues of a layer's result: for a stream, one for each channel (Vivado HLS) or one (Vitis), for each reader.

    Between tasks that hand over arrays every element is a queue of two places; and what Vivado HLS reads as one word,
    the network's input, waits in one.
    """
    if not model.dataflow or layer.role is Role.INPUT:
        return ()
    if model.io is IoType.PARALLEL:
        waiting = _input_word(layer, model)
        return (
            waiting
            if layer.name in model.outputs
            else (*waiting, Fifo(depth=2, channels=prod(layer.out_shape), bits=layer.output.width))
        )
    wiring = wiring or Wiring.of(model)
    return tuple(_stream(name, layer, model, wiring) for name in wiring.owned.get(layer.name, ()))


def _stream(name: str, layer: TemplateCall, model: HardwareGraph, wiring: Wiring) -> Fifo:
    """The FIFO of a stream by its name: a layer's result, or a copy of a result or of an input."""
    own = name == layer.name or name in wiring.copies.get(layer.name, ())
    shape, width = (layer.out_shape, layer.output.width) if own else (layer.in_shape, layer.input.width)
    merged = model.tool is BackendName.VITIS
    return Fifo(
        depth=model.fifo_depths.get(name, max(1, shape[0] * shape[1])),
        channels=1 if merged else shape[2],
        bits=shape[2] * width if merged else width,
        name=name,
    )


def _input_word(layer: TemplateCall, model: HardwareGraph) -> tuple[Fifo, ...]:
    written = {other.name for other in model.layers if other.role is not Role.INPUT}
    first = not written & set(layer.inputs) and layer.role is not Role.RECURRENT
    if model.tool is BackendName.VITIS or not first:
        return ()
    return (Fifo(depth=2, channels=1, bits=prod(layer.in_shape) * layer.input.width),)


def fifo_blocks(fifo: Fifo, model: HardwareGraph) -> int:
    """Block RAM of queues: short and narrow ones are shift registers.

    Vitis HLS up to 2022 takes pairs of blocks as 1,024 words of 72 bits; later versions 1,024 words of 18 bits, or
    2,048 of 9 for deeper queues, which are rounded up to a power of two.
    """
    if model.tool is BackendName.VIVADO:
        return 0 if fifo.depth * fifo.bits <= SMALL_FIFO_BITS else fifo.channels * _blocks(fifo.depth, fifo.bits)
    if model.version and not model.version.startswith(SINCE_2023):
        small = fifo.depth <= SHIFT_REGISTER_DEPTH or fifo.depth * fifo.bits <= SMALL_STREAM_BITS
        return 0 if small else 2 * ceil(fifo.bits / 72) * ceil(fifo.depth / WORDS)
    if fifo.depth <= 2 or fifo.depth * fifo.bits < SMALL_STREAM_BITS:
        return 0
    if fifo.depth <= WORDS:
        return ceil(fifo.bits / BITS)
    return ceil(fifo.bits / (BITS // 2)) * (1 << (fifo.depth - 1).bit_length()) // (2 * WORDS)


def _blocks(depth: int, bits: int) -> int:
    """A memory of any depth: up to 1,024 words in columns of 18 bits, deeper ones rounded up to a power of two."""
    if depth <= WORDS:
        return ceil(bits / BITS)
    return ceil((1 << (depth - 1).bit_length()) * bits / (WORDS * 16))


def fifo_registers(fifo: Fifo, model: HardwareGraph) -> int:
    """Flip-flops of queues: counters, and what stands at a memory's output.

    Vitis HLS up to 2022 registers both ends.
    """
    if model.tool is BackendName.VIVADO:
        each = fifo.bits + 30 if fifo_blocks(fifo, model) else 5
    elif model.version and not model.version.startswith(SINCE_2023):
        each = 2 * fifo.bits + 4
    else:
        each = 100 if fifo.depth <= 2 else 160
    return fifo.channels * each


def inputs_in_memory(layer: TemplateCall, model: HardwareGraph, product: Multiplication) -> bool:
    """Whether a reuse loop reads its inputs from block RAM, because there are too many to be split into registers."""
    dense = layer.role is Role.DENSE and product.in_memory and layer.reuse > 1
    return dense and model.tool is BackendName.VIVADO and layer.products[0] > PARTITION_LIMIT


def weight_blocks(layer: TemplateCall, model: HardwareGraph, product: Multiplication) -> int:
    """Weights that are read from memory: all multipliers' words side by side, as deep as each is used.

    Inputs that are too many for registers lie in block RAM, too.
    """
    if not product.in_memory or layer.weight is None:
        return 0
    inputs, outputs = layer.products
    blocks = _rom_blocks(inputs * outputs, layer.reuse, layer.weight.width)
    if words := table_of_outputs(layer):
        bits = INDEX_BITS if words > TABLE_LOOP else (outputs - 1).bit_length()
        blocks += _rom_blocks(words, words, bits)
    if inputs_in_memory(layer, model, product):
        blocks += _blocks(inputs, layer.input.width)
    if layer.role is Role.RECURRENT:
        blocks += _rom_blocks(layer.out_shape[2] * outputs, layer.recurrent_reuse, layer.weight.width)
    return blocks


def table_of_outputs(layer: TemplateCall) -> int:
    """Words of the table that names the output of each product, where a reuse loop takes all inputs several times.

    The template `dense_resource_rf_gt_nin_rem0` has it: a reuse factor above the number of inputs that divides by it.
    """
    inputs = layer.products[0]
    dense = layer.role is Role.DENSE and layer.strategy is Strategy.RESOURCE
    return layer.reuse if dense and layer.reuse > inputs and layer.reuse % inputs == 0 else 0


def table_cycles(layer: TemplateCall) -> int:
    """Cycles of filling that table for each event, where it is too long for the tool to compute it.

    A loop (`IndexLoop`) that is not pipelined counts the words and takes the remainder by the number of inputs: a
    division, with a cycle for each bit. One published report has 39,200 times 20 cycles: a counter of 16 bits.
    """
    words = table_of_outputs(layer)
    return words * (words.bit_length() + REMAINDER_CYCLES) if words > TABLE_LOOP else 0


def _rom_blocks(count: int, reuse: int, bits: int) -> int:
    if reuse == 1 or count * bits <= SMALL_ROM_BITS:
        return 0
    width = ceil(count / reuse) * bits
    if width * reuse <= SMALL_ROM_BITS:
        return 0
    return ceil(width / (2 * BITS)) if reuse <= WORDS // 2 else ceil(width * reuse / (WORDS * BITS)) + 1


def table_blocks(layer: TemplateCall, model: HardwareGraph, values: int) -> int:
    """Tables of functions, of which two lookups share a block, because it has two ports; and values that are moved."""
    waiting = moved.memories(layer)
    if waiting is not None:
        small = waiting.depth * layer.input.width <= SMALL_ROM_BITS
        return 0 if small else waiting.count * _blocks(waiting.depth, layer.input.width)
    if layer.role is Role.RECURRENT:
        return ceil(layer.gates * layer.out_shape[2] / 2)
    if layer.table is None:
        return 0
    entries = layer.table_entries or WORDS
    if entries * layer.table.width <= SMALL_ROM_BITS:
        return 0
    one = max(1, ceil(entries * layer.table.width / (WORDS * BITS)))
    if layer.role is not Role.SOFTMAX:
        return ceil(values / 2) * one
    if model.tool is BackendName.VIVADO:
        return (2 if model.io is IoType.STREAM else ceil(values / 2) + 1) * one
    return (max(2, values) if model.version.startswith("2021") else 2 * (ceil(values / 2) + 1)) * one


def values_at_once(layer: TemplateCall, model: HardwareGraph) -> int:
    """Values that an elementwise layer computes in one cycle: a pixel of a stream, or all."""
    return layer.out_shape[2] if model.io is IoType.STREAM else prod(layer.out_shape)
