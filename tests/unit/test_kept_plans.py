"""Which of several plans of a network is kept: outputs are compared with those of every layer by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from fpgacnn.errors import WidthLimitError
from fpgacnn.ir.interval import Interval
from fpgacnn.passes.precision.bounds import Bound
from fpgacnn.passes.precision.narrowing.attempts import kept_plan
from fpgacnn.passes.precision.narrowing.product_costs import Folding
from fpgacnn.passes.precision.narrowing.short_scales import ATTEMPTS, Shortening
from fpgacnn.passes.precision.planner import Planner

FOLDING = Folding()
LARGEST = 1024
"""The largest value of the output: an error up to 1 is a small share of it."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A planned network with one output."""

    planner: Planner
    name: str
    taken: tuple[str, ...] = ()
    scaled: tuple[str, ...] = ("d",)
    has_long_scales: bool = True


@dataclass(kw_only=True)
class Plans:
    """Plans by (short scales, folded), with the error of the output; those without an error have no width."""

    errors: Mapping[tuple[bool, bool], float]
    tried: list[tuple[bool, bool]] = field(default_factory=list)

    def __call__(self, shortening: Shortening | None, folding: Folding | None) -> Network:
        way = shortening is not None, folding is not None
        self.tried.append(way)
        if way not in self.errors:
            raise WidthLimitError(layer="d", what="a sum", bits=70, limit=62)
        interval = Interval(low=np.array([-LARGEST]), high=np.array([LARGEST]), fraction=0)
        error = self.errors[way]
        bound = Bound(interval=interval, error=error, magnitude_bits=11, reals=(-LARGEST - error, LARGEST + error))
        name = f"{'short' if way[0] else 'long'}, {'folded' if way[1] else 'apart'}"
        return Network(planner=Planner(bounds={"y": bound}), name=name, taken=("d",) if way[1] else ())


LONG_APART, LONG_FOLDED, SHORT_APART, SHORT_FOLDED = (False, False), (False, True), (True, False), (True, True)


@pytest.mark.parametrize(
    ("errors", "kept"),
    [
        ({LONG_APART: 2.0, LONG_FOLDED: 3.0, SHORT_FOLDED: 4.0}, "short, folded"),
        ({LONG_APART: 2.0, LONG_FOLDED: 3.0, SHORT_FOLDED: 4.5, SHORT_APART: 4.0}, "short, apart"),
        ({LONG_APART: 2.0, LONG_FOLDED: 3.0, SHORT_FOLDED: 4.5, SHORT_APART: 4.5}, "long, folded"),
        ({LONG_APART: 2.0, LONG_FOLDED: 4.5, SHORT_FOLDED: 1.0, SHORT_APART: 4.0}, "short, apart"),
        ({LONG_APART: 2.0, LONG_FOLDED: 4.5, SHORT_FOLDED: 4.5, SHORT_APART: 4.5}, "long, apart"),
        ({LONG_APART: 0.1, LONG_FOLDED: 0.2, SHORT_FOLDED: 0.9}, "short, folded"),
        ({LONG_APART: 0.0, LONG_FOLDED: 0.0, SHORT_FOLDED: 0.0}, "long, folded"),
        ({LONG_APART: 0.0, LONG_FOLDED: 0.5, SHORT_APART: 0.0}, "long, apart"),
        ({LONG_APART: 2.0}, "long, apart"),
        ({LONG_FOLDED: 2.0}, "long, folded"),
        ({LONG_FOLDED: 2.0, SHORT_FOLDED: 3.0}, "short, folded"),
    ],
)
def test_outputs_are_compared_with_every_layer_by_itself(errors: Mapping[tuple[bool, bool], float], kept: str) -> None:
    assert kept_plan(Plans(errors=errors), FOLDING, ["y"]).name == kept


def test_without_folding_nothing_is_folded() -> None:
    plans = Plans(errors={LONG_APART: 2.0, SHORT_APART: 5.0})
    assert kept_plan(plans, None, ["y"]).name == "long, apart"
    assert plans.tried == [LONG_APART, *[SHORT_APART] * len(ATTEMPTS)]


def test_a_network_without_a_width_is_refused() -> None:
    with pytest.raises(WidthLimitError, match="'d'"):
        kept_plan(Plans(errors={}), FOLDING, ["y"])
