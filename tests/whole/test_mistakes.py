"""Mistakes of the first day: the message says what was meant, and the hint what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.frontends.files import near_names
from tests.support.command import run
from tests.support.files import tiny_model


@pytest.mark.parametrize(
    "command",
    [("verify", "m.h5"), ("report", "m.h5"), ("compare", "m.h5", "m.h5"), ("freeze", "m.h5")],
)
def test_the_file_of_a_model_in_the_place_of_a_project(tmp_path: Path, command: tuple[str, ...]) -> None:
    tiny_model(tmp_path / "m.h5")
    done = run(tmp_path, *command)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error[FC065] m.h5 is the file of a model, and this command needs the folder of a project",
        "hint: fpgacnn convert m.h5 -o PROJECT   (writes the folder PROJECT)",
    ]


def test_a_misspelt_file_is_named_with_its_neighbours(tmp_path: Path) -> None:
    tiny_model(tmp_path / "digits.h5")
    done = run(tmp_path, "convert", "digist.h5")
    assert done.returncode == 2
    assert "error[FC010] digist.h5: No such file or directory; near names: digits.h5" in done.stderr
    assert near_names(tmp_path / "events.npz") == ""
    assert near_names(tmp_path / "missing" / "digits.h5") == ""
