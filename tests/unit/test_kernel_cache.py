"""Cached kernels: used again, rebuilt if truncated, built by several processes at once, and without a compiler."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.sim.emulator.native.build import find_c_compiler
from fpgacnn.sim.emulator.native.machine import AVX512, ByteProducts, machine_of
from tests.support.command import COMMAND, environment, failed, names, run_installed
from tests.support.files import entry, sequential_file

WORKING = '#!/bin/sh\nexec cc "$@"\n'
REFUSING = """#!/bin/sh
case "$*" in *shared*) echo "kernels.c:7:1: error: no such instruction" >&2; exit 1;; esac
exec cc "$@"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if find_c_compiler() is None:
        pytest.skip("no C compiler")
    sequential_file(tmp_path / "m.h5", entry("QActivation", "a", activation="quantized_relu(4,2)"), shape=(3,))
    np.save(tmp_path / "x.npy", np.array([[0.25, 1.3, -2.0]] * 20))
    return tmp_path


def simulated(folder: Path, **extra: str) -> dict[str, object]:
    done = run_installed(folder, "simulate", "m.h5", "--input", "x.npy", "--output", "y.npz", "--json", extra=extra)
    assert (done.returncode, done.stderr) == (0, "")
    assert np.load(folder / "y.npz")["output_0"][0].tolist() == [0.25, 1.25, 0.0]
    return json.loads(done.stdout)


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "fpgacnn" / "emulator").glob("*"))


def script(folder: Path, text: str) -> str:
    path = folder / "fake-cc"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_kernels_are_kept_and_used_again(folder: Path) -> None:
    simulated(folder)
    (library,) = kept(folder)
    before = library.stat().st_ino
    simulated(folder)
    assert [one.stat().st_ino for one in kept(folder)] == [before]
    assert names(folder / "tmp") == []


@pytest.mark.parametrize("size", [0, 20, 5000])
def test_a_library_that_is_cut_short_is_made_again(folder: Path, size: int) -> None:
    simulated(folder)
    (library,) = kept(folder)
    whole = library.read_bytes()
    library.write_bytes(whole[:size])
    simulated(folder)
    assert kept(folder) == [library]
    assert library.read_bytes() == whole


def test_processes_that_build_at_once_do_not_disturb_each_other(folder: Path) -> None:
    command = [*COMMAND, "simulate", "m.h5", "--input", "x.npy", "--json"]
    children = [
        subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    assert [(child.communicate(timeout=240)[1], child.returncode) for child in children] == [(b"", 0)] * 4
    (library,) = kept(folder)
    before = library.stat().st_ino
    simulated(folder)
    assert [one.stat().st_ino for one in kept(folder)] == [before]


def test_a_cache_that_cannot_be_written_costs_a_build_each_time(folder: Path) -> None:
    (folder / "cache").write_bytes(b"")
    assert str(simulated(folder)["emulator"]).startswith("native, ")
    assert names(folder / "tmp") == []


def test_without_a_compiler_numpy_computes_and_says_so(folder: Path) -> None:
    assert simulated(folder, CC="/nowhere/cc")["emulator"] == "NumPy with exact floats"
    assert not (folder / "cache").exists()


def test_a_compiler_with_arguments_is_one(folder: Path) -> None:
    assert str(simulated(folder, CC=f"{script(folder, WORKING)} -O1")["emulator"]).startswith("native, ")


def test_a_compiler_that_refuses_is_quoted(folder: Path) -> None:
    done = run_installed(folder, "simulate", "m.h5", "--input", "x.npy", extra={"CC": script(folder, REFUSING)})
    assert "ended with status 1: kernels.c:7:1: error: no such instruction" in failed(done, 3, "FC180")
    assert "set CC to a GCC or clang that works" in done.stderr


def test_measurements_need_kernels_and_say_so(folder: Path) -> None:
    done = run_installed(folder, "simulate", "m.h5", "--input", "x.npy", "--stats", extra={"CC": "/nowhere/cc"})
    assert "--stats is not available: the emulator is NumPy with exact floats" in failed(done, 3, "FC181")
    done = run_installed(folder, "simulate", "m.h5", "--input", "x.npy", "--stats", "--engine", "csim")
    assert "--stats is not available: the engine is csim" in failed(done, 3, "FC181")


def test_another_processor_has_another_key() -> None:
    both = find_c_compiler(), find_c_compiler("x86-64")
    if None in both:
        pytest.skip("no C compiler for x86-64")
    assert len({one.digest for one in both if one}) == 2


@pytest.mark.parametrize(
    ("macros", "name", "lanes", "products"),
    [
        (AVX512 | {"__AVX512VNNI__", "__AVX2__"}, "AVX-512-VNNI", 16, ByteProducts.EXACT),
        (AVX512 | {"__AVX2__"}, "AVX-512", 16, ByteProducts.PAIRS),
        ({"__AVX512F__", "__AVX2__"}, "AVX2", 8, ByteProducts.PAIRS),
        ({"__AVX2__", "__AVXVNNI__"}, "AVX-VNNI", 8, ByteProducts.EXACT),
        ({"__SSE2__"}, "SSE2", 4, ByteProducts.NONE),
        ({"__ARM_NEON"}, "plain C", 4, ByteProducts.NONE),
    ],
)
def test_the_machine_is_what_the_compilers_macros_say(
    macros: set[str], name: str, lanes: int, products: ByteProducts
) -> None:
    found = machine_of(macros)
    assert (found.name, found.lanes, found.byte_products) == (name, lanes, products)


@pytest.mark.skipif(
    os.environ.get("FPGACNN_EMULATE_ARM") is None,
    reason="FPGACNN_EMULATE_ARM is not set: needs aarch64-linux-gnu-gcc and qemu-aarch64",
)
def test_kernels_build_for_aarch64() -> None:
    code = (
        "from fpgacnn.sim.emulator.native.codegen.program import header, RUN; print(header() + RUN.format(names='0'))"
    )
    source = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    compiler = shutil.which("aarch64-linux-gnu-gcc") or "aarch64-linux-gnu-gcc"
    subprocess.run(
        [compiler, "-O2", "-std=gnu11", "-Wall", "-Wno-psabi", "-S", "-x", "c", "-", "-o", os.devnull],
        input=source,
        check=True,
    )
