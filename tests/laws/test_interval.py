"""Laws of intervals: they contain every value there can be, so that no planned accumulator ever wraps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fpgacnn.design import Design, IoType, Target
from fpgacnn.errors import WidthLimitError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import ranges
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, requantize, to_values
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import PoolKind
from fpgacnn.passes.precision import Decision, LayerPrecision, PrecisionPlan
from fpgacnn.passes.precision.planner import Planner
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.result_ranges import result_ranges
from tests.support import networks
from tests.support.planned import plan, planned_node
from tests.support.random_networks import random_inputs, random_network

SEEDS = range(60)
EVENTS = 40
SPARE_BITS = 20


@st.composite
def intervals(draw: st.DrawFn, bits: int = 12) -> Interval:
    ends = draw(
        st.lists(st.tuples(st.integers(-(2**bits), 2**bits), st.integers(-(2**bits), 2**bits)), min_size=1, max_size=3)
    )
    low, high = (np.array([pick(pair) for pair in ends], np.int64) for pick in (min, max))
    return Interval(low=low, high=high, fraction=draw(st.integers(-6, 12)))


@st.composite
def formats(draw: st.DrawFn) -> Format:
    width = draw(st.integers(1, 16))
    return Format(
        width=width,
        integer=draw(st.integers(-8, width + 8)),
        signed=draw(st.booleans()),
        rounding=draw(st.sampled_from(Rounding)),
        overflow=draw(st.sampled_from(Overflow)),
    )


def members(interval: Interval) -> np.ndarray:
    """Codes of the interval, one column an element: the ends, their neighbours, and a spread between them."""
    steps = np.linspace(0.0, 1.0, 33)[:, None]
    spread = interval.low + np.floor(steps * (interval.high - interval.low)).astype(np.int64)
    near = np.concatenate([interval.low + np.arange(5)[:, None], interval.high - np.arange(5)[:, None]])
    return np.concatenate([spread, np.clip(near, interval.low, interval.high)])


@given(interval=intervals(), to=formats())
@example(interval=Interval(low=np.array([-129]), high=np.array([127]), fraction=0), to=Format(width=8, integer=8))
@example(
    interval=Interval(low=np.array([0]), high=np.array([511]), fraction=1),
    to=Format(width=8, integer=8, signed=False, rounding=Rounding.RND),
)
@example(
    interval=Interval(low=np.array([0]), high=np.array([256]), fraction=1), to=Format(width=7, integer=7, signed=False)
)
@example(
    interval=Interval(low=np.array([-1]), high=np.array([0]), fraction=30), to=Format(width=4, integer=4, signed=False)
)
@example(
    interval=Interval(low=np.array([-3]), high=np.array([900]), fraction=0),
    to=Format(width=8, integer=8, overflow=Overflow.SAT_ZERO),
)
@example(
    interval=Interval(low=np.array([-9]), high=np.array([2**40]), fraction=0),
    to=Format(width=8, integer=-40, overflow=Overflow.SAT),
)
def test_a_cast_interval_contains_every_cast_value(interval: Interval, to: Format) -> None:
    found = iv.cast(interval, to)
    codes = requantize(members(interval), interval.fraction, to)
    assert found.fraction == to.fraction
    assert np.all(found.low <= codes)
    assert np.all(codes <= found.high)


@given(interval=intervals(), to=formats())
def test_a_cast_interval_lies_in_the_range_of_its_format(interval: Interval, to: Format) -> None:
    low, high = iv.cast(interval, to).bounds
    assert to.low <= low <= high <= to.high


@given(interval=intervals(), integer=st.integers(0, 20), rounding=st.sampled_from(Rounding))
def test_the_ends_of_a_saturating_cast_are_reached(interval: Interval, integer: int, rounding: Rounding) -> None:
    to = Format(width=8, integer=integer, rounding=rounding, overflow=Overflow.SAT)
    found = iv.cast(interval, to)
    assert found.low.tolist() == requantize(interval.low, interval.fraction, to).tolist()
    assert found.high.tolist() == requantize(interval.high, interval.fraction, to).tolist()


@given(interval=intervals(), more=st.integers(0, 30))
def test_more_fraction_bits_keep_the_values(interval: Interval, more: int) -> None:
    moved = iv.at_fraction(interval, interval.fraction + more, layer="x")
    assert to_values(moved.low, moved.fraction).tolist() == to_values(interval.low, interval.fraction).tolist()
    assert to_values(moved.high, moved.fraction).tolist() == to_values(interval.high, interval.fraction).tolist()


@given(parts=st.lists(intervals(), min_size=1, max_size=4))
def test_aligned_intervals_keep_their_values_at_one_binary_point(parts: list[Interval]) -> None:
    found = iv.aligned(parts, layer="x")
    assert {one.fraction for one in found} == {max(part.fraction for part in parts)}
    for before, after in zip(parts, found, strict=True):
        assert to_values(after.low, after.fraction).tolist() == to_values(before.low, before.fraction).tolist()
        assert to_values(after.high, after.fraction).tolist() == to_values(before.high, before.fraction).tolist()


def test_a_common_binary_point_beyond_the_arithmetic_is_refused_with_the_layer() -> None:
    wide = Interval(low=np.array([0]), high=np.array([2**40]), fraction=0)
    fine = Interval(low=np.array([0]), high=np.array([1]), fraction=30)
    with pytest.raises(
        WidthLimitError, match="layer 'add1': a common binary point needs 72 bits, more than the limit of 62"
    ):
        iv.aligned([wide, fine], layer="add1")


def test_an_interval_too_wide_for_the_arithmetic_is_refused_with_the_layer() -> None:
    wide = Interval(low=np.array([-1]), high=np.array([2**61]), fraction=0)
    with pytest.raises(WidthLimitError, match="layer 'dense': a sum needs 63 bits, more than the limit of 62"):
        iv.guarded(wide, layer="dense", what="a sum")
    fitting = Interval(low=np.array([-(2**60)]), high=np.array([2**60]), fraction=0)
    assert iv.guarded(fitting, layer="dense", what="a sum") is fitting


@given(interval=intervals())
def test_the_format_of_an_interval_holds_its_ends_and_no_narrower_one_does(interval: Interval) -> None:
    form, (low, high) = interval.format, interval.bounds
    assert form.low <= low <= high <= form.high
    assert form.fraction == interval.fraction
    if form.width > 1:
        narrower = Format(width=form.width - 1, integer=form.integer - 1, signed=form.signed)
        assert not narrower.low <= low <= high <= narrower.high


@given(form=formats(), rank=st.integers(1, 4))
def test_the_interval_of_a_format_is_its_range(form: Format, rank: int) -> None:
    interval = iv.of_format(form, rank)
    assert interval.low.ndim == rank
    assert interval.bounds == (form.low, form.high)
    assert interval.fraction == form.fraction


def test_hull_and_zero_contain_what_they_are_made_of() -> None:
    interval = Interval(low=np.array([[1, 5], [2, 3]]), high=np.array([[4, 9], [8, 6]]), fraction=3)
    hull = iv.reduce_axes(interval, (0,))
    assert (hull.low.tolist(), hull.high.tolist()) == ([[1, 3]], [[8, 9]])
    assert iv.with_zero(interval).low.tolist() == [[0, 0], [0, 0]]
    assert iv.with_zero(replace(interval, low=-interval.high, high=-interval.low)).high.tolist() == [[0, 0], [0, 0]]
    assert iv.full(hull, (2, 2)).high.tolist() == [[8, 9], [8, 9]]


def test_an_interval_is_written_in_values() -> None:
    assert Interval(low=np.array([-24]), high=np.array([52]), fraction=4).text == "[-1.5, 3.25] in steps of 2^-4"


# --- plans ---------------------------------------------------------------------------------------------------------


def traced(model: HardwareModel, chosen: PrecisionPlan, inputs: tuple[Codes, ...]) -> Mapping[str, Codes]:
    return ReferenceEmulator(Design(model=model, plan=chosen, target=Target())).run(inputs, trace=True).trace


def with_spare_bits(layer: hw.Layer, precision: LayerPrecision) -> LayerPrecision:
    """The same decisions with more integer bits, except where the network's own quantizer limits values on purpose."""
    if isinstance(layer.operation, hw.Input | hw.Cast | hw.Saturate) or (
        isinstance(layer.operation, hw.Relu) and layer.operation.format
    ):
        return precision

    def wider(decision: Decision) -> Decision:
        form = decision.format
        return replace(decision, format=replace(form, width=form.width + SPARE_BITS, integer=form.integer + SPARE_BITS))

    return replace(
        precision,
        result=wider(precision.result),
        accumulator=wider(precision.accumulator) if precision.accumulator else None,
    )


def first_node_that_needs_more_bits(model: HardwareModel, inputs: tuple[Codes, ...]) -> hw.Layer | None:
    """The first node whose codes leave its planned format, or change with twenty more integer bits everywhere."""
    chosen = plan(model)
    roomy = PrecisionPlan(
        layers={layer.name: with_spare_bits(layer, chosen.layers[layer.name]) for layer in model.layers}
    )
    narrow, wide = traced(model, chosen, inputs), traced(model, roomy, inputs)
    for layer in model.layers:
        codes, form = narrow[layer.name].array, chosen.layers[layer.name].result.format
        if codes.min() < form.low or codes.max() > form.high or not np.array_equal(codes, wide[layer.name].array):
            return layer
    return None


@pytest.mark.parametrize("seed", SEEDS)
def test_no_planned_format_wraps_or_drops_a_bit_of_any_value(seed: int) -> None:
    """Twenty more integer bits everywhere change no value of any node."""
    model = random_network(seed)
    assert first_node_that_needs_more_bits(model, random_inputs(model, EVENTS, seed)) is None


@pytest.mark.parametrize(
    "branches",
    [
        networks.linear_layers,
        networks.casts,
        networks.elementwise,
        networks.shapes,
        networks.moves,
        networks.many_readers,
    ],
    ids=lambda grow: grow.__name__,
)
def test_no_planned_format_wraps_in_any_branch_that_engines_agree_on(
    branches: Callable[[networks.Builder], None],
) -> None:
    build = networks.Builder(seed=11)
    branches(build)
    assert first_node_that_needs_more_bits(build.design(IoType.PARALLEL).model, tuple(build.events(EVENTS))) is None


def test_no_planned_format_wraps_in_any_pooling() -> None:
    build = networks.Builder(seed=12)
    networks.pooling(build, IoType.PARALLEL)
    assert first_node_that_needs_more_bits(build.design(IoType.PARALLEL).model, tuple(build.events(EVENTS))) is None


def planned_intervals(model: HardwareModel) -> Mapping[str, Interval]:
    """What planning derives, for every node."""
    planner = Planner()
    for layer in model.layers:
        planner.add(planned_node(layer))
    return {name: bound.interval for name, bound in planner.bounds.items()}


def has_means_of_several_sizes(model: HardwareModel) -> bool:
    """Whether padding is in some windows of a mean and not in others; the emulator's interval is wider then."""
    shapes = {layer.name: layer.shape for layer in model.layers}
    return any(
        isinstance(layer.operation, hw.Pool)
        and layer.operation.kind is PoolKind.AVERAGE
        and len(ranges.window_sizes(layer.operation, shapes[layer.inputs[0]])) > 1
        for layer in model.layers
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_emulator_derives_the_intervals_of_the_plan(seed: int) -> None:
    model = random_network(seed)
    planned, found = planned_intervals(model), result_ranges(Design(model=model, plan=plan(model), target=Target()))
    several = has_means_of_several_sizes(model)
    for layer in model.layers:
        here, there = (iv.full(one[layer.name], layer.shape) for one in (found, planned))
        same = np.array_equal(here.low, there.low) and np.array_equal(here.high, there.high)
        assert here.fraction == there.fraction
        wider = bool((here.low <= there.low).all() and (here.high >= there.high).all())
        assert same or (several and wider), layer


def test_most_random_networks_have_no_means_of_several_sizes() -> None:
    assert sum(not has_means_of_several_sizes(random_network(seed)) for seed in SEEDS) > len(SEEDS) // 2


def test_the_random_networks_have_every_operation() -> None:
    kinds = {layer.kind for seed in SEEDS for layer in random_network(seed).layers}
    expected = {
        "Input",
        "Convolution",
        "Dense",
        "Affine",
        "Cast",
        "Relu",
        "Saturate",
        "LeakyRelu",
        "Pool",
        "GlobalPool",
        "ZeroPad",
        "Reshape",
    }
    assert kinds >= expected | {"Merge", "Concatenate", "Depthwise", "ThresholdRelu", "Crop", "Upsample", "Permute"}


def test_one_bit_less_in_an_accumulator_is_seen() -> None:
    """The check above would notice a plan that is too narrow: the worst event of a dense layer reaches its last bit."""
    weights = Codes(array=np.array([[3], [-2]]), format=Format(width=3, integer=3))
    bias = Codes(array=np.array([0]), format=Format(width=1, integer=1, signed=False))
    source = Format(width=4, integer=4)
    layers = (
        hw.Layer(name="x", source="x", operation=hw.Input(format=source), inputs=(), shape=(2,)),
        hw.Layer(name="d", source="d", operation=hw.Dense(kernel=weights, bias=bias), inputs=("x",), shape=(1,)),
    )
    model = HardwareModel(name="m", source_digest="0", layers=layers, inputs=("x",), outputs=("d",))
    chosen = plan(model)
    accumulator = chosen.layers["d"].accumulator
    assert accumulator is not None
    assert str(accumulator.format) == "fixed<7,7>"
    less = replace(accumulator, format=Format(width=6, integer=6))
    narrow = PrecisionPlan(layers={**chosen.layers, "d": replace(chosen.layers["d"], accumulator=less)})
    worst = (Codes(array=np.array([[-8, 7], [7, -8]]), format=source),)
    assert traced(model, chosen, worst)["d"].array.tolist() == [[-38], [37]]
    assert traced(model, narrow, worst)["d"].array.tolist() != [[-38], [37]]
