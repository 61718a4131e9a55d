"""The compiled kernels against the int64 reference: the same codes of every node, for every operation and processor."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from fpgacnn.design import Design, IoType, Target
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, Format, parse_format
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.sim.compare import compare
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.native.build import CCompiler, find_c_compiler
from fpgacnn.sim.emulator.native.codegen.lowering import lower_to_program
from fpgacnn.sim.emulator.native.engine import NativeEmulator
from fpgacnn.sim.emulator.native.kernels.io import Given, InputReader
from fpgacnn.sim.emulator.native.kernels.narrow_sums import rows_together
from fpgacnn.sim.emulator.native.machine import ByteProducts
from tests.support import networks
from tests.support.networks import Builder
from tests.support.planned import plan
from tests.support.random_networks import merged, random_inputs, random_network

FAMILIES: dict[str, Callable[[Builder], None]] = {
    "linear layers": networks.linear_layers,
    "wide layers": networks.wide_layers,
    "odd accumulators": networks.odd_accumulators,
    "narrow accumulators": networks.narrow_accumulators,
    "byte sums": networks.byte_sums,
    "maxima of sums that wrap": networks.wraps_before_maxima,
    "casts": networks.casts,
    "elementwise": networks.elementwise,
    "step functions": networks.step_functions,
    "shapes": networks.shapes,
    "moves": networks.moves,
    "many readers": networks.many_readers,
    "pooling": lambda build: networks.pooling(build, IoType.PARALLEL),
    "softmaxes": networks.softmaxes,
}
PROCESSORS = ("native", "x86-64-v4", "x86-64-v3", "x86-64")

FIRST_SEED = int(os.environ.get("FPGACNN_SEED") or 20261130)
"""The same in every run of the tests; `make nightly` sets FPGACNN_SEED to the day."""

TOGETHER = 25
"""Random networks in one compilation."""

FUZZ_ROUNDS = int(os.environ.get("FPGACNN_FUZZ") or 4)
"""Compilations of random networks; FPGACNN_FUZZ makes it more."""

FAILED: tuple[int, ...] = ()
"""Seeds that once failed, kept."""


def compiler(processor: str = "native") -> CCompiler:
    found = find_c_compiler(processor)
    if found is None:
        pytest.skip("no C compiler")
    return found


def runs_here(processor: str) -> bool:
    """Whether the processor at hand can run code made for another."""
    best, wanted = compiler().machine, compiler(processor).machine
    return best.lanes >= wanted.lanes


def assert_equal(design: Design, codes: object, made: CCompiler, *, threads: int = 1) -> None:
    expected = ReferenceEmulator(design).run(codes, trace=True)
    native = NativeEmulator(design, made, threads=threads)
    for trace in (False, True):
        report = compare(native.run(codes, trace=trace), expected)
        assert report.first is None, report
        assert report.holds


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_equal_the_reference_in_every_operation(family: str) -> None:
    build = Builder(seed=11)
    FAMILIES[family](build)
    assert_equal(build.design(IoType.PARALLEL), build.events(61), compiler())


@pytest.mark.parametrize("processor", PROCESSORS[1:])
def test_kernels_of_every_processor_equal_the_reference(processor: str) -> None:
    if not runs_here(processor):
        pytest.skip(f"this machine does not run {processor}")
    for family in (
        "linear layers",
        "wide layers",
        "odd accumulators",
        "narrow accumulators",
        "byte sums",
        "maxima of sums that wrap",
        "step functions",
        "softmaxes",
    ):
        build = Builder(seed=12)
        FAMILIES[family](build)
        assert_equal(build.design(IoType.PARALLEL), build.events(40), compiler(processor))


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("accumulator", ["ufixed<16,10>", "ufixed<15,10>", "ufixed<16,10,RND>", "ufixed<15,9>"])
def test_sums_above_the_largest_of_a_signed_lane_are_right(accumulator: str, processor: str, *, pooled: bool) -> None:
    """Sums reach 957.25. Three formats hold them, with 16 bits only as unsigned numbers; in the last they wrap."""
    if not runs_here(processor):
        pytest.skip(f"this machine does not run {processor}")
    build = Builder(seed=3)
    weights = Codes(array=np.full((2, 2, 2, 5), 60, np.int64), format=parse_format("ufixed<7,0>"))
    bias = Codes(array=np.ones(5, np.int64), format=parse_format("ufixed<4,4>"))
    operation = hw.Convolution(kernel=weights, bias=bias, strides=(1, 1), pads=(0, 0, 0, 0))
    name = build.add(operation, (4, 4, 5), build.input((5, 5, 2), "ufixed<8,8>"))
    build.accumulators[name], build.results[name] = parse_format(accumulator), Format(width=20, integer=14)
    build.end(build.add(networks.HALVED, (2, 2, 5), name) if pooled else name)
    assert_equal(build.design(IoType.PARALLEL), build.events(40), compiler(processor))


@pytest.mark.parametrize("processor", ["native", "x86-64-v3"])
def test_narrow_kernels_are_used(processor: str) -> None:
    """The two families above would test nothing new if their layers were computed in 32 and 64 bits."""
    if not runs_here(processor):
        pytest.skip(f"this machine does not run {processor}")
    machine = compiler(processor).machine
    source = ""
    for family in (networks.narrow_accumulators, networks.byte_sums):
        build = Builder(seed=12)
        family(build)
        design = build.design(IoType.PARALLEL)
        read = [
            InputReader(given=Given.CODES, low=operation.format.low, high=operation.format.high)
            for _, operation in design.model.input_layers
        ]
        source += lower_to_program(design, machine, keep=set(design.model.outputs), given=read).source
    kernels = source[source.index("KERNEL kernel0") :]
    used = {"h_high(", "h_high_round(", "h_low(", "h_add_limited(", "h_max(", "scaled_near(", "scaled_down("}
    if machine.byte_products is ByteProducts.PAIRS:
        used |= {"pairs_u8(", "TOGETHER < K"}
    assert {word for word in used if word not in kernels} == set()


@pytest.mark.parametrize("high", [1, 63, 255])
def test_as_many_rows_are_added_in_16_bits_as_fit(high: int) -> None:
    chance = np.random.default_rng(high)
    weights = chance.integers(-64, 64, (2, 40, 3, 4))
    words = (weights.astype(np.uint8).astype(np.int64) << (8 * np.arange(4))).sum(axis=-1)
    together = rows_together(words, high)
    for first in range(0, 40, together):
        rows = weights[:, first : first + together].reshape(2, -1, 3, 2, 2)
        for part in (np.maximum(rows, 0), np.minimum(rows, 0)):
            total = high * part.sum(axis=(1, 4))
            assert total.min() >= -(1 << 15)
            assert total.max() < 1 << 15
    assert (together == 40) == (high == 1)


@pytest.mark.parametrize("number", range(FUZZ_ROUNDS))
def test_random_networks_equal_the_reference(number: int) -> None:
    first = FIRST_SEED * 1000 + number * TOGETHER
    seeds = [*FAILED, *range(first, first + TOGETHER)] if number == 0 else range(first, first + TOGETHER)
    model = merged([random_network(seed) for seed in seeds])
    design = Design(model=model, plan=plan(model), target=Target())
    assert_equal(design, random_inputs(model, 50, first), compiler(), threads=2)


@pytest.mark.parametrize("limit", [-8813, 8813, 0, -1, 3])
def test_a_threshold_beyond_every_code_is_above_or_below_all(limit: int) -> None:
    form, threshold = parse_format("fixed<60,6>"), Codes(array=np.array([limit]), format=parse_format("fixed<15,11>"))
    layers = (
        hw.Layer(name="x", source="x", operation=hw.Input(format=form), inputs=(), shape=(3,)),
        hw.Layer(name="t", source="t", operation=hw.ThresholdRelu(threshold=threshold), inputs=("x",), shape=(3,)),
    )
    model = HardwareModel(name="m", source_digest="0", layers=layers, inputs=("x",), outputs=("t",))
    design = Design(model=model, plan=plan(model), target=Target())
    codes = random_inputs(model, 40, 3)
    wanted = [
        [code if code > limit << 50 else 0 for code in row] for row in codes[0].array.tolist()
    ]  # 54 fraction bits against 4
    assert ReferenceEmulator(design).run(codes).outputs["t"].array.tolist() == wanted
    assert_equal(design, codes, compiler())


def test_any_number_of_events_is_right() -> None:
    model = random_network(5)
    design = Design(model=model, plan=plan(model), target=Target())
    codes = random_inputs(model, 300, 5)
    expected = ReferenceEmulator(design).run(codes).outputs[model.outputs[0]].array
    native = NativeEmulator(design, compiler(), threads=2)
    for count in (1, 2, 15, 16, 17, 31, 33, 300):
        few = [type(one)(array=one.array[:count], format=one.format) for one in codes]
        assert np.array_equal(native.run(few).outputs[model.outputs[0]].array, expected[:count])
