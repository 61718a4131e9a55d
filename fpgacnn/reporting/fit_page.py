"""The page of `fit`: the targets of the Pareto front with their bands as a chart, and the chosen one by layer."""

from __future__ import annotations

from importlib.metadata import version

from fpgacnn.hardware.estimation import Figure
from fpgacnn.jobs.fit.run import FitRecord, FrontPoint
from fpgacnn.jobs.fit.search import FitLimits
from fpgacnn.reporting.formatting import duration, duration_band, percent, plural
from fpgacnn.reporting.page.page import Cell, Chapter, Column, Page, Section, Table, Tone, Verdict, cell
from fpgacnn.reporting.study_charts import ChartPoint, Scatter, scatter

RESOURCES = ("LUT", "FF", "DSP", "BRAM")
SHOWN_FACTORS = 12


def fit_page(record: FitRecord) -> Page:
    """A search as a page."""
    target = record.target
    chapter = Chapter(
        name=record.source,
        file=record.source,
        subtitle=(
            f"{plural(record.trials, 'target')} tried for {target.part} at {target.clock_ns:g} ns,"
            f" {record.estimate.tool}; an estimate, no tool has run"
        ),
        verdicts=_verdicts(record),
        sections=(_front(record), _layers(record), *_notes(record)),
    )
    return Page(title=f"Fit of {record.source}", version=version("fpgacnn"), overview=(), chapters=(chapter,))


def limits_of(limits: FitLimits) -> str:
    """The limits in words: `latency 1 µs, 80 % of the part`."""
    times = {"latency": limits.latency_ns, "interval": limits.interval_ns}
    words = [f"{name} {duration(value)}" for name, value in times.items() if value is not None]
    sure = " at the upper ends of the bands" if limits.sure else ""
    return ", ".join([*words, f"{percent(limits.utilization)} of the part"]) + sure


def _verdicts(record: FitRecord) -> tuple[Verdict, ...]:
    largest = max(record.shares, key=lambda name: record.shares[name])
    end = ", upper end of the band" if record.limits.sure else ""
    missed = ", ".join(f"{name} by {percent(excess)}" for name, excess in record.excess.items())
    return (
        Verdict(
            question="Does a target meet the limits?",
            answer=f"yes, io_{record.target.io}" if record.fits else "none",
            detail=f"limits: {limits_of(record.limits)}" + (f"; the nearest exceeds {missed}" if missed else ""),
            tone=Tone.GOOD if record.fits else Tone.BAD,
        ),
        Verdict(
            question="How fast is it?",
            answer=duration(record.latency_ns),
            detail=f"a new event every {duration(record.interval_ns)}{end}",
            tone=Tone.PLAIN,
        ),
        Verdict(
            question="What does it take?",
            answer=f"{percent(record.shares[largest])} of {largest}",
            detail=f"the resource of which it takes the largest share{end}",
            tone=Tone.PLAIN,
        ),
    )


def _largest(point: FrontPoint) -> str:
    """The resource of which a target takes the largest share, as it is estimated."""
    return max(RESOURCES, key=lambda name: point.share_bands[name].value)


def _front(record: FitRecord) -> Section:
    columns = (
        Column(name="Target", number=True),
        Column(name="Io"),
        Column(name="Latency", number=True),
        Column(name="Interval", number=True, minor=True),
        *(Column(name=name, number=True, minor=True) for name in RESOURCES),
        Column(name="Largest share", number=True),
        Column(name="Limits"),
    )
    rows = tuple(_row(number, point) for number, point in enumerate(record.front, 1))
    compared = " Targets are compared by the upper ends of their bands." if record.limits.sure else ""
    return Section(
        key="front",
        title="Cost against latency",
        words=(f"No target that was tried is faster and not larger than one of these.{compared}",),
        legend=(
            "Red: the chosen target. Blue: others that meet the limits. Grey: those that do not. Lines are bands.",
        ),
        drawings=(_chart(record),),
        tables=(
            Table(caption="Targets of the Pareto front; resources as shares of the part", columns=columns, rows=rows),
        ),
    )


def _chart(record: FitRecord) -> Scatter:
    points = [
        ChartPoint(
            x=point.latency_band.times(1e-3),
            y=point.share_bands[_largest(point)].times(100.0),
            kind="chosen" if point.best else "front" if point.fits else "missed",
            words=f"target {number}, io_{point.io}: {duration(point.latency_band.value)}, {_largest(point)}"
            f" {percent(point.share_bands[_largest(point)].value)}",
        )
        for number, point in enumerate(record.front, 1)
    ]
    names = ("latency, µs, on a logarithmic axis", "largest share, % of the part")
    return scatter("Largest share of the part against latency", names, points, zero=(False, True), logarithmic=True)


def _row(number: int, point: FrontPoint) -> tuple[Cell, ...]:
    largest = point.share_bands[_largest(point)]
    shares = [point.share_bands[name].value for name in RESOURCES]
    met = "met" if point.fits else "not met"
    cautions = f", {plural(point.cautions, 'caution')}" if point.cautions else ""
    return (
        Cell(text=f"{number}{' (chosen)' if point.best else ''}", number=number),
        cell(point.io),
        _time(point.latency_band),
        _time(point.interval_band),
        *(Cell(text=percent(share), number=share) for share in shares),
        _share(_largest(point), largest),
        cell(f"{met}{cautions}", Tone.GOOD if point.fits else Tone.WARN),
    )


def _time(band: Figure) -> Cell:
    """A time with its band."""
    return Cell(text=duration_band(band.value, band.low, band.high), number=band.value)


def _share(resource: str, band: Figure) -> Cell:
    """A share with its band, both in percent."""
    low, high = (f"{100 * end:.1f}" for end in (band.low, band.high))
    return Cell(text=f"{resource} {100 * band.value:.1f} % ({low}–{high})", number=band.value)


def _layers(record: FitRecord) -> Section:
    rows = tuple(
        (
            cell(one.layer),
            cell(one.strategy),
            Cell(text=f"{one.reuse:,}", number=one.reuse),
            cell(
                ", ".join(map(str, one.factors[:SHOWN_FACTORS])) + (", ..." if len(one.factors) > SHOWN_FACTORS else "")
            ),
        )
        for one in record.layers
    )
    columns = (
        Column(name="Layer"),
        Column(name="Strategy"),
        Column(name="Reuse", number=True),
        Column(name="Could be"),
    )
    table = Table(caption="Layers of the chosen target", columns=columns, rows=rows, ordered=True)
    return Section(key="layers", title="Layers of the chosen target", tables=(table,))


def _notes(record: FitRecord) -> tuple[Section, ...]:
    return (Section(key="notes", title="Notes", notes=record.notes),) if record.notes else ()
