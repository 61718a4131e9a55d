"""Random networks of Keras 2 (even seeds) and Keras 3 (odd seeds) in which most layers have their channels first.

Without a GPU, TensorFlow's kernels have no channels first, so XLA compiles the networks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fpgacnn.ir.source import Shape
from fpgacnn.training.keras import open_keras
from tests.random_reading import keras2, keras3
from tests.random_reading.functional import Maker, N, saved
from tests.random_reading.law import Saved

FIRST = {"data_format": "channels_first"}


class FirstMaker(Maker):
    """Draws a network of layers with channels first, and of some with channels last."""

    __slots__ = ()

    def _layer_for(self, shape: Shape) -> Any:
        rank = len(shape)
        if rank not in {2, 3} or self._chance(0.3):
            return Maker._layer_for(self, shape)
        return self._pick(self._sequence(shape) if rank == 2 else self._image(shape))()

    def _options(self) -> dict[str, Any]:
        activations = [None, "relu", "tanh", "softmax"]
        return {"padding": self._pick(["same", "valid"]), "activation": self._pick(activations), **FIRST}

    def _filters(self) -> int:
        """As many as the rows are long, or one more: Keras 3 with TensorFlow mistakes the axis of as many biases."""
        return N + self._number(0, 1)

    def _any_rank(self, shape: Shape) -> list[Callable[[], Any]]:
        k = self.keras.layers
        places = list(range(2, len(shape) + 1))
        return [
            *(lambda: k.Flatten(**FIRST),) * 3,
            lambda: k.BatchNormalization(axis=self._pick([1, -len(shape)]), epsilon=2.0**-8),
            lambda: k.PReLU(shared_axes=self._pick([None, places, [1]])),
            lambda: k.Permute((*places, 1)),
            lambda: k.Permute((len(shape), *range(1, len(shape)))),
        ]

    def _sequence(self, shape: Shape) -> list[Callable[[], Any]]:
        k, pick = self.keras.layers, self._pick
        return [
            *self._any_rank(shape),
            lambda: k.Conv1D(self._filters(), self._kernel(shape[1]), strides=pick([1, 2]), **self._options()),
            lambda: k.SeparableConv1D(self._filters(), self._kernel(shape[1]), **self._options()),
            lambda: pick([k.MaxPooling1D, k.AveragePooling1D])(self._kernel(shape[1]), strides=pick([1, 2]), **FIRST),
            lambda: pick([k.GlobalMaxPooling1D, k.GlobalAveragePooling1D])(keepdims=self._chance(0.5), **FIRST),
        ]

    def _image(self, shape: Shape) -> list[Callable[[], Any]]:
        k, pick, least = self.keras.layers, self._pick, min(shape[1:])
        return [
            *self._any_rank(shape),
            lambda: k.Conv2D(self._filters(), self._kernel(least), strides=pick([1, 1, 2]), **self._options()),
            lambda: k.Conv2D(
                self._filters(), (1, self._kernel(least)), dilation_rate=pick([1, (1, 2)]), padding="same", **FIRST
            ),
            lambda: k.DepthwiseConv2D(self._kernel(least), depth_multiplier=pick([1, 2]), **self._options()),
            lambda: k.SeparableConv2D(self._filters(), self._kernel(least), **self._options()),
            lambda: k.Conv2DTranspose(self._filters(), 2, strides=pick([1, 2]), **self._options()),
            lambda: pick([k.MaxPooling2D, k.AveragePooling2D])(
                (self._kernel(shape[1]), self._kernel(shape[2])), strides=pick([1, 2, None]), **FIRST
            ),
            lambda: pick([k.GlobalMaxPooling2D, k.GlobalAveragePooling2D])(keepdims=self._chance(0.5), **FIRST),
            lambda: k.ZeroPadding2D(((self._number(0, 1), 1), (self._number(0, 2), 0)), **FIRST),
            lambda: k.UpSampling2D((pick([1, 2]), 2), interpolation=pick(["nearest", "bilinear"]), **FIRST),
            *([lambda: k.Cropping2D(((0, 1), (1, 0)), **FIRST)] if least > 1 else []),
        ]


def make(seed: int, folder: Path) -> Saved:
    """The network of a seed."""
    modules = open_keras()
    random = np.random.default_rng(seed)

    def compiled(model: Any, events: list[Any]) -> Any:
        return modules.tf.function(model, jit_compile=True)(events, training=False)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns that HDF5 is old
        if seed % 2:
            import keras

            keras.backend.clear_session(free_memory=False)
            maker = FirstMaker(random=random, keras=keras, functions=keras3.functions(keras.ops))
            return saved(maker, folder, steps=2 + seed % 5, count=keras3.EVENTS, run=compiled)[1]
        keras2.forgotten(modules.keras, seed)
        maker = FirstMaker(random=random, keras=modules.keras, functions=keras2.functions())
        plainly = modules.tf.autograph.experimental.do_not_convert(saved)
        found: Saved = plainly(maker, folder, steps=2 + seed % 5, run=compiled)[1]
        return found
