"""The compiled kernels against the int64 reference: the same codes of every node, for every operation and processor."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from fpgacnn.design import Design, IoType, Target
from fpgacnn.precision import plan
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.native.build import CCompiler, find_c_compiler
from fpgacnn.sim.emulator.native.engine import NativeEmulator
from fpgacnn.verification import compare
from tests import networks
from tests.networks import Builder
from tests.random_networks import merged, random_inputs, random_network

FAMILIES: dict[str, Callable[[Builder], None]] = {
    "linear layers": networks.linear_layers,
    "wide layers": networks.wide_layers,
    "odd accumulators": networks.odd_accumulators,
    "casts": networks.casts,
    "elementwise": networks.elementwise,
    "shapes": networks.shapes,
    "moves": networks.moves,
    "many readers": networks.many_readers,
    "pooling": lambda build: networks.pooling(build, IoType.PARALLEL),
    "softmaxes": networks.softmaxes,
}
PROCESSORS = ("native", "x86-64-v4", "x86-64-v3", "x86-64")

TODAY = int(os.environ.get("FPGACNN_SEED") or datetime.now(UTC).strftime("%Y%m%d"))
"""Seeds rotate by the day; FPGACNN_SEED repeats a day."""

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
    for family in ("linear layers", "wide layers", "odd accumulators", "softmaxes"):
        build = Builder(seed=12)
        FAMILIES[family](build)
        assert_equal(build.design(IoType.PARALLEL), build.events(40), compiler(processor))


@pytest.mark.parametrize("number", range(FUZZ_ROUNDS))
def test_random_networks_equal_the_reference(number: int) -> None:
    first = TODAY * 1000 + number * TOGETHER
    seeds = [*FAILED, *range(first, first + TOGETHER)] if number == 0 else range(first, first + TOGETHER)
    model = merged([random_network(seed) for seed in seeds])
    design = Design(model=model, plan=plan(model), target=Target())
    assert_equal(design, random_inputs(model, 50, first), compiler(), threads=2)


def test_any_number_of_events_is_right() -> None:
    model = random_network(5)
    design = Design(model=model, plan=plan(model), target=Target())
    codes = random_inputs(model, 300, 5)
    expected = ReferenceEmulator(design).run(codes).outputs[model.outputs[0]].array
    native = NativeEmulator(design, compiler(), threads=2)
    for count in (1, 2, 15, 16, 17, 31, 33, 300):
        few = [type(one)(array=one.array[:count], format=one.format) for one in codes]
        assert np.array_equal(native.run(few).outputs[model.outputs[0]].array, expected[:count])
