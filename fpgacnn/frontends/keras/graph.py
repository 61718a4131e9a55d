"""Read the architecture JSON as a graph: Sequential and functional models become one list of uses of layers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fpgacnn.errors import BrokenArchitectureError, GraphError, TooLargeError
from fpgacnn.frontends.keras.layer_config import Json, LayerConfig
from fpgacnn.frontends.keras.layer_graph import MODELS, Inner, LayerCall, LayerGraph, check_readers, ordered
from fpgacnn.frontends.keras.nodes import (
    SEVERAL,
    UNKNOWN,
    call,
    is_function,
    node_inputs,
    node_name,
    of_output,
    output_name,
    reference,
    tensors_in,
)
from fpgacnn.frontends.keras.operations.layers import CODE_CARRIERS, is_known
from fpgacnn.frontends.keras.serialized import layer_class
from fpgacnn.ir.source import Shape

WRAPPERS = frozenset({"PruneLowMagnitude"})
MAX_JSON = 1 << 26
MAX_LAYERS = 10_000
MAX_NESTING = 16


def parse_json(text: str, file: Path) -> dict[str, Json]:
    """The JSON object of an architecture.

    Raises BrokenArchitectureError for other text, TooLargeError for absurd lengths.
    """
    if len(text) > MAX_JSON:
        raise TooLargeError(file=file, where="the architecture", seen=f"{len(text)} characters", limit=MAX_JSON)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BrokenArchitectureError(file=file, where="the architecture", why="it is not JSON") from error
    if not isinstance(value, dict):
        raise BrokenArchitectureError(file=file, where="the architecture", why="it is not a JSON object")
    return value


def read_graph(architecture: Mapping[str, Json], file: Path, depth: int = 0) -> LayerGraph:
    """The graph of a model from the JSON that Keras wrote, with inner models replaced by their layers.

    Raises BrokenArchitectureError, GraphError, TooLargeError.
    """
    if depth > MAX_NESTING:
        raise TooLargeError(
            file=file,
            where="the architecture",
            seen=f"more than {MAX_NESTING} models inside each other",
            limit=MAX_NESTING,
        )
    graph = _read_graph(architecture, file, depth)
    models = {use.weights[-1]: use for use in graph.uses if use.kind in MODELS}
    inner = {
        name: read_graph({"class_name": use.kind, "config": dict(use.settings.values)}, file, depth + 1)
        for name, use in models.items()
    }
    return _spliced(graph, inner, file) if inner else graph


def _spliced(graph: LayerGraph, models: Mapping[str, LayerGraph], file: Path) -> LayerGraph:
    """The graph with inner models replaced by their layers, named `model/layer`."""
    uses: list[LayerCall] = []
    ends: dict[str, str] = {}
    for one_use in graph.uses:
        use = replace(one_use, inputs=tuple(ends.get(name, name) for name in one_use.inputs))
        if use.kind not in MODELS:
            uses.append(use)
            continue
        inner = models[use.weights[-1]]
        names = dict(zip(inner.inputs, _called_on(use, inner, file), strict=True))
        names |= {one.name: f"{use.name}/{one.name}" for one in inner.uses if one.name not in names}
        missing = [name for name in inner.outputs if name not in names]
        if missing:
            raise GraphError(
                file=file, why=f"the output '{missing[0]}' of the inner model '{use.name}' is not one of its layers"
            )
        scope = Inner(kind=use.kind, name=use.weights[-1], place=use.place)
        uses += [
            replace(
                one, name=names[one.name], inputs=tuple(names[name] for name in one.inputs), scope=(scope, *one.scope)
            )
            for one in inner.uses
            if one.kind != "InputLayer"
        ]
        ends |= {output_name(use.name, number): names[name] for number, name in enumerate(inner.outputs)}
        if len(uses) > MAX_LAYERS:
            raise TooLargeError(
                file=file, where="the architecture", seen=f"more than {MAX_LAYERS} layers", limit=MAX_LAYERS
            )
    spliced = replace(graph, uses=tuple(uses), outputs=tuple(ends.get(name, name) for name in graph.outputs))
    check_readers(spliced.uses, spliced.outputs, file)
    return spliced


def _called_on(use: LayerCall, inner: LayerGraph, file: Path) -> tuple[str, ...]:
    """The inputs of an inner model in its own order; for a dictionary, by the keys.

    Raises GraphError if they do not fit the model's inputs.
    """
    if use.keys:
        by_key = dict(zip(use.keys, use.inputs, strict=True))
        missing = [key for key in inner.keys if key not in by_key]
        if missing:
            raise GraphError(file=file, why=f"the inner model '{use.name}' is called without its input '{missing[0]}'")
        return tuple(by_key[key] for key in inner.keys)
    if len(use.inputs) != len(inner.inputs):
        why = f"the inner model '{use.name}' has {len(inner.inputs)} inputs and is called with {len(use.inputs)}"
        raise GraphError(file=file, why=why)
    return use.inputs


def _read_graph(architecture: Mapping[str, Json], file: Path, depth: int) -> LayerGraph:
    """The graph of one model with inner models as single uses, whose input shapes may be unknown."""
    kind = layer_class(architecture)
    config = architecture.get("config")
    if kind == "Sequential":
        return _sequential(config, file, nested=depth > 0)
    if kind in MODELS and isinstance(config, dict):
        return _functional(config, file)
    raise BrokenArchitectureError(
        file=file, where="the architecture", why=f"model class {kind!r} is not Sequential or Functional"
    )


def _entries(value: Json, file: Path) -> list[dict[str, Json]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise BrokenArchitectureError(file=file, where="the architecture", why="it has no list of layers")
    if not 0 < len(value) <= MAX_LAYERS:
        raise BrokenArchitectureError(file=file, where="the architecture", why=f"it has {len(value)} layers")
    return [entry for entry in value if isinstance(entry, dict)]


def _unwrapped(entry: Mapping[str, Json], file: Path) -> tuple[str, LayerConfig, tuple[str, ...]]:
    """Class, settings and the possible names of its weights, without pruning wrappers."""
    kind, config = layer_class(entry), entry.get("config")
    names: list[str] = []
    while True:
        if not isinstance(config, dict):
            raise BrokenArchitectureError(file=file, where=f"a {kind}", why="it has no configuration")
        name = config.get("name", entry.get("name"))
        if not isinstance(name, str) or name.encode("utf-8", "replace").decode() != name:
            raise BrokenArchitectureError(file=file, where=f"a {kind}", why="it has no name")
        names.append(name)
        inner = config.get("layer")
        if kind not in WRAPPERS or not isinstance(inner, dict):
            return kind, LayerConfig(file=file, layer=name, values=config), tuple(names)
        kind, config = layer_class(inner), inner.get("config")


def _input_shape(settings: LayerConfig, fallback: Json = None) -> Shape | None:
    """The shape in a layer's settings without the batch axis, or None if there is none."""
    value = settings.get("batch_input_shape") or settings.get("batch_shape") or fallback
    if value is None:
        return None
    if not isinstance(value, list) or len(value) < 2:
        raise settings.broken("batch_input_shape", f"expected a shape, found {value!r}")
    sizes = value[1:]
    if any(size is None for size in sizes):
        raise settings.unsupported(
            f"the input shape {value} has unknown sizes", "save the model with a fixed input shape"
        )
    return LayerConfig(file=settings.file, layer=settings.layer, values={"input shape": sizes}).sizes(
        "input shape", len(sizes)
    )


def _first_shape(kind: str, settings: LayerConfig) -> Shape | None:
    """The input shape of a layer, or of the first layer of a model."""
    shape = _input_shape(settings, settings.get("build_input_shape"))
    layers = settings.get("layers")
    if shape is None and kind in MODELS and isinstance(layers, list) and layers and isinstance(layers[0], dict):
        first, inner, _ = _unwrapped(layers[0], settings.file)
        return None if first in MODELS else _input_shape(inner)
    return shape


def _sequential(config: Json, file: Path, *, nested: bool) -> LayerGraph:
    values = config if isinstance(config, dict) else {"layers": config, "name": "sequential"}
    uses: list[LayerCall] = []
    for place, entry in enumerate(_entries(values.get("layers"), file)):
        kind, settings, weights = _unwrapped(entry, file)
        is_input = kind == "InputLayer" and not uses
        if not uses:
            shape = _input_shape(settings, values.get("build_input_shape")) or _first_shape(kind, settings)
            if shape is None and not nested:
                raise GraphError(file=file, why="the Sequential model has no input shape")
            first = settings.layer if is_input else f"{settings.layer}_input"
            uses.append(
                LayerCall(
                    name=first, kind="InputLayer", settings=settings, weights=(), inputs=(), place=place, shape=shape
                )
            )
        if not is_input:
            uses.append(
                LayerCall(
                    name=settings.layer,
                    kind=_called(kind),
                    settings=settings,
                    weights=weights,
                    inputs=(uses[-1].name,),
                    place=place,
                )
            )
    name = values.get("name")
    in_order = ordered(uses, file)
    ends = (uses[0].name,), (uses[-1].name,)
    return LayerGraph(
        name=name if isinstance(name, str) else "model", uses=in_order, inputs=ends[0], outputs=ends[1], keys=ends[0]
    )


def _functional(config: Mapping[str, Json], file: Path) -> LayerGraph:
    uses: list[LayerCall] = []
    for place, entry in enumerate(_entries(config.get("layers"), file)):
        kind, settings, weights = _unwrapped(entry, file)
        outer = entry.get("name", weights[0])
        nodes = entry.get("inbound_nodes")
        is_input = kind == "InputLayer"
        if is_input or not nodes:
            shape = _input_shape(settings)
            if not is_input or shape is None:
                raise GraphError(file=file, why=f"layer '{settings.layer}' is connected to nothing")
            uses.append(
                LayerCall(
                    name=node_name(outer, 0),
                    kind=kind,
                    settings=settings,
                    weights=weights,
                    inputs=(),
                    place=place,
                    shape=shape,
                )
            )
        for number, node in enumerate(
            nodes if isinstance(nodes, list) else [], int(is_input)
        ):  # its construction is the first use of an input
            use = LayerCall(
                name=node_name(outer, number),
                kind=_called(kind),
                settings=settings,
                weights=weights,
                inputs=(),
                place=place,
            )
            uses.append(_connected(use, entry, node))
    name, (inputs, keys), (outputs, _) = (
        config.get("name"),
        _ends(config.get("input_layers"), file),
        _ends(config.get("output_layers"), file),
    )
    renamed = _first_calls(uses, outputs)
    if sorted(inputs) != sorted(use.name for use in uses if use.kind == "InputLayer"):
        raise GraphError(file=file, why=f"its inputs ({', '.join(inputs)}) are not its input layers")
    outputs = tuple(_renamed(one, renamed) for one in outputs)
    uses = [replace(use, inputs=tuple(_renamed(one, renamed) for one in use.inputs)) for use in uses]
    return LayerGraph(
        name=name if isinstance(name, str) else "model",
        uses=ordered(_each_output(uses, outputs, file), file),
        inputs=inputs,
        outputs=outputs,
        keys=keys or inputs,
    )


def _each_output(uses: Sequence[LayerCall], outputs: Sequence[str], file: Path) -> list[LayerCall]:
    """Uses of functions with several results, once for each result that is read; `part` is its number.

    Raises GraphError if a result is read that a layer does not have.
    """
    read: dict[str, set[int]] = {}
    names = {use.name for use in uses}
    for name in (*outputs, *(one for use in uses for one in use.inputs)):
        use_name, number = (name, 0) if name in names else of_output(name)
        read.setdefault(use_name, set()).add(number)
    found: list[LayerCall] = []
    for use in uses:
        numbers = sorted(read.get(use.name, {0}))
        if use.kind in SEVERAL:
            found += [
                replace(use, name=output_name(use.name, one), settings=use.settings.with_value("part", one))
                for one in numbers
            ]
        elif use.kind in MODELS or numbers == [0]:
            found.append(use)
        elif is_known(use.kind):
            raise GraphError(file=file, why=f"output {numbers[-1]} of layer '{use.name}' is read, which has one output")
        else:
            found += [replace(use, name=output_name(use.name, one)) for one in numbers]
    return found


def _connected(use: LayerCall, entry: Mapping[str, Json], node: Json) -> LayerCall:
    """A use with the content of one node: a function on tensors, or a layer or model called on them."""
    found = call(use.kind, entry, node)
    if found is not None:
        return replace(use, kind=found.kind, settings=replace(use.settings, values=found.values), inputs=found.inputs)
    if is_function(use.kind, entry):  # an unknown function
        return replace(
            use, kind=use.kind if use.kind in CODE_CARRIERS else f"{UNKNOWN}{use.kind}", inputs=tensors_in(node)
        )
    given = node_inputs(use.kind, node, use.settings)
    if given.keys and use.kind not in MODELS:
        raise use.settings.unsupported("it is called on a dictionary", "call it on a tensor or a list")
    return replace(use, inputs=given.names, keys=given.keys)


def _called(kind: str) -> str:
    """The class of a layer that is called on tensors; a called input is the identity."""
    return "Identity" if kind == "InputLayer" else kind


def _first_calls(uses: Sequence[LayerCall], outputs: Sequence[str]) -> dict[str, str]:
    """New names for uses of inner models in files that count the making of a model as its first use (`model:1`)."""
    calls = Counter(use.weights[0] for use in uses if use.kind in MODELS)
    mentioned = {of_output(name)[0] for name in (*outputs, *(one for use in uses for one in use.inputs))}
    return {
        node_name(name, n + 1): node_name(name, n)
        for name, count in calls.items()
        if node_name(name, count) in mentioned
        for n in range(count)
    }


def _renamed(name: str, uses: Mapping[str, str]) -> str:
    """A tensor after the renaming of uses."""
    use, number = of_output(name)
    return output_name(uses[use], number) if use in uses else name


def _ends(value: Json, file: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Input or output layers (one reference, a list or a dictionary of them) and the dictionary's keys.

    Keras takes the members of a dictionary in the order of their keys, whatever their order in the file.
    """
    keys = tuple(sorted(value)) if isinstance(value, dict) else ()
    items = [value[key] for key in keys] if isinstance(value, dict) else value if isinstance(value, list) else []
    if items and isinstance(items[0], str):
        items = [items]
    names = [reference(item) for item in items]
    if not names or None in names:
        raise BrokenArchitectureError(file=file, where="the architecture", why="inputs or outputs are not named")
    return tuple(name for name in names if name is not None), keys
