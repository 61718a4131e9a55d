"""`fpgacnn synth` as a user runs it: exit statuses, one JSON document, signals, and an unchanged project."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command import ends_soon, environment, failed, run
from tests.support.files import tiny_model
from tests.support.hls_reports import Module, hls_rpt
from tests.support.vivado_reports import cosim_rpt
from tests.unit.hardware.synthesis.test_folders import SOLUTION, put, whole
from tests.unit.hardware.synthesis.test_run import SYSTEM_PATH, WORK, tool


@pytest.fixture
def extra(tmp_path: Path) -> dict[str, str]:
    """A PATH with a place for fake tools, and what they leave."""
    (tmp_path / "bin").mkdir()
    reports = put(
        tmp_path / "reports", {name: text for name, text in whole().items() if name.endswith((".rpt", ".xml"))}
    )
    return {"PATH": f"{tmp_path / 'bin'}:{SYSTEM_PATH}", "FAKE_REPORTS": str(reports)}


def test_a_converted_project_is_synthesized_and_still_the_same_project(tmp_path: Path, extra: dict[str, str]) -> None:
    tiny_model(tmp_path / "model.h5")
    assert run(tmp_path, "convert", "model.h5", "-o", "out", "--no-csim", "-q").returncode == 0
    before = json.loads((tmp_path / "out" / "fpgacnn.json").read_text())
    tool(
        tmp_path / "bin",
        "vitis-run",
        work=f"{WORK}; echo 1 > tb_data/csim_results.log; mkdir -p .Xil logs; touch vivado.jou logs/hls.txt",
    )
    done = run(tmp_path, "synth", "out", "--json", extra=extra)
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert record == json.loads((tmp_path / "out" / "fpgacnn.json").read_text())
    errors = {(one["quantity"], one["source"]): one for one in record.pop("estimate_errors")}
    assert errors["latency_cycles", "csynth"]["reported"] == 1187
    assert errors["lut", "csynth"]["error"] == pytest.approx(
        before["estimate"]["totals"]["resources"]["lut"]["value"] / 15407 - 1
    )
    assert {**record, "synthesis": None} == before
    assert record["synthesis"]["network"]["latency_cycles"] == {"least": 1043, "most": 1187}
    verified = run(tmp_path, "verify", "out", "--json")
    assert verified.returncode == 0
    assert not [note for note in json.loads(verified.stdout)["notes"] if "differ" in note]
    assert run(tmp_path, "report", "out", "--json").returncode == 0


def test_the_tables_say_stage_numbers_and_reasons(tmp_path: Path, extra: dict[str, str]) -> None:
    put(tmp_path / "prj", whole())
    done = run(tmp_path, "synth", "prj", "--read-only", extra=extra)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "prj myproject for xcu250-figd2104-2L-e, Vitis HLS 2023.2"
    assert (
        lines[1]
        == "latency 1,043 to 1,187 cycles (5.93 us), a new event every 1,031 cycles; clock 5 ns, estimated 3.64 ns"
    )
    assert (
        "csynth myproject 15,407 (0.9%) 9,321 (0.3%) 66 (0.5%) 14 (0.3%) 0 (0.0%)"
        f" {SOLUTION}/syn/report/myproject_csynth.rpt" in lines
    )
    assert "synth myproject 7,311 (0.4%) 8,120 (0.2%) 66 (0.5%) 13 (0.2%) 0 (0.0%) vivado_synth.rpt" in lines
    assert "conv1 conv_2d_cl 1,021 to 1,165 1,021 to 1,165 2,044 1,210 8 2 0 1" in lines
    assert (
        "act1 relu 0 myproject has no instance of it: its logic is part of myproject itself, or it needs none" in lines
    )
    assert "RTL simulation: Pass, latency 1,043 to 1,187 cycles" in lines
    assert "note: 1 instances of myproject belong to no layer: Block_entry_proc_U0" in lines


def test_a_folder_that_fpgacnn_did_not_make_is_only_read(tmp_path: Path, extra: dict[str, str]) -> None:
    put(tmp_path / "prj", {"Encoder_csynth.rpt": hls_rpt(Module(name="Encoder", version="2018.3"))})
    done = run(tmp_path, "synth", "prj", "--read-only", "--json", extra=extra)
    assert done.returncode == 0
    assert json.loads(done.stdout)["synthesis"]["top"] == "Encoder"
    assert [path.name for path in (tmp_path / "prj").iterdir()] == ["Encoder_csynth.rpt"]


def test_a_design_that_does_not_fit_or_fails_in_simulation_ends_with_1(tmp_path: Path, extra: dict[str, str]) -> None:
    put(tmp_path / "large", {"myproject_csynth.rpt": hls_rpt(Module(total={"DSP": 12289}))})
    done = run(tmp_path, "synth", "large", "--read-only", extra=extra)
    assert done.returncode == 1
    assert "does not fit: DSP: 12,289 of 12,288" in done.stdout
    rows = (("VHDL", *(["NA"] * 7)), ("Verilog", "Fail", *(["NA"] * 6)))
    put(tmp_path / "wrong", {"myproject_csynth.rpt": hls_rpt(Module()), "myproject_cosim.rpt": cosim_rpt(rows)})
    done = run(tmp_path, "synth", "wrong", "--read-only", extra=extra)
    assert done.returncode == 1
    assert "RTL simulation: Fail" in done.stdout


def test_errors_have_their_statuses(tmp_path: Path, extra: dict[str, str]) -> None:
    put(
        tmp_path / "prj",
        {name: text for name, text in whole().items() if "report" not in name and not name.endswith(".rpt")}
        | {"build_prj.tcl": "exit\n"},
    )
    line = failed(run(tmp_path, "synth", "prj", extra=extra), 3, "FC110")
    assert line == "error[FC110] no synthesis tool: vitis-run and vitis_hls not found"
    failed(run(tmp_path, "synth", "prj", "--read-only", extra=extra), 2, "FC103")
    failed(run(tmp_path, "synth", "prj", "--read-only", "--cosim", extra=extra), 2, "FC002")
    failed(run(tmp_path, "synth", "nowhere", "--read-only", extra=extra), 2, "FC010")
    put(tmp_path / "half", {"myproject_csynth.rpt": hls_rpt(Module())[:900]})
    line = failed(run(tmp_path, "synth", "half", "--read-only", extra=extra), 2, "FC100")
    assert line.startswith("error[FC100] myproject_csynth.rpt: section 'Performance Estimates")
    tool(tmp_path / "bin", "vitis-run", work="echo 'ERROR: no license'; exit 2")
    assert (
        failed(run(tmp_path, "synth", "prj", extra=extra), 3, "FC111")
        == "error[FC111] vitis-run ended with status 2: ERROR: no license"
    )


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "")],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_command_that_is_ended_ends_the_tool_and_its_children(
    tmp_path: Path, extra: dict[str, str], number: signal.Signals, status: int, words: str
) -> None:
    put(tmp_path / "prj", {"build_prj.tcl": "source build_opt.tcl\n", "build_opt.tcl": "as it was\n"})
    mark = tmp_path / "pids"
    tool(
        tmp_path / "bin",
        "vitis-run",
        work=': > "$TMPDIR/a.tmp"; sleep 60 & echo $! > "$MARK"; echo $$ >> "$MARK"; wait',
    )
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from fpgacnn.cli.main import main;"
        " main()"
    )
    settings = environment(tmp_path, {**extra, "MARK": str(mark)})
    with subprocess.Popen(
        [sys.executable, "-c", code, "synth", "prj"],
        cwd=tmp_path,
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        deadline = time.monotonic() + 60
        while (
            not (mark.exists() and len(mark.read_text().split()) == 2)
            and child.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        child.send_signal(number)
        said, told = child.communicate(timeout=30)
    assert (child.returncode, said, told) == (status, "", words)
    assert all(ends_soon(int(pid)) for pid in mark.read_text().split())
    assert (tmp_path / "prj" / "build_opt.tcl").read_text() == "as it was\n"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_verbose_shows_every_line_of_the_tool(tmp_path: Path, extra: dict[str, str]) -> None:
    put(tmp_path / "prj", {"build_prj.tcl": "source build_opt.tcl\n"})
    tool(tmp_path / "bin", "vitis-run", work=f"{WORK}; echo '[bold]not markup[/]'")
    done = run(tmp_path, "synth", "prj", "-v", "-q", extra=extra)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    shutil.rmtree(tmp_path / "prj" / "myproject_prj")
    done = run(tmp_path, "synth", "prj", "-v", extra=extra)
    assert done.stderr.splitlines()[1:] == [
        "INFO: [HLS 200-10] started with --mode hls --tcl build_prj.tcl",
        "INFO: done",
        "[bold]not markup[/]",
    ]
