"""One operator at work: its inputs and attributes, with types, and errors that name it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fpgacnn.errors import BrokenArchitectureError, NonFiniteWeightsError, UnsupportedOptionError
from fpgacnn.frontends.onnx.graph_builder import GraphBuilder
from fpgacnn.frontends.onnx.protobuf.kinds import FLOAT
from fpgacnn.frontends.onnx.protobuf.schema import Attribute, OnnxNode, OnnxTensor
from fpgacnn.frontends.onnx.values import Constant, TensorView, Value
from fpgacnn.ir.source import Shape, SourceOperation

MAX_NUMBER = (2.0 - 2.0**-23) * 2.0**127
"""The largest finite float32, in which the framework computes."""

MAX_SIZE = 1 << 20

BROADCASTS_BY_ITSELF = 7
"""The operator set that brought NumPy's broadcasting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpArgs:
    """An operator with its inputs; left-out optional inputs are None. `opset` is the version that its file means.

    `seen` are the attributes that were looked at so far.
    """

    node: OnnxNode
    inputs: tuple[Value | None, ...]
    opset: int
    builder: GraphBuilder
    seen: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """How the operator is called in messages and layers."""
        return self.builder.node

    @property
    def is_old(self) -> bool:
        """Whether it is of an operator set before 7, which brought NumPy's broadcasting and took attributes away."""
        return self.node.domain == "" and self.opset < BROADCASTS_BY_ITSELF

    def broken(self, why: str) -> BrokenArchitectureError:
        """The error for what no exporter writes."""
        return BrokenArchitectureError(file=self.builder.file, where=f"node '{self.name}'", why=why)

    def unsupported(self, why: str, do: str) -> UnsupportedOptionError:
        """The error for what the format allows but hardware cannot have."""
        return UnsupportedOptionError(layer=self.name, why=why, do=do)

    # --- attributes ------------------------------------------------------------------------------------------------

    def attribute(self, name: str, default: Attribute = None) -> Attribute:
        """An attribute of any kind; from now on it counts as looked at."""
        self.seen.add(name)
        return self.node.attributes.get(name, default)

    def names(self, name: str) -> bool:
        """Whether the file gives an attribute."""
        self.seen.add(name)
        return name in self.node.attributes

    def meaningless(self, *names: str) -> None:
        """Count attributes as looked at that mean nothing, here or next to others."""
        self.seen.update(names)

    def integer(self, name: str, default: int) -> int:
        """A whole number; `default` where the file does not give it.

        Raises BrokenArchitectureError for an attribute of another type.
        """
        value = self.attribute(name, default)
        if not isinstance(value, int):
            raise self.broken(f"{name}: expected a whole number, found {value!r}")
        return value

    def number(self, name: str, default: float) -> float:
        """A number within the finite float32 range; `default` where the file does not give it.

        Raises BrokenArchitectureError for an attribute of another type.
        """
        value = self.attribute(name, default)
        if not isinstance(value, float | int) or not abs(value) <= MAX_NUMBER:
            raise self.broken(f"{name}: expected a number, found {value!r}")
        return float(value)

    def word(self, name: str, default: str) -> str:
        """A text; `default` where the file does not give it.

        Raises BrokenArchitectureError for an attribute of another type.
        """
        value = self.attribute(name, default)
        if not isinstance(value, str):
            raise self.broken(f"{name}: expected a text, found {value!r}")
        return value

    def integers(
        self, name: str, default: Sequence[int] | None = None, *, low: int = 0, count: int | None = None
    ) -> tuple[int, ...]:
        """Whole numbers from `low` to 2^20, `count` of them if that is given.

        Raises BrokenArchitectureError for other numbers, and where there is no `default` and the file gives none.
        """
        value = self.attribute(name, None if default is None else tuple(default))
        items = value if isinstance(value, tuple) else None
        if (
            items is None
            or not all(isinstance(item, int) and low <= item <= MAX_SIZE for item in items)
            or count not in {None, len(items)}
        ):
            raise self.broken(f"{name}: expected {'' if count is None else f'{count} '}whole numbers, found {value!r}")
        return tuple(int(item) for item in items)

    def tensor(self, name: str) -> OnnxTensor | None:
        """A stored array, not decoded yet; None where the file does not give it.

        Raises BrokenArchitectureError for an attribute of another type.
        """
        value = self.attribute(name)
        if value is not None and not isinstance(value, OnnxTensor):
            raise self.broken(f"{name}: expected an array, found {value!r}")
        return value

    # --- inputs ----------------------------------------------------------------------------------------------------

    def has(self, number: int) -> bool:
        """Whether an optional input is given."""
        return number < len(self.inputs) and self.inputs[number] is not None

    def value(self, number: int) -> Value:
        """An input: a stored array, or a tensor that the network computes.

        Raises BrokenArchitectureError if it is missing.
        """
        if not self.has(number):
            raise self.broken(f"input {number} is missing")
        found = self.inputs[number]
        assert found is not None
        return found

    def view(self, number: int = 0) -> TensorView:
        """An input that the network computes.

        Raises UnsupportedOptionError for a tensor of whole numbers that QuantizeLinear made and none decoded.
        """
        found = self.value(number)
        if isinstance(found, Constant):
            raise self.unsupported(
                f"input {number} is constant, where one that is computed is expected",
                "simplify the graph before exporting it",
            )
        if found.coding is not None:
            raise self.unsupported(
                "it computes on whole numbers between QuantizeLinear and DequantizeLinear", "export in QDQ form"
            )
        return found

    def constant(self, number: int, what: str) -> Constant:
        """An input that does not depend on the data, in its element type and any shape; `what` names it in messages.

        Raises UnsupportedOptionError for a computed tensor, NonFiniteWeightsError, BrokenArchitectureError if it is
        missing.
        """
        found = self.value(number)
        if isinstance(found, TensorView):
            raise self.unsupported(f"its {what} is computed by the network", f"a constant {what} is needed")
        bad = int(found.values.size - (np.abs(found.values.astype(np.float64)) <= MAX_NUMBER).sum())
        if bad:
            raise NonFiniteWeightsError(
                file=self.builder.file, layer=self.name, weight=what, count=bad, total=found.values.size
            )
        return found

    def numbers(self, number: int, what: str) -> tuple[int, ...]:
        """An input of constant whole numbers (count,), or of one number ().

        Raises BrokenArchitectureError for other shapes and for fractions, and what `constant` raises.
        """
        values = self.constant(number, what).plain
        if values.ndim > 1 or values.size > MAX_SIZE or not np.array_equal(np.floor(values.astype(np.float64)), values):
            raise self.broken(f"{what}: expected a list of whole numbers")
        return tuple(int(item) for item in values.reshape(-1))

    def scalar(self, number: int, what: str) -> float:
        """An input of one constant number, of any shape with one element.

        Raises UnsupportedOptionError for several numbers, and what `constant` raises.
        """
        values = self.constant(number, what).plain
        if values.size != 1:
            raise self.unsupported(f"its {what} has {values.size} values", f"use one {what}")
        return float(values.reshape(-1)[0])

    def must_not_grow(self, view: TensorView, shape: Shape) -> None:
        """A constant that broadcasts against a tensor without making it larger.

        Raises ShapeError.
        """
        pairs = list(zip(reversed(view.shape), reversed(shape), strict=False))
        if len(shape) > len(view.shape) or any(other not in (1, size) for size, other in pairs):
            raise self.builder.shape_error(f"a constant of {shape} does not fit a tensor of {view.shape}")

    def data_axis(self, axis: int) -> int:
        """An axis that an operator works along.

        Raises UnsupportedOptionError for that of events, where the file has several.
        """
        if axis == 0 and self.builder.several:
            raise self.unsupported(
                "it works along the first axis, that of events", "leave the first axis alone, or export with one event"
            )
        return axis

    # --- results ---------------------------------------------------------------------------------------------------

    def elementwise(self, operation: SourceOperation, view: TensorView) -> TensorView:
        """A layer that changes each element by itself, whatever the order of axes."""
        return replace(view, layer=self.builder.emit(operation, (view.layer,), view.layer_shape), exclusive=True)

    def result(
        self, operation: SourceOperation, inputs: Sequence[str], layer_shape: Shape, order: Sequence[int], shape: Shape
    ) -> TensorView:
        """A new layer and how the file sees it; its elements are of the type of the first input."""
        kind = next((one.kind for one in self.inputs if isinstance(one, TensorView)), FLOAT)
        return TensorView(
            layer=self.builder.emit(operation, inputs, layer_shape),
            layer_shape=layer_shape,
            order=tuple(order),
            shape=shape,
            kind=kind,
        )
