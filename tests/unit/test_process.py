"""Child processes: limits hold, and nothing that a child started outlives it."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fpgacnn.errors import ForeignToolError, ToolTimeoutError
from fpgacnn.system.subprocesses import CHILD_MEMORY_BYTES, TAIL_CHARACTERS, Finished, run, side_by_side
from tests.support.command import ends_soon

SHELL = shutil.which("sh") or "/bin/sh"
GIB = 1 << 30


def shell(script: str, folder: Path, *, seconds: float = 20.0, environment: dict[str, str] | None = None) -> Finished:
    return run([SHELL, "-c", script], folder=folder, seconds=seconds, environment=environment)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Path]:
    """A file in which scripts write the ids of what they start; whatever still runs at the end is ended."""
    file = tmp_path / "pids"
    yield file
    for pid in map(int, file.read_text().split()) if file.exists() else []:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_status_and_both_outputs_are_kept(tmp_path: Path) -> None:
    finished = shell("echo told; echo warned >&2; exit 7", tmp_path)
    assert (finished.status, finished.tail, finished.how) == (7, "told\nwarned\n", "status 7")


def test_a_child_runs_in_its_folder_without_input_in_a_plain_language(tmp_path: Path) -> None:
    finished = shell(
        'pwd; cat; echo "$LC_ALL $EXTRA"', tmp_path, environment={"EXTRA": "given", "LC_ALL": "de_DE.UTF-8"}
    )
    assert finished.tail.splitlines() == [str(tmp_path.resolve()), "C given"]


def test_only_the_end_of_a_long_output_is_kept(tmp_path: Path) -> None:
    finished = shell("yes line | head -c 100000; echo last", tmp_path)
    assert len(finished.tail) == TAIL_CHARACTERS
    assert finished.last_line == "last"


def test_commands_side_by_side_are_told_of_as_they_end_and_late_ones_are_ended(tmp_path: Path, children: Path) -> None:
    scripts = ("sleep 0.6; echo slow; exit 3", "echo quick", f"echo $$ > {children}; exec sleep 60", "echo last")
    found = list(side_by_side([[SHELL, "-c", script] for script in scripts], at_once=3, folder=tmp_path, seconds=1.5))
    assert [one.number for one in found] == [1, 3, 0, 2]
    ends = {one.number: one.finished for one in found}
    assert ends[0] == Finished(status=3, tail="slow\n")
    assert ends[2] is None
    assert ends_soon(int(children.read_text()))


def test_whoever_stops_listening_ends_what_still_runs(tmp_path: Path, children: Path) -> None:
    running = side_by_side(
        [[SHELL, "-c", "true"], [SHELL, "-c", f"echo $$ > {children}; exec sleep 60"]],
        at_once=2,
        folder=tmp_path,
        seconds=50,
    )
    next(running)
    while not (children.exists() and children.read_text().strip()):
        time.sleep(0.02)
    running.close()
    assert ends_soon(int(children.read_text()))


def test_bytes_that_are_no_text_do_not_disturb(tmp_path: Path) -> None:
    assert shell(r"printf '\377\376 error\n'", tmp_path).last_line == "\ufffd\ufffd error"


@pytest.mark.parametrize(
    ("tail", "telling"),
    [
        ("one\ntwo\n\n", "two"),
        ("a.cpp:3: error: no such type\nmake: stopped\nError 2", "a.cpp:3: error: no such type"),
        ("fine\nap_fixed.h: Assertion `i < W' failed.\nAborted", "ap_fixed.h: Assertion `i < W' failed."),
        ("\n \n", "it printed nothing"),
        ("", "it printed nothing"),
    ],
)
def test_the_most_telling_line_is_found(tail: str, telling: str) -> None:
    assert Finished(status=1, tail=tail).last_line == telling


@pytest.mark.parametrize("name", ["SIGABRT", "SIGSEGV", "SIGKILL"])
def test_an_end_by_a_signal_is_told_by_its_name(tmp_path: Path, name: str) -> None:
    finished = shell(f"kill -{name.removeprefix('SIG')} $$", tmp_path)
    assert finished.how == f"signal {name}"
    assert finished.status == -signal.Signals[name]


def test_no_core_is_dumped(tmp_path: Path) -> None:
    assert shell("ulimit -c", tmp_path).tail == "0\n"


def test_a_child_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path, children: Path) -> None:
    start = time.monotonic()
    with pytest.raises(ToolTimeoutError, match=r"sh did not finish within 0\.5 s and was ended") as caught:
        shell("sleep 60 & echo $! >pids; echo $$ >>pids; wait", tmp_path, seconds=0.5)
    assert time.monotonic() - start < 10.0
    assert "--timeout SECONDS" in caught.value.hint
    pids = [int(pid) for pid in children.read_text().split()]
    assert len(pids) == 2
    assert all(map(ends_soon, pids))


def test_a_grandchild_that_holds_the_output_open_is_ended_too(tmp_path: Path, children: Path) -> None:
    with pytest.raises(ToolTimeoutError):
        shell("sleep 60 & echo $! >pids", tmp_path, seconds=0.5)
    assert ends_soon(int(children.read_text()))


def test_a_grandchild_in_the_background_does_not_outlive_a_child_that_ended_well(
    tmp_path: Path, children: Path
) -> None:
    assert shell("sleep 60 >/dev/null 2>&1 & echo $! >pids", tmp_path).status == 0
    assert ends_soon(int(children.read_text()))


def test_an_interrupt_ends_the_child(tmp_path: Path, children: Path) -> None:
    """Ctrl-C reaches only the parent, because the child has a group of its own."""
    # A shell that starts the tests with `&` ignores Ctrl-C for them, and that is inherited.
    here = "import signal; from pathlib import Path; from fpgacnn.system.subprocesses import run; "
    code = (
        f"{here}signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"run(['{SHELL}', '-c', 'echo $$ >pids; sleep 60'], folder=Path('.'), seconds=60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL) as parent:
        deadline = time.monotonic() + 20.0
        while not (children.exists() and children.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.send_signal(signal.SIGINT)
        parent.wait(timeout=20)
    assert parent.returncode != 0
    assert ends_soon(int(children.read_text()))


def test_memory_is_limited(tmp_path: Path) -> None:
    script = "import resource; print(resource.getrlimit(resource.RLIMIT_AS)[0]); bytearray(13 << 30)"
    finished = run([sys.executable, "-c", script], folder=tmp_path, seconds=30)
    _, allowed = resource.getrlimit(resource.RLIMIT_AS)
    assert finished.tail.splitlines()[0] == str(
        CHILD_MEMORY_BYTES if allowed == resource.RLIM_INFINITY else min(allowed, CHILD_MEMORY_BYTES)
    )
    assert (finished.status, finished.last_line) == (1, "MemoryError")


def test_a_tighter_limit_of_the_users_is_kept(tmp_path: Path) -> None:
    """Raising a hard limit is an error for users and a surprise for root."""
    code = (
        "import resource; from pathlib import Path; from fpgacnn.system.subprocesses import run; "
        f"resource.setrlimit(resource.RLIMIT_AS, ({4 * GIB}, {4 * GIB})); "
        f"print(run(['{SHELL}', '-c', 'ulimit -v'], folder=Path('.'), seconds=20).tail)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert int(said) == 4 * GIB // 1024


def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path, children: Path) -> None:
    code = (
        "from pathlib import Path; from fpgacnn.system.subprocesses import run; "
        f"run(['{SHELL}', '-c', 'echo $$ >pids; exec sleep 60'], folder=Path('.'), seconds=60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as parent:
        deadline = time.monotonic() + 20.0
        while not (children.exists() and children.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.kill()
    assert ends_soon(int(children.read_text()))


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (None, 0o755, "No such file or directory"),
        (b"#!/bin/sh\n", 0o644, "Permission denied"),
        (b"\x7fELF and no more", 0o755, "Exec format error"),
        (b"#!/no/such/interpreter\n", 0o755, "No such file or directory"),
    ],
    ids=["missing", "not executable", "damaged", "without its interpreter"],
)
def test_a_program_that_cannot_be_started_is_an_error(
    tmp_path: Path, content: bytes | None, mode: int, why: str
) -> None:
    program = tmp_path / "program"
    if content is not None:
        program.write_bytes(content)
        program.chmod(mode)
    with pytest.raises(ForeignToolError, match=rf"^program failed: {why}$"):
        run([str(program)], folder=tmp_path, seconds=20)


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ForeignToolError, match=r"^sh failed: No such file or directory$"):
        shell("true", tmp_path / "missing")


def test_a_child_starts_with_no_signal_blocked_or_ignored_and_no_file_of_its_parent(tmp_path: Path) -> None:
    lines = shell("cat /proc/self/status; ls /proc/$$/fd", tmp_path).tail.splitlines()
    masks = {name: int(value, 16) for name, _, value in (line.partition(":") for line in lines) if name[:3] == "Sig"
             and name in {"SigBlk", "SigIgn"}}  # fmt: skip
    fatal = sum(1 << (one - 1) for one in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ))
    assert {name: mask & fatal for name, mask in masks.items()} == {"SigBlk": 0, "SigIgn": 0}
    assert [line for line in lines if line.isdigit()] == ["0", "1", "2"]


def test_many_threads_start_children_at_once(tmp_path: Path) -> None:
    """As C simulation does; other threads hold locks of the memory allocator and of Python's imports meanwhile."""
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            bytearray(1 << 20).hex()

    workers = [threading.Thread(target=busy) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda number: shell(f"ulimit -c; exit {number}", tmp_path), range(40)))
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert found == [Finished(status=number, tail="0\n") for number in range(40)]
