"""ONNX files through the whole command: C simulation, emulator and reference, in both io types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import fpgacnn
from fpgacnn.design import IoType
from tests.onnx.kit import QONNX, Graph, floats, grid
from tests.onnx.test_quantizers import brevitas, pair

pytestmark = pytest.mark.agree


def classifier() -> Any:
    graph = Graph.empty()
    return graph.model({"x": (1, 3, 6, 6)}, [brevitas(graph, scales=(0.0311, 0.2137, 0.1319), normal=True)])


def signs() -> Any:
    graph = Graph.empty()
    weights = graph.add("BipolarQuant", graph.store(floats(1, 4, 3, 3, 3)), graph.store(0.07), domain=QONNX)
    image = graph.add("Conv", graph.quant("x", 0.25, 4), weights, pads=[1, 1, 1, 1])
    constants = [floats(2, 4), floats(3, 4), floats(4, 4), np.abs(floats(5, 4)) + 0.1]
    image = graph.add("BatchNormalization", image, *(graph.store(one) for one in constants))
    image = graph.add(
        "MaxPool", graph.add("BipolarQuant", image, graph.store(1.0), domain=QONNX), kernel_shape=[2, 2], strides=[2, 2]
    )
    return graph.model(
        {"x": (1, 3, 6, 6)}, [graph.add("MatMul", graph.add("Flatten", image), graph.store(grid(1, 36, 3)))]
    )


def mean_and_cut() -> Any:
    graph = Graph.empty()
    image = graph.quant(
        graph.add(
            "Relu",
            graph.add("Conv", graph.quant("x", 0.5, 4), graph.quant(graph.store(floats(1, 4, 3, 3, 3)), 0.25, 4)),
        ),
        0.5,
        4,
        signed=0,
    )
    total = graph.add("Mul", graph.add("GlobalAveragePool", image), graph.store(16.0))
    stored = [graph.store(one) for one in (0.5, 0.0, 8.0, 4.0)]
    return graph.model({"x": (1, 3, 6, 6)}, [graph.add("Trunc", total, *stored, domain=QONNX, rounding_mode="FLOOR")])


def integers() -> Any:
    graph = Graph.empty()
    stored = graph.store(np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 3)), np.int8)
    weights = graph.add("DequantizeLinear", stored, graph.store(0.0123), graph.store(0, np.int8))
    image = pair(graph, graph.add("Relu", graph.add("Conv", pair(graph, "x", 0.0311, 12), weights)), 0.0913, -128)
    image = graph.add("Add", image, pair(graph, graph.add("Neg", image), 0.0913, 5))
    return graph.model({"x": (1, 3, 6, 6)}, [graph.add("Transpose", image, perm=[0, 2, 3, 1])])


def widths_for_each_channel() -> Any:
    graph = Graph.empty()
    image = graph.quant("x", np.exp2(-np.arange(3.0)).reshape(1, 3, 1, 1), np.float32([3, 4, 6]).reshape(1, 3, 1, 1))
    return graph.model(
        {"x": (1, 3, 6, 6)}, [graph.add("Conv", image, graph.quant(graph.store(floats(1, 4, 3, 2, 2)), 0.125, 5))]
    )


def sequence() -> Any:
    graph = Graph.empty()
    image = graph.quant(
        graph.add("Conv", graph.quant("x", 0.125, 6), graph.quant(graph.store(floats(1, 4, 3, 3)), 0.21, 4)), 0.3137, 5
    )
    return graph.model(
        {"x": (1, 3, 9)},
        [graph.add("Gemm", graph.add("Flatten", image), graph.quant(graph.store(floats(2, 28, 3)), 0.0625, 5))],
    )


NETWORKS = [classifier, signs, mean_and_cut, integers, widths_for_each_channel, sequence]


@pytest.mark.parametrize("io", IoType, ids=str)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_a_network_is_proven_and_its_folder_simulated(tmp_path: Path, network: Any, io: IoType) -> None:
    onnx.save(network(), model := tmp_path / "m.onnx")
    record = fpgacnn.convert(model, output=tmp_path / "p", io=io.value)
    assert record.holds, record.verification
    events = tmp_path / "x.npy"
    np.save(events, np.random.default_rng(1).integers(-8, 8, (5, *record.inputs[0].shape)) / 4)
    found = fpgacnn.simulate(tmp_path / "p", input=events, engine="csim")
    again = fpgacnn.simulate(tmp_path / "p", input=events)
    assert all(np.array_equal(one.array, again.outputs[name].array) for name, one in found.outputs.items())
