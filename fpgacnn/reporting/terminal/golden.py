"""A project compared with its golden vectors, as text."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.jobs.golden import LockedRecord
from fpgacnn.jobs.golden_vectors import Change, Divergence

SHOWN = 12


def locked_text(record: LockedRecord) -> str:
    """The report as plain text."""
    return "\n".join(str(line) for line in locked_report(record))


def locked_report(record: LockedRecord) -> Iterator[Text]:
    """The verdict, the changes, the changed answers, and versions that differ."""
    yield Text.assemble((printable(record.project), "bold"), f" and {printable(record.golden)}: ", *_verdict(record))
    for change in record.changes[:SHOWN]:
        yield Text(f"  {change_text(change)}")
    if len(record.changes) > SHOWN:
        yield Text(f"  and {len(record.changes) - SHOWN} more; --json lists them all")
    for divergence in record.divergences:
        yield Text(f"  {divergence_text(divergence)}")
    if record.changes and record.engines and not record.divergences:
        yield Text(f"  no answer of {' and '.join(record.engines)} to a frozen event has changed")
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))


def _verdict(record: LockedRecord) -> tuple[tuple[str, str], str]:
    scope = f"  {record.events:,} events, {record.values:,} output codes ({printable(record.origin)})"
    return (("no bit has changed", "bold green"), scope) if record.holds else (("CHANGED", "bold red"), scope)


def change_text(change: Change) -> str:
    """One change on one line."""
    where = ", ".join(printable(one) for one in (change.layer, change.file) if one)
    begin = f"{change.cause.value}: {where + ': ' if where else ''}{printable(change.what)}"
    return f"{begin}: {printable(change.frozen)} -> {printable(change.found)}"


def divergence_text(divergence: Divergence) -> str:
    """The first changed answer of an engine on one line."""
    place = f"layer {printable(divergence.layer)}, event {divergence.event}"
    if divergence.frozen is not None:
        place += f", index {list(divergence.index)}: code {divergence.frozen} -> {divergence.found}"
    return f"{divergence.cause.value}: {divergence.engine} gives other answers, first in {place}"
