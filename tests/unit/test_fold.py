"""Layers that only cast are folded into the layer before them, exactly where one cast gives the same values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import BackendName, Design, IoType, Strategy, Target
from fpgacnn.design.design import by_layer
from fpgacnn.errors import UsageError
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, Overflow, Rounding, exact_codes, parse_format, requantize
from fpgacnn.ir.source import MergeKind
from fpgacnn.jobs.fit.design_space import parameters
from fpgacnn.passes.precision import fold_casts
from fpgacnn.passes.precision.fold import CastStep, one_cast
from fpgacnn.records.estimates import TargetOverrides, retargeted
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.blas_engine import FloatEmulator
from fpgacnn.sim.emulator.native.build import find_c_compiler
from fpgacnn.sim.emulator.native.engine import NativeEmulator
from tests.support.networks import Builder, sums_and_casts

SAT = parse_format("ufixed<4,2,RND_CONV,SAT>")


def stepwise(codes: CodeArray, fraction: int, steps: tuple[CastStep, ...]) -> CodeArray:
    """All casts, one after the other."""
    for step in steps:
        codes = requantize(np.maximum(codes, 0) if step.rectifies else codes, fraction, step.format)
        fraction = step.format.fraction
    return codes


def random_step(random: np.random.Generator, fraction: int) -> CastStep:
    width, places = int(random.integers(1, 9)), fraction + int(random.integers(-4, 3))
    form = Format(
        width=width,
        integer=width - places,
        signed=bool(random.random() < 0.5),
        rounding=Rounding(random.choice(list(Rounding))),
        overflow=Overflow(random.choice(list(Overflow), p=[0.2, 0.5, 0.1, 0.2])),
    )
    return CastStep(format=form, rectifies=bool(random.random() < 0.4))


def test_one_cast_gives_what_the_steps_give_for_every_code() -> None:
    """Brute force over all codes of 2,000 random rows of casts."""
    random, found, longer = np.random.default_rng(5), 0, 0
    for _ in range(2000):
        fraction = int(random.integers(-2, 5))
        low = -int(random.integers(0, 200))
        high = int(random.integers(low, 200))
        steps = [random_step(random, fraction) for _ in range(int(random.integers(1, 4)))]
        if random.random() < 0.5:  # a lossless step first
            steps[0] = CastStep(format=Format(width=11, integer=11 - fraction, overflow=Overflow.SAT), rectifies=False)
        form = one_cast(low, high, fraction, steps)
        if form is None:
            continue
        last = steps[-1].format
        assert (form.width, form.integer, form.signed, form.rounding) == (
            last.width,
            last.integer,
            last.signed,
            last.rounding,
        )
        codes = np.arange(low, high + 1)
        assert np.array_equal(requantize(codes, fraction, form), stepwise(codes, fraction, tuple(steps))), steps
        found, longer = found + 1, longer + (len(steps) > 1)
    assert found > 500
    assert longer > 150


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
def test_an_unsigned_format_that_saturates_is_a_relu(rounding: Rounding, overflow: Overflow) -> None:
    form = replace(SAT, rounding=rounding, overflow=overflow)
    assert one_cast(-1000, 1000, 6, [CastStep(format=form, rectifies=True)]) == form


def test_a_relu_that_keeps_every_bit_saturates_at_zero() -> None:
    kept = parse_format("ufixed<5,2>")
    assert one_cast(-40, 31, 3, [CastStep(format=kept, rectifies=True)]) == replace(kept, overflow=Overflow.SAT)
    assert one_cast(0, 31, 3, [CastStep(format=kept, rectifies=True)]) == kept


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([("fixed<4,2,RND_CONV,SAT>", True)], id="a signed format has no limit at 0"),
        pytest.param([("ufixed<4,2,RND_CONV,WRAP>", True)], id="positive values wrap"),
        pytest.param([("fixed<8,4,RND_CONV,SAT>", False), (str(SAT), True)], id="rounded twice"),
        pytest.param([("fixed<6,1,TRN,WRAP>", False), (str(SAT), True)], id="wraps before the limit"),
        pytest.param([("fixed<9,3,TRN,SAT>", False), ("fixed<7,4,TRN,SAT>", False)], id="limited to less before"),
    ],
)
def test_what_is_not_one_cast(steps: list[tuple[str, bool]]) -> None:
    assert (
        one_cast(-1000, 1000, 6, [CastStep(format=parse_format(form), rectifies=relu) for form, relu in steps]) is None
    )


def folded(design: Design) -> Design:
    model, plan = fold_casts(design.model, design.plan)
    return replace(design, model=model, plan=plan)


@pytest.mark.parametrize("io", IoType)
def test_every_sum_takes_the_cast_behind_it_and_no_value_changes(io: IoType) -> None:
    build = Builder(seed=21)
    casts = sums_and_casts(build)
    design = build.design(io)
    found, codes = folded(design), build.events(50)
    names = {layer.name for layer in found.model.layers}
    assert names == {layer.name for layer in design.model.layers} - set(casts.values())
    for layer in found.model.layers:
        if layer.name in casts:
            assert layer.folded == (casts[layer.name],)
            moves = isinstance(layer.operation, src.Concatenate)
            assert layer.sums_of == (layer.name if moves else casts[layer.name])
            assert "one cast of the" in found.plan.layers[layer.name].result.reason
    expected = ReferenceEmulator(design).run(codes, trace=True).trace
    for engine in (ReferenceEmulator(found), FloatEmulator(found)):
        for name, one in engine.run(codes, trace=True).trace.items():
            assert np.array_equal(one.array, expected[name].array), name


def test_counts_of_saturations_and_ties_are_those_of_the_cast_that_is_folded() -> None:
    compiler = find_c_compiler()
    assert compiler is not None
    build = Builder(seed=21)
    casts = sums_and_casts(build)
    design, codes = build.design(IoType.STREAM), build.events(50)
    plain, found = (NativeEmulator(one, compiler).measure(codes) for one in (design, folded(design)))
    for name in casts:
        assert (plain[name].saturations, plain[name].ties) == (found[name].saturations, found[name].ties), name
    assert sum(found[name].saturations for name in casts) > 100
    assert sum(found[name].ties for name in casts) > 100


@pytest.mark.parametrize("io", IoType)
@pytest.mark.parametrize("backend", [BackendName.VITIS, BackendName.VIVADO])
def test_the_estimate_has_fewer_luts_and_narrower_fifos(io: IoType, backend: BackendName) -> None:
    build = Builder(seed=21)
    sums_and_casts(build)
    design = build.design(io, backend=backend)
    plain, found = (estimate(hardware_graph(one)).totals for one in (design, folded(design)))
    assert found.resources.lut.value < plain.resources.lut.value
    assert found.latency_cycles.value <= plain.latency_cycles.value
    assert found.fifo_bits < plain.fifo_bits or io is IoType.PARALLEL


def test_a_row_of_casts_becomes_one() -> None:
    build = Builder(seed=22)
    sums = build.dense(build.input((6,)), 6, 4)
    relu = build.add(hw.Relu(), (4,), sums)
    last = build.cast(relu, (4,), "ufixed<4,2,RND_CONV,SAT>")
    build.end(last)
    found = folded(build.design(IoType.STREAM))
    assert [(layer.name, layer.folded) for layer in found.model.layers[1:]] == [(last, (sums, relu))]
    assert found.model.layers[1].rectifies


def test_a_signed_quantizer_behind_a_relu_stays_and_the_relu_goes() -> None:
    build = Builder(seed=23)
    sums = build.dense(build.input((6,)), 6, 4)
    relu = build.add(hw.Relu(), (4,), sums)
    last = build.cast(relu, (4,), "fixed<4,2,RND_CONV,SAT>")
    build.end(last)
    found = folded(build.design(IoType.STREAM))
    assert [(layer.name, layer.folded) for layer in found.model.layers[1:]] == [(relu, (sums,)), (last, ())]
    assert f"no single cast of {relu} gives the same values" in found.plan.layers[last].result.reason


def test_a_sum_with_two_readers_or_at_an_output_keeps_its_bits() -> None:
    build = Builder(seed=24)
    two, out = (build.dense(build.input((6,)), 6, 4) for _ in range(2))
    casts = [build.cast(one, (4,), "fixed<5,3,RND_CONV,SAT>") for one in (two, two, out)]
    for name in (*casts, out):
        build.end(name)
    design = build.design(IoType.STREAM)
    found = folded(design)
    assert found.model == design.model
    reasons = [found.plan.layers[name].result.reason for name in casts]
    assert [f"{two} has 2 readers" in one for one in reasons] == [True, True, False]
    assert f"{out} is an output of the network" in reasons[2]


def test_a_step_that_c_simulation_cannot_cast_is_not_folded() -> None:
    """Two bits far right of the point: `ap_types` aborts where a rounding drops more bits than there are."""
    build = Builder(seed=25)
    joined = build.add(
        src.Concatenate(axis=0), (4,), build.input((2,), "ufixed<2,-6>"), build.input((2,), "fixed<9,4>")
    )
    build.end(build.cast(joined, (4,), "fixed<5,4,RND_CONV,SAT>"))
    design = build.design(IoType.STREAM)
    assert folded(design).model == design.model


def test_the_product_of_a_leaky_relu_that_c_simulation_cannot_cast_is_not_folded() -> None:
    """The product with a slope of one bit has fewer bits than the rounding would drop."""
    build = Builder(seed=28)
    slope = Codes(array=np.array([1]), format=parse_format("ufixed<1,-3>"))
    leaky = build.add(hw.LeakyRelu(slope=slope), (3,), build.input((3,), "fixed<6,2>"))
    build.end(build.cast(leaky, (3,), "fixed<4,4,RND_CONV,SAT>"))
    design = build.design(IoType.STREAM)
    assert folded(design).model == design.model


def test_a_flatten_behind_a_folded_relu_has_its_format() -> None:
    build = Builder(seed=26)
    sums = build.convolution(build.input((4, 4, 2)), (3, 3, 2, 3), (2, 2, 3))
    relu = build.add(hw.Relu(), (2, 2, 3), sums)
    flat = build.add(src.Reshape(), (12,), relu)
    build.end(build.dense(flat, 12, 2))
    found = folded(build.design(IoType.PARALLEL))
    form = found.plan.layers[relu].result.format
    assert form.overflow is Overflow.SAT
    assert found.plan.layers[flat].result.format == form


def test_what_is_lost_in_a_folded_layer_is_still_said() -> None:
    build = Builder(seed=27)
    sums = build.dense(build.input((6,)), 6, 4)
    relu = build.add(hw.Relu(format=SAT), (4,), sums)
    build.end(relu)
    design = build.design(IoType.PARALLEL)
    layers = dict(design.plan.layers)
    layers[sums] = replace(layers[sums], loss="weights rounded", rounds_in_float32=True)
    layers[relu] = replace(layers[relu], loss="limited")
    found = fold_casts(design.model, replace(design.plan, layers=layers))[1]
    assert found.losses == ((relu, "weights rounded; limited"),)
    assert found.layers[relu].rounds_in_float32
    assert found.layers[relu].accumulator == layers[sums].accumulator


def test_reuse_factor_and_strategy_are_those_of_the_layer_that_multiplies() -> None:
    build = Builder(seed=28)
    sums = build.dense(build.input((6,)), 6, 4)
    relu = build.add(hw.Relu(format=SAT), (4,), sums)
    build.end(relu)
    design = folded(build.design(IoType.STREAM))
    assert by_layer(Target(reuse_of={relu: 3}, strategy_of={sums: Strategy.RESOURCE}), design.model) == Target(
        reuse_of={sums: 3}, strategy_of={sums: Strategy.RESOURCE}
    )
    assert by_layer(Target(reuse_of={relu: 3, sums: 3}), design.model) == Target(reuse_of={sums: 3})
    with pytest.raises(UsageError, match="are one layer in the hardware, which cannot have 3 and 4"):
        by_layer(Target(reuse_of={relu: 3, sums: 4}), design.model)
    changed = retargeted(replace(design, target=Target(reuse_of={sums: 2})), TargetOverrides(reuse_of={relu: 3}))
    assert changed.target.reuse_of == {sums: 3}
    assert [one.layer for one in parameters(design)] == [sums]
    target = replace(design.target, reuse_of={sums: 3}, strategy_of={sums: Strategy.RESOURCE})
    (node,) = [one for one in lower(replace(design, target=target)).nodes if one.kind == "Dense"]
    assert (node.reuse, node.strategy) == (3, "Resource")


def test_a_normalization_takes_a_quantizer_behind_it_in_its_own_record() -> None:
    build = Builder(seed=29)
    scale, shift = exact_codes(np.array([0.75, -1.25])), exact_codes(np.array([0.5, 0.0]))
    assert scale is not None
    assert shift is not None
    line = build.add(hw.Affine(scale=scale, shift=shift), (4, 2), build.input((4, 2)))
    build.end(build.cast(line, (4, 2), "fixed<4,2,RND_CONV,SAT>"))
    (_, node) = folded(build.design(IoType.STREAM)).model.layers
    assert isinstance(node.operation, hw.Affine)
    assert node.operation.format == parse_format("fixed<4,2,RND_CONV,SAT>")


def test_merges_of_every_kind_are_covered() -> None:
    build = Builder(seed=30)
    casts = sums_and_casts(build)
    kinds = {
        layer.operation.kind
        for layer in build.nodes
        if isinstance(layer.operation, hw.Merge) and layer.name in casts.values()
    }
    assert kinds == {*MergeKind}
