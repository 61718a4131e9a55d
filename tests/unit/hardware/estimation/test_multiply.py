"""Multipliers of small layers, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.design import BackendName
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.graph.graph import (
    FixedType,
    HardwareGraph,
    Role,
    TemplateCall,
    live_kernels,
    summarize,
    summarize_by_width,
)
from fpgacnn.hardware.estimation.multiply import assumed_weights, multiplication, slices, weights_in_memory
from tests.support.structures import EIGHT, RESOURCE, dense, elementwise, model, pipeline

ULTRASCALE, SEVEN = find_device("zcu102"), find_device("zedboard")


def products(layer: TemplateCall, whole: HardwareGraph | None = None) -> tuple[float, float, float, float]:
    """Needed multipliers, those built, DSP slices and summed values."""
    found = multiplication(layer, whole or pipeline(layer), ULTRASCALE)
    return found.needed, found.built, found.dsp, found.terms


@pytest.mark.parametrize(
    ("number", "digits", "bits"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (8, 1, 4),
        (3, 2, 2),
        (7, 2, 3),
        (6, 2, 3),
        (-7, 2, 3),
        (11, 3, 4),
        (21, 3, 5),
        (23, 3, 5),
        (683, 6, 10),
        (-32768, 1, 16),
    ],
)
def test_constants_have_canonical_digits(number: int, digits: int, bits: int) -> None:
    (found,) = summarize(np.array([[number]])).classes
    assert (found.digits, found.bits, found.count, found.distinct) == (digits, bits, 1, 1)


@pytest.mark.parametrize("shift", [0, 5])
@pytest.mark.parametrize(("number", "subtractions"), [(1, 1), (3, 0), (5, 1), (7, 0), (9, 1), (11, 0), (21, 0)])
def test_a_negative_product_takes_a_subtraction_unless_its_digits_differ_in_sign(
    number: int, subtractions: int, shift: int
) -> None:
    """-4x = 0 - 4x and -5x = (0 - 4x) - x, but -3x = x - 4x; with three digits, a multiplier takes the sign."""
    negative, positive = (
        multiplication(layer, pipeline(layer), ULTRASCALE)
        for layer in (dense([[sign * (number << shift)]]) for sign in (-1, 1))
    )
    assert (negative.negations, positive.negations) == (subtractions, 0)
    assert negative.shift_adds == positive.shift_adds
    assert (negative.sign_bits > 0) == (subtractions > 0)


@pytest.mark.parametrize("outputs", [4, 32])
def test_equal_negative_weights_of_one_input_share_their_subtraction(outputs: int) -> None:
    layer = dense(np.full((3, outputs), -8))
    assert multiplication(layer, pipeline(layer), ULTRASCALE).negations == 3


def test_equal_weights_of_one_input_share_a_product_and_opposite_ones_do_not() -> None:
    found = summarize(np.array([[21, 21, -21], [21, 0, 21]]))
    many = next(one for one in found.classes if one.digits == 3)
    assert (many.count, many.distinct) == (5, 3)
    assert found.zeros == 1


def test_only_constants_of_three_digits_and_more_take_a_multiplier() -> None:
    assert products(dense([[0, 64, 3, 21], [0, -1, 7, 683]])) == (2, 2, 2, 6)


@pytest.mark.parametrize("narrow", [2, 4])
def test_inputs_of_few_bits_need_no_slices_and_those_of_no_bits_nothing(narrow: int) -> None:
    kernel = np.full((3, 4), 683)
    plain = dense(kernel)
    layer = dense(kernel, weights=summarize_by_width(kernel, [16, narrow, 0]))
    wide, mixed = (multiplication(one, pipeline(one), ULTRASCALE) for one in (plain, layer))
    assert (wide.dsp, wide.terms) == (3, 12)
    assert (mixed.dsp, mixed.terms, mixed.constant_area) == (1, 8, narrow * 11)


def test_a_layer_of_zeros_costs_no_multiplier_and_no_adder() -> None:
    found = multiplication(dense(np.zeros((4, 4))), pipeline(dense(np.zeros((4, 4)))), ULTRASCALE)
    assert (found.needed, found.dsp, found.constant_area, found.shift_bits, found.terms) == (0, 0, 0, 0, 0)


def test_narrow_products_are_built_of_luts() -> None:
    found = multiplication(dense([[21]], input=EIGHT), pipeline(dense([[21]], input=EIGHT)), ULTRASCALE)
    assert (found.dsp, found.constant_area) == (0, 8 * 6)


def test_one_wide_operand_is_enough_for_a_dsp_slice() -> None:
    assert products(dense([[683]], input=EIGHT))[2] == 1
    assert products(dense([[341]], input=EIGHT))[2] == 0


def test_a_directive_decides_for_every_multiplier() -> None:
    layer = dense([[21, 683]], input=EIGHT)
    assert multiplication(layer, pipeline(layer, multipliers="dsp"), ULTRASCALE).dsp == 2
    assert multiplication(layer, pipeline(layer, multipliers="fabric"), ULTRASCALE).dsp == 0


def test_reuse_bounds_the_multipliers_as_hls4mls_limit_does() -> None:
    kernel = np.where(np.arange(100).reshape(10, 10) < 40, 0, np.arange(100).reshape(10, 10) * 2 + 683)
    layer = dense(kernel, reuse=4)
    found = multiplication(layer, pipeline(layer), ULTRASCALE)
    assert found.built == 100 / 4 - 40 // 4
    assert found.rounds == int(np.ceil(found.needed / 15))


@pytest.mark.parametrize(
    ("left", "right", "device", "expected"),
    [
        (16, 16, SEVEN, 1),
        (18, 18, SEVEN, 1),
        (25, 18, SEVEN, 1),
        (20, 20, SEVEN, 2),
        (32, 32, SEVEN, 4),
        (27, 18, ULTRASCALE, 1),
        (27, 18, SEVEN, 2),
    ],
)
def test_wide_products_take_several_slices(left: int, right: int, device: object, expected: int) -> None:
    assert slices(left, right, device.dsp_ports) == expected
    assert slices(right, left, device.dsp_ports) == expected


@pytest.mark.parametrize(("reuse", "built"), [(2, 256), (8, 64), (32, 16), (512, 1)])
def test_weights_in_memory_take_a_full_multiplier_each(reuse: int, built: int) -> None:
    layer = dense(np.full((32, 16), 21), reuse=reuse, strategy=RESOURCE)
    found = multiplication(layer, model(layer), ULTRASCALE)
    assert (found.in_memory, found.built, found.dsp) == (True, built, built)


def test_narrow_sums_of_exact_products_are_fused_with_every_second_adder() -> None:
    narrow, exact = FixedType(width=4, integer=1), FixedType(width=12, integer=6)
    layer = dense(np.full((32, 16), 5), reuse=8, strategy=RESOURCE, input=narrow, weight=narrow, accumulator=exact)
    assert multiplication(layer, model(layer), ULTRASCALE).dsp == 32
    cut = dense(
        np.full((32, 16), 5),
        reuse=8,
        strategy=RESOURCE,
        input=narrow,
        weight=narrow,
        accumulator=FixedType(width=8, integer=6),
    )
    assert multiplication(cut, model(cut), ULTRASCALE).dsp == 0


def test_a_reuse_factor_of_one_makes_constants_of_weights_whatever_the_strategy() -> None:
    layer = dense(np.full((4, 4), 8), reuse=1, strategy=RESOURCE)
    assert not weights_in_memory(layer, model(layer))
    assert multiplication(layer, model(layer), ULTRASCALE).dsp == 0


def test_vivado_keeps_large_arrays_in_memory_even_for_latency() -> None:
    layer = dense(np.full((128, 64), 21), reuse=4)
    assert weights_in_memory(layer, model(layer))
    assert not weights_in_memory(layer, model(layer, tool=BackendName.VITIS))


def test_softmax_multiplies_each_value_and_a_stream_with_reuse_shares_one() -> None:
    layer = elementwise(Role.SOFTMAX, (1, 1, 10), table=FixedType(width=18, integer=8))
    assert products(layer)[2] == 10
    shared = elementwise(Role.SOFTMAX, (1, 1, 10), table=FixedType(width=18, integer=8), reuse=4)
    assert products(shared, model(shared))[2] == 1


def test_a_recurrent_layer_has_two_matrices_and_mixes_three_times() -> None:
    layer = elementwise(
        Role.RECURRENT,
        (1, 1, 120),
        reuse=30,
        recurrent_reuse=30,
        gates=3,
        strategy=RESOURCE,
        in_shape=(1, 20, 6),
        weight=FixedType(width=16, integer=6),
    )
    assert multiplication(layer, model(layer), ULTRASCALE).dsp == 6 * 360 / 30 + 120 * 360 / 30 + 3 * 120


def test_unknown_weights_are_guessed_from_their_type() -> None:
    layer = dense(np.ones((10, 10)), weights=None)
    summary = assumed_weights(layer)
    assert not summary.known
    assert summary.count == 100
    assert 0 < products(layer)[0] < 100


def test_dead_outputs_and_outputs_that_nobody_reads_are_removed() -> None:
    first, second = live_kernels([np.array([[1, 0, 5], [2, 0, 7]]), np.array([[3, 4], [9, 9], [0, 0]])])
    assert first.tolist() == [[1, 0, 0], [2, 0, 0]]
    assert second.tolist() == [[3, 4], [0, 0], [0, 0]]


@pytest.mark.parametrize("spread", [3, 300, 1 << 24])
def test_weights_are_counted_as_one_by_one(spread: int) -> None:
    codes = np.random.default_rng(spread).integers(-spread, spread, (4, 5, 60))
    counted: dict[tuple[int, int], list[int]] = {}
    for row in codes.reshape(-1, 60).tolist():
        for place, weight in enumerate(row):
            size, digits = abs(weight), 0
            while size:  # the canonical form: a digit is 2 minus the last two bits, where the last is set
                digits += size & 1
                size = (size - (2 - size % 4 if size % 2 else 0)) // 2
            one = counted.setdefault((digits, abs(weight).bit_length()), [0, 0])
            one[0] += 1
            one[1] += weight not in row[:place]
    found = {(one.digits, one.bits): [one.count, one.distinct] for one in summarize(codes).classes}
    assert found == counted


def test_kernels_without_dead_weights_stay_the_same_arrays() -> None:
    kernels = [np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]]), np.array([[0, 1], [0, 1]])]
    assert all(one is other for one, other in zip(live_kernels(kernels), kernels, strict=True))
