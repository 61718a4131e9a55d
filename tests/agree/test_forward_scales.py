"""C simulation of normalizations in the weights of the layer behind equals the emulator, in both io types."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design import IoType
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.sim.compare import compare
from fpgacnn.sim.csim import CSim
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.files import entry
from tests.unit.test_float_scales import FORM, batch, dense, relu
from tests.unit.test_forward_scales import WIDE, chain, convolution, designs, taken

pytestmark = pytest.mark.agree


@pytest.mark.parametrize("io", IoType)
def test_engines_agree(tmp_path: Path, io: IoType) -> None:
    layers = (
        relu("r", bits=6),
        batch("b", channels=2),
        convolution("c", padding="valid"),
        relu("s", bits=6),
        batch("bb", channels=3),
        entry("Flatten", "f"),
        dense("d", bits=WIDE),
    )
    _, design = designs(chain(tmp_path, *layers, shape=(3, 2, 2)))
    assert taken(design) == {"s": ("b",), "l_d": ("bb",)}
    design = replace(design, target=replace(design.target, io=io))
    random = np.random.default_rng(2)
    codes = [Codes(array=random.integers(FORM.low, FORM.high, (60, 3, 2, 2), endpoint=True), format=FORM)]
    actual = CSim(convert(design, trace=True), design).run(codes, trace=True)
    expected = ReferenceEmulator(design).run(codes, trace=True)
    report = compare(actual, expected)
    assert report.first is None, report
    assert report.holds
    assert all(len(np.unique(one.array)) > 10 for one in expected.outputs.values())
