"""Run a file with Keras 3, and with HGQ2 or QKeras for Keras 3 if needed, in a process of its own."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fpgacnn.frontends.keras.nodes import node_name, output_name
from fpgacnn.sim.frameworks.job import Answers, ReferenceJob, Values
from fpgacnn.sim.frameworks.run_keras2 import refuse_halves
from fpgacnn.sim.frameworks.steps import Step

KerasModel: TypeAlias = Any

BATCH = 64
_PACKAGES: Mapping[str, tuple[str, str]] = {"hgq2": ("hgq", "HGQ2"), "qkeras3": ("qkeras", "QKeras for Keras 3")}


def run_keras3(folder: Path, job: ReferenceJob, events: Sequence[Values], step: Step) -> Answers:
    """Outputs and the result of every call of every layer and operation.

    Raises what Keras raises.
    """
    keras, model = open_keras3(folder, job, step)
    return answer_keras3(keras, model, job, events, step)


def open_keras3(folder: Path, job: ReferenceJob, step: Step) -> tuple[Any, KerasModel]:
    """Keras 3, with the package that the file needs, and the network that it loads.

    Raises what Keras raises.
    """
    keras: Any = importlib.import_module("keras")
    name = f"Keras {keras.__version__}"
    if job.runner in _PACKAGES:
        package, words = _PACKAGES[job.runner]
        name = f"{words} {getattr(importlib.import_module(package), '__version__', '')}".strip() + f" on {name}"
    step.loading(name)
    return keras, _load(keras, folder, job)


def answer_keras3(keras: Any, model: KerasModel, job: ReferenceJob, events: Sequence[Values], step: Step) -> Answers:
    """Outputs and the result of every call of a loaded network.

    Raises what Keras raises.
    """
    name = step.framework
    step.running()
    refuse_halves([getattr(layer, "compute_dtype", "float32") for layer in model.layers])
    inputs, outputs = list(model.inputs), list(model.outputs)
    shown = _results(keras, _functional(model))
    probe = keras.Model(inputs, [*outputs, *shown.values()])
    by_name = dict(zip(job.inputs, events, strict=True))
    names = [one._keras_history.operation.name for one in inputs]  # noqa: SLF001  # Keras says nowhere else which layer made it
    given = [by_name[one] for one in names] if set(names) == set(by_name) else list(events)
    count = len(given[0])
    batch = _batch([*inputs, *probe.outputs], min(BATCH, count))
    padded = [np.concatenate([one, np.repeat(one[:1], -count % batch, axis=0)]) for one in given]
    if keras.backend.backend() == "tensorflow" and any(map(_is_channels_first, model._flatten_layers())):  # noqa: SLF001  # Keras lists inner models' layers nowhere else
        probe.compile(jit_compile=True)  # TensorFlow's own kernels do not have channels first without a GPU
    found = probe.predict(padded, batch_size=batch, verbose=0)
    arrays = [np.asarray(one, np.float32)[:count] for one in (found if isinstance(found, list | tuple) else [found])]
    return Answers(
        framework=name,
        outputs=tuple(arrays[: len(outputs)]),
        shown=dict(zip(shown, arrays[len(outputs) :], strict=True)),
    )


def _is_channels_first(layer: Any) -> bool:
    return getattr(layer, "data_format", None) == "channels_first"


def _batch(tensors: Sequence[Any], least: int) -> int:
    """The smallest batch of at least so many events that is not the length of an axis.

    `keras.ops.add` with TensorFlow takes 64 events of one value each for a bias of 64 channels (Keras 3.15).
    """
    lengths = {length for tensor in tensors for length in tensor.shape if length is not None}
    return next(size for size in range(least, least + len(lengths) + 1) if size not in lengths)


def _load(keras: Any, folder: Path, job: ReferenceJob) -> KerasModel:
    file = folder / job.model
    if not job.weights:
        known = _operations(keras) if job.model.endswith(".h5") else None
        return keras.saving.load_model(file, custom_objects=known, compile=False, safe_mode=True)
    model = keras.models.model_from_json(file.read_text(encoding="utf-8"))
    model.load_weights(folder / job.weights)
    return model


def _operations(keras: Any) -> dict[str, Any]:
    """Keras' own operations by the names of their classes: its loader of HDF5 files lacks some that it writes."""
    found: dict[str, Any] = {}
    for name in ("numpy", "nn", "math", "core", "image", "linalg"):
        module = vars(importlib.import_module(f"keras.src.ops.{name}"))
        own = {key: one for key, one in module.items() if isinstance(one, type) and issubclass(one, keras.Operation)}
        found |= {
            key: one
            for key, one in own.items()
            if one.__module__.startswith("keras.") and not hasattr(keras.layers, key)
        }
    return found


def _functional(model: KerasModel) -> KerasModel:
    """The graph of a model; a Sequential model has it inside."""
    return getattr(model, "_functional", None) or model


def _results(keras: Any, model: KerasModel) -> dict[str, Any]:
    """The symbolic results of a graph: `name`, a second call `name:1`, a second result `name[1]`, and `model/name`."""
    found: dict[str, Any] = {}
    nodes = {id(node) for depth in model._nodes_by_depth.values() for node in depth}  # noqa: SLF001  # Keras shows calls nowhere else
    for operation in model.operations:
        calls = [node for node in operation._inbound_nodes if id(node) in nodes]  # noqa: SLF001
        for number, node in enumerate(calls):
            key = node_name(operation.name, number)
            found |= {output_name(key, place): tensor for place, tensor in enumerate(node.output_tensors)}
            if isinstance(operation, keras.Model) and hasattr(_functional(operation), "operations"):
                inner = _functional(operation)
                inside = _results(keras, inner)
                probe = keras.Model(inner.inputs, list(inside.values()))
                tensors = probe(list(node.input_tensors) if len(inner.inputs) > 1 else node.input_tensors[0])
                listed = tensors if isinstance(tensors, list | tuple) else [tensors]
                found |= {f"{key}/{name}": tensor for name, tensor in zip(inside, listed, strict=True)}
    return found
