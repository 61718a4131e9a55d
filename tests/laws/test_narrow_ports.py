"""Ports of fewer bits than int64: the same codes, from narrow arrays and in narrow arrays, on every processor."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.design import IoType
from fpgacnn.errors import InternalError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, Format, quantize_values
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.native.engine import NativeEmulator, reads
from tests.laws.test_native import FAMILIES, PROCESSORS, compiler, runs_here
from tests.laws.test_native_floats import FORMATS
from tests.support.networks import Builder

KINDS = ("uint8", "int8", "uint16", "int16", "int32")


def narrowed(one: Codes) -> Codes:
    """The same codes in the first type that holds all of the format."""
    kind = next(
        kind for kind in KINDS if np.iinfo(kind).min <= one.format.low and one.format.high <= np.iinfo(kind).max
    )
    return Codes(array=one.array.astype(kind), format=one.format)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_whole_numbers_become_the_codes_that_numpy_makes(processor: str) -> None:
    """All numbers of 8 bits, the ends of the type and of the format, and numbers beside them."""
    if not runs_here(processor):
        pytest.skip(f"this machine does not run {processor}")
    pairs = [(kind, form) for kind in KINDS for form in FORMATS if form.fraction >= 0]
    build, values, codes = Builder(seed=1), [], []
    for number, (kind, form) in enumerate(pairs):
        limits = np.iinfo(kind)
        port = Format(width=form.width, integer=form.integer, signed=form.signed)
        shape = (7,) if number % 2 else (2, 2, 3)
        build.end(build.add(hw.Relu(format=port), shape, build.input(shape, str(port))))
        ends = [end * form.step + one for end in (form.low, form.high) for one in range(-2, 3)]
        whole = np.array([*range(-129, 257), *ends, limits.min, limits.max]).clip(limits.min, limits.max)
        given = np.resize(whole.astype(kind), (60, *shape))
        values.append(given)
        codes.append(Codes(array=quantize_values(given.astype(np.float64), form), format=port))
    forms = [form for _, form in pairs]
    native = NativeEmulator(build.design(IoType.PARALLEL), compiler(processor), threads=2)
    assert all(reads(form, one) for form, one in zip(forms, values, strict=True))
    found, wanted = native.run_values(values, forms, trace=True), native.run(codes, trace=True)
    assert found is not None
    for name, one in wanted.trace.items():
        assert np.array_equal(found.trace[name].array, one.array), name


@pytest.mark.parametrize("processor", PROCESSORS)
def test_narrow_arrays_hold_the_codes_of_the_reference(processor: str) -> None:
    if not runs_here(processor):
        pytest.skip(f"this machine does not run {processor}")
    kinds = set()
    for family in ("wide layers", "moves"):
        build = Builder(seed=13)
        FAMILIES[family](build)
        design, codes = build.design(IoType.PARALLEL), build.events(37)
        expected = ReferenceEmulator(design).run(codes, trace=True)
        native = NativeEmulator(design, compiler(processor), threads=2, packed=True)
        for given in (codes, [narrowed(one) if one.format.width <= 32 else one for one in codes]):
            found = native.run(given, trace=True)
            for name, one in expected.trace.items():
                assert np.array_equal(found.trace[name].array, one.array), name
                kinds.add(found.trace[name].array.dtype.name)
    assert kinds == {"int8", "int16", "int32", "int64"}


@pytest.mark.parametrize("event", [0, 16, 36])
def test_a_narrow_code_outside_of_its_format_is_found(event: int) -> None:
    build = Builder(seed=1)
    form = Format(width=6, integer=3)
    build.end(build.add(hw.Relu(), (5,), build.input((5,), str(form))))
    native = NativeEmulator(build.design(IoType.PARALLEL), compiler(), threads=1)
    for kind, code in (("int8", form.high + 1), ("int16", form.low - 1), ("uint8", 255), ("int32", -(1 << 31))):
        array = np.zeros((37, 5), kind)
        native.run([Codes(array=array, format=form)])
        array[event, 4] = code
        with pytest.raises(InternalError, match="outside of its format"):
            native.run([Codes(array=array, format=form)])


def test_without_a_wish_codes_are_int64() -> None:
    build = Builder(seed=1)
    build.end(build.add(hw.Relu(), (5,), build.input((5,), "fixed<6,3>")))
    found = NativeEmulator(build.design(IoType.PARALLEL), compiler(), threads=1).run(build.events(3))
    assert {one.array.dtype.name for one in found.outputs.values()} == {"int64"}
