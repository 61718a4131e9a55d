"""The jet tagger of J. Duarte et al., arXiv:1804.06913: 16 properties of a jet, five kinds of particle it may come from.

Not a CNN, but the network that most tools of the field are measured with. Its data are not in any package: seeded.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(door: Keras) -> KerasModel:
    """4,389 parameters."""
    layers = door.keras.layers
    return door.keras.Sequential(
        [
            layers.Input((16,), name="jet"),
            layers.Dense(64, activation="relu", name="fc1"),
            layers.Dense(32, activation="relu", name="fc2"),
            layers.Dense(32, activation="relu", name="fc3"),
            layers.Dense(5, activation="softmax", name="kind"),
        ],
        name="jets",
    )
