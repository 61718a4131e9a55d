"""Depths of FIFOs in hls4ml's graph: every output variable of a streamed design has a pragma with its depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fpgacnn.errors import LoweringError

OUTPUT = "(output)"
"""Stands for a port of the design where a FIFO is named by its reader."""


def copy_name(writer: str, reader: str, earlier: int = 0) -> str:
    """The name of the copy that a layer reads; `earlier` of its inputs read the same result."""
    return f"{writer}:{reader}" + (f":{earlier + 1}" if earlier else "")


def set_depths(graph: Any, depths: Mapping[str, int]) -> None:  # hls4ml is untyped
    """Give FIFOs their depths.

    Raises LoweringError for a FIFO that the graph has not.
    """
    if not depths:
        return
    layers = {layer.name: layer for layer in graph.get_layers()}
    known = {}
    for name, layer in layers.items():
        if (
            not name.startswith("clone_")
            or type(layer).__name__.removeprefix("Vitis").removeprefix("Vivado") != "Clone"
        ):
            known[name] = layer.get_output_variable()
            continue
        writer = _origin(layers, layer.inputs[0])
        readers = [_reader(graph, layers, output) for output in layer.outputs]
        for place, (output, reader) in enumerate(zip(layer.outputs, readers, strict=True)):
            known[copy_name(writer, reader, readers[:place].count(reader))] = layer.get_output_variable(output)
    for name, depth in depths.items():
        if name not in known or not isinstance(known[name].pragma, tuple):
            raise LoweringError(layer=name, seen="no such FIFO", planned=f"{depth} places")
        known[name].pragma = ("stream", depth)


def _reader(graph: Any, layers: Mapping[str, Any], output: str) -> str:  # as above
    """The layer that reads a copy; a reshape only renames it."""
    if output in graph.outputs:
        return OUTPUT
    reader = next(layer for layer in layers.values() if output in layer.inputs)
    if type(reader).__name__.removeprefix("Vitis").removeprefix("Vivado") == "Reshape":
        return _reader(graph, layers, reader.outputs[0])
    return str(reader.name)


def _origin(layers: Mapping[str, Any], output: str) -> str:  # as above
    """The layer that writes a stream."""
    return str(next(layer.name for layer in layers.values() if output in layer.outputs))
