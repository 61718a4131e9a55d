"""Compose pages: one project with all its sections, several side by side, or the changes between two."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formatting import plural
from fpgacnn.reporting.page.changes import difference
from fpgacnn.reporting.page.page import Chapter, Page
from fpgacnn.reporting.page.sections import sections
from fpgacnn.reporting.page.side_by_side import side_by_side
from fpgacnn.reporting.page.verdicts import verdicts

__all__ = ["chapter", "difference", "report", "subtitle"]


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
