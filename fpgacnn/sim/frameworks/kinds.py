"""Find the framework of a file, and whether it is installed; nothing is imported for that."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version

from fpgacnn.ir.source import SourceModel

BACKENDS = ("tensorflow", "jax", "torch")
"""Backends of Keras 3, in order of preference if KERAS_BACKEND names none."""


class Family(StrEnum):
    """The value of `--reference` for a framework."""

    KERAS = "keras"
    ONNX = "onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """A framework: `runner` in the child, the modules that it needs, the distributions whose versions are shown.

    `install` is the argument of `pip install`; `seconds` is the time of its imports on a slow machine.
    """

    name: str
    runner: str
    family: Family
    modules: tuple[str, ...]
    distributions: tuple[str, ...]
    install: str
    seconds: float
    backend: bool = False

    @property
    def missing(self) -> str:
        """The first module that is not installed; empty if all are."""
        absent = next((name for name in self.modules if not _is_installed(name)), "")
        if not absent and self.backend and not backend():
            return "a backend of Keras (tensorflow, jax or torch)"
        if not absent and self is QKERAS3 and not _version("qkeras-v3"):
            return "qkeras-v3"
        return absent

    @property
    def versions(self) -> str:
        """Installed distributions with their versions."""
        found = [(name, _version(name)) for name in self.distributions]
        return ", ".join(f"{name} {number}" for name, number in found if number)


KERAS2 = Framework(
    name="Keras 2",
    runner="keras2",
    family=Family.KERAS,
    modules=("tensorflow", "tf_keras", "tensorflow_model_optimization", "qkeras"),
    distributions=("tf_keras", "qkeras"),
    install="'fpgacnn[train]'",
    seconds=15.0,
)
KERAS3 = Framework(
    name="Keras 3",
    runner="keras3",
    family=Family.KERAS,
    modules=("keras",),
    distributions=("keras",),
    install="keras tensorflow-cpu",
    seconds=12.0,
    backend=True,
)
HGQ2 = Framework(
    name="HGQ2",
    runner="hgq2",
    family=Family.KERAS,
    modules=("keras", "hgq"),
    distributions=("keras", "hgq2"),
    install="hgq2 tensorflow-cpu",
    seconds=15.0,
    backend=True,
)
QKERAS3 = Framework(
    name="QKeras for Keras 3",
    runner="qkeras3",
    family=Family.KERAS,
    modules=("keras", "qkeras"),
    distributions=("keras", "qkeras-v3"),
    install="qkeras-v3",
    seconds=20.0,
    backend=True,
)
RUNTIME = Framework(
    name="onnxruntime",
    runner="runtime",
    family=Family.ONNX,
    modules=("onnx", "onnxruntime"),
    distributions=("onnxruntime",),
    install="onnx onnxruntime",
    seconds=3.0,
)
EVALUATOR = Framework(
    name="onnx' reference evaluator",
    runner="evaluator",
    family=Family.ONNX,
    modules=("onnx",),
    distributions=("onnx",),
    install="onnx",
    seconds=3.0,
)
QONNX = Framework(
    name="qonnx",
    runner="qonnx",
    family=Family.ONNX,
    modules=("onnx", "onnxruntime", "qonnx"),
    distributions=("qonnx",),
    install="qonnx onnxruntime",
    seconds=6.0,
)

FRAMEWORKS = (KERAS2, KERAS3, HGQ2, QKERAS3, RUNTIME, EVALUATOR, QONNX)


def of_keras(network: SourceModel) -> Framework:
    """The framework of a Keras file; the first HGQ is not one of them."""
    kinds = [layer.kind for layer in network.layers]
    if any(kind.startswith("hgq>") for kind in kinds):
        return HGQ2
    number = re.match(r"Keras (\d+)", network.framework)
    if number is None or int(number[1]) < 3:
        return KERAS2
    return QKERAS3 if any(re.match(r"Q[A-Z]", kind) for kind in kinds) else KERAS3


def of_onnx(*, quantized: bool) -> Sequence[Framework]:
    """Frameworks that can run an ONNX file, best first; `quantized`: it has operators of QONNX."""
    return (QONNX,) if quantized else (RUNTIME, EVALUATOR)


def backend(environment: Mapping[str, str] | None = None) -> str:
    """The backend for Keras 3; empty if none is installed."""
    wanted = (os.environ if environment is None else environment).get("KERAS_BACKEND", "")
    choice = (wanted,) if wanted in BACKENDS else BACKENDS
    return next((name for name in choice if _is_installed(name)), "")


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
