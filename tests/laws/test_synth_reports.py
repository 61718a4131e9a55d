"""What always holds of report readers.

Numbers come back as they were written; damage is an error that says where, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgacnn.errors import ReportBrokenError, ReportRefusedError, ReportUnknownFormError
from fpgacnn.hardware.synthesis.figures import IntRange
from fpgacnn.hardware.synthesis.readers.cells import Cells
from fpgacnn.hardware.synthesis.readers.cosim import read_cosim, read_export_rpt, read_export_xml
from fpgacnn.hardware.synthesis.readers.hls_rpt import read_hls_rpt
from fpgacnn.hardware.synthesis.readers.hls_xml import read_hls_xml, read_modules_xml
from fpgacnn.hardware.synthesis.readers.netlist import read_hierarchy, read_power, read_routes
from fpgacnn.hardware.synthesis.readers.summary import read_design_size_rpt, read_design_size_xml, read_summary
from fpgacnn.hardware.synthesis.readers.vivado import read_timing, read_utilization
from tests.support.hls_reports import (
    Module,
    design_size_2023_1_rpt,
    design_size_2023_1_xml,
    design_size_rpt,
    design_size_xml,
    hls_rpt,
    hls_xml,
    summary_rpt,
)
from tests.support.vivado_reports import (
    EXPORT_XML,
    Netlist,
    cosim_rpt,
    export_rpt,
    hierarchy_rpt,
    power_rpt,
    route_rpt,
    timing_rpt,
    utilization_rpt,
)
from tests.unit.hardware.synthesis.test_module_reports import VERSIONS, module
from tests.unit.hardware.synthesis.test_netlist_reports import INSTANCES
from tests.unit.hardware.synthesis.test_other_reports import NOT_RUN, ROWS

Reader = Callable[[str, str], Any]

COSIM_ROWS = (NOT_RUN, ("Verilog", "Pass", "1043", "1101", "1187", "1031", "1040", "1044"))
FIXTURES: dict[str, tuple[Reader, str]] = {
    **{
        f"hls {version}": (read_hls_rpt, hls_rpt(module(version)))
        for version in ("2016.4", "2019.1", "2020.1", "2024.2")
    },
    "hls xml": (read_hls_xml, hls_xml(module("2023.2"))),
    "all xml": (read_modules_xml, hls_xml(module("2023.2"), inner=[Module(name="inner")])),
    "summary": (read_summary, summary_rpt(ROWS)),
    "size": (read_design_size_rpt, design_size_rpt()),
    "size xml": (read_design_size_xml, design_size_xml()),
    "synthesized": (read_utilization, utilization_rpt(Netlist())),
    "placed": (read_utilization, utilization_rpt(Netlist(ultrascale=False, state="Fully Placed", version="2019.1"))),
    "size 2023.1": (read_design_size_rpt, design_size_2023_1_rpt()),
    "size xml 2023.1": (read_design_size_xml, design_size_2023_1_xml()),
    "timing": (read_timing, timing_rpt()),
    "hierarchy": (read_hierarchy, hierarchy_rpt(INSTANCES)),
    "power": (read_power, power_rpt()),
    "routes": (read_routes, route_rpt()),
    "cosim": (read_cosim, cosim_rpt(COSIM_ROWS)),
    "export": (read_export_rpt, export_rpt(implemented=True)),
    "export xml": (read_export_xml, EXPORT_XML),
}
named = pytest.mark.parametrize("name", FIXTURES)


def outcome(read: Reader, text: str) -> Any:
    """The value, or the error of the kinds that a report may raise."""
    try:
        return read(text, "x")
    except (ReportBrokenError, ReportRefusedError, ReportUnknownFormError) as error:
        assert str(error).startswith(("x: ", "x has an unknown form: "))
        return error


@named
def test_a_report_cut_anywhere_is_an_error_or_still_says_the_same(name: str) -> None:
    """A run that is killed leaves the beginning of a file.

    No number of it may be a shorter one, no list may be without its end.
    """
    read, text = FIXTURES[name]
    whole = read(text, "x")
    ends = [place + shift for place, character in enumerate(text) if character == "\n" for shift in (0, 1)]
    cuts = sorted({0, *ends, *range(5, len(text), 17), *range(max(0, len(text) - 200), len(text) + 1)})
    found = {cut: outcome(read, text[:cut]) for cut in cuts}
    wrong = [cut for cut, one in found.items() if not isinstance(one, ReportBrokenError) and one != whole]
    assert [text[max(0, cut - 40) : cut] for cut in wrong] == []
    assert isinstance(found[0], ReportBrokenError)
    assert found[len(text)] == whole


@named
@settings(max_examples=25)
@given(data=st.data())
def test_a_report_with_strange_characters_is_an_error_or_a_report(name: str, data: st.DataObject) -> None:
    read, text = FIXTURES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 40))
        text = text[:start] + data.draw(st.text("|+-0?~ \n<>&'()x9.,\x00é", max_size=5)) + text[end:]
    outcome(read, text)


@named
@settings(max_examples=25)
@given(data=st.data())
def test_a_report_with_lines_lost_doubled_or_moved_is_an_error_or_a_report(name: str, data: st.DataObject) -> None:
    read, text = FIXTURES[name]
    lines = text.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        taken = lines.pop(data.draw(st.integers(0, len(lines) - 1))) if len(lines) > 1 else ""
        for _ in range(data.draw(st.integers(0, 2))):
            lines.insert(data.draw(st.integers(0, len(lines))), taken)
    outcome(read, "\n".join(lines))


@settings(max_examples=30)
@given(content=st.text(max_size=300))
def test_any_text_is_an_error_with_a_name(content: str) -> None:
    for read, _ in FIXTURES.values():
        assert isinstance(outcome(read, content), ReportBrokenError | ReportRefusedError)


counts = st.integers(0, 10**9)


@settings(max_examples=40)
@given(
    version=st.sampled_from(VERSIONS),
    totals=st.tuples(counts, counts, counts, counts),
    ends=st.lists(st.one_of(st.none(), counts), min_size=4, max_size=4),
)
def test_numbers_come_back_as_they_were_written(version: str, totals: tuple[int, ...], ends: list[int | None]) -> None:
    lut, ff, dsp, bram = totals
    written = ["?" if end is None else str(end) for end in ends]
    one = Module(
        version=version,
        total={"LUT": lut, "FF": ff, "DSP": dsp, "BRAM_18K": bram},
        latency=(written[0], written[1]),
        interval=(written[2], written[3]),
    )
    for found in (read_hls_rpt(hls_rpt(one), "x"), read_hls_xml(hls_xml(one), "x")):
        used = found.resources
        assert (used.lut, used.ff, used.dsp, used.bram_18k) == totals
        assert found.latency_cycles == IntRange(least=ends[0], most=ends[1])
        assert found.interval_cycles == IntRange(least=ends[2], most=ends[3])


@settings(max_examples=40)
@given(lut=counts, ff=counts, dsp=counts, halves=st.integers(0, 10_000))
def test_tiles_and_blocks_are_two_to_one(lut: int, ff: int, dsp: int, halves: int) -> None:
    tiles = f"{halves / 2:g}"
    used = read_utilization(utilization_rpt(Netlist(lut=lut, ff=ff, dsp=dsp, tiles=tiles)), "x").resources
    assert (used.lut, used.ff, used.dsp, used.bram_18k) == (lut, ff, dsp, None)
    assert (used.bram_tiles, used.bram_18k_blocks) == (halves / 2, halves)


@given(
    text=st.one_of(st.text(max_size=30), st.from_regex(r"-?\d{1,25}(\.\d+)?(e\d+)? ?(ns|us|ms|sec)?", fullmatch=True))
)
def test_a_cell_is_a_number_nothing_or_an_error(text: str) -> None:
    cells = Cells("x", "y")
    for read in (cells.whole, cells.share, cells.real, cells.nanoseconds, cells.whole_range, cells.yes):
        try:
            read(text)
        except ReportBrokenError as error:
            assert str(error).startswith("x: section 'y': ")
