"""Export a network to QKeras with the same layers and weights; TensorFlow never opens the user's file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import NotExportableError
from fpgacnn.ir import source as src
from fpgacnn.ir.shapes import same_padding
from fpgacnn.ir.source import SourceLayer, SourceModel
from fpgacnn.ir.text import quantizer_text
from fpgacnn.training.keras import Keras, KerasModel

Tensor: TypeAlias = Any
Arrays: TypeAlias = list[NDArray[np.float64]]

MOST_INTEGER_BITS = 30
"""QKeras computes 2 to this power with 32 bits."""

_SAFE = re.compile(r"[^A-Za-z0-9_]")

_FUNCTIONS = {
    src.FunctionKind.SIGMOID: "sigmoid",
    src.FunctionKind.TANH: "tanh",
    src.FunctionKind.SOFTPLUS: "softplus",
    src.FunctionKind.SOFTSIGN: "softsign",
    src.FunctionKind.SELU: "selu",
    src.FunctionKind.EXPONENTIAL: "exponential",
    src.FunctionKind.SWISH: "swish",
    src.FunctionKind.GELU: "gelu",
    src.FunctionKind.MISH: "mish",
}
"""Smooth functions by their name in Keras 2."""

_MERGES = {
    src.MergeKind.ADD: "Add",
    src.MergeKind.SUBTRACT: "Subtract",
    src.MergeKind.MULTIPLY: "Multiply",
    src.MergeKind.AVERAGE: "Average",
    src.MergeKind.MAXIMUM: "Maximum",
    src.MergeKind.MINIMUM: "Minimum",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QKerasExport:
    """`model` is saved; `trained` shares its layers and ends before a final softmax or sigmoid, at the logits.

    `kernels` are the variables for pruning. `names`: for each layer of the network, its name in the Keras model.
    """

    model: KerasModel
    trained: KerasModel
    kernels: tuple[Any, ...]
    names: Mapping[str, str]


def export_to_qkeras(modules: Keras, network: SourceModel) -> QKerasExport:
    """The Keras 2 model of a network, with QKeras layers for weights or results with quantizers.

    Raises NotExportableError with the layer that Keras 2 or QKeras lacks or cannot train.
    """
    builder = _Builder(modules=modules, network=network)
    for layer in network.layers:
        builder.add(layer)
    inputs = [builder.tensors[name] for name in network.inputs]
    outputs, title = [builder.tensors[name] for name in network.outputs], _SAFE.sub("_", f"q_{network.name}")
    model = modules.keras.Model(inputs, outputs, name=title)
    trained = modules.keras.Model(inputs, [builder.logits(name) for name in network.outputs])
    for keras_layer, arrays in builder.weights:
        keras_layer.set_weights(arrays)
    return QKerasExport(model=model, trained=trained, kernels=tuple(builder.kernels), names=builder.given)


def ends_in(network: SourceModel, name: str) -> src.Activation | None:
    """The softmax or sigmoid that gives an output, or None."""
    operation = network.layer(name).operation
    match operation:
        case src.Activate(function=src.Softmax()) | src.Activate(function=src.Function(kind=src.FunctionKind.SIGMOID)):
            return operation.function
        case _:
            return None


@dataclass(slots=True, kw_only=True)
class _Builder:
    modules: Keras
    network: SourceModel
    tensors: dict[str, Tensor] = field(default_factory=dict)
    weights: list[tuple[Any, Arrays]] = field(default_factory=list)
    kernels: list[Any] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    given: dict[str, str] = field(default_factory=dict)

    def add(self, layer: SourceLayer) -> None:
        given = [self.tensors[name] for name in layer.inputs]
        made = self._layer(layer, given)
        if tuple(made.shape[1:]) != layer.shape:
            raise NotExportableError(
                layer=layer.name,
                kind=layer.kind,
                why=f"Keras 2 gives it the shape {tuple(made.shape[1:])}, not {layer.shape}",
            )
        self.tensors[layer.name] = made

    def logits(self, name: str) -> Tensor:
        """The tensor before the final softmax or sigmoid of an output."""
        return self.tensors[name if ends_in(self.network, name) is None else self.network.layer(name).inputs[0]]

    def name(self, wanted: str) -> str:
        unique = self.unique(wanted)
        self.given.setdefault(wanted, unique)
        return unique

    def unique(self, wanted: str) -> str:
        safe = _SAFE.sub("_", wanted).lstrip("_") or "layer"
        unique = next(
            name
            for number in range(len(self.names) + 1)
            if (name := f"{safe}_{number}" if number else safe) not in self.names
        )
        self.names.add(unique)
        return unique

    def _layer(self, layer: SourceLayer, given: Sequence[Tensor]) -> Tensor:
        operation, layers, x = layer.operation, self.modules.keras.layers, given[0] if given else None
        match operation:
            case src.Input():
                return layers.Input(layer.shape, name=self.name(layer.name))
            case src.Convolution():
                return self._convolution(layer, operation, x)
            case src.Depthwise():
                return self._depthwise(layer, operation, x)
            case src.Transposed():
                return self._transposed(layer, operation, x)
            case src.Dense():
                options = self._quantizers(layer, "kernel", operation)
                made = self._class("Dense", operation)(layer.shape[-1], **options)
                return self._linear(layer, operation, operation.kernel.values, made, x)
            case src.BatchNormalization(statistics=statistics):
                made = layers.BatchNormalization(epsilon=statistics.epsilon, name=self.name(layer.name))
                made.trainable = (
                    "Batch" in layer.kind
                )  # Rescaling and Normalization belong to the data, not to the network
                self.weights.append((made, [weight.values for weight in src.statistics_weights(statistics)]))
                return made(x)
            case src.Activate(function=function):
                return self._activation(layer, function, x)
            case src.Pool():
                return self._pool(layer, operation, x)
            case src.GlobalPool():
                words = "Max" if operation.kind is src.PoolKind.MAX else "Average"
                return self._plain(f"Global{words}Pooling", layer, x, keepdims=operation.keep_dims)
            case src.ZeroPad(pads=borders) | src.Crop(borders=borders):
                words = "ZeroPadding" if isinstance(operation, src.ZeroPad) else "Cropping"
                return self._bordered(words, self.name(layer.name), borders, x)
            case src.Upsample(factors=factors):
                return self._plain("UpSampling", layer, x, size=factors[1] if _rank(x) == 1 else factors)
            case src.Permute(axes=axes):
                return layers.Permute([axis + 1 for axis in axes], name=self.name(layer.name))(x)
            case src.Reshape():
                flat = len(layer.shape) == 1
                return (
                    layers.Flatten(name=self.name(layer.name))
                    if flat
                    else layers.Reshape(layer.shape, name=self.name(layer.name))
                )(x)
            case src.Merge(kind=kind):
                return getattr(layers, _MERGES[kind])(name=self.name(layer.name))(list(given))
            case src.Concatenate(axis=axis):
                return layers.Concatenate(axis=axis + 1, name=self.name(layer.name))(list(given))
            case _:
                assert_never(operation)

    def _plain(self, words: str, layer: SourceLayer, x: Tensor, **options: Any) -> Tensor:
        """A Keras layer that exists in one and in two dimensions."""
        return getattr(self.modules.keras.layers, f"{words}{_rank(x)}D")(name=self.name(layer.name), **options)(x)

    def _class(self, words: str, operation: src.Linear) -> Callable[..., Any]:
        return (
            getattr(self.modules.keras.layers, words)
            if operation.kernel.quantizer is None
            else getattr(self.modules.qkeras, f"Q{words}")
        )

    def _quantizers(self, layer: SourceLayer, what: str, operation: src.Linear) -> dict[str, Any]:
        """The options that all linear layers share: name, bias, quantizers of kernel and bias."""
        options: dict[str, Any] = {"name": self.name(layer.name), "use_bias": operation.bias is not None}
        if operation.kernel.quantizer is not None:
            options[f"{what}_quantizer"] = self._quantizer(layer, operation.kernel.quantizer)
            if operation.bias is not None and operation.bias.quantizer is not None:
                options["bias_quantizer"] = self._quantizer(layer, operation.bias.quantizer)
        return options

    def _quantizer(self, layer: SourceLayer, quantizer: src.Quantizer) -> Any:
        """`quantized_bits`, with negative integer bits as a scale, see `_latent`."""
        if not isinstance(quantizer, src.QuantizedBits):
            raise NotExportableError(
                layer=layer.name,
                kind=layer.kind,
                why=f"fpgacnn does not make its quantizer {quantizer_text(quantizer)}",
            )
        if quantizer.integer > MOST_INTEGER_BITS:
            raise NotExportableError(
                layer=layer.name, kind=layer.kind, why=f"QKeras cannot compute with {quantizer.integer} integer bits"
            )
        return self.modules.qkeras.quantized_bits(quantizer.bits, max(quantizer.integer, 0), alpha=_scale(quantizer))

    def _linear(
        self, layer: SourceLayer, operation: src.Linear, kernel: NDArray[np.float64], made: Any, x: Tensor
    ) -> Tensor:
        result = made(x)
        arrays = [
            _latent(kernel, operation.kernel),
            *([] if operation.bias is None else [_latent(operation.bias.values, operation.bias)]),
        ]
        self.weights.append((made, arrays))
        self.kernels.append(made.weights[0])
        assert layer.shape[-1] == result.shape[-1]
        return result

    def _convolution(self, layer: SourceLayer, operation: src.Convolution, x: Tensor) -> Tensor:
        if operation.groups > 1:
            raise NotExportableError(
                layer=layer.name, kind=layer.kind, why="TensorFlow cannot train grouped convolutions on a processor"
            )
        rank, kernel = _rank(x), operation.kernel.values
        x, padding = self._padded(layer, x, kernel.shape[:2], operation)
        options = self._quantizers(layer, "kernel", operation)
        sizes = {"kernel_size": kernel.shape[:2], "strides": operation.strides, "dilation_rate": operation.dilation}
        along = {key: value[1] if rank == 1 else value for key, value in sizes.items()}
        made = self._class(f"Conv{rank}D", operation)(layer.shape[-1], padding=padding, **along, **options)
        return self._linear(layer, operation, kernel[0] if rank == 1 else kernel, made, x)

    def _depthwise(self, layer: SourceLayer, operation: src.Depthwise, x: Tensor) -> Tensor:
        """A row of two dimensions represents one dimension, which QKeras lacks."""
        layers, line, kernel = self.modules.keras.layers, _rank(x) == 1, operation.kernel.values
        if line:
            x = layers.Reshape((1, *x.shape[1:]), name=self.unique(f"{layer.name}_row"))(x)
        strides = (operation.strides[1],) * 2 if line else operation.strides
        if strides[0] != strides[1]:
            raise NotExportableError(
                layer=layer.name, kind=layer.kind, why=f"TensorFlow has no depthwise convolution of strides {strides}"
            )
        x, padding = self._padded(layer, x, kernel.shape[:2], operation)
        options = self._quantizers(layer, "depthwise", operation)
        make = self._class("DepthwiseConv2D", operation)
        made = make(
            kernel.shape[:2],
            strides=strides,
            padding=padding,
            dilation_rate=operation.dilation,
            depth_multiplier=kernel.shape[3],
            **options,
        )
        x = self._linear(layer, operation, kernel, made, x)
        return layers.Reshape(layer.shape, name=self.unique(f"{layer.name}_line"))(x) if line else x

    def _transposed(self, layer: SourceLayer, operation: src.Transposed, x: Tensor) -> Tensor:
        if _rank(x) == 1:
            raise NotExportableError(
                layer=layer.name, kind=layer.kind, why="QKeras has no transposed convolution of one dimension"
            )
        kernel, begin = operation.kernel.values, operation.begin
        same = (
            tuple(stride * length for stride, length in zip(operation.strides, x.shape[1:3], strict=True))
            == layer.shape[:2]
        )
        spare = tuple(
            max(size - stride, 0) // 2 for size, stride in zip(kernel.shape[:2], operation.strides, strict=True)
        )
        if begin != (spare if same else (0, 0)):
            raise NotExportableError(
                layer=layer.name,
                kind=layer.kind,
                why=f"its sums are cropped at {begin}, which is neither valid nor same padding",
            )
        options = self._quantizers(layer, "kernel", operation)
        make = self._class("Conv2DTranspose", operation)
        made = make(
            layer.shape[-1], kernel.shape[:2], strides=operation.strides, padding="same" if same else "valid", **options
        )
        return self._linear(layer, operation, kernel, made, x)

    def _padded(
        self, layer: SourceLayer, x: Tensor, size: Sequence[int], operation: src.Convolution | src.Depthwise
    ) -> tuple[Tensor, str]:
        """The tensor, with explicit zeros if the padding is neither `valid` nor `same`."""
        if not any(operation.pads):
            return x, "valid"
        if operation.pads == _same_pads(x, size, operation.strides, operation.dilation):
            return x, "same"
        return self._bordered("ZeroPadding", self.unique(f"{layer.name}_pad"), operation.pads, x), "valid"

    def _bordered(self, words: str, name: str, borders: tuple[int, int, int, int], x: Tensor) -> Tensor:
        rank, (top, bottom, left, right) = _rank(x), borders
        return getattr(self.modules.keras.layers, f"{words}{rank}D")(
            (left, right) if rank == 1 else ((top, bottom), (left, right)), name=name
        )(x)

    def _pool(self, layer: SourceLayer, operation: src.Pool, x: Tensor) -> Tensor:
        if any(operation.pads) and operation.pads != _same_pads(x, operation.size, operation.strides, (1, 1)):
            raise NotExportableError(
                layer=layer.name, kind=layer.kind, why=f"its padding {operation.pads} is neither valid nor same"
            )
        sizes = {"pool_size": operation.size, "strides": operation.strides}
        along = {key: value[1] if _rank(x) == 1 else value for key, value in sizes.items()}
        words = "MaxPooling" if operation.kind is src.PoolKind.MAX else "AveragePooling"
        return self._plain(words, layer, x, padding="same" if any(operation.pads) else "valid", **along)

    def _activation(self, layer: SourceLayer, function: src.Activation, x: Tensor) -> Tensor:
        layers, quantized = self.modules.keras.layers, self.modules.qkeras
        match function:
            case src.QuantizedRelu() | src.QuantizedBits() if not 0 <= function.integer <= MOST_INTEGER_BITS:
                raise NotExportableError(
                    layer=layer.name, kind=layer.kind, why=f"QKeras has no results of {function.integer} integer bits"
                )
            case src.QuantizedRelu():
                made = quantized.quantized_relu(function.bits, function.integer, negative_slope=function.negative_slope)
                return quantized.QActivation(made, name=self.name(layer.name))(x)
            case src.QuantizedBits():
                return quantized.QActivation(self._quantizer(layer, function), name=self.name(layer.name))(x)
            case src.Relu():
                options = {
                    "max_value": function.max_value,
                    "negative_slope": function.negative_slope,
                    "threshold": function.threshold,
                }
                return layers.ReLU(name=self.name(layer.name), **options)(x)
            case src.PRelu(slope=slope):
                shared = [
                    axis + 1
                    for axis, (one, full) in enumerate(zip(slope.shape, layer.shape, strict=True))
                    if one == 1 and full > 1
                ]
                made = layers.PReLU(shared_axes=shared or None, name=self.name(layer.name))
                self.weights.append((made, [slope]))
                return made(x)
            case src.Softmax():
                return layers.Activation("softmax", name=self.name(layer.name))(x)
            case src.Function(kind=src.FunctionKind.ELU):
                return layers.ELU(function.alpha, name=self.name(layer.name))(x)
            case src.Function(kind=src.FunctionKind.HARD_SIGMOID) if np.float32(function.alpha) == np.float32(0.2):
                return layers.Activation("hard_sigmoid", name=self.name(layer.name))(x)
            case src.Function() if function.kind in _FUNCTIONS:
                return layers.Activation(_FUNCTIONS[function.kind], name=self.name(layer.name))(x)
            case src.Function():
                raise NotExportableError(
                    layer=layer.name, kind=layer.kind, why=f"Keras 2 has no {function.kind.value} of this kind"
                )
            case (
                src.Binary()
                | src.Ternary()
                | src.PowerOfTwo()
                | src.QuantizedTanh()
                | src.QuantizedSigmoid()
                | src.Uniform()
            ):
                raise NotExportableError(
                    layer=layer.name,
                    kind=layer.kind,
                    why=f"fpgacnn does not make its quantizer {quantizer_text(function)}",
                )
            case _:
                assert_never(function)


def _scale(quantizer: src.QuantizedBits) -> float:
    return 2.0 ** min(quantizer.integer, 0)


def _latent(values: NDArray[np.float64], weight: src.Weight) -> NDArray[np.float64]:
    """The values that QKeras must store so that it computes with `values`.

    QKeras accepts no negative integer bits, and its `alpha` multiplies the rounded value. So small weights are stored
    divided by `alpha`, which also scales the steps of Adam.
    """
    return values / _scale(weight.quantizer) if isinstance(weight.quantizer, src.QuantizedBits) else values


def _rank(x: Tensor) -> int:
    """1 for lines, 2 for images."""
    return len(x.shape) - 2


def _same_pads(
    x: Tensor, size: Sequence[int], strides: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The zeros that TensorFlow's `same` puts around an image: top, bottom, left, right."""
    height, width = (1, x.shape[1]) if _rank(x) == 1 else (x.shape[1], x.shape[2])
    pads: list[int] = []
    for length, kernel, stride, step in zip((height, width), size, strides, dilation, strict=True):
        pads += same_padding(length, (kernel - 1) * step + 1, stride)
    return pads[0], pads[1], pads[2], pads[3]
