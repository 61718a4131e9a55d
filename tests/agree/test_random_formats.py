"""Random layers with random formats, many in one network.

C simulation, the int64 reference and the kernels give the same codes.
"""

from __future__ import annotations

from itertools import product

import pytest

from fpgacnn.design import IoType
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.ir.fixed_point import Format, Overflow, Rounding
from fpgacnn.sim.compare import compare
from fpgacnn.sim.csim import CSim
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.blas_engine import FloatEmulator
from fpgacnn.sim.emulator.native.engine import NativeEmulator
from tests.laws.test_native import FIRST_SEED, compiler
from tests.support.networks import Builder

pytestmark = pytest.mark.agree

EVENTS = 64
KEPT: tuple[int, ...] = ()
"""Seeds that once failed."""


class Formats:
    """Random formats in which every rounding and overflow mode comes equally often."""

    def __init__(self, build: Builder) -> None:
        self._random = build.random
        modes = list(product(Rounding, Overflow))
        self._random.shuffle(modes)
        self._modes = modes

    def format(self, source: Format, widest: int = 14) -> Format:
        """A format to cast `source` to. The vendor's header aborts where rounding drops more bits than there are."""
        rounding, overflow = self._modes.pop()
        self._modes.insert(0, (rounding, overflow))
        while True:
            width, signed = int(self._random.integers(2, widest)), bool(self._random.random() < 0.7)
            fraction = int(self._random.integers(source.fraction - 5, source.fraction + 3))
            form = Format(
                width=width,
                integer=width - fraction,
                signed=signed,
                rounding=Rounding(rounding),
                overflow=Overflow(overflow),
            )
            if source.fraction - form.fraction <= source.width:
                return form


def random_layers(build: Builder, count: int) -> None:
    """Branches of dense layers, convolutions, scales and casts.

    Sums in formats that round each product, wrap and saturate.
    """
    formats = Formats(build)
    for number in range(count):
        kind = number % 6
        data = Format(
            width=int(build.random.integers(3, 9)), integer=int(build.random.integers(0, 4)), signed=bool(number % 2)
        )
        shape = (4, 4, 2) if kind in {1, 2} else (6,)
        source = build.input(shape, str(data))
        products = Format(width=data.width + 5, integer=data.integer + 1)
        match kind:
            case 0:
                name = build.dense(source, 6, 4)
            case 1:
                name = build.convolution(source, (2, 2, 2, 3), (3, 3, 3))
            case 2:
                name = build.depthwise(source, (2, 2, 2), (3, 3, 2))
            case 3:
                name = build.affine(source, shape)
            case _:
                form = formats.format(data)
                name = build.cast(source, shape, str(form))
                build.end(name)
                continue
        if kind == 3:
            build.results[name] = formats.format(Format(width=18, integer=7))
        else:
            build.accumulators[name] = formats.format(products)
            build.results[name] = formats.format(build.accumulators[name], 12)
        build.end(name)


@pytest.mark.parametrize(
    ("seed", "io"),
    [*((seed, IoType.PARALLEL) for seed in KEPT), (FIRST_SEED, IoType.PARALLEL), (FIRST_SEED + 1, IoType.STREAM)],
)
def test_random_formats_give_the_same_codes_in_all_engines(seed: int, io: IoType) -> None:
    build = Builder(seed=seed)
    random_layers(build, 42)
    design, codes = build.design(io), build.events(EVENTS)
    project = convert(design, trace=True)
    expected = ReferenceEmulator(design).run(codes, trace=True)
    for found in (CSim(project, design), NativeEmulator(design, compiler()), FloatEmulator(design)):
        report = compare(found.run(codes, trace=True), expected)
        assert report.first is None, (seed, report)
        assert report.holds
