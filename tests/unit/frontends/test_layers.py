"""Every class on the white list becomes the right operations with the right shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import (
    BrokenArchitectureError,
    FpgacnnError,
    ShapeError,
    UnsupportedOptionError,
    UnsupportedQuantizerError,
)
from fpgacnn.frontends.keras.operations.layers import NO_OPERATION, PARSERS
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FunctionKind, MergeKind, PoolKind, QuantizedBits, QuantizedRelu, SourceLayer
from tests.support.files import (
    Entry,
    entry,
    functional_file,
    input_layer,
    linear,
    normalization,
    quantized_bits,
    sequential_file,
    values,
)


def read(folder: Path, layer: Entry, shape: tuple[int, ...]) -> tuple[SourceLayer, ...]:
    """The nodes that one layer becomes behind an input of a shape."""
    return frontends.load(sequential_file(folder / "m.h5", layer, shape=shape)).layers[1:]


def refusal(folder: Path, layer: Entry, shape: tuple[int, ...]) -> FpgacnnError:
    with pytest.raises(FpgacnnError) as caught:
        read(folder, layer, shape)
    return caught.value


# --- convolutions --------------------------------------------------------------------------------------------------

CONV2D = {"filters": 4, "kernel_size": [3, 3], "weights": linear(3, 3, 2, 4)}
CONV1D = {"filters": 4, "kernel_size": [3], "weights": linear(3, 2, 4)}


@pytest.mark.parametrize(
    ("kind", "options", "shape", "pads", "strides", "result"),
    [
        ("Conv2D", {}, (6, 5, 2), (0, 0, 0, 0), (1, 1), (4, 3, 4)),
        ("Conv2D", {"padding": "same"}, (6, 5, 2), (1, 1, 1, 1), (1, 1), (6, 5, 4)),
        ("Conv2D", {"padding": "same", "strides": [2, 2]}, (6, 5, 2), (0, 1, 1, 1), (2, 2), (3, 3, 4)),
        ("Conv2D", {"padding": "same", "strides": [4, 3]}, (6, 5, 2), (0, 1, 0, 1), (4, 3), (2, 2, 4)),
        ("Conv2D", {"padding": "valid", "strides": [2, 1]}, (7, 5, 2), (0, 0, 0, 0), (2, 1), (3, 3, 4)),
        ("Conv2D", {"padding": "same", "strides": 5}, (3, 3, 2), (0, 0, 0, 0), (5, 5), (1, 1, 4)),
        ("Conv2D", {"dilation_rate": [2, 1]}, (6, 5, 2), (0, 0, 0, 0), (1, 1), (2, 3, 4)),
        ("Conv2D", {"dilation_rate": [2, 2], "padding": "same"}, (6, 5, 2), (2, 2, 2, 2), (1, 1), (6, 5, 4)),
        ("QConv2D", {"strides": [1, 1]}, (3, 3, 2), (0, 0, 0, 0), (1, 1), (1, 1, 4)),
        ("Conv1D", {}, (7, 2), (0, 0, 0, 0), (1, 1), (5, 4)),
        ("Conv1D", {"padding": "same", "strides": [2]}, (7, 2), (0, 0, 1, 1), (1, 2), (4, 4)),
        ("Conv1D", {"padding": "causal"}, (7, 2), (0, 0, 2, 0), (1, 1), (7, 4)),
        ("Conv1D", {"padding": "causal", "dilation_rate": [3]}, (7, 2), (0, 0, 6, 0), (1, 1), (7, 4)),
        ("QConv1D", {"padding": "causal", "strides": 2}, (7, 2), (0, 0, 2, 0), (1, 2), (4, 4)),
    ],
)
def test_a_convolution_has_tensorflows_padding_and_shape(
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
    shape: tuple[int, ...],
    pads: tuple[int, ...],
    strides: tuple[int, ...],
    result: tuple[int, ...],
) -> None:
    base = CONV1D if "1D" in kind else CONV2D
    (layer,) = read(tmp_path, entry(kind, "conv", **{**base, **options}), shape)
    assert isinstance(layer.operation, src.Convolution)
    assert (layer.operation.pads, layer.operation.strides, layer.shape) == (pads, strides, result)
    assert layer.operation.kernel.values.shape == (1 if "1D" in kind else 3, 3, 2, 4)
    assert layer.operation.bias is not None
    assert (layer.name, layer.kind, layer.inputs) == ("conv", kind, ("x",))


def test_a_kernel_is_read_as_it_lies_in_the_file(tmp_path: Path) -> None:
    (layer,) = read(tmp_path, entry("Conv1D", "conv", **CONV1D), (7, 2))
    assert isinstance(layer.operation, src.Convolution)
    assert layer.operation.kernel.values[0].tolist() == values(3, 2, 4).tolist()
    assert layer.parameters == 3 * 2 * 4 + 4


def test_a_convolution_without_bias_has_none(tmp_path: Path) -> None:
    (layer,) = read(
        tmp_path,
        entry("Conv2D", "conv", **{**CONV2D, "use_bias": False, "weights": linear(3, 3, 2, 4, bias=False)}),
        (5, 5, 2),
    )
    assert isinstance(layer.operation, src.Convolution)
    assert layer.operation.bias is None


def test_groups_read_their_own_channels(tmp_path: Path) -> None:
    (layer,) = read(
        tmp_path,
        entry("Conv2D", "conv", filters=4, kernel_size=[3, 3], groups=2, weights=linear(3, 3, 2, 4)),
        (5, 5, 4),
    )
    assert isinstance(layer.operation, src.Convolution)
    assert (layer.operation.groups, layer.operation.kernel.values.shape) == (2, (3, 3, 2, 4))
    error = refusal(
        tmp_path,
        entry("Conv2D", "conv", filters=4, kernel_size=[3, 3], groups=3, weights=linear(3, 3, 2, 4)),
        (5, 5, 4),
    )
    assert "4 channels and 4 filters cannot be split into 3 groups" in str(error)


def test_a_depthwise_convolution_multiplies_channels(tmp_path: Path) -> None:
    weights = {"depthwise_kernel": values(3, 3, 2, 3), "bias": values(6)}
    (layer,) = read(
        tmp_path, entry("DepthwiseConv2D", "dw", kernel_size=[3, 3], depth_multiplier=3, weights=weights), (5, 4, 2)
    )
    assert isinstance(layer.operation, src.Depthwise)
    assert layer.shape == (3, 2, 6)


def test_a_separable_convolution_is_two(tmp_path: Path) -> None:
    weights = {"depthwise_kernel": values(3, 3, 2, 1), "pointwise_kernel": values(1, 1, 2, 5), "bias": values(5)}
    first, second = read(
        tmp_path, entry("SeparableConv2D", "sep", kernel_size=[3, 3], filters=5, weights=weights), (5, 4, 2)
    )
    assert isinstance(first.operation, src.Depthwise)
    assert isinstance(second.operation, src.Convolution)
    assert (first.name, first.shape, second.name, second.shape, second.inputs) == (
        "sep/0",
        (3, 2, 2),
        "sep",
        (3, 2, 5),
        ("sep/0",),
    )
    assert first.operation.bias is None
    assert second.operation.bias is not None


def test_a_fused_batch_normalization_is_kept_with_its_convolution(tmp_path: Path) -> None:
    options = {"kernel_quantizer": quantized_bits(), "bias_quantizer": quantized_bits(8, 2), "scale": 1, "center": 1}
    (layer,) = read(
        tmp_path,
        entry("QConv2DBatchnorm", "conv", **{**CONV2D, **options, "weights": linear(3, 3, 2, 4) | normalization(4)}),
        (5, 5, 2),
    )
    assert isinstance(layer.operation, src.Convolution)
    assert layer.operation.folded is not None
    assert layer.operation.folded.gamma.values.shape == (4,)
    assert layer.operation.folded_bias_quantizer == QuantizedBits(bits=8, integer=2, alpha=1.0)


# --- dense layers and batch normalization --------------------------------------------------------------------------


def test_a_dense_layer_on_a_vector_is_a_matrix(tmp_path: Path) -> None:
    (layer,) = read(tmp_path, entry("Dense", "d", units=3, weights=linear(5, 3)), (5,))
    assert isinstance(layer.operation, src.Dense)
    assert layer.shape == (3,)


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5)])
def test_a_dense_layer_on_more_axes_is_a_pointwise_convolution(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (layer,) = read(
        tmp_path, entry("QDense", "d", units=3, weights=linear(5, 3), kernel_quantizer=quantized_bits()), shape
    )
    assert isinstance(layer.operation, src.Convolution)
    assert (layer.operation.kernel.values.shape, layer.shape) == ((1, 1, 5, 3), (*shape[:-1], 3))


def test_time_distributed_applies_a_layer_to_every_row(tmp_path: Path) -> None:
    inner = {"class_name": "Dense", "config": {"name": "inner", "units": 3}}
    (layer,) = read(tmp_path, entry("TimeDistributed", "td", layer=inner, weights=linear(5, 3)), (4, 5))
    assert isinstance(layer.operation, src.Convolution)
    assert layer.shape == (4, 3)


@pytest.mark.parametrize("axis", [-1, 2, [2], [-1]])
def test_batch_normalization_has_its_four_numbers_a_channel(tmp_path: Path, axis: object) -> None:
    (layer,) = read(
        tmp_path, entry("BatchNormalization", "bn", axis=axis, epsilon=0.01, weights=normalization(3)), (4, 3)
    )
    assert isinstance(layer.operation, src.BatchNormalization)
    statistics = layer.operation.statistics
    assert statistics.epsilon == np.float32(0.01)
    assert statistics.gamma.values.tolist() == normalization(3)["gamma"].tolist()
    assert statistics.variance.values.tolist() == [0.5, 1.25, 2.0]
    assert layer.parameters == 12


def test_batch_normalization_without_scale_and_center_multiplies_by_one(tmp_path: Path) -> None:
    statistics = {name: normalization(3)[name] for name in ("moving_mean", "moving_variance")}
    (layer,) = read(tmp_path, entry("BatchNormalization", "bn", scale=0, center=False, weights=statistics), (3,))
    assert isinstance(layer.operation, src.BatchNormalization)
    assert layer.operation.statistics.gamma.values.tolist() == [1.0, 1.0, 1.0]
    assert layer.operation.statistics.beta.values.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("truth", [1, True, 1.0, None])
def test_one_stands_for_true_where_old_files_have_it(tmp_path: Path, truth: object) -> None:
    (layer,) = read(tmp_path, entry("BatchNormalization", "bn", scale=truth, weights=normalization(3)), (3,))
    assert isinstance(layer.operation, src.BatchNormalization)
    assert layer.operation.statistics.gamma.values.tolist() == normalization(3)["gamma"].tolist()


# --- activations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (entry("Activation", "a", activation="relu"), src.Relu()),
        (entry("Activation", "a", activation="relu6"), src.Relu(max_value=6.0)),
        (entry("Activation", "a", activation={"class_name": "function", "config": "relu"}), src.Relu()),
        (entry("ReLU", "a", max_value=2.0, negative_slope=0.0, threshold=0.0), src.Relu(max_value=2.0)),
        (entry("ReLU", "a", max_value=None, negative_slope=0.25), src.Relu(negative_slope=0.25)),
        (entry("LeakyReLU", "a", alpha=0.125), src.Relu(negative_slope=0.125)),
        (entry("LeakyReLU", "a", negative_slope=0.5), src.Relu(negative_slope=0.5)),
        (entry("ThresholdedReLU", "a", theta=0.5), src.Relu(threshold=0.5)),
        (entry("ELU", "a", alpha=0.5), src.Function(kind=FunctionKind.ELU, alpha=0.5)),
        (entry("Softmax", "a", axis=-1), src.Softmax()),
        (entry("Softmax", "a", axis=[-1]), src.Softmax()),
        (entry("Activation", "a", activation="softmax"), src.Softmax()),
        (entry("Activation", "a", activation="tanh"), src.Function(kind=FunctionKind.TANH)),
        (
            entry("Activation", "a", activation="hard_sigmoid"),
            src.Function(kind=FunctionKind.HARD_SIGMOID, alpha=float(np.float32(0.2))),
        ),
        (entry("QActivation", "a", activation="hard_sigmoid"), src.Function(kind=FunctionKind.HARD_SIGMOID, alpha=0.5)),
        (entry("QActivation", "a", activation="quantized_relu(6,2)"), QuantizedRelu(bits=6, integer=2)),
        (entry("QActivation", "a", activation=quantized_bits(5, 1)), QuantizedBits(bits=5, integer=1, alpha=1.0)),
        (entry("Activation", "a", activation="quantized_bits(5,1)"), QuantizedBits(bits=5, integer=1)),
    ],
    ids=lambda value: f"{value.kind} {dict(value.config)}" if isinstance(value, Entry) else "",
)
def test_an_activation_is_a_function_of_its_own(tmp_path: Path, layer: Entry, function: src.Activation) -> None:
    (found,) = read(tmp_path, layer, (3, 4))
    assert found.operation == src.Activate(function=function)
    assert found.shape == (3, 4)


@pytest.mark.parametrize(
    "layer",
    [
        entry("Activation", "a", activation="linear"),
        entry("QActivation", "a"),
        entry("Activation", "a", activation=None),
    ],
)
def test_a_linear_activation_is_dropped(tmp_path: Path, layer: Entry) -> None:
    reading, _ = frontends.inspect(sequential_file(tmp_path / "m.h5", layer, shape=(3,)))
    assert reading.dropped == (("a", layer.kind),)
    assert reading.outputs == ("x",)


def test_an_embedded_activation_becomes_a_node_that_has_the_layers_name(tmp_path: Path) -> None:
    linear_part, activation = read(
        tmp_path, entry("Dense", "d", units=3, activation="relu", weights=linear(5, 3)), (5,)
    )
    assert (linear_part.name, activation.name, activation.inputs) == ("d/0", "d", ("d/0",))
    assert activation.operation == src.Activate(function=src.Relu())


@pytest.mark.parametrize(
    ("axes", "shape"), [([1, 2], (1, 1, 2)), (None, (4, 3, 2)), ([2], (4, 1, 2)), ([-1], (4, 1, 2)), ([0], (4, 3, 1))]
)
def test_trained_slopes_may_be_shared(tmp_path: Path, axes: object, shape: tuple[int, ...]) -> None:
    (layer,) = read(tmp_path, entry("PReLU", "p", shared_axes=axes, weights={"alpha": values(*shape)}), (4, 3, 2))
    assert isinstance(layer.operation, src.Activate)
    assert isinstance(layer.operation.function, src.PRelu)
    assert layer.operation.function.slope.shape == shape


@pytest.mark.parametrize("kind", sorted(NO_OPERATION))
def test_what_does_nothing_at_inference_is_dropped(tmp_path: Path, kind: str) -> None:
    reading, refusals = frontends.inspect(
        sequential_file(tmp_path / "m.h5", entry(kind, "drop"), entry("Flatten", "f"), shape=(3, 2))
    )
    assert reading.dropped == (("drop", kind),)
    assert refusals == ()
    assert reading.layers[-1].inputs == ("x",)


# --- pooling and shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "shape", "size", "strides", "pads", "result"),
    [
        ("MaxPooling2D", {"pool_size": [2, 2]}, (5, 4, 3), (2, 2), (2, 2), (0, 0, 0, 0), (2, 2, 3)),
        ("MaxPooling2D", {"pool_size": [2, 2], "padding": "same"}, (5, 4, 3), (2, 2), (2, 2), (0, 1, 0, 0), (3, 2, 3)),
        (
            "AveragePooling2D",
            {"pool_size": 3, "strides": [1, 2], "padding": "same"},
            (5, 4, 3),
            (3, 3),
            (1, 2),
            (1, 1, 0, 1),
            (5, 2, 3),
        ),
        (
            "AveragePooling2D",
            {"pool_size": [2, 1], "strides": None},
            (5, 4, 3),
            (2, 1),
            (2, 1),
            (0, 0, 0, 0),
            (2, 4, 3),
        ),
        ("MaxPooling1D", {"pool_size": [3], "strides": [2]}, (8, 3), (1, 3), (1, 2), (0, 0, 0, 0), (3, 3)),
        ("AveragePooling1D", {"pool_size": 2, "padding": "same"}, (5, 3), (1, 2), (1, 2), (0, 0, 0, 1), (3, 3)),
    ],
)
def test_pooling_has_tensorflows_windows(
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
    shape: tuple[int, ...],
    size: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    result: tuple[int, ...],
) -> None:
    (layer,) = read(tmp_path, entry(kind, "pool", **options), shape)
    assert isinstance(layer.operation, src.Pool)
    assert layer.operation.kind is (PoolKind.MAX if "Max" in kind else PoolKind.AVERAGE)
    assert (layer.operation.size, layer.operation.strides, layer.operation.pads, layer.shape) == (
        size,
        strides,
        pads,
        result,
    )


@pytest.mark.parametrize(
    ("kind", "keep", "shape", "result"),
    [
        ("GlobalMaxPooling2D", False, (4, 3, 2), (2,)),
        ("GlobalAveragePooling2D", True, (4, 3, 2), (1, 1, 2)),
        ("GlobalAveragePooling1D", None, (4, 2), (2,)),
        ("GlobalMaxPooling1D", True, (4, 2), (1, 2)),
    ],
)
def test_global_pooling_leaves_channels(
    tmp_path: Path, kind: str, *, keep: bool | None, shape: tuple[int, ...], result: tuple[int, ...]
) -> None:
    (layer,) = read(tmp_path, entry(kind, "pool", keepdims=keep), shape)
    assert isinstance(layer.operation, src.GlobalPool)
    assert (layer.operation.kind, layer.shape) == (PoolKind.MAX if "Max" in kind else PoolKind.AVERAGE, result)


@pytest.mark.parametrize(
    ("kind", "padding", "shape", "pads", "result"),
    [
        ("ZeroPadding2D", 1, (3, 4, 2), (1, 1, 1, 1), (5, 6, 2)),
        ("ZeroPadding2D", [1, 2], (3, 4, 2), (1, 1, 2, 2), (5, 8, 2)),
        ("ZeroPadding2D", [[0, 1], [2, 3]], (3, 4, 2), (0, 1, 2, 3), (4, 9, 2)),
        ("ZeroPadding1D", 2, (4, 2), (0, 0, 2, 2), (8, 2)),
        ("ZeroPadding1D", [0, 3], (4, 2), (0, 0, 0, 3), (7, 2)),
    ],
)
def test_borders_are_read_in_every_form(
    tmp_path: Path, kind: str, padding: object, shape: tuple[int, ...], pads: tuple[int, ...], result: tuple[int, ...]
) -> None:
    (layer,) = read(tmp_path, entry(kind, "pad", padding=padding), shape)
    assert layer.operation == src.ZeroPad(pads=pads)  # type: ignore[arg-type]  # four numbers
    assert layer.shape == result


@pytest.mark.parametrize(
    ("layer", "shape", "operation", "result"),
    [
        (entry("Flatten", "l"), (3, 4, 2), src.Reshape(), (24,)),
        (entry("Reshape", "l", target_shape=[4, 6]), (3, 4, 2), src.Reshape(), (4, 6)),
        (entry("Reshape", "l", target_shape=[2, -1, 3]), (3, 4, 2), src.Reshape(), (2, 4, 3)),
        (entry("Reshape", "l", target_shape=[-1]), (3, 4, 2), src.Reshape(), (24,)),
        (entry("Cropping2D", "l", cropping=[[1, 0], [0, 2]]), (3, 4, 2), src.Crop(borders=(1, 0, 0, 2)), (2, 2, 2)),
        (entry("Cropping1D", "l", cropping=1), (4, 2), src.Crop(borders=(0, 0, 1, 1)), (2, 2)),
        (entry("UpSampling2D", "l", size=[2, 3]), (3, 4, 2), src.Upsample(factors=(2, 3)), (6, 12, 2)),
        (entry("UpSampling1D", "l", size=2), (4, 2), src.Upsample(factors=(1, 2)), (8, 2)),
        (entry("Permute", "l", dims=[3, 1, 2]), (3, 4, 2), src.Permute(axes=(2, 0, 1)), (2, 3, 4)),
    ],
    ids=lambda value: value.kind if isinstance(value, Entry) else "",
)
def test_layers_that_move_values_have_the_right_shape(
    tmp_path: Path, layer: Entry, shape: tuple[int, ...], operation: src.SourceOperation, result: tuple[int, ...]
) -> None:
    (found,) = read(tmp_path, layer, shape)
    assert (found.operation, found.shape) == (operation, result)


# --- several inputs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "merge"),
    [
        ("Add", MergeKind.ADD),
        ("Subtract", MergeKind.SUBTRACT),
        ("Multiply", MergeKind.MULTIPLY),
        ("Average", MergeKind.AVERAGE),
        ("Maximum", MergeKind.MAXIMUM),
        ("Minimum", MergeKind.MINIMUM),
    ],
)
def test_a_merge_keeps_the_order_of_its_inputs(tmp_path: Path, kind: str, merge: MergeKind) -> None:
    layers = (input_layer("x", 3, 2), input_layer("y", 3, 2), entry(kind, "m", "y", "x"))
    found = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x", "y"], outputs=["m"])).layer("m")
    assert (found.operation, found.inputs, found.shape) == (src.Merge(kind=merge), ("y", "x"), (3, 2))


@pytest.mark.parametrize(
    ("axis", "shapes", "index", "result"),
    [
        (-1, ((3, 2), (3, 5)), 1, (3, 7)),
        (1, ((3, 2), (4, 2)), 0, (7, 2)),
        (2, ((3, 2), (3, 5)), 1, (3, 7)),
        (-2, ((3, 2), (4, 2)), 0, (7, 2)),
    ],
)
def test_concatenation_counts_axes_from_either_end(
    tmp_path: Path, axis: int, shapes: tuple[tuple[int, ...], ...], index: int, result: tuple[int, ...]
) -> None:
    layers = (
        input_layer("x", *shapes[0]),
        input_layer("y", *shapes[1]),
        entry("Concatenate", "c", "x", "y", axis=axis),
    )
    found = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x", "y"], outputs=["c"])).layer("c")
    assert (found.operation, found.shape) == (src.Concatenate(axis=index), result)


# --- refusals ------------------------------------------------------------------------------------------------------

KERAS_INT8 = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "float32"}}

REFUSALS: list[tuple[Entry, tuple[int, ...], type[FpgacnnError], str]] = [
    (
        entry("Conv2D", "l", **CONV2D, data_format="NCHW"),
        (5, 5, 2),
        UnsupportedOptionError,
        "l: data_format='NCHW' is not supported",
    ),
    (
        entry("Dense", "l", units=3, dtype={"class_name": ["Policy"]}, weights=linear(5, 3)),
        (5,),
        UnsupportedOptionError,
        "training (['Policy'])",
    ),
    (
        entry("Dense", "l", units=3, dtype=KERAS_INT8, weights=linear(5, 3)),
        (5,),
        UnsupportedOptionError,
        "l: it was quantized by Keras after training (Quant",
    ),
    (
        entry("Dense", "l", units=3, dtype="int8_from_float32", weights=linear(5, 3)),
        (5,),
        UnsupportedOptionError,
        "after training (int8_from_float32), which",
    ),
    (
        entry("Conv2D", "l", **CONV2D, padding="causal"),
        (5, 5, 2),
        UnsupportedOptionError,
        "l: padding='causal' is not supported",
    ),
    (entry("Conv2D", "l", **CONV2D), (2, 5, 2), ShapeError, "layer 'l': a 3x3 window does not fit the input (2, 5, 2)"),
    (entry("Conv2D", "l", **CONV2D), (5, 2), ShapeError, "layer 'l': Conv2D needs an input of 3 axes, found (5, 2)"),
    (
        entry("Conv1D", "l", **CONV1D),
        (5, 5, 2),
        ShapeError,
        "layer 'l': Conv1D needs an input of 2 axes, found (5, 5, 2)",
    ),
    (
        entry("Conv2D", "l", **{**CONV2D, "filters": 0}),
        (5, 5, 2),
        BrokenArchitectureError,
        "filters: expected an integer from 1 to 1048576, found 0",
    ),
    (
        entry("Conv2D", "l", **{**CONV2D, "kernel_size": [3, 3, 3]}),
        (5, 5, 2),
        BrokenArchitectureError,
        "kernel_size: expected 2 numbers, found [3, 3, 3]",
    ),
    (
        entry("Conv2D", "l", **CONV2D, strides="2"),
        (5, 5, 2),
        BrokenArchitectureError,
        "strides: expected an integer from 1 to 1048576, found '2'",
    ),
    (
        entry("Conv2D", "l", **CONV2D, use_bias=2),
        (5, 5, 2),
        BrokenArchitectureError,
        "use_bias: expected true or false, found 2",
    ),
    (
        entry("Dense", "l", units=3, weights=linear(5, 3)),
        (2, 2, 2, 5),
        ShapeError,
        "layer 'l': Dense on 4 axes is not supported",
    ),
    (
        entry("BatchNormalization", "l", axis=0, weights=normalization(2)),
        (3, 2),
        UnsupportedOptionError,
        "l: normalization along axis 0 is not supported",
    ),
    (
        entry("BatchNormalization", "l", axis=[1, 2], weights=normalization(2)),
        (3, 2),
        UnsupportedOptionError,
        "l: normalization along axis [1, 2] is not supported",
    ),
    (
        entry("BatchNormalization", "l", axis=-3, weights=normalization(2)),
        (3, 2),
        UnsupportedOptionError,
        "l: normalization along axis -3 is not supported",
    ),
    (
        entry("Softmax", "l", axis=1),
        (3, 2),
        UnsupportedOptionError,
        "l: softmax over another axis than the last is not supported",
    ),
    (entry("Activation", "l", activation="glu"), (3,), UnsupportedOptionError, "l: activation 'glu' is not supported"),
    (
        entry("Activation", "l", activation={"class_name": "Evil", "config": {}}),
        (3,),
        UnsupportedOptionError,
        "is not supported",
    ),
    (
        entry("Activation", "l", activation={"class_name": ["ReLU"], "config": {}}),
        (3,),
        UnsupportedOptionError,
        "is not supported",
    ),
    (entry("ReLU", "l", max_value="6"), (3,), BrokenArchitectureError, "max_value: expected a number, found '6'"),
    (entry("ReLU", "l", max_value=1e39), (3,), BrokenArchitectureError, "max_value: expected a number, found 1e+39"),
    (
        entry("ReLU", "l", max_value=float("nan")),
        (3,),
        BrokenArchitectureError,
        "max_value: expected a number, found nan",
    ),
    (
        entry("MaxPooling2D", "l", pool_size=[4, 4]),
        (3, 5, 2),
        ShapeError,
        "layer 'l': a 4x4 window does not fit the input (3, 5, 2)",
    ),
    (
        entry("ZeroPadding2D", "l", padding=[[1, -1], [0, 0]]),
        (3, 4, 2),
        BrokenArchitectureError,
        "padding: expected sizes of borders",
    ),
    (
        entry("ZeroPadding1D", "l", padding=[1, 2, 3]),
        (4, 2),
        BrokenArchitectureError,
        "padding: expected sizes of borders",
    ),
    (entry("Cropping1D", "l", cropping=2), (4, 2), ShapeError, "layer 'l': nothing is left of (4, 2)"),
    (
        entry("UpSampling2D", "l", interpolation="bicubic"),
        (3, 3, 1),
        UnsupportedOptionError,
        "l: interpolation='bicubic' is not supported",
    ),
    (
        entry("Conv2DTranspose", "l", **CONV2D, dilation_rate=2),
        (3, 3, 1),
        UnsupportedOptionError,
        "l: a transposed convolution with dilation or output_padding",
    ),
    (
        entry("Conv2DTranspose", "l", **CONV2D, output_padding=1),
        (3, 3, 1),
        UnsupportedOptionError,
        "l: a transposed convolution with dilation or output_padding",
    ),
    (
        entry("Rescaling", "l", scale=[1.0, 2.0]),
        (3, 3, 1),
        UnsupportedOptionError,
        "scale of shape (2,) on a tensor of shape (3, 3, 1)",
    ),
    (entry("Rescaling", "l", scale="1/255"), (3, 3, 1), BrokenArchitectureError, "scale: expected numbers"),
    (entry("Rescaling", "l", scale=float("inf")), (3, 3, 1), BrokenArchitectureError, "scale: expected numbers"),
    (
        entry("Normalization", "l", axis=0),
        (3, 2),
        UnsupportedOptionError,
        "l: normalization along axis 0 is not supported",
    ),
    (
        entry("Normalization", "l", axis=[1, -2]),
        (3, 2),
        UnsupportedOptionError,
        "l: normalization along axis [1, -2] is not supported",
    ),
    (
        entry("Normalization", "l", mean=[0.0], variance=[-1.0]),
        (1,),
        UnsupportedOptionError,
        "l: a variance is negative",
    ),
    (entry("Normalization", "l"), (2,), BrokenArchitectureError, "mean: expected numbers of shape (2,), found None"),
    (entry("Reshape", "l", target_shape=[5, 5]), (3, 4, 2), ShapeError, "layer 'l': (3, 4, 2) cannot become [5, 5]"),
    (
        entry("Reshape", "l", target_shape=[-1, -1]),
        (3, 4, 2),
        ShapeError,
        "layer 'l': (3, 4, 2) cannot become [-1, -1]",
    ),
    (
        entry("Reshape", "l", target_shape=[0]),
        (3, 4, 2),
        BrokenArchitectureError,
        "target_shape: expected sizes, found [0]",
    ),
    (entry("Reshape", "l"), (3, 4, 2), BrokenArchitectureError, "target_shape: expected sizes, found None"),
    (
        entry("Permute", "l", dims=[1, 1]),
        (3, 4),
        BrokenArchitectureError,
        "dims: expected the axes 1 to 2 in some order, found [1, 1]",
    ),
    (entry("Add", "l"), (3,), ShapeError, "layer 'l': two or more inputs expected"),
    (entry("Concatenate", "l", axis=0), (3, 2), UnsupportedOptionError, "l: axis 0 is not supported"),
    (
        entry("PReLU", "l", shared_axes=[4], weights={"alpha": values(3)}),
        (3,),
        BrokenArchitectureError,
        "shared_axes: expected axes, found [4]",
    ),
]


@pytest.mark.parametrize(
    ("layer", "shape", "kind", "words"),
    REFUSALS,
    ids=[f"{layer.kind}: {words[:60]}" for layer, _, _, words in REFUSALS],
)
def test_an_option_without_hardware_is_refused_in_words(
    tmp_path: Path, layer: Entry, shape: tuple[int, ...], kind: type[FpgacnnError], words: str
) -> None:
    error = refusal(tmp_path, layer, shape)
    assert type(error) is kind
    assert words in str(error)
    assert error.hint


HALVES = [
    "float16",
    {"class_name": "Policy", "config": {"name": "mixed_bfloat16"}},
    {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}},
]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_layers_between_quantizers_may_not_compute_in_16_bit_floats(tmp_path: Path, dtype: object) -> None:
    layers = (
        entry("QActivation", "q", activation="quantized_relu(4)"),
        entry("AveragePooling1D", "l", pool_size=2, strides=2, dtype=dtype),
    )
    with pytest.raises(UnsupportedOptionError, match="l: it computes in 16-bit floats"):
        frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(4, 2)))
    assert frontends.load(sequential_file(tmp_path / "m.h5", layers[1], shape=(4, 2))).outputs == ("l",)


PO2 = {"bits": 4, "quadratic_approximation": True}


@pytest.mark.parametrize(
    ("options", "weight", "ambiguous"),
    [
        (PO2, 0.5, True),
        ({**PO2, "max_value": 0.5}, -3.0, True),
        (PO2, 0.25, False),
        (PO2, 0.75, False),
        (PO2, 2.0**-9, False),
        ({**PO2, "max_value": 1}, 2.0, False),
        ({**PO2, "quadratic_approximation": False}, 0.5, False),
        ({**PO2, "log2_rounding": "floor"}, 0.5, False),
    ],
)
def test_a_power_of_two_between_two_is_refused(
    tmp_path: Path,
    options: dict[str, Any],
    weight: float,
    ambiguous: bool,  # noqa: FBT001  # a column
) -> None:  # a column
    quantizer = {"class_name": "quantized_po2", "config": options}
    layer = entry(
        "QDense", "l", units=1, use_bias=False, kernel_quantizer=quantizer, weights={"kernel": np.full((2, 1), weight)}
    )
    if not ambiguous:
        assert frontends.load(sequential_file(tmp_path / "m.h5", layer, shape=(2,))).outputs == ("l",)
        return
    error = refusal(tmp_path, layer, (2,))
    assert isinstance(error, UnsupportedQuantizerError)
    assert "kernel holds 0.5, which its logarithm rounds up or down" in str(error)


def test_a_negative_variance_is_refused(tmp_path: Path) -> None:
    weights = {**normalization(2), "moving_variance": np.array([1.0, -0.5])}
    assert "a variance is negative" in str(refusal(tmp_path, entry("BatchNormalization", "bn", weights=weights), (2,)))


def merged(tmp_path: Path, *shapes: tuple[int, ...]) -> src.SourceModel:
    names = [f"x{number}" for number, _ in enumerate(shapes)]
    layers = (
        *(input_layer(name, *shape) for name, shape in zip(names, shapes, strict=True)),
        entry("Add", "m", *names),
    )
    return frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=names, outputs=["m"]))


@pytest.mark.parametrize(
    ("shapes", "result"),
    [
        (((3, 2), (3, 1)), (3, 2)),
        (((4, 3, 2), (2,)), (4, 3, 2)),
        (((1, 1, 2), (4, 3, 1)), (4, 3, 2)),
        (((5,), (1,), (5,)), (5,)),
    ],
)
def test_tensors_of_shorter_or_fewer_axes_are_repeated(
    tmp_path: Path, shapes: tuple[tuple[int, ...], ...], result: tuple[int, ...]
) -> None:
    assert merged(tmp_path, *shapes).layer("m").shape == result


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((3, 2), (4, 2)), r"inputs of shapes \(\(3, 2\), \(4, 2\)\) do not fit together"),
        (((2, 3, 4, 2), (2,)), r"inputs of different shapes \(\(2, 3, 4, 2\), \(2,\)\) are not supported"),
    ],
)
def test_shapes_that_do_not_fit_cannot_be_merged(
    tmp_path: Path, shapes: tuple[tuple[int, ...], ...], words: str
) -> None:
    with pytest.raises(ShapeError, match=f"layer 'm': {words}"):
        merged(tmp_path, *shapes)


def test_every_class_on_the_white_list_has_a_name_that_keras_or_qkeras_writes() -> None:
    names = [kind.removeprefix("hgq>") for kind in PARSERS if not kind.startswith("op>")]
    assert all(name.isidentifier() and name[0].isupper() for name in names)
    assert not set(PARSERS) & NO_OPERATION
