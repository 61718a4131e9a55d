"""A network in the style of VGG (Simonyan, Zisserman, arXiv:1409.1556): only 3 x 3 filters, twice, then pooling.

Two filters of 3 x 3 cover the same area as one of 5 x 5 with 18 instead of 25 weights, and with a ReLU in between.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel

BLOCKS = (8, 16, 24)


def build(modules: Keras) -> KerasModel:
    """Three blocks on images of 28 x 28, with batch normalization after every convolution."""
    layers = modules.keras.layers
    x = image = layers.Input((28, 28, 1), name="image")
    for block, filters in enumerate(BLOCKS, 1):
        for number in (1, 2):
            name = f"{block}_{number}"
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{name}")(x)
            x = layers.BatchNormalization(name=f"norm{name}")(x)
            x = layers.Activation("relu", name=f"relu{name}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    x = layers.Flatten(name="flatten")(x)
    return modules.keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="vgg")
