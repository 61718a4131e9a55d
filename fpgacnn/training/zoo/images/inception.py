"""An Inception module (Szegedy et al., arXiv:1409.4842): parallel filters of several sizes on the same input.

1 x 1 filters before the 3 x 3 and 5 x 5 filters, and after the pooling, keep the number of channels, and so the number
of multiplications, small.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(modules: Keras) -> KerasModel:
    """One module between a convolution and global pooling, on images of 8 x 8."""
    layers = modules.keras.layers

    def conv(x: KerasModel, filters: int, size: int, name: str) -> KerasModel:
        return layers.Conv2D(filters, size, padding="same", activation="relu", name=name)(x)

    image = layers.Input((8, 8, 1), name="image")
    stem = conv(image, 12, 3, "stem")
    branches = [
        conv(stem, 8, 1, "one"),
        conv(conv(stem, 6, 1, "three_reduce"), 12, 3, "three"),
        conv(conv(stem, 4, 1, "five_reduce"), 6, 5, "five"),
        conv(layers.MaxPooling2D(3, strides=1, padding="same", name="pool")(stem), 6, 1, "pool_project"),
    ]
    x = layers.Concatenate(name="module")(branches)
    x = layers.MaxPooling2D(2, name="half")(x)
    x = layers.Flatten(name="flatten")(x)
    return modules.keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="inception")
