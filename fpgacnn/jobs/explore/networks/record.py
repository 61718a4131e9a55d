"""The networks of a study: the given one, and those with other numbers of filters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fpgacnn.errors import UsageError

GIVEN = 1.0
"""The factor of the network as it was given, which is not trained again."""

LEAST_FACTOR, MOST_FACTOR, FACTOR_STEP, MOST_NETWORKS = 0.1, 4.0, 0.25, 9

_NUMBER = r"(\d{1,3}(?:\.\d{1,6})?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledNetwork:
    """A float network of a study; `file` is its Keras file in the study, empty for the given one.

    `names`: for layers of the given network, their names in that file. It was trained for `epochs` at most, and has the
    weights of `best_epoch`. `quality`: that of the float network on the validation events.
    """

    factor: float
    parameters: int
    quality: float
    file: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    epochs: int = 0
    best_epoch: int = 0

    @property
    def is_given(self) -> bool:
        """Whether it is the network of the user's file."""
        return not self.file


def parse_factors(text: str) -> tuple[float, ...]:
    """`0.5..1.5`: from one factor to another in steps of 0.25; or factors with commas. Ascending, always with 1.

    Raises UsageError.
    """
    span = re.fullmatch(rf"{_NUMBER}\.\.{_NUMBER}", text.strip())
    if span is not None:
        low, high = float(span[1]), float(span[2])
        steps = int((high - low) / FACTOR_STEP + 1e-9)
        found = [*(low + step * FACTOR_STEP for step in range(steps + 1)), high] if low <= high else []
    elif re.fullmatch(rf"{_NUMBER}(,\s*{_NUMBER})*", text.strip()):
        found = [float(one) for one in text.split(",")]
    else:
        found = []
    factors = tuple(sorted({round(one, 6) for one in (*found, GIVEN)}))
    if not found or not LEAST_FACTOR <= factors[0] <= factors[-1] <= MOST_FACTOR:
        within = f"from {LEAST_FACTOR:g} to {MOST_FACTOR:g}"
        raise UsageError(what=f"--scale-filters {text}: expected factors {within}, as 0.5..1.5 or 0.5,0.75")
    if len(factors) > MOST_NETWORKS:
        what = f"--scale-filters {text}: {len(factors)} networks would be trained; give at most {MOST_NETWORKS} factors"
        raise UsageError(what=what)
    if len(factors) == 1:
        raise UsageError(what=f"--scale-filters {text}: every number of filters stays with the factor 1 alone")
    return factors
