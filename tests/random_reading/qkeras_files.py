"""Random networks of QKeras: its layers with quantizers of every family, TensorFlow's functions and merges between.

One network in `WHOLE` is made of layers whose arithmetic is exact and of quantizers only. It is converted, and the
emulator's answers are compared with QKeras' as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fpgacnn.ir.source import FloatArray, Shape
from fpgacnn.training.keras import open_keras
from tests.random_reading.functional import Maker, N, Tensor, broadcasts, saved, shape_of
from tests.random_reading.keras2 import forgotten, functions
from tests.random_reading.law import Saved

WHOLE = 10
EVENTS = N
WHOLE_EVENTS = 64


@dataclass(slots=True)
class QMaker(Maker):
    """Draws one network of QKeras. `is_exact`: only scales that are powers of two, and no function but quantizers."""

    qkeras: Any = None
    is_exact: bool = False

    # --- quantizers ------------------------------------------------------------------------------------------------

    def _flag(self) -> int:
        return self._number(0, 1)

    def _for_values(self, *, as_text: bool = False) -> str:
        """The text of a quantizer of activations. `as_text`: the file holds the text, and so what objects forget."""
        pick, bits, whole = self._pick, self._number(2, 6), self._number(0, 2)
        alpha = pick([None, 1, 0.5, 2.0])
        texts: list[Callable[[], str]] = [
            lambda: call("quantized_bits", bits, whole, self._flag(), pick([1, 1, 0]), alpha=alpha),
            lambda: call("quantized_relu", bits, whole),
            lambda: call("quantized_relu", bits, whole, negative_slope=pick([0.25, 0.5])),
            lambda: call(
                "quantized_relu",
                bits,
                whole,
                relu_upper_bound=pick([1, 2]),
                is_quantized_clip=True if not as_text else pick([True, False]),
            ),
            lambda: call("quantized_relu", bits, whole, use_sigmoid=1),
            lambda: call("quantized_tanh", bits, symmetric=self._flag(), use_real_tanh=pick([True, False])),
            lambda: call("quantized_sigmoid", bits, symmetric=self._flag(), use_real_sigmoid=pick([True, False])),
            lambda: call("quantized_po2", self._number(2, 5), **self._powers()),
            lambda: call(
                "quantized_relu_po2", self._number(2, 5), negative_slope=pick([0, 0.25]), **self._powers(kept=as_text)
            ),
            lambda: call("binary", self._flag(), alpha=alpha),
            lambda: call("ternary", alpha=alpha, threshold=pick([None, 0.3, 0.5])),
            lambda: call(pick(["stochastic_ternary", "stochastic_binary"]), alpha=alpha),
        ]
        if not self.is_exact and self._chance(0.03):
            refused: list[str] = [
                "bernoulli(1)",
                "quantized_ulaw(4)",
                "quantized_hswish(4)",
                "quantized_bits(4,alpha='auto')",
                "binary(alpha='auto')",
            ]
            return str(pick(refused))
        return str(pick(texts)())

    def _stepped(self) -> str:
        """The text of a quantizer of activations that is a step function by itself, as files hold it."""
        symmetric, real = self._flag(), self._pick([True, False])
        return str(
            self._pick(
                [
                    call("quantized_tanh", self._number(3, 6), symmetric=symmetric, use_real_tanh=real),
                    call("quantized_sigmoid", self._number(3, 6), symmetric=symmetric, use_real_sigmoid=real),
                    call("quantized_po2", self._number(3, 5), **self._powers()),
                    call("quantized_relu_po2", self._number(3, 5), **self._powers()),
                ]
            )
        )

    def _powers(self, *, kept: bool = True) -> dict[str, Any]:
        """Options of the powers of two after the bits; objects of `quantized_relu_po2` forget the way of rounding."""
        rounding = self._pick(["rnd", "rnd", "floor"]) if kept else None
        return {
            "max_value": self._pick([None, None, 1, 2, 3]),
            "quadratic_approximation": self._chance(0.5),
            "log2_rounding": rounding,
        }

    def _for_weights(self, *, last: bool = True) -> Any:
        """A quantizer of kernels, as a text or as an object, or none.

        `last`: the channels are the kernel's last axis.
        """
        pick, bits = self._pick, self._number(2, 6)
        alpha = pick(
            [None, 1.0, 1.0, 0.5, 2.0, *([] if self.is_exact else [0.7, "auto", "auto", "auto_po2", "auto_po2"])]
        )
        texts = [
            *(call("quantized_bits", bits, self._number(0, 1), self._flag(), alpha=alpha),) * 4,
            call("binary", self._flag(), alpha=alpha),
            *(call(kind, alpha=alpha) for kind in ("ternary", "stochastic_ternary", "stochastic_binary")),
            call("ternary", alpha=alpha, threshold=0.25 if isinstance(alpha, float) else None),
            call("quantized_po2", self._number(2, 5), **self._powers()),
            call("quantized_relu_po2", self._number(2, 5), **self._powers(kept=False)),
            call("quantized_relu", bits, 0),
        ]
        if last and self._chance(0.1):
            return self.qkeras.quantized_bits(bits, 0, alpha=np.exp2(self.random.integers(-1, 2, N)).astype(np.float32))
        return None if self._chance(0.05) and not self.is_exact else self._written(pick(texts))

    def _for_biases(self) -> Any:
        bits = self._number(3, 7)
        texts = [
            call("quantized_bits", bits, self._number(0, 1), alpha=1),
            call("quantized_bits", bits, 1, 1),
            "quantized_po2(4)",
            "ternary(alpha=0.5)",
        ]
        return None if self._chance(0.15) and not self.is_exact else self._written(self._pick(texts))

    def _written(self, text: str) -> Any:
        """A quantizer as its text, or as QKeras' object."""
        return text if self._chance(0.5) else self.qkeras.get_quantizer(text)

    # --- layers ----------------------------------------------------------------------------------------------------

    def _common(self) -> dict[str, Any]:
        """What QKeras' layers with weights share but their kernels."""
        activation = self._written(self._for_values()) if self._chance(0.4) else None
        return {"activation": activation, "use_bias": self._chance(0.8), "bias_quantizer": self._for_biases()}

    def _dense(self) -> Any:
        return self.qkeras.QDense(N, kernel_quantizer=self._for_weights(), **self._common())

    def _called(self, layer: Any, x: Tensor) -> tuple[Tensor, str]:
        made, text = Maker._called(self, layer, x)
        quantizers = [*getattr(layer, "quantizers", []), getattr(layer, "activation", None)]
        words = [shown(one) for one in quantizers if one is not None]
        return made, f"{text} quantizers {words}"

    def _layer_for(self, shape: Shape) -> Any:
        """A layer of QKeras, sometimes one of Keras, for tensors of a shape."""
        q, pick = self.qkeras, self._pick
        if not self.is_exact and self._chance(0.15):
            return Maker._layer_for(self, shape)
        padding, rank = pick(["same", "valid"]), len(shape)
        every: list[Callable[[], Any]] = [
            self._dense,
            lambda: q.QActivation(self._for_values(as_text=True)),
            lambda: q.QActivation(self.qkeras.get_quantizer(self._for_values())),
            *([] if self.is_exact else [self._normalization]),
        ]
        sequence = [
            lambda: q.QConv1D(
                N, self._kernel(shape[0]), padding=padding, kernel_quantizer=self._for_weights(), **self._common()
            )
        ] * 2
        sequence += [lambda: self._separable(q.QSeparableConv1D, self._kernel(shape[0]), padding)]
        more = sequence if rank == 2 else self._images(shape, padding) if rank == 3 else []
        return pick(every + more)()

    def _images(self, shape: Shape, padding: str) -> list[Callable[[], Any]]:
        q, k, pick = self.qkeras, self.keras.layers, self._pick
        size = (self._kernel(shape[0]), self._kernel(shape[1]))
        made: list[Callable[[], Any]] = [
            lambda: q.QConv2D(
                N,
                size,
                padding=padding,
                strides=pick([1, 1, 2]),
                kernel_quantizer=self._for_weights(),
                **self._common(),
            ),
            lambda: self._depthwise(q.QDepthwiseConv2D, size, padding),
            lambda: self._separable(q.QSeparableConv2D, size, padding),
            lambda: k.MaxPooling2D(size, padding=padding),
        ]
        if self.is_exact:
            return made
        folded = {"epsilon": 2.0**-8, "folding_mode": pick(["ema_stats_folding", "batch_stats_folding"])}
        quantized = {
            "average_quantizer": pick([None, self._written("quantized_bits(6, 0, 1, alpha=1)")]),
            "activation": self._written(self._for_values()),
        }
        # The last axis of a transposed kernel is the input's channels, for which a scale per filter must fit.
        transposed = {"kernel_quantizer": self._for_weights(last=shape[-1] == N), "padding": padding}
        return [
            *made,
            lambda: q.QConv2DBatchnorm(
                N, size, padding=padding, kernel_quantizer=self._for_weights(), **folded, **self._common()
            ),
            lambda: self._depthwise(q.QDepthwiseConv2DBatchnorm, size, padding, **folded),
            lambda: q.QConv2DTranspose(N, 2, strides=pick([1, 2]), **transposed, **self._common()),
            lambda: q.QAveragePooling2D(size, padding="valid", **quantized),
            lambda: q.QGlobalAveragePooling2D(**quantized),
        ]

    def _depthwise(self, kind: Any, size: tuple[int, int], padding: str, **options: Any) -> Any:
        return kind(
            size, padding=padding, depthwise_quantizer=self._for_weights(last=False), **options, **self._common()
        )

    def _separable(self, kind: Any, size: Any, padding: str) -> Any:
        weights = {"depthwise_quantizer": self._for_weights(last=False), "pointwise_quantizer": self._for_weights()}
        return kind(N, size, padding=padding, **weights, **self._common())

    def _normalization(self) -> Any:
        """Its own quantizers, those of QKeras, or none."""
        names = ("beta", "gamma", "mean", "variance")
        chosen = self._pick(
            [
                {},
                dict.fromkeys(names),
                dict(zip(names, [f"quantized_bits({self._number(5, 8)}, 1, alpha=1)"] * 4, strict=True)),
            ]
        )
        options = {f"{name}_quantizer": one for name, one in chosen.items()}
        return self.qkeras.QBatchNormalization(
            epsilon=2.0**-8, scale=self._chance(0.8), center=self._chance(0.8), **options
        )

    # --- networks of exact arithmetic ------------------------------------------------------------------------------

    def _grow(self) -> None:
        if not self.is_exact:
            Maker._grow(self)
            return
        for _ in range(20):
            found = self._pick((*(self._layer,) * 6, self._again, self._flat, self._sum))()
            if found is not None:
                made, text = found
                self.pool.append(made)
                self.lines.append(f"t{len(self.pool) - 1} = {text}  # {shape_of(made)}")
                return

    def _flat(self) -> tuple[Tensor, str]:
        x = self._tensor()
        return self.keras.layers.Flatten()(x), f"Flatten({self._read(x)})"

    def _sum(self) -> tuple[Tensor, str]:
        """Addition or concatenation by a layer."""
        a = self._tensor()
        b = self._pick(
            [one for one in self.pool if shape_of(one) == shape_of(a) and broadcasts(shape_of(one), shape_of(a))]
        )
        kind = self._pick(
            [
                self.keras.layers.Add,
                self.keras.layers.Subtract,
                self.keras.layers.Concatenate,
                self.keras.layers.Maximum,
            ]
        )
        return kind()([a, b]), f"{kind.__name__}({self._read(a)}, {self._read(b)})"

    def _ended(self, x: Tensor) -> Tensor:
        """A dense layer that sees every value; in exact networks behind a quantizer, mostly a step function."""
        if self.is_exact:
            text = self._stepped() if self._chance(0.8) else self._for_values(as_text=True)
            x = self._logged(self.qkeras.QActivation(text), x)
        return self._logged(self._dense(), self.keras.layers.Flatten()(x))

    def _logged(self, layer: Any, x: Tensor) -> Tensor:
        made, text = self._called(layer, x)
        self.lines.append(f"end: {text}")
        return made


def call(name: str, *arguments: object, **options: object) -> str:
    """The text of a quantizer, without options that are None."""
    words = [*map(str, arguments), *(f"{key}={value!r}" for key, value in options.items() if value is not None)]
    return f"{name}({','.join(words)})"


def shown(quantizer: Any) -> str:
    """A quantizer with all of its options; QKeras cannot write all of them as texts."""
    return f"{type(quantizer).__name__}{quantizer.get_config()}" if hasattr(quantizer, "get_config") else str(quantizer)


def make(seed: int, folder: Path) -> Saved:
    """The network of a seed."""
    modules = open_keras()
    forgotten(modules.keras, seed)
    whole = seed % WHOLE == WHOLE - 1
    maker = QMaker(
        random=np.random.default_rng(seed),
        keras=modules.keras,
        functions=functions(),
        qkeras=modules.qkeras,
        is_exact=whole,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns that HDF5 is old
        plainly = modules.tf.autograph.experimental.do_not_convert(
            saved
        )  # converting QKeras' code takes most of the time
        model, found = plainly(maker, folder, steps=2 + seed % 5, count=WHOLE_EVENTS if whole else EVENTS)
    return replace(found, layers=lambda: _layers(modules.keras, model, found.inputs), is_whole=whole)


def _layers(keras: Any, model: Any, events: tuple[FloatArray, ...]) -> Mapping[str, FloatArray]:
    """QKeras' own result of every layer that is called once, those of inner models as `model/layer`."""
    shown = _results(keras, model)
    answers = keras.Model(model.inputs, [*shown.values(), *model.outputs])([one.astype(np.float32) for one in events])
    return {name: np.asarray(one, np.float64) for name, one in zip(shown, answers, strict=False)}


def _results(keras: Any, model: Any) -> dict[str, Any]:
    """The symbolic results of layers that are called once and give one tensor."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        is_model = isinstance(layer, keras.Model)
        first = int(is_model and layer.get_input_at(0) is layer.input)  # a model's first call is by its own inputs
        if isinstance(layer, keras.layers.InputLayer) or len(layer.inbound_nodes) != first + 1:
            continue
        result = layer.get_output_at(first)
        if not isinstance(result, list | tuple):
            found[layer.name] = result
        inside = _results(keras, layer) if is_model else {}
        if inside:
            given = layer.get_input_at(first)
            given = [given[key] for key in sorted(given)] if isinstance(given, dict) else given
            tensors = keras.Model(layer.inputs, [*inside.values(), *layer.outputs])(given)
            found |= {f"{layer.name}/{name}": one for name, one in zip(inside, tensors, strict=False)}
    return found
