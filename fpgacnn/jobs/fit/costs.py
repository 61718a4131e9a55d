"""Costs of one design for the many targets of a search: every layer is counted once for each of its settings.

Of a layer's quantities, only its own strategy and reuse factor change from target to target. What is left for a target
is to add them up, and, for a streamed design, to simulate the cycles. `benchmarks/growth.py` measures this, and
`tests/unit/test_fit.py` compares with the estimate of a whole design for every target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from fpgacnn.design import Design, IoType, Strategy, Target
from fpgacnn.hardware.devices import Device, find_device
from fpgacnn.hardware.estimation import Available, Caution, Estimate, Figure, ResourceEstimate, estimate
from fpgacnn.hardware.estimation.calibration.own_designs import calibrated
from fpgacnn.hardware.estimation.checks import layer_cautions, side_by_side, stream_cautions
from fpgacnn.hardware.estimation.constants import Constants
from fpgacnn.hardware.estimation.core import (
    LayerAmounts,
    after_synthesis,
    available_on,
    exceptions,
    group_name,
    resource_figures,
)
from fpgacnn.hardware.estimation.dataflow.build import Built, Unknown, built
from fpgacnn.hardware.estimation.dataflow.process import Process
from fpgacnn.hardware.estimation.dataflow.variants import Exchange, FrameCycles
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice, chosen_depths
from fpgacnn.hardware.estimation.graph.from_design import (
    Summaries,
    TemplateCalls,
    hardware_graph,
    is_dataflow,
    kernels,
    template_calls,
)
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall, WeightSummary, without_dead
from fpgacnn.hardware.estimation.graph.wiring import Wiring
from fpgacnn.hardware.estimation.pipeline.design import one_pipeline
from fpgacnn.hardware.estimation.pipeline.layers import is_one_pipeline
from fpgacnn.hardware.estimation.primitives import Primitive
from fpgacnn.hardware.estimation.quantities import LayerQuantities, Quantities, layer_quantities
from fpgacnn.hardware.estimation.streams import INTERVAL_BAND, LATENCY_BAND, simulated, with_waits
from fpgacnn.hardware.estimation.timing import TimingBudget, design_timing
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.jobs.fit.design_space import Parameter, Setting, parameters
from fpgacnn.jobs.fit.search import LeastCost

FEW_EVENTS = 20_000
"""A simulation of so few reads and writes takes no longer than a lower bound."""

Place: TypeAlias = tuple[int, Setting]
"""A layer by its place in the hardware graph, and the setting of its layer of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCost:
    """What limits are compared with, and what a design is warned of."""

    after_synthesis: ResourceEstimate
    available: Available
    latency_ns: Figure
    interval_ns: Figure
    warnings: tuple[Caution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """One layer with one setting."""

    quantities: LayerQuantities
    amounts: LayerAmounts
    cautions: tuple[Caution, ...]
    process: Process | None


@dataclass(slots=True, kw_only=True)
class _Calls:
    """The template calls of a design with one io type, by place and setting.

    Where a call is missing, the design is lowered once, with a missing setting of every other layer of the file too.
    `places` are those of each of these layers; `live` are the weights of calls in one pipeline, which loses dead ones.
    """

    design: Design
    counted: Summaries
    first: TemplateCalls
    live: tuple[WeightSummary | None, ...]
    side_by_side: bool
    found: dict[Place, TemplateCall] = field(default_factory=dict)
    missing: dict[str, list[Setting]] = field(default_factory=dict)
    places: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, design: Design, settings: Mapping[str, tuple[Setting, ...]], counted: Summaries) -> _Calls:
        """The calls of a design, none with its settings yet.

        Raises UnsupportedOptionError for what cannot be built.
        """
        lowered = lower(design)
        first = template_calls(design, lowered, counted)
        alive = without_dead(first.layers, kernels(lowered))
        missing = {source: list(all_of) for source, all_of in settings.items()}
        live = tuple(one.weights for one in alive)
        side_by_side = is_dataflow(first.layers, design.target.io, (Strategy.LATENCY,))
        found = cls(design=design, counted=counted, first=first, live=live, missing=missing, side_by_side=side_by_side)
        for place, source in enumerate(first.sources):
            found.places.setdefault(source, []).append(place)
        return found

    def call(self, place: int, setting: Setting) -> TemplateCall:
        """The call at a place if its layer of the file has a setting."""
        if (place, setting) not in self.found:
            self._lower(self.first.sources[place], setting)
        return self.found[place, setting]

    def _lower(self, wanted: str, setting: Setting) -> None:
        given = {wanted: setting} | {source: left[-1] for source, left in self.missing.items() if left}
        given[wanted] = setting
        target = replace(
            self.design.target,
            reuse_of={source: one.reuse for source, one in given.items() if source},
            strategy_of={source: one.strategy for source, one in given.items() if source},
        )
        design = replace(self.design, target=target)
        calls = template_calls(design, lower(design), self.counted)
        for place, (source, call) in enumerate(zip(calls.sources, calls.layers, strict=True)):
            self.found[place, setting_of(source, target)] = call
        for source, one in given.items():
            if one in self.missing.get(source, ()):
                self.missing[source].remove(one)


def setting_of(source: str, target: Target) -> Setting:
    """Strategy and reuse factor of a layer of the file."""
    return Setting(
        strategy=target.strategy_of.get(source, target.strategy), reuse=target.reuse_of.get(source, target.reuse)
    )


@dataclass(slots=True, kw_only=True)
class _Counted:
    """The layers of a design with one io type, depths of FIFOs, and all layers side by side or in one pipeline.

    `last` are the layers with the settings of the last target, of which most targets change one.
    """

    calls: _Calls
    graph: HardwareGraph
    device: Device
    budget: TimingBudget
    wiring: Wiring
    constants: Constants
    pieces: dict[Place, _Piece] = field(default_factory=dict)
    last: list[_Piece] = field(default_factory=list)
    last_target: Target | None = None
    built: Built | Unknown | None = None
    exchange: Exchange | None = None
    warnings: tuple[Caution, ...] = ()

    @classmethod
    def of(cls, calls: _Calls, graph: HardwareGraph, target: Target) -> _Counted:
        """The layers of a graph that has the calls of a target."""
        device = find_device(graph.part)
        budget, wiring = TimingBudget.of(graph, device), Wiring.of(graph)
        constants = calibrated(graph)
        counted = cls(calls=calls, graph=graph, device=device, budget=budget, wiring=wiring, constants=constants)
        counted.last = [
            counted.piece(place, setting_of(source, target)) for place, source in enumerate(calls.first.sources)
        ]
        if graph.io is IoType.STREAM:
            quantities = counted.summed(counted.of_target(target))
            counted.built = built(graph, quantities, budget)
            if isinstance(counted.built, Built):
                counted.exchange = Exchange(counted.built.network)
            found = stream_cautions(graph, simulated(graph, quantities))
            counted.warnings = tuple(one for one in found if one.code != "FC126")
            counted.pieces.clear()  # their processes are missing
            counted.last_target = None
        return counted

    def of_target(self, target: Target) -> list[_Piece]:
        """All layers with the settings of a target."""
        for source in self._changed(target):
            setting = setting_of(source, target)
            for place in self.calls.places.get(source, ()):
                if (place, setting) not in self.pieces:
                    self.pieces[place, setting] = self.piece(place, setting)
                self.last[place] = self.pieces[place, setting]
        self.last_target = target
        return list(self.last)

    def _changed(self, target: Target) -> Iterable[str]:
        """The layers of the file whose settings are others than in the last target."""
        last = self.last_target
        if last is None or (last.strategy, last.reuse) != (target.strategy, target.reuse):
            return self.calls.places
        items = (last.reuse_of.items() ^ target.reuse_of.items(), last.strategy_of.items() ^ target.strategy_of.items())
        return {source for changed in items for source, _ in changed}

    def piece(self, place: int, setting: Setting) -> _Piece:
        """The layer at a place with a setting."""
        call = self.calls.call(place, setting)
        if not self.graph.dataflow:
            call = replace(call, weights=self.calls.live[place])
        one = layer_quantities(call, self.graph, self.device, self.budget, self.wiring)
        has_process = isinstance(self.built, Built) and call.role is not Role.INPUT
        return _Piece(
            quantities=one,
            amounts=LayerAmounts.of(one, self.constants),
            cautions=tuple(layer_cautions(call, self.graph)),
            process=self.built.process(one) if has_process and isinstance(self.built, Built) else None,
        )

    def summed(self, pieces: list[_Piece]) -> Quantities:
        """The quantities of a whole design; in one pipeline without the registers between layers."""
        layers = tuple(one.quantities for one in pieces)
        return Quantities(layers=layers, timing=design_timing([one.timing for one in layers], self.graph))

    def _together(self, pieces: list[_Piece]) -> tuple[Quantities, list[LayerAmounts]]:
        """The quantities of a whole design, and the amounts of its layers."""
        if not is_one_pipeline(self.graph):
            return self.summed(pieces), [one.amounts for one in pieces]
        layers = tuple(one.quantities for one in pieces)
        timings = {one.layer.name: one.timing for one in layers}
        whole = one_pipeline(self.graph, timings, self.budget, self.wiring.live)
        each = self.constants.per_unit["FF"].get(Primitive.WAITING, 0.0)
        amounts = [one.amounts for one in pieces]
        for place, one in enumerate(layers):
            bits = whole.waiting_bits.get(one.layer.name)
            if bits:
                amounts[place] = replace(amounts[place], ff=amounts[place].ff + each * bits)
        return Quantities(layers=layers, timing=whole.timing), amounts

    def exchanged(self, pieces: list[_Piece]) -> Exchange | None:
        """The network with the processes of these layers; None where the design is not simulated."""
        if self.exchange is None or not isinstance(self.built, Built):
            return None
        processes = [one.process for one in pieces if one.quantities.layer.role is not Role.INPUT]
        for place, process in enumerate(processes, start=self.built.first):
            assert process is not None
            self.exchange.put(place, process)
        return self.exchange

    def cost(self, pieces: list[_Piece], cycles: FrameCycles | None, stops: tuple[Caution, ...] = ()) -> TargetCost:
        """The cost of a design with these layers; `cycles` None: those of csynth."""
        (quantities, amounts), constants, clock = self._together(pieces), self.constants, self.graph.clock_ns
        group = group_name(self.graph.io, (one.layer for one in quantities.layers))
        resources = resource_figures(amounts, constants, group)
        if cycles is None:
            latency = constants.band("latency", group).around(quantities.timing.latency)
            interval = constants.band("II", group).around(quantities.timing.ii)
        else:
            latency, interval = LATENCY_BAND.around(cycles.latency), INTERVAL_BAND.around(cycles.interval)
        latency, interval = (with_waits(one, quantities.layers, self.graph) for one in (latency, interval))
        products = sum([one.product.terms for one in quantities.layers if not one.product.in_memory])
        return TargetCost(
            after_synthesis=after_synthesis(resources, constants, group, *exceptions(quantities.layers, constants)),
            available=available_on(self.device),
            latency_ns=latency.times(clock),
            interval_ns=interval.times(clock),
            warnings=(
                *(caution for one in pieces for caution in one.cautions),
                *side_by_side(products),
                *self.warnings,
                *stops,
            ),
        )


STOPS = Caution(code="FC126", layer="", text="deadlock", cure="--fifo auto")


@dataclass(slots=True, kw_only=True)
class Costs:
    """Costs of a design for many targets; depths of FIFOs are searched for the first streamed one and the best.

    `few_events`: simulations of more reads and writes are spared where a lower bound is enough.
    """

    design: Design
    choice: FifoChoice
    parameters: tuple[Parameter, ...]
    summaries: Summaries = field(default_factory=dict)
    few_events: int = FEW_EVENTS
    depths: Mapping[str, int] | None = None
    calls: dict[IoType, _Calls] = field(default_factory=dict)
    counted: dict[tuple[IoType, bool, bool], _Counted] = field(default_factory=dict)

    def exact(self, target: Target) -> TargetCost:
        """The cost of a target, with the depths that were found for the first one; with a frame each if it stops.

        Raises UnsupportedOptionError, UnknownPartError, OutOfMemoryError.
        """
        counted = self._counted(target, frames=False)
        return self._exact(target, counted, counted.of_target(target))

    def _exact(self, target: Target, counted: _Counted, pieces: list[_Piece]) -> TargetCost:
        network = counted.exchanged(pieces)
        cycles = network.cycles() if network else None
        if network is None or cycles is not None:
            return counted.cost(pieces, cycles)
        framed = self._counted(target, frames=True)
        others = framed.of_target(target)
        exchanged = framed.exchanged(others)
        assert exchanged is not None
        cycles = exchanged.cycles()
        return framed.cost(others, cycles, () if cycles else (STOPS,))

    def bound(self, target: Target) -> LeastCost:
        """What the cost of a target is not below.

        Raises UnsupportedOptionError, UnknownPartError, OutOfMemoryError.
        """
        counted = self._counted(target, frames=False)
        pieces = counted.of_target(target)
        network = counted.exchanged(pieces)
        if network is None or network.events <= self.few_events:
            return LeastCost(cost=self._exact(target, counted, pieces), exact=True)
        least = counted.cost(pieces, network.least())
        if not network.is_tree:  # it may stop, and would get other depths
            framed = self._counted(target, frames=True)
            others = framed.of_target(target)
            exchanged = framed.exchanged(others)
            assert exchanged is not None
            for other in (framed.cost(others, exchanged.least()), framed.cost(others, None)):
                least = _lowest(least, other)
        return LeastCost(cost=least, exact=False)

    def whole(self, target: Target) -> Estimate:
        """The estimate of a target with depths of its own."""
        graph = self._graph(target)
        return estimate(replace(graph, fifo_depths=chosen_depths(graph, self.choice)))

    def _graph(self, target: Target) -> HardwareGraph:
        return hardware_graph(replace(self.design, target=target, fifo_depths={}), self.summaries)

    def _counted(self, target: Target, *, frames: bool) -> _Counted:
        """The layers of a target's design; `frames`: each FIFO has the depth of a frame."""
        calls = self._calls(target)
        dataflow = calls.side_by_side or Strategy.RESOURCE in (target.strategy, *target.strategy_of.values())
        key = (target.io, dataflow, frames and target.io is IoType.STREAM)
        if key not in self.counted:
            graph = self._graph(target)
            if target.io is IoType.STREAM and not frames:
                self.depths = chosen_depths(graph, self.choice) if self.depths is None else self.depths
                graph = replace(graph, fifo_depths=self.depths)
            self.counted[key] = _Counted.of(calls, graph, target)
        return self.counted[key]

    def _calls(self, target: Target) -> _Calls:
        if target.io not in self.calls:
            plain = replace(target, reuse_of={}, strategy_of={})
            design = replace(self.design, target=plain, fifo_depths={})
            own = parameters(design, da=any(one.da for one in self.parameters))  # those of the io type
            settings = {one.layer: one.settings for one in own}
            self.calls[target.io] = _Calls.of(design, settings, self.summaries)
        return self.calls[target.io]


def _lowest(one: TargetCost, other: TargetCost) -> TargetCost:
    """The lower number of each pair."""

    def figure(of: Callable[[TargetCost], Figure]) -> Figure:
        a, b = of(one), of(other)
        return Figure(value=min(a.value, b.value), low=min(a.low, b.low), high=min(a.high, b.high))

    return TargetCost(
        after_synthesis=ResourceEstimate(
            lut=figure(lambda cost: cost.after_synthesis.lut),
            ff=figure(lambda cost: cost.after_synthesis.ff),
            dsp=figure(lambda cost: cost.after_synthesis.dsp),
            bram_18k=figure(lambda cost: cost.after_synthesis.bram_18k),
            uram=figure(lambda cost: cost.after_synthesis.uram),
        ),
        available=one.available,
        latency_ns=figure(lambda cost: cost.latency_ns),
        interval_ns=figure(lambda cost: cost.interval_ns),
        warnings=min(one.warnings, other.warnings, key=len),
    )
