"""The page of a study: the front, its charts, what matters, and the chosen point beside the start."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import assert_never

from fpgacnn.hardware.estimation import Figure
from fpgacnn.jobs.explore.measures import Objective, figure
from fpgacnn.jobs.explore.record import ExploreRecord, StudyPoint
from fpgacnn.jobs.explore.space import FilterAxis, IoAxis, PruningAxis, SettingAxis, SpaceAxis, WidthAxis
from fpgacnn.reporting import charts
from fpgacnn.reporting.formatting import duration, number, percent, plural
from fpgacnn.reporting.page.page import Cell, Chapter, Column, Page, Section, Table, Tone, Verdict, cell, count
from fpgacnn.reporting.study_charts import ChartPoint, CoordinateAxis, Drawing, parallel, scatter

MOST_DRAWN = 1500
"""Points of a scatter that are not on the front; of more, evenly spread ones are drawn."""

SCORED = (
    "Points are compared by their score: it also counts the probability of the right class, and may count training"
    " events. Charts and tables show the quality on the validation events, so a point of the front can be behind"
    " another one there. The quality of the best of many points is too good by chance: report that of the test events."
)

Importances = Mapping[str, Mapping[str, float]]

NAMES = {
    Objective.LUT: "LUT",
    Objective.FF: "FF",
    Objective.DSP: "DSP",
    Objective.BRAM: "BRAM",
    Objective.UTILIZATION: "largest share",
    Objective.LATENCY: "latency",
    Objective.INTERVAL: "interval",
    Objective.EBOPS: "EBOPs",
}


def study_page(record: ExploreRecord, importances: Importances, chosen: StudyPoint | None) -> Page:
    """A study as a page; `chosen` is the point beside the start, by default the record's."""
    chosen = chosen or record.chosen
    settings, target = record.settings, record.settings.target
    chapter = Chapter(
        name=settings.model.file,
        file=settings.model.file,
        subtitle=(
            f"{plural(len(record.points), 'point')}, {settings.sampler}, seed {settings.seed}; {settings.data},"
            f" {settings.events['validation']:,} validation events; for {target.part} at {target.clock_ns:g} ns,"
            f" {target.backend}"
        ),
        verdicts=_verdicts(record, chosen),
        sections=tuple(_sections(record, importances, chosen)),
    )
    title = f"Exploration of {settings.model.file}"
    return Page(title=title, version=version("fpgacnn"), overview=(), chapters=(chapter,))


def _verdicts(record: ExploreRecord, chosen: StudyPoint | None) -> tuple[Verdict, ...]:
    limits, settings = record.settings.limits, record.settings
    times = {"latency": limits.latency_ns, "interval": limits.interval_ns}
    words = [f"{name} {duration(value)}" for name, value in times.items() if value is not None]
    within = ", ".join([*words, f"{percent(limits.utilization)} of the part"])
    found = [
        Verdict(
            question="Does a point meet the limits?",
            answer=f"{len(record.feasible):,} points" if record.found else "none",
            detail=f"limits: {within}{', at the upper ends of the bands' if limits.sure else ''}",
            tone=Tone.GOOD if record.found else Tone.BAD,
        ),
        Verdict(
            question="How large is the front?",
            answer=plural(len(record.front), "point"),
            detail=f"objectives: {', '.join(_name(record, one) for one in settings.objectives)}",
            tone=Tone.PLAIN,
        ),
    ]
    if chosen is not None and not chosen.result.refused:
        found.append(
            Verdict(
                question=f"How good is point {chosen.number}?",
                answer=f"{settings.measure if len(settings.measure) < 12 else 'quality'} {chosen.result.quality:.4f}",
                detail=f"on the validation events, bit for bit; the float network {settings.quality:.4f}",
                tone=Tone.PLAIN,
            )
        )
        found.append(
            Verdict(
                question="What has it seen?",
                answer=record.level_of(chosen.number).value,
                detail="hardware is an estimate; no vendor tool has run",
                tone=Tone.PLAIN,
            )
        )
    return tuple(found)


def _sections(record: ExploreRecord, importances: Importances, chosen: StudyPoint | None) -> list[Section]:
    found = []
    if record.found:
        found.append(_front(record, chosen))
        found.append(_lines(record, chosen))
    if importances:
        found.append(_importance(record, importances))
    if chosen is not None and record.start is not None:
        found.append(_beside_start(record, chosen, record.start))
    if record.settings.networks:
        found.append(_networks(record))
    if record.settings.notes:
        found.append(Section(key="notes", title="Notes", notes=record.settings.notes))
    return found


def _name(record: ExploreRecord, objective: Objective) -> str:
    return record.settings.measure if objective is Objective.QUALITY else NAMES[objective]


def _number(record: ExploreRecord, one: StudyPoint, objective: Objective) -> Figure:
    return figure(one.result, objective, record.settings.available)


def _written(objective: Objective, value: float) -> str:
    if objective is Objective.QUALITY:
        return f"{value:.4f}"
    if objective.unit == "ns":
        return duration(value)
    return number(value) if objective is Objective.EBOPS else percent(value)


def _words(record: ExploreRecord, one: StudyPoint) -> str:
    numbers = (
        f"{_name(record, objective)} {_written(objective, _number(record, one, objective).value)}"
        for objective in record.settings.objectives
    )
    return f"point {one.number}: {', '.join(numbers)}"


def _kind(record: ExploreRecord, one: StudyPoint, chosen: StudyPoint | None) -> str:
    if chosen is not None and one.number == chosen.number:
        return "chosen"
    if record.start is not None and one.number == record.start.number:
        return "start"
    return "front" if any(other.number == one.number for other in record.front) else "other"


# --- the front ------------------------------------------------------------------------------------------------------


def _front(record: ExploreRecord, chosen: StudyPoint | None) -> Section:
    settings = record.settings
    scored = (SCORED,) if record.compares_by_score else ()
    first, *rest = settings.objectives
    drawings = tuple(_scatter(record, other, first, chosen) for other in rest)
    rows = tuple(_front_row(record, one, chosen) for one in record.front)
    columns = (
        Column(name="Point", number=True),
        Column(name=_name(record, Objective.QUALITY), number=True),
        *((Column(name="Score", number=True),) if record.compares_by_score else ()),
        *(Column(name=name, number=True) for name in ("LUT", "FF", "DSP", "BRAM")),
        Column(name="Latency", number=True),
        Column(name="Interval", number=True, minor=True),
        Column(name="EBOPs", number=True, minor=True),
        Column(name="Cautions", number=True, minor=True),
        Column(name="Has seen"),
    )
    return Section(
        key="front",
        title="Pareto front",
        words=("No other point within the limits is better in one objective and worse in none.", *scored),
        legend=(
            "Grey: points within the limits. Blue: the front with error bands. Ring: the start. Red: the chosen one.",
            "The start and the chosen one are drawn outside of the limits too.",
        ),
        drawings=drawings,
        tables=(Table(caption="Points of the front; resources as shares of the part", columns=columns, rows=rows),),
    )


def _scatter(record: ExploreRecord, x: Objective, y: Objective, chosen: StudyPoint | None) -> Drawing:
    others = [one for one in record.feasible if _kind(record, one, chosen) == "other"]
    step = max(1, -(-len(others) // MOST_DRAWN))
    marked = [one for one in record.feasible if _kind(record, one, chosen) != "other"]
    for extra in (record.start, chosen):  # also outside of the limits
        if extra is not None and not extra.result.refused and all(one.number != extra.number for one in marked):
            marked.append(extra)
    points = [
        ChartPoint(
            x=_drawn(record, one, x),
            y=_drawn(record, one, y),
            kind=_kind(record, one, chosen),
            words=_words(record, one),
        )
        for one in (*others[::step], *marked)
    ]
    names = (_axis_name(record, x), _axis_name(record, y))
    zero = (not x.is_maximized, not y.is_maximized)
    return scatter(f"{names[1]} against {names[0]}", names, points, zero=zero)


def _drawn(record: ExploreRecord, one: StudyPoint, objective: Objective) -> Figure:
    """The number of an objective in the unit of its axis."""
    found = _number(record, one, objective)
    return found.times(100.0) if objective.unit == "share of the part" else found.times(_unit(objective)[0])


def _unit(objective: Objective) -> tuple[float, str]:
    return (1e-3, "µs") if objective.unit == "ns" else (1.0, "")


def _axis_name(record: ExploreRecord, objective: Objective) -> str:
    unit = "% of the part" if objective.unit == "share of the part" else _unit(objective)[1]
    return f"{_name(record, objective)}, {unit}" if unit else _name(record, objective)


def _front_row(record: ExploreRecord, one: StudyPoint, chosen: StudyPoint | None) -> tuple[Cell, ...]:
    row = record.row(one)
    is_chosen = chosen is not None and one.number == chosen.number
    return (
        Cell(text=f"{row.number}{' (chosen)' if is_chosen else ''}", number=row.number),
        Cell(text=f"{row.quality:.4f}", number=row.quality),
        *((Cell(text=f"{row.score:.4f}", number=row.score),) if record.compares_by_score else ()),
        *(_banded(row.figures[name]) for name in ("lut", "ff", "dsp", "bram")),
        Cell(text=duration(row.latency_ns.value), number=row.latency_ns.value),
        Cell(text=duration(row.interval_ns.value), number=row.interval_ns.value),
        count(row.ebops),
        count(row.cautions),
        cell(row.level.value),
    )


def _banded(one: Figure) -> Cell:
    return Cell(text=f"{100 * one.value:.2f} % ({100 * one.low:.1f}–{100 * one.high:.1f})", number=one.value)


# --- what a point decides -------------------------------------------------------------------------------------------


def _lines(record: ExploreRecord, chosen: StudyPoint | None) -> Section:
    settings = record.settings
    lines = [(one, _kind(record, one, chosen)) for one in record.front]
    for extra in (record.start, chosen):
        if extra is not None and not extra.result.refused and all(one.number != extra.number for one, _ in lines):
            lines.append((extra, _kind(record, extra, chosen)))
    axes = [
        CoordinateAxis(
            name=axis.name,
            low=axis.low,
            high=axis.high,
            low_label=_end(axis, axis.low),
            high_label=_end(axis, axis.high),
        )
        for axis in settings.space.axes
    ]
    for objective in settings.objectives:
        values = [_number(record, one, objective).value for one, _ in lines]
        axes.append(
            CoordinateAxis(
                name=_name(record, objective),
                low=min(values),
                high=max(values),
                low_label=_written(objective, min(values)),
                high_label=_written(objective, max(values)),
            )
        )
    drawn = [
        (
            [
                *(float(one.values[axis.name]) for axis in settings.space.axes),
                *(_number(record, one, objective).value for objective in settings.objectives),
            ],
            kind if kind != "other" else "front",
            _words(record, one),
        )
        for one, kind in lines
    ]
    words = (
        "Each line is a point of the front. Widths are in bits. Settings are places in the list of strategies and reuse"
        " factors: first latency, then resource, each from the smallest factor on. Io: 0 stream, 1 parallel. Pruned"
        " weights: the share of the weights of a layer that are zero."
    )
    return Section(
        key="choices",
        title="What the points decide",
        words=(words,),
        legend=("Blue: the front. Black, or white on a dark page: the start. Red: the chosen point.",),
        drawings=(parallel("Parallel coordinates of the front", axes, drawn),),
    )


def _end(axis: SpaceAxis, value: int) -> str:
    match axis:
        case WidthAxis():
            return f"{value} bits"
        case PruningAxis():
            return f"{axis.percent(value)} %"
        case FilterAxis():
            return f"{axis.factors[value]:g} times"
        case SettingAxis() | IoAxis():
            return str(value)
        case _:
            assert_never(axis)


def _importance(record: ExploreRecord, importances: Importances) -> Section:
    objectives = [one for one in record.settings.objectives if one.value in importances]
    columns = [Column(name="Choice")]
    for objective in objectives:
        columns += [Column(name=_name(record, objective), number=True), Column(name="of 100 %", drawn=True)]
    rows = []
    for axis in record.settings.space.axes:
        row = [cell(axis.name)]
        for objective in objectives:
            share = importances[objective.value].get(axis.name, 0.0)
            row += [Cell(text=percent(share), number=share), Cell(text="", mark=charts.bar(share, 1.0))]
        rows.append(tuple(row))
    words = (
        "The share of each choice in what separates the better points from all points of this search (PED-ANOVA of"
        " Optuna). It describes the points that were tried, not every possible one."
    )
    table = Table(caption="Importance of each choice", columns=tuple(columns), rows=tuple(rows))
    return Section(key="importance", title="What matters", words=(words,), tables=(table,))


def _networks(record: ExploreRecord) -> Section:
    measure = _name(record, Objective.QUALITY)
    columns = (
        Column(name="Filters"),
        Column(name="Parameters", number=True),
        Column(name=f"{measure}, float", number=True),
        Column(name="Trained again"),
    )
    rows = tuple(
        (
            Cell(text=f"{one.factor:g} times", number=one.factor),
            count(one.parameters),
            Cell(text=f"{one.quality:.4f}", number=one.quality),
            cell("as given" if one.is_given else f"{one.epochs} epochs at most, that of epoch {one.best_epoch}"),
        )
        for one in record.settings.networks
    )
    words = (
        "Float networks with more or fewer filters in each hidden layer, trained again on the training events. The"
        " quality is that on the validation events."
    )
    table = Table(caption="Networks of the study", columns=columns, rows=rows)
    return Section(key="networks", title="Networks", words=(words,), tables=(table,))


def _beside_start(record: ExploreRecord, chosen: StudyPoint, start: StudyPoint) -> Section:
    settings = record.settings
    now, before = (settings.space.words(one.values, settings.target.io) for one in (chosen, start))
    columns = (
        Column(name="Choice"),
        Column(name=f"Point {chosen.number}"),
        Column(name=f"Start, point {start.number}"),
    )
    rows = [(cell(name), cell(now[name]), cell(before[name])) for name in now]
    tables = [Table(caption="The chosen point beside the start", columns=columns, rows=tuple(rows), ordered=True)]
    if not (chosen.result.refused or start.result.refused):
        shown = tuple(dict.fromkeys((*settings.objectives, *NAMES)))
        numbers = [
            (cell(_name(record, one)), *(_with_band(one, _number(record, point, one)) for point in (chosen, start)))
            for one in shown
        ]
        tables.append(Table(caption="Their numbers", columns=columns, rows=tuple(numbers), ordered=True))
    notes = (f"fpgacnn convert {record.folder} --point {chosen.number} writes and proves the project of this point",)
    return Section(key="chosen", title=f"Point {chosen.number}", tables=tuple(tables), notes=notes)


def _with_band(objective: Objective, one: Figure) -> Cell:
    text = _written(objective, one.value)
    if one.low < one.high:
        text += f" ({_written(objective, one.low)} to {_written(objective, one.high)})"
    return Cell(text=text, number=one.value)
