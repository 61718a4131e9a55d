"""What a report says of a streamed design: the timeline of a frame, the FIFOs, and a deadlock."""

from __future__ import annotations

from dataclasses import replace

from fpgacnn.hardware.estimation import Figure, ProcessSpan, Simulated, StreamEstimate
from fpgacnn.records.flatten import flatten
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.charts import Timeline, timeline
from fpgacnn.reporting.page import resources, streams
from fpgacnn.reporting.page.page import Tone
from tests.unit.reporting.test_costs import answer, shown


def figure(value: float) -> Figure:
    return Figure(value=value, low=value, high=2 * value)


DATAFLOW = Simulated(
    latency_cycles=figure(400),
    latency_ns=figure(2000),
    ii_cycles=figure(300),
    ii_ns=figure(1500),
    layers=(
        ProcessSpan(name="pad", start=0, end=300, empty=0, full=60, stalls=((100, 130), (200, 230))),
        ProcessSpan(name="conv1", start=100, end=400, empty=30, full=0, stalls=((150, 180),)),
    ),
    streams=(
        StreamEstimate(
            name="pad",
            writer="pad",
            reader="conv1",
            depth=16,
            fill=9,
            words=324,
            bits=48,
            bram_18k=0,
            frame_bram_18k=3,
        ),
    ),
)


def of(dataflow: Simulated | None) -> ReportInput:
    return ReportInput(name="p", record=None, synthesis=None, guess=replace(answer(), simulated=dataflow))


def test_a_frame_is_drawn_with_its_waits() -> None:
    section = streams.timeline(of(DATAFLOW))
    assert section is not None
    pad, conv = section.tables[0].rows
    assert [one.text for one in pad[:5]] == ["pad", "0", "300", "0 %", "20 %"]
    assert pad[-1].mark == Timeline(start=0.0, length=75.0, gaps=((25.0, 7.5), (50.0, 7.5)))
    assert conv[-1].mark == Timeline(start=25.0, length=75.0, gaps=((37.5, 7.5),))
    assert timeline(0, 1, (), 0) is None


def test_every_fifo_is_shown_with_what_a_frame_would_take() -> None:
    section = streams.fifos(of(DATAFLOW))
    assert section is not None
    assert [one.text for one in section.tables[0].rows[0]] == ["pad", "pad", "conv1", "16", "9", "324", "48", "0", "3"]
    assert "take 0 blocks of RAM (18 Kb); with the depth of a frame they would take 3" in section.words[0]


def test_simulated_cycles_stand_beside_those_of_csynth_under_their_own_names() -> None:
    text = shown(replace(answer(), simulated=DATAFLOW))
    assert "simulated: latency 400 (400 to 800) cycles = 2 µs" in text
    assert "csynth will report: latency 1,230,000" in text
    assert "FIFOs: 1 with 0 BRAM18; for a whole frame each they would take 3" in text
    section = resources.latency(of(DATAFLOW))
    assert section is not None
    assert [row[0].text for row in section.tables[0].rows] == ["Estimate of C synthesis", "Simulated"]
    assert len(section.tables) == 1  # the timeline shows the layers
    assert resources.speed(of(DATAFLOW)).answer == "2 µs"


def test_a_deadlock_is_shown_everywhere() -> None:
    stuck = replace(DATAFLOW, deadlock=("clone of <b> (full b:add)", "add (empty c)"), layers=())
    entry = of(stuck)
    section = streams.timeline(entry)
    assert section is not None
    assert [(row[0].text, row[0].tone) for row in section.tables[0].rows] == [
        ("clone of <b> (full b:add)", Tone.BAD),
        ("add (empty c)", Tone.BAD),
    ]
    assert resources.fits_part(entry).answer == "Stops"
    assert not entry.holds
    assert "stops" in shown(replace(answer(), simulated=stuck))
    facts = {(one.section, one.item, one.quantity): one.value for one in flatten(entry)}
    assert facts["simulated", "", "deadlock"] == "clone of <b> (full b:add) -> add (empty c)"
    assert facts["fifo", "pad", "depth"] == 16


def test_without_streams_there_is_nothing() -> None:
    assert streams.timeline(of(None)) is None
    assert streams.fifos(of(None)) is None
