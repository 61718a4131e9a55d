"""A second simulator: the test bench of a project passes in Icarus Verilog, and fails for a wrong answer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fpgacnn.design.project import write_files
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.rtl.testbench import bench_files
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.random_rtl import random_network
from tests.support.rtl import built_and_refused, rtl_design

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog: apt-get install iverilog")


def simulated(folder: Path) -> str:
    sources = [str(path) for path in (*folder.glob("rtl/*.sv"), *folder.glob("rtl/*/*.sv"))]
    build = [shutil.which("iverilog") or "iverilog", "-g2012", "-o", "bench", "myproject_bench.sv", *sources]
    subprocess.run(build, cwd=folder / "tb", check=True, capture_output=True, timeout=300)
    done = subprocess.run(
        [shutil.which("vvp") or "vvp", "-n", "bench"], cwd=folder / "tb", check=True, capture_output=True, timeout=300
    )
    return done.stdout.decode().strip()


@needs_icarus
def test_the_bench_passes_in_icarus_and_finds_a_wrong_answer(tmp_path: Path) -> None:
    build, _ = built_and_refused(random_network(2, 12))
    design, codes = rtl_design(build), build.events(5)
    project = backend.convert(design)
    answers = [*ReferenceEmulator(design).run(codes).outputs.values()]
    write_files(tmp_path, {**project.files, **bench_files(project, codes, answers)})
    assert simulated(tmp_path) == "PASS: 5 events, every answer equal"
    words = tmp_path / "tb" / "out_0.hex"
    first, *others = words.read_text().splitlines()
    words.write_text("\n".join([f"{int(first, 16) ^ 1:0{len(first)}x}", *others]))
    assert simulated(tmp_path) == "FAIL: 1 words differ"
