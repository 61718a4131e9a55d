"""The space that `explore` searches: an axis of whole numbers for each width, pruning, setting and io.

A point is one number for each axis. Strategies and reuse factors are the parameters of `fit`, with its legal factors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias, assert_never

from fpgacnn.design import Design, IoType, Strategy, Target
from fpgacnn.errors import UsageError, printable
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.explore.networks.record import GIVEN
from fpgacnn.jobs.fit.design_space import Parameter, Setting, parameters
from fpgacnn.passes.widths.pruning import MOST_PERCENT
from fpgacnn.passes.widths.trainable import trainable_points
from fpgacnn.passes.widths.widths import Part, Point
from fpgacnn.system.codec import LEFT_OUT

FEWEST_BITS, MOST_BITS = 2, 16
LONGEST_NAME = 80
PRUNING_STEP = 10
"""Percent of the weights of a kernel from one value of its axis to the next."""

Values: TypeAlias = Mapping[str, int]
"""A point of the space: a number for each axis, by its name."""


class Searched(StrEnum):
    """What is searched; what is not has the value of the target, or the widths at the upper end."""

    WIDTHS = "widths"
    SETTINGS = "settings"
    IO = "io"
    PRUNING = "pruning"


DEFAULT_SEARCHED = (Searched.WIDTHS, Searched.SETTINGS, Searched.IO)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthRange:
    """The bits that a search may give to a weight or a result, both ends included."""

    low: int = FEWEST_BITS
    high: int = 8

    def __post_init__(self) -> None:
        if not FEWEST_BITS <= self.low <= self.high <= MOST_BITS:
            raise UsageError(what=f"bits from {self.low} to {self.high} are not within {FEWEST_BITS} to {MOST_BITS}")


def parse_width_range(text: str) -> WidthRange:
    """`2-8`, or `6` for one width.

    Raises UsageError.
    """
    found = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", text.strip())
    if found is None:
        raise UsageError(what=f"--bits {text}: expected the smallest and the largest width, as 2-8")
    return WidthRange(low=int(found[1]), high=int(found[2] or found[1]))


def parse_searched(text: str) -> tuple[Searched, ...]:
    """`widths,settings,io,pruning`, or some of these.

    Raises UsageError.
    """
    words = {word.strip().lower() for word in text.split(",")}
    if not words <= set(Searched):
        raise UsageError(what=f"--search {text}: expected some of {', '.join(Searched)}, with commas")
    return tuple(one for one in Searched if one.value in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthAxis:
    """Bits of a kernel, of a result, or of all biases together."""

    name: str
    points: tuple[Point, ...]
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingAxis:
    """Strategy and reuse factor of a layer, by the place in the list of its settings.

    `factors` are the legal reuse factors with each io type: streams allow larger ones. `scaled` are those of each
    network by its place, where filters are scaled.
    """

    name: str
    layer: str
    settings: tuple[Setting, ...]
    factors: Mapping[IoType, tuple[int, ...]]
    scaled: tuple[Mapping[IoType, tuple[int, ...]], ...] = field(default=(), metadata=LEFT_OUT)

    @property
    def low(self) -> int:
        """The first setting: all products at once."""
        return 0

    @property
    def high(self) -> int:
        """The last setting."""
        return len(self.settings) - 1

    def setting(self, value: int, io: IoType, network: int = 0) -> Setting:
        """The setting at a place; the largest smaller factor where io type and network do not allow the factor."""
        one, factors = self.settings[value], self.scaled[network] if self.scaled else self.factors
        return replace(one, reuse=max(factor for factor in factors[io] if factor <= one.reuse))


@dataclass(frozen=True, slots=True, kw_only=True)
class IoAxis:
    """The io type, by its place in the list."""

    name: str
    choices: tuple[IoType, ...]

    @property
    def low(self) -> int:
        """The first choice."""
        return 0

    @property
    def high(self) -> int:
        """The last choice."""
        return len(self.choices) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningAxis:
    """How many of the weights of a layer are cut: steps of so many percent."""

    name: str
    layer: str
    step: int
    high: int

    @property
    def low(self) -> int:
        """Every weight stays."""
        return 0

    def percent(self, value: int) -> int:
        """The share of weights that are cut, in percent."""
        return value * self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterAxis:
    """The network, by the place of the factor of its numbers of filters; ascending, with 1 for the given network."""

    name: str
    factors: tuple[float, ...]

    @property
    def low(self) -> int:
        """The network with the fewest filters."""
        return 0

    @property
    def high(self) -> int:
        """The network with the most filters."""
        return len(self.factors) - 1

    @property
    def given(self) -> int:
        """The place of the given network."""
        return self.factors.index(GIVEN)


SpaceAxis = WidthAxis | SettingAxis | IoAxis | PruningAxis | FilterAxis


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSpace:
    """All axes of a search, in their order."""

    axes: tuple[SpaceAxis, ...]

    def widths(self, values: Values) -> dict[Point, int]:
        """Bits of every kernel, bias and result of a point."""
        axes = [axis for axis in self.axes if isinstance(axis, WidthAxis)]
        return {point: values[axis.name] for axis in axes for point in axis.points}

    def pruned(self, values: Values) -> dict[str, int]:
        """The percent of the weights of each layer that are cut, of layers with such weights."""
        axes = [axis for axis in self.axes if isinstance(axis, PruningAxis)]
        return {axis.layer: axis.percent(values[axis.name]) for axis in axes if values[axis.name]}

    def with_pruning(self, share: float, values: Values) -> dict[str, int]:
        """The point with this share of the weights of all layers cut, as far as the axes allow."""
        found = dict(values)
        for axis in self.axes:
            if isinstance(axis, PruningAxis):
                found[axis.name] = min(round(100 * share / axis.step), axis.high)
        return found

    def target(self, values: Values, base: Target) -> Target:
        """The target of a point; `base` gives part, clock and tool, and what is not searched."""
        io, reuse_of, strategy_of = self.io(values, base.io), dict(base.reuse_of), dict(base.strategy_of)
        network = self.network(values)
        for axis in self.axes:
            if isinstance(axis, SettingAxis):
                setting = axis.setting(values[axis.name], io, network)
                reuse_of[axis.layer], strategy_of[axis.layer] = setting.reuse, setting.strategy
        return replace(base, io=io, reuse_of=reuse_of, strategy_of=strategy_of)

    def io(self, values: Values, base: IoType) -> IoType:
        """The io type of a point; `base` where it is not searched."""
        axis = next((one for one in self.axes if isinstance(one, IoAxis)), None)
        return base if axis is None else axis.choices[values[axis.name]]

    def network(self, values: Values) -> int:
        """The place of the network of a point; 0 where filters are not scaled."""
        axis = self.filters
        return 0 if axis is None else values[axis.name]

    @property
    def filters(self) -> FilterAxis | None:
        """The axis of the networks, if filters are scaled."""
        return next((one for one in self.axes if isinstance(one, FilterAxis)), None)

    def uniform(self, bits: int, values: Values | None = None) -> dict[str, int]:
        """The point with these bits everywhere, as far as the axes allow; other axes as in `values`, or the first.

        Without `values`, it is a point of the given network.
        """
        start = {axis.name: axis.given if isinstance(axis, FilterAxis) else axis.low for axis in self.axes}
        found = start | dict(values or {})
        for axis in self.axes:
            if isinstance(axis, WidthAxis):
                found[axis.name] = min(max(bits, axis.low), axis.high)
        return found

    def with_widths(self, bits: Mapping[Point, int], values: Values | None = None) -> dict[str, int]:
        """The point with these bits; an axis of several points has the bits of its first point."""
        found = self.uniform(0, values)
        for axis in self.axes:
            if isinstance(axis, WidthAxis):
                found[axis.name] = min(max(bits[axis.points[0]], axis.low), axis.high)
        return found

    def with_reuse(self, strategy: Strategy, reuse: int, values: Values) -> dict[str, int]:
        """The point with this strategy, and the legal reuse factor of each layer that is nearest to `reuse`."""
        found = dict(values)
        for axis in self.axes:
            if isinstance(axis, SettingAxis):
                legal = [place for place, one in enumerate(axis.settings) if one.strategy is strategy]
                if legal:
                    found[axis.name] = min((abs(axis.settings[place].reuse - reuse), place) for place in legal)[1]
        return found

    def words(self, values: Values, base: IoType) -> dict[str, str]:
        """A point for people: the value of each axis as text; `base` is the io type that is not searched."""
        io = self.io(values, base)
        network = self.network(values)
        return {axis.name: label(axis, values[axis.name], io, network) for axis in self.axes}

    def is_valid(self, values: Values) -> bool:
        """Whether a point has a value within its limits for each axis, and no other."""
        within = all(axis.low <= values.get(axis.name, axis.low - 1) <= axis.high for axis in self.axes)
        return within and len(values) == len(self.axes)


def label(axis: SpaceAxis, value: int, io: IoType, network: int = 0) -> str:
    """A value of an axis as text, in a design with this io type, of the network at a place."""
    match axis:
        case WidthAxis():
            return f"{value} bits"
        case IoAxis():
            return axis.choices[value].value
        case PruningAxis():
            return f"{axis.percent(value)} %"
        case FilterAxis():
            return "as given" if value == axis.given else f"{axis.factors[value]:g} times, trained again"
        case SettingAxis():
            setting = axis.setting(value, io, network)
            return f"{setting.strategy.value}, reuse {setting.reuse}"
        case _:
            assert_never(axis)


def design_space(
    network: SourceModel,
    designs: Sequence[Design],
    widths: WidthRange,
    io: Sequence[IoType],
    searched: Sequence[Searched] = DEFAULT_SEARCHED,
    factors: Sequence[float] = (),
) -> DesignSpace:
    """The axes of a float network; `designs` has one with some widths of each network, `io` are types that all allow.

    `factors` are those of the filters of each network, if filters are scaled.
    """
    names = _Names()
    axes: list[SpaceAxis] = []
    bits = widths if Searched.WIDTHS in searched else WidthRange(low=widths.high, high=widths.high)
    axes += _width_axes(network, bits, names)
    if Searched.PRUNING in searched:
        axes += _pruning_axes(network, names)
    if Searched.SETTINGS in searched:
        axes += _setting_axes(designs, io, names)
    if Searched.IO in searched and len(io) > 1:
        axes.append(IoAxis(name=names.new("io"), choices=tuple(io)))
    if factors:
        axes.append(FilterAxis(name=names.new("filters"), factors=tuple(factors)))
    return DesignSpace(axes=tuple(axes))


def _width_axes(network: SourceModel, bits: WidthRange, names: _Names) -> Iterator[WidthAxis]:
    points = trainable_points(network)
    for point in points:
        if point.part is not Part.BIAS:
            part = "weights" if point.part is Part.KERNEL else "result"
            yield WidthAxis(name=names.new(f"{part} of {point.layer}"), points=(point,), low=bits.low, high=bits.high)
    biases = tuple(point for point in points if point.part is Part.BIAS)
    if biases:
        yield WidthAxis(name=names.new("biases"), points=biases, low=bits.low, high=bits.high)


def _pruning_axes(network: SourceModel, names: _Names) -> Iterator[PruningAxis]:
    for point in trainable_points(network):
        if point.part is Part.KERNEL:
            name = names.new(f"pruned weights of {point.layer}")
            yield PruningAxis(name=name, layer=point.layer, step=PRUNING_STEP, high=MOST_PERCENT // PRUNING_STEP)


def _setting_axes(designs: Sequence[Design], io: Sequence[IoType], names: _Names) -> Iterator[SettingAxis]:
    tables = [_factors(design, io) for design in designs]
    for layer in tables[0]:
        if all(layer in table for table in tables):
            legal = [table[layer] for table in tables]
            every = {factor for one in legal for factors in one.values() for factor in factors}
            yield SettingAxis(
                name=names.new(f"setting of {layer}"),
                layer=layer,
                settings=Parameter(layer=layer, factors=tuple(sorted(every))).settings,
                factors=legal[0],
                scaled=tuple(legal) if len(legal) > 1 else (),
            )


def _factors(design: Design, io: Sequence[IoType]) -> dict[str, dict[IoType, tuple[int, ...]]]:
    """The legal reuse factors of each layer with each io type."""
    found: dict[str, dict[IoType, tuple[int, ...]]] = {}
    for one in io:
        for parameter in parameters(replace(design, target=replace(design.target, io=one))):
            found.setdefault(parameter.layer, {})[one] = parameter.factors
    return found


class _Names:
    """Names of axes: short, without control characters, none twice, whatever the layers of a file are called."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, wanted: str) -> str:
        """A name that no other axis has."""
        short = printable(wanted)[:LONGEST_NAME].encode("ascii", "backslashreplace").decode()
        name, number = short, 2
        while name in self._taken:
            name, number = f"{short} ({number})", number + 1
        self._taken.add(name)
        return name
