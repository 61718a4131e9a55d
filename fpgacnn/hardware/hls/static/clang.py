"""Let clang read the C++ of a project, where clang is installed: Vitis HLS begins with a clang of its own.

g++, which runs C simulation, accepts more than clang does. Nothing is compiled; pragmas are skipped, as everywhere but
in the vendor's clang.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from fpgacnn.design.project import TOP, write_files
from fpgacnn.errors import ClangRefusedError, UsageError
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.subprocesses import run
from fpgacnn.system.tools import ToolSearch

VARIABLE = "FPGACNN_CLANG"
NAMES = ("clang++", *(f"clang++-{version}" for version in range(22, 13, -1)))
FLAGS = ("-std=c++0x", "-fsyntax-only", "-w", "-fno-color-diagnostics", "-I.", "-Ifirmware/ap_types")
"""The standard is that of hls4ml's build_prj.tcl. Without __SYNTHESIS__: the ap_types of C simulation refuse it."""

_ERROR = re.compile(
    r"^(?P<file>[^\n:]{1,300}):(?P<line>\d{1,9}):\d{1,9}: (?:fatal )?error: (?P<why>[^\n]+)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clang:
    """clang: the words of its command, and its first line of `--version`."""

    command: tuple[str, ...]
    version: str


@cache
def find_clang() -> Clang | None:
    """The clang in FPGACNN_CLANG, else the first on PATH; None if there is none.

    Raises UsageError if the variable names a program that is missing.
    """
    search = ToolSearch(variable=VARIABLE, names=NAMES)
    command = next(search.commands(), None)
    if command is None:
        if os.environ.get(VARIABLE):
            raise UsageError(what=f"{VARIABLE} names '{search.wanted[0]}', which was not found")
        return None
    with temporary_folder("fpgacnn-clang-") as here:
        found = run([*command, "--version"], folder=here, seconds=30, environment={"TMPDIR": str(here)})
    return Clang(command=command, version=found.tail.splitlines()[0] if found.tail else "?")


def check_syntax(files: Mapping[str, bytes], *, seconds: float) -> None:
    """Let clang read the top function of a project with all its headers; nothing where there is no clang.

    Raises ClangRefusedError, UsageError, ToolTimeoutError.
    """
    clang = find_clang()
    if clang is None:
        return
    code = {
        name: data for name, data in files.items() if name.startswith("firmware/") and name.endswith((".h", ".cpp"))
    }
    with temporary_folder("fpgacnn-clang-") as here:
        write_files(here, code)
        command = [*clang.command, *FLAGS, f"firmware/{TOP}.cpp"]
        done = run(command, folder=here, seconds=seconds, environment={"TMPDIR": str(here)})
    if done.status == 0:
        return
    first = _ERROR.search(done.tail)
    if first is None:
        raise ClangRefusedError(file=f"firmware/{TOP}.cpp", line=1, why=f"{done.how}: {done.last_line}")
    raise ClangRefusedError(file=first["file"].removeprefix("./"), line=int(first["line"]), why=first["why"])
