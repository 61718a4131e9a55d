"""A one-dimensional CNN: the KM3NeT string trigger with time as its only axis and the 18 floors as channels.

Filters move along time only, so 32 steps of a few hundred multiplications replace an image.
"""

from __future__ import annotations

from fpgacnn.training.data import FloatArray
from fpgacnn.training.keras import Keras, KerasModel


def over_time(images: FloatArray) -> FloatArray:
    """Images (events, 18 floors, 32 bins, 1) as sequences (events, 32, 18)."""
    return images[..., 0].transpose(0, 2, 1)


def build(modules: Keras) -> KerasModel:
    """One score: does the window hold light of a muon?"""
    layers = modules.keras.layers
    return modules.keras.Sequential(
        [
            layers.Input((32, 18), name="hits"),
            layers.Conv1D(12, 5, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling1D(2, name="pool1"),
            layers.Conv1D(12, 5, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling1D(4, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(16, activation="relu", name="dense"),
            layers.Dense(1, activation="sigmoid", name="muon"),
        ],
        name="sequence",
    )
