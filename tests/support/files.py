"""Keras 2 files written by hand: the JSON and HDF5 that `model.save('x.h5')` writes, without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SEED = 11


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One layer of a file: class, name, options, what it reads (one tuple a use), and its arrays by short name."""

    kind: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[tuple[str, ...], ...] = ()
    weights: Mapping[str, Any] = field(default_factory=dict)


def entry(kind: str, name: str, *inputs: str, weights: Mapping[str, Any] | None = None, **config: Any) -> Entry:
    """A layer that is used once, on the named layers; a Sequential model ignores the names."""
    return Entry(kind=kind, name=name, config=config, inputs=(inputs,) if inputs else (), weights=weights or {})


def input_layer(name: str, *shape: int | None) -> Entry:
    return Entry(kind="InputLayer", name=name, config={"batch_input_shape": [None, *shape], "dtype": "float32"})


def values(*shape: int, bits: int = 4, fraction: int = 3) -> np.ndarray:
    """Seeded weights on a grid of `bits` bits, so that float layers have exact codes."""
    codes = np.random.default_rng([SEED, *shape]).integers(-(1 << (bits - 1)), 1 << (bits - 1), size=shape)
    return (codes * 2.0**-fraction).astype(np.float32)


def linear(*shape: int, bias: bool = True) -> dict[str, np.ndarray]:
    """A kernel and a bias."""
    return {"kernel": values(*shape), **({"bias": values(shape[-1])} if bias else {})}


def normalization(channels: int) -> dict[str, np.ndarray]:
    """Batch statistics."""
    gamma, mean = values(channels) + 1, values(channels)
    return {"gamma": gamma, "beta": -mean, "moving_mean": mean, "moving_variance": np.linspace(0.5, 2.0, channels)}


def quantized_bits(bits: int = 6, integer: int = 0, **options: Any) -> dict[str, Any]:
    """A quantizer as QKeras serializes it."""
    config = {
        "bits": bits,
        "integer": integer,
        "symmetric": 0,
        "keep_negative": True,
        "alpha": 1.0,
        "use_stochastic_rounding": False,
        "qnoise_factor": 1.0,
    }
    return {"class_name": "quantized_bits", "config": {**config, **options}}


def sequential(*layers: Entry, shape: Sequence[int | None] | None = None) -> dict[str, Any]:
    """The architecture of a Sequential model; `shape` puts an input layer in front."""
    first = [input_layer("x", *shape)] if shape is not None else []
    entries = [{"class_name": one.kind, "config": {"name": one.name, **one.config}} for one in [*first, *layers]]
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": entries}}


def functional(*layers: Entry, inputs: Sequence[str], outputs: Sequence[str]) -> dict[str, Any]:
    """The architecture of a functional model; a name like `conv:1` means the second use of `conv`."""
    entries = [
        {
            "class_name": one.kind,
            "config": {"name": one.name, **one.config},
            "name": one.name,
            "inbound_nodes": [[[*_use(name), {}] for name in node] for node in one.inputs],
        }
        for one in layers
    ]
    ends = {"input_layers": [_use(name) for name in inputs], "output_layers": [_use(name) for name in outputs]}
    return {"class_name": "Functional", "config": {"name": "model", "layers": entries, **ends}}


def _use(name: str) -> list[Any]:
    layer, _, number = name.partition(":")
    return [layer, int(number or 0), 0]


def write_h5(path: Path, architecture: Mapping[str, Any] | str | None, layers: Sequence[Entry] = ()) -> Path:
    """A whole-model file; without an architecture, a weights file."""
    with h5py.File(path, "w") as file:
        if architecture is not None:
            file.attrs["model_config"] = architecture if isinstance(architecture, str) else json.dumps(architecture)
            file.attrs["keras_version"] = "2.15.0"
            file.attrs["backend"] = "tensorflow"
        root = file.create_group("model_weights") if architecture is not None else file
        root.attrs["layer_names"] = [one.name.encode() for one in layers]
        for one in layers:
            group = root.create_group(one.name)
            names = [f"{one.name}/{short}:0" for short in one.weights]
            group.attrs["weight_names"] = np.array([name.encode() for name in names], dtype="S")
            for name, array in zip(names, one.weights.values(), strict=True):
                group.create_dataset(name, data=array)
    return path


def sequential_file(path: Path, *layers: Entry, shape: Sequence[int | None] | None = None) -> Path:
    return write_h5(path, sequential(*layers, shape=shape), layers)


def functional_file(path: Path, *layers: Entry, inputs: Sequence[str], outputs: Sequence[str]) -> Path:
    return write_h5(path, functional(*layers, inputs=inputs, outputs=outputs), layers)


def tiny_layers() -> tuple[Entry, ...]:
    """A quantized network of 4x4 pixels and three answers that every command can work with."""
    quantizers = {"kernel_quantizer": quantized_bits(), "bias_quantizer": quantized_bits()}
    return (
        entry("QConv2D", "conv", filters=2, kernel_size=[3, 3], weights=linear(3, 3, 1, 2), **quantizers),
        entry("QActivation", "relu", activation="quantized_relu(4,2)"),
        entry("Flatten", "flatten"),
        entry("QDense", "logits", units=3, weights=linear(8, 3), **quantizers),
    )


def tiny_model(path: Path) -> Path:
    return sequential_file(path, *tiny_layers(), shape=(4, 4, 1))
