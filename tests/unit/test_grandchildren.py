"""What a program has started ends with the command that runs the program, also when the command is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fpgacnn.errors import ForeignToolError
from fpgacnn.system.subprocesses import run
from tests.support.command import ends_soon

PROGRAM = "sleep 60 & echo $! > child; echo $$ > program; wait"
COMMAND = f"""
from pathlib import Path
from fpgacnn.system.subprocesses import run
run(["sh", "-c", {PROGRAM!r}], folder=Path.cwd(), seconds=60)
"""


def number(file: Path) -> int:
    """The number of a process, once it is there."""
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return int(file.read_text())


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this Python was built for kernels before 5.3")
def test_children_of_a_program_end_when_the_command_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", COMMAND], cwd=tmp_path) as command:
        program, child = number(tmp_path / "program"), number(tmp_path / "child")
        command.send_signal(signal.SIGKILL)
    assert ends_soon(program)
    assert ends_soon(child)


def test_a_program_that_waits_for_all_of_its_children_ends(tmp_path: Path) -> None:
    wait = "import os\ntry:\n os.wait()\nexcept ChildProcessError:\n print('none')"
    assert run([sys.executable, "-c", wait], folder=tmp_path, seconds=60).tail == "none\n"


def test_nothing_of_the_group_is_left_after_a_program_has_ended(tmp_path: Path) -> None:
    run(["sh", "-c", "echo $$ > program"], folder=tmp_path, seconds=60)
    group = number(tmp_path / "program")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and has_group(group):
        time.sleep(0.01)
    assert not has_group(group)


def test_a_program_that_cannot_be_started_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(ForeignToolError):
        run([str(tmp_path / "missing")], folder=tmp_path, seconds=60)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and launchers_in(tmp_path):
        time.sleep(0.01)
    assert not launchers_in(tmp_path)


def has_group(group: int) -> bool:
    """Whether a living process is in the group; one that has ended and waits for its parent does not count."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, own, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(own) == group and state != "Z":
                return True
    return False


def launchers_in(folder: Path) -> set[str]:
    """The numbers of living processes that run the launcher in a folder."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                here = (entry / "cwd").readlink()
            except OSError:  # it has just ended, or it is another user's
                continue
            if b"launch.py" in command and here == folder:
                found.add(entry.name)
    return found
