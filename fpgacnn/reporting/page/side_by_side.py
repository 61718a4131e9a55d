"""Several projects side by side: verdicts, and the figures in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fpgacnn.records.record import RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.records.resources import RESOURCES, ResourceReport, ResourceValue, Source
from fpgacnn.reporting.formatting import NOTHING, duration, number, percent, score
from fpgacnn.reporting.page.amounts import NAMES, between
from fpgacnn.reporting.page.page import Cell, Column, Section, Table, Tone, cell
from fpgacnn.reporting.page.verdicts import outcome, promise, verdicts
from fpgacnn.reporting.trade_off import trade_off

DIGEST_SHOWN = 12

Figures = Mapping[str, str]
"""The figures of one project by name, as text."""


def side_by_side(entries: Sequence[ReportInput]) -> tuple[Section, ...]:
    """The first sections of a report about several projects."""
    words = "Figures that are the same everywhere are grey."
    figures = Section(key="figures", title="Figures", words=(words,), tables=_figures(entries))
    return (verdicts_of(entries), *((chart,) if (chart := trade_off(entries)) else ()), figures)


def verdicts_of(entries: Sequence[ReportInput]) -> Section:
    """The verdicts of every project."""
    answers = [{one.question: one for one in verdicts(entry)} for entry in entries]
    questions = tuple(dict.fromkeys(question for answer in answers for question in answer))
    rows = tuple(
        (
            cell(entry.name),
            *(
                cell(found.answer, found.tone) if (found := answer.get(question)) else cell("")
                for question in questions
            ),
        )
        for entry, answer in zip(entries, answers, strict=True)
    )
    columns = (Column(name="Project"), *(Column(name=question) for question in questions))
    return Section(
        key="verdicts",
        title="Verdicts",
        tables=(Table(caption="Verdicts of every project", columns=columns, rows=rows),),
    )


def _figures(entries: Sequence[ReportInput]) -> tuple[Table, ...]:
    of_runs: dict[str, Callable[[RunRecord], Figures]] = {
        "Network and target": _network,
        "Promise and checks": _checks,
        "Quality": _quality,
        "Project": _project,
    }
    groups = {title: [say(one.record) if one.record else {} for one in entries] for title, say in of_runs.items()}
    costs = {
        NAMES[source]: [_cost(next((cost for cost in one.costs if cost.source is source), None)) for one in entries]
        for source in Source
    }
    ordered = {
        **{title: groups[title] for title in groups if title != "Project"},
        **costs,
        "Project": groups["Project"],
    }
    names = [entry.name for entry in entries]
    return tuple(_table(title, shown, names) for title, shown in ordered.items() if any(shown))


def _table(title: str, shown: Sequence[Figures], names: Sequence[str]) -> Table:
    keys = dict.fromkeys(key for one in shown for key in one)
    rows = tuple((cell(key), *_row([one.get(key) for one in shown])) for key in keys)
    return Table(
        caption=title,
        columns=(Column(name=""), *(Column(name=name) for name in names)),
        rows=rows,
        ordered=True,
        even=True,
    )


def _row(texts: Sequence[str | None]) -> tuple[Cell, ...]:
    tone = Tone.SAME if all(text == texts[0] for text in texts) else Tone.PLAIN
    return tuple(Cell(text=text or NOTHING, tone=tone) for text in texts)


def _network(record: RunRecord) -> Figures:
    model, target = record.model, record.target
    return {
        "File": model.file,
        "Digest of the file": model.digest[:DIGEST_SHOWN],
        "Layers": number(model.layers),
        "Parameters": number(model.parameters),
        "Part": target.part,
        "Clock": f"{target.clock_ns:g} ns",
        "Input and output": f"io_{target.io}",
        "Strategy": f"{target.strategy}, reuse {target.reuse}",
        "Written for": target.backend,
        "Final softmax": target.softmax,
        **{f"Input {one.name}": one.format for one in record.inputs},
    }


def _checks(record: RunRecord) -> Figures:
    checks = {
        f"{one.left} and {one.right}": f"{outcome(one)}, {number(one.values)} values" for one in record.verification
    }
    return {"Promise": promise(record.plan), **checks}


def _quality(record: RunRecord) -> Figures:
    return {
        one.measure: f"{score(one.measure, one.hardware)}, quantized {score(one.measure, one.quantized)}"
        for one in record.quality
    }


def _project(record: RunRecord) -> Figures:
    own = (
        {"Digest of the project": record.project.digest[:DIGEST_SHOWN], "Files": number(record.project.files)}
        if record.project
        else {}
    )
    return {**own, **record.tools}


def _cost(cost: ResourceReport | None) -> Figures:
    if cost is None:
        return {}
    used = {
        RESOURCES[name]: f"{between(amount)}{_share(cost, name)}"
        for name, amount in cost.resources.items()
        if amount.value or cost.available.get(name)
    }
    times = {"Latency": (cost.latency_cycles, cost.latency_ns), "Interval": (cost.interval_cycles, cost.interval_ns)}
    return {"By": cost.by, **used, **{name: _time(*pair) for name, pair in times.items() if pair[0]}}


def _share(cost: ResourceReport, name: str) -> str:
    available = cost.available.get(name)
    return f", {percent(cost.resources[name].value / available)}" if available else ""


def _time(cycles: ResourceValue | None, ns: ResourceValue | None) -> str:
    return f"{between(cycles)} cycles{f', {duration(ns.value)}' if ns else ''}" if cycles else NOTHING
