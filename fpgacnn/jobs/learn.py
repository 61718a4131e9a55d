"""`estimate --learn`: put synthesized designs of the user into the calibration file that later estimates use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import (
    FileMissingError,
    NoReportsError,
    NothingLearnedError,
    ReportBrokenError,
    ReportForeignError,
    ReportRefusedError,
    ReportUnknownFormError,
    UnknownPartError,
    UnreadableProjectError,
)
from fpgacnn.hardware.estimation import Estimate, estimate
from fpgacnn.hardware.estimation.calibration.own_designs import (
    OwnDesign,
    add_own_designs,
    read_own_designs,
)
from fpgacnn.hardware.estimation.constants import shipped
from fpgacnn.hardware.estimation.graph.from_folder import is_project, read_project
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph
from fpgacnn.hardware.synthesis import SynthesisReport, read
from fpgacnn.jobs.synth import firmware_digest, of_this_firmware
from fpgacnn.records.display import Displayed
from fpgacnn.records.record import plain
from fpgacnn.records.resources import Source, estimate_errors, resource_reports

NAMES = {
    "lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram_18k": "BRAM_18K",
    "latency_cycles": "latency",
    "interval_cycles": "II",
}
PLACED = (Source.SYNTH, Source.IMPL)
"""Reports after logic synthesis; those of the placed design come last and replace the others."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Learned(Displayed):
    """The designs that were learned now, the folders that were not with the reason, and all designs of the file."""

    file: str
    designs: tuple[OwnDesign, ...]
    left_out: tuple[str, ...]
    known: int

    @property
    def line(self) -> str:
        """How many designs were learned, and where they are."""
        return f"{len(self.designs)} designs learned, {self.known} in {self.file}"

    def to_json(self) -> str:
        """All of it as a JSON document."""
        return json.dumps(plain(self), indent=1)


def learn(folders: Sequence[Path]) -> Learned:
    """Add every folder with a project of hls4ml and its reports of C synthesis to the local calibration file.

    Raises FileMissingError, NothingLearnedError if no folder has both, CalibrationFileError, WriteError.
    """
    read_own_designs()  # report a damaged file before the work
    found = [_own_design(folder) for folder in folders]
    designs = tuple(one for one in found if isinstance(one, OwnDesign))
    left_out = tuple(one for one in found if isinstance(one, str))
    if not designs:
        raise NothingLearnedError(why="; ".join(left_out) or "no folder was given")
    file, together = add_own_designs(designs)
    return Learned(file=str(file), designs=designs, left_out=left_out, known=len(together))


def _own_design(folder: Path) -> OwnDesign | str:
    """What a folder teaches, or why it teaches nothing."""
    if not folder.is_dir():
        raise FileMissingError(file=folder, why="no such folder")
    if not is_project(folder):
        return f"{folder}: no project of hls4ml (firmware/parameters.h is missing)"
    try:
        report = read(folder)
        graph = read_project(folder, report.part, report.csynth.clock.target_ns if report.csynth else None)
        answer = estimate(graph, shipped())
    except (NoReportsError, ReportBrokenError, ReportForeignError, ReportRefusedError, ReportUnknownFormError) as error:
        return f"{folder}: {error}"
    except (UnreadableProjectError, UnknownPartError) as error:
        return f"{folder}: {error}"
    if report.csynth is None or report.network is None:
        return f"{folder}: no report of C synthesis of the top function"
    if not of_this_firmware(folder, folder / report.csynth.origin.file):
        return f"{folder}: the reports are of an earlier firmware; run fpgacnn synth again"
    return _compared(folder, graph, answer, report)


def _compared(folder: Path, graph: HardwareGraph, answer: Estimate, report: SynthesisReport) -> OwnDesign:
    """What a design teaches. With adder graphs, "after LUT" is no share of csynth's LUTs, so it is not learned."""
    graphs = any(layer.adder_graph for layer in graph.layers)
    pairs = [one for one in _pairs(answer, report) if not (graphs and one[0] == "after LUT")]
    return OwnDesign(
        name=folder.resolve().name,
        firmware=firmware_digest(folder),
        tool=graph.tool.value,
        version=report.version or "",
        part=graph.part,
        clock_ns=graph.clock_ns,
        io=graph.io.value,
        estimated={quantity: estimated for quantity, estimated, _ in pairs},
        reported={quantity: reported for quantity, _, reported in pairs},
    )


def _pairs(answer: Estimate, report: SynthesisReport) -> Iterator[tuple[str, float, float]]:
    """Quantity, estimate and report. Vivado counts a wrapper on top with the network: then only csynth is compared."""
    wrapped = report.network is not report.csynth
    for one in estimate_errors(resource_reports(answer, report)):
        if one.quantity not in NAMES:
            continue
        if one.source is Source.CSYNTH:
            yield NAMES[one.quantity], one.estimated, one.reported
        elif one.source in PLACED and not wrapped and not one.quantity.endswith("cycles"):
            yield f"after {NAMES[one.quantity]}", one.estimated, one.reported
