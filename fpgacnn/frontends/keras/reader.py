"""From an open file to a `SourceModel`: each use of a layer meets its shapes and weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TypeAlias

from fpgacnn.errors import (
    CodeInFileError,
    FileMissingError,
    FpgacnnError,
    GraphError,
    NotAModelError,
    TooLargeError,
    UnsupportedLayerError,
    WeightsError,
)
from fpgacnn.frontends.files import FileKind, digest, sniff
from fpgacnn.frontends.keras.chain import LayerChain
from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation
from fpgacnn.frontends.keras.dtypes import is_half
from fpgacnn.frontends.keras.files import archive, hdf5
from fpgacnn.frontends.keras.files.positional import PositionalWeights, is_positional
from fpgacnn.frontends.keras.graph import MAX_JSON, parse_json, read_graph
from fpgacnn.frontends.keras.layer_config import Json
from fpgacnn.frontends.keras.layer_graph import LayerCall, LayerGraph
from fpgacnn.frontends.keras.operations.channels_first import CHANNELS_FIRST
from fpgacnn.frontends.keras.operations.layers import CODE_CARRIERS, NO_OPERATION, hint, is_known, parse_layer
from fpgacnn.frontends.keras.orders import Held
from fpgacnn.frontends.keras.saved_model.folder import SavedModelFolder, files_of
from fpgacnn.frontends.result import MAX_AXES, MAX_VALUES, ReadResult
from fpgacnn.ir.source import Activate, FloatArray, Input, Quantizer, Shape, SourceLayer, weights_of
from fpgacnn.system.files.regular import ANY_SIZE, open_regular

WeightSource: TypeAlias = Callable[[LayerCall], Mapping[str, FloatArray]]


def read_hdf5(path: Path) -> ReadResult:
    """Read a Keras 2 `.h5` file, plain or QKeras.

    Raises NotAModelError if the file holds weights only.
    """
    with hdf5.opened(path) as file:
        text = hdf5.text_attribute(file, "model_config")
        if text is None:
            seen = "it holds weights without an architecture" if "layer_names" in file.attrs else "HDF5 without a model"
            raise NotAModelError(file=path, seen=seen)
        version = hdf5.text_attribute(file, "keras_version")
        graph = read_graph(parse_json(text, path), path)
        weights = hdf5.LegacyWeights(file, path)
        return _read(graph, path, digest(path), version, _source(weights))


def read_json(path: Path, weights: Path | None) -> ReadResult:
    """Read an architecture JSON and the HDF5 weights that belong to it.

    Raises FileMissingError if no weights file is given or found beside it.
    """
    architecture = read_json_file(path)
    graph = read_graph(architecture, path)
    beside = weights or companion(path)
    if sniff(beside)[0] is not FileKind.HDF5:
        raise NotAModelError(file=beside, seen="weights must be HDF5")
    version = architecture.get(
        "keras_version", "3" if "module" in architecture else None
    )  # Keras 3 names modules instead
    with hdf5.opened(beside) as opened:
        return _read(graph, path, digest(path, beside), version, _source(_weights(opened, beside, graph)))


def read_json_file(path: Path) -> dict[str, Json]:
    """The architecture in a JSON file.

    Raises FileMissingError, TooLargeError and what `parse_json` raises.
    """
    try:
        with open_regular(path, limit=ANY_SIZE) as file:
            text = file.read(MAX_JSON + 1).decode("utf-8", "replace")
    except OSError as error:
        raise FileMissingError(file=path, why=error.strerror or str(error)) from error
    return parse_json(text, path)


def read_archive(path: Path) -> ReadResult:
    """Read a `.keras` archive of Keras 2.13 or later, plain, QKeras or qkeras-v3.

    Raises NotAModelError if the zip archive is none.
    """
    members = archive.read_members(path)
    graph = read_graph(parse_json(members[archive.CONFIG].decode("utf-8", "replace"), path), path)
    metadata = parse_json(members.get(archive.METADATA, b"{}").decode("utf-8", "replace"), path)
    with hdf5.opened(path, members[archive.WEIGHTS]) as file:
        return _read(graph, path, digest(path), metadata.get("keras_version"), _source(_weights(file, path, graph)))


def read_saved_model(path: Path) -> ReadResult:
    """Read a SavedModel folder of Keras 2, plain or QKeras.

    Raises OtherFormatError if it has no Keras layers.
    """
    folder = SavedModelFolder(path)
    graph = read_graph(folder.architecture, path)
    return _read(graph, path, digest(*files_of(path)), folder.version, _source(folder))


def _weights(file: hdf5.Group, path: Path, graph: LayerGraph) -> hdf5.LegacyWeights | PositionalWeights:
    """The weights by position where the file has that layout, else by name."""
    plain = hdf5.with_slashes(file, path)
    return PositionalWeights(plain, path, graph) if is_positional(plain) else hdf5.LegacyWeights(file, path)


def architecture_of(path: Path) -> dict[str, Json]:
    """The architecture's JSON in a `.h5` file or a `.keras` archive.

    Raises what reading the file raises.
    """
    if sniff(path)[0] is FileKind.ZIP:
        return parse_json(archive.read_members(path)[archive.CONFIG].decode("utf-8", "replace"), path)
    with hdf5.opened(path) as file:
        return parse_json(hdf5.text_attribute(file, "model_config") or "", path)


def companion(path: Path) -> Path:
    """The file of weights that lies beside an architecture JSON.

    Raises FileMissingError.
    """
    candidates = [path.with_name(path.stem + end) for end in (".weights.h5", "_weights.h5", ".h5", ".hdf5")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileMissingError(
        file=path, why=f"architecture only; no weights file beside it ({candidates[0].name}); give --weights FILE"
    )


def _source(weights: hdf5.LegacyWeights | PositionalWeights | SavedModelFolder) -> WeightSource:
    def lookup(use: LayerCall) -> Mapping[str, FloatArray]:
        scope = tuple(model.name for model in use.scope)
        inner, *wrappers = (weights.of_layer(name, scope) for name in reversed(use.weights))
        return (
            inner
            if not wrappers
            else _masked(use, {name: array for found in (inner, *wrappers) for name, array in found.items()})
        )

    return lookup


def _masked(use: LayerCall, arrays: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
    """The arrays of a layer in a pruning wrapper, which multiplies its kernel by the mask before every use.

    Raises WeightsError for a mask that fits no kernel.
    """
    if "mask" not in arrays:
        return arrays
    mask = arrays["mask"]
    pruned = next(
        (
            name
            for name in ("pointwise_kernel", "kernel", "depthwise_kernel")
            if name in arrays and arrays[name].shape == mask.shape
        ),
        None,
    )
    if pruned is None:
        raise WeightsError(
            file=use.settings.file, layer=use.name, why=f"its pruning mask of shape {mask.shape} fits no kernel"
        )
    return {**arrays, pruned: arrays[pruned] * mask}


def _read(graph: LayerGraph, path: Path, sha256: str, version: Json, weights: WeightSource) -> ReadResult:
    framework = f"Keras {version}" if isinstance(version, str) else "Keras, unknown version"
    major = re.match(r"\d", version) if isinstance(version, str) else None
    keras = int(major[0]) if major else None
    held: dict[str, Held] = {}
    chain = LayerChain(
        keeps_orders=any(use.settings.get("data_format") == CHANNELS_FIRST for use in graph.uses),
        reserved={use.name for use in graph.uses},
    )
    dropped: list[tuple[str, str]] = []
    refusals: list[tuple[str, str, FpgacnnError]] = []
    unresolved: list[tuple[str, str]] = []
    for use in graph.uses:
        try:
            _refuse_by_class(use)
            if not all(name in held for name in use.inputs):
                unresolved.append((use.name, use.kind))
                continue
            inputs = tuple(held[name] for name in use.inputs)
            steps = _steps(use, tuple(one.shape for one in inputs), weights, keras)
        except FpgacnnError as error:
            refusals.append((use.name, use.kind, error))
            continue
        if not steps:
            dropped.append((use.name, use.kind))
            held[use.name] = inputs[0]
            continue
        held[use.name] = chain.add(use, steps, inputs)
    if len({layer.name for layer in chain.layers}) != len(chain.layers):
        raise GraphError(file=path, why="two layers have the same name")
    refusals += _halves(graph, chain.layers)
    ends = (*graph.inputs, *graph.outputs)
    if not refusals and not all(name in held for name in ends):
        raise GraphError(file=path, why="an input or output of the model is no layer")
    turned_first = sorted((name for name in graph.outputs if name in held), key=lambda name: held[name].is_as_in_file)
    named = {name: chain.output(name, held[name]) for name in turned_first}  # those may rename layers of the others
    outputs = tuple(named.get(name, name) for name in graph.outputs)
    return ReadResult(
        name=path.stem,
        digest=sha256,
        framework=framework,
        layers=tuple(chain.layers),
        inputs=graph.inputs,
        outputs=outputs,
        dropped=tuple(dropped),
        refusals=tuple(refusals),
        unresolved=tuple(unresolved),
    )


def _refuse_by_class(use: LayerCall) -> None:
    if use.kind in CODE_CARRIERS:
        raise CodeInFileError(layer=use.name, kind=use.kind)
    if not is_known(use.kind):
        raise UnsupportedLayerError(layer=use.name, kind=use.kind, why=hint(use.kind))


def _halves(graph: LayerGraph, layers: Sequence[SourceLayer]) -> list[tuple[str, str, FpgacnnError]]:
    """Layers of a quantized network that compute in 16-bit floats, whose rounding integer arithmetic cannot repeat."""
    if not any(_has_quantizer(layer) for layer in layers):
        return []
    why, do = (
        "it computes in 16-bit floats, which round between the network's quantizers",
        "save the model with dtype float32",
    )
    return [
        (use.name, use.kind, use.settings.unsupported(why, do))
        for use in graph.uses
        if use.kind != "InputLayer" and is_half(use.settings)
    ]


def _has_quantizer(layer: SourceLayer) -> bool:
    operation = layer.operation
    rounds = isinstance(operation, Activate) and isinstance(operation.function, Quantizer)
    return rounds or any(weight.quantizer is not None for weight in weights_of(operation))


def _steps(
    use: LayerCall, inputs: tuple[Shape, ...], weights: WeightSource, keras: int | None
) -> list[ParsedOperation]:
    if use.kind == "InputLayer":
        assert use.shape is not None
        _check_size(use, use.shape)
        return [ParsedOperation(operation=Input(), shape=use.shape)]
    if use.kind in NO_OPERATION:
        return []
    steps = parse_layer(
        LayerContext(settings=use.settings, kind=use.kind, inputs=inputs, arrays=weights(use), keras=keras)
    )
    for step in steps:
        _check_size(use, step.shape)
    return steps


def _check_size(use: LayerCall, shape: Shape) -> None:
    if len(shape) > MAX_AXES:
        raise TooLargeError(
            file=use.settings.file, where=f"layer '{use.name}'", seen=f"{len(shape)} axes", limit=MAX_AXES
        )
    if prod(shape) > MAX_VALUES:
        raise TooLargeError(
            file=use.settings.file, where=f"layer '{use.name}'", seen=f"{prod(shape)} values an event", limit=MAX_VALUES
        )
