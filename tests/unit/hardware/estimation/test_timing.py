"""Cycles of small layers, counted by hand from the loops of their templates."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.design import BackendName, IoType
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.constants import shipped
from fpgacnn.hardware.estimation.core import group_of, priced
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.quantities import quantities
from fpgacnn.hardware.estimation.timing import TimingBudget
from tests.support.structures import RESOURCE, convolution, dense, elementwise, model, pipeline

KERNEL = np.full((3, 3, 1, 4), 683)
ZYNQ = "xc7z020clg400-1"


def cycles(whole: HardwareGraph) -> tuple[int, int]:
    """Latency and interval of a design."""
    found = quantities(whole, find_device(whole.part)).timing
    return found.latency, found.ii


def test_a_streamed_convolution_with_constants_takes_a_pixel_a_cycle() -> None:
    latency, interval = cycles(model(convolution(KERNEL, (28, 28))))
    assert 784 <= interval <= 784 + 8
    assert latency >= interval - 1


@pytest.mark.parametrize("reuse", [3, 9, 36])
def test_a_streamed_convolution_from_memory_takes_reuse_and_a_few_cycles_a_pixel(reuse: int) -> None:
    layer = convolution(KERNEL, (28, 28), reuse=reuse, strategy=RESOURCE)
    assert cycles(model(layer))[1] == 784 * (reuse + 6) + 2
    assert cycles(model(layer, part=ZYNQ, clock_ns=10.0, inlined_shift=True))[1] == 784 * (reuse + 9) + 2
    assert cycles(model(layer, part=ZYNQ, clock_ns=5.0))[1] == 784 * (reuse + 11) + 2


@pytest.mark.parametrize("inlined", [False, True])
@pytest.mark.parametrize("part", ["xc7z020clg400-1", "xc7vx690tffg1761-2", "xczu9eg-ffvb1156-2-e"])
def test_the_clock_cuts_selection_product_and_sum_of_a_reuse_loop(part: str, *, inlined: bool) -> None:
    """A slower clock never takes more cycles for a pixel, and a faster part never more than a slower one."""
    layer = convolution(KERNEL, (28, 28), reuse=9, strategy=RESOURCE)
    found = [
        cycles(model(layer, part=part, clock_ns=clock, inlined_shift=inlined))[1]
        for clock in (2.5, 3.3, 5.0, 7.0, 25.0)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]
    slowest = [cycles(model(layer, part=ZYNQ, clock_ns=clock, inlined_shift=inlined))[1] for clock in (2.5, 5.0)]
    assert all(one <= other for one, other in zip((found[0], found[2]), slowest, strict=True))


@pytest.mark.parametrize("part", [ZYNQ, "xczu9eg-ffvb1156-2-e"])
def test_a_slow_part_shifts_as_slowly_in_vitis_as_in_vivado(part: str) -> None:
    """With the same margin of the clock, Vitis saves the return of one function."""
    layer = convolution(KERNEL, (28, 28), reuse=9, strategy=RESOURCE)
    vivado, vitis = (
        cycles(model(layer, part=part, tool=tool, uncertainty_ns=0.625))[1]
        for tool in (BackendName.VIVADO, BackendName.VITIS)
    )
    assert vivado - vitis == 784


@pytest.mark.parametrize(("version", "waits"), [("2022.1", False), ("2022.2", True)])
def test_the_band_is_wider_where_a_convolution_waits_for_each_pixel(version: str, *, waits: bool) -> None:
    whole = model(convolution(KERNEL, (28, 28)), tool=BackendName.VITIS, version=version)
    totals, simulated = estimate(whole).totals, estimate(whole).simulated
    assert simulated is not None
    for figure in (totals.ii_cycles, simulated.ii_cycles):
        assert (figure.high >= 1.75 * figure.value and figure.low <= 0.75 * figure.value) == waits
    shared = model(convolution(KERNEL, (28, 28), reuse=9, strategy=RESOURCE), tool=BackendName.VITIS, version=version)
    assert estimate(shared).totals.ii_cycles.high < 1.75 * estimate(shared).totals.ii_cycles.value


def test_the_shares_in_bands_are_measured_without_the_wider_band() -> None:
    """Its ends were read from designs of the data set: with it, those would judge themselves."""
    whole = model(convolution(KERNEL, (28, 28)), tool=BackendName.VITIS, version="2022.2")
    counted, constants = quantities(whole, find_device(whole.part)), shipped()
    wider = priced(whole, counted, None, constants).totals
    fitted = priced(whole, counted, None, constants, waits=False).totals
    for name, figure, value in (
        ("latency", fitted.latency_cycles, counted.timing.latency),
        ("II", fitted.ii_cycles, counted.timing.ii),
    ):
        assert figure == constants.band(name, group_of(whole)).around(value)
    assert fitted.ii_cycles.high < 1.75 * counted.timing.ii <= wider.ii_cycles.high


def test_shared_constants_take_as_many_cycles_a_pixel_as_rounds_are_needed() -> None:
    """36 products of distinct constants, one multiplier.

    36 rounds and the pipeline's depth, but never more than the reuse factor.
    """
    kernel = (683 + 2 * np.arange(36)).reshape(3, 3, 1, 4)
    assert cycles(model(convolution(kernel, (10, 10), reuse=64)))[1] == pytest.approx(100 * 38, rel=0.06)
    assert cycles(model(convolution(kernel, (10, 10), reuse=8)))[1] == 100 * 8 + 2


def test_vitis_takes_the_whole_depth_for_each_pixel_of_a_line_buffer_since_a_version() -> None:
    """2022.1 overlaps pixels; 2022.2 not in two dimensions, 2023.1 not in one either."""
    flat = convolution(np.full((1, 3, 1, 4), 683), (1, 784))
    for version, waits_2d, waits_1d in [
        ("2022.1", False, False),
        ("2022.2", True, False),
        ("2023.1", True, True),
        ("", True, False),
    ]:
        found = [
            cycles(model(layer, tool=BackendName.VITIS, version=version))[1]
            for layer in (convolution(KERNEL, (28, 28)), flat)
        ]
        assert [one >= 2 * 784 for one in found] == [waits_2d, waits_1d], version


def test_pooling_and_activations_take_a_cycle_a_pixel() -> None:
    pool = elementwise(Role.POOL, (26, 26, 4), out_shape=(13, 13, 4), window=(2, 2))
    assert cycles(model(pool)) == (676 + 3 + 1, 676 + 3 + 1)
    assert cycles(model(elementwise(Role.COMPARE, (26, 26, 4))))[1] == 676 + 3


def test_the_slowest_grade_pools_two_cycles_a_pixel_at_200_mhz() -> None:
    pool = elementwise(Role.POOL, (26, 26, 4), out_shape=(13, 13, 4), window=(2, 2))
    assert cycles(model(pool, part="xc7z020clg400-1"))[1] == 2 * 676 + 4


def test_a_streamed_dense_layer_reads_its_words_first() -> None:
    layer = dense(np.full((784, 13), 21), reuse=784, strategy=RESOURCE, in_shape=(1, 196, 4))
    assert cycles(model(layer))[1] == 784 + 196 + 7


def test_streams_overlap_and_arrays_do_not() -> None:
    first, second = convolution(KERNEL, (28, 28), name="a"), elementwise(Role.COMPARE, (26, 26, 4), name="b")
    streamed = cycles(model(first, second))
    assert streamed[0] < 784 + 676
    both = [dense(np.full((10, 10), 21), name=f"d{reuse}", reuse=reuse, strategy=RESOURCE) for reuse in (10, 20)]
    latency, interval = cycles(model(*both, io=IoType.PARALLEL))
    assert latency > 30
    assert interval == 21


def test_a_pipeline_can_start_every_reuse_cycles() -> None:
    kernel = np.arange(683, 683 + 512).reshape(16, 32)
    assert cycles(pipeline(dense(kernel)))[1] == 1
    assert cycles(pipeline(dense(kernel, reuse=4)))[1] == 4


def test_unrolled_convolutions_of_a_pipeline_have_no_loop() -> None:
    assert cycles(pipeline(convolution(KERNEL, (6, 6))))[1] == 1


def test_a_longer_clock_needs_no_more_cycles() -> None:
    layers = [dense(np.full((64, 8), 683))]
    latencies = [cycles(pipeline(*layers, clock_ns=clock))[0] for clock in (2.0, 3.0, 5.0, 10.0, 25.0)]
    assert latencies == sorted(latencies, reverse=True)
    assert latencies[0] > latencies[-1]


def test_the_pace_leaves_the_tools_margin() -> None:
    device = find_device("zcu102")
    layer: TemplateCall = dense([[1]])
    assert TimingBudget.of(model(layer, tool=BackendName.VITIS), device).budget_ns == pytest.approx(3.65)
    assert TimingBudget.of(model(layer), device).budget_ns == pytest.approx(4.375)
    assert TimingBudget.of(model(layer, uncertainty_ns=1.0), device).budget_ns == pytest.approx(4.0)


def test_nothing_takes_no_time() -> None:
    assert cycles(model()) == (0, 1)


def test_a_recurrent_layer_takes_its_longer_matrix_every_step() -> None:
    layer = elementwise(
        Role.RECURRENT,
        (1, 1, 32),
        in_shape=(1, 100, 3),
        steps=100,
        reuse=24,
        recurrent_reuse=32,
        gates=3,
        strategy=RESOURCE,
    )
    assert cycles(model(layer))[1] == pytest.approx(4202, rel=0.01)


def test_an_inlined_shift_adds_loops_over_channels_for_vivado() -> None:
    layer = convolution(np.full((3, 3, 4, 8), 683), (6, 6), reuse=9, strategy=RESOURCE)
    plain, inlined = (cycles(model(layer, inlined_shift=flag))[1] for flag in (False, True))
    assert inlined - plain == 36 * (28 + 1), "its shift takes six cycles, a called one three and two for calls"
    assert cycles(model(layer, inlined_shift=True, tool=BackendName.VITIS))[1] < inlined


def tabled(inputs: int, outputs: int, reuse: int, **changes: object) -> HardwareGraph:
    """One dense layer with weights in memory, in a design of tasks."""
    layer = dense(np.full((inputs, outputs), 683), reuse=reuse, strategy=RESOURCE)
    return model(layer, io=IoType.PARALLEL, tool=BackendName.VIVADO, **changes)


def test_a_large_table_of_outputs_is_filled_before_the_reuse_loop_of_each_event() -> None:
    """As a published report of 784 inputs and 100 outputs: 39,200 times 20 cycles, then 39,200 products."""
    latency, interval = cycles(tabled(784, 100, 39_200))
    assert 823_200 <= latency <= 823_210
    assert 823_200 <= interval <= 823_210
    assert cycles(tabled(784, 100, 78_400))[1] > 1.9 * interval


def test_a_small_table_or_none_takes_no_cycles() -> None:
    """The tool computes 10,000 words itself; a reuse factor that inputs do not divide has another template."""
    assert cycles(tabled(100, 100, 10_000))[0] <= 10_004
    assert cycles(tabled(1000, 100, 50_000))[0] > 20 * 50_000
    assert cycles(tabled(1000, 150, 37_500))[0] <= 37_504


def test_the_table_lies_in_block_ram_as_int_if_a_loop_fills_it() -> None:
    def blocks(inputs: int, outputs: int, reuse: int) -> int:
        whole = tabled(inputs, outputs, reuse)
        return quantities(whole, find_device(whole.part)).layers[0].weight_blocks

    folded, looped = blocks(784, 10, 7_840), blocks(784, 100, 39_200)
    assert folded - blocks(784, 10, 3_920) < 8
    assert looped - blocks(784, 100, 7_840) > 60
