"""The project's own files: the layers of its calls, and the settings of the tool."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.hardware.synthesis.readers.text import MAX_BYTES
from fpgacnn.system.files.regular import read_regular_text

_CONFIG = re.compile(r"config(\d{1,6})(?!\d)")
_OUTPUT = re.compile(r"\blayer(\d{1,6})_(?:out|cpy)")
FUNCTION = "nnet::"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareCall:
    """A call of a layer's function.

    hls4ml's number of the layer, its name, the function, and a size among its types.
    """

    index: int
    name: str | None
    function: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """hls4ml's project.tcl."""

    top: str | None
    part: str | None
    clock_ns: float | None
    backend: str


def read_calls(folder: Path) -> tuple[FirmwareCall, ...]:
    """The layers of the network in their order; none where there is no firmware."""
    found: dict[int, FirmwareCall] = {}
    for path in sorted((folder / "firmware").glob("*.cpp")) if (folder / "firmware").is_dir() else []:
        for call in filter(None, map(_call, _text(path).splitlines())):
            found.setdefault(call.index, call)
    return tuple(found.values())


def _call(line: str) -> FirmwareCall | None:
    """A line like `nnet::dense<layer4_t, result_t, config5>(layer4_out, layer5_out, w5, b5); // logits`."""
    code, _, comment = line.strip().partition(");")
    function, _, rest = code.removeprefix(FUNCTION).partition("<")
    types, opened, arguments = rest.rpartition(">(")
    number = _CONFIG.findall(types) or _OUTPUT.findall(arguments)
    if not (code.startswith(FUNCTION) and opened and function.isidentifier() and number):
        return None
    size = types.rpartition(",")[2].strip()
    name = comment.strip().removeprefix("//").strip()
    return FirmwareCall(
        index=int(number[-1]), name=name or None, function=function, size=size if size.isdecimal() else ""
    )


def read_settings(folder: Path) -> ToolSettings:
    """The settings in the build script; None if it has none."""
    words = (line.split() for line in _text(folder / "project.tcl").splitlines())
    variables = {word[1]: word[2].strip('"') for word in words if len(word) == 3 and word[0] == "set"}
    name, backend = variables.get("project_name"), variables.get("backend", "")
    try:
        clock = float(variables.get("clock_period", ""))
    except ValueError:
        clock = None
    return ToolSettings(
        top=f"{name}_axi" if name and "accelerator" in backend else name,
        part=variables.get("part"),
        clock_ns=clock,
        backend=backend,
    )


def _text(path: Path) -> str:
    try:
        return read_regular_text(path, limit=MAX_BYTES, errors="replace")
    except OSError:
        return ""
