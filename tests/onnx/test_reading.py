"""What was read of ONNX files against onnxruntime, the evaluator of onnx and qonnx, tensor by tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.records.record import RunRecord
from fpgacnn.sim.frameworks import kinds
from tests.onnx.kit import Graph, grid
from tests.oracle.test_reading import damaged

ENTRY = "x"


def image_network(*, quantized: bool, events: int | None = None) -> Any:
    """Channels first, turned and cut on the way, with a sum of two branches."""
    graph = Graph.empty()
    x = graph.quant(ENTRY, 0.125, 8) if quantized else ENTRY
    x = graph.add("Conv", x, graph.store(grid(1, 4, 3, 3, 3)), graph.store(grid(2, 4)), pads=[1, 1, 1, 1])
    left = graph.add("Relu", x)
    right = graph.add("Mul", x, graph.store(np.float32([0.5, -1.0, 0.25, 2.0]).reshape(4, 1, 1)))
    x = graph.add("Add", left, right)
    x = graph.quant(x, 0.25, 6) if quantized else x
    x = graph.add("Transpose", x, perm=[0, 1, 3, 2])
    x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = graph.add("Flatten", x)
    x = graph.add("Gemm", x, graph.store(grid(3, 16, 5)), graph.store(grid(4, 5)))
    return graph.model({ENTRY: [events or "n", 3, 4, 4]}, [x])


def converted(model: Any, folder: Path, **options: Any) -> RunRecord:
    onnx.save(model, folder / "net.onnx")
    return fpgacnn.convert(
        folder / "net.onnx",
        output=folder / "project",
        csim_events=0,
        bits=None if "input_type" in options else "8,3",
        **options,
    )


def row(record: RunRecord) -> Any:
    return next(one for one in record.verification if one.left == "network as read")


@pytest.mark.parametrize("events", [None, 1, 7])
def test_onnxruntime_computes_what_was_read(tmp_path: Path, events: int | None) -> None:
    found = row(converted(image_network(quantized=False, events=events), tmp_path, reference="onnx"))
    assert found.right.startswith("onnxruntime ")
    assert (found.holds, found.mismatches, found.events) == (True, 0, 96)
    assert found.layers >= 7


def test_the_evaluator_answers_where_onnxruntime_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_is_installed", lambda module: module == "onnx")
    found = row(converted(image_network(quantized=False), tmp_path, reference="auto"))
    assert found.right.startswith("onnx' reference evaluator ")
    assert (found.holds, found.events) == (True, 64)
    assert found.layers >= 7


def test_qonnx_computes_what_was_read(tmp_path: Path) -> None:
    found = row(converted(image_network(quantized=True), tmp_path, reference="onnx", input_type="fixed<8,5>"))
    assert found.right.startswith("qonnx ")
    assert (found.holds, found.events) == (True, 96)
    assert found.layers >= 8


def test_a_node_that_is_read_wrongly_fails_the_run_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = frontends.load
    monkeypatch.setattr(frontends, "load", lambda *paths: damaged(load(*paths), "Conv_0"))
    record = converted(image_network(quantized=False), tmp_path, reference="auto")
    assert not record.holds
    assert row(record).first.layer == "Conv_0"
