"""Figures of a layer into which a normalization was folded: both sides of a comparison have the normalization."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.pipeline.checking.checks import Run
from tests.support.files import entry, sequential_file


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A float network that ends in a normalization with a large gain and shift, and labelled events."""
    random = np.random.default_rng(3)
    weights = {"kernel": random.normal(size=(4, 3)), "bias": np.zeros(3)}
    moments = {
        "gamma": np.full(3, 5.0),
        "beta": np.full(3, 3.0),
        "moving_mean": np.zeros(3),
        "moving_variance": np.ones(3),
    }
    model = sequential_file(
        tmp_path / "m.h5",
        entry("Dense", "dense", units=3, use_bias=True, activation="linear", weights=weights),
        entry("BatchNormalization", "bn", axis=[1], epsilon=0.001, weights=moments),
        shape=(4,),
    )
    events = tmp_path / "x.npz"
    np.savez(events, input_0=random.integers(-8, 8, (50, 4)) / 4, labels=random.integers(0, 3, 50))
    return model, events


def test_the_noise_of_a_folded_layer_is_that_of_its_quantizers(files: tuple[Path, Path], tmp_path: Path) -> None:
    model, events = files
    run = fpgacnn.convert(model, output=tmp_path / "p", input=events, bits="12", csim_events=0, reference="none")
    noise = [layer.signal_to_noise_db for layer in run.plan.decisions if layer.signal_to_noise_db is not None]
    assert noise
    assert min(noise) > 40.0


def test_a_network_that_ends_in_a_folded_layer_has_its_quality_where_layers_are_compared_on_fewer_events(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, events = files
    monkeypatch.setattr(Run, "sample", 10)
    run = fpgacnn.convert(model, output=tmp_path / "p", input=events, bits="12", csim_events=0, reference="none")
    assert run.holds
    assert run.quality
