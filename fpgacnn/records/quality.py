"""Quality of the answers: accuracy for several classes, area under the ROC curve for one score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir.source import FloatArray
from fpgacnn.records.record import Quality
from fpgacnn.training.data.metrics import accuracy, efficiency_at_false_positive_rate, roc_auc

FALSE_POSITIVE_RATE = 0.01


def qualities(
    labels: NDArray[np.int64], float_network: FloatArray | None, quantized: FloatArray, hardware: FloatArray
) -> tuple[Quality, ...]:
    """Quality of a network's only output (events, classes) or (events, 1) against labels (events,).

    One score gives ROC AUC and the efficiency at 1 % false positives (labels 0 and 1); several give the accuracy.
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
    return tuple(
        _quality(name, len(labels), [None if one is None else float(measure(one)) for one in answers])
        for name, measure in measures.items()
    )


def _quality(measure: str, events: int, values: list[float | None]) -> Quality:
    float_network, quantized, hardware = values
    assert quantized is not None
    assert hardware is not None
    return Quality(measure=measure, events=events, float_network=float_network, quantized=quantized, hardware=hardware)
