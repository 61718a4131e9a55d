"""Notes on options without effect and on layers that were not compared, one line each, for the record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import prod

import numpy as np

from fpgacnn.design import BackendName, Design, IoType
from fpgacnn.ir.source import Activate, Softmax, SourceModel
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.pipeline.inputs import Events
from fpgacnn.pipeline.request import SQNR_DB, Request

NAMES_SHOWN = 5


def unused_widths(request: Request, *, is_float: bool) -> Iterator[str]:
    """Options for float networks that have no effect: the network has quantizers, or another option decides."""
    given = [
        flag for flag, value in (("--bits", request.widths), ("--calibrate", request.calibration)) if value is not None
    ]
    if given and not is_float:
        verb = "has" if len(given) == 1 else "have"
        yield f"{' and '.join(given)} {verb} no effect: the network has its own quantizers, whose widths are kept"
    elif request.sqnr_db != SQNR_DB and (request.calibration is None or request.widths is not None):
        why = "--bits gives the widths" if request.widths is not None else "it needs --calibrate and a float network"
        yield f"--sqnr has no effect: {why}"


def unused_softmax(request: Request, network: SourceModel) -> Iterator[str]:
    """A softmax option for a network without a final softmax."""
    if request.softmax is not SoftmaxChoice.LOGITS and not any(
        network.layer(name).operation == Activate(function=Softmax()) for name in network.outputs
    ):
        yield f"--softmax {request.softmax} has no effect: no output of the network is a softmax"


def labels_refused(network: SourceModel, events: Events) -> str | None:
    """Why labels cannot be compared with the network's answers; None if they can, or if there are none.

    Labels need a network with one output of one axis, and each label must be the index of one of its values. For a
    single value, and for an autoencoder, labels are 0 and 1, and both must occur.
    """
    if events.labels is None:
        return None
    if errors_are_scores(network, events):
        kinds = set(np.unique(events.labels).tolist())
        return None if kinds == {0, 1} else "labels beside an error for each event must be 0 and 1, and both must occur"
    if len(network.outputs) != 1:
        return f"the network has {len(network.outputs)} outputs"
    shape = network.layer(network.outputs[0]).shape
    values = prod(shape)
    if values != max(shape, default=1):
        return f"its output has the shape {shape}, but labels need one axis of values"
    found = np.unique(events.labels)
    allowed = max(values, 2)
    if found.size and (found[0] < 0 or found[-1] >= allowed):
        return f"labels from {found[0]} to {found[-1]} do not fit an output of {values}: expected 0 to {allowed - 1}"
    if values == 1 and found.size < allowed:
        return "all events have the same label, but a single score needs both"
    return None


def errors_are_scores(network: SourceModel, events: Events) -> bool:
    """Whether labels go with the errors of the answers: of an autoencoder, or of wanted answers that are no vector."""
    if events.reconstructs:
        return True
    if len(network.outputs) != 1 or not events.targets or events.targets[0] is None:
        return False
    shape = network.layer(network.outputs[0]).shape
    return prod(shape) != max(shape, default=1)


def unused_events(request: Request, network: SourceModel, events: Events) -> Iterator[str]:
    """Labels that fit no output, and a float model without labels."""
    why = labels_refused(network, events)
    if why is not None:
        yield f"the labels are not used, so there is no quality table: {why}"
    if events.unused:
        verb = "is" if len(events.unused) == 1 else "are"
        names = ", ".join(events.unused)
        yield f"{names} of {events.origin} {verb} not used: labels are named labels, wanted answers target_0, target_1"
    for number, name in enumerate(network.outputs):
        wanted = events.targets[number] if number < len(events.targets) else None
        if wanted is not None and not events.reconstructs and left_out_softmax(request, network, name):
            yield f"target_{number} is not used: the hardware leaves the final softmax out (--softmax keep builds it)"
    if request.float_model is not None and (why is not None or events.labels is None):
        yield f"--float has no effect: {'the labels are not used' if why else 'the events have no labels'}"


def unused_fifo(request: Request, design: Design) -> Iterator[str]:
    """A choice of FIFO depths without streams, and FIFOs that hold a frame because nothing could be searched."""
    streams = design.target.io is IoType.STREAM
    if request.fifo is not None and not streams:
        yield "--fifo has no effect: the design has no streams (--io stream)"
    if design.target.backend is BackendName.RTL:
        if request.fifo is not None:
            yield "--fifo has no effect: the schedule of RTL gives the depth of every FIFO"
        return
    is_searched = request.fifo is None or not request.fifo.frame
    if streams and is_searched and not design.fifo_depths:
        yield "every FIFO holds a whole frame: smaller depths could not be searched for this part or this size"


def not_simulated(request: Request) -> Iterator[str]:
    """A note if C simulation was not run."""
    if request.csim_events == 0:
        rtl = request.target.backend is BackendName.RTL
        what, code = ("RTL simulation", "RTL") if rtl else ("C simulation", "C++")
        yield f"{what} was not run (--no-csim, --csim-events 0): the generated {code} itself was not checked"


def _layers_have(names: Sequence[str]) -> str:
    return "1 layer has" if len(names) == 1 else f"{len(names)} layers have"


_ONLY_AFTER = "only the layers after them were compared"
_WHY_LEFT: Mapping[bool | None, str] = {
    None: f"have no node of their own; {_ONLY_AFTER}",
    False: f"have other values in the hardware than in the file, as a scale or a quantizer comes later, or have them in"
    f" parts; {_ONLY_AFTER}",
    True: "were not compared themselves, only the layers after them",
}
"""Why layers were not compared, by whether a node has their result: None for those without any node."""


def not_compared(design: Design, network: SourceModel, compared: Collection[str]) -> Iterator[str]:
    """Layers of the file that no compared node represents, so that only later layers were compared, and why.

    `compared` are the nodes of the hardware that were compared with the network. Folded layers have their own note.
    """
    nodes = [layer for layer in design.model.layers if layer.name in compared]
    seen = {layer.source for layer in nodes if layer.is_result}
    scales = [name for layer in design.model.layers if layer.source in seen for name in layer.scales]
    folded = [name for layer in nodes for name in layer.folded if name not in layer.scales]
    if folded:
        yield (
            f"{_layers_have(folded)} no result in the hardware, because the cast of the layer behind is folded into it;"
            f" that cast was compared: {_some(folded)} (--no-fold builds each layer)"
        )
    if scales:
        yield (
            f"{_layers_have(scales)} no result in the hardware, because the scale is multiplied into the weights of the"
            f" layer behind; that layer was compared: {_some(scales)} (--no-fold builds each layer)"
        )
    before = _before(design, network)
    left = [layer.name for layer in network.layers if layer.name in before - seen - {*folded, *scales}]
    results: dict[str, bool] = {}
    for layer in design.model.layers:
        results[layer.source] = layer.is_result or results.get(layer.source, False)
    for whole, what in _WHY_LEFT.items():
        names = [name for name in left if results.get(name) is whole]
        if names:
            yield f"{len(names)} of {len(before)} layers {what}: {_some(names)}"


def _before(design: Design, network: SourceModel) -> set[str]:
    """The layers of the file that the outputs of a design depend on."""
    known = {layer.name: layer for layer in network.layers}
    waiting, before = [design.model.layer(name).source for name in design.model.outputs], set[str]()
    while waiting:
        name = waiting.pop()
        if name in known and name not in before:
            before.add(name)
            waiting.extend(known[name].inputs)
    return before


def _some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


PROJECT_FLAGS = (
    ("--input", "events"),
    ("--input-type", "input_type"),
    ("--bits", "widths"),
    ("--calibrate", "calibration"),
    ("--weights", "weights"),
)


def unused_by_project(request: Request, *, but: Collection[str] = ()) -> tuple[str, ...]:
    """Planning options for a project, which is planned already; `but` names options with another use."""
    given = [flag for flag, name in PROJECT_FLAGS if getattr(request, name) is not None and flag not in but]
    given += ["--softmax"] if request.softmax is not SoftmaxChoice.LOGITS else []
    given += ["--sqnr"] if request.sqnr_db != SQNR_DB else []
    given += [] if request.fold else ["--no-fold"]
    if not given:
        return ()
    verb = "has" if len(given) == 1 else "have"
    return (f"{', '.join(given)} {verb} no effect: a project folder has its formats and widths already",)


def left_out_softmax(request: Request, network: SourceModel, output: str) -> bool:
    """Whether the hardware's output are not the probabilities of a final softmax."""
    final = network.layer(output).operation == Activate(function=Softmax())
    return final and request.softmax is not SoftmaxChoice.KEEP
