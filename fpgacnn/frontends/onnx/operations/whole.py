"""Operators that make whole numbers, or compute on them: roundings, casts to integers, integer division, shifts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.operations.linear import scale_and_shift
from fpgacnn.frontends.onnx.protobuf.kinds import BOOL, INT64, NAMES, RANGES, REALS, SHORT_REALS, converted, is_whole
from fpgacnn.frontends.onnx.values import Constant, TensorView, Value
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Rounding, is_power_of_two
from fpgacnn.ir.source import FloatArray, MergeKind

_NONE = Constant(values=np.zeros((), np.float32))
_UNLIMITED = np.array([src.UNLIMITED])

_MODES: Mapping[str, Rounding] = {"Floor": Rounding.TRN, "Ceil": Rounding.TRN, "Round": Rounding.RND_CONV}

_GROWING = frozenset(
    {
        "Add",
        "Sub",
        "Mul",
        "Sum",
        "Neg",
        "Abs",
        "MatMul",
        "Gemm",
        "ReduceSum",
        "ReduceL1",
        "ReduceSumSquare",
        "BitShift",
        "Div",
    }
)
"""Operators whose results on whole numbers may leave the element type, where the file's would wrap around."""

_NO_MEANS = frozenset({"Mean", "ReduceMean", "AveragePool", "GlobalAveragePool"})


def _activated(call: OpArgs, view: TensorView, quantizer: src.Uniform) -> TensorView:
    return call.elementwise(src.Activate(function=quantizer), view)


def _in_steps(
    rounding: Rounding,
    *,
    step: float = 1.0,
    low: float = -src.UNLIMITED,
    high: float = src.UNLIMITED,
    must_fit: bool = False,
) -> src.Uniform:
    return src.Uniform(
        scale=np.array([step]),
        low=np.array([float(low)]),
        high=np.array([float(high)]),
        rounding=rounding,
        must_fit=must_fit,
    )


def _refuse_quotient(call: OpArgs, view: TensorView) -> None:
    """Refuse a step function of a quotient that float32 rounded: for whole quotients the rounding decides the step.

    Raises UnsupportedOptionError.
    """
    if view.divided:
        raise call.unsupported(
            "it rounds a quotient whose divisor is no power of two, as float32 happens to round it",
            "divide by a power of two",
        )


def rounded(call: OpArgs) -> TensorView:
    """Floor, Ceil, and Round, which rounds half to even; shape and element type stay.

    Raises UnsupportedOptionError for a quotient that float32 rounded, and for a constant or coded input.
    """
    view = call.view()
    _refuse_quotient(call, view)
    step = -1.0 if call.node.kind == "Ceil" else 1.0
    return _activated(call, view, _in_steps(_MODES[call.node.kind], step=step))


def sign(call: OpArgs) -> TensorView:
    """Sign, -1, 0 or 1: the ceiling, at most 1, of what is above 0 and the floor, at least -1, of what is below.

    Shape and element type stay. Raises UnsupportedOptionError for a constant or coded input.
    """
    view = call.view()
    above = _activated(call, view, _in_steps(Rounding.TRN, step=-1.0, low=-1.0, high=0.0))
    below = _activated(call, view, _in_steps(Rounding.TRN, low=-1.0, high=0.0))
    return replace(
        above,
        layer=call.builder.emit(src.Merge(kind=MergeKind.ADD), (above.layer, below.layer), view.layer_shape),
        divided=False,
    )


def magnitude(call: OpArgs) -> TensorView:
    """Abs: a leaky ReLU of slope -1; shape and element type stay.

    Raises UnsupportedOptionError for a constant or coded input.
    """
    return call.elementwise(src.Activate(function=src.Relu(negative_slope=-1.0)), call.view())


def cast(call: OpArgs) -> Value:
    """Cast: real numbers are cut towards zero; whole ones must fit where the new type holds fewer. The shape stays.

    Raises UnsupportedOptionError for types that are no numbers, for 16 bits where they would round, for a quotient that
    float32 rounded, and for a coded input; BrokenArchitectureError for a type that does not exist.
    """
    view, kind = call.view(), target(call)
    if view.kind == BOOL and (kind in REALS or is_whole(kind)):
        return replace(view, kind=kind)
    if is_whole(kind):
        low, high = RANGES[kind]
        if is_whole(view.kind):
            before = RANGES[view.kind]
            fitted = (
                view
                if low <= before[0] and before[1] <= high
                else _activated(call, view, _in_steps(Rounding.TRN, low=low, high=high, must_fit=True))
            )
            return replace(fitted, kind=kind)
        _refuse_quotient(call, view)
        return replace(
            _activated(call, view, _in_steps(Rounding.TRN_ZERO, low=low, high=high, must_fit=True)), kind=kind
        )
    if kind in SHORT_REALS and view.kind != kind and not _has_digits(view.kind, SHORT_REALS[kind]):
        raise call.unsupported("a cast to real numbers of 16 bits rounds", "export the model with float32")
    if kind in REALS:
        return replace(view, kind=kind)
    raise call.unsupported(f"a cast to element type {kind} is not supported", "cast to real or whole numbers")


def _has_digits(kind: int, digits: int) -> bool:
    """Whether so many bits hold every whole number of a type; real numbers have no such bound."""
    return is_whole(kind) and max(abs(end) for end in RANGES[kind]) <= 1 << digits


def target(call: OpArgs) -> int:
    """The element type that Cast names, by its number or, in old operator sets, by its name.

    Raises BrokenArchitectureError for an unknown name, and where there is none.
    """
    if isinstance(call.attribute("to"), str):
        name = call.word("to", "").upper()
        if name not in NAMES:
            raise call.broken(f"to: {name!r} is no element type")
        return NAMES[name]
    if not call.names("to"):
        raise call.broken("to: expected an element type, found nothing")
    return call.integer("to", 1)


def fitted(call: OpArgs, value: Value) -> Value:
    """A result on integers that planning must prove to stay in its element type; other results are given back.

    Raises UnsupportedOptionError for means of integers.
    """
    if not isinstance(value, TensorView) or not is_whole(value.kind) or value.coding is not None:
        return value
    if call.node.kind in _NO_MEANS:
        raise call.unsupported("a mean of whole numbers is not supported", "cast them to real numbers before it")
    if call.node.kind not in _GROWING or value.kind == INT64:
        return value
    low, high = RANGES[value.kind]
    return _activated(call, value, _in_steps(Rounding.TRN, low=low, high=high, must_fit=True))


def divided(call: OpArgs, view: TensorView, divisor: Constant) -> TensorView:
    """A division of whole numbers, cut towards zero, by powers of two; the divisor broadcasts against the tensor.

    Raises UnsupportedOptionError for other divisors, ShapeError for those that do not fit.
    """
    whole = np.asarray(divisor.plain, np.float64)
    if not is_power_of_two(whole) or np.any(whole == 0):
        raise call.unsupported(
            "a division of whole numbers by other than powers of two is not supported", "divide by a power of two"
        )
    quotient = scale_and_shift(call, view, 1.0 / whole, _NONE)
    return quotient if np.all(np.abs(whole) == 1) else _activated(call, quotient, _in_steps(Rounding.TRN_ZERO))


def plus(call: OpArgs, view: TensorView, constant: Constant) -> TensorView:
    """Whole numbers plus constants, in parts that float32 holds exactly: 64 bits need at most three of 24 bits.

    The constant, int64, broadcasts against the tensor. Raises ShapeError for one that does not fit.
    """
    rest = np.asarray(constant.plain, np.int64)
    while np.any(rest):
        part = rest.astype(np.float32).astype(np.float64)
        view = scale_and_shift(call, view, np.ones(()), Constant(values=part))
        rest = rest - part.astype(np.int64)
    return view


def times(call: OpArgs, view: TensorView, constant: Constant) -> TensorView:
    """Whole numbers times constants that broadcast against the tensor.

    Raises UnsupportedOptionError for factors that float32 does not hold, ShapeError for those that do not fit.
    """
    factor = np.asarray(constant.plain, np.float64)
    if not np.array_equal(factor.astype(np.float32).astype(np.float64), factor):
        raise call.unsupported("it multiplies whole numbers by constants of more than 24 bits", "use shorter constants")
    return scale_and_shift(call, view, factor, _NONE)


def shifted(call: OpArgs) -> TensorView:
    """BitShift of unsigned numbers by constants from 0 to 62, which broadcast without making the tensor larger.

    Raises BrokenArchitectureError for other types, numbers of places and directions; ShapeError; UnsupportedOptionError
    for computed places.
    """
    view, places = call.view(), np.asarray(call.constant(1, "number of places").plain, np.float64)
    direction = call.word("direction", "")
    if (
        view.kind not in {2, 4, 12, 13}
        or direction not in {"LEFT", "RIGHT"}
        or np.any(places < 0)
        or np.any(places > 62)
    ):  # unsigned types
        raise call.broken(f"a shift of element type {view.kind} to the {direction!r}")
    call.must_not_grow(view, places.shape)
    if direction == "LEFT":
        return scale_and_shift(call, view, np.exp2(places), _NONE)
    return _activated(call, scale_and_shift(call, view, np.exp2(-places), _NONE), _in_steps(Rounding.TRN))


def modulo(call: OpArgs) -> TensorView:
    """Mod of whole numbers by one positive power of two, the rest never negative; shape and element type stay.

    Raises UnsupportedOptionError for real numbers, other or several divisors, and a rest with the sign of the dividend;
    ShapeError for a divisor of more axes than the tensor.
    """
    view, divisor = call.view(), call.scalar(1, "divisor")
    call.must_not_grow(view, call.constant(1, "divisor").values.shape)
    if not is_whole(view.kind) or divisor <= 0 or not is_power_of_two(np.array([divisor])) or divisor > src.UNLIMITED:
        raise call.unsupported(
            "only the rest of whole numbers by a positive power of two is supported", "use another operator"
        )
    if call.integer("fmod", 0) and RANGES[view.kind][0] < 0:
        raise call.unsupported("a rest with the sign of the dividend is not supported", "use fmod=0")
    if divisor == 1:
        return scale_and_shift(call, view, np.zeros(()), _NONE)
    return _activated(call, view, replace(_in_steps(Rounding.TRN, low=0.0, high=divisor - 1.0), wraps=True))


def exact_in_float32(call: OpArgs, view: TensorView, values: FloatArray) -> FloatArray:
    """Constants, float64 of any shape, that limit or join whole numbers, as they are.

    Raises UnsupportedOptionError for those that float32 does not hold.
    """
    if is_whole(view.kind) and not np.array_equal(values.astype(np.float32).astype(np.float64), values):
        raise call.unsupported("it limits whole numbers by constants of more than 24 bits", "use shorter constants")
    return values


def cast_of_constants(call: OpArgs, values: Constant) -> Constant:
    """Cast of a constant of any shape, which float types of fewer bits round; whole numbers become int64.

    Raises UnsupportedOptionError for types that are no numbers and for real numbers beyond a type of whole numbers,
    BrokenArchitectureError for a type that does not exist.
    """
    kind = target(call)
    if kind not in REALS | {BOOL} and not is_whole(kind):
        raise call.unsupported(f"a cast to element type {kind} is not supported", "cast to real or whole numbers")
    if values.grid is not None and kind in REALS:
        return values
    try:
        return Constant(values=converted(values.plain, kind), kind=kind)
    except ValueError as error:
        raise call.unsupported(f"it casts {error}", "limit them with Clip first") from error


WHOLE: Mapping[str, Callable[[OpArgs], Value]] = {
    **dict.fromkeys(_MODES, rounded),
    "Sign": sign,
    "Abs": magnitude,
    "Cast": cast,
    "BitShift": shifted,
    "Mod": modulo,
}
