"""What the quantized graph and the hardware graph share: nodes in an order that can be computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fpgacnn.errors import InternalError
from fpgacnn.ir.source import Shape

OperationT = TypeVar("OperationT")
LayerT = TypeVar("LayerT", bound="Node[Any]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Generic[OperationT]):
    """One node of a graph.

    `name` is a safe C++ identifier, `source` the layer of the file that the node stands for, and `shape` that of its
    result without the events axis. `is_result` marks the node whose values are the answer of that layer; other nodes
    are steps on the way.
    """

    name: str
    source: str
    operation: OperationT
    inputs: tuple[str, ...]
    shape: Shape
    is_result: bool = True

    @property
    def kind(self) -> str:
        """The operation's name."""
        return type(self.operation).__name__


class _Found:
    """Where a graph keeps its nodes by name and their readers, once they were looked for."""

    __slots__ = ("_by_name", "_readers")

    _by_name: dict[str, Any]
    _readers: dict[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph(_Found, Generic[LayerT]):
    """Nodes in an order that can be computed, with the names of input and output nodes.

    `notes` say what was changed on the way from the file (softmax left out, no-ops dropped).
    """

    name: str
    source_digest: str
    layers: tuple[LayerT, ...]
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

    def layer(self, name: str) -> LayerT:
        """The node of that name."""
        try:
            by_name: dict[str, LayerT] = self._by_name
        except AttributeError:
            by_name = {layer.name: layer for layer in self.layers}
            object.__setattr__(self, "_by_name", by_name)
        return by_name[name]

    def consumers(self, name: str) -> tuple[LayerT, ...]:
        """The nodes that read the node `name`."""
        try:
            readers: dict[str, tuple[LayerT, ...]] = self._readers
        except AttributeError:
            found: dict[str, list[LayerT]] = {}
            for layer in self.layers:
                for read in dict.fromkeys(layer.inputs):
                    found.setdefault(read, []).append(layer)
            readers = {read: tuple(layers) for read, layers in found.items()}
            object.__setattr__(self, "_readers", readers)
        return readers.get(name, ())
