"""The framework reference for Keras 2: the answers of TensorFlow and QKeras for a model file, for comparison."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import ForeignToolError
from fpgacnn.frontends.keras.graph import MAX_JSON
from fpgacnn.frontends.keras.nodes import node_name, output_name
from fpgacnn.system.files.regular import read_regular_text
from fpgacnn.training.keras import Keras, KerasModel, open_keras

FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KerasAnswer:
    """Keras' float32 results, converted to float64; the first axis of every array counts events.

    `layers` has every layer's result by the layer's name; it is empty if the results were not requested.
    """

    outputs: tuple[FloatArray, ...]
    layers: Mapping[str, FloatArray]


def run_keras(path: Path, inputs: Sequence[NDArray[Any]], *, layers: bool = False, batch: int = 256) -> KerasAnswer:
    """Load a Keras-2 HDF5 file and run it on one array for each input of the network.

    CALL THIS ONLY ON A FILE THAT OUR OWN READER HAS ACCEPTED (`fpgacnn.frontends`). Keras runs code from a file, even
    with `safe_mode=True`; the reader's list of allowed classes is the protection, and the caller must apply it.

    Every call of a layer and every of its results has a name of its own, as `fpgacnn.frontends` gives it: `layer`,
    `layer:1`, `layer[1]`, and `model/layer` in an inner model.
    """
    modules = open_keras()
    return answer_of(modules, load_network(modules, path), inputs, layers=layers, batch=batch)


def answer_of(
    modules: Keras, model: KerasModel, inputs: Sequence[NDArray[Any]], *, layers: bool, batch: int = 256
) -> KerasAnswer:
    """The answers of a loaded network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = _results(modules, model) if layers else {}
        probe = modules.keras.Model(model.inputs, [*model.outputs, *results.values()])
        run = _compiled if any(map(_is_channels_first, _layers(modules, model))) else _predict
        arrays = run(modules, probe, inputs, batch)
    outputs = len(model.outputs)
    return KerasAnswer(
        outputs=tuple(arrays[:outputs]),
        layers=dict(zip(results, arrays[outputs:], strict=True)),
    )


def load_network(modules: Keras, path: Path, weights: Path | None = None) -> KerasModel:
    """The model without optimizer and without pruning wrappers, whose masks are multiplied into the weights.

    `weights` belong to an architecture JSON. Raises ForeignToolError if Keras 2 cannot load the file, for instance one
    that Keras 3 wrote.
    """
    known: dict[str, object] = {}
    modules.qkeras.utils._add_supported_quantized_objects(known)  # noqa: SLF001 - QKeras' only list of its classes
    pruning = modules.tfmot.sparsity.keras
    with warnings.catch_warnings(), pruning.prune_scope(), modules.keras.utils.custom_object_scope(known):
        warnings.simplefilter("ignore")
        try:
            model = _opened(modules, path, weights)
        except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
            raise ForeignToolError(
                tool="Keras 2 (tf_keras)", why=f"it cannot load {path.name} itself: {error}"
            ) from error
        wrapped = [layer for layer in model.layers if type(layer).__name__ == "PruneLowMagnitude"]
        for layer in wrapped:
            layer.pruning_obj.weight_mask_op()
        return pruning.strip_pruning(model) if wrapped else model


def _opened(modules: Keras, path: Path, weights: Path | None) -> KerasModel:
    if weights is None:
        return modules.keras.models.load_model(path, compile=False)
    model = modules.keras.models.model_from_json(read_regular_text(path, limit=MAX_JSON))
    model.load_weights(weights)
    return model


def _results(modules: Keras, model: KerasModel) -> dict[str, Any]:
    """The symbolic results of every call of every layer, also of inner models, all in the graph of `model`.

    They are named as `fpgacnn.frontends` names them: `name`, `name:1` for the second call, `name[1]` for a second
    result and `model/name` inside of a model.
    """
    found: dict[str, Any] = {}
    nodes = {id(node) for depth in model._nodes_by_depth.values() for node in depth}  # noqa: SLF001 - Keras shows calls nowhere else
    for layer in model.layers:
        # Calls in other graphs (of an inner model's construction, or before pruning was stripped) are ignored.
        calls = [number for number, node in enumerate(layer._inbound_nodes) if id(node) in nodes]  # noqa: SLF001
        names = [node_name(layer.name, number) for number in range(len(calls))]
        for name, call in zip(names, calls, strict=True):
            results = enumerate(_listed(layer.get_output_at(call)))
            found |= {output_name(name, number): result for number, result in results}
        if isinstance(layer, modules.keras.Model):
            inside = _results(modules, layer)
            probe = modules.keras.Model(layer.inputs, list(inside.values()), name=f"{layer.name}_probe_of_fpgacnn")
            for outer, call in zip(names, calls, strict=True):
                tensors = _listed(probe(layer.get_input_at(call)))
                found |= {f"{outer}/{name}": tensor for name, tensor in zip(inside, tensors, strict=True)}
    return found


def _listed(results: Any) -> list[Any]:
    """One result or several, as a list; those of a dictionary in the order of Keras, that of their keys."""
    if isinstance(results, dict):
        return [results[key] for key in sorted(results)]
    return list(results) if isinstance(results, list | tuple) else [results]


def _layers(modules: Keras, model: KerasModel) -> Iterator[Any]:
    """All layers, those of inner models too."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, modules.keras.Model):
            yield from _layers(modules, layer)


def _is_channels_first(layer: Any) -> bool:
    inner = getattr(layer, "layer", layer)  # that of a wrapper
    return getattr(inner, "data_format", None) == "channels_first"


def _predict(_modules: Keras, model: KerasModel, inputs: Sequence[NDArray[Any]], batch: int) -> list[FloatArray]:
    answer = model.predict(list(inputs), batch_size=batch, verbose=0)
    arrays = answer if isinstance(answer, list) else [answer]
    return [np.asarray(array, dtype=np.float64) for array in arrays]


def _compiled(modules: Keras, model: KerasModel, inputs: Sequence[NDArray[Any]], batch: int) -> list[FloatArray]:
    """The answers through XLA: TensorFlow's own kernels do not have channels first without a GPU."""
    run, count = modules.tf.function(model, jit_compile=True), len(inputs[0])
    pieces = []
    for start in range(0, count, batch):
        given = [modules.tf.constant(one[start : start + batch], modules.tf.float32) for one in inputs]
        answer = run(given if len(given) > 1 else given[0], training=False)
        pieces.append([np.asarray(one, np.float64) for one in (answer if isinstance(answer, list) else [answer])])
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
