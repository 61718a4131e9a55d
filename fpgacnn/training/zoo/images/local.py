"""A layer with locally connected filters, as in early face recognition (Taigman et al., DeepFace, CVPR 2014).

Every position has its own weights, so nothing is shared: hls4ml has no such layer, and unrolled as a dense layer it
would be almost all zeros. The reader refuses it by name; the row in the table shows this.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(modules: Keras) -> KerasModel:
    """A convolution, a locally connected layer, and a dense layer, on images of 8 x 8."""
    layers = modules.keras.layers
    return modules.keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.LocallyConnected2D(4, 3, activation="relu", name="local"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="local",
    )
