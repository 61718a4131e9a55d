"""The emulator without a compiler against the int64 reference.

Exact floats where they serve, int64 where they do not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import Design, IoType, Target
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.sim.compare import compare
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.blas_engine import FloatEmulator
from tests.laws.test_native import FAMILIES, FIRST_SEED
from tests.support.networks import Builder
from tests.support.planned import plan
from tests.support.random_networks import merged, random_inputs, random_network


@pytest.mark.parametrize("family", FAMILIES)
def test_floats_equal_the_reference_in_every_operation(family: str) -> None:
    build = Builder(seed=13)
    FAMILIES[family](build)
    design, codes = build.design(IoType.PARALLEL), build.events(50)
    for trace in (False, True):
        report = compare(
            FloatEmulator(design).run(codes, trace=trace), ReferenceEmulator(design).run(codes, trace=trace)
        )
        assert report.first is None, report


@pytest.mark.parametrize("number", range(6))
def test_random_networks_equal_the_reference(number: int) -> None:
    first = FIRST_SEED * 1000 + 500 + number * 20
    model = merged([random_network(seed) for seed in range(first, first + 20)])
    design, codes = Design(model=model, plan=plan(model), target=Target()), random_inputs(model, 40, first)
    found = FloatEmulator(design)
    report = compare(found.run(codes, trace=True), ReferenceEmulator(design).run(codes, trace=True))
    assert report.first is None, report
    assert len(found.slow) < len(model.layers) / 3


def test_casts_of_single_products_need_no_int64() -> None:
    build = Builder(seed=14)
    FAMILIES["narrow accumulators"](build)
    slow = set(FloatEmulator(build.design(IoType.PARALLEL)).slow)
    assert slow & build.accumulators.keys() == set()


def test_a_sum_saturates_where_one_range_for_all_channels_leaves_int64() -> None:
    build = Builder(seed=1)
    scale = Codes(array=np.array([2**40, 1]), format=parse_format("fixed<42,42>"))
    zero = Codes(array=np.zeros(2, np.int64), format=parse_format("fixed<2,2>"))
    uneven = build.add(hw.Affine(scale=scale, shift=zero), (2,), build.input((2,), "ufixed<1,1>"))
    kernel = Codes(array=np.array([[1], [2**24]]), format=parse_format("fixed<26,26>"))
    layer = build.add(hw.Dense(kernel=kernel, bias=replace(zero, array=zero.array[:1])), (1,), uneven)
    build.accumulators[layer] = parse_format("fixed<41,41,RND,SAT>")
    build.results[layer] = parse_format("fixed<50,50>")
    build.end(layer)
    design = build.design(IoType.PARALLEL)
    codes = [Codes(array=np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), format=parse_format("ufixed<1,1>"))]
    assert compare(FloatEmulator(design).run(codes), ReferenceEmulator(design).run(codes)).holds


def test_nodes_that_need_int64_are_told() -> None:
    build = Builder(seed=1)
    build.end(build.cast(build.input((3,), "fixed<60,20>"), (3,), "fixed<50,10>"))
    design = build.design(IoType.PARALLEL)
    found = FloatEmulator(design)
    assert found.slow == ("n0", "n1")
    assert found.words == "NumPy with exact floats, 2 of 2 nodes in int64"
    codes = build.events(8)
    assert compare(found.run(codes), ReferenceEmulator(design).run(codes)).holds
