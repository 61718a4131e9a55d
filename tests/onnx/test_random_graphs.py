"""Chains of operators drawn at random: what the file's axes mean must survive every order of turning and reshaping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from fpgacnn import frontends
from fpgacnn.sim.framework import evaluate
from tests.onnx.kit import Graph, grid

EVENTS = 3
Shape = tuple[int, ...]


def conv(draw: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape] | None:
    if len(shape) not in (3, 4) or min(shape[2:]) < 2:
        return None
    filters, kernel = draw(st.integers(1, 4)), [draw(st.integers(1, 2)) for _ in shape[2:]]
    made = graph.add("Conv", name, graph.store(grid(len(graph.nodes), filters, shape[1], *kernel, bits=2, fraction=1)))
    return made, (1, filters, *(size - reach + 1 for size, reach in zip(shape[2:], kernel, strict=True)))


def transpose(draw: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape]:
    order = [0, *draw(st.permutations(range(1, len(shape))))]
    return graph.add("Transpose", name, perm=order), tuple(shape[axis] for axis in order)


def reshape(draw: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape]:
    total = int(np.prod(shape))
    first = draw(st.sampled_from([size for size in range(1, total + 1) if total % size == 0]))
    rest = total // first
    second = draw(st.sampled_from([size for size in range(1, rest + 1) if rest % size == 0]))
    target = draw(st.sampled_from([(1, total), (1, first, rest), (1, first, second, rest // second), (1, 1, first, rest), (1, first, rest, 1)]))
    return graph.add("Reshape", name, graph.store(target, np.int64)), target


def affine(draw: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape]:
    kept = [draw(st.booleans()) for _ in shape]
    constant = grid(len(graph.nodes), *(size if keep and axis else 1 for axis, (size, keep) in enumerate(zip(shape, kept, strict=True))), bits=2, fraction=0)
    return graph.add(draw(st.sampled_from(["Add", "Mul", "Sub"])), name, graph.store(constant)), shape


def product(draw: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape] | None:
    if len([size for size in shape[:-1] if size > 1]) > 2:
        return None
    units = draw(st.integers(1, 4))
    return graph.add("MatMul", name, graph.store(grid(len(graph.nodes), shape[-1], units, bits=2, fraction=1))), (*shape[:-1], units)


def pool(_: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape] | None:
    if len(shape) not in (3, 4) or min(shape[2:]) < 2:
        return None
    return graph.add("MaxPool", name, kernel_shape=[2] * len(shape[2:])), (*shape[:2], *(size - 1 for size in shape[2:]))


def doubled(draw: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape]:
    axis = draw(st.integers(1, len(shape) - 1))
    return graph.add("Concat", name, graph.add("Neg", name), axis=axis), (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])


def residual(draw: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape]:
    """A sum with itself, which came another way round."""
    order = [0, *draw(st.permutations(range(1, len(shape))))]
    back = list(np.argsort(order))
    turned = graph.add("Transpose", graph.add("Relu", graph.add("Transpose", name, perm=order)), perm=[int(axis) for axis in back])
    return graph.add("Add", name, turned), shape


def relu(_: Any, graph: Graph, name: str, shape: Shape) -> tuple[str, Shape]:
    return graph.add("Relu", name), shape


STEPS = [conv, transpose, reshape, affine, product, pool, doubled, residual, relu]


@settings(max_examples=150)
@given(data=st.data())
def test_random_chains_answer_as_the_reference(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    graph, shape = Graph.empty(), data.draw(st.sampled_from([(1, 2, 4, 3), (1, 3, 5), (1, 12), (1, 4, 1, 3)]))
    first, name = shape, "x"
    for step in data.draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=7)):
        made = step(data.draw, graph, name, shape)
        if made is not None and np.prod(made[1]) <= 400:
            name, shape = made
    model = graph.model({"x": first}, [name] if name != "x" else [graph.add("Relu", "x")])
    (path := Path(tmp_path_factory.getbasetemp()) / "random.onnx").write_bytes(model.SerializeToString())
    network = frontends.load(path)
    x = grid(1, EVENTS, *first[1:], bits=4, fraction=1)
    found = evaluate(network, [x.astype(np.float64)], quantized=True)[network.outputs[0]]
    session = ReferenceEvaluator(model)
    wanted = np.concatenate([session.run(None, {"x": x[[event]]})[0] for event in range(EVENTS)])
    assert np.array_equal(found, wanted.reshape(found.shape))
