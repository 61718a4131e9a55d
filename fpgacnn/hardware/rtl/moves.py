"""Modules that collect, join, drop and reduce tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fpgacnn.hardware.rtl import schedule
from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph
from fpgacnn.hardware.rtl.kernels.operations import kernel_of, vector
from fpgacnn.hardware.rtl.kernels.quotients import divided
from fpgacnn.hardware.rtl.stream import Netlist, Stream
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.source import PoolKind
from fpgacnn.passes.precision import LayerPrecision


def as_word(netlist: Netlist, name: str, given: Stream) -> Stream:
    """All tokens of a frame as one word."""
    if given.tokens == 1:
        return given
    valid, data = f"word_valid_{name}", f"word_data_{name}"
    netlist.wire(valid, 1)
    netlist.wire(data, given.tokens * given.bits)
    netlist.module(
        "fpgacnn_collect",
        f"collect_{name}",
        {"DW": given.bits, "P": given.tokens},
        {"in_valid": given.valid, "in_data": given.data, "out_valid": valid, "out_data": data},
    )
    times = schedule.later(tuple(one[:, -1:] for one in given.times), 1)
    return replace(
        given, height=1, width=1, channels=given.tokens * given.channels, valid=valid, data=data, times=times
    )


def as_planned(netlist: Netlist, name: str, given: Stream, precision: LayerPrecision) -> Stream:
    """A stream of moved values in the format of the plan, which may be wider than that of the values."""
    form, result = given.form, precision.result.format
    if (form.width, form.fraction, form.signed) == (result.width, result.fraction, result.signed):
        return given
    graph = ArithmeticGraph()
    results = [graph.cast(node, form.fraction, result) for node in vector(graph, form, given.channels)]
    made = kernel_of(f"cast_{name}", graph, [form], [given.channels], results, result)
    return netlist.kernel(made, name, given, [given.data], result, role="cast_")


def paced(netlist: Netlist, name: str, given: Stream, clocks: int) -> Stream:
    """The same tokens with at least so many clocks between them; a FIFO holds those that come sooner."""
    if clocks <= schedule.closest(given.times):
        return given
    leaving = schedule.paced(given.times, clocks)
    take = f"take_{name}"
    netlist.wire(take, 1)
    behind = netlist.fifo(name, given, take, schedule.fill(given.times, leaving))
    netlist.module("fpgacnn_pace", f"pace_{name}", {"PACE": clocks}, {"in_valid": behind.valid, "take": take})
    return replace(behind, valid=take, times=leaving)


def rearranged(netlist: Netlist, name: str, given: Stream, order: Sequence[int], shape: tuple[int, int, int]) -> Stream:
    """The elements of a frame in another order, as tokens of an image of this shape: height, width, channels."""
    height, width, channels = shape
    word = as_word(netlist, name, given)
    data = f"order_{name}"
    bits = word.form.width
    elements = ", ".join(f"{word.data}[{place * bits} +: {bits}]" for place in reversed(order))
    netlist.wire(data, word.bits)
    netlist.lines.append(f"  assign {data} = {{{elements}}};")
    word = replace(word, data=data)
    tokens = height * width
    if tokens == 1:
        return replace(word, height=1, width=1, channels=channels)
    word = paced(netlist, name, word, tokens)
    valid, split = f"split_valid_{name}", f"split_data_{name}"
    netlist.wire(valid, 1)
    netlist.wire(split, channels * bits)
    netlist.module(
        "fpgacnn_split",
        f"split_{name}",
        {"DW": channels * bits, "P": tokens},
        {"in_valid": word.valid, "in_data": word.data, "out_valid": valid, "out_data": split},
    )
    times = schedule.split(word.times, tokens)
    return replace(word, height=height, width=width, channels=channels, valid=valid, data=split, times=times)


def upsampled(netlist: Netlist, name: str, given: Stream, factors: tuple[int, int]) -> Stream:
    """An image with every row and every pixel repeated."""
    times, taken = schedule.repeated(given.times, given.width, factors)
    take, valid, data = f"take_{name}", f"valid_{name}", f"data_{name}"
    netlist.wire(take, 1)
    netlist.wire(valid, 1)
    netlist.wire(data, given.bits)
    source = netlist.fifo(name, given, take, schedule.fill(given.times, taken))
    netlist.module(
        "fpgacnn_upsample",
        f"upsample_{name}",
        {"DW": given.bits, "W": given.width, "FH": factors[0], "FW": factors[1]},
        {"in_valid": source.valid, "in_data": source.data, "in_take": take, "out_valid": valid, "out_data": data},
    )
    return replace(
        given, height=given.height * factors[0], width=given.width * factors[1], valid=valid, data=data, times=times
    )


def joined(netlist: Netlist, name: str, given: Sequence[Stream]) -> list[Stream]:
    """Streams of equally many tokens, token by token together; each waits in a FIFO as deep as the schedule says."""
    times = schedule.joined([one.times for one in given])
    together = f"together_{name}"
    netlist.wire(together, 1)
    found = [
        netlist.fifo(f"{number}_{name}", one, together, schedule.fill(one.times, times))
        for number, one in enumerate(given)
    ]
    netlist.lines.append(f"  assign {together} = {' && '.join(one.valid for one in found)};")
    return [replace(one, valid=together, times=times) for one in found]


def cropped(netlist: Netlist, name: str, given: Stream, borders: tuple[int, int, int, int]) -> Stream:
    """An image without borders: top, bottom, left, right."""
    top, bottom, left, right = borders
    height, width = given.height - top - bottom, given.width - left - right
    valid, data = f"valid_{name}", f"data_{name}"
    netlist.wire(valid, 1)
    netlist.wire(data, given.bits)
    netlist.module(
        "fpgacnn_crop",
        f"crop_{name}",
        {"DW": given.bits, "H": given.height, "W": given.width, "TOP": top, "LEFT": left, "OH": height, "OW": width},
        {"in_valid": given.valid, "in_data": given.data, "out_valid": valid, "out_data": data},
    )
    rows, columns = np.arange(height) + top, np.arange(width) + left
    tokens = (rows[:, None] * given.width + columns[None, :]).reshape(-1)
    times = schedule.later(schedule.chosen(given.times, tokens), 1)
    return replace(given, height=height, width=width, valid=valid, data=data, times=times)


def reduced(
    netlist: Netlist, layer: hw.Layer, operation: hw.GlobalPool, precision: LayerPrecision, given: Stream, kernel: str
) -> Stream:
    """Maximum or mean over all tokens of a frame."""
    assert precision.accumulator is not None
    name, accumulator, result = layer.name, precision.accumulator.format, precision.result.format
    average = operation.kind is PoolKind.AVERAGE
    cells = given
    if average:
        cast = ArithmeticGraph()
        casts = [cast.cast(node, given.form.fraction, accumulator) for node in vector(cast, given.form, given.channels)]
        made = kernel_of(f"cast_{name}", cast, [given.form], [given.channels], casts, accumulator)
        cells = netlist.kernel(made, name, given, [given.data], accumulator, role="cell_")
    bits = cells.form.width + (given.tokens.bit_length() if average else 0) + 1
    total = _total(netlist, name, cells, bits, average=average)
    end = ArithmeticGraph()
    results = list[int]()
    for number in range(given.channels):
        if average:
            ends = (cells.form.low * given.tokens, cells.form.high * given.tokens)
            node = end.limited(end.ranged_input(number, *ends), accumulator)
            node = divided(end, node, given.tokens)
        else:
            node = end.cast(end.ranged_input(number, given.form.low, given.form.high), given.form.fraction, accumulator)
        results.append(end.cast(node, accumulator.fraction, result))
    wide = Format(width=bits, integer=bits)
    made = kernel_of(kernel, end, [wide], [given.channels], results, result)
    return netlist.kernel(made, name, total, [total.data], result)


def _total(netlist: Netlist, name: str, given: Stream, bits: int, *, average: bool) -> Stream:
    """The sum or the maximum of every channel, once for each frame."""
    first, last, valid, data = (f"{word}_{name}" for word in ("frame_first", "frame_last", "total_valid", "total_data"))
    for wire, width in ((first, 1), (last, 1), (valid, 1), (data, given.channels * bits)):
        netlist.wire(wire, width)
    netlist.module(
        "fpgacnn_frame", f"frame_{name}", {"P": given.tokens}, {"in_valid": given.valid, "first": first, "last": last}
    )
    netlist.module(
        "fpgacnn_reduce",
        f"total_{name}",
        {
            "N": given.channels,
            "IW": given.form.width,
            "AW": bits,
            "SIGNED": int(given.form.signed),
            "MAXIMUM": int(not average),
        },
        {
            "in_valid": given.valid,
            "in_first": first,
            "in_last": last,
            "in_data": given.data,
            "out_valid": valid,
            "out_data": data,
        },
    )
    times = schedule.later(tuple(one[:, -1:] for one in given.times), 1)
    return replace(given, height=1, width=1, valid=valid, data=data, times=times, form=Format(width=bits, integer=bits))
