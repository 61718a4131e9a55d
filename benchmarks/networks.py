"""The three networks of the emulator's benchmark, with seeded weights.

As fpgacnn's source network and as QKeras builds it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, PoolKind, Shape, SourceLayer, SourceModel, Statistics, Weight

WEIGHTS = src.QuantizedBits(bits=6, integer=0, alpha=1.0)
ACTIVATION = src.QuantizedRelu(bits=6, integer=2)
NO_PADS = (0, 0, 0, 0)


@dataclass(slots=True, kw_only=True)
class Recipe:
    """Grows a network layer by layer; `layers` tells the same to Keras."""

    name: str
    seed: int
    shape: Shape
    nodes: list[SourceLayer] = field(default_factory=list)
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.add("InputLayer", src.Input(), self.shape)

    def add(self, kind: str, operation: src.SourceOperation, shape: Shape) -> None:
        """The next layer."""
        name = f"layer{len(self.nodes)}"
        inputs = (self.nodes[-1].name,) if self.nodes else ()
        self.nodes.append(SourceLayer(name=name, kind=kind, operation=operation, inputs=inputs, shape=shape))
        self.shape = shape

    def weights(self, shape: Shape) -> tuple[Weight, Weight]:
        """A kernel and a bias."""
        kernel = self.random.normal(0, 1.2 / np.sqrt(prod(shape[:-1])), shape).astype(np.float32)
        bias = self.random.normal(0, 0.15, shape[-1:]).astype(np.float32)
        return Weight(values=kernel.astype(np.float64), quantizer=WEIGHTS), Weight(
            values=bias.astype(np.float64), quantizer=WEIGHTS
        )

    def convolution(self, filters: int) -> None:
        """3x3, valid."""
        kernel, bias = self.weights((3, 3, self.shape[-1], filters))
        shape = (self.shape[0] - 2, self.shape[1] - 2, filters)
        self.add("QConv2D", src.Convolution(kernel=kernel, bias=bias, strides=(1, 1), pads=NO_PADS), shape)

    def dense(self, units: int) -> None:
        """A dense layer."""
        kernel, bias = self.weights((self.shape[0], units))
        self.add("QDense", src.Dense(kernel=kernel, bias=bias), (units,))

    def normalization(self) -> None:
        """Batch normalization with a positive scale."""
        size = self.shape[-1]
        numbers = [
            self.random.uniform(0.5, 1.5, size),
            self.random.normal(0, 0.2, size),
            self.random.normal(0, 0.3, size),
            self.random.uniform(0.3, 2, size),
        ]
        gamma, beta, mean, variance = (Weight(values=one.astype(np.float32).astype(np.float64)) for one in numbers)
        statistics = Statistics(gamma=gamma, beta=beta, mean=mean, variance=variance, epsilon=1e-3)
        self.add("BatchNormalization", src.BatchNormalization(statistics=statistics), self.shape)

    def activation(self) -> None:
        """A 6-bit ReLU."""
        self.add("QActivation", src.Activate(function=ACTIVATION), self.shape)

    def pool(self) -> None:
        """A 2x2 maximum."""
        shape = (self.shape[0] // 2, self.shape[1] // 2, self.shape[2])
        self.add("MaxPooling2D", src.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=NO_PADS), shape)

    def flatten(self) -> None:
        """A row."""
        self.add("Flatten", src.Reshape(), (prod(self.shape),))

    def model(self) -> SourceModel:
        """The network."""
        digest = hashlib.sha256(f"{self.name}{self.seed}".encode()).hexdigest()
        ends = (self.nodes[0].name,), (self.nodes[-1].name,)
        return SourceModel(
            name=self.name,
            digest=digest,
            framework="benchmark",
            layers=tuple(self.nodes),
            inputs=ends[0],
            outputs=ends[1],
        )


def mlp() -> SourceModel:
    """The jet tagger of hls4ml's papers: 16-64-32-32-5."""
    recipe = Recipe(name="mlp", seed=3, shape=(16,))
    for units in (64, 32, 32):
        recipe.dense(units)
        recipe.activation()
    recipe.dense(5)
    return recipe.model()


def cnn() -> SourceModel:
    """Two convolutions on 14x14 pixels."""
    recipe = Recipe(name="cnn", seed=3, shape=(14, 14, 1))
    recipe.convolution(8)
    recipe.activation()
    recipe.pool()
    recipe.convolution(8)
    recipe.activation()
    recipe.flatten()
    recipe.dense(10)
    return recipe.model()


def svhn() -> SourceModel:
    """The CNN of arXiv:2101.05108 on 32x32 pixels in three colours."""
    recipe = Recipe(name="svhn", seed=3, shape=(32, 32, 3))
    for filters in (16, 16, 24):
        recipe.convolution(filters)
        recipe.normalization()
        recipe.activation()
        recipe.pool()
    recipe.flatten()
    for units in (42, 64):
        recipe.dense(units)
        recipe.normalization()
        recipe.activation()
    recipe.dense(10)
    return recipe.model()


NETWORKS: dict[str, tuple[Callable[[], SourceModel], str]] = {
    "mlp": (mlp, "fixed<8,3>"),
    "cnn": (cnn, "ufixed<8,0>"),
    "svhn": (svhn, "ufixed<8,0>"),
}
"""Name -> the network and the format of its input."""


def keras_model(network: SourceModel) -> Any:
    """The same network in QKeras, with the same weights.

    Raises ImportError where the extra `train` is missing.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras as keras
    from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu

    weights = {"kernel_quantizer": quantized_bits(6, 0, alpha=1), "bias_quantizer": quantized_bits(6, 0, alpha=1)}
    start = at = keras.layers.Input(network.layers[0].shape)
    values: list[tuple[Any, Sequence[FloatArray]]] = []
    for layer in network.layers[1:]:
        operation = layer.operation
        given: Sequence[FloatArray] = ()
        match operation:
            case src.Convolution():
                made, given = QConv2D(layer.shape[-1], 3, **weights), (operation.kernel.values, operation.bias.values)
            case src.Dense():
                made, given = QDense(layer.shape[-1], **weights), (operation.kernel.values, operation.bias.values)
            case src.BatchNormalization():
                made, one = keras.layers.BatchNormalization(), operation.statistics
                given = (one.gamma.values, one.beta.values, one.mean.values, one.variance.values)
            case src.Activate():
                made = QActivation(quantized_relu(6, 2))
            case src.Pool():
                made = keras.layers.MaxPooling2D(2)
            case _:
                made = keras.layers.Flatten()
        at = made(at)
        values.append((made, given))
    for made, given in values:
        if given:
            made.set_weights(list(given))
    return keras.Model(start, at)
