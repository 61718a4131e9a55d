"""A study as tables for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.hardware.estimation import Figure
from fpgacnn.jobs.explore.measures import Objective
from fpgacnn.jobs.explore.record import ExploreRecord, FrontRow, StudyPoint
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formatting import duration, plural
from fpgacnn.reporting.terminal.columns import FittingTable, left, right
from fpgacnn.reporting.terminal.tables import inputs_report

MOST_ROWS = 24
SCORE_WORDS = (
    "points are compared by their score, not by the quality on the validation events, which is too good by chance for"
    " the best of many points; report the quality on the test events, which `convert --point` shows"
)


def entries_report(entries: Sequence[ReportInput | ExploreRecord]) -> Iterator[RenderableType]:
    """A study, which is alone, or projects."""
    first = entries[0]
    if isinstance(first, ExploreRecord):
        yield from study_report(first)
    else:
        yield from inputs_report([one for one in entries if isinstance(one, ReportInput)])


def study_report(record: ExploreRecord) -> Iterator[RenderableType]:
    """The front with its bands, the chosen point beside the start, and the next commands."""
    settings, target = record.settings, record.settings.target
    refused = sum(bool(one.result.refused) for one in record.points)
    yield Text.assemble(
        (printable(settings.model.file), "bold"),
        f"  for {printable(target.part)} at {target.clock_ns:g} ns, {target.backend}; limits: {_limits(record)}\n",
        f"{printable(settings.data)}: {settings.measure} of {settings.events['validation']:,} validation events, float"
        f" network {settings.quality:.4f}\n",
        f"{plural(len(record.points), 'point')} ({record.computed:,} computed now, {refused:,} cannot be built),"
        f" {settings.sampler}, seed {settings.seed}",
    )
    if record.found:
        yield front_table(record)
        yield choices_table(record)
    elif record.nearest is not None:
        missed = settings.excess(record.nearest.result)
        short = ", ".join(f"{name} by {share:.0%}" for name, share in missed.items())
        yield Text.assemble(
            ("no point meets the limits", "bold red"), f"; the nearest, point {record.nearest.number}, exceeds {short}"
        )
    if settings.networks:
        yield networks_table(record)
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))
    if record.compares_by_score:
        yield Text(SCORE_WORDS, style="dim")
    yield Text("quality is bit-exact (emulator); hardware is an estimate, no tool has run", style="dim")
    if record.chosen is not None:
        folder = shlex.quote(printable(record.folder))
        yield Text(f"next: fpgacnn convert {folder} --point {record.chosen.number}")


def _limits(record: ExploreRecord) -> str:
    limits = record.settings.limits
    times = {"latency": limits.latency_ns, "interval": limits.interval_ns}
    words = [f"{name} {duration(value)}" for name, value in times.items() if value is not None]
    ends = " at the upper ends of the bands" if limits.sure else ""
    return ", ".join([*words, f"{limits.utilization:.0%} of the part"]) + ends


def front_table(record: ExploreRecord) -> FittingTable:
    """Points of the front, the best first objective first; of a long front, evenly spread ones and the chosen one."""
    rows = [record.row(one) for one in _spread(record)]
    measure, scored = record.settings.measure, record.compares_by_score
    return FittingTable(
        headings=(
            left(""),
            right("point"),
            right(measure if len(measure) < 16 else "quality"),
            *((right("score", rank=2),) if scored else ()),
            *(right(name) for name in ("LUT", "FF", "DSP", "BRAM", "latency")),
            right("interval", rank=2),
            right("EBOPs", rank=3),
            right("cautions", rank=4),
            left("seen", rank=1),
        ),
        rows=tuple(_row(one, scored=scored) for one in rows),
        styles=tuple("bold" if one.chosen else "" for one in rows),
    )


def _spread(record: ExploreRecord) -> list[StudyPoint]:
    front = record.front
    if len(front) <= MOST_ROWS:
        return list(front)
    places = {round(place * (len(front) - 1) / (MOST_ROWS - 1)) for place in range(MOST_ROWS)}
    places |= {place for place, one in enumerate(front) if record.chosen is not None and one == record.chosen}
    return [front[place] for place in sorted(places)]


def _row(one: FrontRow, *, scored: bool) -> tuple[Text, ...]:
    names = (Objective.LUT, Objective.FF, Objective.DSP, Objective.BRAM)
    return (
        Text("→" if one.chosen else ""),
        Text(str(one.number)),
        Text(f"{one.quality:.4f}"),
        *((Text(f"{one.score:.4f}"),) if scored else ()),
        *(Text(_share(one.figures[name.value])) for name in names),
        Text(_time(one.latency_ns)),
        Text(_time(one.interval_ns)),
        Text(f"{one.ebops:,}"),
        Text(str(one.cautions)),
        Text(one.level.value),
    )


def _share(one: Figure) -> str:
    """A share of the part with its band."""
    return f"{one.value:.1%} ({100 * one.low:.1f}–{100 * one.high:.1f})"


def _time(one: Figure) -> str:
    return duration(one.value)


def networks_table(record: ExploreRecord) -> FittingTable:
    """The float networks with more or fewer filters."""
    measure = record.settings.measure
    return FittingTable(
        headings=(
            left("filters"),
            right("parameters"),
            right(f"float {measure}" if len(measure) < 16 else "float quality"),
            left("trained again", rank=1),
        ),
        rows=tuple(
            (
                Text(f"{one.factor:g} times"),
                Text(f"{one.parameters:,}"),
                Text(f"{one.quality:.4f}"),
                Text("as given" if one.is_given else f"epoch {one.best_epoch} of {one.epochs}"),
            )
            for one in record.settings.networks
        ),
        styles=tuple("" for _ in record.settings.networks),
    )


def choices_table(record: ExploreRecord) -> FittingTable:
    """What the chosen point decides, beside the start."""
    chosen, start, settings = record.chosen, record.start, record.settings
    assert chosen is not None
    assert start is not None
    now, before = (settings.space.words(one.values, settings.target.io) for one in (chosen, start))
    return FittingTable(
        headings=(
            left("axis", least=16),
            left(f"point {chosen.number}"),
            left(f"start (point {start.number})", rank=1),
        ),
        rows=tuple((Text(printable(name)), Text(now[name]), Text(before[name])) for name in now),
    )
