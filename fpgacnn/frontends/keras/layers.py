"""The white list: how each Keras and QKeras layer class becomes operations.

A parser takes what the file says about one layer and gives the chain of operations that it stands for. A class that
is not in `PARSERS`, `NO_OPERATION` or handled by the graph reader is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias, TypedDict

import numpy as np

from fpgacnn.errors import NonFiniteWeightsError, ShapeError, UnsupportedLayerError, WeightsError
from fpgacnn.frontends.keras.quantizers import is_quantizer, parse_quantizer
from fpgacnn.frontends.keras.settings import Json, Settings
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, Shape

CODE_CARRIERS = frozenset(
    {"Lambda", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer", "TFSMLayer", "RandomFourierFeatures"}
)
"""Classes that hold Python code or the name of a function to call."""

NO_OPERATION = frozenset(
    {
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "AlphaDropout",
        "GaussianDropout",
        "GaussianNoise",
        "ActivityRegularization",
    }
)
"""Classes that do nothing at inference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation of a layer and the shape of its result."""

    operation: src.SourceOperation
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that the file says about one use of a layer."""

    settings: Settings
    kind: str
    inputs: tuple[Shape, ...]
    arrays: Mapping[str, FloatArray]

    @property
    def name(self) -> str:
        """The layer's name in the file."""
        return self.settings.layer

    @property
    def input(self) -> Shape:
        """Shape of the only input."""
        if len(self.inputs) != 1:
            raise self.shape_error(f"one input expected, found {len(self.inputs)}")
        return self.inputs[0]

    def shape_error(self, why: str) -> ShapeError:
        """The error for an input that does not fit."""
        return ShapeError(layer=self.name, why=why)

    def image(self, rank: int) -> tuple[int, int, int]:
        """Height, width and channels of the input; height 1 for one-dimensional data."""
        if len(self.input) != rank + 1:
            raise self.shape_error(f"{self.kind} needs an input of {rank + 1} axes, found {self.input}")
        return (1, *self.input) if rank == 1 else self.input  # type: ignore[return-value]  # length checked above

    def weight(self, name: str, shape: Shape, quantizer: Json = None) -> src.Weight:
        """A trained array of the layer, checked for presence, shape and finiteness."""
        values = self.arrays.get(name)
        file = self.settings.file
        if values is None:
            raise WeightsError(file=file, layer=self.name, why=f"its {name} is not in the file")
        if values.shape != shape:
            raise WeightsError(file=file, layer=self.name, why=f"{name} has shape {values.shape}, expected {shape}")
        bad = int(values.size - np.isfinite(values).sum())
        if bad:
            raise NonFiniteWeightsError(file=file, layer=self.name, weight=name, count=bad, total=values.size)
        return src.Weight(values=values, quantizer=parse_quantizer(quantizer, layer=self.name))


class _Folded(TypedDict, total=False):
    folded: src.Statistics
    folded_bias_quantizer: src.Quantizer | None


Parser: TypeAlias = Callable[[Context], list[Step]]


def parse_layer(context: Context) -> list[Step]:
    """The operations of one layer, in order.

    Raises UnsupportedLayerError for classes that are not on the white list.
    """
    parser = PARSERS.get(context.kind)
    if parser is None:
        raise UnsupportedLayerError(layer=context.name, kind=context.kind, why="")
    _refuse_channels_first(context.settings)
    return parser(context)


def _refuse_channels_first(settings: Settings) -> None:
    if settings.get("data_format") == "channels_first":
        raise settings.unsupported("data_format='channels_first' is not supported", "train with channels last")


def _trainable_quantizer(value: Json) -> Json:
    """QKeras turns a kernel quantizer without alpha into `auto_po2` when the layer is made (qlayers.py)."""
    if isinstance(value, dict) and str(value.get("class_name")).endswith("quantized_bits"):
        config = value.get("config")
        if isinstance(config, dict) and config.get("alpha") is None:
            return {**value, "config": {**config, "alpha": "auto_po2"}}
    if isinstance(value, str) and value.startswith("quantized_bits") and "alpha" not in value:
        return value[:-1] + ",alpha='auto_po2')" if value.endswith(")") else value + "(alpha='auto_po2')"
    return value


def _embedded_activation(context: Context, shape: Shape) -> list[Step]:
    """The `activation` option of a layer as a step of its own."""
    function = parse_activation(context.settings.get("activation"), context)
    return [] if function is None else [Step(operation=src.Activate(function=function), shape=shape)]


def parse_activation(value: Json, context: Context) -> src.Activation | None:
    """An activation by its JSON; None for linear.

    Raises UnsupportedOptionError for functions that no hardware is written for.
    """
    if isinstance(value, dict) and value.get("class_name") == "function":
        value = value.get("config")
    if isinstance(value, dict) and value.get("class_name") in PARSERS and isinstance(value.get("config"), dict):
        inner = replace(context.settings, values=value["config"])  # type: ignore[arg-type]  # checked to be a dict
        return parse_keras_activation_layer(str(value["class_name"]), inner)
    if value is None or value == "linear":
        return None
    if is_quantizer(value):
        return parse_quantizer(value, layer=context.name)
    if value == "relu":
        return src.Relu()
    if value == "relu6":
        return src.Relu(max_value=6.0)
    if value == "softmax":
        return src.Softmax()
    raise context.settings.unsupported(f"activation {value!r} is not supported", "use relu, softmax or a QKeras quantizer")


def parse_keras_activation_layer(kind: str, settings: Settings) -> src.Activation:
    """Keras' `ReLU` and `Softmax` layers."""
    if kind == "ReLU":
        limit = settings.get("max_value")
        return src.Relu(
            max_value=None if limit is None else settings.number("max_value", 0.0),
            negative_slope=settings.number("negative_slope", 0.0),
            threshold=settings.number("threshold", 0.0),
        )
    if kind == "Softmax":
        if settings.get("axis", -1) not in (-1, [-1]):
            raise settings.unsupported("softmax over another axis than the last is not supported", "use axis=-1")
        return src.Softmax()
    raise settings.unsupported(f"activation {kind} is not supported", "use ReLU, Softmax or a QKeras quantizer")


def _activation_layer(context: Context) -> list[Step]:
    if context.kind in {"ReLU", "Softmax"}:
        function: src.Activation | None = parse_keras_activation_layer(context.kind, context.settings)
    else:
        function = parse_activation(context.settings.get("activation"), context)
    if function is None:
        return []
    return [Step(operation=src.Activate(function=function), shape=context.input)]


# --- linear layers -------------------------------------------------------------------------------------------------


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, as TensorFlow's SAME has them: the odd one comes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _padding(context: Context, image: tuple[int, int, int], kernel: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int, int, int]:
    allowed = ("valid", "same", "causal") if context.kind.endswith("1D") else ("valid", "same")
    padding = context.settings.word("padding", allowed, "valid")
    if padding == "same":
        return (*_same_padding(image[0], kernel[0], strides[0]), *_same_padding(image[1], kernel[1], strides[1]))
    return (0, 0, kernel[1] - 1 if padding == "causal" else 0, 0)


def _window_outputs(
    context: Context, image: tuple[int, int, int], pads: tuple[int, int, int, int], kernel: tuple[int, int], strides: tuple[int, int]
) -> tuple[int, int]:
    height = (image[0] + pads[0] + pads[1] - kernel[0]) // strides[0] + 1
    width = (image[1] + pads[2] + pads[3] - kernel[1]) // strides[1] + 1
    if height < 1 or width < 1:
        raise context.shape_error(f"a {kernel[0]}x{kernel[1]} window does not fit the input {context.input}")
    return height, width


def _pair(settings: Settings, key: str, rank: int, default: tuple[int, ...] | None = None) -> tuple[int, int]:
    """A size option as (height, width); height 1 for one-dimensional layers."""
    values = settings.sizes(key, rank, default)
    return (1, values[0]) if rank == 1 else (values[0], values[1])


def _refuse_groups_and_dilation(settings: Settings, rank: int) -> None:
    if settings.integer("groups", 1) != 1:
        raise settings.unsupported("grouped convolution is not supported", "use groups=1")
    if set(settings.sizes("dilation_rate", rank, (1,) * rank)) != {1}:
        raise settings.unsupported("dilated convolution is not supported", "use dilation_rate=1")


def _convolution(context: Context) -> list[Step]:
    settings = context.settings
    rank = 1 if "1D" in context.kind else 2
    image = context.image(rank)
    _refuse_groups_and_dilation(settings, rank)
    kernel, strides = _pair(settings, "kernel_size", rank), _pair(settings, "strides", rank, (1,) * rank)
    filters = settings.integer("filters")
    pads = _padding(context, image, kernel, strides)
    height, width = _window_outputs(context, image, pads, kernel, strides)
    stored = (*kernel, image[2], filters)[2 - rank :]
    weight = context.weight("kernel", stored, _trainable_quantizer(settings.get("kernel_quantizer")))
    operation = src.Convolution(
        kernel=replace(weight, values=weight.values.reshape(*kernel, image[2], filters)),
        bias=_bias(context, filters),
        strides=strides,
        pads=pads,
        **_folded(context, filters),
    )
    shape = (height, width, filters)[2 - rank :]
    return [Step(operation=operation, shape=shape), *_embedded_activation(context, shape)]


def _folded(context: Context, channels: int) -> _Folded:
    """The batch normalization inside a `...Batchnorm` layer; empty for others."""
    if not context.kind.endswith("Batchnorm"):
        return {}
    quantizer = parse_quantizer(context.settings.get("bias_quantizer"), layer=context.name)
    return {"folded": _statistics(context, channels, quantized=False), "folded_bias_quantizer": quantizer}


def _bias(context: Context, size: int) -> src.Weight | None:
    if not context.settings.flag("use_bias", default=True):
        return None
    return context.weight("bias", (size,), context.settings.get("bias_quantizer"))


def _dense(context: Context) -> list[Step]:
    settings = context.settings
    units = settings.integer("units")
    features = context.input[-1]
    kernel = context.weight("kernel", (features, units), _trainable_quantizer(settings.get("kernel_quantizer")))
    bias, shape = _bias(context, units), (*context.input[:-1], units)
    operation: src.SourceOperation = src.Dense(kernel=kernel, bias=bias)
    if len(context.input) > 3:
        raise context.shape_error(f"Dense on {len(context.input)} axes is not supported")
    if len(context.input) > 1:
        pointwise = replace(kernel, values=kernel.values.reshape(1, 1, features, units))
        operation = src.Convolution(kernel=pointwise, bias=bias, strides=(1, 1), pads=(0, 0, 0, 0))
    return [Step(operation=operation, shape=shape), *_embedded_activation(context, shape)]


def _statistics(context: Context, channels: int, *, quantized: bool) -> src.Statistics:
    settings = context.settings

    def part(name: str, option: str, used: bool, neutral: float) -> src.Weight:  # noqa: FBT001  # local helper
        if not used:
            return src.Weight(values=np.full((channels,), neutral))
        key = f"{option}_quantizer"
        value = settings.get(key) if quantized else None
        return context.weight(name, (channels,), _trainable_quantizer(value) if option in {"gamma", "variance"} else value)

    return src.Statistics(
        gamma=part("gamma", "gamma", settings.flag("scale", default=True), 1.0),
        beta=part("beta", "beta", settings.flag("center", default=True), 0.0),
        mean=part("moving_mean", "mean", True, 0.0),  # noqa: FBT003  # local helper
        variance=part("moving_variance", "variance", True, 1.0),  # noqa: FBT003  # local helper
        epsilon=settings.number("epsilon", 1e-3),
    )


def _batch_normalization(context: Context) -> list[Step]:
    settings, shape = context.settings, context.input
    axis = settings.get("axis", -1)
    axes = axis if isinstance(axis, list) else [axis]
    if axes not in ([-1], [len(shape)]):
        raise settings.unsupported(f"normalization along axis {axis} is not supported", "normalize the last axis")
    statistics = _statistics(context, shape[-1], quantized=context.kind == "QBatchNormalization")
    if np.any(statistics.variance.values + statistics.epsilon <= 0):
        raise settings.unsupported("a variance is negative", "train again; the moving variance must not be negative")
    operation = src.BatchNormalization(statistics=statistics)
    return [Step(operation=operation, shape=shape), *_embedded_activation(context, shape)]


# --- shapes and pooling --------------------------------------------------------------------------------------------


def _pool(context: Context) -> list[Step]:
    rank = 1 if "1D" in context.kind else 2
    image = context.image(rank)
    size = _pair(context.settings, "pool_size", rank)
    strides = size if context.settings.get("strides") is None else _pair(context.settings, "strides", rank)
    pads = _padding(context, image, size, strides)
    height, width = _window_outputs(context, image, pads, size, strides)
    kind = src.PoolKind.MAX if "Max" in context.kind else src.PoolKind.AVERAGE
    shape = (height, width, image[2])[2 - rank :]
    return [Step(operation=src.Pool(kind=kind, size=size, strides=strides, pads=pads), shape=shape)]


def _global_pool(context: Context) -> list[Step]:
    rank = 1 if "1D" in context.kind else 2
    channels = context.image(rank)[2]
    keep = context.settings.flag("keepdims", default=False)
    kind = src.PoolKind.MAX if "Max" in context.kind else src.PoolKind.AVERAGE
    shape = (1,) * rank * keep + (channels,)
    return [Step(operation=src.GlobalPool(kind=kind, keep_dims=keep), shape=shape)]


def _border(settings: Settings, key: str, rank: int) -> tuple[int, int, int, int]:
    """`1`, `[1, 2]` or `[[1, 2], [3, 4]]` as top, bottom, left, right."""
    value = settings.get(key, 1)
    axes: list[Json] = value if isinstance(value, list) else [value] * rank
    if rank == 1:
        axes = [value if isinstance(value, list) else [value, value]]
    pairs = [axis if isinstance(axis, list) else [axis, axis] for axis in axes]
    flat = [number for pair in pairs for number in pair]
    if len(flat) != 2 * rank or any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= 1 << 12 for n in flat):
        raise settings.broken(key, f"expected sizes of borders, found {value!r}")
    top_bottom = (0, 0) if rank == 1 else (flat[0], flat[1])
    return (*top_bottom, flat[-2], flat[-1])  # type: ignore[return-value]  # checked to be whole numbers


def _zero_padding(context: Context) -> list[Step]:
    rank = 1 if "1D" in context.kind else 2
    height, width, channels = context.image(rank)
    top, bottom, left, right = pads = _border(context.settings, "padding", rank)
    shape = (height + top + bottom, width + left + right, channels)[2 - rank :]
    return [Step(operation=src.ZeroPad(pads=pads), shape=shape)]


def _flatten(context: Context) -> list[Step]:
    return [Step(operation=src.Reshape(), shape=(prod(context.input),))]


def _reshape(context: Context) -> list[Step]:
    target = context.settings.get("target_shape")
    items = target if isinstance(target, list) else []
    if not items or any(isinstance(n, bool) or not isinstance(n, int) or n == 0 or n < -1 for n in items):
        raise context.settings.broken("target_shape", f"expected sizes, found {target!r}")
    sizes = [n for n in items if isinstance(n, int)]
    total, known = prod(context.input), prod(n for n in sizes if n > 0)
    if sizes.count(-1) > 1 or total % known or (-1 not in sizes and total != known):
        raise context.shape_error(f"{context.input} cannot become {target}")
    shape = tuple(total // known if n == -1 else n for n in sizes)
    return [Step(operation=src.Reshape(), shape=shape)]


# --- several inputs ------------------------------------------------------------------------------------------------


def _merge(context: Context) -> list[Step]:
    if len(context.inputs) < 2:
        raise context.shape_error("two or more inputs expected")
    if len(set(context.inputs)) != 1:
        raise context.shape_error(f"inputs of different shapes {context.inputs} are not supported")
    return [Step(operation=src.Merge(kind=MERGES[context.kind]), shape=context.inputs[0])]


def _concatenate(context: Context) -> list[Step]:
    rank = len(context.inputs[0])
    axis = context.settings.get("axis", -1)
    if isinstance(axis, bool) or not isinstance(axis, int) or axis == 0 or not -rank <= axis <= rank:
        raise context.settings.unsupported(f"axis {axis!r} is not supported", "concatenate along an axis of the data")
    axis = axis - 1 if axis > 0 else axis + rank
    rest = {(len(shape), shape[:axis], shape[axis + 1 :]) for shape in context.inputs}
    if len(rest) != 1:
        raise context.shape_error(f"{context.inputs} cannot be concatenated along axis {axis + 1}")
    total = sum(shape[axis] for shape in context.inputs)
    shape = (*context.inputs[0][:axis], total, *context.inputs[0][axis + 1 :])
    return [Step(operation=src.Concatenate(axis=axis), shape=shape)]


MERGES: Mapping[str, src.MergeKind] = {"Add": src.MergeKind.ADD}

PARSERS: Mapping[str, Parser] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "QConv1D", "QConv2D", "QConv2DBatchnorm", "Convolution1D", "Convolution2D"), _convolution),
    **dict.fromkeys(("Dense", "QDense"), _dense),
    **dict.fromkeys(("BatchNormalization", "BatchNormalizationV1", "QBatchNormalization"), _batch_normalization),
    **dict.fromkeys(("Activation", "QActivation", "ReLU", "Softmax"), _activation_layer),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"), _pool),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"), _global_pool),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _zero_padding),
    "Flatten": _flatten,
    "Reshape": _reshape,
    **dict.fromkeys(MERGES, _merge),
    "Concatenate": _concatenate,
}
