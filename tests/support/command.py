"""The command in a process of its own, and what it may leave behind."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

import fpgacnn.cli.commands
from fpgacnn.cli.main import app, main
from tests.support.fork_coverage import LinePipe

COMMAND = (sys.executable, "-m", "fpgacnn.cli.main")


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Temporary files and caches below the test's own folder, so that what stays is seen."""
    (folder / "tmp").mkdir(exist_ok=True)
    own = {"TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(folder / "cache"), "NO_COLOR": "1"}
    inherited = {name: value for name, value in os.environ.items() if name not in {"CXX", "COLUMNS"}}
    return {**inherited, **own, **(extra or {})}


def run(
    folder: Path, *arguments: str | Path | bytes, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command with its output, run in `folder`.

    It runs in a fork of this process, in which everything is imported. This saves 0.6 s of processor time a command.
    If a library with threads is imported, the command runs in a Python of its own, as with `run_installed`.
    """
    if not _STARTS_THREADS.isdisjoint(sys.modules):
        return run_installed(folder, *arguments, extra=extra)
    _import_everything()
    lines = LinePipe.opened()
    words = [os.fsdecode(one) if isinstance(one, bytes) else str(one) for one in arguments]
    variables = environment(folder, extra)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _become_command(words, folder, variables, out.fileno(), err.fileno(), lines)
        status = _wait(child, 240.0)
        if lines:
            lines.collect()
        texts = [_text(file) for file in (out, err)]
    return subprocess.CompletedProcess(["fpgacnn", *words], status, *texts)


def run_installed(
    folder: Path, *arguments: str | Path | bytes, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command in a Python of its own, as a user starts it."""
    command = [*COMMAND, *(one if isinstance(one, bytes) else str(one) for one in arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment(folder, extra), capture_output=True, text=True, check=False, timeout=240
    )


_STARTS_THREADS = frozenset({"tensorflow", "jax", "torch"})
"""Libraries after whose import a fork of this process is not safe. The threads of onnxruntime end with its sessions."""


@cache
def _import_everything() -> None:
    """Import what commands import, so that forks need not do it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("cli.main", "pipeline.stages", "reporting.terminal.tables", "hardware.hls.hls4ml_adapter"):
            importlib.import_module(f"fpgacnn.{module}")
        for module in pkgutil.walk_packages(fpgacnn.cli.commands.__path__, "fpgacnn.cli.commands."):
            importlib.import_module(module.name)
        importlib.import_module("hls4ml")


def _become_command(
    words: Sequence[str], folder: Path, variables: Mapping[str, str], out: int, err: int, lines: LinePipe | None
) -> NoReturn:
    """Be the command `fpgacnn WORDS`, and end: in a fork. Patched modules stay patched."""
    status = 70
    try:
        for number, target in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
            os.dup2(number, target)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115  # they stay open
            for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
        )
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(folder)
        tempfile.tempdir = None
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        for one in gc.get_objects():
            if isinstance(one, _CACHED) and str(one.__module__).startswith("fpgacnn"):
                one.cache_clear()
        sys.argv = ["fpgacnn", *words]
        app.registered_commands.clear()
        with lines.written_down() if lines else contextlib.nullcontext():
            main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  # as Python ends with a traceback
        traceback.print_exc()
        status = 1
    finally:
        try:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
        finally:
            os._exit(status)  # whatever happened: never back into pytest


_CACHED = type(cache(lambda: None))


def _wait(child: int, seconds: float) -> int:
    """The exit status of a child, as `subprocess` gives it. Ends the child if it takes longer, with TimeoutError."""
    deadline = time.monotonic() + seconds
    pause = 0.001
    with contextlib.ExitStack() as undo:  # also at Ctrl-C, no command outlives its test
        undo.callback(os.waitpid, child, 0)
        undo.callback(os.kill, child, signal.SIGKILL)
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                undo.pop_all()
                return os.waitstatus_to_exitcode(status)
            time.sleep(pause)
            pause = min(0.02, pause * 1.3)
        raise TimeoutError(f"the command did not end within {seconds:g} s")


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8")


def failed(done: subprocess.CompletedProcess[str], status: int, code: str) -> str:
    """The error line of a command that failed as it should; checks its shape."""
    lines = done.stderr.splitlines()
    assert (done.returncode, lines[0][: len(code) + 7]) == (status, f"error[{code}]"), done.stderr
    assert [line.split()[0] for line in lines[1:]] in ([], ["hint:"]), done.stderr
    assert done.stdout == ""
    return lines[0]


def left(folder: Path) -> set[str]:
    """Files and folders below a folder, but for the empty place for temporary files and the emulator's kept kernels."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    kernels = {name for name in found if name.startswith("cache/fpgacnn/emulator/")}
    return found - kernels - {"tmp"} - ({"cache", "cache/fpgacnn", "cache/fpgacnn/emulator"} if kernels else set())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def children() -> set[int]:
    """Ids of the processes that this one has started and not yet seen the end of."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # a process that just ended
            parent = stat.read_text(errors="replace").rpartition(")")[2].split()[1]
            found |= {int(stat.parent.name)} if int(parent) == os.getpid() else set()
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def ends_soon(pid: int) -> bool:
    deadline = time.monotonic() + 5.0
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)
