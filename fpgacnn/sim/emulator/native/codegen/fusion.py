"""Kernel fusion: elementwise chains with a single reader, and max pooling moved before monotone operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

import numpy as np

from fpgacnn.design import Design
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import PoolKind
from fpgacnn.sim.emulator.accumulator_ranges import Order, Sums
from fpgacnn.sim.emulator.native.codegen.operations import UNARY, slopes_by_channel

LARGEST_FUSED_WINDOW = 16


@dataclass(slots=True, kw_only=True)
class Fusion:
    """The readers of every node, and which nodes may be computed together; `off` fuses nothing."""

    design: Design
    ranges: Mapping[str, Interval]
    keep: AbstractSet[str]
    off: bool
    readers: dict[str, list[hw.Layer]] = field(init=False)

    def __post_init__(self) -> None:
        self.readers = {layer.name: [] for layer in self.design.model.layers}
        for layer in self.design.model.layers:
            for name in layer.inputs:
                self.readers[name].append(layer)

    def only_reader(self, layer: hw.Layer) -> hw.Layer | None:
        """The only node that reads a result; None if there are several, or if the result is written out."""
        readers = self.readers[layer.name]
        return readers[0] if not self.off and layer.name not in self.keep and len(readers) == 1 else None

    def chain(self, layer: hw.Layer, *, by_channel: bool) -> list[hw.Layer]:
        """The elementwise nodes after `layer` that can be fused; `by_channel`: without constants of single elements."""
        found: list[hw.Layer] = []
        while (reader := self.only_reader(layer)) is not None and isinstance(reader.operation, UNARY):
            if (
                by_channel
                and isinstance(reader.operation, hw.LeakyRelu)
                and slopes_by_channel(reader.operation) is None
            ):
                break
            found.append(reader)
            layer = reader
        return found

    def pooled(self, layer: hw.Layer, sums: Sums, before: Sequence[hw.Layer]) -> hw.Layer | None:
        """Max pooling after a convolution and `before` that may be computed first: they are all monotone."""
        pool = self.only_reader(before[-1] if before else layer)
        if (
            pool is None
            or not isinstance(layer.operation, hw.Convolution | hw.Depthwise)
            or not isinstance(pool.operation, hw.Pool)
        ):
            return None
        operation = pool.operation
        separate = (
            operation.size == operation.strides
            and not any(operation.pads)
            and operation.size[0] * operation.size[1] <= LARGEST_FUSED_WINDOW
        )
        return (
            pool
            if operation.kind is PoolKind.MAX and separate and self._keep_order(layer, sums, (*before, pool))
            else None
        )

    def _keep_order(self, layer: hw.Layer, sums: Sums, nodes: Sequence[hw.Layer]) -> bool:
        """Whether a larger sum never gives a smaller result: scales are positive, and no cast wraps."""
        row = (1,) * (len(layer.shape) - 1) + (-1,)
        value = Interval(low=sums.low.reshape(row), high=sums.high.reshape(row), fraction=sums.accumulator.fraction)
        value = value if sums.order is Order.EACH or sums.fits else iv.cast(value, sums.accumulator)
        if not iv.is_monotone_on(value, self._result(layer.name)):
            return False
        given = layer.name
        for node in nodes:
            if not self._rises(node, self.ranges[given]):
                return False
            given = node.name
        return True

    def _rises(self, node: hw.Layer, given: Interval) -> bool:
        operation, result = node.operation, self._result(node.name)
        match operation:
            case hw.Affine():
                return bool((operation.scale.array >= 0).all()) and iv.is_monotone_on(_scaled(operation, given), result)
            case hw.Cast() | hw.Saturate():
                return iv.is_monotone_on(given, result)
            case hw.Relu():
                return iv.is_monotone_on(
                    replace(given, low=np.maximum(given.low, 0), high=np.maximum(given.high, 0)), result
                )
            case hw.Pool():
                accumulator = self.design.plan.layers[node.name].accumulator
                assert accumulator is not None
                return iv.is_monotone_on(given, accumulator.format) and iv.is_monotone_on(
                    iv.cast(given, accumulator.format), result
                )
            case _:
                return False

    def _result(self, name: str) -> Format:
        return self.design.plan.layers[name].result.format


def _scaled(operation: hw.Affine, given: Interval) -> Interval:
    """The interval of a scaled value before it is cast."""
    fraction = given.fraction + operation.scale.format.fraction
    common = max(fraction, operation.shift.format.fraction)
    offset = operation.shift.array << (common - operation.shift.format.fraction)
    products = (given.low * operation.scale.array, given.high * operation.scale.array)
    low, high = np.minimum(*products) << (common - fraction), np.maximum(*products) << (common - fraction)
    return Interval(low=low + offset, high=high + offset, fraction=common)
