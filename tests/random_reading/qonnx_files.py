"""Random QONNX networks: quantizers between layers, weights behind quantizers; answered by the executor of qonnx."""

from __future__ import annotations

import logging
import warnings
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from tests.onnx.kit import QONNX, BipolarQuant, Quant, Trunc
from tests.random_reading import operators
from tests.random_reading.graphs import Graph, N, UndrawnError, saved_bytes
from tests.random_reading.law import Saved
from tests.random_reading.onnx_files import TRIES, ends_of, rounding, shown, text

MODES = ("ROUND", "HALF_EVEN", "FLOOR", "CEIL", "DOWN", "HALF_UP", "HALF_DOWN")
OPSET = 13


class IntQuant(Quant):
    """The operator's other name."""


def _scale(g: Graph, shape: tuple[int, ...]) -> str:
    return g.store(2.0 ** g.random.integers(-4, 1, size=shape))


def quantized(g: Graph) -> None:
    """Quant of a tensor, its scale of any broadcast shape."""
    x = g.tensor()
    g.need(g.is_exact(x))
    _quant(g, x, g.broadcast(x))


def _quant(g: Graph, x: str, shape: tuple[int, ...]) -> str:
    signed, mode, bits = g.number(0, 1), g.pick(MODES), g.number(1, 8)
    zero = (
        g.pick([0, 0, 0, 2, -2]) if mode not in {"DOWN", "HALF_UP", "HALF_DOWN"} and not (signed and bits == 1) else 0
    )
    options = {"signed": signed, "narrow": g.number(0, 1) if bits > 1 else 0, "rounding_mode": mode}
    stored = _scale(g, shape), g.store(np.float32(zero)), g.store(np.float32(bits))
    return g.add(g.pick(["Quant", "IntQuant"]), x, *stored, domain=QONNX, **options)[0]


def signs(g: Graph) -> None:
    """BipolarQuant."""
    x = g.tensor()
    g.need(g.is_exact(x))
    g.add("BipolarQuant", x, _scale(g, g.broadcast(x)), domain=QONNX)


def truncated(g: Graph) -> None:
    """Quant and a Trunc that takes low bits away."""
    x = g.tensor()
    g.need(g.is_exact(x))
    scale, bits = g.store(np.float32(2.0 ** g.number(-3, 0))), g.number(4, 8)
    options = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    (whole,) = g.add("Quant", x, scale, g.store(np.float32(0)), g.store(np.float32(bits)), domain=QONNX, **options)
    stored = scale, g.store(np.float32(0)), g.store(np.float32(bits)), g.store(np.float32(bits - g.number(1, 3)))
    g.add("Trunc", whole, *stored, domain=QONNX, rounding_mode=g.pick(["FLOOR", "ROUND", "DOWN"]))


def with_quantized_weights(g: Graph) -> None:
    """A convolution or matrix product whose weights go through a quantizer."""
    x = g.tensor()
    shape = g.values[x].shape
    if len(shape) in {3, 4} and g.chance(0.6):
        groups = g.pick([1, 1, shape[1]])
        kernel = (N, shape[1] // groups, *(g.number(1, min(2, one)) for one in shape[2:]))
        g.need(N % groups == 0)
        g.add("Conv", x, _weights(g, kernel, 0), group=groups, kernel_shape=list(kernel[2:]))
    else:
        g.add("MatMul", x, _weights(g, (shape[-1], N), 1))


def _weights(g: Graph, shape: tuple[int, ...], axis: int) -> str:
    stored = g.store(g.random.normal(size=shape))
    scales = tuple(size if number == axis else 1 for number, size in enumerate(shape)) if g.chance(0.5) else ()
    g.values[stored] = g.stored[stored]
    found = (
        g.add("BipolarQuant", stored, _scale(g, scales), domain=QONNX)[0]
        if g.chance(0.2)
        else _quant(g, stored, scales)
    )
    del g.values[stored]
    g.hidden.add(found)
    return found


QUANTIZING = (
    *(quantized,) * 6,
    *(with_quantized_weights,) * 5,
    *(
        signs,
        truncated,
        operators.constant_arithmetic,
        operators.merged,
        operators.turned,
        operators.reshaped,
        operators.joined,
    ),
    *(operators.pooled, operators.activated, operators.sliced, operators.parted, operators.gathered, operators.padded),
)


def make(seed: int, folder: Path) -> Saved:
    """The network of a seed: the first that the executor takes."""
    logging.getLogger("qonnx").setLevel(logging.ERROR)
    for attempt in count():
        graph = _drawn(np.random.default_rng([seed, attempt]), steps=3 + seed % 6)
        found = _saved(graph, folder / "m.onnx")
        if found is not None:
            return found
    raise AssertionError


def _drawn(random: np.random.Generator, steps: int) -> Graph:
    graph = Graph(random=random, opset=OPSET, operators=(Quant, IntQuant, BipolarQuant, Trunc), domains={QONNX: 1})
    for _ in range(graph.number(1, 2)):
        graph.add_input((N,) * graph.pick([1, 2, 3, 3]))
    while steps:
        for _ in range(TRIES):
            try:
                graph.pick(QUANTIZING)(graph)
            except UndrawnError:
                continue
            break
        steps -= 1
    return graph


def _saved(graph: Graph, path: Path) -> Saved | None:
    made = [name for name in graph.values if name not in graph.inputs and name not in graph.hidden]
    if not made:
        return None
    inputs, outputs = ends_of(graph)
    model = graph.model(inputs, outputs)
    answers = _by_qonnx(model, graph, inputs, outputs)
    if answers is None:
        return None
    if graph.chance(0.2):  # some exporters leave the domain of quantizers out
        for node in model.graph.node:
            node.domain = ""
        path.write_bytes(model.SerializeToString())
    else:
        path.write_bytes(saved_bytes(model))
    return Saved(
        path=path,
        inputs=tuple(graph.values[name].astype(np.float64) for name in inputs),
        outputs=tuple(shown(answers[name]) for name in outputs),
        text=text(graph, inputs, outputs),
        rounding=rounding(graph),
    )


def _by_qonnx(model: Any, graph: Graph, inputs: list[str], outputs: list[str]) -> dict[str, Any] | None:
    onnxruntime.set_default_logger_severity(4)  # it runs the standard operators
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrapped = ModelWrapper(model).transform(InferShapes())
            found: dict[str, Any] = execute_onnx(wrapped, {name: graph.values[name] for name in inputs})
    except Exception:  # noqa: BLE001  # its errors have no common class
        return None
    if not all(found[name].ndim and len(found[name]) == 1 for name in outputs):
        return None
    return found
