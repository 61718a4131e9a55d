"""Quantization-aware fine-tuning that can be killed at any time and continued with the same result.

No random state is kept in memory: the order of events and their augmentation are functions of seed and epoch, the
learning rate is a function of the step. Everything else (weights, moments of Adam, the best weights so far, the figures
of all epochs) is written atomically to the checkpoint after every epoch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import DivergedError, FpgacnnError, UsageError
from fpgacnn.system.npz import read_arrays, write_arrays
from fpgacnn.training.data import FloatArray, uniforms
from fpgacnn.training.keras import Keras
from fpgacnn.training.keras.pruning import masks as magnitude_masks
from fpgacnn.training.keras.pruning import sparsity_at
from fpgacnn.training.keras.qkeras_export import QKerasExport

Float32: TypeAlias = NDArray[np.float32]


class Loss(StrEnum):
    """The loss function, from logits and targets."""

    CLASSES = "classes"
    """Cross entropy of several classes against probabilities or one-hot labels."""
    YES_NO = "yes or no"
    """Cross entropy of one score against a probability or 0 and 1."""
    VALUES = "values"
    """Squared error."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataPart:
    """Events of a network with the targets of its outputs."""

    inputs: tuple[FloatArray, ...]
    targets: tuple[FloatArray, ...]

    def __len__(self) -> int:
        return len(self.inputs[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Settings of Adam, whose rate falls along half a cosine to zero.

    `patience` epochs without a better loss end it.
    """

    seed: int = 1
    epochs: int = 30
    batch: int = 64
    learning_rate: float = 0.0005
    patience: int = 10
    sparsity: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch < 1 or self.patience < 1 or self.seed < 0:
            raise UsageError(what="epochs and seed are integers from 0, batch and patience from 1")
        if not 0 <= self.sparsity < 1 or not self.learning_rate >= 0:
            raise UsageError(what="a sparsity is at least 0 and below 1, and a learning rate is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Figures of one epoch; number 0 is the network before training."""

    number: int
    train_loss: float | None
    validation_loss: float
    learning_rate: float
    sparsity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """The epoch whose weights were kept, all epochs, and the epoch from which the training was continued."""

    best: int
    epochs: tuple[Epoch, ...]
    continued_from: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The file of an unfinished training. `signature` identifies it: the file of another training is not used."""

    file: Path
    signature: str


Augment: TypeAlias = Callable[[FloatArray, int], FloatArray]
Watch: TypeAlias = Callable[[Epoch, int], None]
"""A callback with each epoch and the largest number of epochs."""


@dataclass(slots=True, kw_only=True)
class _State:
    """Everything that a checkpoint stores."""

    variables: Sequence[Any]
    optimizer: Any
    best_weights: list[Float32]
    best: int = 0
    epochs: list[Epoch] = field(default_factory=list)

    def arrays(self, signature: str) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {
            "about": _text({"signature": signature, "best": self.best, "epochs": [_plain(one) for one in self.epochs]})
        }
        found |= {f"weight_{number}": variable.numpy() for number, variable in enumerate(self.variables)}
        found |= {f"best_{number}": array for number, array in enumerate(self.best_weights)}
        return found | {
            f"moment_{number}": np.asarray(variable.numpy()) for number, variable in enumerate(_moments(self.optimizer))
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
        """Load a whole checkpoint, or raise KeyError, TypeError or ValueError and load nothing."""
        places = [(f"weight_{number}", variable) for number, variable in enumerate(self.variables)]
        places += [(f"moment_{number}", variable) for number, variable in enumerate(_moments(self.optimizer))]
        best_weights = [arrays[f"best_{number}"].astype(np.float32) for number in range(len(self.best_weights))]
        best, epochs = int(about["best"]), [Epoch(**one) for one in about["epochs"]]
        if not epochs or any(arrays[name].shape != tuple(variable.shape) for name, variable in places):
            raise ValueError("the checkpoint belongs to another network")
        for name, variable in places:
            variable.assign(arrays[name])
        self.best, self.epochs, self.best_weights = best, epochs, best_weights


def fine_tune(
    modules: Keras,
    exported: QKerasExport,
    losses: Sequence[Loss],
    train: DataPart,
    validation: DataPart,
    settings: TrainingSettings,
    *,
    checkpoint: Checkpoint,
    masks: Sequence[Float32] | None = None,
    augment: Augment | None = None,
    watch: Watch | None = None,
) -> TrainingResult:
    """Train the exported model in place; at the end it has the weights with the lowest validation loss.

    These may be the weights before training. With a sparsity, only epochs that reach it count. `masks` have a 0 for
    each weight of a kernel that stays zero, in the order of the exported kernels. Raises DivergedError, WriteError.
    """
    optimizer = modules.keras.optimizers.Adam(settings.learning_rate)
    variables, trainable = exported.trained.weights, exported.trained.trainable_variables
    optimizer.build(trainable)
    state = _State(variables=variables, optimizer=optimizer, best_weights=[one.numpy() for one in variables])
    step, loss_of = _compiled(modules, exported, losses, optimizer, trainable)
    continued = _continue(state, checkpoint)
    if continued is None:
        state.epochs.append(
            Epoch(
                number=0,
                train_loss=None,
                validation_loss=_whole(loss_of, validation, settings.batch),
                learning_rate=0.0,
                sparsity=0.0,
            )
        )
    for number in range(len(state.epochs), settings.epochs + 1):
        if _is_over(state, settings):
            break
        wanted = sparsity_at(number, settings.epochs, settings.sparsity)
        kept = _kept(exported, wanted, masks)
        train_loss = _epoch(step, train, settings, number, kept, augment)
        epoch = Epoch(
            number=number,
            train_loss=train_loss,
            validation_loss=_whole(loss_of, validation, settings.batch),
            learning_rate=_rate(settings, number - 1, 0.0),
            sparsity=wanted,
        )
        if not math.isfinite(train_loss) or not math.isfinite(epoch.validation_loss):
            raise DivergedError(epoch=number, loss=train_loss)
        _remember(state, epoch, settings)
        write_arrays(checkpoint.file, state.arrays(checkpoint.signature))
        if watch is not None:
            watch(epoch, settings.epochs)
    for variable, array in zip(variables, state.best_weights, strict=True):
        variable.assign(array)
    return TrainingResult(best=state.best, epochs=tuple(state.epochs), continued_from=continued)


def _kept(exported: QKerasExport, sparsity: float, fixed: Sequence[Float32] | None) -> list[Float32]:
    """For each kernel, 1 for each weight that stays in an epoch and 0 for each that is cut, now or from the start."""
    found = magnitude_masks([kernel.numpy() for kernel in exported.kernels], sparsity)
    if fixed is None:
        return found
    return [mask * one.reshape(mask.shape) for mask, one in zip(found, fixed, strict=True)]


def _is_over(state: _State, settings: TrainingSettings) -> bool:
    """Whether the loss has not improved for `patience` epochs, counted from the first epoch that may be kept."""
    last = state.epochs[-1].number
    eligible = [one.number for one in state.epochs if one.sparsity >= settings.sparsity]
    return bool(eligible) and last - max(state.best, eligible[0]) >= settings.patience


def _remember(state: _State, epoch: Epoch, settings: TrainingSettings) -> None:
    eligible = [one.validation_loss for one in state.epochs if one.sparsity >= settings.sparsity]
    state.epochs.append(epoch)
    if epoch.sparsity >= settings.sparsity and epoch.validation_loss < min(eligible, default=math.inf):
        state.best = epoch.number
        state.best_weights = [one.numpy() for one in state.variables]


def _compiled(
    modules: Keras, exported: QKerasExport, losses: Sequence[Loss], optimizer: Any, trainable: Sequence[Any]
) -> tuple[Any, Any]:
    """Two TensorFlow graphs: one step of training, and the sum of the losses of some events."""
    tf, model = modules.tf, exported.trained
    specs = [
        [tf.TensorSpec((None, *one.shape[1:]), tf.float32) for one in ends] for ends in (model.inputs, model.outputs)
    ]

    def total(inputs: Any, targets: Any) -> Any:
        # Not in training mode: normalizations keep their statistics, which the hardware will use.
        outputs = model(inputs, training=False)
        listed = outputs if isinstance(outputs, list | tuple) else [outputs]
        return tf.add_n(
            [_loss(tf, kind, one, wanted) for kind, one, wanted in zip(losses, listed, targets, strict=True)]
        )

    def step(inputs: Any, targets: Any, kept: Any, rate: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(total(inputs, targets))
        optimizer.learning_rate.assign(rate)
        optimizer.apply_gradients(zip(tape.gradient(loss, trainable), trainable, strict=True))
        for kernel, mask in zip(exported.kernels, kept, strict=True):
            kernel.assign(kernel * mask)
        return loss

    def summed(inputs: Any, targets: Any) -> Any:
        return tf.reduce_sum(total(inputs, targets))

    kept_specs = [tf.TensorSpec(kernel.shape, tf.float32) for kernel in exported.kernels]
    return tf.function(step, input_signature=[*specs, kept_specs, tf.TensorSpec((), tf.float32)]), tf.function(
        summed, input_signature=specs
    )


def _loss(tf: Any, kind: Loss, logits: Any, targets: Any) -> Any:
    """The loss of each event."""
    match kind:
        case Loss.CLASSES:
            return _per_event(tf, tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        case Loss.YES_NO:
            return _per_event(tf, tf.nn.sigmoid_cross_entropy_with_logits(targets, logits))
        case Loss.VALUES:
            return _per_event(tf, tf.square(logits - targets))


def _per_event(tf: Any, values: Any) -> Any:
    return tf.reduce_mean(tf.reshape(values, (tf.shape(values)[0], -1)), axis=1)


def _epoch(
    step: Any,
    train: DataPart,
    settings: TrainingSettings,
    number: int,
    kept: Sequence[Float32],
    augment: Augment | None,
) -> float:
    """One pass over the training events in the order of this epoch; returns the mean loss of its steps."""
    order = np.argsort(uniforms(settings.seed * 100_003 + number, len(train)), kind="stable")
    starts = range(0, len(order), settings.batch)
    losses = []
    for position, start in enumerate(starts):
        chosen = order[start : start + settings.batch]
        inputs = [one[chosen] for one in train.inputs]
        if augment is not None:
            inputs = [augment(one, (settings.seed * 1_000_003 + number) * 100_003 + position) for one in inputs]
        rate = _rate(settings, number - 1, position / len(starts))
        losses.append(
            step(_narrow(inputs), _narrow([one[chosen] for one in train.targets]), list(kept), np.float32(rate))
        )
    return float(np.mean([float(one) for one in losses]))


def _rate(settings: TrainingSettings, epoch: int, part: float) -> float:
    """The learning rate within an epoch, counted from 0."""
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min((epoch + part) / settings.epochs, 1.0)))


def _whole(loss_of: Any, part: DataPart, batch: int) -> float:
    """The mean loss of all events."""
    total = 0.0
    for start in range(0, len(part), 4 * batch):
        rows = slice(start, start + 4 * batch)
        total += float(
            loss_of(_narrow([one[rows] for one in part.inputs]), _narrow([one[rows] for one in part.targets]))
        )
    return total / len(part)


def _narrow(arrays: Sequence[NDArray[Any]]) -> list[Float32]:
    return [one.astype(np.float32) for one in arrays]


def _continue(state: _State, checkpoint: Checkpoint) -> int | None:
    """Continue from the checkpoint; None if there is none of this training."""
    if not checkpoint.file.is_file():
        return None
    try:
        arrays = read_arrays(checkpoint.file)
        about = json.loads(arrays["about"].tobytes())
        if about["signature"] != checkpoint.signature:
            return None
        state.restore(arrays, about)
    except (FpgacnnError, KeyError, TypeError, ValueError):
        return None
    return state.epochs[-1].number


def _moments(optimizer: Any) -> list[Any]:
    """The optimizer's variables except the rate, which is set in every step."""
    found = optimizer.variables
    listed = found() if callable(found) else found
    return [one for one in listed if "learning_rate" not in one.name]


def _text(value: Any) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _plain(epoch: Epoch) -> dict[str, Any]:
    return {name: getattr(epoch, name) for name in Epoch.__slots__}
