"""What a design costs, by whom it was said, and what a report makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fpgacnn.records.compare import compare
from fpgacnn.records.flatten import flatten
from fpgacnn.records.read_record import read_run
from fpgacnn.records.report_input import ReportInput
from fpgacnn.records.resources import Source, by_layer, latest, resource_reports, timed
from fpgacnn.reporting.charts import Bar, Shares, shares
from fpgacnn.reporting.page import compose
from fpgacnn.reporting.page.layer_costs import OVERLAP, slowest, starts
from fpgacnn.reporting.page.page import Section, Tone
from fpgacnn.reporting.page.resources import fits_part, speed
from fpgacnn.reporting.page.sections import sections
from fpgacnn.reporting.page.verdicts import verdicts
from tests.support.records import estimated, exact_record, layer, record, synthesized


def whole() -> ReportInput:
    """A run with an estimate and the tools' word on it."""
    return ReportInput(name="small", record=record(estimate=estimated()), synthesis=synthesized())


def guessed(**amounts: float) -> ReportInput:
    return ReportInput(name="small", record=record(estimate=estimated(**amounts)))


def reported(**amounts: int) -> ReportInput:
    return ReportInput(
        name="foreign", record=None, synthesis=replace(synthesized(with_vivado=False, **amounts), unread=())
    )


def section(entry: ReportInput, key: str) -> Section:
    return next(one for one in sections(entry) if one.key == key)


def texts(entry: ReportInput, key: str, table: int = 0) -> list[list[str]]:
    return [[cell.text for cell in row] for row in section(entry, key).tables[table].rows]


# --- who says what -------------------------------------------------------------------------------------------------


def test_sources_come_from_the_first_guess_to_the_last_word() -> None:
    found = whole().costs
    assert [one.source for one in found] == [
        Source.ESTIMATE,
        Source.AFTER_SYNTHESIS,
        Source.CSYNTH,
        Source.COSIM,
        Source.SYNTH,
    ]
    assert (latest(found), timed(found), by_layer(found)) == (found[4], found[3], found[2])


def test_where_nobody_says_anything_nothing_is_known() -> None:
    assert resource_reports(None, None) == ()
    assert (latest(()), timed(()), by_layer(())) == (None, None, None)


def test_a_resource_that_a_tool_does_not_state_is_missing_and_not_zero() -> None:
    report = synthesized()
    assert report.synth is not None
    vivado = resource_reports(None, report)[2]
    assert vivado.source is Source.SYNTH
    assert set(vivado.resources) == {"lut", "ff", "dsp", "bram_18k", "uram"}
    assert resource_reports(None, report)[1].resources == {}


def test_cycles_become_time_by_the_clock_that_was_asked_for() -> None:
    found = timed(whole().costs)
    assert found is not None
    assert found.latency_ns is not None
    assert (found.latency_ns.low, found.latency_ns.high) == (161 * 5.0, 165 * 5.0)


# --- verdicts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "answer", "tone", "words"),
    [
        (guessed(), "Fits", Tone.GOOD, "DSP is tightest with 44 %. Estimated after logic synthesis."),
        (
            guessed(dsp=200),
            "May not fit",
            Tone.WARN,
            "150 to 250 of 220 DSP. Next: fpgacnn fit. Estimated after logic synthesis.",
        ),
        (guessed(dsp=240), "May not fit", Tone.WARN, "180 to 300 of 220 DSP. Next: fpgacnn fit. Estimated after"),
        (guessed(dsp=300), "Does not fit", Tone.BAD, "80 DSP too many. Estimated after logic synthesis."),
        (reported(), "Fits", Tone.GOOD, "LUT is tightest with 56 %. C synthesis (Vitis HLS 2023.2)"),
        (
            reported(lut=60_000),
            "Does not fit",
            Tone.BAD,
            "6,800 LUT too many (about half of the LUTs that C synthesis counts",
        ),
        (reported(dsp=230), "Does not fit", Tone.BAD, "10 DSP too many. C synthesis"),
        (whole(), "Fits", Tone.GOOD, "DSP is tightest with 45 %. Logic synthesis (Vivado 2023.2)"),
    ],
)
def test_whether_it_fits_is_the_last_word_on_it(entry: ReportInput, answer: str, tone: Tone, words: str) -> None:
    verdict = fits_part(entry)
    assert (verdict.answer, verdict.tone) == (answer, tone)
    assert verdict.detail.startswith(words)


def test_a_design_that_does_not_fit_fails_its_check_and_one_that_may_not_does_not() -> None:
    assert [one.holds for one in (guessed(), guessed(dsp=200), guessed(dsp=300))] == [True, True, False]
    assert [one.holds for one in (reported(), reported(lut=60_000), reported(dsp=230))] == [True, False, False]


def test_how_fast_it_is_is_counted_before_it_is_expected() -> None:
    assert speed(whole()).answer == "825 ns"
    assert speed(whole()).detail.startswith(
        "165 (161 to 165) cycles of 5 ns from input to output; a new event every 66 cycles (330 ns). RTL simulation"
    )
    assert speed(guessed()).answer == "800 ns"
    assert speed(guessed()).detail.endswith("Estimated for C synthesis.")


def test_the_clocks_of_rtl_are_exact_and_no_c_synthesis_is_named() -> None:
    rtl = ReportInput(name="small", record=record(estimate=replace(estimated(), stage="synth", tool="RTL")))
    assert [one.source for one in rtl.costs] == [Source.AFTER_SYNTHESIS, Source.SCHEDULE]
    assert speed(rtl).detail.endswith("Schedule of the RTL (every clock is known before simulation).")
    assert by_layer(rtl.costs) == rtl.costs[0]
    assert [note.partition(":")[0] for note in section(rtl, "resources").notes] == ["Estimates"]
    assert not any("C synthesis" in str(one) for one in sections(rtl))


def test_a_missed_clock_and_a_failed_rtl_simulation_are_failed_checks_that_verdicts_name() -> None:
    assert not whole().holds
    assert speed(whole()).tone is Tone.BAD
    assert speed(whole()).detail.endswith("RTL simulation (Verilog). But myproject misses its clock by 0.12 ns.")
    report = synthesized()
    assert report.cosim is not None
    met = replace(report, timings=(), unread=())
    failed = replace(met, cosim=replace(report.cosim, status="Fail"))
    entries = [ReportInput(name="a", record=exact_record(), synthesis=one) for one in (met, failed)]
    assert [one.holds for one in entries] == [True, False]
    unread = ReportInput(name="a", record=exact_record(), synthesis=replace(met, unread=report.unread))
    assert (unread.holds, unread.line) == (False, "report of a: reports cannot be read")
    answers = [[(one.answer, one.tone) for one in verdicts(entry) if one.question == "In RTL?"] for entry in entries]
    assert answers == [[("Passes", Tone.GOOD)], [("Fails", Tone.BAD)]]


def test_a_project_that_fpgacnn_did_not_make_is_not_said_to_be_exact() -> None:
    chapter = compose.report([reported()]).chapters[0]
    assert [(one.question, one.answer) for one in chapter.verdicts] == [
        ("Exact?", "Not known"),
        ("Fits?", "Fits"),
        ("How fast?", "850 ns"),
        ("Slowest?", "conv2"),
    ]
    assert chapter.subtitle == "myproject, xc7z020-clg400-1, Vitis HLS, 2023.2"
    assert [one.key for one in chapter.sections] == ["resources", "latency", "layers", "synthesis"]


# --- sections ------------------------------------------------------------------------------------------------------


def test_a_foreign_project_without_reports_has_an_estimate_or_says_why_not() -> None:
    guess = ReportInput(name="foreign", record=None, guess=estimated())
    chapter = compose.report([guess]).chapters[0]
    assert chapter.subtitle == "xc7z020-clg400-1, 5 ns, Vitis HLS"
    assert [one.key for one in chapter.sections] == ["resources", "latency", "layers", "cautions"]
    unknown = ReportInput(name="foreign", record=None, notes=("no estimate: the part 'x' is unknown",))
    assert section(unknown, "synthesis").notes == ("no estimate: the part 'x' is unknown",)
    assert unknown.holds


def test_every_source_stands_beside_what_the_part_has() -> None:
    columns = [column.name for column in section(whole(), "resources").tables[0].columns]
    assert columns == [
        "Resource",
        "Estimate of C synthesis",
        "Estimate after synthesis",
        "C synthesis",
        "Logic synthesis",
        "The part has",
        "Used",
        "Share (Logic synthesis)",
    ]
    rows = texts(whole(), "resources")
    assert rows[0] == [
        "LUT",
        "20,000 (15,000 to 25,000)",
        "10,000 (7,500 to 12,500)",
        "30,000",
        "15,000",
        "53,200",
        "28 %",
        "",
    ]
    assert [row[0] for row in rows] == ["LUT", "FF", "DSP", "BRAM 18K"]
    assert (
        section(whole(), "resources").notes[1]
        == "C synthesis: Vitis HLS 2023.2, solution1/syn/report/myproject_csynth.rpt"
    )


def test_the_graph_says_what_each_node_costs() -> None:
    table = section(whole(), "network").tables[0]
    assert [column.name for column in table.columns[-3:]] == ["Latency", "LUT", "C synthesis"]
    assert [[cell.text for cell in row[-3:]] for row in table.rows] == [
        ["–", "–", ""],
        ["80", "15,000", ""],
        ["120", "15,000", ""],
        ["–", "–", ""],
        ["–", "–", ""],
    ]
    assert table.rows[1][-1].mark == Bar(start=0.0, length=100.0)
    assert len(section(ReportInput(name="a", record=record()), "network").tables[0].columns) == 6


def test_an_estimate_is_drawn_with_its_band() -> None:
    drawn = section(guessed(), "resources").tables[0].rows[2][-1].mark
    assert drawn == Bar(start=0.0, length=43.64, low=32.73, high=54.55)


def test_layers_that_overlap_are_compared_with_the_longest() -> None:
    latency = section(whole(), "latency")
    assert [[cell.text for cell in row[:3]] for row in latency.tables[1].rows] == [
        ["conv1", "80", "64"],
        ["conv2", "120", "64"],
    ]
    assert [row[3].mark for row in latency.tables[1].rows] == [
        Bar(start=0.0, length=66.67),
        Bar(start=0.0, length=100.0),
    ]
    assert latency.words == (OVERLAP,)


def test_layers_without_a_graph_follow_each_other() -> None:
    assert starts({"a": 3.0, "b": 4.0, "c": 5.0}, ()) == {"a": 0.0, "b": 3.0, "c": 7.0}


def test_a_layer_begins_when_the_last_of_its_inputs_is_complete() -> None:
    """A skip connection: `b` and `c` work at the same time, `add` waits for the longer of them."""
    graph = (
        layer("x", "Input"),
        layer("a", "Dense", "x"),
        layer("b", "Dense", "a"),
        layer("flat", "Reshape", "a"),
        layer("c", "Dense", "flat"),
        layer("add", "Merge", "b", "c"),
    )
    found = starts({"a": 3.0, "b": 4.0, "c": 9.0, "add": 1.0}, graph)
    assert {name: found[name] for name in ("a", "b", "c", "add")} == {"a": 0.0, "b": 3.0, "c": 3.0, "add": 12.0}


def test_the_slowest_layer_is_named_with_its_share() -> None:
    (verdict,) = slowest(whole())
    assert (verdict.answer, verdict.detail) == ("conv2", "This layer works 120 cycles on a frame, 60 % of all.")
    assert slowest(ReportInput(name="a", record=record())) == ()


def test_shares_of_the_layers_add_up_and_name_the_largest() -> None:
    rows = section(whole(), "layers").tables[0].rows
    for row in rows:
        mark = row[1].mark
        assert isinstance(mark, Shares)
        assert sum(length for _, length, _ in mark.parts) == pytest.approx(100.0, abs=0.1)
    assert shares([0.0, 0.0]) is None
    assert shares([float("nan"), 1.0]) is None
    assert shares([1.0, 0.0, 3.0]) == Shares(parts=((0.0, 25.0, 0), (25.0, 75.0, 2)))


def test_a_layer_without_numbers_says_why() -> None:
    row = section(whole(), "layers").tables[1].rows[2]
    assert [cell.text for cell in row] == ["", "relu", "conv_2d_cl", "–", "–", "–", "–", "inlined into its caller"]


def test_cautions_say_what_to_do() -> None:
    assert texts(whole(), "cautions") == [
        ["conv1", "FC121", "a loop over 5,000 is unrolled", "use a reuse factor of 4"]
    ]


def test_reports_of_the_tools_are_listed_with_what_is_wrong_with_them() -> None:
    found = section(whole(), "synthesis")
    assert found.words == ("1 report read, 1 not.",)
    assert found.notes == (
        "the part of the report is not that of the project",
        "not read: broken.rpt: section 'Latency': it is cut off",
    )
    assert texts(whole(), "synthesis", 1) == [["myproject", "impl", "−0.12", "0.02", "40", "not met"]]


def test_costs_stand_side_by_side() -> None:
    figures = {table.caption: table for table in compose.report([whole(), reported()]).overview[-1].tables}
    logic = {row[0].text: [cell.text for cell in row[1:]] for row in figures["Logic synthesis"].rows}
    assert logic["LUT"] == ["15,000, 28 %", "–"]
    csynth = {row[0].text: [(cell.text, cell.tone) for cell in row[1:]] for row in figures["C synthesis"].rows}
    assert csynth["Latency"] == [("170 (150 to 170) cycles, 850 ns", Tone.SAME)] * 2


# --- facts and records ---------------------------------------------------------------------------------------------


def test_every_number_is_a_fact_with_its_stage() -> None:
    found = {fact.key: fact.value for fact in flatten(whole())}
    assert found["csynth", "", "LUT"] == 30_000
    assert found["synth", "", "LUT"] == 15_000
    assert found["estimate after synthesis", "", "LUT, high"] == 12_500
    assert found["csynth", "conv2", "latency"] == 120
    assert found["synth", "", "fits"] is True
    assert ("csynth", "relu", "latency") not in found


def test_a_changed_cost_is_a_change() -> None:
    smaller = ReportInput(name="smaller", record=record(estimate=estimated()), synthesis=synthesized(lut=20_000))
    changes = {
        (one.section, one.item, one.quantity): (one.left, one.right, one.ratio)
        for one in compare(whole(), smaller).changes
    }
    assert changes["synth", "", "LUT"] == (15_000, 10_000, pytest.approx(2 / 3))
    assert ("estimate", "", "LUT") not in changes


def test_estimate_and_synthesis_come_back_from_the_record(tmp_path: Path) -> None:
    run = record(estimate=estimated(), synthesis=synthesized())
    (tmp_path / "run.json").write_text(run.to_json())
    assert read_run(tmp_path / "run.json") == run


def test_an_exact_run_without_costs_still_holds() -> None:
    assert ReportInput(name="a", record=exact_record()).holds
