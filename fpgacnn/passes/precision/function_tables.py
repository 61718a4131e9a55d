"""Functions as tables with an entry for every code of a narrow input, and a bound on the error of such a table.

All bits of the input are the index of the table, so an entry is the function's value at exactly that code, rounded
once. An input with more bits is rounded to the index first. A function without an upper limit (selu, elu, softplus,
swish, gelu, mish, hard swish) is `slope * max(x, 0)` plus a bounded remainder. If inputs can leave the range in which
the remainder changes, only the remainder is a table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import (
    Codes,
    Format,
    Overflow,
    Rounding,
    exact_codes,
    quantize_values,
    smallest_format,
    to_values,
)
from fpgacnn.ir.functions import SELU_SCALE, evaluate, turning_points
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.quantized import Function
from fpgacnn.ir.source import FloatArray, FunctionKind
from fpgacnn.ir.text import quantizer_text
from fpgacnn.passes.precision.exact_steps.thresholds import INDEX_BITS, MAX_CODE_BITS, MAX_PLACES
from fpgacnn.passes.precision.nodes import PlannedLookup

ENTRY_BITS = 16
SAMPLES = 8
"""Points between two index steps at which the error is evaluated; the slope bounds the error between them."""

_REACH = {
    FunctionKind.TANH: 3,
    FunctionKind.SIGMOID: 4,
    FunctionKind.SOFTSIGN: 6,
    FunctionKind.SELU: 5,
    FunctionKind.ELU: 5,
    FunctionKind.SOFTPLUS: 4,
    FunctionKind.SWISH: 4,
    FunctionKind.MISH: 4,
    FunctionKind.GELU: 3,
    FunctionKind.HARD_SWISH: 3,
}
"""Integer bits, sign included: for larger arguments the function, or its remainder, is constant."""

_LEAST_EXPONENTIAL = 5
"""Integer bits of the index of an exponential, which is nearly 0 at -16. Larger inputs need more."""

_SLOPES = {
    FunctionKind.SIGMOID: 0.25,
    FunctionKind.TANH: 1.0,
    FunctionKind.SOFTPLUS: 1.0,
    FunctionKind.SOFTSIGN: 1.0,
    FunctionKind.SELU: 1.7581,
    FunctionKind.SWISH: 1.0999,
    FunctionKind.GELU: 1.129,
    FunctionKind.MISH: 1.0886,
    FunctionKind.HARD_SWISH: 1.5,
    FunctionKind.HARD_TANH: 1.0,
}
"""The steepest slope of a function. That of ELU is its alpha or 1, that of an exponential its largest value."""

_LINES = {
    FunctionKind.SELU: SELU_SCALE,
    FunctionKind.ELU: 1.0,
    FunctionKind.SOFTPLUS: 1.0,
    FunctionKind.SWISH: 1.0,
    FunctionKind.GELU: 1.0,
    FunctionKind.MISH: 1.0,
    FunctionKind.HARD_SWISH: 1.0,
}
"""The slope that a function without an upper limit approaches."""

_REMAINDER_SLOPES = {
    FunctionKind.SELU: 1.7581,
    FunctionKind.SOFTPLUS: 0.5,
    FunctionKind.SWISH: 0.5,
    FunctionKind.GELU: 0.5,
    FunctionKind.MISH: 0.6,
    FunctionKind.HARD_SWISH: 0.5,
}
"""The steepest slope of the remainder: below 0 that of the function, above 0 its difference from that of the line."""

_REMAINDER_SPANS = {
    FunctionKind.SELU: 1.7581,
    FunctionKind.SOFTPLUS: 0.6932,
    FunctionKind.SWISH: 0.2785,
    FunctionKind.GELU: 0.1701,
    FunctionKind.MISH: 0.3089,
    FunctionKind.HARD_SWISH: 0.3751,
}
"""The distance of the largest from the smallest value of the remainder. That of ELU is its alpha."""

_FLOAT64_STEPS = 2.0**-40
"""Error of the float64 evaluation of a function, relative to its largest value."""

_FLOAT32_STEPS = 2.0**-21
"""The same for a function that is evaluated in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTable:
    """A table, and how its input and its result are used.

    `index` is the format that the input is cast to, None where it is narrow enough. `line` is the slope of a line
    `slope * max(x, 0)` to add to the table's result; None where the table is the whole function.
    """

    index: Format | None
    lookup: PlannedLookup
    line: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """The content of a table: a function, or with `line` the function minus `line * max(x, 0)`."""

    function: src.Function | src.PowerOfTwo | src.QuantizedTanh | src.QuantizedSigmoid
    line: float | None = None

    @property
    def is_smooth(self) -> bool:
        """Whether the function has no steps."""
        return isinstance(self.function, src.Function)

    def values(self, x: FloatArray) -> FloatArray:
        """The values (n,) at x (n,)."""
        whole = evaluate(self.function, x)
        return whole if self.line is None else whole - self.line * np.maximum(x, 0.0)

    def moved(self, x: FloatArray, error: float) -> float:
        """The largest change of the value where an x (n,) moves by at most `error`."""
        if error == 0.0:
            return 0.0
        if self.line is not None:
            slope, span = _of_remainder(self.function)
            return min(slope * error, span)
        low, high = float(x.min()) - error, float(x.max()) + error
        points = np.concatenate([x - error, x, x + error, np.clip(turning_points(self.function), low, high)])
        reached = evaluate(self.function, points)
        span = float(np.ptp(reached))
        if not isinstance(self.function, src.Function):
            return span
        largest, steepest = float(np.abs(reached).max()), _slope(self.function, float(reached.max()))
        if self.function.in_float32:
            return min(error * steepest, span) + _FLOAT32_STEPS * largest
        return min(error * steepest, span + _FLOAT64_STEPS * largest)

    @property
    def text(self) -> str:
        """The name of the function in messages."""
        name = self.function.kind.value if isinstance(self.function, src.Function) else type(self.function).__name__
        return name if self.line is None else f"{name} without its line"


def build(operation: Function, given: Interval, form: Format, error: float, *, layer: str) -> FunctionTable:
    """The table of a function for inputs of format `form`, in an interval and with errors up to `error`.

    Raises UnsupportedOptionError where the function's values span more bits than the arithmetic has.
    """
    function = operation.function
    if form.width <= INDEX_BITS:
        curve = _Curve(function=function)
        table = _entries(curve, _inputs(form), layer)
        off = _narrow_error(curve, form, table, error)
        return FunctionTable(index=None, lookup=PlannedLookup(table=table, error=off, what=_description(curve, form)))
    curve = _Curve(function=function, line=_line_beyond_index(function, given))
    index = _index_format(function, given)
    inputs = _inputs(index)
    if isinstance(function, src.Function) and function.kind is FunctionKind.EXPONENTIAL:
        # no input uses the other entries; their large values would leave fewer bits for the small ones
        low, high = (bound * 2.0**-given.fraction for bound in given.bounds)
        inputs = np.clip(inputs, low, high)
    table = _entries(curve, inputs, layer)
    off = _wide_error(curve, given, index, table, error)
    lookup = PlannedLookup(table=table, error=off, what=_description(curve, index))
    return FunctionTable(index=index, lookup=lookup, line=curve.line)


def _line_beyond_index(function: object, given: Interval) -> float | None:
    """The slope of the line that the function approaches, if inputs can be larger than the index; else None."""
    if not isinstance(function, src.Function) or function.kind not in _LINES:
        return None
    index = _index_format(function, given)
    end = index.integer - int(index.signed)
    return _LINES[function.kind] if given.bounds[1] >= 2.0 ** (given.fraction + end) else None


def _description(curve: _Curve, index: Format) -> str:
    """The function and the size of its table. A step function has a table only if thresholds do not serve."""
    few = f" (thresholds serve for at most {MAX_PLACES - 1} steps, each of at most {MAX_CODE_BITS} bits)"
    steps = "" if curve.is_smooth or index.width < INDEX_BITS else few
    return f"{curve.text}, {1 << index.width} entries{steps}"


def _inputs(form: Format) -> FloatArray:
    """The values of all codes of a format, in the order of their bits."""
    bits = np.arange(1 << form.width)
    codes = np.where(bits > form.high, bits - (1 << form.width), bits) if form.signed else bits
    return to_values(codes, form.fraction)


def _index_format(function: object, given: Interval) -> Format:
    """The index of a table: all integer bits of the input, or as many as the function needs until it is constant."""
    needed = given.format
    unsigned = 0 if needed.signed else 1
    integer = needed.integer
    if isinstance(function, src.Function) and function.kind is FunctionKind.EXPONENTIAL:
        above = max(given.bounds[1], 0).bit_length() - given.fraction + 1
        integer = min(integer, max(_LEAST_EXPONENTIAL, above) - unsigned)
    elif isinstance(function, src.Function) and function.kind in _REACH:
        integer = min(integer, _REACH[function.kind] - unsigned)
    elif isinstance(function, src.QuantizedTanh | src.QuantizedSigmoid):
        integer = min(integer, 4 - unsigned)
    return Format(
        width=INDEX_BITS, integer=integer, signed=needed.signed, rounding=Rounding.RND_CONV, overflow=Overflow.SAT
    )


def _entries(curve: _Curve, inputs: FloatArray, layer: str) -> Codes:
    """The values (entries,) at all codes of the index: exact for a step function, else rounded to ENTRY_BITS bits."""
    values = curve.values(inputs)
    if not isinstance(curve.function, src.Function):
        exact = exact_codes(values)
        if exact is None:
            why = f"the values of {quantizer_text(curve.function)} span more bits than the arithmetic has"
            raise UnsupportedOptionError(layer=layer, why=why, do="use fewer bits for the quantizer's exponent")
        return exact
    largest, signed = float(np.abs(values).max()), bool(values.min() < 0)
    _, exponent = np.frexp(max(largest, 2.0**-12))
    form = Format(
        width=ENTRY_BITS,
        integer=int(exponent) + int(signed),
        signed=signed,
        rounding=Rounding.RND_CONV,
        overflow=Overflow.SAT,
    )
    codes = quantize_values(values, form)
    return Codes(array=codes, format=smallest_format(int(codes.min()), int(codes.max()), form.fraction))


def _narrow_error(curve: _Curve, form: Format, table: Codes, error: float) -> float:
    """The rounding of the entries, and the effect of the input's error."""
    inputs = _inputs(form)
    return float(np.abs(table.values - curve.values(inputs)).max()) + curve.moved(inputs, error)


def _of_remainder(function: object) -> tuple[float, float]:
    """The steepest slope and the span of the remainder of a function."""
    assert isinstance(function, src.Function)
    if function.kind is FunctionKind.ELU:
        return abs(function.alpha), abs(function.alpha)
    return _REMAINDER_SLOPES[function.kind], _REMAINDER_SPANS[function.kind]


def _slope(function: src.Function, largest: float) -> float:
    """The steepest slope of a function with values up to `largest`."""
    match function.kind:
        case FunctionKind.EXPONENTIAL:
            return largest
        case FunctionKind.ELU:
            return max(1.0, abs(function.alpha))
        case FunctionKind.HARD_SIGMOID:
            return abs(function.alpha)
        case kind:
            return _SLOPES[kind]


def _wide_error(curve: _Curve, given: Interval, index: Format, table: Codes, error: float) -> float:
    """The largest error for all inputs in the interval, the rounding to the index included."""
    low, high = (bound * 2.0**-given.fraction for bound in given.bounds)
    ends = to_values(np.array([index.low, index.high]), index.fraction)
    near = max(low, ends[0] - index.step), min(high, ends[1] + index.step)
    inner = np.linspace(*near, SAMPLES << index.width) if near[0] <= near[1] else np.empty(0)
    outer = np.concatenate([np.linspace(low, ends[0], 257), np.linspace(ends[1], high, 257)])
    points = np.concatenate([inner, outer[(outer >= low) & (outer <= high)]])
    entries = table.values[quantize_values(points, index) & ((1 << index.width) - 1)]
    wanted = curve.values(points)
    spacing = float(np.diff(inner).max()) if inner.size > 1 else 0.0
    steps = float(np.diff(np.unique(table.values)).max(initial=0.0))
    between = (
        curve.moved(points, spacing) if curve.is_smooth else steps
    )  # a tie may lie between a point and its nearest
    most = float(np.ptp(table.values) + np.abs(wanted).max())
    return min(float(np.abs(entries - wanted).max()) + between, most) + curve.moved(points, error)
