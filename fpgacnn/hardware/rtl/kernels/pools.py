"""Kernels of pooling: one window, or a whole image at once."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import assert_never

from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph
from fpgacnn.hardware.rtl.kernels.module import Kernel
from fpgacnn.hardware.rtl.kernels.operations import kernel_of, largest, vector
from fpgacnn.hardware.rtl.kernels.quotients import divided, quotient, sum_of
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.shapes import covered_cells
from fpgacnn.ir.source import PoolKind
from fpgacnn.passes.precision import LayerPrecision


def fill_code(operation: hw.Pool, given: Format) -> int:
    """The code of the cells outside of the image: no maximum is smaller, and no sum changes."""
    return given.low if operation.kind is PoolKind.MAX else 0


def cell_counts(operation: hw.Pool, height: int, width: int) -> list[int]:
    """The numbers of cells inside the image that windows can have; a maximum needs no number."""
    rows = covered_cells(height, operation.size[0], operation.strides[0], *operation.pads[:2])
    columns = covered_cells(width, operation.size[1], operation.strides[1], *operation.pads[2:])
    counts = sorted({row * column for row in rows for column in columns})
    return counts if operation.kind is PoolKind.AVERAGE else counts[-1:]


def pooling(
    operation: hw.Pool,
    precision: LayerPrecision,
    given: Format,
    channels: int,
    counts: Sequence[int],
    name: str,
) -> Kernel:
    """A pooling of one window; `counts` are the numbers of its cells inside the image, over all positions.

    With more than one, the second input says which cells are inside.
    """
    assert precision.accumulator is not None
    accumulator, result = precision.accumulator.format, precision.result.format
    cells = prod(operation.size)
    graph = ArithmeticGraph()
    inputs = vector(graph, given, cells * channels)
    inside = [graph.ranged_input(len(inputs) + number, 0, 1) for number in range(cells)] if len(counts) > 1 else []
    results = list[int]()
    for channel in range(channels):
        window = inputs[channel::channels]
        match operation.kind:
            case PoolKind.MAX:
                pooled = graph.cast(largest(graph, window), given.fraction, accumulator)
            case PoolKind.AVERAGE:
                total = _sum(graph, window, given, accumulator)
                pooled = quotient(graph, total, inside, counts)
            case _:
                assert_never(operation.kind)
        results.append(graph.cast(pooled, accumulator.fraction, result))
    ports = [(given, len(inputs))]
    if inside:
        ports.append((Format(width=1, integer=1, signed=False), cells))
    return kernel_of(name, graph, [form for form, _ in ports], [size for _, size in ports], results, result)


def whole_image(
    operation: hw.GlobalPool, precision: LayerPrecision, given: Format, positions: int, channels: int, name: str
) -> Kernel:
    """Maximum or mean of every channel over all positions of an image that comes at once."""
    assert precision.accumulator is not None
    accumulator, result = precision.accumulator.format, precision.result.format
    graph = ArithmeticGraph()
    inputs = vector(graph, given, positions * channels)
    results = list[int]()
    for channel in range(channels):
        cells = inputs[channel::channels]
        match operation.kind:
            case PoolKind.MAX:
                pooled = graph.cast(largest(graph, cells), given.fraction, accumulator)
            case PoolKind.AVERAGE:
                pooled = divided(graph, _sum(graph, cells, given, accumulator), positions)
            case _:
                assert_never(operation.kind)
        results.append(graph.cast(pooled, accumulator.fraction, result))
    return kernel_of(name, graph, [given], [len(inputs)], results, result)


def _sum(graph: ArithmeticGraph, cells: Sequence[int], given: Format, accumulator: Format) -> int:
    """The sum of cells in the accumulator, to which each of them is cast."""
    return graph.limited(sum_of(graph, [graph.cast(node, given.fraction, accumulator) for node in cells]), accumulator)
