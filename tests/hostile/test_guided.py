"""Fuzzing led by coverage, for some seconds, where atheris is installed; the long run is tools/fuzz.py --guided."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.judge import ROOT

pytest.importorskip(
    "atheris", reason="pip install atheris: fuzzing led by coverage is not part of the tests that always run"
)

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
sys.exit(guided.main(sys.argv[1:]))
"""


def run(folder: Path, *command: str, seconds: int = 20) -> subprocess.CompletedProcess[str]:
    """A short run of one target."""
    arguments = (str(folder), str(seconds), "texts", "-runs=3000", "-seed=7")
    return subprocess.run([sys.executable, *command, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


def test_inputs_that_reach_new_code_are_kept(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "tests.hostile.guided")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    told = re.fullmatch(
        r"texts: (\d+) cases, \d+/s, coverage (\d+) -> (\d+), features \d+ -> \d+, corpus (\d+), 0 findings\n",
        done.stdout,
    )
    assert told, done.stdout
    cases, before, after, corpus = map(int, told.groups())
    assert cases >= 3000
    assert after > before > 100
    assert len([path for path in (tmp_path / "texts").iterdir() if not path.name.startswith("seed-")]) > 5
    assert corpus > 5
    assert list((tmp_path / "findings").iterdir()) == []


def test_a_planted_fault_is_found_once_and_kept_with_its_bytes(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", PLANTED)
    assert done.returncode == 1, done.stdout + done.stderr[-2000:]
    (words,) = (tmp_path / "findings").glob("*.txt")
    assert words.read_text() == "KeyError: 'planted'\n"
    assert done.stdout.endswith(
        f", 1 findings\n  KeyError: 'planted'\n    tools/fuzz.py --target texts --again {words.with_suffix('')}\n"
    )
    content = words.with_suffix("").read_bytes()
    assert content.startswith(b"bits:")
    assert b"9" in content


def test_a_case_that_hangs_ends_its_process_and_is_kept(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "-c",
        PLANTED.replace('raise KeyError("planted")', "__import__('time').sleep(60)"),
        "-timeout=1",
        seconds=6,
    )
    assert done.returncode == 1, done.stdout + done.stderr[-2000:]
    assert "it ended the process" in done.stdout
    (hung, *_) = (tmp_path / "findings").glob("texts-timeout-*")
    assert b"9" in hung.read_bytes()
