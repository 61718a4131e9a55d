"""From a network to a design that is planned to the last bit: the same steps for every command."""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn.design import Design
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.precision import legalize, plan
from fpgacnn.passes.quantization import quantize
from fpgacnn.pipeline.assign_widths import WidthAssignment, with_widths
from fpgacnn.pipeline.inputs import Events, InputChoice, choose_formats
from fpgacnn.pipeline.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What was trained, with the widths that it got here; the format of every input; the design."""

    trained: WidthAssignment
    choices: tuple[InputChoice, ...]
    design: Design


def planned(network: SourceModel, request: Request, given: Events | None) -> Planned:
    """Plan a network. `given` are events that tell ranges, where there are any.

    Raises FpgacnnError: a float network without widths, an input without a format, a layer that cannot be built.
    """
    trained = with_widths(network, request, given)
    choices = choose_formats(trained.network, given, request.input_type)
    model = legalize(quantize(trained.network, inputs=[choice.format for choice in choices], softmax=request.softmax))
    return Planned(
        trained=trained, choices=choices, design=Design(model=model, plan=plan(model), target=request.target)
    )


def project_choices(design: Design) -> tuple[InputChoice, ...]:
    """The formats of a project's inputs."""
    return tuple(
        InputChoice(name=layer.source, format=operation.format, reason="the project's")
        for layer, operation in design.model.input_layers
    )
