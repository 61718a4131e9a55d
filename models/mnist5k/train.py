"""Train the MNIST-5k float network, a start for `fpgacnn quantize`. Run: python models/mnist5k/train.py

Needs `pip install 'fpgacnn[train,data]'` and half a minute. Writes mnist5k_float.h5 beside this script and the row of
README.md to standard output.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fpgacnn.training.data.metrics import accuracy
from fpgacnn.training.data.mnist5k import load_mnist5k
from fpgacnn.training.keras import Keras, KerasModel, Schedule, fit, make_reproducible, open_keras, save
from fpgacnn.training.keras.oracle import run_keras

FILE = Path(__file__).with_name("mnist5k_float.h5")
SCHEDULE = Schedule(seed=1, epochs=15, batch=32, learning_rate=0.003)
"""Not tuned: the first choice."""


def build(modules: Keras) -> KerasModel:
    """Three convolutions of 3 x 3, two of them followed by pooling, and a dense layer."""
    layers = modules.keras.layers
    return modules.keras.Sequential(
        [
            modules.keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(8, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(16, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Conv2D(16, 3, activation="relu", name="conv3"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="mnist5k_float",
    )


def main() -> None:
    """Train, save, and show what README.md states."""
    modules, splits = open_keras(), load_mnist5k()
    make_reproducible(modules, SCHEDULE.seed)
    model = build(modules)
    epoch = fit(modules, model, splits, loss="sparse_categorical_crossentropy", schedule=SCHEDULE)
    save(model, FILE)
    # The file is our own, written a moment ago: no white list is needed.
    figures = [accuracy(run_keras(FILE, [part.x]).outputs[0], part.y) for part in (splits.validation, splits.test)]
    sys.stdout.write(f"| `{FILE.name}` | {model.count_params()} | {epoch} | {figures[0]:.4f} | {figures[1]:.4f} |\n")


if __name__ == "__main__":
    main()
