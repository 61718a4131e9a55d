"""The pytest plugin, as a user's repository has it.

A missing vector fails, an update writes, a changed weight fails.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from tests.support.command import environment
from tests.support.files import tiny_model

pytestmark = pytest.mark.agree

TEST = """
def test_the_trigger_is_what_was_frozen(fpgacnn_project):
    trigger = fpgacnn_project("models/trigger.h5", io="stream")
    trigger.check()


def test_no_framework_answers(fpgacnn_project):
    import json

    record = json.loads((fpgacnn_project("models/trigger.h5", io="stream").folder / "fpgacnn.json").read_text())
    assert not [one for one in record["verification"] if "Keras" in one["left"] + one["right"]]
    assert not [note for note in record["notes"] if "--reference" in note]


def test_it_answers(fpgacnn_project):
    import numpy as np

    np.save("x.npy", np.zeros((3, 4, 4, 1)))
    assert fpgacnn_project("models/trigger.h5", io="stream").simulate("x.npy").events == 3
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("models", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests" / "test_trigger.py").write_text(TEST)
    tiny_model(tmp_path / "models" / "trigger.h5")
    return tmp_path


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "fpgacnn.pytest_plugin",
        "-p",
        "no:cacheprovider",
        *arguments,
    ]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=240
    )


def test_three_lines_are_a_regression_test(repository: Path) -> None:
    done = pytest_in(repository)
    assert done.returncode == 1
    assert "no golden vectors in " in done.stdout
    assert "pytest --fpgacnn-update" in done.stdout
    assert not (repository / "tests" / "golden").exists()

    done = pytest_in(repository, "--fpgacnn-update")
    assert done.returncode == 0, done.stdout
    assert f"fpgacnn: golden vectors written: {repository / 'tests' / 'golden' / 'trigger'}" in done.stdout
    assert pytest_in(repository).returncode == 0

    with h5py.File(repository / "models" / "trigger.h5", "r+") as file:
        kernel = file["model_weights/logits/logits/kernel:0"]
        kernel[0, 0] = kernel[0, 0] + 2.0**-5
    done = pytest_in(repository)
    assert done.returncode == 1
    assert "model changed: logits: operation.kernel.values: " in done.stdout
    assert "layer logits, event " in done.stdout
    assert "Traceback" not in done.stdout
