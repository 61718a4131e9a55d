"""The sections of a report about one project, each made from its record; sections without data are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, isfinite

from fpgacnn.records.flatten import comparison_name
from fpgacnn.records.record import LayerRecord, RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.records.resources import by_layer
from fpgacnn.reporting import charts
from fpgacnn.reporting.formatting import NOTHING, power, score, times
from fpgacnn.reporting.graph_drawing import graph_rows
from fpgacnn.reporting.page import layer_costs, resources, streams
from fpgacnn.reporting.page.amounts import NAMES, plain_amount
from fpgacnn.reporting.page.page import Cell, Column, Section, Table, Tone, cell, count
from fpgacnn.reporting.page.profile import profile_section
from fpgacnn.reporting.page.verdicts import outcome, where_first
from fpgacnn.sim.compare import VerificationReport

SIGNAL_STEP_DB = 20


def sections(entry: ReportInput) -> tuple[Section, ...]:
    """All sections with data, in the order of the questions that they answer."""
    record = entry.record
    about_costs = (
        resources.resources(entry),
        resources.latency(entry),
        streams.timeline(entry),
        streams.fifos(entry),
        layer_costs.layers(entry, resources.source_text(entry)),
    )
    parts: tuple[Section | None, ...]
    if record is None:
        parts = (*about_costs, resources.cautions(entry), resources.reports(entry))
    else:
        run = (part(record) for part in (decisions, ranges, errors, verification, quality, inputs, timings))
        parts = (
            network(entry, record),
            *about_costs,
            resources.cautions(entry),
            *run,
            profile_section(record.profile) if record.profile else None,
            resources.reports(entry),
            provenance(record),
        )
    return tuple(section for section in parts if section is not None)


def network(entry: ReportInput, record: RunRecord) -> Section:
    """The graph of the hardware, node by node, with the cost of each."""
    layers = record.plan.decisions
    columns = (
        Column(name="Graph", drawn=True),
        Column(name="Layer"),
        Column(name="Operation", minor=True),
        Column(name="Shape", number=True, minor=True),
        Column(name="Result", code=True, minor=True),
        Column(name="Parameters", number=True, minor=True),
    )
    spent, headings = _spent(entry, layers)
    rows = tuple(
        (
            Cell(text="", mark=graph_row),
            cell(layer.name),
            cell(layer.what or layer.kind.lower()),
            cell(times(layer.shape)),
            cell(layer.result),
            count(layer.parameters) if layer.parameters else cell(""),
            *cells,
        )
        for layer, graph_row, cells in zip(layers, graph_rows(layers), spent, strict=True)
    )
    words = "Nodes in the order of computation."
    legend = (
        "Large points multiply, diamonds join, small points do the rest; "
        "a line that leaves the middle is a connection that skips nodes."
    )
    table = Table(
        caption="Network: nodes, connections, formats, cost", columns=(*columns, *headings), rows=rows, ordered=True
    )
    return Section(key="network", title="Network", words=(words,), legend=(legend,), tables=(table,))


def _spent(entry: ReportInput, layers: Sequence[LayerRecord]) -> tuple[list[tuple[Cell, ...]], tuple[Column, ...]]:
    """Cycles and LUTs of each node, from the most accurate source with layers; empty if there is none."""
    cost = by_layer(entry.costs)
    shares = {layer.name: layer for layer in cost.layers} if cost else {}
    found = [shares.get(layer.name) for layer in layers]
    luts = [share.resources.get("lut") if share else None for share in found]
    if cost is None or not any(found):
        return [()] * len(layers), ()
    most = max((lut.value for lut in luts if lut), default=0.0)
    rows: list[tuple[Cell, ...]] = [
        (
            plain_amount(share.latency_cycles if share else None),
            plain_amount(lut),
            Cell(text="", mark=charts.bar(lut.value, most) if lut else None),
        )
        for share, lut in zip(found, luts, strict=True)
    ]
    return rows, (
        Column(name="Latency", unit="cycles", number=True),
        Column(name="LUT", number=True),
        Column(name=NAMES[cost.source], drawn=True),
    )


def decisions(record: RunRecord) -> Section:
    """Every bit width with its reason."""
    columns = (
        Column(name="Layer"),
        Column(name="Weights", code=True),
        Column(name="Bias", code=True),
        Column(name="Accumulator", code=True),
        Column(name="Result", code=True),
        Column(name="Why"),
    )
    rows = tuple(
        (
            cell(one.name),
            cell(one.weight),
            cell(one.bias),
            cell(one.accumulator),
            cell(one.result),
            cell(_reasons(one), Tone.WARN if one.loss else Tone.PLAIN),
        )
        for one in record.plan.decisions
    )
    table = Table(caption="Precision: formats and reasons", columns=columns, rows=rows)
    tables = tuple(
        (cell(layer.name), cell(name), cell(form), cell(reason.strip()))
        for layer in record.plan.decisions
        for name, text in layer.tables.items()
        for form, _, reason in (text.partition(":"),)
    )
    headings = (Column(name="Layer"), Column(name="Table"), Column(name="Format", code=True), Column(name="Why"))
    more = (Table(caption="Tables of functions", columns=headings, rows=tables),) if tables else ()
    words = "Widths are derived from the trained weights: no accumulator or result can overflow, for any input."
    return Section(key="precision", title="Precision", words=(words,), tables=(table, *more))


def _reasons(layer: LayerRecord) -> str:
    own = layer.result_reason if layer.result != layer.accumulator or not layer.accumulator_reason else ""
    return "; ".join(reason for reason in (layer.accumulator_reason, own, layer.loss) if reason)


def ranges(record: RunRecord) -> Section | None:
    """Formats as spans of bits, with the largest possible and the largest seen values."""
    layers = [(layer, form) for layer in record.plan.decisions if (form := charts.form_of(layer.result))]
    axis = charts.bit_axis([form for _, form in layers])
    if axis is None or not any(layer.reach for layer, _ in layers):
        return None
    columns = (
        Column(name="Layer"),
        Column(name="Result", code=True),
        Column(name=f"Bits, {power(2, axis.high)} to {power(2, axis.low)}", drawn=True),
        Column(name="Lowest possible", number=True),
        Column(name="Highest possible", number=True),
        Column(name="Lowest seen", number=True),
        Column(name="Highest seen", number=True),
        Column(name="Bits not used", number=True),
    )
    rows = tuple(
        (
            cell(layer.name),
            cell(layer.result),
            Cell(text="", mark=charts.strip(form, axis, layer.reach, layer.seen)),
            *(count(value) for value in (*(layer.reach or (None, None)), *(layer.seen or (None, None)))),
            count(charts.spare_bits(form, layer.seen)),
        )
        for layer, form in layers
    )
    words = (
        "The range of each format, of any possible input, and of the events; "
        "“bits not used” are the bits at the top that no event needed."
    )
    legend = (
        "Each bar is a result’s format, from its first bit to its last; the thin line in the column is the binary"
        " point. The hollow mark is the largest value for any possible input, the full mark the largest value of the"
        " events."
    )
    table = Table(caption="Ranges of every result", columns=columns, rows=rows)
    return Section(key="ranges", title="Ranges", words=(words,), legend=(legend,), tables=(table,))


def errors(record: RunRecord) -> Section | None:
    """Errors of the results: the bound, the largest difference seen, and the quantization noise."""
    report = next((one for one in record.verification if one.right == "quantized network"), None)
    seen = _largest_seen(record, report)
    layers = [
        one for one in record.plan.decisions if one.error or seen.get(one.name) or one.signal_to_noise_db is not None
    ]
    if not layers:
        return None
    axis = charts.log_axis(
        [*(min(one.error, one.reach[1] - one.reach[0]) if one.reach else one.error for one in layers), *seen.values()]
    )
    bounded = axis is not None
    columns = [Column(name="Layer")]
    if bounded and axis:
        columns += [Column(name="Bound", number=True), Column(name="Largest seen", number=True)]
        columns += [Column(name=f"Difference, {power(10, axis.low)} to {power(10, axis.high)}", drawn=True)]
    most = _most_signal_db([one.signal_to_noise_db for one in layers])
    columns += [Column(name="Signal to noise", unit="dB", number=True), Column(name=f"0 to {most} dB", drawn=True)]
    rows = tuple((cell(one.name), *_off(one, seen.get(one.name), axis), *_noise(one, most)) for one in layers)
    words = [
        "Bound and difference compare hardware with the quantized network; the bound holds for every input."
        if bounded
        else "Hardware and quantized network do not differ in any layer, and cannot.",
        "Signal to noise compares each layer with the same network without its quantizers.",
    ]
    table = Table(caption="Errors of every layer", columns=tuple(columns), rows=rows)
    legend = ("Full mark: the largest difference seen. Hollow mark: the bound.",) if bounded else ()
    return Section(key="errors", title="Errors", words=tuple(words), legend=legend, tables=(table,))


def _largest_seen(record: RunRecord, report: VerificationReport | None) -> Mapping[str, float]:
    """The largest difference of every node that was compared.

    Records of older versions do not name the compared nodes; they are known there if all were compared.
    """
    if report is None:
        return {}
    names = [one.name for one in record.plan.decisions]
    compared = report.compared or (names if report.layers == len(names) else ())
    return {**dict.fromkeys(compared, 0.0), **report.differences}


def _off(layer: LayerRecord, seen: float | None, axis: charts.LogAxis | None) -> tuple[Cell, ...]:
    if axis is None:
        return ()
    return (
        count(layer.error, 3),
        count(seen, 3),
        Cell(
            text="",
            mark=charts.Dots(seen=None if seen is None else axis.place(seen), bound=axis.place(layer.error)),
        ),
    )


def _most_signal_db(ratios: Sequence[float | None]) -> int:
    """The end of the axis: the next step above every ratio."""
    known = [ratio for ratio in ratios if ratio is not None and isfinite(ratio)]
    return SIGNAL_STEP_DB * max(ceil(max(known, default=0.0) / SIGNAL_STEP_DB), 1)


def _noise(layer: LayerRecord, most: int) -> tuple[Cell, Cell]:
    noise = layer.signal_to_noise_db
    if noise is None or not isfinite(noise):
        return cell(""), cell("")
    return Cell(text=f"{noise:.1f}".replace("-", "−"), number=noise), Cell(
        text="", mark=charts.bar(max(noise, 0.0), most)
    )


def verification(record: RunRecord) -> Section:
    """All comparisons with their results."""
    names = ("Events", "Nodes", "Values", "Different", "Largest difference", "Allowed")
    columns = (
        Column(name="Compared"),
        *(Column(name=name, number=True) for name in names),
        Column(name="First difference"),
        Column(name="Verdict"),
    )
    rows = tuple(_comparison(report) for report in record.verification)
    table = Table(caption="Verification: every comparison of the run", columns=columns, rows=rows)
    return Section(
        key="verification",
        title="Verification",
        tables=(table,) if rows else (),
        words=() if rows else ("Nothing was compared.",),
    )


def _comparison(report: VerificationReport) -> tuple[Cell, ...]:
    where = where_first(report).removeprefix("first at ")
    numbers = (
        report.events,
        report.layers,
        report.values,
        report.mismatches,
        report.max_abs_difference,
        report.allowed,
    )
    tone = Tone.BAD if not report.holds else Tone.WARN if report.loosest else Tone.GOOD
    verdict = cell(outcome(report), tone)
    return cell(comparison_name(report)), *(count(value, 3) for value in numbers), cell(where), verdict


def quality(record: RunRecord) -> Section | None:
    """Quality of float network, quantized network and hardware."""
    if not record.quality:
        return None
    names = ("Events", "Float network", "Quantized network", "Hardware")
    columns = (Column(name="Measure"), *(Column(name=name, number=True) for name in names))
    rows = tuple(
        (cell(one.measure), count(one.events), *_scores(one.measure, one.float_network, one.quantized, one.hardware))
        for one in record.quality
    )
    tables = [Table(caption="Quality on the events", columns=columns, rows=rows)]
    for one in record.quality:
        if one.classes:
            by_class = tuple(
                (
                    cell(str(row.label)),
                    count(row.events),
                    *_scores(one.measure, row.float_network, row.quantized, row.hardware),
                )
                for row in one.classes
            )
            heads = (Column(name="Label"), *columns[1:])
            tables.append(Table(caption="Efficiency of every class", columns=heads, rows=by_class, ordered=True))
    return Section(key="quality", title="Quality", tables=tuple(tables))


def _scores(measure: str, *values: float | None) -> tuple[Cell, ...]:
    return tuple(Cell(text=score(measure, value) or NOTHING, number=value) for value in values)


def inputs(record: RunRecord) -> Section:
    """The inputs with their formats, and the notes of the run."""
    names = ("Events", "Values rounded", "Largest rounding")
    texts = (
        Column(name="Input"),
        Column(name="Shape"),
        Column(name="Format", code=True),
        Column(name="Why"),
        Column(name="Origin"),
    )
    columns = (*texts, *(Column(name=name, number=True) for name in names))
    rows = tuple(
        (
            *map(cell, (one.name, times(one.shape), one.format, one.reason, one.origin)),
            *(count(value) for value in (one.events, one.rounded_values, one.largest_rounding)),
        )
        for one in record.inputs
    )
    return Section(
        key="inputs",
        title="Inputs and notes",
        tables=(Table(caption="Inputs", columns=columns, rows=rows),),
        notes=record.notes,
    )


def timings(record: RunRecord) -> Section | None:
    """The time of each stage of the run."""
    whole = sum(record.timings_s.values())
    if not record.timings_s:
        return None
    columns = (Column(name="Step"), Column(name="Time", unit="s", number=True), Column(name="Share", drawn=True))
    begun, rows = 0.0, []
    for step, seconds in record.timings_s.items():
        rows.append(
            (
                cell(step),
                Cell(text=f"{seconds:.3f}", number=seconds),
                Cell(text="", mark=charts.bar(seconds, whole, start=begun)),
            )
        )
        begun += seconds
    table = Table(caption="Timings of the run", columns=columns, rows=tuple(rows))
    return Section(key="timings", title="Timings", tables=(table,))


def provenance(record: RunRecord) -> Section:
    """What the record is about: digests and versions."""
    model, target, project = record.model, record.target, record.project
    pairs = [("Model file", model.file), ("Model digest", model.digest), ("Framework of the file", model.framework)]
    pairs += [("Layers and parameters", f"{model.layers:,} layers, {model.parameters:,} parameters in hardware")]
    pairs += [("Part", target.part), ("Clock", f"{target.clock_ns:g} ns"), ("Input and output", f"io_{target.io}")]
    pairs += [
        ("Strategy", f"{target.strategy}, reuse {target.reuse}"),
        ("Written for", target.backend),
        ("Final softmax", target.softmax),
    ]
    if project:
        pairs += [
            ("Project digest", project.digest),
            ("Project", f"{project.files:,} files, {project.bytes:,} bytes"),
            ("Folder of that run", project.folder),
        ]
    pairs += [
        ("fpgacnn", record.version),
        *((name, version) for name, version in record.tools.items() if name != "fpgacnn"),
    ]
    columns = (Column(name="What"), Column(name="Value", code=True))
    return Section(
        key="provenance", title="Provenance", tables=(_pairs("Provenance: digests and versions", columns, pairs),)
    )


def _pairs(caption: str, columns: tuple[Column, ...], rows: Sequence[tuple[str, str]]) -> Table:
    return Table(
        caption=caption, columns=columns, rows=tuple((cell(name), cell(value)) for name, value in rows), ordered=True
    )
