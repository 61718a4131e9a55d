"""Builds in the cache are run only where they are the user's own, whole, and writable by nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fpgacnn.sim.cache import is_ours
from fpgacnn.sim.csim import _keep_program, kept_program
from fpgacnn.sim.emulator.native.build import _put, is_whole


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Groups may write what their members make, as on many shared machines."""
    before = os.umask(0o002)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_what_was_kept_is_found_again_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "built").write_bytes(b"program")
    kept = _keep_program(tmp_path / "built", tmp_path / "cache")
    assert kept_program(tmp_path / "cache") == kept
    assert os.access(kept, os.X_OK)
    assert _put(tmp_path / "cache" / "a.so", b"library")
    assert is_whole(tmp_path / "cache" / "a.so")


def test_what_others_may_write_is_not_ours(tmp_path: Path) -> None:
    file = tmp_path / "a.so"
    assert _put(file, b"library")
    assert is_ours(file)
    file.chmod(0o666)
    assert not is_ours(file)
    assert not is_whole(file)


def test_a_link_a_folder_and_nothing_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    assert [is_ours(tmp_path / name) for name in ("a", "link", ".", "none")] == [True, False, False, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_others_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    os.chown(tmp_path / "a", 12345, 12345)
    assert not is_ours(tmp_path / "a")
