"""The tutorial says what is so: its snippets are run, those of the first half without TensorFlow too."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
SECOND_HALF = "## Quantize a trained network"


def failures(text: str) -> str:
    """What doctest has to say about the Python snippets of a page, all in one namespace."""
    snippets = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
    said: list[str] = []
    test = doctest.DocTestParser().get_doctest(snippets, {}, "tutorial", str(TUTORIAL), 0)
    runner = doctest.DocTestRunner()
    runner.run(test, out=said.append)
    assert runner.tries > 5
    return "".join(said)


def test_the_arithmetic_is_right_without_tensorflow() -> None:
    assert failures(TUTORIAL.read_text().split(SECOND_HALF)[0]) == ""


@pytest.mark.train
@pytest.mark.filterwarnings("ignore")
def test_training_and_building_go_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert failures(TUTORIAL.read_text()) == ""


def test_every_picture_is_there_and_small() -> None:
    pictures = re.findall(r"\]\((images/[^)]+)\)", TUTORIAL.read_text())
    assert len(pictures) == 3
    assert all(0 < (TUTORIAL.parent / picture).stat().st_size < 60_000 for picture in pictures)
