"""The codes of a truncated mean show the exact one."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.passes.precision.exact_steps.code_values import CodeValues


@pytest.mark.parametrize("count", [3, 5, 6, 7, 9, 49, 100])
@pytest.mark.parametrize("more", [0, 1, 6])
def test_every_sum_is_found_in_the_code_of_its_truncated_mean(count: int, more: int) -> None:
    guard, fraction = count.bit_length() + more, 4
    sums = np.arange(-1000, 1001)
    codes = np.sign(sums) * (np.abs(sums) * 2**guard // count)  # as C++ divides integers: toward zero
    values = CodeValues(fraction=fraction + guard, count=count, guard=guard)
    assert values.holds(20)
    assert np.array_equal(values(codes), sums / count / 2.0**fraction)
    between = values(np.arange(codes[0], codes[-1] + 1))
    assert np.all(np.diff(between) >= 0)


def test_codes_stand_for_themselves_without_a_mean() -> None:
    assert CodeValues(fraction=3)(np.array([-3, 0, 5])).tolist() == [-0.375, 0.0, 0.625]


@pytest.mark.parametrize(("guard", "width"), [(1, 20), (4, 60), (4, 56)])
def test_a_mean_that_its_code_does_not_show_is_not_taken(guard: int, width: int) -> None:
    assert not CodeValues(fraction=8, count=9, guard=guard).holds(width)
