"""AlexNet (Krizhevsky, Sutskever, Hinton, NIPS 2012), scaled to images of 67 x 67 and a sixth of the filters.

Its features are kept: 11 x 11 filters with stride 4 first, overlapping pooling of 3 x 3 with stride 2, then 5 x 5,
three times 3 x 3, and dense layers with dropout. 67 is the size for which (W - F + 2P) / S + 1 is an integer at every
layer: (67 - 11) / 4 + 1 = 15, then 7, 3, 1. Local response normalization is left out, as in later networks.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(modules: Keras) -> KerasModel:
    """74,090 parameters."""
    layers = modules.keras.layers
    return modules.keras.Sequential(
        [
            layers.Input((67, 67, 3), name="image"),
            layers.Conv2D(16, 11, strides=4, activation="relu", name="conv1"),
            layers.MaxPooling2D(3, strides=2, name="pool1"),
            layers.Conv2D(32, 5, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(3, strides=2, name="pool2"),
            layers.Conv2D(48, 3, padding="same", activation="relu", name="conv3"),
            layers.Conv2D(48, 3, padding="same", activation="relu", name="conv4"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv5"),
            layers.MaxPooling2D(3, strides=2, name="pool5"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="fc6"),
            layers.Dropout(0.5, name="drop6"),
            layers.Dense(64, activation="relu", name="fc7"),
            layers.Dropout(0.5, name="drop7"),
            layers.Dense(10, activation="softmax", name="fc8"),
        ],
        name="alexnet",
    )
