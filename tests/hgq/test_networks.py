"""Networks that the real HGQ2 and HGQ made and answered (`make.py`, `make1.py`).

Our reference and the hardware are equal to it.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.ir.fixed_point import Codes, parse_format, quantize_values
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import SoftmaxChoice, quantize
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate

HERE = Path(__file__).parent
ARCHIVE = HERE / "networks.zip"
FIRST = HERE / "networks1.zip"
ROUNDED = {"average_of_six"}
"""Networks with something that no fixed point holds: a third.

A tanh before a quantizer has finitely many values, all exact.
"""


def _names() -> list[tuple[Path, str]]:
    found = []
    for path in (ARCHIVE, FIRST):
        with zipfile.ZipFile(path) as opened:
            found += [(path, name) for name in sorted(opened.namelist())]
    return found


@pytest.mark.parametrize(("archive", "name"), _names(), ids=lambda one: one if isinstance(one, str) else one.stem)
def test_a_network_answers_as_hgq(tmp_path: Path, archive: Path, name: str) -> None:
    with zipfile.ZipFile(archive) as opened:
        path = Path(opened.extract(name, tmp_path))
    stem, loose = name.rsplit(".", 1)[0], name.rsplit(".", 1)[0] in ROUNDED
    stored = np.load(HERE / archive.name.replace("networks", "answers").replace("zip", "npz"))
    x, wanted = stored[f"{stem}/x"], stored[f"{stem}/y"].astype(np.float64)
    source, form = frontends.load(path), parse_format("fixed<10,6>")
    reference = evaluate(source, [x], quantized=True)[source.outputs[0]]
    np.testing.assert_allclose(reference, wanted, rtol=0, atol=1e-5 if loose else 0)
    model, planned = legalize(quantize(source, inputs=[form], softmax=SoftmaxChoice.KEEP))
    assert all(layer.is_result for layer in model.layers if layer.name in model.outputs)
    codes = Codes(array=quantize_values(x, form), format=form)
    found = (
        ReferenceEmulator(Design(model=model, plan=planned, target=Target()))
        .run([codes])
        .outputs[model.outputs[0]]
        .values
    )
    error = planned.layers[model.outputs[0]].error if loose else 0.0
    np.testing.assert_allclose(found.reshape(reference.shape), reference, rtol=0, atol=error)
    assert planned.is_lossless != loose, planned.losses
