"""What always holds of an estimate: more never costs less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.hardware.estimation import Estimate, estimate
from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, TemplateCall, summarize
from fpgacnn.hardware.hls.reuse import legal_factors
from tests.support.structures import RESOURCE, convolution, dense, model

SIZES = st.integers(1, 24)
SEEDS = st.integers(0, 2**32 - 1)
WIDTHS = st.integers(5, 14)
TOOLS = st.sampled_from(BackendName)
IOS = st.sampled_from([(IoType.STREAM, True), (IoType.PARALLEL, False), (IoType.PARALLEL, True)])


def kernel(seed: int, inputs: int, outputs: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(1 << (width - 1)), 1 << (width - 1), (inputs, outputs))


def design(layer: TemplateCall, io: tuple[IoType, bool], tool: BackendName) -> HardwareGraph:
    return model(layer, io=io[0], dataflow=io[1], tool=tool)


def numbers(answer: Estimate) -> tuple[float, ...]:
    found = answer.totals.resources
    return found.lut.value, found.ff.value, found.dsp.value, found.bram_18k.value


@given(seed=SEEDS, inputs=SIZES, outputs=SIZES, io=IOS, tool=TOOLS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_more_reuse_never_takes_more_dsp_slices_nor_a_shorter_interval(
    seed: int, inputs: int, outputs: int, io: tuple[IoType, bool], tool: BackendName, data: st.DataObject
) -> None:
    codes = kernel(seed, inputs, outputs, 16)
    legal = legal_factors(inputs, outputs, inputs * outputs)
    few, many = sorted(data.draw(st.lists(st.sampled_from(legal), min_size=2, max_size=2)))
    strategy = data.draw(st.sampled_from([Strategy.LATENCY, Strategy.RESOURCE]))
    less, more = (estimate(design(dense(codes, reuse=reuse, strategy=strategy), io, tool)) for reuse in (few, many))
    if few > 1 or strategy is Strategy.LATENCY:
        assert more.totals.resources.dsp.value <= less.totals.resources.dsp.value
    assert more.totals.ii_cycles.value >= less.totals.ii_cycles.value


@given(seed=SEEDS, inputs=SIZES, outputs=SIZES, io=IOS, tool=TOOLS)
@settings(max_examples=60, deadline=None)
def test_zeros_cost_nothing(seed: int, inputs: int, outputs: int, io: tuple[IoType, bool], tool: BackendName) -> None:
    codes = kernel(seed, inputs, outputs, 16)
    pruned = np.where(np.random.default_rng(seed + 1).random(codes.shape) < 0.5, 0, codes)
    full, fewer, none = (estimate(design(dense(one), io, tool)) for one in (codes, pruned, np.zeros_like(codes)))
    assert all(small <= large for small, large in zip(numbers(fewer), numbers(full), strict=True))
    assert none.totals.resources.dsp.value == 0
    assert none.totals.multipliers == 0


@given(
    seed=SEEDS,
    width=WIDTHS,
    wider=st.integers(0, 8),
    io=IOS,
    tool=TOOLS,
    reuse=st.sampled_from([1, 2, 4, 8]),
    strategy=st.sampled_from([Strategy.LATENCY, Strategy.RESOURCE]),
)
@settings(max_examples=80, deadline=None)
def test_wider_data_never_costs_less(
    seed: int, width: int, wider: int, io: tuple[IoType, bool], tool: BackendName, reuse: int, strategy: Strategy
) -> None:
    """Multipliers move from LUTs to DSP slices where an operand passes ten bits, and LUTs fall there.

    So widths are taken on one side of that step.
    """
    narrow = width if wider + width <= 10 else width + 11
    less, more = (
        estimate(
            design(
                dense(kernel(seed, 8, 8, 6), input=data, accumulator=sums, output=sums, reuse=reuse, strategy=strategy),
                io,
                tool,
            )
        )
        for data, sums in (
            (FixedType(width=bits, integer=2), FixedType(width=bits + 10, integer=6))
            for bits in (narrow, narrow + wider)
        )
    )
    assert all(small <= large for small, large in zip(numbers(less), numbers(more), strict=True))


@given(
    seed=SEEDS,
    rows=st.integers(3, 12),
    channels=st.integers(1, 4),
    filters=st.integers(1, 6),
    io=IOS,
    tool=TOOLS,
    reuse=st.sampled_from([1, 3, 9]),
)
@settings(max_examples=60, deadline=None)
def test_larger_images_never_cost_less(
    seed: int, rows: int, channels: int, filters: int, io: tuple[IoType, bool], tool: BackendName, reuse: int
) -> None:
    codes = np.random.default_rng(seed).integers(-40, 40, (3, 3, channels, filters))
    small, large = (
        convolution(codes, (side, side), reuse=reuse, strategy=RESOURCE if reuse > 1 else Strategy.LATENCY)
        for side in (rows, rows + 3)
    )
    less, more = estimate(design(small, io, tool)), estimate(design(large, io, tool))
    assert all(one <= other for one, other in zip(numbers(less), numbers(more), strict=True))
    assert more.totals.latency_cycles.value >= less.totals.latency_cycles.value


@given(seed=SEEDS, inputs=SIZES, outputs=SIZES, io=IOS, tool=TOOLS)
@settings(max_examples=40, deadline=None)
def test_a_layer_more_never_costs_less(
    seed: int, inputs: int, outputs: int, io: tuple[IoType, bool], tool: BackendName
) -> None:
    first, second = (
        dense(kernel(seed, inputs, outputs, 12), name="a"),
        dense(kernel(seed + 1, outputs, inputs, 12), name="b", inputs=("a",)),
    )
    alone = estimate(design(first, io, tool))
    both = estimate(replace(design(first, io, tool), layers=(first, second), outputs=("b",)))
    assert all(one <= other + 1 for one, other in zip(numbers(alone), numbers(both), strict=True))
    assert both.totals.latency_cycles.value >= alone.totals.latency_cycles.value


@given(seed=SEEDS, inputs=SIZES, outputs=SIZES, width=st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_a_summary_counts_every_weight_and_no_product_more_than_once(
    seed: int, inputs: int, outputs: int, width: int
) -> None:
    codes = kernel(seed, inputs, outputs, width)
    found = summarize(codes)
    assert found.count == codes.size
    assert found.zeros == int((codes == 0).sum())
    assert sum(one.distinct for one in found.classes) == sum(len(set(row)) for row in codes.tolist())
    assert all(one.digits <= one.bits // 2 + 1 for one in found.classes)
