"""Give quantizers to the layers of a float network, from the options of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fpgacnn import frontends
from fpgacnn.errors import UsageError, printable
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.passes.widths.pruning import pruned
from fpgacnn.passes.widths.widths import Part, fold_normalizations, is_float, points, uniform, with_quantizers
from fpgacnn.pipeline.calibration import Calibration, calibrate
from fpgacnn.pipeline.inputs import Events, choose_formats, input_shapes, read_events
from fpgacnn.pipeline.remarks import unused_widths
from fpgacnn.pipeline.request import AssignedWidths, Request
from fpgacnn.pipeline.test_vectors import own_events
from fpgacnn.sim.source_reference import answers_by_chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthAssignment:
    """The network to build, the float network to compare with, and notes on changes to the file's network."""

    network: SourceModel
    float_network: SourceModel
    notes: tuple[str, ...] = ()


def with_widths(network: SourceModel, request: Request, events: Events | None) -> WidthAssignment:
    """The network with the requested widths for layers that have none."""
    float_network = frontends.load(request.float_model) if request.float_model else network
    if [*input_shapes(float_network).values()] != [*input_shapes(network).values()]:
        raise UsageError(what=f"{request.float_model} has other input shapes than {request.model}")
    if request.assigned is not None:
        return _assigned(network, float_network, request.assigned, given=request.float_model is not None)
    if (request.widths is None and request.calibration is None) or not is_float(network):
        return WidthAssignment(
            network=network,
            float_network=float_network,
            notes=tuple(unused_widths(request, is_float=is_float(network))),
        )
    folded = fold_normalizations(network)
    compared = float_network if request.float_model else folded  # layers of the same names compute the same
    unused = tuple(unused_widths(request, is_float=True))
    promise = "the promises are about the network with these quantizers"
    if request.calibration is not None:
        found = calibrate(folded, read_events(request.calibration, network).values, request.widths, request.sqnr_db)
        return WidthAssignment(
            network=found.network,
            float_network=compared,
            notes=(f"float network: {_words(found)}; {promise}", *unused),
        )
    assert request.widths is not None
    given = events or own_events(network, choose_formats(network, None, request.input_type))
    seen = _largest(folded, given)
    notes = [
        f"float network: its weights and activations got quantizers of {request.widths.bits} bits; {promise}",
        *unused,
    ]
    if events is None and request.widths.integer is None:
        notes.append("ranges of activations come from random events; --calibrate X.npz takes them from real events")
    return WidthAssignment(
        network=with_quantizers(folded, uniform(folded, request.widths, seen)),
        float_network=compared,
        notes=tuple(notes),
    )


def _assigned(
    network: SourceModel, float_network: SourceModel, widths: AssignedWidths, *, given: bool
) -> WidthAssignment:
    """The network with quantizers that were chosen before; `given`: the user gave a float network to compare with."""
    folded = fold_normalizations(network)
    notes = [f"float network: the quantizers of {widths.origin}; the promises are about the network with these"]
    if widths.pruned:
        notes.append(f"weights that {widths.origin} cuts are zero: {_shares(widths.pruned)}")
    return WidthAssignment(
        network=with_quantizers(pruned(folded, widths.pruned), widths.quantizers),
        float_network=float_network if given else folded,
        notes=tuple(notes),
    )


def _shares(percents: Mapping[str, int]) -> str:
    return ", ".join(f"{percent} % of {printable(layer)}" for layer, percent in percents.items())


def _largest(network: SourceModel, events: Events) -> Mapping[str, FloatArray]:
    """The largest absolute result, (1,), of every layer that gets a quantizer, computed on chunks of the events."""
    wanted = {point.layer for point in points(network) if point.part is Part.RESULT}
    found: dict[str, float] = {}
    for answers in answers_by_chunk(network, events.values, quantized=False, keep=wanted):
        for name, values in answers.items():
            found[name] = max(found.get(name, 0.0), -float(values.min(initial=0.0)), float(values.max(initial=0.0)))
    return {name: np.array([largest]) for name, largest in found.items()}


def _words(found: Calibration) -> str:
    bits = f"{found.fewest} to {found.most}" if found.fewest != found.most else str(found.most)
    chosen = f"quantizers of {bits} bits, chosen on {found.events} calibration events"
    return f"{chosen}; the answers are {found.sqnr_db:.1f} dB above their quantization noise"
