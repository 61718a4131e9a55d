"""The settings of an hls4ml project folder: tool, its version, part, clock, and directives for multipliers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.design import BackendName
from fpgacnn.hardware.estimation.graph.cpp_text import read_text
from fpgacnn.system.files.regular import ANY_SIZE, open_regular

CONFIGURATIONS = ("hls4ml_config.yml", "hls4ml_config.yaml")
SCRIPTS = ("project.tcl", "build_prj.tcl", "vivado_synth.tcl")
MULTIPLIER_HEADERS = ("nnet_mult.h", "nnet_dense.h", "nnet_dense_latency.h", "nnet_dense_resource.h", "nnet_conv2d.h")

MAX_REPORT_DEPTH = 8
MAX_REPORT_FILES = 20_000
REPORT_HEAD = 4096
FIRST_VITIS_HLS = (2020, 2)
"""Vivado HLS ends with 2020.1. A report of Vitis HLS 2020.1 has that name in its heading."""

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_REPORT = re.compile(r"(.+_)?csynth\.(rpt|xml)")
_VERSION = re.compile(r"(?:\* Version:\s{1,40}(?:Vi\w{3,4} HLS )?|<Version>|\bHLS v?)(20[0-9]{2}\.[0-9])")
_MULTIPLIERS = (
    re.compile(r"^[ \t]*config_op[ \t]+mul[ \t](?:[^\n]{0,200}[ \t])?-impl[ \t]+(dsp|fabric)\b", re.MULTILINE),
    re.compile(r"^[ \t]*config_op[ \t](?:[^\n]{0,200}[ \t])?-impl[ \t]+(dsp|fabric)[ \t]+mul\b", re.MULTILINE),
)
_PRAGMA = re.compile(
    r"^[ \t]*#[ \t]*pragma[ \t]+HLS[ \t]+BIND_OP[ \t]+(?=[^\n]{0,200}\bop[ \t]?=[ \t]?mul\b)[^\n]{0,200}"
    r"\bimpl[ \t]?=[ \t]?(dsp|fabric)\b",
    re.MULTILINE | re.IGNORECASE,
)
_CORE = re.compile(
    r"^[ \t]*#[ \t]*pragma[ \t]+HLS[ \t]+RESOURCE[ \t][^\n]{0,200}\bcore[ \t]?=[ \t]?(Mul_LUT|DSP48|Mul_DSP)\b",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """What a project's files give of tool, version, part and clock; None where they give nothing.

    `uncertainty_ns` is the part of the clock period that the scheduler leaves free. `multipliers` is "dsp" or "fabric"
    where a directive forces every multiplier there, else empty.
    """

    part: str | None = None
    clock_ns: float | None = None
    backend: BackendName | None = None
    uncertainty_ns: float | None = None
    version: str = ""
    multipliers: str = ""


def settings(folder: Path) -> FolderSettings:
    """The settings of a project folder.

    The tool is that of hls4ml_config.yml, else that of the reports' version, else that of project.tcl: hls4ml 0.7 to
    1.0 wrote `set backend "vivado"` there for Vitis HLS, too. The version is that of the reports.

    Raises UnreadableProjectError.
    """
    configuration, scripts = _texts(folder, CONFIGURATIONS), _texts(folder, SCRIPTS)
    text = f"{scripts}\n{configuration}"
    clock = _positive(
        _first(
            text,
            r"^[ \t]*set\s+clock_period\s+\"?([\d.]+)",
            r"create_clock\s+-period\s+([\d.]+)",
            r"^ClockPeriod:\s*([\d.]+)",
        )
    )
    uncertainty = _first(
        text,
        r"^[ \t]*set\s+clock_uncertainty\s+\"?([\d.]+%?)",
        r"^[ \t]*set_clock_uncertainty\s+\"?([\d.]+%?)",
        r"^ClockUncertainty:\s*['\"]?([\d.]+%?)",
    )
    heading = next(_report_heads(folder), "")
    version = _VERSION.search(heading)
    return FolderSettings(
        part=_first(
            text,
            r"^[ \t]*set\s+part\s+\"?([\w-]+)",
            r"set_part\s+\{?\"?(xc[\w-]+)",
            r"^(?:Xilinx)?Part:\s*['\"]?([\w-]+)",
        ),
        clock_ns=clock,
        backend=_tool(_first(configuration, r"^Backend:\s*['\"]?(\w+)"))
        or _tool_of_report(heading, version.group(1) if version else "")
        or _tool(_first(scripts, r"^[ \t]*set\s+backend\s+\"?(\w+)")),
        uncertainty_ns=_uncertainty(uncertainty, clock),
        version=version.group(1) if version else "",
        multipliers=_multipliers(folder, scripts),
    )


def _texts(folder: Path, names: tuple[str, ...]) -> str:
    return "\n".join(read_text(folder / name) for name in names if (folder / name).is_file())


def _first(text: str, *patterns: str) -> str | None:
    """What the first pattern that occurs finds."""
    found = (re.search(pattern, text, re.MULTILINE | re.IGNORECASE) for pattern in patterns)
    return next((one.group(1) for one in found if one), None)


def _positive(text: str | None) -> float | None:
    return float(text) if text and _NUMBER.fullmatch(text) and float(text) > 0 else None


def _uncertainty(text: str | None, clock_ns: float | None) -> float | None:
    """Nanoseconds, from nanoseconds or from a share of the clock period; None for a share of all of it or more."""
    if text is None or clock_ns is None or not _NUMBER.fullmatch(text.removesuffix("%")):
        return None
    value = float(text.removesuffix("%"))
    found = clock_ns * value / 100 if text.endswith("%") else value
    return found if found < clock_ns else None


def _tool(backend: str | None) -> BackendName | None:
    """The tool of a backend of hls4ml; `Pynq` is the oldest name of the accelerator backend of Vivado HLS."""
    name = (backend or "").lower()
    if name.startswith("vitis"):
        return BackendName.VITIS
    return BackendName.VIVADO if name.startswith(("vivado", "pynq")) else None


def _tool_of_report(heading: str, version: str) -> BackendName | None:
    if "Vitis HLS" in heading:
        return BackendName.VITIS
    if not version:
        return BackendName.VIVADO if "Vivado HLS" in heading else None
    year, number = (int(part) for part in version.split("."))
    return BackendName.VITIS if (year, number) >= FIRST_VITIS_HLS else BackendName.VIVADO


def _report_heads(folder: Path) -> Iterator[str]:
    """The first characters of the reports of C synthesis, in the order of their paths; links are not followed."""
    seen = 0
    for here, folders, files in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < MAX_REPORT_DEPTH else []
        for name in sorted(files):
            seen += 1
            if seen > MAX_REPORT_FILES:
                return
            path = Path(here) / name
            if _REPORT.fullmatch(name) and path.is_file():
                head = _head(path)
                if _VERSION.search(head):
                    yield head


def _head(path: Path) -> str:
    try:
        with open_regular(path, limit=ANY_SIZE, links=False) as file:
            return file.read(REPORT_HEAD).decode("utf-8", "replace")
    except OSError:  # `fpgacnn report` names a report that cannot be read
        return ""


def _multipliers(folder: Path, scripts: str) -> str:
    """Where a directive puts multipliers: in scripts for the whole design, in headers for the products of layers."""
    for pattern in _MULTIPLIERS:
        found = pattern.search(scripts)
        if found:
            return found.group(1).lower()
    code = _texts(folder / "firmware" / "nnet_utils", MULTIPLIER_HEADERS)
    bound, core = _PRAGMA.search(code), _CORE.search(code)
    if bound:
        return bound.group(1).lower()
    if core:
        return "fabric" if core.group(1).lower() == "mul_lut" else "dsp"
    return ""
