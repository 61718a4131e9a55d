"""Functions between layers: what their serialized calls say, answered by NumPy.

Every axis has one length on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import (
    BrokenArchitectureError,
    FpgacnnError,
    GraphError,
    ShapeError,
    UnsupportedLayerError,
    UnsupportedOptionError,
)
from fpgacnn.ir.source import FloatArray
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import functional, input_layer, write_h5

N = 4
X = np.random.default_rng(3).integers(-16, 17, size=(N, N, N, N)) / 16
Y = np.random.default_rng(4).integers(-16, 17, size=(N, N, N, N)) / 16
FOUR = np.array([0.5, -1.0, 0.25, 2.0])


def tensor(name: str, number: int = 0) -> dict[str, Any]:
    """A tensor as Keras 3 writes it."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, N, N, N], "dtype": "float32", "keras_history": [name, 0, number]},
    }


def tensorflow(function: str, *first: Any, **options: Any) -> dict[str, Any]:
    """A function of TensorFlow as an entry of Keras 2; what it is called on is a name, a number or nested lists."""
    items = [[one, 0, 0, options] if isinstance(one, str) else ["_CONSTANT_VALUE", -1, one, options] for one in first]
    kind = "SlicingOpLambda" if function.endswith("getitem") else "TFOpLambda"
    nodes = [items] if len(items) > 1 else items
    return {"class_name": kind, "name": "f", "config": {"name": "f", "function": function}, "inbound_nodes": nodes}


def keras3(kind: str, *arguments: Any, **config: Any) -> dict[str, Any]:
    """An operation of Keras 3; what it is called on is a name or anything else that can stand in JSON."""
    args = [tensor(one) if isinstance(one, str) else one for one in arguments]
    entry = {
        "class_name": kind,
        "name": "f",
        "module": "keras.src.ops.numpy",
        "registered_name": kind,
        "config": {"name": "f", **config},
    }
    return {**entry, "inbound_nodes": [{"args": args, "kwargs": {}}]}


def written(
    folder: Path, *entries: dict[str, Any], outputs: list[Any] | None = None, inputs: tuple[str, ...] = ("x", "y")
) -> Path:
    whole = functional(*(input_layer(name, N, N, N) for name in inputs), inputs=inputs, outputs=("f",))
    whole["config"]["layers"] += entries
    if outputs is not None:
        whole["config"]["output_layers"] = outputs
    return write_h5(folder / "m.h5", whole)


def answers(path: Path) -> list[FloatArray]:
    source = frontends.load(path)
    found = evaluate(source, [X, Y][: len(source.inputs)], quantized=True)
    for name in source.outputs:
        assert found[name].shape[1:] == source.layer(name).shape
    return [found[name] for name in source.outputs]


def refusal(path: Path) -> FpgacnnError:
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    return caught.value


# --- slices --------------------------------------------------------------------------------------------------------

_ = slice(None)
CUTS: list[tuple[Any, ...]] = [
    (..., slice(1, 3)),
    (..., slice(None, 1)),
    (..., slice(-1, None)),
    (..., 1),
    (..., -2, _),
    (..., slice(1, 3), _),
    (_, ..., slice(1, 3)),
    (_, slice(1, 3), ...),
    (_, slice(1, 3)),
    (_, _, slice(2, 9), ..., slice(0, 2)),
    (_, _, _, _, ...),
    (..., _, slice(1, 3), _, _),
    (_, 1),
    (_, -1, 2),
    (_, _, 1, slice(-3, -1)),
    (_, slice(None, None, 2)),
    (_, _, slice(None, None, -1)),
    (..., slice(3, 0, -2)),
    (_, slice(1, None, 2), _, slice(None, None, 3)),
    (_, None, slice(1, 3)),
    (..., None),
    (_, None, ..., 1, None),
    (_, slice(-2, None), 0, ..., None),
]


def keras2_part(part: Any) -> Any:
    if isinstance(part, slice):
        return {"start": part.start, "stop": part.stop, "step": part.step}
    return {"class_name": "__ellipsis__"} if part is ... else part


def keras3_part(part: Any) -> Any:
    if isinstance(part, slice):
        return {"class_name": "__slice__", "config": keras2_part(part)}
    return {"class_name": "__ellipsis__", "config": {}} if part is ... else part


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_slice_cuts_the_axes_that_numpy_cuts(cut: tuple[Any, ...], tmp_path: Path) -> None:
    for entry in (
        tensorflow("__operators__.getitem", "x", slice_spec=[keras2_part(one) for one in cut]),
        keras3("GetItem", "x", [keras3_part(one) for one in cut]),
        keras3("GetItem", "x", {"class_name": "__tuple__", "items": [keras3_part(one) for one in cut]}),
    ):
        (found,) = answers(written(tmp_path, entry))
        np.testing.assert_array_equal(found, X[cut])


def test_a_single_index_is_that_of_events(tmp_path: Path) -> None:
    for spec in ({"start": None, "stop": None, "step": None}, {"class_name": "__ellipsis__"}):
        (found,) = answers(written(tmp_path, tensorflow("__operators__.getitem", "x", slice_spec=spec)))
        np.testing.assert_array_equal(found, X)


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ([{"start": 1, "stop": None, "step": None}], UnsupportedOptionError, "a slice of events is not supported"),
        ({"start": 0, "stop": 2, "step": None}, UnsupportedOptionError, "a slice of events is not supported"),
        ([0], UnsupportedOptionError, "a slice of events is not supported"),
        ([None], UnsupportedOptionError, "a slice of events is not supported"),
        (
            [{"class_name": "__ellipsis__"}] * 2,
            BrokenArchitectureError,
            "0 parts and 2 ellipses for a tensor of 4 axes",
        ),
        (
            [{"start": None, "stop": None, "step": None}] * 5,
            BrokenArchitectureError,
            "5 parts and 0 ellipses for a tensor of 4 axes",
        ),
        (
            [{"class_name": "__ellipsis__"}, {"start": 2, "stop": 2, "step": None}],
            ShapeError,
            "a slice takes nothing of an axis of 4",
        ),
        ([{"class_name": "__ellipsis__"}, 7], ShapeError, "a slice takes nothing of an axis of 4"),
        (
            [{"class_name": "__ellipsis__"}, {"start": 0, "stop": 2, "step": 0}],
            UnsupportedOptionError,
            "the index [0, 2, 0] is not supported",
        ),
        ([{"class_name": "__ellipsis__"}, True], UnsupportedOptionError, "the index True is not supported"),
        ([{"class_name": "__ellipsis__"}, [1, 2]], UnsupportedOptionError, "the index [1, 2] is not supported"),
        (
            [{"class_name": "__other__", "config": {"start": 1, "stop": 2}}],
            UnsupportedOptionError,
            "the index {'class_name': '__other__'",
        ),
        (
            [{"start": 1.5, "stop": 2, "step": None}],
            UnsupportedOptionError,
            "the index [1.5, 2, None] is not supported",
        ),
        ([{}], UnsupportedOptionError, "the index {} is not supported"),
    ],
)
def test_other_indices_are_refused_by_name(spec: Any, kind: type[FpgacnnError], words: str, tmp_path: Path) -> None:
    error = refusal(written(tmp_path, tensorflow("__operators__.getitem", "x", slice_spec=spec)))
    assert type(error) is kind
    assert words in str(error)


# --- constants -----------------------------------------------------------------------------------------------------

SHAPES = [(), (1,), (4,), (4, 1), (4, 1, 1), (1, 4, 1), (4, 4), (4, 4, 4), (1, 4, 1, 1), (1, 4, 4, 4), (1, 1, 1, 1)]
BINARY: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "math.add": ("Add", np.add),
    "math.subtract": ("Subtract", np.subtract),
    "math.multiply": ("Multiply", np.multiply),
    "math.maximum": ("Maximum", np.maximum),
    "math.minimum": ("Minimum", np.minimum),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("function", BINARY)
def test_a_constant_joins_the_places_that_numpy_joins(function: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    constant = np.random.default_rng(5).integers(-16, 17, size=shape) / 8
    kind, wanted = BINARY[function]
    array = {"class_name": "__numpy__", "config": {"value": constant.tolist(), "dtype": "float32"}}
    for entry, answer in (
        (tensorflow(function, "x", y=constant.tolist(), name=None), wanted(X, constant)),
        (tensorflow(function, constant.tolist(), y=["x", 0, 0]), wanted(constant, X)),
        (keras3(kind, "x", array), wanted(X, constant)),
        (keras3(kind, {**array, "class_name": "__tensor__"}, "x"), wanted(constant, X)),
    ):
        (found,) = answers(written(tmp_path, entry))
        np.testing.assert_allclose(found, answer, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "wrong"), [((4, 1), True), ((4, 1, 1), True), ((1, 4, 1), True), ((1, 1, 4), False), ((4, 4, 1), False)]
)
def test_what_the_backends_of_keras_3_add_differently_is_refused(
    shape: tuple[int, ...], wrong: object, tmp_path: Path
) -> None:
    """`keras.ops.add` of the TensorFlow backend takes a constant with one long axis for a bias of the channels."""
    path = written(
        tmp_path, keras3("Add", "x", {"class_name": "__numpy__", "config": {"value": np.ones(shape).tolist()}})
    )
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "3.15.0"
    if wrong:
        assert "along another axis by TensorFlow than by JAX and PyTorch" in str(refusal(path))
    else:
        np.testing.assert_array_equal(answers(path)[0], X + 1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_constant_divides_the_places_that_numpy_divides(shape: tuple[int, ...], tmp_path: Path) -> None:
    constant = 2.0 ** np.random.default_rng(5).integers(-2, 3, size=shape)
    (found,) = answers(written(tmp_path, tensorflow("math.truediv", "x", y=constant.tolist())))
    np.testing.assert_allclose(found, X / constant, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4, 1), (4, 4, 4)], ids=str)
def test_a_tensor_is_repeated_where_a_constant_is_larger(shape: tuple[int, ...], tmp_path: Path) -> None:
    constant = np.random.default_rng(5).integers(-16, 17, size=shape) / 8
    pooled = {"class_name": "TFOpLambda", "name": "p", "config": {"name": "p", "function": "math.reduce_sum"}}
    for axis in (1, 2, 3, [1, 3]):
        first = {**pooled, "inbound_nodes": [["x", 0, 0, {"axis": axis, "keepdims": True}]]}
        (found,) = answers(written(tmp_path, first, tensorflow("math.add", "p", y=constant.tolist())))
        np.testing.assert_allclose(
            found, X.sum(axis=tuple(np.atleast_1d(axis)), keepdims=True) + constant, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("shape", [(4, 1), (1, 4, 1), (4, 4, 4)], ids=str)
def test_both_ends_of_a_clip_may_differ_from_place_to_place(shape: tuple[int, ...], tmp_path: Path) -> None:
    low = np.random.default_rng(5).integers(-16, 1, size=shape) / 32
    entry = tensorflow("clip_by_value", "x", clip_value_min=low.tolist(), clip_value_max=0.25)
    (found,) = answers(written(tmp_path, entry))
    np.testing.assert_allclose(found, np.clip(X, low, 0.25), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("constant", "kind", "words"),
    [
        (np.ones((4, 1, 1, 1)), UnsupportedOptionError, "so that it differs from event to event"),
        (np.ones((1, 1, 4, 4, 4)), UnsupportedOptionError, "so that it differs from event to event"),
        (np.ones(3), ShapeError, "a constant of shape (3,) does not fit a tensor of shape (4, 4, 4)"),
        (np.array("abc"), BrokenArchitectureError, "operands: expected numbers"),
        (np.ones((), bool), BrokenArchitectureError, "operands: expected numbers"),
        (np.array(3.5e38), BrokenArchitectureError, "operands: expected numbers"),
    ],
)
def test_other_constants_are_refused_by_name(
    constant: FloatArray, kind: type[FpgacnnError], words: str, tmp_path: Path
) -> None:
    error = refusal(
        written(tmp_path, keras3("Add", "x", {"class_name": "__numpy__", "config": {"value": constant.tolist()}}))
    )
    assert type(error) is kind
    assert words in str(error)


def test_an_object_of_another_class_is_no_constant(tmp_path: Path) -> None:
    error = refusal(
        written(tmp_path, keras3("Add", "x", {"class_name": "__other__", "config": {"value": FOUR.tolist()}}))
    )
    assert "operands: expected numbers" in str(error)


# --- other functions -----------------------------------------------------------------------------------------------

KNOWN: dict[str, tuple[dict[str, Any], Any]] = {
    "abs": (tensorflow("math.abs", "x"), np.abs(X)),
    "absolute": (keras3("Absolute", "x"), np.abs(X)),
    "square": (tensorflow("math.pow", "x", y=2), X**2),
    "power": (keras3("Power", "x", 2), X**2),
    "swapaxes": (keras3("Swapaxes", "x", axis1=1, axis2=-1), X.swapaxes(1, -1)),
    "moveaxis": (keras3("Moveaxis", "x", source=1, destination=-1), np.moveaxis(X, 1, -1)),
    "moved axes": (keras3("Moveaxis", "x", source=[3, 1], destination=[1, 2]), np.moveaxis(X, (3, 1), (1, 2))),
    "turned": (keras3("Transpose", "x", axes=[0, -1, 1, 2]), X.transpose(0, 3, 1, 2)),
    "stacked": (tensorflow("stack", "x", "y", axis=2), np.stack([X, Y], 2)),
    "stacked last": (keras3("Stack", [tensor("y"), tensor("x")], axis=-1), np.stack([Y, X], -1)),
    "joined": (keras3("Concatenate", [tensor("y"), tensor("x")], axis=-2), np.concatenate([Y, X], -2)),
    "many": (tensorflow("math.add_n", "x", "y", "x"), X + Y + X),
    "mean of channels": (tensorflow("math.reduce_mean", "x", axis=-1), X.mean(-1)),
    "largest of rows and channels": (keras3("Max", "x", axis=[1, 3], keepdims=False), X.max((1, 3))),
    "smallest of columns": (keras3("Min", "x", axis=[2], keepdims=True), X.min(2, keepdims=True)),
    "sum of all": (tensorflow("math.reduce_sum", "x", axis=[1, 2, 3], keepdims=True), X.sum((1, 2, 3), keepdims=True)),
    "cast": (tensorflow("cast", "x", dtype="float32"), X),
    "softmax over rows": (keras3("Softmax", "x", axis=1), np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    "a function as a layer": (
        {
            **keras3("ReLU", "x", negative_slope=0.0, max_value=0.5, threshold=0.0),
            "module": "keras.src.activations.activations",
        },
        np.clip(X, 0, 0.5),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_function_answers_as_numpy_does(name: str, tmp_path: Path) -> None:
    entry, wanted = KNOWN[name]
    (found,) = answers(written(tmp_path, entry))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (tensorflow("split", "x", num_or_size_splits=2, axis=-1), np.split(X, 2, -1)),
        (tensorflow("split", "x", num_or_size_splits=[1, -1], axis=1), np.split(X, [1], 1)),
        (tensorflow("unstack", "x", axis=2), [X[:, :, number] for number in range(N)]),
        (keras3("Split", "x", indices_or_sections=[1, -1], axis=3), np.split(X, [1, 3], 3)),
        (keras3("Split", "x", indices_or_sections=4, axis=1), np.split(X, 4, 1)),
        (keras3("Unstack", "x", num=None, axis=-1), [X[..., number] for number in range(N)]),
    ],
)
def test_each_part_of_a_tensor_is_found_by_its_number(
    entry: dict[str, Any], wanted: list[FloatArray], tmp_path: Path
) -> None:
    order = [1, 0, len(wanted) - 1]
    found = answers(written(tmp_path, entry, outputs=[["f", 0, number] for number in order]))
    for one, number in zip(found, order, strict=True):
        np.testing.assert_array_equal(one, wanted[number])


def test_a_part_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    entry = tensorflow("split", "x", num_or_size_splits=2, axis=-1)
    error = refusal(written(tmp_path, entry, outputs=[["f", 0, 2]]))
    assert type(error) is ShapeError
    assert "part 2 of 2 is read" in str(error)


@pytest.mark.parametrize(
    ("entry", "kind", "words"),
    [
        (tensorflow("nn.silu", "x", beta=2.0), UnsupportedOptionError, "beta=2.0 is not supported"),
        (
            keras3("Max", "x", axis=1, keepdims=False, initial=0.0),
            UnsupportedOptionError,
            "initial=0.0 is not supported",
        ),
        (tensorflow("cast", "x", dtype="int32"), UnsupportedOptionError, "a cast to 'int32' is not supported"),
        (tensorflow("math.pow", "x", y=3), UnsupportedOptionError, "a power that is no square is not supported"),
        (
            tensorflow("math.pow", 2, y=["x", 0, 0]),
            UnsupportedOptionError,
            "a power that is no square is not supported",
        ),
        (
            keras3("Swapaxes", "x", axis1=0, axis2=1),
            UnsupportedOptionError,
            "moving the axis of events is not supported",
        ),
        (
            keras3("Moveaxis", "x", source=1, destination=0),
            UnsupportedOptionError,
            "moving the axis of events is not supported",
        ),
        (keras3("Stack", [tensor("x"), tensor("y")], axis=0), UnsupportedOptionError, "along axis 0 is not supported"),
        (tensorflow("concat", "x", "y"), UnsupportedOptionError, "axis 0 is not supported"),
        (tensorflow("split", "x", num_or_size_splits=2), UnsupportedOptionError, "axis=0 is not supported"),
        (tensorflow("split", "x", num_or_size_splits=3, axis=1), UnsupportedOptionError, "parts 3 are not supported"),
        (
            tensorflow("split", "x", num_or_size_splits=[1, 2], axis=1),
            UnsupportedOptionError,
            "parts of sizes [1, 2] of an axis of 4",
        ),
        (keras3("Average", "x", axis=1), UnsupportedLayerError, "layer 'f' is a keras.ops.Average"),
        (
            {**keras3("Add", "x", "y", trainable=True), "module": "mine.layers", "registered_name": "mine>Add"},
            UnsupportedLayerError,
            "is a mine>Add",
        ),
        ({**keras3("Add", "x", "y", trainable=True), "module": "mine.layers"}, UnsupportedLayerError, "is a mine>Add"),
        (
            {**keras3("Add", "x", "y", trainable=True), "class_name": "mine>Add", "module": None},
            UnsupportedLayerError,
            "is a mine>Add",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    entry: dict[str, Any], kind: type[FpgacnnError], words: str, tmp_path: Path
) -> None:
    error = refusal(written(tmp_path, entry))
    assert words in str(error)
    assert type(error) is kind


def test_tensors_of_unequal_ranks_would_mix_events(tmp_path: Path) -> None:
    flat = {
        "class_name": "TFOpLambda",
        "name": "p",
        "config": {"name": "p", "function": "math.reduce_sum"},
        "inbound_nodes": [["x", 0, 0, {"axis": 1}]],
    }
    error = refusal(written(tmp_path, flat, tensorflow("math.add", "p", y=["y", 0, 0])))
    assert "tensors of shapes (4, 4), (4, 4, 4) would mix events" in str(error)


# --- models inside -------------------------------------------------------------------------------------------------


def difference(made_of: Any) -> dict[str, Any]:
    """A model `first - second`, made of a list or a dictionary of its inputs."""
    inner = functional(
        input_layer("first", N, N, N), input_layer("second", N, N, N), inputs=("first", "second"), outputs=("d",)
    )
    subtract = {
        "class_name": "Subtract",
        "name": "d",
        "config": {"name": "d"},
        "inbound_nodes": [[["first", 0, 0, {}], ["second", 0, 0, {}]]],
    }
    inner["config"]["layers"].append(subtract)
    inner["config"]["input_layers"] = made_of
    return {"class_name": "Functional", "name": "f", "config": {**inner["config"], "name": "f"}}


LISTED: list[Any] = [["first", 0, 0], ["second", 0, 0]]
KEYED: dict[str, Any] = {"z": ["first", 0, 0], "a": ["second", 0, 0]}


@pytest.mark.parametrize(
    ("made_of", "node", "wanted"),
    [
        (LISTED, [["x", 0, 0, {}], ["y", 0, 0, {}]], X - Y),
        (LISTED[::-1], [["x", 0, 0, {}], ["y", 0, 0, {}]], Y - X),
        (LISTED, {"second": ["x", 0, 0, {}], "first": ["y", 0, 0, {}]}, Y - X),
        (KEYED, {"a": ["x", 0, 0, {}], "z": ["y", 0, 0, {}]}, Y - X),
        (KEYED, {"z": ["x", 0, 0, {}], "a": ["y", 0, 0, {}]}, X - Y),
        (KEYED, [["x", 0, 0, {}], ["y", 0, 0, {}]], Y - X),  # the order of keys
        (LISTED, {"args": [[tensor("y"), tensor("x")]], "kwargs": {"mask": [None, None]}}, Y - X),
        (KEYED, {"args": [{"z": tensor("y"), "a": tensor("x")}], "kwargs": {"mask": {"z": None, "a": None}}}, Y - X),
        (KEYED, {"args": [{"a": tensor("y"), "z": tensor("x")}], "kwargs": {}}, X - Y),
        (LISTED, {"args": [{"class_name": "__tuple__", "items": [tensor("y"), tensor("x")]}], "kwargs": {}}, Y - X),
    ],
)
def test_a_model_inside_is_called_on_a_list_a_tuple_or_a_dictionary(
    made_of: Any, node: Any, wanted: FloatArray, tmp_path: Path
) -> None:
    entry = {**difference(made_of), "inbound_nodes": [node]}
    entry["config"]["trainable"] = True
    (found,) = answers(written(tmp_path, entry))
    np.testing.assert_array_equal(found, wanted)


def test_inputs_and_outputs_in_a_dictionary_have_the_order_of_its_keys(tmp_path: Path) -> None:
    path = written(tmp_path, tensorflow("math.negative", "x"), outputs=None)
    whole = functional(input_layer("x", N, N, N), input_layer("y", N, N, N), inputs=("x", "y"), outputs=("x", "y"))
    whole["config"]["input_layers"] = {"b": ["x", 0, 0], "a": ["y", 0, 0]}
    whole["config"]["output_layers"] = {"q": ["x", 0, 0], "p": ["y", 0, 0]}
    source = frontends.load(write_h5(path, whole))
    assert source.inputs == ("y", "x")
    assert source.outputs == ("y", "x")


def test_an_output_of_a_layer_that_has_one_is_refused(tmp_path: Path) -> None:
    flat = {"class_name": "Flatten", "name": "f", "config": {"name": "f"}, "inbound_nodes": [[["x", 0, 0, {}]]]}
    error = refusal(written(tmp_path, flat, outputs=[["f", 0, 1]]))
    assert type(error) is GraphError
    assert "output 1 of layer 'f' is read, which has one output" in str(error)


@pytest.mark.parametrize("package", ["mine", "keras2"])
@pytest.mark.parametrize("key", ["module", "registered_name", "class_name"])
def test_a_class_of_a_foreign_package_is_not_that_of_keras(package: str, key: str, tmp_path: Path) -> None:
    def foreign(kind: str, **config: Any) -> dict[str, Any]:
        return {
            "class_name": kind,
            "config": config,
            key: {"module": f"{package}.things"}.get(key, f"{package}>{kind}"),
        }

    first = [["x", 0, 0, {}]]
    refused = {
        f"is a {package}>Flatten": foreign("Flatten", name="f"),
        f"is a {package}>Dense": {
            "class_name": "TimeDistributed",
            "config": {"name": "f", "layer": foreign("Dense", name="d", units=3)},
        },
        f"'{package}>ReLU'": {
            "class_name": "Activation",
            "config": {"name": "f", "activation": foreign("ReLU", name="r")},
        },
        f"'{package}>function'": {
            "class_name": "Activation",
            "config": {"name": "f", "activation": {**foreign("function"), "config": "relu"}},
        },
        f"'{package}>quantized_bits'": {
            "class_name": "QActivation",
            "config": {"name": "f", "activation": foreign("quantized_bits", bits=3)},
        },
    }
    for words, entry in refused.items():
        assert words in str(refusal(written(tmp_path, {**entry, "name": "f", "inbound_nodes": [first]})))
