"""The messages of onnx.proto that a network needs, as frozen values; fields go by the numbers of the schema, which never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fpgacnn.frontends.onnx.protobuf.wire import Scan, data, float32, integer, signed, text


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
    """An input or output: sizes of its axes, 0 where they are open; None where the file says nothing. `kind` is its element type."""

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

    Raises WireError where they are none.
    """
    scan = Scan()
    producer = version = ""
    opsets: dict[str, int] = {}
    graph: OnnxGraph | None = None
    functions = 0
    for number, value in scan.fields(content):
        match number:
            case 2:
                producer = text(value)
            case 3:
                version = text(value)
            case 7:
                graph = _graph(scan, data(value))
            case 8:
                domain, opset = _opset(scan, data(value))
                opsets[domain] = opset
            case 25:
                functions += 1
            case _:
                pass
    return Model(producer=f"{producer} {version}".strip(), opsets=opsets, graph=graph, functions=functions)


def _opset(scan: Scan, message: memoryview) -> tuple[str, int]:
    domain, version = "", 1
    for number, value in scan.fields(message):
        if number == 1:
            domain = text(value)
        elif number == 2:  # version
            version = integer(value)
    return ("" if domain == "ai.onnx" else domain), version


def _graph(scan: Scan, message: memoryview) -> OnnxGraph:
    has_sparse = False
    nodes: list[OnnxNode] = []
    initializers: list[OnnxTensor] = []
    ports: dict[int, list[ValueInfo]] = {11: [], 12: []}
    for number, value in scan.fields(message):
        match number:
            case 1:
                nodes.append(_node(scan, data(value)))
            case 5:
                initializers.append(_tensor(scan, data(value)))
            case 11 | 12:
                ports[number].append(_port(scan, data(value)))
            case 15:
                has_sparse = True
            case _:
                pass
    return OnnxGraph(
        nodes=tuple(nodes),
        initializers=tuple(initializers),
        inputs=tuple(ports[11]),
        outputs=tuple(ports[12]),
        has_sparse=has_sparse,
    )


def _node(scan: Scan, message: memoryview) -> OnnxNode:
    inputs: list[str] = []
    outputs: list[str] = []
    words = {3: "", 4: "", 7: ""}
    attributes: dict[str, Attribute] = {}
    for number, value in scan.fields(message):
        match number:
            case 1:
                inputs.append(text(value))
            case 2:
                outputs.append(text(value))
            case 3 | 4 | 7:
                words[number] = text(value)
            case 5:
                name, attribute = _attribute(scan, data(value))
                attributes[name] = attribute
            case _:
                pass
    domain = "" if words[7] == "ai.onnx" else words[7]
    return OnnxNode(
        name=words[3], kind=words[4], domain=domain, inputs=tuple(inputs), outputs=tuple(outputs), attributes=attributes
    )


def _attribute(scan: Scan, message: memoryview) -> tuple[str, Attribute]:
    """An attribute by its kind; files of the first versions leave the kind out, then the filled field tells it."""
    name, kind = "", 0
    scalars: dict[int, Attribute] = {}
    integers: list[int] = []
    floats: list[float] = []
    for number, value in scan.fields(message):
        match number:
            case 1:
                name = text(value)
            case 2:
                scalars[1] = float32(value)
            case 3:
                scalars[2] = integer(value)
            case 4:
                scalars[3] = text(value)
            case 5:
                scalars[4] = _tensor(scan, data(value))
            case 7:
                floats += scan.floats(value)
            case 8:
                integers += scan.integers(value)
            case 20:
                kind = integer(value)
            case _:
                pass
    filled = {**scalars, **({6: tuple(floats)} if floats else {}), **({7: tuple(integers)} if integers else {})}
    if not kind:
        kind = next(iter(filled), 0)
    empty: dict[int, Attribute] = {1: 0.0, 2: 0, 3: "", 6: (), 7: ()}
    return name, filled.get(kind, empty.get(kind))


def _tensor(scan: Scan, message: memoryview) -> OnnxTensor:
    """A stored array, its numbers left where they are.

    Raises WireError.
    """
    dims: list[int] = []
    kind, name, raw, is_external = 0, "", None, False
    typed: dict[int, list[memoryview]] = {4: [], 5: [], 7: [], 10: [], 11: []}
    loose: list[int] = []
    for number, value in scan.fields(message):
        match number:
            case 1:
                dims += scan.integers(value)
            case 2:
                kind = integer(value)
            case 4 | 10:
                typed[number].append(data(value))
            case 5 | 7 | 11:
                if isinstance(value, int):
                    loose.append(signed(value))
                else:
                    typed[number].append(value)
            case 8:
                name = text(value)
            case 9:
                raw = data(value)
            case 13:
                is_external = True
            case 14:
                is_external = is_external or integer(value) == 1
            case _:
                pass
    return OnnxTensor(
        name=name,
        dims=tuple(dims),
        kind=kind,
        raw=raw,
        floats=tuple(typed[4]),
        integers=(*typed[5], *typed[7], *typed[11]),
        loose_integers=tuple(loose),
        doubles=tuple(typed[10]),
        is_external=is_external,
    )


def _port(scan: Scan, message: memoryview) -> ValueInfo:
    name, shape, element = "", None, 1
    for number, value in scan.fields(message):
        if number == 1:
            name = text(value)
        elif number == 2:  # type
            for kind, content in scan.fields(data(value)):
                if kind == 1:  # a tensor
                    element, shape = _tensor_type(scan, data(content))
    return ValueInfo(name=name, shape=shape, kind=element)


def _tensor_type(scan: Scan, message: memoryview) -> tuple[int, tuple[int, ...] | None]:
    """Element type and shape."""
    element, shape = 1, None
    for number, value in scan.fields(message):
        if number == 1:
            element = integer(value)
        elif number == 2:  # shape
            shape = tuple(_size(scan, data(axis)) for one, axis in scan.fields(data(value)) if one == 1)
    return element, shape


def _size(scan: Scan, message: memoryview) -> int:
    for number, value in scan.fields(message):
        if number == 1:
            return max(integer(value), 0)
    return 0
