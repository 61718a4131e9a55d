"""Objectives and fronts, compared with their definitions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn.errors import UsageError
from fpgacnn.hardware.estimation import Available, Figure, ResourceEstimate
from fpgacnn.jobs.explore.measures import (
    DEFAULT_OBJECTIVES,
    Objective,
    PointResult,
    compared,
    excess,
    figure,
    knee,
    pareto,
    parse_objectives,
)
from fpgacnn.jobs.fit.search import FitLimits

THREE = (Objective.QUALITY, Objective.LUT, Objective.LATENCY)
AVAILABLE = Available(device="d", source="s", lut=1000, ff=2000, dsp=10, bram_18k=50, uram=0, slrs=1)


def band(value: float) -> Figure:
    return Figure(value=value, low=value / 2, high=value * 2)


def result(**changes: object) -> PointResult:
    resources = ResourceEstimate(lut=band(300), ff=band(400), dsp=band(4), bram_18k=band(5), uram=band(0))
    whole = {
        "quality": 0.9,
        "ebops": 1234,
        "resources": resources,
        "latency_ns": band(800.0),
        "interval_ns": band(100.0),
    }
    return PointResult(**{**whole, **changes})  # type: ignore[arg-type]  # fields of the record


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    signs = (-1, 1, 1)
    pairs = [(sign * a, sign * b) for sign, a, b in zip(signs, one, other, strict=True)]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@given(st.lists(st.tuples(*(st.integers(0, 4),) * 3), max_size=40))
def test_the_front_is_what_nothing_dominates(values: list[tuple[int, int, int]]) -> None:
    wanted = [
        place
        for place, one in enumerate(values)
        if not any(dominates(other, one) for other in values) and one not in values[:place]
    ]
    assert pareto(values, THREE) == wanted


@given(st.lists(st.tuples(*(st.integers(0, 4),) * 3), min_size=1, max_size=20))
def test_the_knee_is_on_the_front(values: list[tuple[int, int, int]]) -> None:
    front = {place: values[place] for place in pareto(values, THREE)}
    assert knee(front, THREE) in front


def test_shares_are_of_the_part_and_bands_follow() -> None:
    assert figure(result(), Objective.LUT, AVAILABLE) == Figure(value=0.3, low=0.15, high=0.6)
    assert figure(result(), Objective.UTILIZATION, AVAILABLE).value == 0.4
    assert compared(result(), THREE, AVAILABLE) == (0.9, 0.3, 800.0)
    assert compared(result(), THREE, AVAILABLE, sure=True) == (0.9, 0.6, 1600.0)
    assert compared(result(quality=-0.5), (Objective.QUALITY, Objective.EBOPS), AVAILABLE) == (-0.5, 1234)
    assert compared(result(score=0.7), THREE, AVAILABLE) == (0.7, 0.3, 800.0)


def test_limits_are_missed_by_a_share_of_the_limit() -> None:
    assert excess(result(), FitLimits(utilization=1.0), AVAILABLE) == {}
    missed = excess(result(), FitLimits(latency_ns=400.0, utilization=0.25), AVAILABLE)
    assert missed == pytest.approx({"latency": 1.0, "LUT": 0.2, "DSP": 0.6})
    assert excess(result(), FitLimits(latency_ns=1000.0, utilization=1.0, sure=True), AVAILABLE) == pytest.approx(
        {"latency": 0.6}
    )
    assert excess(result(stops=True), FitLimits(utilization=1.0), AVAILABLE) == {"deadlock": 1.0}


def test_objectives_are_read() -> None:
    assert parse_objectives([]) == DEFAULT_OBJECTIVES
    assert parse_objectives(["quality,EBOPS"]) == (Objective.QUALITY, Objective.EBOPS)
    assert parse_objectives(["quality", "lut", "interval"]) == (Objective.QUALITY, Objective.LUT, Objective.INTERVAL)


@pytest.mark.parametrize("texts", [["quality"], ["lut,lut"], ["quality,lut,ff,dsp,bram"], ["accuracy,lut"]])
def test_other_objectives_are_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="--objective"):
        parse_objectives(texts)
