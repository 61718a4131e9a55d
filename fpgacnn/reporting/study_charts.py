"""Charts of a study and of `fit`, as plain numbers in pixels: scatters of two objectives, and parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import ClassVar, TypeAlias

from fpgacnn.hardware.estimation import Figure

WIDTH, HEIGHT = 640.0, 340.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 12.0, 44.0
TICKS = 5
AXIS_GAP, AXES_HEIGHT, AXES_TOP, AXES_BOTTOM = 92.0, 300.0, 96.0, 28.0
LONGEST_LABEL = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A place on an axis in pixels, and its label."""

    place: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScatterPoint:
    """A point with the ends of its bands in pixels; `kind` is `front`, `chosen`, `start`, `missed` or `other`."""

    x: float
    y: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Two objectives of all points; all but those of the kind `other` have their bands as error bars."""

    kind: ClassVar[str] = "scatter"
    title: str
    x_name: str
    y_name: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    points: tuple[ScatterPoint, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartAxis:
    """A vertical axis: its place in pixels, its name, and the labels of both ends."""

    x: float
    name: str
    low: str
    high: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLine:
    """A point of the space as a line over all axes."""

    path: str
    kind: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelAxes:
    """Parallel coordinates: one axis for each choice and objective, and one line for each point."""

    kind: ClassVar[str] = "parallel"
    title: str
    axes: tuple[ChartAxis, ...]
    lines: tuple[ChartLine, ...]
    width: float
    height: float = AXES_HEIGHT
    top: float = AXES_TOP
    bottom: float = AXES_HEIGHT - AXES_BOTTOM


Drawing: TypeAlias = Scatter | ParallelAxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear or logarithmic scale from numbers to pixels; the numbers of a logarithmic one are positive."""

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """The pixel of a number, within the scale."""
        if self.logarithmic:
            share = log10(max(value, self.low) / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.first + min(max(share, 0.0), 1.0) * (self.last - self.first), 1)

    def ticks(self) -> list[float]:
        """Round numbers within the scale, about TICKS; powers of ten on a long logarithmic scale."""
        if self.logarithmic:
            powers = range(floor(log10(self.low)), floor(log10(self.high)) + 1)
            factors = (1, 2, 5) if len(powers) <= TICKS else (1,)
            found = [factor * 10.0**power for power in powers for factor in factors]
            return [one for one in found if self.low <= one <= self.high]
        step = (self.high - self.low) / TICKS
        power = 10.0 ** floor(log10(step))
        step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda one: abs(one - step))
        first = floor(self.low / step) + (0 if self.low % step == 0 else 1)
        return [place * step for place in range(first, first + 2 * TICKS + 2) if self.low <= place * step <= self.high]


def scale(values: Sequence[float], first: float, last: float, *, from_zero: bool) -> Scale:
    """A scale that contains every finite number, with a margin."""
    finite = [value for value in values if isfinite(value)] or [0.0, 1.0]
    low, high = (0.0 if from_zero else min(finite)), max(finite)
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return Scale(low=low if from_zero else low - margin, high=high + margin, first=first, last=last)


def log_scale(values: Sequence[float], first: float, last: float) -> Scale:
    """A logarithmic scale that contains every finite positive number, with a margin of a tenth or more."""
    known = [value for value in values if isfinite(value) and value > 0] or [1.0]
    margin = max(1.1, (max(known) / min(known)) ** 0.05)
    return Scale(low=min(known) / margin, high=max(known) * margin, first=first, last=last, logarithmic=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPoint:
    """What a scatter draws of a point: its two numbers with bands, its kind, and words for it."""

    x: Figure
    y: Figure
    kind: str
    words: str


def scatter(
    title: str,
    names: tuple[str, str],
    points: Sequence[ChartPoint],
    *,
    zero: tuple[bool, bool],
    logarithmic: bool = False,
) -> Scatter:
    """Points over two axes; `zero` says which axis begins at 0, `logarithmic` is about the horizontal one.

    The bands of all points but those of the kind `other` lie within the axes.
    """
    bands = [one for one in points if one.kind != "other"] or points
    x_values = [one.x.value for one in points] + [one.x.high for one in bands] + [one.x.low for one in bands]
    y_values = [one.y.value for one in points] + [one.y.high for one in bands] + [one.y.low for one in bands]
    ends = LEFT, WIDTH - RIGHT
    across = log_scale(x_values, *ends) if logarithmic else scale(x_values, *ends, from_zero=zero[0])
    up = scale(y_values, HEIGHT - BOTTOM, TOP, from_zero=zero[1])
    order = {"other": 0, "missed": 1, "front": 2, "start": 3, "chosen": 4}
    return Scatter(
        title=title,
        x_name=names[0],
        y_name=names[1],
        x_ticks=tuple(Tick(place=across.place(one), label=f"{one:.4g}") for one in across.ticks()),
        y_ticks=tuple(Tick(place=up.place(one), label=f"{one:.4g}") for one in up.ticks()),
        points=tuple(
            ScatterPoint(
                x=across.place(one.x.value),
                y=up.place(one.y.value),
                x_low=across.place(one.x.low),
                x_high=across.place(one.x.high),
                y_low=up.place(one.y.low),
                y_high=up.place(one.y.high),
                kind=one.kind,
                words=one.words,
            )
            for one in sorted(points, key=lambda one: order[one.kind])
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateAxis:
    """An axis of parallel coordinates: its name, the numbers at its ends, and how these are written."""

    name: str
    low: float
    high: float
    low_label: str
    high_label: str


def parallel(
    title: str, axes: Sequence[CoordinateAxis], lines: Sequence[tuple[Sequence[float], str, str]]
) -> ParallelAxes:
    """Lines over axes: the numbers of a line, in the order of the axes, its kind and its words."""
    places = [round(AXIS_GAP * (number + 0.5), 1) for number in range(len(axes))]
    bottom = AXES_HEIGHT - AXES_BOTTOM

    def path(numbers: Sequence[float]) -> str:
        heights = (
            Scale(low=axis.low, high=axis.high, first=bottom, last=AXES_TOP).place(number)
            if axis.high > axis.low
            else (bottom + AXES_TOP) / 2
            for axis, number in zip(axes, numbers, strict=True)
        )
        return "M" + "L".join(f"{x} {y:.1f}" for x, y in zip(places, heights, strict=True))

    order = {"front": 0, "start": 1, "chosen": 2}
    return ParallelAxes(
        title=title,
        axes=tuple(
            ChartAxis(x=x, name=_short(one.name), low=one.low_label, high=one.high_label)
            for x, one in zip(places, axes, strict=True)
        ),
        lines=tuple(
            ChartLine(path=path(numbers), kind=kind, words=words)
            for numbers, kind, words in sorted(lines, key=lambda line: order[line[1]])
        ),
        width=AXIS_GAP * max(1, len(axes)) + 60.0,
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"
