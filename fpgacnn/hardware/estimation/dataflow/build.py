"""A hardware graph as a dataflow network: a process for every call of a template, for every copy and for every port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import assert_never

from fpgacnn.hardware.estimation.dataflow import schedules
from fpgacnn.hardware.estimation.dataflow.process import Channel, Network, Process
from fpgacnn.hardware.estimation.dataflow.schedules import FrameSchedule, words_of
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.graph.wiring import Wiring
from fpgacnn.hardware.estimation.quantities import LayerQuantities, Quantities
from fpgacnn.hardware.estimation.timing import TimingBudget, elementwise_depth, pixel_cycles, shift_cycles, slow_pixels
from fpgacnn.hardware.hls.moves import in_memory

MAX_WORDS = 1 << 23
"""Words of one frame in all FIFOs: a network with more is not simulated."""

POOL_DEPTH, MERGE_DEPTH = 3, 1

KEPT_PROCESSES, KEPT_WORDS = 4096, 1024
"""So many processes of layers with at most so many words in and out are remembered: 17 bytes for each of the words."""

Vary = Callable[[str, int], int]
"""Gives other cycles for those that are estimated, by a layer's name and what they are."""


def as_estimated(_: str, cycles: int) -> int:
    """The cycles of the estimate."""
    return cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Why a design cannot be simulated: a layer whose order of reads and writes is unknown, or unbalanced FIFOs."""

    layer: str
    why: str


@dataclass(slots=True, kw_only=True)
class _Builder:
    """The processes and FIFOs so far."""

    graph: HardwareGraph
    wiring: Wiring
    budget: TimingBudget
    numbers: dict[str, int] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def fifo(self, name: str) -> int:
        """The number of a FIFO."""
        return self.numbers.setdefault(name, len(self.numbers))

    def add(self, name: str, schedule: FrameSchedule) -> None:
        """One more process."""
        self.processes.append(schedule.process(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A network, and what is needed to make the processes of single layers again.

    The processes of layers follow each other in the order of `layers`, without inputs, from the place `first` on.
    """

    network: Network
    first: int
    layers: tuple[LayerLoop, ...]
    building: _Builder

    def process(self, one: LayerQuantities) -> Process | None:
        """The process of a layer with another strategy or reuse factor; None where its template is not known."""
        loop = _loop(one, self.building)
        return None if loop is None else loop.process(as_estimated)

    def varied(self, vary: Vary) -> Network:
        """The network with other cycles of its layers; its FIFOs are the same."""
        processes = list(self.network.processes)
        for place, one in enumerate(self.layers, self.first):
            process = one.process(vary)
            assert process is not None, one
            processes[place] = process
        return replace(self.network, processes=tuple(processes))


def build(graph: HardwareGraph, counted: Quantities, budget: TimingBudget) -> Network | Unknown:
    """The network of a streamed design; why there is none where a template is not known."""
    found = built(graph, counted, budget)
    return found if isinstance(found, Unknown) else found.network


def built(graph: HardwareGraph, counted: Quantities, budget: TimingBudget) -> Built | Unknown:
    """The network of a streamed design with its builder; why there is none where a template is not known."""
    wiring = Wiring.of(graph)
    building = _Builder(graph=graph, wiring=wiring, budget=budget)
    words = {layer.name: words_of(layer.out_shape) for layer in graph.layers}
    for one in counted.layers:
        if one.layer.role is not Role.INPUT:
            for name in one.layer.inputs or wiring.reads[one.layer.name]:
                words.setdefault(name, words_of(one.layer.in_shape))
    if max(sum(words.values()), sum(_steps(layer) for layer in graph.layers)) > MAX_WORDS:
        return Unknown(layer="", why=f"a frame has more than {MAX_WORDS:,} words")
    titles = {layer.name: layer.title for layer in graph.layers}
    written = {layer.name for layer in graph.layers if layer.role is not Role.INPUT}
    read = {name for layer in graph.layers for name in (layer.inputs or wiring.reads[layer.name])}
    for name, count in words.items():
        if name not in written and name in read:
            building.add(f"input {titles.get(name, name)}", schedules.source(building.fifo(name), count))
    first = len(building.processes)
    loops: list[LayerLoop] = []
    for one in counted.layers:
        if one.layer.role is Role.INPUT:
            continue
        loop = _loop(one, building)
        process = None if loop is None else loop.process(as_estimated)
        if loop is None or process is None:
            return Unknown(layer=one.layer.title, why=f"the stream template '{one.layer.what}' is not known")
        building.processes.append(process)
        loops.append(loop)
    for name, copies in wiring.copies.items():
        if name in words:
            targets = [building.fifo(copy) for copy in copies]
            clone = schedules.elementwise([building.fifo(name)], targets, words[name], 1, 1)
            building.add(f"clone of {titles.get(name, name)}", clone)
    origin = {copy: name for name, found in wiring.copies.items() for copy in found}
    for name in sorted(wiring.ports):
        layer = name if name in written else origin.get(name)
        if layer in words and name in building.numbers:
            building.add(f"output {titles.get(layer, layer)}", schedules.sink(building.fifo(name), words[layer]))
    network = _network(building, words)
    if isinstance(network, Unknown):
        return network
    return Built(network=network, first=first, layers=tuple(loops), building=building)


def _steps(layer: TemplateCall) -> int:
    """Words that the loops of a template count, whatever its neighbours say of them."""
    top, bottom, left, right = layer.borders
    rows, columns = layer.in_shape[:2]
    return max((rows + top + bottom) * (columns + left + right), words_of(layer.out_shape), layer.steps)


def _network(building: _Builder, words: Mapping[str, int]) -> Network | Unknown:
    """Every FIFO with its writer, its reader and its depth."""
    names = list(building.numbers)
    writer, reader = dict[int, int](), dict[int, int]()
    for number, process in enumerate(building.processes):
        for fifo, write in {*zip(process.fifos.tolist(), process.writes.tolist(), strict=True)}:
            (writer if write else reader)[fifo] = number
    for number, name in enumerate(names):
        if number not in writer or number not in reader:
            return Unknown(layer=name, why=f"the stream '{name}' has no {'reader' if number in writer else 'writer'}")
    origin = {copy: name for name, found in building.wiring.copies.items() for copy in found}
    depths = building.graph.fifo_depths
    channels = tuple(
        Channel(
            name=name,
            writer=writer[number],
            reader=reader[number],
            depth=None
            if name in building.wiring.ports
            else depths.get(name, max(1, words.get(origin.get(name, name), 1))),
        )
        for number, name in enumerate(names)
    )
    network = Network(processes=tuple(building.processes), channels=channels)
    unbalanced = network.unbalanced()
    if unbalanced:
        name = unbalanced[0]
        return Unknown(layer=name, why=f"the stream '{name}' is not read as often as it is written")
    return network


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    """All that the order of a layer's reads and writes depends on besides its cycles.

    `serial`: the loop over pixels is not pipelined. `sources` and `target` are numbers of FIFOs.
    """

    title: str
    role: Role
    what: str
    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    window: tuple[int, int]
    strides: tuple[int, int]
    borders: tuple[int, int, int, int]
    steps: int
    blocks: int
    groups: int
    serial: bool
    sources: tuple[int, ...]
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLoop:
    """The loop of a layer's template, and the cycles that are estimated for it, each with what it is of which layer."""

    pattern: _Pattern
    cycles: tuple[tuple[str, int], ...]

    def process(self, vary: Vary) -> Process | None:
        """The process with other cycles; None where the template is not known."""
        pattern, cycles = self.pattern, tuple(max(1, vary(use, number)) for use, number in self.cycles)
        if words_of(pattern.in_shape) + words_of(pattern.out_shape) > KEPT_WORDS:
            return _process(pattern, cycles)
        return _kept_process(pattern, cycles)


def _loop(one: LayerQuantities, building: _Builder) -> LayerLoop | None:
    """The loop of a layer; None for one that reads nothing."""
    layer = one.layer
    sources = tuple(building.fifo(name) for name in building.wiring.reads[layer.name])
    target = building.fifo(layer.name)
    if not sources:
        return None
    pattern = _Pattern(
        title=layer.title,
        role=layer.role,
        what=layer.what,
        in_shape=layer.in_shape,
        out_shape=layer.out_shape,
        window=layer.window,
        strides=layer.strides,
        borders=layer.borders,
        steps=layer.steps,
        blocks=layer.blocks,
        groups=layer.groups,
        serial=one.product.in_memory,
        sources=sources,
        target=target,
    )
    cycles = _cycles(one, building)
    return LayerLoop(pattern=pattern, cycles=tuple((f"{layer.name} {what}", number) for what, number in cycles))


RATE, DEPTH = "rate", "depth"
"""Cycles from one word of a layer to the next, and from what it reads to what it writes."""


def _cycles(one: LayerQuantities, building: _Builder) -> tuple[tuple[str, int], ...]:
    """The estimated cycles of a layer's loop, in the order in which `_schedule` takes them."""
    layer, budget = one.layer, building.budget
    match layer.role:
        case Role.CONVOLUTION | Role.DEPTHWISE:
            each = pixel_cycles(layer, building.graph, one.product, budget)
            if one.product.in_memory:
                return (RATE, each), (RATE, shift_cycles(layer, building.graph, budget))
            return (RATE, each), (DEPTH, max(budget.depth(one.product, layer.products[1]) + 1, each - 1))
        case Role.POOL:
            return (RATE, slow_pixels(layer, budget)), (DEPTH, POOL_DEPTH)
        case Role.DENSE | Role.GLOBAL_POOL:
            return ((DEPTH, one.timing.latency - words_of(layer.in_shape) + 1),)
        case Role.RECURRENT:
            return ((RATE, (one.timing.latency - 1) // max(1, layer.steps)),)
        case Role.MERGE:
            return ((DEPTH, MERGE_DEPTH),)
        case Role.PAD:
            return ((RATE, 2 if layer.in_shape[0] == 1 else 1),)
        case Role.SCALE:
            ii = one.product.rounds if layer.reuse > 1 else 1
            return (RATE, ii), (DEPTH, budget.depth(one.product, layer.products[1]) + 1)
        case Role.COMPARE | Role.TABLE | Role.THRESHOLDS | Role.ARGMAX | Role.SOFTMAX:
            shared = layer.role is Role.SOFTMAX and layer.reuse > 1
            ii = min(layer.reuse, layer.out_shape[2]) if shared else 1
            return (RATE, ii), (DEPTH, elementwise_depth(layer, budget) + 1)
        case Role.MOVE | Role.INPUT | Role.UNKNOWN:
            return ()
        case _:
            assert_never(layer.role)


def _process(pattern: _Pattern, cycles: tuple[int, ...]) -> Process | None:
    schedule = _schedule(pattern, cycles)
    return None if schedule is None else schedule.process(pattern.title)


_kept_process = lru_cache(KEPT_PROCESSES)(_process)


def _schedule(one: _Pattern, cycles: tuple[int, ...]) -> FrameSchedule | None:
    """The schedule of a layer with these cycles; None where its template is not known."""
    source, target = one.sources[0], one.target
    read, written = words_of(one.in_shape), words_of(one.out_shape)
    match one.role:
        case Role.CONVOLUTION | Role.DEPTHWISE | Role.POOL:
            found = schedules.window_ends(one.in_shape[:2], one.window, one.strides)
            if one.serial and one.role is not Role.POOL:
                return schedules.serial_windows(source, target, found, cycles[0], min(cycles))
            return schedules.pipelined_windows(source, target, found, *cycles)
        case Role.DENSE | Role.GLOBAL_POOL:
            return schedules.gather(source, target, (read, written), *cycles)
        case Role.RECURRENT:
            return (
                schedules.sequence(source, target, one.steps, written, *cycles) if written in {1, one.steps} else None
            )
        case Role.MERGE:
            return schedules.elementwise(one.sources, [target], written, 1, *cycles)
        case Role.PAD:
            return schedules.padding(source, target, one.in_shape[:2], one.borders, *cycles)
        case Role.SCALE | Role.COMPARE | Role.TABLE | Role.THRESHOLDS | Role.ARGMAX | Role.SOFTMAX:
            return schedules.elementwise(one.sources, [target], read, *cycles)
        case Role.MOVE:
            return _move(one)
        case Role.INPUT | Role.UNKNOWN:
            return None
        case _:
            assert_never(one.role)


def _move(one: _Pattern) -> FrameSchedule | None:
    """Layers that only move values, by the name of their template."""
    before, after, source, target = one.in_shape, one.out_shape, one.sources[0], one.target
    words = words_of(before), words_of(after)
    moves: Mapping[str, Callable[[], FrameSchedule | None]] = {
        "concatenate": lambda: _concatenation(one),
        in_memory.PIXELS: lambda: _transposition(one, words),
        in_memory.BANKS: lambda: _transposition(one, words),
        "transpose": lambda: schedules.gather(source, target, words, 2),
        "repack": lambda: schedules.repacking(source, target, words) if _divides(words) else None,
        in_memory.RESIZE: lambda: schedules.resizing_by_lines(source, target, before[:2], after[:2]),
        "resize": lambda: schedules.resizing(source, target, before[:2], after[:2]),
        "cropping": lambda: schedules.cropping(source, target, before[:2], one.borders),
        "broadcast": lambda: schedules.repeating(source, target, words) if _divides(words) else None,
    }
    return next((make() for start, make in moves.items() if one.what.startswith(start)), None)


def _transposition(one: _Pattern, words: tuple[int, int]) -> FrameSchedule | None:
    if any(count % one.blocks for count in words):
        return None
    return schedules.transposing(one.sources[0], one.target, one.blocks, words, one.groups)


def _divides(words: tuple[int, int]) -> bool:
    return max(words) % min(words) == 0


def _concatenation(one: _Pattern) -> FrameSchedule | None:
    if len(one.sources) != 2:
        return None
    before, after = one.in_shape, one.out_shape
    sources, target = (one.sources[0], one.sources[1]), one.target
    if one.what.startswith("concatenate1d"):
        return schedules.collecting(sources, target, (words_of(before), 1))
    if after[0] > before[0]:
        return schedules.joining(sources, target, 1, (words_of(before), words_of(after) - words_of(before)))
    if after[1] > before[1]:
        return schedules.joining(sources, target, after[0], (before[1], after[1] - before[1]))
    return schedules.elementwise(sources, [target], words_of(after), 1, MERGE_DEPTH)
