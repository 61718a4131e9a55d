"""The fitted constants: LUTs and flip-flops of a primitive, and the errors of estimates.

`benchmarks/estimate.py --fit` writes the data file beside this module, with the number of designs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from fpgacnn.hardware.estimation.primitives import Primitive, PrimitiveCounts
from fpgacnn.hardware.estimation.result import Figure

DATA = "constants.json"
ALL = "all"


PROMISES = (
    (0.875, "about nine in ten"),
    (0.775, "about four in five"),
    (0.7, "about three in four"),
    (0.6, "about two in three"),
    (0.0, "no fixed share"),
)
"""What a measured share of true values in their bands may be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The true value is mostly between `low` and `high` times the estimate; `Constants.held` says how often."""

    low: float
    high: float
    factor: float = 1.0

    def around(self, value: float) -> Figure:
        """A number with its band; a factor that is not 1 comes from designs of the user."""
        value *= self.factor
        return Figure(value=value, low=min(value, value * self.low), high=max(value, value * self.high))


EXACT = Band(low=1.0, high=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """The fitted constants and the data behind them.

    `per_unit` are LUTs and flip-flops for each unit of a primitive; `after` are the fractions of csynth's numbers that
    remain after logic synthesis; bands are by quantity ("LUT", "latency", "after LUT", "layer LUT"), then by group
    ("stream", "stream/resource"). `held` is by quantity the share of true values that bands held in repositories that
    neither the constants nor the bands had seen. `own_designs` names the designs of the user that correct them;
    `outdated_designs` were compared with another version of the estimate, and do not.
    """

    designs: int
    repositories: int
    per_unit: Mapping[str, Mapping[Primitive, float]]
    after: Mapping[str, float]
    bands: Mapping[str, Mapping[str, Band]]
    held: Mapping[str, float] = field(default_factory=dict)
    own_designs: str = ""
    outdated_designs: int = 0

    @property
    def promise(self) -> str:
        """How often the bands of csynth's numbers hold, in words: the share of the quantity where they hold least."""
        shares = [share for quantity, share in self.held.items() if not quantity.startswith("after ")]
        least = min(shares, default=0.0)
        return next(words for limit, words in PROMISES if least >= limit)

    def amount(self, quantity: str, counts: PrimitiveCounts) -> float:
        """LUTs or flip-flops of counted primitives."""
        each = self.per_unit[quantity]
        return sum(each.get(primitive, 0.0) * count for primitive, count in counts.items())

    def band(self, quantity: str, group: str) -> Band:
        """The band of a group ("stream/resource"), else of its io type ("stream"), else of all designs."""
        groups = self.bands.get(quantity, {})
        return groups.get(group) or groups.get(io_of(group)) or groups.get(ALL) or EXACT


def io_of(group: str) -> str:
    """The io type of a group of designs."""
    return group.partition("/")[0]


@cache
def shipped() -> Constants:
    """The constants that come with the package."""
    return parse(json.loads(files("fpgacnn.hardware.estimation").joinpath(DATA).read_text(encoding="utf-8")))


def parse(data: Mapping[str, Any]) -> Constants:
    """Constants from their JSON form."""
    return Constants(
        designs=data["designs"],
        repositories=data["repositories"],
        per_unit={
            quantity: {Primitive(name): value for name, value in each.items()}
            for quantity, each in data["per_unit"].items()
        },
        after=data["after"],
        bands={
            quantity: {group: Band(low=low, high=high) for group, (low, high) in groups.items()}
            for quantity, groups in data["bands"].items()
        },
        held=data["held"],
    )


def serialize(constants: Constants) -> str:
    """Constants as the JSON that `parse` reads."""
    data = {
        "designs": constants.designs,
        "repositories": constants.repositories,
        "per_unit": {
            quantity: {primitive.value: round(value, 4) for primitive, value in each.items() if value}
            for quantity, each in constants.per_unit.items()
        },
        "after": {quantity: round(value, 4) for quantity, value in constants.after.items()},
        "bands": {
            quantity: {group: [round(band.low, 4), round(band.high, 4)] for group, band in groups.items()}
            for quantity, groups in constants.bands.items()
        },
        "held": {quantity: round(share, 3) for quantity, share in constants.held.items()},
    }
    return json.dumps(data, indent=1) + "\n"
