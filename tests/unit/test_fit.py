"""The search for a target: every limit is held, nothing better is near, and what is written can be read again."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import pytest

from fpgacnn import frontends
from fpgacnn.cli.limits import parse_duration, parse_share, parse_time
from fpgacnn.design import Design, IoType, Strategy, Target
from fpgacnn.errors import FpgacnnError, UnsupportedOptionError, UsageError
from fpgacnn.hardware.estimation import Estimate, estimate
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice, chosen_depths
from fpgacnn.hardware.estimation.graph.from_design import Summaries, hardware_graph
from fpgacnn.jobs.fit.costs import Costs
from fpgacnn.jobs.fit.design_space import Setting, parameters
from fpgacnn.jobs.fit.run import target_toml
from fpgacnn.jobs.fit.search import Cost, FitLimits, Search, Trial, order, search, trial
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_network
from fpgacnn.reporting.terminal.fitting import share_bar
from tests.hostile.corpus import NAMES
from tests.support.files import (
    entry,
    functional_file,
    input_layer,
    linear,
    quantized_bits,
    sequential_file,
    tiny_layers,
)
from tests.support.optional import needs_da4ml

PART = "xc7z020clg400-1"


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    file = sequential_file(tmp_path_factory.mktemp("fit") / "m.h5", *tiny_layers(), shape=(4, 4, 1))
    found = plan_network(frontends.load(file), Request(model=file, input_type="ufixed<6,1>"), None).design
    return replace(found, target=Target(part=PART))


def costs(design: Design, target: Target, counted: Summaries) -> Estimate:
    return estimate(hardware_graph(replace(design, target=target), counted))


def found(design: Design, limits: FitLimits, io: tuple[IoType, ...] = tuple(IoType), *, da: bool = False) -> Search:
    counted: Summaries = {}
    return search(parameters(design, da=da), design.target, io, limits, lambda target: costs(design, target, counted))


def every(design: Design, limits: FitLimits, *, da: bool = False) -> list[Trial]:
    """All targets there are; with `da`, those with distributed arithmetic too."""
    counted: Summaries = {}
    trials = []
    adjustable = parameters(design)
    for io in IoType:
        choices = (
            [*product((Strategy.LATENCY, Strategy.RESOURCE), parameter.factors), *([(Strategy.DA, 1)] if da else [])]
            for parameter in adjustable
        )
        for settings in product(*choices):
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


@needs_da4ml
def test_counted_weights_change_no_estimate(design: Design) -> None:
    counted: Summaries = {}
    for io, (strategy, reuse) in product(
        IoType, [*product((Strategy.LATENCY, Strategy.RESOURCE), (1, 4)), (Strategy.DA, 1)]
    ):
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


@needs_da4ml
@pytest.mark.parametrize("limits", [FitLimits(), FitLimits(latency_ns=200.0), FitLimits(utilization=0.01)], ids=str)
def test_distributed_arithmetic_is_tried_where_that_is_wanted(design: Design, limits: FitLimits) -> None:
    best = found(design, limits, da=True).best
    ideal = min(every(design, limits, da=True), key=lambda one: order(one, limits))
    assert order(best, limits) == order(ideal, limits)
    trials = every(design, limits, da=True)
    assert len(trials) == len(every(design, limits)) // (6 * 10) * (7 * 11)


def test_distributed_arithmetic_is_not_tried_unless_it_is_wanted(design: Design) -> None:
    for one in found(design, FitLimits()).front:
        assert Strategy.DA not in one.target.strategy_of.values()


def test_limits_are_limits(design: Design) -> None:
    best = found(design, FitLimits(latency_ns=1000.0, utilization=0.05)).best
    assert best.fits
    assert best.latency_ns == best.cost.latency_ns.value <= 1000.0
    assert best.utilization <= 0.05
    missed = found(design, FitLimits(latency_ns=1.0)).best
    assert missed.excess["latency"] == pytest.approx(missed.latency_ns - 1.0)
    sure = found(design, FitLimits(latency_ns=1000.0, utilization=0.05, sure=True)).best
    assert sure.latency_ns == sure.cost.latency_ns.high


@pytest.mark.parametrize(
    ("share", "bar"), [(0.0, ""), (1 / 64, "▏"), (0.125, "█"), (0.4, "███▎"), (1.0, "█" * 8), (3.0, "█" * 8)]
)
def test_a_share_is_a_bar_in_eighths_of_a_character(share: float, bar: str) -> None:
    assert share_bar(share) == bar


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


QUANTIZED = {"kernel_quantizer": quantized_bits(), "bias_quantizer": quantized_bits()}


def dense_chain(path: Path, layers: int = 3, units: int = 8) -> Path:
    """Dense layers, of which a whole row of weights is zero, so that the tools remove products."""
    entries = []
    for number in range(layers):
        weights = linear(units, units)
        weights["kernel"][:, number % units] = 0
        entries += [
            entry("QDense", f"dense{number}", units=units, weights=weights, **QUANTIZED),
            entry("QActivation", f"relu{number}", activation="quantized_relu(4,2)"),
        ]
    return sequential_file(path, *entries, shape=(units,))


def branches(path: Path) -> Path:
    """A padded convolution beside a depthwise one; their sum is reduced by a dense layer with a fused activation."""
    depthwise = {"depthwise_quantizer": quantized_bits(), "bias_quantizer": quantized_bits()}
    arrays = {"depthwise_kernel": linear(3, 3, 2, 1)["kernel"], "bias": linear(1, 2)["bias"]}
    full = linear(3, 3, 2, 2)
    layers = (
        input_layer("x", 6, 6, 2),
        entry("QConv2D", "conv", "x", filters=2, kernel_size=[3, 3], padding="same", weights=full, **QUANTIZED),
        entry("QActivation", "relu", "conv", activation="quantized_relu(4,2)"),
        entry("QDepthwiseConv2D", "depth", "x", kernel_size=[3, 3], padding="same", weights=arrays, **depthwise),
        entry("Add", "sum", "relu", "depth"),
        entry("MaxPooling2D", "pool", "sum", pool_size=[2, 2], strides=[2, 2]),
        entry("Flatten", "flat", "pool"),
        entry("QDense", "logits", "flat", units=3, weights=linear(18, 3), **QUANTIZED),
    )
    return functional_file(path, *layers, inputs=["x"], outputs=["logits"])


NETWORKS: dict[str, Callable[[Path], Path]] = {
    "dense": dense_chain,
    "branches": branches,
    "tiny": lambda path: sequential_file(path, *tiny_layers(), shape=(4, 4, 1)),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Design:
    file = NETWORKS[request.param](tmp_path / "m.h5")
    made = plan_network(frontends.load(file), Request(model=file, input_type="fixed<6,2>"), None).design
    return replace(made, target=Target(part=PART))


def whole_estimates(design: Design) -> Callable[[Target], Estimate]:
    """The independent answer: each target is lowered, counted and simulated on its own."""
    depths: list[dict[str, int]] = []

    def answer(target: Target) -> Estimate:
        graph = hardware_graph(replace(design, target=target, fifo_depths={}))
        if target.io is not IoType.STREAM:
            return estimate(graph)
        if not depths:
            depths.append(chosen_depths(graph, FifoChoice()))
        found = estimate(replace(graph, fifo_depths=depths[0]))
        return estimate(graph) if found.stops else found

    return answer


def compared(cost: Cost) -> tuple[object, ...]:
    codes = sorted((one.code, one.layer) for one in cost.warnings)
    return cost.after_synthesis, cost.available, cost.latency_ns, cost.interval_ns, codes


def test_layers_that_are_counted_once_give_the_answers_of_whole_estimates(network: Design) -> None:
    slow, seen = whole_estimates(network), dict[str, Estimate]()

    def remembered(target: Target) -> Estimate:
        if repr(target) not in seen:
            seen[repr(target)] = slow(target)
        return seen[repr(target)]

    kinds = (FitLimits(), FitLimits(latency_ns=600.0, utilization=0.1), FitLimits(interval_ns=900.0, sure=True))
    for limits, few_events in product(kinds, (0, 1 << 40)):  # with bounds, and every target simulated
        fast = Costs(design=network, choice=FifoChoice(), parameters=parameters(network), few_events=few_events)
        wanted = search(parameters(network), network.target, tuple(IoType), limits, remembered)
        answer = search(parameters(network), network.target, tuple(IoType), limits, fast.exact, fast.bound)
        assert (answer.trials, answer.refused) == (wanted.trials, wanted.refused)
        for one, other in zip((answer.best, *answer.front), (wanted.best, *wanted.front), strict=True):
            assert one.target == other.target
            assert compared(one.cost) == compared(other.cost)
            assert (one.shares, one.excess) == (other.shares, other.excess)


def test_every_target_costs_what_its_whole_estimate_says_and_not_less_than_its_bound(network: Design) -> None:
    adjustable, slow = parameters(network), whole_estimates(network)
    fast = Costs(design=network, choice=FifoChoice(), parameters=adjustable, few_events=0)
    for number in range(40):  # settings of the layers in no order
        settings = [
            Setting(strategy=list(Strategy)[(number >> place) & 1], reuse=one.factors[number * 7 % len(one.factors)])
            for place, one in enumerate(adjustable)
        ]
        target = replace(
            network.target,
            io=list(IoType)[number * 3 // 2 % 2],
            reuse_of={one.layer: setting.reuse for one, setting in zip(adjustable, settings, strict=True)},
            strategy_of={one.layer: setting.strategy for one, setting in zip(adjustable, settings, strict=True)},
        )
        bound, exact, wanted = fast.bound(target), fast.exact(target), slow(target)
        assert compared(exact) == compared(wanted)
        limits = FitLimits(latency_ns=500.0)
        least, real = trial(target, bound.cost, limits), trial(target, exact, limits)
        assert order(least, limits) <= order(real, limits)
        assert (least.latency_ns, least.interval_ns) <= (real.latency_ns, real.interval_ns)
        assert not bound.exact or compared(bound.cost) == compared(exact)


def test_a_search_over_forty_layers_takes_seconds(tmp_path: Path) -> None:
    file = dense_chain(tmp_path / "m.h5", layers=40, units=16)
    design = plan_network(frontends.load(file), Request(model=file, input_type="fixed<6,2>"), None).design
    design = replace(design, target=Target(part="xcu250-figd2104-2L-e"))
    begun = time.process_time()
    costs = Costs(design=design, choice=FifoChoice(), parameters=parameters(design))
    answer = search(parameters(design), design.target, tuple(IoType), FitLimits(), costs.exact, costs.bound)
    assert answer.trials > 2000
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5 min", 90), ("2h", 7200), (" 1d ", 86400)]
)
def test_times_of_a_search_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert parse_duration("--time", text) == seconds


@pytest.mark.parametrize("text", ["90", "0s", "-1h", "2 weeks", "1e3s", "9" * 400 + "d", ""])
def test_times_of_a_search_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--time "):
        parse_duration("--time", text)
