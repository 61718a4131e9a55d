"""Compose pages: one project with all its sections, several side by side, or the changes between two."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fpgacnn.records.compare import Comparison, FieldChange
from fpgacnn.records.flatten import Value
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formatting import NOTHING, number, plural
from fpgacnn.reporting.page.page import Cell, Chapter, Column, Page, Section, Table, cell
from fpgacnn.reporting.page.sections import sections
from fpgacnn.reporting.page.side_by_side import DIGEST_SHOWN, side_by_side, verdicts_of
from fpgacnn.reporting.page.verdicts import verdicts


def report(entries: Sequence[ReportInput]) -> Page:
    """The report about one or several projects."""
    title = entries[0].title if len(entries) == 1 else f"{len(entries)} projects side by side"
    overview = side_by_side(entries) if len(entries) > 1 else ()
    return Page(title=title, version=version("fpgacnn"), overview=overview, chapters=tuple(map(chapter, entries)))


def chapter(entry: ReportInput) -> Chapter:
    """One project."""
    return Chapter(
        name=entry.name,
        file=entry.record.model.file if entry.record else "",
        subtitle=subtitle(entry),
        verdicts=verdicts(entry),
        sections=sections(entry),
    )


def subtitle(entry: ReportInput) -> str:
    """Network and target in one line."""
    record, synthesis = entry.record, entry.synthesis
    if record is None:
        tools = (synthesis.top, synthesis.part, synthesis.tool, synthesis.version) if synthesis else ()
        guess = (entry.guess.part, f"{entry.guess.clock_ns:g} ns", entry.guess.tool) if entry.guess else ()
        return ", ".join(text for text in tools or guess if text)
    model, target = record.model, record.target
    network = f"{plural(model.layers, 'layer')}, {plural(model.parameters, 'parameter')}"
    return (
        f"{network}, for {target.part} at {target.clock_ns:g} ns, io_{target.io}, {target.strategy}, reuse"
        f" {target.reuse}, {target.backend}"
    )


def _about(section: str, item: str, quantity: str) -> str:
    return f"{item}, {quantity}" if item else f"{section} {quantity}"


def difference(comparison: Comparison) -> Page:
    """What changed between two runs."""
    both = (comparison.left, comparison.right)
    groups = dict.fromkeys(change.section for change in comparison.changes)
    parts = tuple(
        _changes(group, [one for one in comparison.changes if one.section == group], comparison) for group in groups
    )
    words = (
        f"{plural(len(comparison.changes), 'value')} differ, {comparison.same:,} are the same."
        if parts
        else f"No difference in {comparison.same:,} values."
    )
    overview = (verdicts_of(both), Section(key="changes", title="Changes", words=(words,)), *parts)
    return Page(
        title=f"{comparison.left.name} and {comparison.right.name}",
        version=version("fpgacnn"),
        overview=overview,
        chapters=(),
    )


def _changes(group: str, changes: Sequence[FieldChange], comparison: Comparison) -> Section:
    numbers, units = any(one.difference is not None for one in changes), any(one.unit for one in changes)
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
            _value(one, one.left),
            _value(one, one.right),
            *((Cell(text=_signed(one.difference), number=one.difference), _ratio(one.ratio)) if numbers else ()),
            *((Cell(text=one.unit),) if units else ()),
        )
        for one in changes
    )
    return Section(
        key=f"changed-{group.replace(' ', '-')}",
        title=group.capitalize(),
        tables=(Table(caption=f"Changed: {group}", columns=columns, rows=rows),),
    )


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
