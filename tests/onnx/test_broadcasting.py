"""Constants of every broadcast shape on either side, conditions, and tensors made larger answer as onnxruntime does."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError
from fpgacnn.sim.source_reference import evaluate
from tests.onnx.kit import Graph, agree, answers, grid

N = 4
SHAPES = [(), (1,), (N,), (1, N), (N, 1), (N, N), (1, N, 1), (N, 1, N), (1, 1, N, 1), (1, N, N, N), (1, 1, 1, 1, N)]
TENSORS = [(N, N), (N,), (1, N), (N, 1, 1), (1, 1, 1)]
"""Axes of one length, so that one mistaken for another does not show as a wrong shape; events come before them."""


def compared(folder: Path, graph: Graph, end: str, inputs: dict[str, tuple[Any, ...]], opset: int = 17) -> bool:
    """Whether the graph is read: then each answer is onnxruntime's. Where it is refused, the events would be mixed."""
    onnx.save(graph.model(inputs, [end], opset), path := folder / "m.onnx")
    random = np.random.default_rng(len(graph.nodes))
    counts = {name: N if shape[0] == "N" else shape[0] for name, shape in inputs.items()}
    events = {
        name: (random.integers(-30, 30, (counts[name], *shape[1:])) / 8).astype(np.float32)
        for name, shape in inputs.items()
    }
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path.as_posix(), options)
    (wanted,) = session.run(None, events)
    try:
        network = frontends.load(path)
    except FpgacnnError as error:
        assert "event" in str(error) or "does not fit" in str(error), error
        return False
    found = evaluate(network, [one.astype(np.float64) for one in events.values()], quantized=True)[network.outputs[0]]
    assert found.size == wanted.size
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=0, atol=1e-5)
    return True


@pytest.mark.parametrize("events", [1, "N"])
@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Max", "Min", "Sum", "PRelu", "Div"])
def test_a_constant_of_every_shape_on_either_side(tmp_path: Path, kind: str, events: Any) -> None:
    read = 0
    for number, (shape, tensor) in enumerate(itertools.product(SHAPES, TENSORS)):
        for first in (False, True):
            if first and kind in {"PRelu", "Div"}:
                continue
            graph = Graph.empty()
            array = np.exp2(np.rint(grid(number, *shape))) if kind == "Div" else grid(number, *shape)
            constant = graph.store(array)
            end = graph.add(kind, *((constant, "x") if first else ("x", constant)))
            try:
                read += compared(tmp_path, graph, end, {"x": (events, *tensor)})
            except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
                continue  # shapes that do not fit each other
    assert read > 20


@pytest.mark.parametrize("events", [1, "N"])
def test_where_with_a_constant_condition_of_every_shape(tmp_path: Path, events: Any) -> None:
    read = 0
    for number, (shape, tensor) in enumerate(itertools.product(SHAPES, TENSORS)):
        graph = Graph.empty()
        mask = graph.store(np.random.default_rng(number).integers(0, 2, shape), np.bool_)
        other = graph.store(grid(number, *SHAPES[number % 7])) if number % 3 else "y"
        end = graph.add("Where", mask, *(("x", other) if number % 2 else (other, "x")))
        inputs = {"x": (events, *tensor)} | ({} if number % 3 else {"y": (events, N, N)})
        try:
            read += compared(tmp_path, graph, end, inputs)
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
            continue
    assert read > 20


@pytest.mark.parametrize("kind", ["Max", "Min", "Sum"])
def test_several_constants_among_several_tensors_in_every_order(tmp_path: Path, kind: str) -> None:
    for order in itertools.permutations(range(4)):
        graph = Graph.empty()
        given = ["x", "y", graph.store(grid(1, N, 1)), graph.store(grid(2, N))]
        end = graph.add(kind, *(given[place] for place in order))
        assert compared(tmp_path, graph, end, {"x": ("N", N, N), "y": ("N", N, N)})


@pytest.mark.parametrize("shape", [(1, N, N), (N, 1), (1, 1, 1, 1, 1), (1,), (N, N, 1, 1)])
@pytest.mark.parametrize("events", [1, 4])
def test_expand(tmp_path: Path, shape: tuple[int, ...], events: int) -> None:
    for tensor in TENSORS[2:]:
        graph = Graph.empty()
        wanted = (events, *np.broadcast_shapes(shape, tensor)) if len(shape) <= len(tensor) else shape
        end = graph.add("Expand", "x", graph.store(wanted, np.int64))
        keeps_events = events == 1 or len(wanted) == 1 + len(tensor)
        assert compared(tmp_path, graph, end, {"x": (events, *tensor)}) == keeps_events


@pytest.mark.parametrize("perm", list(itertools.permutations((1, 2, 3))))
def test_a_matrix_product_on_many_axes(tmp_path: Path, perm: tuple[int, ...]) -> None:
    graph = Graph.empty()
    turned = graph.add("Transpose", "x", perm=[0, *perm, 4])
    product = graph.add("MatMul", turned, graph.store(grid(3, N, N)))
    end = graph.add("Add", graph.store(grid(5, N, 1, 1, 1)), graph.add("Transpose", product, perm=[0, 4, 1, 2, 3]))
    assert compared(tmp_path, graph, end, {"x": ("N", 2, N, 2, N)})


@pytest.mark.parametrize("events", [1, 4])
def test_a_resize_to_sizes_counts_the_events_as_one(tmp_path: Path, events: int) -> None:
    graph = Graph.empty()
    options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    end = graph.add("Resize", "x", "", "", graph.store([events, N, 2 * N, 3 * N], np.int64), **options)
    assert compared(tmp_path, graph, end, {"x": (events, N, N, N)})


@pytest.mark.parametrize("kind", ["ReduceMin", "ReduceMax", "ReduceSum", "ReduceMean"])
def test_arithmetic_on_a_number_without_axes(tmp_path: Path, kind: str) -> None:
    graph = Graph.empty()
    alone = graph.add(kind, "x", keepdims=0)
    limited = graph.add("Clip", graph.add("Neg", alone), graph.store(-40.0), graph.store(40.0))
    end = graph.add("Add", graph.add("Mul", limited, graph.store([2.0])), "x")
    assert compared(tmp_path, graph, end, {"x": (1, N, N)})


MOVES: dict[str, Any] = {
    "slice": lambda graph, x: graph.add("Slice", x, *(graph.store([one], np.int64) for one in (1, 3, 1))),
    "transpose": lambda graph, x: graph.add("Transpose", x, perm=[0, 2, 1]),
    "sum": lambda graph, x: graph.add("Add", x, "x"),
    "choice": lambda graph, x: graph.add("Where", graph.store([True, False] * 2, np.bool_), x, "x"),
    "concatenation": lambda graph, x: graph.add("Concat", "x", x, axis=1),
    "maximum": lambda graph, x: graph.add("ReduceMax", x, axes=[1]),
    "mean": lambda graph, x: graph.add("ReduceMean", x, axes=[1]),
    "product": lambda graph, x: graph.add("MatMul", x, graph.store(np.ones((N, 2)))),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_quotient_is_not_rounded_behind_what_moves_it(tmp_path: Path, name: str) -> None:
    graph = Graph.empty()
    end = graph.add("Floor", MOVES[name](graph, graph.add("Div", "x", graph.store(3.0))))
    onnx.save(graph.model({"x": ("N", N, N)}, [end]), path := tmp_path / "m.onnx")
    with pytest.raises(FpgacnnError, match="rounds a quotient"):
        frontends.load(path)


@pytest.mark.parametrize("name", ["grown", "where", "expand"])
def test_the_hardware_answers_as_the_reference(tmp_path: Path, name: str) -> None:
    graph = Graph.empty()
    if name == "grown":
        end = graph.add("Sub", graph.store(grid(1, 3, 1, 5)), "x")
    elif name == "where":
        mask = graph.store([[True], [False], [True]], np.bool_)
        end = graph.add("Where", mask, graph.store(grid(2, 5)), graph.add("Relu", "x"))
    else:
        end = graph.add("Expand", "x", graph.store([1, 3, 2, 5], np.int64))
    agree(answers(graph.model({"x": (1, 3, 1, 5)}, [end]), tmp_path))
