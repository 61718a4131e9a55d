"""Pages: one project with all its parts, several side by side, or what changed between two."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fpgacnn.flow.comparison import Change, Comparison
from fpgacnn.flow.facts import Fact, Value, facts
from fpgacnn.flow.record import RunRecord
from fpgacnn.flow.subjects import Subject
from fpgacnn.reporting.page import Cell, Chapter, Column, Page, Section, Table, Tone
from fpgacnn.reporting.sections import cell, sections
from fpgacnn.reporting.verdicts import verdicts
from fpgacnn.reporting.words import NOTHING, number, plural

ASIDE = {"layer", "note", "input", "timing", "tool"}
"""Sections of facts that the side-by-side table leaves to the chapters."""

DIGEST_SHOWN = 12


def report(subjects: Sequence[Subject]) -> Page:
    """The report about one or several projects."""
    title = subjects[0].record.model.file if len(subjects) == 1 else f"{len(subjects)} projects side by side"
    overview = side_by_side(subjects) if len(subjects) > 1 else ()
    return Page(title=title, version=version("fpgacnn"), overview=overview, chapters=tuple(chapter(subject) for subject in subjects))


def chapter(subject: Subject) -> Chapter:
    """One project."""
    record = subject.record
    return Chapter(name=subject.name, subtitle=subtitle(record), verdicts=verdicts(record), sections=sections(record))


def subtitle(record: RunRecord) -> str:
    """Network and target in one line."""
    model, target = record.model, record.target
    network = f"{model.file}: {plural(model.layers, 'layer')}, {plural(model.parameters, 'parameter')}"
    return f"{network}, for {target.part} at {target.clock_ns:g} ns, io_{target.io}, {target.strategy}, reuse {target.reuse}, {target.backend}"


def side_by_side(subjects: Sequence[Subject]) -> tuple[Section, ...]:
    """Verdicts and figures of several projects in one table each."""
    columns = (Column(name="Project"), *(Column(name=question) for question in _questions(subjects)))
    answers = [{one.question: one for one in verdicts(subject.record)} for subject in subjects]
    rows = tuple(
        (cell(subject.name), *(cell(found.answer, found.tone) if (found := answer.get(column.name)) else cell("") for column in columns[1:]))
        for subject, answer in zip(subjects, answers, strict=True)
    )
    first = Section(key="verdicts", title="Verdicts", tables=(Table(caption="Verdicts of every project", columns=columns, rows=rows),))
    return first, Section(key="figures", title="Figures", tables=(_figures(subjects),))


def _questions(subjects: Sequence[Subject]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.question for subject in subjects for one in verdicts(subject.record)))


def _figures(subjects: Sequence[Subject]) -> Table:
    known = [{fact.key: fact for fact in facts(subject.record) if fact.section not in ASIDE} for subject in subjects]
    sections_seen = list(dict.fromkeys(key[0] for one in known for key in one))
    keys = sorted(dict.fromkeys(key for one in known for key in one), key=lambda key: sections_seen.index(key[0]))
    columns = (Column(name="Quantity"), *(Column(name=subject.name, number=True) for subject in subjects), Column(name="Unit"))
    rows = []
    for key in keys:
        found = [one.get(key) for one in known]
        values = [_short(fact) if fact else None for fact in found]
        tone = Tone.PLAIN if all(value == values[0] for value in values) else Tone.WARN
        unit = next(fact.unit for fact in found if fact)
        rows.append((cell(_about(*key)), *(value_cell(value, tone) for value in values), Cell(text=unit)))
    return Table(caption="Figures side by side; marked where they differ", columns=columns, rows=tuple(rows), ordered=True)


def _about(section: str, item: str, quantity: str) -> str:
    return f"{item}, {quantity}" if item else f"{section} {quantity}"


def _short(fact: Fact) -> Value:
    """A value as the table has room for it: the chapters show digests in full."""
    return fact.value[:DIGEST_SHOWN] if fact.quantity == "digest" and isinstance(fact.value, str) else fact.value


def value_cell(value: Value, tone: Tone = Tone.PLAIN) -> Cell:
    """Any value of a fact."""
    if value is None:
        return Cell(text=NOTHING, tone=tone)
    if isinstance(value, bool):
        return Cell(text="yes" if value else "no", tone=tone)
    if isinstance(value, str):
        return Cell(text=value, tone=tone)
    return Cell(text=number(value), number=value, tone=tone)


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
