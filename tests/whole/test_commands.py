"""The commands as a user runs them: bad input is one line and leaves nothing behind; good input is proven."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests import files

COMMAND = str(Path(sys.executable).with_name("fpgacnn"))


def run(folder: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def truncated(path: Path) -> None:
    whole = files.tiny_model(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def text(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def weights_only(path: Path) -> None:
    files.write_h5(path, None, files.tiny_layers())


def broken_json(path: Path) -> None:
    files.write_h5(path, '{"class_name": "Sequential", ', files.tiny_layers())


def not_finite(path: Path) -> None:
    files.tiny_model(path)
    with h5py.File(path, "r+") as file:
        file["model_weights/logits/logits/kernel:0"][0, 0] = np.nan


def kernel_gone(path: Path) -> None:
    files.tiny_model(path)
    with h5py.File(path, "r+") as file:
        del file["model_weights/logits/logits/kernel:0"]


def external_link(path: Path) -> None:
    files.tiny_model(path)
    with h5py.File(path, "r+") as file:
        del file["model_weights/logits/logits/kernel:0"]
        file["model_weights/logits/logits/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/x")


def lambda_layer(path: Path) -> None:
    files.sequential_file(path, files.entry("Lambda", "evil", function=["4wEAAAA=", None, None]), shape=(4,))


def recurrent(path: Path) -> None:
    files.sequential_file(path, files.entry("LSTM", "memory", units=3), shape=(4, 1))


def foreign_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escape.txt", "x")


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncated, "FC012"),
    "git lfs pointer": (text, "FC011"),
    "empty": (empty, "FC011"),
    "weights only": (weights_only, "FC011"),
    "broken json": (broken_json, "FC015"),
    "not a number": (not_finite, "FC017"),
    "kernel missing": (kernel_gone, "FC016"),
    "external link": (external_link, "FC013"),
    "lambda": (lambda_layer, "FC023"),
    "recurrent": (recurrent, "FC020"),
    "foreign zip": (foreign_zip, "FC011"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_file_is_one_line_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    write, code = BROKEN[name]
    write(tmp_path / "model.h5")
    done = run(tmp_path, "convert", "model.h5", "-o", "out")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error[{code}]"), done.stderr
    assert "model.h5" in done.stderr
    assert done.stderr.count("error[") == 1
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("convert", "nowhere.h5"), "FC010"),
        (("convert", "model.h5", "--clok", "5"), "FC002"),
        (("convert", "model.h5", "--clock", "0"), "FC002"),
        (("convert", "model.h5", "--part", "x; rm -rf /"), "FC040"),
        (("convert", "model.h5", "--input-type", "fixed<400,2>"), "FC032"),
        (("convert", "model.h5", "--set", "nolayer.reuse=2"), "FC040"),
        (("convert", "model.h5", "--input", "events.npz"), "FC051"),
        (("convert", "model.h5", "-o", "mine"), "FC060"),
        (("simulate", "mine"), "FC002"),
        (("simulate", "mine", "--input", "events.npz"), "FC062"),
    ],
)
def test_a_wrong_command_is_one_line(tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    files.tiny_model(tmp_path / "model.h5")
    np.savez(tmp_path / "events.npz", input_0=np.zeros((3, 5, 5, 1)))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("keep me")
    before = sorted(tmp_path.rglob("*"))
    done = run(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error[{code}]"), done.stderr
    assert "hint:" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_compiler_is_named(tmp_path: Path) -> None:
    files.tiny_model(tmp_path / "model.h5")
    done = run(tmp_path, "convert", "model.h5", "-o", "out", environment={"CXX": "no-such-compiler"})
    assert done.returncode == 3
    assert done.stderr.startswith("error[FC080]")
    assert not (tmp_path / "out").exists()


@pytest.mark.agree
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_convert_simulate_and_verify_agree(tmp_path: Path, io: str) -> None:
    files.tiny_model(tmp_path / "model.h5")
    done = run(tmp_path, "convert", "model.h5", "-o", "out", "--io", io, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [check["mismatches"] for check in record["verification"]] == [0, 0]
    assert all(check["holds"] for check in record["verification"])
    kept = json.loads((tmp_path / "out" / "fpgacnn.json").read_text())
    assert {**record, "timings_s": 0} == {**kept, "timings_s": 0}

    np.save(tmp_path / "x.npy", np.random.default_rng(1).uniform(-2, 2, size=(20, 4, 4, 1)))
    answers = []
    for engine in ("emulator", "csim"):
        done = run(tmp_path, "simulate", "out", "--input", "x.npy", "--engine", engine, "--output", f"{engine}.npz")
        assert done.returncode == 0, done.stderr
        answers.append(np.load(tmp_path / f"{engine}.npz")["output_0"])
    assert answers[0].shape == (20, 3)
    assert np.ptp(answers[0]) > 0
    np.testing.assert_array_equal(*answers)
    assert run(tmp_path, "verify", "out").returncode == 0


@pytest.mark.agree
def test_an_edited_project_fails_verification(tmp_path: Path) -> None:
    files.tiny_model(tmp_path / "model.h5")
    assert run(tmp_path, "convert", "model.h5", "-o", "out").returncode == 0
    weights = next((tmp_path / "out" / "firmware" / "weights").glob("w*.txt"))
    numbers = weights.read_text().split(",")
    weights.write_text(",".join([str(float(numbers[0]) + 0.25 if float(numbers[0]) < 0.5 else 0.0), *numbers[1:]]))
    done = run(tmp_path, "verify", "out")
    assert done.returncode == 1, done.stdout
    assert "DIFFERENT" in done.stdout
