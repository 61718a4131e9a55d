"""What kernels and library modules of an RTL design take, counted from their graphs and parameters.

Counts are of look-up tables with six inputs as Yosys maps them, before the factors that `constants.py` has from
netlists. A register that nothing resets, and that only the next one reads, becomes a shift register from the third on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from fpgacnn.hardware.rtl.kernels.arithmetic import ROUNDINGS, ArithmeticNode, Op
from fpgacnn.hardware.rtl.kernels.module import Kernel
from fpgacnn.hardware.rtl.stream import ModuleUse
from fpgacnn.ir.fixed_point import Rounding

FEWEST_SHIFTED, SHIFT_WORDS = 3, 32
"""Registers from which Yosys makes a shift register, and the most that one table holds."""

MEMORY_BITS, MEMORY_TABLES, MEMORY_WORDS = 14, 8, 32
"""A RAM32M16 is 8 tables for 32 words of 14 bits that are read at another address; an ECP5 has 16 words in 4 tables."""

BLOCK_BITS, BLOCK_WORDS = 36, 512
TABLE_INPUTS = 6
DSP_BITS = 9
"""Bits of a product from which Yosys takes a multiplier of the part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What is counted, before the factors of a family.

    `logic`: tables of kernels. `fabric`: those of modules. `shift_tables`: tables as shift registers, or `shift_bits`
    registers where a family has none. `ram_tables`: tables as memory of AMD's families, `ram_tables_ecp5` of an ECP5.
    """

    logic: float = 0.0
    fabric: float = 0.0
    shift_tables: int = 0
    shift_bits: int = 0
    ram_tables: int = 0
    ram_tables_ecp5: int = 0
    registers: float = 0.0
    multipliers: int = 0
    blocks: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            logic=self.logic + other.logic,
            fabric=self.fabric + other.fabric,
            shift_tables=self.shift_tables + other.shift_tables,
            shift_bits=self.shift_bits + other.shift_bits,
            ram_tables=self.ram_tables + other.ram_tables,
            ram_tables_ecp5=self.ram_tables_ecp5 + other.ram_tables_ecp5,
            registers=self.registers + other.registers,
            multipliers=self.multipliers + other.multipliers,
            blocks=self.blocks + other.blocks,
        )


def total(amounts: Iterable[Amounts]) -> Amounts:
    """The sum of amounts."""
    return sum(amounts, Amounts())


def chain(bits: int, words: int, *, reset: bool = False) -> Amounts:
    """Registers of `bits` bits one behind the other."""
    if words >= FEWEST_SHIFTED and not reset:
        return Amounts(shift_tables=bits * ceil(words / SHIFT_WORDS), shift_bits=bits * words)
    return Amounts(registers=bits * words)


def memory(bits: int, words: int) -> Amounts:
    """A memory in tables that is read without a clock."""
    amd = MEMORY_TABLES * ceil(bits / MEMORY_BITS) * ceil(words / MEMORY_WORDS)
    return Amounts(ram_tables=amd, ram_tables_ecp5=4 * ceil(bits / 4) * ceil(words / 16))


def counter(most: int) -> Amounts:
    """A register that counts up to a number, with its comparison."""
    bits = max(1, most.bit_length())
    return Amounts(fabric=1.5 * bits + 2, registers=bits)


def bits_of(node: ArithmeticNode) -> int:
    """Bits of a value that change: one that is never negative has no sign."""
    return node.width - (1 if node.low >= 0 else 0)


def of_kernel(kernel: Kernel, *, dsp: bool) -> Amounts:
    """A kernel: its nodes, and the registers between its stages; `dsp`: multipliers of the part may be used."""
    nodes = kernel.graph.nodes
    stage, _ = kernel.stages()
    logic, multipliers = 0.0, 0
    for number in stage:
        node = nodes[number]
        args = [nodes[one] for one in node.args]
        if node.op is Op.MULTIPLY and dsp and sum(map(bits_of, args)) >= DSP_BITS:
            multipliers += 1
        else:
            logic += _tables(node, args)
    return Amounts(logic=logic, multipliers=multipliers) + total(_registers(kernel, stage))


def _tables(node: ArithmeticNode, args: list[ArithmeticNode]) -> float:
    """Tables of a node, roughly: one for each bit of a carry chain or a selection."""
    given = max(map(bits_of, args), default=0)
    match node.op:
        case Op.INPUT | Op.CONSTANT | Op.SHIFT | Op.WRAP:
            return 0.0
        case Op.ADD:
            return _adder_tables(node, args)
        case Op.ROUND:
            places, mode = node.data
            sticky = 0 if ROUNDINGS[mode] is Rounding.RND else places / 5
            return bits_of(node) + sticky
        case Op.CLIP | Op.ZERO_OUTSIDE:
            return 2 * given + bits_of(node)
        case Op.RELU | Op.SELECT:
            return bits_of(node)
        case Op.MAXIMUM | Op.MINIMUM:
            return given + bits_of(node)
        case Op.AT_LEAST:
            return given
        case Op.MULTIPLY:
            return bits_of(args[0]) * bits_of(args[1])
        case Op.TABLE:
            return bits_of(node) * 2.0 ** max(0, len(node.data).bit_length() - 1 - TABLE_INPUTS)


def _adder_tables(node: ArithmeticNode, args: list[ArithmeticNode]) -> float:
    """Tables of an adder: none below the shift of a term, and none at all for terms whose bits do not meet."""
    left, right, sign = node.data
    low, shift = (args[0], right) if left == 0 else (args[1], left)
    if sign > 0 and low.low >= 0 and bits_of(low) <= shift:
        return 0.0
    passed = right if left == 0 else left if sign > 0 else 0
    return max(0, bits_of(node) - passed)


def _registers(kernel: Kernel, stage: Mapping[int, int]) -> Iterable[Amounts]:
    """The registers of every node, cut where an earlier stage reads them."""
    nodes = kernel.graph.nodes
    read: dict[int, set[int]] = {}
    for number, at in stage.items():
        for one in nodes[number].args:
            read.setdefault(one, set()).add(at)
    for number, last in kernel.registers().items():
        begin = stage[number]
        for end in sorted({*(at for at in read.get(number, ()) if begin < at < last), last}):
            yield chain(bits_of(nodes[number]), end - begin)
            begin = end


def of_memory(lines: int, width: int, most_lines: int) -> Amounts:
    """A memory of constants with its register, and the one behind it."""
    if lines > most_lines:
        blocks = ceil(width / BLOCK_BITS) * ceil(lines / BLOCK_WORDS)
        return Amounts(blocks=blocks, registers=width)
    return Amounts(fabric=width * 2.0 ** max(0, (lines - 1).bit_length() - TABLE_INPUTS), registers=2 * width)


def of_module(use: ModuleUse) -> Amounts:
    """An instance of a library module.

    Raises KeyError for a module that has no count, which a test excludes.
    """
    values = {name: value for name, value in use.parameters.items() if isinstance(value, int)}
    return MODULES[use.kind](values, data=use.data)


def _accumulate(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    bits = p["N"] * p["AW"]
    return Amounts(fabric=bits, registers=bits + 1)


def _collect(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    return Amounts(registers=p["P"] * p["DW"] + 1) + counter(p["P"])


def _credits(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    return Amounts(fabric=4) + counter(p["F"])


def _crop(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    return Amounts(fabric=6, registers=p["DW"] + 1) + counter(p["H"]) + counter(p["W"])


def _delay(p: Mapping[str, int], *, data: bool) -> Amounts:
    words = chain(p["DW"], p["N"]) if data else Amounts()
    return words + chain(1, p["N"], reset=True)


def _fifo(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    bits = max(1, (p["DEPTH"] - 1).bit_length())
    return memory(p["DW"], 1 << bits) + Amounts(fabric=5 * bits + 6, registers=3 * bits + 1)


def _frame(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    return counter(p["P"]) if p["P"] > 1 else Amounts()


def _maxpool(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    bits = p["C"] * p["EW"]
    line = chain(bits, p["W"] // p["KW"])
    counters = (counter(p["H"]), counter(p["W"]), counter(p["KH"]), counter(p["KW"]))
    return Amounts(fabric=4 * bits, registers=2 * bits + 4) + line + total(counters)


def _pace(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    return counter(p["PACE"])


def _pad(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    rows, columns = p["H"] + p["PT"] + p["PB"], p["W"] + p["PL"] + p["PR"]
    return Amounts(fabric=p["DW"] + 8, registers=p["DW"] + 1) + counter(rows) + counter(columns)


def _reduce(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    bits = p["N"] * p["AW"]
    return Amounts(fabric=bits * (2 if p["MAXIMUM"] else 1), registers=bits + 1)


def _sequence(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    word = p["R"] * p["G"] * p["EW"]
    return Amounts(fabric=word, registers=word) + counter(p["R"]) + counter(p["P"] * p["R"])


def _split(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    word = p["P"] * p["DW"]
    return Amounts(fabric=word - p["DW"], registers=word) + counter(p["P"])


def _upsample(p: Mapping[str, int], *, data: bool) -> Amounts:
    del data
    counters = (counter(p["W"]), counter(p["FH"]), counter(p["FW"]))
    return memory(p["DW"], p["W"]) + Amounts(fabric=p["DW"] + 4, registers=p["DW"] + 1) + total(counters)


def _window(p: Mapping[str, int], *, data: bool) -> Amounts:
    """Cells, lines between rows, counters, and, with padding, a register of the window.

    Where cells lie in the padding it is set or reset to their constant, which takes no table.
    """
    del data
    word, cells = p["C"] * p["EW"], p["KH"] * p["KW"]
    lines = chain(word, max(0, p["W"] - p["KW"]))
    flags = p["PT"] + p["PB"] + p["PL"] + p["PR"]
    padded = Amounts(fabric=cells, registers=cells * word + 1) if flags else Amounts()
    phases = [counter(one) for one in (p["SH"], p["SW"], p["PACE"]) if one > 1]
    counters = (counter(p["H"] * p["W"]), counter(p["H"] + p["KH"]), counter(p["W"] + p["KW"]), *phases)
    return (
        Amounts(fabric=12 + flags, registers=cells * word + 2 + flags)
        + padded
        + total([lines] * (p["KH"] - 1))
        + total(counters)
    )


MODULES = {
    "fpgacnn_accumulate": _accumulate,
    "fpgacnn_collect": _collect,
    "fpgacnn_credits": _credits,
    "fpgacnn_crop": _crop,
    "fpgacnn_delay": _delay,
    "fpgacnn_fifo": _fifo,
    "fpgacnn_frame": _frame,
    "fpgacnn_maxpool": _maxpool,
    "fpgacnn_pace": _pace,
    "fpgacnn_pad": _pad,
    "fpgacnn_reduce": _reduce,
    "fpgacnn_sequence": _sequence,
    "fpgacnn_split": _split,
    "fpgacnn_upsample": _upsample,
    "fpgacnn_window": _window,
}
"""The modules of the library; `fpgacnn_shift` is inside of others, and `fpgacnn_windows` is wires."""
