"""A build in the cache runs only if it belongs to the user, is complete, and no other user can write it.

If the cache is full, the oldest builds are removed.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fpgacnn.errors import UsageError
from fpgacnn.sim.cache import LIMIT_VARIABLE, cache_folder, is_ours, keep, kept, size_bytes, why_unused
from fpgacnn.system.subprocesses import run


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
    """Keep a build; where it lies."""
    before = set(cache_folder("csim").glob("*"))
    assert keep("csim", key, content, mode=0o755)
    (place,) = {*cache_folder("csim").glob(f"{key}-*")} - before
    return place


def found(kind: str, key: str) -> bytes | None:
    """The content of what would run."""
    with kept(kind, key) as build:
        return None if build is None else Path(build.program).read_bytes()


@pytest.mark.usefixtures("open_umask")
def test_what_was_kept_is_found_again_whatever_the_umask(cache: Path) -> None:
    place = put("key")
    assert (place.parent, place.read_bytes()) == (cache / "csim", b"program")
    assert found("csim", "key") == b"program"
    assert os.access(place, os.X_OK)
    assert found("csim", "other") is None
    assert found("emulator", "key") is None
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [place.name]


@pytest.mark.parametrize("content", [b"", b"progra", b"programs"])
def test_what_was_cut_short_or_changed_is_taken_away(content: bytes) -> None:
    place = put("key")
    place.write_bytes(content)
    assert found("csim", "key") is None
    assert not place.exists()


def test_what_others_may_write_is_not_run_and_not_touched() -> None:
    place = put("key")
    assert is_ours(place.lstat())
    place.chmod(0o666)
    assert not is_ours(place.lstat())
    assert found("csim", "key") is None
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
    assert found("csim", "a") == used.read_bytes()
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


@pytest.mark.parametrize("wrong", ["much", "-1", "1.5", "²", "9" * 40, "9" * 5000, "nan", "1_0", "٣", " 5", "0x10"])
def test_a_limit_that_is_no_size_is_told(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, wrong)
    with pytest.raises(
        UsageError, match=rf"FPGACNN_CACHE_MB is '{re.escape(wrong[:20])}.*'; it must be a whole number between 0 and"
    ):
        put("a")


# --- whose it is ---------------------------------------------------------------------------------------------------


def test_a_link_and_a_folder_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    assert [is_ours((tmp_path / name).lstat()) for name in ("a", "link", ".")] == [True, False, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_others_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    os.chown(tmp_path / "a", 12345, 12345)
    assert not is_ours((tmp_path / "a").lstat())


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "hard link that others can write"])
def test_what_is_no_file_of_ours_is_neither_run_nor_waited_for(tmp_path: Path, kind: str) -> None:
    place = put("key")
    match kind:
        case "link":
            place.rename(tmp_path / "elsewhere")
            place.symlink_to(tmp_path / "elsewhere")
        case "pipe":
            place.unlink()
            os.mkfifo(place)
        case "folder":
            place.unlink()
            place.mkdir()
        case _:
            os.link(place, tmp_path / "elsewhere")
            (tmp_path / "elsewhere").chmod(0o666)
    assert found("csim", "key") is None


@pytest.mark.parametrize("above", [0, 1, 2, 3])
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_cache_in_which_others_can_write_is_not_used(
    cache: Path, monkeypatch: pytest.MonkeyPatch, above: int, mode: int
) -> None:
    """The folder of the builds, and every folder above it; there, the sticky bit is enough."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent / "base"))
    place = put("key")
    loose = [place.parent, *place.parents[1:4]][above]
    if mode == 0o775:
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder to another group")
        os.chown(loose, -1, 12345)
    loose.chmod(mode)
    used = mode == 0o1777 and above > 1
    assert (found("csim", "key") is not None) == used
    assert keep("csim", "other", b"x", mode=0o755) == used
    assert (why_unused() is None) == used
    loose.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_below_a_folder_of_another_user_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = cache.parent / "base"
    base.mkdir()
    os.chown(base, 12345, 12345)
    monkeypatch.setenv("XDG_CACHE_HOME", str(base))
    assert not keep("csim", "key", b"x", mode=0o755)
    assert list(base.iterdir()) == []
    assert why_unused() == f"{base} belongs to another user (12345)"


def test_a_link_on_the_way_is_followed_and_what_it_leads_to_is_checked(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = cache.parent / "target"
    target.mkdir(mode=0o700)
    (cache.parent / "link").symlink_to(target)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent / "link"))
    assert keep("csim", "key", b"x", mode=0o755)
    target.chmod(0o777)
    assert why_unused() == f"other users can write in {target}"
    assert found("csim", "key") is None


def test_what_runs_is_what_was_checked_though_its_name_is_given_to_another(tmp_path: Path) -> None:
    place = put("key", Path("/bin/echo").read_bytes())
    with kept("csim", "key") as build:
        assert build is not None
        place.unlink()
        place.write_text("#!/bin/sh\necho stolen\n")
        place.chmod(0o755)
        done = run([build.program, "true"], folder=tmp_path, seconds=20, inherited=(build.handle,))
    assert (done.status, done.tail) == (0, "true\n")


@pytest.mark.agree
def test_two_libraries_under_the_same_number_are_two(tmp_path: Path) -> None:
    """The loader remembers every path that it was given, and answers with the first library."""
    answers = []
    for number in (1, 2):
        source = tmp_path / f"{number}.c"
        source.write_text(f"int answer(void) {{ return {number}; }}")
        subprocess.run([shutil.which("gcc") or "gcc", "-shared", "-fPIC", source, "-o", tmp_path / "l"], check=True)
        keep("emulator", str(number), (tmp_path / "l").read_bytes(), mode=0o644)
        with kept("emulator", str(number)) as build:
            assert build is not None
            answers.append((build.handle, ctypes.CDLL(str(build.library())).answer()))
    assert [answer for _, answer in answers] == [1, 2]
    assert len({handle for handle, _ in answers}) == 1


def test_the_folders_that_are_made_are_the_users_alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent / "a" / "b"))
    place = put("key")
    made = [place.parent, *place.parents[1:4]]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in made] == [0o700] * 4


@pytest.mark.parametrize("where", ["", "relative/cache", "./x"])
def test_a_relative_cache_is_the_one_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", where)
    assert cache_folder("csim") == tmp_path / "home" / ".cache" / "fpgacnn" / "csim"


@pytest.mark.parametrize("home", ["", "relative", "."])
def test_a_home_that_is_no_absolute_path_is_that_of_the_user_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """With an empty HOME, the cache was at the root of the file system."""
    monkeypatch.setenv("HOME", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_dir=str(tmp_path)))
    assert cache_folder("csim") == tmp_path / ".cache" / "fpgacnn" / "csim"


def test_no_place_for_a_cache_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/" + "n/" * 3000)
    assert why_unused() == "File name too long"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("n" * 300)))
    assert not keep("csim", "key", b"x", mode=0o755)
    assert found("csim", "key") is None
