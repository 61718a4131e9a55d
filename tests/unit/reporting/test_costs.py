"""The estimate on the terminal: a table that is read like code, and the words of its verdicts."""

from __future__ import annotations

import dataclasses
from io import StringIO

import pytest
from rich.console import Console

from fpgacnn.hardware.estimation import (
    Available,
    Caution,
    Estimate,
    Figure,
    LayerEstimate,
    ResourceEstimate,
    Totals,
)
from fpgacnn.records.record import EstimateRecord
from fpgacnn.records.record import estimate_line as estimate_words
from fpgacnn.reporting.terminal.estimate import estimate_line, estimate_report, verdict
from tests.conftest import Golden


def band(value: float, low: float = 1.0, high: float = 1.0) -> Figure:
    return Figure(value=value, low=value * low, high=value * high)


def resources(lut: float, dsp: float) -> ResourceEstimate:
    return ResourceEstimate(
        lut=band(lut, 0.5, 2), ff=band(2 * lut, 0.5, 2), dsp=band(dsp), bram_18k=band(12, 1, 1.5), uram=band(0)
    )


def answer(**changes: object) -> Estimate:
    """An estimate with round numbers, so that a change of the constants does not change its table."""
    layers = tuple(
        LayerEstimate(
            name=name,
            kind=kind,
            resources=resources(lut, dsp),
            after_synthesis=resources(lut / 2, dsp),
            latency_cycles=band(cycles),
            ii_cycles=band(cycles),
            multipliers=dsp,
            fifo_bits=0,
            fifo_bram_18k=0,
            method=method,
        )
        for name, kind, lut, dsp, cycles, method in (
            ("conv1", "convolution", 12_345, 36, 790, "72 products of the real weights; 36 need a multiplier"),
            ("relu1", "compare", 987, 0, 680, "counted from its template's loops and registers"),
        )
    )
    totals = Totals(
        resources=resources(13_332, 36),
        latency_cycles=band(1_234_567, 0.9, 1.1),
        latency_ns=band(6_172_835, 0.9, 1.1),
        ii_cycles=band(791),
        ii_ns=band(3955),
        multipliers=36,
        fifo_bits=4096,
    )
    there = Available(device="xc7z020", source="DS190", lut=53_200, ff=106_400, dsp=220, bram_18k=280, uram=0, slrs=1)
    fields: dict[str, object] = {
        "stage": "csynth",
        "tool": "Vitis HLS",
        "part": "xc7z020clg400-1",
        "clock_ns": 5.0,
        "layers": layers,
        "totals": totals,
        "after_synthesis": resources(6_666, 36),
        "available": there,
        "shortages": (),
        "method": "counted, then fitted",
        "warnings": (Caution(code="FC122", layer="conv1", text="a loop over 5,000 products", cure="another strategy"),),
    }
    return Estimate(**(fields | changes))  # type: ignore[arg-type]  # names and types match the fields


def shown(estimate: Estimate) -> str:
    record = EstimateRecord(
        version="1",
        source="model.h5",
        io="stream",
        backend="vitis",
        estimate=estimate,
        notes=("input image: fixed<16,6>",),
    )
    console = Console(file=StringIO(), width=150, color_system=None)
    for part in estimate_report(record):
        console.print(part)
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def test_the_table_reads_as_it_did(golden: Golden) -> None:
    golden.check("estimate.txt", shown(answer()))


def test_what_is_short_is_told_with_how_much() -> None:
    needed = dataclasses.replace(resources(6_666, 36), lut=band(120_000))
    short = answer(after_synthesis=needed)
    assert verdict(short).plain == "does not fit xc7z020: short of 66,800 LUT (2.3 times what it has)"
    assert estimate_words(short).endswith("does not fit xc7z020clg400-1")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "fits"),
        ({"after_synthesis": resources(40_000, 36)}, "may not fit"),
        ({"after_synthesis": resources(400_000, 36)}, "does not fit"),
        ({"available": None}, "not known whether it fits"),
    ],
)
def test_the_terminal_and_the_record_give_the_same_verdict(changes: dict[str, object], expected: str) -> None:
    found = answer(**changes)
    assert found.verdict == expected
    assert f" {expected} " in f"{estimate_words(found)} "
    unknown = "it is not known whether it fits"
    assert verdict(found).plain.startswith(unknown if found.available is None else f"{expected} ")


def test_what_could_be_short_is_told_apart() -> None:
    assert (
        verdict(answer(after_synthesis=resources(40_000, 36))).plain
        == "may not fit xc7z020: 20,000 to 80,000 of 53,200 LUT, 40,000 to 160,000 of 106,400 FF"
    )
    assert verdict(answer()).plain == "fits xc7z020"


def test_an_unknown_part_is_no_verdict() -> None:
    assert "it is not known whether it fits" in verdict(answer(available=None)).plain


def test_one_line_says_what_matters() -> None:
    line = estimate_line(answer()).plain
    assert (
        line
        == "estimate: 6,670 LUT, 13,300 FF, 36 DSP, 12 BRAM18 after synthesis; 1,230,000 cycles (6.17 ms), a new event"
        " every 791; fits xc7z020"
    )


def test_numbers_have_three_digits_and_a_band_only_where_there_is_one() -> None:
    text = shown(answer())
    assert "latency 1,230,000 (1,110,000 to 1,360,000) cycles = 6.17 ms" in text
    assert "a new event every 791 cycles" in text


def test_names_of_foreign_projects_cannot_move_the_cursor() -> None:
    layer = dataclasses.replace(answer().layers[0], name="\x1b[31m[bold]x")
    assert "\x1b" not in shown(answer(layers=(layer,)))
    assert "[bold]x" in shown(answer(layers=(layer,)))
