"""Quality of the answers: accuracy for several classes, area under the ROC curve for one score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.source import FloatArray
from fpgacnn.records.record import ClassQuality, Quality
from fpgacnn.training.data.metrics import accuracy, efficiency_at_false_positive_rate, roc_auc

FALSE_POSITIVE_RATE = 0.01


def qualities(
    labels: NDArray[np.int64], float_network: FloatArray | None, quantized: FloatArray, hardware: FloatArray
) -> tuple[Quality, ...]:
    """Quality of a network's only output (events, classes) or (events, 1) against labels (events,).

    One score gives ROC AUC and the efficiency at 1 % false positives (labels 0 and 1); several give the
    accuracy and the efficiency of each class.
    """
    answers = [None if one is None else one.reshape(len(labels), -1) for one in (float_network, quantized, hardware)]
    assert answers[1] is not None
    measures: dict[str, Callable[[FloatArray], float]] = {"accuracy": lambda scores: accuracy(scores, labels)}
    if answers[1].shape[1] == 1:
        measures = {
            "ROC AUC": lambda scores: roc_auc(scores[:, 0], labels),
            f"efficiency at {FALSE_POSITIVE_RATE:.0%} false positives": lambda scores: (
                efficiency_at_false_positive_rate(scores[:, 0], labels, FALSE_POSITIVE_RATE)
            ),
        }
    found = tuple(
        _quality(name, len(labels), [None if one is None else float(measure(one)) for one in answers])
        for name, measure in measures.items()
    )
    return (replace(found[0], classes=_by_class(labels, answers)),) if answers[1].shape[1] > 1 else found


def distances(
    name: str,
    wanted: FloatArray,
    labels: NDArray[np.int64] | None,
    float_network: FloatArray | None,
    quantized: FloatArray,
    hardware: FloatArray,
) -> tuple[Quality, ...]:
    """The mean squared error of answers (events, ...shape) against wanted ones, as measure `name`.

    With labels 0 and 1, the mean squared error of an event is also a score, whose ROC AUC is a measure.
    """
    count = len(wanted)
    by_event = [
        None if one is None else np.square(one.reshape(wanted.shape) - wanted).reshape(count, -1).mean(axis=1)
        for one in (float_network, quantized, hardware)
    ]
    found = [_quality(name, count, [None if one is None else float(one.mean()) for one in by_event])]
    if labels is not None:
        areas = [None if one is None else float(roc_auc(one, labels)) for one in by_event]
        found.append(_quality(f"ROC AUC of the {name}", count, areas))
    return tuple(found)


def _by_class(labels: NDArray[np.int64], answers: Sequence[FloatArray | None]) -> tuple[ClassQuality, ...]:
    """The efficiency of every class that has events: the fraction of them whose largest answer is that of the class."""
    right = [None if one is None else np.argmax(one, axis=1) == labels for one in answers]
    found = []
    for label in np.unique(labels).tolist():
        own = labels == label
        float_network, quantized, hardware = (None if one is None else float(one[own].mean()) for one in right)
        assert quantized is not None
        assert hardware is not None
        found.append(
            ClassQuality(
                label=label,
                events=int(own.sum()),
                float_network=float_network,
                quantized=quantized,
                hardware=hardware,
            )
        )
    return tuple(found)


def _quality(measure: str, events: int, values: list[float | None]) -> Quality:
    float_network, quantized, hardware = values
    assert quantized is not None
    assert hardware is not None
    return Quality(measure=measure, events=events, float_network=float_network, quantized=quantized, hardware=hardware)
