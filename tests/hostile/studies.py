"""Folders of studies, and what reads them: searches, reports, conversions of points."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from fpgacnn.jobs.explore import folder as study_folder
from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.sampler import importances_of
from fpgacnn.jobs.explore.storage import JOURNAL
from fpgacnn.reporting.page.study import study_page
from fpgacnn.reporting.terminal.exploring import study_report
from tests.hostile import mutations
from tests.support.studies import small_study

POINTS = 4


@cache
def studies() -> tuple[bytes, ...]:
    """The records of a study of some points; without model and data, which have targets of their own."""
    with TemporaryDirectory() as folder:
        made = Path(small_study(Path(folder), trials=POINTS).folder)
        kept = [one for one in sorted(made.rglob("*")) if one.is_file() and one.name != JOURNAL]
        files = {one.relative_to(made).as_posix(): one.read_bytes() for one in kept if one.suffix == ".json"}
    level = b'{"number": 1, "level": "fine-tuned", "quality": 0.5, "project": "tuned/1.h5", "holds": null}'
    return (mutations.archive({**files, "levels/000001-tuned.json": level}),)


def use_study(path: Path) -> None:
    """Read a study, and show it."""
    record = read_study(path)
    study_folder.StudyFolder(folder=path).pending()
    study_page(record, importances_of(record.settings, record.points), None)
    study_report(record)
