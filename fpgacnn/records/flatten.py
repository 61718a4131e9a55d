"""A record as a flat list of values, for comparisons and spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from fpgacnn.hardware.estimation import Simulated
from fpgacnn.records.record import InputRecord, LayerRecord, RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.records.resources import RESOURCES, LayerResources, ResourceReport, ResourceValue
from fpgacnn.sim.compare import VerificationReport

DETAILS = {"layer", "note", "project", "tool", "timing"}
"""Sections that are listed after the cost of the design."""

Value: TypeAlias = str | bool | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatValue:
    """One value of a record; `item` is its layer, comparison or measure, if there is one."""

    section: str
    item: str
    quantity: str
    value: Value
    unit: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Section, item and quantity, which identify the value."""
        return self.section, self.item, self.quantity


def flatten(entry: ReportInput) -> tuple[FlatValue, ...]:
    """All values of a run and of its tools, in the order of a report."""
    costs = [flat for cost in entry.costs for flat in _cost(cost)]
    costs += _streams(entry.estimate.simulated) if entry.estimate and entry.estimate.simulated else ()
    run = tuple(_flat_values(entry.record)) if entry.record else ()
    whole = [one for one in run if one.section not in DETAILS]
    return (*whole, *costs, *(one for one in run if one.section in DETAILS))


def _flat_values(record: RunRecord) -> Iterator[FlatValue]:
    model, target, plan = record.model, record.target, record.plan
    whole: dict[str, dict[str, Value]] = {
        "model": {
            "file": model.file,
            "digest": model.digest,
            "framework": model.framework,
            "layers": model.layers,
            "parameters": model.parameters,
        },
        "plan": {"promise": plan.word, "exact": plan.exact, "lossless": plan.lossless},
    }
    yield from (
        _flat_value(section, "", name, value) for section, content in whole.items() for name, value in content.items()
    )
    yield _flat_value("target", "", "part", target.part)
    yield _flat_value("target", "", "clock", target.clock_ns, "ns")
    settings: dict[str, Value] = {
        "io": target.io,
        "strategy": target.strategy,
        "reuse": target.reuse,
        "backend": target.backend,
        "softmax": target.softmax,
    }
    yield from (_flat_value("target", "", name, value) for name, value in settings.items())
    for given in record.inputs:
        yield from _input(given)
    for report in record.verification:
        yield from _verification(report)
    for quality in record.quality:
        answers: dict[str, Value] = {
            "events": quality.events,
            "float": quality.float_network,
            "quantized": quality.quantized,
            "hardware": quality.hardware,
        }
        yield from (_flat_value("quality", quality.measure, name, value) for name, value in answers.items())
        for one in quality.classes:
            yield _flat_value("quality", quality.measure, f"hardware, class {one.label}", one.hardware)
    for layer in plan.decisions:
        yield from _layer(layer)
    yield from (_flat_value("note", str(number), "text", note) for number, note in enumerate(record.notes, 1))
    if record.project:
        project = record.project
        yield _flat_value("project", "", "digest", project.digest)
        yield _flat_value("project", "", "files", project.files)
        yield _flat_value("project", "", "size", project.bytes, "bytes")
    yield from (_flat_value("tool", name, "version", version) for name, version in record.tools.items())
    yield from (_flat_value("timing", stage, "time", seconds, "s") for stage, seconds in record.timings_s.items())


def _flat_value(section: str, item: str, quantity: str, value: Value, unit: str = "") -> FlatValue:
    return FlatValue(section=section, item=item, quantity=quantity, value=value, unit=unit)


def _input(given: InputRecord) -> Iterator[FlatValue]:
    content: dict[str, Value] = {
        "shape": shape_text(given.shape),
        "format": given.format,
        "reason": given.reason,
        "events": given.events,
        "origin": given.origin,
        "rounded values": given.rounded_values,
        "largest rounding": given.largest_rounding,
    }
    yield from (_flat_value("input", given.name, name, value) for name, value in content.items())


def _verification(report: VerificationReport) -> Iterator[FlatValue]:
    content: dict[str, Value] = {
        "holds": report.holds,
        "events": report.events,
        "nodes": report.layers,
        "values": report.values,
        "different values": report.mismatches,
        "largest difference": report.max_abs_difference,
        "allowed difference": report.allowed,
        "events in which float32 rounds a tie": report.float32_events,
    }
    if report.first:
        first = report.first
        content["first difference"] = f"{first.layer}{list(first.index)}: {first.left:g} and {first.right:g}"
    if report.deadlock:
        content["deadlock"] = " -> ".join(report.deadlock)
    item = f"{report.left} = {report.right}"
    yield from (_flat_value("verification", item, name, value) for name, value in content.items())
    for one in report.outputs:
        numbers: dict[str, Value] = {
            "error bound": one.bound,
            "span": one.span,
            "largest difference": one.seen,
            "bound is loose": one.loose,
        }
        yield from (
            _flat_value("verification", item, f"{name} of {one.output}", value) for name, value in numbers.items()
        )


def _layer(layer: LayerRecord) -> Iterator[FlatValue]:
    content: dict[str, Value] = {
        "operation": layer.kind,
        "computes also": ", ".join(layer.folded),
        "shape": shape_text(layer.shape),
        "parameters": layer.parameters,
        "weight format": layer.weight,
        "bias format": layer.bias,
        "accumulator format": layer.accumulator,
        "result format": layer.result,
        "reason": layer.why,
        "loss": layer.loss,
        "error bound": layer.error,
    }
    yield from (_flat_value("layer", layer.name, name, value) for name, value in content.items() if value != "")
    yield from (_flat_value("layer", layer.name, f"{name} table", text) for name, text in layer.tables.items())
    for name, pair in (("reach", layer.reach), ("seen", layer.seen)):
        if pair:
            yield _flat_value("layer", layer.name, f"lowest {name}", pair[0])
            yield _flat_value("layer", layer.name, f"highest {name}", pair[1])
    if layer.signal_to_noise_db is not None:
        yield _flat_value("layer", layer.name, "signal to noise", layer.signal_to_noise_db, "dB")


def _cost(cost: ResourceReport) -> Iterator[FlatValue]:
    section = cost.source.value
    yield _flat_value(section, "", "by", cost.by)
    for name, amount in cost.resources.items():
        yield from _amount(section, "", RESOURCES[name], amount)
    yield from (
        _flat_value(section, "", f"{RESOURCES[name]} available", _round(value))
        for name, value in cost.available.items()
        if name in cost.resources
    )
    if cost.fits is not None:
        yield _flat_value(section, "", "fits", cost.fits)
    times = {"latency": (cost.latency_cycles, cost.latency_ns), "interval": (cost.interval_cycles, cost.interval_ns)}
    for name, (cycles, ns) in times.items():
        yield from _amount(section, "", name, cycles, "cycles") if cycles else ()
        yield from _amount(section, "", f"{name} in time", ns, "ns") if ns else ()
    for layer in cost.layers:
        yield from _share(section, layer)


def _streams(dataflow: Simulated) -> Iterator[FlatValue]:
    """Depth, highest fill and block RAM of every FIFO; the processes of a deadlock."""
    if dataflow.deadlock:
        yield _flat_value("simulated", "", "deadlock", " -> ".join(dataflow.deadlock))
    for one in dataflow.streams:
        content: dict[str, Value] = {
            "depth": one.depth,
            "highest fill": one.fill,
            "words of a frame": one.words,
            "bits of a word": one.bits,
            "BRAM 18K": one.bram_18k,
            "BRAM 18K for a frame": one.frame_bram_18k,
        }
        yield from (_flat_value("fifo", one.name, name, value) for name, value in content.items())
    for layer in dataflow.layers:
        yield _flat_value("simulated", layer.name, "begins", layer.start, "cycles")
        yield _flat_value("simulated", layer.name, "ends", layer.end, "cycles")


def _share(section: str, layer: LayerResources) -> Iterator[FlatValue]:
    for name, amount in layer.resources.items():
        yield from _amount(section, layer.name, RESOURCES[name], amount)
    for quantity, cycles in (("latency", layer.latency_cycles), ("interval", layer.interval_cycles)):
        yield from _amount(section, layer.name, quantity, cycles, "cycles") if cycles else ()


def _amount(section: str, item: str, quantity: str, amount: ResourceValue, unit: str = "") -> Iterator[FlatValue]:
    yield _flat_value(section, item, quantity, _round(amount.value), unit)
    if amount.is_range:
        yield _flat_value(section, item, f"{quantity}, low", _round(amount.low), unit)
        yield _flat_value(section, item, f"{quantity}, high", _round(amount.high), unit)


def _round(value: float) -> float:
    """A count as a whole number, other numbers unchanged."""
    return int(value) if float(value).is_integer() else value


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as text: `24x24x16`."""
    return "x".join(map(str, shape))


def comparison_name(report: VerificationReport) -> str:
    """`csim = emulator`, or with `~` if a difference is allowed."""
    return f"{report.left} {'~' if report.allowed else '='} {report.right}"
