"""Events as floats: the kernels round and limit them as NumPy does, on every processor."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.design import IoType
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, quantize_values
from fpgacnn.sim.emulator.native.engine import NativeEmulator, reads
from tests.laws.test_native import PROCESSORS, compiler, runs_here
from tests.support.networks import Builder

FORMATS = [
    Format(width=8, integer=0, signed=False, rounding=Rounding.RND_CONV, overflow=Overflow.SAT),
    Format(width=6, integer=2, rounding=Rounding.RND_CONV, overflow=Overflow.SAT_SYM),
    Format(width=24, integer=9, rounding=Rounding.RND_CONV, overflow=Overflow.SAT),
    Format(width=3, integer=-5, rounding=Rounding.RND_CONV, overflow=Overflow.SAT),
    Format(width=5, integer=12, rounding=Rounding.RND_CONV, overflow=Overflow.SAT),
    Format(width=1, integer=1, signed=False, rounding=Rounding.RND_CONV, overflow=Overflow.SAT),
]


def numbers(form: Format) -> np.ndarray:
    """Ties, neighbours of ties, both ends, and numbers far too large and far too small."""
    halves = np.arange(2 * max(form.low, -300) - 3, 2 * min(form.high, 300) + 4) / 2 * form.step
    ends = np.array([form.low, form.low - 0.5, form.high, form.high + 0.5, form.high + 1]) * form.step
    far = np.array([0.0, -0.0, 1e-40, -1e-40, 1e-300, 3e38, -3e38, 1e300, -1e300])
    near = np.concatenate([np.nextafter(halves, np.inf), np.nextafter(halves, -np.inf)])
    return np.concatenate([halves, ends, far, near, np.random.default_rng(3).normal(0, form.high * form.step, 200)])


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_become_the_codes_that_numpy_makes(processor: str, kind: type[np.floating]) -> None:
    if not runs_here(processor):
        pytest.skip(f"this machine does not run {processor}")
    build = Builder(seed=1)
    values, codes = [], []
    longest = max(len(numbers(form)) for form in FORMATS)
    for form in FORMATS:
        port = Format(width=form.width, integer=form.integer, signed=form.signed)
        build.end(build.add(hw.Relu(format=port), (7,), build.input((7,), str(port))))
        with np.errstate(over="ignore"):
            given = np.resize(numbers(form).astype(kind), (longest // 7 + 1) * 7).reshape(-1, 7)
        given = np.where(np.isfinite(given), given, 0)
        values.append(given)
        codes.append(Codes(array=quantize_values(given.astype(np.float64), form), format=port))
    native = NativeEmulator(build.design(IoType.PARALLEL), compiler(processor), threads=2)
    assert all(reads(form, one) for form, one in zip(FORMATS, values, strict=True))
    found, wanted = native.run_values(values, FORMATS, trace=True), native.run(codes, trace=True)
    assert found is not None
    for name, one in wanted.trace.items():
        assert np.array_equal(found.trace[name].array, one.array), name


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("event", [0, 16, 36])
def test_numbers_that_are_none_are_refused(bad: float, event: int) -> None:
    build = Builder(seed=1)
    build.end(build.add(hw.Relu(), (5,), build.input((5,), "fixed<8,3>")))
    native = NativeEmulator(build.design(IoType.PARALLEL), compiler(), threads=1)
    mode = Format(width=8, integer=3, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
    for kind in (np.float32, np.float64):
        values = np.zeros((37, 5), kind)
        assert native.run_values([values], [mode]) is not None
        values[event, 4] = bad
        assert native.run_values([values], [mode]) is None


def test_formats_that_kernels_do_not_read_are_told() -> None:
    values = np.zeros((1, 1), np.float32)
    fine = Format(width=24, integer=9, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
    assert reads(fine, values)
    assert not reads(Format(width=25, integer=9, rounding=Rounding.RND_CONV, overflow=Overflow.SAT), values)
    assert reads(
        Format(width=25, integer=9, rounding=Rounding.RND_CONV, overflow=Overflow.SAT), values.astype(np.float64)
    )
    assert not reads(Format(width=24, integer=9, rounding=Rounding.RND, overflow=Overflow.SAT), values)
    assert not reads(Format(width=24, integer=9, rounding=Rounding.RND_CONV, overflow=Overflow.WRAP), values)
