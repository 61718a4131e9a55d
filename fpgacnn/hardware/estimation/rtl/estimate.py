"""The estimate of an RTL design: exact clocks from its schedule, resources from its kernels and modules with bands."""

from __future__ import annotations

from fpgacnn.design import Design
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.devices.device import ECP5 as ECP5_FAMILY
from fpgacnn.hardware.estimation.core import available_on, shortages
from fpgacnn.hardware.estimation.result import Estimate, Figure, LayerEstimate, ResourceEstimate, Totals
from fpgacnn.hardware.estimation.rtl.amounts import Amounts
from fpgacnn.hardware.estimation.rtl.constants import AMD, ECP5, RtlConstants, constants
from fpgacnn.hardware.estimation.rtl.count import OUTSIDE, Counted, counted
from fpgacnn.hardware.rtl.target import refuse_unbuilt
from fpgacnn.ir import hardware as hw


def estimate_rtl(design: Design) -> Estimate:
    """The estimate of an RTL design, as Yosys would map it; its clocks are those of its schedule.

    Raises UnknownPartError, RtlTargetError, RtlUnsupportedError.
    """
    device = find_device(design.target.part)
    refuse_unbuilt(design.target)
    found = counted(design)
    known = constants(ECP5 if device.family == ECP5_FAMILY else AMD)
    whole = _resources(found.total, known)
    latency = max(int(found.built.streams[name].times[0][0, -1]) for name in design.model.outputs) + 1
    clocks, interval = _exact(latency), _exact(found.built.frame_clocks)
    clock_ns = design.target.clock_ns
    available = available_on(device)
    return Estimate(
        stage="synth",
        tool="RTL",
        part=design.target.part,
        clock_ns=clock_ns,
        layers=tuple(_layers(design, found, known)),
        totals=Totals(
            resources=whole,
            latency_cycles=clocks,
            latency_ns=clocks.times(clock_ns),
            ii_cycles=interval,
            ii_ns=interval.times(clock_ns),
            multipliers=found.total.multipliers,
            fifo_bits=0,
        ),
        after_synthesis=whole,
        available=available,
        shortages=shortages(whole, available),
        method=(
            f"clocks are exact, from the schedule; tables and registers are counted and compared with {known.designs}"
            f" netlists of Yosys for {'ECP5' if known.fit.family == ECP5 else 'UltraScale+'}; a new design is in the"
            " bands with a probability of 95 %, by the errors of each of them when the others gave the factors"
        ),
        warnings=(),
    )


def _layers(design: Design, found: Counted, known: RtlConstants) -> list[LayerEstimate]:
    """The layers but the inputs, and what stands around them: the entrance, and the FIFOs of the answers."""
    rows = list[LayerEstimate]()
    for layer in design.model.layers:
        if isinstance(layer.operation, hw.Input):
            continue
        stream = found.built.streams[layer.name]
        fold = found.built.folds.get(layer.name)
        amounts = found.layers.get(layer.name, Amounts())
        how = f"folded: {fold} clocks a word" if fold else "one word a clock"
        clocks = int(stream.times[0][0, -1]) - int(stream.times[0][0, 0]) + 1
        rows.append(_row(layer.name, layer.kind, amounts, known, clocks, found.built.frame_clocks, how))
    ends = found.layers[OUTSIDE]
    rows.append(_row("(answers)", "FIFO", ends, known, 1, found.built.frame_clocks, "entrance, answers and credits"))
    return rows


def _row(
    name: str, kind: str, amounts: Amounts, known: RtlConstants, clocks: int, interval: int, how: str
) -> LayerEstimate:
    resources = _resources(amounts, known)
    return LayerEstimate(
        name=name,
        kind=kind,
        resources=resources,
        after_synthesis=resources,
        latency_cycles=_exact(clocks),
        ii_cycles=_exact(interval),
        multipliers=amounts.multipliers,
        fifo_bits=0,
        fifo_bram_18k=0,
        method=how,
    )


def _resources(amounts: Amounts, known: RtlConstants) -> ResourceEstimate:
    return ResourceEstimate(
        lut=known.tables(amounts),
        ff=known.registers(amounts),
        dsp=_exact(amounts.multipliers),
        bram_18k=_exact(amounts.blocks),
        uram=_exact(0),
    )


def _exact(value: int) -> Figure:
    return Figure(value=float(value), low=float(value), high=float(value))
