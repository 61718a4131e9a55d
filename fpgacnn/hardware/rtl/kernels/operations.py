"""The kernel of each operation: its arithmetic on one token, from the formats that the plan decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import numpy as np

from fpgacnn.design.softmax_tables import exponential_table, reciprocal_table
from fpgacnn.errors import RtlUnsupportedError
from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph
from fpgacnn.hardware.rtl.kernels.module import Kernel, VectorPort
from fpgacnn.hardware.rtl.kernels.products import constant_products
from fpgacnn.hardware.rtl.kernels.quotients import sum_of
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import MAX_WIDTH, CodeArray, Codes, Format, Overflow, requantize, signed_bits
from fpgacnn.ir.source import MergeKind
from fpgacnn.passes.precision import LayerPrecision

TABLE_BITS = 12
"""Widest code that a table in logic reads."""

THRESHOLD_TABLE_BITS = 8
"""Widest code for which a step function is a table of all codes, instead of a binary search."""


def kernel_of(
    name: str,
    graph: ArithmeticGraph,
    given: Sequence[Format],
    sizes: Sequence[int],
    results: Sequence[int],
    result: Format,
) -> Kernel:
    """A kernel that reads vectors of `sizes` codes of the given formats."""
    return Kernel(
        name=name,
        graph=graph,
        inputs=tuple(VectorPort(elements=size, bits=form.width) for size, form in zip(sizes, given, strict=True)),
        signed=tuple(form.signed for form in given),
        results=tuple(results),
        result_bits=result.width,
    )


def vector(graph: ArithmeticGraph, form: Format, count: int, first: int = 0) -> list[int]:
    """The elements of an input vector."""
    return [graph.input(first + number, form) for number in range(count)]


def exact_sums(layer: hw.Layer, operation: hw.Linear, precision: LayerPrecision, given: Format) -> Format:
    """The accumulator of a layer whose partial sums need no cast.

    Raises RtlUnsupportedError for an accumulator that rounds or saturates products.
    """
    assert precision.accumulator is not None
    form = precision.accumulator.format
    fraction = given.fraction + operation.kernel.format.fraction
    if form.fraction < fraction:
        raise RtlUnsupportedError(
            layer=layer.name, why=f"its accumulator {form} rounds every product ({fraction} fraction bits)"
        )
    if form.overflow is not Overflow.WRAP and not _never_leaves(operation, form, given, fraction):
        raise RtlUnsupportedError(layer=layer.name, why=f"its accumulator {form} saturates partial sums")
    return form


def _never_leaves(operation: hw.Linear, form: Format, given: Format, fraction: int) -> bool:
    """Whether no partial sum leaves the accumulator: the largest sum of magnitudes fits."""
    weights = np.abs(operation.kernel.array).reshape(-1, operation.kernel.array.shape[-1]).sum(axis=0)
    largest = max(abs(given.low), abs(given.high)) * int(weights.max(initial=0)) << (form.fraction - fraction)
    start = requantize(operation.bias.array, operation.bias.format.fraction, form)
    return largest + int(np.abs(start).max(initial=0)) <= min(form.high, -form.low)


def linear(
    layer: hw.Layer, operation: hw.Linear, precision: LayerPrecision, given: Format, matrix: CodeArray, name: str
) -> Kernel:
    """`x @ matrix + bias`, cast to the accumulator and to the result; matrix (terms, outputs)."""
    accumulator = exact_sums(layer, operation, precision, given)
    graph = ArithmeticGraph()
    up = accumulator.fraction - given.fraction - operation.kernel.format.fraction
    start = requantize(operation.bias.array, operation.bias.format.fraction, accumulator)
    inputs = vector(graph, given, len(matrix))
    sums = constant_products(graph, inputs, matrix << up, start.tolist())
    result = precision.result.format
    results = [graph.cast(graph.limited(one, accumulator), accumulator.fraction, result) for one in sums]
    return kernel_of(name, graph, [given], [len(matrix)], results, result)


def folded_end(
    layer: hw.Layer,
    operation: hw.Linear,
    precision: LayerPrecision,
    given: Format,
    ends: tuple[CodeArray, CodeArray],
    name: str,
) -> Kernel:
    """What follows the sums of a folded product: bias, accumulator and result; `ends` are those of the sums."""
    accumulator = exact_sums(layer, operation, precision, given)
    graph = ArithmeticGraph()
    up = accumulator.fraction - given.fraction - operation.kernel.format.fraction
    start = requantize(operation.bias.array, operation.bias.format.fraction, accumulator).tolist()
    result = precision.result.format
    results = list[int]()
    for number, (low, high, offset) in enumerate(zip(*(end.tolist() for end in ends), start, strict=True)):
        total = graph.shift(graph.ranged_input(number, low, high), up)
        total = graph.add(total, graph.constant(offset))
        results.append(graph.cast(graph.limited(total, accumulator), accumulator.fraction, result))
    bits = sum_bits(ends)
    return Kernel(
        name=name,
        graph=graph,
        inputs=(VectorPort(elements=len(start), bits=bits),),
        signed=(True,),
        results=tuple(results),
        result_bits=result.width,
    )


def sum_bits(ends: tuple[CodeArray, CodeArray]) -> int:
    """Bits of a signed number that holds all sums."""
    return signed_bits(int(ends[0].min()), int(ends[1].max()))


def elementwise(
    layer: hw.Layer, precision: LayerPrecision, given: Format, channels: int, positions: int, name: str
) -> Kernel:
    """An operation on single codes, for all channels of a token."""
    graph = ArithmeticGraph()
    result = precision.result.format
    results = [
        _element(graph, layer, node, given, result, channel, positions)
        for channel, node in enumerate(vector(graph, given, channels))
    ]
    return kernel_of(name, graph, [given], [channels], results, result)


def _element(
    graph: ArithmeticGraph, layer: hw.Layer, node: int, given: Format, result: Format, channel: int, positions: int
) -> int:
    operation = layer.operation
    match operation:
        case hw.Cast() | hw.Saturate():
            return graph.cast(node, given.fraction, result)
        case hw.Relu():
            return graph.cast(graph.relu(node), given.fraction, result)
        case hw.Affine():
            return _affine(graph, operation, node, given, result, channel)
        case hw.LeakyRelu():
            slope = _slope(layer, operation, channel, positions)
            scaled = constant_products(graph, [node], np.array([[slope]]), [0])[0]
            below = graph.cast(scaled, given.fraction + operation.slope.format.fraction, result)
            return graph.select(
                graph.at_least(node, graph.constant(1)), graph.cast(node, given.fraction, result), below
            )
        case hw.ThresholdRelu():
            edge = _edge(given.fraction, operation.threshold)
            above = graph.at_least(node, graph.constant(edge + 1))
            return graph.select(above, graph.cast(node, given.fraction, result), graph.constant(0))
        case hw.Lookup():
            _refuse_wide_table(layer, given)
            return graph.table(node, given.width, tuple(operation.table.array.tolist()))
        case hw.Thresholds():
            return _steps(graph, operation, node, given, channel)
        case _:
            raise RtlUnsupportedError(layer=layer.name, why=f"{layer.kind} is no operation on single values")


def _affine(
    graph: ArithmeticGraph, operation: hw.Affine, node: int, given: Format, result: Format, channel: int
) -> int:
    scale, shift = operation.scale, operation.shift
    fraction = given.fraction + scale.format.fraction
    common = max(fraction, shift.format.fraction)
    factor, offset = _constant(scale, channel), _constant(shift, channel)
    total = constant_products(
        graph, [node], np.array([[factor << (common - fraction)]]), [offset << (common - shift.format.fraction)]
    )[0]
    return graph.cast(total, common, result)


def _constant(codes: Codes, channel: int) -> int:
    """The constant of a channel; one constant may be for all."""
    return int(codes.array[channel if codes.array.size > 1 else 0])


def _slope(layer: hw.Layer, operation: hw.LeakyRelu, channel: int, positions: int) -> int:
    slopes = operation.slope.array
    if slopes.size == 1:
        return int(slopes.ravel()[0])
    rows = slopes.reshape(positions, -1)
    if np.any(rows != rows[0]):
        raise RtlUnsupportedError(layer=layer.name, why="its slope differs from position to position")
    return int(rows[0, channel])


def _edge(fraction: int, threshold: Codes) -> int:
    """The largest code that is not above the threshold, as the emulator limits it."""
    code, places = int(threshold.array.ravel()[0]), fraction - threshold.format.fraction
    edge = code << places if places >= 0 else code >> -places
    return min(max(edge, -(1 << MAX_WIDTH)), 1 << MAX_WIDTH)


def _refuse_wide_table(layer: hw.Layer, given: Format) -> None:
    if given.width > TABLE_BITS:
        raise RtlUnsupportedError(
            layer=layer.name, why=f"its table has 2^{given.width} entries, and logic takes 2^{TABLE_BITS}"
        )


def _steps(graph: ArithmeticGraph, operation: hw.Thresholds, node: int, given: Format, channel: int) -> int:
    """A step function: a table of all codes, or a binary search over the sorted thresholds."""
    edges = operation.thresholds.array[channel if len(operation.thresholds.array) > 1 else 0]
    values = operation.values.array[channel if len(operation.values.array) > 1 else 0]
    if given.width <= THRESHOLD_TABLE_BITS:
        bits = np.arange(1 << given.width, dtype=np.int64)
        codes = np.where(bits > given.high, bits - (1 << given.width), bits) if given.signed else bits
        places = np.searchsorted(edges, codes, side="right")
        return graph.table(node, given.width, tuple(values[places].tolist()))
    levels = len(values).bit_length() - 1
    place = graph.constant(0)
    for level in range(levels):
        # behind `level` decisions, the next threshold is in the middle of what is left
        middles = [((known << 1 | 1) << (levels - level - 1)) - 1 for known in range(1 << level)]
        found = tuple(int(edges[one]) for one in middles)
        edge = graph.table(place, level, found) if level else graph.constant(found[0])
        place = graph.add(graph.shift(place, 1), graph.at_least(node, edge))
    return graph.table(place, levels, tuple(values.tolist()))


def largest(graph: ArithmeticGraph, nodes: Sequence[int]) -> int:
    """The largest of nodes by a tree of comparisons."""
    while len(nodes) > 1:
        pairs = [graph.maximum(one, other) for one, other in zip(nodes[::2], nodes[1::2], strict=False)]
        nodes = pairs + ([nodes[-1]] if len(nodes) % 2 else [])
    return nodes[0]


def merged(kind: MergeKind, precision: LayerPrecision, given: Sequence[Format], channels: int, name: str) -> Kernel:
    """An elementwise operation of two tokens."""
    graph = ArithmeticGraph()
    left, right = vector(graph, given[0], channels), vector(graph, given[1], channels, channels)
    fraction = max(form.fraction for form in given)
    ups = [fraction - form.fraction for form in given]
    result = precision.result.format
    results = list[int]()
    for one, other in zip(left, right, strict=True):
        moved = graph.shift(one, ups[0]), graph.shift(other, ups[1])
        match kind:
            case MergeKind.ADD:
                node, point = graph.add(*moved), fraction
            case MergeKind.SUBTRACT:
                node, point = graph.add(*moved, sign=-1), fraction
            case MergeKind.MULTIPLY:
                node, point = graph.multiply(one, other), given[0].fraction + given[1].fraction
            case MergeKind.AVERAGE:
                node, point = graph.add(*moved), fraction + 1
            case MergeKind.MAXIMUM:
                node, point = graph.maximum(*moved), fraction
            case MergeKind.MINIMUM:
                node, point = graph.minimum(*moved), fraction
            case _:
                assert_never(kind)
        results.append(graph.cast(node, point, result))
    return kernel_of(name, graph, given, [channels, channels], results, result)


def concatenated(precision: LayerPrecision, given: Sequence[Format], sizes: Sequence[int], name: str) -> Kernel:
    """Tokens side by side, each cast to the result."""
    graph = ArithmeticGraph()
    result = precision.result.format
    results, first = list[int](), 0
    for form, size in zip(given, sizes, strict=True):
        results += [graph.cast(node, form.fraction, result) for node in vector(graph, form, size, first)]
        first += size
    return kernel_of(name, graph, given, sizes, results, result)


def softmax(
    layer: hw.Layer, kind: hw.SoftmaxKind, precision: LayerPrecision, given: Format, channels: int, name: str
) -> Kernel:
    """A softmax over the channels of a token."""
    match kind:
        case hw.SoftmaxKind.ARGMAX:
            return _one_hot(given, channels, precision.result.format, name)
        case hw.SoftmaxKind.TABLES:
            return _probabilities(layer, precision, given, channels, name)
        case _:
            assert_never(kind)


def _one_hot(given: Format, channels: int, result: Format, name: str) -> Kernel:
    """1 where the first largest value is, else 0; a tournament of pairs keeps value and place."""
    graph = ArithmeticGraph()
    nodes = vector(graph, given, channels)
    best = [(node, graph.constant(place)) for place, node in enumerate(nodes)]
    while len(best) > 1:
        pairs = list[tuple[int, int]]()
        for (one, place), (other, other_place) in zip(best[::2], best[1::2], strict=False):
            first = graph.at_least(one, other)
            pairs.append((graph.maximum(one, other), graph.select(first, place, other_place)))
        best = pairs + ([best[-1]] if len(best) % 2 else [])
    winner = best[0][1]
    results = list[int]()
    for place in range(channels):
        same = graph.table(winner, _bits(channels), tuple(int(place == one) for one in range(1 << _bits(channels))))
        results.append(graph.limited(same, result))
    return kernel_of(name, graph, [given], [channels], results, result)


def _probabilities(layer: hw.Layer, precision: LayerPrecision, given: Format, channels: int, name: str) -> Kernel:
    """Probabilities by tables: `exp(x - maximum)`, their sum, its reciprocal, and a product for each channel."""
    assert precision.accumulator is not None
    formats = {word: decision.format for word, decision in precision.tables.items()}
    difference, exponential, index = formats["difference"], formats["exponential"], formats["index"]
    accumulator, result = precision.accumulator.format, precision.result.format
    for form in (difference, index):
        _refuse_wide_table(layer, form)
    graph = ArithmeticGraph()
    nodes = vector(graph, given, channels)
    highest = largest(graph, nodes)
    entries = tuple(exponential_table(difference, exponential).tolist())
    exponentials = list[int]()
    for node in nodes:
        below = graph.cast(graph.add(highest, node, sign=-1), given.fraction, difference)
        entry = graph.table(below, difference.width, entries)
        exponentials.append(graph.cast(entry, exponential.fraction, accumulator))
    total = graph.cast(graph.limited(sum_of(graph, exponentials), accumulator), accumulator.fraction, index)
    inverse = graph.table(total, index.width, tuple(reciprocal_table(index, formats["reciprocal"]).tolist()))
    point = accumulator.fraction + formats["reciprocal"].fraction
    results = [graph.cast(graph.multiply(node, inverse), point, result) for node in exponentials]
    return kernel_of(name, graph, [given], [channels], results, result)


def _bits(count: int) -> int:
    return max(1, (count - 1).bit_length())
