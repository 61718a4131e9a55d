"""What can be turned without touching a bit of the answer: each layer's strategy and reuse factor."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from fpgacnn.design import Design, Strategy
from fpgacnn.hardware.hls.reuse import legal_factors
from fpgacnn.ir import hardware as hw


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A layer of the file that multiplies, and the reuse factors that every part of it can have, ascending."""

    layer: str
    factors: tuple[int, ...]

    def nearest(self, wish: int) -> int:
        """The factor next to a wish, the smaller of two."""
        return min(self.factors, key=lambda factor: (abs(factor - wish), factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a layer multiplies."""

    strategy: Strategy = Strategy.LATENCY
    reuse: int = 1


def parameters(design: Design) -> tuple[Parameter, ...]:
    """The knobs of a network, in the order of its layers."""
    found: dict[str, list[set[int]]] = {}
    for layer in design.model.layers:
        factors = _factors(layer.operation)
        if factors:
            found.setdefault(layer.source, []).append(factors)
    return tuple(Parameter(layer=name, factors=tuple(sorted(set.intersection(*sets)))) for name, sets in found.items())


def _factors(operation: hw.Operation) -> set[int]:
    """Legal reuse factors of a matrix product; of a convolution, those that are spent within one position."""
    match operation:
        case hw.Convolution():
            inputs, outputs = prod(operation.kernel.array.shape[:-1]), operation.kernel.array.shape[-1]
            return set(legal_factors(inputs, outputs, inputs))
        case hw.Depthwise():  # with the resource strategy a full convolution is built
            rows, columns, channels, multiplier = operation.kernel.array.shape
            inputs = rows * columns * channels
            return set(legal_factors(inputs, channels * multiplier, inputs))
        case hw.Dense():
            inputs, outputs = prod(operation.kernel.array.shape[:-1]), operation.kernel.array.shape[-1]
            return set(legal_factors(inputs, outputs, inputs * outputs))
        case _:
            return set()
