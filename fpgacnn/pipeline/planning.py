"""The passes of planning, and the compilation that they fill: from a model file to a design."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fpgacnn import frontends
from fpgacnn.design import BackendName, Design, IoType, Strategy
from fpgacnn.design.design import by_layer, settings_by_layer
from fpgacnn.design.project import HlsProject
from fpgacnn.errors import InternalError
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice, chosen_depths
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.hls.lower import Lowered
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.quantized import Linear, QuantizedModel
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.precision import PrecisionPlan, fold_casts, legalize
from fpgacnn.passes.precision.narrowing.product_costs import Folding, Products
from fpgacnn.passes.quantization import quantize
from fpgacnn.pipeline.assign_widths import WidthAssignment
from fpgacnn.pipeline.inputs import Events, InputChoice, choose_formats, element_of, read_events
from fpgacnn.pipeline.request import Request

OPTIONAL = {"events"}
"""Fields of a compilation that stay None if the user gives no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """State of the passes from a model file to a project.

    Each pass fills one field; fields of later passes are None.
    """

    file: Path
    request: Request
    network: SourceModel | None = None
    events: Events | None = None
    trained: WidthAssignment | None = None
    choices: tuple[InputChoice, ...] | None = None
    quantized: QuantizedModel | None = None
    legal: tuple[HardwareModel, PrecisionPlan] | None = None
    folded: tuple[HardwareModel, PrecisionPlan] | None = None
    design: Design | None = None
    lowered: Lowered | None = None
    sized: Design | None = None
    project: HlsProject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass: a function from fields of a compilation, `takes` in the order of its arguments, to one field."""

    name: str
    function: Callable[..., object]
    takes: tuple[str, ...]
    gives: str

    def run(self, state: Compilation) -> Compilation:
        """The compilation with one more field.

        Raises InternalError if an earlier pass has not run, and the errors of the function.
        """
        values = [getattr(state, name) for name in self.takes]
        missing = [
            name for name, value in zip(self.takes, values, strict=True) if value is None and name not in OPTIONAL
        ]
        if missing:
            raise InternalError(what=f"the pass '{self.name}' has no {', '.join(missing)}")
        given: dict[str, Any] = {self.gives: self.function(*values)}
        return replace(state, **given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The result of planning: the network with its widths, the format of every input, the design."""

    network: SourceModel
    events: Events | None
    trained: WidthAssignment
    choices: tuple[InputChoice, ...]
    design: Design

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on changes between the file and the design."""
        return (*self.trained.notes, *self.design.model.notes)


def as_planned(state: Compilation) -> Planned:
    """The result of planning from a compilation that has a design.

    Raises InternalError if it has none.
    """
    network, trained, choices, design = state.network, state.trained, state.choices, state.design
    if network is None or trained is None or choices is None or design is None:
        raise InternalError(what="a compilation has no design yet")
    return Planned(network=network, events=state.events, trained=trained, choices=choices, design=design)


def load(file: Path, request: Request) -> SourceModel:
    """Read the network of a model file."""
    return frontends.load(file, request.weights)


def read_given_events(request: Request, network: SourceModel) -> Events | None:
    """Read the events of the request; None if there are none."""
    return read_events(request.events, network) if request.events else None


def choose_inputs(trained: WidthAssignment, events: Events | None, request: Request) -> tuple[InputChoice, ...]:
    """Choose the format of every input, unless a study has chosen them."""
    if request.assigned is not None:
        return request.assigned.inputs
    return choose_formats(trained.network, events, request.input_type)


def quantize_network(trained: WidthAssignment, choices: Sequence[InputChoice], request: Request) -> QuantizedModel:
    """Quantize the network: operations on integer codes."""
    return quantize(trained.network, inputs=[choice.format for choice in choices], softmax=request.softmax)


_PRODUCTS = {Strategy.LATENCY: Products.CONSTANTS, Strategy.RESOURCE: Products.MEMORY, Strategy.DA: Products.ADDERS}


def legalize_network(quantized: QuantizedModel, request: Request) -> tuple[HardwareModel, PrecisionPlan]:
    """Legalize the network; scales are folded into the weights behind them, unless the request keeps all layers.

    In streams, products behind concatenations may be split (`split_products`).

    A strategy under the name of a layer that is folded into another one is that of both. So names of others than linear
    layers are looked up in the network with casts folded, but with every scale by itself.
    """
    target = request.target
    if not request.fold:
        return legalize(quantized)
    if target.backend is BackendName.RTL:
        return legalize(quantized, Folding(products=Products.ADDERS))
    named = dict(target.strategy_of)
    if named.keys() - {layer.source for layer in quantized.layers if isinstance(layer.operation, Linear)}:
        named |= settings_by_layer(named, fold_casts(*legalize(quantized))[0])
    each = {name: _PRODUCTS[one] for name, one in named.items()}
    products, streams = _PRODUCTS[target.strategy], target.io is IoType.STREAM
    return legalize(quantized, Folding(products=products, products_of=each, splits=streams))


def fold(legal: tuple[HardwareModel, PrecisionPlan], request: Request) -> tuple[HardwareModel, PrecisionPlan]:
    """Fold layers that only cast into those before them, unless the request keeps them."""
    return fold_casts(*legal) if request.fold else legal


def make_design(folded: tuple[HardwareModel, PrecisionPlan], request: Request) -> Design:
    """The design: the planned network with the target of the request."""
    model, plan = folded
    return Design(model=model, plan=plan, target=by_layer(request.target, model), folds=request.fold)


def with_depths(design: Design, lowered: Lowered, request: Request) -> Design:
    """The design with the depths of its FIFOs."""
    choice = request.fifo or FifoChoice()
    if design.target.io is not IoType.STREAM and not choice.given:
        return design
    return replace(design, fifo_depths=chosen_depths(hardware_graph(design, lowered=lowered), choice))


def project_choices(design: Design, network: SourceModel) -> tuple[InputChoice, ...]:
    """The formats of a project's inputs."""
    return tuple(
        InputChoice(
            name=layer.source,
            format=operation.format,
            reason="the project's",
            element=element_of(network, layer.source),
        )
        for layer, operation in design.model.input_layers
    )
