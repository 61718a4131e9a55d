"""Random ONNX graphs: all supported operators, constants of every broadcast shape, axes of one length, integers.

Each node is answered by the reference evaluator of the package onnx as soon as it is drawn. So the maker knows the
values of every tensor: it keeps them small, and puts step functions only where float32 is exact.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

N = 4
"""Length of every axis, and the number of events."""

MAX_VALUES = 600
MAX_RANK = 5
MAX_SIZE = 2.0**13
STEPS = 2.0**10
"""Values that are whole parts of this, and no larger than MAX_SIZE, are exact in float32 with bits to spare."""

OPSETS = (7, 8, 9, 11, 13, 17, 18, 19, 21)
FAR = (1 << 63) - 1

Array: TypeAlias = NDArray[Any]
ELEMENTS = {
    "float32": TensorProto.FLOAT,
    "bool": TensorProto.BOOL,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
}


SHORT = frozenset(map(np.dtype, ("int8", "uint8", "int32")))
WRAPPING = frozenset(
    {"Add", "Sub", "Mul", "Sum", "Neg", "Abs", "ReduceSum", "ReduceL1", "ReduceSumSquare", "Div", "BitShift"}
)
"""Operators whose results on short whole numbers may wrap around: the reader refuses those, so none is drawn."""


class UndrawnError(Exception):
    """An operator that does not fit the tensor that was drawn; another is drawn instead."""


@dataclass(slots=True)
class Graph:
    """A graph under construction, with the values of its tensors on the events of the law."""

    random: np.random.Generator
    opset: int = 17
    events: int | str = 1
    nodes: list[Any] = field(default_factory=list)
    stored: dict[str, Array] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    values: dict[str, Array] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    rounds: bool = False
    operators: Sequence[Any] = ()
    domains: Mapping[str, int] = field(default_factory=dict)

    # --- drawing ---------------------------------------------------------------------------------------------------

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return int(self.random.integers(low, high, endpoint=True))

    def chance(self, probability: float) -> bool:
        """Whether something happens."""
        return bool(self.random.random() < probability)

    def pick(self, choices: Sequence[Any]) -> Any:
        """One of several."""
        return choices[self.number(0, len(choices) - 1)]

    def need(self, fits: object) -> None:
        """Give the operator up where something does not fit.

        Raises UndrawnError.
        """
        if not fits:
            raise UndrawnError

    def tensor(self, *, whole: bool | None = False, rank: int | None = None) -> str:
        """A computed tensor, later ones more often; of real numbers, of whole ones, or (None) of any."""
        fit = [
            name
            for name, value in self.values.items()
            if (whole is None or (value.dtype.kind in "iu") == whole)
            and (rank is None or value.ndim == rank)
            and value.ndim
            and name not in self.hidden
        ]
        self.need(fit)
        return fit[-1 - min(int(self.random.exponential(1.2)), len(fit) - 1)]

    def is_exact(self, name: str) -> bool:
        """Whether a tensor's values have so few bits that float32 is exact."""
        value = self.values[name].astype(np.float64)
        return bool(np.all(np.abs(value) <= MAX_SIZE) and np.all(value * STEPS == np.rint(value * STEPS)))

    def axis(self, name: str, *, events: float = 0.05) -> int:
        """An axis, counted from the front or from the end, seldom that of events."""
        rank = self.values[name].ndim
        self.need(rank > 1 or events)
        found = 0 if rank == 1 or self.chance(events) else self.number(1, rank - 1)
        return found - rank if self.chance(0.4) else found

    def grid(self, *shape: int, bits: int = 4, fraction: int = 2) -> Array:
        """Real numbers of few bits."""
        return (self.random.integers(-(1 << (bits - 1)), 1 << (bits - 1), size=shape) * 2.0**-fraction).astype(
            np.float32
        )

    def broadcast(self, name: str, *, events: float = 0.02) -> tuple[int, ...]:
        """A shape that broadcasts against a tensor; seldom one that is as long as the events."""
        shape = list(self.values[name].shape)
        kept = self.number(0, len(shape))
        found = [1 if self.chance(0.4) else size for size in shape[len(shape) - kept :]]
        if kept == len(shape) and not self.chance(events):
            found[0] = 1
        return tuple(found)

    def growing(self, name: str) -> tuple[int, ...]:
        """A shape that broadcasts against a tensor, and may make it larger, seldom along the axis of events."""
        found = list(self.broadcast(name))
        tail = self.values[name].shape[len(self.values[name].shape) - len(found) :]
        for place, size in enumerate(tail):
            if size == 1 and (len(tail) - place < self.values[name].ndim or self.chance(0.1)) and self.chance(0.4):
                found[place] = N
        return (*(1,) * self.number(1, 2), *found) if self.chance(0.1) else tuple(found)

    # --- making ----------------------------------------------------------------------------------------------------

    def store(self, array: Any, kind: Any = np.float32) -> str:
        """A constant: stored, or the result of the operator Constant."""
        array, name = np.asarray(array, kind), f"c{len(self.stored)}"
        self.stored[name] = array
        if self.chance(0.3):
            self.made.add(name)
        return name

    def add_input(self, shape: tuple[int, ...], kind: str = "float32") -> str:
        """An input of the graph and its events."""
        name = f"x{len(self.inputs)}"
        count = 1 if self.events == 1 else N
        value = (
            self.grid(count, *shape, bits=6, fraction=3)
            if kind == "float32"
            else self.random.integers(0, 64, (count, *shape)).astype(kind)
        )
        self.inputs.append(name)
        self.values[name] = value
        self.lines.append(f"{name} = Input{shape} {kind}")
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> list[str]:
        """A node, answered at once.

        Raises UndrawnError where the reference refuses it, or its values are too large or too many.
        """
        self.need(domain or onnx.defs.has(kind, self.opset, domain))
        names = [f"t{len(self.nodes)}" + (f"_{number}" if number else "") for number in range(outputs)]
        node = helper.make_node(
            kind, list(inputs), names, name=f"{kind}_{len(self.nodes)}", domain=domain, **attributes
        )
        given = {name: self.values.get(name, self.stored.get(name)) for name in inputs if name}
        ports = [helper.make_tensor_value_info(name, ELEMENTS[str(given[name].dtype)], None) for name in given]
        ends = [helper.make_tensor_value_info(name, 0, None) for name in names]
        values = self._answers(self._model([node], ports, ends, {}), given)
        if kind in WRAPPING and any(one.dtype in SHORT for one in given.values()):
            wide = {name: one.astype(np.int64) for name, one in given.items()}
            ports = [helper.make_tensor_value_info(name, TensorProto.INT64, None) for name in given]
            self.need(all(map(np.array_equal, values, self._answers(self._model([node], ports, ends, {}), wide))))
        for value in values:
            self.need(str(value.dtype) in ELEMENTS and 0 < value.size <= MAX_VALUES and 1 <= value.ndim <= MAX_RANK)
            self.need(
                np.all(np.isfinite(value.astype(np.float64))) and np.abs(value.astype(np.float64)).max() <= MAX_SIZE
            )
        self.nodes.append(node)
        self.values |= dict(zip(names, values, strict=True))
        shapes = [value.shape for value in values]
        texts = ", ".join(f"{name}{self._shown(name)}" for name in inputs)
        self.lines.append(f"{', '.join(names)} = {kind}({texts}) {attributes or ''} # {shapes} {values[0].dtype}")
        return names

    def _answers(self, model: Any, given: Mapping[str, Array]) -> list[Array]:
        """What the reference makes of one node.

        Raises UndrawnError where it does not take it.
        """
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = ReferenceEvaluator(model, new_ops=list(self.operators)).run(None, dict(given))
        except Exception as error:  # its errors have no common class
            raise UndrawnError from error
        return [np.asarray(one) for one in found]

    def _shown(self, name: str) -> str:
        stored = self.stored.get(name)
        return "" if stored is None else f"={stored.tolist()}" if stored.size <= N else f":{stored.shape}"

    def _model(
        self, nodes: Sequence[Any], ports: Sequence[Any], ends: Sequence[Any], stored: Mapping[str, Array]
    ) -> Any:
        graph = helper.make_graph(
            list(nodes),
            "g",
            list(ports),
            list(ends),
            [numpy_helper.from_array(one, name) for name, one in stored.items()],
        )
        imports = [
            helper.make_opsetid("", self.opset),
            *(helper.make_opsetid(name, version) for name, version in self.domains.items()),
        ]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)

    def model(self, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
        """The whole graph."""
        ports = [self._port(name) for name in inputs]
        ends = [
            helper.make_tensor_value_info(name, ELEMENTS[str(self.values[name].dtype)], [None] * self.values[name].ndim)
            for name in outputs
        ]
        names = {name for node in self.nodes for name in node.input}
        used = {name: one for name, one in self.stored.items() if name in names}
        makers = [
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(one))
            for name, one in used.items()
            if name in self.made
        ]
        stored = {name: one for name, one in used.items() if name not in self.made}
        return self._model([*makers, *self.nodes], ports, ends, stored)

    def _port(self, name: str) -> Any:
        value = self.values[name]
        return helper.make_tensor_value_info(name, ELEMENTS[str(value.dtype)], [self.events, *value.shape[1:]])


def saved_bytes(model: Any) -> bytes:
    """A checked model as a file."""
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
