"""A profile as PNG or SVG, drawn with matplotlib (extra `pictures`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fpgacnn.errors import MissingExtraError
from fpgacnn.reporting import charts
from fpgacnn.reporting.formatting import clean
from fpgacnn.sim.profiling import LEVELS, Profile, TensorProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_INCHES, WIDTH_INCHES, SHORTEST_INCHES = 0.28, 11.0, 3.5
COLORS = {"weights": "#d1802e", "bias": "#a08a2e", "result": "#1f5fa8"}


def drawn(profile: Profile, kind: str, creator: str) -> bytes:
    """The profile as a file of this kind, svg or png: distributions, signal to noise, and the worst events.

    Raises MissingExtraError.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError(extra="pictures", package=error.name or "matplotlib") from error
    height = max(SHORTEST_INCHES, ROW_INCHES * len(profile.tensors) + 1.2) + (1.9 if profile.worst else 0.0)
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    rows = 2 if profile.worst else 1
    grid = figure.add_gridspec(rows, 2, width_ratios=(3, 1), height_ratios=(height - 1.9, 1.9)[:rows])
    boxes = figure.add_subplot(grid[0, 0])
    _distributions(boxes, profile.tensors)
    _noise(figure.add_subplot(grid[0, 1], sharey=boxes), profile.tensors)
    if profile.worst:
        inner = grid[1, :].subgridspec(1, len(profile.worst))
        for place, one in enumerate(profile.worst):
            axes = figure.add_subplot(inner[0, place])
            axes.imshow(
                one.picture, cmap="Greys", vmin=0, vmax=LEVELS - 1, aspect="equal" if len(one.picture) > 1 else "auto"
            )
            axes.set_title(f"event {one.event}: off by {one.difference:.3g}", fontsize=8)
            axes.set_xticks([])
            axes.set_yticks([])
    figure.suptitle(f"Profile on {profile.events:,} events", fontsize=11)
    target = io.BytesIO()
    written = {"Title": creator, "Date": None} if kind == "svg" else {"Software": creator}
    figure.savefig(target, format=kind, metadata=written)
    return target.getvalue()


def _distributions(axes: Axes, tensors: Sequence[TensorProfile]) -> None:
    """A box for each tensor over the range of its format, on an axis of powers of two."""
    axes.set_xscale("log", base=2)
    for place, one in enumerate(tensors):
        form = charts.form_of(one.format)
        if form is not None:
            top = form.high * form.step
            axes.barh(place, top - form.step, left=form.step, height=0.85, color="#dfe6ee", zorder=1)
        if one.quantiles:
            least, lower, median, upper, most = one.quantiles
            axes.plot((least, most), (place, place), color="#333333", linewidth=1, zorder=2)
            axes.barh(place, upper - lower, left=lower, height=0.45, color=COLORS[one.what], zorder=3)
            axes.plot((median, median), (place - 0.3, place + 0.3), color="white", linewidth=1.5, zorder=4)
    names = [clean(f"{one.name} {one.what}").replace("$", r"\$") for one in tensors]
    axes.set_yticks(range(len(tensors)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("magnitude; grey: what the format represents", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)


def _noise(axes: Axes, tensors: Sequence[TensorProfile]) -> None:
    """Signal to noise of every result, and the shares that are lost."""
    for place, one in enumerate(tensors):
        if one.signal_to_noise_db is not None:
            axes.barh(place, max(one.signal_to_noise_db, 0.0), height=0.6, color="#3c8d5a")
        lost = {"to 0": one.rounded_to_zero, "saturated": one.saturated if one.what == "result" else None}
        words = ", ".join(f"{share:.0%} {name}" for name, share in lost.items() if share is not None and share >= 0.005)
        if words:
            axes.text(0.5, place, words, fontsize=7, va="center")
    hidden: dict[str, Any] = {"labelleft": False, "labelsize": 8}
    axes.tick_params(**hidden)
    axes.set_xlabel("signal to noise in dB", fontsize=8)
