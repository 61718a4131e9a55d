"""The strategy da in C simulation: hls4ml's templates with adder graphs of da4ml, equal to the emulator.

All matrices together are small enough for da4ml's solver in plain Python; compiled, it gives the same text.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design import BackendName, Design, IoType, Strategy
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.hardware.hls.da.kernels import INTERPRETED, kernel_codes, kernels_of
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.passes.precision import fold_casts
from fpgacnn.sim.compare import compare
from fpgacnn.sim.csim import CSim
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.networks import Builder

pytestmark = pytest.mark.agree


def network() -> Builder:
    """Every kind of product that hls4ml treats differently, and matrices of two or three values, of zeros and ones."""
    build = Builder(seed=21)
    image, sequence = (4, 3, 2), (5, 2)
    hidden = build.convolution(build.input(image), (2, 2, 2, 3), (3, 2, 3))
    build.end(build.cast(hidden, (3, 2, 3), "ufixed<4,2,RND,SAT>"))
    build.end(
        build.convolution(build.input(image, "ufixed<5,0>"), (2, 3, 2, 2), (2, 2, 2), strides=(2, 2), pads=(0, 1, 1, 1))
    )
    build.end(build.convolution(build.input(image), (1, 1, 2, 3), (4, 3, 3)))
    build.end(build.convolution(build.input(sequence), (1, 3, 2, 2), (5, 2), pads=(0, 0, 1, 1)))
    build.end(build.convolution(build.input(sequence), (1, 1, 2, 3), (5, 3)))
    build.end(build.depthwise(build.input(image), (2, 2, 2), (3, 2, 2)))
    build.end(build.depthwise(build.input(sequence), (1, 2, 2), (4, 2)))
    dense = build.dense(build.input((6,), "fixed<9,9>"), 6, 4)
    build.end(build.dense(build.cast(dense, (4,), "fixed<6,6,RND_CONV,SAT>"), 4, 3))
    for values in ((-1, 1), (-1, 0, 1), (0,), (1,)):
        kernel = Codes(array=build.random.choice(values, size=(5, 3)), format=parse_format("fixed<2,2>"))
        build.end(build.add(hw.Dense(kernel=kernel, bias=build.codes((3,))), (3,), build.input((5,))))
    return build


def design_of(build: Builder, io: IoType, backend: BackendName) -> Design:
    return build.design(io, strategy=Strategy.DA, backend=backend)


@pytest.mark.parametrize(
    ("io", "backend"),
    [(IoType.PARALLEL, BackendName.VITIS), (IoType.STREAM, BackendName.VITIS), (IoType.STREAM, BackendName.VIVADO)],
)
def test_engines_agree(io: IoType, backend: BackendName) -> None:
    build = network()
    design = design_of(build, io, backend)
    assert sum(one.weights.size for one in kernels_of(lower(design).nodes).values()) <= INTERPRETED
    codes = build.events(60)
    project = convert(design, trace=True)
    actual = CSim(project, design).run(codes, trace=True)
    expected = ReferenceEmulator(design).run(codes, trace=True)
    report = compare(actual, expected)
    assert report.first is None, report
    assert report.holds
    constant = [name for name, one in expected.outputs.items() if len(np.unique(one.array)) < 2]
    assert constant == [], "nothing was compared"


def test_a_folded_cast_of_a_nearly_pruned_column() -> None:
    """da4ml trims the output of a column to the bits that it has, fewer than the folded cast drops."""
    build = Builder(seed=22)
    kernel = Codes(array=np.array([[1, 5], [0, -3], [0, 64]]), format=parse_format("fixed<8,1>"))
    bias = Codes(array=np.zeros(2, np.int64), format=parse_format("fixed<8,1>"))
    sums = build.add(hw.Dense(kernel=kernel, bias=bias), (2,), build.input((3,), "ufixed<4,0>"))
    build.end(build.cast(sums, (2,), "ufixed<4,1,RND_CONV,SAT>"))
    design = design_of(build, IoType.PARALLEL, BackendName.VITIS)
    model, plan = fold_casts(design.model, design.plan)
    design = replace(design, model=model, plan=plan)
    assert [layer.folded for layer in model.layers if isinstance(layer.operation, hw.Dense)] != [()]
    codes = build.events(60)
    report = compare(CSim(convert(design), design).run(codes), ReferenceEmulator(design).run(codes))
    assert report.holds


@pytest.mark.parametrize("io", IoType)
def test_a_folder_is_read_as_the_design_that_it_was_written_from(io: IoType, tmp_path: Path) -> None:
    design = design_of(network(), io, BackendName.VITIS)
    for name, content in convert(design).files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    read = {layer.title: layer for layer in read_project(tmp_path).layers if layer.adder_graph}
    made = {layer.title: layer for layer in hardware_graph(design).layers if layer.adder_graph}
    assert len(made) == 13
    assert read.keys() == made.keys()
    for name, layer in made.items():
        assert read[name].strategy is layer.strategy is Strategy.DA
        assert read[name].adder_graph is not None
        assert (read[name].adder_graph.bits, read[name].in_shape, read[name].out_shape) == (
            layer.adder_graph.bits,
            layer.in_shape,
            layer.out_shape,
        )


def test_the_counted_bits_are_the_cost_that_da4ml_states() -> None:
    """Ours are counted in the text, da4ml's with intervals, whose ends can need one bit less than their types."""
    codes = kernel_codes(kernels_of(lower(design_of(network(), IoType.PARALLEL, BackendName.VITIS)).nodes))
    total = sum(code.graph.bits for code in codes.values())
    assert total == pytest.approx(sum(code.cost for code in codes.values()), rel=0.02)
    for code in codes.values():
        assert code.graph.bits == pytest.approx(code.cost, rel=0.06, abs=2)
