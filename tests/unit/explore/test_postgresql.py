"""The storage of a study in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fpgacnn.errors import StudyStorageError
from fpgacnn.jobs.explore.storage import opened
from tests.support.optional import needs_optuna
from tests.support.postgresql import server
from tests.support.studies import small_study

pytestmark = needs_optuna


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with server() as url:
        yield url


def test_trials_are_in_the_database_and_come_back_when_it_lost_them(tmp_path: Path, database: str) -> None:
    """Two studies share it; one is continued; a study whose rows are gone gets them again."""
    first = small_study(tmp_path, "first", trials=10, storage=database)
    other = small_study(tmp_path, "other", trials=10, storage=database, seed=2)
    first = small_study(tmp_path, "first", trials=20, storage=database)
    for study, count in ((first, 20), (other, 10)):
        assert stored(Path(study.folder), study, database) == count
    with opened(Path(first.folder), first.settings, database, first.settings.identity) as storage:
        storage.backend.delete_study(storage.number)
    again = small_study(tmp_path, "first", trials=20, storage=database)
    assert again.computed == 0
    assert stored(Path(first.folder), again, database) == 20


def stored(folder: Path, record: object, url: str) -> int:
    """Trials of a study in the database; their points are those of the folder."""
    with opened(folder, record.settings, url, record.settings.identity) as storage:
        trials = storage.backend.get_all_trials(storage.number)
    assert [one.params for one in trials] == [dict(one.values) for one in record.points[: len(trials)]]
    return len(trials)


def test_a_database_that_does_not_answer_is_named_and_the_study_is_kept(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://me:secret@/postgres?host={tmp_path}"
    with pytest.raises(StudyStorageError, match="storage postgresql\\+psycopg://me@/postgres") as caught:
        small_study(tmp_path, trials=10, storage=url)
    assert "secret" not in str(caught.value)
    assert (tmp_path / "study" / "fpgacnn-study.json").is_file()
