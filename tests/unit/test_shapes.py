"""Window counts and SAME padding, against counting by hand."""

from __future__ import annotations

import itertools

from fpgacnn.ir.shapes import reach_of, same_padding, unread_cells, window_count, window_counts


def test_windows_are_counted_as_by_moving_one() -> None:
    for size, window, stride, before, after in itertools.product(range(1, 8), range(1, 5), range(1, 4), (0, 2), (0, 1)):
        starts = [start for start in range(0, size + before + after, stride) if start + window <= size + before + after]
        assert max(window_count(size, window, stride, before, after), 0) == len(starts)
        if starts:
            assert unread_cells(size, window, stride, before, after) == size + before + after - starts[-1] - window


def test_same_padding_gives_one_window_for_each_stride_with_as_few_zeros_as_possible() -> None:
    for size, window, stride in itertools.product(range(1, 10), range(1, 6), range(1, 5)):
        before, after = same_padding(size, window, stride)
        assert after - before in {0, 1}
        assert same_padding(size, window, stride, odd_before=True) == (after, before)
        count = window_count(size, window, stride, before, after)
        assert count == -(-size // stride) or (count > -(-size // stride) and not before + after)
        if before + after:
            assert window_count(size, window, stride, before, after - 1) == count - 1


def test_both_axes_have_their_own_padding() -> None:
    assert window_counts((5, 9), (3, 3), (1, 2), (1, 0, 0, 2)) == (4, 5)
    assert reach_of((3, 1), (2, 4)) == (5, 1)
