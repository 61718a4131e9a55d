"""The only package that imports TensorFlow and QKeras, for training and as a reference.

Importing this package imports neither; `open_keras` does, once, with the environment that QKeras needs.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from fpgacnn.errors import ForeignToolError, MissingExtraError
from fpgacnn.training.data import Splits

KerasModel: TypeAlias = Any
"""A Keras-2 model; TensorFlow has no types to import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keras:
    """The imported modules: TensorFlow, its Keras 2, pruning (tfmot) and QKeras."""

    tf: ModuleType
    keras: ModuleType
    tfmot: ModuleType
    qkeras: ModuleType


def open_keras() -> Keras:
    """Import TensorFlow with Keras 2 on the CPU, and QKeras; 5 to 15 s the first time.

    QKeras 0.9.0 needs Keras 2, which TensorFlow uses only if an environment variable is set before its first import.
    oneDNN is switched off because its order of additions, and so the last bits of float networks, depends on the
    processor.
    """
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with warnings.catch_warnings(), _silent_stderr():
        warnings.simplefilter("ignore")
        tf = _import("tensorflow")
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        keras = _import("tf_keras")
        if tf.keras.layers.Layer is not keras.layers.Layer:
            raise ForeignToolError(tool="TensorFlow", why="Keras 3 was loaded before fpgacnn could select Keras 2")
        operations = _import("tensorflow.python.ops.array_ops")
        if not hasattr(
            operations, "stack"
        ):  # TensorFlow moved it; QKeras' transposed convolution still uses the old place
            vars(operations)["stack"] = tf.stack
        return Keras(tf=tf, keras=keras, tfmot=_import("tensorflow_model_optimization"), qkeras=_import("qkeras"))


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(extra="train", package=error.name or name) from error


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send file descriptor 2 to /dev/null: TensorFlow's C++ writes there before any of its log levels is in force."""
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Training schedule: epochs, batch and first learning rate of Adam, which falls to zero along half a cosine."""

    seed: int
    epochs: int
    batch: int
    learning_rate: float


def make_reproducible(modules: Keras, seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and require deterministic kernels; call this before the model is built."""
    modules.keras.utils.set_random_seed(seed)
    modules.tf.config.experimental.enable_op_determinism()


def fit(modules: Keras, model: KerasModel, splits: Splits, *, loss: object, schedule: Schedule) -> int:
    """Train in place and keep the weights of the epoch with the lowest validation loss; return that epoch, from 1.

    The test split is not used.
    """
    steps = -(-len(splits.train) // schedule.batch) * schedule.epochs
    rate = modules.keras.optimizers.schedules.CosineDecay(schedule.learning_rate, steps)
    keep_best = modules.keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=schedule.epochs, restore_best_weights=True
    )
    model.compile(optimizer=modules.keras.optimizers.Adam(rate), loss=loss)
    model.fit(
        splits.train.x,
        splits.train.y,
        validation_data=(splits.validation.x, splits.validation.y),
        batch_size=schedule.batch,
        epochs=schedule.epochs,
        callbacks=[keep_best],
        verbose=0,
    )
    return int(keep_best.best_epoch) + 1


def save(model: KerasModel, file: Path) -> None:
    """Write Keras-2 HDF5 without the optimizer's state, which every QKeras reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(file, include_optimizer=False, save_format="h5")
