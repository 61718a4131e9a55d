"""Input and output of a layer's parser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from fpgacnn.errors import NonFiniteWeightsError, ShapeError, UnsupportedQuantizerError, WeightsError
from fpgacnn.frontends.keras.layer_config import MAX_NUMBER, Json, LayerConfig
from fpgacnn.frontends.keras.operations.quantizers import parse_quantizer
from fpgacnn.ir import source as src
from fpgacnn.ir.functions import on_a_tie
from fpgacnn.ir.source import FloatArray, Shape
from fpgacnn.ir.text import quantizer_text


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedOperation:
    """One operation of a layer and the shape of its result.

    It reads the result of the step before it and the layer's further inputs; with `reads`, the layer's input of that
    number in place of the step before it.
    """

    operation: src.SourceOperation
    shape: Shape
    reads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerContext:
    """Everything in the file about one use of a layer; `keras`: major version of the writer, None if unknown."""

    settings: LayerConfig
    kind: str
    inputs: tuple[Shape, ...]
    arrays: Mapping[str, FloatArray]
    keras: int | None

    @property
    def name(self) -> str:
        """The layer's name in the file."""
        return self.settings.layer

    @property
    def rank(self) -> int:
        """1 for classes of one-dimensional data, 2 for images."""
        return 1 if "1D" in self.kind else 2

    @property
    def input(self) -> Shape:
        """Shape of the only input."""
        if len(self.inputs) != 1:
            raise self.shape_error(f"one input expected, found {len(self.inputs)}")
        return self.inputs[0]

    def shape_error(self, why: str) -> ShapeError:
        """The error for an input of a wrong shape."""
        return ShapeError(layer=self.name, why=why)

    def image(self) -> tuple[int, int, int]:
        """Height, width and channels of the input; height 1 for one-dimensional data."""
        if len(self.input) != self.rank + 1:
            raise self.shape_error(f"{self.kind} needs an input of {self.rank + 1} axes, found {self.input}")
        height, width, channels = (1, *self.input) if self.rank == 1 else self.input
        return height, width, channels

    def shaped(self, height: int, width: int, channels: int) -> Shape:
        """A result's shape; one-dimensional data have no height."""
        return (width, channels) if self.rank == 1 else (height, width, channels)

    def weight(self, name: str, shape: Shape, quantizer: Json = None, *, trained: bool = False) -> src.Weight:
        """A trained array of the layer, checked for presence, shape and finiteness.

        `trained`: a quantizer without alpha becomes `auto_po2`, as QKeras does for kernels.
        """
        values = self.arrays.get(name)
        file = self.settings.file
        if values is None:
            raise WeightsError(file=file, layer=self.name, why=f"its {name} is not in the file")
        if values.shape != shape:
            raise WeightsError(file=file, layer=self.name, why=f"{name} has shape {values.shape}, expected {shape}")
        bad = int(values.size - (np.abs(values) <= MAX_NUMBER).sum())
        if bad:
            raise NonFiniteWeightsError(file=file, layer=self.name, weight=name, count=bad, total=values.size)
        parsed = parse_quantizer(quantizer, layer=self.name)
        if isinstance(parsed, src.PowerOfTwo) and (ties := on_a_tie(parsed, values)).size:
            why = (
                f"{name} holds {ties[0]:g}, which its logarithm rounds up or down by the place in the tensor (QKeras'"
                " float32); use another max_value"
            )
            raise UnsupportedQuantizerError(layer=self.name, quantizer=quantizer_text(parsed), why=why)
        return src.Weight(values=values, quantizer=with_automatic_scale(parsed) if trained else parsed)


Parser: TypeAlias = Callable[[LayerContext], list[ParsedOperation]]


def with_automatic_scale(quantizer: src.Quantizer | None) -> src.Quantizer | None:
    """QKeras turns a kernel quantizer without alpha into `auto_po2` when the layer is made (qlayers.py)."""
    match quantizer:
        case src.QuantizedBits(alpha=None):
            return replace(quantizer, alpha="auto_po2", symmetric=True)
        case src.Binary(alpha=None) | src.Ternary(alpha=None, threshold=None):
            return replace(quantizer, alpha="auto_po2")
        case _:
            return quantizer
