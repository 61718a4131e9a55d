"""Residual networks for small images (He, Zhang, Ren, Sun, arXiv:1512.03385, section 4.2): depth 6n + 2.

A block learns what to add to its input. Where the image shrinks, a 1 x 1 convolution of stride 2 adapts the input.
On an FPGA the addition increases the widths, so its result is rounded to few bits again.
"""

from __future__ import annotations

from collections.abc import Sequence

from fpgacnn.training.keras import Keras, KerasModel


def build_8(modules: Keras) -> KerasModel:
    """ResNet-8 on images of 8 x 8."""
    return _build(modules, "resnet8", (8, 8, 1), blocks=1, filters=(8, 12, 16))


def build_20(modules: Keras) -> KerasModel:
    """ResNet-20 on images of 32 x 32 with half of the filters."""
    return _build(modules, "resnet20", (32, 32, 3), blocks=3, filters=(8, 16, 32))


def _build(
    modules: Keras, name: str, shape: tuple[int, int, int], *, blocks: int, filters: Sequence[int]
) -> KerasModel:
    layers = modules.keras.layers

    def conv(x: KerasModel, count: int, size: int, stride: int, label: str) -> KerasModel:
        x = layers.Conv2D(count, size, strides=stride, padding="same", use_bias=False, name=label)(x)
        return layers.BatchNormalization(name=f"{label}_norm")(x)

    def relu(x: KerasModel, label: str) -> KerasModel:
        return layers.Activation("relu", name=label)(x)

    image = layers.Input(shape, name="image")
    x = relu(conv(image, filters[0], 3, 1, "stem"), "stem_relu")
    for stage, count in enumerate(filters):
        for block in range(blocks):
            label, stride = f"s{stage}b{block}", 2 if stage and not block else 1
            y = relu(conv(x, count, 3, stride, f"{label}_a"), f"{label}_a_relu")
            y = conv(y, count, 3, 1, f"{label}_b")
            shortcut = conv(x, count, 1, stride, f"{label}_skip") if stride > 1 else x
            x = relu(layers.Add(name=f"{label}_add")([y, shortcut]), f"{label}_relu")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return modules.keras.Model(image, layers.Dense(10, activation="softmax", name="classes")(x), name=name)
