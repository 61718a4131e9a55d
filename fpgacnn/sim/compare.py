"""Compare two results. Engines must be equal; hardware and network must be equal or within the plan's bound."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from sys import float_info

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import FloatArray
from fpgacnn.passes.precision.bounds import LARGEST_ERROR
from fpgacnn.sim.result import SimulationResult

READING = "network as read"
"""The left side in the comparison of the network as read with the framework of its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where two results differ: node, event and index, and the value of each side."""

    layer: str
    index: tuple[int, ...]
    left: float
    right: float


LOOSE_SHARE = 0.25
"""A bound on an output's error that is larger than this share of the output's span is not useful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputBound:
    """The plan's error bound of one output beside the values of the events.

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
    """One comparison. `allowed` is the largest difference that the plan allows (0: equality); `holds` is the result.

    `mismatches` is the number of values that differ at all, `values` of all compared. `layers` is the number of
    compared nodes, `compared` their names (older records have none); `differences` is the largest difference of each
    node that differs. `outputs` are the bounds of the outputs, if the right side is a trained network.
    `float32_events` differ because the framework's float32 rounds a tie, and are no errors of the hardware. `deadlock`:
    processes that waited for each other, so that there was no answer. `clocks_equal_schedule`: whether RTL simulation
    gave every word in the clock of its schedule, `other_clocks` the nodes where it did not; None for other engines.
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
    deadlock: tuple[str, ...] = ()
    clocks_equal_schedule: bool | None = None
    other_clocks: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()

    @property
    def loosest(self) -> OutputBound | None:
        """The output with the least useful bound, if the bound of any output is loose."""
        return max(
            (one for one in self.outputs if one.loose),
            key=lambda one: one.bound / one.span if one.span else inf,
            default=None,
        )


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
        """Whether nothing differs by more than allowed."""
        return self.largest <= self.allowed and not self.wrong


def compare(left: SimulationResult, right: SimulationResult) -> VerificationReport:
    """Compare two engines on the same events: every code of every node that both give must be equal."""
    found = EngineComparison()
    found.add(left, right)
    return found.report(left.engine, right.engine)


class EngineComparison:
    """Compare two engines on consecutive pieces of the events; only counts and first differences are kept."""

    def __init__(self) -> None:
        self._events = 0
        self._required: dict[str, None] = {}
        self._tallies: dict[str, Tally] = {}

    def add(self, left: SimulationResult, right: SimulationResult) -> None:
        """Compare the next events; both results belong to the same events."""
        self._required |= dict.fromkeys((*left.outputs, *right.outputs))
        for name, (one, other) in {**_shared(left.trace, right.trace), **_shared(left.outputs, right.outputs)}.items():
            self._add_node(name, one, other, self._events)
        self._events += left.events

    def add_by_node(self, left: SimulationResult, right: Iterable[tuple[int, str, Codes]]) -> None:
        """Compare the next events with codes that come node by node.

        Each item of `right` is the number of its first event in `left`, the node, and its codes.
        """
        self._required |= dict.fromkeys(left.outputs)
        shown = {**left.trace, **left.outputs}
        for first, name, other in right:
            if name in shown:
                array = shown[name].array[first : first + len(other.array)]
                self._add_node(name, Codes(array=array, format=shown[name].format), other, self._events + first)
        self._events += left.events

    def _add_node(self, name: str, left: Codes, right: Codes, event: int) -> None:
        found = _codes_tally(name, left, right, event)
        before = self._tallies.get(name)
        self._tallies[name] = found if before is None else _both(before, found)

    def report(self, left: str, right: str) -> VerificationReport:
        """The report on all pieces, with the names of the two engines."""
        return summary(left, right, self._events, list(self._tallies.values()), required=self._required)


def _both(before: Tally, after: Tally) -> Tally:
    """The comparison of one node on two pieces of events."""
    return replace(
        before,
        values=before.values + after.values,
        mismatches=before.mismatches + after.mismatches,
        largest=max(before.largest, after.largest),
        first=before.first or after.first,
    )


def _shared(left: Mapping[str, Codes], right: Mapping[str, Codes]) -> dict[str, tuple[Codes, Codes]]:
    return {name: (codes, right[name]) for name, codes in left.items() if name in right}


def _codes_tally(layer: str, left: Codes, right: Codes, event: int) -> Tally:
    """Compare codes from the given event on; formats may differ in their modes but not in their binary point."""
    assert left.array.shape == right.array.shape
    same_point = left.format.fraction == right.format.fraction
    differs = left.array != right.array if same_point else left.values != right.values
    first = first_difference(layer, differs, left.array, right.array, event)
    largest = float(np.abs(left.values - right.values).max(initial=0.0)) if first else 0.0
    return Tally(
        layer=layer, values=differs.size, mismatches=int(differs.sum()), largest=largest, allowed=0.0, first=first
    )


def first_difference(
    layer: str,
    differs: NDArray[np.bool_],
    left: NDArray[np.int64] | FloatArray,
    right: NDArray[np.int64] | FloatArray,
    event: int,
) -> Difference | None:
    """The first place (event and index) where `differs` (events, ...) is true; None if there is none."""
    return _difference(layer, int(differs.argmax()), left, right, event) if differs.any() else None


def _difference(
    layer: str, place: int, left: NDArray[np.int64] | FloatArray, right: NDArray[np.int64] | FloatArray, event: int
) -> Difference:
    """The values of both sides at a place of a piece whose first event has the number `event`."""
    index = tuple(int(axis) for axis in np.unravel_index(place, left.shape))
    return Difference(
        layer=layer, index=(event + index[0], *index[1:]), left=float(left[index]), right=float(right[index])
    )


def against_reference(
    design: Design,
    hardware: SimulationResult,
    reference: Mapping[str, FloatArray],
    *,
    name: str,
    exactness: float = 0.0,
    excused: NDArray[np.bool_] | None = None,
) -> VerificationReport:
    """Compare the hardware with the trained network's own answers, layer by layer if there is a trace.

    Values must be equal if the plan's error is 0, else within its bound. `exactness` is the error of the reference's
    own float arithmetic, relative to the largest value of a layer (0 for exact references). Differences in events that
    are `excused` (events,) are counted separately.
    """
    found = ReferenceComparison(design, exactness=exactness, excused=excused)
    found.add({**hardware.trace, **hardware.outputs}, reference, 0)
    return found.report(hardware.engine, name, hardware.events)


class ReferenceComparison:
    """Compare the hardware with a network on consecutive pieces of the events; see `against_reference`."""

    def __init__(self, design: Design, *, exactness: float = 0.0, excused: NDArray[np.bool_] | None = None) -> None:
        self._design, self._exactness, self._excused = design, exactness, excused
        self._layers: dict[str, _LayerComparison] = {}

    def add(self, shown: Mapping[str, Codes], reference: Mapping[str, FloatArray], first: int) -> None:
        """Compare codes by node with answers by layer of the file; `first` is the number of the piece's first event."""
        for layer in self._design.model.layers:
            if layer.is_result and layer.name in shown and layer.source in reference:
                wanted = reference[layer.source].reshape(shown[layer.name].array.shape)
                excused = (
                    np.zeros(len(wanted), np.bool_)
                    if self._excused is None
                    else self._excused[first : first + len(wanted)]
                )
                error = self._design.plan.layers[layer.name].error
                found = self._layers.setdefault(
                    layer.name, _LayerComparison(layer=layer.name, error=error, exactness=self._exactness)
                )
                found.add(shown[layer.name].values, wanted, excused, first)

    @property
    def compared(self) -> set[str]:
        """The nodes that were compared so far."""
        return set(self._layers)

    def report(self, left: str, right: str, events: int) -> VerificationReport:
        """All pieces together."""
        layers = [self._layers[layer.name] for layer in self._design.model.layers if layer.name in self._layers]
        outputs = self._design.model.outputs
        report = summary(left, right, events, [one.tally() for one in layers], required=outputs)
        excuse, differing = (
            np.zeros(events, np.bool_) if self._excused is None else self._excused,
            np.zeros(events, np.bool_),
        )
        for one in layers:
            differing[: one.events] |= one.beyond()
        bounds = tuple(one.bound() for one in layers if one.layer in outputs)
        return replace(report, float32_events=int((differing & excuse).sum()), outputs=bounds)


@dataclass(slots=True, kw_only=True)
class _LayerComparison:
    """One layer so far. The allowed difference depends on the largest value of all events, which is known at the end.

    `candidates` are the differences larger than all before them in their piece: the first one over any limit is one of
    them.
    """

    layer: str
    error: float
    exactness: float
    values: int = 0
    mismatches: int = 0
    largest: float = 0.0
    scale: float = 0.0
    low: float = inf
    high: float = -inf
    first: Difference | None = None
    candidates: list[tuple[float, Difference]] = field(default_factory=list)
    by_event: list[FloatArray] = field(default_factory=list)

    @property
    def allowed(self) -> float:
        """The largest difference that the plan and the reference's own arithmetic allow."""
        return self.error + self.exactness * self.scale

    @property
    def events(self) -> int:
        """Number of events so far."""
        return sum(map(len, self.by_event))

    def add(self, left: FloatArray, wanted: FloatArray, excused: NDArray[np.bool_], event: int) -> None:
        """Compare a piece (events, ...shape) whose first event has the number `event`."""
        differs = left != wanted
        distance = np.minimum(np.abs(left - wanted), LARGEST_ERROR)  # a bound is no larger either
        low, high = finite_ends(wanted)
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.scale = max(-self.low, self.high, 0.0)
        self.by_event.append(np.fmax.reduce(distance.reshape(len(distance), -1), axis=1, initial=0.0))
        distance[excused] = 0.0
        largest = float(distance.max(initial=0.0))
        if largest > self.allowed:
            self.candidates += _rising(self.layer, distance, left, wanted, event)
        self.values, self.mismatches = self.values + differs.size, self.mismatches + int(differs.sum())
        self.largest = float(np.maximum(self.largest, largest))
        self.first = self.first or first_difference(self.layer, differs, left, wanted, event)

    def tally(self) -> Tally:
        """The comparison of all pieces."""
        broken = self.largest > self.allowed
        first = next(where for distance, where in self.candidates if distance > self.allowed) if broken else self.first
        return Tally(
            layer=self.layer,
            values=self.values,
            mismatches=self.mismatches,
            largest=self.largest,
            allowed=self.allowed,
            first=first,
        )

    def beyond(self) -> NDArray[np.bool_]:
        """The events that differ by more than allowed, excused or not."""
        return np.concatenate(self.by_event) > self.allowed

    def bound(self) -> OutputBound:
        """The plan's bound beside the span of the reference's finite answers."""
        return output_bound(self.layer, self.error, (self.low, self.high), self.largest)


def finite_ends(wanted: FloatArray) -> tuple[float, float]:
    """The smallest and the largest finite value; inf and -inf if there is none."""
    finite = np.isfinite(wanted)
    return float(wanted.min(initial=inf, where=finite)), float(wanted.max(initial=-inf, where=finite))


def output_bound(output: str, bound: float, ends: tuple[float, float], seen: float) -> OutputBound:
    """The bound of an output beside the span of its reference's answers."""
    span = min(max(ends[1] - ends[0], 0.0), float_info.max)
    loose = bound > LOOSE_SHARE * span or bound >= LARGEST_ERROR
    return OutputBound(output=output, bound=bound, span=span, seen=seen, loose=loose)


def _rising(
    layer: str, distance: FloatArray, left: FloatArray, right: FloatArray, event: int
) -> list[tuple[float, Difference]]:
    """Differences that are larger than all before them, in order."""
    flat = distance.reshape(-1)
    highest = np.fmax.accumulate(flat)
    places = [0, *(np.flatnonzero(highest[1:] > highest[:-1]) + 1).tolist()]
    return [(float(flat[place]), _difference(layer, place, left, right, event)) for place in places]


def summary(
    left: str, right: str, events: int, tallies: Sequence[Tally], *, required: Collection[str]
) -> VerificationReport:
    """One report of the comparisons of all nodes.

    `required` are the outputs that must be compared: without one of them, the report does not hold.
    """
    compared = tuple(sorted(tally.layer for tally in tallies if tally.values))
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
        holds=bool(required) and {*compared}.issuperset(required) and not broken,
        first=differing[0].first if differing else None,
        differences={tally.layer: tally.largest for tally in tallies if tally.first},
        compared=compared,
    )


def signal_to_noise_db(wanted: FloatArray, seen: FloatArray) -> float | None:
    """Signal to quantization noise ratio, 10 log10(sum(x^2) / sum((x - y)^2)) in dB; None if nothing differs."""
    return ratio_db(*powers(wanted, seen))


def powers(wanted: FloatArray, seen: FloatArray) -> tuple[float, float]:
    """Sums of the squares of the signal and of the noise."""
    with np.errstate(over="ignore"):
        return float(np.square(wanted).sum()), float(np.square(wanted - seen).sum())


def ratio_db(signal: float, noise: float) -> float | None:
    """The ratio of two sums of squares in dB; None if nothing differs."""
    if noise == 0.0:
        return None
    return 10.0 * float(np.log10(signal / noise)) if signal > 0 else 0.0
