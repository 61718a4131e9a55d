"""What changed between two runs: a summary of five lines, what was changed, and everything else on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from fpgacnn.records.compare import Comparison, FieldChange
from fpgacnn.records.flatten import Value
from fpgacnn.records.report_input import ReportInput
from fpgacnn.records.resources import RESOURCES, latest, timed
from fpgacnn.reporting.formatting import NOTHING, duration, number, percent, plural, rough, score
from fpgacnn.reporting.page import verdicts as of_run
from fpgacnn.reporting.page.page import Cell, Column, Page, Section, Table, Tone, cell
from fpgacnn.reporting.page.resources import fits_part
from fpgacnn.reporting.page.side_by_side import DIGEST_SHOWN

CAUSES = {"model", "plan", "target", "input"}
"""Sections that say what was changed; the others say what follows from it, and are shown on demand."""
ENDS = (", low", ", high")


def difference(comparison: Comparison) -> Page:
    """What changed between two runs."""
    groups = dict.fromkeys(change.section for change in comparison.changes)
    parts = tuple(
        _changes(group, [one for one in comparison.changes if one.section == group], comparison) for group in groups
    )
    words = (
        f"{plural(len(comparison.changes), 'value')} differ, {comparison.same:,} are the same."
        if parts
        else f"No difference in {comparison.same:,} values."
    )
    overview = (_summary(comparison), Section(key="changes", title="Changes", words=(words,)), *parts)
    return Page(
        title=f"{comparison.left.name} and {comparison.right.name}",
        version=version("fpgacnn"),
        overview=overview,
        chapters=(),
    )


def _summary(comparison: Comparison) -> Section:
    """Promise, proof, cost, speed and quality of both, and how they changed."""
    lines: Mapping[str, Callable[[ReportInput], Cell]] = {
        "Promise": _promise,
        "Proof": _proof,
        "Cost": _cost,
        "Speed": _speed,
        "Quality": _quality,
    }
    rows = []
    for name, say in lines.items():
        left, right = say(comparison.left), say(comparison.right)
        alike = name not in SOURCES or SOURCES[name](comparison.left) == SOURCES[name](comparison.right)
        rows.append((cell(name), left, right, _change(left, right, alike=alike)))
    columns = (
        Column(name=""),
        Column(name=comparison.left.name),
        Column(name=comparison.right.name),
        Column(name="Change"),
    )
    table = Table(caption="Summary of both", columns=columns, rows=tuple(rows), ordered=True)
    return Section(key="summary", title="Summary", tables=(table,))


def _change(left: Cell, right: Cell, *, alike: bool) -> Cell:
    """How much a number changed, if both are of the same kind and source (`alike`); or whether anything did."""
    if (left.text, left.number) == (right.text, right.number):
        return cell("the same", Tone.SAME)
    if not alike or left.number is None or right.number is None or left.number == right.number or left.number <= 0:
        return cell("changed")
    return cell(f"× {right.number / left.number:.3g}")


def _promise(entry: ReportInput) -> Cell:
    shown = of_run.exactness(entry.record) if entry.record else of_run.UNKNOWN
    return cell(shown.answer, shown.tone)


def _proof(entry: ReportInput) -> Cell:
    if entry.record is None:
        return cell("")
    shown = of_run.proof(entry.record)
    return cell(shown.answer, shown.tone)


def _cost(entry: ReportInput) -> Cell:
    """LUTs with their share of the part, and whether everything fits."""
    cost, verdict = latest(entry.costs), fits_part(entry)
    amount = cost.resources.get("lut") if cost else None
    if cost is None or amount is None:
        return cell("")
    available = cost.available.get("lut")
    share = f" ({percent(amount.value / available)})" if available else ""
    return Cell(
        text=f"{verdict.answer}, {rough(amount.value)} {RESOURCES['lut']}{share}",
        number=amount.value,
        tone=verdict.tone,
    )


def _speed(entry: ReportInput) -> Cell:
    cost = timed(entry.costs)
    if cost is None or cost.latency_cycles is None:
        return cell("")
    if cost.latency_ns is None:
        return Cell(text=f"{number(cost.latency_cycles.value)} cycles", number=cost.latency_cycles.value)
    return Cell(text=duration(cost.latency_ns.value), number=cost.latency_ns.value)


def _quality(entry: ReportInput) -> Cell:
    if entry.record is None or not entry.record.quality:
        return cell("")
    first = entry.record.quality[0]
    return Cell(text=f"{first.measure} {score(first.measure, first.hardware)}", number=first.hardware)


SOURCES: Mapping[str, Callable[[ReportInput], object]] = {
    "Cost": lambda entry: None if (cost := latest(entry.costs)) is None else cost.source,
    "Speed": lambda entry: None if (cost := timed(entry.costs)) is None else (cost.source, cost.latency_ns is None),
    "Quality": lambda entry: entry.record.quality[0].measure if entry.record and entry.record.quality else None,
}
"""What numbers of a line must have in common to be divided: the source, the unit, the measure."""


def _changes(group: str, changes: Sequence[FieldChange], comparison: Comparison) -> Section:
    """One section of values; both ends of a band stand in the cell of its value."""
    ends = {(one.item, one.quantity): one for one in changes}
    kept = [one for one in changes if not _is_end(one, ends)]
    numbers, units = any(one.difference is not None for one in kept), any(one.unit for one in kept)
    columns = (
        Column(name="About"),
        Column(name=comparison.left.name, number=True),
        Column(name=comparison.right.name, number=True),
        *((Column(name="Difference", number=True), Column(name="Ratio", number=True)) if numbers else ()),
        *((Column(name="Unit"),) if units else ()),
    )
    rows = tuple(
        (
            cell(_about(group, one.item, one.quantity)),
            _banded(one, ends, left=True),
            _banded(one, ends, left=False),
            *((Cell(text=_signed(one.difference), number=one.difference), _ratio(one.ratio)) if numbers else ()),
            *((Cell(text=one.unit),) if units else ()),
        )
        for one in kept
    )
    return Section(
        key=f"changed-{group.replace(' ', '-')}",
        title=f"{group.capitalize()} ({plural(len(rows), 'value')})" if group not in CAUSES else group.capitalize(),
        tables=(Table(caption=f"Changed: {group}", columns=columns, rows=rows),),
        folded=group not in CAUSES,
    )


def _is_end(one: FieldChange, found: Mapping[tuple[str, str], FieldChange]) -> bool:
    """Whether this is an end of a band that stands in the cell of its value: both ends and the value have changed."""
    for end in ENDS:
        if one.quantity.endswith(end):
            name = one.quantity.removesuffix(end)
            return all((one.item, f"{name}{part}") in found for part in ("", *ENDS))
    return False


def _banded(one: FieldChange, found: Mapping[tuple[str, str], FieldChange], *, left: bool) -> Cell:
    """A value with both ends of its band, if it has one."""
    own = _value(one, one.left if left else one.right)
    ends = [found.get((one.item, f"{one.quantity}{end}")) for end in ENDS]
    sides = [None if end is None else end.left if left else end.right for end in ends]
    if own.number is None or not all(isinstance(side, int | float) for side in sides):
        return own
    low, high = (_value(one, side).text for side in sides)
    return Cell(text=f"{own.text} ({low} to {high})", number=own.number)


def _about(section: str, item: str, quantity: str) -> str:
    return f"{item}, {quantity}" if item else f"{section} {quantity}"


def _value(change: FieldChange, value: Value) -> Cell:
    """One side of a change; digests are shortened to the part that differs."""
    if value is None:
        return Cell(text=NOTHING)
    if isinstance(value, bool):
        return Cell(text="yes" if value else "no")
    if isinstance(value, str):
        return Cell(text=value[:DIGEST_SHOWN] if change.quantity == "digest" else value)
    return Cell(text=number(value), number=value)


def _ratio(ratio: float | None) -> Cell:
    return Cell(text=NOTHING if ratio is None else f"× {ratio:.3g}", number=ratio)


def _signed(value: float | None) -> str:
    return NOTHING if value is None else f"+{number(value)}" if value > 0 else number(value)
