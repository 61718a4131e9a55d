"""Cost against speed of several projects: a chart with the Pareto front, and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fpgacnn.records.report_input import ReportInput
from fpgacnn.records.resources import RESOURCES, latest, timed
from fpgacnn.reporting import charts
from fpgacnn.reporting.formatting import NOTHING, duration, percent, score
from fpgacnn.reporting.page.amounts import NAMES
from fpgacnn.reporting.page.page import Cell, Column, Section, Table, Tone, cell


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOffPoint:
    """A project: its latency, the resource of which it takes the largest share of its part, and that share."""

    entry: ReportInput
    latency_ns: float
    resource: str
    share: float
    source: str


def trade_off(entries: Sequence[ReportInput]) -> Section | None:
    """Projects by latency and by the largest share of their part; nothing for fewer than two with both.

    A design that stops has no point: it gives no answers.
    """
    points = [point for entry in entries if (point := _point(entry))]
    chart = charts.scatter([(one.latency_ns, one.share) for one in points], duration)
    if chart is None:
        return None
    picture = Table(
        caption="Largest share of the part over latency",
        columns=(Column(name="Largest share of the part, from 0; latency on a logarithmic axis", drawn=True),),
        rows=((Cell(text="", mark=chart),),),
        ordered=True,
    )
    return Section(
        key="trade-off",
        title="Cost against speed",
        words=("A project is on the front if no other one is faster and not larger, or smaller and not slower.",),
        legend=("Numbers are those of the table; full points are on the front, which the broken line follows.",),
        tables=(picture, _numbers(points)),
    )


def _point(entry: ReportInput) -> TradeOffPoint | None:
    if entry.estimate is not None and entry.estimate.stops:
        return None
    cost, speed = latest(entry.costs), timed(entry.costs)
    if cost is None or speed is None or speed.latency_ns is None:
        return None
    shares = {
        name: amount.value / cost.available[name] for name, amount in cost.resources.items() if cost.available.get(name)
    }
    if not shares:
        return None
    largest = max(shares, key=lambda name: shares[name])
    return TradeOffPoint(
        entry=entry,
        latency_ns=speed.latency_ns.value,
        resource=RESOURCES[largest],
        share=shares[largest],
        source=NAMES[cost.source],
    )


def _numbers(points: Sequence[TradeOffPoint]) -> Table:
    most = max(one.share for one in points)
    front = charts.front_of([(one.latency_ns, one.share) for one in points])
    qualities = any(_quality(one.entry) for one in points)
    columns = (
        Column(name="Project"),
        Column(name="No.", number=True),
        Column(name="Latency", number=True),
        Column(name="Largest share", number=True),
        Column(name="Share", drawn=True),
        Column(name="of"),
        *((Column(name="Quality"),) if qualities else ()),
        Column(name="Front"),
        Column(name="By", minor=True),
    )
    rows = tuple(
        (
            cell(one.entry.name),
            Cell(text=str(number), number=number),
            Cell(text=duration(one.latency_ns), number=one.latency_ns),
            Cell(text=percent(one.share), number=one.share),
            Cell(text="", mark=charts.bar(one.share, max(most, 1.0) if most > 0.5 else most)),
            cell(one.resource),
            *((cell(_quality(one.entry)),) if qualities else ()),
            cell("on it" if best else NOTHING, Tone.GOOD if best else Tone.PLAIN),
            cell(one.source),
        )
        for number, (one, best) in enumerate(zip(points, front, strict=True), 1)
    )
    return Table(caption="Cost and speed of every project", columns=columns, rows=rows)


def _quality(entry: ReportInput) -> str:
    """The first measure of a run."""
    if entry.record is None or not entry.record.quality:
        return ""
    first = entry.record.quality[0]
    return f"{first.measure} {score(first.measure, first.hardware)}"
