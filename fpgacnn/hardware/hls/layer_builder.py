"""Helpers of lowering: formats, names, reuse factors."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from fpgacnn.design import Design, IoType, Multiplier, Strategy
from fpgacnn.hardware.hls import reuse as reuse_factors
from fpgacnn.hardware.hls.da.rules import is_product
from fpgacnn.hardware.hls.node import DISTRIBUTED_ARITHMETIC, Attribute, HlsNode
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import CodeArray, Format
from fpgacnn.passes.precision import LayerPrecision
from fpgacnn.passes.quantization.names import Namer

PLACED_KINDS = ("Dense", "Conv", "DepthwiseConv", "BatchNormalization")
"""Beginnings of hls4ml's names of layers whose configuration names the function of their products."""


@dataclass(slots=True, kw_only=True)
class LayerBuilder:
    """The layer list so far.

    `name_of`: under which name of hls4ml each node's result is found. `overlapping`: a pooling in a stream has windows
    that overlap.
    """

    design: Design
    names: Namer
    nodes: list[HlsNode] = field(default_factory=list)
    name_of: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    overlapping: bool = False

    @property
    def streams(self) -> bool:
        """Whether the io type is stream."""
        return self.design.target.io is IoType.STREAM

    def precision(self, name: str) -> LayerPrecision:
        """The planned formats of a node."""
        return self.design.plan.layers[name]

    def result(self, name: str) -> Format:
        """The format of a node's result."""
        return self.precision(name).result.format

    def _append(
        self,
        layer: hw.Layer,
        kind: str,
        inputs: tuple[str, ...],
        attributes: dict[str, Attribute],
        types: dict[str, Format] | None = None,
        *,
        extra: dict[str, Format] | None = None,
        codes: dict[str, CodeArray] | None = None,
    ) -> None:
        self.nodes.append(
            HlsNode(
                name=layer.name,
                kind=kind,
                inputs=inputs,
                attributes=attributes,
                types={"result": self.result(layer.name), **(types or {})},
                node=layer.name,
                reuse=self._reuse(layer),
                strategy=self._strategy(layer),
                extra_types=extra or {},
                codes=codes or {},
                multiplier=self._multiplier(layer, kind),
            )
        )
        self.name_of[layer.name] = layer.name

    def _strategy(self, layer: hw.Layer) -> str:
        """hls4ml's name of a layer's strategy; what has no constant matrix has no distributed arithmetic."""
        match self.design.strategy(layer.sums_of):
            case Strategy.LATENCY:
                return "Latency"
            case Strategy.RESOURCE:
                return "Resource"
            case Strategy.DA:
                return DISTRIBUTED_ARITHMETIC if is_product(layer.operation) else "Latency"

    def _multiplier(self, layer: hw.Layer, kind: str) -> Multiplier:
        """What makes the products of a layer, if its configuration names the function of a product."""
        return self.design.multiplier(layer.sums_of) if kind.startswith(PLACED_KINDS) else Multiplier.AUTO

    def _reuse(self, layer: hw.Layer) -> int:
        """The reuse factor for hls4ml: the requested one if it is legal, else the nearest, with a note."""
        requested, operation = self.design.reuse(layer.sums_of), layer.operation
        if self.design.strategy(layer.sums_of) is not Strategy.RESOURCE or not isinstance(
            operation, hw.Convolution | hw.Dense
        ):
            return requested
        inputs, outputs = prod(operation.kernel.array.shape[:-1]), operation.kernel.array.shape[-1]
        largest = reuse_factors.largest(inputs, outputs, loops=isinstance(operation, hw.Dense) or self.streams)
        explicit = layer.sums_of in self.design.target.reuse_of
        reuse = reuse_factors.chosen(inputs, outputs, largest, requested, layer=layer.sums_of, explicit=explicit)
        if reuse != requested:
            name = layer.sums_of if layer.folded else layer.name
            self.notes.append(f"{name}: a reuse factor of {requested} is not legal for its size, {reuse} is used")
        return reuse

    def _accumulator(self, layer: hw.Layer) -> Format:
        accumulator = self.precision(layer.name).accumulator
        assert accumulator is not None
        return accumulator.format

    def _input(self, layer: hw.Layer, index: int = 0) -> hw.Layer:
        return self.design.model.layer(layer.inputs[index])
