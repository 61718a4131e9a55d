"""hls4ml's default recipe and fpgacnn side by side, as a section for terminal, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version

from fpgacnn.hardware.estimation import Estimate, Figure
from fpgacnn.jobs.compare_hls4ml.measure import FAR
from fpgacnn.jobs.compare_hls4ml.record import BitRange, Hls4mlComparison, LayerDistance, OutputDistance, SideRecord
from fpgacnn.reporting.formatting import NOTHING, duration, number, percent, plural, rough, score
from fpgacnn.reporting.page.page import Cell, Column, Page, Section, Table, Tone, cell

WHY_SHOWN = 160
"""Characters of the reason of an error; the JSON record has all."""


def hls4ml_page(comparison: Hls4mlComparison) -> Page:
    """The comparison as a page of its own."""
    title = f"{comparison.file}: hls4ml’s default recipe and fpgacnn"
    return Page(title=title, version=version("fpgacnn"), overview=(hls4ml_section(comparison),), chapters=())


def hls4ml_section(comparison: Hls4mlComparison) -> Section:
    """One table with a column for each tool."""
    target = f"{comparison.part} at {comparison.clock_ns:g} ns, io_{comparison.io}, {comparison.backend}"
    events = f"{plural(comparison.events, 'event')} of {comparison.origin}"
    sides = (comparison.hls4ml, comparison.fpgacnn)
    return Section(
        key="hls4ml",
        title=f"{comparison.file}: hls4ml's default recipe and fpgacnn",
        words=(f"For {target}; compared with {comparison.framework} on {events}.",),
        tables=(
            Table(
                caption="hls4ml’s default recipe and fpgacnn",
                columns=(Column(name=""), *(Column(name=side.tool) for side in sides)),
                rows=tuple(_rows(comparison, sides)),
                ordered=True,
            ),
        ),
        notes=tuple(_notes(comparison, sides)),
    )


def _rows(comparison: Hls4mlComparison, sides: tuple[SideRecord, SideRecord]) -> Iterator[tuple[Cell, ...]]:
    def row(name: str, say: Callable[[SideRecord], Cell]) -> tuple[Cell, ...]:
        return (cell(name), *(say(side) for side in sides))

    yield row("converts and runs", _answers)
    yield row("first layer that differs", _first)
    yield row(f"first off by over {FAR:.0%}", lambda side: _layer(side, side.far, Tone.BAD))
    if any(side.outputs for side in sides):
        yield row("outputs off by", _outputs)
        if any(one.same is not None for side in sides for one in side.outputs):
            yield row(f"same class as {comparison.reference}", lambda side: _same(side, comparison.events))
    for name, right in comparison.measures.items():
        yield row(f"{name} ({comparison.reference} {score(name, right)})", partial(_measure, name))
    yield row("bits of sums", lambda side: cell(_bits(side.sums)))
    yield row("bits of results", lambda side: cell(_bits(side.results)))
    if comparison.io == "stream":
        yield row("bits of FIFOs", lambda side: _whole(side.fifo_bits))
    yield row("LUT", lambda side: _figure(side, lambda one: one.after_synthesis.lut))
    yield row("FF", lambda side: _figure(side, lambda one: one.after_synthesis.ff))
    yield row("DSP", lambda side: _figure(side, lambda one: one.after_synthesis.dsp))
    yield row("BRAM 18K", lambda side: _figure(side, lambda one: one.after_synthesis.bram_18k))
    yield row("latency", lambda side: _time(side, lambda one: one.latency_ns))
    yield row("interval", lambda side: _time(side, lambda one: one.interval_ns))


def _measure(name: str, side: SideRecord) -> Cell:
    return cell(score(name, side.measures.get(name)))


def _answers(side: SideRecord) -> Cell:
    if side.why:
        return cell(f"cannot {side.phase}", Tone.BAD)
    if not side.answers:
        return cell("no answers", Tone.BAD)
    said = ("yes", side.promise, "" if side.outputs else "not compared")
    return cell(", ".join(filter(None, said)), Tone.GOOD if side.outputs else Tone.WARN)


def _first(side: SideRecord) -> Cell:
    return _layer(side, side.first, Tone.WARN)


def _layer(side: SideRecord, found: LayerDistance | None, tone: Tone) -> Cell:
    if not side.compared:
        return cell("")
    if found is None:
        return cell(f"none of {side.compared}", Tone.GOOD)
    return cell(f"{found.layer}: {_distance(found)}", tone)


def _distance(one: LayerDistance | OutputDistance) -> str:
    """The largest difference beside the span of the right values."""
    return f"{number(one.largest, 3)} of {number(one.span, 3)}" if one.largest else "0"


def _outputs(side: SideRecord) -> Cell:
    worst = max(side.outputs, key=lambda one: one.largest / max(one.span, 1e-30), default=None)
    return cell("") if worst is None else cell(_distance(worst))


def _same(side: SideRecord, events: int) -> Cell:
    counts = [one.same for one in side.outputs if one.same is not None]
    if not counts:
        return cell("")
    least = min(counts)
    return cell(f"{least:,} of {events:,} ({percent(least / events)})", Tone.GOOD if least == events else Tone.WARN)


def _bits(found: BitRange | None) -> str:
    if found is None:
        return ""
    return f"{found.least} to {found.most}, mean {found.mean:.1f}" if found.least != found.most else f"{found.most}"


def _whole(value: int | None) -> Cell:
    return Cell(text=NOTHING if value is None else f"{value:,}", number=value)


def _figure(side: SideRecord, of: Callable[[Estimate], Figure]) -> Cell:
    if side.estimate is None:
        return cell("")
    figure = of(side.estimate)
    return Cell(text=f"{rough(figure.value)} ({rough(figure.low)} to {rough(figure.high)})", number=figure.value)


def _time(side: SideRecord, of: Callable[[Estimate], Figure]) -> Cell:
    if side.estimate is None:
        return cell("")
    return cell("stops: deadlock", Tone.BAD) if side.estimate.stops else cell(duration(of(side.estimate).value))


def _notes(comparison: Hls4mlComparison, sides: tuple[SideRecord, SideRecord]) -> Iterator[str]:
    for side in sides:
        if side.why:
            why = side.why if len(side.why) <= WHY_SHOWN else f"{side.why[: WHY_SHOWN - 1]}…"
            yield f"{side.tool} cannot {side.phase}: {why}"
    yield from comparison.notes
    yield from comparison.hls4ml.notes
    yield "Resources and times are estimates by the same model; no vendor tool has run."
