"""One record in every form: what each says, and how files are written."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fpgacnn.errors import ReportExistsError, ReportFormatError, WriteError
from fpgacnn.hardware.estimation.result import Simulated
from fpgacnn.records.compare import compare
from fpgacnn.records.record import RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formats.files import write_comparison, write_report
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.formats.markdown import markdown
from fpgacnn.reporting.formats.spreadsheet import field
from fpgacnn.reporting.formatting import number
from fpgacnn.reporting.page import compose
from fpgacnn.reporting.page.page import Section, Tone
from fpgacnn.reporting.page.sections import sections
from fpgacnn.reporting.page.verdicts import PROMISES, verdicts
from fpgacnn.sim.compare import READING
from tests.conftest import Golden
from tests.support.records import broken, comparison, entry, estimated, exact_record, figure, record

ONE = [entry()]
TWO = [entry("before"), ReportInput(name="after", record=exact_record())]


def as_read(**changed: Any) -> RunRecord:
    """A run that a framework answered for, too."""
    report = replace(
        comparison(READING, "Keras 9.1"),
        **{"mismatches": 0, "max_abs_difference": 1e-7, "float32_events": 0, **changed},
    )
    return record(verification=(*record().verification, report))


@pytest.mark.parametrize(
    ("run", "answer", "tone", "words"),
    [
        (as_read(), "Yes", Tone.GOOD, "Keras 9.1 loads the file itself"),
        (as_read(), "Yes", Tone.GOOD, "equal within float32 rounding."),
        (as_read(max_abs_difference=0.0), "Yes", Tone.GOOD, ", equal."),
        (
            as_read(float32_events=2, mismatches=3),
            "Yes",
            Tone.GOOD,
            "but for 2 events in which it steps at a threshold",
        ),
        (
            as_read(holds=False, first=broken().first),
            "No",
            Tone.BAD,
            "Keras 9.1 computes another function, first in layer conv2.",
        ),
        (
            record(notes=("reading not checked: Keras 9.1 cannot load the file (X)",)),
            "Not checked",
            Tone.PLAIN,
            "Keras 9.1 cannot load the file (X).",
        ),
    ],
)
def test_the_verdict_says_whether_the_framework_computes_what_was_read(
    run: RunRecord, answer: str, tone: Tone, words: str
) -> None:
    (found,) = (one for one in verdicts(of(run)) if one.question == "Read right?")
    assert (found.answer, found.tone) == (answer, tone)
    assert words in found.detail


# --- verdicts ------------------------------------------------------------------------------------------------------


def test_the_proof_says_of_how_many_events_c_simulation_has_seen() -> None:
    few, all_events = comparison(events=20, values=200), comparison("emulator", "quantized network", events=96)
    (shown,) = (
        one for one in verdicts(of(replace(exact_record(), verification=(few, all_events)))) if one.question == "Shown?"
    )
    assert shown.detail == "C simulation computed 20 events. 6,600 values of 96 events in 2 comparisons, all equal."


@pytest.mark.parametrize(
    ("run", "answers"),
    [
        (
            exact_record(),
            [
                ("Exact?", "Exact", Tone.GOOD),
                ("Shown?", "In C simulation", Tone.GOOD),
                ("How good?", "0.9870", Tone.PLAIN),
            ],
        ),
        (record(quality=()), [("Exact?", "Bounded", Tone.WARN), ("Shown?", "In C simulation", Tone.GOOD)]),
        (
            record(quality=(), verification=(broken(),)),
            [("Exact?", "Bounded", Tone.WARN), ("Shown?", "Different", Tone.BAD)],
        ),
        (
            replace(exact_record(), quality=(), verification=(comparison("emulator", "quantized network"),)),
            [("Exact?", "Exact", Tone.GOOD), ("Shown?", "By emulation only", Tone.WARN)],
        ),
    ],
    ids=["exact", "bounded", "broken", "emulated"],
)
def test_the_verdict_comes_first_in_two_words(run: RunRecord, answers: list[tuple[str, str, Tone]]) -> None:
    unknown = [
        ("Read right?", "Not checked", Tone.PLAIN),
        ("Fits?", "Not known", Tone.PLAIN),
        ("How fast?", "Not known", Tone.PLAIN),
    ]
    assert [(one.question, one.answer, one.tone) for one in verdicts(of(run))] == [*answers[:2], *unknown, *answers[2:]]


def test_a_verdict_says_what_stands_behind_it() -> None:
    details = [one.detail for one in verdicts(of(record()))]
    assert details[0] == "Outputs are off by at most 0.000488, for every possible input."
    assert details[1] == "134,400 values of 100 events in 2 comparisons, 12 within the bound, the others equal."
    assert details[2] == "Reading not checked against the framework."
    assert details[3] == "There is no estimate and no synthesis report."
    assert details[4] == "The clock is 5 ns; no latency is estimated or reported."
    assert details[5] == "ROC AUC of the hardware on 100 events. Quantized network 0.9871; float network 0.9876."
    assert (
        verdicts(of(record(verification=(broken(),))))[1].detail
        == "csim = emulator: first at conv2[3, 0, 1, 2]: 17 and 16."
    )


# --- sections ------------------------------------------------------------------------------------------------------


def of(run: RunRecord) -> ReportInput:
    return ReportInput(name="small", record=run)


def section(run: RunRecord, key: str) -> Section:
    return next(one for one in sections(of(run)) if one.key == key)


def texts(run: RunRecord, key: str) -> list[list[str]]:
    return [[cell.text for cell in row] for row in section(run, key).tables[0].rows]


def test_what_a_record_does_not_hold_has_no_section() -> None:
    keys = [one.key for one in sections(of(record()))]
    assert keys == [
        "network",
        "precision",
        "ranges",
        "errors",
        "verification",
        "quality",
        "inputs",
        "timings",
        "provenance",
    ]
    bare = exact_record()
    layers = tuple(replace(one, reach=None, seen=None, signal_to_noise_db=None) for one in bare.plan.decisions)
    bare = replace(bare, quality=(), timings_s={}, plan=replace(bare.plan, decisions=layers))
    assert [one.key for one in sections(of(bare))] == ["network", "precision", "verification", "inputs", "provenance"]


def test_reasons_are_not_said_twice() -> None:
    rows = texts(record(), "precision")
    assert rows[1][-1] == "exact bound of 9 products"
    assert rows[4][-1] == "the function at every code; table of sigmoid: at most 0.00049 off"


def test_ranges_show_what_can_come_what_came_and_what_is_not_used() -> None:
    assert texts(record(), "ranges")[1][3:] == ["−6.5", "7", "−1.5", "3.25", "1"]


def test_errors_show_bound_and_largest_difference() -> None:
    assert texts(record(), "errors")[-1] == ["score", "0.000488", "0.000244", "", "26.5", ""]
    assert (
        section(exact_record(), "errors").words[0]
        == "Hardware and quantized network do not differ in any layer, and cannot."
    )


def test_a_comparison_that_does_not_hold_shows_its_first_difference_in_alarm() -> None:
    row = section(record(verification=(broken(),)), "verification").tables[0].rows[0]
    assert [cell.text for cell in row] == [
        "csim = emulator",
        "100",
        "1",
        "6,400",
        "5",
        "0.25",
        "0",
        "conv2[3, 0, 1, 2]: 17 and 16",
        "different",
    ]
    assert row[-1].tone is Tone.BAD


# --- forms ---------------------------------------------------------------------------------------------------------


def test_markdown_of_one_project(golden: Golden) -> None:
    golden.check("one.md", markdown(compose.report(ONE)).replace(version(), "VERSION"))


def version() -> str:
    return compose.report(ONE).version


@pytest.mark.parametrize("name", ["one.csv", "two.csv"])
def test_files_of_projects(tmp_path: Path, golden: Golden, name: str) -> None:
    write_report(tmp_path / name, ONE if name.startswith("one") else TWO)
    golden.check(name, (tmp_path / name).read_text(encoding="utf-8"))


def test_markdown_of_a_comparison(golden: Golden) -> None:
    golden.check("compare.md", markdown(compose.difference(compare(*TWO))).replace(version(), "VERSION"))


def test_several_projects_stand_side_by_side() -> None:
    page = compose.report(TWO)
    verdict_rows = [[cell.text for cell in row] for row in page.overview[0].tables[0].rows]
    assert [row[:3] for row in verdict_rows] == [
        ["before", "Bounded", "In C simulation"],
        ["after", "Exact", "In C simulation"],
    ]
    tables = {table.caption: {row[0].text: row[1:] for row in table.rows} for table in page.overview[1].tables}
    assert list(tables) == ["Network and target", "Promise and checks", "Quality", "Project"]
    clock, promise = tables["Network and target"]["Clock"], tables["Promise and checks"]["Promise"]
    assert [(cell.text, cell.tone) for cell in clock] == [("5 ns", Tone.SAME)] * 2
    assert [(cell.text, cell.tone) for cell in promise] == [("Bounded", Tone.PLAIN), ("Exact", Tone.PLAIN)]
    assert tables["Network and target"]["Digest of the file"][0].text == "ab" * 6
    assert [chapter.name for chapter in page.chapters] == ["before", "after"]


def test_several_projects_have_a_chart_of_cost_against_speed() -> None:
    small = estimated(lut=20_000, dsp=10)
    fast = replace(
        estimated(lut=60_000, dsp=10),
        totals=replace(small.totals, latency_ns=replace(small.totals.latency_ns, value=small.totals.latency_ns.low)),
    )
    runs = {"small": small, "fast": fast, "worse": estimated(lut=90_000, dsp=10)}
    entries = [ReportInput(name=name, record=record(estimate=one)) for name, one in runs.items()]
    page = compose.report([*entries, ReportInput(name="unknown", record=record())])
    section = next(one for one in page.overview if one.key == "trade-off")
    picture, numbers = section.tables
    assert len(picture.rows[0][0].mark.points) == 3  # type: ignore[union-attr]  # a mark of points
    assert [row[0].text for row in numbers.rows] == ["small", "fast", "worse"]
    assert [row[-2].text for row in numbers.rows] == ["on it", "on it", "–"]
    shares = [row[3].number for row in numbers.rows]
    assert shares[0] < shares[1] < shares[2]  # type: ignore[operator]  # all are known
    assert "Cost against speed" in markdown(page)
    assert 'class="scatter"' in html(page)
    assert all(one.key != "trade-off" for one in compose.report(entries[:1]).overview)
    assert all(one.key != "trade-off" for one in compose.report([entries[0], entry()]).overview)


def test_a_design_that_stops_has_no_point_in_the_chart() -> None:
    """It gives no answers, so it is not on the front, though it is the smallest."""
    small = estimated(lut=1000, dsp=1)
    of = figure(10.0)
    stuck = Simulated(
        latency_cycles=of, latency_ns=of, ii_cycles=of, ii_ns=of, layers=(), streams=(), deadlock=("a", "b")
    )
    runs = {"stuck": replace(small, simulated=stuck), "one": estimated(lut=20_000), "two": estimated(lut=30_000)}
    assert runs["stuck"].stops
    entries = [ReportInput(name=name, record=record(estimate=one)) for name, one in runs.items()]
    section = next(one for one in compose.report(entries).overview if one.key == "trade-off")
    assert [row[0].text for row in section.tables[1].rows] == ["one", "two"]
    assert all(one.key != "trade-off" for one in compose.report(entries[:2]).overview)


def test_html_is_one_file_that_loads_nothing() -> None:
    text = html(compose.report(TWO))
    assert not any(word in text for word in ("http://", "https://", '<link rel="stylesheet', "<img", "@import", "url("))
    assert text.count("<script>") == 1
    assert "default-src 'none'" in text
    assert text.startswith("<!doctype html>\n")


def test_the_same_record_gives_the_same_bytes() -> None:
    assert html(compose.report(TWO)) == html(compose.report(TWO))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-2", "'-2"),
        (-2, "-2"),
        (-2.5, "-2.5"),
        (True, "true"),
        (None, ""),
        (float("nan"), ""),
        (" =x", "'=x"),
        ("a=b", "a=b"),
        ("＝x", "'＝x"),
    ],
    ids=repr,
)
def test_a_field_is_never_a_formula(value: Any, shown: str) -> None:
    assert field(value) == shown


# --- comparison ----------------------------------------------------------------------------------------------------


def test_a_run_compared_with_itself_has_no_change() -> None:
    found = compare(ONE[0], ONE[0])
    assert (found.changes, found.holds) == ((), True)
    assert found.same > 100
    assert compose.difference(found).overview[1].words == (f"No difference in {found.same} values.",)


def test_changes_are_told_in_numbers() -> None:
    slower = replace(record(), target=replace(record().target, clock_ns=10.0, reuse=4), timings_s={"load": 9.0})
    changes = compare(entry(), ReportInput(name="slower", record=slower)).changes
    assert [(one.quantity, one.left, one.right, one.difference, one.ratio, one.unit) for one in changes] == [
        ("clock", 5.0, 10.0, 5.0, 2.0, "ns"),
        ("reuse", 1, 4, 3, 4.0, ""),
    ]


def test_a_comparison_begins_with_five_lines_and_keeps_consequences_for_demand() -> None:
    parallel = replace(record(estimate=estimated()), target=replace(record().target, io="parallel"))
    page = compose.difference(compare(entry(), ReportInput(name="after", record=parallel)))
    (summary,) = page.overview[0].tables
    assert [row[0].text for row in summary.rows] == ["Promise", "Proof", "Cost", "Speed", "Quality"]
    assert [cell.text for cell in summary.rows[0]] == ["Promise", "Bounded", "Bounded", "the same"]
    assert [cell.text for cell in summary.rows[4]][3] == "the same"
    assert {section.key: section.folded for section in page.overview[2:]}["changed-target"] is False
    assert all(section.folded for section in page.overview[2:] if section.key != "changed-target")


def test_both_ends_of_a_band_stand_in_the_cell_of_its_value() -> None:
    larger = estimated()
    lut = larger.after_synthesis.lut
    grown = replace(
        larger,
        after_synthesis=replace(
            larger.after_synthesis, lut=replace(lut, value=2 * lut.value, low=2 * lut.low, high=2 * lut.high)
        ),
    )
    left, right = (ReportInput(name=str(one), record=record(estimate=one)) for one in (larger, grown))
    changed = compare(left, right)
    assert {one.quantity for one in changed.changes} == {"LUT", "LUT, low", "LUT, high"}
    (section,) = (one for one in compose.difference(changed).overview if one.key.startswith("changed-"))
    (row,) = section.tables[0].rows
    assert row[1].text == f"{number(lut.value)} ({number(lut.low)} to {number(lut.high)})"
    assert row[2].text == f"{number(2 * lut.value)} ({number(2 * lut.low)} to {number(2 * lut.high)})"
    assert row[4].text == "× 2"


def test_an_end_of_a_band_that_changes_alone_has_a_row_of_its_own() -> None:
    larger = estimated()
    lut = larger.after_synthesis.lut
    for changed in ({"high": 2 * lut.high}, {"value": 1.1 * lut.value, "high": 2 * lut.high}):
        wider = replace(larger, after_synthesis=replace(larger.after_synthesis, lut=replace(lut, **changed)))
        left, right = (
            ReportInput(name=name, record=record(estimate=one)) for name, one in (("a", larger), ("b", wider))
        )
        (section,) = (
            one for one in compose.difference(compare(left, right)).overview if one.key.startswith("changed-")
        )
        shown = {row[0].text.rpartition("LUT")[2]: row[2].text for row in section.tables[0].rows}
        assert shown == {{"value": "", "high": ", high"}[name]: number(value) for name, value in changed.items()}


def test_only_a_layer_that_was_compared_has_a_largest_difference() -> None:
    whole = record()
    of_layers = next(one for one in whole.verification if one.right == "quantized network")
    score = replace(of_layers, layers=1, compared=("score",))
    nothing = replace(score, compared=("conv1",), differences={})
    for report, seen in ((score, "0.000244"), (nothing, "–"), (replace(nothing, compared=()), "–")):
        assert texts(replace(whole, verification=(report,)), "errors")[-1][2] == seen
    assert texts(replace(whole, verification=()), "errors")[-1][2] == "–"


def test_a_bound_that_no_record_has_is_not_shown() -> None:
    assert verdicts(of(replace(record(), outputs=())))[0].detail == PROMISES["Bounded"]


def test_what_only_one_run_has_is_a_change() -> None:
    layers = record().plan.decisions
    shorter = replace(record(), plan=replace(record().plan, decisions=layers[:-1]), notes=())
    changes = compare(entry(), ReportInput(name="shorter", record=shorter)).changes
    assert {(one.section, one.item) for one in changes} == {("layer", "score"), ("note", "1")}
    assert all(one.right is None and one.difference is None for one in changes)


def test_a_comparison_holds_where_the_checks_of_the_right_one_hold() -> None:
    bad = ReportInput(name="bad", record=record(verification=(broken(),)))
    assert (compare(bad, ONE[0]).holds, compare(ONE[0], bad).holds) == (True, False)


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".html", ".md", ".csv", ".json", ".HTML"])
def test_a_report_replaces_a_report_and_leaves_nothing_beside_it(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "deep" / f"r{suffix}"
    write_report(file, ONE)
    first = file.read_bytes()
    write_report(file, TWO)
    assert file.read_bytes() != first
    write_comparison(file, compare(*TWO))
    write_report(file, ONE)
    assert file.read_bytes() == first
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


@pytest.mark.parametrize("suffix", [".html", ".md", ".csv", ".json"])
def test_a_file_of_somebody_else_stays(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"r{suffix}"
    file.write_text("mine")
    with pytest.raises(ReportExistsError) as caught:
        write_report(file, ONE)
    assert str(caught.value) == f"{file} exists and is not a report of fpgacnn"
    assert caught.value.hint == "choose another name with -o, or remove the file"
    assert file.read_text() == "mine"


def test_neither_a_link_nor_a_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "target.md").write_text("")
    (tmp_path / "link.md").symlink_to(tmp_path / "target.md")
    for name in ("folder.md", "link.md"):
        with pytest.raises(ReportExistsError):
            write_report(tmp_path / name, ONE)
    assert (tmp_path / "target.md").read_text() == ""


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.html.gz"])
def test_a_suffix_without_a_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReportFormatError) as caught:
        write_report(tmp_path / name, ONE)
    assert str(caught.value) == f"{tmp_path / name}: there is no report format for '{Path(name).suffix}'"
    assert caught.value.hint == "end the file's name in .html, .md, .csv or .json; of a profile in .html, .svg or .png"
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"cannot write .*r\.md: "):
        write_report(tmp_path / "file" / "r.md", ONE)


def test_json_is_the_record_under_its_name(tmp_path: Path) -> None:
    write_report(tmp_path / "r.json", ONE)
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["projects"] == [
        {"name": "small", "record": json.loads(record().to_json()), "synthesis": None, "estimate": None}
    ]
    assert content["schema"] == 1
