"""The training objective: loss and quality measure, chosen from the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import LabelsError
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.data.metrics import accuracy, roc_auc
from fpgacnn.training.keras.loop import DataPart, Loss
from fpgacnn.training.keras.qkeras_export import ends_in

CHUNK_EVENTS = 512
MAX_VALUES = 1 << 25
"""Largest number of layer values in memory at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskEvents:
    """Events: all inputs (events, ...shape), and labels (events,) if there are some."""

    inputs: tuple[FloatArray, ...]
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def take(self, chosen: NDArray[np.int64] | slice) -> TaskEvents:
        """Select events."""
        return TaskEvents(
            inputs=tuple(one[chosen] for one in self.inputs),
            labels=None if self.labels is None else self.labels[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Classification: `classes` classes, or one score for yes and no if this is 1."""

    classes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """Events without labels: the answers of the float network are the target."""


Task = Labelled | Distillation


def task_of(network: SourceModel, parts: Sequence[TaskEvents], data: str) -> Task:
    """The objective that fits the data and the network.

    Raises LabelsError if the labels do not fit the network's output.
    """
    labels = [part.labels for part in parts if part.labels is not None]
    if not labels:
        return Distillation()
    if len(labels) < len(parts):
        raise LabelsError(data=data, why="only some of the files have labels")
    if len(network.outputs) != 1 or len(network.layer(network.outputs[0]).shape) != 1:
        raise LabelsError(data=data, why="labels need a network with one output of one axis")
    classes = network.layer(network.outputs[0]).shape[0]
    for one in labels:
        low, high, allowed = int(one.min()), int(one.max()), max(classes, 2) - 1
        if low < 0 or high > allowed:
            raise LabelsError(
                data=data, why=f"labels from {low} to {high} do not fit an output of {classes}: expected 0 to {allowed}"
            )
        if classes == 1 and low == high:
            raise LabelsError(data=data, why="one of training, validation and test has events of one class only")
    return Labelled(classes=classes)


def measure_name(task: Task) -> str:
    """The name of the measure; larger is better, 1 is perfect."""
    match task:
        case Labelled(classes=1):
            return "ROC AUC"
        case Labelled():
            return "accuracy"
        case Distillation():
            return "variance of the float answers explained"
        case _:
            assert_never(task)


def quality(
    task: Task, answers: Sequence[FloatArray], events: TaskEvents, float_answers: Sequence[FloatArray]
) -> float:
    """The quality of a network's answers in this measure."""
    match task:
        case Labelled(classes=1):
            assert events.labels is not None
            return roc_auc(answers[0][:, 0], events.labels)
        case Labelled():
            assert events.labels is not None
            return accuracy(answers[0], events.labels)
        case Distillation():
            return min(_explained(seen, wanted) for seen, wanted in zip(answers, float_answers, strict=True))
        case _:
            assert_never(task)


def _explained(seen: FloatArray, wanted: FloatArray) -> float:
    spread = float(np.square(wanted - wanted.mean(axis=0)).sum())
    missed = float(np.square(seen - wanted).sum())
    return 1.0 - missed / spread if spread else float(missed == 0.0)


def answers(network: SourceModel, inputs: Sequence[FloatArray], *, quantized: bool) -> tuple[FloatArray, ...]:
    """The outputs of a network in float64, from the file alone."""
    chunk, keep = at_once(network), {*network.outputs}
    starts = range(0, len(inputs[0]), chunk)
    parts = [
        evaluate(network, [one[start : start + chunk] for one in inputs], quantized=quantized, keep=keep)
        for start in starts
    ]
    return tuple(np.concatenate([part[name] for part in parts]) for name in network.outputs)


def at_once(network: SourceModel) -> int:
    """Number of events whose layer values fit in memory together."""
    return max(4, min(CHUNK_EVENTS, MAX_VALUES // sum(prod(layer.shape) for layer in network.layers)))


def losses(network: SourceModel, task: Task) -> tuple[Loss, ...]:
    """The loss of each output."""
    if isinstance(task, Labelled):
        return (Loss.YES_NO if task.classes == 1 else Loss.CLASSES,)
    kinds = {"Softmax": Loss.CLASSES, "Function": Loss.YES_NO, "NoneType": Loss.VALUES}
    return tuple(kinds[type(ends_in(network, name)).__name__] for name in network.outputs)


def goals(task: Task, events: TaskEvents, float_answers: Sequence[FloatArray]) -> DataPart:
    """Events with the training target of each output."""
    match task:
        case Labelled(classes=classes):
            assert events.labels is not None
            wanted = events.labels[:, None] == np.arange(classes) if classes > 1 else events.labels[:, None]
            return DataPart(inputs=events.inputs, targets=(wanted.astype(np.float64),))
        case Distillation():
            return DataPart(inputs=events.inputs, targets=tuple(float_answers))
        case _:
            assert_never(task)
