"""Kernels: an arithmetic graph cut into pipeline stages, and its module in SystemVerilog."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from fpgacnn.hardware.rtl.kernels.arithmetic import ROUNDINGS, ArithmeticGraph, ArithmeticNode, Op
from fpgacnn.ir.fixed_point import Rounding, signed_bits

STAGE_DELAY = 2.0
"""Delay between two registers, in carry chains of an adder."""


TABLE_INPUTS = 6
"""Inputs of a table that costs one level of logic."""


def _delay(node: ArithmeticNode) -> float:
    """Delay of a node in carry chains; wires have none.

    The longest paths of routed designs decide: a rounding that looks at all dropped bits takes a level of logic before
    its carry chain, so it stands in a stage of its own, as a comparison with a selection behind it does.
    """
    match node.op:
        case Op.INPUT | Op.CONSTANT | Op.SHIFT | Op.WRAP:
            return 0.0
        case Op.RELU | Op.SELECT:
            return 0.5
        case Op.ADD | Op.AT_LEAST:
            return 1.0
        case Op.ROUND:
            places, mode = node.data
            return 1.0 if places == 1 or ROUNDINGS[mode] is Rounding.RND else 1.5
        case Op.TABLE:
            return min(STAGE_DELAY, 1.0 + 0.5 * max(0, len(node.data).bit_length() - 1 - TABLE_INPUTS))
        case Op.CLIP | Op.ZERO_OUTSIDE | Op.MAXIMUM | Op.MINIMUM:
            return 1.5
        case Op.MULTIPLY:
            return STAGE_DELAY
        case _:
            assert_never(node.op)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorPort:
    """A vector at a kernel's side: its number of elements, and the bits of one."""

    elements: int
    bits: int

    @property
    def width(self) -> int:
        """Bits of the vector."""
        return self.elements * self.bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A clocked module: the vectors that it reads, the nodes of its results, and its latency in clocks.

    `signed` says for each vector whether its elements are. INPUT nodes number the elements of all vectors in order.
    """

    name: str
    graph: ArithmeticGraph
    inputs: tuple[VectorPort, ...]
    signed: tuple[bool, ...]
    results: tuple[int, ...]
    result_bits: int

    def stages(self) -> tuple[dict[int, int], int]:
        """The stage of every node that a result needs, and the latency: results are registers of the last stage."""
        nodes = self.graph.nodes
        used = self._used()
        stage: dict[int, int] = {}
        late: dict[int, float] = {}
        for number in used:
            node, own = nodes[number], _delay(nodes[number])
            args = [one for one in node.args if nodes[one].op is not Op.CONSTANT]
            first = max((stage[one] for one in args), default=0)
            start = max((late[one] for one in args if stage[one] == first), default=0.0)
            fits = start + own <= STAGE_DELAY
            stage[number], late[number] = (first, start + own) if fits else (first + 1, own)
        last = max((stage[one] for one in self.results), default=0)
        return stage, last + 1

    def _used(self) -> list[int]:
        found, waiting = set[int](), list(self.results)
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                waiting += self.graph.nodes[number].args
        return sorted(found)

    @property
    def latency(self) -> int:
        """Clocks from a token to its result."""
        return self.stages()[1]

    @property
    def adder_bits(self) -> int:
        """Bits of all adders, comparisons and selections: about the LUTs of the kernel without its tables."""
        nodes = self.graph.nodes
        return sum(nodes[one].width for one in self._used() if _delay(nodes[one]) > 0 and nodes[one].op is not Op.TABLE)

    @property
    def operators(self) -> int:
        """Number of adders, comparisons, selections and multipliers."""
        nodes = self.graph.nodes
        return sum(_delay(nodes[one]) > 0 and nodes[one].op is not Op.TABLE for one in self._used())

    @property
    def adders(self) -> int:
        """Number of adders."""
        return sum(self.graph.nodes[one].op is Op.ADD for one in self._used())

    def registers(self) -> dict[int, int]:
        """The stage up to which each node's value is kept in registers, behind its own stage."""
        nodes = self.graph.nodes
        stage, latency = self.stages()
        kept: dict[int, int] = {}
        for number in stage:
            for one in nodes[number].args:
                if nodes[one].op is not Op.CONSTANT:
                    kept[one] = max(kept.get(one, 0), stage[number])
        for one in self.results:
            if nodes[one].op is not Op.CONSTANT:
                kept[one] = latency
        return {one: last for one, last in kept.items() if last > stage[one]}

    @property
    def register_bits(self) -> int:
        """Flip-flops of the pipeline."""
        stage, _ = self.stages()
        return sum((last - stage[one]) * self.graph.nodes[one].width for one, last in self.registers().items())


def verilog(kernel: Kernel) -> str:
    """The module of a kernel: `in0`, `in1`, ... to `out`, `latency` clocks later; nothing stalls."""
    nodes = kernel.graph.nodes
    stage, latency = kernel.stages()
    registers = kernel.registers()
    ports = [f"input [{port.width - 1}:0] in{number}" for number, port in enumerate(kernel.inputs)]
    width = len(kernel.results) * kernel.result_bits
    lines = [
        f"// {latency} clocks, {kernel.adders} adders, {kernel.register_bits} bits of registers",
        f"module {kernel.name} (input clk, {', '.join(ports)}, output [{width - 1}:0] out);",
        *_tables(nodes, stage),
    ]
    for number in stage:
        node = nodes[number]
        if node.op is Op.CONSTANT:
            continue
        names = tuple(_at(nodes, stage, one, stage[number]) for one in node.args)
        text = (
            _element(kernel, node) if node.op is Op.INPUT else _expression(node, [nodes[i] for i in node.args], names)
        )
        lines.append(f"  wire signed [{node.width - 1}:0] n{number} = {text};")
    lines += _register_lines(nodes, stage, registers)
    for place, number in enumerate(kernel.results):
        node = nodes[number]
        where = f"out[{place * kernel.result_bits} +: {kernel.result_bits}]"
        if node.op is Op.CONSTANT:
            lines.append(f"  assign {where} = {_bits(node.low, kernel.result_bits)};")
            continue
        name = _at(nodes, stage, number, latency)
        lines.append(f"  assign {where} = {_resized(name, node.width, kernel.result_bits)};")
    return "\n".join([*lines, "endmodule", ""])


def _register_lines(nodes: Sequence[ArithmeticNode], stage: dict[int, int], registers: dict[int, int]) -> list[str]:
    if not registers:
        return []
    names, moves = list[str](), list[str]()
    for number, last in registers.items():
        before = f"n{number}"
        for at in range(stage[number] + 1, last + 1):
            names.append(f"  reg signed [{nodes[number].width - 1}:0] n{number}_{at};")
            moves.append(f"    n{number}_{at} <= {before};")
            before = f"n{number}_{at}"
    return [*names, "  always @(posedge clk) begin", *moves, "  end"]


def _at(nodes: Sequence[ArithmeticNode], stage: dict[int, int], number: int, at: int) -> str:
    """The name of a node's value in a stage; a constant as a literal."""
    node = nodes[number]
    if node.op is Op.CONSTANT:
        return _literal(node.low, node.width)
    return f"n{number}" if at == stage[number] else f"n{number}_{at}"


def _literal(value: int, width: int) -> str:
    """A signed constant of a width; the parentheses keep the sign with it."""
    bits = value & ((1 << width) - 1)
    return f"$signed({_bits(bits, width)})"


def _bits(value: int, width: int) -> str:
    return f"{width}'h{value & ((1 << width) - 1):x}"


def _resized(name: str, width: int, wanted: int) -> str:
    """The lowest bits of a value, or more with its sign."""
    if width >= wanted:
        return f"{name}[{wanted - 1}:0]"
    return f"{{{{{wanted - width}{{{name}[{width - 1}]}}}}, {name}}}"


def _element(kernel: Kernel, node: ArithmeticNode) -> str:
    """One element of an input vector as a signed value of the node's width."""
    place = node.data[0]
    for number, (port, signed) in enumerate(zip(kernel.inputs, kernel.signed, strict=True)):
        if place < port.elements:
            bits = f"in{number}[{place * port.bits} +: {port.bits}]"
            return f"$signed({bits})" if signed else f"$signed({{1'b0, {bits}}})"
        place -= port.elements
    raise AssertionError(node)


def _expression(node: ArithmeticNode, args: Sequence[ArithmeticNode], names: Sequence[str]) -> str:
    """A node as an expression of signed values; its width is that of the wire to which it is assigned."""
    match node.op:
        case Op.ADD:
            left, right, sign = node.data
            return f"{_moved(names[0], left)} {'+' if sign > 0 else '-'} {_moved(names[1], right)}"
        case Op.SHIFT:
            places = node.data[0]
            return _moved(names[0], places) if places > 0 else f"{names[0]} >>> {-places}"
        case Op.ROUND:
            return _rounded(node, args[0], names[0])
        case Op.WRAP:
            width, signed = node.data
            low = _resized(names[0], args[0].width, width)
            return f"$signed({low})" if signed else f"$signed({{1'b0, {low}}})"
        case Op.CLIP:
            low_end, high_end = (_literal(end, signed_bits(end, end)) for end in node.data)
            return f"{names[0]} > {high_end} ? {high_end} : {names[0]} < {low_end} ? {low_end} : {names[0]}"
        case Op.ZERO_OUTSIDE:
            low_end, high_end = (_literal(end, signed_bits(end, end)) for end in node.data)
            zero = _literal(0, node.width)
            return f"{names[0]} > {high_end} || {names[0]} < {low_end} ? {zero} : {names[0]}"
        case Op.RELU:
            return f"{names[0]}[{args[0].width - 1}] ? {_literal(0, node.width)} : {names[0]}"
        case Op.MAXIMUM:
            return f"{names[0]} > {names[1]} ? {names[0]} : {names[1]}"
        case Op.MINIMUM:
            return f"{names[0]} < {names[1]} ? {names[0]} : {names[1]}"
        case Op.AT_LEAST:
            return f"$signed({{1'b0, {names[0]} >= {names[1]}}})"
        case Op.SELECT:
            return f"{names[0]}[0] ? {names[1]} : {names[2]}"
        case Op.MULTIPLY:
            return f"{names[0]} * {names[1]}"
        case Op.TABLE:
            bits = len(node.data).bit_length() - 1
            return f"{_table_name(node)}({_resized(names[0], args[0].width, bits)})"
        case Op.INPUT | Op.CONSTANT:
            raise AssertionError(node)
        case _:
            assert_never(node.op)


def _moved(name: str, places: int) -> str:
    return f"({name} <<< {places})" if places else name


def _rounded(node: ArithmeticNode, argument: ArithmeticNode, name: str) -> str:
    """`name >>> places` plus one where the mode rounds up; the bits are those of the sign-extended code."""
    places, mode = node.data[0], ROUNDINGS[node.data[1]]
    width = argument.width
    sign = f"{name}[{width - 1}]"

    def bit(place: int) -> str:
        return f"{name}[{place}]" if place < width else sign

    half = bit(places - 1)
    rest = min(places - 1, width)
    below = f"(|{name}[{rest - 1}:0])" if rest else "1'b0"
    up = {
        Rounding.TRN: "1'b0",
        Rounding.TRN_ZERO: f"({sign} & ({half} | {below}))",
        Rounding.RND: half,
        Rounding.RND_ZERO: f"({half} & ({sign} | {below}))",
        Rounding.RND_INF: f"({half} & (~{sign} | {below}))",
        Rounding.RND_MIN_INF: f"({half} & {below})",
        Rounding.RND_CONV: f"({half} & ({bit(places)} | {below}))",
    }[mode]
    return f"({name} >>> {places}) + $signed({{1'b0, {up}}})"


def _tables(nodes: Sequence[ArithmeticNode], stage: dict[int, int]) -> list[str]:
    """A function for every table; tables of equal values are one function."""
    found: dict[str, ArithmeticNode] = {}
    for number in stage:
        if nodes[number].op is Op.TABLE:
            node = found.setdefault(_table_name(nodes[number]), nodes[number])
            assert node.data == nodes[number].data
    lines = list[str]()
    for name, node in found.items():
        bits = len(node.data).bit_length() - 1
        lines += [
            f"  function automatic signed [{node.width - 1}:0] {name}(input [{bits - 1}:0] code);",
            "    case (code)",
            *(f"      {bits}'d{code}: {name} = {_literal(value, node.width)};" for code, value in enumerate(node.data)),
            "    endcase",
            "  endfunction",
        ]
    return lines


def _table_name(node: ArithmeticNode) -> str:
    """A name by the content, so that the same tables have the same name in every run."""
    digest = hashlib.sha256(repr(node.data).encode()).hexdigest()[:16]
    return f"table_{len(node.data)}_{digest}"
