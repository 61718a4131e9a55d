"""Windows in compiled kernels: rows side by side in images of few channels, and maxima of sums that share a lane."""

from __future__ import annotations

import pytest

from fpgacnn.design import Design, IoType
from fpgacnn.sim.compare import compare
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.native.codegen.lowering import lower_to_program
from fpgacnn.sim.emulator.native.codegen.program import Program
from fpgacnn.sim.emulator.native.engine import NativeEmulator
from fpgacnn.sim.emulator.native.kernels.io import Given, InputReader
from tests.laws.test_native import compiler, runs_here
from tests.support import networks
from tests.support.networks import Builder

PROCESSORS = ("native", "x86-64-v3", "x86-64")


def program(design: Design, processor: str) -> Program:
    read = [
        InputReader(given=Given.CODES, low=operation.format.low, high=operation.format.high)
        for _, operation in design.model.input_layers
    ]
    return lower_to_program(design, compiler(processor).machine, keep=set(design.model.outputs), given=read)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_rows_side_by_side_give_the_same_codes(processor: str) -> None:
    if not runs_here(processor):
        pytest.skip(f"this machine does not run {processor}")
    build = Builder(seed=12)
    networks.few_channels(build)
    design, codes = build.design(IoType.PARALLEL), build.events(40)
    expected = ReferenceEmulator(design).run(codes, trace=True)
    native = NativeEmulator(design, compiler(processor), threads=1)
    for trace in (False, True):
        assert compare(native.run(codes, trace=trace), expected).first is None
    counted = native.measure(codes)
    for name, found in expected.trace.items():
        assert (counted[name].least, counted[name].most) == (found.array.min(), found.array.max())


@pytest.mark.parametrize("processor", PROCESSORS)
def test_rows_of_windows_of_few_channels_are_side_by_side(processor: str) -> None:
    """The test above would test nothing new if its windows were read pixel by pixel.

    Two channels of 16 bits fill a lane, so that one of the two images of two channels stays as it is.
    """
    build = Builder(seed=12)
    networks.few_channels(build)
    steps = program(build.design(IoType.PARALLEL), processor).steps
    channels = {id(one.output): one.output.channels for one in steps if one.output is not None and not one.layers}
    bytes_ = [10] if compiler(processor).machine.byte_products.value != "none" else []
    assert sorted(channels.values()) == sorted([*2 * [1, 1, 1, 1, 2, 3, 3, 3, 5], *bytes_])


@pytest.mark.parametrize("processor", PROCESSORS)
def test_maxima_of_sums_that_share_a_lane_are_those_of_the_lane(processor: str) -> None:
    build = Builder(seed=12)
    networks.narrow_accumulators(build)
    assert "h_max(top" in program(build.design(IoType.PARALLEL), processor).source
