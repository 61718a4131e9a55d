"""The pieces of logic that a layer is built of, counted in bits; fitted constants turn them into LUTs and flip-flops."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import ceil, prod
from typing import TypeAlias

from fpgacnn.design import BackendName, IoType
from fpgacnn.estimation.memory import SHIFT_REGISTER_DEPTH, Fifo, fifo_blocks, values_at_once
from fpgacnn.estimation.multiply import Multiplication
from fpgacnn.estimation.timing import Pace
from fpgacnn.structure import CostModel, LayerStructure, Role

FULL_MUX_INPUTS = 256
MULTIPLEXED = 8


class Piece(StrEnum):
    """What is counted; the unit is bits unless the name says otherwise."""

    LAYERS = "layers"
    ADD = "adders of sums"
    SHIFT_ADD = "adders of two-digit constants"
    CONSTANT_MULTIPLY = "constant multipliers in LUTs, bits times bits"
    MULTIPLY = "multipliers in LUTs, bits times bits"
    DSP = "DSP slices"
    SHARE = "operands of shared constant multipliers"
    SELECT = "inputs that a reuse loop selects from"
    FULL_SELECT = "a selection from all inputs for each multiplier"
    ACCUMULATE = "accumulators"
    WINDOW = "windows of streamed convolutions and pools"
    LINE = "line buffers"
    COMPARE = "comparisons and casts"
    ROUND = "casts that round or saturate"
    POOL = "comparisons and sums of pools"
    SOFTMAX = "softmax values"
    TABLE = "table lookups"
    MOVE = "values that are moved"
    RECURRENT = "states of recurrent layers"
    FIFOS = "FIFOs"
    FIFO_SHIFT = "FIFOs in shift registers"
    FIFO_BLOCK = "words of FIFOs in block RAM"
    STAGES = "pipeline registers of sums"


Pieces: TypeAlias = Mapping[Piece, float]


def layer_pieces(layer: LayerStructure, model: CostModel, product: Multiplication, pace: Pace, queues: tuple[Fifo, ...]) -> Pieces:
    """All that a layer is built of, its output streams included; every piece is named, nothing may be left out."""
    found = dict.fromkeys(Piece, 0.0)
    parts = [{Piece.LAYERS: 1.0}, _arithmetic(layer, model, product, pace), _elementwise(layer, model)]
    if model.io is IoType.STREAM:
        parts.append(_buffers(layer))
    for part in (*parts, *(_queue(queue, model) for queue in queues)):
        for piece, amount in part.items():
            found[piece] += amount
    return found


def _arithmetic(layer: LayerStructure, model: CostModel, product: Multiplication, pace: Pace) -> dict[Piece, float]:
    if layer.role not in {Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE, Role.RECURRENT, Role.SCALE}:
        return {}
    inputs, outputs = layer.products
    copies = copies_of(layer, model)
    width = layer.accumulator.width if layer.accumulator else layer.output.width
    found: dict[Piece, float] = {
        Piece.ADD: product.terms * width,
        Piece.SHIFT_ADD: product.shift_bits,
        Piece.CONSTANT_MULTIPLY: product.constant_area,
        Piece.MULTIPLY: product.variable_area,
        Piece.DSP: product.dsp,
        Piece.ACCUMULATE: outputs * width,
        Piece.STAGES: product.terms * width / max(1, pace.budget_ns / (2.1 if pace.seven_series else 0.85)),
    }
    if product.in_memory and layer.reuse > 1:
        found[Piece.SELECT] = inputs * layer.input.width
        if inputs <= FULL_MUX_INPUTS and model.tool is BackendName.VIVADO:
            found[Piece.FULL_SELECT] = product.built * (1 << (inputs - 1).bit_length()) * layer.input.width / MULTIPLEXED
    elif product.rounds > 1:
        found[Piece.SHARE] = product.needed * layer.input.width
    return {piece: copies * amount for piece, amount in found.items()}


def copies_of(layer: LayerStructure, model: CostModel) -> int:
    """How often the hardware of one position is built: once, but for pipelines of everything, where each has its own."""
    unrolled = model.io is IoType.PARALLEL and not model.dataflow and layer.role in {Role.CONVOLUTION, Role.DEPTHWISE}
    return max(1, layer.positions) if unrolled else 1


def _elementwise(layer: LayerStructure, model: CostModel) -> dict[Piece, float]:
    values = values_at_once(layer, model)
    match layer.role:
        case Role.COMPARE | Role.SCALE | Role.MERGE:
            piece = Piece.ROUND if layer.output.rounds or layer.output.saturates else Piece.COMPARE
            return {piece: values * layer.input.width}
        case Role.POOL | Role.GLOBAL_POOL | Role.ARGMAX:
            window = prod(layer.window) if layer.role is Role.POOL else 2
            return {Piece.POOL: values * window * layer.input.width}
        case Role.SOFTMAX:
            wide = layer.table.width if layer.table else 18
            return {Piece.SOFTMAX: values * wide}
        case Role.TABLE:
            return {Piece.TABLE: values * layer.input.width}
        case Role.PAD | Role.MOVE | Role.UNKNOWN:
            return {Piece.MOVE: values * layer.output.width}
        case Role.RECURRENT:
            return {Piece.RECURRENT: layer.out_shape[2] * layer.output.width}
        case Role.INPUT | Role.DENSE | Role.CONVOLUTION | Role.DEPTHWISE:
            return {}


def _buffers(layer: LayerStructure) -> dict[Piece, float]:
    if layer.role not in {Role.CONVOLUTION, Role.DEPTHWISE, Role.POOL}:
        return {Piece.WINDOW: prod(layer.in_shape) * layer.input.width} if layer.role is Role.DENSE else {}
    rows, columns = layer.window
    channels = layer.in_shape[2] * layer.input.width
    return {Piece.WINDOW: rows * columns * channels, Piece.LINE: (rows - 1) * ceil(layer.in_shape[1] / 32) * channels}


def _queue(queue: Fifo, model: CostModel) -> dict[Piece, float]:
    queues = queue.channels if model.tool is BackendName.VIVADO else 1
    if fifo_blocks(queue, model):
        return {Piece.FIFOS: queues, Piece.FIFO_BLOCK: queue.channels * queue.bits}
    short = queue.depth <= SHIFT_REGISTER_DEPTH
    return {Piece.FIFOS: queues, Piece.FIFO_SHIFT: queue.channels * queue.bits * (1 if short else queue.depth / 16)}
