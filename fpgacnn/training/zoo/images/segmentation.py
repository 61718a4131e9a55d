"""A small U-shaped segmentation network (Ronneberger, Fischer, Brox, arXiv:1505.04597).

The image is halved, processed, doubled again by repetition, and joined with the features at full size, so that the
score of every pixel depends on its surroundings.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(modules: Keras) -> KerasModel:
    """One score for each pixel of 16 x 16; the hardware gives logits, whose sign is the mask."""
    layers = modules.keras.layers

    def conv(x: KerasModel, filters: int, name: str) -> KerasModel:
        return layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)

    image = layers.Input((16, 16, 1), name="image")
    fine = conv(image, 6, "fine")
    coarse = conv(layers.MaxPooling2D(2, name="half")(fine), 12, "coarse")
    doubled = layers.UpSampling2D(2, name="double")(conv(coarse, 6, "deep"))
    joined = layers.Concatenate(name="joined")([fine, doubled])
    scores = layers.Conv2D(1, 1, name="scores")(conv(joined, 6, "both"))
    return modules.keras.Model(image, scores, name="segmentation")
