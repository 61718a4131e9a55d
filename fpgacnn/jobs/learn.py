"""`estimate --learn`: put synthesized designs of the user into the calibration file that later estimates use."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import (
    FileMissingError,
    NoReportsError,
    NothingLearnedError,
    UnknownPartError,
    UnreadableProjectError,
)
from fpgacnn.hardware.estimation import Estimate, estimate
from fpgacnn.hardware.estimation.calibration.own_designs import (
    OwnDesign,
    add_own_designs,
    estimator_version,
    outdated,
    read_own_designs,
)
from fpgacnn.hardware.estimation.constants import shipped
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph
from fpgacnn.hardware.estimation.graph.project_files import is_project
from fpgacnn.hardware.synthesis import SynthesisReport, read
from fpgacnn.hardware.synthesis.read import UNREADABLE
from fpgacnn.jobs.synth import firmware_digest, of_last_run, of_this_firmware
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
    """The designs that were learned now, folders and reports that were not with the reason, all designs of the file.

    `outdated` of them were learned by another version of the estimate, and do not count.
    """

    file: str
    designs: tuple[OwnDesign, ...]
    left_out: tuple[str, ...]
    known: int
    outdated: int = 0

    @property
    def line(self) -> str:
        """How many designs were learned, and where they are."""
        return f"{len(self.designs)} designs learned, {self.known} in {self.file}"

    @property
    def outdated_line(self) -> str:
        """The designs of the file that do not count any more; empty if all do."""
        return outdated(self.outdated) if self.outdated else ""

    def to_json(self) -> str:
        """All of it as a JSON document."""
        return json.dumps(plain(self), indent=1)


def learn(folders: Sequence[Path]) -> Learned:
    """Add every folder with a project of hls4ml and its reports of C synthesis to the local calibration file.

    Raises FileMissingError, NothingLearnedError if no folder has both, CalibrationFileError, WriteError.
    """
    read_own_designs()  # report a damaged file before the work
    found = [one for folder in folders for one in _own_design(folder)]
    designs = tuple(one for one in found if isinstance(one, OwnDesign))
    left_out = tuple(one for one in found if isinstance(one, str))
    if not designs:
        raise NothingLearnedError(why="; ".join(left_out) or "no folder was given")
    file, together = add_own_designs(designs)
    older = sum(not one.is_current for one in together)
    return Learned(file=str(file), designs=designs, left_out=left_out, known=len(together), outdated=older)


def _own_design(folder: Path) -> Iterator[OwnDesign | str]:
    """What a folder teaches, and why it teaches nothing, or reports of it do not."""
    if not folder.is_dir():
        raise FileMissingError(file=folder, why="no such folder")
    if not is_project(folder):
        yield f"{folder}: no project of hls4ml (firmware/parameters.h is missing)"
        return
    try:
        report = read(folder)
        graph = read_project(folder, report.part, report.csynth.clock.target_ns if report.csynth else None)
        answer = estimate(graph, shipped())
    except (NoReportsError, *UNREADABLE, UnreadableProjectError, UnknownPartError) as error:
        yield f"{folder}: {error}"
        return
    if report.csynth is None or report.network is None:
        yield f"{folder}: no report of C synthesis of the top function"
        return
    if not of_this_firmware(folder, folder / report.csynth.origin.file):
        yield f"{folder}: the reports are of an earlier firmware; run fpgacnn synth again"
        return
    old = {
        one.origin.file
        for one in (report.synth, report.impl)
        if one and not of_last_run(folder, one.origin.file, one.date, report.csynth.date)
    }
    yield from (f"{folder}: {file} is older than the last C synthesis or the firmware" for file in sorted(old))
    yield _compared(folder, graph, answer, report, old)


def _compared(
    folder: Path,
    graph: HardwareGraph,
    answer: Estimate,
    report: SynthesisReport,
    old: Collection[str] = (),
) -> OwnDesign:
    """What a design teaches. With adder graphs, "after LUT" is no share of csynth's LUTs, so it is not learned.

    `old` are reports of Vivado that are not of the last run.
    """
    graphs = any(layer.adder_graph for layer in graph.layers)
    pairs = [one for one in _pairs(answer, report, old) if not (graphs and one[0] == "after LUT")]
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
        estimator=estimator_version(),
    )


def _pairs(answer: Estimate, report: SynthesisReport, old: Collection[str]) -> Iterator[tuple[str, float, float]]:
    """Quantity, estimate and report. Vivado counts a wrapper on top with the network: then only csynth is compared."""
    wrapped = report.network is not report.csynth
    costs = tuple(one for one in resource_reports(answer, report) if one.file not in old or not one.file)
    for one in estimate_errors(costs):
        if one.quantity not in NAMES:
            continue
        if one.source is Source.CSYNTH:
            yield NAMES[one.quantity], one.estimated, one.reported
        elif one.source in PLACED and not wrapped and not one.quantity.endswith("cycles"):
            yield f"after {NAMES[one.quantity]}", one.estimated, one.reported
