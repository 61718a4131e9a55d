"""Seeded damage to every input that is read, a short run of tools/fuzz.py; and files that once did harm."""

from __future__ import annotations

import gzip
import random
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from fpgacnn.frontends.keras import hdf5
from tests.command import children
from tests.hostile.targets import TARGETS, convert, finding

KEPT = sorted((Path(__file__).parent / "kept").glob("*.gz"))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that keeps libhdf5 busy for ever costs a second here."""
    monkeypatch.setattr(hdf5, "LIMITS", replace(hdf5.LIMITS, seconds=1, clock_seconds=10.0))


@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_an_error_about_the_input_or_nothing(tmp_path: Path, name: str) -> None:
    target, wrong, before_all = TARGETS[name], {}, children()
    for seed in range(30):
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = target.make(folder, random.Random(f"{name}-{seed}"))  # noqa: S311  # seeded
        before = sorted(folder.rglob("*"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # numbers of a changed design may overflow
            found = finding(target.use, path)
        if found or sorted(folder.rglob("*")) != before:
            wrong[seed] = found or "files were left"
    assert wrong == {}
    assert children() <= before_all


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_a_file_that_crashed_or_hung_libhdf5_is_one_error(tmp_path: Path, path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(gzip.decompress(path.read_bytes()))
    assert finding(convert, tmp_path / "m.h5") == ""


def test_a_finding_is_told() -> None:
    """The judge itself: what is not an error of ours about the input is found out."""

    def broken(_: Path) -> None:
        raise KeyError("x")

    assert finding(broken, Path()) == "KeyError: 'x'"
