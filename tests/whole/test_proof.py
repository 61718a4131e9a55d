"""The main job through the command.

Broken model files leave nothing, good ones are proven, edited projects are found out.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support import files
from tests.support.command import failed, left, run

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


CSIM_ROWS = {"parallel": 1, "stream": 3}
"""Comparisons of C simulation in a conversion: streams run also with FIFOs of the written depths, in two ways."""


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_converted_simulated_and_verified(tmp_path: Path, io: str) -> None:
    files.tiny_model(tmp_path / "model.h5")
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "--io", io, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [(one["right"], one["mismatches"], one["holds"]) for one in record["verification"]] == [
        *[("emulator", 0, True)] * CSIM_ROWS[io],
        ("int64 reference", 0, True),
        ("quantized network", 0, True),
    ]
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
    assert verdicts == [
        ["csim", "=", "emulator"],
        *[["csim,", "FIFOs", "as"]] * (CSIM_ROWS[io] - 1),
        ["csim", "=", "emulator"],
        ["emulator", "=", "int64"],
        ["emulator", "=", "quantized"],
    ]


def trained(*shape: int) -> dict[str, np.ndarray]:
    """Trained numbers that no short format holds."""
    random = np.random.default_rng(shape)
    return {
        "kernel:0": random.normal(scale=0.3, size=shape).astype(np.float32),
        "bias:0": random.normal(size=shape[-1:]).astype(np.float32),
    }


def float_layers() -> tuple[files.Entry, ...]:
    return (
        files.entry("Flatten", "flat"),
        files.entry("Dense", "middle", units=6, activation="relu", weights=trained(12, 6)),
        files.entry("Dense", "last", units=3, weights=trained(6, 3)),
    )


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_float_layers_in_a_quantized_network_get_a_default_width_with_a_stated_bound(tmp_path: Path, io: str) -> None:
    given = {"kernel_quantizer": files.quantized_bits(5), "bias_quantizer": files.quantized_bits(5)}
    conv = files.entry("QConv2D", "conv", filters=3, kernel_size=[2, 2], weights=trained(2, 2, 1, 3), **given)
    files.sequential_file(tmp_path / "model.h5", conv, *float_layers(), shape=(3, 3, 1))
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "--io", io, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert not record["plan"]["exact"]
    losses = dict(record["plan"]["losses"])  # the normalization and its ReLU are one layer
    assert {name: loss.count("weights of a float layer rounded to") for name, loss in losses.items()} == {
        "last_input": 1,
        "last": 1,
    }
    assert "rounded to ufixed<24," in losses["last_input"]
    first, *_, second = record["verification"]
    assert (first["right"], first["mismatches"]) == ("emulator", 0)
    assert second["holds"]
    assert 0 < second["max_abs_difference"] < record["plan"]["decisions"][-1]["error"]


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_transposed_convolutions_and_repeated_tensors_are_exact(tmp_path: Path, io: str) -> None:
    """A decoder with excitation: transposed with gaps, with overlaps and along one axis, times a vector and a map."""

    def given(*shape: int, outputs: int) -> dict[str, object]:
        weights = {"kernel:0": trained(*shape)["kernel:0"], "bias:0": trained(outputs)["bias:0"]}
        return {
            "kernel_quantizer": files.quantized_bits(4),
            "bias_quantizer": files.quantized_bits(4),
            "weights": weights,
        }

    def relu(name: str, source: str) -> files.Entry:
        return files.entry("QActivation", name, source, activation="quantized_relu(4,1)")

    layers = (
        files.input_layer("x", 3, 4, 2),
        relu("cut", "x"),
        files.entry(
            "QConv2DTranspose",
            "up",
            "cut",
            filters=3,
            kernel_size=[3, 3],
            strides=[2, 2],
            padding="same",
            **given(3, 3, 3, 2, outputs=3),
        ),
        relu("one", "up"),
        files.entry("GlobalMaxPooling2D", "most", "one"),
        files.entry("QConv2D", "map", "one", filters=1, kernel_size=[1, 1], **given(1, 1, 3, 1, outputs=1)),
        relu("gate", "map"),
        files.entry("Multiply", "channels", "one", "most"),
        files.entry("Multiply", "cells", "channels", "gate"),
        relu("two", "cells"),
        files.entry(
            "QConv2DTranspose",
            "wide",
            "two",
            filters=2,
            kernel_size=[1, 2],
            strides=[1, 3],
            **given(1, 2, 2, 3, outputs=2),
        ),
    )
    files.functional_file(tmp_path / "model.h5", *layers, inputs=["x"], outputs=["wide"])
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "--io", io, "--input-type", "fixed<7,3>", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["plan"]["exact"]
    assert [(one["right"], one["mismatches"]) for one in record["verification"]] == [
        *[("emulator", 0)] * CSIM_ROWS[io],
        ("int64 reference", 0),
        ("quantized network", 0),
    ]


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_nodes_in_between_take_no_name_of_another_layer(tmp_path: Path, io: str) -> None:
    """Padding, and a transposed convolution without overlap, with steps whose names the file's layers have already."""

    def given(*shape: int, outputs: int) -> dict[str, object]:
        weights = {"kernel:0": trained(*shape)["kernel:0"], "bias:0": trained(outputs)["bias:0"]}
        return {
            "kernel_quantizer": files.quantized_bits(4),
            "bias_quantizer": files.quantized_bits(4),
            "weights": weights,
        }

    layers = (
        files.entry("QActivation", "conv_pad", activation="quantized_relu(4,1)"),
        files.entry("QConv2D", "conv", filters=2, kernel_size=[2, 2], padding="same", **given(2, 2, 1, 2, outputs=2)),
        files.entry("QActivation", "pool_pad", activation="quantized_relu(4,1)"),
        files.entry("MaxPooling2D", "pool", pool_size=[2, 2], strides=[1, 1], padding="same"),
        files.entry(
            "QConv2DTranspose", "up", filters=2, kernel_size=[2, 2], strides=[2, 2], **given(2, 2, 2, 2, outputs=2)
        ),
        files.entry("QActivation", "up_rows", activation="quantized_relu(4,1)"),
    )
    files.sequential_file(tmp_path / "model.h5", *layers, shape=(3, 4, 1))
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "--io", io, "--input-type", "fixed<7,3>", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["plan"]["exact"]
    assert [(one["right"], one["mismatches"]) for one in record["verification"]] == [
        *[("emulator", 0)] * CSIM_ROWS[io],
        ("int64 reference", 0),
        ("quantized network", 0),
    ]


@pytest.mark.agree
def test_a_float_network_is_calibrated_on_real_events(tmp_path: Path) -> None:
    conv = files.entry("Conv2D", "conv", filters=3, kernel_size=[2, 2], weights=trained(2, 2, 1, 3))
    files.sequential_file(tmp_path / "model.h5", conv, *float_layers(), shape=(3, 3, 1))
    np.save(tmp_path / "x.npy", np.random.default_rng(3).normal(size=(60, 3, 3, 1)))
    done = run(
        tmp_path,
        "convert",
        "model.h5",
        "--io",
        "parallel",
        "-o",
        "out",
        "--calibrate",
        "x.npy",
        "--sqnr",
        "30",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [(one["right"], one["mismatches"]) for one in record["verification"]] == [
        ("emulator", 0),
        ("int64 reference", 0),
        ("quantized network", 0),
    ]
    assert not record["plan"]["exact"]
    assert record["plan"]["lossless"]
    (note,) = (note for note in record["notes"] if note.startswith("float network: quantizers of "))
    assert "chosen on 60 calibration events; the answers are 3" in note
    again = run(tmp_path, "verify", "out", "--json")
    assert not json.loads(again.stdout)["plan"]["exact"]
    answers = []
    for source in (("out",), ("model.h5", "--calibrate", "x.npy", "--sqnr", "30")):
        done = run(tmp_path, "simulate", *source, "--input", "x.npy", "--output", "y.npz")
        assert done.returncode == 0, done.stderr
        answers.append(np.load(tmp_path / "y.npz")["output_0"])
    np.testing.assert_array_equal(*answers)


@pytest.mark.agree
@pytest.mark.parametrize("end", ["layer", "inside a dense layer", "sigmoid"])
def test_argmax_is_compared_with_argmax(tmp_path: Path, end: str) -> None:
    """Only a softmax becomes one-hot, wherever the file holds it; a sigmoid at the output stays a sigmoid."""
    *layers, logits = files.tiny_layers()
    last = {
        "layer": [logits, files.entry("Softmax", "softmax")],
        "inside a dense layer": [
            files.Entry(
                kind="QDense", name="logits", config={**logits.config, "activation": "softmax"}, weights=logits.weights
            )
        ],
        "sigmoid": [logits, files.entry("Activation", "activation", activation="sigmoid")],
    }[end]
    files.sequential_file(tmp_path / "model.h5", *layers, *last, shape=(4, 4, 1))
    done = run(
        tmp_path,
        "convert",
        "model.h5",
        "--io",
        "parallel",
        "-o",
        "out",
        "--softmax",
        "argmax",
        "--input-type",
        "fixed<6,2>",
        "--json",
    )
    assert done.returncode == 0, done.stdout
    assert [one["holds"] for one in json.loads(done.stdout)["verification"]] == [True, True, True]


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
    assert [(one["right"], one["holds"]) for one in json.loads(done.stdout)["verification"]] == [
        *[("emulator", True)] * CSIM_ROWS[io],
        ("int64 reference", True),
        ("quantized network", True),
    ]


@pytest.mark.agree
def test_an_edited_project_fails_verification(tmp_path: Path) -> None:
    files.tiny_model(tmp_path / "model.h5")
    assert run(tmp_path, "convert", "model.h5", "--io", "parallel", "-o", "out").returncode == 0
    weights = next((tmp_path / "out" / "firmware" / "weights").glob("w*.txt"))
    first, *others = weights.read_text().split(",")
    weights.write_text(",".join([str(float(first) + 0.25 if float(first) < 0.5 else 0.0), *others]))
    done = run(tmp_path, "verify", "out")
    assert done.returncode == 1, done.stdout
    assert "DIFFERENT first at" in done.stdout
    assert "note: files of the project differ from what fpgacnn wrote" in done.stdout


@pytest.mark.agree
def test_weights_that_only_synthesis_reads_fail_verification_too(tmp_path: Path) -> None:
    files.tiny_model(tmp_path / "model.h5")
    assert run(tmp_path, "convert", "model.h5", "--io", "parallel", "-o", "out").returncode == 0
    header = next((tmp_path / "out" / "firmware" / "weights").glob("w*.h"))
    start, numbers = header.read_text().split("{", 1)
    header.write_text(f"{start}{{7.5{numbers[numbers.index(',') :]}")
    done = run(tmp_path, "verify", "out", "--json")
    assert done.returncode == 1, done.stdout
    *engines, weights = json.loads(done.stdout)["verification"]
    assert all(one["holds"] for one in engines)
    assert (weights["left"], weights["right"], weights["holds"], weights["mismatches"]) == (
        "synthesis weights",
        "csim weights",
        False,
        1,
    )
    assert weights["first"]["left"] == 7.5


@pytest.mark.agree
def test_a_compiler_with_arguments_is_used(tmp_path: Path) -> None:
    files.tiny_model(tmp_path / "model.h5")
    done = run(
        tmp_path, "convert", "model.h5", "--io", "parallel", "-o", "out", "-q", extra={"CXX": "env LC_MESSAGES=C g++"}
    )
    assert (done.returncode, done.stderr) == (0, "")
