"""Small ONNX files as trees of messages for `protobuf.encoded`, with most kinds of supported nodes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.support import files

QONNX = "qonnx.custom_op.general"
KINDS = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}


def raw(array: np.ndarray) -> str:
    return "hex:" + np.ascontiguousarray(array).tobytes().hex()


def tensor(name: str, array: np.ndarray) -> list[Any]:
    stored = array.astype("<f4") if array.dtype.kind == "f" else array
    return [*([1, size] for size in array.shape), [2, KINDS[stored.dtype.name]], [8, name], [9, raw(stored)]]


def node(kind: str, inputs: list[str], output: str, *attributes: list[Any], domain: str = "") -> list[Any]:
    return [
        *([1, name] for name in inputs),
        *([2, output], [3, output], [4, kind]),
        *([5, one] for one in attributes),
        *([[7, domain]] if domain else []),
    ]


def integers(name: str, *values: int) -> list[Any]:
    return [[1, name], *([8, value] for value in values), [20, 7]]


def integer(name: str, value: int) -> list[Any]:
    return [[1, name], [3, value], [20, 2]]


def real(name: str, value: float) -> list[Any]:
    return [[1, name], [2, {"fixed": struct.pack("<f", value).hex()}], [20, 1]]


def word(name: str, value: str) -> list[Any]:
    return [[1, name], [4, value], [20, 3]]


def port(name: str, *shape: int) -> list[Any]:
    return [[1, name], [2, [[1, [[1, 1], [2, [[1, [[1, size]]] for size in shape]]]]]]]


def whole(
    nodes: Sequence[list[Any]],
    arrays: Mapping[str, Any],
    inputs: Mapping[str, Sequence[int]],
    outputs: Mapping[str, Sequence[int]],
    *domains: str,
) -> list[Any]:
    """A file of nodes and arrays."""
    graph = [
        *([1, one] for one in nodes),
        [2, "g"],
        *([5, tensor(name, np.asarray(array))] for name, array in arrays.items()),
        *([11, port(name, *shape)] for name, shape in inputs.items()),
        *([12, port(name, *shape)] for name, shape in outputs.items()),
    ]
    return [[1, 8], [7, graph], [8, [[1, ""], [2, 17]]], *([8, [[1, name], [2, 1]]] for name in domains)]


def model() -> list[Any]:
    """Convolution, ReLU, pooling, flattening, dense layer."""
    nodes = [
        node(
            "Conv",
            ["x", "k", "b"],
            "c",
            integers("kernel_shape", 3, 3),
            integers("pads", 1, 1, 1, 1),
            integers("strides", 2, 2),
        ),
        node("Relu", ["c"], "r"),
        node("MaxPool", ["r"], "p", integers("kernel_shape", 2, 2), integers("strides", 2, 2)),
        node("Flatten", ["p"], "f"),
        node("Gemm", ["f", "w", "d"], "y", integer("transB", 1)),
    ]
    arrays = {"k": files.values(2, 1, 3, 3), "b": files.values(2), "w": files.values(3, 2), "d": files.values(3)}
    return whole(nodes, arrays, {"x": (1, 1, 4, 4)}, {"y": (1, 3)})


def quantized() -> list[Any]:
    """As the converters of QKeras and Brevitas write: quantizers of inputs, weights and activations."""
    options = (integer("signed", 1), integer("narrow", 0), word("rounding_mode", "ROUND"))

    def quant(source: str, output: str, scale: str = "s") -> list[Any]:
        return node("Quant", [source, scale, "zero", "bits"], output, *options, domain=QONNX)

    nodes = [
        quant("x", "qx"),
        quant("k", "qk"),
        node("Conv", ["qx", "qk"], "c", integers("kernel_shape", 2, 2)),
        quant("c", "qc"),
        node("Relu", ["qc"], "r"),
        node("AveragePool", ["r"], "a", integers("kernel_shape", 3, 3)),
        node("Trunc", ["a", "s", "zero", "wide", "bits"], "t", word("rounding_mode", "FLOOR"), domain=QONNX),
        node("Reshape", ["t", "flat"], "f"),
        node("BipolarQuant", ["w", "one"], "qw", domain=QONNX),
        node("MatMul", ["f", "qw"], "m"),
        node("Add", ["m", "d"], "y"),
    ]
    arrays = {
        "k": files.values(2, 1, 2, 2),
        "w": files.values(2, 3),
        "d": files.values(3),
        "s": np.float32(0.125),
        "zero": np.float32(0),
        "bits": np.float32(4),
        "wide": np.float32(8),
        "one": np.float32(1),
        "flat": np.array([1, 2], np.int64),
    }
    return whole(nodes, arrays, {"x": (1, 1, 4, 4)}, {"y": (1, 3)}, QONNX)


def integer_codes() -> list[Any]:
    """As int8 quantizers of PyTorch and onnxruntime write: QuantizeLinear and DequantizeLinear around everything."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], "xq"),
        node("DequantizeLinear", ["xq", "s", "z"], "xd"),
        node("DequantizeLinear", ["k", "t", "n"], "kd", integer("axis", 0)),
        node("DequantizeLinear", ["b", "u"], "bd"),
        node(
            "Conv",
            ["xd", "kd", "bd"],
            "c",
            word("auto_pad", "SAME_UPPER"),
            integers("dilations", 1, 1),
            integer("group", 1),
        ),
        node("QuantizeLinear", ["c", "s", "z"], "cq"),
        node("DequantizeLinear", ["cq", "s", "z"], "cd"),
        node("GlobalAveragePool", ["cd"], "g"),
        node("Squeeze", ["g", "axes"], "f"),
        node("Gemm", ["f", "w", "d"], "y", real("alpha", 0.5), real("beta", 2.0)),
    ]
    arrays = {
        "k": (files.values(2, 1, 3, 3) * 8).astype(np.int8),
        "b": np.array([3, -4], np.int32),
        "s": np.float32(0.0625),
        "t": np.array([0.125, 0.25], np.float32),
        "u": np.float32(0.0078125),
        "z": np.int8(0),
        "n": np.zeros(2, np.int8),
        "w": files.values(2, 3),
        "d": files.values(3),
        "axes": np.array([2, 3], np.int64),
    }
    return whole(nodes, arrays, {"x": (1, 1, 4, 4)}, {"y": (1, 3)})


def shapes() -> list[Any]:
    """Turned, cut, padded, resized and joined; a shape that is computed from shapes."""
    nodes = [
        node("Transpose", ["x"], "t", integers("perm", 0, 3, 1, 2)),
        node("Conv", ["t", "k"], "c", integers("kernel_shape", 3, 3)),
        node("Pad", ["c", "pads"], "p", word("mode", "constant")),
        node(
            "Resize",
            ["p", "", "scales"],
            "u",
            word("mode", "nearest"),
            word("coordinate_transformation_mode", "asymmetric"),
            word("nearest_mode", "floor"),
        ),
        node("Slice", ["u", "from", "to", "over"], "cut"),
        node("Concat", ["cut", "cut"], "j", integer("axis", 1)),
        node("ConvTranspose", ["j", "v"], "w", integers("strides", 2, 2)),
        node("Transpose", ["w"], "back", integers("perm", 0, 2, 3, 1)),
        node("Relu", ["back"], "r"),
        node("Shape", ["r"], "s"),
        node("Gather", ["s", "zero"], "n", integer("axis", 0)),
        node("Unsqueeze", ["n", "first"], "n1"),
        node("Concat", ["n1", "rest"], "flat", integer("axis", 0)),
        node("Reshape", ["r", "flat"], "y"),
    ]
    arrays = {
        "k": files.values(2, 1, 3, 3),
        "v": files.values(4, 1, 2, 2),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "from": np.array([1, 1], np.int64),
        "to": np.array([5, 5], np.int64),
        "over": np.array([2, 3], np.int64),
        "zero": np.array(0, np.int64),
        "first": np.array([0], np.int64),
        "rest": np.array([-1], np.int64),
    }
    return whole(nodes, arrays, {"x": (1, 4, 4, 1)}, {"y": (1, 64)})


def functions() -> list[Any]:
    """Element by element: functions, slopes, limits, constants and sums; a normalization, a softmax."""
    nodes = [
        node("BatchNormalization", ["x", "gamma", "beta", "mean", "variance"], "n", real("epsilon", 0.001)),
        node("LeakyRelu", ["n"], "l", real("alpha", 0.125)),
        node("PRelu", ["l", "slope"], "p"),
        node("Mul", ["p", "two"], "m"),
        node("Clip", ["m", "low", "high"], "c"),
        node("HardSigmoid", ["c"], "h", real("alpha", 0.25), real("beta", 0.5)),
        node("Sigmoid", ["c"], "s"),
        node("Tanh", ["c"], "t"),
        node("Max", ["h", "s", "t"], "top"),
        node("Sub", ["top", "c"], "d"),
        node("ReduceMean", ["d"], "r", integers("axes", 2, 3), integer("keepdims", 0)),
        node("Softmax", ["r"], "y", integer("axis", 1)),
    ]
    arrays = {
        "gamma": np.array([1.0, 0.5], np.float32),
        "beta": np.array([0.25, -1.0], np.float32),
        "mean": np.array([0.5, 0.0], np.float32),
        "variance": np.array([1.0, 2.0], np.float32),
        "slope": np.full((2, 1, 1), 0.25, np.float32),
        "two": np.float32(2),
        "low": np.float32(-1),
        "high": np.float32(1),
    }
    return whole(nodes, arrays, {"x": (1, 2, 3, 3)}, {"y": (1, 2)})


MODELS = (model, quantized, integer_codes, shapes, functions)
