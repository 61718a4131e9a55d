"""The CNN for street view house numbers of T. Aarrestad et al., arXiv:2101.05108.

The reference network of low-latency CNNs on FPGAs.

Three convolutions of 3 x 3 with 16, 16 and 24 filters, each with batch normalization and maximum pooling, then dense
layers of 42 and 64. The data set is not in any package, so the weights are seeded.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(modules: Keras) -> KerasModel:
    """Images of 32 x 32 x 3, ten digits."""
    layers = modules.keras.layers
    x = image = layers.Input((32, 32, 3), name="image")
    for number, filters in enumerate((16, 16, 24), 1):
        x = layers.Conv2D(filters, 3, use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"norm{number}")(x)
        x = layers.Activation("relu", name=f"relu{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate((42, 64), 1):
        x = layers.Dense(units, use_bias=False, name=f"dense{number}")(x)
        x = layers.BatchNormalization(name=f"dense_norm{number}")(x)
        x = layers.Activation("relu", name=f"dense_relu{number}")(x)
    return modules.keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="svhn")
