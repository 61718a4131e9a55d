"""Events in which the framework's float32 rounds a tie are told from real differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim.compare import against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.float32_ties import follows_in_float32
from fpgacnn.training.keras.oracle import run_keras
from tests.oracle.kit import Case, Kit, chain, planned
from tests.support.files import sequential_file
from tests.unit.test_float32_claims import EXACT, ROUNDED
from tests.unit.test_float32_claims import Case as ClaimCase

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot


@pytest.fixture
def case(kit: Kit, tmp_path: Path) -> Case:
    """Sums times 0.7 meet ties of the next quantizer, and the real QKeras rounds some of them to the other side."""
    binary = kit.qkeras.QConv2DTranspose(
        3, 3, strides=2, kernel_quantizer=kit.qkeras.binary(alpha=0.7), bias_quantizer=kit.bits(5)
    )
    model = kit.model(
        (4, 4, 2), chain(binary, kit.relu(), kit.convolution(2, 2), kit.relu(4, 1), kit.layers.Flatten(), kit.dense(3))
    )
    return planned(model, 5, tmp_path / "model.h5")


def test_ties_are_excused_and_everything_else_is_equal(case: Case) -> None:
    hardware = ReferenceEmulator(case.design).run(case.codes, trace=True)
    strict = against_reference(case.design, hardware, case.keras.layers, name="Keras", exactness=1e-6)
    assert not strict.holds
    excused = follows_in_float32(case.source, case.events, case.keras.layers)
    assert excused.all()
    report = against_reference(case.design, hardware, case.keras.layers, name="Keras", exactness=1e-6, excused=excused)
    assert report.holds
    assert 0 < report.float32_events < report.events
    assert report.mismatches == strict.mismatches


def test_a_step_more_in_one_layer_is_no_tie(case: Case) -> None:
    name = next(layer.name for layer in case.source.layers if layer.kind == "QActivation")
    answers = {key: values.copy() for key, values in case.keras.layers.items()}
    changed = answers[name][3].ravel()
    changed[np.flatnonzero((changed > 0) & (changed < 3.5))[:4]] += 0.125
    assert list(np.flatnonzero(~follows_in_float32(case.source, case.events, answers))) == [3]


def test_a_wrong_sum_is_no_tie(case: Case) -> None:
    answers = {key: values.copy() for key, values in case.keras.layers.items()}
    answers[case.source.outputs[0]][7, 1] += 0.01
    assert list(np.flatnonzero(~follows_in_float32(case.source, case.events, answers))) == [7]


def answered(folder: Path, case: ClaimCase) -> Case:
    """A network of the claims with codes up to the ends of its input's format, answered by the real QKeras."""
    layers, shape, text = case
    path, form, random = (
        sequential_file(folder / "m.h5", *layers, shape=shape),
        parse_format(text),
        np.random.default_rng(3),
    )
    codes = random.integers(form.low, form.high, size=(2000, *shape), endpoint=True)
    codes[:2] = np.array([form.low, form.high]).reshape(2, *(1,) * len(shape))
    inputs = [Codes(array=codes, format=form)]
    network = frontends.load(path)
    model, planned = legalize(quantize(network, inputs=[form]))
    design = Design(model=model, plan=planned, target=Target())
    return Case(source=network, codes=inputs, keras=run_keras(path, [inputs[0].values], layers=True), design=design)


@pytest.mark.parametrize("name", EXACT)
def test_what_is_called_exact_is_equal(tmp_path: Path, name: str) -> None:
    found = answered(tmp_path, EXACT[name])
    hardware = ReferenceEmulator(found.design).run(found.codes, trace=True)
    assert against_reference(found.design, hardware, found.keras.layers, name="Keras").holds


@pytest.mark.parametrize(
    "name",
    [
        "an end of 15 fraction bits behind 10",
        "an end behind a scale",
        "a quantized mean of nine values",
        "products that a bias hides",
        "means that float32 puts on half steps",
    ],
)
def test_what_is_called_lossless_differs_by_what_float32_rounds(tmp_path: Path, name: str) -> None:
    found = answered(tmp_path, ROUNDED[name])
    hardware = ReferenceEmulator(found.design).run(found.codes, trace=True)
    assert against_reference(found.design, hardware, found.keras.layers, name="Keras").mismatches > 0
    excused = follows_in_float32(found.source, found.events, found.keras.layers)
    assert excused.all()
    assert against_reference(
        found.design, hardware, found.keras.layers, name="Keras", exactness=1e-6, excused=excused
    ).holds
