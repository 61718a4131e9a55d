"""Count what an RTL design takes, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fpgacnn.design import Design
from fpgacnn.hardware.estimation.rtl.amounts import (
    Amounts,
    chain,
    counter,
    memory,
    of_kernel,
    of_memory,
    of_module,
    total,
)
from fpgacnn.hardware.rtl.folded import BLOCK_MEMORY_LINES
from fpgacnn.hardware.rtl.top import BuiltTop, build

OUTSIDE = ""
"""The name under which the entrance and the answers are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The amounts of every layer, and of what stands around them."""

    built: BuiltTop
    layers: Mapping[str, Amounts]

    @property
    def total(self) -> Amounts:
        """The whole design."""
        return total(self.layers.values())


def counted(design: Design, *, dsp: bool = True) -> Counted:
    """Count a design; `dsp`: multipliers of the part may be used.

    Raises RtlUnsupportedError.
    """
    built = build(design)
    netlist = built.netlist
    found: dict[str, Amounts] = {OUTSIDE: _outside(design, built)}

    def add(layer: str, amounts: Amounts) -> None:
        found[layer] = found.get(layer, Amounts()) + amounts

    for name, kernel in netlist.kernels.items():
        one = of_kernel(kernel, dsp=dsp)
        add(netlist.layer_of[name], total([one] * netlist.copies.get(name, 1)))
    for name, text in netlist.memories.items():
        lines, width = _size(text)
        add(netlist.layer_of[name], of_memory(lines, width, BLOCK_MEMORY_LINES))
    for use in netlist.uses:
        add(use.layer, of_module(use))
    return Counted(built=built, layers=found)


def _size(text: str) -> tuple[int, int]:
    """Lines and width of a memory, from its first line."""
    words = text.split(maxsplit=6)
    return int(words[1]), int(words[4])


def _outside(design: Design, built: BuiltTop) -> Amounts:
    """The counters of the inputs' words, the FIFOs of the answers, and their credits."""
    amounts = [Amounts(fabric=4, registers=1)]
    amounts += [counter(stream.tokens) for stream in built.inputs.values() if stream.tokens > 1]
    for name in design.model.outputs:
        stream = built.streams[name]
        words = built.frames * stream.tokens
        bits = max(1, (words - 1).bit_length())
        amounts += [
            memory(stream.bits, 1 << bits),
            Amounts(fabric=5 * bits + 6, registers=3 * bits + 1),
            counter(built.frames),
            counter(stream.tokens) if stream.tokens > 1 else chain(0, 0),
        ]
    return total(amounts)
