"""One pipeline of all layers: combinational layers share cycles, and results wait in registers for their readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.graph.wiring import used_values
from fpgacnn.hardware.estimation.pipeline.layers import returns_a_cycle_later
from fpgacnn.hardware.estimation.timing import LayerTiming, TimingBudget

WEIGHTED = frozenset({Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE})


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePipeline:
    """Cycles of the whole design, and the bits that wait between layers, by the layer that gives them."""

    timing: LayerTiming
    waiting_bits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Moment:
    """A cycle, and the ns of it that are used up."""

    cycle: int
    ns: float


@dataclass(slots=True)
class _Walk:
    """When every result is there, and the last cycle in which a reader takes it."""

    ready: dict[str, _Moment] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)


def one_pipeline(
    model: HardwareGraph,
    timings: Mapping[str, LayerTiming],
    budget: TimingBudget,
    used: Mapping[str, int] | None = None,
) -> OnePipeline:
    """Place the layers one after the other, each where its last input is ready.

    A layer of no cycles goes on in the cycle in which its input is ready, if there is time left; one of several cycles
    is a pipeline of its own, which begins with a cycle. `used` are the values of `used_values`, where the caller has
    them: no strategy and no reuse factor changes them.
    """
    walk = _Walk()
    for layer in model.layers:
        begin = _ready(layer, walk)
        start, end = _place(layer, timings[layer.name], begin, budget, model)
        for name in layer.inputs:
            walk.taken[name] = max(walk.taken.get(name, 0), start)
        walk.ready[layer.name] = end
    ii = max((one.ii for one in timings.values()), default=1)
    cycles = max((one.cycle for one in walk.ready.values()), default=0)
    used = used_values(model) if used is None else used
    waiting = {
        layer.name: used[layer.name]
        * layer.result_bits
        * (walk.taken.get(layer.name, 0) - walk.ready[layer.name].cycle)
        / max(1, ii)
        for layer in model.layers
        if walk.taken.get(layer.name, 0) > walk.ready[layer.name].cycle
    }
    return OnePipeline(timing=LayerTiming(latency=cycles, ii=max(1, ii), lead=0), waiting_bits=waiting)


def _ready(layer: TemplateCall, walk: _Walk) -> _Moment:
    found = [walk.ready[name] for name in layer.inputs if name in walk.ready]
    return max(found, key=lambda one: (one.cycle, one.ns), default=_Moment(0, 0.0))


def _place(
    layer: TemplateCall, timing: LayerTiming, begin: _Moment, budget: TimingBudget, model: HardwareGraph
) -> tuple[int, _Moment]:
    """The cycle in which a layer begins, and when its result is there."""
    if not timing.latency:
        together = begin.ns + timing.tail_ns
        if together <= budget.budget_ns:
            return begin.cycle, _Moment(begin.cycle, together)
        return begin.cycle + 1, _Moment(begin.cycle + 1, timing.tail_ns)
    start = begin.cycle + (begin.ns > 0)
    last = layer.role in WEIGHTED and timing.latency > 1 and timing.ii == 1 and returns_a_cycle_later(model)
    return start, _Moment(start + timing.latency + last, max(timing.tail_ns, 0.01))
