"""Quantizers of QONNX and ONNX against qonnx' own functions and the reference of the package onnx."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from qonnx.custom_op.general.intquant import int_quant

import fpgacnn
from fpgacnn import frontends
from fpgacnn.frontends.onnx.protobuf.arrays import to_array
from fpgacnn.frontends.onnx.protobuf.schema import parse_model
from fpgacnn.ir import source as src
from fpgacnn.sim.source_reference import evaluate
from tests.onnx.kit import QONNX, Answers, Graph, agree, answers, floats, grid

VECTOR, IMAGE = (1, 10), (1, 3, 6, 5)
MODES = ["ROUND", "HALF_EVEN", "FLOOR", "CEIL", "DOWN", "HALF_UP", "HALF_DOWN"]


def check(
    folder: Path,
    build: Callable[[Graph], str],
    shape: tuple[int, ...],
    *,
    exact: bool = True,
    tolerance: float = 0.0,
    opset: int = 17,
) -> Answers:
    graph = Graph.empty()
    found = answers(graph.model({"x": shape}, [build(graph)], opset), folder)
    agree(found, exact=exact, tolerance=tolerance)
    return found


@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("mode", MODES)
def test_an_activation_quantizer_answers_as_qonnx(tmp_path: Path, mode: str, signed: int, narrow: int) -> None:
    check(tmp_path, lambda graph: graph.quant("x", 0.25, 4, signed=signed, narrow=narrow, rounding_mode=mode), IMAGE)


@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "HALF_UP"])
def test_a_scale_that_is_no_power_of_two(tmp_path: Path, mode: str, signed: int, narrow: int) -> None:
    check(
        tmp_path,
        lambda graph: graph.quant("x", 0.293, 4, signed=signed, narrow=narrow, rounding_mode=mode),
        IMAGE,
        exact=mode == "ROUND",
        tolerance=1e-6,
    )


@pytest.mark.parametrize("bits", [2, 3, 8, 12])
@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (3, 1, 1), (5,)], ids=str)
def test_a_scale_for_each_channel(tmp_path: Path, bits: int, shape: tuple[int, ...]) -> None:
    scale = np.abs(floats(1, *shape)) + 0.05
    check(tmp_path, lambda graph: graph.quant("x", scale, bits), IMAGE, tolerance=1e-5)


def test_scales_of_powers_of_two_for_each_channel(tmp_path: Path) -> None:
    scale = np.exp2(np.array([-1.0, -3.0, 0.0])).reshape(1, 3, 1, 1)
    found = check(tmp_path, lambda graph: graph.quant("x", scale, 4), IMAGE)
    assert found.design.plan.is_exact


def test_a_bit_width_for_each_channel(tmp_path: Path) -> None:
    """Qonnx itself compares the width with 1, so it is asked channel by channel."""
    scales, bits = np.float32([0.5, 0.125, 0.0937]), np.float32([4, 3, 5])
    graph = Graph.empty()
    end = graph.quant("x", scales.reshape(1, 3, 1, 1), bits.reshape(1, 3, 1, 1))
    onnx.save(graph.model({"x": IMAGE}, [end]), path := tmp_path / "m.onnx")
    x = grid(1, 8, *IMAGE[1:], bits=7)
    found = evaluate(frontends.load(path), [x.astype(np.float64)], quantized=True)
    found = found["t0/output"]
    wanted = [int_quant(x[:, [one]], scales[one], np.float32(0), bits[one], 1, 0, "ROUND") for one in range(3)]
    np.testing.assert_allclose(found, np.concatenate(wanted, axis=1), rtol=1e-6)


@pytest.mark.parametrize("zero", [2.0, -4.0])
def test_even_zero_points_move_the_range(tmp_path: Path, zero: float) -> None:
    check(tmp_path, lambda graph: graph.quant("x", 0.25, 4, zero=zero), VECTOR)


def test_odd_zero_points_are_exact_where_nothing_rounds_to_even(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.quant("x", 0.25, 4, zero=3.0, rounding_mode="FLOOR"), VECTOR)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.293])
def test_bipolar_activations_are_signs(tmp_path: Path, scale: float) -> None:
    def build(graph: Graph) -> str:
        dense = graph.add("MatMul", "x", graph.store(grid(1, 10, 6)))
        return graph.add(
            "BipolarQuant", graph.add("Add", dense, graph.store(grid(2, 6))), graph.store(scale), domain=QONNX
        )

    check(tmp_path, build, VECTOR, tolerance=1e-7)


def test_one_signed_bit_is_bipolar(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.quant("x", 0.5, 1), VECTOR)


def test_signs_behind_a_batch_normalization_fall_on_the_right_side(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        weights = graph.add("BipolarQuant", graph.store(floats(1, 10, 40)), graph.store(0.07), domain=QONNX)
        dense = graph.add("MatMul", graph.add("BipolarQuant", "x", graph.store(0.293), domain=QONNX), weights)
        constants = [floats(2, 40), floats(3, 40), floats(4, 40), np.abs(floats(5, 40)) + 0.1]
        normal = graph.add("BatchNormalization", dense, *(graph.store(one) for one in constants))
        signs = graph.add("BipolarQuant", normal, graph.store(1.0), domain=QONNX)
        return graph.add(
            "MatMul", signs, graph.add("BipolarQuant", graph.store(floats(6, 40, 3)), graph.store(1.0), domain=QONNX)
        )

    check(tmp_path, build, VECTOR)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", ["Conv", "depthwise", "MatMul", "Gemm"])
@pytest.mark.parametrize("scale", [0.125, 0.1])
def test_quantized_weights(tmp_path: Path, kind: str, scale: float, *, per_channel: bool) -> None:
    def build(graph: Graph) -> str:
        shape = {"Conv": (4, 3, 3, 3), "depthwise": (3, 1, 3, 3), "MatMul": (10, 4), "Gemm": (10, 4)}[kind]
        axis = 0 if len(shape) == 4 else 1
        wide = [1] * len(shape)
        wide[axis] = shape[axis]
        factor = 1.0 + np.arange(shape[axis]) if scale == 0.1 else np.exp2(np.arange(shape[axis]))
        scales = (scale * factor).reshape(wide) if per_channel else scale
        weights = graph.quant(graph.store(floats(1, *shape)), scales, 4, narrow=1)
        options: dict[str, Any] = {"group": 3} if kind == "depthwise" else {}
        return graph.add("Conv" if len(shape) == 4 else kind, "x", weights, **options)

    found = check(tmp_path, build, IMAGE if kind in {"Conv", "depthwise"} else VECTOR, tolerance=1e-4)
    layer = next(
        layer
        for layer in found.source.layers
        if isinstance(layer.operation, src.Convolution | src.Depthwise | src.Dense)
    )
    assert isinstance(layer.operation, src.Convolution | src.Depthwise | src.Dense)
    assert isinstance(layer.operation.kernel.quantizer, src.Uniform)


def brevitas(
    graph: Graph, *, scales: tuple[float, ...], bits: int = 4, bias: bool = True, normal: bool = False, signed: int = 0
) -> str:
    """A network as Brevitas exports them: quantized input, convolutions, a pool, a dense layer."""
    x = graph.quant("x", scales[0], 8)
    for number, shape in enumerate([(6, 3, 3, 3), (5, 6, 2, 2)]):
        weights = graph.quant(
            graph.store(floats(10 + number, *shape)),
            np.abs(floats(20 + number, shape[0], 1, 1, 1)) * 0.2 + 0.05,
            bits,
            narrow=1,
        )
        offset = [graph.store(floats(30 + number, shape[0]))] if bias else []
        x = graph.add("Conv", x, weights, *offset, pads=[1, 1, 1, 1])
        if normal:
            constants = [
                floats(40, shape[0]),
                floats(41, shape[0]),
                floats(42, shape[0]),
                np.abs(floats(43, shape[0])) + 0.1,
            ]
            x = graph.add("BatchNormalization", x, *(graph.store(one) for one in constants))
        x = graph.quant(x if signed else graph.add("Relu", x), scales[1 + number], bits, signed=signed)
    x = graph.add("Flatten", graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
    weights = graph.quant(graph.store(floats(50, 4, 45)), 0.11, bits, narrow=1)
    return graph.add("Gemm", x, weights, graph.store(floats(51, 4)), transB=1)


@pytest.mark.parametrize("normal", [False, True])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("scales", [(0.0311, 0.2137, 0.1319), (0.03125, 0.25, 0.125)], ids=["any", "powers of two"])
def test_a_network_as_brevitas_exports_it(
    tmp_path: Path, scales: tuple[float, ...], signed: int, *, normal: bool
) -> None:
    graph = Graph.empty()
    found = answers(
        graph.model({"x": (1, 3, 6, 6)}, [brevitas(graph, scales=scales, normal=normal, signed=signed)]), tmp_path
    )
    steps_only(found)


def steps_only(found: Answers) -> None:
    """Float32 may put a sum that lies on a step on the other side, on very few events; all else is equal."""
    hardware, reference, oracle = found.hardware[0], found.reference[0], found.oracle[0]
    error = max(found.design.plan.layers[name].error for name in found.design.model.outputs)
    np.testing.assert_allclose(hardware, reference, rtol=0, atol=error + 1e-9 * np.abs(reference).max())
    wrong = (
        np.abs(reference - oracle.reshape(reference.shape)).reshape(len(reference), -1).max(axis=1)
        > 1e-4 * np.abs(reference).max()
    )
    assert wrong.sum() <= 1
    model = found.design.model
    ends = {model.layer(name).source for name in model.outputs}  # their constants may be short
    assert [loss for node, loss in found.design.plan.losses if model.layer(node).source not in ends] == []


@pytest.mark.parametrize("scale", [0.25, 0.293])
def test_residual_sums_and_concatenations_of_one_scale(tmp_path: Path, scale: float) -> None:
    def build(graph: Graph) -> str:
        x = graph.quant("x", scale, 5)
        weights = graph.quant(graph.store(floats(1, 3, 3, 3, 3)), 0.1037, 4)
        y = graph.quant(graph.add("Conv", x, weights, pads=[1, 1, 1, 1]), scale, 5)
        total = graph.quant(graph.add("Relu", graph.add("Add", x, y)), 1.7 * scale, 4, signed=0)
        joined = graph.add("Concat", total, graph.quant(total, 1.7 * scale, 3, signed=0), axis=1)
        return graph.add("Conv", joined, graph.quant(graph.store(floats(2, 4, 6, 1, 1)), 0.2137, 4))

    graph = Graph.empty()
    steps_only(answers(graph.model({"x": IMAGE}, [build(graph)]), tmp_path))


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "AveragePool", "ReduceMean"])
@pytest.mark.parametrize("scale", [0.25, 0.293])
def test_means_over_nine_cells_keep_their_sums(tmp_path: Path, kind: str, scale: float) -> None:
    def build(graph: Graph) -> str:
        options = {"GlobalAveragePool": {}, "AveragePool": {"kernel_shape": [3, 3]}, "ReduceMean": {"axes": [2, 3]}}[
            kind
        ]
        mean = graph.add(kind, graph.quant("x", scale, 4), **options)
        return graph.quant(mean, 0.17, 5)

    check(tmp_path, build, (1, 4, 3, 3), tolerance=1e-6)


def test_trunc_divides_and_cuts(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        pooled = graph.add("GlobalAveragePool", graph.quant("x", 0.5, 4))
        total = graph.add("Mul", pooled, graph.store(16.0))
        stored = [graph.store(one) for one in (0.5, 0.0, 8.0, 4.0)]
        return graph.add("Trunc", total, *stored, domain=QONNX, rounding_mode="FLOOR")

    check(tmp_path, build, (1, 3, 4, 4))


@pytest.mark.parametrize("scale", [0.5, 0.293])
def test_trunc_of_the_second_form_limits(tmp_path: Path, scale: float) -> None:
    def build(graph: Graph) -> str:
        stored = [graph.store(one) for one in (scale, 0.0, 8.0, 4 * scale, 3.0)]
        return graph.add(
            "Trunc", graph.quant("x", scale, 6), *stored, domain=QONNX, rounding_mode="FLOOR", signed=1, narrow=0
        )

    check(tmp_path, build, VECTOR, tolerance=1e-6)


def pair(graph: Graph, source: str, scale: Any, zero: Any, kind: Any = np.int8, **options: Any) -> str:
    ends = graph.store(scale), graph.store(zero, kind)
    return graph.add("DequantizeLinear", graph.add("QuantizeLinear", source, *ends, **options), *ends, **options)


@pytest.mark.parametrize(
    ("zero", "kind"),
    [(0, np.int8), (5, np.int8), (-128, np.int8), (128, np.uint8), (0, np.uint8), (3, np.uint8), (7, np.int16)],
)
@pytest.mark.parametrize("scale", [0.0625, 0.021])
def test_pairs_of_quantize_and_dequantize(tmp_path: Path, scale: float, zero: int, kind: Any) -> None:
    check(
        tmp_path,
        lambda graph: pair(graph, "x", scale, zero, kind),
        VECTOR,
        tolerance=1e-6,
        opset=21,
        exact=kind is not np.int16,
    )


@pytest.mark.parametrize("channels", [False, True])
def test_a_quantized_convolution_in_qdq_form(tmp_path: Path, *, channels: bool) -> None:
    def build(graph: Graph) -> str:
        x = pair(graph, "x", 0.0311, 12)
        scale = np.abs(floats(1, 4)) * 0.01 + 0.002 if channels else np.float32(0.01)
        stored = graph.store(np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 3)), np.int8)
        options = {"axis": 0} if channels else {}
        zeros = graph.store(np.zeros(4) if channels else 0, np.int8)
        weights = graph.add("DequantizeLinear", stored, graph.store(scale), zeros, **options)
        whole = graph.store(np.random.default_rng(2).integers(-2000, 2000, 4), np.int32)
        bias = graph.add("DequantizeLinear", whole, graph.store(np.float32(0.0311) * scale), **options)
        y = pair(graph, graph.add("Relu", graph.add("Conv", x, weights, bias)), 0.09, -128)
        return graph.add("MaxPool", y, kernel_shape=[2, 2])

    check(tmp_path, build, IMAGE, tolerance=1e-5, opset=21)


def test_pooling_and_reshaping_between_quantize_and_dequantize(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        ends = graph.store(0.0517), graph.store(3, np.int8)
        whole = graph.add("QuantizeLinear", "x", *ends)
        flat = graph.add("Reshape", graph.add("Transpose", whole, perm=[0, 2, 3, 1]), graph.store([1, -1], np.int64))
        return graph.add("DequantizeLinear", flat, *ends)

    check(tmp_path, build, IMAGE, tolerance=1e-6, opset=21)


@pytest.mark.parametrize("zero", [0, 2])
def test_whole_numbers_of_fewer_bits_than_their_type(tmp_path: Path, zero: int) -> None:
    """Brevitas writes four bits as int8 and a Clip."""

    def build(graph: Graph) -> str:
        ends, limits = (
            (graph.store(0.0937), graph.store(zero, np.int8)),
            (graph.store(-8, np.int8), graph.store(7, np.int8)),
        )
        x = graph.add("DequantizeLinear", graph.add("Clip", graph.add("QuantizeLinear", "x", *ends), *limits), *ends)
        whole = graph.add("QuantizeLinear", graph.store(floats(1, 10, 4)), graph.store(0.0531), graph.store(0, np.int8))
        weights = graph.add(
            "DequantizeLinear", graph.add("Clip", whole, *limits), graph.store(0.0531), graph.store(0, np.int8)
        )
        return graph.add("MatMul", x, weights)

    check(tmp_path, build, VECTOR, tolerance=1e-5, opset=21, exact=False)


def test_operators_on_integers(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        x = graph.store(0.0517), graph.store(3, np.uint8)
        y = graph.store(0.1137), graph.store(120, np.uint8)
        weights = (
            graph.store(np.random.default_rng(1).integers(0, 256, (4, 3, 2, 2)), np.uint8),
            graph.store(0.01),
            graph.store(130, np.uint8),
        )
        bias = graph.store(np.random.default_rng(2).integers(-900, 900, 4), np.int32)
        whole = graph.add("QuantizeLinear", "x", *x)
        convolved = graph.add("QLinearConv", whole, *x, *weights, *y, bias)
        return graph.add("DequantizeLinear", convolved, *y)

    check(tmp_path, build, IMAGE, tolerance=0.11 + 1e-6, opset=21)


def test_a_product_of_integers(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        x = graph.store(0.0517), graph.store(3, np.int8)
        y = graph.store(0.1137), graph.store(-20, np.int8)
        weights = (
            graph.store(np.random.default_rng(1).integers(-127, 128, (10, 4)), np.int8),
            graph.store(0.01),
            graph.store(0, np.int8),
        )
        product = graph.add("QLinearMatMul", graph.add("QuantizeLinear", "x", *x), *x, *weights, *y)
        return graph.add("DequantizeLinear", product, *y)

    check(tmp_path, build, VECTOR, tolerance=1e-6, opset=21)


def test_weights_next_to_a_half_step_are_what_float32_makes_of_them(tmp_path: Path) -> None:
    scale = np.float32(0.1)
    halves = (np.arange(-8, 8, dtype=np.float32) + np.float32(0.5)) * scale
    near = np.concatenate([halves, np.nextafter(halves, np.float32(9)), np.nextafter(halves, np.float32(-9))])

    def build(graph: Graph) -> str:
        return graph.add("MatMul", "x", graph.quant(graph.store(near[:40].reshape(10, 4)), scale, 5))

    check(tmp_path, build, VECTOR, tolerance=1e-5)


def test_a_quantized_input_names_the_format_of_the_port(tmp_path: Path) -> None:
    found = check(
        tmp_path, lambda graph: graph.add("MatMul", graph.quant("x", 0.125, 6), graph.store(grid(1, 10, 2))), VECTOR
    )
    assert str(found.design.plan.layers[found.design.model.inputs[0]].result.format) == "fixed<6,3>"
    assert found.design.plan.is_exact


def test_the_domains_of_older_exporters(tmp_path: Path) -> None:
    for domain in ("finn.custom_op.general", "onnx.brevitas"):
        graph = Graph.empty()
        model = graph.model({"x": VECTOR}, [graph.quant("x", 0.25, 4)])
        model.graph.node[0].domain = domain
        (path := tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        assert [layer.kind for layer in frontends.load(path).layers] == ["Input", "Quant"]


def test_stored_numbers_of_every_kind_are_read(tmp_path: Path) -> None:
    for kind in (
        np.float32,
        np.float64,
        np.float16,
        np.int8,
        np.uint8,
        np.int16,
        np.uint16,
        np.int32,
        np.int64,
        np.uint32,
        np.bool_,
    ):
        array = np.arange(-6, 6).reshape(3, 4).astype(kind)
        kind_number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        loose = onnx.helper.make_tensor("loose", kind_number, array.shape, array.ravel().tolist())
        port = onnx.helper.make_tensor_value_info("y", 1, [])
        model = onnx.helper.make_model(
            onnx.helper.make_graph([], "g", [], [port], [numpy_helper.from_array(array, "raw"), loose])
        )
        graph = parse_model(memoryview(model.SerializeToString())).graph
        assert graph is not None
        for stored in graph.initializers:
            assert np.array_equal(to_array(stored, tmp_path).astype(np.float64), array.astype(np.float64)), (
                kind,
                stored.name,
            )


@pytest.mark.parametrize("scale", [0.1, 0.3])
def test_a_quotient_on_a_tie_of_float32_is_no_false_alarm(tmp_path: Path, scale: float) -> None:
    """3.75 / float32(0.1) is 37.5 in float32 and less in real numbers: on a grid of 1/8, a tie in many values."""
    graph = Graph.empty()
    stored = (graph.store(scale), graph.store(0, np.int8))
    end = graph.add("DequantizeLinear", graph.add("QuantizeLinear", "x", *stored), *stored)
    onnx.save(graph.model({"x": (1, 16)}, [end]), path := tmp_path / "m.onnx")
    record = fpgacnn.convert(
        path, output=tmp_path / "project", csim_events=0, reference="onnx", input_type="fixed<8,5>"
    )
    assert record.holds, [(one.left, one.right, one.mismatches, one.first) for one in record.verification]
