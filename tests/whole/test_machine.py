"""Machines that are not as they should be: no compiler, one that hangs or refuses, Ctrl-C, full and locked disks."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import ends_soon, environment, failed, left, run_installed
from tests.support.files import tiny_model

SLOW_COMPILER = """#!/bin/sh
case "$*" in
*--version*) echo "g++ (fake) 1.0" ;;
*-fsyntax-only*) exit 1 ;;
*) echo $$ > "$MARK"; exec sleep 60 ;;
esac
"""
REFUSING_COMPILER = """#!/bin/sh
case "$*" in
*--version*) echo "g++ (fake) 1.0" ;;
*) echo "firmware/myproject.cpp:7:1: error: expected unqualified-id"; exit 1 ;;
esac
"""


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """Where the slow compiler writes its id; it is ended should a test find it alive."""
    file = tmp_path / "pid"
    yield file
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(file.read_text()), signal.SIGKILL)


def script(folder: Path, text: str) -> str:
    path = folder / "fake-g++"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


# --- foreign tools -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [{"CXX": "no-such-compiler"}, {"PATH": "/nowhere"}], ids=["CXX", "PATH"])
def test_a_missing_compiler_is_named_before_anything_is_done(tmp_path: Path, extra: dict[str, str]) -> None:
    tiny_model(tmp_path / "model.h5")
    done = run_installed(tmp_path, "convert", "model.h5", "--io", "parallel", "-o", "new/out", extra=extra)
    assert failed(done, 3, "FC080") == f"error[FC080] no C++ compiler: '{extra.get('CXX', 'g++')}' was not found"
    assert "--no-csim" in done.stderr
    assert left(tmp_path) == {"model.h5"}


def test_a_compiler_that_refuses_is_quoted_and_its_log_is_kept(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    done = run_installed(
        tmp_path,
        "convert",
        "model.h5",
        "--io",
        "parallel",
        "-o",
        "new/out",
        extra={"CXX": script(tmp_path, REFUSING_COMPILER)},
    )
    assert "status 1: firmware/myproject.cpp:7:1: error: expected unqualified-id" in failed(done, 3, "FC081")
    log = Path(done.stderr.splitlines()[1].removeprefix("hint: the whole log: "))
    assert "expected unqualified-id" in log.read_text()
    assert left(tmp_path) == {"model.h5", "fake-g++", f"tmp/{log.name}"}


def test_a_compiler_that_hangs_is_ended_in_time(tmp_path: Path, mark: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    extra = {"CXX": script(tmp_path, SLOW_COMPILER), "MARK": str(mark)}
    line = failed(
        run_installed(
            tmp_path, "convert", "model.h5", "--io", "parallel", "-o", "new/out", "--timeout", "1", extra=extra
        ),
        3,
        "FC083",
    )
    assert line == "error[FC083] fake-g++ did not finish within 1 s and was ended"
    assert left(tmp_path) == {"model.h5", "fake-g++", "pid"}
    assert ends_soon(int(mark.read_text()))


# A shell that starts the tests with `&` ignores Ctrl-C for them, and that is inherited.
WITH_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from fpgacnn.cli.main import main; main()"
)


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "")],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_command_that_is_ended_ends_its_tools_and_leaves_nothing(
    tmp_path: Path, mark: Path, number: signal.Signals, status: int, words: str
) -> None:
    tiny_model(tmp_path / "model.h5")
    extra = {"CXX": script(tmp_path, SLOW_COMPILER), "MARK": str(mark)}
    command = [sys.executable, "-c", WITH_CTRL_C, "convert", "model.h5", "--io", "parallel", "-o", "new/out"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(tmp_path, extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        deadline = time.monotonic() + 60
        while not (mark.exists() and mark.read_text().strip()) and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(number)
        said, told = child.communicate(timeout=30)
    assert (child.returncode, said, told) == (status, "", words)
    assert left(tmp_path) == {"model.h5", "fake-g++", "pid"}
    assert ends_soon(int(mark.read_text()))


def test_an_older_project_survives_a_conversion_that_fails(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    assert run_installed(tmp_path, "convert", "model.h5", "-o", "out", "--no-csim").returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    failed(
        run_installed(
            tmp_path,
            "convert",
            "model.h5",
            "--io",
            "parallel",
            "-o",
            "out",
            extra={"CXX": script(tmp_path, REFUSING_COMPILER)},
        ),
        3,
        "FC081",
    )
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


# --- disks ---------------------------------------------------------------------------------------------------------


def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    done = subprocess.run(
        [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", options, "fpgacnn-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        folder.rmdir()
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run([shutil.which("umount") or "umount", str(folder)], check=True)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk", "size=64k")


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk", "ro")


def test_a_full_disk_is_a_write_error_and_is_left_empty(tmp_path: Path, full_disk: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    line = failed(
        run_installed(tmp_path, "convert", "model.h5", "-o", full_disk / "new" / "out", "--no-csim"), 3, "FC061"
    )
    assert line.endswith("No space left on device")
    assert left(tmp_path) == {"model.h5", "disk"}


def test_a_full_disk_for_temporary_files_is_an_error_in_one_line(tmp_path: Path, full_disk: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    done = run_installed(
        tmp_path, "convert", "model.h5", "-o", "new/out", "--no-csim", extra={"TMPDIR": str(full_disk)}
    )
    assert "No space left on device" in failed(done, 3, "FC061")
    assert left(tmp_path) == {"model.h5", "disk"}


def test_a_read_only_disk_is_a_write_error(tmp_path: Path, read_only_disk: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    line = failed(run_installed(tmp_path, "convert", "model.h5", "-o", read_only_disk / "out", "--no-csim"), 3, "FC061")
    assert line.endswith("Read-only file system")
    assert left(tmp_path) == {"model.h5", "disk"}


def test_a_folder_without_permission_is_a_write_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tiny_model(tmp_path / "model.h5")
    (tmp_path / "locked").mkdir(mode=0o555)
    line = failed(run_installed(tmp_path, "convert", "model.h5", "-o", "locked/out", "--no-csim"), 3, "FC061")
    assert line.endswith("Permission denied")


@pytest.mark.parametrize("output", ["model.h5/out", "n" * 300, "/proc/out"])
def test_an_impossible_output_folder_is_a_write_error(tmp_path: Path, output: str) -> None:
    tiny_model(tmp_path / "model.h5")
    assert "cannot write" in failed(
        run_installed(tmp_path, "convert", "model.h5", "-o", output, "--no-csim"), 3, "FC061"
    )
    assert left(tmp_path) == {"model.h5"}


@pytest.mark.parametrize("closed", ["<&- 2>&-", ">&-", "<&- >&- 2>&-"])
def test_a_command_with_closed_standard_streams_works(tmp_path: Path, closed: str) -> None:
    """As a service starts it; a pipe to a child must not get the number of a standard stream."""
    model = tiny_model(tmp_path / "m.h5")
    words = shlex.join([sys.executable, "-m", "fpgacnn.cli.main", "estimate", str(model), "--part", "zcu102"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{words} {closed}"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("LUT" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_the_library_works_with_closed_standard_streams(tmp_path: Path) -> None:
    """In a program that closed them itself: the file is read in a child, and the kernels are compiled by another."""
    model = tiny_model(tmp_path / "m.h5")
    program = (
        "import os, sys, numpy; os.close(0); os.close(2); import fpgacnn; "
        "print(fpgacnn.simulate(sys.argv[1], numpy.zeros((2, 4, 4, 1))).values['logits'].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(model)],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stdout) == (0, "(2, 3)\n")
