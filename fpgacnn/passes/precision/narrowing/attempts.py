"""Which of several plans of a network is kept: scales in the weights behind them or not, short scales or long ones.

The limit of every plan is the bound of each output with every layer by itself, or split, and long scales
(`short_scales.keeps_promise`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import product
from typing import Protocol, TypeVar

from fpgacnn.errors import WidthLimitError
from fpgacnn.passes.precision.narrowing.product_costs import Folding
from fpgacnn.passes.precision.narrowing.short_scales import ATTEMPTS, Shortening, keeps_promise
from fpgacnn.passes.precision.planner import Planner


class PlannedNetwork(Protocol):
    """A network with bounds and formats."""

    @property
    def planner(self) -> Planner:
        """The bounds of all nodes."""
        ...

    @property
    def has_long_scales(self) -> bool:
        """Whether a scale could have short constants, but has long ones."""
        ...

    @property
    def scaled(self) -> Collection[str]:
        """The linear layers behind a scale that their weights could take."""
        ...

    @property
    def taken(self) -> Collection[str]:
        """The linear layers with a scale in their weights."""
        ...


NetworkT = TypeVar("NetworkT", bound=PlannedNetwork)


def kept_plan(
    plan: Callable[[Shortening | None, Folding | None], NetworkT], folding: Folding | None, outputs: Sequence[str]
) -> NetworkT:
    """The first plan of those with fewer bits whose outputs are as close as those of every layer by itself.

    Raises the WidthLimitError of the plan with every layer by itself if no plan has a width for every value.
    """
    folded = None if folding is None else _planned(plan, None, folding)
    separate = folded if folded is not None and not folded.taken else _planned(plan, None, None)
    limit = separate or folded or plan(None, None)
    kept = limit if folded is None or not _keep(folded, limit, outputs) else folded
    changes = folding is not None and kept is folded and bool(kept.scaled or folding.splits)
    ways = (folding, None) if changes else (None,)
    if not kept.has_long_scales or all(kept.planner.bounds[name].error == 0 for name in outputs):
        return kept
    for way, shortening in product(ways, ATTEMPTS):
        short = _planned(plan, shortening, way)
        if short is not None and _keep(short, limit, outputs):
            return short
    return kept


def _planned(
    plan: Callable[[Shortening | None, Folding | None], NetworkT],
    shortening: Shortening | None,
    folding: Folding | None,
) -> NetworkT | None:
    """A plan; None where a value needs more bits than the arithmetic has."""
    try:
        return plan(shortening, folding)
    except WidthLimitError:
        return None


def _keep(found: PlannedNetwork, limit: PlannedNetwork, outputs: Sequence[str]) -> bool:
    """Whether every output keeps its promise."""
    return all(keeps_promise(found.planner.bounds[name], limit.planner.bounds[name]) for name in outputs)
