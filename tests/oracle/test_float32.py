"""Events in which the framework's float32 rounds a tie are told from real differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.float32 import follows_in_float32
from fpgacnn.verification import against_reference
from tests.oracle.kit import Case, Kit, chain, planned

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot


@pytest.fixture
def case(kit: Kit, tmp_path: Path) -> Case:
    """Sums times 0.7 meet ties of the quantizer behind them, and the real QKeras rounds some of them to the other side."""
    binary = kit.qkeras.QConv2DTranspose(3, 3, strides=2, kernel_quantizer=kit.qkeras.binary(alpha=0.7), bias_quantizer=kit.bits(5))
    model = kit.model((4, 4, 2), chain(binary, kit.relu(), kit.convolution(2, 2), kit.relu(4, 1), kit.layers.Flatten(), kit.dense(3)))
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
