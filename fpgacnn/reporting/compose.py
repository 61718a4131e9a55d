"""Pages: one project with all its parts, several side by side, or what changed between two."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fpgacnn.flow.comparison import Change, Comparison
from fpgacnn.flow.facts import Value
from fpgacnn.flow.subjects import Subject
from fpgacnn.reporting.page import Cell, Chapter, Column, Page, Section, Table, cell
from fpgacnn.reporting.sections import sections
from fpgacnn.reporting.side import side_by_side
from fpgacnn.reporting.verdicts import verdicts
from fpgacnn.reporting.words import NOTHING, number, plural


def report(subjects: Sequence[Subject]) -> Page:
    """The report about one or several projects."""
    title = subjects[0].title if len(subjects) == 1 else f"{len(subjects)} projects side by side"
    overview = side_by_side(subjects) if len(subjects) > 1 else ()
    return Page(title=title, version=version("fpgacnn"), overview=overview, chapters=tuple(chapter(subject) for subject in subjects))


def chapter(subject: Subject) -> Chapter:
    """One project."""
    return Chapter(name=subject.name, subtitle=subtitle(subject), verdicts=verdicts(subject), sections=sections(subject))


def subtitle(subject: Subject) -> str:
    """Network and target in one line."""
    record, synthesis = subject.record, subject.synthesis
    if record is None:
        known = (synthesis.top, synthesis.part, synthesis.tool, synthesis.version) if synthesis else ()
        return ", ".join(text for text in known if text)
    model, target = record.model, record.target
    network = f"{model.file}: {plural(model.layers, 'layer')}, {plural(model.parameters, 'parameter')}"
    return f"{network}, for {target.part} at {target.clock_ns:g} ns, io_{target.io}, {target.strategy}, reuse {target.reuse}, {target.backend}"


def _about(section: str, item: str, quantity: str) -> str:
    return f"{item}, {quantity}" if item else f"{section} {quantity}"


def value_cell(value: Value) -> Cell:
    """Any value of a fact."""
    if value is None:
        return Cell(text=NOTHING)
    if isinstance(value, bool):
        return Cell(text="yes" if value else "no")
    if isinstance(value, str):
        return Cell(text=value)
    return Cell(text=number(value), number=value)


def difference(comparison: Comparison) -> Page:
    """What changed between two runs."""
    groups = dict.fromkeys(change.section for change in comparison.changes)
    parts = tuple(_changes(group, [one for one in comparison.changes if one.section == group], comparison) for group in groups)
    title = f"{comparison.left} and {comparison.right}"
    words = f"{plural(len(comparison.changes), 'fact')} differ, {comparison.same:,} are the same." if parts else f"No difference in {comparison.same:,} facts."
    return Page(title=title, version=version("fpgacnn"), overview=(Section(key="changes", title="Changes", words=(words,)), *parts), chapters=())


def _changes(group: str, changes: Sequence[Change], comparison: Comparison) -> Section:
    columns = (
        Column(name="About"),
        Column(name=comparison.left, number=True),
        Column(name=comparison.right, number=True),
        Column(name="Difference", number=True),
        Column(name="Ratio", number=True),
        Column(name="Unit"),
    )
    rows = tuple(
        (
            cell(_about(group, one.item, one.quantity)),
            value_cell(one.left),
            value_cell(one.right),
            Cell(text=_signed(one.difference), number=one.difference),
            Cell(text=NOTHING if one.ratio is None else f"× {one.ratio:.3g}", number=one.ratio),
            Cell(text=one.unit),
        )
        for one in changes
    )
    return Section(key=f"changed-{group}", title=group.capitalize(), tables=(Table(caption=f"Changed: {group}", columns=columns, rows=rows),))


def _signed(value: float | None) -> str:
    return NOTHING if value is None else f"+{number(value)}" if value > 0 else number(value)
