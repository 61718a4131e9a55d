"""What the kernels count while they run: ranges of every node, wraps, saturations and rounding ties."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.design import Design, IoType, Target
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import CodeArray, Format, Overflow, Rounding, rescale
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.native.engine import Measured, NativeEmulator
from tests.laws.test_native import FIRST_SEED, compiler
from tests.support.networks import Builder, casts, odd_accumulators
from tests.support.planned import plan
from tests.support.random_networks import merged, random_inputs, random_network


def counted(codes: CodeArray, fraction: int, to: Format) -> dict[str, int]:
    """Ties, saturations and wraps of one cast, by their definitions."""
    shift = fraction - to.fraction
    ties = (
        int(((codes & ((1 << shift) - 1)) == 1 << (shift - 1)).sum())
        if shift > 0 and to.rounding not in {Rounding.TRN, Rounding.TRN_ZERO}
        else 0
    )
    rounded = rescale(codes, fraction, to.fraction, to.rounding)
    outside = int(((rounded < to.low) | (rounded > to.high)).sum())
    wraps = to.overflow is Overflow.WRAP
    return {"ties": ties, "saturations": 0 if wraps else outside, "wraps": outside if wraps else 0}


def test_casts_are_counted_in_every_mode() -> None:
    build = Builder(seed=21)
    casts(build)
    design, codes = build.design(IoType.PARALLEL), build.events(77)
    trace = ReferenceEmulator(design).run(codes, trace=True).trace
    found = NativeEmulator(design, compiler()).measure(codes)
    seen = 0
    for layer in design.model.layers:
        if isinstance(layer.operation, hw.Cast | hw.Relu):
            given, result = trace[layer.inputs[0]], trace[layer.name]
            array = given.array if isinstance(layer.operation, hw.Cast) else np.maximum(given.array, 0)
            wanted = counted(array, given.format.fraction, result.format)
            assert found[layer.name] == Measured(
                **wanted, least=int(result.array.min()), most=int(result.array.max())
            ), layer
            seen += sum(wanted.values())
    assert seen > 1000


def test_saturating_sums_are_counted_product_by_product() -> None:
    build = Builder(seed=22)
    odd_accumulators(build)
    design = build.design(IoType.PARALLEL)
    codes = build.events(33)
    found = NativeEmulator(design, compiler()).measure(codes)
    trace = ReferenceEmulator(design).run(codes, trace=True).trace
    for number, layer in enumerate(one for one in design.model.layers if isinstance(one.operation, hw.Dense)):
        accumulator = design.plan.layers[layer.name].accumulator
        assert accumulator is not None
        form, operation = accumulator.format, layer.operation
        assert isinstance(operation, hw.Dense)
        data, kernel = trace[layer.inputs[0]].array, operation.kernel
        fraction = trace[layer.inputs[0]].format.fraction + kernel.format.fraction
        products = data[:, :, None] * kernel.array[None]
        wanted = counted(products, fraction, form)["ties"]
        result_ties = (
            0
            if form.rounding.value.startswith("TRN")
            and design.plan.layers[layer.name].result.format.fraction >= form.fraction
            else None
        )
        assert found[layer.name].ties >= wanted, number
        if result_ties == 0:
            assert found[layer.name].ties == wanted


@pytest.mark.parametrize("number", range(2))
def test_ranges_are_those_of_every_node_and_counts_add_up_over_pieces(number: int) -> None:
    first = FIRST_SEED * 1000 + 700 + 10 * number
    model = merged([random_network(seed) for seed in range(first, first + 10)])
    design, codes = Design(model=model, plan=plan(model), target=Target()), random_inputs(model, 48, first)
    trace = ReferenceEmulator(design).run(codes, trace=True).trace
    whole = NativeEmulator(design, compiler(), threads=2).measure(codes)
    assert {name: (one.least, one.most) for name, one in whole.items()} == {
        name: (int(one.array.min()), int(one.array.max())) for name, one in trace.items()
    }
    pieces = NativeEmulator(design, compiler(), threads=1)
    for start in range(0, 48, 7):
        last = pieces.measure([type(one)(array=one.array[start : start + 7], format=one.format) for one in codes])
    assert last == whole
