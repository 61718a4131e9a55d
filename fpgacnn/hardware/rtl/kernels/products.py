"""Products of a vector with a constant matrix, as an adder graph with shared subexpressions.

Weights are written in canonical signed digits (Reitwiesner, 1960), so a product is a sum of shifted inputs. The pair of
terms that most sums share is built once and takes its place in all of them, until no pair occurs twice (greedy
two-term subexpression elimination: Hartley, IEEE TCAS-II 43, 1996; Potkonjak, Srivastava, Chandrakasan, 1996).
`constant_products` is the only entrance: another algorithm takes its place there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph
from fpgacnn.ir.fixed_point import CodeArray

Term: TypeAlias = tuple[int, int, int]
"""A node, a left shift and a sign."""

MOST_PAIRS = 4_000_000
"""Pairs of terms that are searched for shared subexpressions; larger matrices get plain adder trees."""


def signed_digits(value: int) -> Iterator[tuple[int, int]]:
    """The canonical signed digits of a number: (place, 1 or -1), no two of them side by side."""
    place, sign, rest = 0, -1 if value < 0 else 1, abs(value)
    while rest:
        if rest & 1:
            digit = 2 - (rest & 3)
            yield place, sign * digit
            rest -= digit
        rest >>= 1
        place += 1


def constant_products(
    graph: ArithmeticGraph, inputs: Sequence[int], matrix: CodeArray, offsets: Sequence[int]
) -> tuple[int, ...]:
    """`inputs @ matrix + offsets` as nodes of the graph; matrix (inputs, outputs), offsets by output."""
    rows = [
        [
            (node, place, sign)
            for node, weight in zip(inputs, column.tolist(), strict=True)
            for place, sign in signed_digits(int(weight))
        ]
        for column in matrix.T
    ]
    if sum(len(row) * (len(row) - 1) // 2 for row in rows) <= MOST_PAIRS:
        rows = _Sharing(graph, rows).shared()
    return tuple(
        summed(graph, [*row, (graph.constant(offset), 0, 1)] if offset else row)
        for row, offset in zip(rows, offsets, strict=True)
    )


def summed(graph: ArithmeticGraph, terms: Sequence[Term]) -> int:
    """The sum of terms by a tree of adders; the terms that are ready first are added first."""
    if not terms:
        return graph.constant(0)
    waiting = [(graph.levels[node], number, node, up, sign) for number, (node, up, sign) in enumerate(terms)]
    heapq.heapify(waiting)
    number = len(waiting)
    while len(waiting) > 1:
        one, other = heapq.heappop(waiting)[2:], heapq.heappop(waiting)[2:]
        node, up, sign = _pair(graph, one, other)
        heapq.heappush(waiting, (graph.levels[node], number, node, up, sign))
        number += 1
    _, _, node, up, sign = waiting[0]
    return graph.shift(node if sign > 0 else graph.negative(node), up)


def _pair(graph: ArithmeticGraph, one: Term, other: Term) -> Term:
    """The sum of two terms as a term; a sum that begins with a negative term is built with the opposite sign."""
    if one[2] < 0 < other[2]:
        one, other = other, one
    (node, up, sign), (added, places, other_sign) = one, other
    least = min(up, places)
    total = graph.add(node, added, up=(up - least, places - least), sign=sign * other_sign)
    return total, least, sign


NODE_BITS = 24
PLACE_AT = NODE_BITS + 1
NODES = (1 << NODE_BITS) - 1


def _encoded(term: Term) -> int:
    """A term as one integer, which is larger for a larger place, then for a larger node, then for a positive sign."""
    node, up, sign = term
    return up << PLACE_AT | node << 1 | (sign > 0)


def _decoded(code: int) -> Term:
    return code >> 1 & NODES, code >> PLACE_AT, 1 if code & 1 else -1


def _patterns(one: CodeArray | int, others: CodeArray) -> CodeArray:
    """The pattern of a term with each of others, as integers.

    The difference of places comes first, then the node at the lower place, the other node, and 1 for equal signs.
    """
    low, high = np.minimum(one, others), np.maximum(one, others)
    places, same = (high >> PLACE_AT) - (low >> PLACE_AT), (low ^ high) & 1 ^ 1
    return places << (2 * NODE_BITS + 1) | (low >> 1 & NODES) << PLACE_AT | (high >> 1 & NODES) << 1 | same


@dataclass(slots=True)
class _Row:
    """The terms of one sum as integers, by node."""

    by_node: dict[int, set[int]]

    @classmethod
    def of(cls, terms: Sequence[Term]) -> _Row:
        found = cls({})
        for term in terms:
            found.add(_encoded(term))
        return found

    def codes(self) -> CodeArray:
        """All terms, in any order."""
        return np.array([code for codes in self.by_node.values() for code in codes], dtype=np.int64)

    def terms(self) -> list[Term]:
        """All terms in an order that does not depend on hashes."""
        return sorted(map(_decoded, self.codes().tolist()))

    def remove(self, code: int) -> None:
        node = code >> 1 & NODES
        self.by_node[node].discard(code)
        if not self.by_node[node]:
            del self.by_node[node]

    def add(self, code: int) -> None:
        self.by_node.setdefault(code >> 1 & NODES, set()).add(code)

    def __contains__(self, code: int) -> bool:
        return code in self.by_node.get(code >> 1 & NODES, ())

    def uses(self, node: int, other: int, places: int, sign: int) -> list[tuple[int, int]]:
        """Places of a pattern that do not overlap."""
        if node not in self.by_node or other not in self.by_node:
            return []
        found, taken = list[tuple[int, int]](), set[int]()
        for left in sorted(self.by_node[node]):
            _, up, first = _decoded(left)
            right = _encoded((other, up + places, first * sign))
            if right in self and left != right and left not in taken and right not in taken:
                found.append((left, right))
                taken |= {left, right}
        return found


class _Sharing:
    """The search for shared pairs; how often each pair occurs is kept while terms are replaced.

    Only pairs that occur twice at the beginning, or that have a new node, are counted: the others become no more.
    """

    def __init__(self, graph: ArithmeticGraph, rows: Sequence[Sequence[Term]]) -> None:
        self._graph = graph
        self._rows = [_Row.of(row) for row in rows]
        pairs = list[CodeArray]()
        for row in self._rows:
            codes = row.codes()
            first, second = np.triu_indices(len(codes), 1)
            pairs.append(_patterns(codes[first], codes[second]))
        patterns, counts = np.unique(np.concatenate(pairs), return_counts=True)
        often = counts > 1
        self._counts = dict(zip(patterns[often].tolist(), counts[often].tolist(), strict=True))
        self._heap = [(-count, pattern) for pattern, count in self._counts.items()]
        heapq.heapify(self._heap)

    def shared(self) -> list[list[Term]]:
        """The terms of every sum after all replacements."""
        while self._heap:
            count, pattern = heapq.heappop(self._heap)
            seen = self._counts.get(pattern, 0)
            if seen < -count:
                if seen > 1:
                    heapq.heappush(self._heap, (-seen, pattern))
                continue
            if seen > 1:
                self._replace(pattern)
        return [row.terms() for row in self._rows]

    def _replace(self, pattern: int) -> None:
        places, node, other = pattern >> (2 * NODE_BITS + 1), pattern >> PLACE_AT & NODES, pattern >> 1 & NODES
        sign = 1 if pattern & 1 else -1
        uses = [(row, row.uses(node, other, places, sign)) for row in self._rows]
        if sum(len(found) for _, found in uses) < 2:  # overlapping places: nothing is shared
            self._counts[pattern] = 0
            return
        total = self._graph.add(node, other, up=(0, places), sign=sign)
        for row, found in uses:
            for left, right in found:
                _, up, first = _decoded(left)
                self._exchange(row, left, right, _encoded((total, up, first)))

    def _exchange(self, row: _Row, left: int, right: int, new: int) -> None:
        if new in row:  # the sum already has this term once; twice the term is another place
            return
        row.remove(left)
        row.remove(right)
        counts, others = self._counts, row.codes()
        gone = np.concatenate([_patterns(left, np.append(others, right)), _patterns(right, others)])
        for pattern in gone.tolist():
            if pattern in counts:
                counts[pattern] -= 1
        for pattern in _patterns(new, others).tolist():
            count = counts.get(pattern, 0) + 1
            counts[pattern] = count
            if count > 1:
                heapq.heappush(self._heap, (-count, pattern))
        row.add(new)
