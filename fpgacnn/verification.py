"""Floor 6: two answers compared. Engines must be equal; the trained network must be equal or within the plan's word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.ir.source import FloatArray
from fpgacnn.numeric.fixed import Codes
from fpgacnn.sim.following import NodeDifference
from fpgacnn.sim.result import SimulationResult

READING = "network as read"
"""The left side of the comparison of what was read with the framework that the file belongs to."""

EXCUSED_SHARE = 0.03
"""How many of a layer's values may lie next to a threshold of a quantizer, so that float32 takes the other step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where two answers differ: node, event and index, and what each side has there."""

    layer: str
    index: tuple[int, ...]
    left: float
    right: float


LOOSE_SHARE = 0.25
"""A bound on an output's error that is larger than this share of the output's span says nothing about the answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputBound:
    """The plan's error bound of one output beside what the events showed.

    `span` is the largest minus the smallest answer of the reference, over all values of the output and all events;
    `seen` is the largest difference. `loose`: the bound is larger than a quarter of the span.
    """

    output: str
    bound: float
    span: float
    seen: float
    loose: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """One comparison. `allowed` is the largest difference that the plan promises (0: equality); `holds` is the verdict.

    `mismatches` counts values that differ at all, `values` all compared. `layers` tells how many nodes were compared;
    `differences` is the largest difference of each that differs. `outputs` are the bounds of the outputs, where the
    right side is a trained network. `float32_events` are events that differ because the
    framework's float32 rounds a tie; they are not held against hardware.
    """

    left: str
    right: str
    events: int
    layers: int
    values: int
    mismatches: int
    max_abs_difference: float
    allowed: float
    holds: bool
    first: Difference | None = None
    float32_events: int = 0
    differences: Mapping[str, float] = field(default_factory=dict)
    outputs: tuple[OutputBound, ...] = ()

    @property
    def loosest(self) -> OutputBound | None:
        """The output whose bound says least, if the bound of any output is loose."""
        return max((one for one in self.outputs if one.loose), key=lambda one: one.bound / one.span if one.span else inf, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The comparison of one node."""

    layer: str
    values: int
    mismatches: int
    largest: float
    allowed: float
    first: Difference | None
    wrong: bool = False

    @property
    def holds(self) -> bool:
        """Nothing differs by more than allowed."""
        return self.largest <= self.allowed and not self.wrong


def compare(left: SimulationResult, right: SimulationResult) -> VerificationReport:
    """Two engines on the same events: every code of every node that both show must be equal."""
    pairs = {**_shared(left.trace, right.trace), **_shared(left.outputs, right.outputs)}
    tallies = [_codes_tally(name, one, other) for name, (one, other) in pairs.items()]
    return _report(left.engine, right.engine, left.events, tallies, owed={*left.outputs, *right.outputs})


def _shared(left: Mapping[str, Codes], right: Mapping[str, Codes]) -> dict[str, tuple[Codes, Codes]]:
    return {name: (codes, right[name]) for name, codes in left.items() if name in right}


def _codes_tally(layer: str, left: Codes, right: Codes) -> Tally:
    """Equality of codes; formats may differ in their modes but not in their binary point."""
    assert left.array.shape == right.array.shape
    same_point = left.format.fraction == right.format.fraction
    differs = left.array != right.array if same_point else left.values != right.values
    first = _first(layer, differs, left.array, right.array)
    largest = float(np.abs(left.values - right.values).max(initial=0.0)) if first else 0.0
    return Tally(layer=layer, values=differs.size, mismatches=int(differs.sum()), largest=largest, allowed=0.0, first=first)


def _first(
    layer: str, differs: NDArray[np.bool_], left: NDArray[np.int64] | FloatArray, right: NDArray[np.int64] | FloatArray, events: int = 0
) -> Difference | None:
    """The first place of all that differ; `events` are those before."""
    where = np.flatnonzero(differs)
    if not where.size:
        return None
    index = tuple(int(axis) for axis in np.unravel_index(int(where[0]), differs.shape))
    place = (index[0] + events, *index[1:])
    return Difference(layer=layer, index=place, left=float(left[index]), right=float(right[index]))


def against_reference(
    design: Design,
    hardware: SimulationResult,
    reference: Mapping[str, FloatArray],
    *,
    name: str,
    exactness: float = 0.0,
    excused: NDArray[np.bool_] | None = None,
) -> VerificationReport:
    """Hardware against the trained network's own answers, layer by layer where traced.

    Equality is owed where the plan's error is 0, else its bound. `exactness` is what the reference's own float
    arithmetic may be off, relative to the largest value of a layer (0 for exact references). Events that are `excused`
    (events,) are counted apart where they differ.
    """
    shown = {**hardware.trace, **hardware.outputs}
    tallies, outputs, excuse, differing = [], [], np.zeros(hardware.events, np.bool_) if excused is None else excused, np.zeros(hardware.events, np.bool_)
    for layer in design.model.layers:
        if layer.is_result and layer.name in shown and layer.source in reference:
            wanted = reference[layer.source].reshape(shown[layer.name].array.shape)
            slack = exactness * float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0))
            allowed = design.plan.layers[layer.name].error + slack
            count = len(wanted)  # inner layers may be kept of the first events only
            tallies.append(_values_tally(layer.name, shown[layer.name].values, wanted, allowed, excuse[:count]))
            if layer.name in design.model.outputs:
                outputs.append(output_bound(layer.name, design.plan.layers[layer.name].error, wanted, tallies[-1].largest))
            differing[:count] |= (np.abs(shown[layer.name].values - wanted) > allowed).reshape(count, -1).any(axis=1)
    report = _report(hardware.engine, name, hardware.events, tallies, owed=design.model.outputs)
    return replace(report, float32_events=int((differing & excuse).sum()), outputs=tuple(outputs))


def output_bound(output: str, bound: float, wanted: FloatArray, seen: float) -> OutputBound:
    """The bound of an output beside the span of its reference's finite answers."""
    finite = wanted[np.isfinite(wanted)]
    span = float(np.ptp(finite)) if finite.size else 0.0
    return OutputBound(output=output, bound=bound, span=span, seen=seen, loose=bound > LOOSE_SHARE * span)


def _values_tally(layer: str, left: FloatArray, right: FloatArray, allowed: float, excused: NDArray[np.bool_]) -> Tally:
    differs = left != right
    held = np.where(excused.reshape(-1, *(1,) * (left.ndim - 1)), 0.0, np.abs(left - right))
    largest = float(held.max(initial=0.0))
    beyond = held > allowed if largest > allowed else differs
    first = _first(layer, beyond, left, right)
    return Tally(layer=layer, values=differs.size, mismatches=int(differs.sum()), largest=largest, allowed=allowed, first=first)


def _report(left: str, right: str, events: int, tallies: Sequence[Tally], *, owed: Collection[str]) -> VerificationReport:
    """All comparisons together; they prove nothing where an output that is owed was not among them, or no value."""
    compared = {tally.layer for tally in tallies if tally.values}
    broken = [tally for tally in tallies if not tally.holds]
    differing = broken or [tally for tally in tallies if tally.first]
    worst = max(tallies, key=lambda tally: tally.largest, default=None)
    return VerificationReport(
        left=left,
        right=right,
        events=events,
        layers=len(tallies),
        values=sum(tally.values for tally in tallies),
        mismatches=sum(tally.mismatches for tally in tallies),
        max_abs_difference=worst.largest if worst else 0.0,
        allowed=max((tally.allowed for tally in tallies), default=0.0),
        holds=bool(owed) and compared.issuperset(owed) and not broken,
        first=differing[0].first if differing else None,
        differences={tally.layer: tally.largest for tally in tallies if tally.first},
    )


def of_reading(framework: str, pieces: Iterable[tuple[NodeDifference, ...]], *, owed: Collection[str]) -> VerificationReport:
    """The network as read against its framework; each piece has the same layers, on the next events.

    A value is wrong where it differs by more than float32 rounds, and no quantizer's step next to a threshold explains
    it. A layer where more than EXCUSED_SHARE of the values need that explanation is wrong as well.
    """
    found: dict[str, _Node] = {}
    events = excused = 0
    for piece in pieces:
        count = len(piece[0].ours) if piece else 0
        stepped = np.zeros(count, np.bool_)
        for node in piece:
            found.setdefault(node.layer, _Node(node.layer)).add(node, events)
            stepped |= (node.beyond & ~node.wrong).reshape(count, -1).any(axis=1)
        events, excused = events + count, excused + int(stepped.sum())
    report = _report(READING, framework, events, [node.tally() for node in found.values()], owed=owed)
    return replace(report, float32_events=excused)


@dataclass(slots=True)
class _Node:
    """One layer of the network as read, added up over the events."""

    layer: str
    values: int = 0
    stepped: int = 0
    beyond: int = 0
    largest: float = 0.0
    rounding: float = 0.0
    wrong: Difference | None = None
    other: Difference | None = None

    def add(self, node: NodeDifference, events: int) -> None:
        """Further events; `events` are those before."""
        off = np.abs(node.theirs - node.ours)
        off[np.isnan(off)] = np.inf
        self.values += off.size
        self.beyond += int(node.beyond.sum())
        self.stepped += int((node.beyond & ~node.wrong).sum())
        self.largest = max(self.largest, float(np.where(node.beyond & ~node.wrong, 0.0, off).max(initial=0.0)))
        self.rounding = max(self.rounding, node.rounding)
        self.wrong = self.wrong or _first(self.layer, node.wrong, node.ours, node.theirs, events)
        self.other = self.other or _first(self.layer, node.beyond, node.ours, node.theirs, events)

    def tally(self) -> Tally:
        """The verdict on the layer."""
        wrong = self.wrong is not None or self.stepped > max(1, EXCUSED_SHARE * self.values)
        return Tally(
            layer=self.layer,
            values=self.values,
            mismatches=self.beyond,
            largest=self.largest,
            allowed=self.rounding,
            first=self.wrong or self.other,
            wrong=wrong,
        )


def signal_to_noise_db(wanted: FloatArray, seen: FloatArray) -> float | None:
    """Signal to quantization noise ratio, 10 log10(sum(x^2) / sum((x - y)^2)) in dB; None where nothing differs."""
    with np.errstate(over="ignore"):
        noise = float(np.square(wanted - seen).sum())
        signal = float(np.square(wanted).sum())
    if noise == 0.0:
        return None
    return 10.0 * float(np.log10(signal / noise)) if signal > 0 else 0.0
