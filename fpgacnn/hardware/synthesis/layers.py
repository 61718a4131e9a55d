"""Join layers to their hardware by the layer number in names of modules and FIFOs, which is the only stable key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from fpgacnn.design.project import TOP
from fpgacnn.hardware.synthesis.figures import IntRange, Resources
from fpgacnn.hardware.synthesis.placed import Hierarchy
from fpgacnn.hardware.synthesis.readers.cells import function_in, layer_index, writer_index
from fpgacnn.hardware.synthesis.readers.firmware import FirmwareCall
from fpgacnn.hardware.synthesis.report import Instance, LayerReport, Loop, Memory, ModuleReport, Summary, SummaryRow

Modules = Mapping[str, ModuleReport]

START_FIFO = "start_for_"
"""Small FIFOs that start a process carry its name."""

WRAPPER = re.compile(r".+_axi|kernel_wrapper|alveo_hls4ml")
"""Names of hls4ml's wrapper functions. A file with totals only does not show which network is inside."""


def network_of(top: ModuleReport, modules: Modules) -> ModuleReport | None:
    """The module with the layers: the module below the top that has most of them, the outermost of several.

    Old names have no layer numbers; then a wrapper is recognized by its name, as `myproject_axi` wraps `myproject`.
    None if the module inside a wrapper has no report of its own.
    """

    def layers(module: ModuleReport) -> int:
        return len({one.layer for one in module.instances or () if one.layer is not None})

    best = max(_below(top, modules), key=layers)
    if layers(best):
        return best
    inside = (
        [one.module for one in top.instances or () if one.latency_cycles is not None]
        if top.instances is not None
        else list(modules)
    )
    wrapped = [name for name in inside if name == TOP or top.name.startswith(f"{name}_")]
    if wrapped and top.name != TOP:
        return modules.get(wrapped[0])
    return None if top.instances is None and WRAPPER.fullmatch(top.name) else top


def _below(module: ModuleReport, modules: Modules) -> Iterator[ModuleReport]:
    """A module and all its submodules, outer ones first, each once."""
    waiting, seen = [module], {module.name}
    while waiting:
        here = waiting.pop(0)
        yield here
        for instance in here.instances or ():
            if instance.module in modules and instance.module not in seen:
                seen.add(instance.module)
                waiting.append(modules[instance.module])


def adopted(network: ModuleReport, calls: Sequence[FirmwareCall]) -> ModuleReport:
    """The network with layers for instances whose names have no layer number, such as `clone_stream`.

    A layer is assigned only if exactly one call and one instance match: the same function, and the same size if the
    call has one.
    """
    taken = {one.layer for one in network.instances or ()}
    free = [call for call in calls if call.index not in taken]

    def meant(instance: Instance, call: FirmwareCall) -> bool:
        named = f"{instance.module}_".startswith(f"{call.function}_")
        return (
            instance.layer is None
            and named
            and (not call.size or instance.module.removesuffix("_s").endswith(f"_{call.size}"))
        )

    def layer_of(instance: Instance) -> int | None:
        wanted = [call for call in free if meant(instance, call)]
        rivals = [one for one in network.instances or () if wanted and meant(one, wanted[0])]
        return wanted[0].index if len(wanted) == len(rivals) == 1 else instance.layer

    instances = network.instances and tuple(replace(one, layer=layer_of(one)) for one in network.instances)
    return replace(network, instances=instances)


def join_layers(
    network: ModuleReport, modules: Modules, summary: Summary | None, calls: Sequence[FirmwareCall]
) -> tuple[LayerReport, ...]:
    """A row for every layer in the code or the report."""
    by_call = {call.index: call for call in calls}
    instances, fifos, memories = network.instances or (), network.fifos or (), network.memories or ()
    reported = (
        {one.layer for one in instances} | {one.layer for one in fifos} | {writer_index(one.name) for one in memories}
    )
    indexes = [*by_call, *sorted(index for index in reported if index is not None and index not in by_call)]
    return tuple(_layer(index, by_call.get(index), network, modules, summary) for index in indexes)


def with_netlist(layers: Sequence[LayerReport], hierarchy: Hierarchy | None) -> tuple[LayerReport, ...]:
    """The layers with the resources of their instances in the netlist, outermost instances only.

    Names of modules keep the layer's number in Vivado, unless synthesis dissolved the hierarchy.
    """
    if hierarchy is None:
        return tuple(layers)
    found: dict[int, list[Resources]] = {}
    inside: int | None = None
    for one in hierarchy.instances:
        if inside is not None and one.depth > inside:
            continue
        inside = None
        own = one.name.startswith("(") or START_FIFO in one.module
        index = None if own else layer_index(one.module) or layer_index(one.name)
        if index is not None:
            found.setdefault(index, []).append(one.resources)
            inside = one.depth
    return tuple(replace(one, netlist=_added(found[one.index])) if one.index in found else one for one in layers)


def _layer(
    index: int, call: FirmwareCall | None, network: ModuleReport, modules: Modules, summary: Summary | None
) -> LayerReport:
    own = [one for one in network.instances or () if one.layer == index]
    inner = [
        module
        for name in dict.fromkeys(one.module for one in own)
        if name in modules
        for module in _below(modules[name], modules)
    ]
    loops: Iterable[Loop] = (loop for module in inner for loop in module.loops or ())
    if not inner and summary:
        loops = (loop for one in {one.module: one for one in own}.values() for loop in _summary_loops(summary, one))
    memories = [one for one in network.memories or () if writer_index(one.name) == index]
    inside: list[Memory] = [one for module in inner for one in module.memories or ()]
    return LayerReport(
        index=index,
        name=call.name if call else None,
        kind=call.function if call else function_in(own[0].module) if own else None,
        instances=tuple(one.name for one in own),
        latency_cycles=_slowest([one.latency_cycles for one in own]),
        interval_cycles=_slowest([one.interval_cycles for one in own]),
        resources=_sum(own),
        loops=tuple(loops),
        memories=(*memories, *inside),
        fifos=tuple(one for one in network.fifos or () if one.layer == index),
        why=_why(network, own),
    )


def _why(network: ModuleReport, own: Sequence[Instance]) -> str:
    if own:
        return ""
    if network.instances is None:
        return f"{network.origin.file} has no table of instances"
    return f"{network.name} has no instance of it: its logic is part of {network.name} itself, or it needs none"


def _sum(instances: Sequence[Instance]) -> Resources | None:
    """Sum of the resources of all instances of a layer; None for a resource that one of them lacks."""
    parts = [one.resources for one in instances if one.resources is not None]
    return _added(parts) if parts and len(parts) == len(instances) else None


def _added(parts: Sequence[Resources]) -> Resources:
    """The sum of some resources; None for a resource that one of them lacks."""

    def total(counts: Iterable[int | None]) -> int | None:
        known = list(counts)
        return None if None in known else sum(one for one in known if one is not None)

    tiles = [one.bram_tiles for one in parts]
    return Resources(
        origin=parts[0].origin,
        lut=total(one.lut for one in parts),
        ff=total(one.ff for one in parts),
        dsp=total(one.dsp for one in parts),
        bram_18k=total(one.bram_18k for one in parts),
        bram_tiles=None if None in tiles else sum(one for one in tiles if one is not None),
        uram=total(one.uram for one in parts),
    )


def _slowest(ranges: Sequence[IntRange | None]) -> IntRange | None:
    """Instances of a layer run in parallel: both ends are those of the slowest."""
    known = [one for one in ranges if one is not None]
    if not known:
        return None
    least, most = [one.least for one in known], [one.most for one in known]
    return IntRange(
        least=None if None in least else max(one for one in least if one is not None),
        most=None if None in most else max(one for one in most if one is not None),
    )


def _summary_loops(summary: Summary, instance: Instance) -> Iterator[Loop]:
    """Loops of a module and its submodules, from the tree of csynth.rpt (names of modules, or in 2021.1 instances)."""
    names = {instance.name, instance.module}
    start = next((place for place, row in enumerate(summary.rows) if row.kind == "module" and row.name in names), None)
    if start is None:
        return
    for row in summary.rows[start + 1 :]:
        if row.depth <= summary.rows[start].depth:
            return
        if row.kind == "loop":
            yield _loop(row, row.depth - summary.rows[start].depth - 1)


def _loop(row: SummaryRow, depth: int) -> Loop:
    return Loop(
        name=row.name,
        depth=depth,
        latency_cycles=IntRange(least=row.latency_cycles, most=row.latency_cycles),
        iteration_latency_cycles=IntRange(least=row.iteration_latency_cycles, most=row.iteration_latency_cycles),
        interval_cycles=row.interval_cycles,
        target_interval_cycles=None,
        trip_count=IntRange(least=row.trip_count, most=row.trip_count),
        pipelined={"yes": True, "no": False}.get(row.pipelined or ""),
    )
