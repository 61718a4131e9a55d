"""Networks whose file does not say every width: quantizers are given here."""

from __future__ import annotations

from fpgacnn import frontends
from fpgacnn.errors import UsageError
from fpgacnn.flow.inputs import Events, choose_formats, input_shapes
from fpgacnn.flow.request import Request
from fpgacnn.flow.stimulus import own_events
from fpgacnn.ir.source import SourceModel
from fpgacnn.quantization.widths import fold_normalizations, is_float, with_quantizers
from fpgacnn.sim.framework import evaluate


def with_widths(network: SourceModel, request: Request, events: Events | None) -> tuple[SourceModel, SourceModel]:
    """The network to build, with widths where it has none, and the float network to compare with."""
    twin = frontends.load(request.float_model) if request.float_model else network
    if [*input_shapes(twin).values()] != [*input_shapes(network).values()]:
        raise UsageError(what=f"{request.float_model} has other input shapes than {request.model}")
    if request.widths is None or not is_float(network):
        return network, twin
    if request.keras:
        raise UsageError(what="--reference keras compares with the file as it is, but --bits gives it quantizers that it has not")
    folded = fold_normalizations(network)
    seen = evaluate(folded, (events or own_events(network, choose_formats(network, None, request.input_type))).values, quantized=False)
    return with_quantizers(folded, request.widths, seen), twin
