"""A hardware graph as a dataflow network: a process for every call of a template, for every copy and for every port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fpgacnn.hardware.estimation.dataflow import schedules
from fpgacnn.hardware.estimation.dataflow.process import Channel, Network, Process
from fpgacnn.hardware.estimation.dataflow.schedules import FrameSchedule, words_of
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.graph.wiring import Wiring
from fpgacnn.hardware.estimation.multiply import Multiplication
from fpgacnn.hardware.estimation.quantities import LayerQuantities, Quantities
from fpgacnn.hardware.estimation.timing import TimingBudget, elementwise_depth, pixel_cycles, shift_cycles, slow_pixels

MAX_WORDS = 1 << 23
"""Words of one frame in all FIFOs: a network with more is not simulated."""

POOL_DEPTH, MERGE_DEPTH = 3, 1

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
    vary: Vary
    numbers: dict[str, int] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def fifo(self, name: str) -> int:
        """The number of a FIFO."""
        return self.numbers.setdefault(name, len(self.numbers))

    def rate(self, layer: TemplateCall, cycles: int) -> int:
        """Cycles from one word of a layer to the next."""
        return max(1, self.vary(f"{layer.name} rate", cycles))

    def depth(self, layer: TemplateCall, cycles: int) -> int:
        """Cycles from what a layer reads to what it writes."""
        return max(1, self.vary(f"{layer.name} depth", cycles))

    def add(self, name: str, schedule: FrameSchedule) -> None:
        """One more process."""
        self.processes.append(schedule.process(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A network, and what is needed to make the processes of single layers again; `first` is the first layer's place.

    The processes of layers follow each other in the order of the layers, without inputs.
    """

    network: Network
    first: int
    building: _Builder

    def process(self, one: LayerQuantities) -> Process | None:
        """The process of a layer with another strategy or reuse factor; None where its template is not known."""
        schedule = _schedule(one, self.building)
        return None if schedule is None else schedule.process(one.layer.title)


def build(
    graph: HardwareGraph, counted: Quantities, budget: TimingBudget, vary: Vary = as_estimated
) -> Network | Unknown:
    """The network of a streamed design; why there is none where a template is not known."""
    found = built(graph, counted, budget, vary)
    return found if isinstance(found, Unknown) else found.network


def built(
    graph: HardwareGraph, counted: Quantities, budget: TimingBudget, vary: Vary = as_estimated
) -> Built | Unknown:
    """The network of a streamed design with its builder; why there is none where a template is not known."""
    wiring = Wiring.of(graph)
    building = _Builder(graph=graph, wiring=wiring, budget=budget, vary=vary)
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
    for one in counted.layers:
        if one.layer.role is Role.INPUT:
            continue
        schedule = _schedule(one, building)
        if schedule is None:
            return Unknown(layer=one.layer.title, why=f"the stream template '{one.layer.what}' is not known")
        building.add(one.layer.title, schedule)
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
    return network if isinstance(network, Unknown) else Built(network=network, first=first, building=building)


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


def _schedule(one: LayerQuantities, building: _Builder) -> FrameSchedule | None:
    """The schedule of a layer; None where its template is not known."""
    layer, wiring = one.layer, building.wiring
    sources = [building.fifo(name) for name in wiring.reads[layer.name]]
    target = building.fifo(layer.name)
    if not sources:
        return None
    match layer.role:
        case Role.CONVOLUTION | Role.DEPTHWISE:
            return _convolution(layer, one.product, sources[0], target, building)
        case Role.POOL:
            found = schedules.window_ends(layer.in_shape[:2], layer.window, layer.strides)
            ii, depth = building.rate(layer, slow_pixels(layer, building.budget)), building.depth(layer, POOL_DEPTH)
            return schedules.pipelined_windows(sources[0], target, found, ii, depth)
        case Role.DENSE | Role.GLOBAL_POOL:
            read, written = words_of(layer.in_shape), words_of(layer.out_shape)
            between = building.depth(layer, one.timing.latency - read + 1)
            return schedules.gather(sources[0], target, (read, written), between)
        case Role.RECURRENT:
            written, steps = words_of(layer.out_shape), layer.steps
            cycles = building.rate(layer, (one.timing.latency - 1) // max(1, steps))
            return schedules.sequence(sources[0], target, steps, written, cycles) if written in {1, steps} else None
        case Role.MERGE:
            depth = building.depth(layer, MERGE_DEPTH)
            return schedules.elementwise(sources, [target], words_of(layer.out_shape), 1, depth)
        case Role.PAD:
            each = building.rate(layer, 2 if layer.in_shape[0] == 1 else 1)
            return schedules.padding(sources[0], target, layer.in_shape[:2], layer.borders, each)
        case Role.SCALE:
            ii = building.rate(layer, one.product.rounds if layer.reuse > 1 else 1)
            depth = building.depth(layer, building.budget.depth(one.product, layer.products[1]) + 1)
            return schedules.elementwise(sources, [target], words_of(layer.in_shape), ii, depth)
        case Role.COMPARE | Role.TABLE | Role.THRESHOLDS | Role.ARGMAX | Role.SOFTMAX:
            shared = layer.role is Role.SOFTMAX and layer.reuse > 1
            ii = building.rate(layer, min(layer.reuse, layer.out_shape[2]) if shared else 1)
            depth = building.depth(layer, elementwise_depth(layer, building.budget) + 1)
            return schedules.elementwise(sources, [target], words_of(layer.in_shape), ii, depth)
        case Role.MOVE:
            return _move(layer, sources, target)
        case Role.INPUT | Role.UNKNOWN:
            return None


def _convolution(
    layer: TemplateCall, product: Multiplication, source: int, target: int, building: _Builder
) -> FrameSchedule:
    found = schedules.window_ends(layer.in_shape[:2], layer.window, layer.strides)
    estimated = pixel_cycles(layer, building.graph, product, building.budget)
    each = building.rate(layer, estimated)
    if product.in_memory:
        shift = building.rate(layer, shift_cycles(layer, building.graph, building.budget))
        return schedules.serial_windows(source, target, found, each, min(each, shift))
    depth = max(building.budget.depth(product, layer.products[1]) + 1, estimated - 1)
    return schedules.pipelined_windows(source, target, found, each, building.depth(layer, depth))


def _move(layer: TemplateCall, sources: list[int], target: int) -> FrameSchedule | None:
    """Layers that only move values, by the name of their template."""
    before, after = layer.in_shape, layer.out_shape
    words = words_of(before), words_of(after)
    moves: Mapping[str, Callable[[], FrameSchedule | None]] = {
        "concatenate": lambda: _concatenation(layer, sources, target),
        "transpose": lambda: schedules.gather(sources[0], target, words, 2),
        "repack": lambda: schedules.repacking(sources[0], target, words) if _divides(words) else None,
        "resize": lambda: schedules.resizing(sources[0], target, before[:2], after[:2]),
        "cropping": lambda: schedules.cropping(sources[0], target, before[:2], layer.borders),
        "broadcast": lambda: schedules.repeating(sources[0], target, words) if _divides(words) else None,
    }
    return next((make() for start, make in moves.items() if layer.what.startswith(start)), None)


def _divides(words: tuple[int, int]) -> bool:
    return max(words) % min(words) == 0


def _concatenation(layer: TemplateCall, sources: list[int], target: int) -> FrameSchedule | None:
    if len(sources) != 2:
        return None
    before, after = layer.in_shape, layer.out_shape
    if layer.what.startswith("concatenate1d"):
        return schedules.collecting((sources[0], sources[1]), target, (words_of(before), 1))
    if after[0] > before[0]:
        return schedules.joining(
            (sources[0], sources[1]), target, 1, (words_of(before), words_of(after) - words_of(before))
        )
    if after[1] > before[1]:
        return schedules.joining((sources[0], sources[1]), target, after[0], (before[1], after[1] - before[1]))
    return schedules.elementwise(sources, [target], words_of(after), 1, MERGE_DEPTH)
