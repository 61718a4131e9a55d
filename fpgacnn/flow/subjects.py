"""What a report is about: projects and saved records, each with a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fpgacnn.errors import NoReportsError, NothingToReportError
from fpgacnn.flow.ledger import Cost, costs, last_word
from fpgacnn.flow.reading import read_run
from fpgacnn.flow.record import RunRecord
from fpgacnn.project import RECORD
from fpgacnn.synthesis import SynthesisReport
from fpgacnn.synthesis import read as read_reports


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A run under the name that reports call it by, or a project that fpgacnn did not make: then there is no record."""

    name: str
    record: RunRecord | None
    synthesis: SynthesisReport | None = None

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What it costs, by everybody who says so."""
        return costs(self.record.estimate if self.record else None, self.synthesis)

    @property
    def holds(self) -> bool:
        """Every check in it holds: comparisons, and the room on the part where that is known."""
        word = last_word(self.costs)
        return (self.record is None or self.record.holds) and (word is None or word.fits is True)

    @property
    def title(self) -> str:
        """The network's file, or the project where that is not known."""
        return self.record.model.file if self.record else self.name


def open_subjects(paths: Sequence[Path]) -> tuple[Subject, ...]:
    """Project folders, any with reports of synthesis among them, or files that hold what `--json` printed.

    Raises NothingToReportError, RecordError, and what reading reports of synthesis raises.
    """
    subjects = tuple(map(_open, paths))
    names = Counter(subject.name for subject in subjects)
    return tuple(replace(one, name=str(path)) if names[one.name] > 1 else one for one, path in zip(subjects, paths, strict=True))


def _open(path: Path) -> Subject:
    if path.is_file():
        record = read_run(path)
        return Subject(name=path.stem, record=record, synthesis=record.synthesis)
    record_file = path / RECORD
    of_run = read_run(record_file) if record_file.exists() or record_file.is_symlink() else None
    synthesis = _reports(path)
    if of_run is None and synthesis is None:
        raise NothingToReportError(folder=path)
    return Subject(name=path.resolve().name, record=of_run, synthesis=synthesis or (of_run.synthesis if of_run else None))


def _reports(folder: Path) -> SynthesisReport | None:
    if not folder.is_dir():
        return None
    try:
        return read_reports(folder)
    except NoReportsError:
        return None
