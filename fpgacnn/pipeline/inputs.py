"""Choose the format of each input, and convert events from real numbers to input codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import EventTypeError, InputTypeError
from fpgacnn.ir.element_types import WHOLE, ElementKind, holds_format, own_format, stored
from fpgacnn.ir.fixed_point import (
    Codes,
    Format,
    Overflow,
    Rounding,
    exact_format,
    fits,
    parse_format,
    quantize_values,
    to_values,
)
from fpgacnn.ir.source import Activate, FloatArray, Input, Linear, Shape, Softmax, SourceModel
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.system.npz import GROUPS, LABELS, TARGET, ArraySource, events_for, read_arrays, targets_for

MAX_INPUT_WIDTH = 24
PIECE_VALUES = 1 << 18
"""Values that are converted at once; rounding needs several temporary numbers for each."""

FALLBACK = Format(width=16, integer=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChoice:
    """The format of one input and the reason for it; `element`: type of its numbers in the model file."""

    name: str
    format: Format
    reason: str
    element: ElementKind = ElementKind.FLOAT32


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events: values (events, ...shape) of each input in order, and labels (events,) if there are some.

    `targets` are the wanted answers of each output, None where there are none; with `reconstructs` they are the inputs
    of an autoencoder. `unused` names arrays of the file that have no use.
    """

    values: tuple[FloatArray, ...]
    labels: NDArray[np.int64] | None
    origin: str
    targets: tuple[FloatArray | None, ...] = ()
    reconstructs: bool = False
    unused: tuple[str, ...] = ()

    def first(self, count: int | None) -> Events:
        """At most `count` events; all for None."""
        labels = None if self.labels is None else self.labels[:count]
        targets = tuple(None if one is None else one[:count] for one in self.targets)
        return replace(self, values=tuple(one[:count] for one in self.values), labels=labels, targets=targets)

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.values[0])


def input_shapes(source: SourceModel) -> Mapping[str, Shape]:
    """Shapes of the network's inputs, in order."""
    return {name: source.layer(name).shape for name in source.inputs}


def read_events(path: ArraySource, source: SourceModel) -> Events:
    """The events of a file, or of arrays in memory, for a network."""
    arrays = read_arrays(path)
    values, labels = events_for(path, input_shapes(source), arrays)
    targets = targets_for(path, [source.layer(name).shape for name in source.outputs], arrays, len(values[0]))
    reconstructs = not any(one is not None for one in targets) and is_autoencoder(source)
    numbers = range(max(len(source.inputs), len(source.outputs)))
    known = {LABELS, GROUPS, *(f"{word}_{number}" for word in ("input", "output", TARGET) for number in numbers)}
    return Events(
        values=values,
        labels=labels,
        origin=path.name,
        targets=values if reconstructs else targets,
        reconstructs=reconstructs,
        unused=tuple(sorted(arrays.keys() - known)),
    )


def is_autoencoder(source: SourceModel) -> bool:
    """Whether a network has one input and one output of the same shape, and fewer values somewhere between them."""
    if len(source.inputs) != 1 or len(source.outputs) != 1:
        return False
    shape, last = source.layer(source.inputs[0]).shape, source.layer(source.outputs[0])
    linear = sum(isinstance(layer.operation, Linear) for layer in source.layers)
    narrow = any(prod(layer.shape) < prod(shape) for layer in source.layers)
    return last.shape == shape and narrow and linear > 1 and last.operation != Activate(function=Softmax())


def choose_formats(source: SourceModel, events: Events | None, input_type: str | None) -> tuple[InputChoice, ...]:
    """A format for each input: the user's, that of the network's own quantizer, the data's grid, or fixed<16,6>.

    For an input of integers, the last is the format of its element type, with at most 16 bits. Raises FormatTextError,
    InputTypeError for a format with values that the input's element type lacks, EventTypeError for events with such
    values.
    """
    return tuple(
        _choose(source, name, events.values[number] if events else None, input_type)
        for number, name in enumerate(source.inputs)
    )


def element_of(source: SourceModel, name: str) -> ElementKind:
    """The element type of an input in the model file."""
    operation = source.layer(name).operation
    assert isinstance(operation, Input)
    return operation.element


def _choose(source: SourceModel, name: str, values: FloatArray | None, input_type: str | None) -> InputChoice:
    element = element_of(source, name)
    form, reason = _chosen(source, name, None if values is None else _stored(name, element, values), input_type)
    return InputChoice(name=name, format=_plain(form), reason=reason, element=element)


def _chosen(source: SourceModel, name: str, values: FloatArray | None, input_type: str | None) -> tuple[Format, str]:
    """The format of an input, and why."""
    element = element_of(source, name)
    own = own_format(element)
    if input_type is not None:
        form = parse_format(input_type)
        if not holds_format(element, form):
            raise InputTypeError(name=name, element=element, format=form, own=own or FALLBACK)
        return form, "--input-type"
    leading = leading_quantizer(source, name)
    if leading is not None and holds_format(element, leading):
        return leading, "the network's own quantizer of this input"
    exact = exact_format(values) if values is not None else None
    if exact is not None and exact.width <= MAX_INPUT_WIDTH:
        return exact, "the narrowest type that represents every given value"
    if own is not None:
        return own, f"default: the input is {element} in the file"
    reason = (
        "default: no --input-type and no events given"
        if values is None
        else f"default: the given values need more than {MAX_INPUT_WIDTH} bits"
    )
    return FALLBACK, reason


def _stored(name: str, element: ElementKind, values: FloatArray) -> FloatArray:
    """Events as the element type of the file stores them.

    Raises EventTypeError.
    """
    try:
        return stored(element, values)
    except ValueError as error:
        raise EventTypeError(name=name, holder=f"{element} in the model file", value=error) from error


def _plain(form: Format) -> Format:
    """The type of the port: rounding and clipping happen before the data enter the hardware."""
    return replace(form, rounding=Rounding.TRN, overflow=Overflow.WRAP)


def entry_format(choice: InputChoice, leading: Format | None) -> Format:
    """Rounding and overflow for events: those of the network's own quantizer, else half to even and saturation."""
    mode = leading or replace(choice.format, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
    return replace(mode, width=choice.format.width, integer=choice.format.integer)


def is_quantized_by(choice: InputChoice, leading: Format | None) -> bool:
    """Whether the network's own quantizer of an input decides its codes: then it rounds and clips whole numbers too."""
    return leading is not None and _plain(leading) == choice.format


def to_codes(values: FloatArray, choice: InputChoice, leading: Format | None) -> tuple[Codes, int]:
    """Codes of one input, rounded half to even and saturated, and the number of values that this changed.

    Integers are rounded and clipped only if a quantizer of the network does so. Raises EventTypeError for numbers that
    the input's element type, or its port of integers, cannot represent.
    """
    mode, changed = entry_format(choice, leading), 0
    quantized = is_quantized_by(choice, leading)
    codes = np.empty(values.shape, np.int64)
    step = max(1, PIECE_VALUES // max(values[:1].size, 1))
    for start in range(0, len(values), step):
        piece = _stored(choice.name, choice.element, values[start : start + step])
        codes[start : start + step] = quantize_values(piece, mode)
        lost = ~fits(piece, choice.format)
        if not quantized and choice.element in WHOLE and lost.any():
            holder = f"{choice.format} in the hardware ({choice.reason})"
            raise EventTypeError(name=choice.name, holder=holder, value=f"{piece[lost][0]:.10g}")
        changed += int(lost.sum())
    return Codes(array=codes, format=choice.format), changed


def largest_distance(codes: Codes, values: FloatArray) -> float:
    """The largest absolute difference between codes and the values that they were made from."""
    flat, given = codes.array.reshape(-1), values.reshape(-1)
    pieces = (slice(start, start + PIECE_VALUES) for start in range(0, flat.size, PIECE_VALUES))
    return max(float(np.abs(to_values(flat[one], codes.format.fraction) - given[one]).max()) for one in pieces)
