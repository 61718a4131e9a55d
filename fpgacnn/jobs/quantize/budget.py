"""Choose the bit widths of each kernel and result under a budget.

A sensitivity pass over the network measures, with the float64 reference, how much noise each kernel or result alone
makes at the outputs for each number of bits. Noises of independent roundings add, so a path of networks follows
without further runs: from the widest network on, the next bit removed is the one with the least noise for the EBOPs
that it saves. Only what the budget needs of the path is then measured on the validation data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import assert_never

import numpy as np

from fpgacnn.errors import BudgetError
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.passes.widths.ebops import costs, multiplications
from fpgacnn.passes.widths.trainable import least_error, trainable_points
from fpgacnn.passes.widths.widths import Part, Point, signed, with_quantizers
from fpgacnn.pipeline.calibration import judged
from fpgacnn.sim.source_reference import evaluate

FEWEST_BITS = 2
SPARE_BITS = 2
"""The path starts this many bits above the uniform widths."""

FEWEST_EVENTS, MOST_EVENTS = 8, 256
WORK = 1 << 28
"""Multiplications of one evaluation in the sensitivity pass; large networks are evaluated on fewer events."""

SHOWN_POINTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class EbopsLimit:
    """At most this number of EBOPs, or this fraction of those with uniform widths."""

    text: str
    number: int | None = None
    fraction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LutLimit:
    """At most this number of LUTs by estimate, or this fraction of those with uniform widths."""

    text: str
    number: int | None = None
    fraction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityDrop:
    """The fewest EBOPs whose quality, calibrated but not trained, is at most `drop` below that of the float network."""

    text: str
    drop: float


Budget = EbopsLimit | LutLimit | QualityDrop

_BUDGET = re.compile(r"(?P<what>ebops|lut|accuracy-drop)=(?P<number>[0-9]{1,15}(?:\.[0-9]{1,9})?)(?P<percent>%?)")


def parse_budget(text: str) -> Budget:
    """`ebops=200000`, `lut=50%` or `accuracy-drop=0.5%`.

    Raises BudgetError.
    """
    found = _BUDGET.fullmatch(text.strip())
    if found is None:
        raise BudgetError(budget=text, why="not understood")
    number, percent = float(found["number"]), bool(found["percent"])
    if found["what"] == "accuracy-drop":
        if not percent or number >= 100:
            raise BudgetError(budget=text, why="a drop is a percentage below 100")
        return QualityDrop(text=text, drop=number / 100)
    if not number:
        raise BudgetError(budget=text, why="the limit must be positive")
    kind = EbopsLimit if found["what"] == "ebops" else LutLimit
    return kind(text=text, fraction=number / 100) if percent else kind(text=text, number=int(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStep:
    """One network on the path: bits of each point, EBOPs, and predicted noise relative to the outputs' spread."""

    bits: Mapping[Point, int]
    ebops: int
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A network of the path and its quality on the validation data, before training."""

    ebops: int
    noise: float
    quality: float
    bits: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRecord:
    """The result of a budget.

    EBOPs (and LUTs, for a budget of LUTs) with uniform widths and of the chosen network; candidates of the path,
    cheapest last.
    """

    budget: str
    uniform_ebops: int
    chosen_ebops: int
    uniform_lut: int | None
    chosen_lut: int | None
    pareto: tuple[Candidate, ...]


Judge = Callable[[SourceModel], float]
"""Measures the quality of a quantized network on the validation data."""

CountLuts = Callable[[SourceModel], int]
"""Estimates the LUTs of a quantized network on the given target."""


def fit_widths(
    network: SourceModel,
    events: Sequence[FloatArray],
    seen: Mapping[str, FloatArray],
    input_bits: Mapping[str, int],
    budget: Budget,
    *,
    bits: int,
    float_quality: float,
    judge: Judge,
    count_luts: CountLuts,
) -> tuple[SourceModel, BudgetRecord]:
    """The network with widths that meet a budget; `bits` are the uniform widths that it is compared with.

    Raises BudgetError if no widths meet it.
    """
    search = _Search(network=network, events=_few(network, events), seen=seen, input_bits=input_bits, base=bits)
    even = dict.fromkeys(search.points, bits)
    uniform, uniform_lut = (
        search.ebops(even),
        count_luts(search.network_of(even)) if isinstance(budget, LutLimit) else None,
    )
    path = search.path()

    @cache
    def network_at(place: int) -> SourceModel:
        return search.network_of(path[place].bits)

    @cache
    def quality(place: int) -> float:
        return judge(network_at(place))

    @cache
    def luts(place: int) -> int:
        return count_luts(network_at(place))

    match budget:
        case EbopsLimit():
            limit = _limit(budget, uniform)
            chosen = _first_good(len(path), lambda place: path[place].ebops <= limit)
            why = f"even {FEWEST_BITS} bits everywhere need {path[-1].ebops} EBOPs"
        case LutLimit():
            limit = _limit(budget, uniform_lut or 0)
            chosen = _first_good(len(path), lambda place: luts(place) <= limit)
            why = f"even {FEWEST_BITS} bits everywhere need {luts(len(path) - 1)} LUTs" if chosen is None else ""
        case QualityDrop(drop=drop):
            chosen = _last_good(len(path), lambda place: quality(place) >= float_quality - drop)
            why = f"even {search.widest} bits everywhere lose more than that; give more --bits"
        case _:
            assert_never(budget)
    if chosen is None:
        raise BudgetError(budget=budget.text, why=why)
    shown = sorted({*np.linspace(0, len(path) - 1, min(SHOWN_POINTS, len(path))).astype(int).tolist(), chosen})
    record = BudgetRecord(
        budget=budget.text,
        uniform_ebops=uniform,
        chosen_ebops=path[chosen].ebops,
        uniform_lut=uniform_lut,
        chosen_lut=luts(chosen) if uniform_lut is not None else None,
        pareto=tuple(_candidate(path[place], quality(place)) for place in shown),
    )
    return network_at(chosen), record


def width_path(
    network: SourceModel,
    events: Sequence[FloatArray],
    seen: Mapping[str, FloatArray],
    input_bits: Mapping[str, int],
    *,
    base: int,
) -> tuple[BudgetStep, ...]:
    """The networks that a budget chooses from, widest first: `base` and SPARE_BITS more bits at most."""
    search = _Search(network=network, events=_few(network, events), seen=seen, input_bits=input_bits, base=base)
    return search.path()


def _few(network: SourceModel, events: Sequence[FloatArray]) -> list[FloatArray]:
    """As many events as the sensitivity pass has time for."""
    count = max(FEWEST_EVENTS, min(MOST_EVENTS, WORK // sum(multiplications(network).values())))
    return [one[:count] for one in events]


def _limit(budget: EbopsLimit | LutLimit, uniform: int) -> int:
    if budget.number is not None:
        return budget.number
    assert budget.fraction is not None
    return round(uniform * budget.fraction)


def _first_good(length: int, good: Callable[[int], bool]) -> int | None:
    """The first good place, if all bad places come before all good ones; None if there is no good one."""
    last_bad = _last_good(length, lambda place: not good(place))
    first = 0 if last_bad is None else last_bad + 1
    return first if first < length else None


def _last_good(length: int, good: Callable[[int], bool]) -> int | None:
    """The last good place, if all good places come before all bad ones; None if the first is bad."""
    if not good(0):
        return None
    low, high = 0, length
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if good(middle) else (low, middle)
    return low


def _candidate(step: BudgetStep, quality: float) -> Candidate:
    bits = {
        f"{point.layer} {point.part.value}": width for point, width in step.bits.items() if point.part is not Part.BIAS
    }
    return Candidate(ebops=step.ebops, noise=step.noise, quality=quality, bits=bits)


class _Search:
    def __init__(
        self,
        *,
        network: SourceModel,
        events: Sequence[FloatArray],
        seen: Mapping[str, FloatArray],
        input_bits: Mapping[str, int],
        base: int,
    ) -> None:
        self.network, self.events, self.seen, self.input_bits = network, events, seen, input_bits
        self.points = trainable_points(network)
        self.widest = base + SPARE_BITS
        self._base = base
        self._counts = multiplications(network)
        answers = evaluate(network, events, quantized=False)
        self._float = {name: answers[name] for name in judged(network)}

    def network_of(self, bits: Mapping[Point, int]) -> SourceModel:
        """The network with quantizers of these bits."""
        return with_quantizers(self.network, least_error(self.network, bits, self.seen))

    def ebops(self, bits: Mapping[Point, int]) -> int:
        """EBOPs with these bits; the binary points do not matter.

        Every weight counts: a weight that rounds to zero now may be another after training, and the budget must still
        be met.
        """
        narrowed = with_quantizers(self.network, {point: signed(width, 0) for point, width in bits.items()})
        return sum(cost.ebops for cost in costs(narrowed, self.input_bits, self._counts))

    def path(self) -> tuple[BudgetStep, ...]:
        """The networks from the widest on; each step removes the bit with the least noise for the EBOPs it saves."""
        noises = self._noises()
        bits = {point: self._base if point.part is Part.BIAS else self.widest for point in self.points}
        total = self.ebops(bits)
        steps = [BudgetStep(bits=bits, ebops=total, noise=sum(noises[point, width] for point, width in bits.items()))]
        while True:
            moves = [
                self._move(steps[-1], point, noises)
                for point, width in bits.items()
                if point.part is not Part.BIAS and width > FEWEST_BITS
            ]
            useful = [move for move in moves if move.ebops < steps[-1].ebops]
            if not useful:
                return tuple(steps)
            best = min(useful, key=lambda move: (move.noise - steps[-1].noise) / (steps[-1].ebops - move.ebops))
            steps.append(best)
            bits = dict(best.bits)

    def _move(self, step: BudgetStep, point: Point, noises: Mapping[tuple[Point, int], float]) -> BudgetStep:
        width = step.bits[point]
        bits = {**step.bits, point: width - 1}
        return BudgetStep(
            bits=bits, ebops=self.ebops(bits), noise=step.noise - noises[point, width] + noises[point, width - 1]
        )

    def _noises(self) -> Mapping[tuple[Point, int], float]:
        """Noise at the outputs of each point alone, for each number of bits; it never falls with fewer bits."""
        found: dict[tuple[Point, int], float] = {}
        for point in self.points:
            least = 0.0
            for width in range(self.widest, FEWEST_BITS - 1, -1):
                least = max(least, self._noise({point: width}))
                found[point, width] = least
        return found

    def _noise(self, bits: Mapping[Point, int]) -> float:
        answers = evaluate(self.network_of(bits), self.events, quantized=True)
        return max(_relative(answers[name], wanted) for name, wanted in self._float.items())


def _relative(seen: FloatArray, wanted: FloatArray) -> float:
    spread = float(np.square(wanted - wanted.mean(axis=0)).sum())
    return float(np.square(seen - wanted).sum()) / spread if spread else 0.0
