"""What the project's own files say: which call is which layer, and what the tool was asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.synthesis.text import MAX_BYTES

_CALL = re.compile(r"^\s*nnet::(\w+)<([^;]*?)>\s*\(([^;]*)\);(?:\s*//\s*(\S.*?))?\s*$", re.MULTILINE)
_CONFIG = re.compile(r"config(\d{1,6})(?!\d)")
_OUTPUT = re.compile(r"\blayer(\d{1,6})_(?:out|cpy)")
_SET = re.compile(r'^\s*set\s+(\w+)\s+"?([^"\s]+)"?\s*$', re.MULTILINE)
MAX_CALLS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a layer's function: hls4ml's number of the layer, its name, the function, and a size among its types."""

    index: int
    name: str | None
    function: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """hls4ml's project.tcl."""

    top: str | None
    part: str | None
    clock_ns: float | None
    backend: str


def read_calls(folder: Path) -> tuple[Call, ...]:
    """The layers of the network in their order; none where there is no firmware."""
    found: dict[int, Call] = {}
    for path in sorted((folder / "firmware").glob("*.cpp")) if (folder / "firmware").is_dir() else []:
        for match in list(_CALL.finditer(_text(path)))[:MAX_CALLS]:
            function, types, arguments, comment = match.groups()
            number = _CONFIG.findall(types) or _OUTPUT.findall(arguments)
            if number:
                size = types.rpartition(",")[2].strip()
                call = Call(index=int(number[-1]), name=comment, function=function, size=size if size.isdigit() else "")
                found.setdefault(call.index, call)
    return tuple(found.values())


def read_asked(folder: Path) -> Asked:
    """What the build script is told; fields are None where it says nothing."""
    said = dict(_SET.findall(_text(folder / "project.tcl")))
    name, backend = said.get("project_name"), said.get("backend", "")
    try:
        clock = float(said.get("clock_period", ""))
    except ValueError:
        clock = None
    return Asked(top=f"{name}_axi" if name and "accelerator" in backend else name, part=said.get("part"), clock_ns=clock, backend=backend)


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
