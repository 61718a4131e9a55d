"""Train the digits networks: a 6-bit QKeras CNN and the float CNN. Run: python models/digits/train.py

Needs `pip install 'fpgacnn[train,demo]'` and about a minute. Writes digits.h5 and digits_float.h5 beside this script
and the table of README.md to standard output.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from fpgacnn.training.data import Splits
from fpgacnn.training.data.digits import load_digits
from fpgacnn.training.data.metrics import accuracy
from fpgacnn.training.keras import Keras, KerasModel, Schedule, fit, make_reproducible, open_keras, save
from fpgacnn.training.keras.oracle import run_keras

HERE = Path(__file__).parent
QUANTIZED = Schedule(seed=1, epochs=80, batch=32, learning_rate=0.005)
UNQUANTIZED = Schedule(seed=3, epochs=80, batch=32, learning_rate=0.005)
"""Rate and epochs were chosen on the validation split, and each network's seed is the best of 1, 2 and 3 there."""
CLASSES = 10


def quantized(modules: Keras) -> KerasModel:
    """Weights in 6 bits (steps of 1/32), activations in 6 bits (steps of 1/16 up to 63/16)."""
    q, layers = modules.qkeras, modules.keras.layers

    def weights() -> object:
        return q.quantized_bits(6, 0, alpha=1)

    return modules.keras.Sequential(
        [
            modules.keras.Input((8, 8, 1), name="image"),
            q.QConv2D(8, 3, kernel_quantizer=weights(), bias_quantizer=weights(), name="conv1"),
            q.QActivation(q.quantized_relu(6, 2), name="relu1"),
            q.QConv2D(16, 3, kernel_quantizer=weights(), bias_quantizer=weights(), name="conv2"),
            q.QActivation(q.quantized_relu(6, 2), name="relu2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flatten"),
            q.QDense(CLASSES, kernel_quantizer=weights(), bias_quantizer=weights(), name="logits"),
        ],
        name="digits",
    )


def unquantized(modules: Keras) -> KerasModel:
    """The same network in float32."""
    layers = modules.keras.layers
    return modules.keras.Sequential(
        [
            modules.keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(8, 3, name="conv1"),
            layers.Activation("relu", name="relu1"),
            layers.Conv2D(16, 3, name="conv2"),
            layers.Activation("relu", name="relu2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(CLASSES, name="logits"),
        ],
        name="digits_float",
    )


def train(modules: Keras, model: KerasModel, splits: Splits, schedule: Schedule) -> str:
    """Train, save, load again, and give the row of README.md that belongs to the saved file."""
    loss = modules.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    epoch = fit(modules, model, splits, loss=loss, schedule=schedule)
    trained = model.predict(splits.test.x, batch_size=256, verbose=0)
    file = HERE / f"{model.name}.h5"
    save(model, file)
    # The file is our own, written a moment ago: no white list is needed.
    test = run_keras(file, [splits.test.x]).outputs[0]
    validation = run_keras(file, [splits.validation.x]).outputs[0]
    figures = (accuracy(validation, splits.validation.y), accuracy(test, splits.test.y))
    difference = float(np.max(np.abs(test - trained)))
    cells = (f"`{file.name}`", model.count_params(), epoch, *(f"{figure:.4f}" for figure in figures), f"{difference:g}")
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Train both networks and show what README.md states."""
    modules, splits = open_keras(), load_digits()
    rows = [
        "| file | parameters | best epoch | validation accuracy | test accuracy | difference after loading |",
        "|---|---|---|---|---|---|",
    ]
    for build, schedule in ((quantized, QUANTIZED), (unquantized, UNQUANTIZED)):
        make_reproducible(modules, schedule.seed)
        rows.append(train(modules, build(modules), splits, schedule))
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
