"""The installed command in a process of its own, and what it may leave behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

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
    command = [*COMMAND, *(one if isinstance(one, bytes) else str(one) for one in arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment(folder, extra), capture_output=True, text=True, check=False, timeout=240
    )


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
