"""Sequential and functional architectures become one list of nodes that can be computed in its order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import (
    BrokenArchitectureError,
    FileMissingError,
    FpgacnnError,
    GraphError,
    NotAModelError,
    UnsupportedLayerError,
    UnsupportedOptionError,
    WeightsError,
)
from fpgacnn.ir import source as src
from fpgacnn.ir.source import QuantizedBits, SourceModel
from tests.support.files import (
    Entry,
    entry,
    functional,
    functional_file,
    input_layer,
    linear,
    sequential,
    sequential_file,
    tiny_layers,
    tiny_model,
    values,
    write_h5,
)


def dense(name: str, *inputs: str, size: int = 3, **options: Any) -> Entry:
    return entry("Dense", name, *inputs, units=size, weights=linear(size, size), **options)


def refused(path: Path) -> FpgacnnError:
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    return caught.value


def order(network: SourceModel) -> list[str]:
    return [layer.name for layer in network.layers]


# --- sequential ----------------------------------------------------------------------------------------------------


def test_a_sequential_model_is_a_chain(tmp_path: Path) -> None:
    network = frontends.load(tiny_model(tmp_path / "net.h5"))
    assert order(network) == ["x", "conv", "relu", "flatten", "logits"]
    assert [layer.inputs for layer in network.layers] == [(), ("x",), ("conv",), ("relu",), ("flatten",)]
    assert [layer.shape for layer in network.layers] == [(4, 4, 1), (2, 2, 2), (2, 2, 2), (8,), (3,)]
    assert (network.name, network.framework, network.inputs, network.outputs) == (
        "net",
        "Keras 2.15.0",
        ("x",),
        ("logits",),
    )


def test_a_sequential_model_without_an_input_layer_states_its_shape_at_the_first(tmp_path: Path) -> None:
    layers = (dense("a", batch_input_shape=[None, 3]), dense("b"))
    network = frontends.load(sequential_file(tmp_path / "m.h5", *layers))
    assert order(network) == ["a_input", "a", "b"]
    assert network.inputs == ("a_input",)


def test_a_sequential_model_may_state_its_shape_when_built(tmp_path: Path) -> None:
    architecture = sequential(dense("a"))
    architecture["config"]["build_input_shape"] = [None, 3]
    assert order(frontends.load(write_h5(tmp_path / "m.h5", architecture, [dense("a")]))) == ["a_input", "a"]


def test_an_old_sequential_model_is_a_bare_list(tmp_path: Path) -> None:
    architecture = sequential(dense("a"), shape=(3,))
    old = {"class_name": "Sequential", "config": architecture["config"]["layers"]}
    assert order(frontends.load(write_h5(tmp_path / "m.h5", old, [dense("a")]))) == ["x", "a"]


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((dense("a"),), "the Sequential model has no input shape"),
        ((entry("InputLayer", "x"), dense("a")), "the Sequential model has no input shape"),
        ((input_layer("x", 3), dense("a"), dense("a")), "two layers have the same name"),
        ((input_layer("x", 3), dense("x")), "two layers have the same name"),
        ((dense("a", batch_input_shape=[None, 3]), dense("a_input")), "two layers have the same name"),
    ],
)
def test_a_sequential_model_that_is_no_chain_is_refused(tmp_path: Path, layers: tuple[Entry, ...], words: str) -> None:
    error = refused(write_h5(tmp_path / "m.h5", sequential(*layers)))
    assert isinstance(error, GraphError)
    assert words in str(error)


# --- functional ----------------------------------------------------------------------------------------------------


def test_several_inputs_and_outputs_keep_the_models_order(tmp_path: Path) -> None:
    layers = (input_layer("x", 3), input_layer("y", 3), dense("a", "x"), dense("b", "y"), entry("Add", "sum", "a", "b"))
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["y", "x"], outputs=["sum", "a"]))
    assert (network.inputs, network.outputs) == (("y", "x"), ("sum", "a"))
    assert network.layer("sum").inputs == ("a", "b")


def test_layers_are_put_in_an_order_that_can_be_computed(tmp_path: Path) -> None:
    layers = (entry("Add", "sum", "a", "b"), dense("b", "a"), dense("a", "x"), input_layer("x", 3))
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["sum"]))
    assert order(network) == ["x", "a", "b", "sum"]


def test_an_order_that_can_be_computed_is_kept(tmp_path: Path) -> None:
    layers = (
        input_layer("x", 3),
        dense("a", "x"),
        dense("b", "a"),
        input_layer("y", 3),
        dense("c", "y"),
        entry("Add", "sum", "b", "c"),
    )
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x", "y"], outputs=["sum"]))
    assert order(network) == ["x", "a", "b", "y", "c", "sum"]


def test_a_layer_used_twice_becomes_two_nodes_with_the_same_weights(tmp_path: Path) -> None:
    shared = Entry(kind="Dense", name="shared", config={"units": 3}, inputs=(("x",), ("y",)), weights=linear(3, 3))
    layers = (input_layer("x", 3), input_layer("y", 3), shared, entry("Add", "sum", "shared", "shared:1"))
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x", "y"], outputs=["sum"]))
    assert network.layer("sum").inputs == ("shared", "shared:1")
    first, second = (network.layer(name) for name in ("shared", "shared:1"))
    assert (first.inputs, second.inputs) == (("x",), ("y",))
    assert isinstance(first.operation, src.Dense)
    assert isinstance(second.operation, src.Dense)
    assert np.array_equal(first.operation.kernel.values, second.operation.kernel.values)


def test_a_dropped_layer_is_stood_for_by_what_it_reads(tmp_path: Path) -> None:
    layers = (
        input_layer("x", 3),
        dense("a", "x"),
        entry("Dropout", "d1", "a"),
        entry("Dropout", "d2", "d1"),
        dense("b", "d2"),
    )
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["b"]))
    assert order(network) == ["x", "a", "b"]
    assert network.layer("b").inputs == ("a",)


def test_an_output_that_is_dropped_is_what_it_reads(tmp_path: Path) -> None:
    layers = (input_layer("x", 3), dense("a", "x"), entry("Dropout", "end", "a"))
    assert frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["end"])).outputs == ("a",)


@pytest.mark.parametrize("form", [["x", 0, 0], [["x", 0, 0]]])
def test_ends_may_be_one_reference_or_a_list_of_them(tmp_path: Path, form: list[Any]) -> None:
    architecture = functional(input_layer("x", 3), dense("a", "x"), inputs=["x"], outputs=["a"])
    architecture["config"]["input_layers"] = form
    assert frontends.load(write_h5(tmp_path / "m.h5", architecture, [dense("a")])).inputs == ("x",)


@pytest.mark.parametrize("kind", ["Functional", "Model", "Keras>Functional"])
def test_a_functional_model_goes_by_several_names(tmp_path: Path, kind: str) -> None:
    architecture = {**functional(input_layer("x", 3), dense("a", "x"), inputs=["x"], outputs=["a"]), "class_name": kind}
    assert order(frontends.load(write_h5(tmp_path / "m.h5", architecture, [dense("a")]))) == ["x", "a"]


def pruned(name: str, inner: Entry, *inputs: str, mask: np.ndarray | None = None) -> Entry:
    """A layer inside the wrapper of tensorflow_model_optimization, whose arrays lie in the wrapper's group."""
    layer = {"class_name": inner.kind, "config": {"name": inner.name, **inner.config}}
    masks = {
        "mask": np.ones((3, 3), np.float32) if mask is None else mask,
        "threshold": np.float32(0),
        "pruning_step": np.int64(7),
    }
    return Entry(
        kind="PruneLowMagnitude",
        name=name,
        config={"layer": layer},
        inputs=(inputs,),
        weights={**inner.weights, **masks},
    )


def test_a_pruning_wrapper_is_taken_off(tmp_path: Path) -> None:
    layers = (
        input_layer("x", 3),
        pruned("prune_low_magnitude_a", dense("a"), "x"),
        dense("b", "prune_low_magnitude_a"),
    )
    network = frontends.load(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["b"]))
    assert [layer.kind for layer in network.layers] == ["InputLayer", "Dense", "Dense"]
    operation = network.layers[1].operation
    assert isinstance(operation, src.Dense)
    assert operation.kernel.values.tolist() == values(3, 3).tolist()


def test_a_pruning_wrapper_in_a_sequential_model_is_taken_off(tmp_path: Path) -> None:
    wrapper = pruned(
        "prune_low_magnitude_q",
        entry("QDense", "q", units=3, weights=linear(3, 3), kernel_quantizer="quantized_bits(4,0,alpha=1)"),
    )
    operation = frontends.load(sequential_file(tmp_path / "m.h5", wrapper, shape=(3,))).layers[1].operation
    assert isinstance(operation, src.Dense)
    assert operation.kernel.quantizer == QuantizedBits(bits=4, integer=0, alpha=1.0)


def test_a_pruning_mask_is_multiplied_into_the_kernel_as_the_wrapper_does(tmp_path: Path) -> None:
    mask = (np.arange(9).reshape(3, 3) % 2).astype(np.float32)
    wrapper = pruned("prune_low_magnitude_a", dense("a"), mask=mask)
    operation = frontends.load(sequential_file(tmp_path / "m.h5", wrapper, shape=(3,))).layers[1].operation
    assert isinstance(operation, src.Dense)
    assert operation.kernel.values.tolist() == (values(3, 3) * mask).tolist()


def test_a_pruning_mask_that_fits_no_kernel_is_an_error(tmp_path: Path) -> None:
    wrapper = pruned("prune_low_magnitude_a", dense("a"), mask=np.ones((3, 2), np.float32))
    with pytest.raises(WeightsError, match=r"its pruning mask of shape \(3, 2\) fits no kernel"):
        frontends.load(sequential_file(tmp_path / "m.h5", wrapper, shape=(3,)))


# --- broken graphs -------------------------------------------------------------------------------------------------


def graph_of(*layers: Entry, inputs: tuple[str, ...] = ("x",), outputs: tuple[str, ...] = ("a",)) -> dict[str, Any]:
    return functional(*layers, inputs=inputs, outputs=outputs)


BROKEN_GRAPHS: dict[str, tuple[dict[str, Any], type[FpgacnnError], str]] = {
    "a cycle": (
        graph_of(input_layer("x", 3), entry("Add", "a", "x", "b"), dense("b", "a")),
        GraphError,
        "the layers form a cycle through 'a'",
    ),
    "a layer that reads itself": (
        graph_of(input_layer("x", 3), entry("Add", "a", "x", "a")),
        GraphError,
        "the layers form a cycle through 'a'",
    ),
    "an unknown layer": (
        graph_of(input_layer("x", 3), dense("a", "nobody")),
        GraphError,
        "layer 'a' reads 'nobody', which does not exist",
    ),
    "an unknown use": (
        graph_of(input_layer("x", 3), dense("a", "x:7")),
        GraphError,
        "layer 'a' reads 'x:7', which does not exist",
    ),
    "an unknown input": (
        graph_of(input_layer("x", 3), dense("a", "x"), inputs=("q",)),
        GraphError,
        "its inputs (q) are not its input layers",
    ),
    "an input that is a layer": (
        graph_of(input_layer("x", 3), dense("a", "x"), inputs=("a",)),
        GraphError,
        "its inputs (a) are not its input layers",
    ),
    "an input twice": (
        graph_of(input_layer("x", 3), dense("a", "x"), inputs=("x", "x")),
        GraphError,
        "its inputs (x, x) are not its input layers",
    ),
    "an input left out": (
        graph_of(input_layer("x", 3), input_layer("y", 3), entry("Add", "a", "x", "y")),
        GraphError,
        "its inputs (x) are not its input layers",
    ),
    "an unknown output": (
        graph_of(input_layer("x", 3), dense("a", "x"), outputs=("q",)),
        GraphError,
        "an input or output of the model is no layer",
    ),
    "a name twice": (
        graph_of(input_layer("x", 3), dense("a", "x"), dense("a", "x")),
        GraphError,
        "two layers have the same name",
    ),
    "a layer without inputs": (
        graph_of(input_layer("x", 3), dense("a")),
        GraphError,
        "layer 'a' is connected to nothing",
    ),
    "an input without a shape": (
        graph_of(entry("InputLayer", "x"), dense("a", "x")),
        GraphError,
        "layer 'x' is connected to nothing",
    ),
}


@pytest.mark.parametrize("name", BROKEN_GRAPHS)
def test_a_broken_graph_is_refused_in_words(tmp_path: Path, name: str) -> None:
    architecture, kind, words = BROKEN_GRAPHS[name]
    error = refused(write_h5(tmp_path / "m.h5", architecture, [dense("a"), dense("b")]))
    assert type(error) is kind
    assert words in str(error)
    assert "m.h5" in str(error)


def test_a_node_of_an_embedded_activation_does_not_take_anothers_name(tmp_path: Path) -> None:
    layers = (input_layer("x", 3), dense("a", "x", activation="relu"), dense("a/0", "a"))
    error = refused(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["a/0"]))
    assert "two layers have the same name" in str(error)


@pytest.mark.parametrize(
    ("nodes", "kind", "words"),
    [
        ([[["x", 0, 1, {}]]], GraphError, "output 1 of layer 'x' is read, which has one output"),
        ([[["x", 0, -1, {}]]], BrokenArchitectureError, "layer 'a': inbound_nodes: not understood: ['x', 0, -1, {}]"),
        ([[["x", 0, 0, {"training": True}]]], UnsupportedOptionError, "a: it is called with training=True"),
        ([{"x": ["x", 0, 0, {}]}], UnsupportedOptionError, "a: it is called on a dictionary"),
        ([{"x": ["x", 0, 0, {}], "y": 3}], BrokenArchitectureError, "layer 'a': inbound_nodes: not understood: 3"),
        ([[[5, 0, 0, {}]]], BrokenArchitectureError, "layer 'a': inbound_nodes: not understood: [5, 0, 0, {}]"),
        ([[]], BrokenArchitectureError, "layer 'a': inbound_nodes: a node without inputs"),
        ([{"args": []}], BrokenArchitectureError, "layer 'a': inbound_nodes: a node without inputs"),
        (
            [[["x", 0, 0, {"initial_state": ["x", 0, 0]}]]],
            UnsupportedLayerError,
            "layer 'a' is a layer called with tensors as options",
        ),
        (None, GraphError, "layer 'a' is connected to nothing"),
        ("x", GraphError, "an input or output of the model is no layer"),
    ],
)
def test_connections_that_keras_does_not_write_are_refused(
    tmp_path: Path, nodes: Any, kind: type[FpgacnnError], words: str
) -> None:
    architecture = functional(input_layer("x", 3), dense("a", "x"), inputs=["x"], outputs=["a"])
    architecture["config"]["layers"][1] |= {"inbound_nodes": nodes, "module": "keras.layers"}
    error = refused(write_h5(tmp_path / "m.h5", architecture, [dense("a")]))
    assert type(error) is kind
    assert words in str(error)


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        ([None, None, 3], UnsupportedOptionError, "x: the input shape [None, None, 3] has unknown sizes"),
        (5, BrokenArchitectureError, "layer 'x': batch_input_shape: expected a shape, found 5"),
        ([None], BrokenArchitectureError, "layer 'x': batch_input_shape: expected a shape, found [None]"),
        (
            [None, 0],
            BrokenArchitectureError,
            "layer 'x': input shape: expected an integer from 1 to 1048576, found 0",
        ),
        (
            [None, "3"],
            BrokenArchitectureError,
            "layer 'x': input shape: expected an integer from 1 to 1048576, found '3'",
        ),
        (
            [None, True],
            BrokenArchitectureError,
            "layer 'x': input shape: expected an integer from 1 to 1048576, found True",
        ),
    ],
)
def test_an_input_shape_that_is_none_is_refused(
    tmp_path: Path, shape: Any, kind: type[FpgacnnError], words: str
) -> None:
    architecture = functional(input_layer("x", 3), dense("a", "x"), inputs=["x"], outputs=["a"])
    architecture["config"]["layers"][0]["config"]["batch_input_shape"] = shape
    error = refused(write_h5(tmp_path / "m.h5", architecture, [dense("a")]))
    assert type(error) is kind
    assert words in str(error)


def test_layers_behind_a_refused_one_are_told_as_not_examined(tmp_path: Path) -> None:
    layers = (
        input_layer("x", 3),
        entry("Attention", "odd", "x"),
        dense("a", "odd"),
        dense("b", "x"),
        entry("Lambda", "code", "b"),
    )
    reading, refusals = frontends.inspect(functional_file(tmp_path / "m.h5", *layers, inputs=["x"], outputs=["a"]))
    assert [(one.layer, one.kind, one.error.code) for one in refusals] == [
        ("odd", "Attention", "FC020"),
        ("code", "Lambda", "FC023"),
    ]
    assert reading.unresolved == (("a", "Dense"),)
    assert [layer.name for layer in reading.layers] == ["x", "b"]


# --- architecture and weights apart --------------------------------------------------------------------------------


def apart(folder: Path, weights: str) -> Path:
    write_h5(folder / weights, None, tiny_layers())
    path = folder / "net.json"
    path.write_text(json.dumps({**sequential(*tiny_layers(), shape=(4, 4, 1)), "keras_version": "2.9.0"}))
    return path


@pytest.mark.parametrize("weights", ["net.weights.h5", "net_weights.h5", "net.h5", "net.hdf5"])
def test_architecture_and_weights_are_read_together_where_they_lie_side_by_side(tmp_path: Path, weights: str) -> None:
    network = frontends.load(apart(tmp_path, weights))
    whole = frontends.load(tiny_model(tmp_path / "whole.h5"))
    assert network.framework == "Keras 2.9.0"
    for one, other in zip(network.layers, whole.layers, strict=True):
        assert (one.name, one.shape) == (other.name, other.shape)
        pairs = zip(src.weights_of(one.operation), src.weights_of(other.operation), strict=True)
        assert all(np.array_equal(left.values, right.values) for left, right in pairs)


def test_weights_may_be_named(tmp_path: Path) -> None:
    path = apart(tmp_path, "elsewhere.h5")
    assert order(frontends.load(path, tmp_path / "elsewhere.h5")) == ["x", "conv", "relu", "flatten", "logits"]
    with pytest.raises(
        FileMissingError,
        match=r"architecture only; no weights file beside it \(net\.weights\.h5\); give --weights FILE",
    ):
        frontends.load(path)


def test_the_digest_depends_on_both_files(tmp_path: Path) -> None:
    path = apart(tmp_path, "net.h5")
    before = frontends.load(path).digest
    changed = [
        entry(one.kind, one.name, weights={name: array * 2 for name, array in one.weights.items()})
        for one in tiny_layers()
    ]
    write_h5(tmp_path / "net.h5", None, changed)
    assert frontends.load(path).digest != before


def test_weights_that_are_no_hdf5_are_refused(tmp_path: Path) -> None:
    path = apart(tmp_path, "net.h5")
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(NotAModelError, match="weights must be HDF5"):
        frontends.load(path, tmp_path / "x.npz")


@pytest.mark.parametrize("kind", ["RandomFlip", "RandomHue"])
def test_the_default_of_augmentations_of_keras_3_is_no_option(tmp_path: Path, kind: str) -> None:
    """Keras 3 writes `training=True` into every call of a layer that changes images; `predict` overrides it."""
    assert frontends.load(called_in_training(tmp_path, kind)).outputs == ("x",)
    assert "a: it is called with training=True" in str(refused(called_in_training(tmp_path, "Dropout")))


def called_in_training(folder: Path, kind: str) -> Path:
    """A network of one layer, whose call in a file of Keras 3 has `training=True`."""
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    node = {"args": [tensor], "kwargs": {"training": True}}
    architecture = functional(input_layer("x", 3), entry(kind, "a", "x"), inputs=["x"], outputs=["a"])
    architecture["config"]["layers"][1] |= {"inbound_nodes": [node], "module": "keras.layers"}
    return write_h5(folder / "m.h5", architecture)
