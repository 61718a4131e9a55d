"""Studies, journals, databases and scheduler files that others wrote: one error with a name, and nothing is changed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fpgacnn.errors import FileInTheWayError, StudyError, StudyStorageError, UsageError
from fpgacnn.jobs.explore import folder as study_folder
from fpgacnn.jobs.explore.folder import StudyFolder
from fpgacnn.jobs.explore.record import ExploreRecord, Level, LevelResult
from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.storage import DATABASE, JOURNAL, opened
from fpgacnn.jobs.explore.workers import _address_in, _NoWorkerError
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.page.study import study_page
from tests.support.optional import needs_optuna
from tests.support.studies import small_study

pytestmark = needs_optuna
POINTS = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ExploreRecord:
    return small_study(tmp_path_factory.mktemp("made"), trials=POINTS)


@pytest.fixture
def study(made: ExploreRecord, tmp_path: Path) -> Path:
    shutil.copytree(made.folder, tmp_path / "study")
    return tmp_path / "study"


def edited(file: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


# --- settings and trials ---------------------------------------------------------------------------------------------

SETTINGS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "no objectives": lambda one: one.update(objectives=[]),
    "an objective twice": lambda one: one.update(objectives=["lut", "lut"]),
    "too many objectives": lambda one: one.update(objectives=["quality", "lut", "ff", "dsp", "bram"]),
    "another sampler": lambda one: one.update(sampler="\x1b[31m"),
    "no generation": lambda one: one.update(generation=0),
    "no count of events": lambda one: one.update(events={}),
    "a negative count": lambda one: one["events"].update(validation=-1),
    "no axes": lambda one: one["space"].update(axes=[]),
    "an axis without values": lambda one: one["space"]["axes"][0].update(low=9, high=2),
    "a very long axis": lambda one: one["space"]["axes"][0].update(low=2, high=1 << 61),
    "an axis twice": lambda one: one["space"]["axes"].append(one["space"]["axes"][0]),
    "no settings": lambda one: one["space"]["axes"][-1].update(settings=[]),
    "no reuse factors": lambda one: one["space"]["axes"][-1].update(factors={}),
    "a quality that is no number": lambda one: one.update(quality=float("nan")),
    "a quality that is too large": lambda one: one.update(quality=1e308),
    "a file of another name": lambda one: one.update(model_files=["model/other.h5"]),
    "a file without a name": lambda one: one.update(model_files=["model/."]),
    "a name with a zero": lambda one: one.update(model_files=["model/small.h5/a\0b"]),
    "a file outside": lambda one: one.update(model_files=["model/../../x"]),
}


@pytest.mark.parametrize("change", SETTINGS.values(), ids=list(SETTINGS))
def test_settings_that_no_command_wrote_are_damaged(study: Path, change: Callable[[Any], object]) -> None:
    edited(study / study_folder.MARK, change)
    with pytest.raises(StudyError, match=f"{study_folder.MARK} (is damaged|names a file outside)") as caught:
        read_study(study)
    assert str(caught.value).isprintable()


TRIALS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "another number": lambda one: one.update(number=7),
    "a quality that is infinite": lambda one: one["result"].update(quality=float("-inf")),
    "a quality that is too large": lambda one: one["result"].update(quality=-1e308),
    "a number of 400 digits": lambda one: one["result"].update(ebops=10**400),
    "no latency": lambda one: one["result"].update(latency_ns=None),
    "a value outside": lambda one: one["values"].update(dict.fromkeys(one["values"], 99)),
    "notes that are no object": lambda one: one.update(sampled="[1]"),
    "notes that are no JSON": lambda one: one.update(sampled="{"),
    "deep notes": lambda one: one.update(sampled="[" * 100_000),
    "a generation in the future": lambda one: one.update(sampled='{"NSGAIISampler:generation": 900000}'),
    "a generation of text": lambda one: one.update(sampled='{"NSGAIISampler:generation": "x"}'),
    "constraints of text": lambda one: one.update(sampled='{"constraints:LUT": "x"}'),
    "constraints without end": lambda one: one.update(sampled='{"constraints:LUT": Infinity}'),
    "parameters of text": lambda one: one.update(sampled='{"fixed_params": 5}'),
}


@pytest.mark.parametrize("change", TRIALS.values(), ids=list(TRIALS))
def test_a_trial_that_no_command_wrote_is_damaged(study: Path, change: Callable[[Any], object]) -> None:
    edited(study / "trials" / "000000.json", lambda points: change(points[1]))
    with pytest.raises(StudyError, match=r"trial 1 |000000\.json is damaged"):
        read_study(study)


FOLDERS: Mapping[str, Callable[[Path], object]] = {
    "a file": lambda place: place.write_text("x"),
    "a pipe": os.mkfifo,
    "a link to nothing": lambda place: place.symlink_to("nothing"),
    "a link to itself": lambda place: place.symlink_to(place.name),
}


@pytest.mark.parametrize("put", FOLDERS.values(), ids=list(FOLDERS))
@pytest.mark.parametrize("name", ["trials", "levels", "pending"])
def test_what_has_the_name_of_a_folder_of_a_study_is_damaged(
    study: Path, name: str, put: Callable[[Path], object]
) -> None:
    shutil.rmtree(study / name, ignore_errors=True)
    put(study / name)
    with pytest.raises(StudyError, match=f"{name} is damaged: "):
        StudyFolder(folder=study).pending() if name == "pending" else read_study(study)


@pytest.mark.parametrize("number", [-1, POINTS, 10**9])
def test_a_level_of_a_point_that_does_not_exist_is_damaged(study: Path, number: int) -> None:
    level = LevelResult(number=1, level=Level.SIMULATED, quality=0.5, project="p", holds=True)
    StudyFolder(folder=study).record_level(level)
    assert read_study(study).levels == (level,)
    edited(study / "levels" / "000001-simulated.json", lambda one: one.update(number=number))
    with pytest.raises(StudyError, match=f"000001-simulated.json is damaged: there is no point {number}"):
        read_study(study)


def test_a_level_of_a_point_that_cannot_be_built_is_damaged(study: Path) -> None:
    StudyFolder(folder=study).record_level(LevelResult(number=1, level=Level.TUNED))
    edited(study / "trials" / "000000.json", lambda points: points[1]["result"].update(refused="FC000: no"))
    with pytest.raises(StudyError, match=r"000001-tuned\.json is damaged: point 1 cannot be built"):
        read_study(study)


def test_the_largest_numbers_of_a_study_have_a_page(study: Path) -> None:
    largest = study_folder.MAX_NUMBER

    def large(points: list[dict[str, Any]]) -> None:
        for number, one in enumerate(points):
            one["result"]["quality"] = (-1) ** number * largest
            one["result"]["latency_ns"] = {"value": largest, "low": 0.0, "high": largest}

    edited(study / "trials" / "000000.json", large)
    assert "<svg" in html(study_page(read_study(study), {}, None))


# --- storages --------------------------------------------------------------------------------------------------------


def open_storage(study: Path, storage: str = "journal") -> None:
    record = read_study(study)
    settings = replace(record.settings, storage=storage)
    with opened(study, settings, None, settings.identity) as found:
        found.complete(record.points)


LINES = {
    "null": b"null",
    "a number": b"5",
    "an empty object": b"{}",
    "another operation": b'{"op_code": 99}',
    "an operation of text": b'{"op_code": "a"}',
    "an operation without data": b'{"op_code": 0}',
    "no text": b"\xff\xfe",
    "deep": b"[" * 200_000,
    "a long number": b"9" * 6000,
}


@pytest.mark.parametrize("line", LINES.values(), ids=list(LINES))
def test_a_journal_with_other_lines_is_named(study: Path, line: bytes) -> None:
    journal = study / JOURNAL
    journal.write_bytes(line + b"\n" + journal.read_bytes())
    with pytest.raises(StudyStorageError, match="storage journal: "):
        open_storage(study)


@pytest.mark.parametrize("content", [b"my notes", b"{}", b'{"a": 1}\n', b"\x89HDF\r\n"])
def test_a_file_that_is_no_journal_stays_as_it_is(study: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine").write_bytes(content)
    with pytest.raises(FileInTheWayError, match="mine"):
        small_study(tmp_path, "new", trials=1, storage=str(tmp_path / "mine"))
    with pytest.raises(FileInTheWayError, match="mine"):
        open_storage(study, str(tmp_path / "mine"))
    assert (tmp_path / "mine").read_bytes() == content
    assert not (tmp_path / "new").exists()


def test_a_storage_that_cannot_be_one_begins_no_study(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, words in (("pipe", "a pipe"), ("folder", "directory"), ("no/journal", "its folder does not exist")):
        with pytest.raises(StudyStorageError, match=words):
            small_study(tmp_path, "new", trials=1, storage=str(tmp_path / name))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("left", ["", '{"op_', '{"op_code":0,"worker_id":"x","study_name":"a","dir'])
def test_a_journal_of_the_user_is_mended_after_a_kill(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """A kill leaves a part of a line, and a lock; with a relative path the lock of Optuna leads nowhere."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "j").write_text(left)
    (tmp_path / "sub" / "j.lock").symlink_to("sub/j")
    os.utime(tmp_path / "sub" / "j.lock", (0, time.time() - 31), follow_symlinks=False)
    monkeypatch.chdir(tmp_path)
    open_storage(study, "sub/j")
    assert (tmp_path / "sub" / "j").read_text().count('"op_code":4') == POINTS
    assert not os.path.lexists(tmp_path / "sub" / "j.lock")


@pytest.mark.parametrize("target", ["sub/j", "j"], ids=["relative", "of a journal that does not exist yet"])
def test_the_lock_of_another_command_stays_until_it_is_released(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """A lock that leads nowhere can be that of a command that still runs."""
    (tmp_path / "sub").mkdir()
    lock = tmp_path / "sub" / "j.lock"
    lock.symlink_to(target)
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        release = pool.submit(
            lambda: (time.sleep(0.5), lock.readlink(), (tmp_path / "sub" / "j").stat().st_size, lock.unlink())
        )
        open_storage(study, "sub/j")
        _, kept, size, _ = release.result()
    assert (str(kept), size) == (target, 0)
    assert (tmp_path / "sub" / "j").read_text().count('"op_code":4') == POINTS


HARMS: Mapping[str, Callable[[Path], object]] = {
    "text": lambda file: file.write_text("x" * 5000),
    "a part": lambda file: file.write_bytes(file.read_bytes()[:3000]),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
    "a link": lambda file: (file.rename(file.with_name("victim")), file.symlink_to("victim")),
    "a device": lambda file: (file.unlink(), file.symlink_to("/dev/zero")),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a pipe as its journal": lambda file: os.mkfifo(f"{file}-journal"),
    "a link as its log": lambda file: Path(f"{file}-wal").symlink_to("victim"),
    "no table": lambda file: run_sql(file, "drop table trials"),
    "another state": lambda file: run_sql(file, "update trials set state = 'EVIL'"),
    "another trigger": lambda file: run_sql(
        file, "create trigger t after insert on trials begin select raise(abort, 'no \x1b[31m'); end"
    ),
}


def run_sql(file: Path, text: str) -> None:
    with sqlite3.connect(file) as database:
        database.execute(text)
    database.close()


@pytest.mark.parametrize("harm", HARMS.values(), ids=list(HARMS))
def test_a_database_of_another_kind_is_named(study: Path, harm: Callable[[Path], object]) -> None:
    first = read_study(study)
    settings = replace(first.settings, storage="sqlite")
    with opened(study, settings, None, settings.identity) as found:
        found.complete(first.points[:2])
    harm(study / DATABASE)
    with pytest.raises(StudyStorageError, match="storage sqlite: ") as caught:
        open_storage(study, "sqlite")
    assert str(caught.value).isprintable()


# --- schedulers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["null", "[]", '{"address": 5}', '{"a": 1}', "hello", "[" * 100_000, "9" * 6000])
def test_a_file_that_is_no_scheduler_file_is_refused_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(UsageError, match="not a scheduler file of Dask"):
        _address_in(str(tmp_path / "s.json"))


def test_a_pipe_a_folder_and_nothing_are_no_scheduler_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (str(tmp_path / "pipe"), str(tmp_path), ""):
        with pytest.raises(UsageError, match="--scheduler"):
            _address_in(name)


@pytest.mark.parametrize("text", [None, "", '{"type": "Sche'])
def test_a_scheduler_file_that_is_not_complete_is_awaited(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "s.json").write_text(text)
    with pytest.raises(_NoWorkerError):
        _address_in(str(tmp_path / "s.json"))
    (tmp_path / "s.json").write_text('{"address": "tls://127.0.0.1:5"}')
    assert _address_in(str(tmp_path / "s.json")) == "tls://127.0.0.1:5"
