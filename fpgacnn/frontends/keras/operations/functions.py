"""Functions between layers (`x + y`, `tf.nn.relu(x)`, `ops.mean(x, axis=1)`) as the operations they stand for.

Axes are counted with that of events, as in the frameworks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation, Parser
from fpgacnn.frontends.keras.layer_config import Json
from fpgacnn.frontends.keras.nodes import OPERATION
from fpgacnn.frontends.keras.operations import axes, axis_functions, linear, shaping, slicing
from fpgacnn.frontends.keras.operations.activations import activation_layer, parse_activation
from fpgacnn.frontends.result import MAX_VALUES
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, Shape

_ONE_CELL = (0, 0, 0, 0)


def _word(context: LayerContext) -> str:
    return context.kind.removeprefix(OPERATION)


def _operands(context: LayerContext) -> tuple[FloatArray, bool] | None:
    """The constant among two operands, without the axis of events, and whether it is first; None for two tensors.

    Raises UnsupportedOptionError for constants that differ from event to event.
    """
    operands = context.settings.get("operands")
    if not isinstance(operands, list) or len(operands) != 2:  # left and right
        raise context.shape_error("two operands expected")
    constants = [number for number, one in enumerate(operands) if one is not None]
    if not constants:
        return None
    return linear.constant(context, operands[constants[0]], "operands"), constants[0] == 0


def _grown(context: LayerContext, constant: FloatArray) -> tuple[list[ParsedOperation], Shape]:
    """The only input repeated where a constant is larger, and the shape of both together."""
    shape = context.input
    try:
        target = np.broadcast_shapes(shape, constant.shape)
    except ValueError as error:
        raise context.shape_error(
            f"a constant of shape {constant.shape} does not fit a tensor of shape {shape}"
        ) from error
    if prod(target) > MAX_VALUES:
        raise context.shape_error(f"a constant of shape {constant.shape} makes a tensor of shape {shape} too large")
    return axes.repeated(context, shape, target), target


def _line(shape: Shape, scale: FloatArray | float, shift: FloatArray | float) -> list[ParsedOperation]:
    """`x * scale + shift`."""
    return linear.line(shape, gamma=scale, beta=shift, mean=0.0, variance=1.0)


def _merged(context: LayerContext) -> list[ParsedOperation]:
    """Two or more tensors; of unequal ranks they would fit with their events against each other's places.

    Raises UnsupportedOptionError for those.
    """
    if len(set(map(len, context.inputs))) != 1:
        shapes = ", ".join(map(str, context.inputs))
        raise context.settings.unsupported(
            f"tensors of shapes {shapes} would mix events", "use the layer that does the same, or expand_dims"
        )
    return shaping.merge(replace(context, kind=_word(context).capitalize()))


def _arithmetic(context: LayerContext) -> list[ParsedOperation]:
    """Add, subtract, multiply and divide: two tensors, or a tensor and a constant."""
    word, found = _word(context), _operands(context)
    if found is None:
        if word == "divide":
            raise context.settings.unsupported("division by a tensor is not supported", "divide by a constant")
        return _merged(context)
    constant, is_first = found
    if word == "add" and not is_first and context.keras != 2:  # the version
        _refuse_bias(context, constant)
    steps, shape = _grown(context, constant)
    match word:
        case "add":
            return [*steps, *_line(shape, 1.0, constant)]
        case "subtract":
            return [*steps, *(_line(shape, -1.0, constant) if is_first else _line(shape, 1.0, -constant))]
        case "multiply":
            return [*steps, *_line(shape, constant, 0.0)]
        case _:
            if is_first or not np.all(constant):
                raise context.settings.unsupported(
                    "division by a tensor or by 0 is not supported", "divide by a constant"
                )
            return [*steps, *_line(shape, 1.0 / constant, 0.0)]


def _refuse_bias(context: LayerContext, constant: FloatArray) -> None:
    """Refuse a constant that Keras 3 with TensorFlow adds along another axis than the other backends.

    Its `add` takes any second operand with one axis longer than 1, if it is as long as the channels or the first axis,
    for a bias of those, wherever that axis stands. A file does not say which backend trained it.
    """
    shape = context.input
    long = [axis - constant.ndim for axis, size in enumerate(constant.shape) if size > 1]
    if len(long) != 1 or constant.shape[long[0]] not in {shape[0], shape[-1]}:
        return
    biased = -1 if constant.shape[long[0]] == shape[-1] else -len(shape)
    if long[0] != biased:
        why = (
            f"a constant of shape {constant.shape} is added to a tensor of shape {shape} along another axis by"
            " TensorFlow than by JAX and PyTorch"
        )
        raise context.settings.unsupported(why, "subtract the negative constant instead, which all backends do alike")


def _power(context: LayerContext) -> list[ParsedOperation]:
    """Powers but squares, which the graph gives as products."""
    raise context.settings.unsupported("a power that is no square is not supported", "use squares and products")


def _sum_of_many(context: LayerContext) -> list[ParsedOperation]:
    """add_n: tensors of one shape."""
    if len(set(context.inputs)) != 1:
        raise context.shape_error(f"inputs of different shapes {context.inputs}")
    return shaping.merge(replace(context, kind="Add")) if len(context.inputs) > 1 else []


def _absolute(context: LayerContext) -> list[ParsedOperation]:
    """Absolute values: `max(-x, x)`; the graph gives the tensor twice."""
    shape, _ = context.inputs
    (negative,) = _line(shape, -1.0, 0.0)
    return [replace(negative, reads=0), *shaping.merge(replace(context, kind="Maximum"))]


def _extreme(context: LayerContext) -> list[ParsedOperation]:
    """Maximum and minimum: `max(x, c) = relu(x - c) + c`, `min(x, c) = c - relu(c - x)`."""
    found = _operands(context)
    if found is None:
        return _merged(context)
    steps, shape = _grown(context, found[0])
    sign = 1.0 if _word(context) == "maximum" else -1.0
    return [*steps, *_limited(shape, found[0], sign)]


def _limited(shape: Shape, limit: FloatArray, sign: float) -> list[ParsedOperation]:
    relu = ParsedOperation(operation=src.Activate(function=src.Relu()), shape=shape)
    if sign > 0 and not np.any(limit):
        return [relu]
    return [*_line(shape, sign, -sign * limit), relu, *_line(shape, sign, limit)]


def _clip(context: LayerContext) -> list[ParsedOperation]:
    """Clip and clip_by_value."""
    low, high = (linear.fitting(context, context.settings.get(key), key) for key in ("x_min", "x_max"))
    return [*_limited(context.input, low, 1.0), *_limited(context.input, high, -1.0)]


def _negative(context: LayerContext) -> list[ParsedOperation]:
    return _line(context.input, -1.0, 0.0)


def _activation(context: LayerContext) -> list[ParsedOperation]:
    """A function of each value, or softmax over one axis."""
    word = {"exp": "exponential"}.get(_word(context), _word(context))
    if word == "gelu" and context.settings.flag("approximate", default=False):
        raise context.settings.unsupported("a gelu approximated by a tanh is not supported", "use approximate=False")
    function = _FUNCTIONS[word](context) if word in _FUNCTIONS else parse_activation(word, context)
    assert function is not None
    shape = context.input
    over = axis_functions.axes_of(context) or [len(shape)]
    if word != "softmax" or over == [len(shape)]:
        return [ParsedOperation(operation=src.Activate(function=function), shape=shape)]
    if len(over) != 1:
        raise context.settings.unsupported("softmax over several axes is not supported", "use one axis")
    order = [*(axis for axis in range(len(shape)) if axis != over[0] - 1), over[0] - 1]
    turned = axes.permuted(shape, order)
    back = axes.permuted(turned[-1].shape, [order.index(axis) for axis in range(len(shape))])
    return [*turned, ParsedOperation(operation=src.Activate(function=function), shape=turned[-1].shape), *back]


_FUNCTIONS: Mapping[str, Callable[[LayerContext], src.Activation]] = {
    "leaky_relu": lambda context: src.Relu(negative_slope=context.settings.number("negative_slope", 0.2)),
    "elu": lambda context: src.Function(
        kind=src.FunctionKind.ELU,
        alpha=context.settings.number("alpha", context.settings.number("negative_slope", 1.0)),
    ),
}


def _reduce(context: LayerContext) -> list[ParsedOperation]:
    """Mean, maximum, minimum and sum over axes of the data."""
    word, shape, axes_read = _word(context), context.input, sorted(set(axis_functions.axes_of(context)))
    places = [axis - 1 for axis in axes_read]
    keep = context.settings.flag("keepdims", default=False)
    if not places or (len(places) == len(shape) and not keep) or len(shape) > axes.MAX_RANK:
        raise context.settings.unsupported(
            f"{word} of {shape} over axes {axes_read} is not supported", "reduce over axes of the data, and leave one"
        )
    result = tuple(1 if axis in places else size for axis, size in enumerate(shape) if keep or axis not in places)
    sign = _line(shape, -1.0, 0.0) if word == "min" else []
    kind = src.PoolKind.MAX if word in {"max", "min"} else src.PoolKind.AVERAGE
    pooled = _pooled_space(shape, places, kind, result) or axes.reduced(shape, places, kind, result)
    after = {"min": -1.0, "sum": float(prod(shape[axis] for axis in places))}.get(word)
    return [*sign, *pooled, *(_line(result, after, 0.0) if after is not None else [])]


def _pooled_space(shape: Shape, places: list[int], kind: src.PoolKind, result: Shape) -> list[ParsedOperation]:
    """Reduction over axes of space by pooling; nothing where channels are reduced too."""
    if len(shape) not in {2, 3} or len(shape) - 1 in places:
        return []
    height, width = (1, shape[0]) if len(shape) == 2 else shape[:2]
    across, down = len(shape) - 2 in places, len(shape) == 2 or 0 in places
    if down and across:
        return [ParsedOperation(operation=src.GlobalPool(kind=kind, keep_dims=len(result) > 1), shape=result)]
    size = (height if down else 1, width if across else 1)
    left = tuple(1 if axis in places else one for axis, one in enumerate(shape))
    steps = [ParsedOperation(operation=src.Pool(kind=kind, size=size, strides=size, pads=_ONE_CELL), shape=left)]
    return [*steps, ParsedOperation(operation=src.Reshape(), shape=result)] if result != left else steps


def _same(_: LayerContext) -> list[ParsedOperation]:
    return []


def _cast(context: LayerContext) -> list[ParsedOperation]:
    """Cast and convert_to_tensor: to the type that the network has anyway."""
    dtype = context.settings.get("dtype", "float32")
    if dtype != "float32":
        raise context.settings.unsupported(f"a cast to {dtype!r} is not supported", "compute in float32")
    return []


def _relu_with_options(context: LayerContext) -> list[ParsedOperation]:
    return activation_layer(replace(context, kind="ReLU"))


def _checked(parser: Parser, *options: str) -> Parser:
    """A parser that refuses unknown options, unless their value has no effect."""

    def parse(context: LayerContext) -> list[ParsedOperation]:
        for key, value in context.settings.values.items():
            has_no_effect = value is None or value is False or (key in _NEUTRAL and value == _NEUTRAL[key])
            if key not in {*options, "operands", "part"} and not has_no_effect:
                raise context.settings.unsupported(f"{key}={value!r} is not supported", f"leave {key} out")
        return parser(context)

    return parse


_NEUTRAL: Mapping[str, Json] = {"beta": 1.0, "dtype_hint": "float32"}
"""Options of functions that have no effect with these values."""

_ELEMENTWISE = (
    *("relu", "relu6", "sigmoid", "tanh", "softplus", "softsign", "selu", "silu", "exp"),
    *("hard_sigmoid", "hard_silu", "hard_tanh"),
)

_WORDS: Mapping[str, Parser] = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide"), _checked(_arithmetic)),
    **dict.fromkeys(("maximum", "minimum"), _checked(_extreme)),
    **dict.fromkeys(_ELEMENTWISE, _checked(_activation)),
    "leaky_relu": _checked(_activation, "negative_slope"),
    "elu": _checked(_activation, "alpha", "negative_slope"),
    "gelu": _checked(_activation, "approximate"),
    "softmax": _checked(_activation, "axis"),
    **dict.fromkeys(("mean", "max", "min", "sum"), _checked(_reduce, "axis", "keepdims")),
    "abs": _checked(_absolute),
    "power": _checked(_power),
    "add_n": _checked(_sum_of_many),
    "clip": _checked(_clip, "x_min", "x_max"),
    "negative": _checked(_negative),
    "reshape": _checked(axis_functions.reshape, "shape"),
    "transpose": _checked(axis_functions.transpose, "axes"),
    "swapaxes": _checked(axis_functions.swapaxes, "axis1", "axis2"),
    "moveaxis": _checked(axis_functions.moveaxis, "source", "destination"),
    "expand_dims": _checked(axis_functions.expand, "axis"),
    "squeeze": _checked(axis_functions.squeeze, "axis"),
    "concatenate": _checked(axis_functions.concatenate, "axis"),
    "stack": _checked(axis_functions.stack, "axis"),
    "split": _checked(slicing.parts_of, "axis", "parts", "indices"),
    "unstack": _checked(slicing.parts_of, "axis", "num"),
    "pad": _checked(axis_functions.pad, "paddings", "mode", "constant_values"),
    "getitem": _checked(slicing.getitem, "slices"),
    "identity": _checked(_same),
    "cast": _checked(_cast, "dtype"),
    "ReLU": _checked(_relu_with_options, "negative_slope", "max_value", "threshold"),
}

PARSERS: Mapping[str, Parser] = {f"{OPERATION}{word}": parser for word, parser in _WORDS.items()}
