"""Builds in the cache are run only where they are the user's own, whole, and writable by nobody else.

The oldest make room.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fpgacnn.errors import UsageError
from fpgacnn.sim.cache import LIMIT_VARIABLE, is_ours, keep, kept, size_bytes


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Groups may write what their members make, as on many shared machines."""
    before = os.umask(0o002)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    return tmp_path / "fpgacnn"


def put(key: str, content: bytes = b"program") -> Path:
    place = keep("csim", key, content, mode=0o755)
    assert place is not None
    return place


@pytest.mark.usefixtures("open_umask")
def test_what_was_kept_is_found_again_whatever_the_umask(cache: Path) -> None:
    place = put("key")
    assert (place.parent, place.read_bytes()) == (cache / "csim", b"program")
    assert kept("csim", "key") == place
    assert os.access(place, os.X_OK)
    assert kept("csim", "other") is None
    assert kept("emulator", "key") is None
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [place.name]


@pytest.mark.parametrize("content", [b"", b"progra", b"programs"])
def test_what_was_cut_short_or_changed_is_taken_away(content: bytes) -> None:
    place = put("key")
    place.write_bytes(content)
    assert kept("csim", "key") is None
    assert not place.exists()


def test_what_others_may_write_is_not_run_and_not_touched() -> None:
    place = put("key")
    assert is_ours(place)
    place.chmod(0o666)
    assert not is_ours(place)
    assert kept("csim", "key") is None
    assert place.exists()


# --- room ----------------------------------------------------------------------------------------------------------

MEGABYTE = 1 << 20


def aged(days: float, key: str) -> Path:
    place = put(key, key.encode() * (MEGABYTE // len(key)))
    when = time.time() - days * 86400
    os.utime(place, (when, when))
    return place


def test_what_was_not_used_for_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time in the future, which a clock that was set back leaves, is as far away as one in the past."""
    old, older, ahead = aged(3, "a"), aged(5, "b"), aged(-9, "c")
    monkeypatch.setenv(LIMIT_VARIABLE, "3")
    new = put("d", b"d" * MEGABYTE)
    assert [path.exists() for path in (ahead, older, old, new)] == [False, False, True, True]
    assert size_bytes() <= 3 * MEGABYTE * 3 // 4


def test_a_use_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    used, unused = aged(5, "a"), aged(3, "b")
    assert kept("csim", "a") == used
    monkeypatch.setenv(LIMIT_VARIABLE, "2")
    put("c", b"c" * MEGABYTE)
    assert (used.exists(), unused.exists()) == (True, False)


def test_what_may_be_in_use_stays_however_small_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    first = put("a")
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    assert put("b").exists()
    assert first.exists()


def test_partial_files_of_killed_commands_make_room_too(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a")
    partial = cache / "csim" / ".partial-x"
    partial.write_bytes(bytes(2 * MEGABYTE))
    os.utime(partial, (0, 0))
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    put("b")
    assert not partial.exists()


@pytest.mark.parametrize("wrong", ["much", "-1", "1.5", "²"])
def test_a_limit_that_is_no_size_is_told(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, wrong)
    with pytest.raises(UsageError, match=f"FPGACNN_CACHE_MB is '{wrong}'; it must be a number of megabytes"):
        put("a")


# --- whose it is ---------------------------------------------------------------------------------------------------


def test_a_link_a_folder_and_nothing_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    assert [is_ours(tmp_path / name) for name in ("a", "link", ".", "none")] == [True, False, False, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_others_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    os.chown(tmp_path / "a", 12345, 12345)
    assert not is_ours(tmp_path / "a")
