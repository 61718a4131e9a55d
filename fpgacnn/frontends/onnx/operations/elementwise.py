"""Operators on each element by itself: arithmetic with constants and between tensors, and activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpgacnn.frontends.onnx.fold import axis_of
from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.operations.choose import grown
from fpgacnn.frontends.onnx.operations.linear import scale_and_shift
from fpgacnn.frontends.onnx.operations.whole import divided, exact_in_float32, plus, times
from fpgacnn.frontends.onnx.protobuf.kinds import RANGES, is_whole
from fpgacnn.frontends.onnx.values import Coding, Constant, TensorView, Value
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import is_power_of_two
from fpgacnn.ir.source import FloatArray, Function, FunctionKind, MergeKind

MERGES: Mapping[str, MergeKind] = {
    "Add": MergeKind.ADD,
    "Sum": MergeKind.ADD,
    "Sub": MergeKind.SUBTRACT,
    "Mul": MergeKind.MULTIPLY,
    "Max": MergeKind.MAXIMUM,
    "Min": MergeKind.MINIMUM,
    "Mean": MergeKind.AVERAGE,
}

_JOINS: Mapping[str, np.ufunc] = {"Sum": np.add, "Max": np.maximum, "Min": np.minimum}
"""What several constants of an operator with any number of inputs become together."""

_PLAIN: Mapping[str, src.Activation] = {
    "Relu": src.Relu(),
    "Sigmoid": Function(kind=FunctionKind.SIGMOID),
    "Tanh": Function(kind=FunctionKind.TANH),
    "Softplus": Function(kind=FunctionKind.SOFTPLUS),
    "Softsign": Function(kind=FunctionKind.SOFTSIGN),
    "Mish": Function(kind=FunctionKind.MISH),
    "Exp": Function(kind=FunctionKind.EXPONENTIAL),
}

_SELU = (1.67326319217681884765625, 1.05070102214813232421875)
_ZERO = Constant(values=np.zeros((), np.float32))


def arithmetic(call: OpArgs) -> TensorView:
    """Add, Sub, Mul, Div, Max, Min, Sum and Mean, of tensors or of tensors and constants."""
    if not call.inputs:
        raise call.broken("it has no inputs")
    tensors = [number for number in range(len(call.inputs)) if isinstance(call.value(number), TensorView)]
    constants = [call.constant(number, "constant") for number in range(len(call.inputs)) if number not in tensors]
    views, kind = [call.view(number) for number in tensors], call.node.kind
    if not constants:
        return _merged(call, views)
    if kind == "Mean":
        raise call.unsupported("a mean with a constant is not supported", "add and scale instead")
    if len(call.inputs) != 2 and kind not in _JOINS:
        raise call.broken(f"it has {len(call.inputs)} inputs, and {kind} takes 2")
    view = views[0] if len(views) == 1 else _merged(call, views)
    constant = _aligned(call, view, _joined(call, constants))
    view = grown(call, view, constant.values.shape)
    match kind:
        case "Max":
            return _clipped(call, view, _real(constant), None)
        case "Min":
            return _clipped(call, view, None, _real(constant))
        case _:
            return _with_constant(call, view, constant, first=tensors[0] == 0)


def _joined(call: OpArgs, constants: list[Constant]) -> Constant:
    """Several constants of Max, Min or Sum as one.

    Raises ShapeError where they do not fit each other.
    """
    if len(constants) == 1:
        return constants[0]
    try:
        arrays = np.broadcast_arrays(*(one.plain for one in constants))
    except ValueError as error:
        raise call.builder.shape_error(f"its constants do not fit each other: {error}") from error
    return replace(constants[0], values=_JOINS[call.node.kind].reduce(arrays), grid=None)


def _real(constant: Constant) -> FloatArray:
    return np.asarray(constant.plain, np.float64)


def _aligned(call: OpArgs, view: TensorView, constant: Constant) -> Constant:
    """A constant whose axes old operator sets count from `axis` on, instead of from the last."""
    if not call.is_old or not call.integer("broadcast", 0) or not call.names("axis"):
        return constant
    axis = axis_of(call, call.integer("axis", 0), len(view.shape))
    tail = len(view.shape) - axis - constant.values.ndim
    return constant.moved(lambda array: array.reshape(*array.shape, *(1,) * max(tail, 0)))


def _with_constant(call: OpArgs, view: TensorView, constant: Constant, *, first: bool) -> TensorView:
    """`x + c`, `x - c`, `c - x`, `x * c`, `x / c`."""
    one, whole = np.ones(()), is_whole(view.kind)
    match call.node.kind:
        case "Add" | "Sum":
            return plus(call, view, constant) if whole else scale_and_shift(call, view, one, constant)
        case "Sub" if first:
            negative = replace(constant, values=-constant.plain, grid=None)
            return plus(call, view, negative) if whole else scale_and_shift(call, view, one, negative)
        case "Sub":
            turned = scale_and_shift(call, view, -one, _ZERO)
            return plus(call, turned, constant) if whole else scale_and_shift(call, view, -one, constant)
        case "Mul":
            return times(call, view, constant) if whole else scale_and_shift(call, view, _real(constant), _ZERO)
        case "Div" if first and np.all(constant.plain != 0):
            if whole:
                return divided(call, view, constant)
            rounds = not is_power_of_two(_real(constant))
            return replace(scale_and_shift(call, view, 1.0 / _real(constant), _ZERO), divided=view.divided or rounds)
        case _:  # Div
            raise call.unsupported("division by a tensor, or by 0, is not supported", "multiply instead")


def where(call: OpArgs) -> TensorView:
    """Where with a constant condition: the elements of one input where it holds, of the other elsewhere."""
    if isinstance(call.value(0), TensorView):
        raise call.unsupported("it chooses by a condition that the network computes", "use Max, Min, Relu or Clip")
    mask = call.constant(0, "condition").plain != 0
    parts = [_masked(call, number, holds) for number, holds in ((1, mask), (2, ~mask))]
    views = [part for part in parts if isinstance(part, TensorView)]
    if len(views) == 2:
        return _merged(call, views, MergeKind.ADD)
    (rest,) = (part for part in parts if not isinstance(part, TensorView))
    view = grown(call, views[0], rest.shape)
    holds = mask if isinstance(parts[0], TensorView) else ~mask
    return scale_and_shift(
        call, view, np.asarray(holds, np.float64), Constant(values=exact_in_float32(call, view, rest))
    )


def _masked(call: OpArgs, number: int, holds: NDArray[np.bool_]) -> TensorView | FloatArray:
    """An input where the condition holds, else 0; a tensor beside a constant is only made as large as the condition."""
    if isinstance(call.value(number), Constant):
        array = _real(call.constant(number, "constant"))
        try:
            return np.where(holds, array, 0.0)
        except ValueError as error:
            raise call.builder.shape_error(f"its inputs do not fit each other: {error}") from error
    view = grown(call, call.view(number), holds.shape)
    alone = isinstance(call.value(3 - number), Constant)
    return view if alone else scale_and_shift(call, view, np.asarray(holds, np.float64), _ZERO)


def expand(call: OpArgs) -> TensorView:
    """Expand: axes of length 1 are repeated, and further axes come first; a fixed number of events counts as one."""
    wanted = call.numbers(1, "shape")
    if len(wanted) == len(call.view().shape) and wanted[:1] == (call.builder.events,):
        wanted = (1, *wanted[1:])
    return grown(call, call.view(), wanted)


def _merged(call: OpArgs, views: list[TensorView], merge: MergeKind | None = None) -> TensorView:
    if merge is None and call.node.kind not in MERGES:
        raise call.unsupported("division by a tensor is not supported", "multiply instead")
    if merge is None and call.node.kind in {"Add", "Sub", "Mul"} and len(views) != 2:
        raise call.broken(f"it has {len(views)} inputs, and {call.node.kind} takes 2")
    if len(views) == 1:
        return views[0]
    first, layers = views[0], [view.layer for view in views]
    if any(
        (view.layer_shape, view.order, view.shape) != (first.layer_shape, first.order, first.shape) for view in views
    ):
        first, layers = _alike(call, views)
    kind = merge or MERGES[call.node.kind]
    return call.result(src.Merge(kind=kind), layers, first.layer_shape, first.order, first.shape)


def _alike(call: OpArgs, views: list[TensorView]) -> tuple[TensorView, list[str]]:
    """All tensors in the order of axes of the first that has the result's shape.

    Axes of length 1 are repeated later.
    """
    rank = max(len(view.shape) for view in views)
    if call.builder.several and any(len(view.shape) != rank for view in views):
        raise call.unsupported(
            "tensors of different numbers of axes would meet along that of events",
            "reshape them alike, or export with one event",
        )
    full = [replace(view, shape=(*(1,) * (rank - len(view.shape)), *view.shape)) for view in views]
    try:
        shape = np.broadcast_shapes(*(view.shape for view in full))
    except ValueError as error:
        raise call.builder.shape_error(
            f"tensors of shapes {[view.shape for view in views]} do not fit each other"
        ) from error
    wide = [view for view in full if view.shape == shape]
    axes = call.builder.layer_order(wide[0]) if wide else [axis for axis, size in enumerate(shape) if size != 1]
    axes = axes or [rank - 1]
    layers = [call.builder.arranged(view, axes) for view in full]
    order = sorted(range(len(axes)), key=lambda number: axes[number])
    return TensorView(
        layer=layers[0], layer_shape=tuple(shape[axis] for axis in axes), order=tuple(order), shape=shape
    ), layers


def _activated(call: OpArgs, function: src.Activation) -> TensorView:
    return call.elementwise(src.Activate(function=function), call.view())


def plain(call: OpArgs) -> TensorView:
    """Activations without options. Like all here, they raise UnsupportedOptionError for a constant or coded input."""
    return _activated(call, _PLAIN[call.node.kind])


def leaky_relu(call: OpArgs) -> TensorView:
    """LeakyRelu of slope `alpha` (0.01) below 0."""
    return _activated(call, src.Relu(negative_slope=call.number("alpha", 0.01)))


def thresholded_relu(call: OpArgs) -> TensorView:
    """ThresholdedRelu: `x` where it is larger than `alpha` (1.0), else 0."""
    return _activated(call, src.Relu(threshold=call.number("alpha", 1.0)))


def prelu(call: OpArgs) -> TensorView:
    """PRelu, whose slopes broadcast against the tensor."""
    view, slope = call.view(), call.constant(1, "slope")
    if call.is_old and slope.values.ndim == 1:  # there it counts channels
        slope = slope.moved(lambda array: array.reshape(-1, *(1,) * (len(view.shape) - 2)))
    view = grown(call, view, slope.values.shape)
    slopes = np.asarray(view.as_in_layer(slope.plain), np.float64)
    return call.elementwise(src.Activate(function=src.PRelu(slope=slopes)), view)


def elu(call: OpArgs) -> TensorView:
    """Elu with `alpha` (1.0)."""
    return _activated(call, Function(kind=FunctionKind.ELU, alpha=call.number("alpha", 1.0)))


def selu(call: OpArgs) -> TensorView:
    """Selu with its own constants. Raises UnsupportedOptionError for another `alpha` or `gamma`."""
    alpha, gamma = call.number("alpha", _SELU[0]), call.number("gamma", _SELU[1])
    if not np.allclose((alpha, gamma), _SELU, rtol=1e-6):
        raise call.unsupported("selu with other constants is not supported", "use the default alpha and gamma")
    return _activated(call, Function(kind=FunctionKind.SELU))


def hard_sigmoid(call: OpArgs) -> TensorView:
    """HardSigmoid: `max(0, min(1, alpha x + beta))`. Raises UnsupportedOptionError for a `beta` that is not 0.5."""
    alpha, beta = call.number("alpha", 0.2), call.number("beta", 0.5)
    if beta == 0.5:
        return _activated(call, Function(kind=FunctionKind.HARD_SIGMOID, alpha=alpha))
    raise call.unsupported(f"beta={beta:g} is not supported", "use beta=0.5")


def hard_swish(call: OpArgs) -> TensorView:
    """HardSwish: `x max(0, min(1, x / 6 + 1 / 2))`."""
    return _activated(call, Function(kind=FunctionKind.HARD_SWISH))


def gelu(call: OpArgs) -> TensorView:
    """Gelu by the error function. Raises UnsupportedOptionError for the approximation by tanh."""
    if call.word("approximate", "none") != "none":
        raise call.unsupported("gelu by tanh is not supported", "use approximate='none'")
    return _activated(call, Function(kind=FunctionKind.GELU))


def clip(call: OpArgs) -> TensorView:
    """Clip, its limits attributes or inputs; between QuantizeLinear and DequantizeLinear it narrows the quantizer."""
    source = call.value(0)
    low, high = _limit(call, 1, "min", -1.0), _limit(call, 2, "max", 1.0)
    if isinstance(source, TensorView) and source.coding is not None:
        return _narrowed(call, source, source.coding, [low, high])
    view = call.view()
    if is_whole(view.kind):  # its ends limit nothing
        ends = RANGES[view.kind]
        low, high = None if low is None or low <= ends[0] else low, None if high is None or high >= ends[1] else high
    return _clipped(call, view, None if low is None else np.array(low), None if high is None else np.array(high))


def _limit(call: OpArgs, number: int, name: str, way: float) -> float | None:
    """A limit, or None if it is so large, or infinite, that it limits nothing."""
    if call.has(number):
        call.meaningless(name)
        found = call.value(number)
        if (
            isinstance(found, Constant)
            and found.values.size == 1
            and float(found.values.reshape(-1)[0]) == way * np.inf
        ):
            return None
        value = call.scalar(number, name)
    elif call.names(name):
        if call.attribute(name) == way * np.inf:
            return None
        value = call.number(name, 0.0)
    else:
        return None
    return None if value * way >= np.finfo(np.float32).max else value


def _narrowed(call: OpArgs, view: TensorView, coding: Coding, ends: list[float | None]) -> TensorView:
    """Whole numbers in fewer bits than their type has, as Brevitas exports them."""
    host = call.builder.operation(view.layer)
    if (
        not (isinstance(host, src.Activate) and isinstance(host.function, src.Uniform))
        or not view.exclusive
        or coding.zero.size != 1
    ):
        raise call.unsupported("it limits whole numbers that something else reads too", "export in QDQ form")
    low, high = (None if end is None else end - float(coding.zero.reshape(-1)[0]) for end in ends)
    quantizer = host.function
    narrow = replace(
        quantizer,
        low=quantizer.low if low is None else np.maximum(quantizer.low, low),
        high=quantizer.high if high is None else np.minimum(quantizer.high, high),
    )
    if np.any(narrow.low > narrow.high):
        raise call.unsupported(f"its limits {ends} leave nothing of the quantizer's", "use min below max")
    call.builder.replace_last(view.layer, src.Activate(function=narrow))
    return view


def _clipped(call: OpArgs, view: TensorView, low: FloatArray | None, high: FloatArray | None) -> TensorView:
    """`max(low, min(x, high))` by lines and ReLUs; limits broadcast against the tensor."""
    for limits in (low, high):
        exact_in_float32(call, view, np.zeros(()) if limits is None else limits)
    if low is not None and high is not None and np.any(low > high):
        raise call.unsupported(f"its limits {low.max():g} and {high.min():g} leave nothing", "use min below max")
    if low is not None and high is not None and np.all(low == -1) and np.all(high == 1):
        return call.elementwise(src.Activate(function=Function(kind=FunctionKind.HARD_TANH)), view)
    if low is not None:
        span = None if high is None else float((high - low).reshape(-1)[0])
        above = call.elementwise(src.Activate(function=src.Relu(max_value=span)), _moved(call, view, -low))
        return _moved(call, above, low)
    if high is None:
        return view
    turned = scale_and_shift(call, replace(view, exclusive=False), -np.ones(()), Constant(values=high))
    rest = call.elementwise(src.Activate(function=src.Relu()), turned)
    return scale_and_shift(call, replace(rest, exclusive=False), -np.ones(()), Constant(values=high))


def _moved(call: OpArgs, view: TensorView, offset: FloatArray) -> TensorView:
    if not np.any(offset):
        return view
    return scale_and_shift(call, replace(view, exclusive=False), np.ones(()), Constant(values=offset))


def softmax(call: OpArgs) -> TensorView:
    """Softmax over one axis, which the layer holds last."""
    view = call.view()
    shape, recent = view.shape, call.opset >= 13  # since then it is one axis
    axis = axis_of(call, call.integer("axis", -1 if recent else 1), len(shape))
    if not recent:
        wide = [number for number in range(axis, len(shape)) if shape[number] != 1]
        if len(wide) > 1:
            raise call.unsupported("softmax over several axes is not supported", "flatten before it")
        if axis == 0:
            call.data_axis(0)
        axis = wide[0] if wide else axis
    call.data_axis(axis)
    axes = [number for number, size in enumerate(shape) if size != 1 and number != axis] + [axis]
    layer, layer_shape = call.builder.arranged(view, axes), tuple(shape[number] for number in axes)
    order = sorted(range(len(axes)), key=lambda number: axes[number])
    return call.result(src.Activate(function=src.Softmax()), (layer,), layer_shape, order, shape)


def negative(call: OpArgs) -> TensorView:
    """Neg of every element."""
    return scale_and_shift(call, call.view(), -np.ones(()), _ZERO)


def identity(call: OpArgs) -> Value:
    """Identity and Dropout at inference."""
    by_input = call.node.kind == "Dropout" and call.has(2) and bool(np.any(call.constant(2, "training_mode").values))
    call.meaningless("ratio", "seed")  # of training
    if by_input or (call.node.kind == "Dropout" and not call.integer("is_test", int(not call.is_old))):
        raise call.unsupported("it drops values at random", "export the model in inference mode")
    return call.value(0)


ELEMENTWISE: Mapping[str, Callable[[OpArgs], Value]] = {
    **dict.fromkeys((*MERGES, "Div"), arithmetic),
    **dict.fromkeys(_PLAIN, plain),
    "LeakyRelu": leaky_relu,
    "ThresholdedRelu": thresholded_relu,
    "PRelu": prelu,
    "Elu": elu,
    "Selu": selu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "Gelu": gelu,
    "Clip": clip,
    "Softmax": softmax,
    "Neg": negative,
    "Where": where,
    "Expand": expand,
    "Identity": identity,
    "Dropout": identity,
}
