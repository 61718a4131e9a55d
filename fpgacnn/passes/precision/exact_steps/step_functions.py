"""Step functions in a network: a function of one number with the scales and the cast around it.

A quantized activation has finitely many values: it is a quantizer alone (powers of two), a quantizer of a smooth
function (`quantized_tanh`), or a smooth function before a cast. Scales in front and behind are part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import (
    Codes,
    Format,
    Overflow,
    Rounding,
    exact_codes,
    limit,
    quantize_values,
    smallest_format,
)
from fpgacnn.ir.functions import evaluate
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.ir.source import FloatArray
from fpgacnn.ir.text import activation_text

_WIDE = 58
"""Bits of a format that no value exceeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFunction:
    """`cast(after(function(before(x))))`; parts that are None are left out. A Relu as cast has a format."""

    function: q.Function
    before: q.Affine | None = None
    after: q.Affine | None = None
    cast: q.Cast | q.Relu | q.Round | None = None

    @classmethod
    def of(cls, chain: Sequence[q.Layer]) -> StepFunction:
        """The function of consecutive nodes, as `chains` finds them."""
        place = next(number for number, layer in enumerate(chain) if isinstance(layer.operation, q.Function))
        before, function, behind = (
            chain[:place],
            chain[place].operation,
            [layer.operation for layer in chain[place + 1 :]],
        )
        assert isinstance(function, q.Function)
        after = next((one for one in behind if isinstance(one, q.Affine)), None)
        cast = next((one for one in behind if not isinstance(one, q.Affine)), None)
        assert cast is None or isinstance(cast, q.Cast | q.Relu | q.Round)
        first = before[0].operation if before else None
        assert first is None or isinstance(first, q.Affine)
        return cls(function=function, before=first, after=after, cast=cast)

    @property
    def is_shared(self) -> bool:
        """Whether all channels have the same function."""
        return all(line is None or _is_even(line) for line in (self.before, self.after))

    @property
    def text(self) -> str:
        """What the steps are of, for reasons: `sigmoid of a scaled sum`."""
        scaled = " of a scaled sum" if self.before else ""
        return f"{activation_text(self.function.function)}{scaled}"

    def argument(self, values: FloatArray, channels: NDArray[np.int64]) -> FloatArray:
        """The argument of the function for input values; both (n,)."""
        return values if self.before is None else scaled_values(self.before, values, channels)

    def levels(self, values: FloatArray, channels: NDArray[np.int64]) -> FloatArray:
        """Numbers (n,) that are equal exactly if the results are, and that rise and fall with the function."""
        found = evaluate(self.function.function, self.argument(values, channels))
        if self.after is not None:
            found = scaled_values(self.after, found, channels)
        form = self._unwrapped
        if form is None:
            return found
        found = np.maximum(found, 0.0) if isinstance(self.cast, q.Relu) else found
        return quantize_values(found, form).astype(np.float64)

    @property
    def _unwrapped(self) -> Format | None:
        """The cast's format, but without limits if they do not keep the order (wrapping)."""
        match self.cast:
            case None:
                return None
            case q.Round():
                return Format(width=_WIDE, integer=_WIDE, rounding=self.cast.rounding, overflow=Overflow.SAT)
            case q.Cast() | q.Relu():
                form = self.cast.format
                assert form is not None
                if form.overflow in {Overflow.SAT, Overflow.SAT_SYM}:
                    return form
                return replace(form, width=_WIDE, integer=_WIDE - form.fraction, signed=True, overflow=Overflow.SAT)
            case _:
                assert_never(self.cast)

    def codes(self, levels: FloatArray) -> Codes | None:
        """The results of levels; None if they need more bits than the arithmetic has."""
        form = self._unwrapped
        if form is None:
            return exact_codes(levels)
        codes = levels.astype(np.int64)
        last = self.cast.format if isinstance(self.cast, q.Cast | q.Relu) else None
        if last is None or form != last:
            if codes.size and max(int(codes.max()), -int(codes.min())) >= form.high - 1:
                return None
            if last is None:
                return Codes(array=codes, format=smallest_format(int(codes.min()), int(codes.max()), 0))
            codes = limit(codes, last)
        return Codes(array=codes, format=replace(last, rounding=Rounding.TRN, overflow=Overflow.WRAP))


def chains(model: QuantizedModel) -> dict[str, tuple[q.Layer, ...]]:
    """The nodes that make up each step function of a network, by the name of the last one.

    A chain is a function, a scale in front that nothing else reads, and a cast behind, perhaps with a scale between.
    A smooth function without a cast is no step function, because it has as many values as its input.
    """
    found = {}
    for layer in model.layers:
        if not isinstance(layer.operation, q.Function):
            continue
        source = model.layer(layer.inputs[0])
        before = (source,) if isinstance(source.operation, q.Affine) and _only_reader(model, source) is layer else ()
        behind = _cast_behind(model, layer)
        if behind or not isinstance(layer.operation.function, src.Function):
            chain = (*before, layer, *behind)
            found[chain[-1].name] = chain
    return found


def _cast_behind(model: QuantizedModel, layer: q.Layer) -> tuple[q.Layer, ...]:
    reader = _only_reader(model, layer)
    if reader is not None and isinstance(reader.operation, q.Affine):
        last = _only_reader(model, reader)
        return (reader, last) if last is not None and _is_cast(last) else ()
    return (reader,) if reader is not None and _is_cast(reader) else ()


def _is_cast(layer: q.Layer) -> bool:
    operation = layer.operation
    return isinstance(operation, q.Cast | q.Round) or (isinstance(operation, q.Relu) and operation.format is not None)


def _only_reader(model: QuantizedModel, layer: q.Layer) -> q.Layer | None:
    """The one node that reads a result that is no output."""
    readers = model.consumers(layer.name)
    return readers[0] if len(readers) == 1 and layer.name not in model.outputs else None


def _is_even(line: q.Affine) -> bool:
    return bool(
        np.all(line.trained.scale == line.trained.scale[0]) and np.all(line.trained.shift == line.trained.shift[0])
    )


def scaled_values(line: q.Affine, values: FloatArray, channels: NDArray[np.int64]) -> FloatArray:
    """`x * scale / divisor + shift` with the trained numbers; values (n,) of the channels (n,)."""
    scaled = values * line.trained.scale[channels]
    return (scaled if line.trained.divisor == 1 else scaled / line.trained.divisor) + line.trained.shift[channels]
