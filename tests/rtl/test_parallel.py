"""RTL with `--io parallel`: everything unrolled, an event in every clock, within a number of adders."""

from __future__ import annotations

import pytest

from fpgacnn.design import IoType
from fpgacnn.errors import RtlTargetError, RtlUnsupportedError
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.rtl.parallel.builder import MOST_ADDERS
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.source import MergeKind, PoolKind
from tests.support import networks
from tests.support.networks import Builder
from tests.support.random_rtl import random_network
from tests.support.rtl import built_and_refused, differing, needs_verilator, rtl_design

PARALLEL = IoType.PARALLEL


def everything(build: Builder) -> None:
    """Layers of every kind; some that `--io stream` refuses."""
    networks.shapes(build)
    networks.moves(build)
    networks.many_readers(build)
    image = build.input((4, 5, 2))
    for kind in PoolKind:
        overlapping = hw.Pool(kind=kind, size=(2, 3), strides=(1, 2), pads=(1, 0, 1, 1))
        build.end(build.add(overlapping, (4, 3, 2), image))
    zeros = build.add(src.ZeroPad(pads=(3, 0, 2, 1)), (7, 8, 2), image)
    build.end(zeros)
    build.end(build.convolution(zeros, (2, 3, 2, 3), (3, 3, 3), strides=(2, 2)))
    build.end(build.convolution(image, (1, 1, 2, 2), (6, 7, 2), pads=(1, 1, 1, 1)))
    build.end(build.leaky(image, (4, 5, 2), (4, 5, 2)))
    build.end(build.add(hw.GlobalPool(kind=PoolKind.AVERAGE), (2,), image))
    build.end(build.add(hw.GlobalPool(kind=PoolKind.MAX), (2,), image))
    sums = build.convolution(image, (3, 3, 2, 2), (4, 5, 2), pads=(1, 1, 1, 1))
    later = build.cast(build.cast(sums, (4, 5, 2), "fixed<9,4,RND,SAT>"), (4, 5, 2), "fixed<6,3,RND_CONV,SAT>")
    build.end(build.add(hw.Merge(kind=MergeKind.ADD), (4, 5, 2), image, later))
    build.end(build.add(src.Concatenate(axis=1), (4, 10, 2), later, image))
    logits = build.dense(build.add(src.Reshape(), (40,), later), 40, 6)
    build.end(build.add(hw.Softmax(kind=hw.SoftmaxKind.ARGMAX), (6,), logits))


@pytest.mark.agree
@needs_verilator
def test_every_layer_equals_the_emulator_and_the_schedule() -> None:
    whole = Builder(seed=3)
    everything(whole)
    build, refused = built_and_refused(whole, PARALLEL)
    assert refused == {}
    assert differing(build, 24, io=PARALLEL) == []


@pytest.mark.agree
@needs_verilator
@pytest.mark.parametrize("seed", [6])
def test_random_windows_merges_and_products_equal_the_emulator(seed: int) -> None:
    build, refused = built_and_refused(random_network(seed, 8), PARALLEL)
    assert refused == {}
    assert differing(build, 7, random_seed=seed, io=PARALLEL) == []


def test_an_event_comes_in_every_clock_and_all_its_values_are_one_word() -> None:
    build = Builder(seed=1)
    build.end(build.convolution(build.input((6, 7, 2)), (3, 3, 2, 4), (4, 5, 4)))
    project = backend.convert(rtl_design(build, PARALLEL))
    assert project.interval == 1
    assert [(port.tokens, port.channels) for port in (*project.inputs, *project.outputs)] == [(1, 84), (1, 80)]
    once = Builder(seed=1)
    once.end(once.convolution(once.input((3, 3, 2)), (3, 3, 2, 4), (1, 1, 4)))
    single = backend.convert(rtl_design(once, PARALLEL))
    assert project.layers[-1].adders == 20 * single.layers[-1].adders


@pytest.mark.parametrize("filters", [64, 512])
def test_a_design_of_too_many_adders_is_refused_by_name(filters: int) -> None:
    build = Builder(seed=1)
    sums = build.convolution(build.input((16, 16, 2)), (3, 3, 2, filters), (14, 14, filters))
    build.end(sums)
    with pytest.raises(RtlUnsupportedError, match=rf"'{sums}'.* adders, and {MOST_ADDERS:,} are built; --io stream"):
        backend.convert(rtl_design(build, PARALLEL))
    backend.convert(rtl_design(build))


def test_a_reuse_factor_is_refused() -> None:
    build = Builder(seed=1)
    build.end(build.dense(build.input((6,)), 6, 4))
    for target in ({"reuse": 2}, {"reuse_of": {"n1": 3}}):
        design = build.design(PARALLEL, backend=rtl_design(build).target.backend, **target)
        with pytest.raises(RtlTargetError, match="--io parallel computes every product at once"):
            backend.convert(design)
