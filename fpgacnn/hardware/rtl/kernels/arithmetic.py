"""Arithmetic graphs: what one clocked kernel computes on integers, as nodes with exact ranges.

A node is an integer for every token. Its range is exact, so its width in hardware is known, and no operation can
overflow unless the graph says so (`WRAP`). Equal nodes are built once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from fpgacnn.ir.fixed_point import Format, Overflow, Rounding, signed_bits


class Op(Enum):
    """What a node computes from its arguments."""

    INPUT = auto()
    CONSTANT = auto()
    ADD = auto()
    SHIFT = auto()
    ROUND = auto()
    WRAP = auto()
    CLIP = auto()
    ZERO_OUTSIDE = auto()
    RELU = auto()
    MAXIMUM = auto()
    MINIMUM = auto()
    AT_LEAST = auto()
    SELECT = auto()
    MULTIPLY = auto()
    TABLE = auto()


ROUNDINGS = tuple(Rounding)


@dataclass(frozen=True, slots=True)
class ArithmeticNode:
    """One node: `args` are numbers of earlier nodes, `data` the constants of the operation, `low..high` its range.

    INPUT: (number,). CONSTANT: (value,). ADD: (left shift of a, left shift of b, sign of b). SHIFT: (places), right if
    negative. ROUND: (places to the right, number of the mode). WRAP: (width, 1 if signed). CLIP and ZERO_OUTSIDE:
    (low, high). TABLE: a value for every code of `width(argument)` bits, in the order of the bits.
    """

    op: Op
    args: tuple[int, ...]
    data: tuple[int, ...]
    low: int
    high: int

    @property
    def width(self) -> int:
        """Bits of a signed number that holds the range."""
        return signed_bits(self.low, self.high)


class ArithmeticGraph:
    """A graph that is being built; nodes are numbered in an order that can be computed."""

    def __init__(self) -> None:
        self.nodes: list[ArithmeticNode] = []
        self.levels: list[int] = []
        self._numbers: dict[ArithmeticNode, int] = {}

    def _node(self, op: Op, args: tuple[int, ...], data: tuple[int, ...], low: int, high: int) -> int:
        if low == high and op not in {Op.INPUT, Op.CONSTANT}:
            return self.constant(low)
        node = ArithmeticNode(op, args, data, low, high)
        found = self._numbers.get(node)
        if found is not None:
            return found
        self._numbers[node] = len(self.nodes)
        self.nodes.append(node)
        free = op in {Op.INPUT, Op.CONSTANT, Op.SHIFT, Op.WRAP}
        self.levels.append(max((self.levels[one] for one in args), default=0) + (0 if free else 1))
        return len(self.nodes) - 1

    def range_of(self, node: int) -> tuple[int, int]:
        """Smallest and largest value."""
        return self.nodes[node].low, self.nodes[node].high

    def input(self, number: int, form: Format) -> int:
        """A code of a format."""
        return self._node(Op.INPUT, (), (number,), form.low, form.high)

    def ranged_input(self, number: int, low: int, high: int) -> int:
        """An input of a range."""
        return self._node(Op.INPUT, (), (number,), low, high)

    def constant(self, value: int) -> int:
        """A constant."""
        return self._node(Op.CONSTANT, (), (value,), value, value)

    def add(self, left: int, right: int, *, up: tuple[int, int] = (0, 0), sign: int = 1) -> int:
        """`(left << up[0]) + sign * (right << up[1])`."""
        (low, high), (other_low, other_high) = self.range_of(left), self.range_of(right)
        ends = (other_low << up[1], other_high << up[1])
        if sign < 0:
            ends = (-ends[1], -ends[0])
        if ends == (0, 0):
            return self.shift(left, up[0])
        if (low, high) == (0, 0) and sign > 0:
            return self.shift(right, up[1])
        return self._node(Op.ADD, (left, right), (*up, sign), (low << up[0]) + ends[0], (high << up[0]) + ends[1])

    def negative(self, node: int) -> int:
        """`-node`."""
        return self.add(self.constant(0), node, sign=-1)

    def shift(self, node: int, places: int) -> int:
        """`node << places`, or the floor of `node >> -places`."""
        if places == 0:
            return node
        low, high = self.range_of(node)
        moved = (low << places, high << places) if places > 0 else (low >> -places, high >> -places)
        return self._node(Op.SHIFT, (node,), (places,), *moved)

    def rounded(self, node: int, places: int, rounding: Rounding) -> int:
        """`node / 2**places`, rounded."""
        if places <= 0 or rounding is Rounding.TRN:
            return self.shift(node, -places)
        low, high = (round_code(end, places, rounding) for end in self.range_of(node))
        return self._node(Op.ROUND, (node,), (places, ROUNDINGS.index(rounding)), low, high)

    def limited(self, node: int, to: Format) -> int:
        """A code of the right binary point in the range of a format, by its overflow mode."""
        low, high = self.range_of(node)
        if to.low <= low and high <= to.high:
            return node
        if to.overflow is Overflow.WRAP:
            if low == high:
                return self.constant((low - to.low) % (1 << to.width) + to.low)
            return self._node(Op.WRAP, (node,), (to.width, int(to.signed)), to.low, to.high)
        if to.overflow is Overflow.SAT_ZERO:
            ends = (min(max(low, to.low), 0), max(min(high, to.high), 0))
            return self._node(Op.ZERO_OUTSIDE, (node,), (to.low, to.high), *ends)
        ends = (min(max(low, to.low), to.high), min(max(high, to.low), to.high))
        return self._node(Op.CLIP, (node,), (to.low, to.high), *ends)

    def cast(self, node: int, fraction: int, to: Format) -> int:
        """A code with `fraction` fraction bits in a format: rounded, then limited, as `ap_fixed` does."""
        return self.limited(self.rounded(node, fraction - to.fraction, to.rounding), to)

    def relu(self, node: int) -> int:
        """`max(node, 0)`."""
        low, high = self.range_of(node)
        return node if low >= 0 else self._node(Op.RELU, (node,), (), 0, max(high, 0))

    def maximum(self, left: int, right: int) -> int:
        """The larger one."""
        (low, high), (other_low, other_high) = self.range_of(left), self.range_of(right)
        return self._node(Op.MAXIMUM, (left, right), (), max(low, other_low), max(high, other_high))

    def minimum(self, left: int, right: int) -> int:
        """The smaller one."""
        (low, high), (other_low, other_high) = self.range_of(left), self.range_of(right)
        return self._node(Op.MINIMUM, (left, right), (), min(low, other_low), min(high, other_high))

    def at_least(self, left: int, right: int) -> int:
        """1 if `left >= right`, else 0."""
        (low, high), (other_low, other_high) = self.range_of(left), self.range_of(right)
        return self._node(Op.AT_LEAST, (left, right), (), int(low >= other_high), int(high >= other_low))

    def select(self, condition: int, one: int, other: int) -> int:
        """`one` if the condition is 1, else `other`."""
        if self.range_of(condition) in {(0, 0), (1, 1)}:
            return one if self.range_of(condition) == (1, 1) else other
        (low, high), (other_low, other_high) = self.range_of(one), self.range_of(other)
        return self._node(Op.SELECT, (condition, one, other), (), min(low, other_low), max(high, other_high))

    def multiply(self, left: int, right: int) -> int:
        """The product of two nodes."""
        corners = [one * other for one in self.range_of(left) for other in self.range_of(right)]
        return self._node(Op.MULTIPLY, (left, right), (), min(corners), max(corners))

    def table(self, node: int, bits: int, values: tuple[int, ...]) -> int:
        """The value at the place of a code's lowest `bits` bits."""
        assert len(values) == 1 << bits
        if self.nodes[node].op is Op.CONSTANT:
            return self.constant(values[self.nodes[node].low & ((1 << bits) - 1)])
        return self._node(Op.TABLE, (node,), values, min(values), max(values))


def round_code(code: int, places: int, rounding: Rounding) -> int:
    """`code / 2**places` as `ap_fixed` rounds it (UG902); Python integers of any size."""
    floor, rest = code >> places, code & ((1 << places) - 1)
    half, below, negative = bool(rest >> (places - 1)), bool(rest & ((1 << (places - 1)) - 1)), code < 0
    up = {
        Rounding.TRN: False,
        Rounding.TRN_ZERO: negative and (half or below),
        Rounding.RND: half,
        Rounding.RND_ZERO: half and (negative or below),
        Rounding.RND_INF: half and (not negative or below),
        Rounding.RND_MIN_INF: half and below,
        Rounding.RND_CONV: half and (bool(floor & 1) or below),
    }
    return floor + up[rounding]
