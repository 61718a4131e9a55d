"""Window counts and SAME padding, against counting by hand.

Shapes of results, against the arrays of the int64 reference.
"""

from __future__ import annotations

import itertools
import typing

import numpy as np
import pytest

from fpgacnn.design import Design, IoType, Target
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.shapes import reach_of, result_shape, same_padding, unread_cells, window_count, window_counts
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support import networks
from tests.support.planned import plan
from tests.support.random_networks import random_network


def test_windows_are_counted_as_by_moving_one() -> None:
    for size, window, stride, before, after in itertools.product(range(1, 8), range(1, 5), range(1, 4), (0, 2), (0, 1)):
        starts = [start for start in range(0, size + before + after, stride) if start + window <= size + before + after]
        assert max(window_count(size, window, stride, before, after), 0) == len(starts)
        if starts:
            assert unread_cells(size, window, stride, before, after) == size + before + after - starts[-1] - window


def test_same_padding_gives_one_window_for_each_stride_with_as_few_zeros_as_possible() -> None:
    for size, window, stride in itertools.product(range(1, 10), range(1, 6), range(1, 5)):
        before, after = same_padding(size, window, stride)
        assert after - before in {0, 1}
        assert same_padding(size, window, stride, odd_before=True) == (after, before)
        count = window_count(size, window, stride, before, after)
        assert count == -(-size // stride) or (count > -(-size // stride) and not before + after)
        if before + after:
            assert window_count(size, window, stride, before, after - 1) == count - 1


def test_both_axes_have_their_own_padding() -> None:
    assert window_counts((5, 9), (3, 3), (1, 2), (1, 0, 0, 2)) == (4, 5)
    assert reach_of((3, 1), (2, 4)) == (5, 1)


def designs() -> list[Design]:
    """Every operation of the hardware."""
    found = []
    for family in (networks.linear_layers, networks.elementwise, networks.shapes, networks.moves, networks.softmaxes):
        family(build := networks.Builder(seed=3))
        found.append(build.design(IoType.PARALLEL))
    networks.pooling(build := networks.Builder(seed=3), IoType.PARALLEL)
    models = [random_network(seed) for seed in range(20)]
    return [
        *found,
        build.design(IoType.PARALLEL),
        *(Design(model=one, plan=plan(one), target=Target()) for one in models),
    ]


def test_a_result_has_the_shape_that_the_reference_computes() -> None:
    seen = set()
    for design in designs():
        shapes = {layer.name: layer.shape for layer in design.model.layers}
        zeros = [
            Codes(array=np.full((1, *layer.shape), max(port.format.low, 0)), format=port.format)
            for layer, port in design.model.input_layers
        ]
        trace = ReferenceEmulator(design).run(zeros, trace=True).trace
        for layer in design.model.layers:
            given = [shapes[name] for name in layer.inputs]
            assert trace[layer.name].array.shape[1:] == result_shape(layer.operation, given, layer.shape), layer.name
            seen.add(layer.kind)
    assert seen == {one.__name__ for one in typing.get_args(hw.Operation)}


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        (hw.GlobalPool(kind=src.PoolKind.MAX), [(4,)]),
        (src.Upsample(factors=(2, 2)), [(4, 3)]),
        (src.ZeroPad(pads=(1, 0, 0, 0)), [(4, 3)]),
        (src.Permute(axes=(0, 0)), [(4, 3)]),
        (src.Concatenate(axis=2), [(4, 3), (4, 3)]),
        (src.Concatenate(axis=0), [(4, 3), (4, 2)]),
        (hw.Merge(kind=src.MergeKind.ADD), [(4, 3), (4, 2)]),
        (hw.Pool(kind=src.PoolKind.MAX, size=(1, 2), strides=(1, 0), pads=(0, 0, 0, 0)), [(4, 3)]),
    ],
    ids=lambda one: type(one).__name__,
)
def test_inputs_that_do_not_fit_are_refused(operation: hw.Operation, given: list[src.Shape]) -> None:
    with pytest.raises(ValueError, match=r"shape|axes|rows|windows"):
        result_shape(operation, given, (4, 3))
