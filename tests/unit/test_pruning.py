"""Pruning cuts the smallest weights, ever more of them, and exactly as many as asked for in the end.

Settings that make no sense.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn.errors import UsageError
from fpgacnn.training.keras.loop import TrainingSettings
from fpgacnn.training.keras.pruning import RAMP, masks, sparsity_at


@given(seed=st.integers(0, 99), size=st.integers(1, 60), sparsity=st.floats(0, 1))
def test_exactly_the_smallest_weights_are_cut(seed: int, size: int, sparsity: float) -> None:
    kernel = np.random.default_rng(seed).normal(size=(1, size)).astype(np.float32)
    (mask,) = masks([kernel], sparsity)
    assert mask.shape == kernel.shape
    assert (mask == 0).sum() == round(sparsity * size)
    if 0 < (mask == 0).sum() < size:
        assert np.abs(kernel[mask == 0]).max() <= np.abs(kernel[mask == 1]).min()


def test_weights_that_were_cut_stay_cut_when_the_mask_is_made_again() -> None:
    kernel = np.arange(1, 11, dtype=np.float32)
    (first,) = masks([kernel], 0.5)
    (second,) = masks([kernel * first], 0.6)
    assert np.all(second[first == 0] == 0)


@given(epochs=st.integers(1, 50), final=st.floats(0, 0.99))
def test_sparsity_rises_to_its_end_and_stays(epochs: int, final: float) -> None:
    course = [sparsity_at(epoch, epochs, final) for epoch in range(1, epochs + 1)]
    assert course == sorted(course)
    assert all(one == final for epoch, one in enumerate(course, 1) if epoch >= max(round(epochs * RAMP), 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": -1},
        {"batch": 0},
        {"patience": 0},
        {"seed": -1},
        {"sparsity": 1.0},
        {"sparsity": -0.1},
        {"learning_rate": -1.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"integers from 0|sparsity is at least"):
        TrainingSettings(**wrong)
