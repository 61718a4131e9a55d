"""Finished trials in a storage of Optuna, for its dashboard and other tools: SQLite, a journal file, or a database.

A search continues from the folder of the study. A storage that has fewer trials, because a command was killed or a
journal was cut short, gets the missing ones.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fpgacnn.errors import FileInTheWayError, MissingExtraError, StudyStorageError, UsageError, printable
from fpgacnn.jobs.explore.record import StudyPoint, StudySettings
from fpgacnn.jobs.explore.sampler import frozen, open_optuna, quiet
from fpgacnn.system.files.regular import ANY_SIZE, open_regular

DATABASE, JOURNAL = "optuna.db", "optuna.journal"
_BEGIN = b'{"op_code":'
"""The first bytes of every line of a journal of Optuna."""

_URL = re.compile(r"[a-z][a-z0-9+_.-]*://", re.IGNORECASE)
SCHEMA = 12
"""The version of Optuna's tables that are written here; Optuna itself writes those of other versions, much slower."""

TABLES = ("trials", "trial_params", "trial_values", "trial_user_attributes", "trial_system_attributes")
LOCK_SECONDS, LOCK_POLL_SECONDS = 30.0, 0.01
"""How old a lock of a journal becomes until Optuna removes it, and how often we look whether it was released."""

_SECRET = re.compile("pass|pwd|secret|token|odbc_connect", re.IGNORECASE)
"""Names in the query of a URL whose values are or have a password."""


def storage_name(text: str | None) -> str:
    """The storage as the settings of a study name it, without a password: `sqlite`, `journal`, a path or a URL.

    Raises UsageError, MissingExtraError.
    """
    if text is None or text in {"sqlite", "journal"}:
        return text or "sqlite"
    if not text or "\0" in text:
        raise UsageError(what="--storage: expected sqlite, journal, the path of a journal, or the URL of a database")
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
    tables: Mapping[str, Any] | None = None

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
            trials = [frozen(one, self.settings) for one in points[there:]]
            if self.tables is not None and all(math.isfinite(value) for one in trials for value in one.values or ()):
                add_rows(self.backend.engine, self.tables, self.number, there, trials)
            else:
                for one in trials:
                    self.backend.create_new_trial(self.number, template_trial=one)

    def close(self) -> None:
        """Release connections."""
        engine = getattr(getattr(self.backend, "_backend", self.backend), "engine", None)
        if engine is not None:
            engine.dispose()


def tables_of(backend: Any) -> Mapping[str, Any] | None:
    """Optuna's tables of trials in a database; None for a journal, and for tables of another version."""
    engine = getattr(backend, "engine", None)
    if engine is None:
        return None
    from sqlalchemy import MetaData, select

    found = MetaData()
    found.reflect(engine, only=[*TABLES, "version_info"])
    with engine.connect() as connection:
        version = connection.execute(select(found.tables["version_info"].c.schema_version)).scalar()
    return {name: found.tables[name] for name in TABLES} if version == SCHEMA else None


def add_rows(engine: Any, tables: Mapping[str, Any], study: int, first: int, trials: Sequence[Any]) -> None:
    """Add finished trials with the numbers from `first` on in one transaction: the rows that Optuna would write.

    Only one command writes a study, so no other one takes these numbers. Values must be finite.
    """
    if not trials:
        return
    from sqlalchemy import insert, select

    optuna = open_optuna()
    texts = {
        name: optuna.distributions.distribution_to_json(one) for name, one in trials[0].distributions.items()
    }  # all trials of a study have the same ones
    heads = tables["trials"]
    with engine.begin() as connection:
        rows = [
            {
                "number": number,
                "study_id": study,
                "state": one.state.name,
                "datetime_start": _utc(one.datetime_start),
                "datetime_complete": _utc(one.datetime_complete),
            }
            for number, one in enumerate(trials, first)
        ]
        connection.execute(insert(heads), rows)
        new = select(heads.c.trial_id).where(heads.c.study_id == study, heads.c.number >= first)
        keys = connection.execute(new.order_by(heads.c.number)).scalars().all()
        pairs = [*zip(keys, trials, strict=True)]
        content = {
            "trial_params": [
                {
                    "trial_id": key,
                    "param_name": name,
                    "param_value": one.distributions[name].to_internal_repr(value),
                    "distribution_json": texts[name],
                }
                for key, one in pairs
                for name, value in one.params.items()
            ],
            "trial_values": [
                {"trial_id": key, "objective": place, "value": value, "value_type": "FINITE"}
                for key, one in pairs
                for place, value in enumerate(one.values or ())
            ],
            "trial_user_attributes": [row for key, one in pairs for row in _attributes(key, one.user_attrs)],
            "trial_system_attributes": [row for key, one in pairs for row in _attributes(key, one.system_attrs)],
        }
        for name, found in content.items():
            if found:
                connection.execute(insert(tables[name]), found)


def _attributes(trial: int, found: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"trial_id": trial, "key": name, "value_json": json.dumps(value)} for name, value in found.items()]


def _utc(time: datetime) -> datetime:
    """A time of Optuna, which is local and has no zone, as its tables have it."""
    return time.astimezone(UTC).replace(tzinfo=None)


@contextmanager
def opened(folder: Path, settings: StudySettings, given: str | None, identity: str) -> Iterator[TrialStorage]:
    """The storage of a study. `given` may have the password that the settings do not have.

    Raises StudyStorageError, MissingExtraError.
    """
    name = settings.storage
    with _named(name), quiet():
        backend = _backend(folder, name, given or name)
        number = _study_number(backend, identity, settings)
        tables = tables_of(backend)
    storage = TrialStorage(name=name, settings=settings, backend=backend, number=number, tables=tables)
    try:
        yield storage
    finally:
        storage.close()


def _backend(folder: Path, name: str, url: str) -> Any:
    optuna = open_optuna()
    if name == "sqlite":
        file = folder.absolute() / DATABASE
        for part in ("", "-journal", "-wal", "-shm"):  # SQLite would wait for a pipe, and write through a link
            with suppress(FileNotFoundError):
                open_regular(f"{file}{part}", limit=ANY_SIZE, links=False).close()
        return optuna.storages.RDBStorage(file.as_uri().replace("file://", "sqlite:///", 1))  # with its name escaped
    if _URL.match(name):
        return optuna.storages.RDBStorage(url)
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    refuse_other_file(name)
    file = folder.absolute() / JOURNAL if name == "journal" else Path(os.path.realpath(name))
    lock = Path(f"{file}.lock")
    if name == "journal":
        with suppress(FileNotFoundError):  # only this command writes the study's journal: the lock is of a killed one
            lock.unlink()
    else:
        # Locks are links to the journal. Where it exists, those of other commands of ours lead to it too.
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
        await_lock(lock)
    own = JournalFileSymlinkLock(str(file))
    own.acquire()
    try:
        mended(file)
    finally:
        own.release()
    return optuna.storages.JournalStorage(JournalFileBackend(str(file), own))


def await_lock(lock: Path) -> None:
    """Wait until a lock that leads nowhere is released; remove it where it is as old as Optuna lets a lock become.

    Optuna makes such a lock for a relative path, and would wait without end where its owner was killed. A lock that
    leads to a file is left to Optuna.
    """
    seen, since = 0, time.monotonic()
    while lock.is_symlink() and not lock.exists():
        with suppress(FileNotFoundError):
            made = lock.lstat().st_mtime_ns
            if made != seen:
                seen, since = made, time.monotonic()
            if max(time.time() - made / 1e9, time.monotonic() - since) > LOCK_SECONDS:
                lock.unlink()
        time.sleep(LOCK_POLL_SECONDS)


def refuse_other_file(name: str) -> None:
    """Raise FileInTheWayError where a storage is the path of a file that is no journal: Optuna would add lines to it.

    Raises StudyStorageError where it cannot be read, or where its folder is missing.
    """
    if name in {"sqlite", "journal"} or _URL.match(name):
        return
    if not Path(name).absolute().parent.is_dir():
        raise StudyStorageError(storage=name, why="its folder does not exist")
    try:
        with open_regular(name, limit=ANY_SIZE) as journal:
            begin = journal.read(len(_BEGIN))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StudyStorageError(storage=name, why=error.strerror or str(error)) from error
    if not _BEGIN.startswith(begin):  # the first line can be cut short
        raise FileInTheWayError(file=name)


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
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError) as error:
        why = f"it has something else than trials ({type(error).__name__}: {error}); delete it, or give another one"
        raise StudyStorageError(storage=name, why=why) from error
