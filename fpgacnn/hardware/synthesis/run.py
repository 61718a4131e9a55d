"""Find the vendor's tool and its version, run it in a project folder, and keep its log."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fpgacnn.errors import (
    FileMissingError,
    ForeignToolError,
    NotSynthesizableError,
    SynthesisFailedError,
    SynthesisLeftNothingError,
    SynthesisToolMissingError,
    ToolTimeoutError,
)
from fpgacnn.hardware.synthesis.readers.firmware import read_settings
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import run, run_logged
from fpgacnn.system.tools import ToolSearch

SCRIPT, OPTIONS, LOG = "build_prj.tcl", "build_opt.tcl", "fpgacnn_synth.log"
TOOL_VARIABLE = "FPGACNN_HLS"
DEFAULT_SECONDS = 24 * 3600.0
VERSION_SECONDS = 120.0
MAX_SCRIPT_BYTES = 16 << 20

_VERSION = re.compile(r"\bv?(20\d\d\.\d(?:\.\d)?)\b")


class ToolName(StrEnum):
    """The programs that can synthesize.

    Vitis HLS is started by `vitis-run` since 2023.2 and was by `vitis_hls` before.
    """

    VITIS_RUN = "vitis-run"
    VITIS_HLS = "vitis_hls"
    VIVADO_HLS = "vivado_hls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that was found; `version` None where it does not say."""

    name: ToolName
    path: str
    version: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.version or 'of unknown version'} ({self.path})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What hls4ml's build script is to do. C synthesis is always one of them."""

    csim: bool = False
    cosim: bool = False
    export: bool = False
    vsynth: bool = False

    @property
    def options(self) -> dict[str, bool]:
        """The script's own names; it validates by comparing the results of both simulations."""
        both = self.csim and self.cosim
        rest = {
            "csim": self.csim,
            "synth": True,
            "cosim": self.cosim,
            "validation": both,
            "export": self.export,
            "vsynth": self.vsynth,
        }
        return {"reset": False, **rest, "fifo_opt": False}


def find_tool(folder: Path, wanted: str | None = None, *, seconds: float = VERSION_SECONDS) -> Tool:
    """The tool for a project: `wanted`, or what FPGACNN_HLS names, else the one on PATH that the project is for.

    `wanted` is a path or a name; `seconds` is the limit for printing its version.

    Raises SynthesisToolMissingError.
    """
    for_vivado = read_settings(folder).backend.startswith("vivado")
    names = (ToolName.VIVADO_HLS,) if for_vivado else (ToolName.VITIS_RUN, ToolName.VITIS_HLS)
    search = ToolSearch(variable=TOOL_VARIABLE, names=names, chosen=wanted)
    for path, *arguments in search.commands():
        known = next((one for one in ToolName if one == Path(path).name), None)
        if known and not arguments:
            return Tool(name=known, path=path, version=_version(known, path, folder, seconds))
    raise SynthesisToolMissingError(looked=" and ".join(search.wanted))


def _version(name: ToolName, path: str, folder: Path, seconds: float) -> str | None:
    flag = "--version" if name is ToolName.VITIS_RUN else "-version"
    try:
        with temporary_folder("fpgacnn-version-") as own:
            answer = run(
                [path, flag],
                folder=folder,
                seconds=min(seconds, VERSION_SECONDS),
                environment={"TMPDIR": str(own)},
            )
        found = _VERSION.search(answer.tail)
    except (ToolTimeoutError, ForeignToolError):
        return None
    return found[1] if found else None


def synthesize(
    folder: Path, tool: Tool, steps: Steps, *, seconds: float = DEFAULT_SECONDS, tell: Callable[[str], None]
) -> Path:
    """Run hls4ml's build script in a project folder; returns the log.

    Raises NotSynthesizableError, SynthesisToolMissingError, SynthesisFailedError, SynthesisLeftNothingError,
    ToolTimeoutError, WriteError, ForeignToolError if the program cannot be started.
    """
    script = folder / SCRIPT
    if not script.is_file():
        raise NotSynthesizableError(folder=folder, file=SCRIPT)
    if steps.vsynth and shutil.which("vivado") is None:
        raise SynthesisToolMissingError(looked="vivado, which --vsynth needs,")
    log, before = folder / LOG, _stamps(folder)
    with _options(folder, script, steps) as arguments, temporary_folder("fpgacnn-synth-") as own:
        finished = run_logged(
            _command(tool, arguments),
            folder=folder,
            seconds=seconds,
            log=log,
            tell=tell,
            environment={"TMPDIR": str(own)},
        )
    if finished.status != 0:
        raise SynthesisFailedError(tool=tool.name, how=finished.how, why=finished.last_line, log=log)
    if not _stamps(folder) - before:
        raise SynthesisLeftNothingError(tool=tool.name, why="there is no csynth.rpt of this run", log=log)
    return log


def _stamps(folder: Path) -> set[tuple[Path, int, int, int]]:
    """The reports of C synthesis by content: this distinguishes new reports from old ones without times."""
    states = [(path, path.stat()) for path in folder.glob("*_prj/*/syn/report/*csynth.rpt")]
    return {(path, state.st_ino, state.st_mtime_ns, state.st_size) for path, state in states}


def _command(tool: Tool, arguments: list[str]) -> list[str]:
    match tool.name:
        case ToolName.VITIS_RUN:
            return [tool.path, "--mode", "hls", "--tcl", SCRIPT, *arguments]
        case ToolName.VITIS_HLS | ToolName.VIVADO_HLS:
            return [tool.path, "-f", SCRIPT, *arguments]


@contextmanager
def _options(folder: Path, script: Path, steps: Steps) -> Iterator[list[str]]:
    """Pass the steps to the project's script: in a file, which is restored afterwards, or as an argument.

    Raises WriteError.
    """
    values = {name: int(value) for name, value in steps.options.items()}
    path = folder / OPTIONS
    before = _content(path)
    if OPTIONS.encode() not in (_content(script) or b""):
        yield [" ".join(f"{name}={value}" for name, value in values.items())]
        return
    _put(
        path,
        ("array set opt {\n" + "".join(f"    {name:<10} {value}\n" for name, value in values.items()) + "}\n").encode(),
    )
    try:
        yield []
    finally:
        if before is not None:
            _put(path, before)


def _content(path: Path) -> bytes | None:
    try:
        return read_regular(path, limit=MAX_SCRIPT_BYTES) if path.is_file() else None
    except OSError as error:
        raise FileMissingError(file=path, why=error.strerror or str(error)) from error


def _put(path: Path, content: bytes) -> None:
    write_atomically(path, content)
