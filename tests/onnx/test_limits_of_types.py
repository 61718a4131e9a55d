"""Two things an ONNX file may ask for that are refused: decoding in 16 bits, and a tensor without an end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError, TooLargeError, UnsupportedQuantizerError
from tests.onnx.kit import Graph

N = 4


def test_a_scale_of_16_bits_is_refused_by_name(tmp_path: Path) -> None:
    """Onnxruntime rounds 127 * 0.1 to 12.695, where the exact product with that scale is 12.697."""
    for scale, is_refused in ((np.float16(0.1), True), (np.float32(0.1), False)):
        graph = Graph.empty()
        codes = graph.add("QuantizeLinear", "x", graph.store(np.float32(0.1)), graph.store(0, np.int8))
        end = graph.add("DequantizeLinear", codes, graph.store(scale, scale.dtype), graph.store(0, np.int8))
        onnx.save(graph.model({"x": ("N", N, N)}, [end]), path := tmp_path / "m.onnx")
        if is_refused:
            with pytest.raises(UnsupportedQuantizerError, match="a scale of 16 bits"):
                frontends.load(path)
        else:
            frontends.load(path)


@pytest.mark.parametrize("size", [1 << 32, 1 << 40, 1 << 62])
def test_a_tensor_without_an_end_is_refused_before_memory_is_used(tmp_path: Path, size: int) -> None:
    graph = Graph.empty()
    end = graph.add("Expand", "x", graph.store([1, size], np.int64))
    onnx.save(graph.model({"x": (1, 1)}, [end]), path := tmp_path / "m.onnx")
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    assert isinstance(caught.value, TooLargeError), caught.value
