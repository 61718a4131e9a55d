"""`report` and `compare` as a user runs them, on a converted project and on what others may put in its place."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

import fpgacnn
from tests.support.command import failed, left, names, run
from tests.support.files import tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two projects of one network."""
    place = tmp_path_factory.mktemp("projects")
    tiny_model(place / "model.h5")
    for name, flags in {
        "first": ("--io", "parallel"),
        "second": ("--io", "stream", "--input-type", "ufixed<8,0>"),
    }.items():
        done = run(place, "convert", "model.h5", "-o", name, "--no-csim", "-q", *flags)
        assert done.returncode == 0, done.stderr
    return place


def test_a_report_on_a_terminal_begins_with_the_verdict(folder: Path) -> None:
    done = run(folder, "report", "first")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Exact?    ")
    assert "Shown?    By emulation only" in done.stdout
    assert "emulator = quantized network" in done.stdout


@pytest.mark.parametrize("suffix", ["html", "md", "csv", "json"])
def test_the_suffix_says_the_form(folder: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"r.{suffix}"
    done = run(folder, "report", "first", "second", "-o", file)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"written: {file}\n")
    text = file.read_text(encoding="utf-8")
    match suffix:
        case "html":
            assert text.startswith("<!doctype html>")
            assert "2 projects side by side" in text
        case "md":
            assert text.startswith("<!-- fpgacnn report -->\n# 2 projects side by side\n")
        case "csv":
            rows = list(csv.DictReader(text.splitlines()))
            assert {row["project"] for row in rows} == {"first", "second"}
            assert [row["value"] for row in rows if row["quantity"] == "io"] == ["parallel", "stream"]
        case "json":
            assert [one["name"] for one in json.loads(text)["projects"]] == ["first", "second"]
    assert names(tmp_path) == [file.name]


def test_json_is_one_document_with_the_record_of_the_project(folder: Path) -> None:
    done = run(folder, "report", "first", "--json")
    content = json.loads(done.stdout)
    assert content["projects"][0]["record"] == json.loads((folder / "first" / "fpgacnn.json").read_text())


def test_what_json_printed_can_be_reported_again(folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    saved.write_text(run(folder, "verify", "first", "--json").stdout)
    done = run(folder, "report", saved, "first")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[2:4]] == ["saved", "first"]


def test_compare_shows_what_changed(folder: Path) -> None:
    done = run(folder, "compare", "first", "second")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["target", "io", "parallel", "stream"] in rows
    assert not any("backend" in row for row in rows)


def test_compare_writes_every_form_and_json(folder: Path, tmp_path: Path) -> None:
    for suffix in ("html", "md", "csv", "json"):
        assert run(folder, "compare", "first", "second", "-q", "-o", tmp_path / f"c.{suffix}").returncode == 0
    said = json.loads(run(folder, "compare", "first", "second", "--json").stdout)
    assert said == json.loads((tmp_path / "c.json").read_text())
    assert {
        "section": "target",
        "item": "",
        "quantity": "io",
        "left": "parallel",
        "right": "stream",
        "unit": "",
        "difference": None,
        "ratio": None,
    } in said["changes"]


def test_a_project_of_hls4ml_is_reported_with_an_estimate(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "first", tmp_path / "foreign", ignore=shutil.ignore_patterns("fpgacnn*"))
    done = run(tmp_path, "report", "foreign")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Exact?    Not known  fpgacnn did not write this project")
    assert "Fits?     Fits" in done.stdout
    content = json.loads(run(tmp_path, "report", "foreign", "--json").stdout)["projects"][0]
    assert (content["record"], content["synthesis"], content["estimate"]["clock_ns"]) == (None, None, 5.0)


def test_a_check_that_failed_is_exit_status_1(folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "first" / "fpgacnn.json").read_text())
    record["verification"][0].update(
        holds=False,
        mismatches=1,
        max_abs_difference=0.5,
        first={"layer": "conv", "index": [0, 1], "left": 1.0, "right": 1.5},
    )
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(record))
    assert "Different" in (done := run(folder, "report", broken)).stdout
    assert done.returncode == 1
    assert run(folder, "compare", "first", broken).returncode == 1
    assert run(folder, "compare", broken, "first").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("report", "nowhere"), "FC010", "nowhere: no such file or folder"),
        (("report", "first/tb_data"), "FC193", "first/tb_data holds no record of fpgacnn"),
        (("report", "first", "-o", "r.pdf"), "FC190", "r.pdf: there is no report format for '.pdf'"),
        (("report", "first", "-o", "model.h5"), "FC190", "model.h5: there is no report format for '.h5'"),
        (("report", "first", "-o", "mine.csv"), "FC191", "mine.csv exists and is not a report of fpgacnn"),
        (("report", "mine.csv"), "FC192", "mine.csv: damaged: not JSON"),
        (("compare", "first", "nowhere"), "FC010", "nowhere: no such file or folder"),
        (("report",), "FC002", "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_reported_is_one_error(folder: Path, arguments: tuple[str, ...], code: str, words: str) -> None:
    (folder / "mine.csv").write_text("my,own,table\n")
    before = left(folder)
    assert words in failed(run(folder, *arguments), 2, code)
    assert left(folder) == before
    assert (folder / "mine.csv").read_text() == "my,own,table\n"


def test_python_has_the_same_two_functions(folder: Path, tmp_path: Path) -> None:
    entries = fpgacnn.report(folder / "first", folder / "second", output=tmp_path / "r.html")
    assert [one.record.target.io for one in entries] == ["parallel", "stream"]
    comparison = fpgacnn.compare(folder / "first", folder / "second", output=tmp_path / "c.md")
    assert comparison.holds
    assert names(tmp_path) == ["c.md", "r.html"]
