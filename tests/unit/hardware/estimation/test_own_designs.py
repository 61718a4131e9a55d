"""Own designs of the user: a file that is checked, and corrections that grow with the designs behind them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import fpgacnn
from fpgacnn.errors import CalibrationFileError
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.calibration.own_designs import (
    COUNTING,
    OwnDesign,
    add_own_designs,
    calibrated,
    calibration_file,
    digest,
    estimator_version,
    merged,
    parse,
    read_own_designs,
    write_own_designs,
)
from fpgacnn.hardware.estimation.constants import shipped
from fpgacnn.system.files.output import exclusive
from tests.support.structures import dense, pipeline

DESIGN = OwnDesign(
    name="tagger",
    firmware="a1",
    tool="vivado",
    version="2019.2",
    part="xczu9eg-ffvb1156-2-e",
    clock_ns=5.0,
    io="parallel",
    estimated={"LUT": 1000.0, "FF": 400.0, "after LUT": 500.0, "latency": 8.0, "DSP": 0.0},
    reported={"LUT": 500.0, "FF": 400.0, "after LUT": 250.0, "latency": 16.0, "DSP": 3.0},
    estimator=estimator_version(),
)
MODEL = pipeline(dense(np.full((16, 16), 683)))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A calibration file of the test."""
    monkeypatch.setenv("FPGACNN_CALIBRATION", str(tmp_path / "own" / "calibration.json"))
    return tmp_path / "own" / "calibration.json"


def test_designs_are_written_and_read(file: Path) -> None:
    assert read_own_designs() == ()
    assert write_own_designs([DESIGN]) == file
    assert read_own_designs() == (DESIGN,)
    write_own_designs([DESIGN, replace(DESIGN, firmware="b2")])
    assert len(read_own_designs()) == 2, "a file that has changed is read again"


def test_two_commands_that_learn_at_the_same_time_lose_nothing(file: Path) -> None:
    other = Thread(target=add_own_designs, args=([replace(DESIGN, firmware="other")],))
    with exclusive(file):
        other.start()
        other.join(0.2)
        assert other.is_alive(), "it waits"
        write_own_designs([DESIGN])
    other.join(60)
    assert [one.firmware for one in read_own_designs()] == ["a1", "other"]


def test_the_same_firmware_counts_once_and_with_another_clock_again() -> None:
    again, slower = replace(DESIGN, reported={"LUT": 600.0}), replace(DESIGN, clock_ns=10.0)
    assert merged([DESIGN], [again, slower]) == (again, slower)


@pytest.mark.usefixtures("file")
def test_estimates_move_towards_the_reports_and_further_with_more_designs() -> None:
    plain = estimate(MODEL)
    found = []
    for count in (1, 3, 30):
        write_own_designs([replace(DESIGN, firmware=str(place)) for place in range(count)])
        found.append(estimate(MODEL))
    luts = [one.totals.resources.lut.value for one in (plain, *found)]
    assert luts == sorted(luts, reverse=True)
    assert luts[1] == pytest.approx(luts[0] / 2**0.5, rel=0.01), "one design counts as much as the shipped constants"
    assert luts[-1] == pytest.approx(luts[0] / 2, rel=0.05)
    assert found[-1].totals.latency_cycles.value > 1.8 * plain.totals.latency_cycles.value
    assert found[-1].after_synthesis.lut.value == pytest.approx(plain.after_synthesis.lut.value / 2, rel=0.05)
    assert found[-1].totals.resources.ff == plain.totals.resources.ff
    assert found[-1].layers[0].resources.lut.value < plain.layers[0].resources.lut.value
    assert "corrected by 30 designs of yours (Vivado HLS 2019.2; xczu9eg-ffvb1156-2-e; 5 ns)" in found[-1].method
    assert "corrected" not in plain.method


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("other", [{"tool": "vitis"}, {"io": "stream"}])
def test_designs_of_another_tool_or_io_type_correct_nothing(other: dict[str, str]) -> None:
    write_own_designs([replace(DESIGN, **other)])
    assert calibrated(MODEL) is shipped()


@pytest.mark.usefixtures("file")
def test_designs_of_another_version_or_family_count_less() -> None:
    def corrected(**changes: str) -> float:
        write_own_designs([replace(DESIGN, **changes)])
        return calibrated(MODEL).band("LUT", "parallel/latency").factor

    same, version, family = corrected(), corrected(version="2020.1"), corrected(part="xc7z020clg400-1")
    assert same < version < 1
    assert same < family < 1


def test_designs_of_another_estimate_do_not_count_and_are_named(file: Path) -> None:
    plain = estimate(MODEL)
    write_own_designs([replace(DESIGN, estimator="0123456789ab"), replace(DESIGN, firmware="b2", estimator="")])
    old = estimate(MODEL)
    assert old.totals == plain.totals
    assert "; 2 designs of yours not used: learned by another version of the estimate" in old.method
    write_own_designs([DESIGN, replace(DESIGN, firmware="b2", estimator="0123456789ab")])
    mixed = estimate(MODEL)
    assert mixed.totals.resources.lut.value == pytest.approx(plain.totals.resources.lut.value / 2**0.5, rel=0.01)
    assert "corrected by 1 design of yours" in mixed.method
    assert "; 1 design of yours not used" in mixed.method
    entries = json.loads(file.read_text())
    del entries["designs"][0]["estimator"]  # as fpgacnn wrote it before
    file.write_text(json.dumps(entries))
    assert estimate(MODEL).totals == plain.totals


@pytest.mark.parametrize(
    "name", ["hardware/devices/a.toml", "hardware/hls/da/b.py", "ir/c.py", "hardware/estimation/d.json"]
)
def test_the_version_of_the_estimate_changes_with_everything_that_it_is_made_of(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    versions = []
    for content in ("1", "2"):
        (tmp_path / name).write_text(content)
        (tmp_path / "other.py").write_text(content * 2)
        versions.append(digest(tmp_path))
    (tmp_path / "other.py").write_text("3")
    assert versions[0] != versions[1] == digest(tmp_path)


def test_the_version_of_the_estimate_covers_what_it_imports() -> None:
    """What it does not cover changes no number: errors, files, options of a design, and the C compiler.

    Names in C++ and the record of a precision do not either. Own designs do not correct RTL.
    """
    package = Path(fpgacnn.__file__).parent
    paths = [path.relative_to(package) for folder in COUNTING for path in (package / folder).rglob("*.py")]
    files = [package / path for path in paths if "rtl" not in path.parts]
    imports = re.compile(r"^from fpgacnn\.([a-z0-9_.]+) import", re.MULTILINE)
    imported = {found.replace(".", "/") for path in files for found in imports.findall(path.read_text())}
    others = (
        "errors",
        "system",
        "design",
        "sim/emulator/native/build",
        "passes/precision",
        "passes/quantization/names",
    )
    assert len(imported) > len(COUNTING)
    assert all(one.startswith((*COUNTING, *others)) for one in imported)


@pytest.mark.usefixtures("file")
def test_a_quantity_that_either_side_lacks_is_not_corrected() -> None:
    write_own_designs([DESIGN])
    assert calibrated(MODEL).band("DSP", "all").factor == 1
    assert calibrated(MODEL).band("II", "all").factor == 1


def test_no_file_is_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FPGACNN_CALIBRATION", "none")
    assert calibration_file() is None
    with pytest.raises(CalibrationFileError, match="no calibration file is wanted"):
        write_own_designs([DESIGN])
    monkeypatch.delenv("FPGACNN_CALIBRATION")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert calibration_file() == tmp_path / "fpgacnn" / "calibration.json"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert calibration_file() == tmp_path / "home" / ".local" / "share" / "fpgacnn" / "calibration.json"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": 2, "designs": []}',
        '{"schema": 1, "designs": [3]}',
        '{"schema": 1, "designs": [{"name": "a"}]}',
        "[" * 100_000,
        b"\xff".decode("latin-1"),
    ],
)
def test_a_damaged_file_is_an_error_with_its_cure(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(CalibrationFileError, match="damaged") as caught:
        estimate(MODEL)
    assert "--learn" in caught.value.cure


@pytest.mark.parametrize("number", ["-1", "NaN", "Infinity", "true", '"3"', "null", "9" * 400, "1e308"])
def test_numbers_of_the_file_are_checked(number: str) -> None:
    write = json.dumps({"schema": 1, "designs": [{**_plain(), "reported": {"LUT": "HERE"}}]}).replace('"HERE"', number)
    with pytest.raises(ValueError, match="design 0, reported: LUT"):
        parse(json.loads(write))


def _plain() -> dict[str, object]:
    return {name: getattr(DESIGN, name) for name in OwnDesign.__slots__}
