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
    ReportForeignError,
    UnknownPartError,
    UnreadableProjectError,
)
from fpgacnn.frontends.files import is_model_file
from fpgacnn.hardware.estimation import Estimate
from fpgacnn.hardware.estimation.graph.project_files import is_project
from fpgacnn.hardware.synthesis import SynthesisReport
from fpgacnn.hardware.synthesis import read as read_reports
from fpgacnn.hardware.synthesis.read import UNREADABLE
from fpgacnn.records.display import Displayed
from fpgacnn.records.estimates import TargetOverrides, of_foreign_project
from fpgacnn.records.read_record import read_run
from fpgacnn.records.record import RunRecord
from fpgacnn.records.resources import ResourceReport, latest, resource_reports


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportInput(Displayed):
    """A run with its name in reports, or a project that fpgacnn did not write.

    For the latter there is no record, and `guess` is its estimate. `notes` say what could not be read; with
    `none_read`, these are the reports of tools in the folder.
    """

    name: str
    record: RunRecord | None
    synthesis: SynthesisReport | None = None
    guess: Estimate | None = None
    notes: tuple[str, ...] = ()
    none_read: bool = False

    @property
    def broken(self) -> bool:
        """Whether reports of a tool cannot be read, so that it is not known whether their checks hold.

        A report of a tool that fpgacnn does not read says nothing of this design.
        """
        unread = self.synthesis.unread if self.synthesis else ()
        return self.none_read or any(one.code != ReportForeignError.code for one in unread)

    @property
    def line(self) -> str:
        """The name, and whether every check holds."""
        words = "a check failed" if self._failed else "reports cannot be read" if self.broken else "every check holds"
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
        return not self._failed and not self.broken

    @property
    def _failed(self) -> bool:
        word = latest(self.costs)
        return (
            (self.record is not None and not self.record.holds)
            or (word is not None and word.fits is not True)
            or (self.estimate is not None and self.estimate.stops)
            or (self.synthesis is not None and not self.synthesis.holds)
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
        except UNREADABLE as error:
            return ReportInput(
                name=name,
                record=record,
                synthesis=record.synthesis,
                notes=(f"reports in the folder: {error}",),
                none_read=True,
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
