"""Tables on a terminal of 80 columns, and the summary at the end of a run."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from fpgacnn.records.compare import compare
from fpgacnn.records.record import ProjectRecord, Quality
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.page import compose
from fpgacnn.reporting.page.verdicts import outcome, proof, where_first
from fpgacnn.reporting.terminal.columns import FittingTable, left, right
from fpgacnn.reporting.terminal.summary import next_commands, summary
from fpgacnn.reporting.terminal.synthesis import synthesis_report
from fpgacnn.reporting.terminal.tables import (
    comparison_report,
    inputs_report,
    layer_table,
    run_report,
    section_parts,
    verdict,
)
from tests.support.records import broken, comparison, estimated, exact_record, layer, record, synthesized


def lines(*parts: RenderableType, width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def table(*widths: int) -> FittingTable:
    headings = (left("name"), *(left(f"c{number}", rank=number) for number in range(1, len(widths))))
    return FittingTable(headings=headings, rows=(tuple(Text("x" * width) for width in widths),))


def test_columns_of_the_highest_rank_are_left_out_first() -> None:
    wide = table(10, 20, 20, 20)
    assert wide.kept(76) == (0, 1, 2, 3)
    assert wide.kept(75) == (0, 1, 2)
    assert wide.kept(53) == (0, 1)
    assert wide.kept(5) == (0,)


def test_a_table_that_cannot_fit_is_written_row_by_row() -> None:
    numbers = FittingTable(
        headings=(left("in all"), right("csynth report"), right("part has")),
        rows=((Text("LUT"), Text("145,000 (23,500 to 172,000)"), Text("663,360")),),
    )
    assert lines(numbers, width=60)[1].split() == ["LUT", "145,000", "(23,500", "to", "172,000)", "663,360"]
    assert lines(numbers, width=38) == [
        "LUT",
        "  csynth report  145,000 (23,500 to",
        "  172,000)",
        "  part has       663,360",
    ] or (lines(numbers, width=38)[0] == "LUT" and "663,360" in lines(numbers, width=38)[-1])


def test_texts_are_folded_between_words_and_not_at_ten_characters() -> None:
    words = "exact bound of 72 products with the real weights " * 4
    folded = FittingTable(headings=(left("layer"), left("why", least=20)), rows=((Text("conv1"), Text(words.strip())),))
    shown = lines(folded)
    assert max(map(len, shown)) <= 80
    assert " ".join(" ".join(shown[1:]).split()) == f"conv1 {words.strip()}"
    assert len(shown) == 4


NAMES = ("conv1", "block_12_expand_depthwise_batch_norm_relu", "a")


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_nothing_of_a_run_is_wider_than_the_terminal(width: int) -> None:
    nodes = [layer(name, "Convolution", accumulator="fixed<13,4>", weight="fixed<6,1>") for name in NAMES]
    run = record(estimate=estimated())
    run = replace(run, plan=replace(run.plan, decisions=(*run.plan.decisions, *nodes)))
    shown = lines(*run_report(run), *run_report(run, reasons=True), width=width)
    assert max(map(len, shown)) <= width
    for name in NAMES:
        row = next(line for line in shown if line.startswith(f"{name} "))
        assert "fixed<12,4>" in row
    whole = ReportInput(name="run", record=run, synthesis=synthesized())
    assert max(map(len, lines(*inputs_report([whole]), width=width))) <= width
    other = ReportInput(name="other", record=exact_record())
    assert max(map(len, lines(*comparison_report(compare(whole, other)), width=width))) <= width
    for section in compose.report([whole]).chapters[0].sections:
        assert max(map(len, lines(*section_parts(section), width=width))) <= width


@pytest.mark.parametrize("width", [80, 100, 160])
def test_reports_of_the_tools_fit_the_terminal(width: int) -> None:
    shown = lines(*synthesis_report(synthesized()), width=width)
    assert max(map(len, shown)) <= width
    assert any(line.startswith("csynth") for line in shown)


def test_reasons_are_a_column_a_list_or_a_hint() -> None:
    run = record()
    narrow, listed, wide = (
        lines(*run_report(run)),
        lines(*run_report(run, reasons=True)),
        lines(*run_report(run), width=200),
    )
    reason = "exact bound of 9 products"
    assert "-v shows the reason of every width" in narrow
    assert not any(reason in line for line in narrow)
    assert f"  conv1: {reason}" in listed
    assert any(line.startswith("conv1") and reason in line for line in wide)


def test_a_layer_has_its_name_of_the_file_and_further_nodes_have_their_own() -> None:
    named = [
        replace(layer("dense_1", "Dense"), source="Dense 1"),
        replace(layer("dense_1_relu", "Cast"), source="Dense 1"),
    ]
    assert [row[0].plain for row in layer_table(named).rows] == ["Dense 1", "dense_1_relu"]


def rows_of(text: list[str]) -> dict[str, str]:
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in text if line and not line.startswith(" ")}


def test_the_summary_answers_every_question_once() -> None:
    run = replace(
        record(estimate=estimated()),
        project=ProjectRecord(folder="out dir", digest="cd" * 32, files=12, bytes=34),
        quality=(Quality(measure="accuracy", events=100, float_network=0.9, quantized=0.8, hardware=0.75),),
    )
    shown = rows_of(lines(summary(run), width=200))
    assert list(shown) == ["promise", "proof", "cost", "quality", "folder", "next"]
    assert shown["promise"].startswith("bounded: score: table of sigmoid")
    assert shown["proof"].startswith("in C simulation: ")
    assert "fit" in shown["cost"]
    assert shown["quality"] == "accuracy 0.7500 in hardware, 0.8000 quantized, 0.9000 as float network (100 events)"
    assert shown["folder"] == "out dir  (12 files, digest cdcdcdcdcdcd)"
    assert shown["next"] == "fpgacnn report 'out dir' -o report.html"


def test_the_next_command_of_a_failed_comparison_is_verify() -> None:
    run = replace(record(verification=(broken(),)), project=ProjectRecord(folder="p", digest="ab", files=1, bytes=1))
    assert next_commands(run) == ("fpgacnn verify p",)
    assert rows_of(lines(summary(run)))["proof"].startswith("different: ")


def test_the_next_command_of_a_design_that_may_not_fit_is_fit() -> None:
    small = estimated()
    assert small.available is not None
    small = replace(small, available=replace(small.available, lut=1))
    run = replace(record(estimate=small), project=ProjectRecord(folder="p", digest="ab", files=1, bytes=1))
    assert next_commands(run)[0] == "fpgacnn fit p -o target.toml"


def test_layers_whose_words_come_in_other_clocks_are_named_everywhere() -> None:
    late = comparison(
        "rtl", "emulator", holds=False, mismatches=0, clocks_equal_schedule=False, other_clocks=("conv1", "a", "b")
    )
    words = "words of conv1 and 2 more come in other clocks than those of the schedule"
    assert words in proof(replace(record(), verification=(late,))).detail
    assert verdict(late).plain == f"DIFFERENT {words}"
    assert where_first(comparison("rtl", "emulator")) == ""


def test_the_proof_says_how_many_events_rtl_simulation_computed() -> None:
    def detail(simulated: int) -> str:
        reports = (comparison("emulator", "quantized", events=200), comparison("rtl", "emulator", events=simulated))
        return proof(replace(record(), verification=reports)).detail

    start = "Every answer comes in the clock of its schedule. "
    assert detail(4).startswith(f"{start}RTL simulation computed 4 events. ")
    assert detail(1).startswith(f"{start}RTL simulation computed 1 event. ")
    assert "RTL simulation" not in detail(200)


def test_the_verdict_in_a_table_has_the_words_of_the_report() -> None:
    """`outcome` decides the words; the table adds the bound, which it has no column for, and where a failure begins."""
    within = comparison("emulator", "quantized network", mismatches=3, max_abs_difference=0.01, allowed=0.25)
    assert verdict(within).plain == f"{outcome(within)} of 0.25" == "within the bound of 0.25"
    tied = comparison("emulator", "Keras", mismatches=1, float32_events=1)
    assert verdict(tied).plain == outcome(tied) == "equal but for 1 event in which float32 rounds a tie"
    assert verdict(comparison()).plain == outcome(comparison()) == "equal"
    stuck = comparison(holds=False, deadlock=("a", "b"))
    assert verdict(stuck).plain == "DEADLOCK: a → b"
    assert verdict(comparison(holds=False)).plain == "DIFFERENT"
