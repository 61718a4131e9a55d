"""The graph builder: makes layers, and brings tensors and constants into the order of axes that a layer needs."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import numpy as np

from fpgacnn.errors import ShapeError, TooLargeError
from fpgacnn.frontends.onnx.values import Numbers, TensorView
from fpgacnn.frontends.result import MAX_AXES, MAX_VALUES
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape, SourceLayer, SourceOperation

MAX_FLAT = 1 << 14
"""Values of a tensor whose constants differ from element to element in more than one axis."""


@dataclass(slots=True, kw_only=True)
class GraphBuilder:
    """The layers so far; `node` and `kind` are the operator at work, whose name its last layer gets.

    `events` is a number of events that the file fixes, which its constant shapes may name; `several`: it is open, or
    not 1.
    """

    file: Path
    layers: list[SourceLayer] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    node: str = ""
    kind: str = ""
    events: int = 1
    several: bool = False

    def emit(self, operation: SourceOperation, inputs: Sequence[str], shape: Shape) -> str:
        """A new layer; its name.

        Raises TooLargeError, ShapeError.
        """
        self.check(shape)
        name, number = self.node, 0
        while name in self.names:
            number += 1
            name = f"{self.node}/{number}"
        self.names.add(name)
        self.layers.append(
            SourceLayer(name=name, kind=self.kind, operation=operation, inputs=tuple(inputs), shape=shape)
        )
        return name

    def check(self, shape: Shape) -> None:
        """Refuse absurd shapes.

        Raises TooLargeError, ShapeError.
        """
        where = f"node '{self.node}'"
        if len(shape) > MAX_AXES:
            raise TooLargeError(file=self.file, where=where, seen=f"{len(shape)} axes", limit=MAX_AXES)
        if prod(shape) > MAX_VALUES:
            raise TooLargeError(file=self.file, where=where, seen=f"{prod(shape)} values an event", limit=MAX_VALUES)
        if min(shape, default=1) < 1:
            raise self.shape_error(f"an axis of {shape} is empty")

    def shape_error(self, why: str) -> ShapeError:
        """The error for shapes that do not fit."""
        return ShapeError(layer=self.node, why=why)

    def replace_last(self, name: str, operation: SourceOperation) -> None:
        """Give another operation to the layer of this name; its shape stays."""
        number = next(number for number, layer in enumerate(self.layers) if layer.name == name)
        self.layers[number] = replace(self.layers[number], operation=operation)

    def layer(self, name: str) -> SourceLayer:
        """The last layer that has this name."""
        return next(layer for layer in reversed(self.layers) if layer.name == name)

    def operation(self, name: str) -> SourceOperation:
        """What a layer does."""
        return self.layer(name).operation

    def forget(self, first: int) -> None:
        """Take back the layers from a number on: their operator is refused."""
        for layer in self.layers[first:]:
            self.names.discard(layer.name)
        del self.layers[first:]

    def last_is_named(self, first: int, name: str) -> str:
        """Give the operator's name to the last of the layers from a number on, numbered ones to those before it."""
        made = [layer.name for layer in self.layers[first:]]
        if len(made) < 2 or name != made[-1]:  # nothing to exchange
            return name
        renamed = dict(zip(made, [*made[1:], made[0]], strict=True))
        self.layers[first:] = [
            replace(layer, name=renamed[layer.name], inputs=tuple(renamed.get(one, one) for one in layer.inputs))
            for layer in self.layers[first:]
        ]
        return made[0]

    # --- order of axes ---------------------------------------------------------------------------------------------

    def moves_only(self, view: TensorView) -> bool:
        """Whether the file's tensor is what the layer holds but for the order of axes and axes of length 1."""
        return [view.layer_shape[axis] for axis in view.order if view.layer_shape[axis] != 1] == [
            size for size in view.shape if size != 1
        ]

    def materialize(self, view: TensorView) -> TensorView:
        """The same tensor with no reshape between layer and file: a layer that holds it in the file's order."""
        if self.moves_only(view):
            return view
        layer = self._permuted(view.layer, view.layer_shape, view.order)
        layer_shape = tuple(size for size in view.shape if size != 1) or (1,)
        return replace(
            view,
            layer=self.reshaped(layer, self._reordered(view.layer_shape, view.order), layer_shape),
            layer_shape=layer_shape,
            order=tuple(range(len(layer_shape))),
        )

    def layer_order(self, view: TensorView) -> list[int]:
        """The file's axes that are longer than 1, in the order in which a layer holds them."""
        view = self.materialize(view)
        real = [axis for axis, size in enumerate(view.shape) if size != 1]
        source = [axis for axis in view.order if view.layer_shape[axis] != 1]
        return [real[source.index(axis)] for axis in sorted(source)]

    def arranged(self, view: TensorView, axes: Sequence[int]) -> str:
        """A layer that holds the file's `axes` in that order; the axes that are left out have length 1."""
        view = self.materialize(view)
        wanted = tuple(view.shape[axis] for axis in axes)
        source = iter([axis for axis in view.order if view.layer_shape[axis] != 1])
        holder = {axis: next(source) for axis in range(len(view.shape)) if view.shape[axis] != 1}
        ones = [axis for axis in range(len(view.layer_shape)) if view.layer_shape[axis] == 1]
        moving = [holder[axis] for axis in axes if axis in holder]
        if moving == sorted(moving):
            return self.reshaped(view.layer, view.layer_shape, wanted)
        order: list[int] = []
        for axis in axes:
            if axis in holder:
                order.append(holder[axis])
            elif ones:
                order.append(ones.pop(0))
        order = [*ones, *order]
        return self.reshaped(
            self._permuted(view.layer, view.layer_shape, order), self._reordered(view.layer_shape, order), wanted
        )

    def in_file_order(self, view: TensorView, shape: Shape) -> str:
        """A layer that holds the elements in the file's order, in `shape`."""
        layer = self._permuted(view.layer, view.layer_shape, view.order)
        return self.reshaped(layer, self._reordered(view.layer_shape, view.order), shape)

    def _reordered(self, layer_shape: Shape, order: Sequence[int]) -> Shape:
        return tuple(layer_shape[axis] for axis in order)

    def _permuted(self, layer: str, layer_shape: Shape, order: Sequence[int]) -> str:
        moving = [axis for axis in order if layer_shape[axis] != 1]
        if moving == sorted(moving):
            return self.reshaped(layer, layer_shape, self._reordered(layer_shape, order))
        return self.emit(src.Permute(axes=tuple(order)), (layer,), self._reordered(layer_shape, order))

    def reshaped(self, layer: str, layer_shape: Shape, wanted: Shape) -> str:
        """A layer that holds the same elements in another shape."""
        return layer if layer_shape == wanted else self.emit(src.Reshape(), (layer,), wanted)

    # --- constants along channels ----------------------------------------------------------------------------------

    def by_channel(self, view: TensorView, arrays: Sequence[Numbers]) -> tuple[TensorView, list[Numbers]]:
        """A view whose layer's last axis is the only one that the arrays change along, and the arrays as vectors.

        Raises ShapeError if an array does not broadcast, or changes along several axes of a large tensor.
        """
        in_layer = self._as_in_layer(view, arrays)
        axes = _changing(in_layer)
        last = len(view.layer_shape) - 1
        if axes <= {last}:
            return view, [_vector(array) for array in in_layer]
        if len(axes) == 1:
            (axis,) = axes
            order = [*(other for other in range(last + 1) if other != axis), axis]
            layer = self._permuted(view.layer, view.layer_shape, order)
            moved = replace(
                view,
                layer=layer,
                layer_shape=self._reordered(view.layer_shape, order),
                order=tuple(order.index(one) for one in view.order),
                exclusive=True,
            )
            return moved, [_vector(array) for array in self._as_in_layer(moved, arrays)]
        if view.size > MAX_FLAT:
            raise self.shape_error(f"constants that differ along several axes of {view.shape} are not supported")
        flat = replace(
            view,
            layer=self.reshaped(view.layer, view.layer_shape, (view.size,)),
            layer_shape=(view.size,),
            order=(0,),
            exclusive=True,
        )
        if view.order != tuple(range(len(view.layer_shape))):
            flat = replace(flat, layer=self.in_file_order(view, (view.size,)))
        return flat, [_vector(array) for array in self._as_in_layer(flat, arrays)]

    def _as_in_layer(self, view: TensorView, arrays: Sequence[Numbers]) -> list[Numbers]:
        try:
            return [view.as_in_layer(array) for array in arrays]
        except ValueError as error:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise self.shape_error(f"constants of shape {shapes} do not fit a tensor of {view.shape}") from error


def _changing(arrays: Sequence[Numbers]) -> AbstractSet[int]:
    """The axes that any of the arrays changes along."""
    found = set()
    for array in arrays:
        for axis in range(array.ndim):
            if not np.array_equal(np.broadcast_to(array.take([0], axis=axis), array.shape), array):
                found.add(axis)
    return found


def _vector(array: Numbers) -> Numbers:
    return array.reshape(-1, array.shape[-1])[0]
