"""The RTL that reports of an RTL project belong to, and notes where it is not the RTL in the folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.design.project import files_digest
from fpgacnn.errors import FileMissingError
from fpgacnn.hardware.synthesis.open_tools.sources import MAX_BYTES, Sources, has_rtl, read_sources
from fpgacnn.hardware.synthesis.report import SynthesisReport
from fpgacnn.system.files.regular import read_regular

FOLDER, SCRIPT = "vivado", "build.tcl"
SYNTHESIZED = "fpgacnn_sources.log"
"""The digests of a finished run of Vivado."""

REPORTS = ("utilization_synth.rpt", "utilization_impl.rpt", "timing_impl.rpt")
"""What the script writes."""

OTHER_RTL = "is of another version of the RTL than that in the folder"
OTHER_SCRIPT = f"is of another {FOLDER}/{SCRIPT}, or of other constraints, than those in the folder"
UNKNOWN = "was not made by a finished run of `fpgacnn synth`; its RTL is not known"

_LINES = re.compile(r"rtl ([0-9a-f]{64})\nscript ([0-9a-f]{64})\nreports ([0-9a-f]{64})\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class VivadoRun:
    """What a run of Vivado reads and writes, as sha256: the RTL, the script with its constraints, and the reports.

    `reports` is None where one of REPORTS is missing or cannot be read.
    """

    rtl: str
    script: str
    reports: str | None

    @property
    def text(self) -> str:
        """The content of the file SYNTHESIZED."""
        return f"rtl {self.rtl}\nscript {self.script}\nreports {self.reports}\n"


def present_run(folder: Path, sources: Sources) -> VivadoRun:
    """The digests of what lies in the folder now.

    Raises FileMissingError where the script or its constraints cannot be read.
    """
    place = folder / FOLDER
    try:
        own = {one.name: read_regular(one, limit=MAX_BYTES) for one in (place / SCRIPT, *sorted(place.glob("*.xdc")))}
    except OSError as error:
        raise FileMissingError(file=place, why=error.strerror or str(error)) from error
    return VivadoRun(rtl=sources.digest, script=files_digest(own), reports=reports_digest(place))


def reports_digest(place: Path) -> str | None:
    """The digest of the reports; None where one is missing or cannot be read."""
    with suppress(OSError):
        return files_digest({name: read_regular(place / name, limit=MAX_BYTES) for name in REPORTS})
    return None


def finished_run(place: Path) -> VivadoRun | None:
    """The last run that ended well; None where there is none."""
    with suppress(OSError):
        text = read_regular(place / SYNTHESIZED, limit=1 << 10).decode("ascii", "replace")
        if found := _LINES.fullmatch(text):
            return VivadoRun(rtl=found[1], script=found[2], reports=found[3])
    return None


def other_rtl(folder: Path, report: SynthesisReport) -> Iterator[str]:
    """Notes on reports of Vivado and of open tools whose RTL is not that in the folder, or is not known.

    Raises FileMissingError where the RTL cannot be read.
    """
    made = [one for one in report.utilizations if one.sources]
    opened = {one.origin.file for one in made}
    files = [*(one.origin.file for one in report.utilizations), *(one.origin.file for one in report.timings)]
    ours = [file for file in files if file.startswith(f"{FOLDER}/") and file not in opened]
    if not (made or ours) or not has_rtl(folder):
        return
    sources = read_sources(folder, "report")
    for one in made:
        if one.sources != sources.digest:
            yield f"{one.origin.file} {OTHER_RTL}"
    why = _other_run(folder, sources) if ours else None
    written = {f"{FOLDER}/{name}" for name in REPORTS}
    for file in ours:
        if file not in written:
            yield f"{file} {UNKNOWN}"
        elif why:
            yield f"{file} {why}"


def _other_run(folder: Path, sources: Sources) -> str | None:
    """Why the reports of Vivado are not those of the project as it is; None where they are."""
    place = folder / FOLDER
    run = finished_run(place)
    if run is None or run.reports != reports_digest(place):
        return UNKNOWN
    if run.rtl != sources.digest:
        return OTHER_RTL
    if not (place / SCRIPT).is_file() or run.script != present_run(folder, sources).script:
        return OTHER_SCRIPT
    return None
