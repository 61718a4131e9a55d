"""Designs of a model for the targets of a search.

A plan depends on the target: whether a scale is in the weights behind it, and whether a product is split, depends on
how the products are built. A search takes the layers of one plan; what it finds is computed again on the design that
`convert` makes for the same target.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from fpgacnn.design import Design, IoType, Strategy, Target
from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.ir import source as src
from fpgacnn.jobs.fit.costs import Costs
from fpgacnn.jobs.fit.design_space import parameters
from fpgacnn.jobs.fit.search import FitLimits, Search, Trial, order, trial
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_source
from fpgacnn.records.estimates import TargetOverrides

_Key = tuple[IoType, Strategy, frozenset[tuple[str, Strategy]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """The designs that `convert` makes of a model file, each planned once."""

    source: Path
    request: Request
    known: dict[_Key, Design] = field(default_factory=dict)

    def of(self, target: Target) -> Design:
        """The design for a target.

        Raises the errors of planning.
        """
        key = _key(target)
        if key not in self.known:
            request = replace(self.request, target=target)
            self.known[key], _ = plan_source(self.source, request, TargetOverrides())
        found = self.known[key]
        return replace(found, target=target)

    def as_built(self, found: Search, searched: Design, limits: FitLimits) -> Search:
        """The targets of a search with the costs of the designs that `convert` makes for them; the best of these.

        Targets are planned one by one only if the layers depend on the target.
        """

        def built(one: Trial) -> Trial:
            design = self.of(one.target)
            if has_same_layers(design, searched):
                return one
            choice = self.request.fifo or FifoChoice()
            costs = Costs(design=design, choice=choice, parameters=parameters(design))
            return trial(one.target, costs.exact(one.target), limits)

        if not _depends(searched, self.of(found.best.target)):
            return found
        front = [built(found.best)]
        for one in found.front:
            with suppress(UnsupportedOptionError):  # its own layers do not allow its reuse factors
                front.append(built(one))
        best = min(front, key=lambda one: order(one, limits))
        return replace(found, best=best, front=tuple(front))


def _depends(*designs: Design) -> bool:
    """Whether the layers of a model may depend on the target.

    They differ, have scales in their weights or products in parts, or have a concatenation, behind which products may
    be split.
    """
    may = any(
        layer.weights_of or not layer.is_result or isinstance(layer.operation, src.Concatenate)
        for design in designs
        for layer in design.model.layers
    )
    return may or not all(has_same_layers(one, designs[0]) for one in designs)


def has_same_layers(one: Design, other: Design) -> bool:
    """Whether two plans of a model have the same nodes, with the same layers of the file in each."""
    return _nodes(one) == _nodes(other)


def _nodes(design: Design) -> Mapping[str, tuple[object, ...]]:
    return {layer.name: (layer.inputs, layer.folded, layer.weights_of) for layer in design.model.layers}


def planned(source: Path, request: Request, design: Design) -> Plans:
    """The designs of a model, of which one is known."""
    return Plans(source=source, request=request, known={_key(design.target): design})


def _key(target: Target) -> _Key:
    return target.io, target.strategy, frozenset(target.strategy_of.items())
