"""Draw the graph of a network beside the rows of a table: nodes in order, skip connections in lanes of their own.

Rows are in an order of computation, so every edge points down. An edge to the next row is a straight line; every
other edge takes the innermost lane that is free from its start to its end, so lines never cross nodes or each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from fpgacnn.records.record import LayerRecord
from fpgacnn.reporting.charts import Curve, GraphRow

LANE, MARGIN, HEIGHT = 12.0, 9.0, 34.0
MAX_LANES, MAX_SKIPS = 24, 1000
LINE_CHARACTERS, LINE_HEIGHT = 26, 16.0
"""Characters of a line of the column of operations in the HTML report, and its height in pixels."""

SHAPES = {
    "Input": "port",
    "Convolution": "sum",
    "Depthwise": "sum",
    "Dense": "sum",
    "Merge": "merge",
    "Concatenate": "merge",
}
"""Operation -> shape of its node; all others are small points."""


def graph_rows(layers: Sequence[LayerRecord]) -> tuple[GraphRow, ...]:
    """One piece of the drawing for each row; inputs that name no earlier row are left out."""
    row_of = {layer.name: row for row, layer in enumerate(layers)}
    edges = sorted(
        {
            (row_of[name], row)
            for row, layer in enumerate(layers)
            for name in layer.inputs
            if row_of.get(name, row) < row
        }
    )
    lanes = _lanes([edge for edge in edges if edge[1] > edge[0] + 1])
    width = 2 * MARGIN + (max(lanes.values(), default=-1) + 1) * LANE
    pieces: list[dict[Curve, None]] = [{} for _ in layers]
    for edge in edges:
        _draw_ends(edge, lanes.get(edge), width - MARGIN, pieces)
    for lane in sorted(set(lanes.values())):
        _draw_lane([edge for edge in lanes if lanes[edge] == lane], _side(width - MARGIN, lane), pieces)
    height = _height(layers)
    return tuple(
        GraphRow(
            width=width,
            height=height,
            x=width - MARGIN,
            shape=SHAPES.get(layer.kind, "point"),
            curves=tuple(replace(one, y0=one.y0 * height / HEIGHT, y1=one.y1 * height / HEIGHT) for one in curves),
        )
        for layer, curves in zip(layers, pieces, strict=True)
    )


def _height(layers: Sequence[LayerRecord]) -> float:
    """The height of every row: the operation with the longest text needs so many lines."""
    lines = max((ceil(len(layer.what) / LINE_CHARACTERS) for layer in layers), default=0)
    return max(HEIGHT, LINE_HEIGHT * lines + 2)


def _lanes(skips: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A lane for each edge, short ones innermost; above MAX_LANES lanes or MAX_SKIPS edges share the outermost."""
    if len(skips) > MAX_SKIPS:
        return dict.fromkeys(skips, MAX_LANES - 1)
    taken: list[list[tuple[int, int]]] = []
    found: dict[tuple[int, int], int] = {}
    for edge in sorted(skips, key=lambda one: (one[1] - one[0], one)):
        free = (
            lane
            for lane, others in enumerate(taken)
            if all(edge[1] <= other[0] or edge[0] >= other[1] for other in others)
        )
        lane = min(next(free, len(taken)), MAX_LANES - 1)
        if lane == len(taken):
            taken.append([])
        taken[lane].append(edge)
        found[edge] = lane
    return found


def _side(node: float, lane: int | None) -> float:
    return node if lane is None else node - (lane + 1) * LANE


def _draw_ends(edge: tuple[int, int], lane: int | None, node: float, pieces: Sequence[dict[Curve, None]]) -> None:
    """Draw where an edge leaves its first row and where it arrives at its last."""
    middle, side, skips = HEIGHT / 2, _side(node, lane), lane is not None
    pieces[edge[0]][Curve(x0=node, y0=middle, x1=side, y1=HEIGHT, skips=skips)] = None
    pieces[edge[1]][Curve(x0=side, y0=0.0, x1=node, y1=middle, skips=skips)] = None


def _draw_lane(edges: Sequence[tuple[int, int]], side: float, pieces: Sequence[dict[Curve, None]]) -> None:
    """Draw the rows that the edges of a lane pass, each row once."""
    line, done = Curve(x0=side, y0=0.0, x1=side, y1=HEIGHT, skips=True), 0
    for start, end in sorted(edges):
        for row in range(max(start + 1, done), end):
            pieces[row][line] = None
        done = max(done, end)
