"""Fuzzing led by coverage, for some seconds, where atheris is installed; the long run is tools/fuzz.py --guided."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.judge import ROOT

pytest.importorskip("atheris", reason="pip install atheris: fuzzing led by coverage is not part of the tests that always run")

PLANTED = """
import sys
from dataclasses import replace
from tests.hostile import guided

good = guided.TARGETS["texts"]

def use(path):
    text = path.read_bytes()
    if text.startswith(b"bits:") and b"9" in text:
        raise KeyError("planted")
    good.use(path)

guided.TARGETS["texts"] = replace(good, use=use)
guided.main(sys.argv[1:])
"""


def run(folder: Path, *command: str) -> str:
    """A short run of one target; what libFuzzer says."""
    flags = ("-runs=3000", "-seed=7")
    done = subprocess.run(
        [sys.executable, *command, "texts", str(folder / "findings"), str(folder / "corpus"), *flags], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def test_inputs_that_reach_new_code_are_kept(tmp_path: Path) -> None:
    said = run(tmp_path, "-m", "tests.hostile.guided")
    covered = [int(count) for count in re.findall(r"^#\d+\s+(?:INITED|NEW|REDUCE|DONE)\s+cov: (\d+)", said, re.MULTILINE)]
    assert covered[-1] > covered[0] > 100
    assert len([path for path in (tmp_path / "corpus").iterdir() if not path.name.startswith("seed-")]) > 5
    assert [path.read_text() for path in (tmp_path / "findings").glob("*.txt")] == []


def test_a_planted_fault_is_found_once_and_kept_with_its_bytes(tmp_path: Path) -> None:
    run(tmp_path, "-c", PLANTED)
    (words,) = (tmp_path / "findings").glob("*.txt")
    assert words.read_text() == "KeyError: 'planted'\n"
    content = words.with_suffix("").read_bytes()
    assert content.startswith(b"bits:")
    assert b"9" in content
