"""Weights are written as hls4ml writes them, but equal ones are formatted once, and all go to the file at once."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from fpgacnn.hardware.hls import hls4ml_adapter
from fpgacnn.hardware.hls.hls4ml_adapter import joined_texts


@pytest.mark.parametrize(("form", "size"), [*product(["{:.0f}", "{:.7f}"], [0, 1, 5, 1000])])
def test_joined_texts_are_those_of_single_numbers(form: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls4ml_adapter, "TEXTS_AT_ONCE", 300)
    values = np.random.default_rng(size).integers(-9, 9, size) / 128
    values[::7] = -0.0
    values[3::7] = 0.0
    assert ", ".join(joined_texts(values.reshape(-1, 1), form)) == ", ".join(form.format(value) for value in values)
