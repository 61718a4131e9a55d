"""Which FIFOs a streamed design has: who writes and who reads each, and the copies of what several layers read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from fpgacnn.design import IoType
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.hls.fifo_depths import OUTPUT, copy_name

ELEMENTWISE = frozenset({Role.COMPARE, Role.SCALE, Role.TABLE, Role.THRESHOLDS})
INPUT = "(input)"
"""Stands for a port of the design that a layer reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """FIFOs by name. `copies` are those of a copied result, by the layer that gives it or the input of the network.

    `reads` are those that a layer reads, in the order of its inputs. `ports` connect the design with its surroundings,
    and have no depth. `owned` are the others by the layer they are counted with: its own result, copies of it, and
    copies of inputs of the network that it reads first. `live` are the values of every result in one pipeline that any
    reader uses: tools do not compute the others.
    """

    copies: Mapping[str, tuple[str, ...]]
    reads: Mapping[str, tuple[str, ...]]
    ports: frozenset[str]
    owned: Mapping[str, tuple[str, ...]]
    live: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: HardwareGraph) -> Wiring:
        """The FIFOs of a graph. Names that the graph does not give are made of the names of writer and reader."""
        uses: dict[str, list[str]] = {name: [OUTPUT] for name in graph.outputs}
        for layer in graph.layers:
            for name in layer.inputs:
                uses.setdefault(name, []).append(layer.name)
        copies = {name: _copies(name, found) for name, found in uses.items() if len(found) > 1} | dict(graph.clones)
        reads = {layer.name: layer.streams or _read(layer, copies) for layer in graph.layers}
        written = {layer.name for layer in graph.layers if layer.role is not Role.INPUT}
        read = {name for names in reads.values() for name in names}
        left = {fifo for found in copies.values() for fifo in found if fifo not in read}
        ends = {name for name in graph.outputs if name not in copies}
        open_reads = {f"{layer.name}:{INPUT}" for layer in graph.layers if not layer.inputs}
        ports = frozenset(left | ends | open_reads | (uses.keys() - written))
        live = used_values(graph) if graph.io is IoType.PARALLEL and not graph.dataflow else {}
        return cls(copies=copies, reads=reads, ports=ports, owned=_owned(graph, copies, written, ports), live=live)


def _copies(writer: str, readers: list[str]) -> tuple[str, ...]:
    """The copy for a port comes first, as hls4ml has it, then those of the readers in their order."""
    return tuple(copy_name(writer, reader, readers[:place].count(reader)) for place, reader in enumerate(readers))


def _read(layer: TemplateCall, copies: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Of a layer whose inputs are not named: a port."""
    if not layer.inputs and layer.role is not Role.INPUT:
        return (f"{layer.name}:{INPUT}",)
    return tuple(
        copy_name(name, layer.name, layer.inputs[:place].count(name)) if name in copies else name
        for place, name in enumerate(layer.inputs)
    )


def _owned(
    graph: HardwareGraph, copies: Mapping[str, tuple[str, ...]], written: set[str], ports: frozenset[str]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for layer in graph.layers:
        if layer.role is Role.INPUT:
            continue
        firsts = [name for name in dict.fromkeys(layer.inputs) if name not in written and name not in taken]
        taken.update(firsts)
        names = (layer.name, *(fifo for name in (*firsts, layer.name) for fifo in copies.get(name, ())))
        found[layer.name] = tuple(name for name in names if name not in ports)
    return found


def depths_by_layers(graph: HardwareGraph) -> dict[str, int]:
    """The depths of a graph whose FIFOs are named by variables, by the names that a design gives its FIFOs."""
    wiring = Wiring.of(graph)
    titles = {layer.name: layer.title for layer in graph.layers}
    readers = {fifo: name for name, fifos in wiring.reads.items() for fifo in fifos}
    found = {titles[name]: graph.fifo_depths[name] for name in titles if name in graph.fifo_depths}
    for name, copies in wiring.copies.items():
        seen: list[str] = []
        for copy in copies:
            reader = readers.get(copy)
            title = OUTPUT if reader is None else titles[reader]
            if copy in graph.fifo_depths:
                found[copy_name(titles.get(name, name), title, seen.count(title))] = graph.fifo_depths[copy]
            seen.append(title)
    return found


def used_values(model: HardwareGraph) -> dict[str, int]:
    """The values of every result that any reader uses: dense layers without weights for a value do not read it."""
    found: dict[str, int] = {}
    readers_of: dict[str, list[TemplateCall]] = {}
    for layer in model.layers:
        for name in dict.fromkeys(layer.inputs):
            readers_of.setdefault(name, []).append(layer)
    for layer in reversed(model.layers):
        values = prod(layer.out_shape)
        readers = [_values_read(reader, found, values) for reader in readers_of.get(layer.name, ())]
        if layer.name in model.outputs:
            readers.append(values)
        found[layer.name] = min(values, max(readers, default=values))
    return found


def _values_read(reader: TemplateCall, used: Mapping[str, int], values: int) -> int:
    if reader.role is Role.DENSE and reader.weights and reader.weights.used_inputs is not None:
        return reader.weights.used_inputs
    if reader.role in ELEMENTWISE and prod(reader.out_shape) == values:
        return used[reader.name]
    return values
