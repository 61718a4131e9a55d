"""Networks that the real HGQ2 made and answered (`make.py`): our reference and the hardware are equal to it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.numeric.fixed import Codes, parse_format, quantize_values
from fpgacnn.precision import plan, refine
from fpgacnn.quantization import SoftmaxChoice, quantize
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.framework import evaluate

HERE = Path(__file__).parent
ARCHIVE = HERE / "networks.zip"
ROUNDED = {"average_of_six", "table"}
"""Networks with something that no fixed point holds: a third, a tanh."""

with zipfile.ZipFile(ARCHIVE) as opened:
    NAMES = sorted(opened.namelist())


@pytest.mark.parametrize("name", NAMES)
def test_a_network_answers_as_hgq(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        path = Path(archive.extract(name, tmp_path))
    stem, loose = name.rsplit(".", 1)[0], name.rsplit(".", 1)[0] in ROUNDED
    stored = np.load(HERE / "answers.npz")
    x, wanted = stored[f"{stem}/x"], stored[f"{stem}/y"].astype(np.float64)
    source, form = frontends.load(path), parse_format("fixed<10,6>")
    reference = evaluate(source, [x], quantized=True)[source.outputs[0]]
    np.testing.assert_allclose(reference, wanted, rtol=0, atol=1e-5 if loose else 0)
    model = refine(quantize(source, inputs=[form], softmax=SoftmaxChoice.KEEP))
    planned = plan(model)
    codes = Codes(array=quantize_values(x, form), format=form)
    found = ReferenceEmulator(Design(model=model, plan=planned, target=Target())).run([codes]).outputs[model.outputs[0]].values
    error = planned.layers[model.outputs[0]].error if loose else 0.0
    np.testing.assert_allclose(found.reshape(reference.shape), reference, rtol=0, atol=error)
    assert planned.is_lossless != loose, planned.losses
