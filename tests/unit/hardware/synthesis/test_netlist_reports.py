"""Vivado's hierarchy, power and routing; the design size of Vitis HLS 2023.1; and forms that are not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.errors import ReportBrokenError
from fpgacnn.hardware.synthesis.figures import Stage
from fpgacnn.hardware.synthesis.read import read
from fpgacnn.hardware.synthesis.readers.netlist import read_hierarchy, read_power, read_routes
from fpgacnn.hardware.synthesis.readers.summary import read_design_size_rpt, read_design_size_xml
from fpgacnn.hardware.synthesis.readers.vivado import read_utilization
from fpgacnn.records.resources import Source, resource_reports
from fpgacnn.reporting.terminal.synthesis import layer_cost_table
from tests.support.hls_reports import (
    Module,
    design_size_2023_1_rpt,
    design_size_2023_1_xml,
    design_size_rpt,
    hls_rpt,
)
from tests.support.vivado_reports import Netlist, Used, hierarchy_rpt, power_rpt, route_rpt, utilization_rpt

DENSE, RELU = "dense_latency_ap_fixed_ap_fixed_config2_s", "relu_ap_fixed_ap_ufixed_relu_config4_s"
WHOLE: Used = (900, 880, 8, 12, 1500, 2, 3, 20)
INSTANCES: list[tuple[str, str, Used]] = [
    ("board_wrapper", "(top)", WHOLE),
    ("  (board_wrapper)", "(top)", (1, 1, 0, 0, 2, 0, 0, 0)),
    ("  inst", "myproject", (850, 830, 8, 12, 1400, 2, 3, 20)),
    (f"    grp_{DENSE}_fu_80", f"myproject_{DENSE}", (500, 490, 0, 10, 700, 1, 1, 18)),
    (f"      (grp_{DENSE}_fu_80)", f"myproject_{DENSE}", (470, 460, 0, 10, 640, 0, 1, 18)),
    ("      mul_16s_7_U1", "myproject_mul_config2_inner", (30, 30, 0, 0, 60, 1, 0, 0)),
    (f"    grp_{DENSE}_fu_91", f"myproject_{DENSE}", (100, 100, 0, 0, 150, 0, 0, 2)),
    (f"    call_ret_{RELU}_fu_99", f"myproject_{RELU}", (64, 64, 0, 0, 48, 0, 0, 0)),
    ("    start_for_relu_config4_U0_U", "start_for_relu_config4_U0", (9, 9, 0, 0, 4, 0, 0, 0)),
    ("    start_for_relu_config4_U1_U", "myproject_start_for_relu_config4_U1", (9, 9, 0, 0, 4, 0, 0, 0)),
]
TOP = Module(
    instances=[
        (f"grp_{DENSE}_fu_80", DENSE, (3, 3, "15 ns", "15 ns", 1, 1, "yes"), (0, 24, 800, 1400, 0)),
        (f"call_ret_{RELU}_fu_99", RELU, (1, 1, "5 ns", "5 ns", 1, 1, "yes"), (0, 0, 90, 130, 0)),
    ]
)


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("percent", [False, True])
def test_a_layer_gets_the_netlist_of_its_outermost_instances(tmp_path: Path, *, percent: bool) -> None:
    put(tmp_path, {"myproject_csynth.rpt": hls_rpt(TOP), "tree.rpt": hierarchy_rpt(INSTANCES, percent=percent)})
    report = read(tmp_path)
    assert report.unread == ()
    found = {one.index: one.netlist for one in report.layers}
    dense, relu = found[2], found[4]
    assert dense is not None
    assert relu is not None
    assert (dense.lut, dense.ff, dense.dsp, dense.bram_tiles) == (600, 850, 20, 1.5)
    assert (relu.lut, relu.ff, relu.dsp, relu.bram_tiles) == (64, 48, 0, 0.0)
    assert dense.origin.stage is Stage.IMPL


def test_the_columns_of_a_netlist_are_shown_where_it_is_known(tmp_path: Path) -> None:
    put(tmp_path, {"myproject_csynth.rpt": hls_rpt(TOP)})
    before = layer_cost_table(read(tmp_path))
    put(tmp_path, {"tree.rpt": hierarchy_rpt(INSTANCES)})
    after = layer_cost_table(read(tmp_path))
    assert len(after.headings) == len(before.headings) + 2
    assert [row[-4].plain for row in after.rows] == ["600", "64"]


def test_layers_of_the_netlist_are_a_source_of_costs(tmp_path: Path) -> None:
    placed = utilization_rpt(Netlist(state="Routed"))
    put(tmp_path, {"myproject_csynth.rpt": hls_rpt(TOP), "vivado_synth.rpt": placed})
    assert [one.layers for one in resource_reports(None, read(tmp_path)) if one.source is Source.IMPL] == [()]
    put(tmp_path, {"tree.rpt": hierarchy_rpt(INSTANCES)})
    layers = next(one.layers for one in resource_reports(None, read(tmp_path)) if one.source is Source.IMPL)
    assert [(one.name, one.resources["lut"].value, one.resources["bram_18k"].value) for one in layers] == [
        ("layer 2", 600.0, 3.0),
        ("layer 4", 64.0, 0.0),
    ]


def test_a_dissolved_hierarchy_is_said(tmp_path: Path) -> None:
    put(tmp_path, {"myproject_csynth.rpt": hls_rpt(TOP), "tree.rpt": hierarchy_rpt(INSTANCES[:3])})
    report = read(tmp_path)
    assert [one.netlist for one in report.layers] == [None, None]
    assert report.notes == (
        "tree.rpt has no instance of a layer; synth_design keeps them with -flatten_hierarchy none",
    )


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (" FFs|", " FXs|", "the column 'FFs' is missing"),
        ("Utilization by Hierarchy\n---", "Other\n---", "its table is missing; the report ends early"),
        ("1400", "many", "'many' is no whole number"),
    ],
)
def test_a_damaged_hierarchy_names_the_fault(old: str, new: str, why: str) -> None:
    text = hierarchy_rpt(INSTANCES)
    assert old in text
    with pytest.raises(ReportBrokenError) as caught:
        read_hierarchy(text.replace(old, new), "x.rpt")
    assert str(caught.value) == f"x.rpt: section 'Utilization by Hierarchy': {why}"


def test_power_and_its_parts(tmp_path: Path) -> None:
    report = read(put(tmp_path, {"myproject_power_routed.rpt": power_rpt()}))
    (power,) = report.powers
    assert (power.total_w, power.dynamic_w, power.static_w, power.confidence) == (4.517, 2.004, 2.513, "Medium")
    assert (power.origin.stage, power.version, power.date) == (Stage.IMPL, "2023.2", "2024-03-05T15:03:02")
    assert read_power(power_rpt(state="synthesized"), "x").origin.stage is Stage.SYNTH


@pytest.mark.parametrize("cut", ["| Dynamic (W)", "| Total On-Chip", "1.1 On-Chip Components\n---"])
def test_a_power_report_that_ends_early_is_broken_only_before_its_summary_ends(cut: str) -> None:
    text = power_rpt()
    short = text[: text.index(cut)]
    if cut.startswith("1.1"):
        assert read_power(short, "x") == read_power(text, "x")
        return
    with pytest.raises(ReportBrokenError, match=r"^x: section 'Summary': "):
        read_power(short, "x")


def test_open_nets_fail_a_design(tmp_path: Path) -> None:
    assert read(put(tmp_path, {"a_route_status.rpt": route_rpt()})).holds
    put(tmp_path, {"a_route_status.rpt": route_rpt(routed=9100, errors=3)})
    report = read(tmp_path)
    assert not report.holds
    assert report.unrouted == ("a_route_status.rpt has 20 of 9,120 nets without a whole route",)
    with pytest.raises(ReportBrokenError, match="'# of nets with routing errors' is missing; the report ends early"):
        read_routes(route_rpt().partition("       # of nets with routing errors")[0], "x")


def test_the_design_size_of_2023_1_has_functions_only() -> None:
    text = read_design_size_rpt(design_size_2023_1_rpt(), "x")
    assert text == read_design_size_xml(design_size_2023_1_xml(), "x")
    assert [(step.phase, step.instructions, step.exceeded) for step in text.steps] == [
        ("Compile/Link", 4120, False),
        ("Unroll/Inline", 151004, True),
        ("Performance/Pipeline", 1030, False),
        ("Optimizations", 977, False),
    ]


def test_a_report_of_a_versal_part_is_read() -> None:
    text = utilization_rpt(Netlist()).replace("CLB Logic", "Netlist Logic").replace(" CLB Registers", " Registers")
    assert read_utilization(text, "x").resources == read_utilization(utilization_rpt(Netlist()), "x").resources


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (
            "csynth_design_size.rpt",
            design_size_rpt().replace("Total Instructions per Compilation Phase", "Instructions"),
            "its tables are 'Instructions'",
        ),
        (
            "vivado_synth.rpt",
            utilization_rpt(Netlist()).replace("ARITHMETIC", "AI Engines"),
            "it has no section ARITHMETIC or DSP",
        ),
        ("myproject_export.rpt", "{\n  'LUT': 7,\n}\n", "it begins with '{'"),
    ],
)
def test_an_unknown_form_is_called_unknown_and_not_cut_off(tmp_path: Path, name: str, text: str, why: str) -> None:
    put(tmp_path, {"myproject_csynth.rpt": hls_rpt(TOP), name: text})
    assert [(one.code, one.why) for one in read(tmp_path).unread] == [("FC104", f"{name} has an unknown form: {why}")]
