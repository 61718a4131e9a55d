"""Every bad input of the corpus: exactly one error with a hint, exit status 2, nothing left, nobody alive."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fpgacnn.cli.main import app, main
from tests.hostile.corpus import CASES
from tests.support.command import children, left, run

EVERY = 20
"""Each of so many cases runs through a process of its own, too."""


def test_the_corpus_is_large() -> None:
    assert len(CASES) >= 200


def said(lines: list[str], codes: frozenset[str]) -> None:
    """One error line and one hint, without anything that moves a terminal."""
    assert len(lines) == 2, lines
    assert lines[0][:6] == "error["
    assert lines[0][6:11] in codes, lines
    assert lines[0][11:13] == "] "
    assert len(lines[0]) < 1000
    assert lines[1].startswith("hint: ")
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    case = CASES[name]
    monkeypatch.chdir(tmp_path)
    arguments = case.make(tmp_path)
    before, running = left(tmp_path), children()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "argv", ["fpgacnn", *arguments])
    monkeypatch.setattr(app, "registered_commands", [])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert (ended.value.code, out) == (2, ""), err
    said(err.removesuffix("\n").split("\n"), case.codes)
    assert left(tmp_path) == before
    assert children() <= running


@pytest.mark.parametrize("name", list(CASES)[::EVERY])
def test_a_bad_input_is_one_error_of_a_command(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    arguments = case.make(tmp_path)
    before = left(tmp_path)
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    said(done.stderr.removesuffix("\n").split("\n"), case.codes)
    assert left(tmp_path) == before
