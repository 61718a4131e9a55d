"""Operators of constants, which the reader computes, and stored arrays: equal to what the package onnx says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from fpgacnn import frontends
from fpgacnn.frontends.onnx.protobuf.arrays import to_array
from fpgacnn.frontends.onnx.protobuf.schema import parse_model
from fpgacnn.sim.source_reference import evaluate
from tests.onnx.kit import Graph, agree, answers, grid

N = 6


def whole(graph: Graph, *values: int) -> str:
    return graph.store(values, np.int64)


def real(graph: Graph, *values: float) -> str:
    return graph.store(values)


def floating(graph: Graph, name: str) -> str:
    return graph.add("Cast", name, to=TensorProto.FLOAT)


FOLDED: dict[str, tuple[Callable[[Graph], str], int]] = {
    "the same": (lambda graph: graph.add("Identity", graph.store(grid(1, N))), 17),
    "another shape": (lambda graph: graph.add("Reshape", graph.store(grid(2, 2, 3)), whole(graph, -1)), 17),
    "other axes": (
        lambda graph: graph.add("Reshape", graph.add("Transpose", graph.store(grid(3, 2, 3))), whole(graph, N)),
        17,
    ),
    "two flat axes": (lambda graph: graph.add("Flatten", graph.store(grid(4, 1, 2, 3))), 17),
    "an axis less": (lambda graph: graph.add("Squeeze", graph.store(grid(5, 1, N, 1))), 17),
    "an axis more": (lambda graph: graph.add("Unsqueeze", graph.store(grid(6, N)), whole(graph, 0)), 17),
    "a part, backwards": (
        lambda graph: graph.add(
            "Slice", graph.store(grid(7, 20)), whole(graph, 15), whole(graph, 3), whole(graph, 0), whole(graph, -2)
        ),
        17,
    ),
    "a part by attributes": (
        lambda graph: graph.add("Slice", graph.store(grid(8, 20)), axes=[0], starts=[14], ends=[1 << 62]),
        9,
    ),
    "places": (lambda graph: graph.add("Gather", graph.store(grid(9, 4)), whole(graph, 3, -1, 0, 0, 2, 1)), 17),
    "joined": (lambda graph: graph.add("Concat", graph.store(grid(1, 2)), graph.store(grid(2, 4)), axis=0), 17),
    "repeated": (lambda graph: graph.add("Expand", real(graph, 0.75), whole(graph, N)), 17),
    "zeros": (lambda graph: graph.add("ConstantOfShape", whole(graph, N)), 17),
    "ones of a type": (
        lambda graph: graph.add(
            "ConstantOfShape", whole(graph, N), value=numpy_helper.from_array(np.float32([1.5]), "one")
        ),
        17,
    ),
    "one number": (lambda graph: graph.add("Constant", value_float=0.375), 17),
    "numbers": (lambda graph: graph.add("Constant", value_floats=[0.5, -1.0, 2.0, 0.25, 3.0, -0.125]), 17),
    "a whole number": (lambda graph: floating(graph, graph.add("Constant", value_int=-3)), 17),
    "whole numbers": (lambda graph: floating(graph, graph.add("Constant", value_ints=[1, -2, 3, 4, -5, 6])), 17),
    "a sum": (lambda graph: graph.add("Add", graph.store(grid(1, N)), graph.store(grid(2, 1))), 17),
    "a quotient": (lambda graph: graph.add("Div", graph.store(grid(1, N)), graph.store(2.0 ** np.arange(N))), 17),
    "a whole quotient": (
        lambda graph: floating(
            graph, graph.add("Div", whole(graph, 7, -7, 8, -9, 6, -6), whole(graph, 2, 2, -3, -4, 3, 3))
        ),
        17,
    ),
    "roots": (lambda graph: graph.add("Sqrt", real(graph, 0.25, 1.0, 4.0, 9.0, 2.25, 0.0)), 17),
    "limits": (lambda graph: graph.add("Clip", graph.store(grid(1, N)), graph.store(-0.25), graph.store(0.5)), 17),
    "limits of old": (lambda graph: graph.add("Clip", graph.store(grid(1, N)), min=-0.25, max=0.5), 6),
    "the smallest": (lambda graph: graph.add("Min", graph.store(grid(1, N)), graph.store(grid(2, N))), 17),
    "a choice": (
        lambda graph: graph.add(
            "Where",
            graph.add("Equal", whole(graph, 1, 2, 3, 4, 5, 6), whole(graph, 3)),
            graph.store(grid(1, N)),
            graph.store(grid(2, N)),
        ),
        17,
    ),
    "how many": (lambda graph: floating(graph, graph.add("Size", graph.store(grid(1, 2, 5)))), 17),
    "which shape": (
        lambda graph: floating(graph, graph.add("Shape", graph.store(grid(1, 1, 2, 3, 4, 2, 1)))),
        17,
    ),
    "whole numbers of 8 bits": (
        lambda graph: floating(
            graph, graph.add("Cast", real(graph, 1.75, -1.75, 127.5, -128.0, 0.5, -0.5), to=TensorProto.INT8)
        ),
        17,
    ),
    "numbers of 16 bits": (
        lambda graph: floating(
            graph, graph.add("Cast", real(graph, 0.1, 2.5, -1e3, 3.0, 1.0, 0.0), to=TensorProto.FLOAT16)
        ),
        17,
    ),
    "truth": (
        lambda graph: floating(
            graph, graph.add("Cast", real(graph, 0.0, 2.0, -1.0, 0.0, 0.5, 1.0), to=TensorProto.BOOL)
        ),
        17,
    ),
}


@pytest.mark.parametrize("name", FOLDED)
def test_an_operator_of_constants_gives_what_the_reference_gives(tmp_path: Path, name: str) -> None:
    build, opset = FOLDED[name]
    graph = Graph.empty()
    model = graph.model({"x": (1, N)}, [graph.add("Add", "x", build(graph))], opset)
    onnx.save(model, path := tmp_path / "m.onnx")
    source = frontends.load(path)
    given = np.float32([[0.5, -1.0, 2.0, 0.25, 3.0, -0.125]])
    (wanted,) = ReferenceEvaluator(model).run(None, {"x": given})
    found = evaluate(source, [given.astype(np.float64)], quantized=True)[source.outputs[0]]
    assert np.array_equal(found.astype(np.float32), wanted)


STORED = {
    "bfloat16": (TensorProto.BFLOAT16, [1.0, -2.5, 0.15625, 3e38]),
    "float16": (TensorProto.FLOAT16, [1.0, -2.5, 0.15625, 65504.0]),
    "double": (TensorProto.DOUBLE, [0.1, -1e300, 5e-324, 0.0]),
    "int4": (TensorProto.INT4, [-8, 7, -1, 0, 3]),
    "uint4": (TensorProto.UINT4, [15, 0, 8, 7, 1]),
    "bool": (TensorProto.BOOL, [True, False, True, True]),
    "uint64": (TensorProto.UINT64, [0, 1 << 40, 7, 9]),
}


@pytest.mark.parametrize("raw", [True, False], ids=["bytes", "fields"])
@pytest.mark.parametrize("name", STORED)
def test_stored_arrays_of_every_type_are_read_as_the_package_onnx_reads_them(
    tmp_path: Path, *, name: str, raw: bool
) -> None:
    kind, values = STORED[name]
    made = helper.make_tensor("w", kind, [len(values)], values)
    if raw:
        made = numpy_helper.from_array(numpy_helper.to_array(made), "w")
    assert made.HasField("raw_data") == raw
    port = helper.make_tensor_value_info("y", TensorProto.FLOAT, [])
    content = helper.make_model(helper.make_graph([], "g", [], [port], [made])).SerializeToString()
    graph = parse_model(memoryview(content)).graph
    assert graph is not None
    found = to_array(graph.initializers[0], tmp_path)
    assert np.array_equal(found.astype(np.float64), numpy_helper.to_array(made).astype(np.float64))


def divided_limits(graph: Graph) -> str:
    """Whole numbers whose limits are partly those of their type."""
    numbers = graph.add("Cast", graph.add("Floor", graph.add("Mul", "x", graph.store(4.0))), to=TensorProto.INT8)
    low, high = graph.store(-128, np.int8), graph.store(5, np.int8)
    return graph.add("Cast", graph.add("Clip", numbers, low, high), to=TensorProto.FLOAT)


def normalized_weights(graph: Graph) -> str:
    """A normalization whose factors are quantized, behind a product."""
    product = graph.add("MatMul", "x", graph.store(grid(1, 4, 3)))
    gamma, beta = (graph.quant(graph.store(grid(seed, 3)), 0.25, 4.0) for seed in (2, 3))
    mean, variance = graph.store(np.zeros(3)), graph.store(np.ones(3))
    return graph.add("BatchNormalization", product, gamma, beta, mean, variance, epsilon=0.0)


READ: dict[str, tuple[Callable[[Graph], str], tuple[int, ...], int]] = {
    "padded by nothing": (lambda graph: graph.add("Pad", "x", graph.store([0] * 8, np.int64)), (1, 3, 4, 5), 17),
    "blocks of one cell": (
        lambda graph: graph.add("DepthToSpace", graph.add("SpaceToDepth", "x", blocksize=1), blocksize=1),
        (1, 3, 4, 5),
        17,
    ),
    "the sum of one tensor": (lambda graph: graph.add("Sum", "x"), (1, 4), 17),
    "limits that limit nothing": (lambda graph: graph.add("Clip", "x"), (1, 4), 17),
    "infinite limits": (
        lambda graph: graph.add("Clip", "x", graph.store(-np.inf), graph.store(np.inf)),
        (1, 4),
        17,
    ),
    "infinite limits of old": (lambda graph: graph.add("Clip", "x", min=-np.inf, max=0.5), (1, 4), 6),
    "limits of whole numbers": (divided_limits, (1, 4), 17),
    "quantized factors": (normalized_weights, (1, 4), 17),
}


@pytest.mark.parametrize("name", READ)
def test_a_network_is_read_as_the_reference_computes_it(tmp_path: Path, name: str) -> None:
    build, shape, opset = READ[name]
    graph = Graph.empty()
    model = graph.model({"x": shape}, [build(graph)], opset)
    agree(answers(model, tmp_path))


def test_a_cast_names_its_type_by_a_text_in_old_operator_sets(tmp_path: Path) -> None:
    graph = Graph.empty()
    onnx.save(graph.model({"x": (1, 4)}, [graph.add("Cast", "x", to="INT8")], 5), path := tmp_path / "m.onnx")
    source = frontends.load(path)
    given = np.array([[0.5, -1.75, 2.0, 127.5]])
    assert evaluate(source, [given], quantized=True)[source.outputs[0]].tolist() == [[0.0, -1.0, 2.0, 127.0]]


def test_the_upsampling_of_old_repeats_cells(tmp_path: Path) -> None:
    graph = Graph.empty()
    end = graph.add("Upsample", "x", mode="nearest", scales=[1.0, 1.0, 2.0, 3.0])
    onnx.save(graph.model({"x": (1, 2, 2, 1)}, [end], 7), path := tmp_path / "m.onnx")
    source = frontends.load(path)
    given = grid(1, 2, 2, 1).astype(np.float64)  # channels, height, width
    found = evaluate(source, [given[None]], quantized=True)[source.outputs[0]]
    assert np.array_equal(found[0], given.repeat(2, axis=1).repeat(3, axis=2))
