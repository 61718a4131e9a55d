"""Parts never leak: what belongs together stays together, and every event is in exactly one part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn.errors import TooFewEventsError
from fpgacnn.training.data.splits import FRACTIONS, split, together

EVENTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), min_size=1, max_size=120)
"""Content and group of each event, few of each, so that copies and groups overlap in every way."""


def arrays(events: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    content, groups = np.array(events).T
    return np.stack([content, content**2], axis=1).reshape(-1, 2, 1) / 8, groups


def islands(events: list[tuple[int, int]]) -> list[set[int]]:
    """Events that hang together through copies and groups, by walking, as a definition."""
    found: list[set[int]] = []
    for number, (content, group) in enumerate(events):
        touched = [
            one for one in found if any(events[other][0] == content or events[other][1] == group for other in one)
        ]
        found = [one for one in found if one not in touched]
        found.append({number}.union(*touched))
    return found


@given(events=EVENTS)
def test_events_stand_together_exactly_if_copies_and_groups_connect_them(events: list[tuple[int, int]]) -> None:
    x, groups = arrays(events)
    labels = together([x], groups)
    seen = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}
    assert seen == {frozenset(one) for one in islands(events)}


@given(events=EVENTS, seed=st.integers(0, 5), grouped=st.booleans())
def test_no_copy_and_no_group_is_in_two_parts(events: list[tuple[int, int]], seed: int, *, grouped: bool) -> None:
    x, groups = arrays(events)
    try:
        parts = split([x], groups if grouped else None, seed=seed, data="d")
    except TooFewEventsError:
        assert len(set(together([x], groups if grouped else None).tolist())) < len(events) / 2 or len(events) < 40
        return
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(events)))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not {x[event].tobytes() for event in parts[one]} & {x[event].tobytes() for event in parts[other]}
        if grouped:
            assert not set(groups[parts[one]].tolist()) & set(groups[parts[other]].tolist())


@given(events=st.integers(40, 400), seed=st.integers(0, 9))
def test_parts_of_different_events_have_the_sizes_they_should(events: int, seed: int) -> None:
    parts = split([np.arange(events)[:, None] / 1.0], None, seed=seed, data="d")
    for part, fraction in zip(parts, FRACTIONS, strict=True):
        assert abs(len(part) - fraction * events) <= 1


def test_a_second_input_makes_events_different() -> None:
    same, other = np.zeros((4, 2)), np.array([[0.0], [1.0], [0.0], [-0.0]])
    assert together([same], None).tolist() == [0, 0, 0, 0]
    assert together([same, other], None).tolist() == [0, 1, 0, 0]


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(TooFewEventsError, match=r"runs.npz: 50 events in 1 groups are too few to split"):
        split([np.arange(50.0)[:, None]], np.zeros(50, np.int64), seed=1, data="runs.npz")
