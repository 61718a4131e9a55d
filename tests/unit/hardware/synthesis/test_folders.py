"""A project folder, fpgacnn's or anybody's, becomes one report; what is odd about it is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fpgacnn.errors import FileMissingError, NoReportsError, ReportBrokenError, ReportForeignError
from fpgacnn.hardware.synthesis import read
from fpgacnn.hardware.synthesis.figures import IntRange, Stage
from tests.support.hls_reports import Module, design_size_rpt, design_size_xml, hls_rpt, hls_xml, summary_rpt
from tests.support.vivado_reports import EXPORT_XML, Netlist, cosim_rpt, export_rpt, timing_rpt, utilization_rpt

SOLUTION = "myproject_prj/solution1"
CONV, RELU, DENSE = "conv_2d_cl_ap_fixed_config2_s", "relu_ap_fixed_relu_config4_s", "dense_array_config6_s"
MULT = "dense_resource_config6_mult_s"
TOP = Module(
    instances=[
        (f"{CONV}_U0", CONV, (1021, 1165, "5.1 us", "5.8 us", 1021, 1165, "no"), (2, 8, 1210, 2044, 0)),
        (f"{DENSE}_U0", DENSE, (70, 70, "350 ns", "350 ns", 70, 70, "no"), (6, 16, 900, 801, 0)),
        (f"{DENSE}_1_U0", f"{DENSE[:-2]}_1_s", (72, 90, "360 ns", "450 ns", 72, 90, "no"), (1, 16, 100, 99, 0)),
        (
            "clone_stream_array_ap_ufixed_3u_100_U0",
            "clone_stream_array_ap_ufixed_3u_100_s",
            (103, 103, "515 ns", "515 ns", 103, 103, "no"),
            (0, 0, 30, 60, 0),
        ),
        ("Block_entry_proc_U0", "Block_entry_proc", (0, 0, "0 ns", "0 ns", 0, 0, "no"), (0, 0, 2, 20, 0)),
    ],
    fifos=[
        ("layer2_out_U", "1", "61", "0", "-", "100", "128", "12800"),
        ("layer4_out_U", "0", "9", "10", "-", "2", "8", "16"),
    ],
)
FIRMWARE = """
    nnet::conv_2d_cl<input_t, layer2_t, config2>(x, layer2_out, w2, b2); // conv1
    nnet::relu<layer2_t, layer4_t, relu_config4>(layer2_out, layer4_out); // act1
    nnet::clone_stream<layer4_t, layer4_t, 100>(layer4_out, layer11_cpy1, layer11_cpy2); // clone_act1
    nnet::dense<layer4_t, result_t, config6>(layer11_cpy1, layer6_out, w6, b6); // fc
"""
PROJECT_TCL = (
    'variable project_name\nset project_name "myproject"\nset backend "vitis"\nset part "xcu250-figd2104-2L-e"\nset'
    " clock_period 5\n"
)


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def whole() -> dict[str, str]:
    loops = [("- ReuseLoop", "64", "64", "4", "1", "1", "64", "yes")]
    inner = Module(name=MULT, loops=loops, memories=[("w6_U", "w6", "6", "0", "0", "0", "64", "96", "1", "6144")])
    dense = Module(
        name=DENSE,
        instances=[(f"grp_{MULT}_fu_9", MULT, (66, 66, "330 ns", "330 ns", 66, 66, "no"), (6, 16, 800, 700, 0))],
    )
    rows = (("VHDL", *(["NA"] * 8)), ("Verilog", "Pass", "1043", "1101", "1187", "1031", "1040", "1044", "99000"))
    return {
        f"{SOLUTION}/syn/report/myproject_csynth.rpt": hls_rpt(TOP),
        f"{SOLUTION}/syn/report/myproject_csynth.xml": hls_xml(TOP),
        f"{SOLUTION}/syn/report/csynth.xml": hls_xml(TOP, inner=[dense]),
        f"{SOLUTION}/syn/report/{DENSE}_csynth.rpt": hls_rpt(dense),
        f"{SOLUTION}/syn/report/{MULT}_csynth.rpt": hls_rpt(inner),
        f"{SOLUTION}/syn/report/csynth.rpt": summary_rpt(
            [
                (
                    "+ myproject*",
                    "-",
                    "0.01",
                    "1187",
                    "5.9e+03",
                    "-",
                    "1031",
                    "-",
                    "dataflow",
                    "14",
                    "66",
                    "9321",
                    "15407",
                    "-",
                )
            ]
        ),
        f"{SOLUTION}/syn/report/csynth_design_size.rpt": design_size_rpt(),
        f"{SOLUTION}/syn/report/csynth_design_size.xml": design_size_xml(),
        f"{SOLUTION}/sim/report/myproject_cosim.rpt": cosim_rpt(rows),
        f"{SOLUTION}/impl/report/verilog/myproject_export.rpt": export_rpt(implemented=True),
        f"{SOLUTION}/impl/report/verilog/myproject_export.xml": EXPORT_XML,
        "vivado_synth.rpt": utilization_rpt(Netlist()),
        "board/design_1_wrapper_utilization_placed.rpt": utilization_rpt(
            Netlist(design="design_1_myproject_0_0", state="Fully Placed")
        ),
        "board/design_1_wrapper_timing_summary_routed.rpt": timing_rpt(),
        "firmware/myproject.cpp": FIRMWARE,
        "project.tcl": PROJECT_TCL,
    }


def test_everything_that_the_tools_leave_is_found_and_put_in_its_place(tmp_path: Path) -> None:
    report = read(put(tmp_path, whole()))
    assert (report.solution, report.top, report.part, report.tool, report.version) == (
        SOLUTION,
        "myproject",
        "xcu250-figd2104-2L-e",
        "Vitis HLS",
        "2023.2",
    )
    assert len(report.files) == 14
    assert (report.unread, report.others) == ((), ())
    assert report.csynth is not None
    assert report.csynth == report.network
    assert report.csynth.origin.file == f"{SOLUTION}/syn/report/myproject_csynth.rpt"
    assert [one.name for one in report.modules] == sorted(["myproject", DENSE, MULT])
    assert report.synth is not None
    assert (report.synth.origin.file, report.synth.origin.stage) == ("vivado_synth.rpt", Stage.SYNTH)
    assert report.impl is not None
    assert report.impl.origin.stage is Stage.IMPL
    assert report.cosim is not None
    assert report.cosim.status == "Pass"
    assert report.export is not None
    assert report.export.achieved_impl_ns == 4.711
    assert report.design_size is not None
    assert (len(report.timings), len(report.utilizations)) == (1, 2)
    assert report.notes == ("1 instances of myproject belong to no layer: Block_entry_proc_U0",)


def test_a_report_is_one_line_in_a_notebook(tmp_path: Path) -> None:
    report = read(put(tmp_path, whole()))
    words = repr(report)
    assert words.startswith(f"<reports of {report.tool} {report.version} in ")
    assert words.endswith(f": top myproject, {len(report.files)} files read, {len(report.unread)} not>")
    assert len(words) < 400


def test_layers_have_the_names_of_the_code_and_the_numbers_of_their_hardware(tmp_path: Path) -> None:
    conv, relu, clone, dense = read(put(tmp_path, whole())).layers
    assert [(one.index, one.name, one.kind) for one in (conv, relu, clone, dense)] == [
        (2, "conv1", "conv_2d_cl"),
        (4, "act1", "relu"),
        (11, "clone_act1", "clone_stream"),
        (6, "fc", "dense"),
    ]
    assert conv.resources is not None
    assert (conv.resources.lut, conv.resources.dsp, conv.latency_cycles) == (2044, 8, IntRange(least=1021, most=1165))
    assert [(one.depth, one.bits, one.resources.bram_18k) for one in conv.fifos] == [(100, 128, 1)]
    assert (relu.resources, relu.latency_cycles, relu.instances) == (None, None, ())
    assert relu.why == "myproject has no instance of it: its logic is part of myproject itself, or it needs none"
    assert clone.instances == ("clone_stream_array_ap_ufixed_3u_100_U0",)
    assert clone.resources is not None
    assert (clone.resources.lut, clone.latency_cycles) == (60, IntRange(least=103, most=103))
    assert dense.instances == (f"{DENSE}_U0", f"{DENSE}_1_U0")
    assert dense.resources is not None
    assert (dense.resources.lut, dense.resources.bram_18k, dense.resources.uram) == (900, 7, 0)
    assert (dense.latency_cycles, dense.why) == (IntRange(least=72, most=90), "")
    assert [(one.name, one.interval_cycles, one.trip_count.least) for one in dense.loops] == [("ReuseLoop", 1, 64)]
    assert [(one.name, one.size_bits) for one in dense.memories] == [("w6_U", 6144)]


def test_an_instance_without_a_number_is_given_to_a_layer_only_where_it_can_mean_no_other(tmp_path: Path) -> None:
    speed, area = (9, 9, "9 ns", "9 ns", 9, 9, "no"), (0, 0, 1, 2, 0)
    names = ("clone_stream_a_64_s", "clone_stream_b_64_s", "clone_stream_a_100_s", "softmax_stable_s", "softmax_wide")
    old = Module(instances=[(f"{name}_U0", name, speed, area) for name in names])
    calls = "".join(
        f"    nnet::clone_stream<t, t, {size}>(x, layer{index}_cpy1, layer{index}_cpy2); // clone{index}\n"
        for index, size in ((1, 100), (2, 64), (3, 7))
    )
    code = f"{calls}    nnet::softmax<t, t, softmax_config4>(x, layer4_out); // softmax\n"
    report = read(put(tmp_path, {"myproject_csynth.rpt": hls_rpt(old), "firmware/myproject.cpp": code}))
    assert [(one.index, one.instances) for one in report.layers] == [
        (1, ("clone_stream_a_100_s_U0",)),
        (2, ()),
        (3, ()),
        (4, ()),
    ]
    assert report.notes[0].startswith(
        "4 instances of myproject belong to no layer: clone_stream_a_64_s_U0, clone_stream_b_64_s_U0,"
        " softmax_stable_s_U0"
    )


def test_without_reports_of_the_modules_loops_come_from_the_summary(tmp_path: Path) -> None:
    rows = [
        (
            "+ myproject*",
            "-",
            "0.01",
            "1187",
            "5.9e+03",
            "-",
            "1031",
            "-",
            "dataflow",
            "14",
            "66",
            "9321",
            "15407",
            "-",
        ),
        (f" + {DENSE}", "-", "0.01", "70", "350.0", "-", "70", "-", "no", "6", "16", "900", "801", "-"),
        ("  o ReuseLoop", "-", "3.65", "64", "320.0", "4", "1", "64", "yes", "-", "-", "-", "-", "-"),
        (" + other", "-", "0.01", "70", "350.0", "-", "70", "-", "no", "6", "16", "900", "801", "-"),
        ("  o Elsewhere", "-", "3.65", "64", "320.0", "4", "1", "64", "yes", "-", "-", "-", "-", "-"),
    ]
    report = read(
        put(tmp_path, {"a/syn/report/myproject_csynth.rpt": hls_rpt(TOP), "a/syn/report/csynth.rpt": summary_rpt(rows)})
    )
    loops = next(one for one in report.layers if one.index == 6).loops
    assert [(one.name, one.depth, one.trip_count.most, one.pipelined) for one in loops] == [("ReuseLoop", 0, 64, True)]


def test_loose_files_of_a_foreign_project_with_another_name(tmp_path: Path) -> None:
    report = read(
        put(
            tmp_path,
            {
                "Encoder_csynth.rpt": hls_rpt(Module(name="Encoder", version="2018.3")),
                "deep/util.rpt": utilization_rpt(Netlist(design="Encoder")),
            },
        )
    )
    assert (report.top, report.solution, report.tool) == ("Encoder", "", "Vivado HLS")
    assert report.synth is not None
    assert report.synth.design == "Encoder"
    assert report.layers == ()


def test_the_layers_of_a_wrapper_are_in_the_network_inside(tmp_path: Path) -> None:
    wrapper = Module(
        name="myproject_axi",
        latency=("25796637", "25796637"),
        instances=[
            (
                "myproject_U0",
                "myproject",
                (1043, 1187, "5 us", "5 us", 1031, 1031, "dataflow"),
                (14, 66, 9321, 15407, 0),
            )
        ],
    )
    inside = put(
        tmp_path,
        {"s/syn/report/myproject_axi_csynth.rpt": hls_rpt(wrapper), "s/syn/report/myproject_csynth.rpt": hls_rpt(TOP)},
    )
    report = read(inside)
    assert report.csynth is not None
    assert report.network is not None
    assert (report.csynth.name, report.network.name, len(report.layers)) == ("myproject_axi", "myproject", 3)
    assert report.notes[0] == "myproject_axi is a wrapper; the layers are in myproject"
    (inside / "s/syn/report/myproject_csynth.rpt").unlink()
    alone = read(inside)
    assert (alone.network, alone.layers) == (None, ())
    assert "the network inside has no report of its own" in alone.notes[0]


def test_old_module_names_without_numbers_still_tell_a_wrapper(tmp_path: Path) -> None:
    old = Module(version="2019.1", instances=[("dense_U0", "dense", (9, 9, "", "", 9, 9, "none"), (1, 1, 1, 1, 0))])
    wrapper = Module(
        name="myproject_axi",
        version="2019.1",
        instances=[("myproject_U0", "myproject", (9, 9, "", "", 9, 9, "none"), (1, 1, 1, 1, 0))],
    )
    report = read(put(tmp_path, {"myproject_csynth.rpt": hls_rpt(old), "myproject_axi_csynth.rpt": hls_rpt(wrapper)}))
    assert report.network is not None
    assert report.network.name == "myproject"


def test_of_several_solutions_the_newest_is_shown_and_the_others_are_kept(tmp_path: Path) -> None:
    files = {
        "p/solution1/syn/report/myproject_csynth.rpt": hls_rpt(
            Module(total={"LUT": 1}, date="Tue Mar  5 14:02:31 2024")
        ),
        "p/solution2/syn/report/myproject_csynth.rpt": hls_rpt(
            Module(total={"LUT": 2}, date="Wed Mar  6 10:00:00 2024")
        ),
        "p/solution3/syn/report/myproject_csynth.rpt": hls_rpt(
            Module(total={"LUT": 3}, date="Mon Mar  4 10:00:00 2024")
        ),
        "vivado_synth.rpt": utilization_rpt(Netlist(date="Wed Mar  6 12:00:00 2024")),
    }
    report = read(put(tmp_path, files))
    assert report.csynth is not None
    assert (report.solution, report.csynth.resources.lut) == ("p/solution2", 2)
    assert [one.solution for one in report.others] == ["p/solution1", "p/solution3"]
    assert report.synth is not None
    assert report.notes == ("3 solutions; the newest, p/solution2, is shown",)


def test_reports_that_disagree_or_are_older_are_noted(tmp_path: Path) -> None:
    files = whole()
    files[f"{SOLUTION}/syn/report/myproject_csynth.xml"] = hls_xml(Module(interval=("1032", "1032")))
    files[f"{SOLUTION}/syn/report/csynth.rpt"] = files[f"{SOLUTION}/syn/report/csynth.rpt"].replace("15407", "15413")
    files["vivado_synth.rpt"] = utilization_rpt(Netlist(date="Mon Mar  4 09:00:00 2024", part="7z020clg400-1"))
    files["project.tcl"] = PROJECT_TCL.replace("clock_period 5", "clock_period 10")
    files["firmware/myproject.cpp"] = FIRMWARE.replace("config6", "config7")
    where = f"{SOLUTION}/syn/report"
    assert read(put(tmp_path, files)).notes[1:] == (
        f"{where}/myproject_csynth.xml says interval 1,032, {where}/myproject_csynth.rpt 1,031; the latter is used",
        (
            f"{where}/myproject_csynth.xml says worst interval 1,032, {where}/myproject_csynth.rpt 1,031; the latter is"
            " used"
        ),
        f"{where}/csynth.rpt says LUT 15,413, {where}/myproject_csynth.rpt 15,407; the latter is used",
        f"vivado_synth.rpt is for 7z020clg400-1, {where}/myproject_csynth.rpt for xcu250-figd2104-2L-e",
        f"project.tcl sets a clock of 10 ns, {where}/myproject_csynth.rpt is for 5 ns",
        "the firmware has no layers 6 of the reports: they may be of an earlier version of the project",
        (
            "vivado_synth.rpt of 2024-03-04T09:00:00 is older than the C synthesis of 2024-03-05T14:02:31: it may be of"
            " an earlier version of the project"
        ),
    )


def test_a_broken_file_beside_good_ones_is_listed_and_a_lonely_one_is_the_error(tmp_path: Path) -> None:
    half = hls_rpt(TOP)[:4000]
    put(tmp_path, {f"{SOLUTION}/syn/report/myproject_csynth.rpt": half})
    with pytest.raises(ReportBrokenError, match=rf"^{SOLUTION}/syn/report/myproject_csynth\.rpt: section '"):
        read(tmp_path)
    put(tmp_path, {"vivado_synth.rpt": utilization_rpt(Netlist())})
    report = read(tmp_path)
    assert (report.csynth, report.layers) == (None, ())
    assert report.notes == ("no report of C synthesis of the top function",)
    assert [(one.file, one.code) for one in report.unread] == [(f"{SOLUTION}/syn/report/myproject_csynth.rpt", "FC100")]


def test_a_pointer_of_git_lfs_is_said_to_be_one(tmp_path: Path) -> None:
    put(tmp_path, {"myproject_csynth.rpt": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"})
    with pytest.raises(
        ReportForeignError,
        match=r"^myproject_csynth\.rpt is a pointer of Git LFS, not a report of Vivado, Vivado HLS or Vitis HLS$",
    ):
        read(tmp_path)
    put(tmp_path, {"myproject_csynth.rpt": "<!DOCTYPE html><html></html>"})
    with pytest.raises(ReportForeignError, match="a web page"):
        read(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "csynth.rpt",
        "a_csynth.rpt",
        "csynth.xml",
        "vivado_synth.rpt",
        "a_cosim.rpt",
        "a_export.rpt",
        "a_export.xml",
        "csynth_design_size.xml",
    ],
)
def test_an_empty_file_with_a_reports_name_is_broken(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReportBrokenError, match=rf"^{name}: section '"):
        read(put(tmp_path, {name: ""}))


def test_a_copy_of_the_schedulers_notes_is_a_report_where_there_is_no_other(tmp_path: Path) -> None:
    notes = "+ Verbose Summary: Schedule\n* Summary: \n1 --> 2\n"
    put(tmp_path, {"myproject.verbose.rpt": hls_rpt(Module(total={"LUT": 7}, date="Wed Mar  6 10:00:00 2024")) + notes})
    report = read(tmp_path)
    assert report.csynth is not None
    assert report.csynth.resources.lut == 7
    put(tmp_path, {"myproject_csynth.rpt": hls_rpt(Module())})
    report = read(tmp_path)
    assert report.csynth is not None
    assert report.csynth.resources.lut == 15407


def test_folders_without_reports(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "component.xml": "<spirit/>",
            "notes.rpt": "nothing",
            ".autopilot/db/myproject_csynth.rpt": "",
            "myproject.verbose.sched.rpt": "",
            "myproject.verbose.rpt": "",
        },
    )
    put(tmp_path, {"rules.rpt": utilization_rpt(Netlist(command="report_drc -file rules.rpt"))})
    os.mkfifo(tmp_path / "waits_csynth.rpt")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(NoReportsError, match="no reports of Vivado or Vitis HLS"):
        read(tmp_path)
    with pytest.raises(FileMissingError, match="no such folder"):
        read(tmp_path / "nowhere")


def test_fitting_is_judged_by_the_latest_stage(tmp_path: Path) -> None:
    put(tmp_path, {"myproject_csynth.rpt": hls_rpt(Module(total={"LUT": 1728001, "URAM": 1281}))})
    report = read(tmp_path)
    assert (report.short, report.holds) == (("LUT: 1,728,001 of 1,728,000", "URAM: 1,281 of 1,280"), False)
    put(tmp_path, {"vivado_synth.rpt": utilization_rpt(Netlist(tiles="2688.5"))})
    assert read(tmp_path).short == ("BRAM (18 Kb): 5,377 of 5,376",)
    put(tmp_path, {"vivado_synth.rpt": utilization_rpt(Netlist())})
    assert (read(tmp_path).short, read(tmp_path).holds) == ((), True)


def test_a_clock_that_vivado_missed_is_said(tmp_path: Path) -> None:
    late = export_rpt().replace("4.303", "6.791").replace("Timing met", "Timing not met")
    put(tmp_path, {"myproject_csynth.rpt": hls_rpt(Module()), "myproject_export.rpt": late})
    put(tmp_path, {"a_timing_summary_routed.rpt": timing_rpt(wns="-0.333", tns="-13.1", failing=57, met=False)})
    report = read(tmp_path)
    assert report.slow == (
        "design_1_wrapper misses its clock by 0.333 ns",
        "the exported design reaches 6.791 ns of 5.0 ns",
    )
    assert not report.holds
    assert read(put(tmp_path / "well", {"a_timing_summary_routed.rpt": timing_rpt()})).holds


def test_what_a_file_cannot_tell_is_noted(tmp_path: Path) -> None:
    assert read(put(tmp_path / "a", {"myproject_csynth.xml": hls_xml(TOP)})).notes == (
        "myproject_csynth.xml has totals only: no instances, FIFOs and memories",
    )
    screen = (
        "Found 1 solution(s) in ./myproject_prj.\n\nSYNTHESIS"
        f" REPORT:\n{hls_rpt(TOP).lstrip().partition('    * DSP')[0]}\nCO-SIMULATION RESULT:\n"
    )
    report = read(put(tmp_path / "b", {"csynth.rpt": screen}))
    assert report.notes[0] == "csynth.rpt is the screen output of `hls4ml report`, which leaves out FIFOs and memories"
    assert [one.resources.lut for one in report.layers if one.resources] == [2044, 900]
    wrapper = read(put(tmp_path / "d", {"csynth.xml": hls_xml(Module(name="alveo_hls4ml"))}))
    assert (wrapper.network, wrapper.top) == (None, "alveo_hls4ml")
    assert wrapper.notes[0] == "alveo_hls4ml is a wrapper, and the network inside has no report of its own"
    board = {
        "myproject_csynth.rpt": hls_rpt(Module()),
        "a_utilization_placed.rpt": utilization_rpt(Netlist(design="design_1_wrapper", state="Fully Placed")),
    }
    assert read(put(tmp_path / "c", board)).notes == (
        "a_utilization_placed.rpt counts design_1_wrapper, which may hold more than myproject",
    )


def test_a_board_project_with_folders_of_the_same_names_is_no_solution(tmp_path: Path) -> None:
    files = {
        "p/solution1/syn/report/myproject_csynth.rpt": hls_rpt(Module()),
        "p/solution2/impl/report/verilog/myproject_export.rpt": export_rpt(),
        "board/impl/a_utilization_placed.rpt": utilization_rpt(Netlist(design="myproject", state="Fully Placed")),
    }
    report = read(put(tmp_path, files))
    assert (report.solution, [one.solution for one in report.others], report.export) == (
        "p/solution1",
        ["p/solution2"],
        None,
    )
    assert report.impl is not None
    alone = read(
        put(
            tmp_path / "x",
            {
                "a/impl/vivado_synth.rpt": utilization_rpt(Netlist()),
                "b/sim/myproject_cosim.rpt": whole()[f"{SOLUTION}/sim/report/myproject_cosim.rpt"],
            },
        )
    )
    assert (alone.solution, alone.others, len(alone.files)) == ("", (), 2)


def test_lines_of_many_blanks_come_to_an_end(tmp_path: Path) -> None:
    """A pattern that tries every way to split them would take hours."""
    blanks = " " * 200_000
    odd = "".join(
        f"{start}{blanks}|\n"
        for start in (
            "* A",
            "+ A",
            "== A",
            "* Date:",
            "1. A",
            "| Date : a",
            "Solution : a",
            "nnet::a<b>(",
            "set a",
            "CP required:",
            "a  {0 1}",
        )
    )
    files = {name: text + odd if name.endswith((".rpt", ".cpp", ".tcl")) else text for name, text in whole().items()}
    report = read(put(tmp_path, files))
    assert report.csynth is not None
    assert report.csynth.resources.lut == 15407
