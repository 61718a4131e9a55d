"""Quality of a network's answers: exact figures without a library, with defined results for ties."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

RealArray: TypeAlias = NDArray[np.floating[Any] | np.integer[Any]]
IntegerArray: TypeAlias = NDArray[np.integer[Any] | np.bool_]


def accuracy(logits: RealArray, labels: IntegerArray) -> float:
    """Fraction of events whose largest logit is that of their label; of equal largest logits, the first one counts.

    `logits` is (events, classes), `labels` (events,) are class numbers from 0.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        message = f"logits of shape {logits.shape} do not fit labels of shape {labels.shape}"
        raise ValueError(message)
    return int(np.count_nonzero(np.argmax(logits, axis=1) == labels)) / len(labels)


def roc_auc(scores: RealArray, labels: IntegerArray) -> float:
    """Probability that a random positive event scores higher than a random negative one, equal scores counting half.

    `scores` and `labels` (0 or 1) have the same number of elements. The pairs are counted in integers by ranks
    (Mann-Whitney), and one division is rounded.
    """
    positives, negatives = _by_class(scores, labels)
    negatives = np.sort(negatives)
    below = np.searchsorted(negatives, positives, side="left")
    not_above = np.searchsorted(negatives, positives, side="right")
    won_halves = int(below.sum()) + int(not_above.sum())
    return won_halves / (2 * len(positives) * len(negatives))


def threshold_at_false_positive_rate(scores: RealArray, labels: IntegerArray, rate: float) -> float:
    """The lowest threshold for which `score > threshold` accepts at most the fraction `rate` of the negative events.

    It is the score of a negative event, or minus infinity if all may pass. Negative events that tie with it are all
    rejected, so coarse scores can stay below the rate but never exceed it.
    """
    if not 0 <= rate <= 1:
        message = f"a false positive rate is between 0 and 1, not {rate}"
        raise ValueError(message)
    _, negatives = _by_class(scores, labels)
    total = len(negatives)
    allowed = math.floor(rate * total)
    # 0.29 * 100 is below 29 in floating point, but 29 of 100 is a rate of 0.29.
    if allowed < total and (allowed + 1) / total <= rate:
        allowed += 1
    return -math.inf if allowed >= total else float(np.sort(negatives)[total - 1 - allowed])


def efficiency_at_false_positive_rate(scores: RealArray, labels: IntegerArray, rate: float) -> float:
    """Fraction of positive events above the threshold of `threshold_at_false_positive_rate` on the same events.

    Positive events that tie with the threshold are rejected like the negative ones.
    """
    positives, _ = _by_class(scores, labels)
    return accepted_fraction(positives, threshold_at_false_positive_rate(scores, labels, rate))


def accepted_fraction(scores: RealArray, threshold: float) -> float:
    """Fraction of scores strictly above a threshold, which may come from other events."""
    if not scores.size:
        message = "no events: the fraction is not defined"
        raise ValueError(message)
    return int(np.count_nonzero(scores > threshold)) / scores.size


def _by_class(scores: RealArray, labels: IntegerArray) -> tuple[RealArray, RealArray]:
    """Scores of the positive and of the negative events, flat."""
    flat, truth = scores.reshape(-1), labels.reshape(-1)
    if flat.shape != truth.shape:
        message = f"{flat.size} scores do not fit {truth.size} labels"
        raise ValueError(message)
    if not np.all((truth == 0) | (truth == 1)):
        message = "labels must be 0 or 1"
        raise ValueError(message)
    if np.isnan(flat).any():
        message = "a score is NaN, which has no rank"
        raise ValueError(message)
    positives, negatives = flat[truth == 1], flat[truth == 0]
    if not len(positives) or not len(negatives):
        message = "both classes need at least one event"
        raise ValueError(message)
    return positives, negatives
