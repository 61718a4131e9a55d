"""A project folder is the old one or the new one, never a mixture, and nothing else is ever touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fpgacnn.design.project import RECORD, HlsProject, files_digest, project_folder, refuse_foreign, write_files
from fpgacnn.errors import OutputExistsError, ProjectError, WriteError

FILES = {"firmware/top.cpp": b"int main() {}\n", "build.sh": b"#!/bin/sh\n", RECORD: b"{}"}


class BlockFailedError(Exception):
    """What happens in the middle of filling a folder."""


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def made(folder: Path, files: dict[str, bytes]) -> None:
    with project_folder(folder) as stage:
        write_files(stage, files)


def test_a_folder_appears_whole_when_the_block_ends_well(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "project"
    with project_folder(folder) as stage:
        write_files(stage, FILES)
        assert not folder.exists()
        assert stage.parent == folder.parent
    assert content(folder) == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["project"]


def test_scripts_are_executable_and_other_files_are_not(tmp_path: Path) -> None:
    write_files(tmp_path, FILES)
    assert os.access(tmp_path / "build.sh", os.X_OK)
    assert not (tmp_path / "firmware" / "top.cpp").stat().st_mode & 0o111


def test_others_may_read_a_finished_project(tmp_path: Path) -> None:
    made(tmp_path / "project", FILES)
    assert (tmp_path / "project").stat().st_mode & 0o777 == 0o755


def test_an_older_project_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    made(folder, {RECORD: b"old", "stale.h": b"old"})
    made(folder, FILES)
    assert content(folder) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_an_older_project_survives_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    made(folder, {RECORD: b"old"})
    with pytest.raises(BlockFailedError), project_folder(folder) as stage:
        write_files(stage, FILES)
        raise BlockFailedError
    assert content(folder) == {RECORD: b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


@pytest.mark.parametrize("failure", [BlockFailedError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_when_the_block_fails(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), project_folder(tmp_path / "project") as stage:
        write_files(stage, FILES)
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_made_on_the_way_are_taken_away_again(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(BlockFailedError), project_folder(tmp_path / "kept" / "new" / "newer" / "project"):
        raise BlockFailedError
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_a_folder_that_was_used_by_others_meanwhile_stays(tmp_path: Path) -> None:
    with pytest.raises(BlockFailedError), project_folder(tmp_path / "new" / "project"):
        (tmp_path / "new" / "other").write_text("mine")
        raise BlockFailedError
    assert content(tmp_path) == {"new/other": b"mine"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    made(tmp_path / "project", FILES)
    assert content(tmp_path / "project") == FILES


def test_a_folder_that_fpgacnn_did_not_make_is_refused_and_untouched(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"thesis exists and is not an fpgacnn project"), project_folder(folder):
        pytest.fail("the block must not run")
    assert content(tmp_path) == {"thesis/thesis.tex": b"mine"}


def test_a_file_in_the_way_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "project").write_text("mine")
    with pytest.raises(OutputExistsError):
        refuse_foreign(tmp_path / "project")
    assert content(tmp_path) == {"project": b"mine"}


@pytest.mark.parametrize("target", ["project", "nowhere"])
def test_a_symbolic_link_is_refused_wherever_it_points(tmp_path: Path, target: str) -> None:
    made(tmp_path / "project", FILES)
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(OutputExistsError):
        refuse_foreign(tmp_path / "link")
    assert content(tmp_path / "project") == FILES


def test_a_record_that_is_a_folder_does_not_make_a_project(tmp_path: Path) -> None:
    (tmp_path / "project" / RECORD).mkdir(parents=True)
    with pytest.raises(OutputExistsError):
        refuse_foreign(tmp_path / "project")


def test_something_foreign_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    with pytest.raises((OutputExistsError, WriteError)), project_folder(folder) as stage:
        write_files(stage, FILES)
        folder.mkdir()
        (folder / "thesis.tex").write_text("mine")
    assert content(tmp_path) == {"project/thesis.tex": b"mine"}


@pytest.mark.parametrize("name", ["n" * 300, "file/project"])
def test_a_folder_that_cannot_exist_is_a_write_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WriteError, match="cannot write"), project_folder(tmp_path / name):
        pytest.fail("the block must not run")
    assert content(tmp_path) == {"file": b"mine"}


def test_a_write_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "firmware").write_text("a file where a folder is needed")
    with pytest.raises(WriteError, match=r"cannot write .*firmware/top\.cpp: (File exists|Not a directory)") as caught:
        write_files(tmp_path, FILES)
    assert caught.value.exit_status == 3
    assert "the old project, if any, is untouched" in caught.value.hint


def test_the_digest_depends_on_names_and_contents_only() -> None:
    same = HlsProject(files=dict(reversed(FILES.items())), inputs=(), outputs=())
    assert same.digest == files_digest(FILES)
    assert files_digest({**FILES, "build.sh": b"#!/bin/sh -e\n"}) != files_digest(FILES)
    assert files_digest({"ab": b"c"}) != files_digest({"a": b"bc"})
    assert files_digest({"a": b"", "b": b""}) != files_digest({"a": b"b\x000\x00"})


def test_an_error_about_a_folder_names_the_command_that_makes_it_again() -> None:
    error = ProjectError(folder="out", why="it is gone")
    assert (str(error), error.hint) == ("out: it is gone", "write it again: fpgacnn convert MODEL -o out")
