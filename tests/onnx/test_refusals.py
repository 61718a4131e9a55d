"""ONNX files that are broken, hostile or beyond hardware: one error that names the node, before memory is used."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import fpgacnn
from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError
from tests.onnx.kit import QONNX, Graph, grid

IMAGE, VECTOR = (1, 3, 6, 5), (1, 10)


def refusal(path: Path) -> FpgacnnError:
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    return caught.value


def written(folder: Path, content: bytes) -> Path:
    (path := folder / "m.onnx").write_bytes(content)
    return path


def small() -> Any:
    graph = Graph.empty()
    return graph.model({"x": VECTOR}, [graph.add("Gemm", "x", graph.store(grid(1, 10, 3)))])


def built(folder: Path, build: Callable[[Graph], str], shape: tuple[Any, ...], opset: int = 17) -> FpgacnnError:
    graph = Graph.empty()
    return refusal(written(folder, graph.model({"x": shape}, [build(graph)], opset).SerializeToString()))


REFUSED: dict[str, tuple[Callable[[Graph], str], tuple[Any, ...], str, str]] = {
    "unknown operator": (
        lambda graph: graph.add("Cos", "x"),
        VECTOR,
        "FC020",
        "layer 'Cos_0' is a Cos, which cannot be converted",
    ),
    "unknown domain": (
        lambda graph: graph.add("Magic", "x", domain="evil.ops"),
        VECTOR,
        "FC020",
        "is a evil.ops.Magic",
    ),
    "recurrent": (
        lambda graph: graph.add("LSTM", "x", "x", "x"),
        (1, 3, 4),
        "FC020",
        "recurrent networks are not supported",
    ),
    "three axes of space": (
        lambda graph: graph.add("MaxPool", "x", kernel_shape=[2, 2, 2]),
        (1, 2, 4, 4, 4),
        "FC021",
        "3 axes of space",
    ),
    "dilated pooling": (
        lambda graph: graph.add("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2]),
        IMAGE,
        "FC021",
        "pooling with dilation",
    ),
    "linear upsampling": (
        lambda graph: graph.add("Resize", "x", "", graph.store([1, 1, 2, 2]), mode="linear"),
        IMAGE,
        "FC021",
        "mode 'linear'",
    ),
    "uneven repetition": (
        lambda graph: graph.add(
            "Resize", "x", "", graph.store([1, 1, 3, 3]), mode="nearest", coordinate_transformation_mode="asymmetric"
        ),
        IMAGE,
        "FC021",
        "not repeated evenly",
    ),
    "half a cell": (
        lambda graph: graph.add("Resize", "x", "", graph.store([1, 1, 1.5, 2]), mode="nearest"),
        IMAGE,
        "FC021",
        "not whole numbers",
    ),
    "padding with ones": (
        lambda graph: graph.add("Pad", "x", graph.store([0, 0, 1, 1, 0, 0, 1, 1], np.int64), graph.store(1.0)),
        IMAGE,
        "FC021",
        "zeros",
    ),
    "cells taken off by padding": (
        lambda graph: graph.add("Pad", "x", graph.store([0, 0, -1, 0, 0, 0, 0, 0], np.int64)),
        IMAGE,
        "FC021",
        "are negative",
    ),
    "a product of tensors": (lambda graph: graph.add("MatMul", "x", "x"), (1, 4, 4), "FC021", "two computed tensors"),
    "a quotient of tensors": (lambda graph: graph.add("Div", "x", "x"), VECTOR, "FC021", "division by a tensor"),
    "a cast to text": (
        lambda graph: graph.add("Cast", "x", to=TensorProto.STRING),
        VECTOR,
        "FC021",
        "a cast to element type 8",
    ),
    "whole numbers at the end, with a scale for each channel": (
        lambda graph: graph.add(
            "QuantizeLinear", "x", graph.store(np.linspace(0.1, 1.0, 10)), graph.store(np.zeros(10), np.int8), axis=1
        ),
        VECTOR,
        "FC021",
        "ends in whole numbers",
    ),
    "whole numbers of different scales, joined": (
        lambda graph: graph.add(
            "Concat",
            graph.add("QuantizeLinear", "x", graph.store(0.1), graph.store(0, np.int8)),
            graph.add("QuantizeLinear", "x", graph.store(0.2), graph.store(0, np.int8)),
            axis=1,
        ),
        VECTOR,
        "FC021",
        "whole numbers between",
    ),
    "another zero point": (
        lambda graph: graph.add(
            "DequantizeLinear",
            graph.add("QuantizeLinear", "x", graph.store(0.1), graph.store(0, np.int8)),
            graph.store(0.1),
            graph.store(1, np.int8),
        ),
        VECTOR,
        "FC022",
        "is not that of the QuantizeLinear",
    ),
    "arithmetic on whole numbers": (
        lambda graph: graph.add("Relu", graph.add("QuantizeLinear", "x", graph.store(0.1), graph.store(0, np.int8))),
        VECTOR,
        "FC021",
        "whole numbers between",
    ),
    "rounding away from zero": (
        lambda graph: graph.quant("x", 0.5, 4, rounding_mode="UP"),
        VECTOR,
        "FC022",
        "rounding_mode UP",
    ),
    "half a bit": (lambda graph: graph.quant("x", 0.5, 3.5), VECTOR, "FC022", "whole number from 1 to 32"),
    "too many bits": (lambda graph: graph.quant("x", 0.5, 40), VECTOR, "FC022", "whole number from 1 to 32"),
    "a scale of 0": (lambda graph: graph.quant("x", 0.0, 4), VECTOR, "FC022", "scale is not positive"),
    "a scale that is not finite": (
        lambda graph: graph.quant("x", np.nan, 4),
        VECTOR,
        "FC017",
        "1 of 1 values of scale are NaN or infinite in float32",
    ),
    "an odd zero point": (
        lambda graph: graph.quant("x", 0.5, 4, zero=1.0),
        VECTOR,
        "FC022",
        "would change the rounding of ties",
    ),
    "a computed scale": (
        lambda graph: graph.add("Quant", "x", graph.add("Relu", "x"), graph.store(0.0), graph.store(4.0), domain=QONNX),
        VECTOR,
        "FC021",
        "its scale is computed by the network",
    ),
    "weights that are not finite": (
        lambda graph: graph.add("MatMul", "x", graph.store(np.full((10, 2), np.inf))),
        VECTOR,
        "FC017",
        "20 of 20 values of weights",
    ),
    "weights that do not fit": (
        lambda graph: graph.add("MatMul", "x", graph.store(grid(1, 9, 2))),
        VECTOR,
        "FC025",
        "cannot be multiplied by weights",
    ),
    "kernels that do not fit": (
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 2, 4, 3, 3))),
        IMAGE,
        "FC025",
        "do not fit 3 channels",
    ),
    "a window that does not fit": (
        lambda graph: graph.add("Conv", "x", graph.store(grid(1, 2, 3, 9, 9))),
        IMAGE,
        "FC025",
        "does not fit the input of 6x5",
    ),
    "a reshape that does not fit": (
        lambda graph: graph.add("Reshape", "x", graph.store([1, 7], np.int64)),
        VECTOR,
        "FC025",
        "cannot become (1, 7)",
    ),
    "an axis that is not there": (lambda graph: graph.add("Softmax", "x", axis=5), VECTOR, "FC015", "axis 5 of 2 axes"),
    "an attribute of another kind": (
        lambda graph: graph.add("LeakyRelu", "x", alpha="much"),
        VECTOR,
        "FC015",
        "alpha: expected a number",
    ),
    "a sum of nothing": (lambda graph: graph.add("Sum"), IMAGE, "FC015", "it has no inputs"),
    "nothing joined": (lambda graph: graph.add("Concat", axis=1), IMAGE, "FC015", "input 0 is missing"),
    "a gathering of constants without indices": (
        lambda graph: graph.add("Add", "x", graph.add("Gather", graph.store([1.0]))),
        IMAGE,
        "FC015",
        "input 1 is missing",
    ),
    "an attribute that is missing": (
        lambda graph: graph.add("MaxPool", "x"),
        IMAGE,
        "FC015",
        "kernel_shape: expected 2 whole numbers",
    ),
    "an order that is none": (
        lambda graph: graph.add("Transpose", "x", perm=[0, 0]),
        VECTOR,
        "FC015",
        "is no order of 2 axes",
    ),
    "training": (
        lambda graph: graph.add(
            "BatchNormalization", "x", *(graph.store(np.ones(3)) for _ in range(4)), training_mode=1, outputs=3
        ),
        IMAGE,
        "FC021",
        "normalizes by the batch",
    ),
    "a negative variance": (
        lambda graph: graph.add("BatchNormalization", "x", *(graph.store(one * np.ones(3)) for one in (1, 1, 1, -1))),
        IMAGE,
        "FC021",
        "a variance is negative",
    ),
    "an open size": (
        lambda graph: graph.add("Relu", "x"),
        (1, "width"),
        "FC024",
        "only the first, that of events, may be open",
    ),
    "a large image": (
        lambda graph: graph.add("Resize", "x", "", graph.store([1, 1, 4000, 4000]), mode="nearest"),
        IMAGE,
        "FC014",
        "values an event",
    ),
    "repeated constants": (
        lambda graph: graph.add(
            "Add", "x", graph.add("Expand", graph.store(1.0), graph.store([1 << 20, 1 << 20], np.int64))
        ),
        VECTOR,
        "FC014",
        "1099511627776 numbers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_hardware_is_refused_by_name(tmp_path: Path, name: str) -> None:
    build, shape, code, words = REFUSED[name]
    error = built(tmp_path, build, shape)
    assert (error.code, words in str(error)) == (code, True), str(error)
    assert error.hint


def test_doubling_constants_end_before_memory_does(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        name = graph.store(np.ones(1024))
        for _ in range(40):
            name = graph.add("Concat", name, name, axis=0)
        return graph.add("Add", "x", name)

    assert built(tmp_path, build, VECTOR).code == "FC014"


def test_data_outside_the_file_are_never_read(tmp_path: Path) -> None:
    model = small()
    stored = model.graph.initializer[0]
    stored.ClearField("raw_data")
    stored.data_location = TensorProto.EXTERNAL
    stored.external_data.add(key="location", value="../../../etc/passwd")
    error = refusal(written(tmp_path, model.SerializeToString()))
    assert (error.code, "external data is refused" in str(error)) == ("FC013", True)


@pytest.mark.parametrize(
    ("dims", "code"),
    [((1 << 40, 3), "FC014"), ((10, 4), "FC012"), ((-10, 3), "FC012"), ((1 << 62, 1 << 62, 1 << 62), "FC014")],
    ids=str,
)
def test_shapes_that_lie_are_found_before_memory_is_used(tmp_path: Path, dims: tuple[int, ...], code: str) -> None:
    model = small()
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    assert refusal(written(tmp_path, model.SerializeToString())).code == code


def test_a_file_of_empty_fields_is_refused(tmp_path: Path) -> None:
    fields = b"\x0a\x00" * ((1 << 22) + 8)
    content = b"\x08\x08" + b"\x3a" + varint(len(fields)) + fields
    error = refusal(written(tmp_path, content))
    assert (error.code, "more than 4194304 fields" in str(error)) == ("FC012", True)


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def test_cycles_and_names_without_a_maker_are_errors_of_the_graph(tmp_path: Path) -> None:
    ports = [helper.make_tensor_value_info("x", 1, VECTOR)], [helper.make_tensor_value_info("y", 1, None)]
    cycle = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    missing = [helper.make_node("Add", ["x", "nobody"], ["y"])]
    twice = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["x"], ["y"])]
    words = {"depends on itself": cycle, "nothing makes 'nobody'": missing, "'y' is made twice": twice}
    for text, nodes in words.items():
        model = helper.make_model(helper.make_graph(nodes, "g", *ports))
        error = refusal(written(tmp_path, model.SerializeToString()))
        assert (error.code, text in str(error)) == ("FC024", True), str(error)


def test_sparse_weights_and_functions_are_refused(tmp_path: Path) -> None:
    model = small()
    model.functions.append(
        helper.make_function(
            "evil", "f", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
        )
    )
    assert refusal(written(tmp_path, model.SerializeToString())).code == "FC021"


def test_another_protocol_buffer_is_no_model(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, b"\x08\x07\x12\x03abc"))
    assert (error.code, "without a network" in str(error)) == ("FC011", True)


def test_one_refusal_keeps_the_rest_in_sight(tmp_path: Path) -> None:
    graph = Graph.empty()
    end = graph.add("Relu", graph.add("Cos", graph.add("Neg", "x")))
    path = written(tmp_path, graph.model({"x": VECTOR}, [end]).SerializeToString())
    reading, refusals = frontends.inspect(path)
    assert [layer.kind for layer in reading.layers] == ["Input", "Neg"]
    assert [(one.layer, one.kind) for one in refusals] == [("Cos_1", "Cos")]
    assert reading.unresolved == (("Relu_2", "Relu"),)


@given(cut=st.integers(0, 400), place=st.integers(0, 400), byte=st.integers(0, 255))
def test_damaged_files_are_errors_or_networks(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, byte: int
) -> None:
    content = bytearray(small().SerializeToString())
    content[place % len(content)] = byte
    path = written(tmp_path_factory.getbasetemp(), bytes(content[: len(content) - cut % 40]))
    try:
        frontends.load(path)
    except FpgacnnError as error:
        assert str(error).isprintable()
        assert error.hint


def test_a_float_that_has_not_four_bytes_is_damage(tmp_path: Path) -> None:
    model = small()
    model.graph.node[0].attribute.append(helper.make_attribute("alpha", 0.5))
    content = model.SerializeToString()
    broken = content.replace(b"\x15" + struct.pack("<f", 0.5), b"\x12\x03abc")
    assert broken != content
    assert refusal(written(tmp_path, broken)).code == "FC012"


def test_names_that_hide_something_are_shown_as_text(tmp_path: Path) -> None:
    node = helper.make_node("Cos", ["x"], ["y"], name="a\n\x1b[31m")
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", 1, VECTOR)], [helper.make_tensor_value_info("y", 1, None)]
    )
    error = refusal(written(tmp_path, helper.make_model(graph).SerializeToString()))
    assert "\\n\\x1b[31m" in str(error)


def test_numbers_in_floats_and_integers_are_read_as_in_the_reference(tmp_path: Path) -> None:
    for array in (np.float32([1.5, -2.0]), np.int32([-3, 4]), np.float64([0.1])):
        model = helper.make_model(
            helper.make_graph(
                [], "g", [], [helper.make_tensor_value_info("y", 1, None)], [numpy_helper.from_array(array, "y")]
            )
        )
        onnx.save(model, path := tmp_path / "c.onnx")
        assert "output 'y' is constant" in str(refusal(path))


def test_a_framework_that_the_file_does_not_belong_to_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, small().SerializeToString())
    with pytest.raises(FpgacnnError) as caught:
        fpgacnn.convert(path, output=tmp_path / "p", reference="keras")
    assert (caught.value.code, "--reference keras cannot run a network of onnxruntime" in str(caught.value)) == (
        "FC200",
        True,
    )
    assert "leave out --reference" in caught.value.hint
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("given", [("x",), ("x", "x", "x"), ("x", "x", "c"), ("x", "c", "c")], ids=" ".join)
def test_operators_of_two_inputs_take_two(tmp_path: Path, kind: str, given: tuple[str, ...]) -> None:
    graph = Graph.empty()
    constant = graph.store(grid(1, 4))
    end = graph.add(kind, *(constant if one == "c" else one for one in given))
    onnx.save(graph.model({"x": (1, 4)}, [end]), tmp_path / "m.onnx")
    with pytest.raises(FpgacnnError, match=rf"it has {len(given)} inputs, and {kind} takes 2"):
        frontends.load(tmp_path / "m.onnx")
