"""A quantized network: the hardware graph as a value that is valid by construction."""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn.errors import InternalError
from fpgacnn.ir.hardware import Input, Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedModel:
    """Layers in an order that can be computed, with the names of input and output nodes.

    `notes` tell what was changed on the way from the file (softmax left out, no-ops dropped).
    """

    name: str
    source_digest: str
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for layer in self.layers:
            if layer.name in seen or not set(layer.inputs) <= seen:
                raise InternalError(what=f"node '{layer.name}' is out of order or not unique")
            seen.add(layer.name)
        if not (self.inputs and self.outputs and {*self.inputs, *self.outputs} <= seen):
            raise InternalError(what="a network without inputs or outputs")

    def layer(self, name: str) -> Layer:
        """The node of that name."""
        return next(layer for layer in self.layers if layer.name == name)

    def consumers(self, name: str) -> tuple[Layer, ...]:
        """The nodes that read the node `name`."""
        return tuple(layer for layer in self.layers if name in layer.inputs)

    @property
    def input_layers(self) -> tuple[tuple[Layer, Input], ...]:
        """The input nodes with their operations, in the order of the network's inputs."""
        found = ((layer, layer.operation) for layer in map(self.layer, self.inputs))
        return tuple((layer, operation) for layer, operation in found if isinstance(operation, Input))
