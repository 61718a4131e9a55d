"""Faults at random moments: a project folder is the old one whole or the new one whole, caches heal, nothing lives on.

FPGACNN_ROUNDS=200 is the long run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design.project import RECORD, files_digest
from tests.support.command import COMMAND, ends_soon, environment, failed, left, names, run_installed
from tests.support.files import entry, linear, quantized_bits, sequential_file, tiny_layers, tiny_model

ROUNDS = int(os.environ.get("FPGACNN_ROUNDS", "20"))

KILLED_CONVERSIONS = """
import json, os, random, signal, sys, time
from fpgacnn.cli.main import main
import hls4ml.model, hls4ml.utils.config, fpgacnn.pipeline.stages, h5py

def convert(model):
    child = os.fork()
    if child == 0:
        sys.argv = ["fpgacnn", "convert", model, "-o", "out", "--no-csim", "-q"]
        main()
    return child

rounds, seed = int(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
start = time.monotonic()
os.waitpid(convert("a.h5"), 0)
whole = time.monotonic() - start
print("ready", flush=True)
for number in range(rounds):
    child = convert("ab"[number % 2] + ".h5")
    time.sleep(whole * (chance.uniform(0.0, 1.1) if number % 3 == 0 else chance.uniform(0.6, 1.05)))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    print(json.dumps({"killed": os.WIFSIGNALED(status)}), flush=True)
    sys.stdin.readline()
"""


def models(folder: Path) -> None:
    """Two networks of the same layers and other weights."""
    tiny_model(folder / "a.h5")
    *others, _ = tiny_layers()
    quantizers = {"kernel_quantizer": quantized_bits(), "bias_quantizer": quantized_bits()}
    weights = {name: -values for name, values in linear(8, 3).items()}
    sequential_file(
        folder / "b.h5", *others, entry("QDense", "logits", units=3, weights=weights, **quantizers), shape=(4, 4, 1)
    )


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def digest(folder: Path) -> str:
    """The digest of a project that is whole: its record names it, and its files have it."""
    files = content(folder)
    record = json.loads(files.pop(RECORD))
    assert files_digest(files) == record["project"]["digest"]
    return files_digest(files)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    models(tmp_path)
    return tmp_path


def made(folder: Path, model: str, output: str) -> str:
    done = run_installed(folder, "convert", f"{model}.h5", "-o", output, "--no-csim", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    return digest(folder / output)


# --- killed --------------------------------------------------------------------------------------------------------


def test_a_kill_at_any_moment_leaves_the_old_project_or_the_new_one(here: Path) -> None:
    wanted = {made(here, name, f"only-{name}") for name in "ab"}
    assert len(wanted) == 2
    command = [sys.executable, "-c", KILLED_CONVERSIONS, str(ROUNDS), "7"]
    seen, killed = [], 0
    with subprocess.Popen(
        command, cwd=here, env=environment(here), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for _ in range(ROUNDS):
            killed += json.loads(child.stdout.readline())["killed"]
            seen.append(digest(here / "out"))
            child.stdin.write("\n")
            child.stdin.flush()
    assert set(seen) <= wanted
    assert killed >= ROUNDS // 2
    made(here, "a", "out")
    assert [name for name in names(here) if name.startswith(".")] == []


SLOW_COMPILER = """#!/bin/sh
case "$*" in
*--version*) echo "g++ (fake) 1.0" ;;
*-fsyntax-only*) exit 1 ;;
*) echo $$ > "$MARK"; exec sleep 60 ;;
esac
"""


def script(folder: Path, text: str) -> str:
    path = folder / "fake-g++"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def killed_while_compiling(folder: Path) -> None:
    """Start a conversion, and kill it while its compiler works; that has ended then, too."""
    mark = folder / "pid"
    extra = {"CXX": script(folder, SLOW_COMPILER), "MARK": str(mark)}
    with subprocess.Popen(
        [*COMMAND, "convert", "a.h5", "--io", "parallel", "-o", "out", "-q"], cwd=folder, env=environment(folder, extra)
    ) as child:
        deadline = time.monotonic() + 600  # a busy machine takes minutes to begin
        while not (mark.exists() and mark.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    assert ends_soon(int(mark.read_text()))


def test_a_compiler_ends_with_a_command_that_is_killed(here: Path) -> None:
    killed_while_compiling(here)
    assert not (here / "out").exists()


def test_what_a_killed_command_left_in_the_temporary_folder_goes_with_the_next(here: Path) -> None:
    killed_while_compiling(here)
    assert names(here / "tmp") != []
    made(here, "a", "out")
    assert names(here / "tmp") == []


# --- disks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [0, 8, 100])
def test_a_disk_that_is_full_at_some_file_leaves_the_old_project(here: Path, blocks: int) -> None:
    """A limit on the size of files (in blocks of 512 bytes) stands for the disk.

    A small tmpfs is in test_machine.py.
    """
    old = made(here, "a", "out")
    before = left(here)
    command = [
        "/bin/sh",
        "-c",
        f'ulimit -f {blocks}; exec "$@"',
        "sh",
        *COMMAND,
        "convert",
        "b.h5",
        "-o",
        "out",
        "--no-csim",
    ]
    done = subprocess.run(
        command, cwd=here, env=environment(here), capture_output=True, text=True, check=False, timeout=120
    )
    assert ("File too large" if blocks else "No usable temporary directory") in failed(done, 3, "FC061")
    assert digest(here / "out") == old
    assert left(here) == before


def test_a_read_only_folder_keeps_its_project(here: Path) -> None:
    old = made(here, "a", "locked/out")
    mount = shutil.which("mount") or "mount"
    done = subprocess.run(
        [mount, "--bind", "-o", "ro", "locked", "locked"], cwd=here, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    try:
        assert failed(run_installed(here, "convert", "b.h5", "-o", "locked/out", "--no-csim"), 3, "FC061").endswith(
            "Read-only file system"
        )
        assert digest(here / "locked" / "out") == old
    finally:
        subprocess.run([shutil.which("umount") or "umount", "locked"], cwd=here, check=True)


# --- at once -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("older", [False, True], ids=["new", "over an older one"])
def test_conversions_to_one_folder_at_once_leave_one_of_them_whole(here: Path, older: bool) -> None:  # noqa: FBT001  # pytest's way
    wanted = {made(here, name, f"only-{name}") for name in "ab"}
    if older:
        made(here, "a", "out")
    before = left(here) | {"out"}
    commands = [[*COMMAND, "convert", f"{name}.h5", "-o", "out", "--no-csim", "-q"] for name in "abab"]
    children = [
        subprocess.Popen(command, cwd=here, env=environment(here), stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    said = [child.communicate(timeout=240)[1] for child in children]
    assert ([child.returncode for child in children], said) == ([0] * 4, [""] * 4)
    assert digest(here / "out") in wanted
    assert {name for name in left(here) if not name.startswith("out/")} == {
        name for name in before if not name.startswith("out/")
    }


# --- memory --------------------------------------------------------------------------------------------------------

STARVED_COMPILER = """#!/bin/sh
case "$*" in
*csim_main.cpp*) ulimit -v 60000; exec g++ "$@" ;;
*) exec g++ "$@" ;;
esac
"""
GREEDY_CODE = """#!/bin/sh
case "$*" in
*csim_main.cpp*) sed -i 's/const long events/std::vector<double> greedy(1L << 40); const long events/' csim_main.cpp; exec g++ "$@" ;;
*) exec g++ "$@" ;;
esac
"""


@pytest.mark.agree
@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (STARVED_COMPILER, "FC081", "the C++ compiler failed: "),
        (GREEDY_CODE, "FC082", "C simulation ended with signal SIGABRT: "),
    ],
    ids=["compiler", "C simulation"],
)
def test_a_tool_out_of_memory_is_told_and_the_old_project_stays(here: Path, text: str, code: str, words: str) -> None:
    old = made(here, "a", "out")
    assert words in failed(
        run_installed(here, "convert", "b.h5", "--io", "parallel", "-o", "out", extra={"CXX": script(here, text)}),
        3,
        code,
    )
    assert digest(here / "out") == old


def test_memory_that_runs_out_is_told(here: Path) -> None:
    np.save(here / "x.npy", np.zeros((2_000_000, 4, 4, 1), np.uint8))
    command = ["/bin/sh", "-c", 'ulimit -v 300000; exec "$@"', "sh", *COMMAND, "simulate", "a.h5", "--input", "x.npy"]
    done = subprocess.run(
        command,
        cwd=here,
        env=environment(here, {"OPENBLAS_NUM_THREADS": "1"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert failed(done, 3, "FC092") == "error[FC092] memory ran out"
    assert left(here) == {"a.h5", "b.h5", "x.npy"}


# --- the cache and the clock ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its build in the cache."""
    folder = tmp_path_factory.mktemp("proven")
    models(folder)
    done = run_installed(folder, "convert", "a.h5", "--io", "parallel", "-o", "out", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def cached(proven: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(proven, tmp_path / "p")
    yield tmp_path / "p"
    shutil.rmtree(tmp_path / "p")


def entry_of(folder: Path) -> Path:
    (found,) = (folder / "cache" / "fpgacnn" / "csim").iterdir()
    return found


def cut(program: Path) -> None:
    program.write_bytes(program.read_bytes()[:5000])


def emptied(program: Path) -> None:
    program.write_bytes(b"")


def another(program: Path) -> None:
    program.write_text("#!/bin/sh\ntouch owned\n")


def open_to_all(program: Path) -> None:
    program.chmod(0o777)


def linked(program: Path) -> None:
    program.unlink()
    program.symlink_to(shutil.which("true") or "/bin/true")


def a_folder(program: Path) -> None:
    program.unlink()
    program.mkdir()


@pytest.mark.agree
@pytest.mark.parametrize("harm", [cut, emptied, another, open_to_all, linked, a_folder], ids=lambda harm: harm.__name__)
def test_a_damaged_build_in_the_cache_is_not_run_but_built_again(cached: Path, harm: object) -> None:
    assert callable(harm)
    harm(entry_of(cached))
    done = run_installed(cached, "convert", "a.h5", "--io", "parallel", "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert {one["holds"] for one in json.loads(done.stdout)["verification"]} == {True}
    assert not (cached / "owned").exists()
    builds = (cached / "cache" / "fpgacnn" / "csim").iterdir()
    runnable = [
        path for path in builds if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o777 == 0o755
    ]
    assert len(runnable) == (0 if harm is a_folder else 1)


@pytest.mark.agree
def test_a_cache_that_cannot_be_written_costs_a_build_and_leaves_nothing(here: Path) -> None:
    (here / "cache").mkdir()
    (here / "cache" / "fpgacnn").write_text("a file where a folder is needed")
    done = run_installed(here, "convert", "a.h5", "--io", "parallel", "-o", "out", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert names(here / "cache") == ["fpgacnn"]
    assert names(here / "tmp") == []


@pytest.mark.agree
@pytest.mark.parametrize("year", [1971, 2200])
def test_files_from_another_time_are_like_all_others(cached: Path, year: int) -> None:
    """What a clock that was set back, or was wrong, leaves on disk."""
    when = (year - 1970) * 31_556_952
    for path in cached.rglob("*"):
        os.utime(path, (when, when))
    assert run_installed(cached, "verify", "out").returncode == 0
    before = digest(cached / "out")
    done = run_installed(cached, "convert", "a.h5", "--io", "parallel", "-o", "out", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert digest(cached / "out") == before


@pytest.mark.parametrize(
    "date", ["1975-01-01 00:00:00", "2110-01-01 00:00:00"], ids=["before ZIP knows dates", "behind what ZIP knows"]
)
def test_a_wrong_clock_changes_nothing(here: Path, date: str) -> None:
    """As on a board without a battery, and after it was set right: every command works, and the project is the same."""
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("no faketime (apt-get install faketime)")

    def wrong(*arguments: str) -> None:
        command = [faketime, date, *COMMAND, *arguments]
        done = subprocess.run(
            command, cwd=here, env=environment(here), capture_output=True, text=True, check=False, timeout=240
        )
        assert (done.returncode, done.stderr) == (0, ""), arguments

    np.save(here / "x.npy", np.zeros((40, 4, 4, 1)))
    wanted = made(here, "a", "now")
    wrong("convert", "a.h5", "-o", "then", "--no-csim", "-q")
    assert digest(here / "then") == wanted
    wrong("freeze", "then", "-q")
    wrong("simulate", "then", "--input", "x.npy", "--output", "y.npz", "--trace", "t.npz", "-q")
    wrong("report", "then", "-o", "r.html", "-q")
    done = run_installed(here, "verify", "then", "--locked", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert digest(here / "then") == wanted
    assert names(here / "tmp") == []
