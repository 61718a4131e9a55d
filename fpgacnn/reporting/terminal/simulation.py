"""Ranges and profiles of a simulation as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.jobs.simulate import NodeRange
from fpgacnn.reporting.formatting import clean
from fpgacnn.reporting.terminal.columns import FittingTable, left, right
from fpgacnn.sim.profiling import Profile


def profile_table(profile: Profile) -> FittingTable:
    """One row for each tensor: what its format loses on the events."""

    def share(value: float | None) -> Text:
        return Text("" if value is None else f"{value:.1%}")

    return FittingTable(
        headings=(
            left(f"on {profile.events:,} events"),
            left("tensor"),
            left("format"),
            right("zeros", rank=1),
            right("rounded to 0"),
            right("saturated"),
            right("unused bits"),
            right("SNR [dB]"),
        ),
        rows=tuple(
            (
                Text(printable(one.name)),
                Text(one.what),
                Text(clean(one.format)),
                share(one.zeros),
                share(one.rounded_to_zero),
                share(one.saturated),
                Text(f"{one.unused_bits}"),
                Text("" if one.signal_to_noise_db is None else f"{one.signal_to_noise_db:.1f}"),
            )
            for one in profile.tensors
        ),
    )


def ranges_table(nodes: Sequence[NodeRange]) -> FittingTable:
    """One row for each node: the range of its results, and counts of its casts."""
    return FittingTable(
        headings=(
            left("node"),
            left("kind", rank=1),
            left("result"),
            *map(right, ("least", "most", "wraps", "saturations", "ties")),
        ),
        rows=tuple(
            (
                Text(printable(node.name)),
                Text(node.kind),
                Text(clean(node.format)),
                Text(f"{node.least:g}"),
                Text(f"{node.most:g}"),
                *(Text("" if count is None else f"{count:,}") for count in (node.wraps, node.saturations, node.ties)),
            )
            for node in nodes
        ),
        styles=tuple("red" if node.wraps else "yellow" if node.saturations else "" for node in nodes),
    )
