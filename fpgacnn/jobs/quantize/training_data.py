"""Read training data: from a file or a data set by name, split into training, validation and test without leaks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import ArrayShapeError, UsageError
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.quantize.objective import TaskEvents
from fpgacnn.pipeline.inputs import input_shapes
from fpgacnn.system.npz import ArraySource, MemoryArrays, events_for, groups_for
from fpgacnn.training.data import Dataset
from fpgacnn.training.data.augmentation import Augmentation, parse_augmentation
from fpgacnn.training.data.catalog import CATALOG
from fpgacnn.training.data.splits import split

KNOWN = "known"
SPLIT_SEED = 1
"""Seed of the split of a file, not of training: runs with several seeds are measured on the same events."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Training, validation and test events, their origin, and the augmentation (only known for data sets by name)."""

    train: TaskEvents
    validation: TaskEvents
    test: TaskEvents
    origin: str
    augmentation: Augmentation | None

    def digest(self) -> str:
        """SHA-256 over all values of the three parts."""
        total = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            for array in (*part.inputs, *(() if part.labels is None else (part.labels,))):
                total.update(repr((array.shape, str(array.dtype))).encode())
                total.update(array.tobytes())
        return total.hexdigest()


def read_training_data(data: str | MemoryArrays, test: ArraySource | None, network: SourceModel) -> TrainingData:
    """The events for a network: a data set by name, a file, or arrays in memory.

    `test` are separate events for the test. Raises ArrayFileError, ArrayShapeError, TooFewEventsError, and
    DataPackageMissingError or other errors of a data set.
    """
    if isinstance(data, str) and data in CATALOG:
        found = _by_name(data, network)
    else:
        found = _split_events(Path(data) if isinstance(data, str) else data, network)
    if test is None:
        return found
    inputs, labels = events_for(test, input_shapes(network))
    return TrainingData(
        train=found.train,
        validation=found.validation,
        test=TaskEvents(inputs=inputs, labels=labels),
        origin=f"{found.origin}, test {test.name}",
        augmentation=found.augmentation,
    )


def _by_name(name: str, network: SourceModel) -> TrainingData:
    entry = CATALOG[name]
    splits = entry.load()
    shapes = [*input_shapes(network).values()]
    if shapes != [splits.train.x.shape[1:]]:
        raise ArrayShapeError(
            file=name,
            name="input_0",
            seen=splits.train.x.shape,
            expected=" and ".join(", ".join(map(str, shape)) for shape in shapes),
        )

    def events(part: Dataset) -> TaskEvents:
        return TaskEvents(inputs=(part.x,), labels=part.y)

    return TrainingData(
        train=events(splits.train),
        validation=events(splits.validation),
        test=events(splits.test),
        origin=name,
        augmentation=entry.augmentation,
    )


def _split_events(path: ArraySource, network: SourceModel) -> TrainingData:
    inputs, labels = events_for(path, input_shapes(network))
    whole = TaskEvents(inputs=inputs, labels=labels)
    parts = split(inputs, groups_for(path, len(whole)), seed=SPLIT_SEED, data=path.name)
    train, validation, test = (whole.take(part) for part in parts)
    return TrainingData(train=train, validation=validation, test=test, origin=path.name, augmentation=None)


def chosen_augmentation(text: str, material: TrainingData, form: Format) -> Augmentation:
    """The augmentation of `--augment`: `known`, which keeps the classes of a data set, or changes in words.

    Raises UsageError if the events are not images, or no augmentation is known for them.
    """
    if [one.ndim for one in material.train.inputs] != [4]:
        raise UsageError(what="--augment needs a network with one input, of images (rows, columns, channels)")
    if text != KNOWN:
        return parse_augmentation(text, material.train.inputs[0], 2.0**-form.fraction)
    if material.augmentation is None:
        raise UsageError(
            what=f"--augment {KNOWN} needs a data set by name; for other data give changes, for example shift=1x1"
        )
    return material.augmentation
