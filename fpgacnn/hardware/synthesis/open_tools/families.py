"""The families of parts that Yosys maps to: its command for each, and what its primitives are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fpgacnn.errors import OpenPartError
from fpgacnn.hardware.devices import Device
from fpgacnn.hardware.synthesis.figures import NetlistCells, Origin, Resources

YOSYS_FAMILIES: Mapping[str, str] = {
    "artix7": "xc7",
    "spartan7": "xc7",
    "kintex7": "xc7",
    "virtex7": "xc7",
    "zynq7000": "xc7",
    "kintex_ultrascale": "xcu",
    "virtex_ultrascale": "xcu",
    "kintex_ultrascale_plus": "xcup",
    "virtex_ultrascale_plus": "xcup",
    "zynq_ultrascale_plus": "xcup",
    "ecp5": "ecp5",
}
"""Family of the parts table -> the family that Yosys has for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Primitives:
    """What the primitives of a family count as, each with its number of look-up tables, blocks or registers.

    A name ends with `*` where everything that begins with it counts. Block RAM counts in blocks of 18 Kb.
    """

    luts: Mapping[str, int]
    carry: Mapping[str, int]
    registers: tuple[str, ...]
    shift_registers: tuple[str, ...]
    memories: Mapping[str, int]
    multipliers: tuple[str, ...]
    blocks: Mapping[str, int]
    free: tuple[str, ...]
    ultra: tuple[str, ...] = field(default=())


XILINX = Primitives(
    luts={**{f"LUT{inputs}": inputs for inputs in range(1, 7)}, "INV": 1},
    carry={"CARRY4": 0, "CARRY8": 0},
    registers=("FDRE*", "FDSE*", "FDCE*", "FDPE*"),
    shift_registers=("SRL16E", "SRLC32E"),
    memories={
        "RAM32X1S": 1,
        "RAM64X1S": 1,
        "RAM32X1D": 2,
        "RAM64X1D": 2,
        "RAM128X1S": 2,
        "RAM128X1D": 4,
        "RAM256X1S": 4,
        "RAM256X1D": 8,
        "RAM512X1S": 8,
        "RAM32M": 4,
        "RAM64M": 4,
        "RAM32M16": 8,
        "RAM64M8": 8,
    },
    multipliers=("DSP48*",),
    blocks={"RAMB18E1": 1, "RAMB18E2": 1, "RAMB36E1": 2, "RAMB36E2": 2},
    free=("MUXF7", "MUXF8", "MUXF9", "GND", "VCC", "BUFG"),
    ultra=("URAM288*",),
)
"""Tables of memory primitives: UG474 (7 series) and UG574 (UltraScale). An INV is a table where nothing absorbs it."""

ECP5 = Primitives(
    luts={"LUT4": 4},
    carry={"CCU2C": 2},
    registers=("TRELLIS_FF",),
    shift_registers=(),
    memories={"TRELLIS_DPR16X4": 4},
    multipliers=("MULT18X18D",),
    blocks={"DP16KD": 1, "PDPW16KD": 1},
    free=("PFUMX", "L6MUX21", "GSR", "VLO", "VHI"),
)
"""FPGA-DS-02012: a CCU2C takes both tables of its slice, a memory of 16 words four of them."""


def yosys_family(device: Device, tool: str) -> str:
    """The family of Yosys for a device; `tool` is the one that the user named.

    Raises OpenPartError where Yosys has none.
    """
    family = YOSYS_FAMILIES.get(device.family)
    if family is None:
        why = f"Yosys has no family for {device.series}"
        raise OpenPartError(tool=tool, part=device.full, why=why, do="take a 7-series, UltraScale or ECP5 part")
    return family


def synthesis_command(family: str, top: str, *, dsp: bool) -> str:
    """The command of Yosys that maps a design out of context."""
    multipliers = "" if dsp else " -nodsp"
    if family == "ecp5":
        return f"synth_ecp5 -top {top}{multipliers}"
    return f"synth_xilinx -family {family} -top {top} -flatten -noiopad -noclkbuf{multipliers}"


def counted(family: str, primitives: Mapping[str, int], origin: Origin) -> tuple[Resources, NetlistCells]:
    """Resources of a netlist, and its cells by kind.

    A look-up table counts once, whatever its size; memories and shift registers in tables count among the tables.
    """
    table = ECP5 if family == "ecp5" else XILINX
    luts = {
        name: primitives[name] for name in sorted(table.luts, key=lambda one: table.luts[one]) if name in primitives
    }
    by_size: dict[str, int] = {}
    for name, count in luts.items():
        key = f"LUT{table.luts[name]}"
        by_size[key] = by_size.get(key, 0) + count
    carry = sum(primitives.get(name, 0) for name in table.carry)
    carry_tables = sum(primitives.get(name, 0) * tables for name, tables in table.carry.items())
    shift = _matching(primitives, table.shift_registers)
    memories = sum(primitives.get(name, 0) * tables for name, tables in table.memories.items())
    known = {*table.luts, *table.carry, *table.memories, *table.blocks, *table.free}
    patterns = (*table.registers, *table.shift_registers, *table.multipliers, *table.ultra)
    cells = NetlistCells(
        luts=by_size,
        carry=carry,
        shift_registers=shift,
        memory_luts=memories,
        primitives=dict(sorted(primitives.items())),
        others=tuple(
            sorted(name for name in primitives if name not in known and not any(_fits(name, one) for one in patterns))
        ),
    )
    resources = Resources(
        origin=origin,
        lut=sum(by_size.values()) + carry_tables + shift + memories,
        ff=_matching(primitives, table.registers),
        dsp=_matching(primitives, table.multipliers),
        bram_tiles=sum(primitives.get(name, 0) * blocks for name, blocks in table.blocks.items()) / 2,
        uram=_matching(primitives, table.ultra),
    )
    return resources, cells


def _matching(primitives: Mapping[str, int], patterns: tuple[str, ...]) -> int:
    return sum(count for name, count in primitives.items() if any(_fits(name, one) for one in patterns))


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
