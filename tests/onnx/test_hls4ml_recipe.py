"""hls4ml's recipe for ONNX in `compare-hls4ml`: the graph that qonnx cleans, and its names in hls4ml."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from fpgacnn.errors import ForeignToolError
from fpgacnn.jobs.compare_hls4ml.measure import by_layer_of_file
from fpgacnn.sim.hls4ml_default.recipe_onnx import CleanedGraph, cleaned, harmful_name
from fpgacnn.sim.hls4ml_default.settings import NodeNames
from tests.onnx.kit import Graph, floats, grid

pytestmark = pytest.mark.filterwarnings("ignore:The GemmToMatMul transformation only offers:UserWarning")


def saved(folder: Path, graph: Graph, inputs: dict[str, list[Any]], *outputs: str) -> Path:
    onnx.save(graph.model(inputs, outputs), folder / "m.onnx")
    return folder / "m.onnx"


def two_layers(folder: Path, batch: Any = 1) -> Path:
    """Two dense layers with quantized weights, a ReLU and a quantizer between them."""
    graph = Graph.empty()
    hidden = graph.add("Gemm", "x", graph.quant(graph.store(grid(1, 4, 3)), 0.25, 4.0), graph.store(grid(2, 3)))
    active = graph.quant(graph.add("Relu", hidden), 0.125, 6.0, signed=0)
    scores = graph.add("MatMul", active, graph.store(grid(3, 3, 2)))
    return saved(folder, graph, {"x": [batch, 4]}, scores)


@pytest.mark.parametrize("batch", [1, "events"])
def test_the_nodes_of_the_cleaned_graph_give_the_answers_of_the_file(tmp_path: Path, batch: object) -> None:
    """A Gemm becomes a MatMul and an Add; a number of events that is open is no error."""
    file = two_layers(tmp_path, batch)
    graph = cleaned(file)
    assert graph.nodes == ("MatMul_0", "Add_0", "Relu_0", "Quant_1", "MatMul_1")
    assert graph.parents["MatMul_1"] == ("Quant_1",)
    assert graph.parents["MatMul_0"] == ()  # quantizers of weights are no layers
    events = np.random.default_rng(3).integers(-8, 8, size=(5, 4)) / 4
    found = graph.results([events])
    x = events @ (np.clip(np.rint(grid(1, 4, 3) / 0.25), -8, 7) * 0.25) + grid(2, 3)
    assert np.allclose(found["Add_0"], x)
    active = np.clip(np.rint(np.maximum(x, 0) / 0.125), 0, 63) * 0.125
    assert np.allclose(found["Quant_1"], active)
    assert np.allclose(found["MatMul_1"], active @ grid(3, 3, 2))


def test_layers_of_hls4ml_are_found_by_the_nodes_that_they_were_made_from(tmp_path: Path) -> None:
    """hls4ml names a dense layer `Dense_MatMul_0`, and gives it the bias and the quantizer behind it."""
    graph = cleaned(two_layers(tmp_path))
    theirs = ("global_in", "Dense_MatMul_0", "Relu_0", "Dense_MatMul_1")
    named = tuple(graph.layer_of(one) for one in theirs)
    assert named == ("global_in", "MatMul_0", "Relu_0", "MatMul_1")
    shown = {name: np.zeros((2, 3)) for name in graph.nodes}
    traced = {name: np.full((2, 3), value) for value, name in enumerate(named[1:])}
    found = by_layer_of_file(shown, traced, NodeNames(nodes=named, parents=graph.parents))
    assert {name: values[0, 0] for name, values in found.items()} == {"Add_0": 0, "Quant_1": 1, "MatMul_1": 2}


def test_outputs_and_inputs_have_the_order_of_the_file(tmp_path: Path) -> None:
    """hls4ml has outputs in the order of the nodes."""
    graph = Graph.empty()
    first = graph.add("Relu", "b")
    second = graph.add("MatMul", "a", graph.store(floats(1, 4, 2)))
    found = cleaned(saved(tmp_path, graph, {"a": [1, 4], "b": [1, 3]}, second, first))
    assert found.output_places(2) == (1, 0)
    assert len(found.inputs) == 2
    given = [np.zeros((2, 4)), np.ones((2, 3))]
    assert found.in_order(found.inputs, ("a", "b"), given) == given
    with pytest.raises(ForeignToolError, match="it gives 1 outputs, the file has 2"):
        found.output_places(1)
    with pytest.raises(ForeignToolError, match="it has 1 inputs, the file 2"):
        found.in_order(("a",), ("a", "b"), given)


def test_names_of_a_file_do_not_reach_hls4ml(tmp_path: Path) -> None:
    """New names for nodes and tensors come from qonnx; a text that it keeps must be harmless."""
    graph = Graph.empty()
    graph.add("Relu", "x;system(0)")
    graph.nodes[0].name = 'a"; system(0); //'
    file = saved(tmp_path, graph, {"x;system(0)": [1, 4]}, "t0")
    assert harmful_name(cleaned(file).model.graph) == ""
    graph.quant("x;system(0)", 0.25, 4.0, rounding_mode="ROUND); system(0); //")
    file = saved(tmp_path, graph, {"x;system(0)": [1, 4]}, "t0", "t1")
    with pytest.raises(ForeignToolError, match=r"it would write 'ROUND\); system"):
        cleaned(file)


def test_a_node_that_hls4ml_adds_keeps_its_name() -> None:
    model = SimpleNamespace(graph=SimpleNamespace(input=[], output=[], node=[]))
    assert CleanedGraph(model=model).layer_of("repack_global_in") == "repack_global_in"
