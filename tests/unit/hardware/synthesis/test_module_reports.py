"""C synthesis of a module, as Vivado and Vitis HLS of nine years write it, read into numbers."""

from __future__ import annotations

import pytest

from fpgacnn.errors import FpgacnnError, ReportBrokenError, ReportRefusedError
from fpgacnn.hardware.synthesis.figures import UNKNOWN, FloatRange, IntRange, Stage
from fpgacnn.hardware.synthesis.readers.hls_rpt import read_hls_rpt
from fpgacnn.hardware.synthesis.readers.hls_xml import read_hls_xml, read_modules_xml
from fpgacnn.hardware.synthesis.readers.xml import MAX_DEPTH, parse_xml
from tests.support.hls_reports import Module, hls_rpt, hls_xml

VERSIONS = (
    "2016.4",
    "2018.2",
    "2018.3",
    "2019.1",
    "2019.2",
    "2019.2.1",
    "2020.1",
    "2020.1.1",
    "2021.1",
    "2022.2",
    "2023.1",
    "2024.2",
    "2025.1",
)
CONV = "conv_2d_cl_array_ap_fixed_3u_array_ap_fixed_16_6_5_3_0_8u_config2_s"
SPEED = (1021, 1165, "5.105 us", "5.825 us", 1021, 1165, "no")
LOOPS = (
    ("- ReadInputHeight", "1020", "1164", "85 ~ 97", "-", "-", "12", "no"),
    (" + ReadInputWidth", "84", "96", "7 ~ 8", "-", "-", "12", "no"),
    ("  ++ ReuseLoop", "6", "?", "3", "1", "1", "?", "yes"),
)
FIFO = ("layer2_out_U", "1", "61", "0", "-", "100", "128", "12800")
MEMORY = ("w2_V_U", "w2_V", "2", "8", "3", "0", "27", "64", "1", "1728")


def module(version: str) -> Module:
    fifo, memory = (FIFO, MEMORY) if version >= "2019" else ((*FIFO[:4], *FIFO[5:]), (*MEMORY[:5], *MEMORY[6:]))
    return Module(
        version=version,
        loops=LOOPS,
        instances=[
            (f"{CONV[:-2]}_U0", CONV, SPEED, (2, 8, 1210, 2044, 0)),
            ("myproject_mul_8s_6s_U7", "myproject_mul_8s_6s", (), (0, 1, 0, 5, 0)),
        ],
        fifos=[fifo],
        memories=[memory],
        dsp_blocks=[("mul_U8", "mul_8s", "i0 + i1 * i2")],
        slr=version >= "2019.2",
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_totals_have_their_units_stage_and_file(version: str) -> None:
    read = read_hls_rpt(hls_rpt(module(version)), "syn/report/myproject_csynth.rpt")
    assert (read.name, read.version, read.tool) == (
        "myproject",
        version,
        "Vitis HLS" if version > "2020.2" else "Vivado HLS",
    )
    assert (read.date, read.project, read.solution, read.part) == (
        "2024-03-05T14:02:31",
        "myproject_prj",
        "solution1",
        "xcu250-figd2104-2L-e",
    )
    assert (read.clock.target_ns, read.clock.estimated_ns, read.clock.uncertainty_ns) == (5.0, 3.64, 1.35)
    assert (read.latency_cycles, read.interval_cycles, read.pipeline) == (
        IntRange(least=1043, most=1187),
        IntRange(least=1031, most=1031),
        "dataflow",
    )
    assert read.latency_ns == (FloatRange(least=5215.0, most=5935.0) if version >= "2019.2" else None)
    used = read.resources
    assert (used.lut, used.ff, used.dsp, used.bram_18k, used.bram_tiles) == (15407, 9321, 66, 14, None)
    assert used.uram == (0 if version >= "2019" else None)
    assert (used.origin.stage, used.origin.file) == (Stage.CSYNTH, "syn/report/myproject_csynth.rpt")
    assert read.available is not None
    assert (read.available.lut, read.available.dsp) == (1728000, 12288)


def test_the_share_of_one_die_is_not_taken_for_the_whole_part() -> None:
    read = read_hls_rpt(hls_rpt(module("2020.1")), "x.rpt")
    assert read.available is not None
    assert read.available_per_slr is not None
    assert (read.available_per_slr.lut, read.available.lut) == (432000, 1728000)
    assert read_hls_rpt(hls_rpt(module("2019.1")), "x.rpt").available_per_slr is None


def test_a_dash_is_no_zero() -> None:
    kinds = read_hls_rpt(hls_rpt(module("2024.2")), "x.rpt").by_kind
    assert list(kinds) == ["DSP", "Expression", "FIFO", "Instance", "Memory", "Multiplexer", "Register"]
    assert (kinds["Instance"].lut, kinds["Instance"].dsp, kinds["FIFO"].bram_18k) == (15000, None, None)


@pytest.mark.parametrize("version", VERSIONS)
def test_instances_of_both_tables_are_joined(version: str) -> None:
    first, second = read_hls_rpt(hls_rpt(module(version)), "x.rpt").instances or ()
    assert (first.module, first.layer, first.latency_cycles, first.pipeline) == (
        CONV,
        2,
        IntRange(least=1021, most=1165),
        "no",
    )
    assert first.latency_ns == (FloatRange(least=5105.0, most=5825.0) if version >= "2019.2" else None)
    assert first.resources is not None
    assert (first.resources.dsp, first.resources.lut) == (8, 2044)
    assert (second.module, second.layer, second.latency_cycles, second.interval_cycles) == (
        "myproject_mul_8s_6s",
        None,
        None,
        None,
    )
    assert second.resources is not None
    assert second.resources.dsp == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_loops_keep_ranges_depth_and_question_marks(version: str) -> None:
    outer, middle, inner = read_hls_rpt(hls_rpt(module(version)), "x.rpt").loops or ()
    assert (outer.name, outer.depth, outer.iteration_latency_cycles, outer.pipelined) == (
        "ReadInputHeight",
        0,
        IntRange(least=85, most=97),
        False,
    )
    assert (outer.interval_cycles, outer.trip_count) == (None, IntRange(least=12, most=12))
    assert (middle.name, middle.depth) == ("ReadInputWidth", 1)
    assert (inner.name, inner.depth, inner.interval_cycles, inner.target_interval_cycles, inner.pipelined) == (
        "ReuseLoop",
        2,
        1,
        1,
        True,
    )
    assert (inner.latency_cycles, inner.trip_count) == (IntRange(least=6, most=None), UNKNOWN)


@pytest.mark.parametrize("version", VERSIONS)
def test_fifos_memories_and_dsp_blocks(version: str) -> None:
    read = read_hls_rpt(hls_rpt(module(version)), "x.rpt")
    (fifo,), (memory,), (block,) = read.fifos or (), read.memories or (), read.dsp_blocks or ()
    assert (fifo.layer, fifo.depth, fifo.bits, fifo.size_bits, fifo.resources.bram_18k, fifo.resources.ff) == (
        2,
        100,
        128,
        12800,
        1,
        61,
    )
    assert fifo.resources.uram is None
    assert (memory.name, memory.words, memory.bits, memory.banks, memory.size_bits, memory.resources.bram_18k) == (
        "w2_V_U",
        27,
        64,
        1,
        1728,
        2,
    )
    assert block.expression == "i0 + i1 * i2"
    assert read.interface is not None
    assert (read.interface.ports, read.interface.input_bits, read.interface.protocols) == (
        2,
        25,
        ("ap_ctrl_hs", "axis"),
    )


def test_a_module_without_anything_inside_has_empty_lists() -> None:
    read = read_hls_rpt(hls_rpt(Module()), "x.rpt")
    assert (read.instances, read.loops, read.fifos, read.memories, read.dsp_blocks) == ((), (), (), (), ())


@pytest.mark.parametrize(
    "read",
    [lambda one: read_hls_rpt(hls_rpt(one), "x.rpt"), lambda one: read_hls_xml(hls_xml(one), "x.xml")],
    ids=["rpt", "xml"],
)
def test_an_unbounded_loop_makes_latency_unknown_not_zero(read) -> None:
    found = read(Module(latency=("?", "?"), time=("?", "?"), interval=("?", "?")))
    assert (found.latency_cycles, found.interval_cycles) == (UNKNOWN, UNKNOWN)
    assert found.latency_ns == FloatRange(least=None, most=None)


@pytest.mark.parametrize("text", ["0 ns", "0.250 us", "4.000 ms", "1.5 sec", "12.5"])
def test_times_of_any_unit_are_nanoseconds(text: str) -> None:
    want = {"0 ns": 0.0, "0.250 us": 250.0, "4.000 ms": 4e6, "1.5 sec": 1.5e9, "12.5": 12.5}[text]
    assert read_hls_rpt(hls_rpt(Module(time=(text, text))), "x.rpt").latency_ns == FloatRange(least=want, most=want)


@pytest.mark.parametrize(
    "kind",
    [
        "loop rewind(delay=0 initiation interval(s))",
        "loop auto-rewind stp (delay=2 clock cycles(s))",
        "function",
        "yes",
    ],
)
def test_the_kind_of_pipeline_is_kept_as_it_is(kind: str) -> None:
    assert read_hls_rpt(hls_rpt(Module(pipeline=kind)), "x.rpt").pipeline == kind


@pytest.mark.parametrize("version", VERSIONS)
def test_text_and_xml_of_a_module_agree(version: str) -> None:
    one = module(version)
    text, xml = read_hls_rpt(hls_rpt(one), "a.rpt"), read_hls_xml(hls_xml(one), "a.xml")
    for name in (
        "name",
        "tool",
        "version",
        "part",
        "clock",
        "latency_cycles",
        "latency_ns",
        "interval_cycles",
        "pipeline",
    ):
        assert getattr(text, name) == getattr(xml, name), name
    assert (text.resources.lut, text.resources.dsp, text.resources.bram_18k) == (
        xml.resources.lut,
        xml.resources.dsp,
        xml.resources.bram_18k,
    )
    assert (xml.instances, xml.fifos, xml.date) == (None, None, None)


def test_loops_of_xml_are_nested_by_their_elements() -> None:
    loops = (
        "<SummaryOfLoopLatency><Loop1><TripCount>4</TripCount><Latency>80</Latency><IterationLatency>20</IterationLatency>"
        "<Loop1.1><TripCount><range><min>2</min><max>6</max></range></TripCount><Latency>undef</Latency><PipelineII>1</PipelineII>"
        "<PipelineDepth>3</PipelineDepth></Loop1.1></Loop1></SummaryOfLoopLatency>"
    )
    outer, inner = read_hls_xml(hls_xml(Module(), loops=loops), "x.xml").loops or ()
    assert (outer.name, outer.depth, outer.pipelined, outer.iteration_latency_cycles) == (
        "Loop1",
        0,
        False,
        IntRange(least=20, most=20),
    )
    assert (inner.name, inner.depth, inner.pipelined, inner.interval_cycles) == ("Loop1.1", 1, True, 1)
    assert (inner.trip_count, inner.latency_cycles) == (IntRange(least=2, most=6), UNKNOWN)


def test_csynth_xml_of_vitis_lists_every_module_and_that_of_vivado_none() -> None:
    inner = Module(name=CONV, total={"LUT": 2044})
    text = hls_xml(Module(), inner=[inner])
    assert [(one.name, one.resources.lut) for one in read_modules_xml(text, "csynth.xml")] == [
        (CONV, 2044),
        ("myproject", 15407),
    ]
    assert read_modules_xml(hls_xml(Module(version="2019.2")), "csynth.xml") == ()


@pytest.mark.parametrize(
    ("old", "new", "section", "why"),
    [
        ("== Vitis HLS Report for", "== Report for", "title", "no HLS report's title"),
        ("* Version:", "* Vision:", "General Information", "the tool's version is missing"),
        (
            "    * FIFO: ",
            "    * LIFO: ",
            "Utilization Estimates > Detail > FIFO",
            "it is missing; the report ends early",
        ),
        ("15407|", "15407x|", "Utilization Estimates > Summary", "'15407x' is no whole number"),
        ("3.640 ns", "3.640 ks", "Performance Estimates > Timing > Summary", "'3.640 ks' is no number"),
        ("|Total ", "|Sum   ", "Utilization Estimates > Summary", "the row 'Total' is missing"),
        (
            "|ap_clk  |",
            "|ap_clk |8|",
            "Performance Estimates > Timing > Summary",
            "a row has 5 cells under a header of 4",
        ),
        (
            "|  Count|",
            "|  Count|  More|",
            "Performance Estimates > Latency > Detail > Loop",
            "a row has 8 cells under a header of 9",
        ),
        ("|  Depth|", "|  Width|", "Utilization Estimates > Detail > FIFO", "the column 'Depth' is missing"),
        (
            "- ReadInputHeight",
            "* ReadInputHeight",
            "Performance Estimates > Latency > Detail > Loop",
            "'* ReadInputHeight' is no loop's name",
        ),
        (
            "        no|",
            "     maybe|",
            "Performance Estimates > Latency > Detail > Loop",
            "'maybe' is neither yes nor no",
        ),
        ("85 ~ 97", "85 ~~ 97", "Performance Estimates > Latency > Detail > Loop", "'85 ~~ 97' is no range"),
    ],
)
def test_a_damaged_report_names_file_and_section(old: str, new: str, section: str, why: str) -> None:
    text = hls_rpt(module("2024.2"))
    assert old in text
    with pytest.raises(ReportBrokenError) as caught:
        read_hls_rpt(text.replace(old, new, 1), "syn/x.rpt")
    assert str(caught.value) == f"syn/x.rpt: section '{section}': {why}"
    assert "incomplete" in caught.value.hint


def test_the_screen_output_of_hls4ml_report_is_read_up_to_where_it_ends() -> None:
    text = hls_rpt(module("2019.2"))
    printed = (
        'Found 1 solution(s) in ./myproject_prj.\nReports for solution "solution1":\n\nSYNTHESIS'
        f" REPORT:\n{text.lstrip().partition('    * DSP48')[0]}"
    )
    read = read_hls_rpt(f"{printed}\nCO-SIMULATION RESULT:\n", "csynth.rpt")
    assert read.resources.lut == 15407
    assert len(read.instances or ()) == 2
    assert (read.fifos, read.memories, read.interface) == (None, None, None)


BOMB = '<!DOCTYPE a [<!ENTITY a "1"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize("head", [BOMB, '<!DOCTYPE profile SYSTEM "file:///etc/passwd">', "<!DOCTYPE profile>"])
def test_xml_that_could_define_entities_is_refused(head: str) -> None:
    with pytest.raises(ReportRefusedError, match=r"x\.xml: a document type, which the tools never write"):
        read_hls_xml(head + hls_xml(Module()), "x.xml")


def test_xml_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(ReportRefusedError, match="nested more than"):
        parse_xml("<a>" * (MAX_DEPTH + 1), "x.xml")


@pytest.mark.parametrize("text", ["", "<profile>", "<profile></profil>", "not xml", "<profile/>", "<a>\x00</a>"])
def test_xml_that_is_no_report_is_an_error_with_a_section(text: str) -> None:
    with pytest.raises(FpgacnnError, match=r"^x\.xml: section '"):
        read_hls_xml(text, "x.xml")
