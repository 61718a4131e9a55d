"""Random ONNX networks with answers of the package onnx's reference evaluator and onnxruntime, which must agree."""

from __future__ import annotations

import warnings
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

from fpgacnn.ir.source import FloatArray
from tests.random_reading.graphs import OPSETS, Array, Graph, N, UndrawnError, saved_bytes
from tests.random_reading.law import ROUNDING, Saved
from tests.random_reading.operators import STEPS

TRIES = 30
AGREEMENT = 1e-5
"""How far the two evaluators may differ, in parts of the largest value: more is an error of one of them, and redrawn.
"""

FEW = 2


def make(seed: int, folder: Path) -> Saved:
    """The network of a seed: the first that both evaluators take and answer alike."""
    for attempt in count():
        graph = _drawn(np.random.default_rng([seed, attempt]), steps=3 + seed % 8)
        found = None if graph is None else _saved(graph, folder / "m.onnx")
        if found is not None:
            return found
    raise AssertionError


def _drawn(random: np.random.Generator, steps: int) -> Graph | None:
    graph = Graph(random=random)
    graph.opset, graph.events = graph.pick(OPSETS), graph.pick([1, 1, "events", N])
    for _ in range(graph.number(1, 3)):
        kind = graph.pick(["float32"] * 6 + ["uint8", "int32"])
        graph.add_input((N,) * graph.pick([1, 2, 3, 3]), kind)
    for _ in range(steps):
        for _ in range(TRIES):
            try:
                graph.pick(STEPS)(graph)
            except UndrawnError:
                continue
            break
    return graph if graph.nodes else None


def ends_of(graph: Graph) -> tuple[list[str], list[str]]:
    """Inputs in any order, and one or two outputs: the last tensor and an earlier one."""
    made = [name for name in graph.values if name not in graph.inputs and name not in graph.hidden]
    outputs = [made[-1]]
    if graph.chance(0.5) and len(made) > 1:
        outputs.append(graph.pick(made[:-1]))
    graph.random.shuffle(outputs)
    inputs = list(graph.inputs)
    graph.random.shuffle(inputs)
    return inputs, outputs


def _saved(graph: Graph, path: Path) -> Saved | None:
    inputs, outputs = ends_of(graph)
    model = graph.model(inputs, outputs)
    given = {name: graph.values[name] for name in inputs}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        reference = ReferenceEvaluator(model).run(outputs, given)
    path.write_bytes(saved_bytes(model))
    theirs = _by_onnxruntime(path, outputs, given)
    if theirs is None or not all(_alike(one, other) for one, other in zip(reference, theirs, strict=True)):
        return None
    if not all(_has_events(one, graph) for one in reference):
        return None
    return Saved(
        path=path,
        inputs=tuple(given[name].astype(np.float64) for name in inputs),
        outputs=tuple(shown(one) for one in reference),
        text=text(graph, inputs, outputs),
        rounding=rounding(graph),
    )


def _has_events(answer: Array, graph: Graph) -> bool:
    """Whether an answer's first axis is that of events.

    Other answers have no place in hardware that sees one at a time.
    """
    return answer.ndim > 0 and len(answer) == (1 if graph.events == 1 else N)


def shown(answer: Array) -> FloatArray:
    """An answer as (events, ...shape), with at least one axis of data."""
    return answer.astype(np.float64).reshape(*answer.shape, *(1,) * max(FEW - answer.ndim, 0))


def rounding(graph: Graph) -> float:
    """0 where every tensor has so few bits that float32 is exact."""
    return 0.0 if not graph.rounds and all(graph.is_exact(name) for name in graph.values) else ROUNDING


def text(graph: Graph, inputs: list[str], outputs: list[str]) -> str:
    """How a network was made."""
    return "\n".join([f"opset {graph.opset}, events {graph.events}", *graph.lines, f"{inputs} -> {outputs}"])


def _by_onnxruntime(path: Path, outputs: list[str], given: dict[str, Array]) -> list[Any] | None:
    """What onnxruntime answers, without changes to the graph; None where it does not take a node."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(path.as_posix(), options, providers=["CPUExecutionProvider"])
        found: list[Any] = session.run(outputs, given)
    except Exception:  # noqa: BLE001  # its errors have no common class
        return None
    return found


def _alike(one: Array, other: Array) -> bool:
    largest = max(1.0, float(np.abs(one.astype(np.float64)).max(initial=0.0)))
    return one.shape == other.shape and bool(np.all(np.abs(one.astype(np.float64) - other) <= AGREEMENT * largest))
