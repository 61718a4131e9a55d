"""The figures of merit against their definitions, pair by pair and threshold by threshold."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fpgacnn.training.data.metrics import (
    accepted_fraction,
    accuracy,
    efficiency_at_false_positive_rate,
    roc_auc,
    threshold_at_false_positive_rate,
)

Scored = tuple[NDArray[np.float64], NDArray[np.int64]]

# Few distinct values, so that ties are common.
SCORES = st.integers(-4, 4).map(float) | st.floats(allow_nan=False)


@st.composite
def scored(draw: st.DrawFn) -> Scored:
    """Scores and labels with at least one event of each class, in any order."""
    positives = draw(st.lists(SCORES, min_size=1, max_size=30))
    negatives = draw(st.lists(SCORES, min_size=1, max_size=30))
    order = draw(st.permutations(range(len(positives) + len(negatives))))
    labels = np.array([1] * len(positives) + [0] * len(negatives))
    return np.array(positives + negatives)[order], labels[order]


@given(scored())
def test_auc_is_the_fraction_of_pairs_in_order_with_ties_counting_half(data: Scored) -> None:
    scores, labels = data
    pairs = [(p, n) for p in scores[labels == 1] for n in scores[labels == 0]]
    won = sum(Fraction(int(p > n)) + Fraction(int(p == n), 2) for p, n in pairs)
    assert roc_auc(scores, labels) == float(won / len(pairs))


@given(scored())
def test_exchanging_the_classes_mirrors_auc(data: Scored) -> None:
    scores, labels = data
    assert roc_auc(scores, 1 - labels) == pytest.approx(1 - roc_auc(scores, labels), abs=1e-15)


@given(scored(), st.floats(0, 1) | st.integers(0, 100).map(lambda percent: percent / 100))
def test_the_threshold_is_the_lowest_that_keeps_the_rate(data: Scored, rate: float) -> None:
    scores, labels = data
    negatives = scores[labels == 0]
    threshold = threshold_at_false_positive_rate(scores, labels, rate)
    assert np.count_nonzero(negatives > threshold) / len(negatives) <= rate
    lower = [candidate for candidate in [-math.inf, *negatives] if candidate < threshold]
    assert all(np.count_nonzero(negatives > candidate) / len(negatives) > rate for candidate in lower)


@given(scored(), st.floats(0, 1))
def test_efficiency_is_the_fraction_of_positive_events_above_the_threshold(data: Scored, rate: float) -> None:
    scores, labels = data
    threshold = threshold_at_false_positive_rate(scores, labels, rate)
    positives = scores[labels == 1]
    expected = sum(bool(score > threshold) for score in positives) / len(positives)
    assert efficiency_at_false_positive_rate(scores, labels, rate) == expected


def test_a_rate_written_in_decimals_allows_exactly_so_many_events() -> None:
    negatives = np.arange(100.0)
    scores, labels = np.append(negatives, 1000.0), np.append(np.zeros(100, dtype=np.int64), 1)
    for percent in range(101):
        threshold = threshold_at_false_positive_rate(scores, labels, percent / 100)
        assert np.count_nonzero(negatives > threshold) == percent


def test_equal_scores_are_all_rejected_rather_than_exceed_the_rate() -> None:
    scores, labels = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 2.0]), np.array([0, 0, 0, 0, 1, 1])
    assert threshold_at_false_positive_rate(scores, labels, 0.5) == 1.0
    assert efficiency_at_false_positive_rate(scores, labels, 0.5) == 0.5


def test_at_rate_one_everything_passes_and_at_rate_zero_only_what_beats_all_negatives() -> None:
    scores, labels = np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 1, 0, 0])
    assert efficiency_at_false_positive_rate(scores, labels, 1.0) == 1.0
    assert efficiency_at_false_positive_rate(scores, labels, 0.0) == 0.5


def test_scores_may_be_integer_codes_in_a_column() -> None:
    assert roc_auc(np.array([[5], [3], [4]]), np.array([1, 0, 0])) == 1.0


def test_accuracy_counts_the_first_of_equal_logits() -> None:
    logits = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 2.0], [3.0, -1.0]])
    assert accuracy(logits, np.array([0, 1, 1, 1])) == 0.5


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((0, 3)), np.zeros(0, dtype=np.int64)),
        (np.zeros(3), np.zeros(3, dtype=np.int64)),
        (np.zeros((3, 2)), np.zeros(2, dtype=np.int64)),
    ],
    ids=["no events", "no classes", "other labels"],
)
def test_accuracy_refuses_what_does_not_fit(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    with pytest.raises(ValueError, match="do not fit labels of shape"):
        accuracy(logits, labels)


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([1.0, 2.0], [1, 1], "both classes need at least one event"),
        ([1.0, 2.0], [0, 0], "both classes need at least one event"),
        ([1.0, math.nan], [0, 1], "NaN, which has no rank"),
        ([1.0, 2.0], [0, 2], "labels must be 0 or 1"),
        ([1.0, 2.0], [0, 1, 1], "2 scores do not fit 3 labels"),
    ],
)
def test_auc_says_why_it_is_undefined(scores: list[float], labels: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        roc_auc(np.array(scores), np.array(labels))


@pytest.mark.parametrize("rate", [-0.01, 1.01, math.nan])
def test_a_rate_outside_zero_to_one_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="is between 0 and 1"):
        threshold_at_false_positive_rate(np.array([0.0, 1.0]), np.array([0, 1]), rate)


def test_a_fraction_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no events"):
        accepted_fraction(np.array([]), 0.0)
