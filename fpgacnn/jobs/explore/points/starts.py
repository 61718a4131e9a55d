"""The points that a search begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fpgacnn.design import Strategy
from fpgacnn.jobs.explore.space import DesignSpace, IoAxis, Values, WidthAxis
from fpgacnn.passes.widths.widths import Point

PATH_POINTS = 16
"""Points of the path of `quantize --budget` among the first points of a search."""

BASE_BITS = 6
"""The path's largest widths are two bits above these."""

PRUNED_SHARES = (0.2, 0.4, 0.6, 0.8)
"""Shares of the weights of all layers that are cut in the first points with zeros."""

NETWORK_BITS = (4, 6, 8)
"""Uniform widths of the first points of networks with other numbers of filters."""

SHARED_REUSE = (4, 16, 64)
"""Reuse factors of the first points with the resource strategy."""


def starts(space: DesignSpace, path: Sequence[Mapping[Point, int]]) -> Iterator[Values]:
    """The points that a search begins with, none twice: the largest widths first.

    Uniform widths with each io type, the path of `quantize --budget`, and uniform widths with shared multipliers, with
    pruned weights, or of the other networks. Of these, those that are computed and meet the limits are never better
    than the whole front.
    """
    widths = [axis for axis in space.axes if isinstance(axis, WidthAxis)]
    high, low = max((axis.high for axis in widths), default=1), min((axis.low for axis in widths), default=1)
    io = next((axis for axis in space.axes if isinstance(axis, IoAxis)), None)
    plain = [space.uniform(bits) for bits in range(high, low - 1, -1)]
    places = sorted({*np.linspace(0, len(path) - 1, min(PATH_POINTS, len(path))).astype(int).tolist()})
    plain += [space.with_widths(path[place]) for place in places]
    middle = space.uniform((high + low) // 2)
    found: list[Values] = [*plain]
    if io is not None:
        found += [{**one, io.name: io.high} for one in plain[: high - low + 1]]
    found += [space.with_reuse(Strategy.RESOURCE, reuse, middle) for reuse in SHARED_REUSE]
    base = space.uniform(BASE_BITS)
    found += [space.with_pruning(share, one) for one in (base, middle) for share in PRUNED_SHARES]
    if (filters := space.filters) is not None:
        places = [place for place in range(filters.high + 1) if place != filters.given]
        found += [{**space.uniform(bits), filters.name: place} for place in places for bits in NETWORK_BITS]
    yield from {tuple(one.items()): one for one in found}.values()
