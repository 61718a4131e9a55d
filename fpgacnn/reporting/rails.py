"""The graph of a network as a rail beside its rows: nodes below each other in order, skip connections in lanes of their own.

Rows stand in an order that can be computed, so every edge points down. An edge to the next row runs straight; every
other takes the innermost lane that is free from its start to its end, so lines never run over nodes or each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from fpgacnn.flow.record import LayerRecord
from fpgacnn.reporting.marks import Curve, Rail

LANE, MARGIN, HEIGHT = 12.0, 9.0, 34.0
MAX_LANES = 24
SHAPES = {
    "Input": "port",
    "Convolution": "sum",
    "Depthwise": "sum",
    "Dense": "sum",
    "Merge": "merge",
    "Concatenate": "merge",
}
"""Operation -> how its node is drawn; all others are small points."""


def rails(layers: Sequence[LayerRecord]) -> tuple[Rail, ...]:
    """One piece of the drawing for each row; inputs that name no earlier row are left out."""
    row_of = {layer.name: row for row, layer in enumerate(layers)}
    edges = sorted({(row_of[name], row) for row, layer in enumerate(layers) for name in layer.inputs if row_of.get(name, row) < row})
    lanes = _lanes([edge for edge in edges if edge[1] > edge[0] + 1])
    count = max(lanes.values(), default=-1) + 1
    width = 2 * MARGIN + count * LANE
    pieces: list[list[Curve]] = [[] for _ in layers]
    for edge in edges:
        _draw(edge, lanes.get(edge), width - MARGIN, pieces)
    return tuple(
        Rail(width=width, height=HEIGHT, x=width - MARGIN, shape=SHAPES.get(layer.kind, "point"), curves=tuple(curves))
        for layer, curves in zip(layers, pieces, strict=True)
    )


def _lanes(skips: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A lane for each edge, short edges innermost; beyond MAX_LANES edges share the outermost."""
    taken: list[list[tuple[int, int]]] = []
    found: dict[tuple[int, int], int] = {}
    for edge in sorted(skips, key=lambda one: (one[1] - one[0], one)):
        free = (lane for lane, others in enumerate(taken) if all(edge[1] <= other[0] or edge[0] >= other[1] for other in others))
        lane = min(next(free, len(taken)), MAX_LANES - 1)
        if lane == len(taken):
            taken.append([])
        taken[lane].append(edge)
        found[edge] = lane
    return found


def _draw(edge: tuple[int, int], lane: int | None, node: float, pieces: Sequence[list[Curve]]) -> None:
    start, end = edge
    middle = HEIGHT / 2
    side = node if lane is None else node - (lane + 1) * LANE
    skips = lane is not None
    pieces[start].append(Curve(x0=node, y0=middle, x1=side, y1=HEIGHT, skips=skips))
    for row in range(start + 1, end):
        pieces[row].append(Curve(x0=side, y0=0.0, x1=side, y1=HEIGHT, skips=skips))
    pieces[end].append(Curve(x0=side, y0=0.0, x1=node, y1=middle, skips=skips))
