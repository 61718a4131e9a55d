"""From events in floats to input codes: which format each input gets, and what rounding does to the events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding, exact_codes, fits, parse_format, quantize_values
from fpgacnn.ir.source import FloatArray, Shape, SourceModel
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.system.npz import ArraySource, events_for

MAX_INPUT_WIDTH = 24
PIECE_VALUES = 1 << 18
"""Values that become codes at once: rounding takes several numbers for each."""

FALLBACK = Format(width=16, integer=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChoice:
    """The format of one input and where it comes from."""

    name: str
    format: Format
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events as the user gave them, per input in order, with labels where there are some."""

    values: tuple[FloatArray, ...]
    labels: NDArray[np.int64] | None
    origin: str

    def first(self, count: int | None) -> Events:
        """At most `count` events; all for None."""
        labels = None if self.labels is None else self.labels[:count]
        return replace(self, values=tuple(one[:count] for one in self.values), labels=labels)

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.values[0])


def input_shapes(source: SourceModel) -> Mapping[str, Shape]:
    """Shapes of the network's inputs, in order."""
    return {name: source.layer(name).shape for name in source.inputs}


def read_events(path: ArraySource, source: SourceModel) -> Events:
    """The events of a file, or of arrays in memory, for a network."""
    values, labels = events_for(path, input_shapes(source))
    return Events(values=values, labels=labels, origin=path.name)


def choose_formats(source: SourceModel, events: Events | None, input_type: str | None) -> tuple[InputChoice, ...]:
    """A format for each input: what the user says, the network's own quantizer, the data's grid, else fixed<16,6>."""
    return tuple(
        _choose(source, name, events.values[number] if events else None, input_type)
        for number, name in enumerate(source.inputs)
    )


def _choose(source: SourceModel, name: str, values: FloatArray | None, input_type: str | None) -> InputChoice:
    if input_type is not None:
        form = parse_format(input_type)
        return InputChoice(name=name, format=_plain(form), reason="--input-type")
    leading = leading_quantizer(source, name)
    if leading is not None:
        return InputChoice(name=name, format=_plain(leading), reason="the network quantizes its input so")
    exact = exact_codes(values) if values is not None else None
    if exact is not None and exact.format.width <= MAX_INPUT_WIDTH:
        return InputChoice(name=name, format=exact.format, reason="the narrowest that holds every given value")
    reason = (
        "default: no --input-type and no events given"
        if values is None
        else f"default: the given values need more than {MAX_INPUT_WIDTH} bits"
    )
    return InputChoice(name=name, format=FALLBACK, reason=reason)


def _plain(form: Format) -> Format:
    """The port's type: rounding and limiting happen outside, before the data enter."""
    return replace(form, rounding=Rounding.TRN, overflow=Overflow.WRAP)


def entry_format(choice: InputChoice, leading: Format | None) -> Format:
    """How events become codes: as the network's own quantizer rounds and limits, else half to even and saturated."""
    mode = leading or replace(choice.format, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
    return replace(mode, width=choice.format.width, integer=choice.format.integer)


def to_codes(values: FloatArray, choice: InputChoice, leading: Format | None) -> tuple[Codes, int]:
    """Codes of one input, rounded half to even and saturated, and how many values that changed."""
    mode, changed = entry_format(choice, leading), 0
    codes = np.empty(values.shape, np.int64)
    step = max(1, PIECE_VALUES // max(values[:1].size, 1))
    for start in range(0, len(values), step):
        piece = values[start : start + step]
        codes[start : start + step] = quantize_values(piece, mode)
        changed += int((~fits(piece, choice.format)).sum())
    return Codes(array=codes, format=choice.format), changed
