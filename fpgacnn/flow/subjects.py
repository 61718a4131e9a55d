"""What a report is about: projects and saved records, each with a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fpgacnn.errors import NothingToReportError
from fpgacnn.flow.reading import read_run
from fpgacnn.flow.record import RunRecord
from fpgacnn.project import RECORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A run under the name that reports call it by."""

    name: str
    record: RunRecord

    @property
    def holds(self) -> bool:
        """Every check in it holds: comparisons, and the room on the part where that is known."""
        return self.record.holds


def open_subjects(paths: Sequence[Path]) -> tuple[Subject, ...]:
    """Project folders, or files that hold what `--json` printed.

    Raises NothingToReportError, RecordError.
    """
    subjects = tuple(map(_open, paths))
    names = Counter(subject.name for subject in subjects)
    return tuple(replace(one, name=str(path)) if names[one.name] > 1 else one for one, path in zip(subjects, paths, strict=True))


def _open(path: Path) -> Subject:
    if path.is_file():
        return Subject(name=path.stem, record=read_run(path))
    if not (path / RECORD).is_file():
        raise NothingToReportError(folder=path)
    return Subject(name=path.resolve().name, record=read_run(path / RECORD))
