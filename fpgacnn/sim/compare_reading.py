"""Compare the network as read with the framework of its file, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from fpgacnn.sim.compare import READING, Difference, Tally, VerificationReport, first_difference, summary
from fpgacnn.sim.follow_layers import NodeDifference

EXCUSED_SHARE = 0.03
"""Largest share of a layer's values next to a threshold of a quantizer, where float32 may take the other step."""


def of_reading(
    framework: str, pieces: Iterable[tuple[NodeDifference, ...]], *, required: Collection[str]
) -> VerificationReport:
    """The network as read against its framework; each piece has the same layers, on the next events.

    A value is wrong if it differs by more than float32 rounding and no quantizer's threshold next to it explains the
    difference. A layer is also wrong if more than EXCUSED_SHARE of its values need that explanation.
    """
    found: dict[str, _LayerCount] = {}
    events = excused = 0
    for piece in pieces:
        count = len(piece[0].ours) if piece else 0
        stepped = np.zeros(count, np.bool_)
        for node in piece:
            found.setdefault(node.layer, _LayerCount(node.layer)).add(node, events)
            stepped |= (node.beyond & ~node.wrong).reshape(count, -1).any(axis=1)
        events, excused = events + count, excused + int(stepped.sum())
    report = summary(READING, framework, events, [node.tally() for node in found.values()], required=required)
    return replace(report, float32_events=excused)


@dataclass(slots=True)
class _LayerCount:
    """The counts of one layer of the network as read."""

    layer: str
    values: int = 0
    stepped: int = 0
    beyond: int = 0
    largest: float = 0.0
    rounding: float = 0.0
    wrong: Difference | None = None
    other: Difference | None = None

    def add(self, node: NodeDifference, events: int) -> None:
        """Add events; `events` is the number of those before."""
        off = np.abs(node.theirs - node.ours)
        off[np.isnan(off)] = np.inf
        self.values += off.size
        self.beyond += int(node.beyond.sum())
        self.stepped += int((node.beyond & ~node.wrong).sum())
        self.largest = max(self.largest, float(np.where(node.beyond & ~node.wrong, 0.0, off).max(initial=0.0)))
        self.rounding = max(self.rounding, node.rounding)
        self.wrong = self.wrong or first_difference(self.layer, node.wrong, node.ours, node.theirs, events)
        self.other = self.other or first_difference(self.layer, node.beyond, node.ours, node.theirs, events)

    def tally(self) -> Tally:
        """The result for the layer."""
        wrong = self.wrong is not None or self.stepped > max(1, EXCUSED_SHARE * self.values)
        return Tally(
            layer=self.layer,
            values=self.values,
            mismatches=self.beyond,
            largest=self.largest,
            allowed=self.rounding,
            first=self.wrong or self.other,
            wrong=wrong,
        )
