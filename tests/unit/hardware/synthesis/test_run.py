"""The vendor's tool, played by small scripts on PATH: one works, refuses, hangs, or leaves nothing or half a report."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fpgacnn
from fpgacnn.design.project import RECORD
from fpgacnn.errors import (
    ForeignToolError,
    NoReportsError,
    NotSynthesizableError,
    ProjectError,
    ReportBrokenError,
    SynthesisFailedError,
    SynthesisLeftNothingError,
    SynthesisToolMissingError,
    ToolTimeoutError,
    WriteError,
)
from fpgacnn.hardware.synthesis.run import LOG, OPTIONS, Steps, ToolName, find_tool, synthesize
from tests.support.command import ends_soon
from tests.support.hls_reports import hls_rpt
from tests.unit.hardware.synthesis.test_folders import PROJECT_TCL, SOLUTION, TOP, put, whole

SYSTEM_PATH = "/usr/bin:/bin"
TOOL = """#!/bin/sh
case "$*" in
*-version*) echo "****** {banner} (64-bit)"; exit 0 ;;
esac
echo "INFO: [HLS 200-10] started with $*"
cp build_opt.tcl told.log 2>/dev/null
{work}
"""
WORK = 'cp -r "$FAKE_REPORTS"/. . && find . -name "*.rpt" -exec touch {} +; echo "INFO: done"'
NEW_SCRIPT = "source [file join $tcldir project.tcl]\nsource [file join $tcldir build_opt.tcl]\n"
OLD_SCRIPT = 'foreach arg $::argv {\n    regexp "$o=+(\\\\w+)" $arg unused opt($o)\n}\n'
STEPS = "array set opt {\n    reset      0\n    csim       1\n}\n"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on PATH, before the system's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{SYSTEM_PATH}")
    monkeypatch.delenv("FPGACNN_HLS", raising=False)
    monkeypatch.setenv(
        "FAKE_REPORTS",
        str(
            put(tmp_path / "reports", {name: text for name, text in whole().items() if name.endswith((".rpt", ".xml"))})
        ),
    )
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "build_prj.tcl": NEW_SCRIPT,
        OPTIONS: STEPS,
        "project.tcl": PROJECT_TCL,
        "firmware/myproject.cpp": whole()["firmware/myproject.cpp"],
    }
    return put(tmp_path / "prj", files)


def tool(folder: Path, name: str, work: str = WORK, banner: str = "vitis-run v2024.2") -> Path:
    path = folder / name
    path.write_text(TOOL.replace("{work}", work).replace("{banner}", banner))
    path.chmod(0o755)
    return path


def said(project: Path) -> list[str]:
    return (project / LOG).read_text().splitlines()


@pytest.mark.parametrize(
    ("backend", "names", "found"),
    [
        ("vitis", ["vitis_hls", "vitis-run", "vivado_hls"], ToolName.VITIS_RUN),
        ("vitis", ["vitis_hls", "vivado_hls"], ToolName.VITIS_HLS),
        ("vivado", ["vitis_hls", "vitis-run", "vivado_hls"], ToolName.VIVADO_HLS),
        ("vivadoaccelerator", ["vivado_hls"], ToolName.VIVADO_HLS),
    ],
)
def test_the_tool_that_the_project_is_for_is_found_with_its_version(
    project: Path, tools: Path, backend: str, names: list[str], found: ToolName
) -> None:
    put(project, {"project.tcl": PROJECT_TCL.replace("vitis", backend)})
    for name in names:
        tool(tools, name, banner=f"Vitis HLS - High-Level Synthesis v2023.{len(name) % 10}.1")
    one = find_tool(project)
    assert (one.name, one.path, one.version) == (found, str(tools / found), f"2023.{len(found) % 10}.1")


def test_a_tool_by_path_by_name_or_by_environment(
    project: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "opt"
    elsewhere.mkdir()
    path = tool(elsewhere, "vitis_hls", banner="no number")
    tool(tools, "vivado_hls")
    assert str(find_tool(project, str(path))) == f"vitis_hls of unknown version ({path})"
    assert find_tool(project, "vivado_hls").name is ToolName.VIVADO_HLS
    monkeypatch.setenv("FPGACNN_HLS", str(path))
    assert find_tool(project).path == str(path)


@pytest.mark.parametrize(
    ("wanted", "looked"), [(None, "vitis-run and vitis_hls"), ("vivado_hls", "vivado_hls"), ("/bin/sh", "/bin/sh")]
)
def test_a_missing_tool_is_named_with_its_cure(project: Path, tools: Path, wanted: str | None, looked: str) -> None:
    assert tools.is_dir()
    with pytest.raises(SynthesisToolMissingError, match=f"^no synthesis tool: {looked} not found$") as caught:
        find_tool(project, wanted)
    assert "settings64.sh" in caught.value.hint
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("name", "script", "command"),
    [
        ("vitis-run", NEW_SCRIPT, "--mode hls --tcl build_prj.tcl"),
        ("vitis_hls", NEW_SCRIPT, "-f build_prj.tcl"),
        (
            "vitis_hls",
            OLD_SCRIPT,
            "-f build_prj.tcl reset=0 csim=0 synth=1 cosim=1 validation=0 export=0 vsynth=0 fifo_opt=0",
        ),
        (
            "vivado_hls",
            OLD_SCRIPT,
            "-f build_prj.tcl reset=0 csim=0 synth=1 cosim=1 validation=0 export=0 vsynth=0 fifo_opt=0",
        ),
    ],
)
def test_each_tool_gets_its_command_and_the_script_its_steps(
    project: Path, tools: Path, name: str, script: str, command: str
) -> None:
    put(project, {"build_prj.tcl": script})
    lines: list[str] = []
    log = synthesize(project, find_tool(project, str(tool(tools, name))), Steps(cosim=True), tell=lines.append)
    assert lines == said(project) == [f"INFO: [HLS 200-10] started with {command}", "INFO: done"]
    assert log == project / LOG
    assert (project / OPTIONS).read_text() == STEPS
    told = (project / "told.log").read_text()
    assert told == STEPS if script is OLD_SCRIPT else "    cosim      1\n" in told and "    csim       0\n" in told


def test_results_are_compared_where_both_simulations_run() -> None:
    assert Steps(csim=True, cosim=True).options["validation"]
    assert not Steps(cosim=True).options["validation"]
    assert Steps().options["synth"]


def test_a_run_puts_its_reports_into_the_record_of_a_project(project: Path, tools: Path) -> None:
    put(
        project,
        {
            RECORD: json.dumps(
                {"schema": 1, "version": "0", "project": {"digest": "d"}, "synthesis": None, "kept": [1, 2]}
            )
        },
    )
    tool(tools, "vitis-run")
    lines: list[str] = []
    report = fpgacnn.synth(project, tell=lines.append)
    assert lines[0] == f"vitis-run 2024.2 ({tools / 'vitis-run'}) in {project}"
    assert report.csynth is not None
    assert report.csynth.resources.lut == 15407
    record = json.loads((project / RECORD).read_text())
    assert record["kept"] == [1, 2]
    assert record["synthesis"]["csynth"]["resources"]["lut"] == 15407
    assert record["synthesis"]["layers"][0]["resources"]["origin"] == {
        "stage": "csynth",
        "file": f"{SOLUTION}/syn/report/myproject_csynth.rpt",
    }
    assert not list(project.glob(".*"))


def test_reports_that_are_there_are_only_read_until_something_changes(project: Path, tools: Path) -> None:
    tool(tools, "vitis-run")
    fpgacnn.synth(project)
    (tools / "vitis-run").unlink()
    again = fpgacnn.synth(project, cosim=True, vsynth=True, export=True)
    assert again.notes[0] == "reports of 2024-03-05T14:02:31 exist and are read; --again runs the tool"
    with pytest.raises(SynthesisToolMissingError):
        fpgacnn.synth(project, again=True)
    firmware = project / "firmware/myproject.cpp"
    same = firmware.read_text()
    firmware.write_text(same + "// changed\n")
    os.utime(firmware, (0, 0))  # a clock that was wrong
    assert "belong to another firmware" in fpgacnn.synth(project).notes[0]
    firmware.write_text(same)
    assert fpgacnn.synth(project).notes[0].endswith("--again runs the tool")
    (project / "vivado_synth.rpt").unlink()
    assert "lack a requested step" in fpgacnn.synth(project, vsynth=True).notes[0]


def test_reports_that_somebody_else_made_are_as_old_as_their_files(project: Path, tools: Path) -> None:
    assert tools.is_dir()
    put(project, whole())
    report = project / SOLUTION / "syn/report/myproject_csynth.rpt"
    for path in (project / "firmware").rglob("*"):
        os.utime(path, (1000, 1000))
    os.utime(report, (1000, 1000))
    assert fpgacnn.synth(project).notes[0].endswith("--again runs the tool")
    os.utime(report, (999, 999))
    assert "belong to another firmware" in fpgacnn.synth(project).notes[0]


def test_read_only_starts_nothing(project: Path, tools: Path) -> None:
    tool(tools, "vitis-run", work="touch started")
    with pytest.raises(NoReportsError, match="no reports of Vivado or Vitis HLS"):
        fpgacnn.synth(project, read_only=True)
    assert not (project / "started").exists()


def test_a_tool_that_fails_is_quoted_and_its_log_is_kept(project: Path, tools: Path) -> None:
    tool(tools, "vitis-run", work='echo "ERROR: [HLS 200-70] cannot find firmware/myproject.cpp" >&2; exit 1')
    with pytest.raises(SynthesisFailedError) as caught:
        fpgacnn.synth(project)
    assert str(caught.value) == "vitis-run ended with status 1: ERROR: [HLS 200-70] cannot find firmware/myproject.cpp"
    assert caught.value.hint == f"the whole log: {project / LOG}"
    assert said(project)[-1].startswith("ERROR")
    assert (project / OPTIONS).read_text() == STEPS


def test_a_tool_that_cannot_be_started_is_one_that_failed(project: Path, tools: Path) -> None:
    (tools / "vitis-run").write_bytes(b"\x7fELF no program")
    (tools / "vitis-run").chmod(0o755)
    with pytest.raises(ForeignToolError, match="vitis-run failed: Exec format error"):
        fpgacnn.synth(project)


@pytest.mark.parametrize("work", ["true", "mkdir -p myproject_prj/solution1/syn/report"])
def test_a_tool_that_leaves_nothing_is_an_error(project: Path, tools: Path, work: str) -> None:
    tool(tools, "vitis-run", work=work)
    with pytest.raises(
        SynthesisLeftNothingError, match=r"vitis-run wrote no complete report: there is no csynth\.rpt of this run"
    ):
        fpgacnn.synth(project)


def test_reports_of_an_earlier_run_do_not_pass_for_those_of_this_one(project: Path, tools: Path) -> None:
    put(project, {f"{SOLUTION}/syn/report/myproject_csynth.rpt": hls_rpt(TOP)})
    os.utime(project / SOLUTION / "syn/report/myproject_csynth.rpt", (0, 0))
    tool(tools, "vitis-run", work="true")
    with pytest.raises(SynthesisLeftNothingError):
        fpgacnn.synth(project, again=True)


@pytest.mark.parametrize("hours", [-1000, 1000])
def test_reports_of_this_run_are_its_own_whatever_the_clock_says(project: Path, tools: Path, hours: int) -> None:
    """The clock was set back, or forward, while the tool ran."""
    tool(tools, "vitis-run", work=f'{WORK}; find . -name "*.rpt" -exec touch -d "{hours} hours" {{}} +')
    report = fpgacnn.synth(project)
    assert report.csynth is not None
    assert fpgacnn.synth(project).notes[0].endswith("--again runs the tool")


def test_half_a_report_is_an_error_that_names_file_and_section(project: Path, tools: Path) -> None:
    put(project.parent / "half", {f"{SOLUTION}/syn/report/myproject_csynth.rpt": hls_rpt(TOP)[:3000]})
    tool(tools, "vitis-run", work=f"cp -r {project.parent}/half/. . && find . -name '*.rpt' -exec touch {{}} +")
    with pytest.raises(
        SynthesisLeftNothingError, match=rf"no complete report: {SOLUTION}/syn/report/myproject_csynth\.rpt: section '"
    ) as caught:
        fpgacnn.synth(project)
    assert caught.value.exit_status == 3
    with pytest.raises(ReportBrokenError):
        fpgacnn.synth(project, read_only=True)


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = tmp_path / "pids"
    monkeypatch.setenv("MARK", str(file))
    yield file
    assert all(ends_soon(int(pid)) for pid in file.read_text().split())


def test_a_tool_that_hangs_is_ended_with_all_it_started(project: Path, tools: Path, mark: Path) -> None:
    tool(tools, "vitis-run", work='sleep 60 & echo $! > "$MARK"; echo $$ >> "$MARK"; echo "INFO: compiling"; wait')
    lines: list[str] = []
    with pytest.raises(ToolTimeoutError, match=r"vitis-run did not finish within 0\.8 s and was ended"):
        fpgacnn.synth(project, timeout_s=0.8, tell=lines.append)
    assert lines[-1] == "INFO: compiling"
    assert said(project)[-1] == "INFO: compiling"
    assert len(mark.read_text().split()) == 2
    assert (project / OPTIONS).read_text() == STEPS


def test_a_helper_that_holds_the_output_open_does_not_hold_the_run(project: Path, tools: Path, mark: Path) -> None:
    tool(tools, "vitis-run", work=f'sleep 60 & echo $! > "$MARK"; {WORK}')
    start = time.monotonic()
    assert fpgacnn.synth(project).csynth is not None
    assert time.monotonic() - start < 30
    assert mark.exists()


def test_vivado_is_looked_for_before_hours_are_spent(project: Path, tools: Path) -> None:
    tool(tools, "vitis-run", work="touch started")
    with pytest.raises(SynthesisToolMissingError, match="vivado, which --vsynth needs, not found"):
        fpgacnn.synth(project, vsynth=True)
    assert not (project / "started").exists()


def test_a_folder_without_a_build_script_is_no_project(tools: Path, tmp_path: Path) -> None:
    tool(tools, "vitis-run")
    with pytest.raises(NotSynthesizableError, match=r"is not an HLS project: build_prj\.tcl is missing"):
        fpgacnn.synth(put(tmp_path / "other", {"project.tcl": PROJECT_TCL}))


def test_a_log_that_cannot_be_written_is_a_write_error(project: Path, tools: Path) -> None:
    tool(tools, "vitis-run")
    (project / LOG).mkdir()
    with pytest.raises(WriteError, match=f"cannot write .*{LOG}"):
        fpgacnn.synth(project)


def test_a_record_that_cannot_be_written_leaves_the_old_one(
    project: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = json.dumps({"project": {"digest": "d"}})
    put(project, {RECORD: old})
    tool(tools, "vitis-run")

    rename = os.rename

    def full(old: str, new: str, **folders: int) -> None:
        if new == RECORD:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(old, new, **folders)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(WriteError, match=f"cannot write .*{RECORD}"):
        fpgacnn.synth(project)
    assert (project / RECORD).read_text() == old


def test_a_damaged_record_is_told_before_hours_are_spent(project: Path, tools: Path) -> None:
    put(project, {RECORD: "{"})
    tool(tools, "vitis-run", work="touch started")
    with pytest.raises(ProjectError, match="is damaged"):
        fpgacnn.synth(project)
    assert not (project / "started").exists()


def test_a_broken_report_elsewhere_in_the_folder_does_not_fail_a_run(project: Path, tools: Path) -> None:
    put(project, {"docs/old_csynth.rpt": "version https://git-lfs.github.com/spec/v1\n"})
    tool(tools, "vitis-run")
    report = fpgacnn.synth(project)
    assert report.csynth is not None
    assert [one.code for one in report.unread] == ["FC102"]
