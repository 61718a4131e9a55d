"""From operations of the file's layers to layers of the source network, and in which order a layer holds its axes.

Layers with `data_format='channels_first'` compute with channels last, as the hardware does: the parser gives a
permutation before and behind each of them. In networks with such layers, a permutation is no layer. It becomes the
order of the axes of a tensor, until an operation reads the tensor that needs the axes as the file has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from fpgacnn.frontends.keras.context import ParsedOperation
from fpgacnn.frontends.keras.layer_graph import LayerCall
from fpgacnn.frontends.keras.orders import Held, Order, identity, inverse, with_order
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape, SourceLayer, SourceOperation


@dataclass(slots=True, kw_only=True)
class LayerChain:
    """The layers so far. `keeps_orders`: permutations become orders of axes; else each is a layer.

    `reserved` are the names of the file's layers. `arranged` are the layers that hold the axes of another layer in a
    new order, by that layer and order; `renamed` are the layers that gave their name to one of these.
    """

    keeps_orders: bool
    reserved: AbstractSet[str]
    layers: list[SourceLayer] = field(default_factory=list)
    arranged: dict[tuple[str, Order], str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def add(self, use: LayerCall, steps: Sequence[ParsedOperation], inputs: tuple[Held, ...]) -> Held:
        """The result of a layer's operations; the last one has the layer's name, those before it a suffix.

        The result is held by an earlier layer where all operations are permutations that become an order.
        """
        first = len(self.layers)
        for step in steps:
            given = inputs if step.reads is None else (inputs[step.reads],)
            made = self._step(use, first, step, given)
            inputs = (made,) if step.reads is None else (*inputs[: step.reads], made, *inputs[step.reads + 1 :])
        found = inputs[0]
        if len(self.layers) == first:
            return found
        assert found.layer == self.layers[-1].name
        order = None if found.is_as_in_file else found.order
        self.layers[-1] = replace(self.layers[-1], name=use.name, order=order)
        return replace(found, layer=use.name)

    def output(self, use: str, held: Held) -> str:
        """The name of a layer that holds an output of the network as the file does."""
        if held.is_as_in_file:
            return self.renamed.get(held.layer, held.layer)
        held = replace(held, layer=self.renamed.get(held.layer, held.layer))
        known = self.arranged.get((held.layer, held.order))
        if known is not None:
            return known
        if held.layer == use:
            held = replace(held, layer=self._unused(f"{use}/channels_last"))
            self._rename(use, held.layer)
        kind = next(layer.kind for layer in self.layers if layer.name == held.layer)
        return self._permuted(use, kind, held, held.order)

    def _step(self, use: LayerCall, first: int, step: ParsedOperation, inputs: tuple[Held, ...]) -> Held:
        """The result of one operation."""
        if self.keeps_orders and isinstance(step.operation, src.Permute):
            (given,) = inputs
            kept = tuple(given.order[axis] for axis in step.operation.axes)
            return Held(layer=given.layer, shape=step.shape, order=kept)
        operation, order = with_order(step.operation, inputs, step.shape)
        layers = tuple(self._held(use, first, one, order) for one in inputs)
        name = self._next(use, first)
        held = Held(layer=name, shape=step.shape, order=order or identity(step.shape))
        self._emit(name, use.kind, operation, layers, held.layer_shape)
        return held

    def _held(self, use: LayerCall, first: int, held: Held, order: Order | None) -> str:
        """A layer that holds a tensor in an order of axes; as the file does without an order."""
        axes = held.order if order is None else tuple(held.order[axis] for axis in inverse(order))
        if axes == identity(held.shape):
            return held.layer
        known = self.arranged.get((held.layer, axes))
        return self._permuted(self._next(use, first), use.kind, held, axes) if known is None else known

    def _permuted(self, name: str, kind: str, held: Held, axes: Order) -> str:
        """A new layer that holds the axes of another one in a new order; axes of length 1 move no value."""
        before = held.layer_shape
        moving = [axis for axis in axes if before[axis] != 1]
        operation: SourceOperation = src.Reshape() if moving == sorted(moving) else src.Permute(axes=axes)
        self._emit(name, kind, operation, (held.layer,), tuple(before[axis] for axis in axes))
        self.arranged[held.layer, axes] = name
        return name

    def _emit(self, name: str, kind: str, operation: SourceOperation, inputs: tuple[str, ...], shape: Shape) -> None:
        self.layers.append(SourceLayer(name=name, kind=kind, operation=operation, inputs=inputs, shape=shape))

    def _next(self, use: LayerCall, first: int) -> str:
        return f"{use.name}/{len(self.layers) - first}"

    def _unused(self, name: str) -> str:
        taken = self.reserved | {layer.name for layer in self.layers}
        while name in taken:
            name += "_"
        return name

    def _rename(self, old: str, new: str) -> None:
        self.renamed[old] = new
        self.layers = [
            replace(
                layer,
                name=new if layer.name == old else layer.name,
                inputs=tuple(new if name == old else name for name in layer.inputs),
            )
            for layer in self.layers
        ]
        self.arranged = {
            (new if layer == old else layer, order): name for (layer, order), name in self.arranged.items()
        }
