"""What each layer costs: its share of every resource, and when it works in a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fpgacnn.records.record import LayerRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.records.resources import RESOURCES, LayerResources, ResourceReport, by_layer
from fpgacnn.reporting import charts
from fpgacnn.reporting.formatting import percent
from fpgacnn.reporting.page.amounts import NAMES, amount_cell, plain_amount
from fpgacnn.reporting.page.page import Cell, Column, Section, Table, Tone, Verdict, cell

OVERLAP = "Layers overlap: each begins with its first inputs, so the whole takes less time than the sum of the layers."


def slowest(entry: ReportInput) -> tuple[Verdict, ...]:
    """The layer that works longest on a frame; nothing where no source has figures of layers."""
    dataflow = entry.estimate.simulated if entry.estimate else None
    if dataflow is not None and dataflow.layers and not dataflow.deadlock:
        busy = {one.name: float(one.end - one.start - one.empty - one.full) for one in dataflow.layers}
    else:
        cost = by_layer(entry.costs)
        timed = {one.name: one.latency_cycles for one in cost.layers} if cost else {}
        busy = {name: cycles.value for name, cycles in timed.items() if cycles}
    name = max(busy, key=lambda one: busy[one], default="")
    if not name or not busy[name]:
        return ()
    detail = f"This layer works {busy[name]:,.0f} cycles on a frame, {percent(busy[name] / sum(busy.values()))} of all."
    return (Verdict(question="Slowest?", answer=name, detail=detail, tone=Tone.PLAIN),)


def spans(entry: ReportInput) -> tuple[tuple[str, ...], tuple[Table, ...]]:
    """Latency of every layer. Where they follow each other, each begins when its inputs are complete."""
    cost = by_layer(entry.costs)
    layers = [layer for layer in cost.layers if layer.latency_cycles] if cost else []
    lengths = {layer.name: layer.latency_cycles.value for layer in layers if layer.latency_cycles}
    total = sum(lengths.values())
    if cost is None or not total:
        return (), ()
    overlap = cost.latency_cycles is not None and cost.latency_cycles.value < total
    decisions = entry.record.plan.decisions if entry.record else ()
    begins = {} if overlap else starts(lengths, decisions)
    end = max(begins.get(name, 0.0) + length for name, length in lengths.items())
    rows = tuple(
        (
            cell(layer.name),
            amount_cell(layer.latency_cycles),
            amount_cell(layer.interval_cycles),
            Cell(text="", mark=charts.bar(lengths[layer.name], end, start=begins.get(layer.name, 0.0))),
        )
        for layer in layers
    )
    columns = (
        Column(name="Layer"),
        Column(name="Latency", unit="cycles", number=True),
        Column(name="Interval", unit="cycles", number=True),
        Column(name="Compared with the longest" if overlap else "One frame", drawn=True),
    )
    caption = f"Latency of every layer ({NAMES[cost.source]})"
    return ((OVERLAP,) if overlap else ()), (Table(caption=caption, columns=columns, rows=rows, ordered=True),)


def starts(lengths: Mapping[str, float], decisions: Sequence[LayerRecord]) -> dict[str, float]:
    """When each layer begins, in cycles: after the last of its inputs; without a graph, after the layer before it."""
    ends: dict[str, float] = {}
    begins: dict[str, float] = {}
    if not set(lengths) <= {one.name for one in decisions}:
        begun = 0.0
        for name, length in lengths.items():
            begins[name] = begun
            begun += length
        return begins
    for one in decisions:
        begins[one.name] = max((ends.get(name, 0.0) for name in one.inputs), default=0.0)
        ends[one.name] = begins[one.name] + lengths.get(one.name, 0.0)
    return begins


def layers(entry: ReportInput, source: str) -> Section | None:
    """The cost of each layer, as shares of the whole and in numbers."""
    cost = by_layer(entry.costs)
    found = [layer for layer in cost.layers if layer.resources or layer.why] if cost else []
    if cost is None or not found:
        return None
    named = [name for name in RESOURCES if any(_amount(layer, name) for layer in found)]
    kinds, reasons = any(layer.kind for layer in found), any(layer.why for layer in found)
    columns = (
        Column(name="Color", drawn=True),
        Column(name="Layer"),
        *([Column(name="Kind")] if kinds else ()),
        *(Column(name=RESOURCES[name], number=True) for name in named),
        *([Column(name="Source of the numbers", minor=True)] if reasons else ()),
    )
    rows = tuple(
        (
            Cell(text="", mark=charts.Swatch(color=place % charts.COLORS)),
            cell(layer.name),
            *([cell(layer.kind)] if kinds else ()),
            *(plain_amount(layer.resources.get(name)) for name in named),
            *([cell(layer.why)] if reasons else ()),
        )
        for place, layer in enumerate(found)
    )
    table = Table(caption=f"Cost of every layer ({NAMES[cost.source]})", columns=columns, rows=rows)
    return Section(
        key="layers", title="Cost by layer", words=(f"{source}.",), tables=(*_share_chart(cost, found, named), table)
    )


def _share_chart(cost: ResourceReport, found: Sequence[LayerResources], named: Sequence[str]) -> tuple[Table, ...]:
    """One bar for each resource, divided among the layers."""
    if not named:
        return ()
    rows = []
    for name in named:
        amounts = [_amount(layer, name) for layer in found]
        most = max(range(len(found)), key=lambda place: amounts[place])
        largest = f"{found[most].name}, {percent(amounts[most] / sum(amounts))}"
        rows.append((cell(RESOURCES[name]), Cell(text="", mark=charts.shares(amounts)), cell(largest)))
    columns = (Column(name="Resource"), Column(name="Shares of the layers", drawn=True), Column(name="Largest"))
    return (
        Table(caption=f"Shares of every layer ({NAMES[cost.source]})", columns=columns, rows=tuple(rows), ordered=True),
    )


def _amount(layer: LayerResources, name: str) -> float:
    return layer.resources[name].value if name in layer.resources else 0.0
