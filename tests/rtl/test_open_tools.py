"""Real Yosys and nextpnr on small networks: the netlist computes what the emulator computes, and an ECP5 is routed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import fpgacnn
from fpgacnn.design.project import write_files
from fpgacnn.errors import SynthesisFailedError, SynthesisLeftNothingError
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.rtl.testbench import bench_files
from fpgacnn.hardware.synthesis.open_tools.yosys import OpenRun, map_design
from fpgacnn.hardware.synthesis.vivado import run_vivado
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import parse_format
from fpgacnn.ir.source import PoolKind
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.command import failed, run
from tests.support.files import tiny_model
from tests.support.networks import Builder
from tests.support.open_tools import YOSYS_SCRIPT, needs_nextpnr, needs_yosys
from tests.support.rtl import rtl_design
from tests.support.vivado_reports import Netlist, timing_rpt, utilization_rpt

CACHE = {
    name: os.environ[name] for name in ("YOWASP_CACHE_DIR", "FPGACNN_YOSYS", "FPGACNN_NEXTPNR") if name in os.environ
}


needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog: apt-get install iverilog")


def network() -> Builder:
    """A padded convolution, a pooling, and a dense layer that folds into the pauses behind it."""
    build = Builder(seed=5)
    image = build.input((6, 6, 1), "fixed<4,2>")
    hidden = build.convolution(image, (3, 3, 1, 2), (6, 6, 2), pads=(1, 1, 1, 1))
    hidden = build.add(hw.Relu(), (6, 6, 2), hidden)
    build.results[hidden] = parse_format("ufixed<4,2,RND_CONV,SAT>")
    pool = hw.Pool(kind=PoolKind.MAX, size=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0))
    flat = build.add(src.Reshape(), (18,), build.add(pool, (3, 3, 2), hidden))
    build.end(build.dense(flat, 18, 3))
    return build


@needs_yosys
@needs_icarus
@pytest.mark.skipif(find_spec("pyosys") is None, reason="Yosys of the package pyosys is not installed")
@pytest.mark.parametrize(
    ("command", "models"),
    [
        ("synth_xilinx -family xc7 -top myproject -flatten -noiopad -noclkbuf", "xilinx"),
        ("synth_ecp5 -top myproject -nodsp", "ecp5"),
    ],
)
def test_the_netlist_of_yosys_computes_what_the_emulator_computes(tmp_path: Path, command: str, models: str) -> None:
    build = network()
    design, codes = rtl_design(build), build.events(4)
    project = backend.convert(design)
    answers = [*ReferenceEmulator(design).run(codes).outputs.values()]
    write_files(tmp_path, {**project.files, **bench_files(project, codes, answers)})
    sources = " ".join(str(one.relative_to(tmp_path)) for one in sorted(tmp_path.glob("rtl/**/*.sv")))
    lines = (f"read_verilog -sv {sources}", command, "write_verilog -noattr tb/netlist.v")
    subprocess.run([sys.executable, "-c", YOSYS_SCRIPT, *lines], cwd=tmp_path, check=True, capture_output=True)
    copy_models(models, tmp_path / "tb" / "models")
    command_words = ["-g2012", "-DNO_INCLUDES", "-Imodels", "-o", "bench", "bench_of_myproject.sv", "netlist.v"]
    words = [shutil.which("iverilog") or "", *command_words, "models/cells_sim.v"]
    subprocess.run(words, cwd=tmp_path / "tb", check=True, capture_output=True)
    done = subprocess.run(
        [shutil.which("vvp") or "vvp", "-n", "bench"], cwd=tmp_path / "tb", check=True, capture_output=True
    )
    assert done.stdout.decode().strip().splitlines()[-1] == "PASS: 4 events, every answer equal"


def copy_models(family: str, folder: Path) -> None:
    """Yosys' models of a family's primitives, without an elaboration task that Icarus Verilog does not read."""
    spec = find_spec("pyosys")
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent / "share" / family, folder)
    for file in folder.glob("*.vh"):
        lines = [line for line in file.read_text().splitlines() if '$error("unsupported' not in line]
        file.write_text("\n".join(lines))


@needs_yosys
def test_a_broken_netlist_is_one_line_of_yosys(tmp_path: Path) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "myproject.sv").write_text(
        "module myproject (input a, output b);\n  nothing u (a, b);\nendmodule\n"
    )
    wanted = OpenRun(folder=tmp_path, part="xc7a35tcpg236-1", dsp=True, seconds=300, tool="yosys")
    with pytest.raises(SynthesisFailedError, match=r"Module `\\nothing'.* is not part of the design"):
        map_design(wanted, str)
    (tmp_path / "rtl" / "myproject.sv").write_text("module myproject (input a;\n")
    with pytest.raises(SynthesisFailedError, match=r"rtl/myproject\.sv:1: ERROR: syntax error"):
        map_design(wanted, str)


@needs_nextpnr
def test_a_network_becomes_a_bitstream_of_an_ecp5(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    target = ("--backend", "rtl", "--part", "lfe5u-25f", "--clock", "8", "--no-csim", "--input-type", "fixed<6,2>")
    assert run(tmp_path, "convert", "m.h5", *target, "-o", "p", "--reference", "none").returncode == 0
    assert {path.name for path in (tmp_path / "p" / "ecp5").iterdir()} == {"build.sh", "myproject.lpf"}
    done = run(tmp_path, "synth", "p", extra=CACHE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "routed clock" in done.stdout
    report = fpgacnn.synth(tmp_path / "p", read_only=True)
    assert report.synth is not None
    assert report.impl is not None
    assert (report.synth.tool, report.impl.tool) == ("Yosys", "nextpnr-ecp5")
    assert report.synth.resources.ff == report.impl.resources.ff
    timing = report.timings[0]
    assert timing.met
    assert timing.reached_ns is not None
    assert timing.reached_ns < 8
    assert timing.paths[0].delay_ns == pytest.approx(timing.reached_ns, abs=0.5)
    assert (tmp_path / "p" / "open_prj" / "myproject.bit").read_bytes()[:2] == b"\xff\x00"
    again = fpgacnn.synth(tmp_path / "p")
    exists = "the routed design of this RTL exists and is read; --again runs nextpnr"
    assert again.notes[0] == exists
    no_pin = re.fullmatch(r"(\d+) of (\d+) port bits have no pin in ecp5/myproject\.lpf: .*", again.notes[1])
    assert no_pin is not None
    assert no_pin[1] == no_pin[2]
    (tmp_path / "p" / "open_prj" / "myproject.bit").unlink()
    assert exists not in fpgacnn.synth(tmp_path / "p").notes
    with (tmp_path / "p" / "ecp5" / "myproject.lpf").open("a") as file:
        file.write('LOCATE COMP "aclk" SITE "P3";\n')
    placed = fpgacnn.synth(tmp_path / "p")
    assert placed.notes[0].startswith(f"{int(no_pin[1]) - 1} of {no_pin[2]} port bits")
    with (tmp_path / "p" / "rtl" / "myproject.sv").open("a") as file:
        file.write("// edited\n")
    stale = fpgacnn.synth(tmp_path / "p", read_only=True)
    assert "open_prj/nextpnr.rpt is of another version of the RTL than that in the folder" in stale.notes


FAKE = """#!/bin/sh
echo "$*" >> ../calls
[ "$*" = "-mode batch -nojournal -nolog -source build.tcl" ] || exit 9
grep -q "^synth_design -top myproject -part xczu9eg-ffvb1156-2-e " build.tcl || exit 8
: > "$TMPDIR/a.tmp"
case "$FAKE_VIVADO" in
licence) echo "ERROR: [Common 17-345] A valid license was not found"; exit 1 ;;
short) cp ../../reports/utilization_synth.rpt . ;;
unplaced) cp ../../reports/utilization_synth.rpt . ; echo "ERROR: [Place 30-640] Place Check"; exit 1 ;;
killed) cp ../../reports/utilization_synth.rpt . ; kill -9 $$ ;;
*) cp ../../reports/*.rpt . ;;
esac
"""
UNKNOWN = "was not made by a finished run of `fpgacnn synth`; its RTL is not known"
OTHER_RTL = "is of another version of the RTL than that in the folder"
OTHER_SCRIPT = "is of another vivado/build.tcl, or of other constraints, than those in the folder"
VIVADO_REPORTS = ("utilization_synth.rpt", "utilization_impl.rpt", "timing_impl.rpt")
TO_RTL = ("--backend", "rtl", "--no-csim", "--input-type", "fixed<6,2>", "--reference", "none", "-o")


def write_vivado(tmp_path: Path, lut: int) -> None:
    """A program that plays Vivado, and the reports that it copies into the project `p`."""
    for name in ("bin", "reports", "tmp"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "bin" / "vivado").write_text(FAKE)
    (tmp_path / "bin" / "vivado").chmod(0o755)
    for name, state, count in (("synth", "Synthesized", lut + 24), ("impl", "Routed", lut)):
        command = f"report_utilization -file {name}.rpt"
        netlist = Netlist(state=state, lut=count, part="xczu9eg-ffvb1156-2-e", command=command)
        (tmp_path / "reports" / f"utilization_{name}.rpt").write_text(utilization_rpt(netlist))
    (tmp_path / "reports" / "timing_impl.rpt").write_text(timing_rpt())


def test_vivado_places_and_routes_an_rtl_project(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    assert run(tmp_path, "convert", "m.h5", "--part", "zcu102", *TO_RTL, "p").returncode == 0
    missing = run(tmp_path, "synth", "p", "--tool", "vivado", extra={"PATH": "/usr/bin:/bin"})
    assert "no synthesis tool: vivado not found" in failed(missing, 3, "FC110")

    write_vivado(tmp_path, 877)
    call = ("synth", "p", "--tool", str(tmp_path / "bin" / "vivado"))
    extra = {"TMPDIR": str(tmp_path / "tmp")}
    line = failed(run(tmp_path, *call, extra={**extra, "FAKE_VIVADO": "licence"}), 3, "FC111")
    assert "A valid license was not found" in line
    line = failed(run(tmp_path, *call, extra={**extra, "FAKE_VIVADO": "short"}), 3, "FC112")
    assert "there is no utilization_impl.rpt of this run" in line
    done = run(tmp_path, *call, "--json", extra=extra)
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "tmp").iterdir()) == []
    found = json.loads(done.stdout)["synthesis"]
    assert (found["synth"]["resources"]["lut"], found["impl"]["resources"]["lut"]) == (901, 877)
    assert found["timings"][0]["met"] is True
    assert (found["top"], found["notes"]) == ("myproject", [])
    calls = len((tmp_path / "p" / "calls").read_text().splitlines())
    again = run(tmp_path, *call, "--json")
    exists = "reports of Vivado for this RTL exist and are read; --again runs vivado"
    assert json.loads(again.stdout)["synthesis"]["notes"] == [exists]
    assert len((tmp_path / "p" / "calls").read_text().splitlines()) == calls
    with (tmp_path / "p" / "rtl" / "myproject.sv").open("a") as file:
        file.write("// edited\n")
    assert run(tmp_path, *call).returncode == 0
    assert len((tmp_path / "p" / "calls").read_text().splitlines()) == calls + 1

    assert "are steps of HLS, and --tool vivado has none" in failed(run(tmp_path, *call, "--vsynth"), 2, "FC002")
    assert "are for --tool yosys and" in failed(run(tmp_path, *call, "--clock", "3"), 2, "FC002")
    assert run(tmp_path, "convert", "m.h5", "--part", "lfe5u-25f", *TO_RTL, "q").returncode == 0
    line = failed(run(tmp_path, "synth", "q", "--tool", "vivado"), 2, "FC115")
    assert "--tool vivado does not build for the part 'lfe5u-25f" in line


@pytest.fixture
def placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project without a record, after a finished run of the program that plays Vivado."""
    project = tmp_path / "p"
    (project / "rtl").mkdir(parents=True)
    (project / "vivado").mkdir()
    (project / "rtl" / "myproject.sv").write_text("module myproject; endmodule\n")
    (project / "vivado" / "build.tcl").write_text("synth_design -top myproject -part xczu9eg-ffvb1156-2-e -mode x\n")
    (project / "vivado" / "myproject.xdc").write_text("create_clock -period 5 [get_ports aclk]\n")
    write_vivado(tmp_path, 877)
    monkeypatch.delenv("FAKE_VIVADO", raising=False)
    assert run_vivado_of(project) == ()
    return project


def run_vivado_of(project: Path, *, again: bool = False) -> tuple[str, ...]:
    return run_vivado(project, str(project.parent / "bin" / "vivado"), seconds=60, again=again, tell=str)


def notes_of(project: Path) -> list[str]:
    return [*fpgacnn.synth(project, read_only=True).notes]


def on_all(why: str) -> list[str]:
    return [f"vivado/{name} {why}" for name in ("utilization_impl.rpt", "utilization_synth.rpt", "timing_impl.rpt")]


def test_reports_of_vivado_say_when_they_are_of_other_rtl(placed: Path) -> None:
    assert notes_of(placed) == []
    for file, why in (("rtl/myproject.sv", OTHER_RTL), ("vivado/build.tcl", OTHER_SCRIPT)):
        kept = (placed / file).read_text()
        (placed / file).write_text(f"{kept}\n")
        assert notes_of(placed) == on_all(why)
        (placed / file).write_text(kept)
        assert notes_of(placed) == []
    (placed / "vivado" / "myproject.xdc").write_text("create_clock -period 2 [get_ports aclk]\n")
    assert notes_of(placed) == on_all(OTHER_SCRIPT)
    (placed / "vivado" / "fpgacnn_sources.log").unlink()
    assert notes_of(placed) == on_all(UNKNOWN)


def test_reports_of_a_vivado_that_was_run_by_hand_are_of_unknown_rtl(placed: Path, tmp_path: Path) -> None:
    """The RTL is as it was in the finished run, but Vivado ran by hand on another version in between."""
    (placed / "vivado" / "timing_by_hand.rpt").write_text(timing_rpt())
    assert notes_of(placed) == [f"vivado/timing_by_hand.rpt {UNKNOWN}"]
    (placed / "vivado" / "timing_by_hand.rpt").unlink()
    write_vivado(tmp_path, 55)
    for name in VIVADO_REPORTS:
        shutil.copy(tmp_path / "reports" / name, placed / "vivado")
    assert notes_of(placed) == on_all(UNKNOWN)
    assert run_vivado_of(placed) == ()
    assert len((placed / "calls").read_text().splitlines()) == 2
    assert notes_of(placed) == []
    assert "exist and are read" in run_vivado_of(placed)[0]


@pytest.mark.parametrize("end", ["licence", "short", "unplaced", "killed"])
def test_a_run_of_vivado_that_fails_leaves_no_report_of_an_earlier_one(
    placed: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setenv("FAKE_VIVADO", end)
    with pytest.raises((SynthesisFailedError, SynthesisLeftNothingError)):
        run_vivado_of(placed, again=True)
    left = {path.name for path in (placed / "vivado").iterdir()} - {"build.tcl", "myproject.xdc", "fpgacnn_vivado.log"}
    assert left == (set() if end == "licence" else {"utilization_synth.rpt"})
    if left:
        report = fpgacnn.synth(placed, read_only=True)
        assert (report.impl, report.timings) == (None, ())
        assert report.notes == (f"vivado/utilization_synth.rpt {UNKNOWN}",)


def test_open_tools_refuse_hls_projects_and_options_of_hls(tmp_path: Path) -> None:
    (tmp_path / "hls").mkdir()
    (tmp_path / "hls" / "build_prj.tcl").write_text("# HLS\n")
    for tool in ("yosys", "nextpnr", "vivado"):
        line = failed(run(tmp_path, "synth", "hls", "--tool", tool), 2, "FC116")
        assert f"hls has no RTL for --tool {tool}: rtl/myproject.sv is missing" in line
    assert "--part, --clock and --no-dsp are for" in failed(run(tmp_path, "synth", "hls", "--no-dsp"), 2, "FC002")
    (tmp_path / "hls" / "rtl").mkdir()
    (tmp_path / "hls" / "rtl" / "myproject.sv").write_text("module myproject; endmodule\n")
    words = ("synth", "hls", "--tool", "yosys")
    assert "--vsynth and --export are steps of HLS" in failed(run(tmp_path, *words, "--export"), 2, "FC002")
    assert "was not written by fpgacnn: give --part and --clock" in failed(run(tmp_path, *words), 2, "FC002")
    amd = ("synth", "hls", "--tool", "nextpnr", "--part", "xc7z020clg400-1", "--clock", "8")
    assert "it places and routes ECP5 parts only" in failed(run(tmp_path, *amd), 2, "FC115")
