"""Every operator of the white list against the reference of the package onnx: equal where arithmetic is exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from fpgacnn import frontends
from fpgacnn.ir import source as src
from fpgacnn.sim.source_reference import evaluate
from tests.onnx.kit import CHANNELS_LAST, Graph, agree, answers, grid

IMAGE, SEQUENCE, VECTOR = (1, 3, 6, 5), (1, 3, 7), (1, 10)


def check(
    folder: Path,
    build: Callable[[Graph], str],
    shape: tuple[Any, ...],
    *,
    opset: int = 17,
    exact: bool = True,
    tolerance: float = 0.0,
) -> src.SourceModel:
    graph = Graph.empty()
    end = build(graph)
    found = answers(graph.model({"x": shape}, [end], opset), folder)
    agree(found, exact=exact, tolerance=tolerance)
    return found.source


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "valid": (IMAGE, (4, 3, 3, 3), {}),
    "pads": (IMAGE, (4, 3, 3, 3), {"pads": [1, 0, 2, 1]}),
    "strides": (IMAGE, (4, 3, 2, 3), {"strides": [2, 1], "pads": [0, 1, 0, 1]}),
    "dilations": (IMAGE, (2, 3, 2, 2), {"dilations": [3, 2]}),
    "same upper": (IMAGE, (2, 3, 3, 2), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower": (IMAGE, (2, 3, 2, 2), {"auto_pad": "SAME_LOWER", "strides": [1, 2]}),
    "auto valid": (IMAGE, (2, 3, 2, 2), {"auto_pad": "VALID"}),
    "pointwise": (IMAGE, (5, 3, 1, 1), {"kernel_shape": [1, 1]}),
    "groups": ((1, 4, 5, 5), (6, 2, 3, 3), {"group": 2}),
    "depthwise": (IMAGE, (3, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    "depthwise twice": (IMAGE, (6, 1, 2, 2), {"group": 3}),
    "one channel": ((1, 1, 6, 5), (2, 1, 3, 3), {"group": 1}),
    "sequence": (SEQUENCE, (4, 3, 3), {}),
    "sequence causal": (SEQUENCE, (4, 3, 3), {"pads": [2, 0], "strides": [2]}),
    "sequence dilated": (SEQUENCE, (4, 3, 2), {"dilations": [3]}),
    "sequence depthwise": (SEQUENCE, (3, 1, 2), {"group": 3}),
    "sequence same": (SEQUENCE, (2, 3, 4), {"auto_pad": "SAME_UPPER", "strides": [2]}),
}


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_answers_as_in_the_file(tmp_path: Path, name: str, *, bias: bool) -> None:
    shape, kernel, options = CONVOLUTIONS[name]

    def build(graph: Graph) -> str:
        weights = [graph.store(grid(1, *kernel)), *([graph.store(grid(2, kernel[0]))] if bias else [])]
        return graph.add("Conv", "x", *weights, **options)

    check(tmp_path, build, shape)


TRANSPOSED: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "stride 2": ((1, 3, 4, 3), (3, 2, 3, 3), {"strides": [2, 2]}),
    "pads": ((1, 3, 4, 3), (3, 2, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "output padding": ((1, 3, 4, 3), (3, 2, 3, 3), {"strides": [2, 2], "pads": [1, 0, 1, 1], "output_padding": [1, 1]}),
    "same upper": ((1, 3, 4, 3), (3, 2, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "no stride": ((1, 3, 4, 3), (3, 2, 2, 3), {}),
    "sequence": ((1, 3, 5), (3, 2, 4), {"strides": [2], "pads": [1, 1]}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_a_transposed_convolution_answers_as_in_the_file(tmp_path: Path, name: str) -> None:
    shape, kernel, options = TRANSPOSED[name]
    check(
        tmp_path,
        lambda graph: graph.add(
            "ConvTranspose", "x", graph.store(grid(1, *kernel)), graph.store(grid(2, 2)), **options
        ),
        shape,
    )


POOLS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "max": ("MaxPool", IMAGE, {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "max overlapping": ("MaxPool", IMAGE, {"kernel_shape": [3, 2]}),
    "max padded": ("MaxPool", IMAGE, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "max ceil": ("MaxPool", IMAGE, {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    "max same": ("MaxPool", IMAGE, {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "max sequence": ("MaxPool", SEQUENCE, {"kernel_shape": [3], "strides": [2]}),
    "average": ("AveragePool", IMAGE, {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "average sequence": ("AveragePool", SEQUENCE, {"kernel_shape": [4], "strides": [1]}),
    "average counting pads": (
        "AveragePool",
        IMAGE,
        {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    "average not counting pads": (
        "AveragePool",
        IMAGE,
        {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0], "strides": [2, 2]},
    ),
    "global max": ("GlobalMaxPool", IMAGE, {}),
    "global average": ("GlobalAveragePool", (1, 3, 4, 4), {}),
    "global average sequence": ("GlobalAveragePool", (1, 3, 8), {}),
}


@pytest.mark.parametrize("name", POOLS)
def test_pooling_answers_as_in_the_file(tmp_path: Path, name: str) -> None:
    kind, shape, options = POOLS[name]
    check(tmp_path, lambda graph: graph.add(kind, "x", **options), shape)


def test_means_over_space_are_global_pooling(tmp_path: Path) -> None:
    for number, (options, opset) in enumerate([({"axes": [2, 3]}, 17), ({"axes": [-1, -2], "keepdims": 0}, 13)]):
        (folder := tmp_path / str(number)).mkdir()
        source = check(
            folder, lambda graph, options=options: graph.add("ReduceMean", "x", **options), (1, 3, 4, 4), opset=opset
        )
        assert any(isinstance(layer.operation, src.GlobalPool) for layer in source.layers)


def test_means_whose_axes_are_an_input(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("ReduceMean", "x", graph.store([1, 2], np.int64)), (1, 4, 4, 3), opset=18)


ACTIVATIONS: dict[str, dict[str, Any]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.125},
    "ThresholdedRelu": {"alpha": 0.75},
    "Neg": {},
    "Identity": {},
}


@pytest.mark.parametrize("shape", [IMAGE, SEQUENCE, VECTOR], ids=["image", "sequence", "vector"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_piecewise_linear_activations_are_exact(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    check(tmp_path, lambda graph: graph.add(name, "x", **ACTIVATIONS[name]), shape)


SMOOTH: dict[str, dict[str, Any]] = {
    "Sigmoid": {},
    "Tanh": {},
    "Softplus": {},
    "Softsign": {},
    "Exp": {},
    "Elu": {"alpha": 0.7},
    "Selu": {},
    "HardSigmoid": {"alpha": 0.3},
    "HardSwish": {},
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_activations_stay_inside_their_bound(tmp_path: Path, name: str) -> None:
    check(tmp_path, lambda graph: graph.add(name, "x", **SMOOTH[name]), VECTOR, exact=False, tolerance=1e-5)


def test_mish_is_a_table(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("Mish", "x"), VECTOR, opset=18, exact=False, tolerance=1e-5)


def test_gelu_is_that_of_the_error_function(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("Gelu", "x"), VECTOR, opset=20, exact=False, tolerance=1e-5)


@pytest.mark.parametrize("slope", [(3, 1, 1), (1,), (3, 6, 5), (1, 5)], ids=str)
def test_slopes_broadcast_against_the_files_axes(tmp_path: Path, slope: tuple[int, ...]) -> None:
    check(tmp_path, lambda graph: graph.add("PRelu", "x", graph.store(grid(3, *slope))), IMAGE)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 2.0), (-1.0, 1.0), (-0.5, 1.5), (None, 1.25), (-2.0, None), (0.0, None), (0.5, 2.5)]
)
def test_limits_are_kept(tmp_path: Path, low: float | None, high: float | None) -> None:
    def build(graph: Graph) -> str:
        ends = ["" if end is None else graph.store(end) for end in (low, high)]
        return graph.add("Clip", "x", *ends)

    check(tmp_path, build, IMAGE)


def test_limits_of_old_operator_sets_are_attributes(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("Clip", "x", min=0.0, max=1.5), IMAGE, opset=6)


SHAPES_OF_CONSTANTS = [(), (1,), (3, 1, 1), (1, 3, 1, 1), (5,), (6, 1), (3, 6, 5)]


@pytest.mark.parametrize("shape", SHAPES_OF_CONSTANTS, ids=str)
@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Sub from", "Add to"])
def test_arithmetic_with_constants_broadcasts_as_in_the_file(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    def build(graph: Graph) -> str:
        constant = graph.store(grid(4, *shape))
        inputs = (constant, "x") if kind.endswith(("from", "to")) else ("x", constant)
        return graph.add(kind.split(maxsplit=1)[0], *inputs)

    check(tmp_path, build, IMAGE)


def test_a_division_by_powers_of_two_is_exact(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("Div", "x", graph.store([[[2.0]], [[0.25]], [[-8.0]]])), IMAGE)


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"])
def test_two_tensors_meet_whatever_their_order_of_axes(tmp_path: Path, kind: str) -> None:
    def build(graph: Graph) -> str:
        convolved = graph.add("Conv", "x", graph.store(grid(1, 3, 3, 1, 1)))
        turned = graph.add(
            "Transpose", graph.add("Relu", graph.add("Transpose", "x", perm=[0, 2, 3, 1])), perm=[0, 3, 1, 2]
        )
        return graph.add(kind, convolved, turned)

    check(tmp_path, build, IMAGE)


@pytest.mark.parametrize("kind", ["Sum", "Max", "Mean"])
def test_three_tensors_meet(tmp_path: Path, kind: str) -> None:
    def build(graph: Graph) -> str:
        return graph.add(kind, "x", graph.add("Relu", "x"), graph.add("Neg", "x"), *(["x"] if kind == "Mean" else []))

    check(tmp_path, build, IMAGE)


@pytest.mark.parametrize("kind", ["Mul", "Add", "Sub"])
def test_a_small_tensor_is_repeated_along_a_large_one(tmp_path: Path, kind: str) -> None:
    def build(graph: Graph) -> str:
        image = graph.add("Conv", "x", graph.store(grid(1, 3, 3, 1, 1)))
        gate = graph.add("Relu", graph.add("GlobalMaxPool", "x"))
        return graph.add(kind, image, gate) if kind != "Sub" else graph.add(kind, gate, image)

    check(tmp_path, build, IMAGE)


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_concatenation_along_every_axis(tmp_path: Path, axis: int) -> None:
    def build(graph: Graph) -> str:
        return graph.add(
            "Concat", graph.add("Conv", "x", graph.store(grid(1, 3, 3, 1, 1))), "x", graph.add("Relu", "x"), axis=axis
        )

    check(tmp_path, build, IMAGE)


@pytest.mark.parametrize("turned", [False, True])
def test_gemm_with_both_orders_of_weights(tmp_path: Path, *, turned: bool) -> None:
    def build(graph: Graph) -> str:
        shape = (4, 10) if turned else (10, 4)
        return graph.add(
            "Gemm", "x", graph.store(grid(1, *shape)), graph.store(grid(2, 4)), transB=int(turned), alpha=0.5, beta=2.0
        )

    check(tmp_path, build, VECTOR)


@pytest.mark.parametrize("shape", [(1, 10), (1, 4, 10), (1, 2, 3, 10), (1, 1, 10), (1, 1, 1, 10)], ids=str)
def test_matrix_products_on_any_number_of_axes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    def build(graph: Graph) -> str:
        return graph.add("Add", graph.add("MatMul", "x", graph.store(grid(1, 10, 4))), graph.store(grid(2, 4)))

    source = check(tmp_path, build, shape)
    assert len([layer for layer in source.layers if layer.kind == "Add"]) == 0


@pytest.mark.parametrize("shape", [IMAGE, SEQUENCE, VECTOR, (1, 3, 1, 5)], ids=str)
def test_batch_normalization_is_along_the_channels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    channels = shape[1]

    def build(graph: Graph) -> str:
        constants = [grid(1, channels), grid(2, channels), grid(3, channels), np.full(channels, 0.25)]
        return graph.add("BatchNormalization", "x", *(graph.store(one) for one in constants), epsilon=0.0)

    check(tmp_path, build, shape)


def test_batch_normalization_behind_flatten(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        flat = graph.add("Flatten", graph.add("Conv", "x", graph.store(grid(1, 2, 3, 3, 3))))
        constants = [grid(seed, 24) for seed in (2, 3, 4)] + [np.full(24, 4.0)]
        return graph.add("BatchNormalization", flat, *(graph.store(one) for one in constants), epsilon=0.0)

    check(tmp_path, build, IMAGE)


@pytest.mark.parametrize("way", ["Flatten", "Reshape", "Reshape 0", "computed", "Squeeze"])
def test_a_dense_layer_behind_an_image_reads_it_in_the_files_order(tmp_path: Path, way: str) -> None:
    def build(graph: Graph) -> str:
        image = graph.add("Conv", "x", graph.store(grid(1, 4, 3, 3, 3)))
        return graph.add("Gemm", flattened(graph, image, way), graph.store(grid(2, 48, 5)))

    source = check(tmp_path, build, IMAGE)
    assert not any(isinstance(layer.operation, src.Permute) for layer in source.layers[3:])


def flattened(graph: Graph, image: str, way: str) -> str:
    match way:
        case "Flatten":
            return graph.add("Flatten", image)
        case "Reshape":
            return graph.add("Reshape", image, graph.store([1, -1], np.int64))
        case "Reshape 0":
            return graph.add("Reshape", image, graph.store([0, 48], np.int64))
        case "Squeeze":
            flat = graph.add("Reshape", image, graph.store([0, 48, 1, 1], np.int64))
            return graph.add("Squeeze", flat, graph.store([2, 3], np.int64))
        case _:
            first = graph.add("Gather", graph.add("Shape", image), graph.store(0, np.int64), axis=0)
            first = graph.add("Unsqueeze", first, graph.store([0], np.int64))
            shape = graph.add("Concat", first, graph.store([-1], np.int64), axis=0)
            return graph.add("Reshape", image, shape)


def test_a_flattened_output_is_in_the_files_order(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("Flatten", graph.add("Conv", "x", graph.store(grid(1, 2, 3, 3, 3)))), IMAGE)


@pytest.mark.parametrize("order", [[0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [0, 3, 2, 1]], ids=str)
def test_a_transposed_output_has_the_files_order(tmp_path: Path, order: list[int]) -> None:
    check(tmp_path, lambda graph: graph.add("Transpose", graph.add("Relu", "x"), perm=order), IMAGE)


def test_pairs_of_transpositions_cost_nothing(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        first = graph.add("Transpose", "x", perm=[0, 3, 1, 2])
        convolved = graph.add("Conv", first, graph.store(grid(1, 2, 3, 3, 3)), graph.store(grid(2, 2)))
        back = graph.add("Transpose", graph.add("Relu", convolved), perm=[0, 2, 3, 1])
        again = graph.add("Conv", graph.add("Transpose", back, perm=[0, 3, 1, 2]), graph.store(grid(3, 2, 2, 2, 2)))
        return graph.add("Transpose", again, perm=[0, 2, 3, 1])

    source = check(tmp_path, build, (1, 6, 5, 3))
    assert not any(isinstance(layer.operation, src.Permute) for layer in source.layers)


def test_a_reshape_to_an_image_and_a_convolution(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        image = graph.add("Reshape", "x", graph.store([-1, 2, 4, 5], np.int64))
        return graph.add("Conv", image, graph.store(grid(1, 2, 2, 2, 2)))

    check(tmp_path, build, (1, 40))


@pytest.mark.parametrize("axis", [1, -1, 2])
def test_softmax_is_over_its_axis(tmp_path: Path, axis: int) -> None:
    check(tmp_path, lambda graph: graph.add("Softmax", "x", axis=axis), (1, 4, 3), exact=False, tolerance=1e-6)


@pytest.mark.parametrize("opset", [11, 13])
def test_softmax_by_default_is_over_classes(tmp_path: Path, opset: int) -> None:
    check(tmp_path, lambda graph: graph.add("Softmax", "x"), VECTOR, opset=opset, exact=False, tolerance=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"mode": "nearest"},
        {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
    ],
    ids=["asymmetric", "default", "half pixel"],
)
def test_cells_are_repeated(tmp_path: Path, options: dict[str, Any]) -> None:
    check(tmp_path, lambda graph: graph.add("Resize", "x", "", graph.store([1, 1, 2, 3]), **options), IMAGE)


def test_cells_are_repeated_to_a_size(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        return graph.add("Resize", "x", "", "", graph.store([1, 6, 12, 3], np.int64), mode="nearest")

    check(tmp_path, lambda graph: graph.add("Relu", build(graph)), (1, 6, 4, 3))


def test_upsample_of_old_operator_sets(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("Upsample", "x", graph.store([1, 1, 2, 2]), mode="nearest"), IMAGE, opset=9)


@pytest.mark.parametrize(
    "pads", [[0, 0, 1, 2, 0, 0, 0, 1], [0, 1, 2, 0, 0, 0, 1, 0]], ids=["channels first", "channels last"]
)
def test_padding_with_zeros(tmp_path: Path, pads: list[int]) -> None:
    check(tmp_path, lambda graph: graph.add("Pad", "x", graph.store(pads, np.int64)), IMAGE)


def test_a_slice_of_space_cuts_borders(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        ends = [graph.store(one, np.int64) for one in ([1, -4], [9223372036854775807, -1], [2, 3])]
        return graph.add("Slice", "x", *ends)

    check(tmp_path, build, IMAGE)


def test_several_inputs_and_outputs_keep_their_order(tmp_path: Path) -> None:
    graph = Graph.empty()
    joined = graph.add("Concat", graph.add("Flatten", "x"), "y", axis=1)
    first = graph.add("Gemm", joined, graph.store(grid(1, 94, 3)))
    model = graph.model({"x": IMAGE, "y": (1, 4)}, [first, graph.add("Relu", "y"), "y"])
    agree(answers(model, tmp_path))


def test_an_open_number_of_events(tmp_path: Path) -> None:
    check(tmp_path, lambda graph: graph.add("Gemm", "x", graph.store(grid(1, 10, 3))), ("N", 10))


def test_a_fixed_number_of_events_in_a_shape(tmp_path: Path) -> None:
    def build(graph: Graph) -> str:
        return graph.add(
            "Gemm", graph.add("Reshape", "x", graph.store([32, 90], np.int64)), graph.store(grid(1, 90, 3))
        )

    graph = Graph.empty()
    (path := tmp_path / "m.onnx").write_bytes(graph.model({"x": (32, *IMAGE[1:])}, [build(graph)]).SerializeToString())
    x = grid(5, 32, *IMAGE[1:])
    network = frontends.load(path)
    found = evaluate(network, [x.astype(np.float64)], quantized=True)[network.outputs[0]]
    (wanted,) = ReferenceEvaluator(path.as_posix()).run(None, {"x": x})
    assert np.array_equal(found, wanted)


def test_operators_channels_last_answer_as_their_twins_channels_first(tmp_path: Path) -> None:
    """The executor of this domain fails with newer onnxruntime; the operator with channels first gives the answer."""
    kernels, depthwise, constants = (
        grid(1, 4, 3, 3, 2),
        grid(2, 4, 1, 2, 2),
        [grid(seed, 4) for seed in (3, 4, 5)] + [np.full(4, 0.25)],
    )
    answers_of = []
    for last in (True, False):
        graph = Graph.empty()
        domain = CHANNELS_LAST if last else ""
        turn = (lambda array: array.transpose(0, 2, 3, 1)) if last else (lambda array: array)
        y = graph.add(
            "Conv",
            "x",
            graph.store(turn(kernels)),
            graph.store(grid(6, 4)),
            domain=domain,
            pads=[1, 0, 0, 1],
            kernel_shape=[3, 2],
        )
        y = graph.add("MaxPool", y, domain=domain, kernel_shape=[2, 2], strides=[1, 2])
        y = graph.add("BatchNormalization", y, *(graph.store(one) for one in constants), domain=domain, epsilon=0.0)
        y = graph.add("Conv", y, graph.store(turn(depthwise)), domain=domain, group=4)
        shape = (1, 6, 5, 3) if last else (1, 3, 6, 5)
        (path := tmp_path / f"{last}.onnx").write_bytes(graph.model({"x": shape}, [y]).SerializeToString())
        network = frontends.load(path)
        x = grid(7, 9, 6, 5, 3).astype(np.float64)
        answers_of.append(
            evaluate(network, [x if last else x.transpose(0, 3, 1, 2)], quantized=True)[network.outputs[0]]
        )
    (wanted,) = ReferenceEvaluator(path.as_posix()).run(None, {"x": x.transpose(0, 3, 1, 2)[:1].astype(np.float32)})
    assert np.array_equal(answers_of[1][:1], wanted)
    assert np.array_equal(answers_of[0].transpose(0, 3, 1, 2), answers_of[1])


def test_dead_nodes_and_nodes_out_of_order_do_no_harm(tmp_path: Path) -> None:
    graph = Graph.empty()
    end = graph.add("Relu", graph.add("Neg", "x"))
    graph.add("Cos", "x")
    model = graph.model({"x": VECTOR}, [end])
    agree(answers(model, tmp_path))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[:2][::-1])
    (tmp_path / "turned.onnx").write_bytes(model.SerializeToString())
    assert [layer.kind for layer in frontends.load(tmp_path / "turned.onnx").layers] == ["Input", "Neg", "Relu"]
