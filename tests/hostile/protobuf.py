"""A small ONNX file as a tree of [field, value], so that it can be damaged by structure and written without onnx."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests import files


def varint(number: int) -> bytes:
    number %= 1 << 64
    parts = bytearray()
    while True:
        parts.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(parts)


def encoded(message: Any) -> bytes:
    """The bytes of a message; what is no field after a mutation is left out."""
    found = bytearray()
    for one in message if isinstance(message, list) else []:
        if not (isinstance(one, list) and len(one) == 2 and isinstance(one[0], int | float) and not isinstance(one[0], bool) and abs(one[0]) < 1 << 28):
            continue
        field, value = int(one[0]), one[1]
        if isinstance(value, int):
            found += varint(field << 3) + varint(value)
            continue
        content = _bytes(value)
        found += varint(field << 3 | 2) + varint(len(content)) + content
    return bytes(found)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        if value.startswith("hex:"):
            digits = "".join(one for one in value[4:] if one in "0123456789abcdef")
            return bytes.fromhex(digits[: len(digits) // 2 * 2])
        return value.encode("utf-8", "replace")
    return encoded(value) if isinstance(value, list) else repr(value).encode()


def raw(array: np.ndarray) -> str:
    return "hex:" + np.ascontiguousarray(array).tobytes().hex()


def tensor(name: str, array: np.ndarray) -> list[Any]:
    kind = 7 if array.dtype == np.int64 else 1
    return [*([1, size] for size in array.shape), [2, kind], [8, name], [9, raw(array if kind == 7 else array.astype("<f4"))]]


def node(kind: str, inputs: list[str], output: str, *attributes: list[Any]) -> list[Any]:
    return [*([1, name] for name in inputs), [2, output], [3, output], [4, kind], *([5, one] for one in attributes)]


def integers(name: str, *values: int) -> list[Any]:
    return [[1, name], *([8, value] for value in values), [20, 7]]


def port(name: str, *shape: int) -> list[Any]:
    return [[1, name], [2, [[1, [[1, 1], [2, [[1, [[1, size]]] for size in shape]]]]]]]


def model() -> list[Any]:
    """Convolution, ReLU, pooling, flattening, dense layer."""
    kernel, dense = files.values(2, 1, 3, 3), files.values(3, 2)
    graph = [
        [1, node("Conv", ["x", "k", "b"], "c", integers("kernel_shape", 3, 3), integers("pads", 1, 1, 1, 1), integers("strides", 2, 2))],
        [1, node("Relu", ["c"], "r")],
        [1, node("MaxPool", ["r"], "p", integers("kernel_shape", 2, 2), integers("strides", 2, 2))],
        [1, node("Flatten", ["p"], "f")],
        [1, node("Gemm", ["f", "w", "d"], "y", [[1, "transB"], [3, 1], [20, 2]])],
        [2, "g"],
        [5, tensor("k", kernel)],
        [5, tensor("b", files.values(2))],
        [5, tensor("w", dense)],
        [5, tensor("d", files.values(3))],
        [11, port("x", 1, 1, 4, 4)],
        [12, port("y", 1, 3)],
    ]
    return [[1, 8], [7, graph], [8, [[1, ""], [2, 17]]]]
