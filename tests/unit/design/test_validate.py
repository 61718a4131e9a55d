"""A design of the right types and the wrong meaning is a project error before it is computed or becomes C++."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import serialize
from fpgacnn.design.project import RECORD, files_digest, write_files
from fpgacnn.errors import ProjectError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, Format
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.system.npz import packed
from tests.hostile.targets import convert
from tests.support.files import tiny_model


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The design of the tiny network, as files."""
    path = tiny_model(tmp_path_factory.mktemp("sound") / "m.h5")
    files = serialize.dump(convert(path), frontends.load(path))
    return {**files, RECORD: json.dumps({"project": {"digest": files_digest(files)}}).encode()}


def layer(tree: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in tree["design"]["model"]["layers"] if one["name"] == name)


def precision(tree: dict[str, Any], name: str) -> dict[str, Any]:
    return tree["design"]["plan"]["layers"][name]


def renamed(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    """A node of another name, everywhere in the design."""

    def change(tree: dict[str, Any]) -> None:
        tree["design"] = json.loads(json.dumps(tree["design"]).replace(json.dumps(old), json.dumps(new)))
        for one in tree["design"]["model"]["layers"]:
            one["source"] = old if one["source"] == new else one["source"]

    return change


def put(*where: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """Another value at a place of a node's operation."""

    def change(tree: dict[str, Any]) -> None:
        holder = layer(tree, where[0])
        for key in where[1:-1]:
            holder = holder[key]
        assert where[-1] in holder
        holder[where[-1]] = value

    return change


def source(number: int, *where: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        holder = tree["network"]["layers"][number]
        for key in where[:-1]:
            holder = holder[key]
        assert where[-1] in holder
        holder[where[-1]] = value

    return change


HUGE = 1 << 40
CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a name that is C++": (renamed("conv", 'x; system("id"); //'), "not a name that fpgacnn gives"),
    "a name on two lines": (renamed("flatten", "a\n#include <b>"), "not a name that fpgacnn gives"),
    "a reserved name": (renamed("conv", "main"), "not a name that fpgacnn gives"),
    "a long name": (renamed("conv", "c" * 10_000), "not a name that fpgacnn gives"),
    "a node of no layer": (put("conv", "source", value="other"), "belongs to no layer of the network"),
    "a shape that is not the operation's": (
        put("conv", "shape", value=[2, 2, 3]),
        "a shape of (2, 2, 3), but its operation gives (2, 2, 2)",
    ),
    "a shape without end": (
        put("conv", "shape", value=[HUGE, 2, 2]),
        "design.model.layers[1].shape[0] is an unexpected number",
    ),
    "a shape that is too large": (
        put("conv", "shape", value=[1 << 20, 1 << 20, 2]),
        "a shape of (1048576, 1048576, 2)",
    ),
    "an empty shape": (put("flatten", "shape", value=[]), "a shape of ()"),
    "no stride": (put("conv", "operation", "strides", value=[0, 1]), "strides of (0, 1)"),
    "a negative pad": (put("conv", "operation", "pads", value=[-1, 0, 0, 0]), "pads of (-1, 0, 0, 0)"),
    "a pad without end": (put("conv", "operation", "pads", value=[1 << 19, 1 << 19, 1 << 19, 0]), "pads of (524288"),
    "an input more": (put("relu", "inputs", value=["conv", "conv"]), "2 inputs"),
    "no input": (put("relu", "inputs", value=[]), "0 inputs"),
    "a function that was never planned": (
        put("relu", "operation", value={"type": "ternary", "threshold": 0.5}),
        "operation.type is 'ternary'",
    ),
    "a table without its bits": (
        put("relu", "operation", value={"type": "softmax", "kind": "tables"}),
        "no accumulator",
    ),
    "kernel and bias exchanged": (
        lambda tree: layer(tree, "conv")["operation"].update(kernel=layer(tree, "conv")["operation"]["bias"]),
        "a kernel of shape (2,)",
    ),
    "a bias that the format cannot hold": (
        put("conv", "operation", "bias", "format", value="fixed<1,1>"),
        "codes outside of fixed<1,1>",
    ),
    "a binary point far away": (
        lambda tree: precision(tree, "conv")["result"].update(format="fixed<9,999>"),
        "a format of fixed<9,999>",
    ),
    "no accumulator": (lambda tree: precision(tree, "conv").update(accumulator=None), "no accumulator"),
    "a plan about less": (
        lambda tree: tree["design"]["plan"]["layers"].popitem(),
        "its plan belongs to other layers",
    ),
    "an output twice": (
        lambda tree: tree["design"]["model"].update(outputs=["logits", "logits"]),
        "an output is listed twice",
    ),
    "an output more": (
        lambda tree: tree["design"]["model"].update(outputs=["logits", "relu"]),
        "its outputs are not those of the network",
    ),
    "an input port less": (
        lambda tree: tree["design"]["model"].update(inputs=["conv"]),
        "its inputs are not its input layers",
    ),
    "an input of another format": (
        put("x", "operation", "format", value="fixed<16,7>"),
        "an input whose result has another format",
    ),
    "a float that is none": (
        lambda tree: precision(tree, "conv").update(error=float("inf")),
        "Infinity is not a number in JSON",
    ),
    "a network in another order": (
        lambda tree: tree["network"]["layers"].reverse(),
        "out of order, not unique, or without its inputs",
    ),
    "a network without outputs": (
        lambda tree: tree["network"].update(outputs=[]),
        "the network's inputs or outputs are not layers",
    ),
    "a network of another input": (source(0, "shape", value=[4, 4, 2]), "its inputs are not those of the network"),
    "a network with wide pads": (source(1, "operation", "pads", value=[1 << 20, 0, 1 << 20, 0]), "pads of (1048576"),
    "a network that answers in another shape": (
        source(2, "shape", value=[2, 2, 1]),
        "a layer gives another shape than it declares",
    ),
}


def written(folder: Path, content: dict[str, bytes]) -> Path:
    write_files(folder / "p", content)
    return folder / "p"


def refused(folder: Path, words: str) -> None:
    with pytest.raises(ProjectError, match=r"is not consistent|cannot be read") as caught:
        open_project(folder)
    assert words in str(caught.value)
    assert caught.value.hint == f"write it again: fpgacnn convert MODEL -o {folder}"


def test_a_design_that_was_not_changed_is_opened(tmp_path: Path, content: dict[str, bytes]) -> None:
    assert open_project(written(tmp_path, content)).notes == ()


@pytest.mark.parametrize("name", [serialize.TREE, serialize.ARRAYS, RECORD, "firmware/weights/w2.h"])
def test_a_pipe_in_a_project_is_named_and_not_waited_for(tmp_path: Path, content: dict[str, bytes], name: str) -> None:
    folder = written(tmp_path, content)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(ProjectError) as caught:
        open_project(folder)
    assert "it is a pipe, not a regular file" in str(caught.value)
    assert Path(name).name in str(caught.value)


@pytest.mark.parametrize("name", CHANGES)
def test_a_design_that_does_not_hold_together_is_refused(tmp_path: Path, content: dict[str, bytes], name: str) -> None:
    change, words = CHANGES[name]
    tree = json.loads(content[serialize.TREE])
    change(tree)
    refused(written(tmp_path, {**content, serialize.TREE: json.dumps(tree).encode()}), words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda array: array * 2**20, "codes outside of"),
        (lambda array: array[..., :1], "an array of shape"),
        (lambda array: array.reshape(-1), "a kernel of shape (18,)"),
    ],
    ids=["too large", "too few", "flat"],
)
def test_other_weights_are_refused(
    tmp_path: Path, content: dict[str, bytes], change: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    with np.load(io.BytesIO(content[serialize.ARRAYS])) as found:
        arrays = {name: found[name] for name in found.files}
    kernel = next(name for name, array in arrays.items() if array.shape == (3, 3, 1, 2) and array.dtype == np.int64)
    arrays[kernel] = change(arrays[kernel])
    refused(written(tmp_path, {**content, serialize.ARRAYS: packed(arrays)}), words)


GOOD = (np.array([[-3, 0, 5]]), np.array([[0, 1, 2, 0]]))
STEPS: dict[str, tuple[tuple[np.ndarray, np.ndarray], str]] = {
    "not sorted": ((np.array([[-3, 5, 0]]), GOOD[1]), "thresholds that are not sorted"),
    "a threshold too few": ((GOOD[0][:, :2], GOOD[1]), "an array of shape (1, 2), but its layer needs (1, 3)"),
    "three values": ((GOOD[0][:, :2], GOOD[1][:, :3]), "values of a step function of shape (1, 3)"),
    "three rows for two channels": (
        (GOOD[0].repeat(3, axis=0), GOOD[1].repeat(3, axis=0)),
        "values of a step function of shape (3, 4)",
    ),
    "flat": ((GOOD[0][0], GOOD[1][0]), "values of a step function of shape (4,)"),
    "more values than are built": (
        (np.zeros((1, 2047), np.int64), np.zeros((1, 2048), np.int64)),
        "values of a step function of shape (1, 2048)",
    ),
}


def with_steps(path: Path, arrays: tuple[np.ndarray, np.ndarray], given: Format | None = None) -> dict[str, bytes]:
    """The tiny network with a step function in the place of its ReLU."""
    design = convert(path)
    relu = design.model.layer("relu")
    given = given or design.plan.layers[relu.inputs[0]].result.format
    thresholds, values = (
        Codes(array=arrays[0], format=given),
        Codes(array=arrays[1], format=design.plan.layers["relu"].result.format),
    )
    steps = replace(relu, operation=hw.Thresholds(thresholds=thresholds, values=values))
    layers = tuple(steps if one.name == "relu" else one for one in design.model.layers)
    files = serialize.dump(replace(design, model=replace(design.model, layers=layers)), frontends.load(path))
    return {**files, RECORD: json.dumps({"project": {"digest": files_digest(files)}}).encode()}


@pytest.mark.parametrize("rows", [1, 2])
def test_a_step_function_is_read_as_it_was_written(tmp_path: Path, rows: int) -> None:
    arrays = GOOD[0].repeat(rows, axis=0), GOOD[1].repeat(rows, axis=0)
    content = with_steps(tiny_model(tmp_path / "m.h5"), arrays)
    operation = open_project(written(tmp_path, content)).design.model.layer("relu").operation
    assert isinstance(operation, hw.Thresholds)
    assert np.array_equal(operation.thresholds.array, arrays[0])
    assert np.array_equal(operation.values.array, arrays[1])


@pytest.mark.parametrize("name", STEPS)
def test_a_step_function_of_other_arrays_is_refused(tmp_path: Path, name: str) -> None:
    arrays, words = STEPS[name]
    refused(written(tmp_path, with_steps(tiny_model(tmp_path / "m.h5"), arrays)), words)


def test_thresholds_of_another_type_than_the_input_are_refused(tmp_path: Path) -> None:
    refused(
        written(tmp_path, with_steps(tiny_model(tmp_path / "m.h5"), GOOD, Format(width=20, integer=4))),
        "thresholds of fixed<20,4>",
    )
