"""The law of reading distinguishes right answers, wrong answers, wrong shapes, refusals and crashes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.sim.source_reference import evaluate
from tests.random_reading import law
from tests.random_reading.law import Outcome, Saved, Tally, judged
from tests.support.files import entry, linear, sequential_file


def saved(folder: Path) -> Saved:
    path = sequential_file(folder / "m.h5", entry("Dense", "fc", units=3, weights=linear(4, 3)), shape=(4,))
    events = np.linspace(-1, 1, 16).reshape(4, 4)
    answers = evaluate(frontends.load(path), [events], quantized=True)["fc"]
    return Saved(path=path, inputs=(events,), outputs=(answers,), text="fc = Dense(x)")


def test_the_same_answers_are_a_network_that_was_read(tmp_path: Path) -> None:
    assert judged(0, saved(tmp_path)).outcome is Outcome.READ


@pytest.mark.parametrize("change", [lambda x: x + 1e-3, lambda x: x.T, lambda x: x[:, ::-1], lambda x: x * np.nan])
def test_other_values_and_other_shapes_are_found(change, tmp_path: Path) -> None:
    good = saved(tmp_path)
    verdict = judged(0, replace(good, outputs=(change(good.outputs[0]),)))
    assert verdict.outcome is Outcome.DIFFERS
    assert verdict.is_wrong


def test_a_missing_output_is_found(tmp_path: Path) -> None:
    good = saved(tmp_path)
    assert judged(0, replace(good, outputs=good.outputs * 2)).outcome is Outcome.DIFFERS


def test_refusals_and_crashes_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = saved(tmp_path)
    path = sequential_file(tmp_path / "lstm.h5", entry("LSTM", "l", units=3), shape=(4, 4))
    refused = judged(1, replace(good, path=path))
    assert refused.outcome is Outcome.REFUSED
    monkeypatch.setattr(law, "evaluate", lambda *_, **__: {}["no such layer"])
    crashed = judged(2, good)
    assert crashed.outcome is Outcome.CRASHED
    assert "KeyError" in crashed.why
    tally = Tally.empty()
    for verdict in (refused, crashed, judged(3, replace(good, outputs=()))):
        tally.add(verdict)
    assert [one.seed for one in tally.wrong] == [2, 3]
    assert tally.share == pytest.approx(1 / 3)
    assert list(tally.refusals.values()) == [1]
