"""Cast before values are moved, not behind: what is moved, and what a merge brings to one format, is narrow then.

A concatenation gives all its inputs the format of the widest, and a FIFO holds words of it until a quantizer behind
takes most bits off. A quantizer works on each value by itself, so it can work on the inputs of the concatenation, each
in its own format, and often be the result type of the layer there. The same holds for a ReLU, for a scale and its
quantizer channel by channel, for other operations that only move values, and for the maximum of a pooling, as long as
larger values stay larger.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from operator import mul

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Format, Overflow
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.source import PoolKind, Shape
from fpgacnn.passes.precision.plan import Decision, LayerPrecision, PrecisionPlan
from fpgacnn.passes.quantization.names import Namer

LEAST_SAVING = 0.25
"""The least share of the bits of FIFOs that a scale in several processes saves: each process has logic of its own."""

CLAMPS = frozenset({Overflow.SAT, Overflow.SAT_SYM})
"""Overflow modes that keep larger values larger."""


def casts_first(model: HardwareModel, plan: PrecisionPlan) -> tuple[HardwareModel, PrecisionPlan]:
    """The network with quantizers, ReLUs and quantized scales before the operations that only move their input.

    Only where this saves bits of FIFOs. Each result of a node that both networks have is the same for every input.
    """
    order = _Order(model=model, decided=dict(plan.layers))
    for layer in model.layers:
        order.add(layer)
    if not order.changed:
        return model, plan
    layers = tuple(order.layers.values())
    return replace(model, layers=layers), PrecisionPlan(layers={one.name: order.decided[one.name] for one in layers})


@dataclass(slots=True, kw_only=True)
class _Order:
    """The nodes so far by name, in order. `decided` are the formats of all nodes, also of those that are gone."""

    model: HardwareModel
    decided: dict[str, LayerPrecision]
    layers: dict[str, hw.Layer] = field(default_factory=dict)
    changed: bool = False
    namer: Namer = field(init=False)

    def __post_init__(self) -> None:
        self.namer = Namer(layer.name for layer in self.model.layers)

    def add(self, layer: hw.Layer) -> None:
        """One more node, in front of the node that moves its input if that saves bits."""
        moved = self.layers.get(layer.inputs[0]) if layer.inputs else None
        if moved is None or not self._saves(layer, moved):
            self.layers[layer.name] = layer
            return
        self.changed = True
        del self.layers[moved.name]
        parts = [self._part(layer, moved, place) for place in range(len(moved.inputs))]
        passed = Decision(format=self._form(layer.name), reason="values pass unchanged")
        self.decided[layer.name] = replace(
            self.decided[layer.name],
            result=passed,
            accumulator=passed if isinstance(moved.operation, hw.Pool) else None,
            loss="",
        )
        before = (*moved.folded, moved.source)
        folded = tuple(dict.fromkeys(one for one in before if one != layer.source))
        self.layers[layer.name] = replace(layer, operation=moved.operation, inputs=tuple(parts), folded=folded)

    def _part(self, layer: hw.Layer, moved: hw.Layer, place: int) -> str:
        """Append the node for one input of the operation that moves values; gives its name."""
        name = moved.inputs[place]
        operation, shape = layer.operation, self._shape(name)
        if isinstance(operation, hw.Affine) and isinstance(moved.operation, src.Concatenate):
            sizes = [self._shape(one)[-1] for one in moved.inputs]
            if moved.operation.axis == len(shape) - 1:
                operation = _of_channels(operation, slice(sum(sizes[:place]), sum(sizes[: place + 1])))
        part = hw.Layer(
            name=self.namer.unique(f"{name}_{layer.name}"),
            source=layer.source,
            operation=operation,
            inputs=(name,),
            shape=shape,
            is_result=False,
        )
        own = self.decided[layer.name]
        reason = f"{own.result.reason}; before {moved.name}, which only moves values"
        self.decided[part.name] = replace(own, result=replace(own.result, reason=reason))
        self.add(part)
        return part.name

    def _saves(self, layer: hw.Layer, moved: hw.Layer) -> bool:
        """Whether a node may be in front of the node that moves its input, and FIFOs have fewer bits then.

        A cast behind a concatenation is its result type, a cast behind a layer that computes is that of the layer;
        every other one is a process. Scales in several processes must save more.
        """
        if moved.name in self.model.outputs or len(self.model.consumers(moved.name)) > 1:
            return False
        if len(set(moved.inputs)) < len(moved.inputs):  # a tensor beside itself
            return False
        if not (_is_pointwise(layer.operation) and self._commutes(layer, moved)):
            return False
        scaled = isinstance(layer.operation, hw.Affine)
        folds = [not scaled and self._takes_cast(name) for name in moved.inputs]
        sizes = [prod(self._shape(name)) for name in moved.inputs]
        widths = [self._form(name).width for name in moved.inputs]
        narrow, alone = self._form(layer.name).width, scaled or not isinstance(moved.operation, src.Concatenate)
        behind = prod(moved.shape) * self._form(moved.name).width if alone else 0
        saved = behind - sum(
            size * (narrow - width if one else narrow) for size, width, one in zip(sizes, widths, folds, strict=True)
        )
        if folds.count(False) <= alone:
            return saved > 0
        return scaled and LEAST_SAVING * (behind + sum(map(mul, sizes, widths))) <= saved

    def _commutes(self, layer: hw.Layer, moved: hw.Layer) -> bool:
        """Whether the result is the same in either order: 0 stays 0, no scale meets another channel."""
        scaled = isinstance(layer.operation, hw.Affine)
        match moved.operation:
            case src.Concatenate() | src.Crop() | src.Upsample():
                return True
            case src.ZeroPad() | src.Permute() | src.Reshape():
                return not scaled
            case hw.Pool(kind=PoolKind.MAX):
                return not scaled and self._form(layer.name).overflow in CLAMPS
            case _:
                return False

    def _takes_cast(self, name: str) -> bool:
        """Whether a cast behind a node would be its result type, rather than a node of its own."""
        given = self.layers[name]
        one = name not in self.model.outputs and len(self.model.consumers(name)) == 1
        return one and isinstance(given.operation, hw.Linear | hw.Merge)

    def _shape(self, name: str) -> Shape:
        return self.layers[name].shape

    def _form(self, name: str) -> Format:
        return self.decided[name].result.format


def _is_pointwise(operation: hw.Operation) -> bool:
    """Whether an operation limits or rounds each value by itself to a format of its own."""
    match operation:
        case hw.Cast() | hw.Saturate():
            return True
        case hw.Relu(format=form) | hw.Affine(format=form):
            return form is not None
        case _:
            return False


def _of_channels(operation: hw.Affine, channels: slice) -> hw.Affine:
    """The scale for some channels."""
    scale, shift = (replace(one, array=one.array[channels]) for one in (operation.scale, operation.shift))
    return replace(operation, scale=scale, shift=shift)
