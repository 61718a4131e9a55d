"""The whole class of layers and quantizers, made and answered by the real Keras and QKeras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn.sim.compare import against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from tests.oracle.kit import Kit, chain, planned

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot


def image(kit: Kit, *steps: Any, shape: tuple[int, ...] = (7, 7, 2)) -> Any:
    return kit.model(shape, chain(*steps))


def activation(kit: Kit, quantizer: Any) -> Any:
    return image(kit, kit.convolution(4, 3), kit.qkeras.QActivation(quantizer), kit.convolution(2, 2), shape=(5, 5, 2))


def merges(kit: Kit) -> Any:
    def build(x: Any) -> Any:
        a, b = (kit.relu(5, 1)(kit.convolution(3, 3, padding="same")(x)) for _ in range(2))
        found = [
            kit.layers.Subtract()([a, b]),
            kit.layers.Multiply()([a, b]),
            kit.layers.Average()([a, b]),
            kit.layers.Maximum()([a, b]),
        ]
        return kit.layers.Concatenate()([*found, kit.layers.Minimum()([a, b])])

    return kit.model((5, 5, 2), build)


def excitation(kit: Kit) -> Any:
    def build(x: Any) -> Any:
        a = kit.relu(5, 1)(kit.convolution(4, 3)(x))
        channels = kit.relu(4, 0)(kit.convolution(4, 1)(kit.layers.GlobalMaxPooling2D(keepdims=True)(a)))
        cells = kit.relu(4, 0)(kit.convolution(1, 1)(a))
        return kit.layers.Multiply()([kit.layers.Multiply()([a, channels]), cells])

    return kit.model((6, 6, 2), build)


def shared(kit: Kit) -> Any:
    one, other = kit.layers.Input((5, 5, 1)), kit.layers.Input((5, 5, 1))
    layer, relu = kit.convolution(3, 3), kit.relu()
    return kit.keras.Model([one, other], kit.layers.Add()([relu(layer(one)), relu(layer(other))]))


def po2(kit: Kit, **options: Any) -> Any:
    return kit.qkeras.quantized_po2(4, **options)


NETWORKS: dict[str, Callable[[Kit], Any]] = {
    "depthwise": lambda k: image(
        k,
        k.qkeras.QDepthwiseConv2D(3, depthwise_quantizer=k.bits(5), bias_quantizer=k.bits(5)),
        k.relu(),
        k.qkeras.QDepthwiseConv2D(2, depth_multiplier=2, depthwise_quantizer=k.bits(5), use_bias=False),
    ),
    "separable": lambda k: image(
        k,
        k.qkeras.QSeparableConv2D(
            3, 3, depthwise_quantizer=k.bits(5), pointwise_quantizer=k.bits(5), bias_quantizer=k.bits(5)
        ),
        k.relu(),
    ),
    "depthwise with normalization": lambda k: image(
        k,
        k.qkeras.QDepthwiseConv2DBatchnorm(3, depthwise_quantizer=k.bits(8, 1), bias_quantizer=k.bits(8, 1)),
        k.relu(),
    ),
    "dilation and groups": lambda k: image(
        k, k.convolution(4, 2, dilation_rate=2), k.relu(), k.convolution(3, 3, padding="same", dilation_rate=(2, 1))
    ),
    "normalization then quantizer": lambda k: image(
        k,
        k.convolution(4, 3, use_bias=False),
        k.layers.BatchNormalization(),
        k.relu(),
        k.convolution(3, 2, use_bias=False),
        k.layers.BatchNormalization(),
        k.qkeras.QActivation(k.bits(6, 1)),
    ),
    "normalization then addition": lambda k: image(
        k, k.convolution(4, 3), k.layers.BatchNormalization(), k.layers.ReLU(), k.relu()
    ),
    "quantized normalization": lambda k: image(k, k.convolution(4, 3), k.qkeras.QBatchNormalization(), k.relu()),
    "automatic scales": lambda k: image(
        k,
        k.convolution(4, 3, kernel_quantizer=k.bits(4, 0, alpha="auto")),
        k.relu(),
        k.layers.Flatten(),
        k.dense(3, kernel_quantizer=k.qkeras.ternary(alpha="auto")),
    ),
    "binary and ternary weights": lambda k: image(
        k,
        k.convolution(4, 3, kernel_quantizer=k.qkeras.binary(alpha=1)),
        k.relu(),
        k.convolution(3, 2, kernel_quantizer=k.qkeras.ternary(alpha=1)),
        k.relu(),
        k.layers.Flatten(),
        k.dense(3, kernel_quantizer=k.qkeras.binary(alpha="auto_po2")),
    ),
    "powers of two": lambda k: image(
        k, k.convolution(4, 3, kernel_quantizer=po2(k), bias_quantizer=po2(k, max_value=1)), k.relu()
    ),
    "stochastic weights": lambda k: image(
        k,
        k.convolution(4, 3, kernel_quantizer=k.qkeras.stochastic_ternary(alpha="auto_po2")),
        k.relu(),
        k.convolution(3, 2, kernel_quantizer=k.qkeras.stochastic_binary(alpha="auto_po2")),
    ),
    "binary activation": lambda k: activation(k, k.qkeras.binary(alpha=1)),
    "normalization before signs": lambda k: image(
        k,
        k.convolution(4, 3),
        k.layers.BatchNormalization(),
        k.qkeras.QActivation(k.qkeras.binary(alpha=1)),
        k.convolution(2, 2),
        shape=(5, 5, 2),
    ),
    "automatic scale before signs": lambda k: k.model(
        (6,),
        chain(
            k.dense(8, kernel_quantizer=k.qkeras.stochastic_ternary(alpha="auto")),
            k.qkeras.QActivation("stochastic_binary()"),
            k.dense(3),
        ),
    ),
    "binary activation 0 1": lambda k: activation(k, k.qkeras.binary(use_01=True, alpha=1)),
    "ternary activation": lambda k: activation(k, k.qkeras.ternary(alpha=1)),
    "ternary activation at 1/2": lambda k: activation(k, k.qkeras.ternary(alpha=2.0, threshold=0.5)),
    "quantized tanh": lambda k: activation(k, k.qkeras.quantized_tanh(5)),
    "symmetric tanh": lambda k: activation(k, k.qkeras.quantized_tanh(5, symmetric=True)),
    "quantized sigmoid": lambda k: activation(k, k.qkeras.quantized_sigmoid(5)),
    "symmetric sigmoid": lambda k: activation(k, k.qkeras.quantized_sigmoid(5, symmetric=True)),
    "sigmoid four steps high": lambda k: activation(k, k.qkeras.quantized_sigmoid(10, 4)),
    "real tanh of few bits": lambda k: image(
        k,
        k.qkeras.QActivation(k.bits(6, 1)),
        k.qkeras.QActivation(k.qkeras.quantized_tanh(6, use_real_tanh=True)),
        k.convolution(2, 2),
    ),
    "one bit activation": lambda k: activation(k, k.bits(1, 0)),
    "bounded relu": lambda k: image(k, k.convolution(4, 3), k.layers.ReLU(max_value=1.5), k.relu()),
    "relu6 and leaky relu": lambda k: image(
        k,
        k.convolution(4, 3),
        k.layers.Activation("relu6"),
        k.relu(),
        k.convolution(3, 2),
        k.layers.LeakyReLU(0.25),
        k.qkeras.QActivation(k.bits(6, 2)),
    ),
    "thresholded relu": lambda k: image(k, k.convolution(4, 3), k.layers.ThresholdedReLU(0.5), k.relu()),
    "prelu": lambda k: image(
        k, k.convolution(3, 3), k.layers.PReLU(shared_axes=[1, 2]), k.qkeras.QActivation(k.bits(6, 2))
    ),
    "transposed": lambda k: image(
        k,
        k.relu(),
        k.qkeras.QConv2DTranspose(
            3, 3, strides=2, padding="same", kernel_quantizer=k.bits(5), bias_quantizer=k.bits(5)
        ),
        k.relu(),
        k.qkeras.QConv2DTranspose(
            2, (3, 2), strides=(1, 2), kernel_quantizer="quantized_bits(5,0)", bias_quantizer=k.bits(5)
        ),
        k.relu(),
        shape=(4, 4, 2),
    ),
    "transposed binary": lambda k: image(
        k,
        k.qkeras.QConv2DTranspose(
            3, 3, strides=2, kernel_quantizer=k.qkeras.binary(alpha=0.5), bias_quantizer=k.bits(5)
        ),
        k.relu(),
        shape=(4, 4, 2),
    ),
    "excitation": excitation,
    "merges": merges,
    "shared layer": shared,
    "moves": lambda k: image(
        k,
        k.convolution(3, 3),
        k.relu(),
        k.layers.UpSampling2D((2, 3)),
        k.layers.Cropping2D(((1, 2), (0, 3))),
        k.layers.Permute((2, 3, 1)),
        k.layers.Flatten(),
        k.dense(2),
    ),
    "between cells": lambda k: image(
        k,
        k.convolution(3, 3),
        k.relu(),
        k.layers.UpSampling2D((2, 4), interpolation="bilinear"),
        k.relu(6, 1),
        k.convolution(2, 2),
        shape=(6, 5, 2),
    ),
    "normalization of rows": lambda k: image(
        k, k.convolution(3, 3), k.layers.BatchNormalization(axis=1), k.relu(), k.convolution(2, 2), shape=(6, 5, 2)
    ),
    "sequence moves": lambda k: image(
        k,
        k.sequence(3, 3),
        k.relu(),
        k.layers.UpSampling1D(2),
        k.layers.Cropping1D((1, 2)),
        k.layers.AveragePooling1D(3),
        k.relu(),
        k.layers.Permute((2, 1)),
        k.layers.GlobalMaxPooling1D(),
        shape=(9, 2),
    ),
    "means of nine and of 25": lambda k: image(
        k,
        k.convolution(3, 3),
        k.relu(),
        k.layers.AveragePooling2D(3, strides=1),
        k.relu(4, 1),
        k.layers.GlobalAveragePooling2D(),
        k.relu(6, 1),
        shape=(9, 9, 2),
    ),
    "quantized means": lambda k: image(
        k,
        k.convolution(3, 3),
        k.relu(),
        k.qkeras.QAveragePooling2D((2, 2), average_quantizer=k.bits(6)),
        k.qkeras.QGlobalAveragePooling2D(average_quantizer=k.bits(8)),
    ),
    "time distributed": lambda k: image(
        k, k.layers.TimeDistributed(k.dense(4)), k.relu(), k.layers.Flatten(), k.dense(2), shape=(5, 3)
    ),
    "coarse data before a fine leaky quantizer": lambda k: k.model(
        (5, 3),
        chain(
            k.qkeras.QActivation(k.bits(4, 2)), k.qkeras.QActivation(k.qkeras.quantized_relu(5, 0, negative_slope=0.5))
        ),
    ),
    "functions inside layers": lambda k: image(
        k,
        k.convolution(4, 3, activation="hard_sigmoid"),
        k.relu(6, 1),
        k.dense(3, activation="hard_sigmoid"),
        k.qkeras.QActivation("quantized_relu(6,1)"),
    ),
    "smooth functions": lambda k: image(
        k,
        k.convolution(4, 3),
        k.layers.Activation("sigmoid"),
        k.layers.Activation("tanh"),
        k.layers.ELU(0.5),
        k.layers.Activation("softplus"),
        k.layers.Activation("softsign"),
        k.layers.Activation("selu"),
        k.layers.Activation("hard_sigmoid"),
    ),
}

LOSSLESS = set(NETWORKS) - {"smooth functions"}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_whole_class_answers_as_keras_does(name: str, kit: Kit, tmp_path: Path) -> None:
    case = planned(NETWORKS[name](kit), 5, tmp_path / "model.h5")
    design, framework = case.design, evaluate(case.source, case.events, quantized=True)
    for output, wanted in zip(case.source.outputs, case.keras.outputs, strict=True):
        np.testing.assert_allclose(framework[output], wanted, rtol=3e-6, atol=3e-6)

    hardware = ReferenceEmulator(design).run(case.codes, trace=True)
    report = against_reference(design, hardware, framework, name="quantized network", exactness=1e-12)
    assert report.holds, report
    assert design.plan.is_lossless == (name in LOSSLESS), design.plan.losses
