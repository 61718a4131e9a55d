"""The main job through the command: broken model files leave nothing, good ones are proven, edited projects are found out."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests import files
from tests.command import failed, left, run

LOGITS = "model_weights/logits/logits/kernel:0"


def truncated(path: Path) -> None:
    whole = files.tiny_model(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def text(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\n")


def weights_only(path: Path) -> None:
    files.write_h5(path, None, files.tiny_layers())


def broken_json(path: Path) -> None:
    files.write_h5(path, '{"class_name": "Sequential", ', files.tiny_layers())


def not_finite(path: Path) -> None:
    files.tiny_model(path)
    with h5py.File(path, "r+") as file:
        file[LOGITS][0, 0] = np.nan


def kernel_gone(path: Path) -> None:
    files.tiny_model(path)
    with h5py.File(path, "r+") as file:
        del file[LOGITS]


def external_link(path: Path) -> None:
    kernel_gone(path)
    with h5py.File(path, "r+") as file:
        file[LOGITS] = h5py.ExternalLink("/etc/passwd", "/x")


def code(path: Path) -> None:
    files.sequential_file(path, files.entry("Lambda", "evil", function=["4wEAAAA=", None, None]), shape=(4,))


def recurrent(path: Path) -> None:
    files.sequential_file(path, files.entry("LSTM", "memory", units=3), shape=(4, 1))


def foreign_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escape.txt", "x")


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncated, "FC012"),
    "text": (text, "FC011"),
    "weights only": (weights_only, "FC011"),
    "broken json": (broken_json, "FC015"),
    "not a number": (not_finite, "FC017"),
    "kernel missing": (kernel_gone, "FC016"),
    "external link": (external_link, "FC013"),
    "code": (code, "FC023"),
    "recurrent": (recurrent, "FC020"),
    "foreign zip": (foreign_zip, "FC011"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_one_line_with_its_file_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    write, expected = BROKEN[name]
    write(tmp_path / "model.h5")
    assert "model.h5" in failed(run(tmp_path, "convert", "model.h5", "-o", "new/out"), 2, expected)
    assert left(tmp_path) == {"model.h5"}


def test_events_of_another_shape_are_refused(tmp_path: Path) -> None:
    files.tiny_model(tmp_path / "model.h5")
    np.savez(tmp_path / "events.npz", input_0=np.zeros((3, 5, 5, 1)))
    failed(run(tmp_path, "convert", "model.h5", "--input", "events.npz"), 2, "FC051")
    assert left(tmp_path) == {"model.h5", "events.npz"}


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_converted_simulated_and_verified(tmp_path: Path, io: str) -> None:
    files.tiny_model(tmp_path / "model.h5")
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "--io", io, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [(one["right"], one["mismatches"], one["holds"]) for one in record["verification"]] == [("emulator", 0, True), ("quantized network", 0, True)]
    assert record == json.loads((tmp_path / "out" / "fpgacnn.json").read_text())

    np.save(tmp_path / "x.npy", np.random.default_rng(1).uniform(-2, 2, size=(20, 4, 4, 1)))
    answers = []
    for engine in ("emulator", "csim"):
        done = run(tmp_path, "simulate", "out", "--input", "x.npy", "--engine", engine, "--output", f"{engine}.npz")
        assert done.returncode == 0, done.stderr
        answers.append(np.load(tmp_path / f"{engine}.npz")["output_0"])
    assert answers[0].shape == (20, 3)
    assert np.ptp(answers[0]) > 0
    np.testing.assert_array_equal(*answers)

    done = run(tmp_path, "verify", "out")
    assert done.returncode == 0, done.stderr
    verdicts = [line.split()[:3] for line in done.stdout.splitlines() if line.rstrip().endswith("equal")]
    assert verdicts == [["csim", "=", "emulator"], ["csim", "=", "emulator"], ["emulator", "=", "quantized"]]


@pytest.mark.agree
@pytest.mark.parametrize("end", ["layer", "inside a dense layer", "sigmoid"])
def test_argmax_is_compared_with_argmax(tmp_path: Path, end: str) -> None:
    """Only a softmax becomes one-hot, wherever the file holds it; a sigmoid at the output stays a sigmoid."""
    *layers, logits = files.tiny_layers()
    last = {
        "layer": [logits, files.entry("Softmax", "softmax")],
        "inside a dense layer": [files.Entry(kind="QDense", name="logits", config={**logits.config, "activation": "softmax"}, weights=logits.weights)],
        "sigmoid": [logits, files.entry("Activation", "activation", activation="sigmoid")],
    }[end]
    files.sequential_file(tmp_path / "model.h5", *layers, *last, shape=(4, 4, 1))
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "--softmax", "argmax", "--input-type", "fixed<6,2>", "--json")
    assert done.returncode == 0, done.stdout
    assert [one["holds"] for one in json.loads(done.stdout)["verification"]] == [True, True]


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_layers_named_like_attributes_of_hls4ml_are_built_right(tmp_path: Path, io: str) -> None:
    conv, relu, flatten, dense = files.tiny_layers()
    layers = [
        files.Entry(kind=conv.kind, name="n_filt", config=conv.config, weights=conv.weights),
        files.Entry(kind=relu.kind, name="activation", config=relu.config),
        files.entry("ZeroPadding2D", "pad_left", padding=1),
        files.entry("MaxPooling2D", "pool_width", pool_size=[2, 2]),
        files.Entry(kind=flatten.kind, name="target_shape"),
        files.Entry(kind=dense.kind, name="weight_data", config=dense.config, weights=files.linear(8, 3)),
        files.entry("Activation", "table", activation="tanh"),
    ]
    files.sequential_file(tmp_path / "model.h5", *layers, shape=(4, 4, 1))
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "--io", io, "--input-type", "fixed<6,2>", "--json")
    assert done.returncode == 0, done.stderr
    assert [(one["right"], one["holds"]) for one in json.loads(done.stdout)["verification"]] == [("emulator", True), ("quantized network", True)]


@pytest.mark.agree
def test_an_edited_project_fails_verification(tmp_path: Path) -> None:
    files.tiny_model(tmp_path / "model.h5")
    assert run(tmp_path, "convert", "model.h5", "-o", "out").returncode == 0
    weights = next((tmp_path / "out" / "firmware" / "weights").glob("w*.txt"))
    first, *others = weights.read_text().split(",")
    weights.write_text(",".join([str(float(first) + 0.25 if float(first) < 0.5 else 0.0), *others]))
    done = run(tmp_path, "verify", "out")
    assert done.returncode == 1, done.stdout
    assert "DIFFERENT first at" in done.stdout
    assert "note: files of the project differ from what fpgacnn wrote" in done.stdout


@pytest.mark.agree
def test_a_compiler_with_arguments_is_used(tmp_path: Path) -> None:
    files.tiny_model(tmp_path / "model.h5")
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "-q", extra={"CXX": "env LC_MESSAGES=C g++"})
    assert (done.returncode, done.stderr) == (0, "")
