"""Quality of the answers: against labels, against wanted answers, or against the inputs of an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping

from fpgacnn.design import Design
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.pipeline.assign_widths import WidthAssignment
from fpgacnn.pipeline.inputs import Events
from fpgacnn.pipeline.remarks import errors_are_scores, labels_refused, left_out_softmax
from fpgacnn.pipeline.request import Request
from fpgacnn.records.quality import distances, qualities
from fpgacnn.records.record import Quality
from fpgacnn.sim.result import SimulationResult


def has_labels(network: SourceModel, events: Events) -> bool:
    """Labels are given that the output can use."""
    return events.labels is not None and labels_refused(network, events) is None


def with_targets(request: Request, network: SourceModel, events: Events) -> tuple[int, ...]:
    """The numbers of the outputs that have wanted answers."""
    return tuple(
        number
        for number, wanted in enumerate(events.targets)
        if wanted is not None and not left_out_softmax(request, network, network.outputs[number])
    )


def scored(request: Request, network: SourceModel, events: Events) -> tuple[int, ...]:
    """The numbers of the outputs whose answers to all events are judged."""
    first = (0,) if has_labels(network, events) else ()
    return tuple(sorted({*first, *with_targets(request, network, events)}))


def quality_of(
    request: Request,
    trained: WidthAssignment,
    design: Design,
    events: Events,
    real: Mapping[str, FloatArray],
    quantized: Mapping[str, FloatArray],
    emulated: SimulationResult,
) -> tuple[Quality, ...]:
    """Every measure of the task: accuracy or ROC AUC with labels, mean squared errors with wanted answers.

    `real` and `quantized` are the answers of the float and of the quantized network by output.
    """
    network = trained.network
    labels = events.labels if has_labels(network, events) else None
    compared = with_targets(request, network, events)
    found: list[Quality] = []
    for number in scored(request, network, events):
        answers = (
            real[trained.float_network.outputs[number]],
            quantized[network.outputs[number]],
            emulated.outputs[design.model.outputs[number]].values,
        )
        wanted = events.targets[number] if number in compared else None
        by_error = errors_are_scores(network, events)
        if number == 0 and labels is not None and not by_error:
            found += qualities(labels, *answers)
        if wanted is not None:
            name = "reconstruction MSE" if events.reconstructs else f"MSE of {network.outputs[number]}"
            found += distances(name, wanted, labels if by_error else None, *answers)
    return tuple(found)
