"""A second simulator: the test bench of a project passes in Icarus Verilog, and fails for a wrong answer."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from fpgacnn.design import IoType
from fpgacnn.design.project import write_files
from fpgacnn.hardware.rtl import backend, sources
from fpgacnn.hardware.rtl.testbench import bench_files
from fpgacnn.ir import hardware as hw
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.networks import Builder
from tests.support.random_rtl import random_network
from tests.support.rtl import built_and_refused, rtl_design

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog: apt-get install iverilog")


def simulated(folder: Path) -> str:
    sources = [str(path) for path in (*folder.glob("rtl/*.sv"), *folder.glob("rtl/*/*.sv"))]
    build = [shutil.which("iverilog") or "iverilog", "-g2012", "-o", "bench", "bench_of_myproject.sv", *sources]
    subprocess.run(build, cwd=folder / "tb", check=True, capture_output=True, timeout=300)
    done = subprocess.run(
        [shutil.which("vvp") or "vvp", "-n", "bench"], cwd=folder / "tb", check=True, capture_output=True, timeout=300
    )
    return done.stdout.decode().strip()


@needs_icarus
@pytest.mark.parametrize(("io", "seed"), [(IoType.STREAM, 2), (IoType.PARALLEL, 6)])
def test_the_bench_passes_in_icarus_and_finds_a_wrong_answer(tmp_path: Path, io: IoType, seed: int) -> None:
    build, _ = built_and_refused(random_network(seed, 8), io)
    design, codes = rtl_design(build, io), build.events(5)
    project = backend.convert(design)
    answers = [*ReferenceEmulator(design).run(codes).outputs.values()]
    write_files(tmp_path, {**project.files, **bench_files(project, codes, answers)})
    assert simulated(tmp_path) == "PASS: 5 events, every answer equal"
    words = tmp_path / "tb" / "out_0.hex"
    first, *others = words.read_text().splitlines()
    words.write_text("\n".join([f"{int(first, 16) ^ 1:0{len(first)}x}", *others]))
    assert simulated(tmp_path) == "FAIL: 1 words differ"


@needs_icarus
def test_the_bench_finds_a_wrong_tlast(tmp_path: Path) -> None:
    build = Builder(seed=1)
    build.end(build.add(hw.Relu(), (2, 3, 1), build.input((2, 3, 1))))
    design, codes = rtl_design(build), build.events(4)
    project = backend.convert(design)
    answers = [*ReferenceEmulator(design).run(codes).outputs.values()]
    write_files(tmp_path, {**project.files, **bench_files(project, codes, answers)})
    assert simulated(tmp_path) == "PASS: 4 events, every answer equal"
    top = tmp_path / "rtl" / "myproject.sv"
    top.write_text(top.read_text().replace("m_axis_tlast = answer_last_0", "m_axis_tlast = 1'b1"))
    assert simulated(tmp_path) == "FAIL: 20 words differ"


EARLY = """module early;
  reg clk = 0, rst = 1;
  integer count = 0;
  always #1 clk = ~clk;
  {module} dut (.clk(clk), .rst(rst), .in_valid(!rst && count % GAP == 0), .in_data(8'd0));
  always @(negedge clk) begin
    rst <= (count < 3);
    count <= count + 1;
    if (count > 30) $finish;
  end
endmodule
"""


@needs_icarus
@pytest.mark.parametrize(
    ("name", "parameters"), [("sequence", ".P(2), .C(4), .EW(2), .R(4), .G(1), .AB(3)"), ("split", ".DW(2), .P(4)")]
)
def test_a_word_that_comes_too_early_ends_the_simulation(tmp_path: Path, name: str, parameters: str) -> None:
    module = str(files(sources).joinpath(f"fpgacnn_{name}.sv"))
    for gap in (3, 4):
        text = EARLY.format(module=f"fpgacnn_{name} #({parameters})").replace("GAP", str(gap))
        (tmp_path / "early.sv").write_text(text)
        command = [shutil.which("iverilog") or "iverilog", "-g2012", "-o", "early", "early.sv", module]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
        done = subprocess.run(
            [shutil.which("vvp") or "vvp", "-n", "early"], cwd=tmp_path, check=False, capture_output=True, timeout=300
        )
        refused = b"gets a word before the last one is served" in done.stdout
        assert (refused, done.returncode != 0) == (gap == 3, gap == 3)
