"""`make test` fails where a test is skipped for a reason that is not listed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skips import not_installed, unlisted

ROOT = Path(__file__).parents[2]
OPTIONS = ("-q", "-n", "1", "-p", "no:cacheprovider", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"))


def test_reasons_of_the_machine_and_programs_that_could_not_be_installed_are_allowed(tmp_path: Path) -> None:
    file = tmp_path / "not-installed"
    assert not_installed(file) == []
    file.write_text("chromium\nfaketime\n")
    reasons = ["this machine runs no kernels of avx512", "no Chromium here: apt-get install chromium", "no reason"]
    assert unlisted(reasons, not_installed(file)) == ["no reason"]
    assert unlisted(reasons, []) == ["no Chromium here: apt-get install chromium", "no reason"]


@pytest.mark.parametrize(
    ("reason", "asked", "status"),
    [("sklearn is missing", "listed", 1), ("root may write everywhere", "listed", 0), ("sklearn is missing", "", 0)],
)
def test_a_run_ends_with_1_where_a_reason_is_not_listed(tmp_path: Path, reason: str, asked: str, status: int) -> None:
    test = tmp_path / "test_one.py"
    test.write_text(f"import pytest\n\n\ndef test_one():\n    pytest.skip({reason!r})\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, test],
        cwd=ROOT,
        env=os.environ | {"FPGACNN_SKIPS": asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert ("does not list why: Skipped: sklearn is missing" in done.stdout) == (status == 1)
