"""What the simulation says of a streamed design: cycles with their bands, FIFOs with their block RAM, and deadlocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fpgacnn.design import IoType
from fpgacnn.errors import UnknownPartError
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.constants import Band
from fpgacnn.hardware.estimation.dataflow.build import Unknown, build, built
from fpgacnn.hardware.estimation.dataflow.compiled import Simulator
from fpgacnn.hardware.estimation.dataflow.depths import LEAST_DEPTH, SmallestDepths, search
from fpgacnn.hardware.estimation.dataflow.simulate import Trace
from fpgacnn.hardware.estimation.dataflow.summary import spans
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role
from fpgacnn.hardware.estimation.memory import Fifo, fifo_blocks
from fpgacnn.hardware.estimation.quantities import LayerQuantities, Quantities, quantities
from fpgacnn.hardware.estimation.result import Figure, Simulated, StreamEstimate
from fpgacnn.hardware.estimation.timing import TimingBudget, waits_for_pixels

LATENCY_BAND, INTERVAL_BAND = Band(low=0.8, high=1.35), Band(low=0.8, high=1.3)
"""Cycles that RTL simulations and a board counted, beside those that were simulated (docs/decisions)."""

WAITING_BAND = Band(low=0.75, high=1.75)
"""Pixel cycles of six convolutions that wait for each pixel: 3 to 7, where the estimate finds 3 or 4."""

NOTHING = Figure(value=0, low=0, high=0)


def simulated(graph: HardwareGraph, counted: Quantities) -> Simulated | Unknown | None:
    """The dataflow of a streamed design; None for others, and why not where a template is not known.

    Raises OutOfMemoryError.
    """
    if graph.io is not IoType.STREAM:
        return None
    network = build(graph, counted, TimingBudget.of(graph, find_device(graph.part)))
    if isinstance(network, Unknown):
        return network
    trace = Simulator(network).run()
    return _summary(graph, counted, trace)


def with_waits(figure: Figure, counted: Sequence[LayerQuantities], graph: HardwareGraph) -> Figure:
    """Cycles of a design, whose band is wider where its slowest layer is a convolution that waits for each pixel.

    How deep the tool makes the pipeline of such a layer is known of one version, part and clock only.
    """
    slowest = max(counted, key=lambda one: one.timing.latency, default=None)
    if graph.io is not IoType.STREAM or slowest is None or slowest.product.in_memory:
        return figure
    if slowest.layer.role not in {Role.CONVOLUTION, Role.DEPTHWISE} or not waits_for_pixels(slowest.layer, graph):
        return figure
    wider = WAITING_BAND.around(figure.value)
    return Figure(value=figure.value, low=min(figure.low, wider.low), high=max(figure.high, wider.high))


def smallest_depths(graph: HardwareGraph) -> SmallestDepths | Unknown:
    """The smallest depths of all FIFOs that keep the interval of a design whose FIFOs hold a frame each.

    Raises UnknownPartError, OutOfMemoryError.
    """
    device = find_device(graph.part)
    counted, budget = quantities(graph, device), TimingBudget.of(graph, device)
    found = built(graph, counted, budget)
    return found if isinstance(found, Unknown) else search(found.varied, blocks_of(graph, counted))


def held_words(graph: HardwareGraph) -> Mapping[str, int]:
    """The words in each process' pipeline, by the process' name; none where the part or a template is not known."""
    try:
        device = find_device(graph.part)
    except UnknownPartError:
        return {}
    network = build(graph, quantities(graph, device), TimingBudget.of(graph, device))
    return {} if isinstance(network, Unknown) else {one.name: one.held for one in network.processes}


def blocks_of(graph: HardwareGraph, counted: Quantities) -> Mapping[str, Callable[[int], int]]:
    """The block RAM of every FIFO as a function of its depth."""

    def of(fifo: Fifo) -> Callable[[int], int]:
        return lambda depth: fifo_blocks(replace(fifo, depth=depth), graph)

    return {fifo.name: of(fifo) for one in counted.layers for fifo in one.queues}


def _summary(graph: HardwareGraph, counted: Quantities, trace: Trace) -> Simulated:
    network = trace.network
    stuck = tuple(str(one) for one in trace.deadlock)
    latency = NOTHING if stuck else with_waits(LATENCY_BAND.around(trace.latency), counted.layers, graph)
    interval = NOTHING if stuck else with_waits(INTERVAL_BAND.around(trace.interval), counted.layers, graph)
    fifos = {fifo.name: fifo for one in counted.layers for fifo in one.queues}
    words = network.words().tolist()

    def stream(number: int) -> StreamEstimate:
        channel = network.channels[number]
        fifo, depth = fifos[channel.name], channel.depth
        assert depth is not None
        frame = replace(fifo, depth=max(LEAST_DEPTH, words[number]))
        return StreamEstimate(
            name=channel.name,
            writer=network.processes[channel.writer].name,
            reader=network.processes[channel.reader].name,
            depth=depth,
            fill=trace.fill(number),
            words=words[number],
            bits=fifo.bits * fifo.channels,
            bram_18k=fifo_blocks(replace(fifo, depth=depth), graph),
            frame_bram_18k=fifo_blocks(frame, graph),
        )

    return Simulated(
        latency_cycles=latency,
        latency_ns=latency.times(graph.clock_ns),
        ii_cycles=interval,
        ii_ns=interval.times(graph.clock_ns),
        layers=() if stuck else spans(trace),
        streams=tuple(
            stream(n) for n, one in enumerate(network.channels) if one.name in fifos and one.depth is not None
        ),
        deadlock=stuck,
    )
