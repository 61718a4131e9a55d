"""Inner models: replaced by their layers, with limits, and refused with a reason if that is not possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fpgacnn import frontends
from fpgacnn.errors import GraphError, TooLargeError, UnsupportedLayerError, WeightsError
from tests.support import files


def inner(*layers: files.Entry, outputs: tuple[str, ...] = ("flat",), name: str = "encoder") -> dict[str, Any]:
    """A functional model of two layers and more, as an entry of another's list."""
    first = files.input_layer("inside", 4, 4, 1)
    flat = files.entry("Flatten", "flat", "inside")
    model = files.functional(first, flat, *layers, inputs=("inside",), outputs=outputs)
    return {"class_name": "Functional", "config": {**model["config"], "name": name}, "name": name}


def outer(model: dict[str, Any], *calls: str, output: str) -> dict[str, Any]:
    """A model that calls another one on its input and on what `calls` names."""
    whole = files.functional(files.input_layer("x", 4, 4, 1), inputs=("x",), outputs=(output,))
    whole["config"]["layers"].append({**model, "inbound_nodes": [[[name, 0, 0, {}]] for name in ("x", *calls)]})
    return whole


def test_a_model_inside_is_its_layers(tmp_path: Path) -> None:
    path = files.write_h5(tmp_path / "m.h5", outer(inner(), output="encoder"))
    network = frontends.load(path)
    assert [layer.name for layer in network.layers] == ["x", "encoder/flat"]
    assert network.outputs == ("encoder/flat",)


def test_the_first_call_may_be_counted_from_one(tmp_path: Path) -> None:
    path = files.write_h5(tmp_path / "m.h5", outer(inner(), output="encoder:1"))
    assert frontends.load(path).outputs == ("encoder/flat",)


def test_layers_inside_find_their_weights_in_the_group_of_the_model(tmp_path: Path) -> None:
    dense = files.entry("Dense", "dense", "flat", units=3)
    path = files.write_h5(
        tmp_path / "m.h5",
        outer(inner(dense, outputs=("dense",)), output="encoder"),
        [
            files.Entry(
                kind="Functional",
                name="encoder",
                weights={
                    "dense/kernel": files.values(16, 3),
                    "dense/bias": files.values(3),
                    "other/bias": files.values(7),
                },
            )
        ],
    )
    with files.h5py.File(path, "r+") as file:
        group = file["model_weights/encoder"]
        names = [name.removeprefix("encoder/") for name in group.attrs["weight_names"].astype(str)]
        for name in names:
            group.move(f"encoder/{name}", name)
        group.attrs["weight_names"] = [name.encode() for name in names]
    assert frontends.load(path).layer("encoder/dense").shape == (3,)

    with files.h5py.File(path, "r+") as file:
        file["model_weights/encoder/twice/dense/bias:0"] = files.values(3)
        file["model_weights/encoder"].attrs["weight_names"] = [
            *(name.encode() for name in names),
            b"twice/dense/bias:0",
        ]
    with pytest.raises(WeightsError, match="two layers inside 'encoder' have this name"):
        frontends.load(path)


def test_an_unknown_layer_inside_is_refused_by_its_place(tmp_path: Path) -> None:
    path = files.write_h5(
        tmp_path / "m.h5", outer(inner(files.entry("Mystery", "dark", "flat"), outputs=("dark",)), output="encoder")
    )
    with pytest.raises(UnsupportedLayerError, match="layer 'encoder/dark' is a Mystery"):
        frontends.load(path)


def test_each_output_of_a_model_inside_is_found_by_its_number(tmp_path: Path) -> None:
    whole = outer(inner(outputs=("flat", "inside")), output="encoder")
    whole["config"]["output_layers"] = [["encoder", 0, 1], ["encoder", 0, 0]]
    assert frontends.load(files.write_h5(tmp_path / "m.h5", whole)).outputs == ("x", "encoder/flat")
    whole["config"]["output_layers"] = [["encoder", 0, 2]]
    with pytest.raises(GraphError, match=r"an output of the model reads 'encoder\[2\]', which does not exist"):
        frontends.load(files.write_h5(tmp_path / "m.h5", whole))


def test_a_model_inside_needs_all_its_inputs(tmp_path: Path) -> None:
    path = files.write_h5(tmp_path / "m.h5", outer(inner(), output="encoder"))
    with files.h5py.File(path, "r+") as file:
        text = file.attrs["model_config"]
        file.attrs["model_config"] = text.replace(
            '"inbound_nodes": [[["x", 0, 0, {}]]]', '"inbound_nodes": [{"other": ["x", 0, 0, {}]}]'
        )
        assert text != file.attrs["model_config"]
    with pytest.raises(GraphError, match="the inner model 'encoder' is called without its input 'inside'"):
        frontends.load(path)


def test_an_output_inside_that_is_no_layer_is_refused(tmp_path: Path) -> None:
    path = files.write_h5(tmp_path / "m.h5", outer(inner(outputs=("flatt",)), output="encoder"))
    with pytest.raises(GraphError, match="the output 'flatt' of the inner model 'encoder' is not one of its layers"):
        frontends.load(path)


def test_depth_has_a_limit(tmp_path: Path) -> None:
    model = inner()
    for _ in range(20):
        model = {"class_name": "Sequential", "config": {"name": "s", "layers": [model]}, "name": "s"}
    path = files.write_h5(tmp_path / "m.h5", outer(model, output="s"))
    with pytest.raises(TooLargeError, match="models inside each other"):
        frontends.load(path)


def test_calls_that_double_at_every_level_have_a_limit(tmp_path: Path) -> None:
    model, end = inner(name="m"), "m"
    model["config"]["output_layers"] = [["inside", 0, 0]]
    for _ in range(15):
        body = [files.entry("Activation", "a", "inside", activation="relu")]
        whole = files.functional(files.input_layer("inside", 4, 4, 1), *body, inputs=("inside",), outputs=("m:1",))
        whole["config"]["layers"].append({**model, "inbound_nodes": [[["a", 0, 0, {}]], [["m", 0, 0, {}]]]})
        model = {"class_name": "Functional", "config": {**whole["config"], "name": "m"}, "name": "m"}
    path = files.write_h5(tmp_path / "m.h5", outer(model, output=end))
    with pytest.raises(TooLargeError, match="more than 10000 layers"):
        frontends.load(path)
