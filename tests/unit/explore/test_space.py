"""The space of a search: every point is a design, and every design that other commands reach is a point."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.design import IoType, Strategy
from fpgacnn.errors import UsageError
from fpgacnn.jobs.explore.prepare import Preparation, prepare
from fpgacnn.jobs.explore.space import (
    IoAxis,
    Searched,
    SettingAxis,
    WidthAxis,
    WidthRange,
    parse_searched,
    parse_width_range,
)
from fpgacnn.passes.widths.trainable import trainable_points
from tests.support.studies import small_request


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Preparation:
    return prepare(small_request(tmp_path_factory.mktemp("space"), io=(IoType.STREAM, IoType.PARALLEL)))


def test_every_quantizer_and_every_layer_with_products_has_an_axis(prepared: Preparation) -> None:
    space = prepared.context.space
    covered = [point for axis in space.axes if isinstance(axis, WidthAxis) for point in axis.points]
    assert sorted(covered, key=str) == sorted(trainable_points(prepared.context.network), key=str)
    assert [axis.layer for axis in space.axes if isinstance(axis, SettingAxis)] == ["conv/0", "last"]
    assert [axis.choices for axis in space.axes if isinstance(axis, IoAxis)] == [(IoType.STREAM, IoType.PARALLEL)]


def test_a_point_becomes_widths_and_a_target(prepared: Preparation) -> None:
    space = prepared.context.space
    values = space.uniform(4)
    assert set(space.widths(values).values()) == {4}
    target = space.target(values, prepared.settings.target)
    assert (target.io, set(target.strategy_of.values()), set(target.reuse_of.values())) == (
        IoType.STREAM,
        {Strategy.LATENCY},
        {1},
    )
    other = space.target({**values, "io": 1}, prepared.settings.target)
    assert other.io is IoType.PARALLEL
    shared = space.target(space.with_reuse(Strategy.RESOURCE, 9, values), prepared.settings.target)
    assert dict(shared.reuse_of) == {"conv/0": 9, "last": 8}
    assert set(shared.strategy_of.values()) == {Strategy.RESOURCE}


def test_a_factor_that_an_io_type_does_not_allow_is_the_next_smaller_one(prepared: Preparation) -> None:
    space, base = prepared.context.space, prepared.settings.target
    axis = next(one for one in space.axes if isinstance(one, SettingAxis))
    assert set(axis.factors[IoType.PARALLEL]) < set(axis.factors[IoType.STREAM])
    values = {**space.uniform(4), axis.name: axis.high}
    for place, io in enumerate((IoType.STREAM, IoType.PARALLEL)):
        one = {**values, "io": place}
        reuse = space.target(one, base).reuse_of[axis.layer]
        assert reuse == max(axis.factors[io])
        assert space.words(one, base.io)[axis.name] == f"resource, reuse {reuse}"


def test_only_complete_points_within_the_limits_are_valid(prepared: Preparation) -> None:
    space = prepared.context.space
    values = space.uniform(4)
    assert space.is_valid(values)
    assert not space.is_valid({**values, "io": 2})
    assert not space.is_valid({**values, "weights of conv/0": 1})
    assert not space.is_valid({name: value for name, value in values.items() if name != "io"})
    assert not space.is_valid({**values, "other": 1})


def test_what_is_not_searched_has_one_value(tmp_path: Path) -> None:
    only = prepare(small_request(tmp_path, searched=(Searched.SETTINGS,), io=(IoType.STREAM,))).context.space
    assert {(axis.low, axis.high) for axis in only.axes if isinstance(axis, WidthAxis)} == {(5, 5)}
    assert not any(isinstance(axis, IoAxis) for axis in only.axes)
    widths = prepare(small_request(tmp_path, searched=(Searched.WIDTHS,), io=(IoType.STREAM,))).context.space
    assert all(isinstance(axis, WidthAxis) for axis in widths.axes)


def test_a_search_begins_with_uniform_widths_and_the_path_of_a_budget(prepared: Preparation) -> None:
    space, starts = prepared.context.space, [dict(one) for one in prepared.settings.starts]
    assert starts[0] == space.uniform(5)
    for bits in (2, 3, 4, 5):
        assert space.uniform(bits) in starts
        assert {**space.uniform(bits), "io": 1} in starts
    mixed = [one for one in starts if len({one[axis.name] for axis in space.axes if isinstance(axis, WidthAxis)}) > 1]
    assert mixed
    assert all(space.is_valid(one) for one in starts)
    assert len({tuple(one.items()) for one in starts}) == len(starts)


@pytest.mark.parametrize(("text", "low", "high"), [("2-8", 2, 8), (" 6 ", 6, 6), ("3-16", 3, 16)])
def test_widths_are_read(text: str, low: int, high: int) -> None:
    assert parse_width_range(text) == WidthRange(low=low, high=high)


@pytest.mark.parametrize("text", ["", "8-2", "1-8", "2-17", "2:8", "-3", "2-", "a", "9999"])
def test_other_widths_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="bits"):
        parse_width_range(text)


def test_what_is_searched_is_read_in_any_order() -> None:
    assert parse_searched("io, widths") == (Searched.WIDTHS, Searched.IO)
    with pytest.raises(UsageError, match=r"--search hgq2: expected some of widths, settings, io"):
        parse_searched("hgq2")
