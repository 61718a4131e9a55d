"""What is given and not used, and what is not compared, is said in one line.

On the terminal, in the record and in reports.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.api.arguments import planning_request
from fpgacnn.frontends import load
from fpgacnn.pipeline.remarks import not_compared, not_simulated, unused_by_project, unused_widths
from fpgacnn.pipeline.stages import plan_network
from tests.support.command import failed, left, run
from tests.support.files import entry, functional_file, input_layer, linear, quantized_bits, tiny_model

DIGITS = Path(fpgacnn.__file__).parents[1] / "models" / "digits" / "digits.h5"
FLOAT = DIGITS.with_name("digits_float.h5")
NO_CSIM = "C simulation was not run (--no-csim, --csim-events 0): the generated C++ itself was not checked"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model(tmp_path / "m.h5")
    return tmp_path


def notes(folder: Path, *arguments: str | Path) -> list[str]:
    done = run(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)["notes"]
    return found


def test_widths_for_a_network_that_has_its_own_are_said_to_do_nothing(folder: Path) -> None:
    np.savez(folder / "x.npz", input_0=np.zeros((4, 4, 4, 1)))
    expected = "--bits and --calibrate have no effect: the network has its own quantizers, whose widths are kept"
    flags = ("--bits", "4", "--calibrate", "x.npz")
    assert expected in notes(folder, "convert", "m.h5", "--no-csim", "-o", "p", *flags)
    assert expected in json.loads((folder / "p" / "fpgacnn.json").read_text())["notes"]
    assert expected in notes(folder, "estimate", "m.h5", *flags)
    assert expected in notes(folder, "fit", "m.h5", *flags)
    assert expected in notes(folder, "simulate", "m.h5", "--input", "x.npz", *flags)
    done = run(folder, "report", "p", "-o", "r.html")
    assert done.returncode == 0
    assert expected in (folder / "r.html").read_text()


def test_a_ratio_without_calibration_is_said_to_do_nothing(folder: Path) -> None:
    assert "--sqnr has no effect: it needs --calibrate and a float network" in notes(
        folder, "convert", "m.h5", "--no-csim", "--sqnr", "30"
    )
    request = planning_request("m.h5", None, {"bits": "8", "calibrate": "x.npz", "sqnr_db": 30.0})
    assert list(unused_widths(request, is_float=True)) == ["--sqnr has no effect: --bits gives the widths"]
    assert (
        list(unused_widths(planning_request("m.h5", None, {"calibrate": "x.npz", "sqnr_db": 30.0}), is_float=True))
        == []
    )
    assert list(unused_widths(planning_request("m.h5", None, {"bits": "8"}), is_float=True)) == []


@pytest.mark.parametrize("flags", [("--no-csim",), ("--csim-events", "0"), ("--no-csim", "--csim-events", "0")])
def test_a_run_without_c_simulation_says_so(folder: Path, flags: tuple[str, ...]) -> None:
    done = run(folder, "convert", "m.h5", "--io", "parallel", *flags, "-o", "p", extra={"COLUMNS": "300"})
    assert f"note: {NO_CSIM}" in done.stdout
    assert NO_CSIM in json.loads((folder / "p" / "fpgacnn.json").read_text())["notes"]
    assert list(not_simulated(planning_request("m.h5", None, {}))) == []


def test_events_for_c_simulation_and_none_of_it_do_not_go_together(folder: Path) -> None:
    assert "--csim-events 5 and --no-csim exclude each other" in failed(
        run(folder, "convert", "m.h5", "--no-csim", "--csim-events", "5"), 2, "FC002"
    )
    assert left(folder) == {"m.h5"}


def test_verify_leaves_c_simulation_out_where_that_is_asked_for_and_says_so(folder: Path) -> None:
    assert run(folder, "convert", "m.h5", "--no-csim", "-q", "-o", "p").returncode == 0
    record = json.loads(run(folder, "verify", "p", "--no-csim", "--json").stdout)
    assert NO_CSIM in record["notes"]
    assert [report["left"] for report in record["verification"]].count("csim") == 0
    assert "--all and --no-csim exclude each other" in failed(
        run(folder, "verify", "p", "--all", "--no-csim"), 2, "FC002"
    )
    assert "for a project, not for --models" in failed(run(folder, "verify", "--models", ".", "--all"), 2, "FC002")
    found = notes(folder, "verify", "p", "--no-csim", "--io", "parallel", "--jobs", "3")
    assert "--io, --jobs have no effect: only for --models, not for a project" in found


def test_a_choice_for_a_softmax_that_is_not_there_is_said_to_do_nothing(folder: Path) -> None:
    for command in ("convert", "estimate", "fit"):
        flags = ("--no-csim",) if command == "convert" else ()
        assert "--softmax keep has no effect: no output of the network is a softmax" in notes(
            folder, command, "m.h5", "--softmax", "keep", *flags
        )


def test_flags_that_plan_a_network_are_said_to_do_nothing_on_a_project(folder: Path) -> None:
    np.savez(folder / "x.npz", input_0=np.zeros((4, 4, 4, 1)))
    assert run(folder, "convert", "m.h5", "--no-csim", "-q", "-o", "p").returncode == 0
    flags = ("--input-type", "fixed<8,2>", "--bits", "4", "--softmax", "keep", "--sqnr", "30")
    expected = (
        "--input-type, --bits, --softmax, --sqnr have no effect: a project folder has its formats and widths already"
    )
    assert expected in notes(folder, "estimate", "p", *flags)
    assert expected in notes(folder, "fit", "p", *flags)
    assert expected in notes(folder, "simulate", "p", "--input", "x.npz", *flags)
    assert notes(folder, "simulate", "p", "--input", "x.npz") == []
    assert unused_by_project(planning_request("p", "x.npz", {})) == (
        "--input has no effect: a project folder has its formats and widths already",
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.arange(8) % 10, None),
        (np.arange(8) + 5, "labels from 5 to 12 do not fit an output of 10: expected 0 to 9"),
        (np.arange(8) - 1, "labels from -1 to 6 do not fit an output of 10: expected 0 to 9"),
    ],
)
def test_labels_that_no_output_can_use_are_said_to_be_unused(
    tmp_path: Path, labels: np.ndarray, words: str | None
) -> None:
    np.savez(tmp_path / "x.npz", input_0=np.zeros((8, 8, 8, 1)), labels=labels)
    record = json.loads(
        run(tmp_path, "convert", DIGITS, "--no-csim", "--input", "x.npz", "--json", "--float", FLOAT).stdout
    )
    unused = [note for note in record["notes"] if note.startswith("the labels are not used")]
    assert unused == ([f"the labels are not used, so there is no quality table: {words}"] if words else [])
    assert len(record["quality"]) == (0 if words else 1)
    assert ("--float has no effect: the labels are not used" in record["notes"]) == bool(words)


def test_a_float_model_without_labels_is_said_to_do_nothing(tmp_path: Path) -> None:
    assert "--float has no effect: the events have no labels" in notes(
        tmp_path, "convert", DIGITS, "--no-csim", "--float", FLOAT
    )


def quantized_file(path: Path, *outputs: str) -> Path:
    """An image, and two convolutions on it: one keeps its places, one leaves a single score."""
    options = {
        "kernel_quantizer": quantized_bits(4, 0),
        "bias_quantizer": quantized_bits(4, 0),
        "padding": "valid",
        "activation": "linear",
    }
    map_ = entry(
        "QConv2D", "map", "x", weights=linear(2, 2, 1, 3), filters=3, kernel_size=[2, 2], strides=[1, 1], **options
    )
    one = entry(
        "QConv2D", "one", "x", weights=linear(3, 3, 1, 1), filters=1, kernel_size=[3, 3], strides=[1, 1], **options
    )
    return functional_file(path, input_layer("x", 3, 3, 1), map_, one, inputs=["x"], outputs=outputs)


@pytest.mark.parametrize(
    ("outputs", "labels", "words"),
    [
        (("map", "one"), [0, 1, 1], "the network has 2 outputs"),
        (("map",), [0, 1, 1], "its output has the shape (2, 2, 3), but labels need one axis of values"),
        (("one",), [0, 0, 0], "all events have the same label, but a single score needs both"),
        (("one",), [0, 1, 2], "labels from 0 to 2 do not fit an output of 1: expected 0 to 1"),
        (("one",), [0, 1, 1], None),
    ],
)
def test_labels_need_one_output_with_one_axis_of_values(
    tmp_path: Path, outputs: tuple[str, ...], labels: list[int], words: str | None
) -> None:
    quantized_file(tmp_path / "q.h5", *outputs)
    np.savez(tmp_path / "x.npz", input_0=np.arange(27).reshape(3, 3, 3, 1) / 32, labels=np.array(labels))
    record = json.loads(run(tmp_path, "convert", "q.h5", "--no-csim", "--input", "x.npz", "--json").stdout)
    assert [note for note in record["notes"] if "labels" in note] == (
        [f"the labels are not used, so there is no quality table: {words}"] if words else []
    )
    assert bool(record["quality"]) == (words is None)


def test_layers_that_nothing_was_compared_for_are_named() -> None:
    """Every layer of the shipped networks has a node of its own; the reference may have values of fewer layers."""
    network = load(DIGITS)
    found = plan_network(network, planning_request(DIGITS, None, {"fold": False}), None)
    nodes = [layer.name for layer in found.design.model.layers]
    names = [layer.name for layer in network.layers]
    assert list(not_compared(found.design, network, nodes)) == []
    assert list(not_compared(found.design, network, nodes[:2] + nodes[3:])) == [
        f"1 of {len(names)} layers were not compared themselves, only the layers after them: {names[2]}"
    ]
    [line] = not_compared(found.design, network, found.design.model.outputs)
    assert line.startswith(
        f"{len(names) - 1} of {len(names)} layers were not compared themselves, only the layers after them: "
    )
    assert line.endswith(f" and {len(names) - 1 - 5} more")


def test_layers_that_are_folded_are_named() -> None:
    network = load(DIGITS)
    found = plan_network(network, planning_request(DIGITS, None, {}), None)
    nodes = [layer.name for layer in found.design.model.layers]
    [words] = not_compared(found.design, network, nodes)
    assert words == (
        "2 layers have no result in the hardware, because the cast of the layer behind is folded into it; that cast was"
        " compared: conv1, conv2 (--no-fold builds each layer)"
    )
    lines = list(not_compared(found.design, network, found.design.model.outputs))
    folded, count = ["conv1", "conv2"], len(network.layers)
    assert [line.partition(":")[0] for line in lines] == [
        f"{len(folded)} of {count} layers have no node of their own; only the layers after them were compared",
        f"{count - 1 - len(folded)} of {count} layers were not compared themselves, only the layers after them",
    ]
