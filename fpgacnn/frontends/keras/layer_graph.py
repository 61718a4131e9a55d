"""The layers of a Keras file as a graph: one record for each use of a layer, in an order of computation."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from fpgacnn.errors import GraphError
from fpgacnn.frontends.keras.layer_config import LayerConfig
from fpgacnn.frontends.keras.nodes import of_output
from fpgacnn.ir.source import Shape

MODELS = frozenset({"Sequential", "Functional", "Model"})
"""Classes of models, which can be layers of other models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """An inner model: its class, its name, and its position among the layers of the outer model."""

    kind: str
    name: str
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCall:
    """One use of a layer: `name` is unique, `weights` names the group of its arrays, `shape` is set for inputs.

    `place` is the layer's position in the file's list of its model, which the order of computation does not keep.
    `scope` are the inner models that contain the layer, outermost first. `keys` are the keys of the inputs if a model
    is called on a dictionary.
    """

    name: str
    kind: str
    settings: LayerConfig
    weights: tuple[str, ...]
    inputs: tuple[str, ...]
    place: int
    keys: tuple[str, ...] = ()
    shape: Shape | None = None
    scope: tuple[Inner, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerGraph:
    """Uses in an order of computation, inputs and outputs by name.

    `keys` are the keys of the inputs if the model has a dictionary of them, else the names of the input layers.
    """

    name: str
    uses: tuple[LayerCall, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    keys: tuple[str, ...]


def check_readers(uses: Sequence[LayerCall], ends: Sequence[str], file: Path) -> None:
    """Raise GraphError if a use or an output reads a tensor that does not exist."""
    names = {use.name for use in uses}
    for reader, read in [*((f"layer '{use.name}'", use.inputs) for use in uses), ("an output of the model", ends)]:
        missing = [name for name in read if name not in names]
        if missing:
            raise GraphError(file=file, why=f"{reader} reads '{missing[0]}', which does not exist")


def ordered(uses: list[LayerCall], file: Path) -> tuple[LayerCall, ...]:
    """Uses in an order of computation; the file's own order if it is one."""
    by_name = {use.name: use for use in uses}
    if len(by_name) != len(uses):
        raise GraphError(file=file, why="two layers have the same name")
    models = {
        use.name for use in uses if use.kind in MODELS
    }  # their outputs are named when they are replaced by their layers
    needs = {use.name: [_of_model(name, models) for name in use.inputs] for use in uses}
    check_readers([replace(use, inputs=tuple(needs[use.name])) for use in uses], (), file)
    done: dict[str, LayerCall] = {}
    waiting = list(uses)
    while waiting:
        blocked: list[LayerCall] = []
        for use in waiting:
            if all(name in done for name in needs[use.name]):
                done[use.name] = use
            else:
                blocked.append(use)
        if len(blocked) == len(waiting):
            raise GraphError(file=file, why=f"the layers form a cycle through '{waiting[0].name}'")
        waiting = blocked
    return tuple(done.values())


def _of_model(name: str, models: AbstractSet[str]) -> str:
    """The inner model that gives a tensor, or the tensor's own name."""
    use, _ = of_output(name)
    return use if use in models and name not in models else name
