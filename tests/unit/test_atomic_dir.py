"""Leftovers of killed processes are removed, and folders that they moved away are restored."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fpgacnn.errors import WriteError
from fpgacnn.system import atomic_dir
from fpgacnn.system.atomic_dir import SCRATCH, atomic_folder, exchange, temporary_folder

MARK = "mark"


def fill(folder: Path, text: str) -> None:
    with atomic_folder(folder, MARK) as stage:
        (stage / MARK).write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_child(work: Callable[[], object]) -> int:
    """Do work in a forked child; how it ended."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def three_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that cannot exchange two folders, as NFS."""
    monkeypatch.setattr(atomic_dir, "_renameat2", lambda _left, _right: False)


# --- exchange ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("three_steps")
def test_two_folders_take_each_others_place_in_three_steps(tmp_path: Path) -> None:
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "left", tmp_path / "right")
    assert (names(tmp_path), names(tmp_path / "left"), names(tmp_path / "right")) == (
        ["left", "right"],
        ["right"],
        ["left"],
    )


@pytest.mark.usefixtures("three_steps")
@pytest.mark.parametrize(
    ("step", "then"), [(2, "old"), (3, "old"), (4, "new")], ids=["before", "while it is missing", "after"]
)
def test_who_is_killed_between_the_steps_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, then: str
) -> None:
    """The first rename of a stage finds the older folder in its way; the next three exchange the two."""
    folder = tmp_path / "project"
    fill(folder, "old")
    done = 0

    def rename(source: Path, target: Path, real: Callable[[Path, Path], None] = os.rename) -> None:
        nonlocal done
        done += 1
        if done == step:
            die()
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", rename)
        assert in_child(lambda: fill(folder, "new")) == -signal.SIGKILL
    assert folder.exists() == (step != 3)
    with pytest.raises(ZeroDivisionError), atomic_folder(folder, MARK):
        assert (folder / MARK).read_text() == then
        assert len(names(tmp_path)) == 3  # the folder, the stage and its guard
        raise ZeroDivisionError
    assert (names(tmp_path), (folder / MARK).read_text()) == (["project"], then)


@pytest.mark.usefixtures("three_steps")
@pytest.mark.parametrize(
    ("name", "other"),
    [("project", "project-2"), ("project-2", "project"), ("project", "project*"), (50 * "n" + "1", 50 * "n" + "2")],
)
def test_what_one_folder_lost_is_not_put_back_as_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, other: str
) -> None:
    """Names that begin alike."""
    lost = tmp_path / name
    fill(lost, "old")
    with monkeypatch.context() as patched:
        renames = iter(range(9))
        real = os.rename
        patched.setattr(os, "rename", lambda *names: die() if next(renames) == 2 else real(*names))
        assert in_child(lambda: fill(lost, "new")) == -signal.SIGKILL
    assert not lost.exists()
    fill(tmp_path / other, "another")
    assert (tmp_path / other / MARK).read_text() == "another"
    with pytest.raises(ZeroDivisionError), atomic_folder(lost, MARK):
        assert (lost / MARK).read_text() == "old"
        raise ZeroDivisionError
    assert set(names(tmp_path)) == {lost.name, other}


@pytest.mark.usefixtures("three_steps")
def test_another_maker_between_the_steps_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the older folder is away, another maker puts a new one there."""
    folder = tmp_path / "project"
    fill(folder, "old")
    steps = 0

    def rename(source: Path, target: Path, real: Callable[[Path, Path], None] = os.rename) -> None:
        nonlocal steps
        steps += 1
        real(source, target)
        if steps == 2:  # the first was refused, and the second took the older one away
            fill(folder, "theirs")

    monkeypatch.setattr(os, "rename", rename)
    fill(folder, "ours")
    assert (names(tmp_path), (folder / MARK).read_text()) == (["project"], "ours")


@pytest.mark.parametrize("one_step", [True, False])
def test_nobody_sweeps_what_a_living_maker_has_exchanged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_step: bool,  # noqa: FBT001  # pytest's way
) -> None:  # pytest's way
    """The older folder has nobody's lock: its maker has long ended."""
    if not one_step:
        monkeypatch.setattr(atomic_dir, "_renameat2", lambda _left, _right: False)
    folder = tmp_path / "project"
    fill(folder, "old")
    swept = []

    def exchanged(left: Path, right: Path, real: Callable[[Path, Path], None] = exchange) -> None:
        real(left, right)
        assert in_child(lambda: atomic_dir._sweep(folder)) == 0
        swept.append((left / MARK).read_text())

    monkeypatch.setattr(atomic_dir, "exchange", exchanged)
    fill(folder, "new")
    assert (swept, names(tmp_path), (folder / MARK).read_text()) == (["old"], ["project"], "new")


@pytest.mark.parametrize("one_step", [True, False])
def test_many_makers_at_once_leave_one_whole_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_step: bool,  # noqa: FBT001  # pytest's way
) -> None:  # pytest's way
    if not one_step:
        monkeypatch.setattr(atomic_dir, "_renameat2", lambda _left, _right: False)
    folder = tmp_path / "project"
    fork = multiprocessing.get_context("fork")
    makers = [
        fork.Process(target=lambda text: [fill(folder, text) for _ in range(20)], args=(str(number),))
        for number in range(6)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0] * 6
    assert names(tmp_path) == ["project"]
    assert names(folder) == [MARK]
    assert (folder / MARK).read_text() in "012345"


def test_a_guard_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic_dir, "_guarded", full)
    with pytest.raises(WriteError, match="No space left on device"):
        fill(tmp_path / "project", "new")
    assert names(tmp_path) == []


# --- scratch -------------------------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def begin_and_die() -> None:
    with temporary_folder("fpgacnn-test-") as folder:
        (folder / "large").write_bytes(bytes(100))
        (folder / "locked").mkdir(mode=0o500)
        die()


def test_a_temporary_folder_is_there_for_a_while(temporary: Path) -> None:
    with temporary_folder("fpgacnn-test-") as folder:
        assert folder.parent == temporary
        assert folder.name.startswith("fpgacnn-test-")
        assert folder.stat().st_mode & 0o777 == 0o700
    assert names(temporary) == []


def test_what_a_killed_command_left_is_taken_away_by_the_next(temporary: Path) -> None:
    assert in_child(begin_and_die) == -signal.SIGKILL
    assert len(names(temporary)) == 1
    atomic_dir._sweep_scratch.cache_clear()
    with temporary_folder("fpgacnn-other-") as folder:
        assert names(temporary) == [folder.name]


def test_what_others_use_or_made_stays(temporary: Path) -> None:
    """A folder in use, one of another name, a file and a link to a folder."""
    (temporary / "fpgacnn-mine").mkdir()
    (temporary / f"file{SCRATCH}").touch()
    (temporary / f"link{SCRATCH}").symlink_to(temporary / "fpgacnn-mine", target_is_directory=True)
    with temporary_folder("fpgacnn-test-") as folder:
        atomic_dir._sweep_scratch.cache_clear()
        assert in_child(lambda: temporary_folder("fpgacnn-other-").__enter__()) == 0
        assert folder.is_dir()
        assert {"fpgacnn-mine", f"file{SCRATCH}", f"link{SCRATCH}", folder.name} <= set(names(temporary))


@pytest.mark.parametrize(("days", "stays"), [(1, True), (8, False)])
def test_what_another_machine_made_stays_for_a_week(temporary: Path, days: int, stays: bool) -> None:  # noqa: FBT001  # pytest's way
    theirs = temporary / f"fpgacnn-x.another{SCRATCH}"
    theirs.mkdir()
    when = time.time() - days * 86400
    os.utime(theirs, (when, when))
    atomic_dir._sweep_scratch.cache_clear()
    with temporary_folder("fpgacnn-test-"):
        assert theirs.is_dir() == stays


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_what_belongs_to_another_user_stays(temporary: Path) -> None:
    theirs = temporary / f"fpgacnn-x.{atomic_dir.machine()}{SCRATCH}"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    atomic_dir._sweep_scratch.cache_clear()
    with temporary_folder("fpgacnn-test-"):
        assert theirs.is_dir()


def test_no_place_for_temporary_files_is_a_write_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with (
        pytest.raises(WriteError, match="cannot write temporary files: No such file"),
        temporary_folder("fpgacnn-test-"),
    ):
        pytest.fail("the block must not run")
