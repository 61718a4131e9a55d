"""Edge detectors: convolutions whose kernels are given, not trained.

A kernel with positive weights on the left and negative weights on the right responds where the brightness falls from
left to right. Sobel doubles the middle row; Scharr uses 10:3, so that the response depends less on the edge's angle.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fpgacnn.training.data import FloatArray
from fpgacnn.training.keras import Keras, KerasModel

SIDE = 6

VERTICAL = np.array([[1.0, 0, -1], [1, 0, -1], [1, 0, -1]])
SOBEL = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
SCHARR = np.array([[3.0, 0, -3], [10, 0, -10], [3, 0, -3]])

KERNELS: Mapping[str, FloatArray] = {
    "vertical": VERTICAL,
    "horizontal": VERTICAL.T,
    "sobel_vertical": SOBEL,
    "sobel_horizontal": SOBEL.T,
    "scharr_vertical": SCHARR,
    "scharr_horizontal": SCHARR.T,
}
"""One output channel each, in this order."""


def step_image() -> FloatArray:
    """6 x 6, the left half 10 and the right half 0."""
    return np.where(np.arange(SIDE) < SIDE // 2, 10.0, 0.0) * np.ones((SIDE, 1))


def checkerboard() -> FloatArray:
    """6 x 6, blocks of 3 x 3 that alternate between 10 and 0."""
    block = np.arange(SIDE) // (SIDE // 2)
    return np.where(block[:, None] == block, 10.0, 0.0)


def build(modules: Keras) -> KerasModel:
    """One convolution without bias; its integer weights need no quantizer."""
    layers = modules.keras.layers
    kernels = np.stack([*KERNELS.values()], axis=-1)[:, :, np.newaxis, :]
    image = layers.Input((SIDE, SIDE, 1), name="image")
    model = modules.keras.Model(
        image, layers.Conv2D(len(KERNELS), 3, use_bias=False, name="edges")(image), name="edges"
    )
    model.set_weights([kernels])
    return model
