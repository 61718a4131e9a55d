"""Casts before moves, and short scales: the same answers in fewer bits, or a bound that holds for every code."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, IoType, Strategy, Target
from fpgacnn.design.design import by_layer
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, parse_format, requantize, signed_digits
from fpgacnn.ir.graph import Node
from fpgacnn.passes.precision import bounds, fold_casts, legalize
from fpgacnn.passes.precision.narrowing.short_scales import (
    SIGNIFICANT_BITS,
    Shortening,
    short_codes,
    shortened,
    truncated,
)
from fpgacnn.passes.precision.nodes import PlannedAffine
from fpgacnn.passes.quantization import quantize
from fpgacnn.passes.quantization.constants import rounded
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.files import Entry, entry, functional_file, input_layer, sequential_file
from tests.support.networks import Builder, casts_behind_moves
from tests.unit.test_float_scales import CHAINS, FORM, SIZE, batch, dense

COARSE, FINE = (Shortening(exact=True, coarse=coarse) for coarse in (True, False))


def significant_bits(codes: Codes) -> int:
    """Bits of the longest code without zeros at its end."""
    return max(len(f"{abs(int(code)):b}".rstrip("0")) for code in codes.array.ravel())


def canonical_digits(number: int) -> int:
    """Signed digits by the textbook: 1 or -1 is taken off an odd number, so that the rest is a multiple of 4."""
    found = 0
    while number:
        if number & 1:
            found, number = found + 1, number - (2 - number % 4)
        number >>= 1
    return found


def test_signed_digits_are_those_of_the_textbook() -> None:
    numbers = np.arange(5000)
    assert signed_digits(numbers).tolist() == [canonical_digits(int(one)) for one in numbers]


@pytest.mark.parametrize("seed", range(4))
def test_a_short_scale_is_a_neighbour_in_17_bits_with_the_fewest_digits(seed: int) -> None:
    values = np.random.default_rng(seed).uniform(0.02, 3.9, 40) * np.random.default_rng(seed + 9).choice([-1, 1], 40)
    step = 2.0 ** (np.frexp(np.abs(values).max())[1] - SIGNIFICANT_BITS)
    coarse, fine = (short_codes(values, coarse=one) for one in (True, False))
    assert coarse is not None
    assert fine is not None
    assert max(significant_bits(coarse), significant_bits(fine)) <= SIGNIFICANT_BITS
    assert np.abs(fine.values - values).max() <= step / 2
    for value, found in zip(values, coarse.values, strict=True):
        low, high = int(np.floor(value / step)), int(np.ceil(value / step))
        assert found / step in {low, high}
        assert canonical_digits(abs(int(found / step))) == min(map(canonical_digits, (abs(low), abs(high))))


def test_scales_of_very_different_sizes_have_17_bits_of_their_own() -> None:
    values = np.array([1000.1, 1e-6 / 3, -0.7, 0.0])
    codes = short_codes(values, coarse=False)
    assert codes is not None
    assert significant_bits(codes) <= SIGNIFICANT_BITS
    np.testing.assert_allclose(codes.values, values, rtol=2.0**-SIGNIFICANT_BITS)


@pytest.mark.parametrize("shortening", [COARSE, FINE])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_bound_of_a_truncated_result_holds_for_every_code(seed: int, *, relu: bool, shortening: Shortening) -> None:
    """Every code of the input of every channel, in exact arithmetic on the trained numbers."""
    random, channels, form = np.random.default_rng(seed), 5, parse_format("fixed<12,3>")
    trained = q.Line(
        scale=random.normal(0, 10.0 ** random.uniform(-2, 1), channels), shift=random.normal(0, 2, channels)
    )
    line = PlannedAffine(scale=rounded(trained.scale, 30), shift=rounded(trained.shift, 44), trained=trained)
    codes = np.repeat(np.arange(form.low, form.high + 1)[:, None], channels, axis=1)
    given = bounds.ranged(iv.of_format(form, 1), 0.0)
    short = shortened(line, given, channels, shortening, narrows=True)
    assert short is not None
    assert short.fraction is not None
    node = Node(name="n", source="n", operation=short.operation, inputs=("x",), shape=(channels,), is_result=True)
    found = bounds.affine(node, short.operation, given)
    scale, shift, last = short.operation.scale, short.operation.shift, found.interval.fraction
    sums = codes * scale.array << last - form.fraction - scale.format.fraction
    sums = sums + (shift.array << last - shift.format.fraction)
    exact = np.ldexp(codes.astype(np.float64), -form.fraction) * trained.scale + trained.shift
    if relu:
        found, sums, exact = bounds.relu(found), np.maximum(sums, 0), np.maximum(exact, 0)
    result = truncated(found.interval, short.fraction)
    narrowed = bounds.narrowed(found, result, centred=True)
    answers = Codes(array=requantize(sums, last, result), format=result).values
    off = float(np.abs(answers - exact).max())
    assert 0 < off <= narrowed.error
    assert narrowed.error < 4 * off + 8 * result.step, "the bound says nothing"


def network(tmp_path: Path, *layers: Entry) -> Design:
    found = frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(SIZE,)))
    model, planned = legalize(quantize(found, inputs=[FORM]))
    return Design(model=model, plan=planned, target=Target())


def scales(design: Design) -> list[hw.Affine]:
    return [layer.operation for layer in design.model.layers if isinstance(layer.operation, hw.Affine)]


def test_normalizations_without_a_quantizer_take_one_dsp_each_and_short_results(tmp_path: Path) -> None:
    design = network(tmp_path, *CHAINS["no quantizer behind"])
    model, planned = fold_casts(design.model, design.plan)
    assert [significant_bits(one.scale) <= SIGNIFICANT_BITS for one in scales(design)] == [True, True]
    lines = [layer.name for layer in model.layers if isinstance(layer.operation, hw.Affine)]
    assert lines == ["l_b", "bb"], "the truncation is the result type of the normalization"
    assert max(planned.layers[name].result.format.width for name in lines) <= 25
    assert not design.plan.is_lossless


def test_a_network_whose_outputs_are_exact_keeps_its_long_scales(tmp_path: Path) -> None:
    design = network(tmp_path, dense("d", bits=4), batch("b"))
    assert design.plan.is_lossless
    assert max(significant_bits(one.scale) for one in scales(design)) == 24


def test_an_exact_output_stays_exact_beside_one_that_is_not(tmp_path: Path) -> None:
    """Two outputs: the first has one normalization, whose numbers are exact; the second has three."""
    layers = (
        input_layer("x", SIZE),
        batch("one", "x"),
        batch("two", "one"),
        batch("three", "two"),
    )
    file = functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["one", "three"])
    source = frontends.load(file)
    model, planned = legalize(quantize(source, inputs=[FORM]))
    first, second = (planned.layers[name] for name in model.outputs)
    assert first.error == 0 < second.error


def test_short_scales_are_not_taken_where_the_bound_of_an_output_would_suffer(tmp_path: Path) -> None:
    """A difference of two numbers that are nearly equal shows every error of the scale before it."""
    chain = CHAINS["automatic scales"]
    design = network(tmp_path, *chain)
    assert max(significant_bits(one.scale) for one in scales(design)) > SIGNIFICANT_BITS


def test_a_relu_between_is_truncated_instead(tmp_path: Path) -> None:
    design = network(tmp_path, dense("d"), batch("b"), entry("ReLU", "r"), dense("e"), batch("bb"))
    model, planned = fold_casts(design.model, design.plan)
    assert [layer.name for layer in model.layers] == ["x", "l_d", "r", "l_e", "bb"]
    assert planned.layers["r"].result.format.width <= 25
    assert not planned.layers["r"].result.format.signed
    random = np.random.default_rng(3)
    codes = [Codes(array=random.integers(FORM.low, FORM.high, (50, SIZE), endpoint=True), format=FORM)]
    folded = replace(design, model=model, plan=planned)
    left, right = (ReferenceEmulator(one).run(codes, trace=True).trace for one in (design, folded))
    for name, one in right.items():
        np.testing.assert_array_equal(one.array, left[name].array)


@pytest.mark.parametrize("io", IoType)
def test_casts_before_moves_give_the_same_answers_with_fewer_bits(io: IoType) -> None:
    build = Builder(seed=23)
    casts_behind_moves(build)
    plain = build.design(io)
    model, planned = fold_casts(plain.model, plain.plan)
    folded = replace(plain, model=model, plan=planned)
    codes = build.events(40)
    left, right = (ReferenceEmulator(one).run(codes, trace=True).trace for one in (plain, folded))
    assert set(model.outputs) <= left.keys() & right.keys()
    for name in left.keys() & right.keys():
        np.testing.assert_array_equal(left[name].array, right[name].array, err_msg=name)
    before, after = (estimate(hardware_graph(one)).totals for one in (plain, folded))
    assert after.fifo_bits <= before.fifo_bits * (0.6 if io is IoType.STREAM else 1)
    if io is IoType.STREAM:
        assert after.resources.lut.value <= before.resources.lut.value


@pytest.mark.parametrize(
    ("moving", "shape"), [(src.Crop(borders=(0, 1, 0, 1)), (3, 3)), (src.Upsample(factors=(2, 2)), (8, 8))]
)
def test_a_scale_behind_a_tensor_beside_itself_stays_there(moving: src.Moving, shape: tuple[int, int]) -> None:
    build = Builder(seed=1)
    layer = build.convolution(build.input((4, 4, 2), "fixed<16,6>"), (1, 1, 2, 2), (4, 4, 2))
    moved = build.add(moving, (*shape, 2), layer)
    both = build.add(src.Concatenate(axis=2), (*shape, 4), moved, moved)
    form = parse_format("ufixed<2,1,RND_CONV,SAT>")
    scale = hw.Affine(scale=build.codes((4,), "fixed<9,2>"), shift=build.codes((4,), "fixed<11,3>"), format=form)
    last = build.add(scale, (*shape, 4), both)
    build.results[last] = form
    build.end(last)
    plain = build.design(IoType.STREAM)
    model, planned = fold_casts(plain.model, plain.plan)
    codes = build.events(20)
    left, right = (
        ReferenceEmulator(one).run(codes).outputs for one in (plain, replace(plain, model=model, plan=planned))
    )
    for name, one in left.items():
        np.testing.assert_array_equal(one.array, right[name].array)


def test_half_a_step_is_added_to_large_shifts_too() -> None:
    """A float64 loses half a step of the result beside a shift that is 2^52 times as large."""
    form = parse_format("fixed<9,9>")
    for shift in (0.0, 2.0**38, 2.0**42, 2.0**44):
        trained = q.Line(scale=np.full(2, 13 * 2.0**-14), shift=np.array([0.0, shift]))
        line = PlannedAffine(scale=rounded(trained.scale, 30), shift=rounded(trained.shift, 44), trained=trained)
        given = bounds.ranged(iv.of_format(form, 1), 0.0)
        made = shortened(line, given, 2, Shortening(exact=True, coarse=True), narrows=True)
        if made is None or made.fraction is None:
            continue
        form_of_shift = made.operation.shift.format
        for code, real in zip(made.operation.shift.array.tolist(), trained.shift.tolist(), strict=True):
            more = Fraction(code) / Fraction(2) ** form_of_shift.fraction - Fraction(real)
            assert more >= Fraction(1, 2) / Fraction(2) ** made.fraction


def moved_pairs(design: Design) -> set[tuple[str, str]]:
    """Each cast that is still behind an operation that only moves values, by the kinds of both."""
    found = set()
    for layer in design.model.layers:
        before = design.model.layer(layer.inputs[0]).operation if layer.inputs else None
        if isinstance(layer.operation, hw.Cast | hw.Relu | hw.Affine) and isinstance(before, src.Moving | hw.Pool):
            found.add((type(before).__name__, type(layer.operation).__name__))
    return found


def test_only_casts_that_do_not_commute_stay_behind_moves() -> None:
    """A scale meets other channels or padded zeros; a cast that wraps turns a maximum around."""
    build = Builder(seed=23)
    casts_behind_moves(build)
    plain = build.design(IoType.STREAM)
    model, planned = fold_casts(plain.model, plain.plan)
    stay = moved_pairs(replace(plain, model=model, plan=planned))
    assert stay == {("ZeroPad", "Affine"), ("Permute", "Affine"), ("Pool", "Cast")}


def test_a_cast_stays_behind_a_concatenation_that_others_read_or_that_is_an_output() -> None:
    for ends in (True, False):
        build = Builder(seed=24)
        parts = [build.convolution(build.input((3, 3, 2)), (1, 1, 2, 2), (3, 3, 2)) for _ in range(2)]
        joined = build.add(src.Concatenate(axis=2), (3, 3, 4), *parts)
        build.end(build.add(hw.Relu(format=parse_format("ufixed<3,1,RND_CONV,SAT>")), (3, 3, 4), joined))
        build.end(joined if ends else build.add(hw.Relu(), (3, 3, 4), joined))
        design = build.design(IoType.STREAM)
        model, _ = fold_casts(design.model, design.plan)
        assert len(model.layers) == len(design.model.layers)


def test_settings_of_a_layer_apply_to_its_part_before_a_concatenation() -> None:
    build = Builder(seed=25)
    parts = [build.convolution(build.input((3, 3, 2)), (1, 1, 2, 2), (3, 3, 2)) for _ in range(2)]
    joined = build.add(src.Concatenate(axis=2), (3, 3, 4), *parts)
    last = build.add(hw.Relu(format=parse_format("ufixed<3,1,RND_CONV,SAT>")), (3, 3, 4), joined)
    build.end(last)
    design = build.design(IoType.STREAM, strategy=Strategy.RESOURCE, reuse_of={parts[0]: 4, parts[1]: 2})
    model, planned = fold_casts(design.model, design.plan)
    found = replace(design, model=model, plan=planned)
    products = [one for one in lower(found).nodes if one.kind == "Conv2D"]
    assert [one.reuse for one in products] == [4, 2]
    assert model.layer(last).folded == (joined,)
    assert by_layer(replace(design.target, reuse_of={last: 8}), model).reuse_of == {last: 8}
