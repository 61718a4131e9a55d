"""Vivado's reports, the summary of Vitis HLS, design size, RTL simulation and export, read into numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.errors import ReportBrokenError, ReportForeignError
from fpgacnn.hardware.synthesis.figures import UNKNOWN, IntRange, Stage
from fpgacnn.hardware.synthesis.find import ReportKind, kind_of
from fpgacnn.hardware.synthesis.read import read
from fpgacnn.hardware.synthesis.readers.cells import Cells, date_text, function_in, layer_index, writer_index
from fpgacnn.hardware.synthesis.readers.cosim import read_cosim, read_export_rpt, read_export_xml
from fpgacnn.hardware.synthesis.readers.results import read_results_rpt
from fpgacnn.hardware.synthesis.readers.summary import read_design_size_rpt, read_design_size_xml, read_summary
from fpgacnn.hardware.synthesis.readers.vivado import read_timing, read_utilization
from tests.support.hls_reports import design_size_rpt, design_size_xml, summary_rpt
from tests.support.vivado_reports import (
    EXPORT_XML,
    Netlist,
    cosim_rpt,
    export_rpt,
    results_rpt,
    timing_rpt,
    utilization_rpt,
)

ROWS = (
    (
        "+ myproject*",
        "-",
        "0.01",
        "1187",
        "5.935e+03",
        "-",
        "1031",
        "-",
        "dataflow",
        "14 (~0%)",
        "66 (~0%)",
        "9327 (~0%)",
        "15413 (~0%)",
        "-",
    ),
    (
        " + conv_config2_s",
        "II",
        "-0.25",
        "1165",
        "5.825e+03",
        "-",
        "1165",
        "-",
        "no",
        "2 (~0%)",
        "8 (~0%)",
        "1210 (~0%)",
        "2044 (~0%)",
        "-",
    ),
    ("  o ReadInputHeight", "-", "3.65", "1164", "5.820e+03", "97", "-", "12", "no", "-", "-", "-", "-", "-"),
    ("   o ReadInputWidth", "-", "3.65", "-", "-", "8", "1", "-", "yes", "-", "-", "-", "-", "-"),
)
NOT_RUN = ("VHDL", "NA", "NA", "NA", "NA", "NA", "NA", "NA")


def test_the_summary_is_a_tree_with_the_shares_taken_off() -> None:
    read = read_summary(summary_rpt(ROWS), "csynth.rpt")
    assert (read.top, read.version, read.part, read.date) == (
        "myproject",
        "2023.2",
        "xcu250-figd2104-2L-e",
        "2024-03-05T14:02:33",
    )
    assert [(row.name, row.kind, row.depth, row.dataflow) for row in read.rows] == [
        ("myproject", "module", 0, True),
        ("conv_config2_s", "module", 1, False),
        ("ReadInputHeight", "loop", 2, False),
        ("ReadInputWidth", "loop", 3, False),
    ]
    top, conv, outer, inner = read.rows
    assert top.resources is not None
    assert (top.resources.lut, top.resources.bram_18k, top.resources.uram, top.latency_ns, top.interval_cycles) == (
        15413,
        14,
        None,
        5935.0,
        1031,
    )
    assert (conv.slack_ns, conv.issue, top.issue, conv.pipelined) == (-0.25, "II", None, "no")
    assert (outer.iteration_latency_cycles, outer.trip_count, outer.interval_cycles, outer.resources) == (
        97,
        12,
        None,
        None,
    )
    assert (inner.latency_cycles, inner.latency_ns, inner.trip_count, inner.pipelined) == (None, None, None, "yes")


def test_design_size_is_the_same_in_text_and_xml() -> None:
    text, xml = read_design_size_rpt(design_size_rpt(), "x"), read_design_size_xml(design_size_xml(), "x")
    assert text == xml
    assert [(step.phase, step.step, step.instructions, step.exceeded) for step in text.steps] == [
        ("Compile/Link", "", 4120, False),
        ("Unroll/Inline", "(1) unroll", 151004, True),
        ("HW Transforms", "(2) optimizations", 977, False),
    ]


@pytest.mark.parametrize("version", ["2018.2", "2019.1", "2020.1", "2022.2", "2024.2"])
@pytest.mark.parametrize("ultrascale", [True, False])
@pytest.mark.parametrize(
    ("state", "stage"), [("Synthesized", Stage.SYNTH), ("Fully Placed", Stage.IMPL), ("Routed", Stage.IMPL)]
)
def test_vivado_counts_tiles_and_hls_counts_blocks(version: str, *, ultrascale: bool, state: str, stage: Stage) -> None:
    read = read_utilization(
        utilization_rpt(Netlist(version=version, ultrascale=ultrascale, state=state)), "vivado_synth.rpt"
    )
    used = read.resources
    assert (used.lut, used.ff, used.dsp, used.bram_tiles, used.bram_18k) == (7311, 8120, 66, 6.5, None)
    assert used.bram_18k_blocks == 13
    assert used.uram == (0 if ultrascale else None)
    assert (read.ramb36, read.ramb18, read.lut_logic, read.lut_memory) == (6, 1, 7211, 100)
    assert (used.origin.stage, used.origin.file) == (stage, "vivado_synth.rpt")
    assert (read.available.lut, read.available.bram_tiles) == (1728000, 2688.0)
    assert (read.design, read.version, read.date, read.state) == ("myproject", version, "2024-03-05T14:31:08", state)


@pytest.mark.parametrize(
    ("old", "new", "section", "why"),
    [
        ("Design State : Synthesized", "Design State : Imagined", "head", "'Imagined' is no state of a design"),
        ("| Design       :", "| Resign       :", "head", "'Design' is missing"),
        ("CLB LUTs*", "CLB LVTs*", "CLB Logic", "the row 'CLB LUTs' is missing"),
        ("7311|", "7k|", "CLB Logic", "'7k' is no whole number"),
        ("Block RAM Tile", "Block RAM Pile", "BLOCKRAM", "the row 'Block RAM Tile' is missing"),
        ("6. Instantiated Netlists\n---", "x\n---", "Instantiated Netlists", "it is missing; the report ends early"),
    ],
)
def test_a_damaged_utilization_report_names_file_and_section(old: str, new: str, section: str, why: str) -> None:
    text = utilization_rpt(Netlist())
    assert old in text
    with pytest.raises(ReportBrokenError) as caught:
        read_utilization(text.replace(old, new, 1), "x.rpt")
    assert str(caught.value) == f"x.rpt: section '{section}': {why}"


def test_slacks_and_clocks_of_a_timing_summary() -> None:
    read = read_timing(timing_rpt(), "x_timing_summary_routed.rpt")
    assert (read.worst_setup_slack_ns, read.total_setup_slack_ns, read.failing_endpoints, read.met) == (
        0.214,
        0.0,
        0,
        True,
    )
    assert (read.worst_hold_slack_ns, read.worst_pulse_width_slack_ns, read.origin.stage) == (0.017, 1.958, Stage.IMPL)
    assert read.clock_periods_ns == {"clk_fpga_0": 5.0, "feedback": 10.0}


def test_a_timing_summary_that_fails_or_has_no_paths() -> None:
    failed = read_timing(timing_rpt(wns="-0.333", tns="-13.146", failing=57, met=False), "x.rpt")
    assert (failed.worst_setup_slack_ns, failed.failing_endpoints, failed.met) == (-0.333, 57, False)
    assert read_timing(timing_rpt(wns="NA", tns="NA"), "x.rpt").worst_setup_slack_ns is None
    assert read_timing(timing_rpt(wns="inf"), "x.rpt").worst_setup_slack_ns is None


@pytest.mark.parametrize(
    ("file", "stage"), [("a_timing_summary_routed.rpt", Stage.IMPL), ("timing_summary.rpt", Stage.SYNTH)]
)
def test_a_timing_summary_without_state_claims_a_placement_only_by_its_name(file: str, stage: Stage) -> None:
    assert read_timing(timing_rpt(state=None), file).origin.stage is stage


@pytest.mark.parametrize("total", [(), ("1203377",)], ids=["2019", "2023"])
def test_rtl_simulation(total: tuple[str, ...]) -> None:
    rows = (
        (*NOT_RUN, *("NA" for _ in total)),
        ("Verilog", "Pass", "1043", "1101", "1187", "1031", "1040", "1044", *total),
    )
    read = read_cosim(cosim_rpt(rows), "sim/report/myproject_cosim.rpt")
    assert (read.language, read.status, read.solution, read.date) == (
        "Verilog",
        "Pass",
        "solution1",
        "2024-03-05T14:20:19",
    )
    assert (read.latency_cycles, read.average_latency_cycles) == (IntRange(least=1043, most=1187), 1101)
    assert (read.interval_cycles, read.total_cycles) == (IntRange(least=1031, most=1044), 1203377 if total else None)
    assert read.origin.stage is Stage.COSIM


def test_rtl_simulation_that_failed_or_never_ran_has_no_cycles() -> None:
    failed = read_cosim(cosim_rpt((NOT_RUN, ("Verilog", "Fail", *(["NA"] * 6)))), "x")
    assert (failed.status, failed.latency_cycles, failed.interval_cycles) == ("Fail", UNKNOWN, UNKNOWN)
    never = read_cosim(cosim_rpt((NOT_RUN, ("Verilog", *NOT_RUN[1:]))), "x")
    assert (never.language, never.status, never.latency_cycles) == (None, None, UNKNOWN)


@pytest.mark.parametrize("version", ["2018.2", "2022.2"])
@pytest.mark.parametrize("implemented", [False, True])
def test_export(version: str, *, implemented: bool) -> None:
    read = read_export_rpt(export_rpt(implemented=implemented, version=version), "x_export.rpt")
    assert (read.resources.lut, read.resources.bram_18k, read.resources.bram_tiles, read.shift_registers) == (
        7290,
        13,
        None,
        344,
    )
    assert (read.version, read.required_ns, read.achieved_synth_ns, read.timing_met) == (version, 5.0, 4.303, True)
    assert (read.origin.stage, read.achieved_impl_ns) == ((Stage.IMPL, 4.711) if implemented else (Stage.SYNTH, None))


@pytest.mark.parametrize("met", [False, True])
@pytest.mark.parametrize("implemented", [False, True])
def test_results_of_newer_tools(*, implemented: bool, met: bool) -> None:
    text = results_rpt(implemented=implemented, met=met)
    assert kind_of(text, "export_impl.rpt") is kind_of(text, "any.rpt") is ReportKind.RESULTS
    found = read_results_rpt(text, "export_impl.rpt")
    assert (found.resources.lut, found.resources.ff, found.resources.dsp, found.resources.bram_18k) == (
        7290,
        8115,
        66,
        13,
    )
    assert (found.version, found.part, found.date) == ("2023.2", "xcu250-figd2104-2L-e", "2024-03-05T14:44:10")
    assert (found.required_ns, found.achieved_synth_ns, found.timing_met) == (5.0, 4.303, met)
    assert (found.origin.stage, found.achieved_impl_ns) == ((Stage.IMPL, 4.711) if implemented else (Stage.SYNTH, None))


def test_results_without_a_verdict_are_judged_by_their_periods_and_cut_ones_are_broken() -> None:
    text = results_rpt()
    silent = text.replace("* Timing was met\n", "")
    assert read_results_rpt(silent, "x").timing_met is True
    assert read_results_rpt(silent.replace("4.711", "9.900"), "x").timing_met is False
    assert read_results_rpt(silent.replace("4.711", "NA   "), "x").timing_met is None
    with pytest.raises(ReportBrokenError, match=r"^x: section 'Place & Route Timing Summary': 'Post-Route' is missing"):
        read_results_rpt(text[: text.index("| Post-Route")], "x")
    with pytest.raises(ReportBrokenError, match=r"^x: section 'Place & Route Resource Summary': 'FF' is missing"):
        read_results_rpt(text[: text.index("FF:")], "x")
    with pytest.raises(ReportBrokenError, match=r"^x: section 'Place & Route Timing Summary': 'Target' is missing"):
        read_results_rpt(text[: text.index("| Target")], "x")


def test_timing_without_constraints_is_unknown() -> None:
    text = timing_rpt(wns="inf").replace(
        "All user specified timing constraints are met.", "There are no user specified timing constraints."
    )
    text = text[: text.index("| Clock Summary")]
    found = read_timing(text, "x_timing_summary_routed.rpt")
    assert (found.met, found.worst_setup_slack_ns, found.clock_periods_ns) == (None, None, {})


def test_an_infinite_count_is_unknown() -> None:
    assert Cells("x", "y").whole("inf") is None
    assert Cells("x", "y").whole_range("2 ~ inf") == IntRange(least=2, most=None)


@pytest.mark.parametrize(
    ("head", "tool"),
    [
        ("Fitter report for top\nQuartus Prime Version 21.4.0 Build 67", "Intel Quartus"),
        ("-- Generated by Catapult Ultra Synthesis 2024.1", "Siemens Catapult"),
        ("====== SmartHLS 2023.2 ======", "Microchip SmartHLS"),
        ("Microchip Technology Inc. - Libero SoC 2022.3", "Microchip Libero"),
    ],
)
def test_reports_of_other_makers_are_named(tmp_path: Path, head: str, tool: str) -> None:
    (tmp_path / "top.fit.rpt").write_text(f"{head}\nLogic: 5\n")
    with pytest.raises(ReportForeignError, match=f"^top.fit.rpt is a report of {tool}, not a report of Vivado"):
        read(tmp_path)
    (tmp_path / "top_export.rpt").write_text(export_rpt())
    found = read(tmp_path)
    assert found.export is not None
    assert [(one.file, one.code) for one in found.unread] == [("top.fit.rpt", "FC102")]


def test_a_path_or_a_project_named_like_another_tool_changes_nothing(tmp_path: Path) -> None:
    text = utilization_rpt(Netlist()).replace("report_utilization", "report_utilization -file /home/u/Catapult/x.rpt")
    assert kind_of(text, "vivado_synth.rpt") is ReportKind.UTILIZATION
    (tmp_path / "vivado_synth.rpt").write_text(text)
    assert read(tmp_path).unread == ()


def test_export_in_xml() -> None:
    read = read_export_xml(EXPORT_XML, "x_export.xml")
    assert (read.resources.lut, read.resources.bram_18k, read.required_ns, read.achieved_synth_ns, read.timing_met) == (
        7290,
        13,
        5.0,
        4.303,
        True,
    )
    assert (read.version, read.date) == (None, None)


def test_an_export_without_a_number_is_broken() -> None:
    with pytest.raises(
        ReportBrokenError, match=r"^x: section 'Resource usage': 'BRAM' is missing; the report ends early$"
    ):
        read_export_rpt(export_rpt().replace("BRAM:", "DRAM:"), "x")


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Tue Mar  5 14:02:31 2024", "2024-03-05T14:02:31"),
        ("Sat Apr 15 15:42:47 CST 2023", "2023-04-15T15:42:47"),
        ("Mon Sep 02 11:50:12 +08 2024", "2024-09-02T11:50:12"),
        ("Fri Feb 20 02:06:19 PM -03 2026", "2026-02-20T14:06:19"),
        ("Fri Feb 20 12:06:19 AM CET 2026.", "2026-02-20T00:06:19"),
        ("Fri Feb 31 12:06:19 2026", None),
        ("yesterday", None),
    ],
)
def test_dates_of_all_tools(text: str, date: str | None) -> None:
    assert date_text(text) == date


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("dense_resource_ap_fixed_ap_fixed_16_6_5_3_0_config26_mult_s", 26),
        ("call_ret3_relu_ap_fixed_12_10_5_3_0_ap_ufixed_9_7_5_3_0_ReLU_config11_s_fu_389", 11),
        ("dense_latency_ap_fixed_ap_fixed_16_6_5_3_0_config9_0_0_0_0", 9),
        ("Loop_1_proc574", None),
    ],
)
def test_modules_name_their_layer(name: str, index: int | None) -> None:
    assert layer_index(name) == index


@pytest.mark.parametrize(
    ("name", "index"), [("layer10_out_V_data_0_V_U", 10), ("layer21_cpy1_U", 21), ("x_c_U", None), ("layer_out", None)]
)
def test_fifos_name_the_layer_that_writes_them(name: str, index: int | None) -> None:
    assert writer_index(name) == index


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("dense_latency_ap_fixed_12_5_5_3_0_ap_fixed_12_8_5_3_0_config3_s", "dense_latency"),
        ("conv_2d_cl_array_array_ap_fixed_4u_config2_s", "conv_2d_cl"),
        ("relu_config4_s", "relu"),
        ("linear_linear_config12_s", "linear"),
        ("Block_proc", "Block_proc"),
    ],
)
def test_modules_name_their_function(module: str, function: str) -> None:
    assert function_in(module) == function
