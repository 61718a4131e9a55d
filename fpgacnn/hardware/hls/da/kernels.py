"""Adder graphs for the matrices of a design: found by da4ml in a child process, and checked before they are used."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from fpgacnn.errors import AdderGraphFailedError, ForeignToolError, MissingExtraError, ToolTimeoutError, WriteError
from fpgacnn.hardware.hls.da.adder_graph import AdderGraph, AdderGraphError, Type, computes, read_graph
from fpgacnn.hardware.hls.node import DISTRIBUTED_ARITHMETIC, HlsNode
from fpgacnn.ir.fixed_point import CodeArray, Format, Rounding
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.subprocesses import run

PROGRAM, NAME = "fpgacnn.hardware.hls.da.child", "dense_da"
REQUEST, ANSWER = "request.json", "answer.json"
TOOL, VERSIONS, NEEDED = "da4ml", ("0.5.",), "da4ml>=0.5.2,<0.6"
"""The versions that hls4ml 1.3.0 takes with its extra `da`."""

SECONDS = 3600.0
INTERPRETED = 400
"""Weights up to which compiling da4ml's solver would take longer than running it in plain Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantMatrix:
    """A constant matrix (inputs, outputs) with its biases, and the format of its inputs."""

    layer: str
    weights: CodeArray
    weight: Format
    biases: CodeArray
    bias: Format
    given: Format

    @property
    def key(self) -> str:
        """Equal for equal matrices and formats, whatever the layer."""
        numbers = (self.weights.shape, self.weight.fraction, self.bias.fraction)
        digest = hashlib.sha256(repr((numbers, _given(self.given))).encode())
        digest.update(np.ascontiguousarray(self.weights, np.int64).tobytes())
        digest.update(np.ascontiguousarray(self.biases, np.int64).tobytes())
        return digest.hexdigest()

    def request(self) -> dict[str, object]:
        """What the child needs."""
        signed = self.given.signed
        return {
            "inputs": self.weights.shape[0],
            "k": int(signed),
            "i": self.given.integer - signed,
            "f": self.given.fraction,
            "weights": self.weights.ravel().tolist(),
            "weight_fraction": self.weight.fraction,
            "biases": self.biases.ravel().tolist(),
            "bias_fraction": self.bias.fraction,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCode:
    """The C++ function of a matrix, named `dense_da`, the adder graph that was read from it, and da4ml's cost of it."""

    text: str
    graph: AdderGraph
    cost: float


_FOUND: dict[str, KernelCode] = {}


def with_castable_outputs(code: KernelCode, result: Format) -> str:
    """The function with output types that `ap_types` can round to the type of the layer's result.

    da4ml trims each output to its own bits, and C simulation aborts where a rounding mode drops more bits than the
    value has: there, the same value gets more upper bits.
    """
    text = code.text
    for number, output in enumerate(code.graph.outputs):
        if output is None or result.rounding is Rounding.TRN:
            continue
        _, given = output
        dropped = given.fraction - result.fraction
        if dropped > given.width:
            wider = f"ap_{'' if given.signed else 'u'}fixed<{dropped},{-result.fraction}>"
            text = re.sub(rf"(model_out\[{number}\] = )ap_u?fixed<[^>]*>", rf"\g<1>{wider}", text, count=1)
    return text


def kernels_of(nodes: Sequence[HlsNode]) -> dict[str, ConstantMatrix]:
    """The matrices of the layers with distributed arithmetic, by the layer's name."""
    types = {node.name: node.types["result"] for node in nodes}
    return {
        node.name: ConstantMatrix(
            layer=node.name,
            weights=node.codes["weight"].reshape(-1, node.codes["weight"].shape[-1]),
            weight=node.types["weight"],
            biases=node.codes["bias"],
            bias=node.types["bias"],
            given=types[node.inputs[0]],
        )
        for node in nodes
        if node.strategy == DISTRIBUTED_ARITHMETIC
    }


def kernel_codes(kernels: Mapping[str, ConstantMatrix]) -> dict[str, KernelCode]:
    """The checked adder graphs, by the layer's name; equal matrices are searched once in a process.

    Raises MissingExtraError, ForeignToolError, AdderGraphFailedError, WriteError.
    """
    new = {kernel.key: kernel for kernel in kernels.values() if kernel.key not in _FOUND}
    if new:
        _FOUND.update(zip(new, _searched(new.values()), strict=True))
    return {name: _FOUND[kernel.key] for name, kernel in kernels.items()}


def why_unusable() -> str | None:
    """Why da4ml cannot be used; None if it can."""
    if importlib.util.find_spec(TOOL) is None:
        return "not installed"
    try:
        seen = version(TOOL)
    except PackageNotFoundError:
        return "installed without its metadata"
    return None if seen.startswith(VERSIONS) else f"version {seen} is installed, and hls4ml 1.3.0 needs {NEEDED}"


def _searched(kernels: Iterable[ConstantMatrix]) -> list[KernelCode]:
    if importlib.util.find_spec(TOOL) is None:
        raise MissingExtraError(package=NEEDED, extra="da")
    if why := why_unusable():
        raise ForeignToolError(tool=TOOL, why=why)
    wanted = list(kernels)
    return [_checked(kernel, *found) for kernel, found in zip(wanted, _answers(wanted), strict=True)]


def _answers(kernels: Sequence[ConstantMatrix]) -> list[tuple[str, float]]:
    """The C++ of every matrix with its cost, from the child process."""
    with temporary_folder("fpgacnn-da-") as folder:
        request = {"name": NAME, "kernels": [kernel.request() for kernel in kernels]}
        try:
            (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        except OSError as error:
            raise WriteError(file="temporary files", why=error.strerror or str(error)) from error
        command = [sys.executable, "-P", "-m", PROGRAM, str(folder)]
        try:
            finished = run(command, folder=folder, seconds=SECONDS, environment=_environment(kernels))
        except ToolTimeoutError as error:
            largest = max(kernels, key=lambda kernel: kernel.weights.size)
            why = f"no adder graph within {SECONDS:g} s; choose another strategy for '{largest.layer}', the largest"
            raise ForeignToolError(tool=TOOL, why=why) from error
        if finished.status != 0:
            raise ForeignToolError(tool=TOOL, why=f"it ended with {finished.how}: {finished.last_line}")
        found = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    return [(str(text), float(cost)) for text, cost in found]


def _environment(kernels: Sequence[ConstantMatrix]) -> dict[str, str]:
    """Where the child finds this package; small matrices need no compiled solver, which takes minutes to compile."""
    package = str(Path(__file__).parents[4])
    small = sum(kernel.weights.size for kernel in kernels) <= INTERPRETED
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", "")))),
        "PYTHONWARNINGS": "ignore",
        **({"NUMBA_DISABLE_JIT": "1"} if small else {}),
    }


def _checked(kernel: ConstantMatrix, text: str, cost: float) -> KernelCode:
    """The code, after its graph was expanded and compared with the matrix. Raises AdderGraphFailedError."""
    if "model_inp_q" in text:
        raise AdderGraphFailedError(layer=kernel.layer, why="an input is quantized again")
    try:
        graph = read_graph(text)
        computes(
            graph,
            _given(kernel.given),
            (kernel.weights, kernel.weight.fraction),
            (kernel.biases.ravel(), kernel.bias.fraction),
        )
    except AdderGraphError as error:
        raise AdderGraphFailedError(layer=kernel.layer, why=str(error)) from error
    return KernelCode(text=text, graph=graph, cost=cost)


def _given(form: Format) -> Type:
    return Type(form.signed, form.width, form.integer)
