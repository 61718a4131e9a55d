"""Adder graphs as the text of their C++ function, read back line by line.

The text is not trusted: `computes` expands it to the matrix that it multiplies with, and compares this with the
integer weights. Every sum is a linear form of the inputs, so this holds for every input, not for examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_TYPE = r"ap_(u?)fixed<(-?[0-9]{1,4}), ?(-?[0-9]{1,4})>"
_VALUE = r"(?:bit_shift<(-?[0-9]{1,4})>\()?v([0-9]{1,7})\)?"
_NUMBER = r"(-?[0-9][0-9.e+-]{0,40})"
_LINE = re.compile(rf"{_TYPE} v([0-9]{{1,7}}) = (.{{1,200}}?);(?: // [0-9.]{{1,12}})?")
_INPUT = re.compile(r"model_inp(?:\[([0-9]{1,7})\]|_q_([0-9]{1,7}))")
_QUANTIZED = re.compile(r"ap_u?fixed<[-A-Z_a-z0-9, ]{1,80}> model_inp_q_[0-9]{1,7} = (?:model_inp\[[0-9]{1,7}\]|0);")
"""A quantizer that hls4ml moves into the function; what fpgacnn writes has none."""

_SUM = re.compile(rf"v([0-9]{{1,7}}) ([+-]) {_VALUE}")
_CONSTANT_SUM = re.compile(rf"v([0-9]{{1,7}}) ([+-]) {_TYPE}\({_NUMBER}\)")
_COPY = re.compile(r"(-?)v([0-9]{1,7})")
_CONSTANT = re.compile(_NUMBER)
_OUTPUT = re.compile(rf"model_out\[([0-9]{{1,7}})\] = (?:0|{_TYPE}\((-?){_VALUE}\));")
_SIGNATURE = re.compile(r"void (\w{1,80})\(inp_t model_inp\[([0-9]{1,7})\], out_t model_out\[([0-9]{1,7})\]\) \{")

WIDEST = 62
"""Bits of the widest sum that is read: linear forms are kept as int64."""


class AdderGraphError(Exception):
    """A text that is no adder graph, or one that does not compute what it should; the text says where."""


@dataclass(frozen=True, slots=True)
class Type:
    """A fixed-point type of the C++."""

    signed: bool
    width: int
    integer: int

    @property
    def fraction(self) -> int:
        """Bits right of the binary point."""
        return self.width - self.integer

    @property
    def magnitude(self) -> int:
        """Integer bits without the sign."""
        return self.integer - self.signed

    def shifted(self, places: int) -> Type:
        """The type of `bit_shift<places>`: the same bits, another binary point."""
        return Type(self.signed, self.width, self.integer + places)


@dataclass(frozen=True, slots=True)
class Operand:
    """An earlier value, shifted and perhaps negated."""

    value: int
    places: int = 0
    negative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSum:
    """One line: the sum of `operands` and of a constant, or input number `source`, as a value of `type`."""

    type: Type
    operands: tuple[Operand, ...] = ()
    constant: Fraction = Fraction(0)
    source: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdderGraph:
    """The values in their order, by their numbers, and what leaves as which type; None is zero."""

    name: str
    inputs: int
    values: dict[int, GraphSum]
    outputs: tuple[tuple[Operand, Type] | None, ...]

    def adders(self) -> Iterator[tuple[GraphSum, int]]:
        """Values that need an adder, with its bits as da4ml counts them: where both operands have bits."""
        for value in self.values.values():
            if len(value.operands) == 2:
                one, other = (self.values[each.value].type.shifted(each.places) for each in value.operands)
                bits = (one.signed or other.signed) + max(one.magnitude, other.magnitude)
                yield value, max(1, bits + min(one.fraction, other.fraction))
            elif value.operands and value.constant:
                yield value, abs(value.constant.numerator).bit_length()

    @property
    def bits(self) -> int:
        """Bits of all adders: da4ml's cost, about the LUTs after placement."""
        return sum(bits for _, bits in self.adders())

    def levels(self) -> dict[int, int]:
        """Number of adders one after another before each value is there."""
        found: dict[int, int] = {}
        for number, value in self.values.items():
            before = max((found[each.value] for each in value.operands), default=0)
            adds = len(value.operands) == 2 or (bool(value.operands) and value.constant != 0)
            found[number] = before + adds
        return found

    @property
    def depth(self) -> int:
        """Adders one after another on the longest path."""
        return max(self.levels().values(), default=0)

    def alive(self) -> tuple[int, ...]:
        """For each level of adders the bits that cross a cut before it: of what is there and still needed."""
        level, depth = self.levels(), self.depth
        last = dict(level)
        for number, value in self.values.items():
            for each in value.operands:
                last[each.value] = max(last[each.value], level[number])
        for output in self.outputs:
            if output is not None:
                last[output[0].value] = depth
        found = [0] * depth
        for number, value in self.values.items():
            for place in range(level[number], last[number]):
                found[place] += value.type.width
        return tuple(found)


def read_graph(text: str) -> AdderGraph:
    """The adder graph of a C++ function. Raises AdderGraphError for a line that none has."""
    found = _SIGNATURE.search(text)
    if found is None:
        raise AdderGraphError("no function of an adder graph")
    values: dict[int, GraphSum] = {}
    outputs: dict[int, tuple[Operand, Type] | None] = {}
    for raw in text[found.end() :].splitlines():
        line = raw.strip()
        if line == "}":
            break
        if line.startswith("model_out"):
            number, output = _output(line, values)
            outputs[number] = output
        elif line.startswith("ap_") and not _QUANTIZED.fullmatch(line):
            number, value = _value(line, values)
            values[number] = value
        elif line and not line.startswith(("//", "#pragma HLS INLINE", "ap_")):
            raise AdderGraphError(f"a line that is no sum: {line[:80]}")
    if sorted(outputs) != list(range(int(found[3]))):
        raise AdderGraphError("an output is missing")
    return AdderGraph(
        name=found[1], inputs=int(found[2]), values=values, outputs=tuple(outputs[n] for n in range(len(outputs)))
    )


def _type(sign: str, width: str, integer: str) -> Type:
    found = Type(not sign, int(width), int(integer))
    if not 1 <= found.width <= WIDEST:
        raise AdderGraphError(f"a value of {width} bits; at most {WIDEST} are read")
    return found


def _known(number: str, values: dict[int, GraphSum], places: str | None = None, *, negative: bool = False) -> Operand:
    if int(number) not in values:
        raise AdderGraphError(f"v{number} is used before it is there")
    return Operand(int(number), int(places or 0), negative)


def _number(text: str) -> Fraction:
    try:
        return Fraction(float(text))
    except (ValueError, OverflowError) as error:
        raise AdderGraphError(f"no number: {text[:40]}") from error


def _value(line: str, values: dict[int, GraphSum]) -> tuple[int, GraphSum]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise AdderGraphError(f"a line that is no sum: {line[:80]}")
    kind, number, right = _type(found[1], found[2], found[3]), int(found[4]), found[5]
    if number in values:
        raise AdderGraphError(f"v{number} is there twice")
    if given := _INPUT.fullmatch(right):
        return number, GraphSum(type=kind, source=int(given[1] or given[2]))
    if given := _SUM.fullmatch(right):
        operands = (_known(given[1], values), _known(given[4], values, given[3], negative=given[2] == "-"))
        return number, GraphSum(type=kind, operands=operands)
    if given := _CONSTANT_SUM.fullmatch(right):
        constant = _number(given[6])
        _holds(_type(given[3], given[4], given[5]), constant, line)
        signed = -constant if given[2] == "-" else constant
        return number, GraphSum(type=kind, operands=(_known(given[1], values),), constant=signed)
    if given := _COPY.fullmatch(right):
        return number, GraphSum(type=kind, operands=(_known(given[2], values, negative=bool(given[1])),))
    if given := _CONSTANT.fullmatch(right):
        constant = _number(given[1])
        _holds(kind, constant, line)
        return number, GraphSum(type=kind, constant=constant)
    raise AdderGraphError(f"a line that is no sum: {line[:80]}")


def _holds(kind: Type, constant: Fraction, line: str) -> None:
    """Raise AdderGraphError if a type does not hold a constant exactly."""
    code = constant * Fraction(2) ** kind.fraction
    low, high = _limits(kind)
    if code.denominator != 1 or not low <= code <= high:
        raise AdderGraphError(f"a constant that its type does not hold: {line[:80]}")


def _output(line: str, values: dict[int, GraphSum]) -> tuple[int, tuple[Operand, Type] | None]:
    found = _OUTPUT.fullmatch(line)
    if found is None:
        raise AdderGraphError(f"a line that is no output: {line[:80]}")
    if found[2] is None:
        return int(found[1]), None
    operand = _known(found[7], values, found[6], negative=bool(found[5]))
    return int(found[1]), (operand, _type(found[2], found[3], found[4]))


def _limits(kind: Type) -> tuple[int, int]:
    """The smallest and the largest code of a type."""
    return (-(1 << (kind.width - 1)), (1 << (kind.width - 1)) - 1) if kind.signed else (0, (1 << kind.width) - 1)


@dataclass(frozen=True, slots=True)
class _Form:
    """A linear form of the input codes in units of 2**-fraction; the constant is last. (inputs + 1,) int64."""

    factors: NDArray[np.int64]
    fraction: int


def computes(
    graph: AdderGraph,
    given: Type,
    weights: tuple[NDArray[np.int64], int],
    biases: tuple[NDArray[np.int64], int],
) -> None:
    """Check that a graph is the product with a matrix, plus biases, for every input of the type `given`.

    Codes come with their number of fraction bits; weights are (inputs, outputs).
    Raises AdderGraphError where a sum has not enough bits, or an output is another sum.
    """
    matrix, weight_fraction = weights
    if (graph.inputs, len(graph.outputs)) != matrix.shape:
        raise AdderGraphError(f"{graph.inputs} inputs and {len(graph.outputs)} outputs instead of {matrix.shape}")
    forms: dict[int, _Form] = {}
    for number, value in graph.values.items():
        form = _sum(graph, value, forms, given)
        forms[number] = _fitted(form, value.type, given, f"v{number}")
    for number, output in enumerate(graph.outputs):
        fraction = weight_fraction + given.fraction
        wanted = _add(
            _Form(np.append(matrix[:, number], 0).astype(np.int64), fraction),
            _constant(graph.inputs, Fraction(int(biases[0][number])) / Fraction(2) ** biases[1]),
        )
        if output is None:
            seen = _constant(graph.inputs, Fraction(0))
        else:
            operand, kind = output
            seen = _fitted(_operand(operand, forms), kind, given, f"output {number}")
        if not _equal(seen, wanted):
            raise AdderGraphError(f"output {number} is not the sum of its products")


def _sum(graph: AdderGraph, value: GraphSum, forms: dict[int, _Form], given: Type) -> _Form:
    """The linear form of a line."""
    if value.source is not None:
        if not value.source < graph.inputs:
            raise AdderGraphError(f"there is no input {value.source}")
        factors = np.zeros(graph.inputs + 1, np.int64)
        factors[value.source] = 1
        return _Form(factors, given.fraction)
    found = _constant(graph.inputs, value.constant)
    for each in value.operands:
        found = _add(found, _operand(each, forms))
    return found


def _operand(operand: Operand, forms: dict[int, _Form]) -> _Form:
    form = forms[operand.value]
    return _Form(-form.factors if operand.negative else form.factors, form.fraction - operand.places)


def _constant(inputs: int, constant: Fraction) -> _Form:
    factors = np.zeros(inputs + 1, np.int64)
    if abs(constant.numerator) >= 1 << WIDEST:
        raise AdderGraphError(f"a constant of more than {WIDEST} bits")
    factors[-1] = constant.numerator
    return _Form(factors, constant.denominator.bit_length() - 1)


def _add(one: _Form, other: _Form) -> _Form:
    fraction = max(one.fraction, other.fraction)
    return _Form(_finer(one, fraction) + _finer(other, fraction), fraction)


def _finer(form: _Form, fraction: int) -> NDArray[np.int64]:
    """The factors in smaller units."""
    places = fraction - form.fraction
    largest = int(np.abs(form.factors).max())
    if largest and (places > WIDEST or largest << places >= 1 << WIDEST):
        raise AdderGraphError(f"a sum of more than {WIDEST} bits")
    return form.factors << min(places, WIDEST)


def _equal(one: _Form, other: _Form) -> bool:
    fraction = max(one.fraction, other.fraction)
    return bool((_finer(one, fraction) == _finer(other, fraction)).all())


def _fitted(form: _Form, kind: Type, given: Type, where: str) -> _Form:
    """The same form in units of a type, which holds each of its values. Raises AdderGraphError."""
    places = form.fraction - kind.fraction
    factors = form.factors
    if places > 0:
        if (factors & ((1 << min(places, WIDEST)) - 1)).any():
            raise AdderGraphError(f"{where} loses bits below {kind.fraction} fraction bits")
        factors = factors >> places
    else:
        factors = _finer(form, kind.fraction)
    low, high = _limits(given)
    reach = np.abs(factors[:-1]).astype(np.float64).sum() * max(-low, high) + abs(float(factors[-1]))
    if reach >= float(1 << WIDEST):
        raise AdderGraphError(f"{where} has more than {WIDEST} bits")
    least = int(np.where(factors[:-1] > 0, factors[:-1] * low, factors[:-1] * high).sum()) + int(factors[-1])
    most = int(np.where(factors[:-1] > 0, factors[:-1] * high, factors[:-1] * low).sum()) + int(factors[-1])
    if not (_limits(kind)[0] <= least and most <= _limits(kind)[1]):
        raise AdderGraphError(f"{where} of {kind.width} bits overflows")
    return _Form(factors, kind.fraction)
