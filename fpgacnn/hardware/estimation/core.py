"""The estimate of a hardware graph: counted primitives times fitted constants, each with its error band."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.hardware.devices import Device, find_device
from fpgacnn.hardware.estimation.calibration.own_designs import calibrated, outdated
from fpgacnn.hardware.estimation.checks import cautions
from fpgacnn.hardware.estimation.constants import Band, Constants
from fpgacnn.hardware.estimation.dataflow.build import Unknown
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.primitives import Primitive
from fpgacnn.hardware.estimation.quantities import LayerQuantities, Quantities, quantities
from fpgacnn.hardware.estimation.result import (
    Available,
    Estimate,
    Figure,
    LayerEstimate,
    ResourceEstimate,
    Shortage,
    Simulated,
    Totals,
)
from fpgacnn.hardware.estimation.streams import simulated, with_waits

WEIGHTED = frozenset({Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE, Role.RECURRENT})
PLACED_LUT, PLACED_BAND = 1.047, Band(low=0.93, high=1.07)
"""LUTs for each bit of the adders of an adder graph, in 20 published placed designs of da4ml: 3.6 % mean error."""

GRAPH = (Primitive.ADDERS, Primitive.ADD_BITS)
RESOURCES = ("LUT", "FF", "DSP", "BRAM_18K", "URAM")


def estimate(model: HardwareGraph, constants: Constants | None = None) -> Estimate:
    """Estimate a design.

    Raises UnknownPartError if the part is not in the table, CalibrationFileError.
    """
    counted = quantities(model, find_device(model.part))
    return priced(model, counted, simulated(model, counted), constants or calibrated(model))


def priced(
    model: HardwareGraph,
    counted: Quantities,
    dataflow: Simulated | Unknown | None,
    constants: Constants,
    *,
    waits: bool = True,
) -> Estimate:
    """The estimate of a design that is counted and simulated already.

    Without `waits`, the cycles of designs whose slowest layer waits for each pixel have the fitted bands only.
    """
    device = find_device(model.part)
    group = group_of(model)
    totals = _totals(counted, model, constants, group, waits=waits)
    after = after_synthesis(totals.resources, constants, group, *exceptions(counted.layers, constants))
    available = available_on(device)
    return Estimate(
        stage="csynth",
        tool=f"{'Vitis' if model.tool is BackendName.VITIS else 'Vivado'} HLS",
        part=model.part,
        clock_ns=model.clock_ns,
        layers=tuple(_layer(one, constants) for one in counted.layers if one.layer.role is not Role.INPUT),
        totals=totals,
        after_synthesis=after,
        available=available,
        shortages=shortages(after, available),
        method=_method(constants, group),
        warnings=cautions(model, counted, dataflow),
        simulated=dataflow if isinstance(dataflow, Simulated) else None,
    )


def group_of(model: HardwareGraph) -> str:
    """The group of designs with the same error band of their cycles: by io type and strategy."""
    return group_name(model.io, model.layers)


def group_name(io: IoType, layers: Iterable[TemplateCall]) -> str:
    """The group of layers with an io type."""
    resource = any(layer.strategy is Strategy.RESOURCE for layer in layers if layer.role in WEIGHTED)
    return f"{io.value}/{'resource' if resource else 'latency'}"


def _totals(counted: Quantities, model: HardwareGraph, constants: Constants, group: str, *, waits: bool) -> Totals:
    latency = constants.band("latency", group).around(counted.timing.latency)
    interval = constants.band("II", group).around(counted.timing.ii)
    if waits:
        latency, interval = (with_waits(one, counted.layers, model) for one in (latency, interval))
    return Totals(
        resources=resource_figures([LayerAmounts.of(one, constants) for one in counted.layers], constants, group),
        latency_cycles=latency,
        latency_ns=latency.times(model.clock_ns),
        ii_cycles=interval,
        ii_ns=interval.times(model.clock_ns),
        multipliers=round(sum(one.product.built for one in counted.layers)),
        fifo_bits=sum(queue.total_bits for one in counted.layers for queue in one.queues),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerAmounts:
    """What a layer adds to the sums of a design, before any error band."""

    lut: float
    ff: float
    dsp: float
    bram_18k: int

    @classmethod
    def of(cls, one: LayerQuantities, constants: Constants) -> LayerAmounts:
        """The amounts of a layer's quantities."""
        return cls(
            lut=constants.amount("LUT", one.primitives),
            ff=constants.amount("FF", one.primitives),
            dsp=one.dsp,
            bram_18k=one.bram_18k,
        )


def resource_figures(
    amounts: Sequence[LayerAmounts], constants: Constants, group: str, prefix: str = ""
) -> ResourceEstimate:
    """The sums of the amounts, added in the order of the layers, with their bands."""

    def figure(quantity: str, value: float) -> Figure:
        return constants.band(prefix + quantity, group).around(float(round(value)))

    return ResourceEstimate(
        lut=figure("LUT", sum([one.lut for one in amounts])),
        ff=figure("FF", sum([one.ff for one in amounts])),
        dsp=figure("DSP", sum([one.dsp for one in amounts])),
        bram_18k=figure("BRAM_18K", sum([one.bram_18k for one in amounts])),
        uram=figure("URAM", 0),
    )


def absorbed_ff(layers: Iterable[LayerQuantities], constants: Constants) -> float:
    """Flip-flops around multipliers of several cycles, which logic synthesis moves into the DSP slices."""
    each = constants.per_unit["FF"].get(Primitive.STAGED, 0.0)
    return sum(each * one.primitives[Primitive.STAGED] for one in layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphLut:
    """Adder graphs: the bits of their adders, and their LUTs in csynth's report."""

    bits: int = 0
    in_csynth: float = 0.0


def exceptions(layers: Sequence[LayerQuantities], constants: Constants) -> tuple[float, GraphLut]:
    """What `after_synthesis` does not take as a share of csynth's numbers."""
    graphs = [one for one in layers if one.graph_bits]
    counted = [constants.amount("LUT", {piece: one.primitives[piece] for piece in GRAPH}) for one in graphs]
    return absorbed_ff(layers, constants), GraphLut(bits=sum(one.graph_bits for one in graphs), in_csynth=sum(counted))


def after_synthesis(
    resources: ResourceEstimate, constants: Constants, group: str, absorbed: float = 0.0, graphs: GraphLut | None = None
) -> ResourceEstimate:
    """What logic synthesis leaves of csynth's numbers, without the flip-flops that it moves into DSP slices.

    LUTs of adder graphs follow from the bits of their adders. `resources` are corrected by the designs of the user, and
    `absorbed` and `graphs` are not: they get the same factor before they are subtracted.
    """

    def figure(quantity: str, value: float) -> Figure:
        return constants.band(f"after {quantity}", group).around(float(round(value * constants.after[quantity])))

    def own(quantity: str) -> float:
        return constants.band(quantity, group).factor

    lut = figure("LUT", max(0.0, resources.lut.value - (graphs.in_csynth * own("LUT") if graphs else 0.0)))
    if graphs and graphs.bits:
        placed = PLACED_BAND.around(PLACED_LUT * graphs.bits)
        value = float(round(lut.value + placed.value))
        lut = Figure(value=value, low=min(value, lut.low + placed.low), high=max(value, lut.high + placed.high))
    return ResourceEstimate(
        lut=lut,
        ff=figure("FF", max(0.0, resources.ff.value - absorbed * own("FF"))),
        dsp=figure("DSP", resources.dsp.value),
        bram_18k=figure("BRAM_18K", resources.bram_18k.value),
        uram=resources.uram,
    )


def _layer(one: LayerQuantities, constants: Constants) -> LayerEstimate:
    resources = resource_figures([LayerAmounts.of(one, constants)], constants, "layer", "layer ")
    return LayerEstimate(
        name=one.layer.name,
        kind=one.layer.role.value,
        resources=resources,
        after_synthesis=after_synthesis(resources, constants, "layer", *exceptions([one], constants)),
        latency_cycles=constants.band("layer latency", "layer").around(one.timing.latency),
        ii_cycles=constants.band("layer II", "layer").around(one.timing.ii),
        multipliers=round(one.product.built),
        fifo_bits=sum(queue.total_bits for queue in one.queues),
        fifo_bram_18k=one.fifo_blocks,
        method=_words(one),
    )


def _words(one: LayerQuantities) -> str:
    """The method behind a layer's numbers, as text."""
    product = one.product
    if one.layer.role not in WEIGHTED:
        return "counted from its template's loops and registers"
    if graph := one.layer.adder_graph:
        adders = sum(1 for _ in graph.adders())
        return f"an adder graph of {adders} adders with {graph.bits} bits, {graph.depth} one after another"
    if product.in_memory:
        return f"{product.built:.0f} multipliers, each used {one.layer.reuse} times, weights in memory"
    known = (
        "the real weights"
        if one.layer.weights and one.layer.weights.known
        else "weights of this type, not known one by one"
    )
    shared = f", {product.built:.0f} built" if product.rounds > 1 else ""
    return f"{product.terms:.0f} products of {known}; {product.needed:.0f} need a multiplier{shared}"


def _method(constants: Constants, group: str) -> str:
    return (
        "cycles, multipliers and memory counted from hls4ml's templates and the real weights; LUTs and flip-flops by"
        f" constants fitted on {constants.designs} synthesized designs of {constants.repositories} repositories; bands"
        f" held {constants.promise} true values of repositories that the fit had not seen ({group})"
        + (f"; corrected by {constants.own_designs}" if constants.own_designs else "")
        + (f"; {outdated(constants.outdated_designs)}" if constants.outdated_designs else "")
    )


def available_on(device: Device) -> Available:
    """The resources of a part."""
    return Available(
        device=device.name,
        source=device.source,
        lut=device.lut,
        ff=device.ff,
        dsp=device.dsp,
        bram_18k=device.bram_18k,
        uram=device.uram,
        slrs=device.slrs,
    )


def shortages(needed: ResourceEstimate, available: Available) -> tuple[Shortage, ...]:
    """Every resource of which the design needs more than the part has."""
    pairs = (
        ("LUT", needed.lut, available.lut),
        ("FF", needed.ff, available.ff),
        ("DSP", needed.dsp, available.dsp),
        ("BRAM_18K", needed.bram_18k, available.bram_18k),
        ("URAM", needed.uram, available.uram),
    )
    return tuple(
        Shortage(resource=name, needed=figure, available=there, missing=figure.value - there)
        for name, figure, there in pairs
        if figure.value > there
    )
