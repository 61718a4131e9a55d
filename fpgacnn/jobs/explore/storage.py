"""Finished trials in a storage of Optuna, for its dashboard and other tools: SQLite, a journal file, or a database.

A search continues from the folder of the study. A storage that has fewer trials, because a command was killed or a
journal was cut short, gets the missing ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgacnn.errors import MissingExtraError, StudyStorageError, UsageError, printable
from fpgacnn.jobs.explore.record import StudyPoint, StudySettings
from fpgacnn.jobs.explore.sampler import frozen, open_optuna, quiet
from fpgacnn.system.files.regular import ANY_SIZE, open_regular

DATABASE, JOURNAL = "optuna.db", "optuna.journal"
_URL = re.compile(r"[a-z][a-z0-9+_.-]*://", re.IGNORECASE)
_SECRET = re.compile("pass|pwd|secret|token|odbc_connect", re.IGNORECASE)
"""Names in the query of a URL whose values are or have a password."""


def storage_name(text: str | None) -> str:
    """The storage as the settings of a study name it, without a password: `sqlite`, `journal`, a path or a URL.

    Raises UsageError, MissingExtraError.
    """
    if text is None or text in {"sqlite", "journal"}:
        return text or "sqlite"
    scheme = _URL.match(text)
    if not scheme:
        return text
    shown = f"{scheme.group()}..."  # what follows can have a password at any place
    with _named(shown):
        from sqlalchemy.engine import URL, make_url
        from sqlalchemy.exc import ArgumentError as UrlError
        from sqlalchemy.exc import NoSuchModuleError

        try:
            found = make_url(text)
            found.get_dialect().import_dbapi()
        except (UrlError, NoSuchModuleError, ValueError) as error:
            raise UsageError(what=f"--storage {shown}: not a URL of a database") from error
        if found.host and "@" in f"{found.host}{found.database or ''}":
            what = f"--storage {shown}: write @, : and / in the name and the password as %40, %3A and %2F"
            raise UsageError(what=what)
        query = {name: value for name, value in found.query.items() if not _SECRET.search(name)}
        plain = URL.create(found.drivername, found.username, None, found.host, found.port, found.database, query)
        return plain.render_as_string(hide_password=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStorage:
    """The storage of one study, opened."""

    name: str
    settings: StudySettings
    backend: Any
    number: int

    @property
    def count(self) -> int:
        """Trials in the storage."""
        with _named(self.name):
            return int(self.backend.get_n_trials(self.number))

    def complete(self, points: Sequence[StudyPoint]) -> None:
        """Add the trials that the storage lacks.

        Raises StudyStorageError, also where it has others.
        """
        there = self.count
        if there > len(points):
            why = f"it has {there} trials of a study of {len(points)}: the folder was replaced by an older copy"
            raise StudyStorageError(storage=self.name, why=why)
        with _named(self.name), quiet():
            for one in points[there:]:
                self.backend.create_new_trial(self.number, template_trial=frozen(one, self.settings))

    def close(self) -> None:
        """Release connections."""
        engine = getattr(getattr(self.backend, "_backend", self.backend), "engine", None)
        if engine is not None:
            engine.dispose()


@contextmanager
def opened(folder: Path, settings: StudySettings, given: str | None, identity: str) -> Iterator[TrialStorage]:
    """The storage of a study. `given` may have the password that the settings do not have.

    Raises StudyStorageError, MissingExtraError.
    """
    name = settings.storage
    with _named(name), quiet():
        backend = _backend(folder, name, given or name)
        number = _study_number(backend, identity, settings)
    storage = TrialStorage(name=name, settings=settings, backend=backend, number=number)
    try:
        yield storage
    finally:
        storage.close()


def _backend(folder: Path, name: str, url: str) -> Any:
    optuna = open_optuna()
    if name == "sqlite":
        return optuna.storages.RDBStorage(f"sqlite:///{folder.absolute() / DATABASE}")
    if _URL.match(name):
        return optuna.storages.RDBStorage(url)
    file = folder / JOURNAL if name == "journal" else Path(name)
    if name == "journal":  # only this command writes it, so a lock that is there was left by a killed one
        with suppress(FileNotFoundError):
            Path(f"{file}.lock").unlink()
        mended(file)
    from optuna.storages.journal import JournalFileBackend

    return optuna.storages.JournalStorage(JournalFileBackend(str(file)))


def mended(file: Path) -> None:
    """Take away the last line of a journal where it was cut short.

    Raises OSError, also for what is no regular file.
    """
    step = 1 << 16
    try:
        with open_regular(file, limit=ANY_SIZE, links=False) as journal:
            size = end = journal.seek(0, os.SEEK_END)
            found = -1
            while end > 0 and found < 0:
                start = max(0, end - step)
                journal.seek(start)
                found = journal.read(end - start).rfind(b"\n")
                end = start if found < 0 else start + found + 1
    except FileNotFoundError:
        return
    if end < size:
        os.truncate(file, end)


def _study_number(backend: Any, identity: str, settings: StudySettings) -> int:
    optuna = open_optuna()
    name = f"fpgacnn-{identity}"
    directions = [
        optuna.study.StudyDirection.MAXIMIZE if one.is_maximized else optuna.study.StudyDirection.MINIMIZE
        for one in settings.objectives
    ]
    try:
        return int(backend.get_study_id_from_name(name))
    except KeyError:
        number = backend.create_new_study(directions, name)
    about = {
        "model": settings.model.digest,
        "data": settings.data_digest,
        "objectives": [one.value for one in settings.objectives],
        "seed": settings.seed,
    }
    for key, value in about.items():
        backend.set_study_user_attr(number, key, value)
    return int(number)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors of Optuna, of the database and of its driver as ours."""
    optuna = open_optuna()
    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise MissingExtraError(package=error.name or "sqlalchemy", extra="explore") from error
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(package=error.name or "the driver of the database", extra="postgresql") from error
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        cause = error.__cause__ or error
        words = printable(getattr(cause, "orig", None) or cause).splitlines()
        raise StudyStorageError(storage=name, why=words[0] if words else type(error).__name__) from error
    except (OSError, RuntimeError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise StudyStorageError(storage=name, why=why) from error
