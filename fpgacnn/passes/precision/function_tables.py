"""Functions as tables with an entry for every code of a narrow input, and a bound on what that costs.

The table is indexed by all bits of its input, so an entry is the function's value at that very code, rounded once.
Where the input has more bits it is rounded to the index first.
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
from fpgacnn.ir.functions import evaluate
from fpgacnn.ir.hardware import Function, Lookup
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import FloatArray, FunctionKind
from fpgacnn.ir.text import quantizer_text
from fpgacnn.passes.precision.thresholds import INDEX_BITS, MAX_PLACES

ENTRY_BITS = 16
SAMPLES = 8
"""Points between two index steps at which the error is evaluated; the slope bounds what lies between them."""

_REACH = {
    FunctionKind.TANH: 3,
    FunctionKind.SIGMOID: 4,
    FunctionKind.SOFTSIGN: 6,
    FunctionKind.SELU: 5,
    FunctionKind.ELU: 5,
}
"""Integer bits, sign included, beyond which a function is flat or a line that its neighbours continue."""

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
"""Smooth functions are nowhere steeper; an ELU is as its alpha says, a hard sigmoid too, an exponential as its largest value."""


_VALLEYS = np.array([-1.2784645427610738, -0.7517915246935645, -1.1924312145154843, -1.5])
"""Where swish, GELU, mish and hard swish are smallest; the others only rise."""

_FLOAT64_STEPS = 2.0**-40
"""What the functions' own float64 may be off, relative to their largest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTable:
    """The format that the input is cast to, or None where it is narrow enough, and the table."""

    index: Format | None
    lookup: Lookup


def build(operation: Function, given: Interval, form: Format, error: float, *, layer: str) -> FunctionTable:
    """The table of a function for inputs of format `form` that lie in an interval and may be off by `error`.

    Raises UnsupportedOptionError where the function's values span more bits than the arithmetic has.
    """
    function = operation.function
    if form.width <= INDEX_BITS:
        table = _entries(function, _inputs(form), layer)
        return FunctionTable(
            index=None,
            lookup=Lookup(table=table, error=_narrow_error(function, form, table, error), what=_words(function, form)),
        )
    index = _index_format(function, given)
    table = _entries(function, _inputs(index), layer)
    return FunctionTable(
        index=index,
        lookup=Lookup(
            table=table, error=_wide_error(function, given, index, table, error), what=_words(function, index)
        ),
    )


def _words(function: object, index: Format) -> str:
    """What is built; a step function comes here only where it has more steps than are compared."""
    steps = (
        ""
        if isinstance(function, src.Function) or index.width < INDEX_BITS
        else f" of more than {MAX_PLACES - 1} thresholds"
    )
    name = function.kind.value if isinstance(function, src.Function) else type(function).__name__
    return f"{name}, {1 << index.width} entries{steps}"


def _inputs(form: Format) -> FloatArray:
    """The values of all codes of a format, in the order of their bits."""
    bits = np.arange(1 << form.width)
    codes = np.where(bits > form.high, bits - (1 << form.width), bits) if form.signed else bits
    return to_values(codes, form.fraction)


def _index_format(function: object, given: Interval) -> Format:
    needed = given.format
    integer = needed.integer
    if isinstance(function, src.Function) and function.kind in _REACH:
        integer = min(integer, _REACH[function.kind] - (0 if needed.signed else 1))
    elif isinstance(function, src.QuantizedTanh | src.QuantizedSigmoid):
        integer = min(integer, 4 - (0 if needed.signed else 1))
    return Format(
        width=INDEX_BITS, integer=integer, signed=needed.signed, rounding=Rounding.RND_CONV, overflow=Overflow.SAT
    )


def _entries(
    function: src.Function | src.PowerOfTwo | src.QuantizedTanh | src.QuantizedSigmoid, inputs: FloatArray, layer: str
) -> Codes:
    values = evaluate(function, inputs)
    if not isinstance(function, src.Function):
        exact = exact_codes(values)
        if exact is None:
            why = f"the values of {quantizer_text(function)} span more bits than the arithmetic has"
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


def _narrow_error(function: object, form: Format, table: Codes, error: float) -> float:
    """Rounding of the entries, and what an input that is off does."""
    inputs = _inputs(form)
    wanted = evaluate(function, inputs)  # type: ignore[arg-type]  # a function of the closed union
    rounding = float(np.abs(table.values - wanted).max())
    return rounding + _moved(function, inputs, error)


def _moved(function: object, inputs: FloatArray, error: float) -> float:
    """How far an input that is off moves the function: by its slope, or where it has steps by what it spans at most."""
    if error == 0.0:
        return 0.0
    low, high = float(inputs.min()) - error, float(inputs.max()) + error
    points = np.concatenate([inputs - error, inputs, inputs + error, np.clip(_VALLEYS, low, high)])
    reached = evaluate(function, points)  # type: ignore[arg-type]  # as above
    span = float(np.ptp(reached))
    if not isinstance(function, src.Function):
        return span
    return min(error * _slope(function, float(reached.max())), span + _FLOAT64_STEPS * float(np.abs(reached).max()))


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


def _wide_error(function: object, given: Interval, index: Format, table: Codes, error: float) -> float:
    """The largest distance over all inputs in the interval, the rounding to the index included."""
    low, high = (bound * 2.0**-given.fraction for bound in given.bounds)
    ends = to_values(np.array([index.low, index.high]), index.fraction)
    inner = np.linspace(max(low, ends[0] - index.step), min(high, ends[1] + index.step), SAMPLES << index.width)
    outer = np.concatenate([np.linspace(low, ends[0], 257), np.linspace(ends[1], high, 257)])
    points = np.concatenate([inner, outer[(outer >= low) & (outer <= high)]])
    entries = table.values[quantize_values(points, index) & ((1 << index.width) - 1)]
    wanted = evaluate(function, points)  # type: ignore[arg-type]  # a function of the closed union
    spacing = float(np.diff(inner).max()) if inner.size > 1 else 0.0
    smooth = isinstance(function, src.Function)
    between = (
        _moved(function, points, spacing / 2) if smooth else float(np.diff(np.unique(table.values)).max(initial=0.0))
    )
    most = float(np.ptp(table.values) + np.abs(wanted).max())
    return min(float(np.abs(entries - wanted).max()) + between, most) + _moved(function, points, error)
