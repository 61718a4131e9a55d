"""Networks whose file does not say every width: quantizers are given here, as the user asks."""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn import frontends
from fpgacnn.errors import UsageError
from fpgacnn.flow.calibration import Calibration, calibrate
from fpgacnn.flow.inputs import Events, choose_formats, input_shapes, read_events
from fpgacnn.flow.remarks import unused_widths
from fpgacnn.flow.request import Request
from fpgacnn.flow.stimulus import own_events
from fpgacnn.ir.source import SourceModel
from fpgacnn.quantization.widths import fold_normalizations, is_float, uniform, with_quantizers
from fpgacnn.sim.framework import evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The network to build, the float network to compare with, and what was changed about the file's network."""

    network: SourceModel
    twin: SourceModel
    notes: tuple[str, ...] = ()


def with_widths(network: SourceModel, request: Request, events: Events | None) -> Trained:
    """The network with widths where it has none and the user gave some."""
    twin = frontends.load(request.float_model) if request.float_model else network
    if [*input_shapes(twin).values()] != [*input_shapes(network).values()]:
        raise UsageError(what=f"{request.float_model} has other input shapes than {request.model}")
    if (request.widths is None and request.calibration is None) or not is_float(network):
        return Trained(network=network, twin=twin, notes=tuple(unused_widths(request, is_float=is_float(network))))
    folded = fold_normalizations(network)
    unused = tuple(unused_widths(request, is_float=True))
    promise = "the promises are about the network with them"
    if request.calibration is not None:
        found = calibrate(folded, read_events(request.calibration, network).values, request.widths, request.sqnr_db)
        return Trained(network=found.network, twin=twin, notes=(f"float network: {_words(found)}; {promise}", *unused))
    assert request.widths is not None
    given = events or own_events(network, choose_formats(network, None, request.input_type))
    seen = evaluate(folded, given.values, quantized=False)
    notes = [f"float network: its weights and activations got quantizers of {request.widths.bits} bits; {promise}", *unused]
    if events is None and request.widths.integer is None:
        notes.append("ranges of activations come from random events; --calibrate X.npz takes them from real ones")
    return Trained(network=with_quantizers(folded, uniform(folded, request.widths, seen)), twin=twin, notes=tuple(notes))


def _words(found: Calibration) -> str:
    bits = f"{found.fewest} to {found.most}" if found.fewest != found.most else str(found.most)
    return f"quantizers of {bits} bits, chosen on {found.events} calibration events, answer {found.sqnr_db:.1f} dB above their noise"
