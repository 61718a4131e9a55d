"""The folder of a study: settings, copies of model and data, and the results of trials, each written atomically.

    fpgacnn-study.json      the settings
    model/                  the model file, and its weights where they lie in a file of their own
    networks/               float networks with other numbers of filters, if these are scaled
    data.npz                the events: training, validation, test
    trials/000000.json      the trials of a generation, complete
    pending/KEY.json        results of trials of the generation that is being computed
    levels/000017.json      what later levels showed of point 17
    optuna.db               the trials for other tools of Optuna, by default

A kill at any time loses at most the trials that were being computed, and no file is ever half-written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from fpgacnn.design.tags import TAGS
from fpgacnn.errors import StudyError, StudyInUseError, WriteError
from fpgacnn.ir.fixed_point import Format, parse_format
from fpgacnn.jobs.explore import damage
from fpgacnn.jobs.explore.measures import PointResult
from fpgacnn.jobs.explore.record import LevelResult, StudyPoint, StudySettings
from fpgacnn.jobs.explore.space import FilterAxis, IoAxis, PruningAxis, SettingAxis, Values, WidthAxis
from fpgacnn.system.atomic_dir import atomic_folder, refuse_foreign
from fpgacnn.system.codec import Codec, DecodeError
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.files.regular import IrregularFileError, read_regular, read_regular_text

MARK = "fpgacnn-study.json"
MODEL, DATA, TRIALS, PENDING, LEVELS = "model", "data.npz", "trials", "pending", "levels"
NETWORKS = "networks"
MAX_BYTES = 256 << 20
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}

MAX_NUMBER = 1e100
"""Of a record: products and squares of such numbers are finite, in searches and in charts."""

CODEC = Codec(
    max_float=MAX_NUMBER,
    tags={
        **TAGS,
        WidthAxis: "widths",
        SettingAxis: "setting",
        IoAxis: "io",
        PruningAxis: "pruning",
        FilterAxis: "filters",
    },
    texts={Format: parse_format},
)

T = TypeVar("T")


def trial_key(context: str, values: Values) -> str:
    """The key of a trial's result: SHA-256 of the context's digest and the point."""
    text = json.dumps([context, sorted(values.items())], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def is_study(folder: Path) -> bool:
    """Whether a folder is a study."""
    return (folder / MARK).is_file()


def create(folder: Path, settings: StudySettings, files: Mapping[str, bytes]) -> None:
    """Write the folder of a new study; `files` are model and data by their paths in it.

    A study that another command began meanwhile stays. Raises OutputExistsError, WriteError.
    """
    with atomic_folder(folder, MARK, new=True) as stage:
        try:
            for name, content in files.items():
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                (stage / name).write_bytes(content)
            for name in (TRIALS, PENDING, LEVELS):
                (stage / name).mkdir()
            (stage / MARK).write_bytes(as_text(settings))
        except OSError as error:
            raise WriteError(file=folder, why=error.strerror or str(error)) from error


def refuse_other_folder(folder: Path) -> None:
    """Raise OutputExistsError if something that is no study is at this path."""
    refuse_foreign(folder, MARK)


def read_settings(folder: Path) -> StudySettings:
    """The settings of a study.

    Raises StudyError.
    """
    if not is_study(folder):
        raise StudyError(folder=folder, why=f"not a study ({MARK} is missing)")
    settings = read_record(folder, folder / MARK, StudySettings)
    for name in settings.model_files:
        if Path(name).is_absolute() or ".." in Path(name).parts or not name.startswith(f"{MODEL}/"):
            raise StudyError(folder=folder, why=f"{MARK} names a file outside of the study: {name}")
    for network in settings.networks:
        if network.file and re.fullmatch(rf"{NETWORKS}/[0-9a-f]{{64}}\.h5", network.file) is None:
            raise StudyError(folder=folder, why=f"{MARK} names a file outside of the study: {network.file}")
    damaged = damage.of_settings(settings)
    if damaged:
        raise StudyError(folder=folder, why=f"{MARK} is damaged: {damaged}")
    return settings


def refuse_difference(folder: Path, old: StudySettings, new: StudySettings) -> None:
    """Raise StudyError if a study was made with other settings, which its points depend on."""
    words = {"model": "of another model file", "data_digest": "with other data", "context": "by another version"}
    free = {
        "identity",
        "notes",
        "version",
        "schema",
        "model",
        "model_files",
        "data",
        "context",
        "starts",
        "quality",
        "quantizers",
    }
    if old.model.digest != new.model.digest:
        raise StudyError(folder=folder, why=f"it was made {words['model']}")
    for one in fields(StudySettings):
        before, after = getattr(old, one.name), getattr(new, one.name)
        if one.name not in free and before != after:
            name = one.name.replace("_", " ")
            shown = isinstance(before, str | int) and one.name not in words
            why = f"with {name} {before}, not {after}" if shown else words.get(one.name, f"with another {name}")
            raise StudyError(folder=folder, why=f"it was made {why}")
    for name, before, after in (("context", old.context, new.context), ("starts", old.starts, new.starts)):
        if before != after:
            raise StudyError(folder=folder, why=f"it was made {words['context']} of fpgacnn ({name} differs)")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While a command writes a study, no other command does; the lock ends with the process.

    Raises StudyInUseError, WriteError.
    """
    try:
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WriteError(file=folder, why=error.strerror or str(error)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            os.close(handle)
            raise StudyInUseError(folder=folder) from error
    try:
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFolder:
    """Reads and writes the trials of a study."""

    folder: Path

    def points(self, settings: StudySettings) -> tuple[StudyPoint, ...]:
        """All trials that are recorded, by their numbers; each is a point of the study's space.

        Raises StudyError if one is missing or damaged.
        """
        found: list[StudyPoint] = []
        for file in self._listed(TRIALS):
            found += read_record(self.folder, file, tuple[StudyPoint, ...])
        for place, one in enumerate(found):
            damaged = damage.of_point(one, place, settings)
            if damaged:
                raise StudyError(folder=self.folder, why=f"trial {place} {damaged}")
        return tuple(found)

    def pending(self) -> dict[str, PointResult]:
        """Results of trials of a generation that was not completed, by key; damaged files count as missing.

        Raises StudyError if their folder cannot be read.
        """
        found: dict[str, PointResult] = {}
        for file in self._listed(PENDING):
            with contextlib.suppress(StudyError):
                found[file.stem] = read_record(self.folder, file, PointResult)
        return found

    def keep(self, key: str, result: PointResult) -> None:
        """Write the result of one trial.

        Raises WriteError.
        """
        write_atomically(self.folder / PENDING / f"{key}.json", as_text(result))

    def record(self, generation: int, points: Sequence[StudyPoint]) -> None:
        """Write the trials of a generation; then their results are no longer pending.

        Raises WriteError.
        """
        write_atomically(self.folder / TRIALS / f"{generation:06d}.json", as_text(tuple(points)))
        shutil.rmtree(self.folder / PENDING, ignore_errors=True)

    def levels(self, points: Sequence[StudyPoint]) -> tuple[LevelResult, ...]:
        """What later levels showed, by the number of the point; `points` are all of the study.

        Raises StudyError if a file is damaged, or is of a point that is missing or cannot be built.
        """
        found: list[LevelResult] = []
        for file in self._listed(LEVELS):
            found.append(read_record(self.folder, file, LevelResult))
            damaged = damage.of_level(found[-1], points)
            if damaged:
                raise StudyError(folder=self.folder, why=f"{file.name} is damaged: {damaged}")
        return tuple(found)

    def record_level(self, one: LevelResult) -> None:
        """Write what a level showed of a point.

        Raises WriteError.
        """
        name = f"{one.number:06d}-{one.level.name.lower()}.json"
        write_atomically(self.folder / LEVELS / name, as_text(one))

    def _listed(self, name: str) -> list[Path]:
        """The records in a folder of the study; none where it is missing.

        Raises StudyError if something else has its name, or it cannot be read.
        """
        place = self.folder / name
        try:
            if not place.is_symlink() and not place.exists():
                return []
            return sorted(one for one in place.iterdir() if one.name.endswith(".json"))
        except OSError as error:
            raise StudyError(folder=self.folder, why=f"{name} is damaged: {error.strerror or error}") from error


def as_text(value: object) -> bytes:
    """A record as the bytes of a file of the study."""
    return (json.dumps(CODEC.encode(value), indent=1) + "\n").encode()


def read_record(folder: Path, file: Path, kind: type[T]) -> T:
    """A record of a study. Raises StudyError if it is damaged."""
    try:
        return CODEC.decode(kind, json.loads(read_regular_text(file, limit=MAX_BYTES)), file.name)
    except (IrregularFileError, OSError) as error:
        raise StudyError(folder=folder, why=f"{file.name}: {error.strerror or error}") from error
    except (ValueError, RecursionError, DecodeError) as error:
        raise StudyError(folder=folder, why=f"{file.name} is damaged: {error}") from error


def read_part(folder: Path, name: str) -> bytes:
    """A file of the study. Raises StudyError if it is missing."""
    try:
        return read_regular(folder / name, limit=MAX_BYTES << 4)
    except OSError as error:
        raise StudyError(folder=folder, why=f"{name}: {error.strerror or error}") from error
