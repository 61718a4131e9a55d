"""Rails, bars and strips: where things are drawn."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn.ir.fixed_point import parse_format
from fpgacnn.reporting.charts import Bar, bar, bit_axis, form_of, front_of, log_axis, scatter, spare_bits, strip
from fpgacnn.reporting.formatting import percent
from fpgacnn.reporting.graph_drawing import HEIGHT, LANE, MARGIN, MAX_LANES, graph_rows
from fpgacnn.reporting.study_charts import log_scale
from tests.support.records import layer, layers


def test_rows_are_as_high_as_the_longest_operation_needs() -> None:
    short = graph_rows((layer("a", "Input"), layer("b", "Dense", "a")))
    long = graph_rows((layer("a", "Input"), layer("b", "Dense", "a", what="x" * 78)))
    assert [one.height for one in short] == [HEIGHT] * 2
    assert [one.height for one in long] == [50.0] * 2
    assert [(one.y0, one.y1) for one in long[0].curves] == [(25.0, 50.0)]


def test_a_chain_is_one_line_without_lanes() -> None:
    pieces = graph_rows([layer("a", "Input"), layer("b", "Dense", "a"), layer("c", "Relu", "b")])
    assert {piece.width for piece in pieces} == {2 * MARGIN}
    assert [len(piece.curves) for piece in pieces] == [1, 2, 1]
    assert all(curve.x0 == curve.x1 == MARGIN for piece in pieces for curve in piece.curves)
    assert [piece.shape for piece in pieces] == ["port", "sum", "point"]


def test_a_skip_connection_leaves_the_middle_and_comes_back() -> None:
    pieces = graph_rows(layers())
    assert {piece.width for piece in pieces} == {2 * MARGIN + LANE}
    node, lane = MARGIN + LANE, MARGIN
    skips = [[(one.x0, one.y0, one.x1, one.y1) for one in piece.curves if one.skips] for piece in pieces]
    assert skips == [
        [],
        [(node, HEIGHT / 2, lane, HEIGHT)],
        [(lane, 0.0, lane, HEIGHT)],
        [(lane, 0.0, node, HEIGHT / 2)],
        [],
    ]


def test_inputs_that_are_no_earlier_row_are_left_out() -> None:
    pieces = graph_rows([layer("a", "Input", "b"), layer("b", "Dense", "a", "b", "nobody")])
    assert [len(piece.curves) for piece in pieces] == [1, 1]


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """For each row the earlier rows that it reads."""
    count = draw(st.integers(1, 14))
    return [tuple(draw(st.sets(st.integers(0, row - 1), max_size=3))) if row else () for row in range(count)]


@given(graph=graphs())
def test_every_edge_is_one_unbroken_line_that_passes_no_node(graph: list[tuple[int, ...]]) -> None:
    nodes = [layer(f"n{row}", "Relu", *(f"n{one}" for one in reads)) for row, reads in enumerate(graph)]
    pieces = graph_rows(nodes)
    node = pieces[0].x
    for row, piece in enumerate(pieces):
        through = [one for one in piece.curves if (one.y0, one.y1) == (0.0, HEIGHT)]
        assert all(one.x0 == one.x1 < node for one in through)
        assert len({one.x0 for one in through}) == len(through)
        leaving = sorted(one.x1 for one in piece.curves if one.y1 == HEIGHT)
        entering = sorted(one.x0 for one in pieces[row + 1].curves if one.y0 == 0.0) if row + 1 < len(pieces) else []
        assert leaving == entering
    ends = sum(one.y1 == HEIGHT / 2 for piece in pieces for one in piece.curves)
    assert ends == sum(len(reads) for reads in graph)


def test_lanes_are_bounded_whatever_the_graph() -> None:
    count = 4 * MAX_LANES
    nodes = [layer(f"n{row}", "Relu", *([f"n{count - row - 1}"] if row > count // 2 else [])) for row in range(count)]
    assert graph_rows(nodes)[0].width == 2 * MARGIN + MAX_LANES * LANE


def test_a_graph_full_of_edges_is_drawn_in_bounded_lines() -> None:
    nodes = [layer(f"n{row}", "Merge", *(f"n{one}" for one in range(0, row, 7))) for row in range(300)]
    pieces = graph_rows(nodes)
    assert pieces[0].width == 2 * MARGIN + MAX_LANES * LANE
    assert max(len(piece.curves) for piece in pieces) <= 5


def test_a_bar_is_a_share_of_the_whole() -> None:
    assert bar(25, 100) == Bar(start=0.0, length=25.0)
    assert bar(25, 100, start=50, low=20, high=30) == Bar(start=50.0, length=25.0, low=70.0, high=80.0)
    assert bar(150, 100) == Bar(start=0.0, length=100.0, over=True)


@pytest.mark.parametrize(("value", "whole"), [(nan, 100), (inf, 100), (1, 0), (1, nan)])
def test_there_is_no_bar_of_no_number(value: float, whole: float) -> None:
    assert bar(value, whole) is None


def test_formats_lie_on_one_axis_with_the_binary_point_in_one_place() -> None:
    wide, narrow = parse_format("fixed<12,4>"), parse_format("ufixed<8,0>")
    axis = bit_axis([wide, narrow])
    assert axis is not None
    assert (axis.low, axis.high) == (-8, 3)
    drawn = strip(wide, axis, (-4.0, 2.0), (0.0, 0.0))
    assert (drawn.start, drawn.length, drawn.reach, drawn.seen) == (0.0, 100.0, pytest.approx(100 / 11, abs=0.01), None)
    assert strip(narrow, axis, None, (0.0, 0.5)).seen == pytest.approx(400 / 11, abs=0.01)
    assert drawn.point == strip(narrow, axis, None, None).start == pytest.approx(300 / 11, abs=0.01)


@pytest.mark.parametrize(
    ("form", "pair", "spare"),
    [
        ("fixed<8,4>", (-8.0, 7.9375), 0),
        ("fixed<8,4>", (-4.0, 3.9375), 1),
        ("fixed<8,4>", (-4.0625, 0.0), 0),
        ("fixed<8,4>", (0.0, 0.0), 7),
        ("ufixed<8,4>", (0.0, 8.0), 0),
        ("ufixed<8,4>", (0.0, 7.9375), 1),
        ("fixed<8,4>", None, None),
        ("fixed<8,4>", (-inf, 1.0), None),
        ("fixed<8,4>", (nan, 1.0), None),
        ("fixed<62,-256>", (0.0, 1e300), None),
        ("fixed<62,-256>", (0.0, 2.0**-300), 42),
    ],
)
def test_spare_bits_are_those_that_no_value_needs(
    form: str, pair: tuple[float, float] | None, spare: int | None
) -> None:
    assert spare_bits(parse_format(form), pair) == spare


def test_a_text_that_is_no_format_has_no_strip() -> None:
    assert form_of("fixed<99,4>") is None
    assert form_of("<b>") is None
    assert form_of("fixed<62,-999>") is None
    assert bit_axis([]) is None


def test_a_logarithmic_axis_holds_its_values_between_powers_of_ten() -> None:
    axis = log_axis([0.0, nan, 0.002, 0.5])
    assert axis is not None
    assert (axis.low, axis.high) == (-3, 0)
    assert [axis.place(value) for value in (0.001, 1.0, 0.0, inf)] == [0.0, 100.0, None, None]
    assert log_axis([0.0, -1.0]) is None
    assert log_axis([1.0]) is not None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_the_front_is_what_nothing_beats(pairs: list[tuple[float, float]]) -> None:
    def beats(other: tuple[float, float], one: tuple[float, float]) -> bool:
        not_worse = other[0] <= one[0] and other[1] <= one[1]
        return not_worse and (other[0] < one[0] or other[1] < one[1])

    assert front_of(pairs) == tuple(not any(beats(other, one) for other in pairs) for one in pairs)


def test_points_lie_on_a_logarithmic_and_a_linear_axis_inside_the_chart() -> None:
    found = scatter([(100.0, 0.5), (1000.0, 0.25), (10_000.0, 0.5), (10_000.0, 0.0)], lambda x: f"{x:g}")
    assert found is not None
    assert (found.left, found.right, found.top) == ("100", "10000", "50 %")
    assert [(one.x, one.y, one.label) for one in found.points] == [
        (6.0, 6.0, "1"),
        (50.0, 50.0, "2"),
        (94.0, 6.0, "3"),
        (94.0, 94.0, "4"),
    ]
    assert [one.front for one in found.points] == [True, True, False, True]
    assert found.steps == ((6.0, 6.0), (50.0, 50.0), (94.0, 94.0))


def test_a_share_above_the_whole_part_is_written_as_in_the_table() -> None:
    found = scatter([(1.0, 12.345), (2.0, 0.5)], str)
    assert found is not None
    assert found.top == percent(12.345) == "1234 %"


@pytest.mark.parametrize(
    "pairs", [[], [(1.0, 0.5)], [(0.0, 0.5), (1.0, 0.5)], [(1.0, nan), (2.0, 0.5)], [(inf, 0.5), (2.0, 0.5)]]
)
def test_what_cannot_be_drawn_is_no_chart(pairs: list[tuple[float, float]]) -> None:
    assert scatter(pairs, str) is None


def test_points_at_one_place_are_in_the_middle() -> None:
    found = scatter([(7.0, 0.0), (7.0, 0.0)], str)
    assert found is not None
    assert {(one.x, one.y, one.front) for one in found.points} == {(50.0, 94.0, True)}


def test_a_logarithmic_axis_has_round_numbers_at_their_places() -> None:
    short = log_scale([0.3, 20.0], 0.0, 100.0)
    assert short.ticks() == pytest.approx([0.5, 1, 2, 5, 10, 20])
    assert short.place(2.0) - short.place(1.0) == pytest.approx(short.place(20.0) - short.place(10.0), abs=0.11)
    assert (short.place(0.0), short.place(1e9)) == (0.0, 100.0)
    long = log_scale([1.0, 1e9], 0.0, 100.0)
    assert long.ticks() == pytest.approx([10.0**power for power in range(10)])
    assert log_scale([], 0.0, 100.0).ticks() == [1.0]
