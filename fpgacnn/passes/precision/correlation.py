"""Errors of sums of related tensors, which add up or cancel out.

`x - x` is exact, whatever the error of `x`, and the error of `x + x / 2` is one and a half times that of `x`. So a node
that sums multiples of other nodes, element by element, keeps the multiples: its error is the same sum of their errors,
and multiples of one node are added before the absolute value is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpgacnn.ir import hardware as hw
from fpgacnn.ir.source import MergeKind
from fpgacnn.passes.precision import nodes
from fpgacnn.passes.precision.bounds import Bound, constants_error, magnitude_of
from fpgacnn.passes.precision.nodes import Node

_SHARES = {MergeKind.ADD: (1.0, 1.0), MergeKind.SUBTRACT: (1.0, -1.0), MergeKind.AVERAGE: (0.5, 0.5)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiples:
    """An error as a sum: multiples of other nodes' errors at the same element, by node, and at most `rest` besides."""

    of: Mapping[str, float]
    rest: float = 0.0

    def times(self, factor: float, own: float = 0.0) -> Multiples:
        """The error of the product with a number, which adds an error of its own."""
        return Multiples(
            of={name: factor * share for name, share in self.of.items()}, rest=abs(factor) * self.rest + own
        )

    def plus(self, other: Multiples) -> Multiples:
        """The error of a sum."""
        names = {**self.of, **other.of}
        return Multiples(
            of={name: self.of.get(name, 0.0) + other.of.get(name, 0.0) for name in names}, rest=self.rest + other.rest
        )

    def bound(self, ranges: Mapping[str, Bound]) -> float:
        """The largest error."""
        return sum(abs(share) * ranges[name].error for name, share in self.of.items() if share) + self.rest


def multiples(layer: Node, given: Sequence[Multiples], ranges: Mapping[str, Bound]) -> Multiples | None:
    """The error of a node that sums multiples of others, elementwise; None for every other node."""
    match layer.operation:
        case hw.Merge(kind=kind) if kind in _SHARES:
            left, right = (one.times(share) for one, share in zip(given, _SHARES[kind], strict=True))
            return left.plus(right)
        case nodes.PlannedAffine(format=None, exact_steps=False) as line if np.all(
            line.trained.slope == line.trained.slope[0]
        ):
            scale, shift = constants_error(line)
            return given[0].times(
                float(line.trained.slope[0]), scale * magnitude_of(ranges[layer.inputs[0]].interval) + shift
            )
        case _:
            return None
