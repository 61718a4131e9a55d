"""Operators on each element by itself: arithmetic with constants and between tensors, and activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from fpgacnn.frontends.onnx.call import Call
from fpgacnn.frontends.onnx.fold import axis_of
from fpgacnn.frontends.onnx.linear import scale_and_shift
from fpgacnn.frontends.onnx.values import Coding, Constant, Value, View
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Function, FunctionKind, MergeKind

MERGES: Mapping[str, MergeKind] = {
    "Add": MergeKind.ADD,
    "Sum": MergeKind.ADD,
    "Sub": MergeKind.SUBTRACT,
    "Mul": MergeKind.MULTIPLY,
    "Max": MergeKind.MAXIMUM,
    "Min": MergeKind.MINIMUM,
    "Mean": MergeKind.AVERAGE,
}

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
_ZERO = Constant(values=np.zeros(1, np.float32))


def arithmetic(call: Call) -> View:
    """Add, Sub, Mul, Div, Max, Min, Sum and Mean, of tensors or of a tensor and a constant."""
    if not call.inputs:
        raise call.broken("it has no inputs")
    views = [one for one in call.inputs if isinstance(one, View)]
    constants = [one for one in call.inputs if isinstance(one, Constant)]
    if not constants:
        return _merged(call, [call.view(number) for number in range(len(call.inputs))])
    if len(views) != 1 or len(constants) != 1:
        raise call.unsupported("more than one constant among its inputs is not supported", "simplify the graph before exporting it")
    first = isinstance(call.inputs[0], View)
    view, constant = call.view(0 if first else 1), call.constant(1 if first else 0, "constant")
    _check_growth(call, view, constant)
    if call.node.kind in {"Max", "Min"}:
        return _limited(call, view, constant)
    return _with_constant(call, view, constant, first=first)


def _check_growth(call: Call, view: View, constant: Constant) -> None:
    grown = np.broadcast_shapes(view.shape, constant.values.shape) if _fits(view, constant) else None
    if grown != view.shape:
        raise call.weave.shape_error(f"a constant of {constant.values.shape} does not fit a tensor of {view.shape}")


def _fits(view: View, constant: Constant) -> bool:
    pairs = zip(reversed(view.shape), reversed(constant.values.shape), strict=False)
    return all(size == other or 1 in (size, other) for size, other in pairs)


def _with_constant(call: Call, view: View, constant: Constant, *, first: bool) -> View:
    """`x + c`, `x - c`, `c - x`, `x * c`, `x / c`."""
    one = np.ones(1)
    match call.node.kind:
        case "Add" | "Sum":
            return scale_and_shift(call, view, one, constant)
        case "Sub" if first:
            return scale_and_shift(call, view, one, replace(constant, values=-constant.plain, grid=None))
        case "Sub":
            return scale_and_shift(call, view, -one, constant)
        case "Mul":
            return scale_and_shift(call, view, np.asarray(constant.plain, np.float64), _ZERO)
        case "Div" if first and np.all(constant.plain != 0):
            return scale_and_shift(call, view, 1.0 / np.asarray(constant.plain, np.float64), _ZERO)
        case "Div":
            raise call.unsupported("division by a tensor, or by 0, is not supported", "multiply instead")
        case _:
            raise call.unsupported("its mean with a constant is not supported", "add and scale instead")


def _limited(call: Call, view: View, constant: Constant) -> View:
    limit = call.scalar(1 if constant is call.inputs[1] else 0, "limit")
    return _clipped(call, view, limit, None) if call.node.kind == "Max" else _clipped(call, view, None, limit)


def _merged(call: Call, views: list[View]) -> View:
    if call.node.kind not in MERGES:
        raise call.unsupported("division by a tensor is not supported", "multiply instead")
    if len(views) == 1:
        return views[0]
    first, layers = views[0], [view.layer for view in views]
    if any((view.held, view.order, view.shape) != (first.held, first.order, first.shape) for view in views):
        first, layers = _alike(call, views)
    return call.result(src.Merge(kind=MERGES[call.node.kind]), layers, first.held, first.order, first.shape)


def _alike(call: Call, views: list[View]) -> tuple[View, list[str]]:
    """All tensors in the order of axes of the first that has the result's shape; axes of length 1 are repeated later."""
    rank = max(len(view.shape) for view in views)
    full = [replace(view, shape=(*(1,) * (rank - len(view.shape)), *view.shape)) for view in views]
    try:
        shape = np.broadcast_shapes(*(view.shape for view in full))
    except ValueError as error:
        raise call.weave.shape_error(f"tensors of shapes {[view.shape for view in views]} do not fit each other") from error
    wide = [view for view in full if view.shape == shape]
    axes = call.weave.order_held(wide[0]) if wide else [axis for axis, size in enumerate(shape) if size != 1]
    axes = axes or [rank - 1]
    layers = [call.weave.arranged(view, axes) for view in full]
    order = sorted(range(len(axes)), key=lambda number: axes[number])
    return View(layer=layers[0], held=tuple(shape[axis] for axis in axes), order=tuple(order), shape=shape), layers


def _activated(call: Call, function: src.Activation) -> View:
    return call.elementwise(src.Activate(function=function), call.view())


def plain(call: Call) -> View:
    """Activations without options."""
    return _activated(call, _PLAIN[call.node.kind])


def leaky_relu(call: Call) -> View:
    """LeakyRelu."""
    return _activated(call, src.Relu(negative_slope=call.number("alpha", 0.01)))


def thresholded_relu(call: Call) -> View:
    """ThresholdedRelu."""
    return _activated(call, src.Relu(threshold=call.number("alpha", 1.0)))


def prelu(call: Call) -> View:
    """PRelu, whose slopes broadcast against the tensor."""
    view, slope = call.view(), call.constant(1, "slope")
    _check_growth(call, view, slope)
    pulled = np.asarray(view.pulled(slope.plain), np.float64)
    return call.elementwise(src.Activate(function=src.PRelu(slope=pulled)), view)


def elu(call: Call) -> View:
    """Elu."""
    return _activated(call, Function(kind=FunctionKind.ELU, alpha=call.number("alpha", 1.0)))


def selu(call: Call) -> View:
    """Selu with its own constants."""
    alpha, gamma = call.number("alpha", _SELU[0]), call.number("gamma", _SELU[1])
    if not np.allclose((alpha, gamma), _SELU, rtol=1e-6):
        raise call.unsupported("selu with other constants is not supported", "use the default alpha and gamma")
    return _activated(call, Function(kind=FunctionKind.SELU))


def hard_sigmoid(call: Call) -> View:
    """HardSigmoid: `max(0, min(1, alpha x + beta))`."""
    alpha, beta = call.number("alpha", 0.2), call.number("beta", 0.5)
    if beta == 0.5:
        return _activated(call, Function(kind=FunctionKind.HARD_SIGMOID, alpha=alpha))
    raise call.unsupported(f"beta={beta:g} is not supported", "use beta=0.5")


def hard_swish(call: Call) -> View:
    """HardSwish."""
    return _activated(call, Function(kind=FunctionKind.HARD_SWISH))


def gelu(call: Call) -> View:
    """Gelu by the error function."""
    if call.word("approximate", "none") != "none":
        raise call.unsupported("gelu by tanh is not supported", "use approximate='none'")
    return _activated(call, Function(kind=FunctionKind.GELU))


def clip(call: Call) -> View:
    """Clip, its limits attributes or inputs; between QuantizeLinear and DequantizeLinear it narrows the quantizer."""
    ends: list[float | None] = []
    for number, name in ((1, "min"), (2, "max")):
        value = call.scalar(number, name) if call.has(number) else call.number(name, 0.0) if name in call.node.attributes else None
        ends.append(None if value is None or abs(value) >= np.finfo(np.float32).max else value)
    source = call.value(0)
    if isinstance(source, View) and source.coding is not None:
        return _narrowed(call, source, source.coding, ends)
    return _clipped(call, call.view(), ends[0], ends[1])


def _narrowed(call: Call, view: View, coding: Coding, ends: list[float | None]) -> View:
    """Whole numbers in fewer bits than their type has, as Brevitas exports them."""
    host = call.weave.operation(view.layer)
    if not (isinstance(host, src.Activate) and isinstance(host.function, src.Uniform)) or not view.sole or coding.zero.size != 1:
        raise call.unsupported("it limits whole numbers that something else reads too", "export in QDQ form")
    low, high = (None if end is None else end - float(coding.zero.reshape(-1)[0]) for end in ends)
    quantizer = host.function
    narrow = replace(
        quantizer,
        low=quantizer.low if low is None else np.maximum(quantizer.low, low),
        high=quantizer.high if high is None else np.minimum(quantizer.high, high),
    )
    call.weave.replace_last(view.layer, src.Activate(function=narrow))
    return view


def _clipped(call: Call, view: View, low: float | None, high: float | None) -> View:
    """`max(low, min(x, high))` by lines and ReLUs."""
    if low is not None and high is not None and low > high:
        raise call.unsupported(f"its limits {low:g} and {high:g} leave nothing", "use min below max")
    if (low, high) == (-1.0, 1.0):
        return call.elementwise(src.Activate(function=Function(kind=FunctionKind.HARD_TANH)), view)
    if low is not None:
        above = call.elementwise(src.Activate(function=src.Relu(max_value=None if high is None else high - low)), _moved(call, view, -low))
        return _moved(call, above, low)
    if high is None:
        return view
    turned = scale_and_shift(call, replace(view, sole=False), -np.ones(1), Constant(values=np.array([high])))
    rest = call.elementwise(src.Activate(function=src.Relu()), turned)
    return scale_and_shift(call, rest, -np.ones(1), Constant(values=np.array([high])))


def _moved(call: Call, view: View, offset: float) -> View:
    if not offset:
        return view
    return scale_and_shift(call, replace(view, sole=False), np.ones(1), Constant(values=np.array([offset])))


def softmax(call: Call) -> View:
    """Softmax over one axis, which the layer holds last."""
    view = call.view()
    shape, recent = view.shape, call.opset >= 13  # since then it is one axis
    axis = axis_of(call, call.integer("axis", -1 if recent else 1), len(shape))
    if not recent:
        wide = [number for number in range(axis, len(shape)) if shape[number] != 1]
        if len(wide) > 1:
            raise call.unsupported("softmax over several axes is not supported", "flatten before it")
        axis = wide[0] if wide else axis
    axes = [number for number, size in enumerate(shape) if size != 1 and number != axis] + [axis]
    layer, held = call.weave.arranged(view, axes), tuple(shape[number] for number in axes)
    order = sorted(range(len(axes)), key=lambda number: axes[number])
    return call.result(src.Activate(function=src.Softmax()), (layer,), held, order, shape)


def negative(call: Call) -> View:
    """Neg."""
    return scale_and_shift(call, call.view(), -np.ones(1), _ZERO)


def identity(call: Call) -> Value:
    """Identity and Dropout at inference."""
    if call.node.kind == "Dropout" and call.has(2) and np.any(call.constant(2, "training_mode").values):
        raise call.unsupported("it drops values at random", "export the model in inference mode")
    return call.value(0)


def cast(call: Call) -> Value:
    """Cast between kinds of real numbers."""
    kind = call.integer("to", 1)
    if kind in (1, 10, 11, 16):
        return call.view()
    raise call.unsupported(f"a cast to element type {kind} is not supported", "round with Quant or QuantizeLinear")


ELEMENTWISE: Mapping[str, Callable[[Call], Value]] = {
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
    "Identity": identity,
    "Dropout": identity,
    "Cast": cast,
}
