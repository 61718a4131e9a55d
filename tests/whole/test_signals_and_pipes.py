"""A command that a signal ends leaves no child and no file; its exit status is right with every kind of stream."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.system.launch import ENDING
from tests.support.command import COMMAND, ends_soon, environment, failed, left, names, run
from tests.support.files import tiny_model

SLOW_COMPILER = """#!/bin/sh
case "$*" in
*--version*) echo "g++ (fake) 1.0" ;;
*-fsyntax-only*|*-dM*) exit 1 ;;
*) : > "$TMPDIR/cc123.s"; sleep 60 & echo $$ $! > "$MARK.new"; mv "$MARK.new" "$MARK"; wait ;;
esac
"""
"""A compiler as g++ is: it keeps a file in the temporary folder, and starts another program that does the work."""

SLOW_PROGRAM = """#!/bin/sh
case "$*" in
*--version*) echo "g++ (fake) 1.0" ;;
*-fsyntax-only*|*-dM*) exit 1 ;;
*) printf '#!/bin/sh\\necho $$ > "$MARK.new"; mv "$MARK.new" "$MARK"; exec sleep 60\\n' > csim; chmod +x csim ;;
esac
"""
"""A compiler whose C simulation takes a minute."""


def script(folder: Path, text: str) -> str:
    path = folder / "fake-g++"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def ended(folder: Path, compiler: str, number: int) -> int:
    """The status of a conversion that gets a signal while a tool works; the tool and its children have ended then.

    The signal has its default action at the start, also where the tests run under `nohup`.
    """
    mark = folder / "pid"
    extra = {"CXX": script(folder, compiler), "MARK": str(mark), "CC": "/nowhere/cc"}
    command = [*COMMAND, "convert", "m.h5", "--io", "parallel", "-o", "out", "-q"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder, extra),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
    ) as child:
        deadline = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(number)
        _, said = child.communicate(timeout=30)
    assert said in ("", "interrupted\n")
    assert all(ends_soon(int(pid)) for pid in mark.read_text().split())
    return child.returncode


@pytest.fixture
def here(tmp_path: Path) -> Path:
    tiny_model(tmp_path / "m.h5")
    return tmp_path


SIGNALS = sorted(signal.Signals(number) for number in ENDING)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_a_command_its_tools_and_what_they_left(here: Path, number: signal.Signals) -> None:
    assert ended(here, SLOW_COMPILER, number) == 128 + number
    assert left(here) == {"m.h5", "fake-g++", "pid"}


def test_a_signal_ends_the_programs_of_c_simulation_too(here: Path) -> None:
    begin = time.monotonic()
    assert ended(here, SLOW_PROGRAM, signal.SIGTERM) == 143
    assert time.monotonic() - begin < 55
    assert names(here / "tmp") == []


def test_a_command_that_ignores_hangups_goes_on(here: Path) -> None:
    """As under `nohup`."""
    mark = here / "pid"
    extra = {"CXX": script(here, SLOW_COMPILER), "MARK": str(mark)}
    command = [
        "/bin/sh",
        "-c",
        'trap "" HUP; exec "$@"',
        "sh",
        *COMMAND,
        "convert",
        "m.h5",
        "--io",
        "parallel",
        "-o",
        "out",
        "-q",
    ]
    with subprocess.Popen(command, cwd=here, env=environment(here, extra)) as child:
        while not mark.exists():
            time.sleep(0.02)
        child.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert child.poll() is None
        child.terminate()
    assert child.returncode == 143


def limited(folder: Path, kind: int, limits: tuple[int, int], *words: str) -> subprocess.CompletedProcess[str]:
    """The command under a limit of the operating system (soft, hard)."""
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(kind, limits),
        timeout=120,
    )


def test_a_processor_limit_is_a_signal_like_others(here: Path) -> None:
    """The soft limit sends SIGXCPU, in the middle of whatever the command does."""
    done = limited(here, resource.RLIMIT_CPU, (1, 30), "convert", "m.h5", "-o", "out", "--no-csim")
    has_ended = done.returncode == -signal.SIGXCPU and "out  (" in done.stdout  # while Python shut down
    assert done.returncode in (0, 128 + signal.SIGXCPU) or has_ended, done.stderr
    assert "Traceback" not in done.stderr
    assert names(here / "tmp") == []


# --- streams -------------------------------------------------------------------------------------------------------


def piped(folder: Path, command: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command line of bash in which `fpgacnn` is the command."""
    text = command.replace("fpgacnn ", " ".join(COMMAND) + " ")
    return subprocess.run(
        [shutil.which("bash") or "/bin/bash", "-c", text],
        cwd=folder,
        env=environment(folder, extra),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "command", ["explain", "explain --json", "--help", "doctor", "inspect m.h5", "inspect m.h5 --json", "--version"]
)
def test_a_reader_that_goes_away_is_no_failed_comparison(here: Path, command: str) -> None:
    done = piped(here, f"fpgacnn {command} | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) in ((141, ""), (0, ""))
    done = piped(here, f"(sleep 3; fpgacnn {command}) | (exec <&-; sleep 0.1); exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (141, "")


def test_the_first_line_is_enough(here: Path) -> None:
    done = piped(here, "fpgacnn explain | head -1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) in ((141, "", 1), (0, "", 1))


@pytest.mark.parametrize("command", ["explain", "inspect m.h5 --json", "--help", "--version"])
def test_an_output_that_is_full_is_an_error_of_its_own(here: Path, command: str) -> None:
    done = piped(here, f"fpgacnn {command} > /dev/full")
    assert failed(done, 3, "FC064").endswith("cannot write to the standard output: No space left on device")


def test_what_says_nothing_needs_no_output(here: Path) -> None:
    done = piped(here, "fpgacnn convert m.h5 -o out --no-csim -q <&- >&- 2>&-")
    assert (done.returncode, (here / "out" / "fpgacnn.json").exists()) == (0, True)


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_not_taken_for_files(here: Path, closed: str) -> None:
    """The next file that is opened gets the number of a closed stream."""
    done = piped(here, f"fpgacnn inspect m.h5 --json {closed}")
    assert done.returncode == 0
    assert ">&-" in closed.replace("2>&-", "") or json.loads(done.stdout)["model"]["layers"]
    assert left(here) == {"m.h5"}


@pytest.mark.parametrize("number", ["0", "1", "2"])
def test_an_error_is_an_error_without_streams(here: Path, number: str) -> None:
    done = piped(here, f"fpgacnn inspect nothing.h5 {number}>&-")
    assert done.returncode == 2


@pytest.mark.parametrize("closed", [">/dev/full", ">&-"])
def test_lost_messages_change_no_status(here: Path, closed: str) -> None:
    assert piped(here, f"fpgacnn inspect nothing.h5 2{closed}").returncode == 2
    assert piped(here, f"fpgacnn inspect m.h5 2{closed} >/dev/null").returncode == 0


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8", "cp1252", "utf-16"])
def test_every_encoding_of_the_output_can_show_everything(here: Path, encoding: str) -> None:
    (here / "ünïcode-漢-\udcff.h5").write_bytes((here / "m.h5").read_bytes())
    for flags in ("", " --json"):
        done = subprocess.run(
            [*COMMAND, "inspect", "ünïcode-漢-\udcff.h5", *flags.split()],
            cwd=here,
            env=environment(here, {"PYTHONIOENCODING": encoding}),
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        if flags == " --json":
            json.loads(done.stdout.decode(encoding))


def test_an_output_that_does_not_block_is_waited_for(here: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with subprocess.Popen([*COMMAND, "explain", "--json"], cwd=here, env=environment(here), stdout=write) as child:
        os.close(write)
        time.sleep(2)
        with open(read, "rb") as file:  # noqa: PTH123  # a number
            content = file.read()
    assert child.returncode == 0
    assert len(json.loads(content)) > 50


def test_a_terminal_that_is_gone_ends_nothing_badly(here: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, "doctor"], cwd=here, env=environment(here), stdout=theirs) as child:
        os.close(theirs)
        os.close(ours)
    assert child.returncode in (3, 141, 0)


# --- many files ----------------------------------------------------------------------------------------------------


def with_open_files(count: int, start: Callable[[], subprocess.CompletedProcess[str]]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 200:
        pytest.skip(f"only {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, hard))
    try:
        with contextlib.ExitStack() as files:
            for _ in range(count):
                file = files.enter_context(Path(os.devnull).open("rb"))
                os.set_inheritable(file.fileno(), True)  # noqa: FBT003  # the parameter has no name
            done = start()
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_than_a_thousand_open_files_are_no_hindrance(here: Path) -> None:
    np.save(here / "x.npy", np.zeros((40, 4, 4, 1)))

    def start() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "simulate", "m.h5", "--input", "x.npy", "-q"],
            cwd=here,
            env=environment(here),
            capture_output=True,
            text=True,
            check=False,
            close_fds=False,
            timeout=120,
        )

    with_open_files(1100, start)


@pytest.mark.parametrize("most", [4, 6, 8, 12, 16])
def test_too_few_files_are_an_error_of_the_machine(here: Path, most: int) -> None:
    np.save(here / "x.npy", np.zeros((40, 4, 4, 1)))
    done = limited(here, resource.RLIMIT_NOFILE, (most, most), "simulate", "m.h5", "--input", "x.npy", "-q")
    assert "FC001" not in done.stderr
    assert done.returncode in (0, 3) or (done.returncode == 1 and most == 4), done.stderr  # 1: Python did not start


def test_help_is_shown_without_files(here: Path) -> None:
    assert run(here, "--help").returncode == 0
