"""The jet tagger of J. Duarte et al., arXiv:1804.06913: 16 properties of a jet, five kinds of particle as classes.

It is not a CNN, but the common benchmark of the field. Its data are not in any package: the weights are seeded.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(modules: Keras) -> KerasModel:
    """4,389 parameters."""
    layers = modules.keras.layers
    return modules.keras.Sequential(
        [
            layers.Input((16,), name="jet"),
            layers.Dense(64, activation="relu", name="fc1"),
            layers.Dense(32, activation="relu", name="fc2"),
            layers.Dense(32, activation="relu", name="fc3"),
            layers.Dense(5, activation="softmax", name="kind"),
        ],
        name="jets",
    )
