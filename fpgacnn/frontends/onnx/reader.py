"""From an ONNX file to a `SourceModel`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

from fpgacnn.errors import (
    BrokenFileError,
    FileMissingError,
    FpgacnnError,
    GraphError,
    NotAModelError,
    TooLargeError,
    UnsupportedOptionError,
)
from fpgacnn.frontends.files import digest
from fpgacnn.frontends.onnx.graph_builder import GraphBuilder
from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.operations.quant import coded_result
from fpgacnn.frontends.onnx.operators import QUANTIZERS, read_operator
from fpgacnn.frontends.onnx.protobuf.arrays import MAX_ELEMENTS, to_array
from fpgacnn.frontends.onnx.protobuf.kinds import ELEMENTS
from fpgacnn.frontends.onnx.protobuf.schema import Model, OnnxGraph, OnnxNode, ValueInfo, parse_model
from fpgacnn.frontends.onnx.values import Constant, TensorView, Value
from fpgacnn.frontends.result import ReadResult
from fpgacnn.frontends.wire import WireError
from fpgacnn.ir.source import Input
from fpgacnn.system.files.regular import ANY_SIZE, open_regular

MAX_BYTES = 1 << 29
MAX_NODES = 50_000


def read_onnx(path: Path) -> ReadResult:
    """Read an ONNX or QONNX file.

    Raises TooLargeError, BrokenFileError, NotAModelError, GraphError, HostileFileError.
    """
    return _opened(path).read()


def _opened(path: Path) -> _Reader:
    try:
        with open_regular(path, limit=ANY_SIZE) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise TooLargeError(file=path, where="the file", seen=f"{size} bytes", limit=MAX_BYTES)
            content = file.read(size)
    except OSError as error:
        raise FileMissingError(file=path, why=error.strerror or str(error)) from error
    try:
        model = parse_model(memoryview(content))
    except WireError as error:
        raise BrokenFileError(file=path, why=str(error)) from error
    if model.graph is None or not model.graph.outputs:
        raise NotAModelError(file=path, seen="a protocol buffer without a network")
    return _Reader(path=path, model=model, graph=model.graph)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """Which layer holds which tensor of the file: by the layer's name the tensor's, and how the layer holds it.

    `quantized`: operators of QONNX are in the graph; `batch`: how many events the file fixes, 0 for any number.
    """

    holders: Mapping[str, tuple[str, TensorView]]
    quantized: bool
    batch: int


def read_tensors(path: Path) -> Tensors:
    """Where the tensors of an ONNX file lie in the network that `read_onnx` reads.

    Raises what `read_onnx` raises.
    """
    reader = _opened(path)
    reader.read()
    views = {
        name: value
        for name, value in reader.values.items()
        if isinstance(value, TensorView) and value.coding is None and value.shape[:1] == (1,)
    }
    stored = {tensor.name for tensor in reader.graph.initializers}
    first = [port.shape[0] for port in reader.graph.inputs if port.name not in stored and port.shape]
    return Tensors(
        holders={
            value.layer: (name, value) for name, value in views.items()
        },  # a layer holds what its last operator makes
        quantized=any(node.domain != "" or node.kind in QUANTIZERS for node in reader.graph.nodes),
        batch=max((size for size in first if size > 0), default=0),
    )


@dataclass(slots=True, kw_only=True)
class _Reader:
    path: Path
    model: Model
    graph: OnnxGraph
    values: dict[str, Value] = field(default_factory=dict)
    refusals: list[tuple[str, str, FpgacnnError]] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    unresolved: list[tuple[str, str]] = field(default_factory=list)
    builder: GraphBuilder = field(init=False)
    readers: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self.builder = GraphBuilder(file=self.path)
        self.readers = Counter(name for node in self.graph.nodes for name in node.inputs) + Counter(
            port.name for port in self.graph.outputs
        )

    def read(self) -> ReadResult:
        """All that can be read, and what is refused."""
        self._initializers()
        stored = set(self.values)
        inputs = tuple(self._input(port) for port in self.graph.inputs if port.name not in stored)
        for node in self._in_order():
            self._node(node)
        outputs = tuple(self._output(port) for port in self.graph.outputs)
        return ReadResult(
            name=self.path.stem,
            digest=digest(self.path),
            framework=f"ONNX, {self.model.producer or 'unknown producer'}",
            layers=tuple(self.builder.layers),
            inputs=inputs,
            outputs=outputs,
            dropped=tuple(self.dropped),
            refusals=tuple(self.refusals),
            unresolved=tuple(self.unresolved),
        )

    def _initializers(self) -> None:
        total = sum(prod(tensor.dims) for tensor in self.graph.initializers if all(size >= 0 for size in tensor.dims))
        if total > MAX_ELEMENTS:
            raise TooLargeError(file=self.path, where="the graph", seen=f"{total} numbers in all", limit=MAX_ELEMENTS)
        if self.graph.has_sparse or self.model.functions:
            raise UnsupportedOptionError(
                layer="the graph",
                why="sparse weights and functions of the file are not supported",
                do="export it without them",
            )
        for tensor in self.graph.initializers:
            self.values[tensor.name] = Constant(values=to_array(tensor, self.path), kind=tensor.kind)

    def _input(self, port: ValueInfo) -> str:
        """An input without its axis of events, which is the first."""
        self.builder.node, self.builder.kind = port.name, "Input"
        if port.shape is None or not port.shape:
            raise GraphError(file=self.path, why=f"input '{port.name}' has no shape, or is no tensor")
        self.builder.events = max(self.builder.events, port.shape[0])
        self.builder.several = self.builder.several or port.shape[0] != 1
        shape = port.shape[1:] or (1,)
        if len(port.shape) == 1 and port.shape[0] > 1:
            raise GraphError(
                file=self.path,
                why=f"input '{port.name}' of {port.shape} has no axis of events, which must be the first",
            )
        if port.kind not in ELEMENTS:
            raise GraphError(
                file=self.path, why=f"input '{port.name}' is of element type {port.kind}, which holds no numbers"
            )
        if min(shape) < 1:
            raise GraphError(
                file=self.path,
                why=(
                    f"input '{port.name}' has an axis of unknown size: {port.shape}; only the first, that of events,"
                    " may be open"
                ),
            )
        name = self.builder.emit(Input(element=ELEMENTS[port.kind]), (), shape)
        seen = (1, *port.shape[1:])
        self.values[port.name] = TensorView(
            layer=name, layer_shape=shape, order=tuple(range(len(shape))), shape=seen, exclusive=False, kind=port.kind
        )
        return name

    def _in_order(self) -> Sequence[OnnxNode]:
        """The nodes that an output needs, each behind those that it reads.

        Raises GraphError for names that nothing makes, or two nodes make, and for cycles.
        """
        if len(self.graph.nodes) > MAX_NODES:
            raise TooLargeError(
                file=self.path, where="the graph", seen=f"{len(self.graph.nodes)} nodes", limit=MAX_NODES
            )
        makers: dict[str, OnnxNode] = {}
        for node in self.graph.nodes:
            for name in filter(None, node.outputs):
                if name in makers or name in self.values:
                    raise GraphError(file=self.path, why=f"'{name}' is made twice")
                makers[name] = node
        return self._sorted(makers)

    def _sorted(self, makers: Mapping[str, OnnxNode]) -> Sequence[OnnxNode]:
        done: dict[int, OnnxNode] = {}
        begun: set[int] = set()
        waiting = [(port.name, False) for port in reversed(self.graph.outputs)]
        while waiting:
            name, ready = waiting.pop()
            node = makers.get(name)
            if node is None:
                if name not in self.values:
                    raise GraphError(file=self.path, why=f"nothing makes '{name}'")
                continue
            if ready:
                done.setdefault(id(node), node)
            elif id(node) not in begun:
                begun.add(id(node))
                waiting.append((name, True))
                waiting += [(source, False) for source in reversed(node.inputs) if source]
            elif id(node) not in done and any(one == name and other for one, other in waiting):
                raise GraphError(file=self.path, why=f"'{name}' depends on itself")
        return list(done.values())

    def _node(self, node: OnnxNode) -> None:
        label = node.name or next(filter(None, node.outputs), node.kind)
        self.builder.node, self.builder.kind = label, node.kind
        if not all(name in self.values for name in node.inputs if name):
            self.unresolved.append((label, node.kind))
            return
        inputs = tuple(self.values[name] if name else None for name in node.inputs)
        call = OpArgs(node=node, inputs=inputs, opset=self.model.opsets.get(node.domain, 1), builder=self.builder)
        first = len(self.builder.layers)
        try:
            values = read_operator(call)
        except FpgacnnError as error:
            self.builder.forget(first)
            self.refusals.append((label, node.kind, error))
            return
        if (
            node.kind in {"Identity", "Dropout", "Cast"}
            and isinstance(values[0], TensorView)
            and len(self.builder.layers) == first
        ):
            self.dropped.append((label, node.kind))
        for name, value in zip(node.outputs, values, strict=False):
            if not name:
                continue
            if isinstance(value, TensorView):
                layer = self.builder.last_is_named(first, value.layer) if len(values) == 1 else value.layer
                value = replace(value, layer=layer, exclusive=value.exclusive and self.readers[name] == 1)  # noqa: PLW2901  # the same value, named
            self.values[name] = value

    def _output(self, port: ValueInfo) -> str:
        """A layer that holds an output as the file has it."""
        value = self.values.get(port.name)
        if value is None:
            return port.name
        self.builder.node, self.builder.kind = f"{port.name}/output", "Output"
        if isinstance(value, Constant):
            raise GraphError(file=self.path, why=f"output '{port.name}' is constant")
        first = len(self.builder.layers)
        if value.coding is not None:
            coded = coded_result(self.builder, value)
            if coded is None:
                why, do = (
                    "the network ends in whole numbers that no QuantizeLinear with one scale makes right before",
                    "add the DequantizeLinear that belongs to it",
                )
                self.refusals.append((port.name, "Output", UnsupportedOptionError(layer=port.name, why=why, do=do)))
            value = value if coded is None else coded
        if self.builder.several and value.shape[:1] != (1,):
            why, do = "its first axis is not that of events", "keep the first axis of every input and output for events"
            self.refusals.append((port.name, "Output", UnsupportedOptionError(layer=port.name, why=why, do=do)))
        shape = value.shape[1:] if value.shape[:1] == (1,) and len(value.shape) > 1 else value.shape or (1,)
        return self.builder.last_is_named(first, self.builder.in_file_order(value, shape))
