"""The sections about cost: resources against the part, latency of an event, cost of each layer."""

from __future__ import annotations

from fpgacnn.hardware.synthesis import SynthesisReport
from fpgacnn.records.report_input import ReportInput
from fpgacnn.records.resources import (
    RESOURCES,
    ResourceReport,
    ResourceValue,
    Source,
    by_layer,
    estimate_errors,
    latest,
    timed,
)
from fpgacnn.reporting import charts
from fpgacnn.reporting.formatting import NOTHING, duration, number, percent, plural, rough
from fpgacnn.reporting.page.amounts import NAMES, amount_cell, between
from fpgacnn.reporting.page.layer_costs import spans
from fpgacnn.reporting.page.page import Cell, Column, Section, Table, Tone, Verdict, cell, count

ESTIMATES = {
    Source.ESTIMATE: "Estimated for C synthesis",
    Source.AFTER_SYNTHESIS: "Estimated after logic synthesis",
    Source.SIMULATED: "Simulated dataflow of the streams",
}
"""Sources that are estimates, with their name in a verdict."""
BAND = "the band mostly contains the true value, as the line of its method says"


def fits_part(entry: ReportInput) -> Verdict:
    """Whether the part has enough resources, by the most accurate source."""
    if entry.estimate is not None and entry.estimate.stops:
        detail = "Processes wait for each other for ever, because a FIFO is too short; see Timeline."
        return Verdict(question="Fits?", answer="Stops", detail=detail, tone=Tone.BAD)
    cost = latest(entry.costs)
    if cost is None:
        used = next((one for one in reversed(entry.costs) if one.resources), None)
        detail = (
            f"{_used(used)}; the resources of the part are not known."
            if used
            else "There is no estimate and no synthesis report."
        )
        return Verdict(question="Fits?", answer="Not known", detail=detail, tone=Tone.PLAIN)
    shares = _shares(cost)
    name, share = max(shares.items(), key=lambda one: one[1])
    beyond = [one for one in cost.short if cost.resources[one].low > cost.available[one]]
    unsure = [one for one in shares if cost.resources[one].high > cost.available[one]]
    if beyond:
        short = [
            f"{rough(cost.resources[one].value - cost.available[one])} {RESOURCES[one]} too many" for one in beyond
        ]
        answer, tone, words = "Does not fit", Tone.BAD, f"{', '.join(short)}{_counted_twice(cost)}"
    elif unsure:
        answer, tone = "May not fit", Tone.WARN
        ends = ", ".join(
            f"{_ends(cost.resources[one])} of {number(cost.available[one])} {RESOURCES[one]}" for one in unsure
        )
        words = f"{ends}. Next: fpgacnn fit"
    else:
        answer, tone, words = "Fits", Tone.GOOD, f"{RESOURCES[name]} is tightest with {percent(share)}"
    return Verdict(question="Fits?", answer=answer, detail=f"{words}. {_source_text(cost)}.", tone=tone)


def _tone(cost: ResourceReport, name: str) -> Tone:
    """Whether a resource is short for certain, perhaps, or not."""
    amount, available = cost.resources.get(name), cost.available.get(name)
    if amount is None or available is None or amount.high <= available:
        return Tone.PLAIN
    return Tone.BAD if amount.low > available else Tone.WARN


def _counted_twice(cost: ResourceReport) -> str:
    """Why C synthesis reports too many LUTs."""
    if cost.source is Source.CSYNTH and "lut" in cost.short:
        return " (about half of the LUTs that C synthesis counts are left after logic synthesis)"
    return ""


def _ends(amount: ResourceValue) -> str:
    """Both ends of a band."""
    return f"{rough(amount.low)} to {rough(amount.high)}" if amount.is_range else rough(amount.value)


def _shares(cost: ResourceReport) -> dict[str, float]:
    """The used share of each resource; a resource that the part lacks counts as fully used if it is needed."""
    known = {name: amount.value for name, amount in cost.resources.items() if name in cost.available}
    return {
        name: value / cost.available[name] if cost.available[name] else float(value > 0)
        for name, value in known.items()
    }


def _used(cost: ResourceReport) -> str:
    return ", ".join(f"{rough(amount.value)} {RESOURCES[name]}" for name, amount in cost.resources.items())


def source_text(entry: ReportInput) -> str:
    """The source of the figures of single layers."""
    cost = by_layer(entry.costs)
    return _source_text(cost) if cost else ""


def _source_text(cost: ResourceReport) -> str:
    return ESTIMATES.get(cost.source, f"{NAMES[cost.source]} ({cost.by})")


def speed(entry: ReportInput) -> Verdict:
    """Latency and interval, from the most accurate source."""
    cost = timed(entry.costs)
    if cost is None or cost.latency_cycles is None:
        clock = f"The clock is {entry.record.target.clock_ns:g} ns; " if entry.record else ""
        detail = f"{clock}{'no' if clock else 'No'} latency is estimated or reported."
        return Verdict(question="How fast?", answer="Not known", detail=detail, tone=Tone.PLAIN)
    cycles, ns = cost.latency_cycles, cost.latency_ns
    answer = f"{duration(ns.value)}" if ns else f"{number(cycles.value)} cycles"
    clock = f" of {cost.clock_ns:g} ns" if cost.clock_ns else ""
    detail = f"{between(cycles)} cycles{clock} from input to output"
    if cost.interval_cycles:
        interval = cost.interval_cycles
        every = f" ({duration(cost.interval_ns.value)})" if cost.interval_ns else ""
        detail += f"; a new event every {_cycles(interval)}{every}"
    late = entry.synthesis.slow if entry.synthesis else ()
    missed = f" But {late[0]}." if late else ""
    return Verdict(
        question="How fast?",
        answer=answer,
        detail=f"{detail}. {_source_text(cost)}.{missed}",
        tone=Tone.BAD if late else Tone.PLAIN,
    )


def _cycles(amount: ResourceValue) -> str:
    return (
        "cycle" if amount.value == 1 else f"{rough(amount.value) if amount.estimated else number(amount.value)} cycles"
    )


def resources(entry: ReportInput) -> Section | None:
    """The figures of every source beside the resources of the part."""
    sources = [cost for cost in entry.costs if cost.resources]
    if not sources:
        return None
    word = latest(entry.costs) or sources[-1]
    shares = _shares(word)
    columns = (
        Column(name="Resource"),
        *(Column(name=NAMES[cost.source], number=True) for cost in sources),
        Column(name="The part has", number=True),
        Column(name="Used", number=True),
        Column(name=f"Share ({NAMES[word.source]})", drawn=True),
    )
    rows = []
    for name, title in RESOURCES.items():
        if not any(cost.resources[name].value for cost in sources if name in cost.resources) and not word.available.get(
            name
        ):
            continue
        amount, available, share = word.resources.get(name), word.available.get(name), shares.get(name)
        drawn = (
            charts.bar(amount.value, available, low=_end(amount, low=True), high=_end(amount, low=False))
            if amount and available
            else None
        )
        used = Cell(text=percent(share), number=share, tone=_tone(word, name))
        rows.append(
            (
                cell(title),
                *(amount_cell(cost.resources.get(name)) for cost in sources),
                count(available),
                used,
                Cell(text="", mark=drawn),
            )
        )
    table = Table(caption="Resources against the part", columns=columns, rows=tuple(rows), ordered=True)
    words = (
        "BRAM is counted in blocks of 18 Kb everywhere. HLS reports more than logic synthesis needs, above all LUTs.",
    )
    legend = (f"The thin line over a bar is the band of the estimate: {BAND}.",) if word.source in ESTIMATES else ()
    origins = {(cost.by, cost.file): cost for cost in reversed(sources)}  # both estimates have one method
    notes = tuple(_origin(cost) for cost in sources if origins[cost.by, cost.file] is cost)
    tables = (table, *_estimate_errors(entry))
    return Section(key="resources", title="Resources", words=words, legend=legend, tables=tables, notes=notes)


def _estimate_errors(entry: ReportInput) -> tuple[Table, ...]:
    """How far the estimates are from what the tools report; none where no tool has reported."""
    found = estimate_errors(entry.costs)
    if not found:
        return ()
    titles = {**RESOURCES, "latency_cycles": "Latency, cycles", "interval_cycles": "Interval, cycles"}
    columns = (
        Column(name="Quantity"),
        Column(name="Reported by"),
        Column(name="Estimate", number=True),
        Column(name="Reported", number=True),
        Column(name="Error of the estimate", number=True),
        Column(name="In its band"),
    )
    rows = tuple(
        (
            cell(titles[one.quantity]),
            cell(NAMES[one.source]),
            count(one.estimated),
            count(one.reported),
            Cell(text=f"{one.error:+.0%}", number=one.error) if one.error is not None else cell(NOTHING),
            cell("yes") if one.in_band else cell("no", Tone.WARN),
        )
        for one in found
        if one.estimated or one.reported
    )
    return (Table(caption="Estimates against the reports of the tools", columns=columns, rows=rows, ordered=True),)


def _end(amount: ResourceValue, *, low: bool) -> float | None:
    """One end of the band, if there is one."""
    return (amount.low if low else amount.high) if amount.is_range else None


def _origin(cost: ResourceReport) -> str:
    name = "Estimates" if cost.source in {Source.ESTIMATE, Source.AFTER_SYNTHESIS} else NAMES[cost.source]
    return f"{name}: {cost.by}{f', {cost.file}' if cost.file else ''}"


def latency(entry: ReportInput) -> Section | None:
    """Latency of the whole network from every source, and of each layer from the most accurate source that has it."""
    sources = [cost for cost in entry.costs if cost.latency_cycles or cost.interval_cycles]
    if not sources:
        return None
    names = (("Latency", "cycles"), ("Latency", "in time"), ("Interval", "cycles"), ("Interval", "in time"))
    columns = (Column(name="Source"), *(Column(name=name, unit=unit, number=True) for name, unit in names))
    rows = tuple(
        (
            cell(NAMES[one.source]),
            amount_cell(one.latency_cycles),
            _time(one.latency_ns),
            amount_cell(one.interval_cycles),
            _time(one.interval_ns),
        )
        for one in sources
    )
    whole = Table(caption="Latency and interval of the whole", columns=columns, rows=rows, ordered=True)
    drawn = entry.estimate is not None and entry.estimate.simulated is not None  # its timeline shows the layers
    words, tables = ((), ()) if drawn else spans(entry)
    return Section(key="latency", title="Latency", words=words, tables=(whole, *tables))


def _time(ns: ResourceValue | None) -> Cell:
    return Cell(text=duration(ns.value), number=ns.value) if ns else Cell(text=NOTHING)


def cautions(entry: ReportInput) -> Section | None:
    """What to change before a synthesis of several hours."""
    found = entry.estimate.warnings if entry.estimate else ()
    if not found:
        return None
    columns = (Column(name="Layer"), Column(name="Code", code=True), Column(name="What"), Column(name="What to do"))
    rows = tuple((cell(one.layer), cell(one.code), cell(one.text, Tone.WARN), cell(one.cure)) for one in found)
    return Section(
        key="cautions",
        title="Before synthesis",
        tables=(Table(caption="Before synthesis: what to change first", columns=columns, rows=rows),),
    )


def reports(entry: ReportInput) -> Section | None:
    """The tools' reports: files, clock, and contradictions between them."""
    synthesis = entry.synthesis
    if synthesis is None:
        return (
            Section(key="synthesis", title="Synthesis reports", words=("None was read.",), notes=entry.notes)
            if entry.notes
            else None
        )
    texts = ("File", "Kind", "Stage", "Tool", "Version", "Date")
    columns = tuple(Column(name=name) for name in texts)
    rows = tuple(
        tuple(
            cell(text or "")
            for text in (one.file, one.kind, one.stage.value if one.stage else "", one.tool, one.version, one.date)
        )
        for one in synthesis.files
    )
    tables = [Table(caption="Reports of the tools", columns=columns, rows=rows)]
    if synthesis.timings:
        tables.append(_slacks(synthesis))
    if synthesis.powers:
        tables.append(_power(synthesis))
    if synthesis.routes:
        tables.append(_routes(synthesis))
    unread = tuple(f"not read: {one.why}" for one in synthesis.unread)
    others = tuple(f"there is another solution: {other.solution}" for other in synthesis.others)
    words = f"{plural(len(rows), 'report')} read{f', {len(unread)} not' if unread else ''}."
    return Section(
        key="synthesis",
        title="Synthesis reports",
        words=(words,),
        tables=tuple(tables),
        notes=(*synthesis.notes, *others, *unread, *entry.notes),
    )


def _verdict(met: bool | None) -> Cell:  # noqa: FBT001  # the one thing that it shows
    """Whether timing constraints are met, as a cell."""
    if met is None:
        return cell("no constraints")
    return cell("met", Tone.GOOD) if met else cell("not met", Tone.BAD)


def _power(synthesis: SynthesisReport) -> Table:
    names = ("Total", "Dynamic", "Static")
    columns = (
        Column(name="Design"),
        Column(name="Stage"),
        *(Column(name=name, unit="W", number=True) for name in names),
        Column(name="Confidence"),
    )
    rows = tuple(
        (
            cell(one.design),
            cell(one.origin.stage.value),
            count(one.total_w),
            count(one.dynamic_w),
            count(one.static_w),
            cell(one.confidence),
        )
        for one in synthesis.powers
    )
    return Table(caption="Power, as Vivado estimates it", columns=columns, rows=rows)


def _routes(synthesis: SynthesisReport) -> Table:
    names = ("Routable nets", "Fully routed", "With errors")
    columns = (Column(name="Design"), *(Column(name=name, number=True) for name in names), Column(name="Routing"))
    rows = tuple(
        (
            cell(one.design or one.origin.file),
            count(one.routable_nets),
            count(one.routed_nets),
            count(one.nets_with_errors),
            cell("not complete", Tone.BAD) if one.open_nets else cell("complete", Tone.GOOD),
        )
        for one in synthesis.routes
    )
    return Table(caption="Routing", columns=columns, rows=rows)


def _slacks(synthesis: SynthesisReport) -> Table:
    names = ("Worst setup slack", "Worst hold slack")
    columns = (
        Column(name="Design"),
        Column(name="Stage"),
        *(Column(name=name, unit="ns", number=True) for name in names),
    )
    columns = (*columns, Column(name="Failing endpoints", number=True), Column(name="Timing"))
    rows = tuple(
        (
            cell(one.design),
            cell(one.origin.stage.value),
            count(one.worst_setup_slack_ns),
            count(one.worst_hold_slack_ns),
            count(one.failing_endpoints),
            _verdict(one.met),
        )
        for one in synthesis.timings
    )
    return Table(caption="Timing", columns=columns, rows=rows)
