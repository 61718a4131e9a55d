"""Folded products: a word in parts, weights from a memory, multipliers and accumulators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpgacnn.hardware.rtl import schedule
from fpgacnn.hardware.rtl.folding import Fold, weight_bits
from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph
from fpgacnn.hardware.rtl.kernels.module import Kernel, VectorPort
from fpgacnn.hardware.rtl.kernels.operations import sum_bits
from fpgacnn.hardware.rtl.kernels.quotients import sum_of
from fpgacnn.hardware.rtl.stream import Netlist, Stream
from fpgacnn.ir.fixed_point import CodeArray, Format

BLOCK_MEMORY_LINES = 128
"""A weight memory of more lines is kept in block RAM."""

MEMORY_CLOCKS = 2
"""Clocks from an address to its weights: a block RAM is slow, so a register stands between it and the multipliers."""


def folded_product(
    netlist: Netlist, name: str, given: Stream, matrix: CodeArray, fold: Fold
) -> tuple[Stream, tuple[CodeArray, CodeArray]]:
    """The exact sums of `word @ matrix` over all words of a frame, and their ends.

    The words are those of a vector that comes in parts (a dense layer behind an image), or windows: then a frame of
    the fold is one word.
    """
    whole = len(matrix) != given.channels
    words = len(matrix) // given.channels
    outputs, bits = matrix.shape[1], weight_bits(matrix)
    lines = words * fold.clocks
    address_bits = max(1, (lines - 1).bit_length())
    multiply, part_bits = _multipliers(f"multiply_{name}", given.form, fold.elements, outputs, bits)
    ends = _ends(matrix, given.form)
    wide = max(sum_bits(ends), part_bits)
    names = {
        word: f"{word}_{name}"
        for word in (
            "part_valid",
            "part_first",
            "part_last",
            "address",
            "parts",
            "weights",
            "part_later",
            "later_valid",
            "flags",
            "products",
            "sum_valid",
            "sum_data",
            "product_valid",
        )
    }
    part_width = fold.elements * given.form.width
    for word, width in (
        ("part_valid", 1),
        ("part_first", 1),
        ("part_last", 1),
        ("address", address_bits),
        ("parts", part_width),
        ("weights", fold.elements * outputs * bits),
        ("part_later", part_width),
        ("later_valid", 1),
        ("flags", 2),
        ("products", outputs * part_bits),
        ("sum_valid", 1),
        ("sum_data", outputs * wide),
        ("product_valid", 1),
    ):
        netlist.wire(names[word], width)
    netlist.module(
        "fpgacnn_sequence",
        f"sequence_{name}",
        {
            "P": words,
            "C": given.channels,
            "EW": given.form.width,
            "R": fold.clocks,
            "G": fold.elements,
            "AB": address_bits,
        },
        {
            "in_valid": given.valid,
            "in_data": given.data,
            "out_valid": names["part_valid"],
            "out_first": names["part_first"],
            "out_last": names["part_last"],
            "address": names["address"],
            "out_data": names["parts"],
        },
    )
    memory = f"memory_of_{name}"
    netlist.memories[memory] = _memory(
        memory, _lines(matrix, given.channels, fold, bits), fold.elements * outputs * bits, address_bits
    )
    netlist.lines.append(
        f"  {memory} u_memory_{name} (.clk(clk), .address({names['address']}), .data({names['weights']}));"
    )
    netlist.module(
        "fpgacnn_delay",
        f"align_{name}",
        {"DW": part_width, "N": MEMORY_CLOCKS},
        {
            "in_valid": names["part_valid"],
            "in_data": names["parts"],
            "out_valid": names["later_valid"],
            "out_data": names["part_later"],
        },
    )
    netlist.kernels[multiply.name] = multiply
    netlist.lines.append(
        f"  {multiply.name} u_multiply_{name} (.clk(clk), .in0({names['part_later']}), .in1({names['weights']}),"
        f" .out({names['products']}));"
    )
    netlist.module(
        "fpgacnn_delay",
        f"places_{name}",
        {"DW": 2, "N": MEMORY_CLOCKS + multiply.latency},
        {
            "in_valid": names["part_valid"],
            "in_data": f"{{{names['part_last']}, {names['part_first']}}}",
            "out_valid": names["product_valid"],
            "out_data": names["flags"],
        },
    )
    netlist.module(
        "fpgacnn_accumulate",
        f"sum_{name}",
        {"N": outputs, "IW": part_bits, "AW": wide},
        {
            "in_valid": names["product_valid"],
            "in_first": f"{names['flags']}[0]",
            "in_last": f"{names['flags']}[1]",
            "in_data": names["products"],
            "out_valid": names["sum_valid"],
            "out_data": names["sum_data"],
        },
    )
    clocks = fold.clocks + MEMORY_CLOCKS + multiply.latency + 1
    times = schedule.later(given.times, clocks)
    if whole:
        times = tuple(one[:, -1:] for one in times)
    result = Format(width=wide, integer=wide)
    stream = replace(
        given,
        channels=outputs,
        form=result,
        valid=names["sum_valid"],
        data=names["sum_data"],
        times=times,
        height=1 if whole else given.height,
        width=1 if whole else given.width,
    )
    return stream, _widened(ends, wide)


def _multipliers(name: str, form: Format, elements: int, outputs: int, bits: int) -> tuple[Kernel, int]:
    """Products of the elements with weights that change, and their sum for every output."""
    graph = ArithmeticGraph()
    inputs = [graph.input(number, form) for number in range(elements)]
    weight = Format(width=bits, integer=bits)
    results = [
        sum_of(
            graph,
            [
                graph.multiply(node, graph.input(elements + output * elements + number, weight))
                for number, node in enumerate(inputs)
            ],
        )
        for output in range(outputs)
    ]
    width = max(graph.nodes[one].width for one in results)
    kernel = Kernel(
        name=name,
        graph=graph,
        inputs=(VectorPort(elements=elements, bits=form.width), VectorPort(elements=elements * outputs, bits=bits)),
        signed=(form.signed, True),
        results=tuple(results),
        result_bits=width,
    )
    return kernel, width


def _ends(matrix: CodeArray, form: Format) -> tuple[CodeArray, CodeArray]:
    """Smallest and largest sum of every output."""
    ends = matrix * form.low, matrix * form.high
    return np.minimum(*ends).sum(axis=0), np.maximum(*ends).sum(axis=0)


def _widened(ends: tuple[CodeArray, CodeArray], bits: int) -> tuple[CodeArray, CodeArray]:
    """Ends whose largest needs exactly `bits` bits, so that the kernel behind reads elements of this width."""
    if sum_bits(ends) == bits:
        return ends
    return np.full_like(ends[0], -(1 << (bits - 1))), np.full_like(ends[1], (1 << (bits - 1)) - 1)


def _lines(matrix: CodeArray, channels: int, fold: Fold, bits: int) -> list[int]:
    """The weights of each part: element by element, output by output, the first lowest."""
    found = list[int]()
    for word in range(len(matrix) // channels):
        for part in range(fold.clocks):
            rows = range(part * fold.elements, (part + 1) * fold.elements)
            line = 0
            for output in reversed(range(matrix.shape[1])):
                for row in reversed(rows):
                    weight = int(matrix[word * channels + row, output]) if row < channels else 0
                    line = line << bits | weight & ((1 << bits) - 1)
            found.append(line)
    return found


def _memory(name: str, lines: list[int], width: int, address_bits: int) -> str:
    """A memory of constants, read in MEMORY_CLOCKS; no file is loaded, so it is the same for every tool."""
    style = '(* rom_style = "block" *) ' if len(lines) > BLOCK_MEMORY_LINES else ""
    cases = [f"      {address_bits}'d{place}: line <= {width}'h{line:x};" for place, line in enumerate(lines)]
    return "\n".join(
        [
            f"// {len(lines)} lines of {width} bits",
            f"module {name} (input clk, input [{address_bits - 1}:0] address, output reg [{width - 1}:0] data);",
            f"  {style}reg [{width - 1}:0] line;",
            "  always @(posedge clk) data <= line;",
            "  always @(posedge clk)",
            "    case (address)",
            *cases,
            f"      default: line <= {width}'h0;",
            "    endcase",
            "endmodule",
            "",
        ]
    )
