"""The search for a target: every limit is held, nothing better is near, and what is written can be read again."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import pytest

from fpgacnn import frontends
from fpgacnn.cli.commands.model.fit import parse_share, parse_time
from fpgacnn.design import Design, IoType, Strategy, Target
from fpgacnn.errors import FpgacnnError, UnsupportedOptionError, UsageError
from fpgacnn.hardware.estimation import Estimate, estimate
from fpgacnn.hardware.estimation.graph.from_design import Summaries, hardware_graph
from fpgacnn.jobs.fit.design_space import parameters
from fpgacnn.jobs.fit.run import target_toml
from fpgacnn.jobs.fit.search import FitLimits, Search, Trial, order, search, trial
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_network
from tests.hostile.corpus import NAMES
from tests.support.files import entry, sequential_file, tiny_layers

PART = "xc7z020clg400-1"


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    file = sequential_file(tmp_path_factory.mktemp("fit") / "m.h5", *tiny_layers(), shape=(4, 4, 1))
    found = plan_network(frontends.load(file), Request(model=file, input_type="ufixed<6,1>"), None).design
    return replace(found, target=Target(part=PART))


def costs(design: Design, target: Target, counted: Summaries) -> Estimate:
    return estimate(hardware_graph(replace(design, target=target), counted))


def found(design: Design, limits: FitLimits, io: tuple[IoType, ...] = tuple(IoType)) -> Search:
    counted: Summaries = {}
    return search(parameters(design), design.target, io, limits, lambda target: costs(design, target, counted))


def every(design: Design, limits: FitLimits) -> list[Trial]:
    """All targets there are."""
    counted: Summaries = {}
    trials = []
    adjustable = parameters(design)
    for io in IoType:
        for settings in product(*(product(Strategy, parameter.factors) for parameter in adjustable)):
            pairs = list(zip(adjustable, settings, strict=True))
            reuse_of = {parameter.layer: reuse for parameter, (_, reuse) in pairs}
            target = replace(
                design.target,
                io=io,
                reuse_of=reuse_of,
                strategy_of={parameter.layer: strategy for parameter, (strategy, _) in pairs},
            )
            trials.append(trial(target, costs(design, target, counted), limits))
    return trials


def test_every_layer_that_multiplies_has_its_legal_factors(design: Design) -> None:
    assert [(parameter.layer, parameter.factors) for parameter in parameters(design)] == [
        ("conv", (1, 3, 9)),
        ("logits", (1, 2, 4, 8, 24)),
    ]


def test_counted_weights_change_no_estimate(design: Design) -> None:
    counted: Summaries = {}
    for io, strategy, reuse in product(IoType, Strategy, (1, 4)):
        target = replace(design.target, io=io, strategy=strategy, reuse=reuse)
        assert costs(design, target, counted) == estimate(hardware_graph(replace(design, target=target)))
    assert counted


@pytest.mark.parametrize(
    "limits",
    [
        FitLimits(),
        FitLimits(latency_ns=200.0),
        FitLimits(latency_ns=1000.0, utilization=0.02),
        FitLimits(interval_ns=150.0),
        FitLimits(utilization=0.01),
        FitLimits(utilization=0.01, sure=True),
        FitLimits(latency_ns=1.0),
    ],
    ids=str,
)
def test_no_target_at_all_is_better_than_the_one_that_is_found(design: Design, limits: FitLimits) -> None:
    best = found(design, limits).best
    ideal = min(every(design, limits), key=lambda one: order(one, limits))
    assert best.fits == ideal.fits
    assert order(best, limits) == order(ideal, limits)


def test_limits_are_limits(design: Design) -> None:
    best = found(design, FitLimits(latency_ns=1000.0, utilization=0.05)).best
    assert best.fits
    assert best.latency_ns == best.estimate.latency_ns.value <= 1000.0
    assert best.utilization <= 0.05
    missed = found(design, FitLimits(latency_ns=1.0)).best
    assert missed.excess["latency"] == pytest.approx(missed.latency_ns - 1.0)
    sure = found(design, FitLimits(latency_ns=1000.0, utilization=0.05, sure=True)).best
    assert sure.latency_ns == sure.estimate.latency_ns.high


def test_the_front_gets_slower_and_smaller(design: Design) -> None:
    front = found(design, FitLimits()).front
    assert len(front) > 3
    for before, after in pairwise(front):
        assert before.latency_ns <= after.latency_ns
        assert before.utilization > after.utilization


def test_one_way_of_moving_data_may_be_asked_for_and_one_that_cannot_be_built_is_told(design: Design) -> None:
    assert {one.target.io for one in found(design, FitLimits(), (IoType.STREAM,)).front} == {IoType.STREAM}

    def no_streams(target: Target) -> Estimate:
        if target.io is IoType.STREAM:
            raise UnsupportedOptionError(layer="pool", why="no streams", do="nothing")
        return costs(design, target, {})

    result = search(parameters(design), design.target, tuple(IoType), FitLimits(), no_streams)
    assert result.best.target.io is IoType.PARALLEL
    assert result.refused == {"stream": "pool: no streams"}
    with pytest.raises(UnsupportedOptionError, match="no streams"):
        search(parameters(design), design.target, (IoType.STREAM,), FitLimits(), no_streams)


def test_a_network_without_products_has_one_target_for_each_way(tmp_path: Path) -> None:
    file = sequential_file(tmp_path / "m.h5", entry("QActivation", "a", activation="quantized_relu(4,2)"), shape=(3,))
    design = plan_network(frontends.load(file), Request(model=file), None).design
    assert parameters(design) == ()
    assert found(design, FitLimits()).trials == 2


@pytest.mark.parametrize(
    "name", [name for name in NAMES.values() if name and "\udc80" not in name] + ["\x7f", "conv.1", "ünï"]
)
def test_a_written_target_is_read_again_whatever_the_layer_is_called(name: str) -> None:
    target = Target(
        part=PART, clock_ns=2.5, io=IoType.STREAM, reuse_of={name: 4, "b": 2}, strategy_of={name: Strategy.RESOURCE}
    )
    read = tomllib.loads(target_toml(target))
    assert read.pop("layers") == {name: {"strategy": "resource", "reuse": 4}, "b": {"reuse": 2}}
    assert read == {"part": PART, "clock": 2.5, "io": "stream", "strategy": "latency", "reuse": 1, "backend": "vitis"}


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("5us", 5000.0), ("500 ns", 500.0), ("1.5ms", 1.5e6), ("2s", 2e9), ("3µs", 3000.0), (" 7ns ", 7.0)],
)
def test_times_have_units(text: str, nanoseconds: float) -> None:
    assert parse_time("--max-latency", text) == nanoseconds


@pytest.mark.parametrize("text", ["5", "us", "-5us", "0ns", "5 parsecs", "1e3ns", "", "nan us", "9" * 400 + "us"])
def test_other_times_are_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--max-latency "):
        parse_time("--max-latency", text)


@pytest.mark.parametrize(("text", "share"), [("70%", 0.7), ("0.7", 0.7), ("100 %", 1.0), ("1", 1.0)])
def test_shares_are_fractions_or_percent(text: str, share: float) -> None:
    assert parse_share("--max-util", text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["70", "0", "0%", "101%", "x", "-1%", ""])
def test_other_shares_are_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--max-util "):
        parse_share("--max-util", text)


@pytest.mark.parametrize(
    "wrong", [{"latency_ns": 0.0}, {"interval_ns": float("nan")}, {"utilization": 1.1}, {"latency_ns": float("inf")}]
)
def test_functions_are_told_of_impossible_limits(wrong: dict[str, float]) -> None:
    with pytest.raises(FpgacnnError, match="limits on time must be positive"):
        FitLimits(**wrong)  # type: ignore[arg-type]  # names and types match the fields
