"""Outputs of whole numbers, which nothing decodes, as tf2onnx writes them of int8 networks of TFLite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.onnx.kit import Graph, agree, answers, floats

VECTOR = (1, 10)


@pytest.mark.parametrize(("scale", "zero"), [(0.0517, 3), (0.25, 0), (0.1137, -128), (3e-3, 7)])
def test_an_output_of_whole_numbers_is_given_as_they_are(tmp_path: Path, scale: float, zero: int) -> None:
    """Whole numbers of one scale are joined before, too."""

    def build(graph: Graph) -> str:
        ends, last = (graph.store(0.0517), graph.store(3, np.int8)), (graph.store(scale), graph.store(zero, np.int8))
        one = graph.add("QuantizeLinear", "x", *ends)
        other = graph.add("QuantizeLinear", graph.add("Relu", graph.add("DequantizeLinear", one, *ends)), *ends)
        both = graph.add("DequantizeLinear", graph.add("Concat", other, one, axis=1), *ends)
        return graph.add(
            "QuantizeLinear", graph.add("MatMul", both, graph.quant(graph.store(floats(1, 20, 6)), 0.0531, 6)), *last
        )

    graph = Graph.empty()
    found = answers(graph.model({"x": VECTOR}, [build(graph)], 21), tmp_path)
    agree(found, exact=False)
    assert np.array_equal(np.rint(found.reference[0]), found.reference[0])
    assert (float(found.reference[0].min()), float(found.reference[0].max())) >= (-128, -128)
