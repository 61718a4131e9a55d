"""The messages of onnx.proto that a network needs, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fpgacnn.frontends.onnx.protobuf.fields import (
    EXTERNAL,
    AttributeField,
    AttributeType,
    DimensionField,
    GraphField,
    ModelField,
    NodeField,
    OpsetField,
    ShapeField,
    TensorField,
    TensorTypeField,
    TypeField,
    ValueInfoField,
)
from fpgacnn.frontends.wire import Scan, data, float32, integer, signed, text

_INTEGER_DATA = (TensorField.INT32_DATA, TensorField.INT64_DATA, TensorField.UINT64_DATA)
_TYPED_DATA = (TensorField.FLOAT_DATA, TensorField.DOUBLE_DATA, *_INTEGER_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxTensor:
    """A stored array: `kind` is its element type, its numbers lie in `raw` or in one of the typed lists."""

    name: str
    dims: tuple[int, ...]
    kind: int
    raw: memoryview | None
    floats: tuple[memoryview, ...]
    integers: tuple[memoryview, ...]
    loose_integers: tuple[int, ...]
    doubles: tuple[memoryview, ...]
    is_external: bool


Attribute: TypeAlias = int | float | str | tuple[int, ...] | tuple[float, ...] | OnnxTensor | None
"""None is an attribute of a kind that no supported operator has (a graph, a type, a list of tensors)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxNode:
    """One operator."""

    name: str
    kind: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueInfo:
    """An input or output.

    `shape` has the sizes of its axes, 0 where they are open; it is None where the file has none. `kind` is its
    element type.
    """

    name: str
    shape: tuple[int, ...] | None
    kind: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxGraph:
    """The network."""

    nodes: tuple[OnnxNode, ...]
    initializers: tuple[OnnxTensor, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    has_sparse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The file: who wrote it, which version of each operator set it means, and the network."""

    producer: str
    opsets: Mapping[str, int]
    graph: OnnxGraph | None
    functions: int


def parse_model(content: memoryview) -> Model:
    """The model in a file's bytes.

    Raises WireError if they are none.
    """
    scan = Scan()
    producer = version = ""
    opsets: dict[str, int] = {}
    graph: OnnxGraph | None = None
    functions = 0
    for number, value in scan.fields(content):
        match number:
            case ModelField.PRODUCER_NAME:
                producer = text(value)
            case ModelField.PRODUCER_VERSION:
                version = text(value)
            case ModelField.GRAPH:
                graph = _graph(scan, data(value))
            case ModelField.OPSET_IMPORT:
                domain, opset = _opset(scan, data(value))
                opsets[domain] = opset
            case ModelField.FUNCTIONS:
                functions += 1
            case _:
                pass
    return Model(producer=f"{producer} {version}".strip(), opsets=opsets, graph=graph, functions=functions)


def _opset(scan: Scan, message: memoryview) -> tuple[str, int]:
    domain, version = "", 1
    for number, value in scan.fields(message):
        if number == OpsetField.DOMAIN:
            domain = text(value)
        elif number == OpsetField.VERSION:
            version = integer(value)
    return ("" if domain == "ai.onnx" else domain), version


def _graph(scan: Scan, message: memoryview) -> OnnxGraph:
    has_sparse = False
    nodes: list[OnnxNode] = []
    initializers: list[OnnxTensor] = []
    ports: dict[int, list[ValueInfo]] = {GraphField.INPUT: [], GraphField.OUTPUT: []}
    for number, value in scan.fields(message):
        match number:
            case GraphField.NODE:
                nodes.append(_node(scan, data(value)))
            case GraphField.INITIALIZER:
                initializers.append(_tensor(scan, data(value)))
            case GraphField.INPUT | GraphField.OUTPUT:
                ports[number].append(_port(scan, data(value)))
            case GraphField.SPARSE_INITIALIZER:
                has_sparse = True
            case _:
                pass
    return OnnxGraph(
        nodes=tuple(nodes),
        initializers=tuple(initializers),
        inputs=tuple(ports[GraphField.INPUT]),
        outputs=tuple(ports[GraphField.OUTPUT]),
        has_sparse=has_sparse,
    )


def _node(scan: Scan, message: memoryview) -> OnnxNode:
    inputs: list[str] = []
    outputs: list[str] = []
    texts: dict[int, str] = {NodeField.NAME: "", NodeField.OP_TYPE: "", NodeField.DOMAIN: ""}
    attributes: dict[str, Attribute] = {}
    for number, value in scan.fields(message):
        match number:
            case NodeField.INPUT:
                inputs.append(text(value))
            case NodeField.OUTPUT:
                outputs.append(text(value))
            case NodeField.NAME | NodeField.OP_TYPE | NodeField.DOMAIN:
                texts[number] = text(value)
            case NodeField.ATTRIBUTE:
                name, attribute = _attribute(scan, data(value))
                attributes[name] = attribute
            case _:
                pass
    domain = texts[NodeField.DOMAIN]
    return OnnxNode(
        name=texts[NodeField.NAME],
        kind=texts[NodeField.OP_TYPE],
        domain="" if domain == "ai.onnx" else domain,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        attributes=attributes,
    )


def _attribute(scan: Scan, message: memoryview) -> tuple[str, Attribute]:
    """An attribute by its type.

    Files of the first versions leave the type out, then the field that is filled counts.
    """
    name, kind = "", 0
    scalars: dict[int, Attribute] = {}
    integers: list[int] = []
    floats: list[float] = []
    for number, value in scan.fields(message):
        match number:
            case AttributeField.NAME:
                name = text(value)
            case AttributeField.F:
                scalars[AttributeType.FLOAT] = float32(value)
            case AttributeField.I:
                scalars[AttributeType.INT] = integer(value)
            case AttributeField.S:
                scalars[AttributeType.STRING] = text(value)
            case AttributeField.T:
                scalars[AttributeType.TENSOR] = _tensor(scan, data(value))
            case AttributeField.FLOATS:
                floats += scan.floats(value)
            case AttributeField.INTS:
                integers += scan.integers(value)
            case AttributeField.TYPE:
                kind = integer(value)
            case _:
                pass
    filled = dict(scalars)
    if floats:
        filled[AttributeType.FLOATS] = tuple(floats)
    if integers:
        filled[AttributeType.INTS] = tuple(integers)
    if not kind:
        kind = next(iter(filled), 0)
    empty: dict[int, Attribute] = {
        AttributeType.FLOAT: 0.0,
        AttributeType.INT: 0,
        AttributeType.STRING: "",
        AttributeType.FLOATS: (),
        AttributeType.INTS: (),
    }
    return name, filled.get(kind, empty.get(kind))


def _tensor(scan: Scan, message: memoryview) -> OnnxTensor:
    """A stored array, its numbers left where they are.

    Raises WireError.
    """
    dims: list[int] = []
    kind, name, raw, is_external = 0, "", None, False
    typed: dict[int, list[memoryview]] = {number: [] for number in _TYPED_DATA}
    loose: list[int] = []
    for number, value in scan.fields(message):
        match number:
            case TensorField.DIMS:
                dims += scan.integers(value)
            case TensorField.DATA_TYPE:
                kind = integer(value)
            case TensorField.FLOAT_DATA | TensorField.DOUBLE_DATA:
                typed[number].append(data(value))
            case TensorField.INT32_DATA | TensorField.INT64_DATA | TensorField.UINT64_DATA:
                if isinstance(value, int):
                    loose.append(signed(value))
                else:
                    typed[number].append(value)
            case TensorField.NAME:
                name = text(value)
            case TensorField.RAW_DATA:
                raw = data(value)
            case TensorField.EXTERNAL_DATA:
                is_external = True
            case TensorField.DATA_LOCATION:
                is_external = is_external or integer(value) == EXTERNAL
            case _:
                pass
    return OnnxTensor(
        name=name,
        dims=tuple(dims),
        kind=kind,
        raw=raw,
        floats=tuple(typed[TensorField.FLOAT_DATA]),
        integers=tuple(block for number in _INTEGER_DATA for block in typed[number]),
        loose_integers=tuple(loose),
        doubles=tuple(typed[TensorField.DOUBLE_DATA]),
        is_external=is_external,
    )


def _port(scan: Scan, message: memoryview) -> ValueInfo:
    name, shape, element = "", None, 1
    for number, value in scan.fields(message):
        if number == ValueInfoField.NAME:
            name = text(value)
        elif number == ValueInfoField.TYPE:
            for kind, content in scan.fields(data(value)):
                if kind == TypeField.TENSOR_TYPE:
                    element, shape = _tensor_type(scan, data(content))
    return ValueInfo(name=name, shape=shape, kind=element)


def _tensor_type(scan: Scan, message: memoryview) -> tuple[int, tuple[int, ...] | None]:
    """Element type and shape."""
    element, shape = 1, None
    for number, value in scan.fields(message):
        if number == TensorTypeField.ELEM_TYPE:
            element = integer(value)
        elif number == TensorTypeField.SHAPE:
            axes = [axis for one, axis in scan.fields(data(value)) if one == ShapeField.DIM]
            shape = tuple(_size(scan, data(axis)) for axis in axes)
    return element, shape


def _size(scan: Scan, message: memoryview) -> int:
    for number, value in scan.fields(message):
        if number == DimensionField.DIM_VALUE:
            return max(integer(value), 0)
    return 0
