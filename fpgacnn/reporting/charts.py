"""Charts in table cells, as plain numbers: positions are percent of the cell's width unless said otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log2, log10
from typing import ClassVar, TypeAlias

from fpgacnn.errors import FormatTextError
from fpgacnn.ir.fixed_point import Format, parse_format
from fpgacnn.reporting.formatting import percent

FARTHEST = 256
LARGEST = 2.0**FARTHEST
"""Formats with larger exponents come only from malformed records and are not drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A length as part of a whole, with its error band.

    A bar that is `over` the whole, with all of its band, is drawn full and in the alarm color.
    """

    kind: ClassVar[str] = "bar"
    start: float
    length: float
    low: float | None = None
    high: float | None = None
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A format as the span from its last bit to its first, with the largest possible and the largest seen value."""

    kind: ClassVar[str] = "strip"
    start: float
    length: float
    point: float
    reach: float | None
    seen: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """The largest difference seen and its bound, on a logarithmic axis."""

    kind: ClassVar[str] = "dots"
    seen: float | None
    bound: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line from (x0, y0) to (x1, y1) in pixels, curved where it changes its lane."""

    x0: float
    y0: float
    x1: float
    y1: float
    skips: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRow:
    """One row of the graph drawing: its node and the lines that pass it, in pixels."""

    kind: ClassVar[str] = "wires"
    width: float
    height: float
    x: float
    shape: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A bar of a timeline: from `start` for `length`, with gaps (start, length)."""

    kind: ClassVar[str] = "timeline"
    start: float
    length: float
    gaps: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Parts of a whole behind each other: (start, length, number of the color)."""

    kind: ClassVar[str] = "shares"
    parts: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swatch:
    """The color of a row in charts of shares."""

    kind: ClassVar[str] = "swatch"
    color: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Magnitudes on an axis of powers of two: the range of the format, whiskers, box and median."""

    kind: ClassVar[str] = "box"
    start: float
    length: float
    low: float
    high: float
    box: float
    box_length: float
    median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelImage:
    """A picture of squares: for each brightness its opacity and the squares as an SVG path."""

    kind: ClassVar[str] = "image"
    width: int
    height: int
    levels: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedPoint:
    """A point in percent of width and height, with its number; `front`: no other point is better in both directions."""

    x: float
    y: float
    label: str
    front: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontChart:
    """Points of two quantities, both better where they are small; ends of the axes are texts.

    `steps` is the border of the front from left to right: x and y in percent.
    """

    kind: ClassVar[str] = "scatter"
    points: tuple[NumberedPoint, ...]
    left: str
    right: str
    top: str
    steps: tuple[tuple[float, float], ...]


Mark: TypeAlias = Bar | Strip | Dots | GraphRow | Timeline | Shares | Swatch | Box | PixelImage | FrontChart
COLORS = 8
"""Colors of parts; further parts begin again."""


def shares(amounts: Sequence[float]) -> Shares | None:
    """The parts of a sum, in order; None if there is nothing to draw."""
    whole = sum(amounts)
    if not (isfinite(whole) and whole > 0 and min(amounts) >= 0):
        return None
    begun, parts = 0.0, []
    for number, amount in enumerate(amounts):
        start, end = _percent(begun, whole), _percent(begun + amount, whole)
        begun += amount
        if end > start:
            parts.append((start, round(end - start, 2), number % COLORS))
    return Shares(parts=tuple(parts))


def front_of(pairs: Sequence[tuple[float, float]]) -> tuple[bool, ...]:
    """Which pairs are on the Pareto front: none of the others is smaller in one number and not larger in the other."""
    return tuple(
        not any(other != one and other[0] <= one[0] and other[1] <= one[1] for other in pairs) for one in pairs
    )


MARGIN = 0.06
"""The part of an axis that stays free at both ends, so that points and their numbers are inside."""


def scatter(pairs: Sequence[tuple[float, float]], say: Callable[[float], str]) -> FrontChart | None:
    """Pairs of positive x on a logarithmic axis and y from 0 up, numbered from 1; `say` writes x.

    None if there are fewer than two, or numbers that cannot be drawn.
    """
    if len(pairs) < 2 or not all(isfinite(x) and x > 0 and isfinite(y) and y >= 0 for x, y in pairs):
        return None
    low, high = min(x for x, _ in pairs), max(x for x, _ in pairs)
    span, most = log10(high / low) or 1.0, max(y for _, y in pairs) or 1.0
    places = [
        (
            round(100 * (MARGIN + (1 - 2 * MARGIN) * (log10(x / low) / span if high > low else 0.5)), 2),
            round(100 * (1 - MARGIN - (1 - 2 * MARGIN) * y / most), 2),
        )
        for x, y in pairs
    ]
    front = front_of(pairs)
    points = tuple(
        NumberedPoint(x=x, y=y, label=str(number), front=best)
        for number, ((x, y), best) in enumerate(zip(places, front, strict=True), 1)
    )
    border = sorted({(one.x, one.y) for one in points if one.front})
    return FrontChart(points=points, left=say(low), right=say(high), top=percent(most), steps=tuple(border))


def timeline(start: float, end: float, gaps: Sequence[tuple[float, float]], whole: float) -> Timeline | None:
    """A bar from `start` to `end` of `whole`, with gaps from and to a time; None if there is nothing to draw."""
    if not (isfinite(start) and isfinite(end) and whole > 0):
        return None
    begin = _percent(start, whole)
    pairs = [(_percent(one, whole), _percent(other, whole)) for one, other in gaps]
    return Timeline(
        start=begin,
        length=round(_percent(end, whole) - begin, 2),
        gaps=tuple((one, round(other - one, 2)) for one, other in pairs if other > one),
    )


def bar(
    value: float, whole: float, *, start: float = 0.0, low: float | None = None, high: float | None = None
) -> Bar | None:
    """A bar of `value` as part of `whole`, beginning at `start`; None if there is nothing to draw."""
    if not (isfinite(value) and whole > 0):
        return None
    ends = [None if end is None or not isfinite(end) else _percent(start + end, whole) for end in (low, high)]
    begin = _percent(start, whole)
    return Bar(
        start=begin,
        length=_percent(start + value, whole) - begin,
        low=ends[0],
        high=ends[1],
        over=(value if low is None else low) > whole,
    )


def _percent(value: float, whole: float) -> float:
    return round(100.0 * min(max(value / whole, 0.0), 1.0), 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BitAxis:
    """The powers of two that the charts of a column span."""

    low: int
    high: int

    def place(self, exponent: float) -> float:
        """Position of a power of two in percent; the largest is on the left, as bits are written."""
        return round(100.0 * min(max((self.high - exponent) / (self.high - self.low), 0.0), 1.0), 2)


def bit_axis(formats: list[Format]) -> BitAxis | None:
    """An axis that contains every format."""
    if not formats:
        return None
    return BitAxis(low=min(-one.fraction for one in formats), high=max(_top(one) for one in formats))


def _top(form: Format) -> int:
    return form.integer - (1 if form.signed else 0)


def strip(form: Format, axis: BitAxis, reach: tuple[float, float] | None, seen: tuple[float, float] | None) -> Strip:
    """A format on the axis."""
    start = axis.place(_top(form))
    ends = [None if (top := exponent(pair)) is None else axis.place(top) for pair in (reach, seen)]
    return Strip(
        start=start,
        length=round(axis.place(-form.fraction) - start, 2),
        point=axis.place(0),
        reach=ends[0],
        seen=ends[1],
    )


def box(form: Format, axis: BitAxis, quantiles: tuple[float, float, float, float, float]) -> Box:
    """Quantiles of magnitudes on the axis, and the span from the format's largest value to its last bit."""
    start = axis.place(_top(form))
    largest, upper, median, lower, smallest = (axis.place(log2(one)) for one in reversed(quantiles))
    return Box(
        start=start,
        length=round(axis.place(-form.fraction) - start, 2),
        low=largest,
        high=smallest,
        box=upper,
        box_length=round(lower - upper, 2),
        median=median,
    )


def image(rows: Sequence[Sequence[int]], levels: int) -> PixelImage | None:
    """A picture of brightnesses from 0 to levels - 1; None if there is nothing to draw."""
    if not rows or not rows[0]:
        return None
    paths: dict[int, list[str]] = {}
    for y, row in enumerate(rows):
        for x, level in enumerate(row):
            if 0 < level < levels:
                paths.setdefault(level, []).append(f"M{x} {y}h1v1h-1z")
    drawn = tuple((round(level / (levels - 1), 3), "".join(paths[level])) for level in sorted(paths))
    return PixelImage(width=len(rows[0]), height=len(rows), levels=drawn)


def exponent(pair: tuple[float, float] | None) -> float | None:
    """The power of two of the larger end; None if there is none."""
    largest = max(abs(pair[0]), abs(pair[1])) if pair else 0.0
    return log2(largest) if largest > 0 and isfinite(largest) else None


def spare_bits(form: Format, pair: tuple[float, float] | None) -> int | None:
    """Bits at the top of a format that no value between the two ends needs."""
    if pair is None or not all(abs(end) <= LARGEST for end in pair):
        return None
    used = max(_bits_of(end, form.fraction) for end in pair)
    return max(form.width - (1 if form.signed else 0) - used, 0)


def _bits_of(value: float, fraction: int) -> int:
    code = value * 2.0**fraction
    return (int(code) if code >= 0 else -floor(code) - 1).bit_length()


def form_of(text: str) -> Format | None:
    """The format in a record's text; None if the text is not a format, or if its binary point is out of range."""
    try:
        form = parse_format(text)
    except FormatTextError:
        return None
    return form if abs(form.integer) <= FARTHEST else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAxis:
    """The powers of ten that a column of charts spans."""

    low: int
    high: int

    def place(self, value: float) -> float | None:
        """Position of a positive number in percent; None for zero, negative and non-finite numbers."""
        if not (isfinite(value) and value > 0):
            return None
        return round(100.0 * min(max((log10(value) - self.low) / (self.high - self.low), 0.0), 1.0), 2)


def log_axis(values: list[float]) -> LogAxis | None:
    """An axis that contains every positive number."""
    places = [log10(value) for value in values if isfinite(value) and value > 0]
    if not places:
        return None
    low = floor(min(places))
    return LogAxis(low=low, high=max(ceil(max(places)), low + 1))
