"""Cycles and memories of streamed layers that move values through memories (`nnet_in_memory.h`)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from fpgacnn.hardware.estimation.graph.graph import TemplateCall
from fpgacnn.hardware.hls.moves import in_memory

LOOP_CYCLES = 2
"""Cycles between two pipelined loops: the first one ends, and the second one reads a memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memories:
    """So many memories of `depth` values side by side; `selected` values are chosen from in a cycle."""

    count: int
    depth: int
    selected: int = 0


def resized_row(image: tuple[int, int], after: tuple[int, int]) -> int:
    """Cycles of a row of an image that is resized through memory; sizes are (rows, columns)."""
    repeats = after[0] // image[0]
    return after[1] * repeats + LOOP_CYCLES * (1 if repeats == 1 else 2)


def transposed_block(words: tuple[int, int], each: int) -> int:
    """Cycles of a block of so many words before and after; each of the latter takes `each` cycles."""
    read, written = words
    return read + each * written + 2 * LOOP_CYCLES


def cycles(layer: TemplateCall) -> int | None:
    """Cycles of a frame; None for layers of other templates."""
    before, after = layer.in_shape, layer.out_shape
    match layer.what:
        case in_memory.RESIZE:
            return before[0] * resized_row(before[:2], after[:2])
        case in_memory.PIXELS | in_memory.BANKS:
            read, written = (prod(one[:2]) // layer.blocks for one in (before, after))
            return layer.blocks * transposed_block((read, written), layer.groups)
        case _:
            return None


def memories(layer: TemplateCall) -> Memories | None:
    """The memories of a layer; None for layers of other templates."""
    channels = layer.in_shape[2]
    match layer.what:
        case in_memory.RESIZE:
            return Memories(count=channels, depth=layer.in_shape[1])
        case in_memory.PIXELS:
            return Memories(count=channels, depth=prod(layer.in_shape[:2]) // layer.blocks)
        case in_memory.BANKS:
            count = channels * max(1, layer.out_shape[2] // layer.groups)
            return Memories(count=count, depth=max(1, prod(layer.in_shape) // (layer.blocks * count)), selected=count)
        case _:
            return None
