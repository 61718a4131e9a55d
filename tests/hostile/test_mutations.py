"""Seeded damage to every input that is read, a short run of tools/fuzz.py; and inputs that once did harm."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fpgacnn.errors import InternalError, LoweringError, UsageError
from fpgacnn.frontends.keras.files import hdf5 as reader
from fpgacnn.sim import cache
from tests.hostile import graphs, hdf5, mutations, protobuf, seeds, surroundings
from tests.hostile.judge import ROOT, finding, judged, keep, short_limits
from tests.hostile.targets import TARGETS, Reader, file, seeds_of
from tests.support.command import children

KEPT = sorted((Path(__file__).parent / "kept").glob("*.gz"))
CASES = 30


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that keeps libhdf5 busy for ever costs a second here."""
    monkeypatch.setattr(reader, "LIMITS", reader.LIMITS)  # put back after each test
    short_limits()


@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_an_error_about_the_input_or_nothing(tmp_path: Path, name: str) -> None:
    wrong, before = {}, children()
    for seed in range(CASES):
        content = TARGETS[name].damaged(random.Random(f"{name}-{seed}"))  # noqa: S311  # seeded
        found = judged(TARGETS[name], content, tmp_path)
        if found:
            wrong[seed] = found
    assert wrong == {}
    assert children() <= before


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_an_input_that_once_did_harm_is_one_error_or_read(tmp_path: Path, path: Path) -> None:
    """Its name is that of its target, a dot, and what it did."""
    assert judged(TARGETS[path.name.partition(".")[0]], gzip.decompress(path.read_bytes()), tmp_path) == ""


# --- the judge -----------------------------------------------------------------------------------------------------


def test_what_is_no_error_about_the_input_is_found() -> None:
    def broken(_: Path) -> None:
        raise KeyError("x")

    def contradicts(_: Path) -> None:
        raise InternalError(what="x")

    def not_the_users_fault(_: Path) -> None:
        raise LoweringError(layer="x", seen="y", planned="z")

    def refuses(_: Path) -> None:
        raise UsageError(what="x")

    assert finding(broken, Path()) == "KeyError: 'x'"
    assert finding(contradicts, Path()).startswith("internal error: ")
    assert finding(not_the_users_fault, Path()).startswith("exit status 3: ")
    assert finding(lambda _: warnings.warn("x", RuntimeWarning, stacklevel=1), Path()).startswith("RuntimeWarning at ")
    assert finding(refuses, Path()) == finding(lambda _: None, Path()) == ""


def test_a_cache_that_takes_builds_without_a_look_at_them_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second seed has a build under a name that is not its own."""

    def blind(folder: int, key: str) -> int | None:
        names = [name for name in os.listdir(folder) if name.startswith(f"{key}-")]
        return os.open(names[0], os.O_RDONLY, dir_fd=folder) if names else None

    good, wrong = surroundings.caches()[:2]
    target = TARGETS["cache"]
    assert judged(target, good, tmp_path) == judged(target, wrong, tmp_path) == ""
    monkeypatch.setattr(cache, "_found", blind)
    assert judged(target, good, tmp_path) == ""
    assert "is not the one of its name" in judged(target, wrong, tmp_path)


def test_an_error_of_two_lines_and_files_that_are_left_are_found(tmp_path: Path) -> None:
    class TwoLinesError(UsageError):
        message = "a\nb"

    def two_lines(_: Path) -> None:
        raise TwoLinesError

    def leaves(path: Path) -> None:
        path.with_name("more").touch()

    def judge(use: object) -> str:
        # both take a path
        return judged(Reader(name="x", seeds=list, place=file("x"), use=use), b"", tmp_path)  # type: ignore[arg-type]

    assert judge(two_lines) == "not one line with a hint: 'a\\nb'"
    assert judge(leaves) == "files were left: more"
    assert judge(lambda _: tempfile.mkstemp(prefix="kept")).startswith("files were left: kept")
    assert judge(lambda _: None) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_child_process_that_an_input_leaves_is_found_and_an_older_one_is_not(tmp_path: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def starts(_: Path) -> None:
        started.append(subprocess.Popen(["sleep", "60"]))  # noqa: S607  # a test's own child

    target = Reader(name="x", seeds=list, place=file("x"), use=starts)
    try:
        assert judged(target, b"", tmp_path) == "a child process was left"
        assert judged(replace(target, use=lambda _: None), b"", tmp_path) == ""
    finally:
        for child in started:
            child.kill()
            child.wait()


def test_a_finding_says_which_of_our_lines_it_comes_from() -> None:
    assert finding(
        lambda path: reader.numbers(reader.Hdf5Dataset(name="x", shape=(), holds="", array="x"), "x", path, "x"), Path()
    ).startswith("ValueError at fpgacnn/frontends/keras/files/hdf5.py:")


# --- seeds and mutations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_read(tmp_path: Path, name: str) -> None:
    """Damage to what is refused anyway would find nothing."""
    for number, content in enumerate(seeds_of(name)):
        folder = tmp_path / str(number)
        folder.mkdir()
        TARGETS[name].use(TARGETS[name].place(folder, content))


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_chance_makes_the_same_damage_and_mostly_some(name: str) -> None:
    for content in seeds_of(name)[:3]:
        made = [TARGETS[name].mutate(content, random.Random(seed), None) for seed in range(12)]  # noqa: S311  # seeded
        assert made == [TARGETS[name].mutate(content, random.Random(seed), None) for seed in range(12)]  # noqa: S311  # as above
        assert sum(one != content for one in made) > 8


@pytest.mark.parametrize("model", graphs.MODELS)
def test_a_protocol_buffer_is_taken_apart_and_put_together(model: Callable[[], Any]) -> None:
    content = protobuf.encoded(model())
    tree = protobuf.decoded(content)
    assert tree is not None
    assert protobuf.encoded(tree) == content
    assert node_kinds(tree) == node_kinds(model())


def node_kinds(tree: Any) -> list[str]:
    (graph,) = (value for field, value in tree if field == 7)
    return [kind for field, node in graph if field == 1 for part, kind in node if part == 4]


@pytest.mark.parametrize("content", [b"\x08", b"\x0b", b"\x0a\x05x", b"\x80" * 11, b"\x09\x00"])
def test_what_is_no_protocol_buffer_is_not_taken_apart(content: bytes) -> None:
    assert protobuf.decoded(content) is None


def test_hdf5_is_taken_apart_and_put_together() -> None:
    for content in seeds.hdf5_files():
        tree = hdf5.recipe(content)
        assert hdf5.recipe(hdf5.written(tree)) == tree
    assert any("values" in what for _, what in tree)
    assert "layers" in next(what for path, what in tree if path == "/")["attrs"]["model_config"]["json"]["config"]


def test_hdf5_holds_links_and_sizes_and_leaves_out_what_it_cannot() -> None:
    tree = [
        ["/", {"attrs": {}}],
        ["/a", {"shape": [1 << 40, 2], "dtype": "<f4"}],
        ["/b", {"soft": "/a"}],
        ["/c", {"external": "/x", "file": "y.h5"}],
        ["/d", {"shape": None, "dtype": "<f8"}],
    ]
    assert (
        hdf5.recipe(hdf5.written([*tree, ["/e", {"values": [[1], [2, 3]], "dtype": "<f4"}], ["/f", 5], None])) == tree
    )


def test_members_of_an_archive_are_changed_as_what_they_are() -> None:
    content = mutations.archive({"a.json": b'{"x": [1, 2, 3], "y": "z"}'})
    made = [mutations.unpacked(mutations.mutant(content, random.Random(seed))) for seed in range(60)]  # noqa: S311  # seeded
    members = {one["a.json"] for one in made if set(one) == {"a.json"}}
    assert len(members) > 20
    assert sum(is_json(member) for member in members) > 0.8 * len(members)


def is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def test_a_folder_is_made_of_an_archive_and_of_nothing_outside_of_it(tmp_path: Path) -> None:
    members = {"../out": b"x", "/etc/out": b"x", "in/side": b"x", "in": b"x", "a\nb": b"x", "n" * 300: b"x"}
    TARGETS["reports"].place(tmp_path, mutations.archive(members, zipfile.ZIP_DEFLATED))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {"project/in/side"}


# --- the command ---------------------------------------------------------------------------------------------------


def fuzz(*arguments: str, first: str = "pass") -> subprocess.CompletedProcess[str]:
    script = (
        f"import runpy, sys; {first}; sys.argv = ['fuzz.py', *{list(arguments)!r}]; runpy.run_path('tools/fuzz.py',"
        " run_name='__main__')"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)


def test_seeded_cases_of_one_target() -> None:
    done = fuzz("--target", "texts", "--cases", "20")
    assert (done.returncode, done.stdout) == (0, "20 cases, 0 findings; texts 20\n"), done.stderr


def test_a_kept_input_is_repeated(tmp_path: Path) -> None:
    path = keep(tmp_path, "texts", b"bits:x", "what was found")
    assert path.with_suffix(".txt").read_text() == "what was found\n"
    done = fuzz("--target", "texts", "--again", str(path))
    assert (done.returncode, done.stdout) == (0, "nothing is wrong\n"), done.stderr
    assert "--again needs the one --target" in fuzz("--again", str(path)).stderr


def test_without_atheris_it_is_said_what_to_install() -> None:
    done = fuzz("--guided", first="import importlib.util; importlib.util.find_spec = lambda _: None")
    assert done.returncode == 2
    assert done.stderr.endswith("error: --guided needs libFuzzer for Python: pip install atheris\n")
