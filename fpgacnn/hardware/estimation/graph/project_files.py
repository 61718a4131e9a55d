"""The files of an hls4ml project: where they lie, and whether they are for a tool that is estimated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fpgacnn.errors import OtherToolProjectError, UnreadableProjectError
from fpgacnn.hardware.estimation.graph.cpp_text import MAX_CODE_BYTES, read_code, read_text
from fpgacnn.hardware.estimation.graph.folder_settings import CONFIGURATIONS
from fpgacnn.hardware.estimation.graph.graph import TemplateCall
from fpgacnn.hardware.hls.static.pragmas import pragma_faults

PLACES = (Path("firmware"), Path("src/firmware"))
"""Folders of the C++; the second is that of hls4ml's oneAPI backend."""

OTHER_TOOLS = {
    "quartus": "Intel Quartus HLS",
    "oneapi": "Intel oneAPI",
    "catapult": "Siemens Catapult",
    "libero": "Microchip SmartHLS",
}
"""Backends of hls4ml for tools of other vendors, by their names in lower case."""

_BACKEND = re.compile(r"^Backend:\s*['\"]?(\w{1,80})", re.MULTILINE)
_SIGNS = (
    (re.compile(r"\bsycl::|\bsycl/"), OTHER_TOOLS["oneapi"]),
    (re.compile(r"\bac_channel\s?<|#include [<\"]ac_channel\.h"), OTHER_TOOLS["catapult"]),
    (re.compile(r"\bihc::|\bhls_component_ii\b|#include [<\"]HLS/"), OTHER_TOOLS["quartus"]),
    (re.compile(r"\bac_(?:fixed|int)\s?<"), "a tool with ac_fixed types (Quartus, Catapult or oneAPI)"),
    (re.compile(r"#include [<\"]hls/ap_fixpt\.hpp|\bap_fixpt\s?<"), OTHER_TOOLS["libero"]),
)
"""What only the C++ for other tools has, the most certain signs first."""


_TEXT = re.compile(r'"[^"\n]*"')


def is_project(folder: Path) -> bool:
    """Whether a folder is an hls4ml project, for any tool."""
    return any((folder / place / "parameters.h").is_file() for place in PLACES)


def refuse_projects_of_other_tools(folder: Path) -> None:
    """Refuse a project for a tool of another vendor, by its configuration, else by its C++.

    Raises OtherToolProjectError, UnreadableProjectError.
    """
    texts = (read_text(folder / name) for name in CONFIGURATIONS if (folder / name).is_file())
    named = next((found[1].lower() for text in texts if (found := _BACKEND.search(text))), "")
    tool = OTHER_TOOLS.get(named)
    if tool is None and not named.startswith(("vivado", "vitis", "pynq")):
        tool = _tool_of_code(folder)
    if tool is not None:
        raise OtherToolProjectError(folder=folder, tool=tool)


def _tool_of_code(folder: Path) -> str | None:
    firmware = next((folder / place for place in PLACES if (folder / place).is_dir()), folder)
    heads = (path for path in (*sorted(firmware.glob("*.h")), *sorted(firmware.glob("*.cpp"))) if path.is_file())
    code = "\n".join(read_code(path) for path in heads)
    return next((tool for sign, tool in _SIGNS if sign.search(code)), None)


def top_file(firmware: Path) -> Path:
    """The C++ file of the top function.

    Raises UnreadableProjectError.
    """
    try:
        found = [path for path in sorted(firmware.glob("*.cpp")) if "nnet::" in read_text(path)]
    except OSError as error:
        raise UnreadableProjectError(file=firmware, why=error.strerror or str(error)) from error
    if not found:
        raise UnreadableProjectError(file=firmware, why="no C++ file that calls hls4ml's templates")
    return next((path for path in found if not path.stem.endswith("_axi")), found[0])


def shift_is_inlined(header: Path) -> bool:
    """hls4ml 0.7 inlines the functions around the shift of a window; later ones do not, and say so in a pragma."""
    if not header.is_file():
        return False
    _, _, behind = read_code(header).partition("void compute_output_buffer_2d(")
    function, closed, _ = behind.partition("\n}")
    return bool(closed) and "\n#pragma HLS INLINE recursive" in function


def faults_of_pragmas(firmware: Path) -> tuple[str, ...]:
    """Pragmas with a name that nothing declares, of all C++ files; files that are too long are left out."""
    found = []
    for folder in (firmware, firmware / "nnet_utils"):
        for path in sorted((*folder.glob("*.cpp"), *folder.glob("*.h"))):
            if path.is_file() and path.stat().st_size <= MAX_CODE_BYTES:
                faults = pragma_faults(read_text(path, MAX_CODE_BYTES))
                found += [f"{path.name}, line {one.line}: {one.why}" for one in faults]
    return tuple(found)


def require_writers(
    layers: tuple[TemplateCall, ...], clones: Mapping[str, tuple[str, ...]], code: str, top: Path
) -> None:
    """Refuse a top function that reads a variable of its own which nothing writes.

    hls4ml leaves out the call of a layer that its backend has no template for, and says nothing.

    Raises UnreadableProjectError.
    """
    known = {one.name for one in layers}.union(*clones.values())
    body = "\n".join(line for line in code.partition("{")[2].splitlines() if not line.startswith("#"))
    body = _TEXT.sub("", body)
    for layer in layers:
        for name in dict.fromkeys(layer.streams):
            mentions = re.findall(rf"\b{re.escape(name)}\b", body)
            read = sum(one.streams.count(name) for one in layers)
            if name not in known and len(mentions) == read + 1 and _declared_in(name, body):
                why = (
                    f"'{name}' is read by '{layer.title}' and nothing writes it: hls4ml leaves out a layer that its"
                    " backend does not have"
                )
                raise UnreadableProjectError(file=top, why=why)


def _declared_in(name: str, body: str) -> bool:
    """Whether a function declares an array or a stream of this name; else it is a parameter."""
    return re.search(rf"\b\w+>? {re.escape(name)} ?[\[;(]", body) is not None
