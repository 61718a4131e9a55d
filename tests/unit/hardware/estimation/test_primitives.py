"""Primitives follow the structure of the hardware: versions of the tools, biases, live values and intervals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design import BackendName
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, Role, summarize
from fpgacnn.hardware.estimation.graph.weight_files import zero_biases
from fpgacnn.hardware.estimation.primitives import Primitive, PrimitiveCounts
from fpgacnn.hardware.estimation.quantities import quantities
from tests.support.structures import SIXTEEN, dense, elementwise, pipeline


def primitives(model: HardwareGraph) -> list[PrimitiveCounts]:
    return [one.primitives for one in quantities(model, find_device(model.part)).layers]


@pytest.mark.parametrize("outputs", [8, 32])
def test_adders_alone_depend_on_the_version_of_the_tool(outputs: int) -> None:
    """A power of two is a term of a sum; a weight of two digits needs an adder of its own."""
    sums, shifts = np.full((16, outputs), 4), np.full((16, outputs), 5)

    def alone(kernel: np.ndarray, version: str) -> float:
        return primitives(replace(pipeline(dense(kernel)), version=version))[0][Primitive.ADDERS]

    assert alone(sums, "2019.2") == alone(shifts, "2021.1") == 0
    assert alone(sums, "2020.1") == pytest.approx(16 * outputs / 3)
    assert alone(shifts, "2022.2") > alone(sums, "2022.2")


@pytest.mark.parametrize("outputs", [8, 32])
def test_the_sign_of_a_power_of_two_costs_an_adder_as_wide_as_the_product(outputs: int) -> None:
    """Every input has one weight of its own: `outputs` products by -4, or by 4."""
    kernel = np.diag(np.full(outputs, 4))
    positive, negative = (primitives(pipeline(dense(sign * kernel)))[0] for sign in (1, -1))
    added = negative[Primitive.ADD_BITS] - positive[Primitive.ADD_BITS]
    assert added == outputs * (16 + 3)
    assert negative[Primitive.STAGES] == positive[Primitive.STAGES]


@pytest.mark.parametrize("channels", [2, 6])
def test_a_normalization_casts_every_value_once(channels: int) -> None:
    """From the product to the sum, and from the sum to the result: no cast of the input."""
    result = FixedType(width=8, integer=3, rounds=True, saturates=True)
    scales = summarize(np.full((1, channels), 21))
    layer = elementwise(
        Role.SCALE,
        (1, 1, channels),
        what="normalize",
        weights=scales,
        weight=SIXTEEN,
        accumulator=SIXTEEN,
        output=result,
    )
    counts = primitives(pipeline(layer))[0]
    assert (counts[Primitive.ROUND], counts[Primitive.CLIP]) == (channels, channels)


@pytest.mark.parametrize("widths", [(8, 3, 0), (6, 6, 2)])
def test_a_cast_of_each_value_rounds_those_that_lose_bits_only(widths: tuple[int, ...]) -> None:
    types = tuple(FixedType(width=width, integer=min(4, width), rounds=True) for width in widths)
    arriving = FixedType(width=8, integer=4)
    layer = elementwise(Role.COMPARE, (1, 1, 3), what="linear", input=arriving, output=arriving, value_types=types)
    counts = primitives(pipeline(layer))[0]
    losing = [width for width, form in zip(widths, types, strict=True) if width and form.fraction < arriving.fraction]
    assert (counts[Primitive.ROUND], counts[Primitive.ROUND_BITS]) == (len(losing), sum(losing))


@pytest.mark.parametrize("outputs", [8, 32])
def test_an_output_without_a_bias_needs_an_adder_less(outputs: int) -> None:
    layer = dense(np.full((16, outputs), 4))
    with_bias, without = (
        primitives(pipeline(replace(layer, zero_biases=zeros)))[0][Primitive.ADD_BITS] for zeros in (0, outputs)
    )
    assert without == pytest.approx(with_bias * 15 / 16)


@pytest.mark.parametrize("read", [4, 12])
def test_values_that_nobody_reads_are_not_compared(read: int) -> None:
    kernel = np.full((16, 4), 4)
    kernel[read:] = 0
    first = dense(np.full((8, 16), 4), name="first")
    rectifier = replace(elementwise(Role.COMPARE, (1, 1, 16), name="relu"), inputs=("first",), what="relu")
    last = replace(dense(kernel, name="last"), inputs=("relu",))
    design = pipeline(first, rectifier, last)
    assert primitives(design)[1][Primitive.COMPARE] == read
    assert primitives(replace(design, outputs=("relu", "last")))[1][Primitive.COMPARE] == 16


@pytest.mark.parametrize("width", [6, 12])
def test_a_rectifier_selects_the_bits_of_its_result_only(width: int) -> None:
    layer = replace(
        elementwise(Role.COMPARE, (1, 1, 8)), what="relu", output=FixedType(width=width, integer=4, signed=False)
    )
    counts = primitives(pipeline(layer))[0]
    assert counts[Primitive.COMPARE_BITS] == 8 * (layer.input.width / 4 + width)


@pytest.mark.parametrize("tool", list(BackendName))
def test_a_pipeline_of_several_cycles_registers_its_results(tool: BackendName) -> None:
    """In one cycle there is nothing to register, and with a larger interval the results stay where they are."""
    kernel = np.full((64, 8), 683)
    fast = replace(pipeline(dense(kernel)), tool=tool, clock_ns=3.0, uncertainty_ns=0.3)
    assert primitives(fast)[0][Primitive.RETURNS] == 8
    assert primitives(replace(fast, clock_ns=200.0))[0][Primitive.RETURNS] == 0
    shared = replace(fast, layers=(replace(fast.layers[0], reuse=4),))
    assert primitives(shared)[0][Primitive.RETURNS] == 0


def test_zeros_are_counted_in_a_file_of_biases(tmp_path: Path) -> None:
    (tmp_path / "b2.txt").write_text("0.0, -0.5000, 0.00000000,1e-3\n-0, 0e0")
    assert zero_biases(tmp_path, ["w2", "b2"]) == 4
    assert zero_biases(tmp_path, ["w2", "b3"]) == zero_biases(tmp_path, ["w2"]) == 0
