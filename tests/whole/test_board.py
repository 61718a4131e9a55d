"""`fpgacnn board`, `convert --board`, and the report of a build."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.hardware.board.boards import Board, BoardKind, boards, find_board
from fpgacnn.hardware.board.tree import DESCRIPTION, NOT_RUN
from fpgacnn.hardware.devices import find
from fpgacnn.jobs import board_report
from fpgacnn.jobs.board import _keep_build
from fpgacnn.jobs.board_report import pack_report
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.system.atomic_dir import atomic_folder
from tests.support.command import failed, run
from tests.support.files import tiny_model
from tests.support.vivado_reports import Netlist, utilization_rpt

ROUTED = Netlist(design="fpgacnn_design_wrapper", state="Routed", command="report_utilization -file fpgacnn.rpt")
PAGE = (Path(__file__).parents[2] / "docs" / "board.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("converted")
    tiny_model(place / "m.h5")
    done = run(place, "convert", "m.h5", "--no-csim", "--reference", "none", "-o", "p")
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def folder(converted: Path, tmp_path: Path) -> Path:
    shutil.copytree(converted / "p", tmp_path / "p")
    return tmp_path


def test_a_project_gets_the_files_of_a_board_of_every_kind(folder: Path) -> None:
    for name in ("pynq-z2", "kv260", "arty-a7-100", "alveo-u50"):
        board = boards()[name]
        record = fpgacnn.board(folder / "p", name, csim_events=0)
        assert (record.part, record.board, record.word_bits) == (board.part, name, board.word_bits)
        place = folder / "p" / "board" / name
        assert {str(one.relative_to(place)) for one in place.rglob("*") if one.is_file()} == set(record.files)
        assert any("No Vivado" in note for note in record.notes)
        assert (place / "build.sh").stat().st_mode & 0o100
    assert {find_board(name).kind for name in ("pynq-z2", "kv260", "arty-a7-100", "alveo-u50")} == set(BoardKind)
    assert open_project(folder / "p").notes == ()


@pytest.mark.agree
def test_convert_for_a_board_compares_the_wrapper_and_verify_does_it_again(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    flags = ("--reference", "none", "--csim-events", "20", "--json")
    done = run(tmp_path, "convert", "m.h5", "-o", "p", "--board", "KV260", *flags)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["target"]["part"], record["target"]["clock_ns"]) == ("xck26-sfvc784-2LV-c", 5.0)
    (row,) = [one for one in record["verification"] if one["left"] == "wrapper with stalls"]
    assert (row["holds"], row["events"], row["mismatches"]) == (True, 20, 0)
    (note,) = [one for one in record["notes"] if "AMD Kria KV260" in one]
    assert "p/board/kv260" in note
    assert "No Vivado" in note
    again = run(tmp_path, "verify", "p", "--reference", "none", "--json")
    assert again.returncode == 0, again.stderr
    assert "wrapper with stalls" in [one["left"] for one in json.loads(again.stdout)["verification"]]
    weights = next((tmp_path / "p" / "firmware" / "weights").glob("w*.txt"))
    weights.write_text(weights.read_text().replace("0", "1"))
    broken = run(tmp_path, "verify", "p", "--reference", "none")
    assert broken.returncode == 2
    assert "its wrapper belongs to other C++ than that of the project now" in broken.stderr


def test_part_and_clock_follow_from_the_board(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    done = run(tmp_path, "convert", "m.h5", "--board", "zcu102", "--part", "xcku115")
    assert done.returncode == 2
    assert "--board zcu102 gives part and clock, and excludes --part" in done.stderr
    (tmp_path / "other.toml").write_text('part = "zcu104"\nclock = 4.0\n')
    filed = run(tmp_path, "convert", "m.h5", "--board", "zcu102", "--config", "other.toml")
    assert filed.returncode == 2
    words = "gives part xczu9eg-ffvb1156-2-e and a clock of 5 ns, and excludes part zcu104 and a clock of 4 ns"
    assert words in filed.stderr
    (tmp_path / "own.toml").write_text('part = "xczu9eg-FFVB1156-2-e"\nclock = 5.0\n')
    own = run(tmp_path, "convert", "m.h5", "--board", "zcu102", "--config", "own.toml", "--no-csim", "-q", "-o", "own")
    assert own.returncode == 0, own.stderr
    unknown = run(tmp_path, "convert", "m.h5", "--board", "de10")
    assert "unknown board 'de10'" in unknown.stderr
    assert "pynq-z1, pynq-z2" in unknown.stderr


def test_a_conversion_for_a_board_with_vivado_hls_leaves_nothing(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    done = run(tmp_path, "convert", "m.h5", "--no-csim", "--backend", "vivado", "--board", "pynq-z2", "-o", "p")
    assert done.returncode == 2
    assert "FC230" in done.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.agree
def test_what_was_built_stays_and_its_reports_are_read(folder: Path) -> None:
    """A second `fpgacnn board`, as after `freeze`, keeps hours of Vivado; `synth --read-only` reads them."""
    assert run(folder, "board", "p", "--board", "pynq-z2", "--csim-events", "0").returncode == 0
    place = folder / "p" / "board" / "pynq-z2"
    (place / "build" / "reports").mkdir(parents=True)
    (place / "build" / "reports" / "fpgacnn_utilization_routed.rpt").write_text(utilization_rpt(ROUTED))
    assert run(folder, "freeze", "p", "--events", "5").returncode == 0
    done = run(folder, "board", "p", "--board", "pynq-z2", "--csim-events", "0", "--json")
    assert done.returncode == 0, done.stderr
    assert "golden vectors" in json.loads(done.stdout)["origin"]
    with np.load(place / "python" / "vectors.npz") as vectors:
        assert len(vectors["input_0"]) == 5
    assert (place / "build" / "reports" / "fpgacnn_utilization_routed.rpt").read_text() == utilization_rpt(ROUTED)
    read = run(folder, "synth", str(place), "--read-only", "--json")
    assert "fpgacnn_utilization_routed.rpt" in read.stdout, read.stderr


@pytest.mark.parametrize("linked", [False, True], ids=["folder", "link"])
def test_an_error_after_the_build_was_kept_leaves_it_in_the_old_folder(tmp_path: Path, *, linked: bool) -> None:
    place, built = tmp_path / "pynq-z2", tmp_path / "pynq-z2" / "build"
    place.mkdir()
    (place / DESCRIPTION).write_text("{}")
    real = tmp_path / "scratch" if linked else built
    (real / "done").mkdir(parents=True)
    (real / "done" / "ip").write_text("stamp")
    (real / "latest").symlink_to("done")
    if linked:
        built.symlink_to(Path("..") / "scratch")

    def replaced(error: Exception | None) -> None:
        with atomic_folder(place, DESCRIPTION) as stage:
            (stage / DESCRIPTION).write_text("{}")
            _keep_build(place, stage)
            if error:
                raise error

    with pytest.raises(RuntimeError, match="disk"):
        replaced(RuntimeError("disk"))
    for _ in range(2):
        assert built.is_symlink() == linked
        assert (built / "done" / "ip").read_text() == (built / "latest" / "ip").read_text() == "stamp"
        assert (built / "latest").is_symlink()
        replaced(None)


def test_an_rtl_project_gets_a_board_with_a_processor_or_a_serial_line_and_no_card(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    flags = ("--backend", "rtl", "--no-csim", "--reference", "none")
    card = run(tmp_path, "convert", "m.h5", "-o", "p", "--board", "alveo-u50", *flags)
    assert "an RTL project on alveo-u50: kernels of cards read the memory" in failed(card, 2, "FC230")
    assert not (tmp_path / "p").exists()
    done = run(tmp_path, "convert", "m.h5", "-o", "p", "--board", "ultra96v2", *flags, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["target"]["part"] == "xczu3eg-sbva484-1-i"
    assert "an RTL project on alveo-u50" in failed(run(tmp_path, "board", "p", "--board", "alveo-u50"), 2, "FC230")
    fpgacnn.board(tmp_path / "p", "arty-a7-100", csim_events=0)
    for name, kind in (("ultra96v2", "cpp"), ("arty-a7-100", "board.xdc")):
        place = tmp_path / "p" / "board" / name
        files = {str(one.relative_to(place)) for one in place.rglob("*") if one.is_file()}
        assert {"rtl/fpgacnn_axis.v", "rtl/fpgacnn_axis_library.v", "scripts/package.tcl"} <= files
        assert not [one for one in files if one.startswith("hls/fpgacnn_w") or one == "scripts/ip.tcl"]
        assert (place / kind).exists()
        text = (place / "README.md").read_text()
        assert "compared with the emulator in Verilator" in text
        assert "Vitis/2023.2/settings64.sh" not in text


def test_a_board_or_a_report_is_needed(folder: Path) -> None:
    done = run(folder, "board", "p")
    assert done.returncode == 2
    assert "give --board NAME" in done.stderr
    missing = run(folder, "board", "p", "--report")
    assert missing.returncode == 2
    assert "FC233" in missing.stderr


def test_a_report_packs_logs_and_versions_and_no_weights(folder: Path) -> None:
    assert run(folder, "board", "p", "--board", "pynq-z2", "--csim-events", "0").returncode == 0
    place = folder / "p" / "board" / "pynq-z2"
    (place / "build" / "logs").mkdir(parents=True)
    (place / "build" / "logs" / "ip.log").write_text("x" * (5 << 20) + "ERROR: the end")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "secret").write_text("not of this project")
    (place / "build" / "done").symlink_to(folder / "elsewhere")
    done = run(folder, "board", "p", "--report", "--json")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / "p-board-report.zip") as archive:
        names = archive.namelist()
        assert archive.read("pynq-z2/build/logs/ip.log").endswith(b"ERROR: the end")
        assert len(archive.read("pynq-z2/build/logs/ip.log")) == 4 << 20
        assert json.loads(archive.read("versions.json"))["hls4ml"] == "1.3.0"
    assert {"pynq-z2/board.json", "pynq-z2/settings.tcl", "versions.json"} <= set(names)
    assert not [name for name in names if "vectors" in name or "weights" in name]
    assert "pynq-z2/build/done/secret" not in names
    assert run(folder, "board", "p", "--report").returncode == 0  # replaces its own
    (folder / "mine.zip").write_text("mine")
    refused = run(folder, "board", "p", "--report", "-o", "mine.zip")
    assert refused.returncode == 2
    assert (folder / "mine.zip").read_text() == "mine"


def board_folders(folder: Path, names: Sequence[str], logs: Mapping[str, int]) -> list[Path]:
    """Folders of boards in the project `p`, each with logs of so many bytes."""
    places = [folder / "p" / "board" / name for name in names]
    for place in places:
        (place / "build" / "logs").mkdir(parents=True)
        (place / DESCRIPTION).write_text("{}")
        for name, size in logs.items():
            (place / "build" / "logs" / name).write_bytes(b"x" * size)
    return places


def test_a_report_has_the_logs_of_a_build_on_another_disk_and_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    (place,) = board_folders(tmp_path, ["pynq-z2"], {"ip.log": 9})
    (place / "build").rename(tmp_path / "scratch")
    (place / "build").symlink_to(tmp_path / "scratch")
    (place / "python").mkdir()
    (place / "python" / "vectors.npz").write_bytes(b"events")
    built = tmp_path / "scratch"
    (built / "logs" / "events.log").symlink_to(place / "python" / "vectors.npz")
    (built / "logs" / "same.log").symlink_to("ip.log")
    (built / "done").symlink_to(place / "python")
    (place / "settings.tcl").symlink_to(place / "python" / "vectors.npz")
    packed = pack_report(tmp_path / "p", None, tmp_path / "report.zip")
    assert packed.content == ("pynq-z2/board.json", "pynq-z2/build/logs/ip.log", "versions.json")
    assert packed.notes == (NOT_RUN,)


@pytest.mark.parametrize("room", [0, 1, 2, 3, 4])
def test_a_report_has_no_file_beyond_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Two boards with two logs of one MiB each; the descriptions, of two bytes, fit in addition."""
    board_folders(tmp_path, ["arty-a7-100", "pynq-z2"], {"a.log": 1 << 20, "b.log": 1 << 20})
    monkeypatch.setattr(board_report, "MOST_IN_ALL", (room << 20) + 4)
    packed = pack_report(tmp_path / "p", None, tmp_path / "report.zip")
    logs = [name for name in packed.content if name.endswith(".log")]
    names = [f"{board}/build/logs/{log}" for board in ("pynq-z2", "arty-a7-100") for log in ("a.log", "b.log")]
    assert logs == sorted(names[:room])
    limits = [f"{names[room]} and files after it were left out: there are more than {room} MiB"] if room < 4 else []
    assert packed.notes == (*limits, NOT_RUN)


def test_a_report_says_where_a_board_has_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board_folders(tmp_path, ["pynq-z2"], {f"{number}.log": 1 for number in range(5)})
    monkeypatch.setattr(board_report, "MOST_FILES", 3)
    packed = pack_report(tmp_path / "p", None, tmp_path / "report.zip")
    assert packed.notes == ("pynq-z2: the first 3 of 6 files", NOT_RUN)
    assert len(packed.content) == 4


@pytest.mark.parametrize("board", boards().values(), ids=lambda board: board.name)
def test_every_board_has_a_known_part_and_a_row_on_the_page(board: Board) -> None:
    assert find(board.part) == find(board.name)
    row = rf"\| `{board.name}` \| {re.escape(board.part)} \| {board.clock_mhz} MHz \|.*\| {board.word_bits} bits \|"
    assert re.search(row, PAGE)
    assert board.source
    assert bool(board.leds) == bool(board.led_standard)
    assert bool(board.leds or board.linux_leds) == bool(board.led_source) == board.has_processor
    assert not (board.leds and board.linux_leds)
    shown = f"{len(board.leds)} of the FPGA" if board.leds else f"{len(board.linux_leds)} of the processor"
    assert not board.has_processor or re.search(rf"\| `{board.name}` \|.*\| {shown} \|", PAGE)
    assert (board.kind is BoardKind.ALVEO) == bool(board.platform and board.memory)
    assert board.memory_bits in {0, 64, 128, 256, 512}
    assert find_board(board.name.upper().replace("-", " ")) is board
