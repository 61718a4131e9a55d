"""A bound that is wider than the answers is not called kept."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isfinite
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.records.compare import compare
from fpgacnn.records.flatten import flatten
from fpgacnn.records.read_record import read_run
from fpgacnn.records.record import RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.formats.markdown import markdown
from fpgacnn.reporting.page.compose import difference, report
from fpgacnn.reporting.page.page import Tone
from fpgacnn.reporting.page.verdicts import verdicts
from fpgacnn.reporting.terminal.summary import promise
from fpgacnn.reporting.terminal.tables import verdict
from fpgacnn.sim.compare import OutputBound, finite_ends, output_bound
from tests.support import records
from tests.support.files import entry, sequential_file

ANSWERS = np.array([[0.0, 1.5], [2.0, 4.0]])
WORDS = "bound too large to be useful; seen at most 0.5 on 100 events (score)"


@pytest.mark.parametrize(("bound", "loose"), [(0.0, False), (1.0, False), (1.0000001, True), (1e300, True)])
def test_a_bound_is_loose_above_a_quarter_of_the_span(bound: float, *, loose: bool) -> None:
    found = output_bound("y", bound, finite_ends(ANSWERS), 0.5)
    assert (found.span, found.seen, found.loose) == (4.0, 0.5, loose)


def test_an_output_that_never_changes_has_no_span() -> None:
    assert output_bound("y", 1e-9, finite_ends(np.ones((3, 2))), 0.0).loose
    assert not output_bound("y", 0.0, finite_ends(np.ones((3, 2))), 0.0).loose
    assert output_bound("y", 0.5, finite_ends(np.array([np.nan, np.inf, 0.0, 4.0])), 0.0).span == 4.0


def loose_run() -> RunRecord:
    """Two outputs: a bound that says something, and one that does not."""
    outputs = (
        OutputBound(output="add", bound=0.1, span=20.0, seen=0.05, loose=False),
        OutputBound(output="score", bound=118.0, span=3.5, seen=0.5, loose=True),
    )
    run = records.record()
    within = replace(run.verification[1], outputs=outputs, allowed=118.0, max_abs_difference=0.5)
    return replace(run, plan=replace(run.plan, promise="loose"), verification=(run.verification[0], within))


def test_every_report_says_that_the_bound_says_nothing() -> None:
    run, reported = loose_run(), ReportInput(name="small", record=loose_run())
    first, shown = verdicts(reported)[:2]
    assert (first.answer, first.tone) == ("Loose", Tone.WARN)
    assert (
        first.detail
        == "Results are rounded. The bound of score is 118, and its answers span 3.5: the bound is too large to be"
        " useful."
    )
    assert "within a bound that is too large to be useful (score: seen at most 0.5)" in shown.detail
    page = report([reported])
    for text in (markdown(page), html(page)):
        assert "bound too large to be useful; seen at most 0.5 on 100 events" in text
    assert "within the bound" not in html(page)
    assert promise(run).plain.startswith(
        "loose: the bound of an output's error is larger than a quarter of its answers' range"
    )
    assert (verdict(run.verification[1]).plain, str(verdict(run.verification[1]).style)) == (WORDS, "yellow")
    assert "within" not in verdict(run.verification[1]).plain


def test_side_by_side_and_compare_show_the_loose_promise() -> None:
    loose, bounded = ReportInput(name="loose", record=loose_run()), records.entry("bounded")
    assert "| Loose | Bounded |" in markdown(report([loose, bounded]))
    changed = {(one.item, one.quantity): (one.left, one.right) for one in compare(bounded, loose).changes}
    assert changed["", "promise"] == ("bounded", "loose")
    assert changed["emulator = quantized network", "bound is loose of score"] == (None, True)
    assert "loose" in markdown(difference(compare(bounded, loose)))


def test_a_comparison_that_fails_is_different_however_loose_its_bound() -> None:
    report_ = replace(loose_run().verification[1], holds=False, first=records.broken().first)
    assert verdict(report_).plain.startswith("DIFFERENT")


def test_records_of_older_versions_have_the_promise_of_their_plan(tmp_path: Path) -> None:
    content = json.loads(records.record().to_json())
    del content["plan"]["promise"]
    for one in content["verification"]:
        del one["outputs"]
    file = tmp_path / "old.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    old = read_run(file)
    assert (old.plan.word, old.verification[0].outputs) == ("bounded", ())
    assert ("plan", "promise", "bounded") in [
        (one.section, one.quantity, one.value) for one in flatten(ReportInput(name="old", record=old))
    ]
    file.write_text(loose_run().to_json(), encoding="utf-8")
    assert read_run(file) == loose_run()


def deep(folder: Path, activation: str, layers: int, gain: float) -> Path:
    random, size = np.random.default_rng(3), 8
    entries = [
        entry(
            "Dense",
            f"d{number}",
            units=size,
            activation=activation,
            weights={"kernel": random.normal(size=(size, size)) * gain, "bias": np.zeros(size)},
        )
        for number in range(layers)
    ]
    return sequential_file(folder / "deep.h5", *entries, shape=(size,))


ENDS = [("tanh", 2.0, 2.01), ("sigmoid", 2.0, 1.01), ("softsign", 2.0, 2.01)]


@pytest.mark.parametrize(
    ("activation", "gain", "most"),
    [*((name, 0.7, None) for name in ("selu", "elu", "softplus", "swish", "gelu")), *ENDS],
)
def test_bounds_of_forty_table_layers_stay_numbers(
    tmp_path: Path, activation: str, gain: float, most: float | None
) -> None:
    """The bound grows by every layer's gain; where the table's values are limited it is limited, too."""
    run = fpgacnn.convert(deep(tmp_path, activation, 40, gain), output=tmp_path / "p", bits="16", csim_events=0)
    bounds = [layer.error for layer in run.plan.decisions]
    assert run.holds
    assert all(isfinite(one) for one in bounds)
    assert run.plan.promise == "loose"
    assert read_run(tmp_path / "p" / "fpgacnn.json").plan.promise == "loose"
    if most is not None:
        assert max(bounds[-1:]) <= most


def test_a_bound_that_says_something_is_called_bounded(tmp_path: Path) -> None:
    run = fpgacnn.convert(deep(tmp_path, "tanh", 1, 0.5), output=tmp_path / "p", bits="16", csim_events=0)
    assert run.holds
    assert run.plan.promise == "bounded"
    output = run.verification[-1].outputs[0]
    assert output.seen <= output.bound <= output.span / 4
