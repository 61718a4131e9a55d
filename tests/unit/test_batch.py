"""Judging a model by the answers of its framework, and finding the models of a folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.errors import FileMissingError, UsageError
from fpgacnn.jobs.batch import Judgement, ModelOutcome, judge_answers, models_of

WANTED = np.array([[0.1, 0.9, 0.0], [0.5, 0.25, 0.25], [0.4, 0.41, 0.19]])


def judged(promise: str, seen: np.ndarray, bound: float = 0.0, wanted: np.ndarray = WANTED) -> Judgement:
    return judge_answers(wanted, seen, Judgement(model="m", outcome=ModelOutcome.UNVERIFIED, promise=promise), bound)


@pytest.mark.parametrize("promise", ["exact", "lossless", "bounded"])
def test_equal_answers_are_exact_up_to_the_last_bits_of_float32(promise: str) -> None:
    assert judged(promise, WANTED).outcome is ModelOutcome.EXACT
    assert judged(promise, WANTED * (1 + 5e-7)).outcome is ModelOutcome.EXACT


def test_a_difference_from_an_exact_plan_is_a_difference_however_small() -> None:
    seen = WANTED.copy()
    seen[1, 2] += 1e-4
    found = judged("exact", seen)
    assert (found.outcome, found.why) == (ModelOutcome.DIFFERENT, "event 1, value 2: hardware 0.2501, framework 0.25")
    assert found.largest == pytest.approx(1e-4)
    assert found.events == 3


def test_a_bound_is_held() -> None:
    assert judged("bounded", WANTED + 0.01, bound=0.02).outcome is ModelOutcome.BOUNDED
    assert judged("bounded", WANTED + 0.01, bound=0.005).outcome is ModelOutcome.NEAR


def test_a_class_may_change_only_where_the_framework_is_not_clear_about_it() -> None:
    unclear, clear = WANTED.copy(), WANTED.copy()
    unclear[2] = [0.41, 0.4, 0.19]
    assert judged("lossless", unclear).outcome is ModelOutcome.NEAR
    clear[0] = [0.1, 0.88, 0.02]
    clear[1] = [0.49, 0.5, 0.01]
    assert judged("lossless", clear).outcome is ModelOutcome.DIFFERENT


def test_noise_louder_than_a_hundredth_is_a_difference_even_with_the_right_class() -> None:
    assert judged("lossless", WANTED * 1.05).outcome is ModelOutcome.NEAR
    assert judged("lossless", WANTED * 1.15).outcome is ModelOutcome.DIFFERENT


def test_one_value_has_no_class() -> None:
    wanted = np.array([[1.0], [2.0]])
    assert judged("lossless", wanted + 0.01, wanted=wanted).outcome is ModelOutcome.NEAR


def test_only_what_is_wrong_is_bad() -> None:
    assert [outcome for outcome in ModelOutcome if not outcome.is_good] == [
        ModelOutcome.DIFFERENT,
        ModelOutcome.CRASHED,
        ModelOutcome.LATE,
    ]
    assert replace(judged("exact", WANTED), outcome=ModelOutcome.REFUSED).outcome.is_good


def test_models_are_found_by_their_suffix_or_by_a_manifest(tmp_path: Path) -> None:
    for name in ("b.keras", "a.h5", "a.h5.npz", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.h5").mkdir()
    assert models_of(tmp_path) == ("a.h5", "b.keras")
    (tmp_path / "manifest.json").write_text(json.dumps([{"file": "b.keras", "bytes": 0}, {"file": "below/c.h5"}]))
    assert models_of(tmp_path) == ("b.keras", "below/c.h5")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("{", "is not a list of objects with a 'file'"),
        ("[1]", "is not a list of objects with a 'file'"),
        ('[{"name": "a.h5"}]', "is not a list of objects with a 'file'"),
        ('[{"file": "../a.h5"}]', "names '../a.h5', which is not in its folder"),
        ('[{"file": "/etc/passwd"}]', "names '/etc/passwd', which is not in its folder"),
        ('[{"file": 7}]', "names 7, which is not in its folder"),
        ("[]", "has no model: no file that ends in .h5, .hdf5, .keras, .onnx, and no manifest.json"),
    ],
)
def test_a_manifest_that_is_none_is_refused(manifest: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(UsageError, match=words.replace("[", r"\[")):
        models_of(tmp_path)


def test_a_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="none: it is not a folder"):
        models_of(tmp_path / "none")
