"""The scripts of boards in a Tcl interpreter, with the tools' commands from a list, and build.sh with fake tools."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from fpgacnn.design import BackendName
from fpgacnn.hardware.board.boards import Board, boards, find_board
from fpgacnn.hardware.board.layout import Layout
from fpgacnn.hardware.board.rtl_wrapper import RTL_SOURCE, rtl_wrapper_files
from fpgacnn.hardware.board.tree import board_layout, script_files
from fpgacnn.hardware.rtl import backend
from tests.support.networks import Builder
from tests.support.rtl import rtl_design

pytest.importorskip("tkinter", reason="Python was built without Tcl")

from tests.support.vivado_recorder import HLS, VIVADO, Recorder, ScriptError

GOLDEN = Path(__file__).parent / "golden"
RELEASES = ((2021, 1), (2023, 2), (2025, 2))
RECORDED = ("pynq-z2", "zcu102", "kv260", "ultra96v2", "arty-a7-100")
SCRIPTS = [board for board in boards().values() if board.kind != "alveo"]


def written(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def rtl_project(folder: Path, board: Board) -> Path:
    """The folder of a board in a small RTL project, with all that its scripts read."""
    build = Builder(seed=2)
    build.end(build.convolution(build.input((3, 3, 2)), (2, 2, 2, 2), (2, 2, 2)))
    design = rtl_design(build)
    made = backend.convert(design)
    layout = board_layout(board, made, design)
    place = folder / "board" / board.name
    written(folder, made.files)
    written(place, {**script_files(board, layout, BackendName.RTL), **rtl_wrapper_files(layout, made)})
    (place / "build.sh").chmod(0o755)
    return place


def project(folder: Path, board: Board) -> Path:
    """The folder of a board in a project, with files of the right names."""
    place = folder / "board" / board.name
    layout = Layout(word_bits=board.word_bits, inputs=(), outputs=(), identity=0x1234)
    written(place, script_files(board, layout, BackendName.VITIS))
    (folder / "firmware").mkdir()
    (folder / "firmware" / "myproject.cpp").write_text("")
    (place / "hls").mkdir(exist_ok=True)
    (place / "hls" / "fpgacnn_wrapper.cpp").write_text("")
    (place / "build.sh").chmod(0o755)
    return place


def steps_of(place: Path) -> list[tuple[str, str]]:
    """Steps with their scripts, from steps.sh as the shell reads it."""
    text = subprocess.run(
        ["/bin/sh", "-c", '. ./steps.sh; echo "$steps"; echo "$ip_script"; echo "$design_script"'],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [(step, {"ip": text[1], "design": text[2]}.get(step, step)) for step in text[0].split()]


def record(place: Path, recorder: Recorder) -> int:
    for _, script in steps_of(place):
        status = recorder.run(f"scripts/{script}.tcl", HLS if script == "ip" else VIVADO)
        if status:
            return status
    return 0


def is_golden(recorder: Recorder, name: str, request: pytest.FixtureRequest) -> bool:
    golden = GOLDEN / f"{name}-{recorder.release[0]}.{recorder.release[1]}.txt"
    if request.config.getoption("--update-golden"):
        golden.write_text(recorder.text(), encoding="utf-8")
    return recorder.text() == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("release", RELEASES, ids=lambda one: f"{one[0]}.{one[1]}")
@pytest.mark.parametrize("board", SCRIPTS, ids=lambda board: board.name)
def test_every_script_runs_and_makes_the_recorded_design(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    board: Board,
    release: tuple[int, int],
) -> None:
    place = project(tmp_path, board)
    monkeypatch.chdir(place)
    recorder = Recorder(release)
    assert record(place, recorder) == 0
    assert (place / "build" / "output" / "fpgacnn.bit").read_text() == "bits"
    assert (place / "build" / "output" / "fpgacnn.hwh").exists() == board.has_processor
    assert f"part {board.part}" in recorder.hls
    assert f"clock {round(board.clock_ns, 3):g} ns" in recorder.hls
    if board.name in RECORDED:
        assert is_golden(recorder, board.name, request)


@pytest.mark.parametrize("release", RELEASES, ids=lambda one: f"{one[0]}.{one[1]}")
@pytest.mark.parametrize("name", RECORDED)
def test_scripts_of_rtl_package_it_and_make_the_same_design(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, name: str, release: tuple[int, int]
) -> None:
    place = rtl_project(tmp_path, find_board(name))
    monkeypatch.chdir(place)
    recorder = Recorder(release)
    assert record(place, recorder) == 0
    assert (place / "build" / "output" / "fpgacnn.bit").read_text() == "bits"
    assert is_golden(recorder, f"rtl-{name}", request)
    hls = (GOLDEN / f"{name}-{release[0]}.{release[1]}.txt").read_text(encoding="utf-8")
    nets = [line for line in recorder.text().splitlines() if line.startswith(("net", "interface", "address"))]
    assert nets == [line for line in hls.splitlines() if line.startswith(("net", "interface", "address"))]


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        (RTL_SOURCE, "in_stream TREADY", "in_stream READY", "in_stream is no AXI4-Stream"),
        (RTL_SOURCE, "in_stream TLAST", "in_stream LAST", "in_stream is no AXI4-Stream"),
        (RTL_SOURCE, "out_stream TKEEP", "out_stream TKEPP", "out_stream is no AXI4-Stream"),
        (RTL_SOURCE, "output wire out_stream_TLAST", "input wire out_stream_TLAST", "out_stream is no AXI4-Stream"),
        (RTL_SOURCE, "interface:axis", "interface:aximm", "belongs to no interface that is known here"),
        (RTL_SOURCE, "[63:0] in_stream_TDATA", "[31:0] in_stream_TDATA", "in_stream has other bytes than bits"),
        ("settings.tcl", "set word_bits {64}", "set word_bits {32}", "have 32 and 64 bits"),
        (RTL_SOURCE, "POLARITY ACTIVE_LOW", "POLARITY ACTIVE_HIGH", "the port ap_rst_n belongs to no interface"),
        (RTL_SOURCE, ", ASSOCIATED_RESET ap_rst_n", "", "clocks have the resets"),
        (RTL_SOURCE, "signal:reset:1.0 ap_rst_n RST", "signal:clock:1.0 ap_rst_n CLK", "clocks have the resets"),
        (RTL_SOURCE, "ASSOCIATED_BUSIF in_stream:", "ASSOCIATED_BUSIF ", "in_stream has no clock"),
        (RTL_SOURCE, "0 ap_rst_n RST", "0 RST", "the port ap_rst_n belongs to no interface"),
        (RTL_SOURCE, "input wire ap_rst_n", "input wire reset_n", "clocks have the resets"),
        (RTL_SOURCE, "module fpgacnn_axis ", "module other ", "no module fpgacnn_axis"),
        ("settings.tcl", "set ip_folder {build/ip}", "set ip_folder {build/other ip}", None),
        ("scripts/package.tcl", "version 1.0", "version 1.1", "no name or version"),
        ("scripts/package.tcl", "-taxonomy", "-category", "no argument -category"),
        ("scripts/package.tcl", "ipx::check_integrity $core", "", "was not checked"),
        ("scripts/package.tcl", " rtl/*.v]", "]", "no module fpgacnn_axis"),
    ],
)
def test_packaging_finds_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, why: str | None
) -> None:
    place = rtl_project(tmp_path, find_board("pynq-z2"))
    monkeypatch.chdir(place)
    text = (place / file).read_text()
    assert old in text
    (place / file).write_text(text.replace(old, new))
    if why is None:  # a folder with a space serves Vivado as well
        assert record(place, Recorder((2023, 2))) == 0
        return
    with pytest.raises(ScriptError, match=re.escape(why)):
        record(place, Recorder((2023, 2)))


def test_rtl_is_built_by_vivado_alone(tmp_path: Path) -> None:
    place, calls = rtl_project(tmp_path, find_board("zcu104")), tmp_path / "calls"
    variables = fake_tools(tmp_path, ("vivado",), "2024.1")
    every = ["package", "design_processor", "synthesis", "implementation", "bitstream"]
    done = build(place, variables)
    assert done.returncode == 0, done.stderr
    assert scripts_run(calls) == every
    source = place / RTL_SOURCE
    source.write_text(source.read_text() + "// changed\n")
    assert build(place, variables).returncode == 0
    assert scripts_run(calls) == every


def test_a_board_without_its_board_file_is_built_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = project(tmp_path, find_board("pynq-z2"))
    monkeypatch.chdir(place)
    recorder = Recorder((2023, 2), board_files=False)
    assert record(place, recorder) == 0
    assert any("no board file 'tul.com.tw:pynq-z2:part0' is installed" in line for line in recorder.said)


@pytest.mark.parametrize(
    ("board", "cure"),
    [
        ("kv260", "lower clock_mhz, clock_hz and clock_ns in settings.tcl, then run ./build.sh"),
        ("arty-a7-100", "the clock of this board is fixed: convert with fewer bits or a larger reuse factor"),
    ],
)
def test_timing_that_is_not_met_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, cure: str
) -> None:
    place = project(tmp_path, find_board(board))
    monkeypatch.chdir(place)
    recorder = Recorder((2023, 2), slack=-0.25)
    assert record(place, recorder) == 1
    assert recorder.steps[-1] == "scripts/implementation.tcl"
    assert any("timing is not met (-0.25 ns)" in line and cure in line for line in recorder.said)


@pytest.mark.parametrize(("old", "new"), [("P14", "R14"), ("leds[3]", "leds[4]"), ("IOSTANDARD", "STANDARD")])
def test_a_led_without_a_pin_of_its_own_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    """The recorder reads the constraints: a pin twice, a bit that the port does not have, a pin without a standard."""
    place = project(tmp_path, find_board("pynq-z2"))
    monkeypatch.chdir(place)
    text = (place / "board.xdc").read_text()
    assert old in text
    (place / "board.xdc").write_text(text.replace(old, new))
    with pytest.raises(ScriptError, match="have the pins"):
        record(place, Recorder((2023, 2)))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("dma/axi_resetn network/ap_rst_n", "network/ap_rst_n", "dma/axi_resetn has no driver"),
        ("dma/s2mm_introut", "dma/s2mm_interrupt", "no pin s2mm_interrupt"),
        ("network/out_stream", "network/output", "no interface output"),
        ("connect_bd_net [get_bd_pins $reset_n]", "connect_bd_net [get_bd_pins $clock]", None),
        ("xilinx.com:ip:smartconnect control", "xilinx.com:ip:axi_smart control", "not in the catalog"),
        ("CONFIG.PCW_USE_S_AXI_HP0 1", "CONFIG.PCW_USE_S_AXI_HP0 0", "no pin S_AXI_HP0_ACLK"),
        ("CONFIG.c_include_sg 0", "CONFIG.c_include_scatter 0", "has no CONFIG.c_include_scatter"),
        ("CONFIG.c_mm2s_burst_size 16", "CONFIG.c_mm2s_burst_size 17", "cannot be 17"),
        ("validate_bd_design\n", "validate_design\n", "validate_design"),
        ("make_wrapper -files", "make_wrapper -sources", "no argument -sources"),
        ("network/ap_clk control/aclk", "network/ap_clk network/ap_clk control/aclk", "connected to"),
        ("[get_bd_intf_pins memory/S01_AXI]", "[get_bd_intf_pins memory/S00_AXI]", "is connected already"),
        ("assign_bd_address -offset", "assign_bd_address -start", "no argument -start"),
        ("NUM_MI [expr {$led_count > 0 ? 2 : 1}]", "NUM_MI 1", "no interface M01_AXI"),
        ("CONFIG.C_ALL_OUTPUTS 1", "CONFIG.C_ALL_INPUTS 1", "no pin gpio_io_o"),
        ("[expr {$led_count - 1}]", "$led_count", "have different bits"),
        ("connect_bd_net [get_bd_pins led_gpio/gpio_io_o] [get_bd_ports leds]", "", "the port leds has no driver"),
        ("add_files -fileset constrs_1 -norecurse [list board.xdc]", "", "have the pins []"),
    ],
)
def test_the_recorder_finds_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, why: str | None
) -> None:
    """The list of commands refuses, so that scripts that pass have shown something."""
    place = project(tmp_path, find_board("pynq-z2"))
    monkeypatch.chdir(place)
    script = place / "scripts" / "design_processor.tcl"
    text = script.read_text()
    assert old in text
    script.write_text(text.replace(old, new))
    if why is None:  # a clock as reset is legal for Vivado's nets; the recorded design differs
        recorder = Recorder((2023, 2))
        assert record(place, recorder) == 0
        assert recorder.text() != (GOLDEN / "pynq-z2-2023.2.txt").read_text(encoding="utf-8")
        return
    with pytest.raises(ScriptError, match=re.escape(why)):
        record(place, Recorder((2023, 2)))


def fake_tools(folder: Path, names: tuple[str, ...], release: str, *, failing: str = "") -> dict[str, str]:
    """Tools that write down how they are started. `failing`: a word with which they end with status 1."""
    (folder / "bin").mkdir(exist_ok=True)
    for name in names:
        tool = folder / "bin" / name
        tool.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *-version*) echo "{name} v{release} (64-bit)"; exit 0;; esac\n'
            f'echo "{name} $*" >> "$CALLS"\n'
            + (f'case "$*" in *{failing}*) echo "ERROR: no licence"; exit 1;; esac\n' if failing else "")
        )
        tool.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "CALLS": str(folder / "calls"), "LC_ALL": "C"}


def build(place: Path, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./build.sh", *arguments],
        cwd=place,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_build_goes_on_where_it_stopped(tmp_path: Path) -> None:
    place = project(tmp_path, find_board("pynq-z2"))
    calls = tmp_path / "calls"
    broken = fake_tools(tmp_path, ("vitis_hls", "vivado"), "2022.1", failing="synthesis.tcl")
    done = build(place, broken)
    assert done.returncode == 3
    assert "step synthesis ended with status 1; its log: build/logs/synthesis.log" in done.stderr
    assert "no licence" in (place / "build" / "logs" / "synthesis.log").read_text()
    scripts = [line.split()[-1] for line in calls.read_text().splitlines()]
    assert scripts == ["scripts/ip.tcl", "scripts/design_processor.tcl", "scripts/synthesis.tcl"]
    calls.unlink()
    good = fake_tools(tmp_path, ("vitis_hls", "vivado"), "2022.1")
    assert build(place, good).returncode == 0
    scripts = [line.split()[-1] for line in calls.read_text().splitlines()]
    assert scripts == ["scripts/synthesis.tcl", "scripts/implementation.tcl", "scripts/bitstream.tcl"]
    calls.unlink()
    assert build(place, good).returncode == 0
    assert not calls.exists()
    assert build(place, good, "--again", "implementation").returncode == 0
    assert [line.split()[-1] for line in calls.read_text().splitlines()] == [
        "scripts/implementation.tcl",
        "scripts/bitstream.tcl",
    ]
    assert (place / "build" / "done" / "tool-vivado").read_text() == "vivado 2022.1\n"


def scripts_run(calls: Path) -> list[str]:
    """The scripts that the fake tools were started with since the last call."""
    found = [line.split()[-1] for line in calls.read_text().splitlines()] if calls.exists() else []
    calls.unlink(missing_ok=True)
    return [Path(one).stem for one in found]


def test_other_settings_or_scripts_make_every_step_run_again(tmp_path: Path) -> None:
    place, calls = project(tmp_path, find_board("pynq-z2")), tmp_path / "calls"
    variables = fake_tools(tmp_path, ("vitis_hls", "vivado"), "2022.1")
    every = ["ip", "design_processor", "synthesis", "implementation", "bitstream"]
    assert build(place, variables).returncode == 0
    assert scripts_run(calls) == every
    for name in ("settings.tcl", "scripts/synthesis.tcl", "hls/fpgacnn_wrapper.cpp"):
        file = place / name
        file.write_text(file.read_text() + "# changed\n")
        assert build(place, variables).returncode == 0
        assert scripts_run(calls) == every, name
        assert build(place, variables).returncode == 0
        assert scripts_run(calls) == [], name


def test_another_platform_makes_every_step_of_a_card_run_again(tmp_path: Path) -> None:
    place, calls = project(tmp_path, find_board("alveo-u50")), tmp_path / "calls"
    variables = fake_tools(tmp_path, ("v++",), "2023.1")
    for platform, count in (("one", 2), ("one", 0), ("two", 2)):
        assert build(place, {**variables, "PLATFORM": platform}).returncode == 0
        assert len(scripts_run(calls)) == count


def test_a_chosen_step_does_not_run_on_results_of_another_design(tmp_path: Path) -> None:
    place, calls = project(tmp_path, find_board("pynq-z2")), tmp_path / "calls"
    variables = fake_tools(tmp_path, ("vitis_hls", "vivado"), "2022.1")
    assert build(place, variables).returncode == 0
    scripts_run(calls)
    assert build(place, variables, "--again", "ip", "ip").returncode == 0
    assert scripts_run(calls) == ["ip"]
    refused = build(place, variables, "bitstream")
    assert refused.returncode == 3
    assert "bitstream needs the results of step design, which is not done for this design" in refused.stderr
    assert build(place, variables).returncode == 0
    assert scripts_run(calls) == ["design_processor", "synthesis", "implementation", "bitstream"]
    steps = place / "steps.sh"
    steps.write_text(steps.read_text().replace("1234", "5678"))
    refused = build(place, variables, "implementation", "bitstream")
    assert refused.returncode == 3
    assert "implementation needs the results of step ip" in refused.stderr
    assert scripts_run(calls) == []
    wrong = build(place, variables, "--again", "synthesis", "bitstream")
    assert wrong.returncode == 2
    assert "--again synthesis is not among the chosen steps" in wrong.stderr


def test_newer_vitis_is_started_by_its_new_name(tmp_path: Path) -> None:
    place = project(tmp_path, find_board("kv260"))
    variables = fake_tools(tmp_path, ("vitis-run", "vivado"), "2024.2")
    assert build(place, variables).returncode == 0
    assert (tmp_path / "calls").read_text().splitlines()[0] == "vitis-run --mode hls --tcl scripts/ip.tcl"


def test_a_card_is_built_with_its_platform_and_memory(tmp_path: Path) -> None:
    place = project(tmp_path, find_board("alveo-u50"))
    variables = fake_tools(tmp_path, ("v++",), "2023.1")
    done = build(place, variables)
    assert done.returncode == 0, done.stderr
    compiled, linked = (tmp_path / "calls").read_text().splitlines()
    assert "--platform xilinx_u50_gen3x16_xdma_5_202210_1 -k fpgacnn_memory" in compiled
    assert "--config connectivity.cfg" in linked
    assert "sp=fpgacnn_memory_1.in_words:HBM[0]" in (place / "connectivity.cfg").read_text()


@pytest.mark.parametrize(
    ("names", "release", "arguments", "status", "why"),
    [
        ((), "2023.1", (), 3, "vitis_hls is not on PATH"),
        (("vitis_hls", "vivado"), "2020.1", (), 3, "vitis_hls is of release '2020.1'"),
        (("vitis_hls", "vivado"), "2023.1", ("sythesis",), 2, "there is no step 'sythesis'"),
    ],
)
def test_a_build_says_what_is_missing(
    tmp_path: Path, names: tuple[str, ...], release: str, arguments: tuple[str, ...], status: int, why: str
) -> None:
    place = project(tmp_path, find_board("zcu104"))
    done = build(place, fake_tools(tmp_path, names, release), *arguments)
    assert done.returncode == status
    assert why in done.stderr


def test_a_folder_with_a_space_is_refused_before_hours_of_synthesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my work").mkdir()
    place = project(tmp_path / "my work", find_board("pynq-z2"))
    monkeypatch.chdir(place)
    recorder = Recorder((2023, 2))
    assert recorder.run("scripts/ip.tcl", HLS) == 1
    assert any("folders with spaces" in line for line in recorder.said)
