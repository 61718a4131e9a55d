"""Sums, and quotients by a constant that truncate toward zero, as C++ divides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph
from fpgacnn.hardware.rtl.kernels.products import constant_products, summed


def sum_of(graph: ArithmeticGraph, nodes: Sequence[int]) -> int:
    """The sum of nodes by a tree of adders."""
    return summed(graph, [(node, 0, 1) for node in nodes])


def reciprocal(divisor: int, largest: int) -> tuple[int, int]:
    """The shortest factor and shift with `n * factor >> shift == n // divisor` for every n from 0 to `largest`.

    Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994): it holds where
    `factor * divisor - 2**shift` times the largest n stays below `2**shift`.
    """
    shift = 0
    while True:
        factor = -(-(1 << shift) // divisor)
        if (factor * divisor - (1 << shift)) * (largest + 1) <= 1 << shift:
            return factor, shift
        shift += 1


def divided(graph: ArithmeticGraph, node: int, divisor: int) -> int:
    """`node / divisor`, truncated toward zero."""
    if divisor == 1:
        return node
    low, high = graph.range_of(node)
    magnitude = node if low >= 0 else graph.maximum(node, graph.negative(node))
    factor, shift = reciprocal(divisor, max(abs(low), abs(high)))
    product = constant_products(graph, [magnitude], np.array([[factor]], dtype=object), [0])[0]
    found = graph.shift(product, -shift)
    if low >= 0:
        return found
    return graph.select(graph.at_least(node, graph.constant(0)), found, graph.negative(found))


def quotient(graph: ArithmeticGraph, total: int, inside: Sequence[int], counts: Sequence[int]) -> int:
    """The sum of a window divided by the number of its cells that are inside of the image."""
    *others, last = sorted(counts)
    found = divided(graph, total, last)
    if not others:
        return found
    cells = sum_of(graph, inside)
    for count in reversed(others):
        fewer = graph.at_least(graph.constant(count), cells)
        found = graph.select(fewer, divided(graph, total, count), found)
    return found
