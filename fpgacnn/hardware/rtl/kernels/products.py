"""Products of a vector with a constant matrix, as an adder graph with shared subexpressions.

Weights are written in canonical signed digits (Reitwiesner, 1960), so a product is a sum of shifted inputs. The pair of
terms that most sums share is built once and takes its place in all of them, until no pair occurs twice (greedy
two-term subexpression elimination: Hartley, IEEE TCAS-II 43, 1996; Potkonjak, Srivastava, Chandrakasan, 1996).
`constant_products` is the only entrance: another algorithm takes its place there.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fpgacnn.hardware.rtl.kernels.arithmetic import ArithmeticGraph
from fpgacnn.ir.fixed_point import CodeArray

Term: TypeAlias = tuple[int, int, int]
"""A node, a left shift and a sign."""

Pattern: TypeAlias = tuple[int, int, int, int]
"""Two nodes, the shift of the second against the first, and the product of their signs."""

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


@dataclass(slots=True)
class _Row:
    """The terms of one sum, by node."""

    by_node: dict[int, set[tuple[int, int]]]

    @classmethod
    def of(cls, terms: Sequence[Term]) -> _Row:
        found: dict[int, set[tuple[int, int]]] = {}
        for node, up, sign in terms:
            found.setdefault(node, set()).add((up, sign))
        return cls(found)

    def terms(self) -> list[Term]:
        """All terms in an order that does not depend on hashes."""
        return sorted((node, up, sign) for node, places in self.by_node.items() for up, sign in places)

    def remove(self, term: Term) -> None:
        self.by_node[term[0]].discard(term[1:])
        if not self.by_node[term[0]]:
            del self.by_node[term[0]]

    def add(self, term: Term) -> None:
        self.by_node.setdefault(term[0], set()).add(term[1:])

    def __contains__(self, term: Term) -> bool:
        return term[1:] in self.by_node.get(term[0], ())

    def uses(self, pattern: Pattern) -> list[tuple[Term, Term]]:
        """Places of a pattern that do not overlap."""
        node, other, places, sign = pattern
        if node not in self.by_node or other not in self.by_node:
            return []
        found, taken = list[tuple[Term, Term]](), set[Term]()
        for up, first in sorted(self.by_node[node]):
            left, right = (node, up, first), (other, up + places, first * sign)
            if right in self and left != right and left not in taken and right not in taken:
                found.append((left, right))
                taken |= {left, right}
        return found


def _pattern(one: Term, other: Term) -> Pattern:
    (node, up, sign), (right, places, other_sign) = sorted((one, other), key=lambda term: (term[1], term[0], term[2]))
    return node, right, places - up, sign * other_sign


class _Sharing:
    """The search for shared pairs; how often each pair occurs is kept while terms are replaced."""

    def __init__(self, graph: ArithmeticGraph, rows: Sequence[Sequence[Term]]) -> None:
        self._graph = graph
        self._rows = [_Row.of(row) for row in rows]
        self._counts: Counter[Pattern] = Counter()
        for row in self._rows:
            terms = row.terms()
            for number, one in enumerate(terms):
                for other in terms[:number]:
                    self._counts[_pattern(one, other)] += 1
        self._heap = [(-count, pattern[2], pattern) for pattern, count in self._counts.items() if count > 1]
        heapq.heapify(self._heap)

    def shared(self) -> list[list[Term]]:
        """The terms of every sum after all replacements."""
        while self._heap:
            count, _, pattern = heapq.heappop(self._heap)
            seen = self._counts[pattern]
            if seen < -count:
                if seen > 1:
                    heapq.heappush(self._heap, (-seen, pattern[2], pattern))
                continue
            if seen > 1:
                self._replace(pattern)
        return [row.terms() for row in self._rows]

    def _replace(self, pattern: Pattern) -> None:
        uses = [(row, row.uses(pattern)) for row in self._rows]
        if sum(len(found) for _, found in uses) < 2:  # overlapping places: nothing is shared
            self._counts[pattern] = 0
            return
        node, other, places, sign = pattern
        total = self._graph.add(node, other, up=(0, places), sign=sign)
        for row, found in uses:
            for left, right in found:
                self._exchange(row, left, right, (total, left[1], left[2]))

    def _exchange(self, row: _Row, left: Term, right: Term, new: Term) -> None:
        if new in row:  # the sum already has this term once; twice the term is another place
            return
        row.remove(left)
        row.remove(right)
        self._counts[_pattern(left, right)] -= 1
        for term in row.terms():
            self._counts[_pattern(left, term)] -= 1
            self._counts[_pattern(right, term)] -= 1
            grown = _pattern(new, term)
            self._counts[grown] += 1
            if self._counts[grown] > 1:
                heapq.heappush(self._heap, (-self._counts[grown], grown[2], grown))
        row.add(new)
