"""What a report shows: projects and saved records, each with a unique name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fpgacnn.design.project import RECORD
from fpgacnn.errors import (
    FileMissingError,
    ModelGivenError,
    NoReportsError,
    NothingToReportError,
    ReportBrokenError,
    ReportForeignError,
    ReportRefusedError,
    ReportUnknownFormError,
    UnknownPartError,
    UnreadableProjectError,
)
from fpgacnn.frontends.files import is_model_file
from fpgacnn.hardware.estimation import Estimate
from fpgacnn.hardware.estimation.graph.from_folder import is_project
from fpgacnn.hardware.synthesis import SynthesisReport
from fpgacnn.hardware.synthesis import read as read_reports
from fpgacnn.records.display import Displayed
from fpgacnn.records.estimates import TargetOverrides, of_foreign_project
from fpgacnn.records.read_record import read_run
from fpgacnn.records.record import RunRecord
from fpgacnn.records.resources import ResourceReport, latest, resource_reports


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportInput(Displayed):
    """A run with its name in reports, or a project that fpgacnn did not write.

    For the latter there is no record, and `guess` is its estimate. `notes` say what could not be read; with `broken`,
    these are reports of tools, so that it is not known whether their checks hold.
    """

    name: str
    record: RunRecord | None
    synthesis: SynthesisReport | None = None
    guess: Estimate | None = None
    notes: tuple[str, ...] = ()
    broken: bool = False

    @property
    def line(self) -> str:
        """The name, and whether every check holds."""
        words = "reports cannot be read" if self.broken else "every check holds" if self.holds else "a check failed"
        return f"report of {self.name}: {words}"

    @property
    def estimate(self) -> Estimate | None:
        """The estimate, which needs no vendor tool."""
        return self.record.estimate if self.record else self.guess

    @property
    def costs(self) -> tuple[ResourceReport, ...]:
        """Resources by source: the estimate and every report of a tool."""
        return resource_reports(self.estimate, self.synthesis)

    @property
    def holds(self) -> bool:
        """Whether every check holds: comparisons, resources of the part, and checks of the tools."""
        word = latest(self.costs)
        fits = word is None or word.fits is True
        stops = self.estimate is not None and self.estimate.stops
        return (
            (self.record is None or self.record.holds)
            and fits
            and not stops
            and not self.broken
            and (self.synthesis is None or self.synthesis.holds)
        )

    @property
    def title(self) -> str:
        """The network's file, or the project if the file is not known."""
        return self.record.model.file if self.record else self.name


def open_inputs(paths: Sequence[Path]) -> tuple[ReportInput, ...]:
    """Open project folders of fpgacnn or hls4ml, folders with synthesis reports, and files with the output of `--json`.

    Raises FileMissingError, ModelGivenError, NothingToReportError, RecordError, and the errors of reading reports.
    """
    entries = tuple(map(_open, paths))
    names = Counter(entry.name for entry in entries)
    return tuple(
        replace(one, name=str(path)) if names[one.name] > 1 else one for one, path in zip(entries, paths, strict=True)
    )


def _open(path: Path) -> ReportInput:
    if is_model_file(path):
        raise ModelGivenError(file=path)
    if path.is_file():
        record = read_run(path)
        return ReportInput(name=path.stem, record=record, synthesis=record.synthesis)
    if not path.is_dir():
        raise FileMissingError(file=path, why="no such file or folder")
    name, record_file = path.resolve().name, path / RECORD
    if record_file.exists() or record_file.is_symlink():
        record = read_run(record_file)
        try:
            return ReportInput(name=name, record=record, synthesis=_reports(path) or record.synthesis)
        except (ReportBrokenError, ReportForeignError, ReportRefusedError, ReportUnknownFormError) as error:
            return ReportInput(
                name=name,
                record=record,
                synthesis=record.synthesis,
                notes=(f"reports in the folder: {error}",),
                broken=True,
            )
    synthesis = _reports(path)
    if is_project(path):
        try:
            guess = of_foreign_project(path, TargetOverrides()).estimate
        except (UnreadableProjectError, UnknownPartError) as error:
            return ReportInput(name=name, record=None, synthesis=synthesis, notes=(f"no estimate: {error}",))
        return ReportInput(name=name, record=None, synthesis=synthesis, guess=guess)
    if synthesis is None:
        raise NothingToReportError(folder=path)
    return ReportInput(name=name, record=None, synthesis=synthesis)


def _reports(folder: Path) -> SynthesisReport | None:
    try:
        return read_reports(folder)
    except NoReportsError:
        return None
