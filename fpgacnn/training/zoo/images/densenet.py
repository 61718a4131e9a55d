"""A DenseNet block (Huang, Liu, van der Maaten, Weinberger, arXiv:1608.06993): every layer reads all layers before it.

Normalization and ReLU come before each convolution. They cannot be folded into the previous convolution, because other
layers read it too: the normalization stays, and the quantizer after it makes the result exact again.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel

GROWTH, LAYERS = 4, 3


def build(modules: Keras) -> KerasModel:
    """Three layers that add four channels each, a transition, and a dense layer, on images of 8 x 8."""
    layers = modules.keras.layers

    def normalized(x: KerasModel, label: str) -> KerasModel:
        return layers.Activation("relu", name=f"{label}_relu")(layers.BatchNormalization(name=f"{label}_norm")(x))

    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(8, 3, padding="same", name="stem")(image)
    for number in range(LAYERS):
        y = normalized(x, f"d{number}")
        y = layers.Conv2D(GROWTH, 3, padding="same", name=f"d{number}_conv")(y)
        x = layers.Concatenate(name=f"d{number}_all")([x, y])
    x = layers.Conv2D(12, 1, name="transition")(normalized(x, "transition"))
    x = layers.AveragePooling2D(2, name="half")(x)
    x = layers.Flatten(name="flatten")(x)
    return modules.keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="densenet")
