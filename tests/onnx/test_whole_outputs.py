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
    assert -128 <= found.reference[0].min() < found.reference[0].max() <= 127


@pytest.mark.parametrize("scale", [3387 / 65536, 931 / 8192, 601 / 2048])
def test_half_steps_are_rounded_as_onnx_divides(tmp_path: Path, scale: float) -> None:
    """Inputs are halves of the step of the output, so that every second one lies between two of its steps.

    The scales have few bits, so that float32 computes each half step exactly.
    """
    graph = Graph.empty()
    half = graph.store(np.float32(scale) / np.float32(2)), graph.store(0, np.int8)
    decoded = graph.add("DequantizeLinear", graph.add("QuantizeLinear", "x", *half), *half)
    coded = graph.add("QuantizeLinear", graph.add("Relu", decoded), graph.store(np.float32(scale)), half[1])
    found = answers(graph.model({"x": VECTOR}, [coded], 21), tmp_path)
    assert np.array_equal(found.reference[0].reshape(found.oracle[0].shape), found.oracle[0])
    assert np.array_equal(found.hardware[0].reshape(found.oracle[0].shape), found.oracle[0])
