"""`--reference` from the command's side.

A framework (a program of the test's) agrees, differs, hangs, fails or is missing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fpgacnn
from fpgacnn.cli import main as entrance
from fpgacnn.errors import FpgacnnError
from fpgacnn.pipeline.checking import reference_check
from fpgacnn.records.record import RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.page import compose
from fpgacnn.sim.frameworks import process
from fpgacnn.sim.frameworks.kinds import Framework
from tests.support.command import run as command
from tests.support.files import entry, functional_file, input_layer, linear

pytestmark = pytest.mark.usefixtures("coverage_of_children")

FAKE = """
import sys, time
from pathlib import Path
import numpy as np
from fpgacnn import frontends
from fpgacnn.sim.frameworks.job import Answers, Failure, read_job, write_answers, write_failure
from fpgacnn.sim.source_reference import evaluate
folder = Path(sys.argv[1])
job, events = read_job(folder)
network = frontends.load(folder / job.model, folder / job.weights if job.weights else None)
shown = {name: np.float32(one) for name, one in evaluate(network, events, quantized=True).items()}
outputs = [shown[name] for name in network.outputs]
{fault}
write_answers(folder, Answers(framework='Fake 1.5', outputs=tuple(outputs), shown=shown))
"""


def network(path: Path, **config: Any) -> Path:
    """Two dense layers and a sum of their results."""
    layers = [
        input_layer("x", 4),
        entry("Dense", "left", "x", weights=linear(4, 3), units=3, activation="linear", use_bias=True, **config),
        entry("Dense", "right", "x", weights=linear(4, 3), units=3, activation="relu", use_bias=True),
        entry("Subtract", "difference", "left", "right"),
    ]
    return functional_file(path, *layers, inputs=["x"], outputs=["difference"])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return network(tmp_path / "net.h5")


@pytest.fixture
def framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a framework whose answers are ours, but for a fault."""

    def install(fault: str = "") -> None:
        (tmp_path / "fake_framework.py").write_text(FAKE.replace("{fault}", fault), encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(process, "PROGRAM", "fake_framework")
        monkeypatch.setattr(Framework, "missing", "")

    return install


def run(model: Path, reference: str | None = "auto", **options: Any) -> RunRecord:
    return fpgacnn.convert(model, output=model.parent / "p", csim_events=0, reference=reference, bits="8,3", **options)


def reading(record: RunRecord) -> Any:
    return next((one for one in record.verification if one.left == "network as read"), None)


def told(record: RunRecord) -> list[str]:
    return [note for note in record.notes if note.startswith("reading not checked")]


@pytest.mark.parametrize("reference", ["auto", "keras"])
def test_a_framework_that_agrees_is_a_row_of_the_table(
    model: Path, framework: Callable[..., None], reference: str
) -> None:
    framework()
    record = run(model, reference)
    found = reading(record)
    assert record.holds
    assert (found.right, found.holds, found.layers, found.mismatches) == ("Fake 1.5", True, 5, 0)
    assert found.events == (64 if reference == "auto" else 96)
    assert found.values == found.events * (4 + 3 * 4)  # relu is a part of its own
    assert told(record) == []
    assert record.tools["framework"] == "Fake 1.5"
    assert "Fake 1.5 loads the file itself" in html(compose.report([ReportInput(name="n", record=record)]))
    written = json.loads((model.parent / "p" / "fpgacnn.json").read_text())
    assert [one["right"] for one in written["verification"] if one["left"] == "network as read"] == ["Fake 1.5"]


@pytest.mark.parametrize(
    ("fault", "layer"),
    [
        ("shown['right'] = shown['right'] + np.float32(0.01)", "right"),
        ("shown['left'] = shown['left'][:, ::-1]", "left"),
        ("outputs = [-outputs[0]]", "difference"),
        ("shown['left'] = shown['left'][:, :2]", "left"),
        ("outputs[0][7, 2] = np.nan", "difference"),
    ],
)
def test_a_framework_that_computes_something_else_fails_the_run_and_names_the_layer(
    model: Path, framework: Callable[..., None], fault: str, layer: str
) -> None:
    framework(fault)
    record = run(model)
    assert not record.holds
    assert not reading(record).holds
    assert reading(record).first.layer == layer
    (failed,) = (one for one in record.verification if not one.holds)
    assert failed.left == "network as read"


def test_the_command_ends_with_status_1_and_names_the_layer(
    model: Path, framework: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    framework("shown['right'] = shown['right'] + np.float32(0.01)")
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "fpgacnn",
            "convert",
            str(model),
            "-o",
            str(model.parent / "p"),
            "--no-csim",
            "--bits",
            "8,3",
            "--reference",
            "auto",
        ],
    )
    with pytest.raises(SystemExit) as ended:
        entrance.main()
    assert ended.value.code == 1
    assert "DIFFERENT first at right" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            (
                "write_failure(folder, Failure(framework='Fake 1.5', doing='load the file', why='Unknown layer: X'));"
                " sys.exit(1)"
            ),
            "Fake 1.5 cannot load the file (Unknown layer: X)",
        ),
        ("import os; os.abort()", "the process of Keras 2 ended with signal SIGABRT"),
        ("time.sleep(200)", "Keras 2 did not finish within 3 s and was ended"),
    ],
)
def test_a_framework_that_does_not_answer_is_a_line_in_auto_and_an_error_by_name(
    model: Path, framework: Callable[..., None], monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    framework(fault)
    if "sleep" in fault:
        monkeypatch.setattr(reference_check, "AUTO_SECONDS", 3.0)
        monkeypatch.setattr(reference_check.kinds, "KERAS2", replace(reference_check.kinds.KERAS2, seconds=1.0))
    record = run(model)
    assert record.holds
    assert told(record) == [f"reading not checked: {words}"]
    assert reading(record) is None
    if "sleep" not in fault:
        with pytest.raises(FpgacnnError) as caught:
            fpgacnn.convert(model, output=model.parent / "q", csim_events=0, reference="keras", bits="8,3")
        assert (caught.value.code, words in str(caught.value)) == ("FC091", True)
        assert not (model.parent / "q").exists()


def test_a_framework_that_is_not_installed_is_named_with_the_package(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Framework, "missing", "tf_keras")
    assert told(run(model)) == ["reading not checked against the framework (pip install 'fpgacnn[train]')"]
    with pytest.raises(FpgacnnError) as caught:
        fpgacnn.convert(model, output=model.parent / "q", csim_events=0, reference="keras", bits="8,3")
    assert (caught.value.code, "tf_keras is not installed" in str(caught.value)) == ("FC091", True)


def test_a_file_that_would_take_longer_than_auto_waits_is_not_given_to_the_framework(
    model: Path, framework: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    framework("raise SystemExit(5)")
    monkeypatch.setattr(reference_check, "BYTES_A_SECOND", 1)
    (line,) = told(run(model))
    assert line.startswith("reading not checked: Keras 2 would need about ")
    assert line.endswith(" s to load the file (--reference keras)")


def test_a_file_with_something_else_than_the_frameworks_own_classes_is_not_given_to_it(
    tmp_path: Path, framework: Callable[..., None]
) -> None:
    framework("raise SystemExit(5)")
    constraint = {"class_name": "system", "module": "os", "config": {}}
    record = run(network(tmp_path / "net.h5", kernel_constraint=constraint))
    assert told(record) == ["reading not checked: the file is not passed to Keras 2: it names the module 'os'"]


def test_none_says_and_does_nothing(model: Path, framework: Callable[..., None]) -> None:
    framework("raise SystemExit(5)")
    record = run(model, "none")
    assert (reading(record), told(record)) == (None, [])


def test_the_process_of_a_framework_runs_the_same_fpgacnn(tmp_path: Path) -> None:
    first = process._environment(tmp_path)["PYTHONPATH"].split(os.pathsep)[0]
    assert Path(first) / "fpgacnn" / "__init__.py" == Path(fpgacnn.__file__)


def test_the_environment_says_what_the_default_is(
    model: Path, framework: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    framework()
    monkeypatch.setenv("FPGACNN_REFERENCE", "auto")
    assert reading(run(model, None)).holds
    monkeypatch.setenv("FPGACNN_REFERENCE", "theano")
    with pytest.raises(FpgacnnError, match="unknown reference 'theano'"):
        run(model, None)


def test_verify_finds_the_models_file_and_says_so_where_it_has_none(
    model: Path, framework: Callable[..., None]
) -> None:
    framework()
    folder = model.parent / "p"
    run(model)
    proven = fpgacnn.verify(folder, model=model, reference="auto")
    assert reading(proven).holds
    assert reading(fpgacnn.verify(folder, reference="auto")).holds  # it lies beside the project
    away = model.rename(model.parent / "away.h5")
    network(model, trainable=False)  # of the same name, but another file
    assert told(fpgacnn.verify(folder, reference="auto")) == [
        (
            "reading not checked against the framework "
            "(give --model FILE, the file that the project was made from: it is not here)"
        )
    ]
    with pytest.raises(FpgacnnError, match="it lies neither beside the project nor here, or it has changed"):
        fpgacnn.verify(folder, reference="keras")
    away.replace(model)
    framework("shown['right'] = shown['right'] + np.float32(0.01)")
    assert not fpgacnn.verify(folder, model=model, reference="auto").holds
    other = network(model.parent / "other.h5", trainable=False)
    with pytest.raises(FpgacnnError, match="is not the file that"):
        fpgacnn.verify(folder, model=other, reference="auto")


def test_doctor_lists_the_frameworks(tmp_path: Path) -> None:
    found = command(tmp_path, "doctor")
    assert "reference: Keras 2" in found.stdout
    assert "reference: HGQ2" in found.stdout
    assert "reference: onnxruntime" in found.stdout
