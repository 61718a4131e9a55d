"""`fpgacnn estimate` as a user runs it, and the estimate of a design against that of the C++ it becomes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.design import BackendName, Design, IoType, Strategy, Target
from fpgacnn.design.project import write_files
from fpgacnn.errors import UnknownPartError, UnsupportedOptionError
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role
from fpgacnn.hardware.hls import backend
from tests.support.command import failed, left, run
from tests.support.files import tiny_model
from tests.support.planned import plan
from tests.support.random_networks import random_network

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models" / "digits" / "digits.h5"


def test_a_model_file_is_estimated_without_writing_anything(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    done = run(tmp_path, "estimate", "model.h5")
    assert (done.returncode, done.stderr) == (0, "")
    assert "for xcu250-figd2104-2L-e at 5 ns, io_stream, Vitis HLS; an estimate, no tool has run" in done.stdout
    assert re.search(
        r"^LUT +[\d,]+ \([\d,]+ to [\d,]+\) +[\d,]+ \([\d,]+ to [\d,]+\) +1,728,000 +\d+%", done.stdout, re.MULTILINE
    )
    assert "fits xcu250" in done.stdout
    assert left(tmp_path) == {"model.h5"}


def test_what_does_not_fit_ends_with_1_and_says_what_is_short(tmp_path: Path) -> None:
    done = run(tmp_path, "estimate", DIGITS, "--part", "xc7s6ftgb196-1", "--io", "parallel")
    assert done.returncode == 1
    assert re.search(r"does not fit xc7s6: short of [\d,]+ LUT \(\d+\.\d times what it has\)", done.stdout)


def test_what_may_not_fit_shows_both_ends_of_the_band_and_the_next_command(tmp_path: Path) -> None:
    done = run(tmp_path, "estimate", DIGITS, "--part", "pynq-z2", "--io", "parallel")
    assert done.returncode == 1  # the most likely value is beyond the part
    assert re.search(r"may not fit xc7z020: [\d,]+ to [\d,]+ of 53,200 LUT", done.stdout)
    assert (
        done.stdout.splitlines()[-1] == f"next: fpgacnn fit {DIGITS} --part xc7z020-clg400-1 --clock 5 -o target.toml"
    )


def test_json_is_one_document_with_figures_bands_and_method(tmp_path: Path) -> None:
    done = run(tmp_path, "estimate", DIGITS, "--json", "--io", "stream", "--part", "zcu102")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, document["schema"]) == (0, "", 1)
    estimate = document["estimate"]
    lut = estimate["totals"]["resources"]["lut"]
    assert lut["low"] <= lut["value"] <= lut["high"]
    assert estimate["available"]["lut"] == 274_080
    assert "repositories" in estimate["method"]
    assert [layer["name"] for layer in estimate["layers"]] == ["relu1", "relu2", "pool", "logits"]


def test_a_reuse_factor_that_cannot_be_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "estimate", DIGITS, "--strategy", "resource", "--reuse", "8")
    assert "note: conv1: a reuse factor of 8 is not legal for its size, 9 is used" in done.stdout


def test_an_unknown_part_is_told_with_near_names(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    assert "the part 'xczu9ev' is unknown; near names: xczu9eg" in failed(
        run(tmp_path, "estimate", "model.h5", "--part", "xczu9ev"), 2, "FC120"
    )


def test_a_folder_that_is_no_project_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "neither a project of fpgacnn" in failed(run(tmp_path, "estimate", "empty"), 2, "FC062")


def test_a_caution_has_a_page(tmp_path: Path) -> None:
    done = run(tmp_path, "explain", "FC126")
    assert (done.returncode, done.stdout.splitlines()[0][:8]) == (0, "FC126: A")


def test_a_conversion_keeps_its_estimate_and_says_it_in_one_line(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    done = run(tmp_path, "convert", "model.h5", "--no-csim", "-o", "p")
    assert done.returncode == 0
    assert len([line for line in done.stdout.splitlines() if line.startswith("estimate: ")]) == 1
    record = json.loads((tmp_path / "p" / "fpgacnn.json").read_text())
    assert record["estimate"]["stage"] == "csynth"
    again = run(tmp_path, "estimate", "p", "--json")
    assert json.loads(again.stdout)["estimate"]["totals"] == record["estimate"]["totals"]


def test_a_conversion_for_an_unknown_part_goes_on_only_where_that_is_asked_for_and_without_an_estimate(
    tmp_path: Path,
) -> None:
    tiny_model(tmp_path / "model.h5")
    line = failed(run(tmp_path, "convert", "model.h5", "--no-csim", "-o", "p", "--part", "xcfuture-1"), 2, "FC120")
    assert "the part 'xcfuture-1' is unknown; near names: xc" in line
    assert not (tmp_path / "p").exists()
    done = run(tmp_path, "convert", "model.h5", "--no-csim", "-o", "p", "--part", "xcfuture-1", "--unlisted-part")
    assert done.returncode == 0
    assert "no estimate: the part 'xcfuture-1' is unknown" in done.stdout
    assert json.loads((tmp_path / "p" / "fpgacnn.json").read_text())["estimate"] is None


@pytest.mark.parametrize("command", ["convert", "estimate", "fit"])
@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("xczu9ev", "is unknown; near names: xczu9eg"),
        ("zybo-z7", "is unknown; near names: zybo-z7-10, zybo-z7-20"),
        ("10AX115N2F45E1SG", "is made by Intel (Altera)"),
        ("lfe5u-25f", "is made by Lattice; HLS projects are written for parts of AMD"),
        ("xcku115-potato", "has a package or speed grade that cannot be read; near names: xcku115-flvb2104-2-e"),
    ],
)
def test_every_command_refuses_a_part_that_it_does_not_know(
    tmp_path: Path, command: str, part: str, words: str
) -> None:
    tiny_model(tmp_path / "model.h5")
    shown = "lfe5u-25f-8bg256c" if part == "lfe5u-25f" else part
    assert f"the part '{shown}' {words}" in failed(run(tmp_path, command, "model.h5", "--part", part), 2, "FC120")
    assert left(tmp_path) == {"model.h5"}


def test_python_refuses_an_unknown_part_too(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    for call in (fpgacnn.convert, fpgacnn.estimate, fpgacnn.fit):
        with pytest.raises(UnknownPartError, match="the part 'xczu9ev' is unknown"):
            call(tmp_path / "model.h5", part="xczu9ev")
        with pytest.raises(UnknownPartError, match="is made by Gowin"):
            call(tmp_path / "model.h5", part="GW2A-LV18PG256C8/I7")


def test_a_device_without_package_is_completed_and_said_so(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    note = "the device xcku115 has neither package nor speed grade: xcku115-flvb2104-2-e is taken"
    record = json.loads(
        run(tmp_path, "convert", "model.h5", "--no-csim", "-o", "p", "--part", "xcku115", "--json").stdout
    )
    assert (record["target"]["part"], record["notes"][0]) == ("xcku115-flvb2104-2-e", note)
    assert "xcku115-flvb2104-2-e" in (tmp_path / "p" / "project.tcl").read_text()
    for source in ("model.h5", "p"):
        estimated = json.loads(run(tmp_path, "estimate", source, "--part", "xcku115", "--json").stdout)
        assert (estimated["estimate"]["part"], estimated["notes"][0]) == ("xcku115-flvb2104-2-e", note)
        fitted = json.loads(run(tmp_path, "fit", source, "--part", "xcku115", "--json").stdout)
        assert (fitted["target"]["part"], fitted["notes"][0]) == ("xcku115-flvb2104-2-e", note)


def test_a_project_of_ours_can_be_asked_about_another_target(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    assert run(tmp_path, "convert", "model.h5", "--io", "parallel", "--no-csim", "-q", "-o", "p").returncode == 0
    parallel, stream = (fpgacnn.estimate(tmp_path / "p", io=io, part="zcu102") for io in (None, "stream"))
    assert (parallel.io, stream.io) == ("parallel", "stream")
    assert stream.estimate.part == "xczu9eg-ffvb1156-2-e"


def test_a_project_of_others_takes_another_part_but_no_other_code(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    assert run(tmp_path, "convert", "model.h5", "--no-csim", "-q", "-o", "p").returncode == 0
    (tmp_path / "p" / "fpgacnn.json").unlink()
    shutil.rmtree(tmp_path / "p" / "fpgacnn")
    assert fpgacnn.estimate(tmp_path / "p", part="zcu102").estimate.part == "xczu9eg-ffvb1156-2-e"
    assert "only --part and --clock can be changed" in failed(
        run(tmp_path, "estimate", "p", "--io", "stream"), 2, "FC002"
    )


def comparable(model: HardwareGraph) -> list[tuple[object, ...]]:
    """What both readings of a design must agree on; names differ, and C++ does not tell the rows of what is flat."""
    return [
        (
            layer.role,
            int(np.prod(layer.in_shape)),
            int(np.prod(layer.out_shape)),
            layer.out_shape[2] if model.io is IoType.STREAM else None,
            layer.window,
            layer.reuse if layer.role in {Role.DENSE, Role.CONVOLUTION} else None,
            (layer.input.width, layer.output.width),
            layer.weights if layer.role in {Role.DENSE, Role.CONVOLUTION} else None,
            layer.strategy if layer.role in {Role.DENSE, Role.CONVOLUTION} else None,
        )
        for layer in model.layers
        if layer.role is not Role.INPUT
    ]


@pytest.mark.parametrize("io", IoType)
@pytest.mark.parametrize("strategy", [Strategy.LATENCY, Strategy.RESOURCE])
@pytest.mark.parametrize("seed", range(4))
def test_a_design_and_the_cpp_that_it_becomes_have_one_structure(
    tmp_path: Path, seed: int, io: IoType, strategy: Strategy
) -> None:
    model = random_network(seed)
    target = Target(
        io=io, strategy=strategy, reuse=2 if strategy is Strategy.RESOURCE else 1, backend=BackendName.VIVADO
    )
    design = Design(model=model, plan=plan(model), target=target)
    try:
        files = backend.convert(design).files
    except UnsupportedOptionError:
        pytest.skip("this network cannot be built so")
    write_files(tmp_path, files)
    ours, theirs = hardware_graph(design), read_project(tmp_path)
    assert comparable(theirs) == comparable(ours)
    assert (theirs.io, theirs.dataflow, theirs.tool, theirs.part, theirs.clock_ns) == (
        ours.io,
        ours.dataflow,
        ours.tool,
        ours.part,
        ours.clock_ns,
    )
