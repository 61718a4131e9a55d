"""Modules that collect, join, add, drop and reduce tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from fpgacnn.hardware.rtl import schedule
from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph
from fpgacnn.hardware.rtl.kernels.operations import kernel_of, vector
from fpgacnn.hardware.rtl.kernels.quotients import divided
from fpgacnn.hardware.rtl.schedule import Geometry
from fpgacnn.hardware.rtl.stream import Netlist, Stream
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
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


def padded(netlist: Netlist, name: str, given: Stream, pads: tuple[int, int, int, int]) -> Stream:
    """An image with zeros around it."""
    times, taken = schedule.padded(given.times, given.height, given.width, pads)
    take, valid, data = (f"{word}_{name}" for word in ("pad_take", "pad_valid", "pad_data"))
    netlist.wire(take, 1)
    netlist.wire(valid, 1)
    netlist.wire(data, given.bits)
    source = netlist.fifo(f"0_{name}", given, take, schedule.fill(given.times, taken))
    parameters: dict[str, object] = {"DW": given.bits, "H": given.height, "W": given.width}
    netlist.module(
        "fpgacnn_pad",
        f"pad_{name}",
        {**parameters, **dict(zip(("PT", "PB", "PL", "PR"), pads, strict=True))},
        {"in_valid": source.valid, "in_data": source.data, "in_take": take, "out_valid": valid, "out_data": data},
    )
    top, bottom, left, right = pads
    return replace(
        given,
        height=given.height + top + bottom,
        width=given.width + left + right,
        valid=valid,
        data=data,
        times=times,
        border=(0, 0, 0, 0),
    )


def becomes_padding(model: hw.HardwareModel, layer: hw.Layer) -> bool:
    """Whether zeros around an image are padding of the windows of every layer behind them, and need no clock."""
    readers = model.consumers(layer.name)
    return (
        isinstance(layer.operation, src.ZeroPad)
        and layer.name not in model.outputs
        and bool(readers)
        and all(_takes(layer, layer.operation.pads, reader) for reader in readers)
    )


def _takes(layer: hw.Layer, zeros: tuple[int, int, int, int], reader: hw.Layer) -> bool:
    operation = reader.operation
    if not isinstance(operation, hw.Convolution | hw.Depthwise):
        return False
    height, width, _ = image_of(layer.shape)
    inner = (height - zeros[0] - zeros[1], width - zeros[2] - zeros[3])
    return windows_of(operation, inner, zeros).why_refused() is None


def windows_of(
    operation: hw.Convolution | hw.Depthwise, size: tuple[int, int], border: tuple[int, int, int, int]
) -> Geometry:
    """The windows of a convolution over an image of this height and width, and zeros around it."""
    top, bottom, left, right = (one + other for one, other in zip(operation.pads, border, strict=True))
    height, width, _, _ = operation.kernel.array.shape
    return Geometry(
        height=size[0],
        width=size[1],
        size=(height, width),
        strides=operation.strides,
        pads=(top, bottom, left, right),
    )


def image_of(shape: src.Shape) -> tuple[int, int, int]:
    """Height, width and channels; a sequence is an image of one row."""
    height, width, channels = (1,) * (3 - len(shape)) + shape
    return height, width, channels


def most_tokens(model: hw.HardwareModel, layer: hw.Layer) -> int:
    """Tokens of the largest stream of a layer: its result, or its input with the zeros around it."""
    operation = layer.operation
    if isinstance(operation, hw.Convolution | hw.Depthwise):
        before = model.layer(layer.inputs[0])
        height, width, _ = image_of(before.shape)
        windows = windows_of(operation, (height, width), (0, 0, 0, 0))
        if windows.why_refused() is not None and not becomes_padding(model, before):
            top, bottom, left, right = operation.pads
            return (height + top + bottom) * (width + left + right)
    return 1 if becomes_padding(model, layer) else prod(layer.shape[:-1])


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
