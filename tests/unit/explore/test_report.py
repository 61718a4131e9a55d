"""The report of a study: every form has the front, charts show what the numbers say, and names stay text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fpgacnn
from fpgacnn.errors import StudyError, UsageError
from fpgacnn.hardware.estimation import Figure
from fpgacnn.jobs.explore.measures import Objective, figure
from fpgacnn.jobs.explore.record import ExploreRecord
from fpgacnn.jobs.explore.sampler import importances_of
from fpgacnn.reporting.formats.files import write_study
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.page.study import study_page
from fpgacnn.reporting.study_charts import ChartPoint, CoordinateAxis, Scale, parallel, scale, scatter
from fpgacnn.reporting.terminal.exploring import study_report
from tests.support.optional import needs_optuna
from tests.support.studies import small_study

pytestmark = needs_optuna


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> ExploreRecord:
    return small_study(tmp_path_factory.mktemp("report"), trials=50)


def test_every_form_has_the_front(study: ExploreRecord, tmp_path: Path) -> None:
    for form in ("html", "md", "csv", "json"):
        (found,) = fpgacnn.report(study.folder, output=tmp_path / f"s.{form}")
        assert isinstance(found, ExploreRecord)
        assert found.front == study.front
        assert fpgacnn.report(study.folder, output=tmp_path / f"s.{form}")  # an older one is replaced
    numbers = [str(one.number) for one in study.front]
    page = (tmp_path / "s.html").read_text()
    for words in (*(f"point {number}:" for number in numbers), "Parallel coordinates of the front", "PED-ANOVA"):
        assert words in page
    markdown = (tmp_path / "s.md").read_text()
    assert all(re.search(rf"^\| {number}( \(chosen\))? \|", markdown, re.MULTILINE) for number in numbers)
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert sorted({line.split(",")[0] for line in lines[1:]}, key=int) == sorted(numbers, key=int)
    document = json.loads((tmp_path / "s.json").read_text())
    assert [str(one["number"]) for one in document["study"]["front"]] == numbers


def test_the_page_loads_nothing_and_runs_no_other_script(study: ExploreRecord) -> None:
    page = html(study_page(study, importances_of(study.settings, study.points), None))
    assert not re.search(r"(src|href)=[\"'](?!#|data:)", page)
    assert page.count("<script>") == 1


def test_a_point_can_be_chosen_and_must_be_there(study: ExploreRecord, tmp_path: Path) -> None:
    other = next(one.number for one in study.points[1:] if one.number != (study.chosen and study.chosen.number))
    fpgacnn.report(study.folder, output=tmp_path / "s.html", point=other)
    assert f"How good is point {other}?" in (tmp_path / "s.html").read_text()
    with pytest.raises(StudyError, match="there is no point 50"):
        fpgacnn.report(study.folder, point=50)
    with pytest.raises(UsageError, match="a study is reported alone"):
        fpgacnn.report(study.folder, study.folder)


def test_names_of_a_file_stay_text(study: ExploreRecord, tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    space = study.settings.space
    axes = tuple(replace(axis, name=f"{axis.name} {bad}") for axis in space.axes)
    points = tuple(
        replace(one, values={f"{name} {bad}": value for name, value in one.values.items()}) for one in study.points
    )
    settings = replace(
        study.settings,
        space=replace(space, axes=axes),
        model=replace(study.settings.model, file=bad),
        data=bad,
        notes=(bad,),
    )
    changed = ExploreRecord(folder=bad, settings=settings, points=points)
    write_study(tmp_path / "s.html", changed, {"quality": {axis.name: 0.5 for axis in axes}}, None)
    assert "<script>alert" not in (tmp_path / "s.html").read_text()


def test_a_study_without_points_within_the_limits_has_a_page(tmp_path: Path) -> None:
    from fpgacnn.jobs.fit.search import FitLimits

    study = small_study(tmp_path, trials=10, limits=FitLimits(latency_ns=1.0, utilization=1.0))
    page = html(study_page(study, {}, None))
    assert "none" in page
    assert '<svg class="chart"' not in page
    assert list(study_report(study))


def test_negative_qualities_are_drawn_as_they_are(study: ExploreRecord) -> None:
    """The explained variance of bad answers is negative."""
    points = tuple(replace(one, result=replace(one.result, quality=one.result.quality - 2.0)) for one in study.points)
    changed = ExploreRecord(folder=study.folder, settings=study.settings, points=points)
    assert changed.chosen is not None
    page = html(study_page(changed, {}, None))
    assert f"point {changed.chosen.number}: accuracy {changed.chosen.result.quality:.4f}" in page
    assert changed.chosen.result.quality < 0
    found = figure(changed.chosen.result, Objective.QUALITY, changed.settings.available)
    assert (found.value, found.times(1.0)) == (changed.chosen.result.quality, found)


def test_a_chosen_point_outside_of_the_limits_is_in_the_scatters(study: ExploreRecord) -> None:
    latencies = {one.number: study.settings.numbers(one.result)[2] for one in study.points[1:]}
    slowest = max(latencies, key=lambda number: latencies[number])
    limits = replace(study.settings.limits, latency_ns=latencies[slowest] - 1.0)
    record = replace(study, settings=replace(study.settings, limits=limits))
    chosen = record.points[slowest]
    assert chosen not in record.feasible
    front = study_page(record, {}, chosen).chapters[0].sections[0]
    assert len(front.drawings) == 2
    for drawing in front.drawings:
        (drawn,) = [one for one in drawing.points if one.kind == "chosen"]
        assert drawn.words.startswith(f"point {slowest}: ")


def test_importances_are_shares(study: ExploreRecord) -> None:
    found = importances_of(study.settings, study.points)
    assert found
    for shares in found.values():
        assert set(shares) == {axis.name for axis in study.settings.space.axes}
        assert sum(shares.values()) == pytest.approx(1.0, abs=1e-4)
    assert found == importances_of(study.settings, study.points)


NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(NUMBERS, max_size=20), st.booleans())
def test_a_scale_contains_its_numbers_and_its_ticks_are_in_order(values: list[float], zero: bool) -> None:  # noqa: FBT001  # drawn
    if zero:
        values = [abs(value) for value in values]
    found = scale(values, 100.0, 0.0, from_zero=zero)
    assert all(found.low <= value <= found.high for value in values)
    ticks = found.ticks()
    assert ticks == sorted(set(ticks))
    assert all(found.low <= tick <= found.high for tick in ticks)
    assert len(ticks) >= 2
    places = [found.place(value) for value in sorted(values)]
    assert places == sorted(places, reverse=True)


def test_a_scatter_draws_each_point_at_its_numbers() -> None:
    points = [
        ChartPoint(
            x=Figure(value=value, low=value / 2, high=value * 2),
            y=Figure(value=1, low=1, high=1),
            kind="front",
            words="",
        )
        for value in (1.0, 2.0, 4.0)
    ]
    drawn = scatter("t", ("x", "y"), points, zero=(True, True))
    gaps = [one.x - drawn.left for one in drawn.points]
    assert gaps[1] == pytest.approx(2 * gaps[0], abs=0.3)
    assert gaps[2] == pytest.approx(4 * gaps[0], abs=0.5)
    assert all(one.x_low < one.x < one.x_high <= drawn.right for one in drawn.points)


def test_a_line_of_parallel_coordinates_meets_each_axis_at_its_value() -> None:
    axes = [CoordinateAxis(name="a" * 40, low=2, high=8, low_label="2", high_label="8")] * 2
    axes.append(CoordinateAxis(name="one", low=3, high=3, low_label="3", high_label="3"))
    drawn = parallel("t", axes, [((2, 8, 3), "front", ""), ((5, 5, 3), "chosen", "")])
    assert drawn.lines[-1].kind == "chosen"
    heights = [float(place.split()[1]) for place in drawn.lines[0].path[1:].split("L")]
    middle = (drawn.top + drawn.bottom) / 2
    assert heights == [drawn.bottom, drawn.top, middle]
    assert [float(place.split()[1]) for place in drawn.lines[1].path[1:].split("L")] == [middle] * 3
    assert len(drawn.axes[0].name) == 22


def test_a_scale_of_one_number_has_a_width() -> None:
    assert scale([3.0, 3.0], 0.0, 10.0, from_zero=False) == Scale(low=2.85, high=3.15, first=0.0, last=10.0)


def test_tables_show_by_what_points_were_compared(study: ExploreRecord) -> None:
    assert study.compares_by_score
    section = study_page(study, {}, None).chapters[0].sections[0]
    assert "Points are compared by their score" in " ".join(section.words)
    (table,) = section.tables
    place = [one.name for one in table.columns].index("Score")
    shown = [row[place].number for row in table.rows]
    assert shown == [one.result.score for one in study.front]
    assert shown == sorted(shown, reverse=True)
    plain = replace(study, points=tuple(replace(one, result=replace(one.result, score=None)) for one in study.points))
    assert not plain.compares_by_score
    section = study_page(plain, {}, None).chapters[0].sections[0]
    assert "Score" not in [one.name for one in section.tables[0].columns]
    assert "score" not in " ".join(section.words)
