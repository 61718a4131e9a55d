"""Operators with inputs, attributes and shapes that hardware or ONNX does not have: one error that names the node."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError
from tests.onnx.kit import QONNX, Graph, grid

IMAGE, VECTOR, MATRIX = (1, 3, 6, 5), (1, 10), (1, 4, 3)


class Case(NamedTuple):
    """A graph of one input, the code of its refusal, and words that it has."""

    build: Callable[[Graph], str]
    shape: tuple[Any, ...]
    code: str
    words: str
    opset: int = 17


def whole(graph: Graph, kind: int = TensorProto.INT8) -> str:
    """The input cast to whole numbers."""
    return graph.add("Cast", graph.add("Clip", "x", graph.store(-4.0), graph.store(4.0)), to=kind)


def coded(graph: Graph, scale: float = 0.1) -> str:
    """The input as stored by QuantizeLinear."""
    return graph.add("QuantizeLinear", "x", graph.store(scale), graph.store(0, np.int8))


def zoomed(graph: Graph, sizes: list[int] | None = None, scales: list[float] | None = None, **options: Any) -> str:
    given = ["", graph.store(sizes, np.int64)] if sizes else [graph.store(scales)]
    return graph.add("Resize", "x", "", *given, mode="nearest", **options)


def lines(*arrays: Any) -> Callable[[Graph], str]:
    return lambda graph: graph.add("Sum", "x", *(graph.store(array) for array in arrays))


REFUSED: dict[str, Case] = {
    # --- arithmetic
    "a mean with a constant": Case(
        lambda graph: graph.add("Mean", "x", graph.store(1.0)), VECTOR, "FC021", "a mean with a constant"
    ),
    "constants that do not fit each other": Case(
        lines(np.ones(3), np.ones(4)), VECTOR, "FC025", "its constants do not fit each other"
    ),
    "a constant that fits no axis": Case(
        lambda graph: graph.add("Add", "x", graph.store(np.ones(3))), VECTOR, "FC025", "does not fit a tensor"
    ),
    "a division by zero": Case(
        lambda graph: graph.add("Div", "x", graph.store(np.zeros(10))), VECTOR, "FC021", "or by 0, is not supported"
    ),
    "a reciprocal": Case(
        lambda graph: graph.add("Div", graph.store(1.0), "x"), VECTOR, "FC021", "division by a tensor"
    ),
    "tensors that do not fit each other": Case(
        lambda graph: graph.add("Add", "x", graph.add("Transpose", "x", perm=[0, 2, 1])),
        MATRIX,
        "FC025",
        "tensors of shapes [(1, 4, 3), (1, 3, 4)] do not fit each other",
    ),
    "a choice of constants that do not fit": Case(
        lambda graph: graph.add("Where", graph.store([1, 0, 1], np.bool_), "x", graph.store(np.ones(4))),
        (1, 3),
        "FC025",
        "its inputs do not fit each other",
    ),
    "a choice by the data": Case(
        lambda graph: graph.add("Where", "x", "x", graph.store(0.0)),
        VECTOR,
        "FC021",
        "a condition that the network computes",
    ),
    # --- activations
    "another selu": Case(lambda graph: graph.add("Selu", "x", alpha=2.0), VECTOR, "FC021", "selu with other constants"),
    "another hard sigmoid": Case(
        lambda graph: graph.add("HardSigmoid", "x", beta=0.25), VECTOR, "FC021", "beta=0.25 is not supported"
    ),
    "gelu by tanh": Case(
        lambda graph: graph.add("Gelu", "x", approximate="tanh"), VECTOR, "FC021", "gelu by tanh", opset=20
    ),
    "an empty range": Case(
        lambda graph: graph.add("Clip", "x", graph.store(2.0), graph.store(-1.0)),
        VECTOR,
        "FC021",
        "its limits 2 and -1 leave nothing",
    ),
    "an empty range of codes": Case(
        lambda graph: graph.add("Clip", coded(graph), graph.store(100, np.int8), graph.store(90, np.int8)),
        VECTOR,
        "FC021",
        "leave nothing of the quantizer's",
    ),
    "several limits": Case(
        lambda graph: graph.add("Clip", "x", graph.store(np.zeros(10))), VECTOR, "FC021", "its min has 10 values"
    ),
    "softmax over several axes": Case(
        lambda graph: graph.add("Softmax", "x", axis=1), IMAGE, "FC021", "softmax over several axes", opset=11
    ),
    "softmax over the events": Case(
        lambda graph: graph.add("Softmax", "x", axis=0), ("events", 10), "FC021", "the first axis, that of events", 11
    ),
    "dropout in training": Case(
        lambda graph: graph.add("Dropout", "x", "", graph.store(1, np.bool_)), VECTOR, "FC021", "drops values at random"
    ),
    "a text for a number": Case(
        lambda graph: graph.add("Softmax", "x", axis="last"), VECTOR, "FC015", "axis: expected a whole number"
    ),
    "a number for a text": Case(
        lambda graph: graph.add("Gelu", "x", approximate=1), VECTOR, "FC015", "approximate: expected a text", opset=20
    ),
    # --- products
    "a kernel of another size": Case(
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 2, 3, 3, 3)), kernel_shape=[2, 2]),
        IMAGE,
        "FC015",
        "kernel_shape differs from the weights",
    ),
    "a kernel of another rank": Case(
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 2, 3, 3))),
        IMAGE,
        "FC025",
        "do not fit 2 axes of space",
    ),
    "a bias of another length": Case(
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 2, 3, 3, 3)), graph.store(np.ones(3))),
        IMAGE,
        "FC025",
        "does not fit 2 outputs",
    ),
    "a convolution of a vector": Case(
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 2, 10, 1))), VECTOR, "FC025", "an image is needed"
    ),
    "an unknown kind of padding": Case(
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 2, 3, 3, 3)), auto_pad="FULL"),
        IMAGE,
        "FC015",
        "auto_pad: 'FULL'",
    ),
    "padding as wide as a network": Case(
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 2, 3, 3, 3)), pads=[5000, 0, 0, 0]),
        IMAGE,
        "FC021",
        "are larger than 4096",
    ),
    "a transposed convolution in groups": Case(
        lambda graph: graph.add("ConvTranspose", "x", graph.store(grid(1, 3, 1, 3, 3)), group=3),
        IMAGE,
        "FC021",
        "a transposed convolution in groups",
    ),
    "a transposed kernel of other channels": Case(
        lambda graph: graph.add("ConvTranspose", "x", graph.store(grid(1, 4, 2, 3, 3))),
        IMAGE,
        "FC025",
        "do not fit 3 channels",
    ),
    "a transposed convolution cut to nothing": Case(
        lambda graph: graph.add("ConvTranspose", "x", graph.store(grid(1, 3, 2, 2, 2)), pads=[9, 9, 9, 9]),
        IMAGE,
        "FC025",
        "nothing is left of its result",
    ),
    "a transposed matrix of data": Case(
        lambda graph: graph.add("Gemm", "x", graph.store(grid(1, 1, 3)), transA=1), VECTOR, "FC021", "transA"
    ),
    "a Gemm of an image": Case(
        lambda graph: graph.add("Gemm", "x", graph.store(grid(1, 5, 3))), IMAGE, "FC025", "a matrix is needed"
    ),
    "a factor of quantized weights": Case(
        lambda graph: graph.add("Gemm", "x", graph.quant(graph.store(grid(1, 10, 3)), 0.25, 4.0), alpha=0.5),
        VECTOR,
        "FC021",
        "alpha=0.5 with quantized weights",
    ),
    "weights on the left": Case(
        lambda graph: graph.add("MatMul", graph.store(grid(1, 2, 4)), "x"), MATRIX, "FC021", "weights on the left"
    ),
    "a bias that fits no output": Case(
        lambda graph: graph.add("Gemm", "x", graph.store(grid(1, 10, 3)), graph.store(np.ones(4))),
        VECTOR,
        "FC025",
        "does not fit a product of (1, 3)",
    ),
    # --- normalization
    "a normalization of every place": Case(
        lambda graph: graph.add(
            "BatchNormalization", "x", *(graph.store(np.ones(3)) for _ in range(4)), spatial=0, is_test=1
        ),
        IMAGE,
        "FC021",
        "normalizes every place by itself",
        opset=6,
    ),
    "a normalization without channels": Case(
        lambda graph: graph.add("BatchNormalization", "x", *(graph.store(np.ones(3)) for _ in range(4))),
        (1,),
        "FC025",
        "has no channels",
    ),
    "a normalization of other channels": Case(
        lambda graph: graph.add("BatchNormalization", "x", *(graph.store(np.ones(4)) for _ in range(4))),
        IMAGE,
        "FC025",
        "its constants do not fit 3 channels",
    ),
    # --- images
    "places of maxima": Case(
        lambda graph: graph.add("MaxPool", "x", kernel_shape=[2, 2], outputs=2), IMAGE, "FC021", "the places of maxima"
    ),
    "padding wider than its window": Case(
        lambda graph: graph.add("MaxPool", "x", kernel_shape=[2, 2], pads=[2, 0, 0, 0]),
        IMAGE,
        "FC021",
        "padding as wide as the window",
    ),
    "an average of padding, rounded up": Case(
        lambda graph: graph.add(
            "AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, count_include_pad=1, pads=[1, 1, 0, 0]
        ),
        IMAGE,
        "FC021",
        "an average with ceil_mode",
    ),
    "padding of every axis by repetition": Case(
        lambda graph: zoomed(
            graph, scales=[1, 2, 2, 2], coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        ),
        IMAGE,
        "FC021",
        "only axes of space can be padded, cut or repeated",
    ),
    "padding of an axis twice": Case(
        lambda graph: graph.add("Pad", "x", graph.store([1] * 4, np.int64), "", graph.store([2, -2], np.int64)),
        IMAGE,
        "FC015",
        "name an axis twice",
        opset=18,
    ),
    "padding of too few axes": Case(
        lambda graph: graph.add("Pad", "x", graph.store([1, 1], np.int64)), IMAGE, "FC015", "for 4 axes"
    ),
    "sizes that are fractions": Case(
        lambda graph: graph.add("Pad", "x", graph.store([0, 0, 0.5, 0, 0, 0, 0, 0])),
        IMAGE,
        "FC015",
        "pads: expected a list of whole numbers",
    ),
    "new sizes of some axes": Case(
        lambda graph: zoomed(graph, scales=[2, 2], axes=[2, 3]), IMAGE, "FC021", "sizes for some axes only", opset=18
    ),
    "a size that keeps the ratio": Case(
        lambda graph: zoomed(graph, [1, 3, 12, 10], keep_aspect_ratio_policy="not_larger"),
        IMAGE,
        "FC021",
        "keeps the aspect ratio",
        opset=18,
    ),
    "too few sizes": Case(lambda graph: zoomed(graph, [1, 3, 12]), IMAGE, "FC015", "sizes: 3 for 4 axes"),
    "too few factors": Case(lambda graph: zoomed(graph, scales=[1, 2, 2]), IMAGE, "FC015", "scales: 3 for 4 axes"),
    "repetition by the corners": Case(
        lambda graph: zoomed(graph, scales=[1, 1, 2, 2], coordinate_transformation_mode="align_corners"),
        IMAGE,
        "FC021",
        "not repeated evenly",
    ),
    # --- parts of axes
    "nothing gathered": Case(
        lambda graph: graph.add("Gather", "x", graph.store([], np.int64), axis=1),
        VECTOR,
        "FC021",
        "takes nothing of an axis",
    ),
    "blocks that do not fit": Case(
        lambda graph: graph.add("SpaceToDepth", "x", blocksize=4),
        IMAGE,
        "FC025",
        "an image of 6x5 has no blocks of 4x4",
    ),
    "a long sum": Case(
        lambda graph: graph.add("ReduceSum", "x", graph.store([1, 3], np.int64)),
        (1, 300, 2, 300),
        "FC021",
        "a sum of 90000 elements",
    ),
    "an axis that is longer than 1": Case(
        lambda graph: graph.add("Squeeze", "x", graph.store([1], np.int64)), VECTOR, "FC025", "have not length 1"
    ),
    "an axis made twice": Case(
        lambda graph: graph.add("Unsqueeze", "x", graph.store([1, 1], np.int64)), VECTOR, "FC015", "name an axis twice"
    ),
    "more axes than a tensor has": Case(
        lambda graph: graph.add("Unsqueeze", "x", graph.store(list(range(1, 40)), np.int64)), VECTOR, "FC014", "axes"
    ),
    "an empty axis": Case(
        lambda graph: graph.add("Expand", "x", graph.store([1, 10, 0, 1], np.int64)), (1, 10, 1, 1), "FC025", "is empty"
    ),
    "ends of a slice that are real numbers": Case(
        lambda graph: graph.add("Slice", "x", starts=[0.5], ends=[3.0]),
        VECTOR,
        "FC015",
        "starts: expected whole numbers",
        opset=9,
    ),
    "joined along an axis of other lengths": Case(
        lambda graph: graph.add("Concat", "x", graph.add("Transpose", "x", perm=[0, 2, 1]), axis=1),
        MATRIX,
        "FC025",
        "cannot be concatenated along axis 1",
    ),
    "constants of each element of a large tensor": Case(
        lambda graph: graph.add("Mul", "x", graph.store(grid(1, 1, 20, 30, 30))),
        (1, 20, 30, 30),
        "FC025",
        "constants that differ along several axes",
    ),
    # --- whole numbers
    "a cast to an unknown type of old": Case(
        lambda graph: graph.add("Cast", "x", to="WORD"), VECTOR, "FC015", "'WORD' is no element type", opset=5
    ),
    "a cast to nothing": Case(lambda graph: graph.add("Cast", "x"), VECTOR, "FC015", "expected an element type"),
    "a shift of real numbers": Case(
        lambda graph: graph.add("BitShift", "x", graph.store(1, np.uint8), direction="LEFT"),
        VECTOR,
        "FC015",
        "a shift of element type 1",
    ),
    "a rest with the sign of the dividend": Case(
        lambda graph: graph.add("Mod", whole(graph), graph.store(4, np.int8), fmod=1),
        VECTOR,
        "FC021",
        "with the sign of the dividend",
    ),
    "a constant cast to text": Case(
        lambda graph: graph.add("Add", "x", graph.add("Cast", graph.store(1.0), to=TensorProto.STRING)),
        VECTOR,
        "FC021",
        "a cast to element type 8",
    ),
    "a constant beyond its new type": Case(
        lambda graph: graph.add("Add", "x", graph.add("Cast", graph.store(1e6), to=TensorProto.INT8)),
        VECTOR,
        "FC021",
        "it casts numbers beyond element type 3",
    ),
    # --- quantizers
    "a quantizer without a sign": Case(
        lambda graph: graph.add(
            "Quant", "x", graph.store(0.5), graph.store(0.0), graph.store(4.0), domain=QONNX, signed=1
        ),
        VECTOR,
        "FC015",
        "signed and narrow are not both given",
    ),
    "one bit beside more": Case(
        lambda graph: graph.quant("x", 0.5, [1.0, 4.0] * 5), VECTOR, "FC022", "one bit together with other widths"
    ),
    "a scale for other weights": Case(
        lambda graph: graph.add("MatMul", "x", graph.quant(graph.store(grid(1, 10, 3)), np.ones(4), 4.0)),
        VECTOR,
        "FC025",
        "a scale of (4,) does not fit (10, 3)",
    ),
    "codes quantized once more": Case(
        lambda graph: graph.quant(coded(graph), 0.5, 4.0), VECTOR, "FC021", "it quantizes whole numbers between"
    ),
    "bits cut off beside a zero point": Case(
        lambda graph: graph.add(
            "Trunc", "x", *(graph.store(one) for one in (0.25, 2.0, 8.0, 4.0)), domain=QONNX, rounding_mode="FLOOR"
        ),
        VECTOR,
        "FC022",
        "a zero point, several scales",
    ),
    "scales of blocks": Case(
        lambda graph: graph.add(
            "QuantizeLinear", "x", graph.store(np.ones((1, 5))), graph.store(np.zeros((1, 5)), np.int8), block_size=2
        ),
        VECTOR,
        "FC022",
        "scales for blocks",
        opset=21,
    ),
    "two element types": Case(
        lambda graph: graph.add(
            "QuantizeLinear", "x", graph.store(0.1), graph.store(0, np.int8), output_dtype=TensorProto.UINT8
        ),
        VECTOR,
        "FC022",
        "name different element types",
        opset=21,
    ),
    "a matrix of scales": Case(
        lambda graph: graph.add(
            "DequantizeLinear", coded(graph), graph.store(np.ones((2, 5))), graph.store(np.zeros((2, 5)), np.int8)
        ),
        VECTOR,
        "FC022",
        "a scale of (2, 5) is not supported",
    ),
    "codes that are 64 bits wide": Case(
        lambda graph: graph.add("QuantizeLinear", "x", graph.store(0.1), graph.store(0, np.int64)),
        VECTOR,
        "FC022",
        "element type 7 is not supported",
    ),
    "real numbers to decode": Case(
        lambda graph: graph.add(
            "MatMul", "x", graph.add("DequantizeLinear", graph.store(grid(1, 10, 2)), graph.store(0.5))
        ),
        VECTOR,
        "FC022",
        "stored numbers of element type 1",
    ),
    "a convolution of what nothing stored": Case(
        lambda graph: graph.add(
            "QLinearMatMul",
            "x",
            graph.store(0.1),
            graph.store(0, np.int8),
            graph.store(np.ones((10, 2)), np.int8),
            graph.store(0.1),
            graph.store(0, np.int8),
            graph.store(0.1),
            graph.store(0, np.int8),
        ),
        VECTOR,
        "FC021",
        "was not made by QuantizeLinear with the same scale",
    ),
    "limits of codes that are read twice": Case(
        lambda graph: graph.add(
            "Concat",
            graph.add("Clip", first := coded(graph), graph.store(-4, np.int8), graph.store(4, np.int8)),
            first,
            axis=1,
        ),
        VECTOR,
        "FC021",
        "something else reads too",
    ),
    # --- constants
    "constants joined along other lengths": Case(
        lambda graph: graph.add(
            "MatMul", "x", graph.add("Concat", graph.store(grid(1, 5, 2)), graph.store(grid(1, 5, 3)), axis=0)
        ),
        VECTOR,
        "FC025",
        "its constants do not fit each other",
    ),
    "constants divided by zero": Case(
        lambda graph: graph.add(
            "Reshape", "x", graph.add("Div", graph.store([10], np.int64), graph.store([0], np.int64))
        ),
        VECTOR,
        "FC025",
        "it divides by zero",
    ),
    "a negative number of constants": Case(
        lambda graph: graph.add("Add", "x", graph.add("ConstantOfShape", graph.store([-3], np.int64))),
        VECTOR,
        "FC015",
        "shape (-3,)",
    ),
    "a value that is no array": Case(
        lambda graph: graph.add("Add", "x", graph.add("ConstantOfShape", graph.store([3], np.int64), value=3)),
        VECTOR,
        "FC015",
        "value: expected an array",
    ),
    "a constant text": Case(
        lambda graph: graph.add("Add", "x", graph.add("Constant", value_string="one")),
        VECTOR,
        "FC021",
        "a constant of this kind",
    ),
    "an operator of constants that nothing computes": Case(
        lambda graph: graph.add("Add", "x", graph.add("Sin", graph.store(1.0))), VECTOR, "FC020", "Sin of constants"
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_operator_that_cannot_be_hardware_is_refused_by_name(tmp_path: Path, name: str) -> None:
    case, graph = REFUSED[name], Graph.empty()
    model = graph.model({"x": case.shape}, [case.build(graph)], case.opset)
    (path := tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    assert (caught.value.code, case.words in str(caught.value)) == (case.code, True), str(caught.value)
    assert any(re.search(rf"\b{node.name}\b", str(caught.value)) for node in model.graph.node), str(caught.value)
    assert caught.value.hint


def test_an_array_of_texts_is_refused_by_its_name(tmp_path: Path) -> None:
    graph = Graph.empty()
    model = graph.model({"x": VECTOR}, [graph.add("Add", "x", "words")])
    model.graph.initializer.append(helper.make_tensor("words", TensorProto.STRING, [1], [b"one"]))
    onnx.save(model, path := tmp_path / "m.onnx")
    with pytest.raises(FpgacnnError, match="an array of element type 8 is not supported"):
        frontends.load(path)


def test_an_input_without_a_shape_is_refused_by_its_name(tmp_path: Path) -> None:
    graph = Graph.empty()
    model = graph.model({"x": VECTOR}, [graph.add("Relu", "x")])
    model.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(model, path := tmp_path / "m.onnx")
    with pytest.raises(FpgacnnError, match="input 'x' has no shape, or is no tensor"):
        frontends.load(path)
