"""Whole numbers: roundings, casts, integer division and shifts answer as the reference, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import fpgacnn
from fpgacnn import frontends
from fpgacnn.design import IoType
from fpgacnn.errors import FpgacnnError, UnsupportedOptionError
from fpgacnn.ir.fixed_point import parse_format
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim.source_reference import evaluate
from tests.onnx.kit import QONNX, Graph, agree, answers, grid

IMAGE, VECTOR = (1, 3, 6, 5), (1, 10)


def check(
    folder: Path,
    build: Callable[[Graph], str],
    shape: tuple[Any, ...] = IMAGE,
    *,
    opset: int = 17,
    form: str = "fixed<8,4>",
) -> None:
    graph = Graph.empty()
    agree(answers(graph.model({"x": shape}, [build(graph)], opset), folder, form=form))


def written(
    folder: Path,
    build: Callable[[Graph], str],
    shape: tuple[Any, ...] = VECTOR,
    opset: int = 17,
    *,
    kind: int = TensorProto.FLOAT,
) -> Path:
    graph = Graph.empty()
    model = graph.model({"x": shape}, [build(graph)], opset)
    model.graph.input[0].type.tensor_type.elem_type = kind
    onnx.save(model, path := folder / "m.onnx")
    return path


def real(graph: Graph, whole: str) -> str:
    return graph.add("Cast", whole, to=TensorProto.FLOAT)


@pytest.mark.parametrize("kind", ["Floor", "Ceil", "Round", "Sign", "Abs"])
@pytest.mark.parametrize("shape", [IMAGE, VECTOR], ids=["image", "vector"])
def test_steps_answer_as_the_reference(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    check(tmp_path, lambda graph: graph.add(kind, "x"), shape)


@pytest.mark.parametrize("to", [TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64])
def test_a_cast_to_whole_numbers_cuts_towards_zero(tmp_path: Path, to: int) -> None:
    check(tmp_path, lambda graph: real(graph, graph.add("Cast", "x", to=to)))


@pytest.mark.parametrize("to", [TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32])
def test_a_cast_to_unsigned_numbers_behind_a_limit(tmp_path: Path, to: int) -> None:
    check(tmp_path, lambda graph: real(graph, graph.add("Cast", graph.add("Relu", "x"), to=to)))


DIVISORS: dict[str, Any] = {
    "one": 4,
    "negative": -8,
    "each channel": [[[2]], [[-4]], [[16]]],
    "each place of a row": [1, 2, 4, 8, -2],
    "one by itself": 1,
}


@pytest.mark.parametrize("name", DIVISORS)
@pytest.mark.parametrize("to", [TensorProto.INT32, TensorProto.INT64])
def test_whole_numbers_are_divided_towards_zero(tmp_path: Path, name: str, to: int) -> None:
    kind = helper.tensor_dtype_to_np_dtype(to)

    def build(graph: Graph) -> str:
        return real(graph, graph.add("Div", graph.add("Cast", "x", to=to), graph.store(DIVISORS[name], kind)))

    check(tmp_path, build, form="fixed<10,9>")


@pytest.mark.parametrize("divisor", [2.0, -0.5, [[[4.0]], [[0.25]], [[-1.0]]]], ids=["one", "negative", "each channel"])
@pytest.mark.parametrize("kind", ["Floor", "Ceil", "Round"])
def test_real_quotients_are_rounded_as_the_operator_says(tmp_path: Path, kind: str, divisor: Any) -> None:
    check(tmp_path, lambda graph: graph.add(kind, graph.add("Div", "x", graph.store(divisor))))


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts_of_unsigned_numbers(tmp_path: Path, direction: str) -> None:
    def build(graph: Graph) -> str:
        whole = graph.add("Cast", graph.add("Relu", "x"), to=TensorProto.UINT32)
        return real(
            graph, graph.add("BitShift", whole, graph.store([[[0]], [[1]], [[3]]], np.uint32), direction=direction)
        )

    check(tmp_path, build)


@pytest.mark.parametrize("divisor", [1, 2, 16])
def test_the_rest_of_a_power_of_two_is_never_negative(tmp_path: Path, divisor: int) -> None:
    def build(graph: Graph) -> str:
        return real(
            graph, graph.add("Mod", graph.add("Cast", "x", to=TensorProto.INT32), graph.store(divisor, np.int32))
        )

    check(tmp_path, build)


def test_arithmetic_on_whole_numbers_keeps_long_constants(tmp_path: Path) -> None:
    """`2^24 + 1` is no float32, and yet a whole number of the file."""
    path = written(
        tmp_path,
        lambda graph: graph.add(
            "Sub",
            graph.add("Add", graph.add("Cast", "x", to=TensorProto.INT64), graph.store(16777217, np.int64)),
            graph.store(5, np.int64),
        ),
    )
    network = frontends.load(path)
    events = np.arange(40.0).reshape(4, 10)
    assert np.array_equal(evaluate(network, [events], quantized=True)[network.outputs[0]], events + 16777212)


REFUSED: dict[str, tuple[Callable[[Graph], str], str]] = {
    "a divisor that is no power of two": (
        lambda graph: graph.add("Div", graph.add("Cast", "x", to=TensorProto.INT32), graph.store(3, np.int32)),
        "other than powers of two",
    ),
    "a rounded quotient": (
        lambda graph: graph.add("Floor", graph.add("Div", "x", graph.store(3.0))),
        "divisor is no power of two",
    ),
    "a cast of a quotient": (
        lambda graph: graph.add(
            "Cast", graph.add("Relu", graph.add("Div", "x", graph.store(3.0))), to=TensorProto.INT64
        ),
        "divisor is no power of two",
    ),
    "a cast to truth values": (lambda graph: graph.add("Cast", "x", to=TensorProto.BOOL), "a cast to element type 9"),
    "a mean of whole numbers": (
        lambda graph: graph.add("ReduceMean", graph.add("Cast", "x", to=TensorProto.INT32), axes=[1]),
        "a mean of whole numbers",
    ),
    "a factor of many bits": (
        lambda graph: graph.add("Mul", graph.add("Cast", "x", to=TensorProto.INT64), graph.store(16777217, np.int64)),
        "more than 24 bits",
    ),
    "a limit of many bits": (
        lambda graph: graph.add("Min", graph.add("Cast", "x", to=TensorProto.INT64), graph.store(16777217, np.int64)),
        "more than 24 bits",
    ),
    "a rest of three": (
        lambda graph: graph.add("Mod", graph.add("Cast", "x", to=TensorProto.INT32), graph.store(3, np.int32)),
        "positive power of two",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_float32_or_hardware_cannot_decide_is_refused(tmp_path: Path, name: str) -> None:
    build, words = REFUSED[name]
    with pytest.raises(UnsupportedOptionError) as caught:
        frontends.load(written(tmp_path, build))
    assert words in str(caught.value)


BEYOND: dict[str, tuple[Callable[[Graph], str], int]] = {
    "a cast": (lambda graph: real(graph, graph.add("Cast", "x", to=TensorProto.INT8)), TensorProto.FLOAT),
    "a cast below zero": (lambda graph: real(graph, graph.add("Cast", "x", to=TensorProto.UINT64)), TensorProto.FLOAT),
    "a sum": (lambda graph: real(graph, graph.add("Add", "x", graph.store(127, np.int8))), TensorProto.INT8),
    "a narrower type": (lambda graph: real(graph, graph.add("Cast", "x", to=TensorProto.INT8)), TensorProto.INT32),
}


@pytest.mark.parametrize("name", BEYOND)
def test_values_that_may_leave_their_element_type_are_refused_by_the_plan(tmp_path: Path, name: str) -> None:
    build, kind = BEYOND[name]
    network = frontends.load(written(tmp_path, build, kind=kind))
    legalize(quantize(network, inputs=[parse_format("ufixed<1,0>" if name == "a sum" else "ufixed<4,4>")]))
    with pytest.raises(UnsupportedOptionError) as caught:
        legalize(quantize(network, inputs=[parse_format("fixed<10,10>")]))
    assert "beyond" in str(caught.value)
    assert "Clip" in caught.value.hint


def test_whole_inputs_keep_their_type(tmp_path: Path) -> None:
    path = written(
        tmp_path, lambda graph: real(graph, graph.add("Div", "x", graph.store(2, np.int32))), kind=TensorProto.INT32
    )
    network = frontends.load(path)
    events = np.random.default_rng(1).integers(-99, 99, (5, 10))
    (wanted,) = onnxruntime.InferenceSession(path.as_posix()).run(None, {"x": events[:1].astype(np.int32)})
    assert np.array_equal(
        evaluate(network, [events.astype(np.float64)], quantized=True)[network.outputs[0]][:1], wanted
    )


@pytest.mark.parametrize("bad", [TensorProto.STRING, TensorProto.COMPLEX64])
def test_inputs_that_are_no_numbers_are_refused(tmp_path: Path, bad: int) -> None:
    with pytest.raises(FpgacnnError, match="holds no numbers"):
        frontends.load(written(tmp_path, lambda graph: graph.add("Relu", "x"), kind=bad))


# --- networks of whole numbers, as NEMO, DORY and QuantLab export them
# --------------------------------------------------


def requantized(graph: Graph, sums: str, shift: int, *, style: str) -> str:
    """A scale and an offset of whole numbers, a shift to the right, and the limits of eight bits."""
    channels = 4
    random = np.random.default_rng(3)
    scaled = graph.add("Mul", graph.store(random.integers(100, 200, (1, channels, 1, 1))), sums)
    moved = graph.add("Add", scaled, graph.store(random.integers(-999, 999, (1, channels, 1, 1))))
    if style == "quantlab":
        return graph.add(
            "Clip", graph.add("Floor", graph.add("Div", moved, graph.store(2.0**shift))), min=0.0, max=255.0
        )
    kind = TensorProto.INT64 if style == "nemo" else TensorProto.INT32
    whole = graph.add("Cast", moved, to=kind)
    quotient = graph.add("Div", whole, graph.store([1 << shift], helper.tensor_dtype_to_np_dtype(kind)))
    return graph.add("Clip", graph.add("Cast", quotient, to=TensorProto.FLOAT), min=0.0, max=255.0)


def whole_network(style: str) -> Any:
    graph, random = Graph.empty(), np.random.default_rng(2)
    image = graph.add("Conv", "x", graph.store(random.integers(-8, 8, (4, 1, 3, 3))), kernel_shape=[3, 3])
    image = graph.add("MaxPool", requantized(graph, image, 10, style=style), kernel_shape=[2, 2], strides=[2, 2])
    image = requantized(
        graph, graph.add("Conv", image, graph.store(random.integers(-8, 8, (4, 4, 2, 2)))), 12, style=style
    )
    return graph.model(
        {"x": (1, 1, 8, 8)},
        [
            graph.add(
                "Gemm",
                graph.add("Flatten", image),
                graph.store(random.integers(-8, 8, (16, 3))),
                graph.store(np.zeros(3)),
            )
        ],
        9,
    )


@pytest.mark.parametrize("style", ["nemo", "dory", "quantlab"])
def test_a_network_of_whole_numbers_answers_as_onnxruntime_to_the_bit(tmp_path: Path, style: str) -> None:
    model = whole_network(style)
    agree(answers(model, tmp_path, form="ufixed<8,8>"))
    network = frontends.load(tmp_path / "m.onnx")
    events = np.random.default_rng(4).integers(0, 256, (32, 1, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    wanted = np.concatenate([session.run(None, {"x": events[[one]]})[0] for one in range(32)])
    found = evaluate(network, [events.astype(np.float64)], quantized=True)[network.outputs[0]]
    assert np.array_equal(found, wanted)
    assert np.any(wanted)


@pytest.mark.agree
@pytest.mark.parametrize(("style", "io"), [("nemo", IoType.STREAM), ("quantlab", IoType.PARALLEL)])
def test_a_network_of_whole_numbers_is_proven(tmp_path: Path, style: str, io: IoType) -> None:
    onnx.save(whole_network(style), path := tmp_path / "m.onnx")
    record = fpgacnn.convert(path, output=tmp_path / "project", input_type="ufixed<8,8>", io=str(io), csim_events=16)
    assert record.holds
    assert record.plan.lossless


@pytest.mark.parametrize("name", ["Quant", "IntQuant", "BipolarQuant", "Trunc"])
def test_quantizers_are_read_without_their_domain(tmp_path: Path, name: str) -> None:
    graph = Graph.empty()
    stored = {
        "Quant": (0.25, 0.0, 4.0),
        "IntQuant": (0.25, 0.0, 4.0),
        "BipolarQuant": (0.5,),
        "Trunc": (0.25, 0.0, 8.0, 4.0),
    }[name]
    options = (
        {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        if "IntQuant".endswith(name)
        else {"rounding_mode": "FLOOR"}
        if name == "Trunc"
        else {}
    )
    weights = graph.add("BipolarQuant", graph.store(grid(1, 10, 4)), graph.store(0.5), domain=QONNX)
    end = graph.add(
        name, graph.add("MatMul", "x", weights), *(graph.store(one) for one in stored), domain=QONNX, **options
    )
    model = graph.model({"x": VECTOR}, [end])
    onnx.save(model, tmp_path / "named.onnx")
    for node in model.graph.node:
        node.domain = ""
    onnx.save(model, tmp_path / "unnamed.onnx")
    named, unnamed = (frontends.load(tmp_path / one) for one in ("named.onnx", "unnamed.onnx"))
    events = grid(5, 9, 10, bits=7).astype(np.float64)
    results = [evaluate(one, [events], quantized=True)[one.outputs[0]] for one in (named, unnamed)]
    assert np.array_equal(results[0], results[1])
    assert len(np.unique(results[0])) > 1


@pytest.mark.parametrize("name", ["whole inputs", "a quantizer without its domain"])
def test_the_framework_is_asked_in_its_own_terms(tmp_path: Path, name: str) -> None:
    graph = Graph.empty()
    if name == "whole inputs":
        model = graph.model({"x": VECTOR}, [real(graph, graph.add("Div", "x", graph.store(2, np.int32)))])
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    else:
        model = graph.model({"x": VECTOR}, [graph.add("Relu", graph.quant("x", 0.5, 4, domain=""))])
    onnx.save(model, path := tmp_path / "m.onnx")
    record = fpgacnn.convert(
        path, output=tmp_path / "project", input_type="fixed<8,8>", csim_events=0, reference="onnx"
    )
    (read,) = [report for report in record.verification if report.left == "network as read"]
    assert (read.holds, read.mismatches, read.values > 0) == (True, 0, True)
