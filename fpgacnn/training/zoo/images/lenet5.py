"""LeNet-5 (LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86, 1998), on images of 28 x 28, with ReLU for its scaled tanh.

Two convolutions of 5 x 5, each followed by average pooling of 2 x 2, then three dense layers. Its third "convolution"
covers its whole input and so is a dense layer of 120.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(modules: Keras) -> KerasModel:
    """61,706 parameters."""
    layers = modules.keras.layers
    return modules.keras.Sequential(
        [
            layers.Input((28, 28, 1), name="image"),
            layers.Conv2D(6, 5, padding="same", activation="relu", name="c1"),
            layers.AveragePooling2D(2, name="s2"),
            layers.Conv2D(16, 5, activation="relu", name="c3"),
            layers.AveragePooling2D(2, name="s4"),
            layers.Flatten(name="flatten"),
            layers.Dense(120, activation="relu", name="c5"),
            layers.Dense(84, activation="relu", name="f6"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="lenet5",
    )
