"""The design space: strategy and reuse factor of each layer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

from fpgacnn.design import Design, IoType, Strategy
from fpgacnn.hardware.hls.reuse import largest, legal_factors
from fpgacnn.ir import hardware as hw


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A layer of the model file with multiplications, and the reuse factors that all its parts allow, ascending.

    `da`: its strategy may be distributed arithmetic, with a reuse factor of 1.
    """

    layer: str
    factors: tuple[int, ...]
    da: bool = False

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every strategy with every reuse factor that it allows."""
        shared = product((Strategy.LATENCY, Strategy.RESOURCE), self.factors)
        found = tuple(Setting(strategy=strategy, reuse=reuse) for strategy, reuse in shared)
        return (*found, Setting(strategy=Strategy.DA)) if self.da else found

    def nearest(self, wanted: int) -> int:
        """The factor nearest to `wanted`, the smaller one of two."""
        return min(self.factors, key=lambda factor: (abs(factor - wanted), factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Strategy and reuse factor of a layer."""

    strategy: Strategy = Strategy.LATENCY
    reuse: int = 1


def parameters(design: Design, *, da: bool = False) -> tuple[Parameter, ...]:
    """The parameters of a network, in the order of its layers; `da`: with distributed arithmetic."""
    found: dict[str, list[set[int]]] = {}
    for layer in design.model.layers:
        factors = _factors(layer.operation, streams=design.target.io is IoType.STREAM)
        if factors:
            found.setdefault(layer.sums_of, []).append(factors)
    return tuple(
        Parameter(
            layer=name,
            factors=tuple(sorted(set.intersection(*sets))),
            da=da and name not in design.target.multiplier_of,
        )
        for name, sets in found.items()
    )


def _factors(operation: hw.Operation, *, streams: bool) -> set[int]:
    """Legal reuse factors of a matrix product; for a convolution, those of one output position."""
    match operation:
        case hw.Convolution() | hw.Dense():
            inputs, outputs = prod(operation.kernel.array.shape[:-1]), operation.kernel.array.shape[-1]
            loops = streams or isinstance(operation, hw.Dense)
        case hw.Depthwise():  # with the resource strategy it becomes a full convolution
            rows, columns, channels, multiplier = operation.kernel.array.shape
            inputs, outputs, loops = rows * columns * channels, channels * multiplier, streams
        case _:
            return set()
    return set(legal_factors(inputs, outputs, largest(inputs, outputs, loops=loops)))
