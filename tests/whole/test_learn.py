"""`fpgacnn estimate --learn` as a user runs it: later estimates name the designs, and come nearer to the reports."""

from __future__ import annotations

import json
import os
from pathlib import Path

from fpgacnn.design import IoType, Strategy
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.constants import shipped
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.synthesis import read
from fpgacnn.jobs.learn import _compared
from fpgacnn.jobs.synth import firmware_digest, of_this_firmware
from tests.support.command import run
from tests.support.hls_reports import Module, hls_rpt
from tests.support.networks import Builder
from tests.support.vivado_reports import Netlist, utilization_rpt
from tests.unit.hardware.estimation.test_project import DEFINES, PARAMETERS, SCRIPT, TOP

PART = "xc7z020clg400-1"


def project(folder: Path, **total: object) -> Path:
    """A project of hls4ml with the report of its C synthesis."""
    (folder / "firmware" / "weights").mkdir(parents=True)
    for name, text in {"defines.h": DEFINES, "parameters.h": PARAMETERS, "myproject.cpp": TOP}.items():
        (folder / "firmware" / name).write_text(text)
    (folder / "firmware" / "weights" / "w2.txt").write_text(", ".join(["0.5", "0", "-0.03125"] * 12))
    (folder / "project.tcl").write_text(SCRIPT)
    if total:
        module = Module(version="2019.2", part=PART, clock=("8.00", "6.9", "1.00"), total=total)
        (folder / "myproject_csynth.rpt").write_text(hls_rpt(module))
    return folder


def lut(folder: Path, file: Path) -> tuple[float, str]:
    done = run(folder, "estimate", "one", "--json", extra={"FPGACNN_CALIBRATION": str(file)})
    estimate = json.loads(done.stdout)["estimate"]
    return estimate["totals"]["resources"]["lut"]["value"], estimate["method"]


def test_a_learned_design_corrects_later_estimates_that_name_it(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    project(tmp_path / "one", LUT=40_000, FF=9_000)
    before, plain = lut(tmp_path, file)
    assert "corrected" not in plain
    done = run(tmp_path, "estimate", "--learn", "one", extra={"FPGACNN_CALIBRATION": str(file)})
    assert (done.returncode, done.stderr) == (0, "")
    assert "learned: one, vivado HLS 2019.2, xc7z020clg400-1, 8 ns" in done.stdout
    assert f"LUT: estimate {before:,.0f}, reported 40,000, {before / 40_000 - 1:+.0%}" in done.stdout
    after, named = lut(tmp_path, file)
    assert abs(after / 40_000 - 1) < abs(before / 40_000 - 1)
    assert "corrected by 1 design of yours (Vivado HLS 2019.2; xc7z020clg400-1; 8 ns)" in named
    again = run(tmp_path, "estimate", "--learn", "one", "--json", extra={"FPGACNN_CALIBRATION": str(file)})
    assert json.loads(again.stdout)["known"] == 1, "the same design counts once"
    assert json.loads(again.stdout)["designs"][0]["estimated"]["LUT"] == before, "compared with the shipped constants"


def test_folders_without_reports_are_left_out_and_none_with_is_an_error(tmp_path: Path) -> None:
    extra = {"FPGACNN_CALIBRATION": str(tmp_path / "calibration.json")}
    project(tmp_path / "one", LUT=40_000)
    project(tmp_path / "two")
    (tmp_path / "empty").mkdir()
    done = run(tmp_path, "estimate", "--learn", "one", "two", "empty", extra=extra)
    assert done.returncode == 0
    assert "left out: empty: no project of hls4ml" in done.stdout
    assert "left out: two: " in done.stdout
    failed = run(tmp_path, "estimate", "--learn", "two", "empty", extra=extra)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("error[FC136] nothing to learn: two: ")


def test_reports_older_than_the_firmware_are_not_learned(tmp_path: Path) -> None:
    """Also where another tool or another person ran the synthesis."""
    folder = project(tmp_path / "one", LUT=40_000)
    os.utime(folder / "myproject_csynth.rpt", (1000, 1000))
    file = tmp_path / "calibration.json"
    done = run(tmp_path, "estimate", "--learn", "one", extra={"FPGACNN_CALIBRATION": str(file)})
    assert done.returncode == 2
    assert "the reports are of an earlier firmware" in done.stderr
    assert not file.exists()


def test_reports_of_vivado_older_than_the_last_c_synthesis_are_not_learned(tmp_path: Path) -> None:
    """A plain `synth` runs C synthesis alone, and leaves what Vivado wrote before."""
    file, folder = tmp_path / "calibration.json", project(tmp_path / "one", LUT=40_000)
    for date, known in (("Tue Mar  5 14:31:08 2024", True), ("Mon Mar  4 09:00:00 2024", False)):
        (folder / "vivado_synth.rpt").write_text(utilization_rpt(Netlist(date=date)))
        done = run(tmp_path, "estimate", "--learn", "one", extra={"FPGACNN_CALIBRATION": str(file)})
        assert ("after LUT: " in done.stdout) == known
        assert ("left out: one: vivado_synth.rpt is older than the last C synthesis" in done.stdout) != known
        assert "LUT: estimate" in done.stdout
    (folder / "vivado_synth.rpt").write_text(utilization_rpt(Netlist()))
    os.utime(folder / "vivado_synth.rpt", (1000, 1000))
    done = run(tmp_path, "estimate", "--learn", "one", extra={"FPGACNN_CALIBRATION": str(file)})
    assert "after LUT: " not in done.stdout, "older than the firmware"


def test_designs_of_another_estimate_are_named_when_the_file_is_written(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    for name in ("one", "two"):
        project(tmp_path / name, LUT=40_000)
    (tmp_path / "two" / "firmware" / "extra.h").write_text("// another firmware")
    os.utime(tmp_path / "two" / "firmware" / "extra.h", (1000, 1000))
    run(tmp_path, "estimate", "--learn", "one", extra={"FPGACNN_CALIBRATION": str(file)})
    entries = json.loads(file.read_text())
    entries["designs"][0]["estimator"] = "0123456789ab"
    file.write_text(json.dumps(entries))
    done = run(tmp_path, "estimate", "--learn", "two", extra={"FPGACNN_CALIBRATION": str(file)})
    assert "1 design of yours not used: learned by another version of the estimate" in done.stdout
    done = run(tmp_path, "estimate", "--learn", "one", extra={"FPGACNN_CALIBRATION": str(file)})
    assert "not used" not in done.stdout


def test_compiled_code_beside_the_firmware_changes_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path / "one", LUT=40_000)
    before = firmware_digest(folder)
    (folder / "firmware" / "myproject-1A2b.so").write_bytes(b"\x7fELF")
    assert firmware_digest(folder) == before
    assert of_this_firmware(folder, folder / "myproject_csynth.rpt"), "it is younger than the report, but no source"
    (folder / "firmware" / "extra.h").write_text("// read by synthesis")
    assert firmware_digest(folder) != before


def test_several_models_are_only_for_learning(tmp_path: Path) -> None:
    done = run(tmp_path, "estimate", "a.h5", "b.h5")
    assert done.returncode == 2
    assert "estimate takes one model or folder, not 2" in done.stderr


def test_a_report_shows_how_far_estimates_are_from_each_tool(tmp_path: Path) -> None:
    project(tmp_path / "one", LUT=40_000, FF=9_000)
    (tmp_path / "one" / "vivado_synth.rpt").write_text(utilization_rpt(Netlist()))
    done = run(tmp_path, "report", "one", "-o", "report.md")
    assert "Error of the estimate" in (tmp_path / "report.md").read_text(), done.stderr


def test_luts_after_synthesis_are_not_learned_from_adder_graphs(tmp_path: Path) -> None:
    """They follow from the bits of the adders, so they say nothing about the share of csynth's LUTs that remains."""
    folder = project(tmp_path / "one", LUT=40_000, FF=9_000)
    (folder / "vivado_synth.rpt").write_text(utilization_rpt(Netlist()))
    build, report = Builder(seed=3), read(folder)
    build.end(build.dense(build.input((5,)), 5, 4))
    found = {}
    for strategy in (Strategy.LATENCY, Strategy.DA):
        graph = hardware_graph(build.design(IoType.PARALLEL, strategy=strategy))
        found[strategy] = set(_compared(folder, graph, estimate(graph, shipped()), report).reported)
    assert "after LUT" in found[Strategy.LATENCY]
    assert found[Strategy.DA] == found[Strategy.LATENCY] - {"after LUT"}
